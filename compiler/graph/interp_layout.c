/* Layout, reductions, windows and rows: every operation that moves elements,
 * written as a map of indices from one shape to the other. */
#include <math.h>
#include <string.h>
#include <stdlib.h>

#include "interp.h"

static void index_of(Shape s, int64_t flat, int64_t *index)
{
    for (int i = s.rank - 1; i >= 0; i--) {
        index[i] = flat % s.dim[i];
        flat /= s.dim[i];
    }
}

/* -1 outside. */
static int64_t flat_of(Shape s, const int64_t *index)
{
    int64_t flat = 0;
    for (int i = 0; i < s.rank; i++) {
        if (index[i] < 0 || index[i] >= s.dim[i])
            return -1;
        flat = flat * s.dim[i] + index[i];
    }
    return flat;
}

/* ---- Layout ------------------------------------------------------------------ */

/* The operand and its element that element `at` of n shows; -1: the padding. */
static int64_t source(const Node *n, const int64_t *at, int *operand)
{
    int64_t from[MAX_RANK] = {0};
    const Shape *a = &n->in[0]->shape;
    *operand = 0;
    for (int i = 0; i < n->shape.rank; i++)
        switch (n->op) {
        case OP_transpose: from[n->attr.permutation[i]] = at[i]; break;
        case OP_reverse: from[i] = n->attr.reverse[i] ? a->dim[i] - 1 - at[i] : at[i]; break;
        case OP_slice: from[i] = n->attr.slice.start[i] + at[i] * n->attr.slice.stride[i]; break;
        case OP_broadcast:
            if (n->attr.map[i] >= 0)
                from[n->attr.map[i]] = a->dim[n->attr.map[i]] == 1 ? 0 : at[i];
            break;
        case OP_pad: {
            int64_t p = at[i] - n->attr.pad.low[i], step = n->attr.pad.interior[i] + 1;
            from[i] = p % step ? -1 : p / step;
            break;
        }
        default: from[i] = at[i];
        }
    if (n->op == OP_concatenate)
        while (from[n->attr.axis] >= n->in[*operand]->shape.dim[n->attr.axis])
            from[n->attr.axis] -= n->in[(*operand)++]->shape.dim[n->attr.axis];
    return flat_of(n->in[*operand]->shape, from);
}

static int64_t layout_source(const Node *n, int64_t flat, int *operand)
{
    int64_t at[MAX_RANK];
    if (n->op == OP_reshape) {
        *operand = 0;
        return flat;
    }
    index_of(n->shape, flat, at);
    return source(n, at, operand);
}

void interpret_layout(Frame *f, const Node *n)
{
    int64_t size = shape_size(n->shape);
    for (int64_t i = 0; i < size; i++) {
        int operand;
        int64_t from = layout_source(n, i, &operand);
        const Node *in = n->in[from < 0 ? 1 : operand];
        for (int64_t s = 0; s < samples_of(f, n); s++)
            sample_of(f, n, s)[i] = sample_of(f, in, s)[from < 0 ? 0 : from];
    }
}

/* ---- Reductions ---------------------------------------------------------------- */

static int64_t reduced_to(const Node *n, int64_t flat)
{
    int64_t at[MAX_RANK], to[MAX_RANK];
    int rank = 0;
    index_of(n->in[0]->shape, flat, at);
    for (int i = 0; i < n->in[0]->shape.rank; i++)
        if (!n->attr.axes[i])
            to[rank++] = at[i];
    return flat_of(n->shape, to);
}

static double combine(const Frame *f, const Node *n, double sum, double x)
{
    if (n->op == OP_reduce_sum)
        return rounded(f, sum + x);
    return x > sum || x != x ? x : sum;
}

void interpret_reduce(Frame *f, const Node *n)
{
    const Node *a = n->in[0];
    int64_t size = shape_size(a->shape), count = shape_size(n->shape) * samples_of(f, n);
    for (int64_t i = 0; i < count; i++)
        f->value[n->id][i] = n->op == OP_reduce_sum ? 0 : -INFINITY;
    for (int64_t s = 0; s < samples_of(f, a); s++)
        for (int64_t i = 0; i < size; i++) {
            double *to = sample_of(f, n, s) + reduced_to(n, i);
            *to = combine(f, n, *to, sample_of(f, a, s)[i]);
        }
}

/* ---- Windows -------------------------------------------------------------------- */

static int64_t window_size(const Node *n)
{
    int64_t size = 1;
    for (int i = 0; i < n->shape.rank; i++)
        size *= n->attr.window.size[i];
    return size;
}

