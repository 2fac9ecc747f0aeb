/* A function of the model: each thread walks the kernels in order.
 *
 * A segment (loop.h), for each round of chunks:
 *
 *   for each own chunk: for each own block of it …     // nobody waits
 *   for the chunks that are too few to be owned by all threads, and for all
 *   where wide matrices have owners (nblocks <= shared_blocks):
 *       BLOCK kernels: for each own block …
 *                      for the blocks that are too few: a share of the units
 *       those with shared_bytes: a share of the units of all blocks, a group
 *                      of units that stays in a cache after the other
 *       CHUNK kernels: a share of the units of each chunk
 *   barrier; JOIN kernels: a share of the units, one chunk after another
 *
 * A UNIT kernel: a share of its units; thread 0 loads the inputs of a function
 * for one sample. A share of n is [t n / T, (t + 1) n / T), rounded down; of
 * UNIT kernels rounded up where the last threads had more so far.
 * Kernels are called through aecc_kernel, which skips an empty share and
 * counts the time. The last thing is a barrier. */
#include "target/llvm.h"

/* A part of L2: the activations of a block pass beside it. */
enum { GROUP_BYTES = 512 << 10 };

typedef struct Driver {
    Emit *e;
    LLVMValueRef call, thread, threads, nblocks, nchunks;
    LLVMValueRef scratch, parts; /* as the caller gave them            */
    const Program *program;
    const KernelSymbol *kernels;
    LLVMValueRef *places;              /* of each kernel's buffers, when known   */
    LLVMValueRef most;                 /* memory for a number                */
    double lead;                       /* what last threads do more of units */
    int depth;                         /* loops around what is walked        */
} Driver;

static LLVMBasicBlockRef new_block(Emit *e, const char *name)
{
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->at));
    return LLVMAppendBasicBlockInContext(e->context, function, name);
}

static LLVMValueRef offset_by(Emit *e, LLVMValueRef at, LLVMValueRef bytes)
{
    return LLVMBuildGEP2(e->at, e->i8, at, &bytes, 1, "");
}

static LLVMValueRef call_member(Emit *e, LLVMValueRef call, LLVMTypeRef type, int64_t offset)
{
    return LLVMBuildLoad2(e->at, type, offset_by(e, call, int64(e, offset)), "");
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
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->i64, e->i64, e->i64, e->i64, e->pointer};
    return LLVMFunctionType(LLVMVoidTypeInContext(e->context), types, 7, 0);
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
                           LLVMGetParam(runner, 4), LLVMGetParam(runner, 5),
                           LLVMGetParam(runner, 6)};
    LLVMBuildCall2(e->at, e->kernel_type, LLVMGetParam(runner, 1), args, 5, "");
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

/* Where the buffers of kernel k are, if its function must be told. */
static LLVMValueRef places(Driver *d, int k)
{
    Emit *e = d->e;
    int n;
    if (!d->kernels[k].placed || d->places[k])
        return d->places[k] ? d->places[k] : LLVMConstNull(e->pointer);
    Buffer **buffers = kernel_buffers(d->program->kernels[k], &n);
    LLVMValueRef *number = NEW_ARRAY(LLVMValueRef, 3 * n);
    for (int i = 0; i < n; i++) {
        number[3 * i] = int64(e, part_member(buffers[i]->space));
        number[3 * i + 1] = int64(e, stride_member(buffers[i]->space));
        number[3 * i + 2] = int64(e, buffers[i]->offset);
    }
    LLVMValueRef all = LLVMConstArray(e->i64, number, (unsigned)(3 * n));
    LLVMValueRef table = LLVMAddGlobal(e->module, LLVMTypeOf(all), "places");
    LLVMSetInitializer(table, all);
    LLVMSetGlobalConstant(table, 1);
    LLVMSetLinkage(table, LLVMInternalLinkage);
    return d->places[k] = table;
}

