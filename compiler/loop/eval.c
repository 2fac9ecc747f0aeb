/* The value of a node at an index, as instructions of the current region.
 *
 * Elementwise nodes that the kernel computes (or that are computed wherever
 * they are read) become instructions; views change the index; everything
 * else is a load. A kernel's body evaluates each of its stores at each index
 * of its space. */
#include "graph/ops.h"
#include "loop/lower.h"

#include <string.h>

/* ---- Indices ------------------------------------------------------------------ */

Inst *natural_index(Shape shape, Inst *const *axis)
{
    Inst *index = iconst(0);
    int64_t stride = 1;
    for (int i = shape.rank - 1; i >= 0; i--) {
        index = iadd(index, imul(axis[i], stride));
        stride *= shape.dim[i];
    }
    return index;
}

Inst *strided_index(int rank, const int64_t *stride, Inst *const *axis)
{
    Inst *index = iconst(0);
    for (int i = rank; i-- > 0;)
        index = iadd(index, imul(axis[i], stride[i]));
    return index;
}

Inst *storage_index(Shape shape, Inst *const *axis)
{
    int64_t stride[MAX_RANK];
    storage_of(shape, stride);
    return strided_index(shape.rank, stride, axis);
}

void split_index(Shape shape, Inst *flat, Inst **axis)
{
    for (int i = shape.rank - 1; i >= 0; i--) {
        axis[i] = i == 0 ? flat : irem(flat, shape.dim[i]);
        flat = i == 0 ? flat : idiv(flat, shape.dim[i]);
    }
}

/* The same place with an index for each axis of `shape`. */
static At with_axes(Shape shape, const At *at)
{
    At by = *at;
    if (at->by_flat) {
        by.by_flat = false;
        by.lane = -1;
        split_index(shape, at->flat, by.axis);
    }
    return by;
}

static Inst *flat_of(Shape shape, const At *at)
{
    return at->by_flat ? at->flat : natural_index(shape, at->axis);
}

static bool has_planes(const Buffer *b)
{
    return holds_samples(b) && !b->rows && b->shape.rank == 3 &&
           b->stride[0] != b->shape.dim[1] * b->shape.dim[2];
}

/* The element of a block buffer. */
static Inst *element_of(const Eval *e, const Buffer *b, const At *at)
{
    if (at->by_flat && (e->by_memory || !has_planes(b)))
        return at->flat;
    At by = with_axes(b->shape, at);
    return strided_index(b->shape.rank, b->stride, by.axis);
}

/* ---- Loads ------------------------------------------------------------------------ */

static ValueType value_type(Type type, bool vector)
{
    switch (type) {
    case T_BOOL: return vector ? V_VBOOL : V_BOOL;
    case T_I32: return vector ? V_VI32 : V_I32;
    default: return vector ? V_VF32 : V_F32;
    }
}

static Inst *load_node(Eval *e, Node *n, const At *at)
{
    Buffer *b = e->program->by_node[n->id];
    Inst *index = element_of(e, b, at);
    if (n->shape.batch)
        return load(value_type(n->type, true), b, imul(index, LANES), e->block);
    bool vector = at->mode == LANE_AXIS && at->lane >= 0;
    return load(value_type(n->type, vector), b, index, NULL);
}

/* ---- Views: where an element comes from --------------------------------------------- */

static At through_broadcast(const Node *n, const At *at)
{
    const Node *in = n->in[0];
    At from = {.mode = at->mode, .lane = -1};
    if (at->by_flat) { /* only a single element fits */
        from.by_flat = shape_size(in->shape) == 1;
        from.flat = iconst(0);
        if (from.by_flat)
            return from;
    }
    At to = with_axes(n->shape, at);
    for (int i = 0; i < in->shape.rank; i++)
        from.axis[i] = iconst(0);
    for (int i = 0; i < n->shape.rank; i++) {
        int source = n->attr.map[i];
        if (source < 0 || in->shape.dim[source] == 1)
            continue;
        from.axis[source] = to.axis[i];
        if (to.lane == i)
            from.lane = source;
    }
    return from;
}

