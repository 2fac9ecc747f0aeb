/* Random graphs of every operation, of bounded values, for tests that hold of
 * all graphs: gradients, simplification, text. */
#ifndef AECC_TESTS_RANDOM_GRAPH_H
#define AECC_TESTS_RANDOM_GRAPH_H

#include "graph/support.h"

enum { POOL = 64 };

typedef struct Pool {
    Bench *b;
    Node *at[POOL];
    int n;
    int64_t odd[4];                  /* sizes to choose from                 */
    bool kinks;                      /* max, select, reduce_max, windows too */
} Pool;

static inline void pool_add(Pool *p, Node *n)
{
    if (n && shape_size(n->shape) <= 400)
        p->at[p->n < POOL ? p->n++ : below(p->b, POOL)] = n;
}

static inline Node *pool_any(Pool *p)
{
    return p->at[below(p->b, p->n)];
}

static inline int64_t odd_size(Pool *p)
{
    return p->odd[below(p->b, 4)];
}

static inline Shape random_shape(Pool *p, int ranks)
{
    Shape s = {.batch = below(p->b, 2), .rank = below(p->b, ranks)};
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = shape_size(s) > 40 ? 1 : odd_size(p);
    return s;
}

/* a summed until it can be broadcast to the shape. */
static inline Node *fitted(Node *a, Shape to)
{
    bool axes[MAX_RANK + 1] = {0};
    if (shape_equal(a->shape, to))
        return a;
    for (int i = 0; i < a->shape.rank; i++)
        axes[i] = true;
    axes[MAX_RANK] = a->shape.batch && !to.batch;
    return graph_expand(graph_op1(OP_tanh, graph_reduce(OP_reduce_sum, a, axes)), to);
}

static inline Node *random_unary(Pool *p)
{
    Node *a = pool_any(p), *one = graph_const(a->shape, 1);
    Node *positive = graph_op2(OP_add, one, graph_op2(OP_mul, a, a));
    switch (below(p->b, 12)) {
    case 0:  return graph_op1(OP_neg, a);
    case 1:  return graph_op1(OP_exp, graph_op1(OP_tanh, a));
    case 2:  return graph_op1(OP_log, positive);
    case 3:  return graph_op1(OP_logistic, a);
    case 4:  return graph_op1(OP_softplus, a);
    case 5:  return graph_op1(OP_sqrt, positive);
    case 6:  return graph_pow(positive, (below(p->b, 9) - 4) * 0.5);
    case 7:  return graph_op1(OP_sin, a);
    case 8:  return graph_op1(OP_cos, a);
    case 9:  return graph_op1(OP_erf, a);
    case 10: return graph_op2(OP_mul, a, graph_const(a->shape, 0.5 * below(p->b, 4) - 1));
    default: return graph_op1(OP_tanh, a);
    }
}

static inline Node *random_binary(Pool *p)
{
    Node *a = pool_any(p), *b = fitted(pool_any(p), a->shape), *test;
    Node *two = graph_const(a->shape, 2);
    switch (below(p->b, p->kinks ? 5 : 3)) {
    case 0:  return graph_op2(OP_add, a, b);
    case 1:  return graph_op1(OP_tanh, graph_op2(OP_mul, a, b));
    case 2:  return graph_op2(OP_div, a, graph_op2(OP_add, two, graph_op1(OP_tanh, b)));
    case 3:  return graph_op2(OP_max, a, b);
    default:
        test = graph_op2(OP_lt, a, b);
        if (below(p->b, 2))
            test = graph_op1(OP_not, test);
        return graph_select(test, a, graph_op1(OP_neg, b));
    }
}

static inline Node *random_reshape(Pool *p, Node *a)
{
    Shape s = {.batch = a->shape.batch};
    int64_t flat = shape_size(a->shape);
    if (below(p->b, 2))
        s.dim[s.rank++] = 1;
    for (int64_t d = 2; d < flat && s.rank < 2; d++)
        if (flat % d == 0) {
            s.dim[s.rank++] = d;
            flat /= d;
            break;
        }
    s.dim[s.rank++] = flat;
    return graph_reshape(a, s);
}

static inline Node *random_transpose(Pool *p, Node *a)
{
    int permutation[MAX_RANK];
    for (int i = 0; i < a->shape.rank; i++) {
        int j = below(p->b, i + 1);
        permutation[i] = permutation[j];
        permutation[j] = i;
    }
    return graph_transpose(a, permutation);
}

static inline Node *random_broadcast(Pool *p, Node *a)
{
    Shape to = {.batch = a->shape.batch || below(p->b, 2)};
    int map[MAX_RANK], next = 0;
    while (next < a->shape.rank || (to.rank < 3 && below(p->b, 2))) {
        bool fresh = next == a->shape.rank || (a->shape.rank < 3 && below(p->b, 3) == 0);
        map[to.rank] = fresh ? -1 : next;
        to.dim[to.rank++] = fresh ? 2 : a->shape.dim[next] == 1 ? 3 : a->shape.dim[next];
        next += !fresh;
        if (to.rank == 6)
            break;
    }
    return next == a->shape.rank ? graph_broadcast(a, to, map) : a;
}

static inline Node *random_pad(Pool *p, Node *a)
{
    int64_t low[MAX_RANK], high[MAX_RANK], interior[MAX_RANK];
    for (int i = 0; i < a->shape.rank; i++) {
        int least = a->shape.dim[i] > 2 ? -1 : 0;
        low[i] = least + below(p->b, 3);
        high[i] = least + below(p->b, 3);
        interior[i] = below(p->b, 2);
    }
    Node *value = below(p->b, 2) ? graph_const((Shape){0}, 0) : fitted(pool_any(p), (Shape){0});
    return graph_pad(a, value, low, high, interior);
}

