/* pairs: products that add up to one gradient are one product.
 *
 * needs       simplified functions
 * guarantees  in a training step, outside of scans, no two sums over the batch
 *             that nobody else reads are added: products of the same form are one
 *             contraction of several pairs of operands, and sums of samples one
 *             sum of what they add up to for each sample
 *
 *     %3 = contract [784, 100] x g    %4 = contract [784, 100] y h    %5 = add %3 %4
 *   becomes
 *     %5 = contract [784, 100] x g y h
 *
 * That is a network called twice in one objective, or weights that are tied: the
 * gradient is never in memory, and the optimizer stands behind the sum of all pairs.
 * In each block of samples the pairs come in the order in which they were added
 * (aecc.h). The same form means the same indices, if need be by other variables and
 * with the operands exchanged. */
#include "graph/scan.h"
#include "loop/lower.h"

#include <string.h>

/* ---- The same form -------------------------------------------------------------- */

/* Which variable of one contraction each one of another is. */
typedef struct Renaming {
    const Contraction *from, *to;
    int var[MAX_VARS]; /* of `to` by that of `from`; -1: not yet known */
    bool taken[MAX_VARS];
} Renaming;

static bool same_variable(Renaming *r, int from, int to)
{
    if (r->var[from] < 0 && !r->taken[to] && r->from->extent[from] == r->to->extent[to]) {
        r->var[from] = to;
        r->taken[to] = true;
    }
    return r->var[from] == to;
}

static bool same_index(Renaming *r, const Affine *from, const Affine *to)
{
    if (from->constant != to->constant || from->terms != to->terms)
        return false;
    for (int t = 0; t < from->terms; t++)
        if (from->coefficient[t] != to->coefficient[t] ||
            !same_variable(r, from->var[t], to->var[t]))
            return false;
    return true;
}

static bool same_indices(Renaming *r, int from, int to, int rank)
{
    for (int i = 0; i < rank; i++)
        if (!same_index(r, &r->from->map[from][i], &r->to->map[to][i]))
            return false;
    return true;
}

/* Does `b` with its operands exchanged, or not, do what `a` does? */
static bool same_form(const Node *a, const Node *b, bool exchanged)
{
    Renaming r = {.from = &b->attr.contraction, .to = &a->attr.contraction};
    memset(r.var, -1, sizeof r.var);
    if (!shape_equal(a->shape, b->shape) || r.from->nvars != r.to->nvars ||
        !same_indices(&r, 0, 0, a->shape.rank))
        return false;
    for (int i = 0; i < 2; i++) {
        int other = exchanged ? 1 - i : i;
        if (!shape_equal(a->in[i]->shape, b->in[other]->shape) ||
            !same_indices(&r, 1 + other, 1 + i, a->in[i]->shape.rank))
            return false;
    }
    for (int v = 0; v < r.from->nvars; v++)
        if (r.var[v] < 0)
            return false;
    return true;
}

/* ---- What adds up ----------------------------------------------------------------- */

typedef struct Pairs {
    int *uses; /* [node id] */
    int n;     /* nodes that there were before this round */
    bool changed;
} Pairs;

/* Of new nodes that is known in the next round. */
static bool is_read_once(const Pairs *p, const Node *n)
{
    return n->id < p->n && p->uses[n->id] == 1;
}

static bool sums_products(const Node *n)
{
    int lane_var;
    if (n->op != OP_contract || n->nin < 2 || n->shape.batch)
        return false;
    ContractClass class = contract_class(n, &lane_var);
    return class == CONTRACT_ROWS || class == CONTRACT_LANE_SUM;
}

/* Of a and b one contraction of the pairs of both; NULL: they differ too much. */
static Node *join_pairs(const Node *a, const Node *b)
{
    bool exchanged = !same_form(a, b, false);
    int lane_a, lane_b;
    if ((exchanged && !same_form(a, b, true)) ||
        contract_class(a, &lane_a) != contract_class(b, &lane_b))
        return NULL;
    Node **in = NEW_ARRAY(Node *, a->nin + b->nin);
    memcpy(in, a->in, sizeof *in * (size_t)a->nin);
    for (int i = 0; i < b->nin; i++)
        in[a->nin + i] = b->in[exchanged ? i ^ 1 : i];
    Node *all = graph_node(OP_contract, a->type, a->shape, a->nin + b->nin, in, &a->attr, a->pos);
    return contract_class(all, &lane_b) == contract_class(a, &lane_a) ? all : NULL;
}

static Node *join_sums(const Node *a, const Node *b)
{
    bool same = a->op == OP_reduce_sum && b->op == OP_reduce_sum &&
                shape_equal(a->in[0]->shape, b->in[0]->shape) && a->in[0]->shape.batch &&
                memcmp(a->attr.axes, b->attr.axes, sizeof a->attr.axes) == 0;
    return same ? graph_reduce(OP_reduce_sum, graph_op2(OP_add, a->in[0], b->in[0]), a->attr.axes)
                : NULL;
}

static Node *join(Node *n, void *arg)
{
    Pairs *p = arg;
    if (n->op != OP_add || n->type != T_F32 || !is_read_once(p, n->in[0]) ||
        !is_read_once(p, n->in[1]) || is_of_step(n))
        return NULL;
    Node *a = n->in[0], *b = n->in[1];
    graph_at(a->pos, a->layer);
    Node *all = sums_products(a) && sums_products(b) ? join_pairs(a, b) : join_sums(a, b);
    p->changed |= all != NULL;
    return all;
}

/* ---- The pass ------------------------------------------------------------------------ */

static bool round_of(NodeList roots)
{
    NodeList nodes = graph_reach(roots.n, roots.at);
    Pairs p = {.n = graph_count()};
    p.uses = NEW_ARRAY(int, p.n + 1);
    for (int i = 0; i < roots.n; i++)
        p.uses[roots.at[i]->id]++;
    for (int i = 0; i < nodes.n; i++)
        for (int k = 0; k < nodes.at[i]->nin; k++)
            p.uses[nodes.at[i]->in[k]->id]++;
    graph_rewrite(roots.n, roots.at, join, &p);
    return p.changed;
}

static void pairs_fn(Fn *fn)
{
    NodeList roots = fn_roots(fn);
    while (round_of(roots))
        ;
    fn_set_roots(fn, roots.at);
}

void pairs(Model *model)
{
    for (int i = 0; i < model->nfns; i++)
        if (model->fns[i]->kind == FN_STEP)
            pairs_fn(model->fns[i]);
}
