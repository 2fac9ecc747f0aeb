/* A kernel as an LLVM function of (call, block, u0, u1).
 *
 * Straight lines become straight lines, a loop becomes a body with phis that
 * is entered only if it runs. Inst.value holds an instruction's LLVM value,
 * or an array of them for one with several results. */
#include "target/llvm.h"

/* Constants are made where they are asked for; the rest has its value. */
LLVMValueRef value(Emit *e, Inst *inst)
{
    if (inst->op == L_iconst || inst->op == L_fconst)
        return emit_value(e, inst);
    if (!inst->value)
        die("%s: %s is used before it is computed", e->kernel->name, loop_op_name[inst->op]);
    return emit_own_lanes(e, inst->value);
}

/* ---- Loops ------------------------------------------------------------------------- */

static LLVMBasicBlockRef new_block(Emit *e, const char *name)
{
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

static LLVMValueRef new_phi(Emit *e, LLVMTypeRef type, LLVMValueRef first, LLVMBasicBlockRef from)
{
    LLVMValueRef phi = LLVMBuildPhi(e->at, type, "");
    LLVMAddIncoming(phi, &first, &from, 1);
    return phi;
}

static bool runs_at_least_once(const Inst *loop)
{
    const Inst *lo = loop->args[0], *hi = loop->args[1];
    return lo->op == L_iconst && hi->op == L_iconst && lo->integer < hi->integer;
}

/* Leaves for `body` where lo < hi, else for `done`. */
static void enter_loop(Emit *e, const Inst *loop, LLVMBasicBlockRef body, LLVMBasicBlockRef done)
{
    if (runs_at_least_once(loop)) {
        LLVMBuildBr(e->at, body);
        return;
    }
    LLVMValueRef runs =
        LLVMBuildICmp(e->at, LLVMIntSLT, value(e, loop->args[0]), value(e, loop->args[1]), "");
    LLVMBuildCondBr(e->at, runs, body, done);
}

static void begin_body(Emit *e, Inst *loop, LLVMBasicBlockRef from)
{
    loop->index->value = new_phi(e, e->i64, value(e, loop->args[0]), from);
    for (int i = 0; i < loop->nargs - 2; i++)
        loop->carried[i]->value =
            new_phi(e, e->type[loop->carried[i]->type], value(e, loop->args[2 + i]), from);
}

/* The next round's values; branches back or to `done`. */
static void end_body(Emit *e, Inst *loop, LLVMBasicBlockRef body, LLVMBasicBlockRef done)
{
    LLVMBasicBlockRef last = LLVMGetInsertBlock(e->at);
    LLVMValueRef index = loop->index->value;
    LLVMValueRef next = LLVMBuildNSWAdd(e->at, index, int64(e, loop->integer), "");
    LLVMAddIncoming(index, &next, &last, 1);
    advance_offsets(e, last);
    for (int i = 0; i < loop->nargs - 2; i++) {
        LLVMValueRef yield = value(e, loop->yield[i]);
        LLVMAddIncoming(loop->carried[i]->value, &yield, &last, 1);
    }
    LLVMValueRef again = LLVMBuildICmp(e->at, LLVMIntSLT, next, value(e, loop->args[1]), "");
    LLVMBuildCondBr(e->at, again, body, done);
}

/* Results are phis of the last yields and, where the loop may be skipped, of
 * the first values. */
static void take_results(Emit *e, Inst *loop, LLVMBasicBlockRef from, LLVMBasicBlockRef last)
{
    int n = loop->nargs - 2;
    LLVMValueRef *results = NEW_ARRAY(LLVMValueRef, n);
    for (int i = 0; i < n; i++) {
        results[i] = new_phi(e, e->type[loop->carried[i]->type], value(e, loop->yield[i]), last);
        LLVMValueRef first = value(e, loop->args[2 + i]);
        if (!runs_at_least_once(loop))
            LLVMAddIncoming(results[i], &first, &from, 1);
    }
    loop->value = results;
}

/* ---- Passes over the lanes ---------------------------------------------------------- */

/* A loop of the lane that a pass begins with. What is carried is on the stack, all
 * lanes of it, and a pass takes its own from there: no register holds another's. */
static void emit_passes(Emit *e, Inst *loop)
{
    int n = loop->nargs - 2, lanes = LANES / loop->passes;
    LLVMBasicBlockRef from = LLVMGetInsertBlock(e->at), pass = new_block(e, "pass");
    LLVMValueRef *slot = NEW_ARRAY(LLVMValueRef, n), *results = NEW_ARRAY(LLVMValueRef, n);
    for (int i = 0; i < n; i++)
        slot[i] = emit_slot(e, value(e, loop->args[2 + i]));
    LLVMBuildBr(e->at, pass);
    LLVMPositionBuilderAtEnd(e->at, pass);
    LLVMValueRef lane = new_phi(e, e->i64, int64(e, 0), from);
    loop->index->value = int64(e, 0);
    emit_in_lanes(e, lane, lanes);
    for (int i = 0; i < n; i++)
        loop->carried[i]->value = emit_from_slot(e, slot[i]);
    emit_region(e, &loop->body);
    for (int i = 0; i < n; i++)
        emit_to_slot(e, slot[i], value(e, loop->yield[i]));
    LLVMBasicBlockRef last = LLVMGetInsertBlock(e->at), done = new_block(e, "passed");
    LLVMValueRef next = LLVMBuildNSWAdd(e->at, lane, int64(e, lanes), "");
    LLVMAddIncoming(lane, &next, &last, 1);
    LLVMValueRef again = LLVMBuildICmp(e->at, LLVMIntSLT, next, int64(e, LANES), "");
    LLVMBuildCondBr(e->at, again, pass, done);
    LLVMPositionBuilderAtEnd(e->at, done);
    emit_in_lanes(e, NULL, LANES);
    for (int i = 0; i < n; i++)
        results[i] = emit_from_slot(e, slot[i]);
    loop->value = results;
}

static void emit_loop(Emit *e, Inst *loop)
{
    if (loop->passes) {
        emit_passes(e, loop);
        return;
    }
    LLVMBasicBlockRef from = LLVMGetInsertBlock(e->at);
    LLVMBasicBlockRef body = new_block(e, "loop"), done = new_block(e, "done");
    enter_loop(e, loop, body, done);
    LLVMPositionBuilderAtEnd(e->at, body);
    begin_body(e, loop, from);
    Running running = {.loop = loop, .from = from, .body = body}, *around = e->running;
    e->running = &running;
    emit_region(e, &loop->body);
    LLVMBasicBlockRef last = LLVMGetInsertBlock(e->at);
    end_body(e, loop, body, done);
    e->running = around;
    LLVMMoveBasicBlockAfter(done, last);
    LLVMPositionBuilderAtEnd(e->at, done);
    take_results(e, loop, from, last);
}

/* ---- Instructions in order ----------------------------------------------------------- */

static void emit_orthogonal(Emit *e, const Inst *inst)
{
    const Buffer *buffer = inst->buffer;
    int last = buffer->shape.rank - 1;
    int64_t columns = last >= 0 ? buffer->shape.dim[last] : 1;
    int64_t rows = columns ? shape_size(buffer->shape) / columns : 0;
    int64_t stride = last > 0 ? buffer->stride[last - 1] : columns;
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->i64, e->i64, e->i64, e->i32};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->context), types, 6, 0);
    LLVMValueRef callee = LLVMGetNamedFunction(e->module, "aecc_orthogonal");
    if (!callee)
        callee = LLVMAddFunction(e->module, "aecc_orthogonal", type);
    LLVMValueRef args[] = {
        e->call,          buffer_address(e, buffer, NULL),
        int64(e, rows),   int64(e, columns),
        int64(e, stride), LLVMConstInt(e->i32, (unsigned long long)inst->integer, 0)};
    LLVMBuildCall2(e->at, type, callee, args, 6, "");
}

