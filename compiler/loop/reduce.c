/* Reductions: sums and maxima over features, over the batch, or over the
 * elements of a tensor without a batch. What is reduced is evaluated where it
 * is read, so that a loss needs no buffer for its squares.
 *
 * The order of a sum: over features one chain in the order of the axes, in
 * each lane; over the batch one chain over the blocks in each lane, then the
 * tree over lanes; without a batch, where the last axis is reduced, 16 chains
 * (element i in lane i mod 16 of its row), then the tree; but one chain in what
 * infers, so that a function for one sample has the sums that its batch has. */
#include "loop/lower.h"

#include <math.h>

enum { WIDTH = 4 };

typedef struct ReduceKernel {
    Eval eval;
    Kernel *kernel;
    Node *root, *in;
    int kept[MAX_RANK], nkept;
    int reduced[MAX_RANK], nreduced;
    At at;       /* index into in                              */
    bool lanes;  /* the last reduced axis runs in the lanes    */
    int width;   /* outputs side by side along the last kept axis */
    Shape tiles; /* of the kept axes: the last one by WIDTH    */
    Inst *first; /* of the outputs that fill no WIDTH          */
    Inst *mask;  /* lanes that count, or NULL                  */
} ReduceKernel;

static Inst *start_value(const ReduceKernel *r)
{
    return fconst(r->root->op == OP_reduce_max ? -INFINITY : 0);
}

static Inst *combine(const ReduceKernel *r, Inst *acc, Inst *value)
{
    Inst *next = map2(r->root->op == OP_reduce_max ? OP_max : OP_add, acc, value);
    return r->mask ? map_select(r->mask, next, acc) : next;
}

static Inst *collapse(const ReduceKernel *r, Inst *acc)
{
    return r->root->op == OP_reduce_max ? lane_max(acc) : lane_sum(acc);
}

/* ---- Over axes ------------------------------------------------------------------- */

static void reduce_axes(ReduceKernel *r, int which, Inst **acc);

static void reduce_loop(ReduceKernel *r, int which, Inst *lo, Inst *hi, Inst **acc)
{
    Inst *next[WIDTH], *loop = loop_begin(lo, hi, 1, r->width, acc);
    bool lanes = r->lanes && which == r->nreduced - 1;
    r->at.axis[r->reduced[which]] = lanes ? imul(loop->index, LANES) : loop->index;
    for (int w = 0; w < r->width; w++)
        next[w] = loop->carried[w];
    reduce_axes(r, which + 1, next);
    loop_end(loop, next, acc);
}

/* The last axis in vectors: full ones, then one with a mask. */
static void reduce_lanes(ReduceKernel *r, int which, Inst **acc)
{
    int axis = r->reduced[which];
    int64_t size = r->in->shape.dim[axis], full = size / LANES;
    if (full > 0)
        reduce_loop(r, which, iconst(0), iconst(full), acc);
    if (size % LANES) {
        Inst *limit = map_convert(fconst((double)(size % LANES)), T_I32);
        r->mask = map2(OP_lt, lane_index(), limit);
        r->at.axis[axis] = iconst(full * LANES);
        reduce_axes(r, which + 1, acc);
        r->mask = NULL;
    }
}

/* The index of the w-th of the outputs that are worked out side by side. */
static At beside(const At *at, int axis, int w)
{
    At moved = *at;
    if (w > 0)
        moved.axis[axis] = iadd(at->axis[axis], iconst(w));
    return moved;
}

static void reduce_axes(ReduceKernel *r, int which, Inst **acc)
{
    if (which < r->nreduced && r->lanes && which == r->nreduced - 1) {
        reduce_lanes(r, which, acc);
    } else if (which < r->nreduced) {
        reduce_loop(r, which, iconst(0), iconst(r->in->shape.dim[r->reduced[which]]), acc);
    } else {
        for (int w = 0; w < r->width; w++) {
            At at = beside(&r->at, r->kept[r->nkept - 1 < 0 ? 0 : r->nkept - 1], w);
            acc[w] = combine(r, acc[w], eval_here(&r->eval, r->in, &at));
        }
    }
}

