/* Instructions that compute values from values: arithmetic of indices, the
 * elementwise operations, constants, random numbers.
 *
 * NaN wins in max; of a constant that is not asked. Elementary functions are
 * walked in place (target/math.h). */
#include "target/llvm.h"

#include <string.h>

static bool is_vector(ValueType type)
{
    return type >= V_VF32 && type < V_NONE;
}

static ValueType scalar_of(ValueType type)
{
    return is_vector(type) ? type - (V_VF32 - V_F32) : type;
}

static LLVMValueRef argument(Emit *e, const Inst *inst, int i)
{
    return value(e, inst->args[i]);
}

LLVMValueRef emit_splat(Emit *e, LLVMValueRef scalar, LLVMTypeRef vector)
{
    LLVMValueRef zero = LLVMConstInt(e->i32, 0, 0), poison = LLVMGetPoison(vector);
    LLVMValueRef first = LLVMBuildInsertElement(e->at, poison, scalar, zero, "");
    LLVMValueRef mask = LLVMConstNull(LLVMVectorType(e->i32, LLVMGetVectorSize(vector)));
    return LLVMBuildShuffleVector(e->at, first, poison, mask, "");
}

static LLVMValueRef constant(Emit *e, ValueType type, double number)
{
    ValueType scalar = scalar_of(type);
    LLVMValueRef v = scalar == V_F32
                         ? LLVMConstReal(e->type[V_F32], number)
                         : LLVMConstInt(e->type[scalar], (unsigned long long)(int64_t)number, 1);
    if (!is_vector(type))
        return v;
    LLVMValueRef lanes[LANES];
    for (int i = 0; i < e->lanes; i++)
        lanes[i] = v;
    return LLVMConstVector(lanes, (unsigned)e->lanes);
}

static LLVMValueRef all_lanes(Emit *e)
{
    LLVMValueRef lanes[LANES];
    for (int i = 0; i < LANES; i++)
        lanes[i] = LLVMConstInt(e->i32, (unsigned long long)i, 0);
    return LLVMConstVector(lanes, LANES);
}

static LLVMValueRef call_intrinsic(Emit *e, const char *name, int ntypes, LLVMTypeRef *types,
                                   unsigned n, LLVMValueRef *args)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef f = LLVMGetIntrinsicDeclaration(e->module, id, types, (size_t)ntypes);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, types, (size_t)ntypes);
    return LLVMBuildCall2(e->at, type, f, args, n, "");
}

static LLVMValueRef intrinsic1(Emit *e, const char *name, LLVMValueRef a)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return call_intrinsic(e, name, 1, &type, 1, &a);
}

static LLVMValueRef emit_fma(Emit *e, const Inst *inst)
{
    LLVMValueRef v[] = {argument(e, inst, 0), argument(e, inst, 1), argument(e, inst, 2)};
    LLVMTypeRef type = LLVMTypeOf(v[0]);
    if (e->target->fma)
        return call_intrinsic(e, "llvm.fma", 1, &type, 3, v);
    return LLVMBuildFAdd(e->at, LLVMBuildFMul(e->at, v[0], v[1], ""), v[2], "");
}

/* ---- Elementwise operations ----------------------------------------------------- */

/* The greater of two; NaN wins, except in b where that is a constant. */
LLVMValueRef emit_greater(Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    if (LLVMGetTypeKind(type) == LLVMVectorTypeKind)
        type = LLVMGetElementType(type);
    if (type != e->type[V_F32])
        return LLVMBuildSelect(e->at, LLVMBuildICmp(e->at, LLVMIntSGT, b, a, ""), b, a, "");
    LLVMValueRef p = LLVMBuildFCmp(e->at, LLVMRealOGT, b, a, "");
    LLVMValueRef greater = LLVMBuildSelect(e->at, p, b, a, "");
    if (LLVMIsConstant(b))
        return greater;
    LLVMValueRef is_nan = LLVMBuildFCmp(e->at, LLVMRealUNO, b, b, "");
    return LLVMBuildSelect(e->at, is_nan, b, greater, "");
}

static LLVMValueRef emit_max(Emit *e, const Inst *inst)
{
    bool swap = inst->args[0]->op == L_fconst;
    return emit_greater(e, argument(e, inst, swap), argument(e, inst, !swap));
}

static LLVMValueRef from_float(Emit *e, LLVMValueRef v, ValueType to)
{
    LLVMTypeRef types[] = {e->type[to], LLVMTypeOf(v)};
    if (scalar_of(to) == V_BOOL)
        return LLVMBuildFCmp(e->at, LLVMRealUNE, v, LLVMConstNull(types[1]), "");
    return call_intrinsic(e, "llvm.fptosi.sat", 2, types, 1, &v);
}