static void run_kernel(Driver *d, int k, LLVMValueRef block, LLVMValueRef u0, LLVMValueRef u1)
{
    LLVMValueRef kernel = kernel_function(d->e, d->kernels[k].name);
    LLVMValueRef args[] = {d->call, kernel, int64(d->e, k), block, u0, u1, places(d, k)};
    LLVMBuildCall2(d->e->at, runner_type(d->e), runner(d->e), args, 7, "");
}

/* Two numbers: what is from `lo` to below `hi`. */
typedef struct Range {
    LLVMValueRef lo, hi;
} Range;

static LLVMValueRef part_of(Driver *d, LLVMValueRef thread, LLVMValueRef n, bool up)
{
    LLVMBuilderRef at = d->e->at;
    LLVMValueRef all = LLVMBuildNSWMul(at, thread, n, "");
    LLVMValueRef most = LLVMBuildNSWSub(at, d->threads, int64(d->e, 1), "");
    return LLVMBuildUDiv(at, up ? LLVMBuildNSWAdd(at, all, most, "") : all, d->threads, "");
}

static Range share_rounded(Driver *d, LLVMValueRef n, bool up)
{
    LLVMValueRef next = LLVMBuildNSWAdd(d->e->at, d->thread, int64(d->e, 1), "");
    return (Range){part_of(d, d->thread, n, up), part_of(d, next, n, up)};
}

/* This thread's share of [0, n). */
static Range share(Driver *d, LLVMValueRef n)
{
    return share_rounded(d, n, false);
}

/* Of r as many as all threads can have: this one's, and in *rest the others. */
static Range own(Driver *d, Range r, Range *rest)
{
    LLVMBuilderRef at = d->e->at;
    LLVMValueRef n = LLVMBuildNSWSub(at, r.hi, r.lo, "");
    LLVMValueRef each = LLVMBuildUDiv(at, n, d->threads, "");
    LLVMValueRef lo = LLVMBuildNSWAdd(at, r.lo, LLVMBuildNSWMul(at, each, d->thread, ""), "");
    rest->lo = LLVMBuildNSWAdd(at, r.lo, LLVMBuildNSWMul(at, each, d->threads, ""), "");
    rest->hi = r.hi;
    return (Range){lo, LLVMBuildNSWAdd(at, lo, each, "")};
}

static LLVMValueRef least(Driver *d, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(d->e->at, LLVMBuildICmp(d->e->at, LLVMIntSLT, a, b, ""), a, b, "");
}

static Range blocks_of(Driver *d, Range chunks)
{
    LLVMValueRef each = int64(d->e, d->program->chunk);
    LLVMValueRef hi = LLVMBuildNSWMul(d->e->at, chunks.hi, each, "");
    return (Range){LLVMBuildNSWMul(d->e->at, chunks.lo, each, ""), least(d, hi, d->nblocks)};
}

/* What follows until `end_if` runs where r is not empty. */
static LLVMBasicBlockRef begin_if_any(Driver *d, Range r)
{
    Emit *e = d->e;
    LLVMBasicBlockRef some = new_block(e, "some"), next = new_block(e, "next");
    LLVMBuildCondBr(e->at, LLVMBuildICmp(e->at, LLVMIntSLT, r.lo, r.hi, ""), some, next);
    LLVMPositionBuilderAtEnd(e->at, some);
    return next;
}

static void end_if(Driver *d, LLVMBasicBlockRef next)
{
    LLVMBuildBr(d->e->at, next);
    LLVMMoveBasicBlockAfter(next, LLVMGetInsertBlock(d->e->at));
    LLVMPositionBuilderAtEnd(d->e->at, next);
}

/* ---- Memory under way --------------------------------------------------------------------- */

/* call->`member` becomes base + distance * call->`stride`. */
static void move_member(Driver *d, int64_t member, LLVMValueRef base, LLVMValueRef distance,
                        int64_t stride)
{
    Emit *e = d->e;
    LLVMValueRef bytes = LLVMBuildMul(e->at, distance, call_member(e, d->call, e->i64, stride), "");
    LLVMBuildStore(e->at, offset_by(e, base, bytes), offset_by(e, d->call, int64(e, member)));
}