static At through_transpose(const Node *n, const At *at)
{
    At to = with_axes(n->shape, at), from = {.mode = at->mode, .lane = -1};
    for (int i = 0; i < n->shape.rank; i++) {
        from.axis[n->attr.permutation[i]] = to.axis[i];
        if (to.lane == i)
            from.lane = n->attr.permutation[i];
    }
    return from;
}

static At through_slice(const Node *n, const At *at)
{
    At from = with_axes(n->shape, at);
    for (int i = 0; i < n->shape.rank; i++)
        from.axis[i] =
            iadd(iconst(n->attr.slice.start[i]), imul(from.axis[i], n->attr.slice.stride[i]));
    return from;
}

static At through_reverse(const Node *n, const At *at)
{
    At from = with_axes(n->shape, at);
    for (int i = 0; i < n->shape.rank; i++)
        if (n->attr.reverse[i])
            from.axis[i] = iadd(iconst(n->shape.dim[i] - 1), imul(from.axis[i], -1));
    return from;
}

static At through_reshape(const Node *n, const At *at)
{
    At from = {.mode = at->mode, .by_flat = true, .lane = at->lane};
    if (at->by_flat)
        return *at;
    from.flat = natural_index(n->shape, at->axis);
    return n->in[0]->shape.batch || from.lane >= 0 ? from : with_axes(n->in[0]->shape, &from);
}

static const ScanLoop *loop_of_time(const Eval *e, const Node *time)
{
    for (int i = 0; i < e->program->nscans; i++)
        if (e->program->scans[i].id == time->attr.scan.id)
            return &e->program->scans[i];
    die("no loop counts the time of scan %d", time->attr.scan.id);
}

static Inst *time_index(const Eval *e, const Node *time)
{
    return parameter(PARAMETER_TIME + loop_of_time(e, time)->depth);
}

Inst *eval_index(Eval *e, Node *n)
{
    At at = {.mode = LANE_NONE, .lane = -1};
    double number;
    if (splat_of(n, &number))
        return iconst((int64_t)number);
    if (n->op == OP_time)
        return time_index(e, n);
    if (n->op == OP_add)
        return iadd(eval_index(e, n->in[0]), eval_index(e, n->in[1]));
    return index_from(eval_node(e, n, &at));
}

static At through_element(Eval *e, const Node *n, const At *at)
{
    At to = with_axes(n->shape, at), from = {.mode = at->mode, .lane = to.lane};
    from.axis[0] = eval_index(e, n->in[1]);
    for (int i = 0; i < n->shape.rank; i++)
        from.axis[i + 1] = to.axis[i];
    from.lane += to.lane >= 0;
    return from;
}

static Inst *eval_view(Eval *e, Node *n, const At *at)
{
    At from = *at;
    switch (n->op) {
    case OP_element: from = through_element(e, n, at); break;
    case OP_broadcast: from = through_broadcast(n, at); break;
    case OP_transpose: from = through_transpose(n, at); break;
    case OP_slice: from = through_slice(n, at); break;
    case OP_reverse: from = through_reverse(n, at); break;
    case OP_reshape: from = through_reshape(n, at); break;
    default: break;
    }
    return eval_node(e, n->in[0], &from);
}

/* ---- Leaves and elementwise operations ------------------------------------------------ */

static Inst *eval_const(const Node *n)
{
    double value = n->attr.constant.data ? n->attr.constant.data[0] : n->attr.constant.number;
    Inst *number = fconst(value);
    return n->type == T_F32 ? number : map_convert(number, n->type);
}