/* The element of `whole` at place k of window `at`; -1: padding. */
static int64_t window_source(const Window *w, Shape whole, const int64_t *at, int64_t k)
{
    int64_t from[MAX_RANK];
    for (int i = whole.rank - 1; i >= 0; i--) {
        from[i] = at[i] * w->stride[i] + k % w->size[i] * w->dilation[i] - w->low[i];
        k /= w->size[i];
    }
    return flat_of(whole, from);
}

static double window_argmax(const Node *n, const double *x, const int64_t *at)
{
    int64_t best = -1, place = 0;
    for (int64_t k = 0; k < window_size(n); k++) {
        int64_t from = window_source(&n->attr.window, n->in[0]->shape, at, k);
        if (from < 0 || (best >= 0 && x[best] != x[best]))
            continue;
        if (best < 0 || x[from] > x[best] || x[from] != x[from]) {
            best = from;
            place = k;
        }
    }
    return (double)place;
}

static void window_element(Frame *f, const Node *n, int64_t s, int64_t i)
{
    const Node *windows = n->op == OP_window_scatter ? n->in[0] : n;
    Shape whole = n->op == OP_window_scatter ? n->shape : n->in[0]->shape;
    double *out = sample_of(f, n, s), *a = sample_of(f, n->in[0], s);
    int64_t at[MAX_RANK];
    index_of(windows->shape, i, at);
    if (n->op == OP_window_argmax) {
        out[i] = window_argmax(n, a, at);
        return;
    }
    int64_t k = (int64_t)sample_of(f, n->in[1], s)[i];
    int64_t from = window_source(&n->attr.window, whole, at, k);
    if (n->op == OP_window_gather)
        out[i] = from < 0 ? 0 : a[from];
    else if (from >= 0)
        out[from] = rounded(f, out[from] + a[i]);
}

void interpret_window(Frame *f, const Node *n)
{
    int64_t size = shape_size(n->op == OP_window_scatter ? n->in[0]->shape : n->shape);
    for (int64_t s = 0; s < samples_of(f, n); s++)
        for (int64_t i = 0; i < size; i++)
            window_element(f, n, s, i);
}

/* ---- Rows ------------------------------------------------------------------------ */

static int64_t clamped_row(double index, Shape rows)
{
    double last = (double)(rows.dim[0] - 1);
    return (int64_t)(index < 0 ? 0 : index > last ? last : index);
}

static void gather_sample(Frame *f, const Node *n, int64_t s)
{
    Shape rows = n->in[0]->shape;
    int64_t row = shape_size(rows) / rows.dim[0], count = shape_size(n->in[1]->shape);
    for (int64_t i = 0; i < count; i++) {
        int64_t from = clamped_row(sample_of(f, n->in[1], s)[i], rows);
        for (int64_t j = 0; j < row; j++)
            sample_of(f, n, s)[i * row + j] = sample_of(f, n->in[0], s)[from * row + j];
    }
}

static void scatter_sample(Frame *f, const Node *n, int64_t s)
{
    int64_t row = shape_size(n->shape) / n->shape.dim[0];
    int64_t count = shape_size(n->in[1]->shape);
    for (int64_t i = 0; i < count; i++) {
        int64_t to = clamped_row(sample_of(f, n->in[1], s)[i], n->shape);
        for (int64_t j = 0; j < row; j++) {
            double *sum = sample_of(f, n, s) + to * row + j;
            *sum = rounded(f, *sum + sample_of(f, n->in[2], s)[i * row + j]);
        }
    }
}

static void interpret_element(Frame *f, const Node *n)
{
    int64_t size = shape_size(n->shape);
    int64_t at = clamped_row(f->value[n->in[1]->id][0], n->in[0]->shape);
    for (int64_t s = 0; s < samples_of(f, n); s++)
        memcpy(sample_of(f, n, s), sample_of(f, n->in[0], s) + at * size,
               (size_t)size * sizeof(double));
}

void interpret_rows(Frame *f, const Node *n)
{
    if (n->op == OP_element) {
        interpret_element(f, n);
        return;
    }
    int64_t samples = samples_of(f, n);
    if (n->op == OP_gather_rows) {
        for (int64_t s = 0; s < samples; s++)
            gather_sample(f, n, s);
        return;
    }
    int64_t count = shape_size(n->shape) * samples;
    for (int64_t i = 0; i < count; i++)
        f->value[n->id][i] = f->value[n->in[0]->id][i];
    for (int i = 1; i < 3; i++)
        if (n->in[i]->shape.batch)
            samples = f->run->samples;
    for (int64_t s = 0; s < samples; s++)
        scatter_sample(f, n, s);
}
