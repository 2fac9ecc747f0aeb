/* `benchmark`: time of a training step, or of a network, and of each of its
 * kernels, against limits measured here and now. */
#include "benchmark.h"

#include "train.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARM_UP = 20, TRIES = 12, MOST_STEPS = 2000 };

/* Seconds of steps before the first try, of a try without --steps, and after
 * which no more are made. Many short ones: other work meets only some. */
static const double WARM_SECONDS = 0.2, TRY_SECONDS = 0.05, ALL_SECONDS = 1;

typedef struct bench {
    rt_trainer *trainer;
    int ncalls, *functions; /* of a pass: the steps of a train block, or a network */
    int64_t each;          /* samples in a call                    */
    uint32_t purpose;
    data_view view;
    int64_t *order; /* of the samples, NULL: as they lie    */
    int64_t batch, steps;
    int64_t batches, done; /* in the data; passes so far           */
    int call;              /* of the pass                          */
    int64_t sample;        /* of its batch, first of the next call */
    int *first_slot;       /* [call] its place in `ticks`          */
    int nkernels, nslots;
    uint64_t **ticks, **kept; /* [thread] of this try, of the best    */
    uint64_t **profile;       /* [thread]                             */
} bench;

/* The calls of a pass, over whole batches. */
static bool next_call(rt_machine *m, void *job)
{
    bench *b = job;
    if (b->call == b->ncalls) {
        b->call = 0;
        b->done++;
    }
    if (b->done == b->steps)
        return false;
    int64_t at = b->done % b->batches * b->batch + b->sample;
    machine_set(m, b->functions[b->call], b->purpose, b->done, &b->view, b->order, at, b->each);
    for (int t = 0; m->profile && t < m->team.threads; t++)
        m->profile[t] = b->ticks[t] + b->first_slot[b->call];
    b->sample += b->each;
    if (b->sample == b->batch) {
        b->sample = 0;
        b->call++;
    }
    return true;
}

/* Seconds a step. */
static double time_steps(bench *b, int64_t steps)
{
    double begin = now();
    b->steps = steps;
    b->done = b->call = 0;
    machine_run(&b->trainer->machine, next_call, b);
    return (now() - begin) / (double)steps;
}

/* Of all threads of the process. */
static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best of several tries, and how much of their cores the threads had in
 * it. */
static void best_of_tries(bench *b, benchmark *r)
{
    double begin = now();
    for (int i = 0; i < TRIES && (i < 2 || now() - begin < ALL_SECONDS); i++) {
        double used = processor_seconds(), step = time_steps(b, r->steps);
        used = processor_seconds() - used;
        if (i && step >= r->step)
            continue;
        r->step = step;
        r->busy = used / (step * (double)r->steps * r->threads);
    }
}

static const rt_function *called(const bench *b, int call)
{
    return &b->trainer->model->functions[b->functions[call]];
}

/* The steps of the first train block, over its data. */
static void open_training(bench *b)
{
    rt_trainer *t = b->trainer;
    if (!t->model->ntrains)
        rt_fail(RT_USAGE, "%s has no train block\nits networks: --infer", t->model->source);
    const rt_train *block = &t->model->trains[0];
    if (t->options->network)
        rt_fail(RT_USAGE, "a step is no network\ntime %s with --infer", t->options->network);
    b->view = sources_view(&t->sources, block->data, AS_FILES_HOLD);
    b->each = b->batch = t->options->batch ? t->options->batch : block->batch;
    b->batches = b->view.samples / b->batch;
    if (!b->batches)
        rt_fail(RT_BAD_INPUT, "%lld samples are fewer than a batch of %lld\nuse a smaller --batch",
                (long long)b->view.samples, (long long)b->batch);
    b->purpose = AECC_RANDOM_TRAIN;
    b->functions = rt_alloc((size_t)block->nsteps, sizeof *b->functions);
    for (int i = 0; i < block->nsteps; i++)
        if (block->steps[i].output == 0)
            b->functions[b->ncalls++] =
                block->steps[i].joined >= 0 ? block->steps[i].joined : block->steps[i].function;
    b->order = rt_alloc((size_t)b->view.samples, sizeof *b->order);
    shuffle(b->order, b->view.samples, t->options->seed, 0, 0);
}

/* The network that is named, else what reconstructs, else the first one. */
static int inferred(const rt_trainer *t)
{
    const rt_model *m = t->model;
    const char *name = t->options->network;
    if (!name && m->reconstruct >= 0)
        return m->reconstruct;
    if (!name && m->nnetworks)
        return m->networks[0].function;
    return need_network(m, name)->function;
}

