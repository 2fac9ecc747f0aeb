/* Schedules of contractions with samples in the lanes: forward and input
 * gradients of everything that has a batch.
 *
 * A tile is pixels of a row, for small maps of all rows, times channels.
 * Pixels share weights, channels share pixels, and taps share the pixels that
 * slide under them: the tile with the fewest loads for its multiply-adds
 * wins. Where the planes outgrow the cache, rows are the outer loop, so that
 * a few rows of all input channels stay near while all output channels pass
 * over them. */
#include "loop/tile.h"

#include <stdlib.h>

enum { MAX_PIXELS = 16, MAX_CHANNELS = 8, DENSE_ACCUMULATORS = 20 };

/* What the variables of a nest are. -1: there is none. */
typedef struct Roles {
    const Contracted *c;
    const Nest *nest;
    int pixel, row, channel; /* outputs                                  */
    int group;               /* an output with which both operands move  */
    int tap;                 /* reduced, slides along the row of pixels  */
    int64_t taps;            /* of one step: 1 where they are looped     */
} Roles;

typedef struct SampleTile {
    int64_t pixels, rows, channels;
} SampleTile;

static int64_t extent(const Roles *r, int v)
{
    return v >= 0 ? r->nest->var[v].extent : 1;
}

static int64_t step_of(const Roles *r, int v)
{
    return v >= 0 ? llabs(r->nest->address[r->c->in_lanes].coefficient[v]) : 0;
}

static int sliding_tap(const Nest *nest, int pixel)
{
    for (int w = nest->nvars; w-- > 0;)
        if (nest->var[w].reduced && (nest->slides[pixel] >> w & 1))
            return w;
    return -1;
}

/* Is v the last of the sum that is more than one step? */
static bool ends_sum(const Nest *nest, int v)
{
    for (int w = v + 1; w < nest->nvars; w++)
        if (nest->var[w].reduced && nest->var[w].extent > 1)
            return false;
    return true;
}

static bool is_group(const Nest *nest, int v)
{
    return nest->address[0].coefficient[v] != 0 && nest->address[1].coefficient[v] != 0;
}

static bool is_output(const Nest *nest, int v)
{
    return !nest->var[v].reduced && nest->var[v].extent > 1;
}

/* The last output that moves along the samples, one under which taps slide
 * before all others. */
static int find_pixel(const Roles *r)
{
    int best = -1;
    for (int v = 0; v < r->nest->nvars; v++)
        if (is_output(r->nest, v) && step_of(r, v) != 0 && !is_group(r->nest, v) &&
            (best < 0 || sliding_tap(r->nest, v) >= 0 || sliding_tap(r->nest, best) < 0))
            best = v;
    return best;
}

static Roles find_roles(const Contracted *c)
{
    Roles r = {
        .c = c, .nest = c->nest, .row = -1, .channel = -1, .group = -1, .tap = -1, .taps = 1};
    r.pixel = find_pixel(&r);
    for (int v = 0; v < c->nest->nvars; v++) {
        if (!is_output(c->nest, v) || v == r.pixel)
            continue;
        if (is_group(c->nest, v))
            r.group = v;
        else if (step_of(&r, v) == 0)
            r.channel = v;
        else if (r.row < 0)
            r.row = v;
    }
    if (r.pixel >= 0)
        r.tap = sliding_tap(c->nest, r.pixel);
    if (r.tap >= 0 && extent(&r, r.tap) <= MAX_TAPS && ends_sum(c->nest, r.tap))
        r.taps = extent(&r, r.tap);
    return r;
}

/* ---- What a tile costs ----------------------------------------------------------- */

/* Different places p * a + t * b of n pixels and m taps, of which a or b is 1
 * in any unit but for odd dilations. */
static int64_t places(int64_t n, int64_t a, int64_t m, int64_t b)
{
    if (m == 1 || n == 1 || b == 0 || a == 0)
        return a == 0 ? m : b == 0 ? n : n * m;
    if (a % b == 0 && a / b <= m)
        return (n - 1) * (a / b) + m;
    if (b % a == 0 && b / a <= n)
        return (m - 1) * (b / a) + n;
    return n * m;
}

/* Cycles of one step of the reduced loops. Pixels come from L2, one line in two
 * cycles, of which half is hidden; weights from L1. */
static double step_cost(const Roles *r, int64_t pixels, int64_t rows, int64_t channels)
{
    const double line = 1, weight = 0.5, loop = 2;
    int64_t chains = pixels * rows * channels, least = r->c->machine->latency;
    int64_t lines = rows * places(pixels, step_of(r, r->pixel), r->taps, step_of(r, r->tap));
    double products = (double)((chains < least ? least : chains) * r->taps);
    return products + line * (double)lines + weight * (double)(channels * r->taps) + loop;
}

