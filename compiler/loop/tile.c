/* Which schedules a contraction can have.
 *
 * needs       a nest of one phase, its class and lane variable
 * guarantees  schedules that nest.c can emit, in each of which every sum has
 *             its order: no reduced variable with a loop stands behind one
 *             that is unrolled */
#include "loop/tile.h"

enum {
    MAX_TILE = 32,  /* offsets of one output variable                  */
    MAX_TAPS = 11,  /* a window's extent that may be unrolled          */
    MAX_UNROLL = 8, /* steps of another sum                            */
    MAX_LEAF = 400, /* multiply-adds                                   */
    LONG_LEAF = 100 /* of a sum that is unrolled for its own sake      */
};

typedef struct Search {
    const Contracted *c;
    Schedule s;
    EachSchedule *each;
    void *arg;
} Search;

Schedule untiled(const Nest *nest)
{
    Schedule s = {.unit_var = -1, .passes = 1};
    for (int v = 0; v < nest->nvars; v++)
        s.tile[v] = 1;
    return s;
}

bool has_loop(const Schedule *s, const Nest *nest, int v)
{
    return s->tile[v] < nest->var[v].extent;
}

/* ---- Order of loops ------------------------------------------------------------ */

static void add_sums(Schedule *s, const Nest *nest)
{
    for (int v = 0; v < nest->nvars; v++)
        if (nest->var[v].reduced && has_loop(s, nest, v))
            s->order[s->norder++] = v;
}

/* Passes begin at any of the loops of the sum. */
static void each_parting(Search *search, Schedule *whole)
{
    if (whole->passes == 1)
        search->each(whole, search->arg);
    for (int i = whole->nouter; i < whole->norder && whole->passes > 1; i++) {
        whole->parted = i;
        search->each(whole, search->arg);
    }
}

/* Outputs in any order, what threads own outside, then the reduced in the
 * order of the sum. */
static void each_order(Search *search)
{
    Schedule *s = &search->s;
    const Nest *nest = search->c->nest;
    int owner = search->c->owner;
    bool last = true;
    for (int v = nest->nvars; v-- > 0;) {
        bool placed = nest->var[v].reduced || !has_loop(s, nest, v);
        for (int i = 0; i < s->norder; i++)
            placed = placed || s->order[i] == v;
        bool waits = s->norder == 0 && owner >= 0 && v != owner && has_loop(s, nest, owner);
        if (placed || waits)
            continue;
        s->order[s->norder++] = v;
        each_order(search);
        s->norder--;
        last = false;
    }
    if (last) {
        Schedule whole = *s;
        whole.unit_var = s->norder ? s->order[0] : -1;
        whole.nouter = s->norder;
        add_sums(&whole, nest);
        each_parting(search, &whole);
    }
}

/* ---- What can be emitted --------------------------------------------------------- */

static bool shares_bound(const Nest *nest, int v, int w)
{
    for (int i = 0; i < nest->nbounds; i++)
        if (nest->bound[i].at.coefficient[v] && nest->bound[i].at.coefficient[w])
            return true;
    return false;
}

static bool is_bound(const Nest *nest, int v)
{
    return shares_bound(nest, v, v);
}

/* A tile of outputs settles a short loop of taps inside of it (nest.c). */
static bool is_settled(const Schedule *s, const Nest *nest, int v, int tap)
{
    return s->tile[v] == 1 || (s->tile[tap] == 1 && !nest->var[v].reduced &&
                               nest->var[tap].reduced && nest->var[tap].extent <= MAX_TAPS);
}

/* Otherwise, where two loops share a bound, the inner one gets its limits from
 * the outer; that takes steps of one. */
static bool bounds_fit(const Schedule *s, const Nest *nest)
{
    for (int v = 0; v < nest->nvars; v++)
        for (int w = 0; w < nest->nvars; w++)
            if (v != w && shares_bound(nest, v, w) && has_loop(s, nest, v) &&
                has_loop(s, nest, w) && !is_settled(s, nest, v, w))
                return false;
    return true;
}

