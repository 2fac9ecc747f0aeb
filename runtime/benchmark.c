/* `benchmark`: time of a training step, or of a network, and of each of its
 * kernels, against the peak measured here and now. */
#include "rt.h"

#include "train.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_STEPS = 200, WARM_UP = 20, TRIES = 3 };

typedef struct bench {
    rt_trainer *trainer;
    int ncalls, *functions; /* of a pass: the steps of a train block, or one network */
    uint32_t purpose;
    data_view view;
    int64_t *order;        /* of the samples, NULL: as they lie    */
    int64_t batch, steps;
    int64_t batches, done; /* in the data; passes so far           */
    int call;              /* of the pass                          */
    int *first_kernel;     /* [call] its place in `ticks`          */
    int nkernels;
    uint64_t **ticks, **profile; /* [thread]                             */
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
    int64_t at = b->done % b->batches * b->batch;
    machine_set(m, b->functions[b->call], b->purpose, b->done, &b->view, b->order, at, b->batch);
    for (int t = 0; m->profile && t < m->team.threads; t++)
        m->profile[t] = b->ticks[t] + b->first_kernel[b->call];
    b->call++;
    return true;
}

/* Seconds a step, the best of some tries. */
static double time_steps(bench *b, int64_t steps, int tries)
{
    double best = 0;
    b->steps = steps;
    for (int i = 0; i < tries; i++) {
        double begin = now();
        b->done = b->call = 0;
        machine_run(&b->trainer->machine, next_call, b);
        double time = (now() - begin) / (double)steps;
        if (i == 0 || time < best)
            best = time;
    }
    return best;
}

static const rt_function *called(const bench *b, int call)
{
    return &b->trainer->model->functions[b->functions[call]];
}

/* How often a kernel's `flops` are done in a step. */
static double times(const bench *b, const rt_kernel *k)
{
    return k->each_sample ? (double)b->batch : 1;
}

static double step_flops(const bench *b)
{
    double flops = 0;
    for (int s = 0; s < b->ncalls; s++)
        for (int i = 0; i < called(b, s)->nkernels; i++)
            flops += called(b, s)->kernels[i].flops * times(b, &called(b, s)->kernels[i]);
    return flops;
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
    b->batch = t->options->batch ? t->options->batch : block->batch;
    b->batches = b->view.samples / b->batch;
    if (!b->batches)
        rt_fail(RT_BAD_INPUT, "%lld samples are fewer than a batch of %lld\nuse a smaller --batch",
                (long long)b->view.samples, (long long)b->batch);
    b->purpose = AECC_RANDOM_TRAIN;
    b->ncalls = block->nsteps;
    b->functions = rt_alloc((size_t)b->ncalls, sizeof *b->functions);
    for (int i = 0; i < b->ncalls; i++)
        b->functions[i] = block->steps[i].function;
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
    b->batch = inference_batch(t);
    b->batches = 1;
    b->purpose = AECC_RANDOM_RUN;
    b->ncalls = 1;
    b->functions = rt_alloc(1, sizeof *b->functions);
    b->functions[0] = inferred(t);
    b->view = made_up(called(b, 0), t->options->seed, b->batch);
}

static void open_bench(bench *b, rt_trainer *t)
{
    *b = (bench){.trainer = t};
    (t->options->infer ? open_inference : open_training)(b);
    b->first_kernel = rt_alloc((size_t)b->ncalls, sizeof *b->first_kernel);
    for (int s = 0; s < b->ncalls; s++) {
        view_check(&b->view, called(b, s));
        b->first_kernel[s] = b->nkernels;
        b->nkernels += called(b, s)->nkernels;
    }
}

static void open_ticks(bench *b)
{
    int threads = b->trainer->machine.team.threads;
    b->ticks = rt_alloc((size_t)threads, sizeof *b->ticks);
    b->profile = rt_alloc((size_t)threads, sizeof *b->profile);
    for (int t = 0; t < threads; t++)
        b->ticks[t] = rt_alloc((size_t)b->nkernels + 8, sizeof **b->ticks);
}

static void close_bench(bench *b)
{
    for (int t = 0; t < b->trainer->machine.team.threads; t++)
        free(b->ticks[t]);
    free(b->ticks);
    free(b->profile);
    free(b->first_kernel);
    free(b->functions);
    free(b->order);
    data_view_free(&b->view);
}

/* Seconds a step that kernel `k` takes on its slowest thread. */
static double kernel_seconds(const bench *b, int k, double tick)
{
    uint64_t most = 0;
    for (int t = 0; t < b->trainer->machine.team.threads; t++)
        most = b->ticks[t][k] > most ? b->ticks[t][k] : most;
    return (double)most * tick / (double)b->steps;
}

