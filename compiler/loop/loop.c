/* Builders of the loop IR.
 *
 * needs       a current region (loop_into, loop_kernel)
 * guarantees  operands dominate their uses; index arithmetic is folded, with
 *             its constant outermost ((a + 3) * 4 is a * 4 + 12), and stands
 *             in the outermost loop that its operands allow; equal pure
 *             instructions are one
 *
 * Every region has a hash table of the pure instructions in it. A lookup
 * walks from the current region outwards, so that whatever it finds
 * dominates the place where it is asked for. */
#include "loop/loop.h"

#include <math.h>
#include <string.h>

const char *const loop_op_name[N_LOOP_OPS] = {
#define LOOP_OP(name, flag, text, ...) text,
#include "loop/loops.def"
};

const char *const value_type_name[V_NONE + 1] = {
    "index", "f32", "i32", "bool", "vf32", "vi32", "vbool", "none",
};

const char *const kernel_kind_name[KERNEL_UNIT + 1] = {"block", "chunk", "join", "unit"};
const char *const space_name[N_SPACES] = {"fixed", "block", "scratch", "part"};

bool kernel_streams(const Kernel *k)
{
    return k->kind == KERNEL_BLOCK || k->kind == KERNEL_CHUNK;
}

int segment_end(const Program *p, int first, int *joins)
{
    int k = first + 1;
    while (k < p->nkernels && kernel_streams(p->kernels[k]) && !p->kernels[k]->barrier)
        k++;
    *joins = k;
    while (k < p->nkernels && p->kernels[k]->kind == KERNEL_JOIN)
        k++;
    return k;
}

int run_end(const Program *p, int first, int last)
{
    const Kernel *a = p->kernels[first];
    int k = first + 1;
    while (k < last && p->kernels[k]->kind == a->kind &&
           !p->kernels[k]->shared_bytes == !a->shared_bytes)
        k++;
    return k;
}

static Region *current;

Region *loop_into(Region *region)
{
    Region *before = current;
    current = region;
    return before;
}

/* ---- Equal instructions are one ------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

static uint64_t number_bits(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static uint64_t hash_of(const Inst *a)
{
    uint64_t hash = mix(a->op, (uint64_t)a->type << 32 | (uint64_t)a->map);
    hash = mix(hash, (uint64_t)a->integer);
    hash = mix(hash, number_bits(a->number));
    for (int i = 0; i < a->nargs; i++)
        hash = mix(hash, (uint64_t)(uintptr_t)a->args[i]);
    return hash;
}

static bool equal(const Inst *a, const Inst *b)
{
    return a->op == b->op && a->type == b->type && a->map == b->map && a->integer == b->integer &&
           a->nargs == b->nargs && number_bits(a->number) == number_bits(b->number) &&
           (a->nargs == 0 || !memcmp(a->args, b->args, sizeof *a->args * (size_t)a->nargs));
}

static Inst **slot_of(const Region *region, const Inst *inst)
{
    unsigned mask = (unsigned)region->slots - 1, i = (unsigned)hash_of(inst) & mask;
    while (region->table[i] && !equal(region->table[i], inst))
        i = (i + 1) & mask;
    return &region->table[i];
}

static void enlarge(Region *region)
{
    Region old = *region;
    region->slots = old.slots ? old.slots * 2 : 64;
    region->table = NEW_ARRAY(Inst *, region->slots);
    for (int i = 0; i < old.slots; i++)
        if (old.table[i])
            *slot_of(region, old.table[i]) = old.table[i];
}

static void remember(Region *region, Inst *inst)
{
    if (region->used * 2 >= region->slots)
        enlarge(region);
    *slot_of(region, inst) = inst;
    region->used++;
}

static Inst *find_equal(const Inst *inst)
{
    for (Region *region = current; region; region = region->up) {
        Inst *found = region->slots ? *slot_of(region, inst) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

/* ---- New instructions ----------------------------------------------------- */

static Region *outermost(void)
{
    Region *region = current;
    if (!region)
        die("an instruction without a region");
    while (region->up)
        region = region->up;
    return region;
}

