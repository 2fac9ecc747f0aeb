/* Schedules of contractions.
 *
 * needs       a nest of one phase, its class and lane variable
 * guarantees  tiles, an order of loops and a unit variable that nest.c can
 *             emit; the order of a sum does not depend on them
 *
 * Tiles have 10 to 20 accumulators, so that the latency of a multiply-add is
 * hidden and nothing spills. */
#include "loop/lower.h"

enum {
    MAX_PIXELS = 16,
    MAX_UNROLLED_TAPS = 5,
    ACCUMULATORS = 20,
    PIXEL_ACCUMULATORS = 16,
    ROW_ACCUMULATORS = 10
};

static bool shares_bound(const Nest *nest, int v, int w)
{
    for (int i = 0; i < nest->nbounds; i++)
        if (nest->bound[i].at.coefficient[v] && nest->bound[i].at.coefficient[w])
            return true;
    return false;
}

static bool is_bound(const Nest *nest, int v)
{
    for (int i = 0; i < nest->nbounds; i++)
        if (nest->bound[i].at.coefficient[v])
            return true;
    return false;
}

/* Equal tiles of at most `most`. */
static int64_t even_tile(int64_t extent, int64_t most)
{
    int64_t tiles = (extent + most - 1) / most;
    return (extent + tiles - 1) / tiles;
}

/* The tile in 7..16 with the least left over, larger first. */
static int64_t pixel_tile(int64_t extent)
{
    int64_t best = extent < MAX_PIXELS ? extent : 0, waste = best ? 0 : extent;
    for (int64_t t = MAX_PIXELS; !best && t >= 7; t--) {
        int64_t rest = extent % t ? t - extent % t : 0;
        if (rest < waste) {
            waste = rest;
            best = rest == 0 ? t : best;
        }
    }
    return best ? best : 14;
}

/* Taps under an unrolled row of pixels are unrolled too, or the row is not. */
static void unroll_taps(Schedule *s, const Nest *nest, int pixel)
{
    for (int w = 0; w < nest->nvars; w++)
        if (nest->var[w].reduced && shares_bound(nest, pixel, w)) {
            if (nest->var[w].extent <= MAX_UNROLLED_TAPS)
                s->tile[w] = nest->var[w].extent;
            else if (s->tile[pixel] < nest->var[pixel].extent)
                s->tile[pixel] = 1;
        }
}

static int last_output(const Nest *nest, const Linear *with, bool inside)
{
    for (int v = nest->nvars; v-- > 0;)
        if (!nest->var[v].reduced && nest->var[v].extent > 1 &&
            (with->coefficient[v] != 0) == inside)
            return v;
    return -1;
}

static bool has_loop(const Schedule *s, const Nest *nest, int v)
{
    return s->tile[v] < nest->var[v].extent;
}

static void add_loop(Schedule *s, const Nest *nest, int v)
{
    if (has_loop(s, nest, v))
        s->order[s->norder++] = v;
}

/* Where two loops share a bound the inner one gets its limits from the outer;
 * that takes steps of one. */
static void untile_bound_loops(Schedule *s, const Nest *nest)
{
    for (int v = 0; v < nest->nvars; v++)
        for (int w = 0; w < nest->nvars; w++)
            if (v != w && shares_bound(nest, v, w) && s->tile[v] < nest->var[v].extent &&
                s->tile[w] < nest->var[w].extent)
                s->tile[v] = s->tile[w] = 1;
}

Schedule untiled(const Nest *nest)
{
    Schedule s = {.unit_var = -1};
    for (int v = 0; v < nest->nvars; v++)
        s.tile[v] = 1;
    return s;
}

void order_loops(Schedule *s, const Nest *nest, int unit)
{
    untile_bound_loops(s, nest);
    if (unit >= 0 && has_loop(s, nest, unit)) {
        s->unit_var = unit;
        add_loop(s, nest, unit);
    }
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && v != s->unit_var)
            add_loop(s, nest, v);
    s->nouter = s->norder;
    for (int v = 0; v < nest->nvars; v++)
        if (nest->var[v].reduced)
            add_loop(s, nest, v);
}

/* The innermost reduced loop takes several steps at a time where it would
 * otherwise hold only a few multiply-adds. */
static void unroll_sum(Schedule *s, const Nest *nest, int64_t outputs)
{
    int inner = -1;
    for (int v = 0; v < nest->nvars; v++) {
        if (nest->var[v].reduced && s->tile[v] > 1)
            return;
        if (nest->var[v].reduced && nest->var[v].extent > 1)
            inner = v;
    }
    if (inner >= 0 && nest->var[inner].extent >= 8 && outputs <= 32 && !is_bound(nest, inner))
        s->tile[inner] = 4;
}

static int64_t tile_outputs(const Schedule *s, const Nest *nest)
{
    int64_t n = 1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced)
            n *= s->tile[v] < nest->var[v].extent ? s->tile[v] : nest->var[v].extent;
    return n;
}