static Inst *eval_iota(Node *n, const At *at)
{
    At by = with_axes(n->shape, at);
    Inst *value = map_convert(by.axis[n->attr.axis], T_I32);
    if (by.mode == LANE_AXIS && by.lane == n->attr.axis)
        value = map2(OP_add, value, lane_index());
    return n->type == T_I32 ? value : map_convert(value, n->type);
}

/* 16 block + lane */
static Inst *eval_place(const Eval *e)
{
    Inst *first = imul(e->block ? e->block : e->kernel->block, LANES);
    return map2(OP_add, map_convert(first, T_I32), lane_index());
}

static Inst *eval_random(Node *n, const At *at)
{
    Inst *element = flat_of(n->shape, at);
    return random_value(n->attr.random.kind, n->attr.random.path, element, n->shape.batch);
}

static Inst *eval_map(Eval *e, Node *n, const At *at)
{
    Inst *in[3] = {0};
    for (int i = 0; i < n->nin; i++)
        in[i] = eval_node(e, n->in[i], at);
    switch (n->op) {
    case OP_select: return map_select(in[0], in[1], in[2]);
    case OP_convert: return map_convert(in[0], n->type);
    case OP_pow: return map_pow(in[0], n->attr.number);
    default: return n->nin == 1 ? map1(n->op, in[0]) : map2(n->op, in[0], in[1]);
    }
}

/* ---- Any node ----------------------------------------------------------------------------- */

static bool in_memory(const Eval *e, const Node *n)
{
    return e->program->by_node[n->id] && e->program->kernel_of[n->id] != e->kernel->id;
}

static Inst *known_value(const Eval *e, const Node *n)
{
    for (int i = 0; i < e->nknown; i++)
        if (e->known[i].node == n)
            return e->known[i].value;
    return NULL;
}

static void remember(Eval *e, Node *n, Inst *value)
{
    e->known = arena_grow(e->known, sizeof *e->known, e->nknown, &e->known_cap);
    e->known[e->nknown].node = n;
    e->known[e->nknown++].value = value;
}

Inst *eval_node(Eval *e, Node *n, const At *at)
{
    if (e->uniform && e->uniform[n->id])
        return e->uniform[n->id];
    bool own = e->program->kernel_of[n->id] == e->kernel->id || at == e->here;
    Inst *value = own ? known_value(e, n) : NULL;
    if (value)
        return value;
    if (in_memory(e, n))
        value = load_node(e, n, at);
    else if (op_is_view(n->op))
        value = eval_view(e, n, at);
    else if (n->op == OP_const)
        value = eval_const(n);
    else if (n->op == OP_iota)
        value = eval_iota(n, at);
    else if (n->op == OP_live)
        value = live_count(V_F32);
    else if (n->op == OP_time)
        value = map_convert(time_index(e, n), T_I32);
    else if (n->op == OP_place)
        value = eval_place(e);
    else if (n->op == OP_random)
        value = eval_random(n, at);
    else if (op_is_map(n->op))
        value = eval_map(e, n, at);
    else
        die("%s of node %d has no value in kernel %s", op_name[n->op], n->id, e->kernel->name);
    if (own)
        remember(e, n, value);
    return value;
}

/* ---- A kernel's evaluator -------------------------------------------------------------------- */

/* Does n, where it is read, follow from what the kernel itself computes? */
static bool follows(const Eval *e, const Node *n)
{
    if (e->program->kernel_of[n->id] == e->kernel->id)
        return true;
    if (in_memory(e, n))
        return false;
    for (int i = 0; i < n->nin; i++)
        if (follows(e, n->in[i]))
            return true;
    return false;
}

/* Scalars are loaded or computed once, before any loop. */
static void find_uniform(Eval *e, Node *n, bool *seen)
{
    At at = {.mode = LANE_NONE, .lane = -1};
    for (int i = 0; i < n->nin; i++) {
        Node *in = n->in[i];
        bool own = e->program->kernel_of[in->id] == e->kernel->id;
        if (seen[in->id] || own)
            continue;
        seen[in->id] = true;
        if (in->shape.rank == 0 && !in->shape.batch && in->op != OP_random && !follows(e, in))
            e->uniform[in->id] = eval_node(e, in, &at);
        else if (!in_memory(e, in))
            find_uniform(e, in, seen);
    }
}