/* The innermost of the regions in which the arguments stand. */
static Region *home_of(const Inst *inst)
{
    for (Region *region = current; region->up; region = region->up)
        for (int i = 0; i < inst->nargs; i++)
            if (inst->args[i]->home == region)
                return region;
    return outermost();
}

static Inst *copy_of(Inst proto)
{
    Inst *inst = NEW(Inst), **args = proto.args;
    proto.args = NEW_ARRAY(Inst *, proto.nargs);
    for (int i = 0; i < proto.nargs; i++)
        proto.args[i] = args[i];
    *inst = proto;
    return inst;
}

static void place(Region *region, Inst *inst)
{
    inst->home = region;
    PUSH(region->at, region->n, region->cap, inst);
}

static Inst *effect(Inst proto)
{
    outermost();
    Inst *inst = copy_of(proto);
    place(current, inst);
    return inst;
}

static Inst *pure(Inst proto)
{
    Region *root = outermost();
    Inst *inst = find_equal(&proto);
    if (inst)
        return inst;
    inst = copy_of(proto);
    if (proto.op == L_iconst || proto.op == L_fconst || proto.op == L_parameter) {
        remember(root, inst);
        return inst;
    }
    Region *region = proto.type == V_INDEX ? home_of(inst) : current;
    place(region, inst);
    remember(region, inst);
    return inst;
}

#define ARGS(...)                                                                 \
    .nargs = sizeof((Inst *[]){__VA_ARGS__}) / sizeof(Inst *), .args = (Inst *[]) \
    {                                                                             \
        __VA_ARGS__                                                               \
    }

Inst *parameter(int which)
{
    return pure((Inst){.op = L_parameter, .type = V_INDEX, .integer = which});
}

const char *const parameter_name[N_PARAMETERS] = {"block", "u0",    "u1",    "live",
                                                  "time0", "time1", "time2", "time3"};

void kernel_parameters(const Kernel *k, Inst *all[N_PARAMETERS])
{
    all[PARAMETER_BLOCK] = k->block;
    all[PARAMETER_U0] = k->u0;
    all[PARAMETER_U1] = k->u1;
    all[PARAMETER_LIVE] = k->live;
    for (int i = 0; i < MAX_SCAN_DEPTH; i++)
        all[PARAMETER_TIME + i] = k->time[i];
}

/* ---- Index arithmetic ------------------------------------------------------ */

Inst *iconst(int64_t value)
{
    return pure((Inst){.op = L_iconst, .type = V_INDEX, .integer = value});
}

static bool is_constant(const Inst *a, int64_t *value)
{
    if (a->op == L_iconst)
        *value = a->integer;
    return a->op == L_iconst;
}

/* a = base + constant; the base is NULL where a is a constant. */
static Inst *without_constant(Inst *a, int64_t *constant)
{
    *constant = 0;
    if (is_constant(a, constant))
        return NULL;
    if (a->op == L_iadd && is_constant(a->args[1], constant))
        return a->args[0];
    return a;
}

Inst *iadd(Inst *a, Inst *b)
{
    int64_t x, y;
    a = without_constant(a, &x);
    b = without_constant(b, &y);
    Inst *base = a ? a : b;
    if (a && b)
        base = pure((Inst){.op = L_iadd, .type = V_INDEX, ARGS(a, b)});
    if (!base)
        return iconst(x + y);
    if (x + y == 0)
        return base;
    return pure((Inst){.op = L_iadd, .type = V_INDEX, ARGS(base, iconst(x + y))});
}

static Inst *with_factor(LoopOp op, Inst *a, int64_t factor)
{
    return pure((Inst){.op = op, .type = V_INDEX, .integer = factor, ARGS(a)});
}