static void emit_inst(Emit *e, Inst *inst)
{
    switch (inst->op) {
    case L_load: inst->value = emit_load(e, inst); break;
    case L_store: emit_store(e, inst); break;
    case L_loop: emit_loop(e, inst); break;
    case L_orthogonal: emit_orthogonal(e, inst); break;
    default: inst->value = emit_value(e, inst); break;
    }
}

/* Equal without a look at memory. */
static bool same_index(const Inst *a, const Inst *b)
{
    if (a == b)
        return true;
    if (a->op != b->op || a->integer != b->integer || a->nargs != b->nargs || a->op == L_load ||
        a->op == L_loop || a->op == L_parameter)
        return false;
    for (int i = 0; i < a->nargs; i++)
        if (!same_index(a->args[i], b->args[i]))
            return false;
    return true;
}

/* Does region->at[i] load what is loaded in [first, i), too? */
static bool loads_again(const Region *region, int first, int i)
{
    const Inst *inst = region->at[i];
    if (inst->op != L_load)
        return false;
    for (int k = first; k < i; k++) {
        const Inst *before = region->at[k];
        if (before->op == L_load && before->buffer == inst->buffer &&
            before->nargs == inst->nargs && same_index(before->args[0], inst->args[0]))
            return true;
    }
    return false;
}

/* What a leaf loads again (loop/leaf.c), or the next leaf, there is no register
 * to keep in where a vector takes several. LLVM would keep and spill it; a fence
 * within the thread, which is no instruction, makes it load. */