/* Block `first` has the scratch number `place`. */
static void place_scratch(Driver *d, LLVMValueRef first, LLVMValueRef place)
{
    move_member(d, 72, d->scratch, LLVMBuildNSWSub(d->e->at, place, first, ""), 80);
}

/* Chunk `first` has the first of the parts. */
static void place_parts(Driver *d, LLVMValueRef first)
{
    move_member(d, 88, d->parts, LLVMBuildNSWNeg(d->e->at, first, ""), 96);
}

/* ---- Segments ------------------------------------------------------------------------------- */

/* The loop of this depth in which kernel k runs, or NULL. */
static const ScanLoop *loop_at(const Driver *d, int k, int depth)
{
    int loop = d->program->kernels[k]->scan;
    while (loop >= 0 && d->program->scans[loop].depth > depth)
        loop = d->program->scans[loop].outer;
    return loop >= 0 && d->program->scans[loop].depth == depth ? &d->program->scans[loop] : NULL;
}

static LLVMValueRef all_steps(Driver *d, const ScanLoop *loop)
{
    return int64(d->e, loop->steps);
}

/* The first n steps of a loop, in its direction; its kernels find the time in
 * the call. */
static For begin_steps(Driver *d, const ScanLoop *loop, LLVMValueRef n)
{
    Emit *e = d->e;
    For steps = begin_for(e, int64(e, 0), n, int64(e, 1));
    LLVMValueRef time = steps.index;
    if (loop->reverse) {
        time = LLVMBuildNSWSub(e->at, n, time, "");
        time = LLVMBuildNSWSub(e->at, time, int64(e, 1), "");
    }
    LLVMValueRef at = offset_by(e, d->call, int64(e, CALL_TIME + 8 * loop->depth));
    LLVMBuildStore(e->at, time, at);
    return steps;
}

/* ---- Steps that the samples have ------------------------------------------------------------ */

static LLVMValueRef block_of(Driver *d, const Buffer *b, LLVMValueRef block)
{
    Emit *e = d->e;
    bool scratch = b->space == IN_SCRATCH;
    LLVMValueRef part = call_member(e, d->call, e->pointer, scratch ? 72 : 8);
    LLVMValueRef stride = call_member(e, d->call, e->i64, scratch ? 80 : 16);
    LLVMValueRef at = offset_by(e, part, LLVMBuildMul(e->at, block, stride, ""));
    return offset_by(e, at, int64(e, b->offset));
}

/* The larger of n and the lengths in a block. */
static LLVMValueRef longest(Driver *d, const Buffer *lengths, LLVMValueRef block, LLVMValueRef n)
{
    Emit *e = d->e;
    LLVMValueRef at = block_of(d, lengths, block);
    for (int lane = 0; lane < LANES; lane++) {
        LLVMValueRef length = call_member(e, at, e->i32, 4 * lane);
        length = LLVMBuildSExt(e->at, length, e->i64, "");
        LLVMValueRef more = LLVMBuildICmp(e->at, LLVMIntSGT, length, n, "");
        n = LLVMBuildSelect(e->at, more, length, n, "");
    }
    return n;
}

/* How many steps a loop does for these blocks (graph/trips.c). */
static LLVMValueRef trips(Driver *d, const ScanLoop *loop, Range r)
{
    Emit *e = d->e;
    if (!loop->lengths)
        return all_steps(d, loop);
    LLVMBuildStore(e->at, int64(e, 0), d->most);
    For blocks = begin_for(e, r.lo, r.hi, int64(e, 1));
    LLVMValueRef n = LLVMBuildLoad2(e->at, e->i64, d->most, "");
    LLVMBuildStore(e->at, longest(d, loop->lengths, blocks.index, n), d->most);
    end_for(e, blocks);
    n = LLVMBuildLoad2(e->at, e->i64, d->most, "");
    n = LLVMBuildNSWAdd(e->at, n, int64(e, loop->stretch - 1), "");
    n = LLVMBuildUDiv(e->at, n, int64(e, loop->stretch), "");
    return least(d, LLVMBuildNSWAdd(e->at, n, int64(e, 1), ""), all_steps(d, loop));
}

