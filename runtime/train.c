/* `train`: blocks in order, epochs, validation, what is written when. */
#include "train.h"

#include "atomic.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static double seconds(const training *t)
{
    return now() - t->started;
}

/* ---- Checkpoints ---------------------------------------------------------- */

static void save_checkpoint(training *t)
{
    rt_error error;
    if (!t->options->checkpoint)
        return;
    t->state.log_bytes = log_sync(&t->log);
    t->state.seconds = seconds(t);
    if (!checkpoint_save(t->machine, &t->state, t->options->checkpoint, &error))
        rt_raise(&error);
}

/* What the command line says must be what the checkpoint says. */
static void check_agreement(const training *t, const rt_state *s)
{
    const rt_options *o = t->options;
    if (o->given[OPT_seed] && o->seed != s->seed)
        rt_fail(RT_BAD_INPUT, "%s was made with --seed %llu, not %llu", o->checkpoint,
                (unsigned long long)s->seed, (unsigned long long)o->seed);
    if (o->batch && o->batch != s->batch)
        rt_fail(RT_BAD_INPUT, "%s was made with another --batch than %lld\nleave --batch away",
                o->checkpoint, (long long)o->batch);
    if (o->no_shuffle && !s->no_shuffle)
        rt_fail(RT_BAD_INPUT, "%s was made without --no-shuffle", o->checkpoint);
}

/* The saved vars if there is a checkpoint to go on from; else NULL. */
static char *resume(training *t)
{
    char *vars = NULL;
    bool found = false;
    rt_error error;
    rt_state state = {0};
    if (!t->options->resume)
        return NULL;
    if (!checkpoint_read(t->model, t->options->checkpoint, &state, &vars, &found, &error))
        rt_raise(&error);
    if (!found)
        return NULL;
    check_agreement(t, &state);
    t->state = state;
    return vars;
}

/* ---- A block --------------------------------------------------------------- */

static int64_t batch_of(const training *t, const rt_train *block)
{
    return t->state.batch ? t->state.batch : block->batch;
}

/* What a state has for each step of its block; the first losses, then sums of an epoch. */
enum { N_LISTS = 8 };

static double **list_of(rt_state *s, int i)
{
    double **const lists[N_LISTS] = {&s->firsts, &s->sums,   &s->counts,  &s->slopes,
                                     &s->stills, &s->probes, &s->spreads, &s->spread_counts};
    return lists[i];
}

static void free_lists(rt_state *s)
{
    for (int i = 0; i < N_LISTS; i++)
        free(*list_of(s, i));
}

static void reset_epoch(training *t)
{
    t->state.position = 0;
    for (int i = 1; i < N_LISTS; i++)
        memset(*list_of(&t->state, i), 0, (size_t)t->block->nsteps * sizeof(double));
}

/* Running sums for the block's steps; a resumed state has them. */
static void open_sums(training *t)
{
    rt_state *s = &t->state;
    if (s->nsums == t->block->nsteps)
        return;
    free_lists(s);
    s->nsums = t->block->nsteps;
    for (int i = 0; i < N_LISTS; i++)
        *list_of(s, i) = rt_alloc((size_t)s->nsums, sizeof(double));
    reset_epoch(t);
}

/* Passes in an epoch over `samples`. */
static int64_t passes_of(const training *t, const rt_train *block, int64_t samples)
{
    int64_t batch = batch_of(t, block), whole = samples / batch;
    int64_t batches = whole + (samples % batch && !block->drop_last);
    return batches / batches_per_pass(block);
}

static bool validates(const rt_train *block)
{
    return block->validation && block->objective >= 0;
}

static void check_validation(training *t, const rt_train *block)
{
    data_view view = sources_view(&t->trainer->sources, block->validation, AS_FILES_HOLD);
    view_check(&view, &t->model->functions[block->objective]);
    data_view_free(&view);
}

