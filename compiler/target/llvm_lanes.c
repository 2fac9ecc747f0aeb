/* Instructions across the 16 lanes: sums and maxima by one fixed tree, and
 * the 16 by 16 transpose, as shuffles of logical vectors; LLVM splits them
 * where the registers of the target are shorter. */
#include "target/llvm.h"

enum { STACK_ALIGNMENT = 16 }; /* more would move the frame */

/* Lane i of the result is lane from[i] of a, or from[i] - LANES of b. */
static LLVMValueRef shuffle(Emit *e, LLVMValueRef a, LLVMValueRef b, int n, const int *from)
{
    LLVMValueRef mask[LANES];
    for (int i = 0; i < n; i++)
        mask[i] = LLVMConstInt(e->i32, (unsigned long long)from[i], 0);
    return LLVMBuildShuffleVector(e->at, a, b, LLVMConstVector(mask, (unsigned)n), "");
}

static LLVMValueRef lanes_from(Emit *e, LLVMValueRef v, int first, int n)
{
    int from[LANES];
    for (int i = 0; i < n; i++)
        from[i] = first + i;
    return shuffle(e, v, LLVMGetPoison(LLVMTypeOf(v)), n, from);
}

static bool holds_floats(LLVMValueRef v)
{
    return LLVMGetTypeKind(LLVMGetElementType(LLVMTypeOf(v))) == LLVMFloatTypeKind;
}

static LLVMValueRef sum(Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return holds_floats(a) ? LLVMBuildFAdd(e->at, a, b, "") : LLVMBuildAdd(e->at, a, b, "");
}

static LLVMValueRef fold(Emit *e, LLVMValueRef v,
                         LLVMValueRef (*combine)(Emit *, LLVMValueRef, LLVMValueRef))
{
    for (int half = LANES / 2; half > 0; half /= 2)
        v = combine(e, lanes_from(e, v, 0, half), lanes_from(e, v, half, half));
    return LLVMBuildExtractElement(e->at, v, LLVMConstInt(e->i32, 0, 0), "");
}

LLVMValueRef emit_lane_sum(Emit *e, LLVMValueRef v)
{
    return fold(e, v, sum);
}
LLVMValueRef emit_lane_max(Emit *e, LLVMValueRef v)
{
    return fold(e, v, emit_greater);
}

/* Takes blocks of `width` lanes: of each pair of blocks the first (second) of
 * a, then that of b. */
static LLVMValueRef interleave(Emit *e, LLVMValueRef a, LLVMValueRef b, int width, bool second)
{
    int from[LANES];
    for (int i = 0; i < LANES; i++) {
        int pair = i / (2 * width), of_b = i / width % 2;
        from[i] = of_b * LANES + pair * 2 * width + second * width + i % width;
    }
    return shuffle(e, a, b, LANES, from);
}

void emit_in_lanes(Emit *e, LLVMValueRef first, int n)
{
    e->lane = first;
    e->lanes = n;
    for (int type = V_F32; type <= V_BOOL; type++)
        e->type[type + (V_VF32 - V_F32)] = LLVMVectorType(e->type[type], (unsigned)n);
}

LLVMValueRef emit_slot(Emit *e, LLVMValueRef v)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->at);
    LLVMPositionBuilderBefore(e->at, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(e->function)));
    LLVMValueRef slot = LLVMBuildAlloca(e->at, LLVMTypeOf(v), "");
    LLVMSetAlignment(slot, STACK_ALIGNMENT);
    LLVMPositionBuilderAtEnd(e->at, here);
    LLVMSetAlignment(LLVMBuildStore(e->at, v, slot), STACK_ALIGNMENT);
    return slot;
}

static LLVMTypeRef own_type(const Emit *e, LLVMValueRef slot)
{
    return LLVMVectorType(LLVMGetElementType(LLVMGetAllocatedType(slot)), (unsigned)e->lanes);
}

static LLVMValueRef own_place(Emit *e, LLVMValueRef slot)
{
    LLVMTypeRef element = LLVMGetElementType(LLVMGetAllocatedType(slot));
    return e->lane ? LLVMBuildGEP2(e->at, element, slot, &e->lane, 1, "") : slot;
}

LLVMValueRef emit_from_slot(Emit *e, LLVMValueRef slot)
{
    LLVMValueRef v = LLVMBuildLoad2(e->at, own_type(e, slot), own_place(e, slot), "");
    LLVMSetAlignment(v, 4);
    return v;
}

void emit_to_slot(Emit *e, LLVMValueRef slot, LLVMValueRef v)
{
    LLVMSetAlignment(LLVMBuildStore(e->at, v, own_place(e, slot)), 4);
}

LLVMValueRef emit_own_lanes(Emit *e, LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    bool whole = LLVMGetTypeKind(type) == LLVMVectorTypeKind && LLVMGetVectorSize(type) == LANES;
    return whole && e->lanes < LANES ? emit_from_slot(e, emit_slot(e, v)) : v;
}

/* Stage by stage the number of partial sums of a vector halves: stage `width`
 * packs, for vectors v[i] and v[i + width], lane l + lane l + width of both
 * into one vector. After the last stage lane i belongs to v[i]. */
LLVMValueRef emit_lane_sums(Emit *e, LLVMValueRef v[LANES])
{
    LLVMValueRef now[LANES];
    for (int i = 0; i < LANES; i++)
        now[i] = v[i];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            now[i] = sum(e, interleave(e, now[i], now[i + width], width, false),
                         interleave(e, now[i], now[i + width], width, true));
    return now[0];
}

static void exchange(Emit *e, LLVMValueRef *v, int i, int width)
{
    LLVMValueRef a = v[i], b = v[i + width];
    v[i] = interleave(e, a, b, width, false);
    v[i + width] = interleave(e, a, b, width, true);
}

/* Exchanges blocks of 8, 4, 2, 1 lanes between the vectors of a pair. After the
 * first, which costs nothing where 8 lanes are a register, the two halves of
 * the vectors have nothing to do with each other: one after the other needs
 * fewer registers. */
void emit_transpose(Emit *e, LLVMValueRef v[LANES], LLVMValueRef out[LANES])
{
    enum { HALF = LANES / 2 };
    for (int i = 0; i < LANES; i++)
        out[i] = v[i];
    for (int i = 0; i < HALF; i++)
        exchange(e, out, i, HALF);
    for (int half = 0; half < LANES; half += HALF)
        for (int width = HALF / 2; width > 0; width /= 2)
            for (int i = half; i < half + HALF; i++)
                if (!(i & width))
                    exchange(e, out, i, width);
}
