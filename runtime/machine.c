/* Memory of a model and calls of its functions.
 *
 * One allocation at the start: the fixed part, then the part of each block of
 * a batch, then what the function that needs most of it takes for the blocks
 * and chunks under way. machine_run opens one parallel region, calls function after
 * function in it, and asks next() on thread 0 between two calls. */
#define _GNU_SOURCE
#include "rt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, LINE = 64 };

static int64_t blocks_of(int64_t samples)
{
    return (samples + AECC_LANES - 1) / AECC_LANES;
}

static int64_t whole_lines(int64_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

static double scratch_bytes(const rt_function *f, int64_t nblocks, int64_t threads)
{
    return (double)aecc_scratch_blocks(nblocks, f->chunk, f->shared_blocks, threads) *
           (double)f->scratch_bytes;
}

static double part_bytes(const rt_function *f, int64_t nblocks, int64_t threads)
{
    int64_t chunks = (nblocks + f->chunk - 1) / f->chunk;
    int64_t round = aecc_round(nblocks, f->chunk, threads, f->part_bytes);
    return (double)(chunks < round ? chunks : round) * (double)f->part_bytes;
}

/* For batches of up to nblocks blocks: those with owned matrices need more. */
static double most_bytes(const rt_function *f, int64_t nblocks, int64_t threads)
{
    int64_t owned = nblocks < f->shared_blocks ? nblocks : f->shared_blocks;
    double all = scratch_bytes(f, nblocks, threads), few = scratch_bytes(f, owned, threads);
    return (all > few ? all : few) + part_bytes(f, nblocks, threads);
}

double machine_bytes(const rt_model *m, int64_t threads, int64_t batch)
{
    int64_t nblocks = blocks_of(batch);
    double most = 0;
    for (int i = 0; i < m->nfunctions; i++) {
        double own = most_bytes(&m->functions[i], nblocks, threads);
        most = own > most ? own : most;
    }
    return (double)whole_lines(m->fixed_bytes) + (double)nblocks * (double)m->block_bytes + most;
}

static _Noreturn void too_large(int64_t batch, double bytes)
{
    rt_fail(RT_IO, "no memory for a batch of %lld: it takes %.1f GiB\nuse a smaller --batch",
            (long long)batch, bytes / 0x1p30);
}

void machine_open(rt_machine *m, const rt_model *model, int64_t threads, uint64_t seed,
                  int64_t batch)
{
    int64_t fixed = whole_lines(model->fixed_bytes);
    double bytes = machine_bytes(model, threads, batch);
    size_t size = 0;
    memset(m, 0, sizeof *m);
    m->model = model;
    m->batch = batch;
    m->seed = seed;
    if (bytes < 0x1p62) {
        size = ((size_t)bytes + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE;
        m->memory = aligned_alloc(HUGE_PAGE, size);
    }
    if (!m->memory)
        too_large(batch, bytes);
    madvise(m->memory, size, MADV_HUGEPAGE);
    memset(m->memory, 0, (size_t)fixed);
    team_open(&m->team, threads);
    m->call = (aecc_call){.fixed = m->memory,
                          .blocks = m->memory + fixed,
                          .block_stride = model->block_bytes,
                          .scratch = m->memory + fixed + blocks_of(batch) * model->block_bytes,
                          .threads = (int32_t)threads,
                          .runtime = m};
}

void machine_close(rt_machine *m)
{
    free(m->memory);
    m->memory = NULL;
}

/* ---- Calls ---------------------------------------------------------------- */

void machine_set(rt_machine *m, int function, uint32_t purpose, int64_t step, const data_view *view,
                 const int64_t *order, int64_t first, int64_t count)
{
    const rt_function *f = m->function = &m->model->functions[function];
    m->view = view;
    m->order = order;
    m->first = first;
    m->call.samples = count;
    m->call.nblocks = blocks_of(count);
    m->call.scratch_stride = f->scratch_bytes;
    m->call.parts = m->call.scratch + (int64_t)scratch_bytes(f, m->call.nblocks, m->call.threads);
    m->call.part_stride = f->part_bytes;
    m->call.round = aecc_round(m->call.nblocks, f->chunk, m->call.threads, f->part_bytes);
    m->call.step = (uint32_t)step;
    random_key(m->seed, purpose, m->call.key);
}

static int64_t sample_at(const rt_machine *m, int64_t place)
{
    return m->order ? m->order[m->first + place] : m->first + place;
}

/* The data of an input, or of the one whose length it is. */
static const data_component *source_of(const rt_machine *m, const rt_function *f, int input)
{
    const rt_tensor *t = &f->inputs[input];
    int component = t->length_of >= 0 ? f->inputs[t->length_of].component : t->component;
    return &m->view->components[component];
}

int64_t step_of(const rt_tensor *t)
{
    return t->elements / t->shape[0];
}

/* Of a replay any sample, drawn for the place. */
static int64_t sample_of(const aecc_call *call, const data_component *from, int64_t place)
{
    const rt_machine *m = call->runtime;
    return from->drawn ? replay_draw(call, m->seed, from->drawn, place) : sample_at(m, place);
}

static void load_one(const aecc_call *call, const rt_function *f, int64_t block)
{
    const rt_machine *m = call->runtime;
    (void)block;
    for (int i = 0; i < f->ninputs; i++) {
        const rt_tensor *t = &f->inputs[i];
        const data_component *from = source_of(m, f, i);
        int64_t sample = sample_of(call, from, 0);
        void *to = call->fixed + t->offset;
        if (t->length_of >= 0)
            gather_lengths(from, &sample, 1, step_of(&f->inputs[t->length_of]), to);
        else if (t->integer)
            gather_sample_i32(from, sample, t->elements, to);
        else
            gather_sample(from, sample, t->elements, to);
    }
}

static void number_block(const aecc_call *call, const data_component *from, int64_t block,
                         int64_t samples[AECC_LANES])
{
    for (int64_t lane = 0; lane < AECC_LANES; lane++) {
        int64_t i = block * AECC_LANES + lane;
        samples[lane] = sample_of(call, from, i < call->samples ? i : call->samples - 1);
    }
}

static void load_block(const aecc_call *call, const rt_function *f, int64_t block)
{
    const rt_machine *m = call->runtime;
    char *part = call->blocks + block * call->block_stride;
    char *scratch = call->scratch + block * call->scratch_stride;
    int64_t samples[AECC_LANES];
    const data_component *numbered = NULL; /* `samples` are those of this one */
    for (int i = 0; i < f->ninputs; i++) {
        const rt_tensor *t = &f->inputs[i];
        const data_component *from = source_of(m, f, i);
        if (!numbered || from->drawn != numbered->drawn)
            number_block(call, from, block, samples);
        numbered = from;
        void *at = (t->scratch ? scratch : part) + t->offset;
        if (t->length_of >= 0)
            gather_lengths(from, samples, AECC_LANES, step_of(&f->inputs[t->length_of]), at);
        else if (t->integer)
            gather_block_i32(from, samples, t->elements, at);
        else
            gather_block(from, samples, t->elements, at);
    }
}

void aecc_load(aecc_call *call, int64_t block)
{
    const rt_function *f = ((const rt_machine *)call->runtime)->function;
    uint64_t begin = call->profile ? aecc_ticks() : 0;
    (f->ninputs && !f->inputs[0].batch ? load_one : load_block)(call, f, block);
    if (call->profile)
        call->profile[f->nkernels + TICKS_LOADING] += aecc_ticks() - begin;
}

/* Meets the others; the time is in ticks[TICKS_WAITING], where they count. */
static void meet(rt_machine *m, int64_t thread, void (*between)(void *), void *argument,
                 uint64_t *ticks)
{
    uint64_t begin = ticks ? aecc_ticks() : 0;
    team_meet(&m->team, thread, between, argument);
    if (ticks)
        ticks[TICKS_WAITING] += aecc_ticks() - begin;
}

void aecc_barrier(aecc_call *call, int64_t thread)
{
    rt_machine *m = call->runtime;
    meet(m, thread, NULL, NULL, call->profile ? call->profile + m->function->nkernels : NULL);
}

typedef struct run {
    rt_machine *machine;
    rt_next *next;
    void *job;
    bool more;
} run;

static void advance(void *argument)
{
    run *r = argument;
    r->more = r->next(r->machine, r->job);
}

static void member(void *argument, int64_t thread)
{
    run *r = argument;
    rt_machine *m = r->machine;
    do {
        aecc_call call = m->call;
        call.profile = m->profile ? m->profile[thread] : NULL;
        uint64_t *more = call.profile ? call.profile + m->function->nkernels : NULL;
        m->function->code(&call, thread);
        meet(m, thread, advance, r, more);
    } while (r->more);
}

void machine_run(rt_machine *m, rt_next *next, void *job)
{
    run r = {m, next, job, true};
    advance(&r);
    if (r.more)
        team_run(&m->team, member, &r);
}

static bool once(rt_machine *m, void *job)
{
    int *calls = job;
    (void)m;
    return (*calls)++ == 0;
}

void machine_init(rt_machine *m)
{
    int calls = 0;
    machine_set(m, 0, AECC_RANDOM_INIT, 0, NULL, NULL, 0, 0);
    machine_run(m, once, &calls);
}

/* A block takes as long with one sample as with all its lanes: up to here one
 * sample after another is faster (measured: from 6 to 13 samples). */
enum { FEW_SAMPLES = 5 };

int faster_function(const rt_model *m, int function, int64_t *count)
{
    int twin = m->functions[function].single;
    if (twin < 0 || *count > FEW_SAMPLES)
        return function;
    *count = 1;
    return twin;
}

void machine_pack(rt_machine *m)
{
    int calls = 0;
    if (m->model->pack < 0)
        return;
    machine_set(m, m->model->pack, AECC_RANDOM_RUN, 0, NULL, NULL, 0, 0);
    machine_run(m, once, &calls);
}

/* ---- Outputs -------------------------------------------------------------- */

int64_t tensor_place(const rt_tensor *t, int64_t element)
{
    int64_t place = 0;
    if (t->dense)
        return element;
    for (int d = t->rank - 1; d >= 0; d--) {
        place += element % t->shape[d] * t->strides[d];
        element /= t->shape[d];
    }
    return place;
}

static float value_at(const rt_tensor *t, const char *at, int64_t number)
{
    if (t->integer)
        return (float)((const int32_t *)at)[number];
    return ((const float *)at)[number];
}

float machine_scalar(const rt_machine *m, const rt_tensor *t)
{
    return value_at(t, m->call.fixed + t->offset, 0);
}

/* Element `element` of a sample. */
static float element_at(const rt_machine *m, const rt_tensor *t, int64_t sample, int64_t element)
{
    int64_t lane = sample % AECC_LANES, place = tensor_place(t, element);
    if (!t->batch)
        return value_at(t, m->call.fixed + t->offset, place);
    const char *at = m->call.blocks + sample / AECC_LANES * m->call.block_stride + t->offset;
    return value_at(t, at, t->row ? lane * t->row + place : place * AECC_LANES + lane);
}

int64_t machine_length(const rt_machine *m, const rt_tensor *t, int64_t sample)
{
    int64_t most = t->rank ? t->shape[0] : 1;
    if (t->length < 0)
        return most;
    int64_t length = (int64_t)element_at(m, &m->function->outputs[t->length], sample, 0);
    return length < 0 ? 0 : length < most ? length : most;
}

int64_t machine_live(const rt_machine *m, const rt_tensor *t, int64_t sample)
{
    return t->length < 0 ? t->elements : machine_length(m, t, sample) * step_of(t);
}

void machine_sample(const rt_machine *m, const rt_tensor *t, int64_t sample, float *to)
{
    int64_t live = machine_live(m, t, sample);
    for (int64_t i = 0; i < live; i++)
        to[i] = element_at(m, t, sample, i);
    memset(to + live, 0, (size_t)(t->elements - live) * sizeof *to);
}

const rt_var *machine_bad_var(const rt_machine *m, int64_t *at)
{
    for (int v = 0; v < m->model->nvars; v++) {
        const rt_tensor *t = &m->model->vars[v].tensor;
        const float *values = (const float *)(m->memory + t->offset);
        for (*at = 0; !t->integer && *at < t->elements; ++*at)
            if (!isfinite(values[tensor_place(t, *at)]))
                return &m->model->vars[v];
    }
    return NULL;
}
