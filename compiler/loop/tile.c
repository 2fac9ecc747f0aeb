/* Schedules of contractions.
 *
 * needs       a nest of one phase, its class and lane variable
 * guarantees  tiles, an order of loops and a unit variable that nest.c can
 *             emit; the order of a sum does not depend on them
 *
 * Tiles have 10 to 20 accumulators, so that the latency of a multiply-add is
 * hidden and nothing spills. */
#include "loop/tile.h"

#include <stdlib.h>

enum { ROW_ACCUMULATORS = 20 };

bool shares_bound(const Nest *nest, int v, int w)
{
    for (int i = 0; i < nest->nbounds; i++)
        if (nest->bound[i].at.coefficient[v] && nest->bound[i].at.coefficient[w])
            return true;
    return false;
}

bool is_bound(const Nest *nest, int v)
{
    for (int i = 0; i < nest->nbounds; i++)
        if (nest->bound[i].at.coefficient[v])
            return true;
    return false;
}

int64_t even_tile(int64_t extent, int64_t most)
{
    int64_t tiles = (extent + most - 1) / most;
    return (extent + tiles - 1) / tiles;
}

static void add_loop(Schedule *s, const Nest *nest, int v)
{
    if (has_loop(s, nest, v))
        s->order[s->norder++] = v;
}

bool has_loop(const Schedule *s, const Nest *nest, int v)
{
    return s->tile[v] < nest->var[v].extent;
}

/* A tile of outputs settles a short loop of taps inside of it (nest.c). */
static bool is_settled(const Schedule *s, const Nest *nest, int v, int tap)
{
    return s->tile[v] == 1 || (s->tile[tap] == 1 && !nest->var[v].reduced &&
                               nest->var[tap].reduced && nest->var[tap].extent <= MAX_TAPS);
}

/* Otherwise, where two loops share a bound, the inner one gets its limits from
 * the outer; that takes steps of one. */
static void untile_bound_loops(Schedule *s, const Nest *nest)
{
    for (int v = 0; v < nest->nvars; v++)
        for (int w = 0; w < nest->nvars; w++)
            if (v != w && shares_bound(nest, v, w) && has_loop(s, nest, v) &&
                has_loop(s, nest, w) && !is_settled(s, nest, v, w))
                s->tile[v] = s->tile[w] = 1;
}

Schedule untiled(const Nest *nest)
{
    Schedule s = {.unit_var = -1};
    for (int v = 0; v < nest->nvars; v++)
        s.tile[v] = 1;
    return s;
}

/* Loops over `first`, those that there are, then all other outputs, then the
 * reduced in the order of the sum. */
void order_loops_as(Schedule *s, const Nest *nest, const int *first, int n)
{
    uint32_t placed = 0;
    untile_bound_loops(s, nest);
    for (int i = 0; i < n; i++)
        if (first[i] >= 0) {
            add_loop(s, nest, first[i]);
            placed |= 1u << first[i];
        }
    s->unit_var = n > 0 && s->norder > 0 && s->order[0] == first[0] ? first[0] : -1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && !(placed >> v & 1))
            add_loop(s, nest, v);
    s->nouter = s->norder;
    for (int v = 0; v < nest->nvars; v++)
        if (nest->var[v].reduced)
            add_loop(s, nest, v);
}

void order_loops(Schedule *s, const Nest *nest, int unit)
{
    order_loops_as(s, nest, &unit, 1);
}

static int64_t tile_outputs(const Schedule *s, const Nest *nest)
{
    int64_t n = 1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced)
            n *= s->tile[v] < nest->var[v].extent ? s->tile[v] : nest->var[v].extent;
    return n;
}

void unroll_sum(Schedule *s, const Nest *nest)
{
    int inner = -1;
    for (int v = 0; v < nest->nvars; v++) {
        if (nest->var[v].reduced && s->tile[v] > 1)
            return;
        if (nest->var[v].reduced && nest->var[v].extent > 1)
            inner = v;
    }
    if (inner >= 0 && nest->var[inner].extent >= 8 && tile_outputs(s, nest) <= 32 &&
        !is_bound(nest, inner))
        s->tile[inner] = 4;
}

/* Is output v a tap, under which a summed position slides? */
static bool is_tap(const Nest *nest, int v)
{
    for (int w = 0; w < nest->nvars; w++)
        if (!nest->var[v].reduced && nest->var[w].reduced && (nest->slides[v] >> w & 1))
            return true;
    return false;
}