static LLVMValueRef from_integer(Emit *e, LLVMValueRef v, ValueType from, ValueType to)
{
    LLVMTypeRef type = e->type[to];
    if (scalar_of(to) == V_BOOL)
        return LLVMBuildICmp(e->at, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
    if (scalar_of(to) == V_F32)
        return scalar_of(from) == V_BOOL ? LLVMBuildUIToFP(e->at, v, type, "")
                                         : LLVMBuildSIToFP(e->at, v, type, "");
    return from == V_INDEX ? LLVMBuildTrunc(e->at, v, type, "") : LLVMBuildZExt(e->at, v, type, "");
}

static LLVMValueRef emit_convert(Emit *e, const Inst *inst)
{
    ValueType from = inst->args[0]->type;
    LLVMValueRef v = argument(e, inst, 0);
    return scalar_of(from) == V_F32 ? from_float(e, v, inst->type)
                                    : from_integer(e, v, from, inst->type);
}

static LLVMValueRef emit_compare(Emit *e, const Inst *inst, LLVMRealPredicate real,
                                 LLVMIntPredicate integer)
{
    LLVMValueRef a = argument(e, inst, 0), b = argument(e, inst, 1);
    if (scalar_of(inst->args[0]->type) == V_F32)
        return LLVMBuildFCmp(e->at, real, a, b, "");
    return LLVMBuildICmp(e->at, integer, a, b, "");
}

static LLVMValueRef float_map(Emit *e, const Inst *inst)
{
    LLVMValueRef a = argument(e, inst, 0), b = inst->nargs > 1 ? argument(e, inst, 1) : NULL;
    switch (inst->map) {
    case OP_add: return LLVMBuildFAdd(e->at, a, b, "");
    case OP_mul: return LLVMBuildFMul(e->at, a, b, "");
    case OP_div: return LLVMBuildFDiv(e->at, a, b, "");
    case OP_neg: return LLVMBuildFNeg(e->at, a, "");
    case OP_sqrt: return intrinsic1(e, "llvm.sqrt", a);
    case OP_floor: return intrinsic1(e, "llvm.floor", a);
    case OP_max: return emit_max(e, inst);
    default: die("LLVM: no code for map %s of floats", op_name[inst->map]);
    }
}

/* Division by zero gives 0 and the least integer divided by -1 itself, so
 * that no operands trap. */
static LLVMValueRef integer_divide(Emit *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef zero = LLVMConstNull(type), minus_one = LLVMConstAllOnes(type);
    LLVMValueRef one = LLVMBuildNeg(e->at, minus_one, "");
    LLVMValueRef is_zero = LLVMBuildICmp(e->at, LLVMIntEQ, b, zero, "");
    LLVMValueRef is_minus = LLVMBuildICmp(e->at, LLVMIntEQ, b, minus_one, "");
    LLVMValueRef special = LLVMBuildOr(e->at, is_zero, is_minus, "");
    LLVMValueRef safe = LLVMBuildSelect(e->at, special, one, b, "");
    LLVMValueRef q = LLVMBuildSDiv(e->at, a, safe, "");
    q = LLVMBuildSelect(e->at, is_minus, LLVMBuildNeg(e->at, a, ""), q, "");
    return LLVMBuildSelect(e->at, is_zero, zero, q, "");
}

static LLVMValueRef integer_map(Emit *e, const Inst *inst)
{
    LLVMValueRef a = argument(e, inst, 0), b = inst->nargs > 1 ? argument(e, inst, 1) : NULL;
    switch (inst->map) {
    case OP_add: return LLVMBuildAdd(e->at, a, b, "");
    case OP_mul: return LLVMBuildMul(e->at, a, b, "");
    case OP_div: return integer_divide(e, a, b);
    case OP_neg: return LLVMBuildNeg(e->at, a, "");
    case OP_and: return LLVMBuildAnd(e->at, a, b, "");
    case OP_or: return LLVMBuildOr(e->at, a, b, "");
    case OP_not: return LLVMBuildNot(e->at, a, "");
    case OP_max: return emit_max(e, inst);
    case OP_floor:
    case OP_stop_gradient: return a;
    default: die("LLVM: no code for map %s of integers", op_name[inst->map]);
    }
}

/* Values in place of the parameters, then what the body gives. */
static LLVMValueRef walk_function(Emit *e, MathFunction *f, LLVMValueRef *args, int n,
                                  LLVMValueRef *out)
{
    for (int i = 0; i < n; i++)
        f->param[i]->value = args[i];
    emit_region(e, &f->body);
    for (int i = 0; i < f->nresults; i++)
        out[i] = value(e, f->result[i]);
    return out[0];
}

static MathFunction *function_of(Emit *e, const Inst *inst)
{
    bool vector = is_vector(inst->type);
    if (inst->map == OP_pow)
        return math_pow(inst->number, vector);
    if (!e->map[inst->map][vector])
        e->map[inst->map][vector] = math_map(inst->map, vector);
    return e->map[inst->map][vector];
}

static LLVMValueRef elementary(Emit *e, const Inst *inst)
{
    LLVMValueRef x = argument(e, inst, 0), out[4];
    return walk_function(e, function_of(e, inst), &x, 1, out);
}

static LLVMValueRef emit_map(Emit *e, const Inst *inst)
{
    switch (inst->map) {
    case OP_lt: return emit_compare(e, inst, LLVMRealOLT, LLVMIntSLT);
    case OP_le: return emit_compare(e, inst, LLVMRealOLE, LLVMIntSLE);
    case OP_eq: return emit_compare(e, inst, LLVMRealOEQ, LLVMIntEQ);
    case OP_convert: return emit_convert(e, inst);
    case OP_select:
        return LLVMBuildSelect(e->at, argument(e, inst, 0), argument(e, inst, 1),
                               argument(e, inst, 2), "");
    case OP_exp:
    case OP_log:
    case OP_tanh:
    case OP_logistic:
    case OP_softplus:
    case OP_sin:
    case OP_cos:
    case OP_erf:
    case OP_pow: return elementary(e, inst);
    default:
        return scalar_of(inst->args[0]->type) == V_F32 ? float_map(e, inst) : integer_map(e, inst);
    }
}

/* ---- Bits, random numbers ----------------------------------------------------------- */

static LLVMValueRef emit_shift(Emit *e, const Inst *inst)
{
    LLVMValueRef v = argument(e, inst, 0);
    LLVMValueRef by = constant(e, inst->type, (double)inst->integer);
    return inst->op == L_shl   ? LLVMBuildShl(e->at, v, by, "")
           : inst->op == L_shr ? LLVMBuildLShr(e->at, v, by, "")
                               : LLVMBuildAShr(e->at, v, by, "");
}

static LLVMValueRef emit_mulhi(Emit *e, const Inst *inst)
{
    LLVMTypeRef narrow = e->type[inst->type];
    LLVMTypeRef wide = is_vector(inst->type) ? LLVMVectorType(e->i64, LANES) : e->i64;
    LLVMValueRef a = LLVMBuildZExt(e->at, argument(e, inst, 0), wide, "");
    LLVMValueRef b = LLVMBuildZExt(e->at, argument(e, inst, 1), wide, "");
    LLVMValueRef places = LLVMConstInt(e->i64, 32, 0);
    if (is_vector(inst->type))
        places = emit_splat(e, places, wide);
    LLVMValueRef high = LLVMBuildLShr(e->at, LLVMBuildMul(e->at, a, b, ""), places, "");
    return LLVMBuildTrunc(e->at, high, narrow, "");
}

/* Several results: an array, one copy for each instruction, in the arena. */
static LLVMValueRef several(Emit *e, MathFunction *f, LLVMValueRef *args, int n)
{
    LLVMValueRef *out = NEW_ARRAY(LLVMValueRef, f->nresults);
    walk_function(e, f, args, n, out);
    return (LLVMValueRef)out;
}

static LLVMValueRef emit_philox(Emit *e, const Inst *inst)
{
    bool vector = inst->number != 0;
    LLVMTypeRef type = e->type[vector ? V_VI32 : V_I32];
    LLVMValueRef place = LLVMConstNull(type),
                 words[6] = {
                     LLVMBuildTrunc(e->at, argument(e, inst, 0), e->i32, ""),
                     place,
                     LLVMConstInt(e->i32, (unsigned long long)inst->integer, 0),
                     e->step,
                     e->key[0],
                     e->key[1],
                 };
    if (vector) {
        LLVMValueRef block = LLVMBuildTrunc(e->at, LLVMGetParam(e->function, 1), e->i32, "");
        LLVMValueRef first = LLVMBuildMul(e->at, block, LLVMConstInt(e->i32, LANES, 0), "");
        words[1] = LLVMBuildAdd(e->at, emit_splat(e, first, type), all_lanes(e), "");
    }
    for (int i = 0; i < 6; i++)
        if (LLVMTypeOf(words[i]) != type)
            words[i] = emit_splat(e, words[i], type);
    if (!e->philox[vector])
        e->philox[vector] = math_philox(vector);
    return several(e, e->philox[vector], words, 6);
}

static LLVMValueRef emit_uniform(Emit *e, const Inst *inst)
{
    bool vector = is_vector(inst->type);
    LLVMValueRef bits = argument(e, inst, 0), out[4];
    if (!e->uniform[vector])
        e->uniform[vector] = math_uniform(vector);
    return walk_function(e, e->uniform[vector], &bits, 1, out);
}

static LLVMValueRef emit_normal(Emit *e, const Inst *inst)
{
    bool vector = is_vector(inst->args[0]->type);
    LLVMValueRef bits[] = {argument(e, inst, 0), argument(e, inst, 1)};
    if (!e->normal[vector])
        e->normal[vector] = math_normal(vector);
    return several(e, e->normal[vector], bits, 2);
}

/* ---- Lanes ------------------------------------------------------------------------------ */

static LLVMValueRef emit_live_mask(Emit *e, const Inst *inst)
{
    LLVMValueRef block = inst->nargs ? argument(e, inst, 0) : LLVMGetParam(e->function, 1);
    LLVMValueRef first = LLVMBuildNSWMul(e->at, block, int64(e, LANES), "");
    LLVMValueRef left = LLVMBuildNSWSub(e->at, e->samples, first, "");
    left = LLVMBuildTrunc(e->at, left, e->i32, "");
    return LLVMBuildICmp(e->at, LLVMIntSLT, all_lanes(e), emit_splat(e, left, e->type[V_VI32]), "");
}

static LLVMValueRef emit_transposed(Emit *e, const Inst *inst)
{
    LLVMValueRef v[LANES], *out = NEW_ARRAY(LLVMValueRef, LANES);
    for (int i = 0; i < LANES; i++)
        v[i] = argument(e, inst, i);
    emit_transpose(e, v, out);
    return (LLVMValueRef)out;
}

static LLVMValueRef emit_sums(Emit *e, const Inst *inst)
{
    LLVMValueRef v[LANES];
    for (int i = 0; i < LANES; i++)
        v[i] = argument(e, inst, i);
    return emit_lane_sums(e, v);
}

static LLVMValueRef emit_live_count(Emit *e, const Inst *inst)
{
    return inst->type == V_INDEX ? e->samples
                                 : LLVMBuildSIToFP(e->at, e->samples, e->type[inst->type], "");
}

static LLVMValueRef emit_extreme(Emit *e, const Inst *inst, LLVMIntPredicate less)
{
    LLVMValueRef a = argument(e, inst, 0), b = argument(e, inst, 1);
    return LLVMBuildSelect(e->at, LLVMBuildICmp(e->at, less, a, b, ""), a, b, "");
}

LLVMValueRef emit_value(Emit *e, const Inst *inst)
{
    LLVMBuilderRef at = e->at;
    switch (inst->op) {
    case L_iconst: return int64(e, inst->integer);
    case L_fconst: return constant(e, inst->type, inst->number);
    case L_iadd: return LLVMBuildNSWAdd(at, argument(e, inst, 0), argument(e, inst, 1), "");
    case L_imul: return LLVMBuildNSWMul(at, argument(e, inst, 0), int64(e, inst->integer), "");
    case L_idiv: return LLVMBuildUDiv(at, argument(e, inst, 0), int64(e, inst->integer), "");
    case L_irem: return LLVMBuildURem(at, argument(e, inst, 0), int64(e, inst->integer), "");
    case L_imin: return emit_extreme(e, inst, LLVMIntSLT);
    case L_imax: return emit_extreme(e, inst, LLVMIntSGT);
    case L_index_from: return LLVMBuildSExt(at, argument(e, inst, 0), e->i64, "");
    case L_splat: return emit_splat(e, argument(e, inst, 0), e->type[inst->type]);
    case L_fma: return emit_fma(e, inst);
    case L_map: return emit_map(e, inst);
    case L_bits:
    case L_unbits: return LLVMBuildBitCast(at, argument(e, inst, 0), e->type[inst->type], "");
    case L_shl:
    case L_shr:
    case L_sar: return emit_shift(e, inst);
    case L_xor: return LLVMBuildXor(at, argument(e, inst, 0), argument(e, inst, 1), "");
    case L_mulhi: return emit_mulhi(e, inst);
    case L_live_mask: return emit_live_mask(e, inst);
    case L_lane_sum: return emit_lane_sum(e, argument(e, inst, 0));
    case L_lane_max: return emit_lane_max(e, argument(e, inst, 0));
    case L_lane_sums: return emit_sums(e, inst);
    case L_transpose: return emit_transposed(e, inst);
    case L_pick:
        return LLVMBuildExtractElement(at, argument(e, inst, 0), int64(e, inst->integer), "");
    case L_lane_index: return all_lanes(e);
    case L_philox: return emit_philox(e, inst);
    case L_uniform: return emit_uniform(e, inst);
    case L_normal: return emit_normal(e, inst);
    case L_live_count: return emit_live_count(e, inst);
    case L_result: return ((LLVMValueRef *)inst->args[0]->value)[inst->integer];
    default: die("LLVM: no code for %s", loop_op_name[inst->op]);
    }
}