/* Elements [lo, hi) of b's first axis become copies of element `from`. */
static void copy_step(Driver *d, const Buffer *b, LLVMValueRef block, Range to, LLVMValueRef from)
{
    Emit *e = d->e;
    LLVMValueRef bytes = int64(e, b->stride[0] * LANES * (b->element == E_U8 ? 1 : 4));
    LLVMValueRef at = block_of(d, b, block);
    LLVMValueRef source = offset_by(e, at, LLVMBuildNSWMul(e->at, from, bytes, ""));
    For steps = begin_for(e, to.lo, to.hi, int64(e, 1));
    LLVMValueRef place = offset_by(e, at, LLVMBuildNSWMul(e->at, steps.index, bytes, ""));
    LLVMBuildMemCpy(e->at, place, LANES, source, LANES, bytes);
    end_for(e, steps);
}

/* What a loop carries has one place more than it has steps. Backwards, the
 * first value, which stands in the last place, moves on to where n steps begin. */
static void before_steps(Driver *d, const ScanLoop *loop, LLVMValueRef block, LLVMValueRef n)
{
    LLVMValueRef steps = all_steps(d, loop);
    for (int i = 0; i < loop->nsequences && loop->lengths; i++)
        if (loop->reverse && holds_samples(loop->sequences[i]) &&
            loop->sequences[i]->shape.dim[0] > loop->steps)
            copy_step(d, loop->sequences[i], block, (Range){n, steps}, steps);
}

static void after_steps(Driver *d, const ScanLoop *loop, LLVMValueRef block, LLVMValueRef n)
{
    LLVMBuilderRef at = d->e->at;
    LLVMValueRef one = int64(d->e, 1), steps = all_steps(d, loop);
    Range emitted = {n, steps};
    Range carried = {LLVMBuildNSWAdd(at, n, one, ""), LLVMBuildNSWAdd(at, steps, one, "")};
    for (int i = 0; i < loop->nsequences && loop->lengths; i++) {
        const Buffer *b = loop->sequences[i];
        if (!holds_samples(b))
            continue;
        if (b->shape.dim[0] == loop->steps)
            copy_step(d, b, block, emitted, LLVMBuildNSWSub(at, n, one, ""));
        else if (!loop->reverse)
            copy_step(d, b, block, carried, n);
    }
}

/* The same for blocks that threads share: dealt to them. */
static void shared_copies(Driver *d, const ScanLoop *loop, Range r, LLVMValueRef n,
                          void (*copies)(Driver *, const ScanLoop *, LLVMValueRef, LLVMValueRef))
{
    if (!loop->lengths)
        return;
    barrier(d);
    LLVMValueRef lo = LLVMBuildNSWAdd(d->e->at, r.lo, d->thread, "");
    For blocks = begin_for(d->e, lo, r.hi, d->threads);
    copies(d, loop, blocks.index, n);
    end_for(d->e, blocks);
    barrier(d);
}

static void whole_block(Driver *d, int first, int last, int depth, LLVMValueRef block)
{
    Emit *e = d->e;
    for (int k = first; k < last;) {
        const ScanLoop *loop = loop_at(d, k, depth);
        if (loop) {
            Range alone = {block, LLVMBuildNSWAdd(e->at, block, int64(e, 1), "")};
            LLVMValueRef n = trips(d, loop, alone);
            before_steps(d, loop, block, n);
            For steps = begin_steps(d, loop, n);
            whole_block(d, loop->first, loop->end, depth + 1, block);
            end_for(e, steps);
            after_steps(d, loop, block, n);
            k = loop->end;
            continue;
        }
        if (d->program->kernels[k]->load_inputs)
            call_runtime(d, "aecc_load", block);
        run_kernel(d, k, block, int64(e, 0), int64(e, d->program->kernels[k]->units));
        k++;
    }
}

