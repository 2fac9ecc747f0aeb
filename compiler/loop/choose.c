/* The schedule of a contraction: the cheapest of all by the model of cost.c,
 * which is priced once where several functions have the same contraction.
 *
 * guarantees  the same choice for the same shapes and machine: of equal costs
 *             the one that tile.c names first */
#include "loop/tile.h"

typedef struct Ranking {
    Pricing *pricing;
    Candidate *best; /* cheapest first */
    int n, most;
} Ranking;

/* Most tiles are out of the question in any order of loops. */
static bool is_too_dear(const Ranking *r, const Schedule *by)
{
    const double rounding = 1 - 1e-9;
    return r->n == r->most &&
           rounding * least_cycles(r->pricing, by) > r->best[r->n - 1].cost.cycles;
}

static void rank_one(const Schedule *by, void *arg)
{
    Ranking *r = arg;
    if (is_too_dear(r, by))
        return;
    Candidate new = {*by, estimate(r->pricing, by)};
    int at = r->n;
    while (at > 0 && new.cost.cycles < r->best[at - 1].cost.cycles)
        at--;
    if (at == r->most)
        return;
    r->n += r->n < r->most;
    for (int i = r->n - 1; i > at; i--)
        r->best[i] = r->best[i - 1];
    r->best[at] = new;
}

int rank_schedules(const Contracted *c, Candidate *best, int most)
{
    Ranking r = {.pricing = pricing(c), .best = best, .most = most};
    each_schedule(c, rank_one, &r);
    return r.n;
}

/* ---- What a choice depends on -------------------------------------------------- */

static void put_linear(Text *out, const Nest *nest, const Linear *a)
{
    text_printf(out, " ");
    for (int v = 0; v < nest->nvars; v++)
        text_printf(out, "%s%lld", v ? "," : "", (long long)a->coefficient[v]);
}

static void put_bounds(Text *out, const Nest *nest)
{
    for (int i = 0; i < nest->nbounds; i++) {
        put_linear(out, nest, &nest->bound[i].at);
        text_printf(out, "%+lld<%lld", (long long)nest->bound[i].at.constant,
                    (long long)nest->bound[i].limit);
    }
}

const char *contraction_key(const Contracted *c)
{
    const Nest *nest = c->nest;
    const Work *w = &c->after;
    Text t = {0};
    text_printf(&t, "%s %d %d %d", c->machine->name, c->class, c->lane_var, c->owner);
    for (int v = 0; v < nest->nvars; v++)
        text_printf(&t, "%s%lld%s/%lld", v ? "x" : " ", (long long)nest->var[v].extent,
                    nest->var[v].reduced ? "r" : "", (long long)(c->side ? c->side[v] : 1));
    for (int i = 0; i < 2; i++) {
        put_linear(&t, nest, &nest->address[i]);
        text_printf(&t, "*%lld%s", (long long)c->bytes[i], c->vector[i] ? "v" : "");
    }
    put_linear(&t, nest, &c->written);
    put_bounds(&t, nest);
    text_printf(&t, " %g %g,%g,%g,%g", c->blocks, w->instructions, w->busy, w->loads, w->stores);
    return intern(t.at);
}

/* ---- Choices ---------------------------------------------------------------------- */

enum { BUCKETS = 64 };

typedef struct Choice Choice;
struct Choice {
    const char *key; /* of contraction_key */
    Schedule by;
    Choice *next;
};

struct Choices {
    Choice *bucket[BUCKETS];
};

Choices *new_choices(void)
{
    return NEW(Choices);
}

static Choice **place_of(Choices *all, const char *key)
{
    unsigned hash = 0;
    for (const char *at = key; *at; at++)
        hash = hash * 31 + (unsigned char)*at;
    Choice **at = &all->bucket[hash % BUCKETS];
    while (*at && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

void choose(Choices *all, const char *key, const Schedule *by)
{
    Choice **at = place_of(all, key);
    if (!*at) {
        *at = NEW(Choice);
        (*at)->key = key;
    }
    (*at)->by = *by;
}

Schedule chosen_schedule(Choices *all, const Contracted *c)
{
    const char *key = contraction_key(c);
    Choice **at = place_of(all, key);
    if (!*at) {
        Candidate best;
        rank_schedules(c, &best, 1);
        choose(all, key, &best.by);
    }
    return (*at)->by;
}

/* ---- As text ------------------------------------------------------------------------ */

void put_schedule(Text *out, const Nest *nest, const Schedule *by)
{
    text_printf(out, "tile");
    for (int v = 0; v < nest->nvars; v++)
        text_printf(out, "%s%lld", v ? "x" : " ", (long long)by->tile[v]);
    text_printf(out, " of");
    for (int v = 0; v < nest->nvars; v++)
        text_printf(out, "%s%lld%s", v ? "x" : " ", (long long)nest->var[v].extent,
                    nest->var[v].reduced ? "r" : "");
    text_printf(out, " loops");
    for (int i = 0; i < by->norder; i++) {
        text_printf(out, "%s%d", i == by->nouter ? " | " : " ", by->order[i]);
        if (by->passes > 1 && i == by->parted)
            text_printf(out, "/%d", by->passes);
    }
}