static void reduce_at(Inst **index, void *arg)
{
    ReduceKernel *r = arg;
    At out = {.mode = r->at.mode == LANE_SAMPLE ? LANE_SAMPLE : LANE_NONE, .lane = -1};
    for (int i = 0; i < r->nkept; i++) {
        bool tiled = i == r->nkept - 1;
        out.axis[i] = tiled ? iadd(imul(index[i], WIDTH), r->first) : index[i];
        r->at.axis[r->kept[i]] = out.axis[i];
    }
    Inst *acc[WIDTH];
    for (int w = 0; w < r->width; w++)
        acc[w] = r->at.mode != LANE_NONE ? splat(start_value(r)) : start_value(r);
    reduce_axes(r, 0, acc);
    for (int w = 0; w < r->width; w++) {
        At at = beside(&out, r->nkept - 1, w);
        eval_at(&r->eval, r->root, r->lanes ? collapse(r, acc[w]) : acc[w]);
        eval_stores(&r->eval, &at);
    }
}

static void reduce_outermost(Inst *u, void *arg)
{
    ReduceKernel *r = arg;
    Inst *index[MAX_RANK] = {u};
    for_axes(r->tiles, 1, index, reduce_at, r);
}

/* WIDTH outputs along the last kept axis at a time: their chains of additions
 * overlap. Then what is left over. */
static void lower_over_axes(ReduceKernel *r)
{
    Kernel *k = r->kernel;
    Shape kept = r->root->shape;
    int last = r->nkept - 1;
    int64_t n = last < 0 ? 1 : kept.dim[last], full = n / WIDTH, rest = n % WIDTH;
    r->tiles = kept;
    if (last < 0) {
        k->units = r->width = 1;
        r->first = iconst(0);
        for_each(k->u0, k->u1, 1, reduce_outermost, r);
        return;
    }
    k->units = last == 0 ? full + (rest > 0) : kept.dim[0];
    if (full > 0) {
        r->tiles.dim[last] = full;
        r->width = WIDTH;
        r->first = iconst(0);
        for_each(k->u0, last == 0 ? imin(k->u1, iconst(full)) : k->u1, 1, reduce_outermost, r);
    }
    if (rest > 0) {
        r->tiles.dim[last] = 1;
        r->width = (int)rest;
        r->first = iconst(last == 0 ? 0 : full * WIDTH);
        for_each(last == 0 ? imax(k->u0, iconst(full)) : k->u0, k->u1, 1, reduce_outermost, r);
    }
}

/* ---- Over the batch ----------------------------------------------------------------- */

/* Sixteen features at once, so that their lanes are summed together. */
typedef struct BatchTile {
    ReduceKernel *r;
    Inst *first;
    int width;
} BatchTile;

static Inst *feature(const BatchTile *t, int i)
{
    int64_t size = shape_size(t->r->in->shape);
    return imin(iadd(t->first, iconst(i)), iconst(size - 1));
}

static void over_blocks(BatchTile *t, Inst **acc)
{
    ReduceKernel *r = t->r;
    Inst *next[LANES];
    Inst *blocks = block_count();
    Inst *loop = loop_begin(iconst(0), blocks, 1, t->width, acc);
    r->eval.block = loop->index;
    r->mask = live_mask(loop->index);
    for (int i = 0; i < t->width; i++) {
        At at = {.mode = LANE_SAMPLE, .lane = -1};
        split_index(r->in->shape, feature(t, i), at.axis);
        next[i] = combine(r, loop->carried[i], eval_here(&r->eval, r->in, &at));
    }
    loop_end(loop, next, acc);
    r->eval.block = NULL;
    r->mask = NULL;
}

/* Results of a tensor of rank 2 or more are stored one by one. */
static void store_singly(BatchTile *t, Inst *sums)
{
    ReduceKernel *r = t->r;
    for (int i = 0; i < t->width; i++) {
        At at = {.mode = LANE_NONE, .lane = -1};
        split_index(r->root->shape, feature(t, i), at.axis);
        eval_at(&r->eval, r->root, pick(sums, i));
        eval_stores(&r->eval, &at);
    }
}

