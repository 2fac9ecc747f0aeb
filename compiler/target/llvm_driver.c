/* A function of the model: each thread walks the kernels in order.
 *
 * A run of BLOCK kernels without a barrier between them:
 *
 *   if (nblocks < threads)               // few blocks: a share of the units
 *       load inputs of blocks t, t + threads, …; barrier
 *       for each kernel: for each block: call it for a share; barrier
 *   else if (nblocks <= shared_blocks)   // wide matrices have owners
 *       the same for kernels with shared_bytes, a group of units that stays in
 *       a cache after the other; between them as follows; barriers
 *   else                                 // own blocks, nobody waits
 *       for each own block: load its inputs, call every kernel of the run
 *
 * A UNIT kernel: a share of its units. A share is [t n / T, (t + 1) n / T).
 * Kernels are called through aecc_kernel, which skips an empty share and
 * counts the time. The last thing is a barrier. */
#include "target/llvm.h"

/* A part of L2: the activations of a block pass beside it. */
enum { GROUP_BYTES = 512 << 10 };

typedef struct Driver {
    Emit *e;
    LLVMValueRef call, thread, threads, nblocks;
    const Program *program;
    LLVMValueRef *kernels;
} Driver;

static LLVMBasicBlockRef new_block(Emit *e, const char *name)
{
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->at));
    return LLVMAppendBasicBlockInContext(e->context, function, name);
}

static LLVMValueRef call_member(Emit *e, LLVMValueRef call, LLVMTypeRef type, int64_t offset)
{
    LLVMValueRef by = int64(e, offset);
    return LLVMBuildLoad2(e->at, type, LLVMBuildGEP2(e->at, e->i8, call, &by, 1, ""), "");
}

/* A function of the runtime with parameters (call, i64). */
static void call_runtime(Driver *d, const char *name, LLVMValueRef argument)
{
    Emit *e = d->e;
    LLVMTypeRef parameters[] = {e->pointer, e->i64};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->context), parameters, 2, 0);
    LLVMValueRef f = LLVMGetNamedFunction(e->module, name), args[] = {d->call, argument};
    if (!f)
        f = LLVMAddFunction(e->module, name, type);
    LLVMBuildCall2(e->at, type, f, args, 2, "");
}

static void barrier(Driver *d)
{
    call_runtime(d, "aecc_barrier", d->thread);
}

/* ---- for (i = lo; i < hi; i += step) -------------------------------------------------- */

typedef struct For {
    LLVMBasicBlockRef head, done;
    LLVMValueRef index, step;
} For;

static For begin_for(Emit *e, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef step)
{
    LLVMBasicBlockRef from = LLVMGetInsertBlock(e->at), head = new_block(e, "for");
    LLVMBasicBlockRef body = new_block(e, "do"), done = new_block(e, "done");
    LLVMBuildBr(e->at, head);
    LLVMPositionBuilderAtEnd(e->at, head);
    LLVMValueRef index = LLVMBuildPhi(e->at, e->i64, "");
    LLVMAddIncoming(index, &lo, &from, 1);
    LLVMBuildCondBr(e->at, LLVMBuildICmp(e->at, LLVMIntSLT, index, hi, ""), body, done);
    LLVMPositionBuilderAtEnd(e->at, body);
    return (For){head, done, index, step};
}

static void end_for(Emit *e, For f)
{
    LLVMBasicBlockRef last = LLVMGetInsertBlock(e->at);
    LLVMValueRef next = LLVMBuildNSWAdd(e->at, f.index, f.step, "");
    LLVMAddIncoming(f.index, &next, &last, 1);
    LLVMBuildBr(e->at, f.head);
    LLVMMoveBasicBlockAfter(f.done, last);
    LLVMPositionBuilderAtEnd(e->at, f.done);
}

/* ---- Kernels ----------------------------------------------------------------------------- */

/* aecc_kernel(call, kernel, number, block, u0, u1): the call, where u0 < u1,
 * its time added to call->profile[number]. */
static LLVMTypeRef runner_type(Emit *e)
{
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->i64, e->i64, e->i64, e->i64};
    return LLVMFunctionType(LLVMVoidTypeInContext(e->context), types, 6, 0);
}

static LLVMValueRef ticks(Emit *e)
{
    LLVMTypeRef type = LLVMFunctionType(e->i64, NULL, 0, 0);
    LLVMValueRef f = LLVMGetNamedFunction(e->module, "aecc_ticks");
    if (!f)
        f = LLVMAddFunction(e->module, "aecc_ticks", type);
    return LLVMBuildCall2(e->at, type, f, NULL, 0, "");
}

static void call_kernel(Emit *e, LLVMValueRef runner)
{
    LLVMValueRef args[] = {LLVMGetParam(runner, 0), LLVMGetParam(runner, 3),
                           LLVMGetParam(runner, 4), LLVMGetParam(runner, 5)};
    LLVMBuildCall2(e->at, e->kernel_type, LLVMGetParam(runner, 1), args, 4, "");
}

