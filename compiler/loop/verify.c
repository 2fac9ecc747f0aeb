/* What a kernel must be after every pass over loops; die()s at the first
 * instruction that is not.
 *
 * - every operand is computed before its use, in the same region or one
 *   around it;
 * - operands have the number and types that the instruction takes;
 * - a loop's step is positive; it carries, yields and gives values of the
 *   same types;
 * - what runs by passes over the lanes has one round and keeps lanes apart;
 * - a load or store has a type that its buffer's elements can have;
 * - the first and last element of an access with a constant index lie in the
 *   buffer. */
#include "loop/loop.h"

#include <inttypes.h>

typedef struct Check {
    const Kernel *kernel;
    int next;
    bool in_passes;
} Check;

static bool is_vector(ValueType type)
{
    return type >= V_VF32 && type < V_NONE;
}

static ValueType scalar_of(ValueType type)
{
    return is_vector(type) ? type - (V_VF32 - V_F32) : type;
}

static const char *text_of(const Inst *inst)
{
    return inst->op == L_map ? format("map %s", op_name[inst->map]) : loop_op_name[inst->op];
}

/* The instruction's number in the kernel, as the printer counts. */
static void require(const Check *c, const Inst *inst, bool good, const char *what)
{
    if (!good)
        die("kernel %s: instruction %d, %s: %s", c->kernel->name, inst->id, text_of(inst), what);
}

/* ---- Dominance: Inst.value marks what is computed and in scope ---------------------- */

static void require_computed(const Check *c, const Inst *inst, const Inst *operand)
{
    bool anywhere = operand->op == L_iconst || operand->op == L_fconst;
    require(c, inst, anywhere || operand->value == c->kernel,
            "an operand is not computed before it");
}

static void define(const Check *c, Inst *inst)
{
    inst->value = (void *)c->kernel;
}

static void forget(Region *region)
{
    for (int i = 0; i < region->n; i++)
        region->at[i]->value = NULL;
}

/* ---- Types ------------------------------------------------------------------------------ */

static bool args_are(const Inst *inst, int n, ValueType type)
{
    bool good = inst->nargs == n;
    for (int i = 0; good && i < n; i++)
        good = inst->args[i]->type == type;
    return good;
}

static bool is_compare(Op op)
{
    return op == OP_lt || op == OP_le || op == OP_eq;
}

static bool map_is_typed(const Inst *inst)
{
    ValueType type = inst->nargs ? inst->args[inst->nargs - 1]->type : V_NONE;
    bool same_width = is_vector(type) == is_vector(inst->type);
    if (!op_is_map(inst->map) || inst->nargs < 1)
        return false;
    if (inst->map == OP_convert)
        return inst->nargs == 1 && same_width && type != V_NONE && inst->type != V_INDEX;
    if (inst->map == OP_select)
        return inst->nargs == 3 && inst->type == type && inst->args[1]->type == type &&
               scalar_of(inst->args[0]->type) == V_BOOL &&
               is_vector(inst->args[0]->type) == is_vector(type);
    if (is_compare(inst->map))
        return args_are(inst, 2, type) && same_width && scalar_of(inst->type) == V_BOOL;
    return args_are(inst, inst->nargs, type) && inst->type == type;
}

static bool result_is_typed(const Inst *inst)
{
    const Inst *of = inst->nargs == 1 ? inst->args[0] : inst;
    int64_t i = inst->integer;
    switch (of->op) {
    case L_loop: return i < of->nargs - 2 && inst->type == of->carried[i]->type;
    case L_transpose: return i < LANES && inst->type == of->args[0]->type;
    case L_philox: return i < 4 && inst->type == (of->number != 0 ? V_VI32 : V_I32);
    case L_normal: return i < 2 && scalar_of(inst->type) == V_F32;
    default: return false;
    }
}

