/* Elementwise kernels: one pass over the elements of a space.
 *
 * Over blocks, lanes are samples. Without a batch, lanes are 16 neighbors in
 * storage where that suffices, else 16 neighbors of the last axis, else each
 * element by itself (initial values: random numbers have no lanes there).
 * Elements over blocks with long functions come in pairs. */
#include "loop/tile.h"

void for_each(Inst *lo, Inst *hi, int64_t step, LoopBody *body, void *arg)
{
    Inst *loop = loop_begin(lo, hi, step, 0, NULL);
    body(loop->index, arg);
    loop_end(loop, NULL, NULL);
}

Inst *block_count(void)
{
    return idiv(iadd(live_count(V_INDEX), iconst(LANES - 1)), LANES);
}

void block_range(const Program *p, const Kernel *k, Inst **lo, Inst **hi)
{
    bool chunk = k->kind == KERNEL_CHUNK;
    *lo = chunk ? imul(k->block, p->chunk) : iconst(0);
    *hi = chunk ? imin(iadd(*lo, iconst(p->chunk)), block_count()) : block_count();
}

typedef struct AxesWalk {
    Shape shape;
    int axis;
    Inst **index;
    AxesBody *body;
    void *arg;
} AxesWalk;

static void walk_axis(Inst *i, void *arg)
{
    AxesWalk *w = arg;
    w->index[w->axis] = i;
    for_axes(w->shape, w->axis + 1, w->index, w->body, w->arg);
}

void for_axes(Shape shape, int axis, Inst **index, AxesBody *body, void *arg)
{
    if (axis >= shape.rank) {
        body(index, arg);
        return;
    }
    AxesWalk w = {shape, axis, index, body, arg};
    if (shape.dim[axis] == 1)
        walk_axis(iconst(0), &w);
    else
        for_each(iconst(0), iconst(shape.dim[axis]), 1, walk_axis, &w);
}

typedef struct MapKernel {
    Eval eval;
    Kernel *kernel;
    LaneMode mode;
    Shape space;  /* last axis in vectors with LANE_AXIS        */
    Inst *from;   /* first element of the unit                  */
    int64_t size; /* elements, by one index                     */
} MapKernel;

/* ---- By one index -------------------------------------------------------------- */

enum { UNIT_ELEMENTS = 16, UNROLL = 4 };

static void emit_flat(MapKernel *m, Inst *flat)
{
    At at = {.mode = m->mode, .by_flat = true, .flat = flat};
    eval_at(&m->eval, NULL, NULL);
    eval_stores(&m->eval, &at);
}

static void emit_four(Inst *i, void *arg)
{
    MapKernel *m = arg;
    for (int k = 0; k < UNROLL; k++)
        emit_flat(m, iadd(iadd(m->from, imul(i, UNROLL)), iconst(k)));
}

/* Fours of a unit; the last one may have fewer, even none. */
static void emit_unit(Inst *u, void *arg)
{
    MapKernel *m = arg;
    int64_t fours = m->size / UNROLL, most = UNIT_ELEMENTS / UNROLL;
    Inst *n = iconst(most);
    m->from = imul(u, UNIT_ELEMENTS);
    if (m->size % UNIT_ELEMENTS)
        n = imin(n, iadd(iconst(fours), imul(u, -most)));
    for_each(iconst(0), n, 1, emit_four, m);
}

/* Elements from the first to the last of what the kernel writes. */
static int64_t storage_span(const Kernel *k)
{
    const Buffer *b = k->stores[0].buffer;
    int64_t span = 1;
    for (int i = 0; i < b->shape.rank; i++)
        span += (b->shape.dim[i] - 1) * b->stride[i];
    return span;
}

/* Elements behind the last four. */
static void emit_tail(Inst *u, void *arg)
{
    MapKernel *m = arg;
    (void)u;
    for (int64_t e = m->size / UNROLL * UNROLL; e < m->size; e++)
        emit_flat(m, iconst(e));
}