static inline Node *random_slice(Pool *p, Node *a)
{
    int64_t start[MAX_RANK], limit[MAX_RANK], stride[MAX_RANK];
    for (int i = 0; i < a->shape.rank; i++) {
        start[i] = below(p->b, (int)a->shape.dim[i]);
        limit[i] = start[i] + 1 + below(p->b, (int)(a->shape.dim[i] - start[i]));
        stride[i] = 1 + below(p->b, 2);
    }
    return graph_slice(a, start, limit, stride);
}

static inline Node *random_layout(Pool *p)
{
    Node *a = pool_any(p), *parts[2] = {a, NULL};
    bool axes[MAX_RANK] = {0};
    switch (below(p->b, 7)) {
    case 0: return random_reshape(p, a);
    case 1: return random_transpose(p, a);
    case 2: return random_broadcast(p, a);
    case 3: return random_pad(p, a);
    case 4: return random_slice(p, a);
    case 5:
        for (int i = 0; i < a->shape.rank; i++)
            axes[i] = below(p->b, 2);
        return graph_reverse(a, axes);
    default:
        parts[1] = fitted(pool_any(p), a->shape);
        return a->shape.rank ? graph_concatenate(2, parts, below(p->b, a->shape.rank)) : a;
    }
}

static inline Node *random_reduce(Pool *p)
{
    Node *a = pool_any(p);
    bool axes[MAX_RANK + 1] = {0};
    for (int i = 0; i < a->shape.rank; i++)
        axes[i] = below(p->b, 2);
    axes[MAX_RANK] = a->shape.batch && below(p->b, 2);
    Op op = p->kinks && below(p->b, 3) == 0 ? OP_reduce_max : OP_reduce_sum;
    return graph_op1(OP_tanh, graph_reduce(op, a, axes));
}

/* Any indices of one or two variables, many of them partly outside. */
static inline Node *random_contract(Pool *p)
{
    Node *in[2] = {pool_any(p), below(p->b, 4) ? pool_any(p) : NULL};
    Contraction c = {.nvars = 1 + below(p->b, 4)};
    Shape out = random_shape(p, 3), shapes[3] = {out, in[0]->shape};
    if (in[1])
        shapes[2] = in[1]->shape;
    for (int v = 0; v < c.nvars; v++)
        c.extent[v] = 1 + below(p->b, 4);
    for (int role = 0; role < 3; role++)
        for (int i = 0; i < shapes[role].rank; i++) {
            Affine *f = &c.map[role][i];
            f->terms = below(p->b, c.nvars > 1 ? 3 : 2);
            f->constant = below(p->b, 3) - 1;
            for (int t = 0; t < f->terms; t++) {
                f->coefficient[t] = below(p->b, 3) ? 1 : below(p->b, 2) ? -1 : 2;
                f->var[t] = t ? (f->var[0] + 1) % c.nvars : below(p->b, c.nvars);
            }
        }
    return graph_op1(OP_tanh, graph_contract(out, in[0], in[1], &c));
}

static inline Node *random_window(Pool *p)
{
    Node *a = pool_any(p);
    Window w = {0};
    Shape out = a->shape;
    for (int i = 0; i < out.rank; i++) {
        w.size[i] = 1 + below(p->b, out.dim[i] < 3 ? (int)out.dim[i] : 3);
        w.stride[i] = 1 + below(p->b, 2);
        w.dilation[i] = 1;
        w.low[i] = w.size[i] > 1 ? below(p->b, 2) : 0;
        out.dim[i] = (out.dim[i] + w.low[i] - w.size[i]) / w.stride[i] + 1;
    }
    Node *index = graph_window(OP_window_argmax, a, NULL, out, &w);
    Node *top = graph_window(OP_window_gather, a, index, out, &w);
    return below(p->b, 2) ? top : graph_window(OP_window_scatter, top, index, a->shape, &w);
}

static inline Node *random_rows(Pool *p)
{
    Node *a = pool_any(p), *index;
    if (!a->shape.rank || a->shape.rank > 3)
        return a;
    int64_t n = 1 + below(p->b, 4);
    index = graph_iota(T_I32, shape1(false, n), 0);
    if (below(p->b, 2))
        index = graph_expand(index, shape1(true, n));
    Node *rows = graph_gather_rows(a, index);
    return below(p->b, 2) ? rows : graph_scatter_add_rows(a, index, graph_op1(OP_neg, rows));
}

static inline void pool_grow(Pool *p)
{
    switch (below(p->b, p->kinks ? 9 : 8)) {
    case 0: case 1: pool_add(p, random_unary(p)); break;
    case 2: case 3: pool_add(p, random_binary(p)); break;
    case 4:         pool_add(p, random_layout(p)); break;
    case 5:         pool_add(p, random_reduce(p)); break;
    case 6:         pool_add(p, random_contract(p)); break;
    case 7:         pool_add(p, random_rows(p)); break;
    default:        pool_add(p, random_window(p)); break;
    }
}

/* The pool after `steps` operations on three inputs. */
static inline Pool random_graph(Bench *b, int steps, bool kinks)
{
    Pool p = {.b = b, .odd = {1, 2, 3, 5}, .kinks = kinks};
    for (int i = 0; i < 3; i++)
        pool_add(&p, bench_input(b, T_F32, random_shape(&p, 4), -1, 1));
    for (int i = 0; i < steps; i++)
        pool_grow(&p);
    return p;
}

#endif