Inst *imul(Inst *a, int64_t factor)
{
    int64_t constant;
    Inst *base = without_constant(a, &constant);
    if (!base || factor == 0)
        return iconst(constant * factor);
    if (base->op == L_imul && factor != 1) {
        factor *= base->integer;
        constant *= factor / base->integer;
        base = base->args[0];
    } else {
        constant *= factor;
    }
    if (factor != 1)
        base = with_factor(L_imul, base, factor);
    return iadd(base, iconst(constant));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* (x * k + c) / d where d divides k: x * (k / d) + c / d. */
Inst *idiv(Inst *a, int64_t divisor)
{
    int64_t constant;
    Inst *base = without_constant(a, &constant);
    if (divisor == 1)
        return a;
    if (!base)
        return iconst(floor_div(constant, divisor));
    if (base->op == L_imul && base->integer % divisor == 0)
        return iadd(imul(base->args[0], base->integer / divisor),
                    iconst(floor_div(constant, divisor)));
    return with_factor(L_idiv, a, divisor);
}

Inst *irem(Inst *a, int64_t divisor)
{
    int64_t constant;
    Inst *base = without_constant(a, &constant);
    if (!base || multiple_of(base) % divisor == 0)
        return iconst(constant - floor_div(constant, divisor) * divisor);
    return with_factor(L_irem, a, divisor);
}

static Inst *extreme(LoopOp op, Inst *a, Inst *b)
{
    int64_t x, y;
    if (a == b)
        return a;
    if (is_constant(a, &x) && is_constant(b, &y))
        return (x < y) == (op == L_imin) ? a : b;
    return pure((Inst){.op = op, .type = V_INDEX, ARGS(a, b)});
}

Inst *imin(Inst *a, Inst *b)
{
    return extreme(L_imin, a, b);
}
Inst *imax(Inst *a, Inst *b)
{
    return extreme(L_imax, a, b);
}

Inst *index_from(Inst *a)
{
    return pure((Inst){.op = L_index_from, .type = V_INDEX, ARGS(a)});
}

static int64_t gcd(int64_t a, int64_t b)
{
    return b ? gcd(b, a % b) : a < 0 ? -a : a;
}

/* 0, the multiple of everything, counts as 2^62. */
int64_t multiple_of(const Inst *a)
{
    enum { ENOUGH = 1 << 20 };
    switch (a->op) {
    case L_iconst: return a->integer ? gcd(a->integer, 0) : (int64_t)1 << 62;
    case L_iadd:
    case L_imin:
    case L_imax: return gcd(multiple_of(a->args[0]), multiple_of(a->args[1]));
    case L_imul: {
        int64_t inner = multiple_of(a->args[0]);
        return inner > ENOUGH ? inner : gcd(inner * a->integer, 0);
    }
    case L_index: return gcd(multiple_of(a->args[0]), a->integer);
    default: return 1;
    }
}

/* ---- Constants, memory ------------------------------------------------------ */

static bool is_vector(ValueType type)
{
    return type >= V_VF32 && type < V_NONE;
}

static ValueType vector_of(ValueType type)
{
    return type >= V_F32 && type <= V_BOOL ? type + (V_VF32 - V_F32) : type;
}

Inst *vconst(ValueType type, double value)
{
    if (type == V_F32 || type == V_VF32)
        value = (float)value;
    return pure((Inst){.op = L_fconst, .type = type, .number = value});
}

Inst *fconst(double value)
{
    return vconst(V_F32, value);
}

Inst *splat(Inst *a)
{
    if (is_vector(a->type))
        return a;
    if (a->op == L_fconst)
        return vconst(vector_of(a->type), a->number);
    return pure((Inst){.op = L_splat, .type = vector_of(a->type), ARGS(a)});
}

Inst *load(ValueType type, Buffer *buffer, Inst *index, Inst *block)
{
    return effect((Inst){.op = L_load,
                         .type = type,
                         .buffer = buffer,
                         .nargs = block ? 2 : 1,
                         .args = (Inst *[]){index, block}});
}

void store(Buffer *buffer, Inst *index, Inst *value, Inst *block)
{
    effect((Inst){.op = L_store,
                  .type = V_NONE,
                  .buffer = buffer,
                  .nargs = block ? 3 : 2,
                  .args = (Inst *[]){index, value, block}});
}

void call_orthogonal(Buffer *buffer, uint32_t path)
{
    effect((Inst){.op = L_orthogonal, .type = V_NONE, .buffer = buffer, .integer = path});
}

/* ---- Values ------------------------------------------------------------------- */

/* Splats the scalars where one of them is a vector. */
static void agree(int n, Inst **a)
{
    bool vector = false;
    for (int i = 0; i < n; i++)
        vector |= is_vector(a[i]->type);
    for (int i = 0; vector && i < n; i++)
        a[i] = splat(a[i]);
}

static ValueType type_as(ValueType scalar, ValueType like)
{
    return is_vector(like) ? vector_of(scalar) : scalar;
}

static Inst *value_of(LoopOp op, Op map, int n, Inst **args, double number)
{
    agree(n, args);
    ValueType type = args[n - 1]->type;
    if (map == OP_lt || map == OP_le || map == OP_eq)
        type = type_as(V_BOOL, type);
    return pure(
        (Inst){.op = op, .type = type, .map = map, .number = number, .nargs = n, .args = args});
}

Inst *fma3(Inst *a, Inst *b, Inst *c)
{
    return value_of(L_fma, 0, 3, (Inst *[]){a, b, c}, 0);
}

Inst *map1(Op op, Inst *a)
{
    return op == OP_stop_gradient ? a : value_of(L_map, op, 1, &a, 0);
}

Inst *map2(Op op, Inst *a, Inst *b)
{
    return value_of(L_map, op, 2, (Inst *[]){a, b}, 0);
}

Inst *map_pow(Inst *a, double exponent)
{
    return value_of(L_map, OP_pow, 1, &a, exponent);
}

Inst *map_select(Inst *p, Inst *a, Inst *b)
{
    return value_of(L_map, OP_select, 3, (Inst *[]){p, a, b}, 0);
}

static double convert_number(double value, Type type)
{
    if (type == T_F32)
        return (float)value;
    return type == T_BOOL ? value != 0 : trunc(value);
}

Inst *map_convert(Inst *a, Type to)
{
    ValueType type = type_as(V_F32 + (ValueType)to, a->type);
    if (a->type == type)
        return a;
    if (a->op == L_fconst)
        return vconst(type, convert_number(a->number, to));
    if (a->op == L_iconst)
        return vconst(type, convert_number((double)a->integer, to));
    return pure((Inst){.op = L_map, .type = type, .map = OP_convert, ARGS(a)});
}

Inst *bits_of(Inst *a)
{
    return pure((Inst){.op = L_bits, .type = type_as(V_I32, a->type), ARGS(a)});
}

Inst *float_of(Inst *a)
{
    return pure((Inst){.op = L_unbits, .type = type_as(V_F32, a->type), ARGS(a)});
}

Inst *shift(LoopOp op, Inst *a, int places)
{
    return pure((Inst){.op = op, .type = a->type, .integer = places, ARGS(a)});
}

Inst *bitwise(LoopOp op, Inst *a, Inst *b)
{
    return value_of(op, 0, 2, (Inst *[]){a, b}, 0);
}

Inst *live_mask(Inst *block)
{
    return pure((Inst){.op = L_live_mask, .type = V_VBOOL, .nargs = block ? 1 : 0, .args = &block});
}

static ValueType scalar_of(ValueType type)
{
    return is_vector(type) ? type - (V_VF32 - V_F32) : type;
}

Inst *lane_sum(Inst *a)
{
    return pure((Inst){.op = L_lane_sum, .type = scalar_of(a->type), ARGS(a)});
}

Inst *lane_max(Inst *a)
{
    return pure((Inst){.op = L_lane_max, .type = scalar_of(a->type), ARGS(a)});
}

Inst *lane_sums(Inst *v[LANES])
{
    return pure((Inst){.op = L_lane_sums, .type = V_VF32, .nargs = LANES, .args = v});
}

static Inst *result(Inst *of, ValueType type, int which)
{
    return pure((Inst){.op = L_result, .type = type, .integer = which, ARGS(of)});
}

void transpose16(Inst *v[LANES], Inst *out[LANES])
{
    ValueType type = v[0]->type;
    Inst *all = pure((Inst){.op = L_transpose, .type = V_NONE, .nargs = LANES, .args = v});
    for (int i = 0; i < LANES; i++)
        out[i] = result(all, type, i);
}

Inst *pick(Inst *vector, int lane)
{
    return pure(
        (Inst){.op = L_pick, .type = scalar_of(vector->type), .integer = lane, ARGS(vector)});
}

Inst *lane_index(void)
{
    return pure((Inst){.op = L_lane_index, .type = V_VI32});
}

Inst *live_count(ValueType type)
{
    return pure((Inst){.op = L_live_count, .type = type});
}

/* ---- Random numbers: words of one Philox call, shared by CSE --------------------- */

void philox_words(uint32_t path, Inst *group, bool vector, Inst *words[4])
{
    ValueType type = vector ? V_VI32 : V_I32;
    Inst *call = pure(
        (Inst){.op = L_philox, .type = V_NONE, .integer = path, .number = vector, ARGS(group)});
    for (int i = 0; i < 4; i++)
        words[i] = result(call, type, i);
}

Inst *uniform_from(Inst *word)
{
    return pure((Inst){.op = L_uniform, .type = type_as(V_F32, word->type), ARGS(word)});
}

Inst *normal_from(Inst *radius, Inst *angle, int which)
{
    Inst *pair = pure((Inst){.op = L_normal, .type = V_NONE, ARGS(radius, angle)});
    return result(pair, type_as(V_F32, radius->type), which);
}

/* ---- Loops, kernels ----------------------------------------------------------------- */

static Inst *bound(LoopOp op, ValueType type, Region *home, int64_t integer)
{
    Inst *inst = NEW(Inst);
    *inst = (Inst){.op = op, .type = type, .home = home, .integer = integer};
    return inst;
}

Inst *loop_begin(Inst *lo, Inst *hi, int64_t step, int n, Inst **init)
{
    outermost();
    Inst *loop = NEW(Inst);
    *loop = (Inst){.op = L_loop,
                   .type = V_NONE,
                   .integer = step,
                   .nargs = 2 + n,
                   .args = NEW_ARRAY(Inst *, 2 + n),
                   .carried = NEW_ARRAY(Inst *, n),
                   .yield = NEW_ARRAY(Inst *, n),
                   .body = {.up = current}};
    loop->args[0] = lo;
    loop->args[1] = hi;
    for (int i = 0; i < n; i++) {
        loop->args[2 + i] = init[i];
        loop->carried[i] = bound(L_carried, init[i]->type, &loop->body, i);
    }
    loop->index = bound(L_index, V_INDEX, &loop->body, step);
    loop->index->nargs = 2;
    loop->index->args = loop->args;
    current = &loop->body;
    return loop;
}

Inst *passes_begin(int passes, int n, Inst **init)
{
    Inst *loop = loop_begin(iconst(0), iconst(1), 1, n, init);
    loop->passes = passes;
    return loop;
}

void loop_end(Inst *loop, Inst **yield, Inst **results)
{
    if (current != &loop->body)
        die("loop_end of a loop that is not the innermost one");
    current = loop->body.up;
    place(current, loop);
    for (int i = 0; i < loop->nargs - 2; i++) {
        loop->yield[i] = yield[i];
        results[i] = result(loop, loop->carried[i]->type, i);
    }
}

Region *loop_kernel(Kernel *kernel)
{
    Region *before = loop_into(&kernel->body);
    kernel->block = parameter(PARAMETER_BLOCK);
    kernel->u0 = parameter(PARAMETER_U0);
    kernel->u1 = parameter(PARAMETER_U1);
    kernel->live = parameter(PARAMETER_LIVE);
    for (int i = 0; i < MAX_SCAN_DEPTH; i++)
        kernel->time[i] = parameter(PARAMETER_TIME + i);
    return before;
}
