/* The loops of a nest: tiles unrolled, borders peeled.
 *
 * needs       a nest with its schedule
 * guarantees  every point that exists is visited once, reduced variables in
 *             the order of the sum; no test of a border is left for run time
 *
 * A bound between a loop and unrolled offsets cuts the loop's range into
 * segments in each of which every offset is either alive or dead; the dead
 * ones are simply not emitted. A bound between a tiled loop and one inside of
 * it does so for every step of that one; one between two loops of single
 * steps becomes limits of the inner one. Accumulators are values carried by the reduced loops. */
#include "loop/lower.h"

#include <stdlib.h>

/* ---- Offsets ------------------------------------------------------------------- */

int nest_outputs(const Nest *nest)
{
    int n = 1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced)
            n *= (int)nest->var[v].count;
    return n;
}

void nest_output(const Nest *nest, int i, int64_t offset[MAX_VARS])
{
    for (int v = nest->nvars; v-- > 0;)
        if (!nest->var[v].reduced) {
            offset[v] = i % nest->var[v].count;
            i /= (int)nest->var[v].count;
        }
}

bool nest_next(const Nest *nest, int64_t offset[MAX_VARS])
{
    for (int v = nest->nvars; v-- > 0;) {
        if (!nest->var[v].reduced)
            continue;
        if (++offset[v] < nest->var[v].count)
            return true;
        offset[v] = 0;
    }
    return false;
}

static int64_t least(const Nest *nest, const Linear *a, const int64_t offset[MAX_VARS])
{
    int64_t sum = a->constant;
    for (int v = 0; v < nest->nvars; v++)
        sum += a->coefficient[v] * (nest->var[v].first + offset[v]);
    return sum;
}

/* Bounds between two loops are kept by the limits of the inner one. */
static bool kept_by_limits(const Nest *nest, const Linear *a)
{
    int running = 0;
    for (int v = 0; v < nest->nvars; v++)
        running += a->coefficient[v] != 0 && !nest->var[v].settled;
    return running > 1;
}

bool nest_alive(const Nest *nest, const int64_t offset[MAX_VARS])
{
    for (int i = 0; i < nest->nbounds; i++) {
        const Bound *b = &nest->bound[i];
        if (kept_by_limits(nest, &b->at))
            continue;
        int64_t at = least(nest, &b->at, offset);
        if (at < 0 || at >= b->limit)
            return false;
    }
    return true;
}

Inst *nest_base(const Nest *nest, const Linear *a)
{
    Inst *sum = iconst(0);
    for (int v = 0; v < nest->nvars; v++)
        if (a->coefficient[v])
            sum = iadd(sum, imul(nest->var[v].base, a->coefficient[v]));
    return sum;
}

int64_t nest_offset(const Nest *nest, const Linear *a, const int64_t offset[MAX_VARS])
{
    int64_t sum = a->constant;
    for (int v = 0; v < nest->nvars; v++)
        sum += a->coefficient[v] * offset[v];
    return sum;
}

Inst *nest_value(const Nest *nest, const Linear *a, const int64_t offset[MAX_VARS])
{
    return iadd(nest_base(nest, a), iconst(nest_offset(nest, a, offset)));
}

void nest_count_vectors(Nest *nest, int v)
{
    nest->var[v].extent = (nest->var[v].extent + LANES - 1) / LANES;
    for (int i = 0; i < nest->out_rank; i++)
        nest->out[i].coefficient[v] *= LANES;
    for (int i = 0; i < 2; i++)
        nest->address[i].coefficient[v] *= LANES;
}

/* ---- Segments --------------------------------------------------------------------- */

typedef struct Cuts {
    int n, cap;
    int64_t *at;      /* iterations at which something changes      */
    Inst *low, *high; /* limits given by loops around, or NULL      */
} Cuts;

