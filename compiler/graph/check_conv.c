/* Products, convolutions and windows as Contraction and Window: the affine
 * maps of their indices. Spatial axes come first, channels last; any number
 * of spatial axes from 1 to 3.
 *
 *   convolution: out[o…, g Kg + k] += x[s o + d r - low…, g Cg + c]
 *                                     * kernel[r…, c, g Kg + k]
 * with variables (g), o…, k, then the reduced r… but the last, c, last r. */
#include "graph/check.h"

#include <string.h>

enum { MAX_SPATIAL = 3 };

static Affine index1(int var, int64_t coefficient)
{
    return (Affine){.terms = 1, .var = {var}, .coefficient = {coefficient}};
}

static Affine index2(int var, int64_t coefficient, int var2, int64_t coefficient2)
{
    return (Affine){.terms = 2, .var = {var, var2}, .coefficient = {coefficient, coefficient2}};
}

static int new_variable(Contraction *k, int64_t extent)
{
    k->extent[k->nvars] = extent;
    return k->nvars++;
}

/* ---- x @ w ------------------------------------------------------------------------ */

static bool product_fits(Shape a, Shape b)
{
    if (a.rank < 1 || b.rank < 1)
        return false;
    if (b.rank <= 2)
        return a.dim[a.rank - 1] == b.dim[0];
    if (a.rank != b.rank || a.dim[a.rank - 1] != b.dim[b.rank - 2])
        return false;
    return memcmp(a.dim, b.dim, sizeof *a.dim * (size_t)(a.rank - 2)) == 0;
}

/* Last axis of a with the last but one of b; axes before are shared where b
 * has them, else free. Variables: the axes of a, then the last of b. */
static Node *product_node(Node *a, Node *b)
{
    Contraction k = {0};
    int ra = a->shape.rank, rb = b->shape.rank;
    Shape out = {.batch = a->shape.batch || b->shape.batch};
    for (int i = 0; i < ra; i++) {
        int v = new_variable(&k, a->shape.dim[i]);
        k.map[1][i] = index1(v, 1);
        if (i < ra - 1) {
            k.map[0][out.rank] = index1(v, 1);
            out.dim[out.rank++] = a->shape.dim[i];
        }
        if (rb > 2 && i < ra - 2)
            k.map[2][i] = index1(v, 1);
    }
    k.map[2][rb > 1 ? rb - 2 : 0] = index1(ra - 1, 1);
    if (rb > 1) {
        int v = new_variable(&k, b->shape.dim[rb - 1]);
        k.map[2][rb - 1] = k.map[0][out.rank] = index1(v, 1);
        out.dim[out.rank++] = b->shape.dim[rb - 1];
    }
    return graph_contract(out, a, b, &k);
}

Value matrix_product(Check *c, Pos pos, Value a, Value b)
{
    Node *x = to_number_node(c, a), *w = to_number_node(c, b);
    if (!x || !w)
        return v_error();
    if (!product_fits(x->shape, w->shape)) {
        report(c, pos, "shapes do not fit `@`: %s, %s", introduce(a), introduce(b));
        advise(c, "the last axis of the left is the first of the right: [n] @ [n, m]");
        return v_error();
    }
    Shape out = x->shape;
    out.dim[out.rank - 1] = w->shape.rank > 1 ? w->shape.dim[w->shape.rank - 1] : 1;
    if (!shape_fits(c, pos, out))
        return v_error();
    if ((x->shape.rank == 1 && !only_fixed(c, pos, "a sum over its steps", 1, &a)) ||
        (w->shape.rank < 3 && !only_fixed(c, pos, "a sum over its steps", 1, &b)))
        return v_error();
    place_nodes(c, pos);
    Value both[] = {a, b};
    return step_by_step(c, pos, v_tensor(product_node(x, w)), 2, both);
}

/* ---- Options of windows -------------------------------------------------------------- */

typedef struct Geometry {
    int spatial; /* number of spatial axes          */
    int64_t size[MAX_SPATIAL], stride[MAX_SPATIAL], dilation[MAX_SPATIAL];
    int64_t low[MAX_SPATIAL], in[MAX_SPATIAL], out[MAX_SPATIAL];
    bool same;
} Geometry;

static bool axis_numbers(Check *c, const char *what, const Value *v, int n, int64_t *out)
{
    if (v && v->kind == V_LIST && v->list.n != n) {
        report(c, v->pos, "%s: %d numbers for %d axes", what, v->list.n, n);
        return false;
    }
    for (int i = 0; i < n; i++) {
        out[i] = 1;
        if (!v)
            continue;
        Value one = v->kind == V_LIST ? v->list.at[i] : *v;
        one.pos = v->pos;
        if (!to_whole(c, one, what, 1, 1 << 20, &out[i]))
            return false;
    }
    return true;
}

