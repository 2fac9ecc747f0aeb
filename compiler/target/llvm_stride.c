/* Offsets that run along a loop.
 *
 * needs       the loop being emitted, an index computed in its body
 * guarantees  where the index is k * loop index + what does not change in the
 *             loop, its value as a phi that grows by a constant: one addition
 *             a round for all accesses with that base, instead of products
 *
 * LLVM would do so, too (its loop strength reduction, left out in
 * llvm_target.c), but takes longer for it than for all the rest. */
#include "target/llvm.h"

/* More offsets would want more general registers than there are. */
enum { MOST_OFFSETS = 6 };

typedef struct Sum {
    int64_t factor; /* of the loop's index                       */
    LLVMValueRef rest;
} Sum;

/* Adds factor * a, a linear form, to the sum. */
static void add_terms(Emit *e, const Inst *loop, Inst *a, int64_t factor, Sum *sum)
{
    if (a == loop->index) {
        sum->factor += factor;
        return;
    }
    if (a->home == &loop->body) {
        for (int i = 0; i < a->nargs; i++)
            add_terms(e, loop, a->args[i], a->op == L_imul ? factor * a->integer : factor, sum);
        return;
    }
    LLVMValueRef term = LLVMBuildNSWMul(e->at, value(e, a), int64(e, factor), "");
    sum->rest = sum->rest ? LLVMBuildNSWAdd(e->at, sum->rest, term, "") : term;
}

/* k * index + what stands outside of the loop; *runs: k may not be 0. */
static bool is_linear(const Inst *loop, const Inst *a, bool *runs)
{
    if (a == loop->index)
        return *runs = true;
    if (a->home != &loop->body)
        return true;
    if (a->op != L_iadd && a->op != L_imul)
        return false;
    for (int i = 0; i < a->nargs; i++)
        if (!is_linear(loop, a->args[i], runs))
            return false;
    return true;
}

/* In the first round; computed at the end of the block before the loop. */
static LLVMValueRef first_value(Emit *e, Running *r, Inst *a, int64_t *factor)
{
    LLVMPositionBuilderBefore(e->at, LLVMGetBasicBlockTerminator(r->from));
    Sum sum = {0};
    add_terms(e, r->loop, a, 1, &sum);
    LLVMValueRef first =
        LLVMBuildNSWMul(e->at, value(e, r->loop->args[0]), int64(e, sum.factor), "");
    *factor = sum.factor;
    return sum.rest ? LLVMBuildNSWAdd(e->at, first, sum.rest, "") : first;
}

static LLVMValueRef new_offset(Emit *e, Running *r, Inst *a)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->at);
    int64_t factor;
    LLVMValueRef first = first_value(e, r, a, &factor);
    LLVMPositionBuilderBefore(e->at, LLVMGetFirstInstruction(r->body));
    LLVMValueRef phi = LLVMBuildPhi(e->at, e->i64, "");
    LLVMAddIncoming(phi, &first, &r->from, 1);
    LLVMPositionBuilderAtEnd(e->at, here);
    RunningOffset offset = {a, phi, factor * r->loop->integer};
    PUSH(r->at, r->n, r->cap, offset);
    return phi;
}

LLVMValueRef running_offset(Emit *e, Inst *a)
{
    Running *r = e->running;
    bool runs = false;
    if (!r || !is_linear(r->loop, a, &runs) || !runs || a == r->loop->index)
        return NULL;
    for (int i = 0; i < r->n; i++)
        if (r->at[i].index == a)
            return r->at[i].phi;
    return r->n < MOST_OFFSETS ? new_offset(e, r, a) : NULL;
}

void advance_offsets(Emit *e, LLVMBasicBlockRef last)
{
    const Running *r = e->running;
    for (int i = 0; i < r->n; i++) {
        LLVMValueRef next = LLVMBuildNSWAdd(e->at, r->at[i].phi, int64(e, r->at[i].step), "");
        LLVMAddIncoming(r->at[i].phi, &next, &last, 1);
    }
}