Eval eval_begin(Program *program, Kernel *kernel)
{
    Eval e = {.program = program, .kernel = kernel};
    bool *seen = NEW_ARRAY(bool, program->nnodes);
    e.uniform = NEW_ARRAY(Inst *, program->nnodes);
    for (int i = 0; i < kernel->nnodes; i++)
        if (!in_memory(&e, kernel->nodes[i])) /* else it is copied */
            find_uniform(&e, kernel->nodes[i], seen);
    return e;
}

void eval_at(Eval *e, Node *root, Inst *value)
{
    e->nknown = 0;
    e->here = NULL;
    if (root)
        remember(e, root, value);
}

Inst *eval_here(Eval *e, Node *n, const At *at)
{
    eval_at(e, NULL, NULL);
    e->here = at;
    return eval_node(e, n, at);
}

void eval_know(Eval *e, Node *n, Inst *value)
{
    remember(e, n, value);
}

static Inst *as_vector(Inst *value)
{
    bool scalar = value->type == V_F32 || value->type == V_I32 || value->type == V_BOOL;
    return scalar ? splat(value) : value;
}

/* With a slot the buffer has one axis more than the value. */
static Inst *stored_at(Eval *e, const Store *s, const At *at)
{
    const Buffer *b = s->buffer;
    int slots = s->slot != NULL;
    if (!s->slot && !s->part)
        return element_of(e, b, at);
    At by = with_axes(s->node->shape, at);
    if (s->part)
        by.axis[s->axis] = iadd(by.axis[s->axis], iconst(s->start));
    Inst *within = strided_index(b->shape.rank - slots, b->stride + slots, by.axis);
    return slots ? iadd(within, imul(eval_index(e, s->slot), b->stride[0])) : within;
}

/* The index, in n's shape, of an element of the kernel's space: `at`, or what
 * is made of it in `flat`. */
static const At *index_in(const Eval *e, const Node *n, const At *at, At *flat)
{
    if (at->by_flat || shape_equal(n->shape, e->kernel->space))
        return at;
    *flat =
        (At){.mode = at->mode, .by_flat = true, .flat = flat_of(e->kernel->space, at), .lane = -1};
    return flat;
}

void eval_stores(Eval *e, const At *at)
{
    Kernel *k = e->kernel;
    Inst **value = NEW_ARRAY(Inst *, k->nstores);
    const At **where = NEW_ARRAY(const At *, k->nstores);
    At flat;
    e->here = at;
    for (int i = 0; i < k->nstores; i++) {
        where[i] = index_in(e, k->stores[i].node, at, &flat);
        value[i] = eval_node(e, k->stores[i].node, where[i]);
    }
    for (int i = 0; i < k->nstores; i++) {
        Buffer *b = k->stores[i].buffer;
        Inst *index = stored_at(e, &k->stores[i], where[i]);
        if (holds_samples(b))
            store(b, imul(index, LANES), as_vector(value[i]), e->block);
        else
            store(b, index, at->mode == LANE_AXIS ? as_vector(value[i]) : value[i], NULL);
    }
}

void eval_beside(Eval *e, int n, const At *at)
{
    Kernel *k = e->kernel;
    Eval *each = NEW_ARRAY(Eval, n);
    At flat;
    for (int i = 0; i < n; i++) {
        each[i] = *e;
        each[i].known = NULL;
        each[i].nknown = each[i].known_cap = 0;
        each[i].here = &at[i];
    }
    for (int j = 0; j < k->nnodes; j++)
        for (int i = 0; i < n; i++)
            eval_node(&each[i], k->nodes[j], index_in(e, k->nodes[j], &at[i], &flat));
    for (int i = 0; i < n; i++)
        eval_stores(&each[i], &at[i]);
}

