/* Kernels that put elements elsewhere: padding, concatenation, data written
 * in the program, rows by number, the copy with samples apart. */
#include "loop/lower.h"

typedef struct CopyKernel {
    Program *program;
    Kernel *kernel;
    Node *root, *part; /* part: the operand copied at the moment     */
    Eval eval;
    int64_t start[MAX_RANK], step[MAX_RANK]; /* part's index -> root's     */
    int64_t first[MAX_RANK];                 /* first index of part that is not cropped    */
    void (*body)(struct CopyKernel *);
} CopyKernel;

static At at_index(const Kernel *k, Inst **index, int rank)
{
    At at = {.mode = k->kind == KERNEL_BLOCK ? LANE_SAMPLE : LANE_NONE, .lane = -1};
    for (int i = 0; i < rank; i++)
        at.axis[i] = index[i];
    return at;
}

static void put(const CopyKernel *c, Inst *value, Inst **index)
{
    for (int i = 0; i < c->kernel->nstores; i++) {
        Buffer *b = c->kernel->stores[i].buffer;
        if (holds_samples(b))
            store(b, imul(strided_index(b->shape.rank, b->stride, index), LANES), splat(value),
                  NULL);
        else
            store(b, storage_index(c->root->shape, index), value, NULL);
    }
}

/* ---- Padding and concatenation: boxes copied into a larger one -------------------- */

static void copy_element(Inst **index, void *arg)
{
    CopyKernel *c = arg;
    Inst *from[MAX_RANK], *to[MAX_RANK];
    int rank = c->root->shape.rank;
    for (int i = 0; i < rank; i++) {
        from[i] = iadd(index[i], iconst(c->first[i]));
        to[i] = iadd(imul(from[i], c->step[i]), iconst(c->start[i]));
    }
    At at = at_index(c->kernel, from, rank);
    put(c, eval_here(&c->eval, c->part, &at), to);
}

static void fill_element(Inst **index, void *arg)
{
    CopyKernel *c = arg;
    At at = at_index(c->kernel, index, c->root->shape.rank);
    put(c, eval_here(&c->eval, c->root->in[1], &at), index);
}

static int64_t div_up(int64_t a, int64_t b)
{
    return a <= 0 ? 0 : (a + b - 1) / b;
}

/* Copies what of the part falls inside the root. */
static void copy_box(CopyKernel *c)
{
    Shape box = c->part->shape;
    Inst *index[MAX_RANK];
    for (int i = 0; i < box.rank; i++) {
        c->first[i] = div_up(-c->start[i], c->step[i]);
        int64_t end = div_up(c->root->shape.dim[i] - c->start[i], c->step[i]);
        end = end < box.dim[i] ? end : box.dim[i];
        box.dim[i] = end - c->first[i];
        if (box.dim[i] <= 0)
            return;
    }
    for_axes(box, 0, index, copy_element, c);
}

static void emit_pad(CopyKernel *c)
{
    Inst *index[MAX_RANK];
    for_axes(c->root->shape, 0, index, fill_element, c);
    c->part = c->root->in[0];
    for (int i = 0; i < c->root->shape.rank; i++) {
        c->start[i] = c->root->attr.pad.low[i];
        c->step[i] = c->root->attr.pad.interior[i] + 1;
    }
    copy_box(c);
}

static void emit_concatenate(CopyKernel *c)
{
    int axis = c->root->attr.axis;
    for (int i = 0; i < c->root->shape.rank; i++) {
        c->start[i] = 0;
        c->step[i] = 1;
    }
    for (int i = 0; i < c->root->nin; i++) {
        c->part = c->root->in[i];
        copy_box(c);
        c->start[axis] += c->part->shape.dim[axis];
    }
}

/* ---- Data ---------------------------------------------------------------------------- */

static void emit_data(CopyKernel *c)
{
    int64_t size = shape_size(c->root->shape);
    for (int64_t e = 0; e < size; e++) {
        Inst *index[MAX_RANK];
        int64_t rest = e;
        for (int i = c->root->shape.rank; i-- > 0; rest /= c->root->shape.dim[i])
            index[i] = iconst(rest % c->root->shape.dim[i]);
        Inst *value = fconst(c->root->attr.constant.data[e]);
        put(c, map_convert(value, c->root->type), index);
    }
}

static void emit_orthogonal(CopyKernel *c)
{
    for (int i = 0; i < c->kernel->nstores; i++)
        call_orthogonal(c->kernel->stores[i].buffer, c->root->attr.random.path);
}