static void whole_blocks(Driver *d, int first, int last, Range r)
{
    For blocks = begin_for(d->e, r.lo, r.hi, int64(d->e, 1));
    whole_block(d, first, last, d->depth, blocks.index);
    end_for(d->e, blocks);
}

/* A chunk in this thread alone. */
static void whole_chunk(Driver *d, int first, int last, LLVMValueRef chunk)
{
    Emit *e = d->e;
    LLVMValueRef next = LLVMBuildNSWAdd(e->at, chunk, int64(e, 1), "");
    Range blocks = blocks_of(d, (Range){chunk, next});
    place_scratch(d, blocks.lo, LLVMBuildNSWMul(e->at, d->thread, int64(e, d->program->chunk), ""));
    for (int k = first, end; k < last; k = end) {
        end = run_end(d->program, k, last);
        if (d->program->kernels[k]->kind == KERNEL_BLOCK)
            whole_blocks(d, k, end, blocks);
        else
            for (int i = k; i < end; i++)
                run_kernel(d, i, chunk, int64(e, 0), int64(e, d->program->kernels[i]->units));
    }
}

/* Inputs of these blocks, dealt to the threads. */
static void load_dealt(Driver *d, Range r)
{
    LLVMValueRef lo = LLVMBuildNSWAdd(d->e->at, r.lo, d->thread, "");
    For blocks = begin_for(d->e, lo, r.hi, d->threads);
    call_runtime(d, "aecc_load", blocks.index);
    end_for(d->e, blocks);
}

/* A share of the units for each of `r`: blocks or chunks. */
static void share_units(Driver *d, int k, Range r)
{
    Range units = share(d, int64(d->e, d->program->kernels[k]->units));
    For each = begin_for(d->e, r.lo, r.hi, int64(d->e, 1));
    run_kernel(d, k, each.index, units.lo, units.hi);
    end_for(d->e, each);
}

/* Units whose part of the matrix stays in a cache while all blocks pass. */
static int64_t group_units(const Kernel *k)
{
    int64_t units = GROUP_BYTES * k->units / k->shared_bytes;
    return units > 1 ? units : 1;
}

/* This thread's units of a wide matrix, for all these blocks. */
static void own_units(Driver *d, int k, Range r)
{
    Emit *e = d->e;
    const Kernel *kernel = d->program->kernels[k];
    LLVMValueRef by = int64(e, group_units(kernel));
    Range units = share(d, int64(e, kernel->units));
    For groups = begin_for(e, units.lo, units.hi, by);
    LLVMValueRef end = least(d, LLVMBuildNSWAdd(e->at, groups.index, by, ""), units.hi);
    For blocks = begin_for(e, r.lo, r.hi, int64(e, 1));
    run_kernel(d, k, blocks.index, groups.index, end);
    end_for(e, blocks);
    end_for(e, groups);
}

/* Before a step of a loop all threads have done the one before. */
static void shared_kernels(Driver *d, int first, int last, int depth, Range r)
{
    for (int k = first; k < last;) {
        const ScanLoop *loop = loop_at(d, k, depth);
        if (loop) {
            LLVMValueRef n = trips(d, loop, r);
            shared_copies(d, loop, r, n, before_steps);
            For steps = begin_steps(d, loop, n);
            barrier(d);
            shared_kernels(d, loop->first, loop->end, depth + 1, r);
            end_for(d->e, steps);
            shared_copies(d, loop, r, n, after_steps);
            k = loop->end;
            continue;
        }
        if (d->program->kernels[k]->meet)
            barrier(d);
        if (d->program->kernels[k]->load_inputs) {
            load_dealt(d, r);
            barrier(d);
        }
        share_units(d, k++, r);
    }
}

static void shared_blocks(Driver *d, int first, int last, Range r)
{
    LLVMBasicBlockRef next = begin_if_any(d, r);
    shared_kernels(d, first, last, d->depth, r);
    end_if(d, next);
}