static void batch_tile(Inst *u, void *arg)
{
    ReduceKernel *r = arg;
    BatchTile t = {r, imul(u, LANES), LANES};
    Inst *acc[LANES];
    for (int i = 0; i < LANES; i++)
        acc[i] = splat(start_value(r));
    over_blocks(&t, acc);
    Inst *sums = lane_sums(acc);
    At at = {.mode = LANE_AXIS, .lane = 0, .axis = {t.first}};
    if (r->root->shape.rank > 1) {
        store_singly(&t, sums);
        return;
    }
    eval_at(&r->eval, r->root, sums);
    eval_stores(&r->eval, &at);
}

static void batch_single(Inst *u, void *arg)
{
    ReduceKernel *r = arg;
    BatchTile t = {r, u, 1};
    Inst *acc = splat(start_value(r));
    over_blocks(&t, &acc);
    At at = {.mode = LANE_NONE, .lane = -1};
    split_index(r->root->shape, u, at.axis);
    eval_at(&r->eval, r->root, collapse(r, acc));
    eval_stores(&r->eval, &at);
}

static void lower_over_batch(ReduceKernel *r)
{
    Kernel *k = r->kernel;
    int64_t size = shape_size(r->in->shape);
    bool tiles = r->root->op == OP_reduce_sum && r->root->shape.rank > 0;
    k->units = tiles ? (size + LANES - 1) / LANES : size;
    for_each(k->u0, k->u1, 1, tiles ? batch_tile : batch_single, r);
}

/* ---- Over the chunks ------------------------------------------------------------------ */

typedef struct Join {
    Buffer *part, *sum;
    Inst *first; /* is this the first chunk?    */
} Join;

static void join_vector(Inst *u, void *arg)
{
    const Join *j = arg;
    Inst *at = imul(u, LANES), *before = load(V_VF32, j->sum, at, NULL);
    before = map_select(j->first, splat(fconst(0)), before);
    store(j->sum, at, map2(OP_add, before, load(V_VF32, j->part, at, NULL)), NULL);
}

/* Called for one chunk after another: the chain of their sums from zero. */
void lower_join(Program *p, Kernel *k)
{
    int64_t stride[MAX_RANK];
    Inst *chunk = splat(map_convert(k->block, T_I32));
    Join j = {p->part_by_node[k->root->id], p->by_node[k->root->id],
              map2(OP_lt, chunk, vconst(V_VI32, 1))};
    k->units = storage_of(k->root->shape, stride) / LANES;
    for_each(k->u0, k->u1, 1, join_vector, &j);
}

static bool infers(const Fn *fn)
{
    return fn->kind == FN_NETWORK || fn->kind == FN_SINGLE || fn->single;
}

void lower_reduce(Program *p, Kernel *k)
{
    ReduceKernel r = {.eval = eval_begin(p, k), .kernel = k, .root = k->root, .in = k->root->in[0]};
    if (r.root->attr.axes[MAX_RANK] && r.in->shape.batch) {
        if (r.in->shape.rank != r.root->shape.rank)
            die("a reduction of %s mixes features and batch", k->name);
        lower_over_batch(&r);
        return;
    }
    for (int i = 0; i < r.in->shape.rank; i++)
        if (r.root->attr.axes[i])
            r.reduced[r.nreduced++] = i;
        else
            r.kept[r.nkept++] = i;
    int last = r.in->shape.rank - 1;
    r.lanes = !r.in->shape.batch && !infers(p->fn) && r.nreduced > 0 &&
              r.reduced[r.nreduced - 1] == last && r.in->shape.dim[last] > 8 &&
              lanes_fit(p, k, r.in, last);
    r.at.mode = r.in->shape.batch ? LANE_SAMPLE : r.lanes ? LANE_AXIS : LANE_NONE;
    r.at.lane = r.lanes ? last : -1;
    lower_over_axes(&r);
}