static bool read_padding(Check *c, const Value *v, bool *same)
{
    *same = false;
    if (!v)
        return true;
    if (v->kind == V_STRING && (!strcmp(v->text, "same") || !strcmp(v->text, "valid"))) {
        *same = !strcmp(v->text, "same");
        return true;
    }
    report(c, v->pos, "padding is `same` or `valid`, not %s", describe_value(*v));
    return false;
}

static bool spatial_axes(Check *c, Pos pos, Value x, Geometry *g)
{
    int rank = x.node->shape.rank;
    g->spatial = rank - 1;
    if (rank < 2 || rank > MAX_SPATIAL + 1) {
        report(c, x.pos.line ? x.pos : pos,
               "%s, expected an image such as [28, 28, 1]: height, "
               "width, channels",
               introduce(x));
        if (rank == 2)
            advise(c, "add the axis of channels: `reshape(%lld, %lld, 1)`",
                   (long long)x.node->shape.dim[0], (long long)x.node->shape.dim[1]);
        return false;
    }
    memcpy(g->in, x.node->shape.dim, sizeof *g->in * (size_t)g->spatial);
    return true;
}

/* Sizes and lower padding of windows over the input, as TensorFlow has them. */
static bool place_windows(Check *c, Pos pos, Geometry *g)
{
    for (int i = 0; i < g->spatial; i++) {
        int64_t reach = (g->size[i] - 1) * g->dilation[i] + 1, n = g->in[i], s = g->stride[i];
        if (!g->same && reach > n) {
            report(c, pos, "a window of %lld does not fit into an axis of %lld", (long long)reach,
                   (long long)n);
            advise(c, "`padding: same` pads it");
            return false;
        }
        g->out[i] = g->same ? (n + s - 1) / s : (n - reach) / s + 1;
        int64_t total = (g->out[i] - 1) * s + reach - n;
        g->low[i] = g->same && total > 0 ? total / 2 : 0;
    }
    return true;
}

static const Value *option(const Call *call, int i)
{
    return call->has[i] ? &call->arg[i] : NULL;
}

static bool tensor_argument(Check *c, Value v, Value *out)
{
    Node *node = to_number_node(c, v);
    *out = v;
    out->kind = V_TENSOR;
    out->node = node;
    return node != NULL;
}

/* ---- Convolutions -------------------------------------------------------------------- */

static bool read_convolution(Check *c, const Call *call, int padding, Value *x, Value *w,
                             Geometry *g)
{
    if (!tensor_argument(c, call->arg[0], x) || !tensor_argument(c, call->arg[1], w) ||
        !spatial_axes(c, call->pos, *x, g))
        return false;
    if (w->node->shape.rank != g->spatial + 2 || w->node->shape.batch) {
        report(c, w->pos, "%s, expected a kernel of %d axes: sizes, channels in, channels out",
               introduce(*w), g->spatial + 2);
        return false;
    }
    memcpy(g->size, w->node->shape.dim, sizeof *g->size * (size_t)g->spatial);
    return axis_numbers(c, "strides", option(call, 2), g->spatial, g->stride) &&
           axis_numbers(c, "dilation", option(call, 3), g->spatial, g->dilation) &&
           read_padding(c, option(call, padding), &g->same);
}

/* Variables of the sizes of the kernel around that of the input channels, in
 * the order of the sum: all but the last, channels, the last. */
static int kernel_variables(Contraction *k, const Geometry *g, int64_t channels, int *r)
{
    for (int i = 0; i < g->spatial - 1; i++)
        r[i] = new_variable(k, g->size[i]);
    int ci = new_variable(k, channels);
    r[g->spatial - 1] = new_variable(k, g->size[g->spatial - 1]);
    return ci;
}

static Node *convolution_node(Node *x, Node *w, const Geometry *g, int64_t groups)
{
    Contraction k = {0};
    int n = g->spatial, o[MAX_SPATIAL], r[MAX_SPATIAL];
    int64_t filters = w->shape.dim[n + 1], each = filters / groups, channels = w->shape.dim[n];
    Shape out = {.batch = x->shape.batch, .rank = n + 1};
    int group = groups > 1 ? new_variable(&k, groups) : -1;
    for (int i = 0; i < n; i++)
        o[i] = new_variable(&k, out.dim[i] = g->out[i]);
    out.dim[n] = filters;
    int co = new_variable(&k, each), ci = kernel_variables(&k, g, channels, r);
    for (int i = 0; i < n; i++) {
        k.map[0][i] = index1(o[i], 1);
        k.map[1][i] = index2(o[i], g->stride[i], r[i], g->dilation[i]);
        k.map[1][i].constant = -g->low[i];
        k.map[2][i] = index1(r[i], 1);
    }
    k.map[0][n] = groups > 1 ? index2(group, each, co, 1) : index1(co, 1);
    k.map[1][n] = groups > 1 ? index2(group, channels, ci, 1) : index1(ci, 1);
    k.map[2][n] = index1(ci, 1);
    k.map[2][n + 1] = k.map[0][n];
    return graph_contract(out, x, w, &k);
}

