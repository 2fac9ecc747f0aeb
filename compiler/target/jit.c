/* The objects that emit_code makes, loaded into this process by ORC, with a
 * small runtime of its own: threads that meet at a pthread barrier.
 *
 * needs       what emit_code needs; the host as target
 * guarantees  the code that runs is the code that a trainer would get */
#include "target/jit.h"

#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loop/loop.h"
#include "target/jit_memory.h"

struct Jit {
    const Model *model;
    LLVMOrcLLJITRef engine;
    JitMemory *memory;
    aecc_function *const *functions;
};

/* What a call's threads share: aecc_call.runtime. */
typedef struct Team {
    pthread_barrier_t barrier;
    aecc_function *function;
    JitLoad *load;
    void *context;
} Team;

/* ---- What generated code calls ----------------------------------------------- */

static void meet(aecc_call *call, int64_t thread)
{
    (void)thread;
    pthread_barrier_wait(&((Team *)call->runtime)->barrier);
}

static void load_block(aecc_call *call, int64_t block)
{
    Team *team = call->runtime;
    team->load(team->context, call, block);
}

/* The interpreter's matrix; the arena is not for several threads. */
static void fill_orthogonal(aecc_call *call, float *at, int64_t rows, int64_t columns,
                            int64_t stride, uint32_t path)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one_at_a_time);
    Attr attr = {.random = {RANDOM_NORMAL, path}};
    Shape shape = shape_of(false, 2, (int64_t[]){rows, columns});
    Node *matrix = graph_node(OP_orthogonal, T_F32, shape, 0, NULL, &attr, (Pos){0});
    Fn fn = {.name = "orthogonal", .noutputs = 1, .outputs = &matrix};
    Interp run = {.float32 = true,
                  .random = {.seed = {call->key[0], call->key[1]}, .step = call->step}};
    interpret(&fn, &run);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            at[i * stride + j] = (float)run.outputs[0][i * columns + j];
    pthread_mutex_unlock(&one_at_a_time);
}

static uint64_t ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Loading --------------------------------------------------------------------- */

static void expect(LLVMErrorRef error)
{
    if (error)
        die("LLVM's JIT: %s", LLVMGetErrorMessage(error));
}

static LLVMOrcCSymbolMapPair symbol(LLVMOrcLLJITRef engine, const char *name, void *address)
{
    return (LLVMOrcCSymbolMapPair){
        LLVMOrcLLJITMangleAndIntern(engine, name),
        {(LLVMOrcExecutorAddress)(uintptr_t)address, {LLVMJITSymbolGenericFlagsExported, 0}}};
}

/* Whatever else code may want, memcpy and memset, is found in the process. */
static void define_runtime(LLVMOrcLLJITRef engine)
{
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(engine);
    LLVMOrcCSymbolMapPair symbols[] = {
        symbol(engine, "aecc_barrier", (void *)meet),
        symbol(engine, "aecc_load", (void *)load_block),
        symbol(engine, "aecc_orthogonal", (void *)fill_orthogonal),
        symbol(engine, "aecc_ticks", (void *)ticks),
    };
    expect(LLVMOrcJITDylibDefine(
        library, LLVMOrcAbsoluteSymbols(symbols, sizeof symbols / sizeof *symbols)));
    LLVMOrcDefinitionGeneratorRef process;
    expect(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &process, LLVMOrcLLJITGetGlobalPrefix(engine), NULL, NULL));
    LLVMOrcJITDylibAddGenerator(library, process);
}

static void add_object(LLVMOrcLLJITRef engine, const Text *object, const char *name)
{
    LLVMMemoryBufferRef copy =
        LLVMCreateMemoryBufferWithMemoryRangeCopy(object->at, object->n, name);
    expect(LLVMOrcLLJITAddObjectFile(engine, LLVMOrcLLJITGetMainJITDylib(engine), copy));
}

Jit *jit_open(const Model *model, const TargetOptions *options)
{
    Code code =
        emit_code(model, &(CodeOptions){.targets = options, .ntargets = 1, .form = OUT_OBJECTS});
    Jit *jit = NEW(Jit);
    jit->model = model;
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    jit->memory = jit_memory_for(builder);
    expect(LLVMOrcCreateLLJIT(&jit->engine, builder));
    define_runtime(jit->engine);
    for (int i = 0; i < code.nparts; i++)
        add_object(jit->engine, &code.part[i], model->name);
    LLVMOrcExecutorAddress address;
    expect(LLVMOrcLLJITLookup(jit->engine, &address, "aecc_variants"));
    jit->functions = ((const aecc_variant *)(uintptr_t)address)->functions;
    return jit;
}

void jit_close(Jit *jit)
{
    expect(LLVMOrcDisposeLLJIT(jit->engine));
    jit_memory_free(jit->memory);
}