/* Does the data fit the block? Asked of every block before the first step. */
static void check_block(training *t, const rt_train *block)
{
    data_view view = sources_view(&t->trainer->sources, block->data, AS_FILES_HOLD);
    int64_t per_pass = batches_per_pass(block);
    for (int i = 0; i < block->nsteps; i++)
        view_check(&view, &t->model->functions[block->steps[i].function]);
    if (!passes_of(t, block, view.samples))
        rt_fail(RT_BAD_INPUT,
                "%lld samples are too few for one pass: it takes %lld batch%s of %lld\n"
                "use a smaller --batch",
                (long long)view.samples, (long long)per_pass, per_pass == 1 ? "" : "es",
                (long long)batch_of(t, block));
    data_view_free(&view);
    if (validates(block))
        check_validation(t, block);
}

static void check_samples(training *t)
{
    rt_state *s = &t->state;
    int64_t n = t->view.samples;
    if (s->samples && s->samples != n)
        rt_fail(RT_BAD_INPUT, "%s was made with %lld training samples, and there are %lld now",
                t->options->checkpoint, (long long)s->samples, (long long)n);
    s->samples = n;
}

/* A resumed epoch goes on between two passes of it. */
static void check_position(const training *t)
{
    int64_t at = t->state.position;
    if (at % t->per_pass || at > t->passes * t->per_pass)
        rt_fail(RT_BAD_INPUT,
                "%s: not a whole checkpoint: its epoch has no batch %lld\n"
                "remove it to start afresh",
                t->options->checkpoint, (long long)at);
}

static void open_block(training *t)
{
    rt_sources *sources = &t->trainer->sources;
    t->block = &t->model->trains[t->state.block];
    t->view = sources_view(sources, t->block->data, AS_FILES_HOLD);
    if (validates(t->block))
        t->validation = sources_view(sources, t->block->validation, AS_FILES_HOLD);
    t->batch = batch_of(t, t->block);
    t->epochs = t->options->given[OPT_epochs] ? t->options->epochs : t->block->epochs;
    t->warm = false;
    t->per_pass = batches_per_pass(t->block);
    t->passes = passes_of(t, t->block, t->view.samples);
    t->losses = rt_alloc((size_t)t->block->nsteps, sizeof *t->losses);
    bool in_order = t->state.no_shuffle || t->block->in_order;
    t->order = in_order ? NULL : rt_alloc((size_t)t->view.samples, sizeof *t->order);
    open_sums(t);
    watch_open(t);
    t->replay = -1;
    check_samples(t);
    check_position(t);
}

static void close_block(training *t)
{
    data_view_free(&t->view);
    if (validates(t->block))
        data_view_free(&t->validation);
    free(t->losses);
    free(t->order);
    watch_close(t);
}

static bool block_done(const training *t)
{
    int64_t patience = t->options->early_stop;
    return t->state.epoch >= t->epochs || (patience && t->state.waited >= patience);
}

/* Those that the block trains on or validates with. */
static void fill_replays(training *t)
{
    replay_fill(t->machine, t->block->data, t->batch);
    if (t->block->validation)
        replay_fill(t->machine, t->block->validation, t->batch);
}

static void next_block(training *t)
{
    rt_state *s = &t->state;
    close_block(t);
    s->block++;
    s->epoch = s->waited = s->samples = 0;
    s->best = INFINITY;
    s->nsums = 0;
    open_block(t);
    fill_replays(t);
}

/* ---- An epoch --------------------------------------------------------------- */

typedef struct metrics {
    rt_metric at[MAX_METRICS];
    char names[MAX_METRICS][128];
    int n;
} metrics;

static void add_metric(metrics *m, const char *name, double value)
{
    if (m->n == MAX_METRICS)
        return;
    snprintf(m->names[m->n], sizeof m->names[m->n], "%s", name);
    m->at[m->n] = (rt_metric){m->names[m->n], value};
    m->n++;
}

static void training_metrics(const training *t, metrics *m)
{
    m->n = 0;
    for (int i = 0; i < t->block->nsteps; i++)
        if (t->state.counts[i] > 0)
            add_metric(m, loss_name(t, i), t->state.sums[i] / t->state.counts[i]);
}

