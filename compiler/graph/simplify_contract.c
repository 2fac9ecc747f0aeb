/* Rules of simplify() for contractions: a view of an operand or of the result
 * becomes part of the index map, where that stays affine and no point is
 * skipped or visited that was not before.
 *
 *   transpose, reverse, ones added or dropped by a reshape     always
 *   slice, broadcast      where the index never leaves the axis
 *   pad with 0            around the edges only: outside adds nothing */
#include <string.h>

#include "simplify.h"

typedef struct View {
    const Contraction *c;
    const Affine *map;   /* of the view's axes */
    Affine to[MAX_RANK]; /* of the axes of what is viewed */
} View;

static Affine scaled(Affine f, int64_t factor, int64_t constant)
{
    f.constant = f.constant * factor + constant;
    for (int t = 0; t < f.terms; t++)
        f.coefficient[t] *= factor;
    return f;
}

/* ---- What is viewed, by the view's index --------------------------------------- */

static bool through_transpose(View *v, const Node *view)
{
    for (int i = 0; i < view->shape.rank; i++)
        v->to[view->attr.permutation[i]] = v->map[i];
    return true;
}

static bool through_reverse(View *v, const Node *view)
{
    for (int i = 0; i < view->shape.rank; i++)
        v->to[i] =
            view->attr.reverse[i] ? scaled(v->map[i], -1, view->shape.dim[i] - 1) : v->map[i];
    return true;
}

/* Axes of size 1 come and go; the index of one that goes must be always 0. */
static bool through_ones(View *v, Shape from, Shape to)
{
    int i = 0;
    if (!only_ones_differ(from, to))
        return false;
    for (int k = 0; k < from.rank; k++)
        if (from.dim[k] == 1 && !affine_inside(v->c, &v->map[k], 1))
            return false;
    for (int j = 0; j < to.rank; j++) {
        v->to[j] = (Affine){0};
        if (to.dim[j] == 1)
            continue;
        while (from.dim[i] == 1)
            i++;
        v->to[j] = v->map[i++];
    }
    return true;
}

static bool through_broadcast(View *v, const Node *view)
{
    for (int i = 0; i < view->shape.rank; i++) {
        int source = view->attr.map[i];
        bool repeated = source < 0 || view->in[0]->shape.dim[source] != view->shape.dim[i];
        if (repeated && !affine_inside(v->c, &v->map[i], view->shape.dim[i]))
            return false;
        if (source >= 0)
            v->to[source] = repeated ? (Affine){0} : v->map[i];
    }
    return true;
}

static bool through_slice(View *v, const Node *view)
{
    for (int i = 0; i < view->shape.rank; i++) {
        if (!affine_inside(v->c, &v->map[i], view->shape.dim[i]))
            return false;
        v->to[i] = scaled(v->map[i], view->attr.slice.stride[i], view->attr.slice.start[i]);
    }
    return true;
}

static bool through_pad(View *v, const Node *view)
{
    if (!is_splat(view->in[1], 0))
        return false;
    for (int i = 0; i < view->shape.rank; i++) {
        if (view->attr.pad.low[i] < 0 || view->attr.pad.high[i] < 0 || view->attr.pad.interior[i])
            return false;
        v->to[i] = scaled(v->map[i], 1, -view->attr.pad.low[i]);
    }
    return true;
}

static bool through(View *v, const Node *view)
{
    switch (view->op) {
    case OP_transpose: return through_transpose(v, view);
    case OP_reverse: return through_reverse(v, view);
    case OP_reshape: return through_ones(v, view->shape, view->in[0]->shape);
    case OP_broadcast: return through_broadcast(v, view);
    case OP_slice: return through_slice(v, view);
    case OP_pad: return through_pad(v, view);
    default: return false;
    }
}

/* ---- Operands -------------------------------------------------------------------- */

/* A broadcast over the batch may go only where another shape still has it. */
static bool batch_stays(const Node *n, int operand)
{
    const Node *view = n->in[operand];
    if (view->shape.batch == view->in[0]->shape.batch || n->shape.batch)
        return true;
    return n->nin > 1 && n->in[1 - operand]->shape.batch;
}

