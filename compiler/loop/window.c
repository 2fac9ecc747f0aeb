/* Windows: the place of the largest element, what stands at a place, and
 * adding back to it. The same nests as contractions, with all taps of a
 * window unrolled; overlapping windows scatter by phases, as gathers. */
#include "loop/tile.h"

#include <math.h>
#include <string.h>

typedef struct WindowKernel {
    Program *program;
    Kernel *kernel;
    Node *root;
    Node *gather; /* beside an argmax: what it found, or NULL   */
    Node *operand[2];
    Nest *nest;
    LaneMode mode; /* lanes are samples, neighbors along the last axis, or one */
    Eval eval;
} WindowKernel;

/* ---- The window as a contraction's box: positions, then taps ------------------- */

static Affine plain(int var)
{
    return (Affine){.terms = 1, .var = {var}, .coefficient = {1}};
}

static Affine sliding(const Window *w, int axis, int rank)
{
    if (w->size[axis] == 1 && w->stride[axis] == 1 && w->low[axis] == 0)
        return plain(axis);
    return (Affine){.constant = -w->low[axis],
                    .terms = 2,
                    .var = {axis, rank + axis},
                    .coefficient = {w->stride[axis], w->dilation[axis]}};
}

/* positions: shape of what has an element for each window. */
static Contraction window_box(const Window *w, Shape positions, bool scatter)
{
    Contraction c = {.nvars = 2 * positions.rank};
    for (int i = 0; i < positions.rank; i++) {
        c.extent[i] = positions.dim[i];
        c.extent[positions.rank + i] = w->size[i];
        c.map[scatter ? 0 : 1][i] = sliding(w, i, positions.rank);
        c.map[scatter ? 1 : 0][i] = plain(i);
        c.map[2][i] = plain(i);
    }
    return c;
}

/* ---- The leaf --------------------------------------------------------------------- */

static Inst *window_load(WindowKernel *w, int which, const int64_t *offset)
{
    Node *n = memory_node(w->program, w->operand[which]);
    Inst *index = nest_value(w->nest, &w->nest->address[which], offset);
    bool whole = n->type == T_I32;
    ValueType type = w->mode == LANE_NONE ? (whole ? V_I32 : V_F32) : whole ? V_VI32 : V_VF32;
    if (n->shape.batch)
        index = imul(index, LANES);
    return load(type, w->program->by_node[n->id], index, NULL);
}

/* The tap's place in its window, row-major. */
static int64_t tap_place(const WindowKernel *w, const int64_t *offset)
{
    const Window *window = &w->root->attr.window;
    int rank = w->root->shape.rank;
    int64_t place = 0;
    for (int i = 0; i < rank; i++)
        place = place * window->size[i] + nest_offset(w->nest, &w->nest->value[rank + i], offset);
    return place;
}

static Inst *number(LaneMode mode, double value)
{
    return mode == LANE_NONE ? fconst(value) : splat(fconst(value));
}

static Inst *place_value(LaneMode mode, int64_t place)
{
    return map_convert(number(mode, (double)place), T_I32);
}

/* best: the largest and its place. NaN is larger than everything, the first of
 * equals wins. */
static void take_larger(LaneMode mode, Inst *x, int64_t place, Inst **best)
{
    Inst *keep = map2(OP_or, map2(OP_le, x, best[0]), map1(OP_not, map2(OP_eq, best[0], best[0])));
    best[0] = map_select(keep, best[0], x);
    best[1] = map_select(keep, best[1], place_value(mode, place));
}

static void take_chosen(WindowKernel *w, const int64_t *offset, Inst **acc)
{
    Inst *place = place_value(w->mode, tap_place(w, offset));
    Inst *chosen = map2(OP_eq, window_load(w, 1, offset), place);
    Inst *x = window_load(w, 0, offset);
    if (w->root->op == OP_window_gather)
        acc[0] = map_select(chosen, x, acc[0]);
    else
        acc[0] = map_select(chosen, map2(OP_add, acc[0], x), acc[0]);
}

static void window_leaf(NestEmit *e, Inst **acc)
{
    WindowKernel *w = e->arg;
    int64_t offset[MAX_VARS] = {0};
    int n = nest_outputs(e->nest);
    do {
        for (int i = 0; i < n; i++) {
            nest_output(e->nest, i, offset);
            if (!nest_alive(e->nest, offset))
                continue;
            if (w->root->op == OP_window_argmax)
                take_larger(w->mode, window_load(w, 0, offset), tap_place(w, offset), acc + 2 * i);
            else
                take_chosen(w, offset, acc + i);
        }
    } while (nest_next(e->nest, offset));
}