/* One batch, again and again, of numbers made up here: no file is needed. */
static void open_inference(bench *b)
{
    rt_trainer *t = b->trainer;
    b->each = b->batch = inference_batch(t);
    b->batches = 1;
    b->purpose = AECC_RANDOM_RUN;
    b->ncalls = 1;
    b->functions = rt_alloc(1, sizeof *b->functions);
    b->functions[0] = faster_function(t->model, inferred(t), &b->each);
    b->view = made_up(called(b, 0), t->options->seed, b->batch);
}

static void open_bench(bench *b, rt_trainer *t)
{
    *b = (bench){.trainer = t};
    (t->options->infer ? open_inference : open_training)(b);
    b->first_slot = rt_alloc((size_t)b->ncalls, sizeof *b->first_slot);
    for (int s = 0; s < b->ncalls; s++) {
        view_check(&b->view, called(b, s));
        b->first_slot[s] = b->nslots;
        b->nslots += called(b, s)->nkernels + N_MORE_TICKS;
        b->nkernels += called(b, s)->nkernels;
    }
}

static uint64_t **ticks_new(const bench *b)
{
    int threads = b->trainer->machine.team.threads;
    uint64_t **ticks = rt_alloc((size_t)threads, sizeof *ticks);
    for (int t = 0; t < threads; t++)
        ticks[t] = rt_alloc((size_t)b->nslots, sizeof **ticks);
    return ticks;
}

static void ticks_free(const bench *b, uint64_t **ticks)
{
    for (int t = 0; t < b->trainer->machine.team.threads; t++)
        free(ticks[t]);
    free(ticks);
}

static void close_bench(bench *b)
{
    ticks_free(b, b->ticks);
    ticks_free(b, b->kept);
    free(b->profile);
    free(b->first_slot);
    free(b->functions);
    free(b->order);
    data_view_free(&b->view);
}

/* ---- Steps ---------------------------------------------------------------- */

/* Runs until caches, clocks and page tables are warm; seconds a step. */
static double warm_up(bench *b)
{
    double begin = now(), best = time_steps(b, 2);
    for (int i = 2; i < WARM_UP && now() - begin < WARM_SECONDS; i += 2) {
        double step = time_steps(b, 2);
        best = step < best ? step : best;
    }
    return best;
}

static int64_t steps_of(const bench *b, double step)
{
    double fit = TRY_SECONDS / step;
    if (b->trainer->options->steps)
        return b->trainer->options->steps;
    return fit < 2 ? 2 : fit > MOST_STEPS ? MOST_STEPS : (int64_t)fit;
}

/* Runs steps with the profile on; if they are the fastest so far, their ticks
 * are kept. The parts are of one run, so that they add up. */
static void profile_once(bench *b, benchmark *r)
{
    int threads = b->trainer->machine.team.threads;
    for (int t = 0; t < threads; t++)
        memset(b->ticks[t], 0, (size_t)b->nslots * sizeof **b->ticks);
    double step = time_steps(b, r->steps);
    if (r->profiled > 0 && step >= r->profiled)
        return;
    uint64_t **slower = b->kept;
    b->kept = b->ticks;
    b->ticks = slower;
    r->profiled = step;
}

/* Seconds of one tick. */
static double profile_steps(bench *b, benchmark *r)
{
    rt_machine *m = &b->trainer->machine;
    double begin = now();
    uint64_t from = aecc_ticks();
    m->profile = b->profile;
    for (int i = 0; i < TRIES && (i < 2 || now() - begin < ALL_SECONDS); i++)
        profile_once(b, r);
    m->profile = NULL;
    return (now() - begin) / (double)(aecc_ticks() - from);
}

/* ---- Parts of a step -------------------------------------------------------- */

/* Calls of a function in a step. */
static double calls_of(const bench *b)
{
    return (double)(b->batch / b->each);
}

/* What is no block's is taken again for each block or chunk. */
static double bytes_of(const bench *b, const rt_function *f, const rt_kernel *k)
{
    int64_t blocks = (b->batch + AECC_LANES - 1) / AECC_LANES;
    int64_t times = k->kind == RT_UNIT    ? (int64_t)calls_of(b)
                    : k->kind >= RT_CHUNK ? (blocks + f->chunk - 1) / f->chunk
                                          : blocks;
    return (double)k->bytes[0] * (double)times + (double)k->bytes[1] * (double)blocks;
}

/* Steps that a block's loop does. */
static int64_t trips_of(const bench *b, const rt_function *f, const rt_kernel *k, int64_t first)
{
    const rt_tensor *t = &f->inputs[f->inputs[k->lengths].length_of];
    int64_t samples[AECC_LANES], longest = 0;
    int32_t lengths[AECC_LANES];
    int n = 0;
    for (; n < AECC_LANES && n < b->batch - first % b->batch; n++)
        samples[n] = b->order ? b->order[first + n] : first + n;
    gather_lengths(&b->view.components[t->component], samples, n, step_of(t), lengths);
    for (int i = 0; i < n; i++)
        longest = lengths[i] > longest ? lengths[i] : longest;
    int64_t trips = (longest + k->stretch - 1) / k->stretch + 1;
    return trips < k->steps ? trips : k->steps;
}