/* ---- Which index suffices ---------------------------------------------------- */

static bool flat_input(const Program *p, const Kernel *k, const Node *in, Shape space)
{
    while (op_is_view(in->op) && p->kernel_of[in->id] < 0) {
        if (in->op == OP_broadcast)
            return !in->in[0]->shape.batch && shape_size(in->in[0]->shape) == 1;
        if (in->op != OP_stop_gradient && !(in->op == OP_reshape && in->shape.batch))
            return false;
        in = in->in[0];
    }
    if (in->op == OP_const || in->op == OP_live)
        return true;
    if (in->op == OP_random || in->op == OP_place)
        return space.batch;
    if (in->op == OP_iota)
        return false;
    if (in->shape.rank == 0 && !in->shape.batch)
        return true;
    if (in->shape.batch)
        return shape_size(in->shape) == shape_size(space);
    if (!shape_equal(in->shape, space) || in->op == OP_input)
        return false;
    bool elsewhere = p->by_node[in->id] && p->kernel_of[in->id] != k->id;
    if (elsewhere || p->kernel_of[in->id] == k->id)
        return true;
    for (int i = 0; i < in->nin; i++)
        if (!flat_input(p, k, in->in[i], space))
            return false;
    return true;
}

/* What a kernel reads and writes of samples, in which order. */
typedef struct Orders {
    bool planes, natural, draws;
} Orders;

static void add_order(Orders *o, const Buffer *b)
{
    if (has_planes(b))
        o->planes = true;
    else if (holds_samples(b))
        o->natural = true;
}

static void add_orders(const Program *p, const Kernel *k, const Node *n, Orders *o)
{
    o->natural = o->natural || n->op == OP_reshape;
    o->draws = o->draws || (n->op == OP_random && n->shape.batch);
    for (int i = 0; i < n->nin; i++) {
        const Node *in = n->in[i];
        if (p->kernel_of[in->id] == k->id)
            continue;
        if (p->by_node[in->id])
            add_order(o, p->by_node[in->id]);
        else if (p->kernel_of[in->id] < 0)
            add_orders(p, k, in, o);
    }
}

static Orders orders_of(const Program *p, const Kernel *k)
{
    Orders o = {0};
    for (int i = 0; i < k->nnodes; i++)
        add_orders(p, k, k->nodes[i], &o);
    for (int i = 0; i < k->nstores; i++)
        add_order(&o, k->stores[i].buffer);
    return o;
}

bool kernel_draws(const Program *p, const Kernel *k)
{
    return orders_of(p, k).draws;
}

bool kernel_has_planes(const Program *p, const Kernel *k)
{
    return orders_of(p, k).planes;
}

bool kernel_is_flat(const Program *p, const Kernel *k)
{
    Orders o = orders_of(p, k);
    if (o.planes && (o.natural || o.draws))
        return false;
    for (int i = 0; i < k->nstores; i++)
        if (k->stores[i].slot || k->stores[i].part)
            return false;
    for (int i = 0; i < k->nnodes; i++) {
        const Node *n = k->nodes[i];
        bool view = op_is_view(n->op) && p->kernel_of[n->id] == k->id;
        if (view && !(n->op == OP_reshape && n->shape.batch) && n->op != OP_stop_gradient)
            return false;
        if (view && !flat_input(p, k, n->in[0], k->space))
            return false;
        if (p->kernel_of[n->id] != k->id && !flat_input(p, k, n, k->space))
            return false;
        if (n->op == OP_iota || (n->op == OP_random && !k->space.batch))
            return false;
        for (int j = 0; j < n->nin && op_is_map(n->op); j++)
            if (!flat_input(p, k, n->in[j], k->space))
                return false;
    }
    return true;
}