/* Adds the objectives over the validation data; false after a signal. */
static bool validate(training *t, metrics *m)
{
    if (!validates(t->block))
        return true;
    int n = t->model->functions[t->block->objective].noutputs;
    double *values = rt_alloc((size_t)n, sizeof *values);
    bool whole = objectives_over(t->machine, t->block->objective, &t->validation, t->batch, values);
    for (int i = 0; whole && i < n; i++) {
        char *name = objective_name(t->model, t->block, i);
        add_metric(m, name, values[i]);
        free(name);
    }
    free(values);
    return whole;
}

/* The numbers of report blocks in the rows of epochs, where one is due; NULL. */
static rt_score *scores_of_epoch(training *t)
{
    const rt_model *m = t->model;
    int64_t every = t->options->score;
    if (!every || (t->state.epoch + 1) % every)
        return NULL;
    rt_score *scores = scores_new(m);
    for (int i = 0; i < m->nreports; i++)
        if (is_score(&m->reports[i])) {
            data_view view = sources_view(&t->trainer->sources, m->reports[i].data, AS_FILES_HOLD);
            score(t->trainer, i, &view, t->batch, scores);
            data_view_free(&view);
        }
    return scores;
}

static int score_fields(const training *t, const rt_score *scores, rt_field *fields, int most)
{
    int n = 0;
    for (int i = 0; scores && i < t->model->nreports; i++) {
        const rt_score *s = &scores[i];
        for (int k = 0; k < s->n && n < most; k++)
            fields[n++] = (rt_field){s->names[k], false, 0, s->values[k], NULL};
        if (s->classes && n < most)
            fields[n++] = (rt_field){s->names[0], false, 0, 0, s->json};
    }
    return n;
}

static void say_scores(training *t, const rt_field *fields, int n)
{
    for (int i = 0; i < n; i++)
        if (fields[i].json)
            progress_say(&t->progress, "  %s: %s", fields[i].name, fields[i].json);
        else
            progress_say(&t->progress, "  %s: %.6g", fields[i].name, fields[i].number);
}

/* A figure of watch_epoch(). */
static void add_figure(void *job, const char *name, double value)
{
    add_metric(job, name, value);
}

static void log_epoch(training *t, const metrics *m)
{
    static metrics watched;
    rt_field fields[3 * MAX_METRICS + 5];
    int n = 0;
    if (t->model->ntrains > 1)
        fields[n++] = (rt_field){"block", true, t->state.block + 1, 0, NULL};
    fields[n++] = (rt_field){"epoch", true, t->state.epoch + 1, 0, NULL};
    fields[n++] = (rt_field){"step", true, t->state.step, 0, NULL};
    for (int i = 0; i < m->n; i++)
        fields[n++] = (rt_field){m->at[i].name, false, 0, m->at[i].value, NULL};
    watched.n = 0;
    char *warnings = watch_epoch(t, add_figure, &watched);
    for (int i = 0; i < watched.n; i++)
        fields[n++] = (rt_field){watched.at[i].name, false, 0, watched.at[i].value, NULL};
    if (warnings)
        fields[n++] = (rt_field){"warnings", false, 0, 0, warnings};
    rt_score *scores = scores_of_epoch(t);
    int ns = score_fields(t, scores, fields + n, MAX_METRICS);
    say_scores(t, fields + n, ns);
    n += ns;
    fields[n++] = (rt_field){"seconds", false, 0, seconds(t), NULL};
    log_row(&t->log, fields, n);
    log_flush(&t->log);
    free(warnings);
    if (scores)
        scores_free(t->model, scores);
}