/* A splat without its axes: one number, wherever it is read. */
static Node *bare_splat(Node *n, int operand)
{
    double k;
    Node *a = n->in[operand], *in[2] = {n->in[0], n->nin > 1 ? n->in[1] : NULL};
    const Contraction *c = &n->attr.contraction;
    bool other_batch = n->shape.batch || (n->nin > 1 && n->in[1 - operand]->shape.batch);
    if (!splat_of(a, &k) || (!a->shape.rank && !a->shape.batch) || (a->shape.batch && !other_batch))
        return NULL;
    for (int i = 0; i < a->shape.rank; i++)
        if (!affine_inside(c, &c->map[operand + 1][i], a->shape.dim[i]))
            return NULL;
    in[operand] = graph_const((Shape){0}, k);
    return graph_contract(n->shape, in[0], in[1], c);
}

static Node *absorb_operand(Node *n, int operand)
{
    Contraction c = n->attr.contraction;
    Node *view = n->in[operand], *in[2] = {n->in[0], n->nin > 1 ? n->in[1] : NULL};
    View v = {.c = &n->attr.contraction, .map = n->attr.contraction.map[operand + 1]};
    if (op_info[view->op].kind != LAYOUT || !batch_stays(n, operand) || !through(&v, view))
        return NULL;
    in[operand] = view->in[0];
    memcpy(c.map[operand + 1], v.to, sizeof v.to);
    return graph_contract(n->shape, in[0], in[1], &c);
}

/* a * 1 = a: one operand is enough. */
static Node *drop_factor_one(Node *n)
{
    Contraction c = n->attr.contraction;
    if (n->nin < 2)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (!n->in[i]->shape.rank && !n->in[i]->shape.batch && is_splat(n->in[i], 1)) {
            if (i == 0)
                memcpy(c.map[1], c.map[2], sizeof c.map[1]);
            return graph_contract(n->shape, n->in[1 - i], NULL, &c);
        }
    return NULL;
}

/* ---- Results ----------------------------------------------------------------------- */

/* The view's axes by the result's index: the inverse of through(). */
Node *contract_under_view(Node *view, Node *n)
{
    Contraction c = n->attr.contraction;
    View v = {.c = &n->attr.contraction, .map = n->attr.contraction.map[0]};
    if (view->op == OP_transpose)
        for (int i = 0; i < view->shape.rank; i++)
            v.to[i] = v.map[view->attr.permutation[i]];
    else if (!through_ones(&v, n->shape, view->shape))
        return NULL;
    memcpy(c.map[0], v.to, sizeof v.to);
    graph_at(n->pos, n->layer);
    return graph_contract(view->shape, n->in[0], n->nin > 1 ? n->in[1] : NULL, &c);
}

/* What no operand knows a sample of is the same for all samples. */
static Node *same_for_all_samples(Node *n)
{
    Shape one = n->shape;
    if (!n->shape.batch || n->in[0]->shape.batch || (n->nin > 1 && n->in[1]->shape.batch))
        return NULL;
    one.batch = false;
    Node *once = graph_contract(one, n->in[0], n->nin > 1 ? n->in[1] : NULL, &n->attr.contraction);
    return graph_expand(once, n->shape);
}

/* ---- Variables ----------------------------------------------------------------------- */

static void drop_variable(Affine *f, int var)
{
    int kept = 0;
    for (int t = 0; t < f->terms; t++)
        if (f->var[t] != var) {
            f->var[kept] = f->var[t] - (f->var[t] > var);
            f->coefficient[kept++] = f->coefficient[t];
        }
    f->terms = kept;
}

/* A variable of one value is 0 wherever it stands. */
static Node *drop_ones(Node *n)
{
    Contraction c = n->attr.contraction;
    int v = 0;
    while (v < c.nvars && c.extent[v] != 1)
        v++;
    if (v == c.nvars)
        return NULL;
    for (int role = 0; role < 3; role++)
        for (int i = 0; i < MAX_RANK; i++)
            drop_variable(&c.map[role][i], v);
    c.nvars--;
    for (; v < c.nvars; v++)
        c.extent[v] = c.extent[v + 1];
    return graph_contract(n->shape, n->in[0], n->nin > 1 ? n->in[1] : NULL, &c);
}

Node *simplify_contract(Node *n)
{
    for (int i = 0; i < n->nin; i++) {
        Node *other = bare_splat(n, i);
        if (!other)
            other = absorb_operand(n, i);
        if (other)
            return other;
    }
    Node *(*const rules[])(Node *) = {drop_factor_one, same_for_all_samples, drop_ones,
                                      contract_of_scatter};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        Node *other = rules[i](n);
        if (other)
            return other;
    }
    return NULL;
}