static void call_timed(Emit *e, LLVMValueRef runner, LLVMValueRef profile)
{
    LLVMValueRef number = LLVMGetParam(runner, 2), before = ticks(e);
    call_kernel(e, runner);
    LLVMValueRef spent = LLVMBuildSub(e->at, ticks(e), before, "");
    LLVMValueRef at = LLVMBuildGEP2(e->at, e->i64, profile, &number, 1, "");
    LLVMValueRef sum = LLVMBuildAdd(e->at, LLVMBuildLoad2(e->at, e->i64, at, ""), spent, "");
    LLVMBuildStore(e->at, sum, at);
    LLVMBuildRetVoid(e->at);
}

static void define_runner(Emit *e, LLVMValueRef runner)
{
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(e->context, runner, "entry");
    LLVMPositionBuilderAtEnd(e->at, entry);
    LLVMBasicBlockRef some = new_block(e, "some"), none = new_block(e, "none");
    LLVMBasicBlockRef timed = new_block(e, "timed"), plain = new_block(e, "plain");
    LLVMValueRef u0 = LLVMGetParam(runner, 4), u1 = LLVMGetParam(runner, 5);
    LLVMBuildCondBr(e->at, LLVMBuildICmp(e->at, LLVMIntSLT, u0, u1, ""), some, none);
    LLVMPositionBuilderAtEnd(e->at, none);
    LLVMBuildRetVoid(e->at);
    LLVMPositionBuilderAtEnd(e->at, some);
    LLVMValueRef profile = call_member(e, LLVMGetParam(runner, 0), e->pointer, 64);
    LLVMBuildCondBr(e->at, LLVMBuildIsNull(e->at, profile, ""), plain, timed);
    LLVMPositionBuilderAtEnd(e->at, plain);
    call_kernel(e, runner);
    LLVMBuildRetVoid(e->at);
    LLVMPositionBuilderAtEnd(e->at, timed);
    call_timed(e, runner, profile);
}

static LLVMValueRef runner(Emit *e)
{
    const char *name = format("aecc_kernel%s", e->suffix);
    LLVMValueRef f = LLVMGetNamedFunction(e->module, name);
    if (f)
        return f;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->at);
    f = LLVMAddFunction(e->module, name, runner_type(e));
    LLVMSetLinkage(f, LLVMInternalLinkage);
    add_attributes(e, f);
    define_runner(e, f);
    LLVMPositionBuilderAtEnd(e->at, here);
    return f;
}

static void run_kernel(Driver *d, int k, LLVMValueRef block, LLVMValueRef u0, LLVMValueRef u1)
{
    LLVMValueRef args[] = {d->call, d->kernels[k], int64(d->e, k), block, u0, u1};
    LLVMBuildCall2(d->e->at, runner_type(d->e), runner(d->e), args, 6, "");
}

/* This thread's part [*lo, *hi) of n. */
static void share(Driver *d, LLVMValueRef n, LLVMValueRef *lo, LLVMValueRef *hi)
{
    LLVMBuilderRef at = d->e->at;
    LLVMValueRef next = LLVMBuildNSWAdd(at, d->thread, int64(d->e, 1), "");
    *lo = LLVMBuildUDiv(at, LLVMBuildNSWMul(at, d->thread, n, ""), d->threads, "");
    *hi = LLVMBuildUDiv(at, LLVMBuildNSWMul(at, next, n, ""), d->threads, "");
}

/* ---- Runs of kernels ------------------------------------------------------------------------ */

static void own_blocks(Driver *d, int first, int last)
{
    Emit *e = d->e;
    LLVMValueRef lo, hi;
    share(d, d->nblocks, &lo, &hi);
    For blocks = begin_for(e, lo, hi, int64(e, 1));
    for (int k = first; k < last; k++) {
        const Kernel *kernel = d->program->kernels[k];
        if (kernel->load_inputs)
            call_runtime(d, "aecc_load", blocks.index);
        run_kernel(d, k, blocks.index, int64(e, 0), int64(e, kernel->units));
    }
    end_for(e, blocks);
}

static void load_share(Driver *d)
{
    For blocks = begin_for(d->e, d->thread, d->nblocks, d->threads);
    call_runtime(d, "aecc_load", blocks.index);
    end_for(d->e, blocks);
    barrier(d);
}

/* Units whose part of the matrix stays in a cache while all blocks pass. */
static int64_t group_units(const Kernel *k)
{
    int64_t units = k->shared_bytes ? GROUP_BYTES * k->units / k->shared_bytes : k->units;
    return units > 1 ? units : 1;
}