/* Unrolled steps follow all loops. */
static bool keeps_order(const Schedule *s, const Nest *nest)
{
    bool unrolled = false;
    for (int v = 0; v < nest->nvars; v++) {
        if (!nest->var[v].reduced || nest->var[v].extent <= 1)
            continue;
        if (unrolled && has_loop(s, nest, v))
            return false;
        unrolled = unrolled || s->tile[v] > 1;
    }
    return true;
}

/* ---- Tiles of one variable ---------------------------------------------------------- */

static int64_t div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* All tiles as large as the last but one smaller at most; few large odd ones. */
static bool output_tile_fits(int64_t extent, int64_t t, int64_t side)
{
    if (t % side != 0)
        return false;
    bool even = div_up(extent, div_up(extent, t)) == t;
    return t == side || t == extent || (even && (t <= 8 || t % 2 == 0 || extent % t == 0));
}

/* Windows whole or not at all; another sum a few steps at a time. */
static bool reduced_tile_fits(const Nest *nest, int v, int64_t t, int64_t leaf)
{
    int64_t extent = nest->var[v].extent;
    if (t == 1)
        return true;
    if (is_bound(nest, v) || extent < 2 * MAX_UNROLL)
        return t == extent && t <= MAX_TAPS;
    return leaf <= LONG_LEAF && (t & (t - 1)) == 0;
}

static int64_t most_offsets(const Contracted *c, int v)
{
    int64_t extent = c->nest->var[v].extent, most = c->nest->var[v].reduced ? MAX_UNROLL : MAX_TILE;
    if (c->class == CONTRACT_ROWS && c->nest->var[v].reduced) /* samples are innermost */
        return 1;
    return extent < most ? extent : most;
}

/* ---- All of them ------------------------------------------------------------------------ */

static void finish(Search *search)
{
    if (bounds_fit(&search->s, search->c->nest) && keeps_order(&search->s, search->c->nest))
        each_order(search);
}

/* Long straight code spills where few registers hold no whole vector each. */
static int64_t most_products(const Machine *m)
{
    return m->width == LANES ? MAX_LEAF : MAX_LEAF * m->width / LANES / 2;
}

/* Windows that are pooled come in whole, so few of them fit into registers where
 * a vector of LANES takes several; in passes more do. */
static bool worth_passes(const Search *search, int64_t outputs)
{
    const Machine *m = search->c->machine;
    int64_t registers = outputs * LANES / m->width * 2 / search->s.passes;
    return search->s.passes == 1 || 2 * registers > m->registers;
}

/* Accumulators of the outputs and multiply-adds of the leaf so far. */
static void each_tile(Search *search, int v, int64_t outputs, int64_t leaf)
{
    const Contracted *c = search->c;
    if (v == c->nest->nvars) {
        if (worth_passes(search, outputs))
            finish(search);
        return;
    }
    bool reduced = c->nest->var[v].reduced;
    int64_t room = c->machine->registers * c->machine->width * search->s.passes / LANES;
    int64_t side = c->side && !reduced ? c->side[v] : 1;
    for (int64_t t = 1; t <= side || t <= most_offsets(c, v); t++) {
        int64_t wide = reduced ? outputs : outputs * t;
        if (t > side && (wide > room || leaf * t > most_products(c->machine)))
            break;
        if (reduced ? !reduced_tile_fits(c->nest, v, t, leaf * t)
                    : !output_tile_fits(c->nest->var[v].extent, t, side))
            continue;
        search->s.tile[v] = t;
        each_tile(search, v + 1, wide, leaf * t);
    }
}

void each_schedule(const Contracted *c, EachSchedule *each, void *arg)
{
    Search search = {.c = c, .s = untiled(c->nest), .each = each, .arg = arg};
    int most = c->side ? LANES / c->machine->width : 1;
    for (search.s.passes = 1; search.s.passes <= most; search.s.passes *= 2)
        each_tile(&search, 0, 1, 1);
}
