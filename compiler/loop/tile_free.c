/* Tiles of contractions without a batch: vectors along the lane variable (or
 * scalars where there is none) times outputs that share what they multiply.
 *
 * needs       a nest of class FREE
 * guarantees  the tile with the least time by what binds it: multiply-adds,
 *             loads, the latency of a chain, or weights that come from L2; the
 *             mean of the times on one and on two threads, since a step of
 *             microseconds has few units to share */
#include "loop/tile.h"

enum { MAX_WIDE = 8, MAX_HIGH = 16, MAX_ROWS = 4, MAX_UNROLLED_TAPS = 5 };

typedef struct Search {
    const Contracted *c;
    int lane, pixel, row;       /* variables of the tile, or -1               */
    int most;                   /* accumulators                               */
    double parts;               /* registers in a logical vector              */
    double far;                 /* cycles to bring a vector of weights, or 0  */
    double best;
} Search;

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static int64_t extent(const Search *s, int v)
{
    return v >= 0 ? s->c->nest->var[v].extent : 1;
}

/* Cycles of one step of the sum for a tile of `wide` vectors by `high`. */
static double step_cycles(const Search *s, int64_t wide, int64_t high)
{
    const Machine *m = s->c->machine;
    double work = (double)(wide * high) * s->parts / m->multiply_adds;
    double loads = ((double)wide * s->parts + (double)high) / m->loads;
    return larger(larger(work, loads), larger(m->latency, (double)wide * s->far));
}

/* A tile of `wide` by `high` wherever it fits, and what is left over. */
static double nest_cycles(const Search *s, int64_t wide, int64_t high, int64_t rows)
{
    int64_t width = extent(s, s->lane), height = extent(s, s->pixel);
    double cycles = 0;
    for (int64_t x = 0; x < width; x += wide)
        for (int64_t y = 0; y < height; y += high) {
            int64_t w = width - x < wide ? width - x : wide;
            int64_t h = height - y < high ? height - y : high;
            cycles += step_cycles(s, w, h * rows);
        }
    return cycles * (double)((extent(s, s->row) + rows - 1) / rows);
}

static int64_t tiles(const Nest *nest, const Schedule *by, int v)
{
    return v < 0 ? 1 : (nest->var[v].extent + by->tile[v] - 1) / by->tile[v];
}

/* The output that is split over threads: where two get the most equal shares. */
static int best_unit(const Nest *nest, const Schedule *by, double *most)
{
    int unit = -1;
    *most = 1;
    for (int v = 0; v < nest->nvars; v++) {
        int64_t n = tiles(nest, by, v);
        double share = (double)((n + 1) / 2) / (double)n;
        if (!nest->var[v].reduced && n > 1 && share < *most) {
            *most = share;
            unit = v;
        }
    }
    return unit;
}

/* Does tap w slide along an output of which several stand in the tile; and in
 * *cut, along one that has a loop, too? */
static bool slides_in_tile(const Nest *nest, const Schedule *by, int w, bool *cut)
{
    bool slides = false;
    *cut = false;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && by->tile[v] > 1 && shares_bound(nest, v, w)) {
            slides = true;
            *cut |= has_loop(by, nest, v);
        }
    return slides;
}

/* Taps that slide along the tile are unrolled, which the order of the sum
 * allows at its end only. False: one cannot be, and an output has a loop. */
static bool unroll_taps(Schedule *by, const Nest *nest)
{
    bool ends = true, cut;
    for (int w = nest->nvars; w-- > 0;) {
        if (!nest->var[w].reduced || nest->var[w].extent <= 1)
            continue;
        bool slides = slides_in_tile(nest, by, w, &cut);
        if (slides && ends && nest->var[w].extent <= MAX_UNROLLED_TAPS)
            by->tile[w] = nest->var[w].extent;
        else if (cut)
            return false;
        else
            ends = false;
    }
    return true;
}

static void try(Search *s, Schedule *best, int64_t wide, int64_t high, int64_t rows)
{
    double share;
    Schedule by = untiled(s->c->nest);
    if (s->lane >= 0)
        by.tile[s->lane] = wide;
    if (s->pixel >= 0)
        by.tile[s->pixel] = high;
    if (s->row >= 0)
        by.tile[s->row] = rows;
    if (!unroll_taps(&by, s->c->nest))
        return;
    int unit = best_unit(s->c->nest, &by, &share);
    double cost = nest_cycles(s, wide, high, rows) * (1 + share);
    if (cost >= s->best)
        return;
    s->best = cost;
    *best = by;
    unroll_sum(best, s->c->nest);
    order_loops(best, s->c->nest, unit);
}

/* The last two outputs beside the lanes that have more than one value. */
static void find_variables(Search *s)
{
    const Nest *nest = s->c->nest;
    s->lane = s->c->lane_var;
    s->pixel = s->row = -1;
    for (int v = nest->nvars; v-- > 0;) {
        if (nest->var[v].reduced || v == s->lane || nest->var[v].extent <= 1)
            continue;
        if (s->pixel < 0)
            s->pixel = v;
        else if (s->row < 0)
            s->row = v;
    }
}

/* Bytes of the operand that the lanes run through. */
static double lane_bytes(const Search *s)
{
    const Nest *nest = s->c->nest;
    double bytes = 4;
    for (int i = 0; i < 2 && s->lane >= 0; i++)
        if (nest->address[i].coefficient[s->lane])
            for (int v = 0; v < nest->nvars; v++)
                if (nest->address[i].coefficient[v])
                    bytes *= (double)nest->var[v].extent * (v == s->lane ? LANES : 1);
    return bytes;
}

static Search search_of(const Contracted *c)
{
    const Machine *m = c->machine;
    Search s = {.c = c, .best = 1e300};
    find_variables(&s);
    s.parts = s.lane < 0 || m->width >= LANES ? 1 : (double)LANES / m->width;
    s.most = (int)((m->registers - m->registers / 4) / s.parts);
    if (lane_bytes(&s) > (double)m->cache[0] / 2)
        s.far = 4 * LANES / m->bytes[0];
    return s;
}

void tile_free(Schedule *best, const Contracted *c)
{
    Search s = search_of(c);
    for (int64_t rows = 1; rows <= MAX_ROWS && rows <= extent(&s, s.row); rows++)
        for (int64_t high = 1; high <= MAX_HIGH && high <= extent(&s, s.pixel); high++)
            for (int64_t wide = 1; wide <= MAX_WIDE && wide <= extent(&s, s.lane); wide++)
                if ((wide * high * rows <= s.most || wide * high * rows == 1) &&
                    (rows == 1 || (rows == extent(&s, s.row) && high == extent(&s, s.pixel))))
                    try(&s, best, wide, high, rows);
}