static Inst *window_start(NestEmit *e, int which)
{
    WindowKernel *w = e->arg;
    if (w->root->op != OP_window_argmax)
        return number(w->mode, 0);
    return which == 0 ? number(w->mode, -INFINITY) : place_value(w->mode, 0);
}

static At output_at(const Nest *nest, LaneMode mode, const int64_t *offset)
{
    At at = {.mode = mode, .lane = mode == LANE_AXIS ? nest->out_rank - 1 : -1};
    for (int a = 0; a < nest->out_rank; a++)
        at.axis[a] = nest_value(nest, &nest->out[a], offset);
    return at;
}

static void window_finish(NestEmit *e, Inst **acc)
{
    WindowKernel *w = e->arg;
    for (int i = 0; i < nest_outputs(e->nest); i++) {
        int64_t offset[MAX_VARS] = {0};
        nest_output(e->nest, i, offset);
        At at = output_at(e->nest, w->mode, offset);
        eval_at(&w->eval, w->root, acc[e->carry * i + e->carry - 1]);
        if (w->gather)
            eval_know(&w->eval, w->gather, acc[e->carry * i]);
        eval_stores(&w->eval, &at);
    }
}

/* ---- Within a contraction --------------------------------------------------------------- */

/* The variable that is the output's index along an axis of windows; -1: none. */
static int side_var(const Nest *nest, const Window *w, int axis)
{
    for (int v = 0; v < nest->nvars; v++)
        if (w->size[axis] > 1 && nest->out[axis].coefficient[v])
            return v;
    return -1;
}

void pool_nest(Nest *nest, const Node *pool, int64_t side[MAX_VARS])
{
    const Window *w = &pool->attr.window;
    for (int v = 0; v < MAX_VARS; v++)
        side[v] = 1;
    for (int i = 0; i < nest->out_rank; i++) {
        int v = side_var(nest, w, i);
        if (v >= 0) {
            side[v] = w->size[i];
            nest->var[v].extent = pool->shape.dim[i] * w->size[i];
        }
    }
}

/* How far apart neighbors along v are in the numbers of a tile's outputs. */
static int number_step(const Nest *nest, int v)
{
    int step = 1;
    for (int w = v + 1; w < nest->nvars; w++)
        step *= nest->var[w].reduced ? 1 : (int)nest->var[w].count;
    return step;
}

/* Moves offset to place `at` of the window that starts there; how much further
 * it stands in the tile's outputs. */
static int move_in_window(const Nest *nest, const Window *w, int64_t at, int64_t *offset)
{
    int further = 0;
    for (int i = nest->out_rank; i-- > 0;) {
        int v = side_var(nest, w, i);
        if (v >= 0) {
            offset[v] += at % w->size[i];
            further += (int)(at % w->size[i]) * number_step(nest, v);
        }
        at /= w->size[i];
    }
    return further;
}

static void pool_window(const Nest *nest, Eval *e, Inst *const *element, const int64_t *first)
{
    Node *pool = e->kernel->pool;
    const Window *w = &pool->attr.window;
    int64_t taps = 1;
    Inst *best[2];
    for (int i = 0; i < nest->out_rank; i++)
        taps *= w->size[i];
    for (int64_t t = 0; t < taps; t++) {
        int64_t offset[MAX_VARS];
        memcpy(offset, first, sizeof offset);
        Inst *root = element[move_in_window(nest, w, t, offset)];
        At at = output_at(nest, LANE_SAMPLE, offset);
        eval_at(e, e->kernel->root, root);
        Inst *x = eval_node(e, pool->in[0], &at);
        if (t == 0) {
            best[0] = x;
            best[1] = place_value(LANE_SAMPLE, 0);
        } else {
            take_larger(LANE_SAMPLE, x, t, best);
        }
    }
    At at = output_at(nest, LANE_SAMPLE, first);
    for (int i = 0; i < nest->out_rank; i++)
        at.axis[i] = idiv(at.axis[i], w->size[i]);
    eval_at(e, pool, best[1]);
    for (int i = 0; i < e->kernel->nnodes; i++)
        if (e->kernel->nodes[i]->op == OP_window_gather)
            eval_know(e, e->kernel->nodes[i], best[0]);
    eval_stores(e, &at);
}