static _Noreturn void diverged(const training *t, const char *what, double value)
{
    int64_t at;
    const rt_var *bad = machine_bad_var(t->machine, &at);
    char hint[256];
    if (bad)
        snprintf(hint, sizeof hint, "the first variable that is not finite is %.128s, element %lld",
                 bad->tensor.name, (long long)at);
    else
        snprintf(hint, sizeof hint, "all variables are still finite: the objective overflows");
    rt_fail(RT_DIVERGED,
            "epoch %lld, step %lld: %s is %f\n%s\n"
            "try a smaller learning rate; nothing was overwritten",
            (long long)t->state.epoch + 1, (long long)t->state.step + 1, what, value, hint);
}

/* The first objective of the validation, or without one the first loss. */
static void watch_best(training *t, const metrics *m)
{
    int monitor = validates(t->block) ? t->block->nsteps : 0;
    if (monitor >= m->n)
        monitor = 0;
    t->state.waited++;
    if (m->at[monitor].value < t->state.best) {
        t->state.best = m->at[monitor].value;
        t->state.waited = 0;
    }
}

/* Validation, log row, best so far; after a signal the epoch stays open. */
static void close_epoch(training *t)
{
    static metrics m;
    training_metrics(t, &m);
    if (!validate(t, &m)) {
        t->ending = SIGNALLED;
        progress_end(&t->progress, t->passes, m.at, m.n);
        return;
    }
    for (int i = 0; i < m.n; i++)
        if (!isfinite(m.at[i].value))
            diverged(t, m.at[i].name, m.at[i].value);
    progress_end(&t->progress, t->passes, m.at, m.n);
    log_epoch(t, &m);
    watch_best(t, &m);
    t->state.epoch++;
    report_pictures(t->trainer, &t->progress, t->state.block, t->state.epoch);
    reset_epoch(t);
    save_checkpoint(t);
    if (t->options->early_stop && t->state.waited >= t->options->early_stop)
        progress_say(&t->progress, "stopped early: no better for %lld epochs, best %.6g",
                     (long long)t->state.waited, t->state.best);
}

static bool epoch_over(const training *t)
{
    return t->state.position == t->passes * t->per_pass;
}

static void check_ending(training *t)
{
    if (t->ending == DIVERGED)
        diverged(t, loss_name(t, t->step), step_loss(t));
    const rt_options *o = t->options;
    if (o->every && t->state.step % o->every == 0 && !epoch_over(t) && t->ending == GOING)
        save_checkpoint(t);
}

/* States that go on from batch to batch, not from epoch to epoch. */
static void begin_states(const training *t)
{
    for (int i = 0; i < t->model->nvars; i++) {
        const rt_var *v = &t->model->vars[i];
        if (v->each_epoch)
            memset(t->machine->call.fixed + v->tensor.offset, 0, (size_t)v->bytes);
    }
}

static void run_epoch(training *t)
{
    static metrics m;
    rt_state *s = &t->state;
    if (t->order)
        shuffle(t->order, t->view.samples, s->seed, (uint32_t)s->block, (uint32_t)s->epoch);
    if (s->position == 0)
        begin_states(t);
    progress_epoch(&t->progress, s->epoch + 1, t->epochs, s->position / t->per_pass, t->passes);
    while (!epoch_over(t) && t->ending == GOING) {
        run_passes(t);
        check_ending(t);
        training_metrics(t, &m);
        if (!epoch_over(t))
            progress_step(&t->progress, s->position / t->per_pass, m.at, m.n);
    }
    if (epoch_over(t) && t->ending != SIGNALLED)
        close_epoch(t);
    else
        progress_end(&t->progress, s->position / t->per_pass, m.at, m.n);
}

/* ---- The run ---------------------------------------------------------------- */

static void check_writable(const char *path)
{
    atomic_file file;
    rt_error error;
    if (!path)
        return;
    atomic_sweep(path);
    if (!atomic_open(&file, path, &error))
        rt_raise(&error);
    atomic_abandon(&file);
}

static char *save_path(const training *t)
{
    const char *save = t->options->save;
    return save ? rt_text("%s", save) : rt_text("%s.safetensors", t->model->name);
}

static int64_t largest_batch(const training *t)
{
    int64_t largest = 1;
    for (int i = 0; i < t->model->ntrains; i++) {
        int64_t batch = batch_of(t, &t->model->trains[i]);
        largest = batch > largest ? batch : largest;
    }
    return largest;
}