/* Does the operand that slides under the taps depend on v? */
static bool slides_with(const Nest *nest, int v)
{
    for (int i = 0; i < 2; i++)
        for (int tap = 0; tap < nest->nvars; tap++)
            if (is_tap(nest, tap) && nest->address[i].coefficient[tap] &&
                nest->address[i].coefficient[v])
                return true;
    return false;
}

/* Do positions take several steps of a tap? Then what slides is the larger. */
static bool strides(const Nest *nest)
{
    for (int i = 0; i < 2; i++)
        for (int tap = 0; tap < nest->nvars; tap++)
            for (int w = 0; w < nest->nvars; w++) {
                int64_t one = nest->address[i].coefficient[tap];
                if (is_tap(nest, tap) && nest->var[w].reduced && (nest->slides[tap] >> w & 1) &&
                    llabs(nest->address[i].coefficient[w]) > llabs(one) && one != 0)
                    return true;
            }
    return false;
}

/* Bytes of the planes of all channels v. */
static int64_t bytes_of(const Nest *nest, int v)
{
    int64_t bytes = LANES * (int64_t)sizeof(float) * nest->var[v].extent;
    for (int w = 0; w < nest->nvars; w++)
        bytes *= nest->var[w].reduced ? nest->var[w].extent : 1;
    return bytes;
}

/* Taps of a window in registers; what slides under them is loaded once for all
 * channels of the tile. The planes of the outer channels stay in the cache while
 * all of the inner ones pass, if those do not stay anyway: a tile of several
 * channels is outside then, unless the planes that slide are larger. Outside
 * are enough channels to share among threads. */
static void tile_lane_sum(Schedule *s, const Contracted *c)
{
    enum { MOST_TAPS = 9, FEW_UNITS = 8 };
    const Nest *nest = c->nest;
    int64_t taps = 1;
    int unit = -1, inner = -1;
    for (int v = nest->nvars; v-- > 0;)
        if (is_tap(nest, v) && taps * nest->var[v].extent <= MOST_TAPS) {
            s->tile[v] = nest->var[v].extent;
            taps *= nest->var[v].extent;
        }
    for (int v = nest->nvars; v-- > 0;) {
        if (nest->var[v].reduced || is_tap(nest, v) || nest->var[v].extent <= 1)
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
    bool few = unit >= 0 && nest->var[unit].extent / s->tile[unit] < FEW_UNITS;
    bool larger = unit >= 0 && !strides(nest) && bytes_of(nest, inner) > c->machine->cache[1];
    bool swap = unit < 0 || (taps > 1 && has_loop(s, nest, inner) && (few || larger));
    order_loops(s, nest, swap ? inner : unit);
}

/* Vectors along the lane variable times rows: the fewest loads of operands
 * within ROW_ACCUMULATORS. The rest of an axis is a tile of its own. Units
 * along the longer axis, as the products with the matrix have them (ranges.c). */
static void tile_rows(Schedule *s, const Contracted *c)
{
    const Nest *nest = c->nest;
    int lane = c->lane_var, row = -1;
    int64_t vectors = nest->var[lane].extent, rows = 1, best = INT64_MAX;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && v != lane && nest->var[v].extent > 1)
            row = v;
    int64_t height = row >= 0 ? nest->var[row].extent : 1;
    for (int64_t v = 1; v <= 7 && v <= vectors; v++) {
        int64_t r = ROW_ACCUMULATORS / v < height ? ROW_ACCUMULATORS / v : height;
        int64_t loads = vectors * ((height + r - 1) / r) + height * ((vectors + v - 1) / v);
        if (loads < best) {
            best = loads;
            s->tile[lane] = v;
            rows = r;
        }
    }
    if (row >= 0)
        s->tile[row] = even_tile(height, rows);
    bool by_row = row >= 0 && has_loop(s, nest, row) && height > vectors * LANES;
    order_loops(s, nest, by_row || !has_loop(s, nest, lane) ? row : lane);
}

Schedule choose_schedule(const Contracted *c)
{
    Schedule s = untiled(c->nest);
    if (c->class == CONTRACT_SAMPLES)
        tile_samples(&s, c);
    else if (c->class == CONTRACT_LANE_SUM)
        tile_lane_sum(&s, c);
    else if (c->class == CONTRACT_ROWS)
        tile_rows(&s, c);
    else
        tile_free(&s, c);
    return s;
}