static void emit_body(Inst *u, void *arg)
{
    CopyKernel *c = arg;
    (void)u;
    c->body(c);
}

static void lower_once(Program *p, Kernel *k, void (*body)(CopyKernel *))
{
    CopyKernel c = {
        .program = p, .kernel = k, .root = k->root, .eval = eval_begin(p, k), .body = body};
    for_each(k->u0, k->u1, 1, emit_body, &c);
}

void lower_copy(Program *p, Kernel *k)
{
    switch (k->root->op) {
    case OP_pad: lower_once(p, k, emit_pad); break;
    case OP_concatenate: lower_once(p, k, emit_concatenate); break;
    case OP_const: lower_once(p, k, emit_data); break;
    case OP_orthogonal: lower_once(p, k, emit_orthogonal); break;
    default: die("%s is no copy", op_name[k->root->op]);
    }
}

/* ---- Samples apart ------------------------------------------------------------------------ */

/* Vectors of 16 neighbors along the last axis, those of 16 samples together:
 * a matrix of each 16 elements and 16 samples is transposed. */
typedef struct RowsKernel {
    Program *program;
    Buffer *from, *to;
    Node *root;
    int64_t offset, stride[MAX_RANK]; /* of the root's elements in `from` */
    Inst *shift;
} RowsKernel;

static int64_t vectors_of(const RowsKernel *r)
{
    int last = r->root->shape.rank - 1;
    return (r->root->shape.dim[last] + LANES - 1) / LANES;
}

/* Elements that do not exist, at the end of the last axis, are copies. */
static void emit_rows(Inst *u, void *arg)
{
    const RowsKernel *r = arg;
    Shape shape = r->root->shape;
    int last = shape.rank - 1;
    int64_t size = shape.dim[last];
    Inst *v[LANES], *out[LANES], *axis[MAX_RANK], *to = imul(u, LANES * LANES);
    shape.dim[last] = vectors_of(r);
    split_index(shape, u, axis);
    Inst *first = imul(axis[last], LANES);
    axis[last] = iconst(0);
    Inst *place = iadd(r->shift, strided_index(shape.rank, r->stride, axis));
    for (int i = 0; i < LANES; i++) {
        Inst *element = iadd(first, iconst(i));
        if (size % LANES)
            element = imin(element, iconst(size - 1));
        element = iadd(place, imul(element, r->stride[last]));
        v[i] = load(V_VF32, r->from, imul(element, LANES), NULL);
    }
    transpose16(v, out);
    for (int i = 0; i < LANES; i++)
        store(r->to, iadd(to, iconst(i * LANES)), out[i], NULL);
}

void lower_rows(Program *p, Kernel *k)
{
    RowsKernel r = {.from = p->by_node[memory_node(p, k->root)->id],
                    .to = k->stores[0].buffer,
                    .root = k->root};
    Eval eval = eval_begin(p, k);
    memory_strides(p, k->root, &r.offset, r.stride);
    r.shift = iadd(memory_shift(&eval, k->root), iconst(r.offset));
    k->units =
        shape_size(k->root->shape) / k->root->shape.dim[k->root->shape.rank - 1] * vectors_of(&r);
    for_each(k->u0, k->u1, 1, emit_rows, &r);
}

/* ---- Rows by number ---------------------------------------------------------- */

typedef struct IndexKernel {
    Program *program;
    Kernel *kernel;
    Node *root;
    Eval eval;
    Inst *row, *lane_of[LANES];
    At number;
    Inst *block;
    int lane;
} IndexKernel;

/* The clamped row number in each lane. */
static void find_rows(IndexKernel *x, Node *numbers, const At *at)
{
    Inst *n = eval_here(&x->eval, numbers, at);
    int64_t rows = x->root->in[0]->shape.dim[0];
    for (int l = 0; l < LANES; l++) {
        Inst *one = n->type == V_VI32 ? pick(n, l) : n;
        x->lane_of[l] = imax(imin(index_from(one), iconst(rows - 1)), iconst(0));
    }
}