/* Variables: from the checkpoint, or their first values with --init over them. */
static void open_vars(training *t, char *vars)
{
    rt_error error;
    trainer_machine(t->trainer, largest_batch(t));
    t->machine->seed = t->state.seed;
    if (vars) {
        checkpoint_restore(t->machine, vars);
        weights_import(t->machine, false);
        return;
    }
    machine_init(t->machine);
    weights_import(t->machine, true);
    if (t->options->weights && !weights_load(t->machine, t->options->weights, &error))
        rt_raise(&error);
}

/* What steps and validation read of imported programs must be there. */
static void check_weights(const training *t)
{
    for (int b = 0; b < t->model->ntrains; b++) {
        const rt_train *block = &t->model->trains[b];
        for (int i = 0; i < block->nsteps; i++)
            weights_check(t->machine, &t->model->functions[block->steps[i].function]);
        if (validates(block))
            weights_check(t->machine, &t->model->functions[block->objective]);
    }
    for (int i = 0; t->options->score && i < t->model->nreports; i++)
        if (is_score(&t->model->reports[i]))
            weights_check(t->machine, &t->model->functions[t->model->reports[i].function]);
}

static void check_scores(const training *t)
{
    if (t->options->score && !reports_scores(t->model))
        rt_fail(RT_USAGE,
                "--score needs numbers to compute, and %s has none\n"
                "write a line such as `metric(accuracy(classifier(x), label))` in a report block",
                t->model->source);
}

static void open_run(training *t, rt_trainer *trainer)
{
    const rt_options *o = trainer->options;
    *t = (training){
        .trainer = trainer, .options = o, .model = trainer->model, .machine = &trainer->machine};
    t->state = (rt_state){
        .best = INFINITY, .seed = o->seed, .batch = o->batch, .no_shuffle = o->no_shuffle};
    if (!t->model->ntrains)
        rt_fail(RT_USAGE, "%s has no train block", t->model->source);
    check_scores(t);
    progress_open(&t->progress, o);
    char *vars = resume(t);
    for (int i = 0; i < t->model->ntrains; i++)
        check_block(t, &t->model->trains[i]);
    open_block(t);
    check_writable(o->checkpoint);
    open_vars(t, vars);
    check_weights(t);
    if (!vars)
        fill_replays(t);
    pace_open(&t->pace, t->machine, !o->given[OPT_threads]);
    log_open(&t->log, o->log, t->state.log_bytes);
    t->started = now() - t->state.seconds;
    if (vars)
        progress_say(&t->progress, "resumed from %s: epoch %lld, step %lld", o->checkpoint,
                     (long long)t->state.epoch + 1, (long long)t->state.step);
}

static void run_blocks(training *t)
{
    const rt_options *o = t->options;
    if (o->steps && t->state.step >= o->steps)
        t->ending = LIMITED;
    while (t->ending == GOING) {
        if (!block_done(t))
            run_epoch(t);
        else if (t->state.block + 1 < t->model->ntrains)
            next_block(t);
        else
            return;
    }
}

int command_train(rt_trainer *trainer)
{
    training t;
    rt_error error;
    open_run(&t, trainer);
    char *path = save_path(&t);
    check_writable(path);
    signals_catch();
    run_blocks(&t);
    save_checkpoint(&t);
    log_close(&t.log);
    if (!weights_save(t.machine, path, &error))
        rt_raise(&error);
    progress_say(&t.progress,
                 t.ending == SIGNALLED ? "stopped after step %lld, saved %s"
                                       : "%lld steps, saved %s",
                 (long long)t.state.step, path);
    free(path);
    int status = t.ending == SIGNALLED ? 128 + signal_seen() : RT_OK;
    if (status == RT_OK)
        report_pictures(trainer, &t.progress, t.state.block, 0);
    close_block(&t);
    free_lists(&t.state);
    return status;
}