/* The share of a loop's steps that is done, over the blocks of some batches. */
static double done_share(const bench *b, const rt_function *f, const rt_kernel *k)
{
    enum { MOST_BATCHES = 64 };
    if (k->lengths < 0 || f->inputs[k->lengths].length_of < 0)
        return 1;
    int64_t batches = b->batches < MOST_BATCHES ? b->batches : MOST_BATCHES, blocks = 0;
    double trips = 0;
    for (int64_t i = 0; i < batches; i++)
        for (int64_t at = 0; at < b->batch; at += AECC_LANES, blocks++)
            trips += (double)trips_of(b, f, k, i * b->batch + at);
    return trips / ((double)blocks * (double)k->steps);
}

/* Slot `slot` in seconds a step, by thread: the most, and the mean. */
static void slot_seconds(const bench *b, int slot, double tick, part *p)
{
    int threads = b->trainer->machine.team.threads;
    for (int t = 0; t < threads; t++) {
        double seconds = (double)b->kept[t][slot] * tick / (double)b->steps;
        p->mean += seconds / threads;
        p->seconds = seconds > p->seconds ? seconds : p->seconds;
    }
}

static void fill_part(const bench *b, part *p, int call, int kernel, double tick)
{
    const rt_function *f = called(b, call);
    const rt_kernel *k = &f->kernels[kernel];
    p->kernel = k;
    p->flops = k->flops * (k->each_sample ? (double)b->batch : calls_of(b)) * done_share(b, f, k);
    p->bytes = bytes_of(b, f, k);
    slot_seconds(b,
                 b->first_slot[call] + (k->kind == RT_LOAD ? f->nkernels + TICKS_LOADING : kernel),
                 tick, p);
}

static void fill_threads(const bench *b, thread_time *time, double tick)
{
    double scale = tick / (double)b->steps;
    for (int t = 0; t < b->trainer->machine.team.threads; t++)
        for (int s = 0; s < b->ncalls; s++) {
            const uint64_t *ticks = b->kept[t] + b->first_slot[s];
            int n = called(b, s)->nkernels;
            for (int i = 0; i < n; i++)
                time[t].kernels += (double)ticks[i] * scale;
            time[t].waiting += (double)ticks[n + TICKS_WAITING] * scale;
            time[t].loading += (double)ticks[n + TICKS_LOADING] * scale;
        }
}

static void fill_parts(bench *b, benchmark *r, double tick)
{
    r->nparts = 0;
    r->parts = rt_alloc((size_t)b->nkernels, sizeof *r->parts);
    r->thread = rt_alloc((size_t)r->threads, sizeof *r->thread);
    for (int s = 0; s < b->ncalls; s++)
        for (int i = 0; i < called(b, s)->nkernels; i++) {
            part *p = &r->parts[r->nparts++];
            fill_part(b, p, s, i, tick);
            r->flops += p->flops;
        }
    fill_threads(b, r->thread, tick);
}

/* Other work on the machine slows the peak: the larger is nearer to the truth. */
static void measure(bench *b, benchmark *r)
{
    rt_team *team = &b->trainer->machine.team;
    double tick, peak = peak_flops(team);
    r->steps = steps_of(b, warm_up(b));
    best_of_tries(b, r);
    tick = profile_steps(b, r);
    r->limits.barrier = barrier_seconds(team);
    r->limits.update = update_seconds(team);
    measure_levels(team, &r->limits);
    r->limits.flops = peak_flops(team);
    r->limits.flops = peak > r->limits.flops ? peak : r->limits.flops;
    fill_parts(b, r, tick);
    find_bounds(r, machine_bytes(r->model, r->threads, b->batch));
}

int command_benchmark(rt_trainer *t)
{
    bench b;
    rt_error error;
    open_bench(&b, t);
    trainer_machine(t, b.batch);
    machine_init(&t->machine);
    if (t->options->weights && !weights_load(&t->machine, t->options->weights, &error))
        rt_raise(&error);
    machine_pack(&t->machine);
    b.ticks = ticks_new(&b);
    b.kept = ticks_new(&b);
    b.profile = rt_alloc((size_t)t->machine.team.threads, sizeof *b.profile);
    benchmark result = {.model = t->model,
                        .network = t->options->infer ? called(&b, 0)->name : NULL,
                        .batch = b.batch,
                        .threads = t->machine.team.threads};
    measure(&b, &result);
    (t->options->json ? print_benchmark_json : print_benchmark)(&result);
    free(result.parts);
    free(result.thread);
    close_bench(&b);
    return RT_OK;
}