/* ---- Calling ------------------------------------------------------------------------ */

typedef struct Member {
    pthread_t thread;
    int64_t number;
    aecc_call call;
} Member;

static void flush_subnormals(void)
{
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040); /* FTZ, DAZ */
#elif defined(__aarch64__)
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("msr fpcr, %0" : : "r"(control | 1 << 24));
#endif
}

static void *run_member(void *argument)
{
    Member *member = argument;
    flush_subnormals();
    ((Team *)member->call.runtime)->function(&member->call, member->number);
    return NULL;
}

/* What a call has of samples and threads. */
static void divide(aecc_call *call, const Program *program, int threads, Team *team)
{
    call->nblocks = (call->samples + LANES - 1) / LANES;
    call->threads = threads;
    call->round = aecc_round(call->nblocks, program->chunk, threads, program->part_bytes);
    call->runtime = team;
}

void jit_call(Jit *jit, int fn, const aecc_call *call, int threads, JitLoad *load, void *context)
{
    Team team = {.function = jit->functions[fn], .load = load, .context = context};
    Member *members = calloc((size_t)threads, sizeof *members);
    if (!members || pthread_barrier_init(&team.barrier, NULL, (unsigned)threads))
        fail_file("no memory for %d threads", threads);
    for (int i = 0; i < threads; i++) {
        members[i].number = i;
        members[i].call = *call;
        divide(&members[i].call, jit->model->fns[fn]->program, threads, &team);
        if (pthread_create(&members[i].thread, NULL, run_member, &members[i]))
            fail_file("cannot start %d threads", threads);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(members[i].thread, NULL);
    pthread_barrier_destroy(&team.barrier);
    free(members);
}

/* LLVM's C API does not tell what instructions a processor named has. */
static sigjmp_buf unknown_instruction;

static void on_unknown_instruction(int signal)
{
    siglongjmp(unknown_instruction, signal);
}

static bool run_calls(const Team *team, aecc_call *call, int calls)
{
    struct sigaction before, action = {.sa_handler = on_unknown_instruction};
    sigaction(SIGILL, &action, &before);
    bool known = sigsetjmp(unknown_instruction, 1) == 0;
    for (int i = 0; known && i < calls; i++)
        team->function(call, 0);
    sigaction(SIGILL, &before, NULL);
    return known;
}

double jit_time(Jit *jit, int fn, const aecc_call *call, int calls)
{
    Team team = {.function = jit->functions[fn]};
    aecc_call own = *call;
    divide(&own, jit->model->fns[fn]->program, 1, &team);
    if (pthread_barrier_init(&team.barrier, NULL, 1))
        fail_file("no memory for a barrier");
    uint64_t begin = ticks();
    bool known = run_calls(&team, &own, calls);
    double seconds = (double)(ticks() - begin) * 1e-9;
    pthread_barrier_destroy(&team.barrier);
    return known ? seconds : -1;
}

/* ---- Tensors in memory and as doubles -------------------------------------------------- */

typedef struct Tensor {
    char *at; /* of block 0                                  */
    int64_t block_stride;
    const Buffer *buffer;
} Tensor;

/* Elements from the buffer's start to an element, without its lane. */
static int64_t distance(const Buffer *buffer, int64_t element)
{
    int64_t sum = 0;
    for (int i = buffer->shape.rank - 1; i >= 0; i--) {
        sum += element % buffer->shape.dim[i] * buffer->stride[i];
        element /= buffer->shape.dim[i];
    }
    return sum;
}

static char *place(const Tensor *t, int64_t sample, int64_t element)
{
    const Buffer *buffer = t->buffer;
    int64_t size = buffer->element == E_U8 ? 1 : 4, at = distance(buffer, element);
    int64_t block = holds_samples(buffer) ? sample / LANES : 0;
    if (holds_samples(buffer) && buffer->rows)
        at = (at - at % LANES + sample % LANES) * LANES + at % LANES;
    else if (holds_samples(buffer))
        at = at * LANES + sample % LANES;
    return t->at + block * t->block_stride + at * size;
}

static double get(const Tensor *t, int64_t sample, int64_t element)
{
    const char *at = place(t, sample, element);
    switch (t->buffer->element) {
    case E_F32: return *(const float *)at;
    case E_I32: return *(const int32_t *)at;
    default: return *(const uint8_t *)at;
    }
}

static void put(const Tensor *t, int64_t sample, int64_t element, double value)
{
    char *at = place(t, sample, element);
    switch (t->buffer->element) {
    case E_F32: *(float *)at = (float)value; break;
    case E_I32: *(int32_t *)at = (int32_t)value; break;
    default: *(uint8_t *)at = (uint8_t)value; break;
    }
}

static Tensor tensor_of(const aecc_call *call, const Buffer *buffer)
{
    if (buffer->space == IN_SCRATCH)
        return (Tensor){call->scratch + buffer->offset, call->scratch_stride, buffer};
    char *part = buffer->space == IN_BLOCK ? call->blocks : call->fixed;
    return (Tensor){part + buffer->offset, call->block_stride, buffer};
}

static Tensor tensor_of_var(const aecc_call *call, const Var *var)
{
    Buffer *buffer = NEW(Buffer);
    *buffer = (Buffer){.element = var->type == T_I32 ? E_I32 : E_F32, .shape = var->shape};
    storage_of(var->shape, buffer->stride);
    return (Tensor){call->fixed + var->offset, 0, buffer};
}

static double *get_all(const Tensor *t, int64_t samples)
{
    int64_t size = shape_size(t->buffer->shape), n = holds_samples(t->buffer) ? samples : 1;
    double *out = NEW_ARRAY(double, n *size + 1);
    for (int64_t i = 0; i < n * size; i++)
        out[i] = get(t, i / size, i % size);
    return out;
}

/* ---- jit_run --------------------------------------------------------------------------- */

typedef struct Run {
    const Interp *run;
    const Program *program;
} Run;

static void load_inputs(void *context, aecc_call *call, int64_t block)
{
    const Run *r = context;
    for (int i = 0; i < r->program->fn->ninputs; i++) {
        Tensor t = tensor_of(call, r->program->input_buffers[i]);
        int64_t size = shape_size(t.buffer->shape);
        for (int64_t lane = 0; lane < (holds_samples(t.buffer) ? LANES : 1); lane++) {
            int64_t sample = block * LANES + lane, last = r->run->samples - 1;
            int64_t from = sample < last ? sample : last;
            for (int64_t j = 0; j < size; j++)
                put(&t, sample, j, r->run->inputs[i][from * size + j]);
        }
    }
}

static char *new_memory(int64_t bytes)
{
    char *at = aligned_alloc(64, (size_t)(bytes + 127) / 64 * 64);
    if (!at)
        fail_file("no memory for %lld bytes", (long long)bytes);
    memset(at, 0x7F, (size_t)(bytes + 127) / 64 * 64); /* nothing counts on zeros */
    return at;
}

static void put_vars(const Interp *run, const aecc_call *call)
{
    for (int i = 0; i < run->nvars; i++) {
        Tensor t = tensor_of_var(call, run->var_list[i]);
        int64_t size = shape_size(t.buffer->shape), stride[MAX_RANK];
        memset(t.at, 0, (size_t)storage_of(t.buffer->shape, stride) * 4);
        for (int64_t j = 0; j < size; j++)
            put(&t, 0, j, run->vars[i][j]);
    }
}

static void take_results(const Fn *fn, Interp *run, const aecc_call *call)
{
    run->outputs = NEW_ARRAY(double *, fn->noutputs + 1);
    run->updates = NEW_ARRAY(double *, fn->nupdates + 1);
    for (int i = 0; i < fn->noutputs; i++) {
        Tensor t = tensor_of(call, fn->program->output_buffers[i]);
        run->outputs[i] = get_all(&t, run->samples);
    }
    for (int i = 0; i < fn->nupdates; i++) {
        Tensor t = tensor_of_var(call, fn->targets[i]);
        run->updates[i] = get_all(&t, 1);
    }
}

aecc_call jit_new_call(const Model *model, const Program *program, int64_t samples, int threads)
{
    int64_t nblocks = (samples + LANES - 1) / LANES;
    int64_t scratch = aecc_scratch_blocks(nblocks, program->chunk, program->shared_blocks, threads);
    return (aecc_call){
        .fixed = new_memory(model->fixed_bytes + program->fixed_bytes),
        .blocks = new_memory(nblocks * program->block_bytes),
        .block_stride = program->block_bytes,
        .scratch = new_memory(scratch * program->scratch_bytes),
        .scratch_stride = program->scratch_bytes,
        .parts = new_memory(nblocks * program->part_bytes),
        .part_stride = program->part_bytes,
        .samples = samples,
    };
}

void jit_free_call(aecc_call *call)
{
    free(call->fixed);
    free(call->blocks);
    free(call->scratch);
    free(call->parts);
}

void jit_run(Jit *jit, int number, Interp *run, int threads)
{
    const Fn *fn = jit->model->fns[number];
    const Program *program = fn->program;
    const Random *random = &run->random;
    aecc_call call = jit_new_call(jit->model, program, run->samples, threads);
    call.step = random->step;
    call.key[0] = random->seed[0];
    call.key[1] = random->seed[1] ^ random->purpose * 0x9E3779B9u;
    put_vars(run, &call);
    jit_call(jit, number, &call, threads, load_inputs, &(Run){run, program});
    take_results(fn, run, &call);
    jit_free_call(&call);
}
