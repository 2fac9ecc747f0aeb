/* schedules FILE.nn [WORD] [N] [TEXT] -- the cost model against measurement: for
 * each contraction of the first training step whose name has WORD in it, N of
 * its schedules, from the cheapest by the model to three times its cost; or the
 * cheapest and those with TEXT in them, such as "tile 1x3x2". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ast.h"
#include "target/trial.h"

enum { MOST = 4000, ROUNDS = 7, MOST_PHASES = 64 };

static Model *planned(const char *path)
{
    size_t n;
    char *text = read_file(path, &n);
    Ast *tree = text ? parse(diag_source(path, text, n)) : NULL;
    Model *m = tree ? check(tree, path) : NULL;
    diag_flush();
    if (!m)
        fail_file("cannot read %s", path);
    grad(m);
    hoist(m);
    simplify(m);
    ranges(m);
    fuse(m);
    plan(m);
    return m;
}

/* ---- Sets of candidates ----------------------------------------------------- */

typedef struct Phases {
    int n;
    Candidate *ranked[MOST_PHASES];
    int count[MOST_PHASES];
    const Nest *nest[MOST_PHASES];
} Phases;

static void rank_phase(const Contracted *c, int phase, void *arg)
{
    Phases *p = arg;
    p->ranked[phase] = NEW_ARRAY(Candidate, MOST);
    p->count[phase] = rank_schedules(c, p->ranked[phase], MOST);
    Nest *nest = NEW(Nest);
    *nest = *c->nest;
    p->nest[phase] = nest;
    p->n = phase + 1;
}

static const char *wanted;

static bool is_wanted(const Nest *nest, const Candidate *c)
{
    Text t = {0};
    put_schedule(&t, nest, &c->by);
    return strstr(t.at, wanted) != NULL;
}

/* The cheapest, and those that are wanted. */
static int filter(const Nest *nest, const Candidate *c, int n, int *rank, int most)
{
    int count = 0;
    for (int i = 0; i < n && count < most; i++)
        if (i == 0 || is_wanted(nest, &c[i]))
            rank[count++] = i;
    return count;
}

/* Evenly spread ranks up to three times the least cost, the cheapest first. */
static int spread(const Candidate *c, int n, int *rank, int most)
{
    int last = 0, count = 0;
    while (last < n && c[last].cost.cycles < 3 * c[0].cost.cycles)
        last++;
    for (int i = 0; i < most; i++) {
        double share = (double)i / most;
        int at = i < most / 3 ? i : (int)(share * share * last);
        if (at < last && (count == 0 || at > rank[count - 1]))
            rank[count++] = at;
    }
    return count;
}

/* ---- Printing --------------------------------------------------------------------- */

static void print_one(const Nest *nest, const Candidate *c, double measured, double cheapest)
{
    Text t = {0};
    put_schedule(&t, nest, &c->by);
    const Estimate *e = &c->cost;
    printf("  %8.1f %8.1f us %5.2f | %6.0f %6.0f %6.0f %6.0f %6.0f %6.0f | %2d %5lld  %s\n",
           e->cycles / 3.7e3, measured * 1e6, measured / cheapest, e->multiply / 3.7e3,
           e->load / 3.7e3, e->latency / 3.7e3, e->issue / 3.7e3, e->memory / 3.7e3,
           e->after / 3.7e3, e->registers, (long long)e->code, t.at);
}

static int inversions(const Candidate *c, const int *rank, const double *seconds, int n, int *pairs)
{
    int bad = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            bool cheaper = c[rank[j]].cost.cycles < c[rank[i]].cost.cycles;
            if (cheaper)
                ++*pairs;
            bad += cheaper && seconds[j] > seconds[i];
        }
    return bad;
}

static double log_sum;
static int kernels;

static void try_phase(const Model *m, const Fn *fn, const Kernel *k, const Phases *p, int phase,
                      int most)
{
    int *rank = NEW_ARRAY(int, most), pairs = 0;
    int n = wanted ? filter(p->nest[phase], p->ranked[phase], p->count[phase], rank, most)
                   : spread(p->ranked[phase], p->count[phase], rank, most);
    const Schedule **by = NEW_ARRAY(const Schedule *, n);
    for (int i = 0; i < n; i++) {
        Schedule *list = NEW_ARRAY(Schedule, p->n);
        for (int q = 0; q < p->n; q++)
            list[q] = p->ranked[q][q == phase ? rank[i] : 0].by;
        by[i] = list;
    }
    double *seconds = NEW_ARRAY(double, n), best = 1e9;
    Trial *t = trial_open(m, fn, k, &(TargetOptions){.level = 2}, by, p->n, n);
    if (!trial_time(t, ROUNDS, NULL, seconds))
        fail_usage("this machine does not run its own code");
    trial_close(t);
    for (int i = 0; i < n; i++)
        best = seconds[i] < best ? seconds[i] : best;
    for (int i = 0; i < n; i++)
        print_one(p->nest[phase], &p->ranked[phase][rank[i]], seconds[i], best);
    int bad = inversions(p->ranked[phase], rank, seconds, n, &pairs);
    printf("%s phase %d of %d: %d schedules, chosen / best %.2f, inversions %.0f %%\n\n", k->name,
           phase, p->n, p->count[phase], seconds[0] / best, pairs ? 100.0 * bad / pairs : 0);
    log_sum += seconds[0] / best;
    kernels++;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        fail_usage("schedules FILE.nn [WORD] [N] [TEXT]");
    wanted = argc > 4 ? argv[4] : NULL;
    Model *m = planned(argv[1]);
    Machine host = machine_for(&(TargetOptions){0});
    lower(m, &host);
    const Fn *fn = m->trains[0].steps[0].fn;
    for (int i = 0; i < fn->program->nkernels; i++) {
        Kernel *k = fn->program->kernels[i];
        if (k->form != FORM_CONTRACT || (argc > 2 && !strstr(k->name, argv[2])))
            continue;
        Phases p = {0};
        contract_phases(fn->program, k, rank_phase, &p);
        for (int phase = 0; phase < p.n; phase++)
            if (p.count[phase] > 1)
                try_phase(m, fn, k, &p, phase, argc > 3 ? atoi(argv[3]) : 24);
    }
    printf("%d phases, chosen / best on average %.3f\n", kernels, log_sum / kernels);
    return 0;
}