static bool groups_fit(Check *c, const Call *call, Value x, Value w, int n, int64_t groups)
{
    int64_t in = x.node->shape.dim[n], channels = w.node->shape.dim[n];
    int64_t filters = w.node->shape.dim[n + 1];
    if (in == channels * groups && filters % groups == 0)
        return true;
    if (in == channels * groups)
        report(c, call->pos, "%lld filters do not divide into %lld groups", (long long)filters,
               (long long)groups);
    else
        report(c, call->pos, "%lld channels in %lld groups do not fit a kernel %s", (long long)in,
               (long long)groups, sample_text(w.node->shape));
    return false;
}

/* Behind its last step a sequence is padded with zeros, as before its first. */
static bool keeps_steps(Check *c, Pos pos, Value *x, Value w, const Geometry *g)
{
    if (!only_fixed(c, pos, "a kernel", 1, &w))
        return false;
    if (!is_sequence(*x))
        return true;
    if (!g->same || g->stride[0] != 1) {
        report(c, pos,
               "%s, a sequence of varying length: it stays one with `padding: same` and "
               "a stride of 1",
               introduce(*x));
        return false;
    }
    x->node = valid_or(x->length, x->node, 0);
    return true;
}

Value convolution(Check *c, Call *call)
{
    enum { GROUPS = 5 };
    Geometry g = {0};
    Value x, w;
    int64_t groups = 1;
    if (!read_convolution(c, call, 4, &x, &w, &g) ||
        (call->has[GROUPS] && !to_whole(c, call->arg[GROUPS], "groups", 1, 1 << 20, &groups)) ||
        !groups_fit(c, call, x, w, g.spatial, groups) || !place_windows(c, call->pos, &g))
        return v_error();
    Shape out = {.rank = g.spatial + 1};
    memcpy(out.dim, g.out, sizeof *g.out * (size_t)g.spatial);
    out.dim[g.spatial] = w.node->shape.dim[g.spatial + 1];
    if (!shape_fits(c, call->pos, out))
        return v_error();
    place_nodes(c, call->pos);
    if (!keeps_steps(c, call->pos, &x, w, &g))
        return v_error();
    return v_filled(convolution_node(x.node, w.node, &g, groups), x.length);
}

/* The transpose of a convolution: input i adds to output s i + d r - low. */
static void place_transposed(Geometry *g)
{
    for (int i = 0; i < g->spatial; i++) {
        int64_t reach = (g->size[i] - 1) * g->dilation[i] + 1, s = g->stride[i];
        int64_t over = reach > s ? reach - s : 0;
        g->out[i] = g->in[i] * s + (g->same ? 0 : over);
        g->low[i] = g->same ? over / 2 : 0;
    }
}

static Node *transposed_node(Node *x, Node *w, const Geometry *g)
{
    Contraction k = {0};
    int n = g->spatial, in[MAX_SPATIAL], r[MAX_SPATIAL];
    Shape out = {.batch = x->shape.batch, .rank = n + 1};
    for (int i = 0; i < n; i++) {
        in[i] = new_variable(&k, g->in[i]);
        out.dim[i] = g->out[i];
    }
    out.dim[n] = w->shape.dim[n];
    int co = new_variable(&k, out.dim[n]);
    int ci = kernel_variables(&k, g, w->shape.dim[n + 1], r);
    for (int i = 0; i < n; i++) {
        k.map[0][i] = index2(in[i], g->stride[i], r[i], g->dilation[i]);
        k.map[0][i].constant = -g->low[i];
        k.map[1][i] = index1(in[i], 1);
        k.map[2][i] = index1(r[i], 1);
    }
    k.map[0][n] = k.map[2][n] = index1(co, 1);
    k.map[1][n] = k.map[2][n + 1] = index1(ci, 1);
    return graph_contract(out, x, w, &k);
}

