/* --tune: contractions get the schedule that is fastest here, of the few that
 * are cheapest by the model (cost.c).
 *
 * needs       a model that lower() has been through; a target that this
 *             machine runs
 * guarantees  choices for another lower(), which changes no bit of a result:
 *             every schedule keeps the order of its sums. What was measured
 *             before, by this version on such a processor, is read from a file
 *             (tune_file.c); whatever is wrong with it costs time only */
#include "target/tune.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "target/trial.h"

enum { MOST = 5, ROUNDS = 7, MOST_PHASES = 64 };
static const double NOTICEABLE = 0.98; /* less of a gain is noise */

typedef struct Tuning {
    const Model *model;
    const TargetOptions *target;
    TuneFile file;
    const char **done; /* keys */
    int ndone, done_cap;
    int measured, known, others;
    double models, best; /* seconds of what was measured */
    double start;
    bool shown;
} Tuning;

/* The few cheapest schedules of each phase of a kernel. */
typedef struct Phases {
    int n;
    struct {
        const char *key;
        int n;
        Candidate ranked[MOST];
        const char *text[MOST];
    } at[MOST_PHASES];
} Phases;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void rank_phase(const Contracted *c, int phase, void *arg)
{
    Phases *p = arg;
    if (phase >= MOST_PHASES)
        return;
    p->n = phase + 1;
    p->at[phase].key = contraction_key(c);
    p->at[phase].n = rank_schedules(c, p->at[phase].ranked, MOST);
    for (int i = 0; i < p->at[phase].n; i++) {
        Text t = {0};
        put_schedule(&t, c->nest, &p->at[phase].ranked[i].by);
        p->at[phase].text[i] = intern(t.at);
    }
}

void refuse_tuning(const TargetOptions *t)
{
    fail_usage("--tune measures on this machine, which cannot run code for --mcpu=%s%s%s; "
               "compile without --tune, or for --mcpu=native",
               t->cpu ? t->cpu : "native", t->features ? " --mattr=" : "",
               t->features ? t->features : "");
}

/* ---- One phase ------------------------------------------------------------------ */

static void show_progress(Tuning *t, const Kernel *k)
{
    if (!isatty(STDERR_FILENO) || now() - t->start < 1)
        return;
    fprintf(stderr, "\r\033[Kaecc: tuning %d: %s", t->measured + 1, k->name);
    t->shown = true;
}

/* The others as the model has them. */
static const Schedule *schedules_with(const Phases *p, int phase, int rank)
{
    Schedule *list = NEW_ARRAY(Schedule, p->n);
    for (int q = 0; q < p->n; q++)
        list[q] = p->at[q].ranked[q == phase ? rank : 0].by;
    return list;
}

static int fastest(Tuning *t, const Fn *fn, const Kernel *k, const Phases *p, int phase)
{
    int n = p->at[phase].n, best = 0;
    const Schedule *by[MOST];
    double seconds[MOST];
    show_progress(t, k);
    for (int i = 0; i < n; i++)
        by[i] = schedules_with(p, phase, i);
    Trial *trial = trial_open(t->model, fn, k, t->target, by, p->n, n);
    if (!trial_time(trial, ROUNDS, NULL, seconds))
        refuse_tuning(t->target);
    trial_close(trial);
    for (int i = 1; i < n; i++)
        best = seconds[i] < seconds[best] ? i : best;
    if (seconds[best] > NOTICEABLE * seconds[0])
        best = 0;
    t->models += seconds[0];
    t->best += seconds[best];
    t->measured++;
    t->others += best != 0;
    return best;
}

/* Rank of what the file says of the phase; -1: nothing that is a candidate. */
static int known_rank(const Tuning *t, const Phases *p, int phase)
{
    const char *text = tune_file_find(&t->file, p->at[phase].key);
    for (int i = 0; text && i < p->at[phase].n; i++)
        if (p->at[phase].text[i] == text)
            return i;
    return -1;
}

static bool is_done(Tuning *t, const char *key)
{
    for (int i = 0; i < t->ndone; i++)
        if (t->done[i] == key)
            return true;
    PUSH(t->done, t->ndone, t->done_cap, key);
    return false;
}

static void tune_phase(Tuning *t, const Fn *fn, const Kernel *k, const Phases *p, int phase)
{
    const char *key = p->at[phase].key;
    if (p->at[phase].n < 2 || is_done(t, key))
        return;
    int rank = known_rank(t, p, phase);
    if (rank >= 0) {
        t->known++;
    } else {
        rank = fastest(t, fn, k, p, phase);
        tune_file_add(&t->file, key, p->at[phase].text[rank]);
    }
    choose(fn->program->choices, key, &p->at[phase].ranked[rank].by);
}

/* ---- A model ------------------------------------------------------------------------ */

/* A trial's memory holds nothing that is an index. */
static bool reads_indices(const Region *r)
{
    for (int i = 0; i < r->n; i++)
        if (r->at[i]->op == L_index_from ||
            (r->at[i]->op == L_loop && reads_indices(&r->at[i]->body)))
            return true;
    return false;
}

static bool can_be_alone(const Kernel *k)
{
    return k->form == FORM_CONTRACT && !reads_indices(&k->body);
}

static void tune_fn(Tuning *t, const Fn *fn)
{
    for (int i = 0; i < fn->program->nkernels; i++) {
        Kernel *k = fn->program->kernels[i];
        if (!can_be_alone(k))
            continue;
        Phases *p = NEW(Phases);
        contract_phases(fn->program, k, rank_phase, p);
        for (int phase = 0; phase < p->n && p->n < MOST_PHASES; phase++)
            tune_phase(t, fn, k, p, phase);
    }
}

static void print_gain(const Tuning *t)
{
    if (t->shown)
        fprintf(stderr, "\r\033[K");
    fprintf(stderr, "aecc: tuned %d contraction%s", t->measured + t->known,
            t->measured + t->known == 1 ? "" : "s");
    if (t->measured > 0)
        fprintf(stderr, ": %d timed, %.1f us instead of %.1f us by %d other schedule%s",
                t->measured, 1e6 * t->best, 1e6 * t->models, t->others, t->others == 1 ? "" : "s");
    if (t->known > 0)
        fprintf(stderr, "%s %d known from %s", t->measured > 0 ? ";" : ":", t->known, t->file.path);
    fprintf(stderr, "\n");
}

void tune(const Model *model, const TargetOptions *target)
{
    Tuning t = {.model = model, .target = target, .start = now()};
    tune_file_open(&t.file, target);
    for (int i = 0; i < model->nfns; i++)
        tune_fn(&t, model->fns[i]);
    if (t.measured > 0)
        tune_file_save(&t.file);
    print_gain(&t);
}