static bool bits_are_typed(const Inst *inst, ValueType from, ValueType to)
{
    return inst->nargs == 1 && scalar_of(inst->args[0]->type) == from &&
           scalar_of(inst->type) == to && is_vector(inst->type) == is_vector(inst->args[0]->type);
}

static bool crosses_lanes(const Inst *inst)
{
    return inst->nargs == 1 && is_vector(inst->args[0]->type) &&
           inst->type == scalar_of(inst->args[0]->type);
}

static bool is_typed(const Inst *inst)
{
    switch (inst->op) {
    case L_iadd:
    case L_imin:
    case L_imax: return args_are(inst, 2, V_INDEX) && inst->type == V_INDEX;
    case L_imul:
    case L_idiv:
    case L_irem:
        return args_are(inst, 1, V_INDEX) && inst->type == V_INDEX &&
               (inst->op == L_imul || inst->integer > 0);
    case L_index_from: return args_are(inst, 1, V_I32) && inst->type == V_INDEX;
    case L_splat:
        return inst->nargs == 1 && is_vector(inst->type) &&
               inst->args[0]->type == scalar_of(inst->type);
    case L_fma: return args_are(inst, 3, inst->type) && scalar_of(inst->type) == V_F32;
    case L_map: return map_is_typed(inst);
    case L_bits: return bits_are_typed(inst, V_F32, V_I32);
    case L_unbits: return bits_are_typed(inst, V_I32, V_F32);
    case L_uniform: return bits_are_typed(inst, V_I32, V_F32);
    case L_shl:
    case L_shr:
    case L_sar: return args_are(inst, 1, inst->type) && scalar_of(inst->type) == V_I32;
    case L_xor:
    case L_mulhi: return args_are(inst, 2, inst->type) && scalar_of(inst->type) == V_I32;
    case L_live_mask:
        return inst->nargs <= 1 && args_are(inst, inst->nargs, V_INDEX) && inst->type == V_VBOOL;
    case L_lane_sum:
    case L_lane_max: return crosses_lanes(inst);
    case L_lane_sums: return args_are(inst, LANES, V_VF32) && inst->type == V_VF32;
    case L_transpose:
        return inst->nargs == LANES && is_vector(inst->args[0]->type) &&
               args_are(inst, LANES, inst->args[0]->type);
    case L_pick: return crosses_lanes(inst) && inst->integer >= 0 && inst->integer < LANES;
    case L_philox: return args_are(inst, 1, V_INDEX);
    case L_normal:
        return inst->nargs == 2 && scalar_of(inst->args[0]->type) == V_I32 &&
               args_are(inst, 2, inst->args[0]->type);
    case L_result: return inst->integer >= 0 && result_is_typed(inst);
    case L_lane_index: return inst->nargs == 0 && inst->type == V_VI32;
    case L_live_count: return inst->nargs == 0 && (inst->type == V_F32 || inst->type == V_INDEX);
    default: return false;
    }
}

/* ---- Memory ---------------------------------------------------------------------------- */

static bool holds(const Buffer *buffer, ValueType type)
{
    switch (scalar_of(type)) {
    case V_F32: return buffer->element != E_I32;
    case V_I32: return buffer->element != E_F32;
    case V_BOOL: return buffer->element == E_U8;
    default: return false;
    }
}

static void check_access(const Check *c, const Inst *inst, ValueType type, int plain)
{
    const Buffer *buffer = inst->buffer;
    require(c, inst, buffer && inst->nargs >= plain && inst->nargs <= plain + 1,
            "no buffer, or a wrong number of operands");
    require(c, inst, holds(buffer, type), "its type and its buffer's elements differ");
    require(c, inst, inst->args[0]->type == V_INDEX, "the place is no index");
    require(c, inst, inst->nargs == plain || inst->args[plain]->type == V_INDEX,
            "the block is no index");
    const Inst *at = inst->args[0];
    int64_t n = buffer->size / (buffer->element == E_U8 ? 1 : 4);
    int64_t count = is_vector(type) ? LANES : 1;
    require(c, inst, at->op != L_iconst || (at->integer >= 0 && at->integer + count <= n),
            "it leaves its buffer");
}