void emit_region(Emit *e, const Region *region)
{
    int first = 0;
    for (int i = 0; i < region->n; i++) {
        if (e->narrow && loads_again(region, first, i)) {
            LLVMBuildFence(e->at, LLVMAtomicOrderingSequentiallyConsistent, true, "");
            first = i;
        }
        emit_inst(e, region->at[i]);
    }
}

/* ---- The function ----------------------------------------------------------------------- */

/* A member of aecc_call that the driver may change between kernels. */
static LLVMValueRef moving(Emit *e, LLVMTypeRef type, int64_t offset, const char *name)
{
    LLVMValueRef by = int64(e, offset);
    LLVMValueRef at = LLVMBuildGEP2(e->at, e->i8, e->call, &by, 1, "");
    return LLVMBuildLoad2(e->at, type, at, name);
}

/* A member to which nothing writes while the function runs. */
static LLVMValueRef member(Emit *e, LLVMTypeRef type, int64_t offset, const char *name)
{
    LLVMValueRef v = moving(e, type, offset, name);
    unsigned kind = LLVMGetMDKindIDInContext(e->context, "invariant.load", 14);
    LLVMSetMetadata(v, kind,
                    LLVMMetadataAsValue(e->context, LLVMMDNodeInContext2(e->context, NULL, 0)));
    return v;
}

/* What the kernel is told of its buffers. */
static Place *find_places(Emit *e)
{
    Place *place = NEW_ARRAY(Place, e->nbuffers + 1);
    LLVMValueRef table = LLVMGetParam(e->function, 4);
    for (int i = 0; i < e->nbuffers; i++) {
        LLVMValueRef number[3];
        for (int k = 0; k < 3; k++) {
            LLVMValueRef by = int64(e, 3 * i + k);
            LLVMValueRef at = LLVMBuildGEP2(e->at, e->i64, table, &by, 1, "");
            number[k] = LLVMBuildLoad2(e->at, e->i64, at, "");
        }
        LLVMValueRef part = LLVMBuildGEP2(e->at, e->i8, e->call, &number[0], 1, "");
        LLVMValueRef stride = LLVMBuildGEP2(e->at, e->i8, e->call, &number[1], 1, "");
        place[i].part = LLVMBuildLoad2(e->at, e->pointer, part, "part");
        if (e->buffers[i]->space != IN_FIXED)
            place[i].stride = LLVMBuildLoad2(e->at, e->i64, stride, "stride");
        place[i].offset = number[2];
    }
    return place;
}

static const struct {
    int64_t part, stride;
} members[N_SPACES] = {
    [IN_FIXED] = {0, 0}, [IN_BLOCK] = {8, 16}, [IN_SCRATCH] = {72, 80}, [IN_PART] = {88, 96}};

int64_t part_member(BufferSpace space)
{
    return members[space].part;
}

int64_t stride_member(BufferSpace space)
{
    return members[space].stride;
}

static void open_function(Emit *e, const char *symbol)
{
    e->function = kernel_function(e, symbol);
    add_attributes(e, e->function);
    LLVMPositionBuilderAtEnd(e->at, new_block(e, "entry"));
    e->call = LLVMGetParam(e->function, 0);
    e->part[IN_FIXED] = member(e, e->pointer, part_member(IN_FIXED), "fixed");
    e->part[IN_BLOCK] = member(e, e->pointer, part_member(IN_BLOCK), "blocks");
    e->part[IN_SCRATCH] = moving(e, e->pointer, part_member(IN_SCRATCH), "scratch");
    e->part[IN_PART] = moving(e, e->pointer, part_member(IN_PART), "parts");
    for (BufferSpace space = IN_BLOCK; space < N_SPACES; space++)
        e->stride[space] = member(e, e->i64, stride_member(space), "stride");
    e->samples = member(e, e->i64, 24, "samples");
    e->key[0] = member(e, e->i32, 40, "key0");
    e->key[1] = member(e, e->i32, 44, "key1");
    e->step = member(e, e->i32, 48, "step");
}

void emit_kernel(Emit *e, const Kernel *kernel, KernelSymbol symbol)
{
    e->kernel = kernel;
    e->narrow = kernel->root && machine_of(e->target).width < LANES;
    e->running = NULL;
    e->buffers = kernel_buffers(kernel, &e->nbuffers);
    find_scopes(e);
    open_function(e, symbol.name);
    e->place = symbol.placed ? find_places(e) : NULL;
    kernel->block->value = LLVMGetParam(e->function, 1);
    kernel->u0->value = LLVMGetParam(e->function, 2);
    kernel->u1->value = LLVMGetParam(e->function, 3);
    kernel->live->value = e->samples;
    for (int i = 0; kernel->scan >= 0 && i < MAX_SCAN_DEPTH; i++)
        kernel->time[i]->value = moving(e, e->i64, CALL_TIME + 8 * i, "time");
    emit_region(e, &kernel->body);
    LLVMBuildRetVoid(e->at);
}