/* Fills the ticks; seconds a step with the profile on, and of one tick. */
static double profile_steps(bench *b, int64_t steps, double *tick)
{
    rt_machine *m = &b->trainer->machine;
    double begin = now();
    uint64_t from = aecc_ticks();
    m->profile = b->profile;
    double step = time_steps(b, steps, 1);
    m->profile = NULL;
    *tick = (now() - begin) / (double)(aecc_ticks() - from);
    return step;
}

static void print_kernel(const bench *b, const rt_kernel *k, double time, double step, double peak)
{
    double rate = time > 0 ? k->flops * times(b, k) / time : 0;
    printf("%-44.44s %5d %10.2f %5.1f%%", k->name, k->line, time * 1e6, 100 * time / step);
    if (rate > 0)
        printf(" %9.1f", rate / 1e9);
    if (rate > 0 && peak > 0)
        printf(" %5.1f%%", 100 * rate / peak);
    printf("\n");
}

/* `step`: of the profiled run. */
static void print_table(const bench *b, double step, double tick, double peak)
{
    double sum = 0;
    printf("\n%-44s %5s %10s %6s %9s %6s\n", "kernel", "line", "us", "share", "GFLOP/s", "peak");
    for (int s = 0; s < b->ncalls; s++)
        for (int i = 0; i < called(b, s)->nkernels; i++) {
            double time = kernel_seconds(b, b->first_kernel[s] + i, tick);
            print_kernel(b, &called(b, s)->kernels[i], time, step, peak);
            sum += time;
        }
    printf("%-44s %5s %10.2f %5.1f%%\n", "waiting, barriers", "", (step - sum) * 1e6,
           100 * (step - sum) / step);
}

static void print_json(const bench *b, double step, double tick, double peak, double barrier)
{
    const rt_trainer *t = b->trainer;
    printf("{\"model\":\"%s\",\"batch\":%lld,\"threads\":%d,\"seconds_per_step\":%.9g,"
           "\"flops_per_step\":%.9g,\"peak_flops\":%.9g,\"barrier_seconds\":%.9g,\"kernels\":[",
           t->model->name, (long long)b->batch, t->machine.team.threads, step, step_flops(b), peak,
           barrier);
    for (int s = 0, n = 0; s < b->ncalls; s++)
        for (int i = 0; i < called(b, s)->nkernels; i++, n++) {
            const rt_kernel *k = &called(b, s)->kernels[i];
            printf("%s\n{\"name\":\"%s\",\"line\":%d,\"seconds\":%.9g,\"flops\":%.9g}",
                   n ? "," : "", k->name, k->line, kernel_seconds(b, b->first_kernel[s] + i, tick),
                   k->flops * times(b, k));
        }
    printf("]}\n");
}

static void print_head(const bench *b, double step, double peak, double barrier)
{
    const rt_trainer *t = b->trainer;
    double rate = step_flops(b) / step;
    printf("%s%s%s: batch %lld, %d thread%s, %lld steps\n", t->model->name,
           t->options->infer ? ", " : "", t->options->infer ? called(b, 0)->name : "",
           (long long)b->batch, t->machine.team.threads, t->machine.team.threads == 1 ? "" : "s",
           (long long)b->steps);
    printf("  step     %.1f us, %.0f samples/s, %.3g us a sample\n", step * 1e6,
           (double)b->batch / step, step * 1e6 / (double)b->batch);
    printf("  rate     %.1f GFLOP/s", rate / 1e9);
    if (peak > 0)
        printf(", %.1f%% of the measured peak of %.1f", 100 * rate / peak, peak / 1e9);
    printf("\n  barrier  %.0f ns\n", barrier * 1e9);
}

/* Other work on the machine slows either: the larger is nearer to the truth. */
static double peak_again(bench *b, double before)
{
    double after = peak_flops(&b->trainer->machine.team);
    return after > before ? after : before;
}

int command_benchmark(rt_trainer *t)
{
    bench b;
    rt_error error;
    int64_t steps = t->options->steps ? t->options->steps : DEFAULT_STEPS;
    open_bench(&b, t);
    trainer_machine(t, b.batch);
    machine_init(&t->machine);
    if (t->options->weights && !weights_load(&t->machine, t->options->weights, &error))
        rt_raise(&error);
    open_ticks(&b);
    time_steps(&b, WARM_UP, 1);
    double peak = peak_flops(&t->machine.team);
    double step = time_steps(&b, steps, TRIES);
    double tick, profiled = profile_steps(&b, steps, &tick);
    double barrier = barrier_seconds(&t->machine.team);
    peak = peak_again(&b, peak);
    if (t->options->json) {
        print_json(&b, step, tick, peak, barrier);
    } else {
        print_head(&b, step, peak, barrier);
        print_table(&b, profiled, tick, peak);
    }
    close_bench(&b);
    return RT_OK;
}