static void emit_vector(Inst *u, void *arg)
{
    emit_flat(arg, imul(u, LANES));
}

static void lower_flat(MapKernel *m)
{
    Kernel *k = m->kernel;
    if (m->mode == LANE_AXIS) {
        int64_t stride[MAX_RANK];
        k->units = storage_of(k->space, stride) / LANES;
        for_each(k->u0, k->u1, 1, emit_vector, m);
        return;
    }
    m->size = storage_span(k);
    k->units = (m->size + UNIT_ELEMENTS - 1) / UNIT_ELEMENTS;
    if (m->size >= UNROLL)
        for_each(k->u0, k->u1, 1, emit_unit, m);
    if (m->size % UNROLL)
        for_each(imax(k->u0, iconst(k->units - 1)), k->u1, 1, emit_tail, m);
}

/* ---- By an index for each axis ---------------------------------------------------- */

static At at_axes(const MapKernel *m, Inst *const *index)
{
    int last = m->space.rank - 1;
    At at = {.mode = m->mode, .lane = m->mode == LANE_AXIS ? last : -1};
    for (int i = 0; i < m->space.rank; i++)
        at.axis[i] = index[i];
    if (m->mode == LANE_AXIS)
        at.axis[last] = imul(index[last], LANES);
    return at;
}

static void emit_axes(Inst **index, void *arg)
{
    MapKernel *m = arg;
    At at = at_axes(m, index);
    eval_at(&m->eval, NULL, NULL);
    eval_stores(&m->eval, &at);
}

static void emit_outermost(Inst *u, void *arg)
{
    MapKernel *m = arg;
    Inst *index[MAX_RANK] = {u};
    for_axes(m->space, 1, index, emit_axes, m);
}

/* ---- Two elements at a time -------------------------------------------------------------- */

static void emit_two(Inst **index, void *arg)
{
    MapKernel *m = arg;
    At at[2] = {at_axes(m, index), at_axes(m, index)};
    at[1].axis[0] = iadd(index[0], iconst(1));
    eval_beside(&m->eval, 2, at);
}

static void emit_outermost_two(Inst *u, void *arg)
{
    MapKernel *m = arg;
    Inst *index[MAX_RANK] = {imul(u, 2)};
    for_axes(m->space, 1, index, emit_two, m);
}

static void emit_last(Inst *u, void *arg)
{
    const MapKernel *m = arg;
    (void)u;
    emit_outermost(iconst(m->space.dim[0] - 1), arg);
}

/* Chains of long functions leave a core waiting that could do the next element. */
static bool takes_two(const MapKernel *m)
{
    const Shape *s = &m->space;
    double work = 0;
    for (int i = 0; i < m->kernel->nnodes; i++)
        work += op_instructions(m->kernel->nodes[i]);
    return m->mode == LANE_SAMPLE && s->rank > 0 && s->dim[0] > 1 && work > 40;
}

static void lower_axes(MapKernel *m)
{
    Kernel *k = m->kernel;
    int64_t outermost = m->space.rank ? m->space.dim[0] : 1;
    if (!takes_two(m)) {
        k->units = outermost;
        for_each(k->u0, k->u1, 1, emit_outermost, m);
        return;
    }
    k->units = (outermost + 1) / 2;
    for_each(k->u0, imin(k->u1, iconst(outermost / 2)), 1, emit_outermost_two, m);
    if (outermost % 2)
        for_each(imax(k->u0, iconst(outermost / 2)), k->u1, 1, emit_last, m);
}

/* ---- Images in planes ------------------------------------------------------------------ */

/* Channel by channel; with random numbers of a pixel as many channels as one call
 * draws for. */
typedef struct Planes {
    MapKernel m;
    int channels;
} Planes;