void pool_finish(const Nest *nest, Eval *e, Inst *const *element)
{
    for (int i = 0; i < nest_outputs(nest); i++) {
        int64_t offset[MAX_VARS] = {0};
        bool first = true;
        nest_output(nest, i, offset);
        for (int a = 0; a < nest->out_rank; a++) {
            int v = side_var(nest, &e->kernel->pool->attr.window, a);
            first = first && (v < 0 || offset[v] % e->kernel->pool->attr.window.size[a] == 0);
        }
        if (first)
            pool_window(nest, e, element + i, offset);
    }
}

/* ---- A kernel ------------------------------------------------------------------------ */

/* The variable of an output axis; -1: the axis has one element. */
static int axis_var(const Nest *nest, int axis)
{
    for (int v = 0; v < nest->nvars; v++)
        if (nest->out[axis].coefficient[v] && nest->var[v].extent > 1)
            return v;
    return -1;
}

/* Windows whole; loops in the order of memory: the largest stride outside,
 * neighbors inside, a few of them at a time. */
static Schedule order_by_stride(const Nest *nest, const Buffer *b)
{
    int inner = -1;
    bool done[MAX_RANK] = {0};
    Schedule s = untiled(nest);
    for (int v = 0; v < nest->nvars; v++)
        if (nest->var[v].reduced)
            s.tile[v] = nest->var[v].extent;
    for (int i = 0; i < nest->out_rank; i++) {
        int next = -1;
        for (int a = 0; a < nest->out_rank; a++)
            if (!done[a] && (next < 0 || b->stride[a] > b->stride[next]))
                next = a;
        done[next] = true;
        int v = axis_var(nest, next);
        if (v >= 0)
            inner = s.order[s.norder++] = v;
    }
    if (inner >= 0) {
        int64_t extent = nest->var[inner].extent;
        s.tile[inner] = extent % 7 == 0 ? 7 : extent < 4 ? extent : 4;
        s.norder -= s.tile[inner] >= extent;
    }
    s.nouter = s.norder;
    s.unit_var = s.norder ? s.order[0] : -1;
    return s;
}

static void window_nest(Nest *nest, void *arg)
{
    WindowKernel *w = arg;
    int last = w->root->shape.rank - 1;
    w->nest = nest;
    if (w->mode == LANE_AXIS)
        nest_count_vectors(nest, last);
    nest->by = order_by_stride(nest, w->kernel->stores[0].buffer);
    NestEmit e = {.nest = nest,
                  .kernel = w->kernel,
                  .arg = w,
                  .start = window_start,
                  .carry = w->root->op == OP_window_argmax ? 2 : 1,
                  .leaf = window_leaf,
                  .finish = window_finish};
    nest_emit(&e);
}

/* Is n the value that the root found the place of? */
static bool is_chosen(const Kernel *k, const Node *n)
{
    return k->root->op == OP_window_argmax && n->op == OP_window_gather;
}

/* Do neighbors along the last axis go through the same windows? */
static LaneMode lanes_of(const Program *p, const Kernel *k)
{
    const Window *w = &k->root->attr.window;
    int last = k->root->shape.rank - 1;
    if (k->root->shape.batch)
        return LANE_SAMPLE;
    if (last < 0 || k->root->shape.dim[last] <= 8 || w->size[last] != 1 || w->stride[last] != 1 ||
        w->low[last] != 0)
        return LANE_NONE;
    for (int i = 0; i < k->root->nin; i++) {
        int64_t offset, stride[MAX_RANK];
        memory_strides(p, k->root->in[i], &offset, stride);
        if (stride[last] != 1)
            return LANE_NONE;
    }
    for (int i = 0; i < k->nnodes; i++)
        if (!is_chosen(k, k->nodes[i]) && !lanes_fit(p, k, k->nodes[i], last))
            return LANE_NONE;
    return LANE_AXIS;
}

void lower_window(Program *p, Kernel *k)
{
    WindowKernel w = {.program = p, .kernel = k, .root = k->root, .eval = eval_begin(p, k)};
    bool scatter = k->root->op == OP_window_scatter;
    w.mode = lanes_of(p, k);
    for (int i = 0; i < k->root->nin; i++)
        w.operand[i] = k->root->in[i];
    for (int i = 0; i < k->nnodes; i++)
        if (is_chosen(k, k->nodes[i]))
            w.gather = k->nodes[i];
    Shape positions = scatter ? k->root->in[0]->shape : k->root->shape;
    Contraction box = window_box(&k->root->attr.window, positions, scatter);
    nest_phases(p, k->root->shape, &box, w.operand[0], w.operand[1], window_nest, &w);
}