static void tile_samples(Schedule *s, const Contracted *c)
{
    const Nest *nest = c->nest;
    const Linear *address = &nest->address[c->in_lanes];
    int pixel = last_output(nest, address, true), channel = last_output(nest, address, false);
    int64_t pixels = 1;
    if (pixel >= 0) {
        s->tile[pixel] = pixel_tile(nest->var[pixel].extent);
        unroll_taps(s, nest, pixel);
        pixels = s->tile[pixel];
    }
    for (int v = 0; v < nest->nvars && pixels <= 4 && pixel >= 0; v++)
        if (v != pixel && !nest->var[v].reduced && address->coefficient[v] &&
            nest->var[v].extent * pixels <= 12 && nest->var[v].extent > 1) {
            s->tile[v] = nest->var[v].extent;
            pixels *= nest->var[v].extent;
        }
    if (channel >= 0) {
        int64_t most = (pixels > 1 ? PIXEL_ACCUMULATORS : ACCUMULATORS) / pixels;
        s->tile[channel] = even_tile(nest->var[channel].extent, most > 1 ? most : 1);
        most = pixels * 2 <= 18 && nest->var[channel].extent > 1 ? 2 : 1;
        if (s->tile[channel] < most)
            s->tile[channel] = most;
    }
    unroll_sum(s, nest, tile_outputs(s, nest));
    order_loops(s, nest, channel >= 0 && has_loop(s, nest, channel) ? channel : pixel);
}

/* Does the operand that slides under the taps depend on v? */
static bool slides_with(const Nest *nest, int v)
{
    for (int i = 0; i < 2; i++)
        for (int tap = 0; tap < nest->nvars; tap++)
            if (!nest->var[tap].reduced && is_bound(nest, tap) &&
                nest->address[i].coefficient[tap] && nest->address[i].coefficient[v])
                return true;
    return false;
}

/* Taps of a window in registers; what slides under them is loaded once for
 * all channels of the tile. */
static void tile_lane_sum(Schedule *s, const Contracted *c)
{
    const Nest *nest = c->nest;
    int64_t taps = 1;
    int unit = -1, inner = -1;
    for (int v = nest->nvars; v-- > 0;)
        if (!nest->var[v].reduced && is_bound(nest, v) && taps * nest->var[v].extent <= 9) {
            s->tile[v] = nest->var[v].extent;
            taps *= nest->var[v].extent;
        }
    for (int v = nest->nvars; v-- > 0;) {
        if (nest->var[v].reduced || is_bound(nest, v) || nest->var[v].extent <= 1)
            continue;
        if (inner < 0 || (slides_with(nest, inner) && !slides_with(nest, v))) {
            unit = inner >= 0 ? inner : unit;
            inner = v;
        } else if (unit < 0) {
            unit = v;
        }
    }
    int64_t each = taps >= 6 ? 2 : 4;
    if (inner >= 0)
        s->tile[inner] = even_tile(nest->var[inner].extent, each);
    if (unit >= 0 && taps < 3)
        s->tile[unit] = even_tile(nest->var[unit].extent, 4);
    order_loops(s, nest, unit >= 0 ? unit : inner);
}

/* Vectors along the lane variable times rows: the fewest loads for each
 * multiply-add within ROW_ACCUMULATORS: few, since the update that follows a
 * tile's sum is long, and only a short one overlaps with the next tile's sum
 * (10 instead of 21 take 6 % off a step of the stacked autoencoder). */
static void tile_rows(Schedule *s, const Contracted *c)
{
    const Nest *nest = c->nest;
    int lane = c->lane_var, row = -1;
    double best = 1e9;
    int64_t vectors = nest->var[lane].extent, rows = 1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && v != lane && nest->var[v].extent > 1)
            row = v;
    int64_t height = row >= 0 ? nest->var[row].extent : 1;
    for (int64_t v = 1; v <= 7 && v <= vectors; v++) {
        int64_t r = ROW_ACCUMULATORS / v < height ? ROW_ACCUMULATORS / v : height;
        double steps = (double)((vectors + v - 1) / v) * (double)((height + r - 1) / r);
        double cost = steps * (double)(v + r + v * r);
        if (cost < best) {
            best = cost;
            s->tile[lane] = v;
            rows = r;
        }
    }
    if (row >= 0)
        s->tile[row] = even_tile(height, rows);
    order_loops(s, nest, row >= 0 && s->tile[row] < height ? row : lane);
}

static void tile_scalars(Schedule *s, const Contracted *c)
{
    const Nest *nest = c->nest;
    int last = -1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && !is_bound(nest, v) && nest->var[v].extent > 1)
            last = v;
    if (last >= 0)
        s->tile[last] = even_tile(nest->var[last].extent, 8);
    order_loops(s, nest, last);
}

Schedule choose_schedule(const Contracted *c)
{
    Schedule s = untiled(c->nest);
    if (c->class == CONTRACT_SAMPLES)
        tile_samples(&s, c);
    else if (c->class == CONTRACT_LANE_SUM)
        tile_lane_sum(&s, c);
    else if (c->lane_var >= 0)
        tile_rows(&s, c);
    else
        tile_scalars(&s, c);
    return s;
}