static void emit_pixel(Inst **index, void *arg)
{
    Planes *p = arg;
    for (int k = 0; k < p->channels; k++) {
        Inst *at[] = {index[0], index[1], iadd(p->m.from, iconst(k))};
        emit_axes(at, &p->m);
    }
}

static void emit_channels(Inst *u, void *arg)
{
    Planes *p = arg;
    Inst *index[MAX_RANK];
    p->m.from = imul(u, p->channels);
    for_axes(shape_of(true, 2, p->m.space.dim), 0, index, emit_pixel, p);
}

static void lower_planes(const MapKernel *m, int channels)
{
    Kernel *k = m->kernel;
    Planes p = {*m, channels};
    k->units = m->space.dim[2] / channels;
    for_each(k->u0, k->u1, 1, emit_channels, &p);
}

/* ---- Which of them -------------------------------------------------------------------- */

static bool is_stored_as_counted(const Program *p, const Kernel *k, const Node *n)
{
    int computed_by = p->kernel_of[n->id];
    return (n->op == OP_var || (computed_by >= 0 && computed_by != k->id)) && is_natural(n);
}

bool lanes_fit(const Program *p, const Kernel *k, const Node *n, int lane)
{
    if (n->op == OP_random || n->shape.batch)
        return false;
    bool elsewhere = n->op == OP_var || p->kernel_of[n->id] >= 0;
    if ((elsewhere && p->kernel_of[n->id] != k->id) || (n == k->root && k->form != FORM_MAP))
        return lane < 0 || lane == n->shape.rank - 1;
    int next = lane;
    switch (n->op) {
    case OP_broadcast:
        next = lane < 0 ? -1 : n->attr.map[lane];
        if (next >= 0 && n->in[0]->shape.dim[next] == 1)
            next = -1;
        break;
    case OP_element:
        if (n->shape.rank == 0 || n->shape.dim[n->shape.rank - 1] <= 8)
            return false;
        return lanes_fit(p, k, n->in[0], lane < 0 ? -1 : lane + 1);
    case OP_transpose: next = lane < 0 ? -1 : n->attr.permutation[lane]; break;
    case OP_reshape: return lane == n->shape.rank - 1 && is_stored_as_counted(p, k, n->in[0]);
    case OP_slice:
    case OP_reverse: return false;
    default: break;
    }
    for (int i = 0; i < n->nin; i++)
        if (!lanes_fit(p, k, n->in[i], next))
            return false;
    return true;
}

static bool lanes_along_last(const Program *p, const Kernel *k)
{
    Shape s = k->space;
    if (s.rank == 0 || (s.rank > 1 && s.dim[s.rank - 1] <= 8))
        return false;
    for (int i = 0; i < k->nstores; i++) /* a whole vector would reach the next slot */
        if (k->stores[i].slot && s.dim[s.rank - 1] <= 8)
            return false;
    for (int i = 0; i < k->nnodes; i++)
        if (!lanes_fit(p, k, k->nodes[i], s.rank - 1))
            return false;
    return true;
}

void lower_map(Program *p, Kernel *k)
{
    MapKernel m = {.eval = eval_begin(p, k), .kernel = k, .space = k->space};
    bool flat = kernel_is_flat(p, k);
    if (k->kind == KERNEL_BLOCK)
        m.mode = LANE_SAMPLE;
    else if (k->space.rank > 0 && flat)
        m.mode = LANE_AXIS;
    else if (lanes_along_last(p, k)) {
        m.mode = LANE_AXIS;
        int64_t *last = &m.space.dim[m.space.rank - 1];
        *last = (*last + LANES - 1) / LANES;
    }
    bool planes = kernel_has_planes(p, k);
    m.eval.by_memory = flat && planes;
    if (flat && k->space.rank > 0)
        lower_flat(&m);
    else if (planes && k->space.rank == 3)
        lower_planes(&m, kernel_draws(p, k) && k->space.dim[2] % DRAWS == 0 ? DRAWS : 1);
    else
        lower_axes(&m);
}