Value convolution_transpose(Check *c, Call *call)
{
    Geometry g = {0};
    Value x, w;
    if (!read_convolution(c, call, 4, &x, &w, &g))
        return v_error();
    if (x.node->shape.dim[g.spatial] != w.node->shape.dim[g.spatial + 1]) {
        report(c, call->pos, "%lld channels do not fit a transposed kernel %s",
               (long long)x.node->shape.dim[g.spatial], sample_text(w.node->shape));
        return v_error();
    }
    place_transposed(&g);
    Shape out = {.rank = g.spatial + 1};
    memcpy(out.dim, g.out, sizeof *g.out * (size_t)g.spatial);
    out.dim[g.spatial] = w.node->shape.dim[g.spatial];
    if (!shape_fits(c, call->pos, out))
        return v_error();
    place_nodes(c, call->pos);
    return v_tensor(transposed_node(x.node, w.node, &g));
}

/* ---- Pooling -------------------------------------------------------------------------- */

static bool read_pooling(Check *c, const Call *call, Value *x, Geometry *g)
{
    enum { SIZE = 1, STRIDES, PADDING };
    const Value *strides = call->has[STRIDES] ? &call->arg[STRIDES] : &call->arg[SIZE];
    if (!tensor_argument(c, call->arg[0], x) || !spatial_axes(c, call->pos, *x, g))
        return false;
    for (int i = 0; i < g->spatial; i++)
        g->dilation[i] = 1;
    return axis_numbers(c, "a window", &call->arg[SIZE], g->spatial, g->size) &&
           axis_numbers(c, "strides", strides, g->spatial, g->stride) &&
           read_padding(c, option(call, PADDING), &g->same) && place_windows(c, call->pos, g);
}

static Shape pooled_shape(const Node *x, const Geometry *g)
{
    Shape out = x->shape;
    memcpy(out.dim, g->out, sizeof *g->out * (size_t)g->spatial);
    return out;
}

Value window_max(Check *c, Call *call)
{
    Geometry g = {0};
    Value x;
    if (!read_pooling(c, call, &x, &g))
        return v_error();
    Window w = {0};
    for (int i = 0; i < MAX_RANK; i++)
        w.size[i] = w.stride[i] = w.dilation[i] = 1;
    for (int i = 0; i < g.spatial; i++) {
        w.size[i] = g.size[i];
        w.stride[i] = g.stride[i];
        w.low[i] = g.low[i];
    }
    Shape out = pooled_shape(x.node, &g);
    place_nodes(c, call->pos);
    Node *at = graph_window(OP_window_argmax, x.node, NULL, out, &w);
    return v_tensor(graph_window(OP_window_gather, x.node, at, out, &w));
}

/* How many elements of axis i lie under window o, padding excluded. */
static int64_t covered(const Geometry *g, int i, int64_t o)
{
    int64_t first = o * g->stride[i] - g->low[i], last = first + g->size[i];
    return (last < g->in[i] ? last : g->in[i]) - (first > 0 ? first : 0);
}

/* The counts along one axis; NULL where they are one number, which scales. */
static Node *axis_counts(const Geometry *g, int i, double *scale)
{
    double *counts = NEW_ARRAY(double, g->out[i]);
    bool equal = true;
    for (int64_t o = 0; o < g->out[i]; o++) {
        counts[o] = (double)covered(g, i, o);
        equal &= counts[o] == counts[0];
    }
    if (equal) {
        *scale *= counts[0];
        return NULL;
    }
    Shape shape = {.rank = g->spatial + 1};
    for (int k = 0; k < shape.rank; k++)
        shape.dim[k] = k == i ? g->out[i] : 1;
    return graph_data(shape, counts);
}

/* How many elements are under each window: a product over the axes. */
static Node *window_counts(const Geometry *g, Shape out)
{
    Node *all = NULL;
    double scale = 1;
    for (int i = 0; i < g->spatial; i++) {
        Node *axis = axis_counts(g, i, &scale);
        if (axis)
            axis = graph_expand(axis, out);
        all = all && axis ? graph_op2(OP_mul, all, axis) : axis ? axis : all;
    }
    return all ? scale_node(all, scale) : graph_expand(scalar(scale), out);
}

Value window_mean(Check *c, Call *call)
{
    Geometry g = {0};
    Contraction k = {0};
    Value x;
    if (!read_pooling(c, call, &x, &g))
        return v_error();
    int n = g.spatial, o[MAX_SPATIAL];
    Shape out = pooled_shape(x.node, &g);
    for (int i = 0; i < n; i++)
        k.map[0][i] = index1(o[i] = new_variable(&k, g.out[i]), 1);
    k.map[0][n] = k.map[1][n] = index1(new_variable(&k, out.dim[n]), 1);
    for (int i = 0; i < n; i++) {
        k.map[1][i] = index2(o[i], g.stride[i], new_variable(&k, g.size[i]), 1);
        k.map[1][i].constant = -g.low[i];
    }
    place_nodes(c, call->pos);
    Node *sum = graph_contract(out, x.node, NULL, &k);
    return v_tensor(graph_op2(OP_div, sum, window_counts(&g, out)));
}