/* ---- The walk ----------------------------------------------------------------------------- */

static void check_region(Check *c, Region *region);

/* In passes: a vector's lanes from memory or from those of others. */
static bool keeps_lanes_apart(const Inst *inst)
{
    switch (inst->op) {
    case L_load:
    case L_loop:
    case L_result:
    case L_splat:
    case L_fma: return true;
    case L_map: return inst->map == OP_add;
    default: return inst->type == V_INDEX;
    }
}

static void check_passes(Check *c, const Inst *loop)
{
    int passes = loop->passes;
    require(c, loop, passes > 1 && passes <= LANES && LANES % passes == 0 && !c->in_passes,
            "it cannot run in so many passes");
    const Inst *lo = loop->args[0], *hi = loop->args[1];
    require(c, loop,
            lo->op == L_iconst && hi->op == L_iconst && lo->integer == 0 && hi->integer == 1 &&
                loop->integer == 1,
            "passes of more than one round");
    for (int i = 0; i < loop->nargs - 2; i++)
        require(c, loop, loop->carried[i]->type == V_VF32, "passes over no vectors of floats");
}

static void check_loop(Check *c, Inst *loop)
{
    int n = loop->nargs - 2;
    bool in_passes = c->in_passes;
    require(c, loop, n >= 0 && loop->integer > 0, "no bounds, or no positive step");
    require(c, loop, loop->args[0]->type == V_INDEX && loop->args[1]->type == V_INDEX,
            "a bound is no index");
    if (loop->passes)
        check_passes(c, loop);
    c->in_passes = in_passes || loop->passes;
    define(c, loop->index);
    for (int i = 0; i < n; i++) {
        require(c, loop, loop->carried[i]->type == loop->args[2 + i]->type,
                "a carried value and its first value differ in type");
        define(c, loop->carried[i]);
    }
    check_region(c, &loop->body);
    c->in_passes = in_passes;
    for (int i = 0; i < n; i++) {
        require(c, loop, loop->yield[i] && loop->yield[i]->type == loop->carried[i]->type,
                "a carried value and what is yielded for it differ in type");
        require_computed(c, loop, loop->yield[i]);
        loop->carried[i]->value = NULL;
    }
    loop->index->value = NULL;
    forget(&loop->body);
}

static void check_inst(Check *c, Inst *inst)
{
    inst->id = c->next++;
    for (int i = 0; i < inst->nargs; i++)
        require_computed(c, inst, inst->args[i]);
    require(c, inst, !c->in_passes || keeps_lanes_apart(inst), "it mixes lanes, in passes");
    switch (inst->op) {
    case L_loop: check_loop(c, inst); break;
    case L_load: check_access(c, inst, inst->type, 1); break;
    case L_store:
        require(c, inst, inst->nargs > 1, "nothing to store");
        check_access(c, inst, inst->args[1]->type, 2);
        break;
    case L_orthogonal: require(c, inst, inst->buffer, "no buffer"); break;
    default: require(c, inst, is_typed(inst), "operands or result of wrong types"); break;
    }
    define(c, inst);
}

static void check_region(Check *c, Region *region)
{
    for (int i = 0; i < region->n; i++)
        check_inst(c, region->at[i]);
}

void verify_kernel(const Kernel *kernel)
{
    Check c = {.kernel = kernel};
    Inst *parameters[N_PARAMETERS];
    kernel_parameters(kernel, parameters);
    for (int i = 0; i < N_PARAMETERS; i++) {
        if (!parameters[i])
            die("kernel %s has no parameters: loop_kernel() was not called", kernel->name);
        define(&c, parameters[i]);
    }
    Region body = kernel->body;
    check_region(&c, &body);
    forget(&body);
}
