/* Loads and stores.
 *
 * A buffer stands at a constant offset in the fixed part or in the part of a
 * block, or where the kernel is told, which several functions call (same.c).
 * The index arrives as base + constant (loop.c), so an address is one
 * pointer for all accesses with the same base, plus a constant. Vectors are
 * aligned where 16 is known to divide the index. Buffers of one kernel that
 * do not overlap in the plan are said not to alias. */
#include "target/llvm.h"

#include <string.h>

static int64_t element_size(const Buffer *buffer)
{
    return buffer->element == E_U8 ? 1 : 4;
}

static bool is_vector(ValueType type)
{
    return type >= V_VF32;
}

static Place place_of(Emit *e, const Buffer *buffer)
{
    Place own = {e->part[buffer->space], e->stride[buffer->space], int64(e, buffer->offset)};
    for (int i = 0; e->place && i < e->nbuffers; i++)
        if (e->buffers[i] == buffer)
            return e->place[i];
    return own;
}

LLVMValueRef buffer_address(Emit *e, const Buffer *buffer, LLVMValueRef block)
{
    Place place = place_of(e, buffer);
    LLVMValueRef part = place.part, offset = place.offset;
    if (buffer->space != IN_FIXED) {
        LLVMValueRef number = block ? block : LLVMGetParam(e->function, 1);
        LLVMValueRef distance = LLVMBuildMul(e->at, number, place.stride, "");
        part = LLVMBuildGEP2(e->at, e->i8, part, &distance, 1, "");
    }
    return LLVMBuildGEP2(e->at, e->i8, part, &offset, 1, buffer->name ? buffer->name : "");
}

static LLVMTypeRef memory_type(Emit *e, const Buffer *buffer, ValueType type)
{
    LLVMTypeRef scalar = buffer->element == E_U8    ? e->i8
                         : buffer->element == E_I32 ? e->i32
                                                    : e->type[V_F32];
    return is_vector(type) ? LLVMVectorType(scalar, (unsigned)e->lanes) : scalar;
}

static LLVMValueRef offset_by(Emit *e, LLVMTypeRef element, LLVMValueRef at, Inst *index)
{
    LLVMValueRef running = running_offset(e, index), by = running ? running : value(e, index);
    return LLVMBuildGEP2(e->at, element, at, &by, 1, "");
}

static LLVMValueRef address(Emit *e, const Inst *inst, Inst *block)
{
    const Buffer *buffer = inst->buffer;
    Inst *index = inst->args[0];
    LLVMTypeRef element = memory_type(e, buffer, V_F32);
    LLVMValueRef at = buffer_address(e, buffer, block ? value(e, block) : NULL);
    if (is_vector(inst->type) && e->lane)
        at = LLVMBuildGEP2(e->at, element, at, &e->lane, 1, "");
    if (index->op == L_iadd && index->args[1]->op == L_iconst) {
        at = offset_by(e, element, at, index->args[0]);
        index = index->args[1];
    }
    return offset_by(e, element, at, index);
}

static unsigned alignment(const Emit *e, const Inst *inst, ValueType type)
{
    int64_t size = element_size(inst->buffer);
    bool whole = is_vector(type) && multiple_of(inst->args[0]) % LANES == 0;
    return (unsigned)(whole ? size * e->lanes : size);
}

/* ---- Which buffers an access does not touch ---------------------------------- */

static LLVMValueRef as_value(Emit *e, LLVMMetadataRef *parts, size_t n)
{
    return LLVMMetadataAsValue(e->context, LLVMMDNodeInContext2(e->context, parts, n));
}

static LLVMMetadataRef text(Emit *e, const char *s)
{
    return LLVMMDStringInContext2(e->context, s, strlen(s));
}

static LLVMMetadataRef scope_of(Emit *e, int i)
{
    LLVMMetadataRef name = text(e, e->kernel->name);
    LLVMMetadataRef parts[] = {text(e, format("buffer %d", i)),
                               LLVMMDNodeInContext2(e->context, &name, 1)};
    return LLVMMDNodeInContext2(e->context, parts, 2);
}

void find_scopes(Emit *e)
{
    int n = e->nbuffers;
    LLVMMetadataRef *scope = NEW_ARRAY(LLVMMetadataRef, n), *others = NEW_ARRAY(LLVMMetadataRef, n);
    e->scope = NEW_ARRAY(LLVMValueRef, n);
    e->noalias = NEW_ARRAY(LLVMValueRef, n);
    for (int i = 0; i < n; i++)
        scope[i] = scope_of(e, i);
    for (int i = 0; i < n; i++) {
        size_t nothers = 0;
        for (int j = 0; j < n; j++)
            if (buffers_apart(e->buffers[i], e->buffers[j]))
                others[nothers++] = scope[j];
        e->scope[i] = as_value(e, &scope[i], 1);
        e->noalias[i] = as_value(e, others, nothers);
    }
}

static void say_apart(Emit *e, LLVMValueRef access, const Buffer *buffer)
{
    for (int i = 0; i < e->nbuffers; i++)
        if (e->buffers[i] == buffer) {
            LLVMSetMetadata(access, LLVMGetMDKindIDInContext(e->context, "alias.scope", 11),
                            e->scope[i]);
            LLVMSetMetadata(access, LLVMGetMDKindIDInContext(e->context, "noalias", 7),
                            e->noalias[i]);
        }
}

/* ---- Accesses ------------------------------------------------------------------ */

static bool is_bool(ValueType type)
{
    return type == V_BOOL || type == V_VBOOL;
}

static bool is_float(ValueType type)
{
    return type == V_F32 || type == V_VF32;
}

/* What a buffer's element is as a value of another type. */
static LLVMValueRef to_value(Emit *e, LLVMValueRef v, const Inst *inst)
{
    LLVMTypeRef type = e->type[inst->type];
    if (is_bool(inst->type))
        return LLVMBuildICmp(e->at, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
    if (inst->buffer->element == E_U8)
        return is_float(inst->type) ? LLVMBuildUIToFP(e->at, v, type, "")
                                    : LLVMBuildZExt(e->at, v, type, "");
    return v;
}

static LLVMValueRef to_element(Emit *e, LLVMValueRef v, const Inst *inst, LLVMTypeRef type)
{
    if (is_bool(inst->args[1]->type))
        return LLVMBuildZExt(e->at, v, type, "");
    return inst->buffer->element == E_U8 ? LLVMBuildTrunc(e->at, v, type, "") : v;
}

LLVMValueRef emit_load(Emit *e, const Inst *inst)
{
    LLVMValueRef at = address(e, inst, inst->nargs > 1 ? inst->args[1] : NULL);
    LLVMTypeRef type = memory_type(e, inst->buffer, inst->type);
    LLVMValueRef v = LLVMBuildLoad2(e->at, type, at, "");
    LLVMSetAlignment(v, alignment(e, inst, inst->type));
    say_apart(e, v, inst->buffer);
    return to_value(e, v, inst);
}

void emit_store(Emit *e, const Inst *inst)
{
    LLVMValueRef at = address(e, inst, inst->nargs > 2 ? inst->args[2] : NULL);
    ValueType type = inst->args[1]->type;
    LLVMValueRef v =
        to_element(e, value(e, inst->args[1]), inst, memory_type(e, inst->buffer, type));
    v = LLVMBuildStore(e->at, v, at);
    LLVMSetAlignment(v, alignment(e, inst, type));
    say_apart(e, v, inst->buffer);
}