static void shared_run(Driver *d, int first, int last, Range chunks, Range blocks)
{
    const Kernel *kernel = d->program->kernels[first];
    if (kernel->kind == KERNEL_BLOCK && !kernel->shared_bytes) {
        Range rest, mine = own(d, blocks, &rest);
        whole_blocks(d, first, last, mine);
        shared_blocks(d, first, last, rest);
        return;
    }
    for (int k = first; k < last; k++) {
        if (d->program->kernels[k]->meet)
            barrier(d);
        if (kernel->kind == KERNEL_CHUNK)
            share_units(d, k, chunks);
        else
            own_units(d, k, blocks);
    }
}

/* Chunks on which all threads work together. */
static void shared_chunks(Driver *d, int first, int last, Range chunks)
{
    Range blocks = blocks_of(d, chunks);
    place_scratch(d, blocks.lo, int64(d->e, 0));
    for (int k = first, end; k < last; k = end) {
        end = run_end(d->program, k, last);
        barrier(d);
        shared_run(d, k, end, chunks, blocks);
    }
}

/* Those that threads can own, if matrices need not be. */
static Range ownable(Driver *d, Range chunks)
{
    LLVMBuilderRef at = d->e->at;
    LLVMValueRef most = int64(d->e, d->program->shared_blocks);
    LLVMValueRef many = LLVMBuildICmp(at, LLVMIntSGT, d->nblocks, most, "");
    return (Range){chunks.lo, LLVMBuildSelect(at, many, chunks.hi, chunks.lo, "")};
}

static void walk_chunks(Driver *d, int first, int last, Range chunks)
{
    Range rest, mine = own(d, ownable(d, chunks), &rest);
    rest.hi = chunks.hi;
    For each = begin_for(d->e, mine.lo, mine.hi, int64(d->e, 1));
    whole_chunk(d, first, last, each.index);
    end_for(d->e, each);
    LLVMBasicBlockRef next = begin_if_any(d, rest);
    shared_chunks(d, first, last, rest);
    end_if(d, next);
}

/* Rounds of as many chunks as there is memory for parts. */
static void walk_rounds(Driver *d, int first, int joins, int last)
{
    Emit *e = d->e;
    LLVMValueRef step = call_member(e, d->call, e->i64, 104);
    For rounds = begin_for(e, int64(e, 0), d->nchunks, step);
    LLVMValueRef end = LLVMBuildNSWAdd(e->at, rounds.index, step, "");
    Range chunks = {rounds.index, least(d, end, d->nchunks)};
    place_parts(d, chunks.lo);
    walk_chunks(d, first, joins, chunks);
    barrier(d);
    for (int k = joins; k < last; k++)
        share_units(d, k, chunks);
    LLVMBasicBlockRef next = begin_if_any(d, (Range){chunks.hi, d->nchunks});
    barrier(d);
    end_if(d, next);
    end_for(e, rounds);
}

/* The kernel after it. */
static int walk_segment(Driver *d, int first)
{
    int joins, last = segment_end(d->program, first, &joins);
    if (joins < last)
        walk_rounds(d, first, joins, last);
    else
        walk_chunks(d, first, joins, (Range){int64(d->e, 0), d->nchunks});
    return last;
}

/* Rounding down gives the last threads a unit more, rounding up the first: of
 * two that leave one over, as many threads do. */
static bool rounds_up(Driver *d, const Kernel *kernel)
{
    double unit = kernel->flops / (double)kernel->units;
    bool up = d->lead > 0;
    if (kernel->units % 2)
        d->lead += up ? -unit : unit;
    return up && kernel->units % 2;
}

static void run_unit(Driver *d, int k)
{
    const Kernel *kernel = d->program->kernels[k];
    if (kernel->load_inputs) {
        load_dealt(d, (Range){int64(d->e, 0), int64(d->e, 1)});
        return;
    }
    Range units = share_rounded(d, int64(d->e, kernel->units), rounds_up(d, kernel));
    run_kernel(d, k, int64(d->e, 0), units.lo, units.hi);
}

