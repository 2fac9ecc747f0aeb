/* Rules of simplify() for windows: what follows a max pooling backwards is
 * done on the pooled elements, before they are scattered.
 *
 *   before   r = select(0 < x, x, 0)   i = window_argmax(r)
 *            y = select(0 < x, window_scatter(g, i), 0)
 *   after    y = window_scatter(select(0 < window_gather(r, i), g, 0), i) */
#include <string.h>

#include "simplify.h"

/* Is r = select(p, x, 0) with p = 0 < x? */
static bool is_rectified(const Node *r, const Node *p)
{
    return r->op == OP_select && r->in[0] == p && is_splat(r->in[2], 0) && p->op == OP_lt &&
           is_splat(p->in[0], 0) && p->in[1] == r->in[1];
}

/* Where an element was chosen it is positive if and only if the mask is set;
 * elsewhere nothing is scattered to. */
Node *select_of_scatter(Node *n)
{
    Node *scatter = n->in[1];
    if (scatter->op != OP_window_scatter || !is_splat(n->in[2], 0))
        return NULL;
    Node *g = scatter->in[0], *index = scatter->in[1];
    if (index->op != OP_window_argmax || !is_rectified(index->in[0], n->in[0]) ||
        memcmp(&index->attr.window, &scatter->attr.window, sizeof(Window)))
        return NULL;
    Node *zero = graph_const(g->shape, 0);
    Node *found =
        graph_window(OP_window_gather, index->in[0], index, g->shape, &index->attr.window);
    Node *masked = graph_select(graph_op2(OP_lt, zero, found), g, zero);
    return graph_window(OP_window_scatter, masked, index, n->shape, &scatter->attr.window);
}

/* A sum over all places of windows is one over the windows. */
Node *sum_of_scatter(Node *n)
{
    Node *scatter = n->in[0];
    if (n->op != OP_reduce_sum || scatter->op != OP_window_scatter)
        return NULL;
    const Window *w = &scatter->attr.window;
    for (int i = 0; i < scatter->shape.rank; i++) {
        bool whole = w->size[i] == 1 && w->stride[i] == 1 && w->low[i] == 0;
        if (!n->attr.axes[i] && !whole)
            return NULL;
    }
    return graph_reduce(OP_reduce_sum, scatter->in[0], n->attr.axes);
}

/* Elements along an axis, from the first, that windows reach. */
static int64_t reached(const Node *scatter, int axis)
{
    const Window *w = &scatter->attr.window;
    int64_t last = (scatter->in[0]->shape.dim[axis] - 1) * w->stride[axis] - w->low[axis] +
                   (w->size[axis] - 1) * w->dilation[axis];
    return last + 1;
}

/* What no window reaches is zero: a product with it adds nothing. */
Node *contract_of_scatter(Node *n)
{
    Contraction c = n->attr.contraction;
    bool less = false;
    for (int k = 0; k < n->nin; k++)
        for (int i = 0; n->in[k]->op == OP_window_scatter && i < n->in[k]->shape.rank; i++) {
            const Affine *a = &c.map[1 + k][i];
            int64_t live = reached(n->in[k], i);
            bool plain = a->terms == 1 && a->coefficient[0] == 1 && a->constant == 0;
            if (plain && live > 0 && live < c.extent[a->var[0]]) {
                c.extent[a->var[0]] = live;
                less = true;
            }
        }
    return less ? graph_contract(n->shape, n->in[0], n->nin > 1 ? n->in[1] : NULL, &c) : NULL;
}