/* This thread's units for all blocks. */
static void own_units(Driver *d, int k)
{
    Emit *e = d->e;
    const Kernel *kernel = d->program->kernels[k];
    LLVMValueRef u0, u1, by = int64(e, group_units(kernel));
    share(d, int64(e, kernel->units), &u0, &u1);
    For groups = begin_for(e, u0, u1, by);
    LLVMValueRef end = LLVMBuildNSWAdd(e->at, groups.index, by, "");
    LLVMValueRef whole = LLVMBuildICmp(e->at, LLVMIntSLT, end, u1, "");
    end = LLVMBuildSelect(e->at, whole, end, u1, "");
    For blocks = begin_for(e, int64(e, 0), d->nblocks, int64(e, 1));
    run_kernel(d, k, blocks.index, groups.index, end);
    end_for(e, blocks);
    end_for(e, groups);
    barrier(d);
}

static void shared_blocks(Driver *d, int first, int last)
{
    for (int k = first; k < last; k++) {
        if (d->program->kernels[k]->load_inputs)
            load_share(d);
        own_units(d, k);
    }
}

static void blocks_and_units(Driver *d, int first, int last)
{
    while (first < last) {
        int next = first;
        while (next < last && !d->program->kernels[next]->shared_bytes)
            next++;
        if (next > first) {
            own_blocks(d, first, next);
            barrier(d);
        }
        for (; next < last && d->program->kernels[next]->shared_bytes; next++)
            own_units(d, next);
        first = next;
    }
}

/* A way to run kernels [first, last), where `condition` holds. */
static void run_if(Driver *d, LLVMValueRef condition, LLVMBasicBlockRef next,
                   void (*way)(Driver *, int, int), int first, int last)
{
    LLVMBasicBlockRef here = new_block(d->e, "way"), other = new_block(d->e, "other");
    LLVMBuildCondBr(d->e->at, condition, here, other);
    LLVMPositionBuilderAtEnd(d->e->at, here);
    way(d, first, last);
    LLVMBuildBr(d->e->at, next);
    LLVMPositionBuilderAtEnd(d->e->at, other);
}

static void run_blocks(Driver *d, int first, int last)
{
    Emit *e = d->e;
    LLVMBasicBlockRef next = new_block(e, "next");
    bool some = false;
    for (int k = first; k < last; k++)
        some = some || d->program->kernels[k]->shared_bytes;
    LLVMValueRef few = LLVMBuildICmp(e->at, LLVMIntSLT, d->nblocks, d->threads, "");
    run_if(d, few, next, shared_blocks, first, last);
    if (some) {
        LLVMValueRef most = int64(e, d->program->shared_blocks);
        few = LLVMBuildICmp(e->at, LLVMIntSLE, d->nblocks, most, "");
        run_if(d, few, next, blocks_and_units, first, last);
    }
    own_blocks(d, first, last);
    LLVMBuildBr(e->at, next);
    LLVMMoveBasicBlockAfter(next, LLVMGetInsertBlock(e->at));
    LLVMPositionBuilderAtEnd(e->at, next);
}

static void run_unit(Driver *d, int k)
{
    LLVMValueRef u0, u1;
    share(d, int64(d->e, d->program->kernels[k]->units), &u0, &u1);
    run_kernel(d, k, int64(d->e, 0), u0, u1);
}

/* The first kernel after `first` that is no part of its run. */
static int end_of_run(const Program *program, int first)
{
    int k = first + 1;
    while (k < program->nkernels && program->kernels[k]->kind == KERNEL_BLOCK &&
           !program->kernels[k]->barrier)
        k++;
    return k;
}

static void walk_kernels(Driver *d)
{
    const Program *program = d->program;
    for (int k = 0; k < program->nkernels;) {
        const Kernel *kernel = program->kernels[k];
        if (kernel->barrier)
            barrier(d);
        if (kernel->kind == KERNEL_UNIT) {
            run_unit(d, k++);
            continue;
        }
        int last = end_of_run(program, k);
        run_blocks(d, k, last);
        k = last;
    }
    barrier(d);
}

LLVMValueRef emit_driver(Emit *e, const Fn *fn, LLVMValueRef *kernels)
{
    LLVMValueRef f =
        LLVMAddFunction(e->module, format("aecc.%s%s", fn->name, e->suffix), e->function_type);
    LLVMSetLinkage(f, LLVMInternalLinkage);
    add_attributes(e, f);
    LLVMPositionBuilderAtEnd(e->at, LLVMAppendBasicBlockInContext(e->context, f, "entry"));
    Driver d = {.e = e,
                .call = LLVMGetParam(f, 0),
                .thread = LLVMGetParam(f, 1),
                .program = fn->program,
                .kernels = kernels};
    d.threads = LLVMBuildSExt(e->at, call_member(e, d.call, e->i32, 52), e->i64, "");
    d.nblocks = call_member(e, d.call, e->i64, 32);
    walk_kernels(&d);
    LLVMBuildRetVoid(e->at);
    return f;
}