/* Sums of step n - 1 become those of the steps that are not done. */
static void copy_sums(Driver *d, const ScanLoop *loop, LLVMValueRef n)
{
    Emit *e = d->e;
    for (int i = 0; i < loop->nsequences && loop->lengths; i++) {
        const Buffer *b = loop->sequences[i];
        if (holds_samples(b))
            continue;
        Range mine = share(d, LLVMBuildNSWSub(e->at, all_steps(d, loop), n, ""));
        LLVMValueRef bytes = int64(e, b->stride[0] * (b->element == E_U8 ? 1 : 4));
        LLVMValueRef at = offset_by(e, call_member(e, d->call, e->pointer, 0), int64(e, b->offset));
        LLVMValueRef from = LLVMBuildNSWSub(e->at, n, int64(e, 1), "");
        LLVMValueRef source = offset_by(e, at, LLVMBuildNSWMul(e->at, from, bytes, ""));
        For steps = begin_for(e, mine.lo, mine.hi, int64(e, 1));
        LLVMValueRef step = LLVMBuildNSWAdd(e->at, n, steps.index, "");
        LLVMValueRef place = offset_by(e, at, LLVMBuildNSWMul(e->at, step, bytes, ""));
        LLVMBuildMemCpy(e->at, place, 1, source, 1, bytes);
        end_for(e, steps);
    }
}

/* Does a segment hold all of the loop? */
static bool loop_streams(const Driver *d, const ScanLoop *loop)
{
    for (int k = loop->first; k < loop->end; k++) {
        const Kernel *kernel = d->program->kernels[k];
        if (!kernel_streams(kernel) || (kernel->barrier && k > loop->first))
            return false;
    }
    return true;
}

static void walk_range(Driver *d, int first, int last);

/* A loop that is apart: all threads do its steps together. */
static void walk_loop(Driver *d, const ScanLoop *loop)
{
    Range all = {int64(d->e, 0), d->nblocks};
    if (loop->lengths)
        barrier(d);
    LLVMValueRef n = trips(d, loop, all);
    shared_copies(d, loop, all, n, before_steps);
    For steps = begin_steps(d, loop, n);
    d->depth++;
    walk_range(d, loop->first, loop->end);
    d->depth--;
    end_for(d->e, steps);
    shared_copies(d, loop, all, n, after_steps);
    copy_sums(d, loop, n);
}

static void walk_range(Driver *d, int first, int last)
{
    const Program *program = d->program;
    for (int k = first; k < last;) {
        const ScanLoop *loop = loop_at(d, k, d->depth);
        if (loop && !loop_streams(d, loop)) {
            walk_loop(d, loop);
            k = loop->end;
            continue;
        }
        if (program->kernels[k]->barrier) {
            barrier(d);
            d->lead = 0;
        }
        if (kernel_streams(program->kernels[k]))
            k = walk_segment(d, k);
        else
            run_unit(d, k++);
    }
}

static void walk_kernels(Driver *d)
{
    walk_range(d, 0, d->program->nkernels);
    barrier(d);
}

LLVMValueRef emit_driver(Emit *e, const Fn *fn, const KernelSymbol *kernels)
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
                .kernels = kernels,
                .places = NEW_ARRAY(LLVMValueRef, fn->program->nkernels)};
    d.most = LLVMBuildAlloca(e->at, e->i64, "most");
    d.threads = LLVMBuildSExt(e->at, call_member(e, d.call, e->i32, 52), e->i64, "");
    d.nblocks = call_member(e, d.call, e->i64, 32);
    d.scratch = call_member(e, d.call, e->pointer, 72);
    d.parts = call_member(e, d.call, e->pointer, 88);
    d.nchunks = LLVMBuildNSWAdd(e->at, d.nblocks, int64(e, d.program->chunk - 1), "");
    d.nchunks = LLVMBuildUDiv(e->at, d.nchunks, int64(e, d.program->chunk), "");
    walk_kernels(&d);
    move_member(&d, 72, d.scratch, int64(e, 0), 80);
    move_member(&d, 88, d.parts, int64(e, 0), 96);
    LLVMBuildRetVoid(e->at);
    return f;
}