static void gather_element(Inst **rest, void *arg)
{
    IndexKernel *x = arg;
    Node *table = x->root->in[0];
    Inst *from[MAX_RANK], *to[MAX_RANK];
    int numbers = x->root->in[1]->shape.rank, width = table->shape.rank - 1;
    for (int i = 0; i < numbers; i++)
        to[i] = x->number.axis[i];
    for (int i = 0; i < width; i++)
        to[numbers + i] = from[1 + i] = rest[i];
    bool block = x->root->shape.batch;
    for (int l = 0; l < (block ? LANES : 1); l++) {
        At at = {.mode = LANE_NONE, .lane = -1};
        from[0] = x->lane_of[l];
        for (int i = 0; i <= width; i++)
            at.axis[i] = from[i];
        Inst *value = eval_here(&x->eval, table, &at);
        for (int s = 0; s < x->kernel->nstores; s++) {
            Buffer *b = x->kernel->stores[s].buffer;
            Inst *index = block ? iadd(imul(natural_index(x->root->shape, to), LANES), iconst(l))
                                : storage_index(x->root->shape, to);
            store(b, index, value, NULL);
        }
    }
}

static Shape row_shape(const Node *table)
{
    return shape_of(false, table->shape.rank - 1, table->shape.dim + 1);
}

static void gather_numbers(Inst **index, void *arg)
{
    IndexKernel *x = arg;
    Inst *rest[MAX_RANK];
    x->number = at_index(x->kernel, index, x->root->in[1]->shape.rank);
    find_rows(x, x->root->in[1], &x->number);
    for_axes(row_shape(x->root->in[0]), 0, rest, gather_element, x);
}

static void add_element(Inst **rest, void *arg)
{
    IndexKernel *x = arg;
    Node *update = x->root->in[2];
    int numbers = x->root->in[1]->shape.rank, width = x->root->shape.rank - 1;
    Inst *to[MAX_RANK];
    At at = x->number;
    for (int i = 0; i < width; i++)
        to[1 + i] = at.axis[numbers + i] = rest[i];
    to[0] = x->lane_of[x->lane];
    Inst *value = eval_here(&x->eval, update, &at);
    value = value->type == V_VF32 ? pick(value, x->lane) : value;
    for (int s = 0; s < x->kernel->nstores; s++) {
        Buffer *b = x->kernel->stores[s].buffer;
        Inst *index = storage_index(x->root->shape, to);
        store(b, index, map2(OP_add, load(V_F32, b, index, NULL), value), NULL);
    }
}

static void add_live_lane(Inst *once, void *arg)
{
    IndexKernel *x = arg;
    Inst *rest[MAX_RANK];
    (void)once;
    for_axes(row_shape(x->root), 0, rest, add_element, x);
}

static void add_numbers(Inst **index, void *arg)
{
    IndexKernel *x = arg;
    bool batch = x->root->in[1]->shape.batch;
    x->number = (At){.mode = batch ? LANE_SAMPLE : LANE_NONE, .lane = -1};
    for (int i = 0; i < x->root->in[1]->shape.rank; i++)
        x->number.axis[i] = index[i];
    find_rows(x, x->root->in[1], &x->number);
    for (x->lane = 0; x->lane < (batch ? LANES : 1); x->lane++) {
        Inst *first = imul(x->block, LANES);
        Inst *alive = iadd(iadd(live_count(V_INDEX), imul(first, -1)), iconst(-x->lane));
        for_each(iconst(0), batch ? imin(alive, iconst(1)) : iconst(1), 1, add_live_lane, x);
    }
}

static void add_block(Inst *block, void *arg)
{
    IndexKernel *x = arg;
    Inst *index[MAX_RANK];
    x->block = block;
    x->eval.block = x->root->in[1]->shape.batch ? block : NULL;
    for_axes(x->root->in[1]->shape, 0, index, add_numbers, x);
}

static void copy_start(Inst **index, void *arg)
{
    IndexKernel *x = arg;
    At at = at_index(x->kernel, index, x->root->shape.rank);
    CopyKernel c = {.program = x->program, .kernel = x->kernel, .root = x->root};
    put(&c, eval_here(&x->eval, x->root->in[0], &at), index);
}

static void emit_index(Inst *u, void *arg)
{
    IndexKernel *x = arg;
    Inst *index[MAX_RANK];
    (void)u;
    if (x->root->op == OP_gather_rows) {
        for_axes(x->root->in[1]->shape, 0, index, gather_numbers, x);
        return;
    }
    for_axes(x->root->shape, 0, index, copy_start, x);
    Inst *blocks = x->root->in[1]->shape.batch ? block_count() : iconst(1);
    for_each(iconst(0), blocks, 1, add_block, x);
}

void lower_index(Program *p, Kernel *k)
{
    IndexKernel x = {.program = p, .kernel = k, .root = k->root, .eval = eval_begin(p, k)};
    if (k->root->op == OP_scatter_add_rows && k->root->shape.batch)
        die("scatter_add_rows into a tensor of each sample");
    for_each(k->u0, k->u1, 1, emit_index, &x);
}