static double cost_along(const Roles *r, const SampleTile *t, int64_t pixels)
{
    int64_t n = extent(r, r->channel), rest = n % t->channels;
    double cost = (double)(n / t->channels) * step_cost(r, pixels, t->rows, t->channels);
    return rest ? cost + step_cost(r, pixels, t->rows, rest) : cost;
}

static double cost_of(const Roles *r, const SampleTile *t)
{
    int64_t n = extent(r, r->pixel), rest = n % t->pixels;
    double cost = (double)(n / t->pixels) * cost_along(r, t, t->pixels);
    cost = rest ? cost + cost_along(r, t, rest) : cost;
    return cost * (double)((extent(r, r->row) + t->rows - 1) / t->rows);
}

static int64_t most_accumulators(const Machine *m)
{
    int64_t n = (int64_t)m->registers * 5 / 8 * m->width / LANES;
    return n > 4 ? n : 4;
}

static bool is_allowed(const Roles *r, const SampleTile *t)
{
    if (t->pixels * t->rows * t->channels > most_accumulators(r->c->machine))
        return false;
    bool looped =
        r->tap >= 0 && r->taps < extent(r, r->tap) && shares_bound(r->nest, r->pixel, r->tap);
    return !looped || t->pixels == 1 || t->pixels == extent(r, r->pixel);
}

static int64_t side_of(const Roles *r, int v)
{
    return r->c->side && v >= 0 ? r->c->side[v] : 1;
}

/* One row, of windows if there are any, or all rows whole. */
static SampleTile best_tile(const Roles *r)
{
    int64_t side = side_of(r, r->pixel), row = side_of(r, r->row), rows = extent(r, r->row);
    int64_t pixels = extent(r, r->pixel), channels = extent(r, r->channel);
    SampleTile best = {side, row, 1};
    double least = 0;
    for (int64_t y = row; y <= rows; y += rows > row ? rows - row : 1)
        for (int64_t p = y > row ? pixels : side; p <= MAX_PIXELS && p <= pixels; p += side)
            for (int64_t q = 1; q <= MAX_CHANNELS && q <= channels; q++) {
                SampleTile t = {p, y, q};
                double cost = is_allowed(r, &t) ? cost_of(r, &t) : 0;
                if (cost > 0 && (least == 0 || cost < least)) {
                    least = cost;
                    best = t;
                }
            }
    return best;
}

/* ---- Order of the loops ----------------------------------------------------------- */

static bool slides(const Roles *r, int v, int along)
{
    return along >= 0 && r->nest->var[v].reduced && (r->nest->slides[along] >> v & 1);
}

/* Bytes of the samples' operand that one tile reads; with `pixels`, `rows`:
 * that all tiles along them read. What slides along either adds little. */
static int64_t bytes_over(const Roles *r, bool rows, bool pixels)
{
    int64_t n = LANES * (int64_t)sizeof(float);
    for (int v = 0; v < r->nest->nvars; v++) {
        bool passes = v == r->row ? rows : v == r->pixel ? pixels : r->nest->var[v].reduced;
        bool slid = (pixels && slides(r, v, r->pixel)) || (rows && slides(r, v, r->row));
        n *= passes && !slid && step_of(r, v) ? extent(r, v) : 1;
    }
    return n;
}

/* Channels outside where all planes stay in half of the cache; else rows, and
 * inside of them pixels where not even the rows of a step stay. */
static void order_samples(Schedule *s, const Roles *r)
{
    int64_t near = r->c->machine->cache[1] / 2;
    bool channels = r->channel >= 0 && has_loop(s, r->nest, r->channel);
    if (r->group >= 0) {
        order_loops_as(s, r->nest, (int[]){r->group, r->channel, r->pixel}, 3);
        return;
    }
    if (!channels || r->row < 0 || !has_loop(s, r->nest, r->row) ||
        bytes_over(r, true, true) <= near) {
        order_loops(s, r->nest, channels ? r->channel : r->pixel);
        return;
    }
    bool wide = bytes_over(r, false, true) > near;
    const int order[] = {r->row, wide ? r->pixel : r->channel, wide ? r->channel : r->pixel};
    order_loops_as(s, r->nest, order, 3);
}

void tile_samples(Schedule *s, const Contracted *c)
{
    Roles r = find_roles(c);
    SampleTile t = {1, 1, 1};
    if (r.pixel >= 0)
        t = best_tile(&r);
    else if (r.channel >= 0)
        t.channels = even_tile(extent(&r, r.channel), DENSE_ACCUMULATORS);
    if (r.pixel >= 0)
        s->tile[r.pixel] = t.pixels;
    if (r.row >= 0)
        s->tile[r.row] = t.rows;
    if (r.channel >= 0)
        s->tile[r.channel] = t.channels;
    if (r.taps > 1)
        s->tile[r.tap] = r.taps;
    unroll_sum(s, c->nest);
    order_samples(s, &r);
}