static int64_t div_up(int64_t a, int64_t b)
{
    return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

static void cut_at(Cuts *cuts, int64_t iteration, int64_t n)
{
    if (iteration <= 0 || iteration >= n)
        return;
    for (int i = 0; i < cuts->n; i++)
        if (cuts->at[i] == iteration)
            return;
    PUSH(cuts->at, cuts->n, cuts->cap, iteration);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* c * (base + …) + rest crosses 0 or limit where base = those. */
static void cut_range(Cuts *cuts, int64_t c, int64_t rest, int64_t limit, int64_t tile, int64_t n)
{
    int64_t low, high;
    if (c > 0) {
        low = div_up(-rest, c);
        high = div_up(limit - rest, c);
    } else {
        low = div_up(rest - limit + 1, -c);
        high = div_up(rest + 1, -c);
    }
    cut_at(cuts, div_up(low, tile), n);
    cut_at(cuts, div_up(high, tile), n);
}

/* lo <= v < hi from 0 <= rest + c * v < limit with rest known at run time. */
static void limit_range(Cuts *cuts, int64_t c, Inst *rest, int64_t limit)
{
    Inst *zero = iconst(0), *low, *high;
    int64_t k = c > 0 ? c : -c;
    Inst *minus = imul(rest, -1);
    if (c > 0) { /* v >= -rest / c; v < (limit - rest) / c */
        low = iadd(minus, iconst(k - 1));
        high = iadd(iadd(minus, iconst(limit)), iconst(k - 1));
    } else { /* v >= (rest - limit + 1) / k; v < (rest + 1) / k */
        low = iadd(rest, iconst(1 - limit + k - 1));
        high = iadd(rest, iconst(1 + k - 1));
    }
    low = idiv(imax(low, zero), k);
    high = idiv(imax(high, zero), k);
    cuts->low = cuts->low ? imax(cuts->low, low) : low;
    cuts->high = cuts->high ? imin(cuts->high, high) : high;
}

static int other_var(const Nest *nest, const Linear *a, int v)
{
    int other = -1;
    for (int w = 0; w < nest->nvars; w++)
        if (w != v && a->coefficient[w]) {
            if (other >= 0)
                die("a bound of three variables");
            other = w;
        }
    return other;
}

static void cut_by_bound(const Nest *nest, const Bound *b, int v, Cuts *cuts, int64_t n)
{
    int w = other_var(nest, &b->at, v);
    int64_t tile = nest->by.tile[v], c = b->at.coefficient[v],
            cw = w >= 0 ? b->at.coefficient[w] : 0;
    bool inside = w >= 0 && !nest->var[w].base;
    if (inside && tile == 1)
        return;
    if (!inside && w >= 0 && !nest->var[w].settled) {
        if (tile != 1 || nest->var[w].count != 1)
            die("a bound between two tiled loops");
        Inst *rest = iadd(imul(nest->var[w].base, cw), iconst(b->at.constant));
        limit_range(cuts, c, rest, b->limit);
        return;
    }
    int64_t others = inside ? nest->var[w].extent : w >= 0 ? nest->var[w].count : 1;
    int64_t from = w >= 0 && !inside ? nest->var[w].first : 0;
    for (int64_t i = 0; i < tile; i++)
        for (int64_t k = 0; k < others; k++)
            cut_range(cuts, c, b->at.constant + c * i + cw * (from + k), b->limit, tile, n);
}

static void find_cuts(const Nest *nest, int v, Cuts *cuts)
{
    int64_t n = nest->var[v].extent / nest->by.tile[v];
    *cuts = (Cuts){0};
    for (int i = 0; i < nest->nbounds; i++)
        if (nest->bound[i].at.coefficient[v])
            cut_by_bound(nest, &nest->bound[i], v, cuts, n);
    if (cuts->n > 1)
        qsort(cuts->at, (size_t)cuts->n, sizeof cuts->at[0], by_number);
}

/* Does any offset of v live in this segment, as far as v's bounds tell? */
static bool segment_lives(const Nest *nest, int v)
{
    for (int i = 0; i < nest->nbounds; i++) {
        const Bound *b = &nest->bound[i];
        if (!b->at.coefficient[v] || kept_by_limits(nest, &b->at))
            continue;
        int w = other_var(nest, &b->at, v);
        if (w >= 0 && !nest->var[w].base)
            continue;
        int64_t others = w >= 0 ? nest->var[w].count : 1;
        bool lives = false;
        for (int64_t x = 0; x < nest->var[v].count; x++)
            for (int64_t y = 0; y < others; y++) {
                int64_t offset[MAX_VARS] = {0};
                offset[v] = x;
                if (w >= 0)
                    offset[w] = y;
                int64_t at = least(nest, &b->at, offset);
                lives = lives || (at >= 0 && at < b->limit);
            }
        if (!lives)
            return false;
    }
    return true;
}

/* ---- Loops --------------------------------------------------------------------------- */

static void emit_level(NestEmit *e, int level, Inst **acc);

/* Below order[level]: accumulators stand for one more level, the tile's. */
static void descend(NestEmit *e, int level, Inst **acc)
{
    emit_level(e, level + (acc ? 2 : 1), acc);
}

static void set_fixed(NestVar *var, int64_t first, int64_t count)
{
    var->base = iconst(first);
    var->first = first;
    var->fixed = var->settled = true;
    var->count = count;
}

static int carried_count(const NestEmit *e)
{
    return nest_outputs(e->nest) * e->carry;
}

/* A loop over [lo, hi) of v's base, by its tile, carrying acc if there. */
static void emit_loop(NestEmit *e, int level, int v, int64_t first, Inst *lo, Inst *hi,
                      int64_t step, int64_t scale, Inst **acc)
{
    NestVar *var = &e->nest->var[v];
    int n = acc ? carried_count(e) : 0;
    Inst *loop = loop_begin(lo, hi, step, n, acc);
    Inst **inside = acc ? NEW_ARRAY(Inst *, n) : NULL;
    for (int i = 0; i < n; i++)
        inside[i] = loop->carried[i];
    var->base = imul(loop->index, scale);
    var->first = first;
    var->fixed = false;
    descend(e, level, inside);
    loop_end(loop, inside, acc);
}

int64_t nest_units(const Nest *nest)
{
    int v = nest->by.unit_var;
    return v < 0 ? 1 : (nest->var[v].extent + nest->by.tile[v] - 1) / nest->by.tile[v];
}

/* A phase of fewer units than the kernel has gets an equal share of them all. */
static Inst *own_unit(const NestEmit *e, Inst *unit)
{
    int64_t own = nest_units(e->nest), all = e->kernel->units;
    return own == all ? unit : idiv(imul(unit, own), all);
}

/* Iterations i0 to i1 of v; `last`: the rest that fills no tile. */
static void emit_segment(NestEmit *e, int level, int64_t i0, int64_t i1, const Cuts *cuts,
                         bool last, Inst **acc)
{
    int v = e->nest->by.order[level];
    NestVar *var = &e->nest->var[v];
    int64_t tile = e->nest->by.tile[v];
    var->count = last ? var->extent % tile : tile;
    var->first = i0 * tile;
    bool limits = cuts->low || cuts->high;
    var->fixed = i1 - i0 == 1 && !limits;
    var->settled = var->fixed || tile > 1;
    var->base = iconst(i0 * tile);
    if (!segment_lives(e->nest, v) && var->reduced)
        return;
    if (v == e->nest->by.unit_var) {
        Inst *lo = imax(own_unit(e, e->kernel->u0), iconst(i0));
        Inst *hi = imin(own_unit(e, e->kernel->u1), iconst(i1));
        emit_loop(e, level, v, i0 * tile, lo, hi, 1, tile, acc);
        return;
    }
    if (var->fixed) {
        set_fixed(var, i0 * tile, var->count);
        descend(e, level, acc);
        return;
    }
    Inst *lo = iconst(i0 * tile), *hi = iconst(i1 * tile);
    lo = cuts->low ? imax(lo, cuts->low) : lo;
    hi = cuts->high ? imin(hi, cuts->high) : hi;
    hi = e->nest->limit && v == e->nest->ranged ? imin(hi, e->nest->limit) : hi;
    emit_loop(e, level, v, i0 * tile, lo, hi, tile, 1, acc);
}

static void emit_var(NestEmit *e, int level, Inst **acc)
{
    int v = e->nest->by.order[level];
    NestVar *var = &e->nest->var[v];
    NestVar before = *var;
    Cuts cuts;
    find_cuts(e->nest, v, &cuts);
    int64_t tile = e->nest->by.tile[v], n = var->extent / tile, start = 0;
    for (int i = 0; i <= cuts.n; i++) {
        int64_t end = i < cuts.n ? cuts.at[i] : n;
        if (end > start)
            emit_segment(e, level, start, end, &cuts, false, acc);
        start = end;
    }
    if (var->extent % tile)
        emit_segment(e, level, n, n + 1, &cuts, true, acc);
    *var = before;
}

static void emit_passes(NestEmit *e, int level, Inst **acc)
{
    int n = carried_count(e);
    Inst *loop = passes_begin(e->nest->by.passes, n, acc);
    Inst **inside = NEW_ARRAY(Inst *, n);
    for (int i = 0; i < n; i++)
        inside[i] = loop->carried[i];
    emit_var(e, level, inside);
    loop_end(loop, inside, acc);
}

void nest_reduce(NestEmit *e, Inst **acc)
{
    emit_level(e, e->nest->by.nouter + 1, acc);
}

/* All outputs of this tile: start, reduce, finish. */
static void emit_tile(NestEmit *e)
{
    int n = carried_count(e);
    Inst **acc = NEW_ARRAY(Inst *, n);
    for (int i = 0; i < n; i++)
        acc[i] = e->start(e, i % e->carry);
    if (!e->nest->empty && e->around)
        e->around(e, acc);
    else if (!e->nest->empty)
        nest_reduce(e, acc);
    e->finish(e, acc);
}

/* Levels: outputs, then the tile itself, then reduced loops, then the leaf. */
static void emit_level(NestEmit *e, int level, Inst **acc)
{
    const Schedule *by = &e->nest->by;
    if (level < by->nouter)
        emit_var(e, level, NULL);
    else if (level == by->nouter && !acc)
        emit_tile(e);
    else if (level - 1 < by->norder && by->passes > 1 && level - 1 == by->parted)
        emit_passes(e, level - 1, acc);
    else if (level - 1 < by->norder)
        emit_var(e, level - 1, acc);
    else
        e->leaf(e, acc);
}

static void emit_once(Inst *u, void *arg)
{
    (void)u;
    emit_level(arg, 0, NULL);
}

void nest_emit(NestEmit *e)
{
    Nest *nest = e->nest;
    for (int v = 0; v < nest->nvars; v++)
        if (nest->by.tile[v] >= nest->var[v].extent)
            set_fixed(&nest->var[v], 0, nest->var[v].extent);
    if (nest->by.unit_var >= 0) {
        int64_t units = nest_units(nest);
        if (units > e->kernel->units)
            e->kernel->units = units;
        emit_level(e, 0, NULL);
    } else {
        for_each(e->kernel->u0, imin(e->kernel->u1, iconst(1)), 1, emit_once, e);
    }
}
