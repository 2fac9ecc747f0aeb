/* The schedule of a contraction: the cheapest of all by the model of cost.c.
 *
 * guarantees  the same choice for the same shapes and machine: of equal costs
 *             the one that tile.c names first */
#include "loop/tile.h"

typedef struct Ranking {
    const Contracted *c;
    Candidate *best; /* cheapest first */
    int n, most;
} Ranking;

static void rank_one(const Schedule *by, void *arg)
{
    Ranking *r = arg;
    Candidate new = {*by, estimate(r->c, by)};
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
    Ranking r = {.c = c, .best = best, .most = most};
    each_schedule(c, rank_one, &r);
    return r.n;
}

Schedule cheapest_schedule(const Contracted *c)
{
    Candidate best;
    rank_schedules(c, &best, 1);
    return best.by;
}

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
    for (int i = 0; i < by->norder; i++)
        text_printf(out, "%s%d", i == by->nouter ? " | " : " ", by->order[i]);
}
