/* Rules of simplify() for layout and reductions: views of views are one view,
 * of constants are constants; a broadcast that repeats nothing and a
 * transpose that moves nothing are reshapes; sums of what was repeated are
 * products. */
#include <string.h>

#include "simplify.h"

bool only_ones_differ(Shape a, Shape b)
{
    int i = 0, j = 0;
    for (;;) {
        while (i < a.rank && a.dim[i] == 1)
            i++;
        while (j < b.rank && b.dim[j] == 1)
            j++;
        if (i == a.rank || j == b.rank)
            return i == a.rank && j == b.rank;
        if (a.dim[i++] != b.dim[j++])
            return false;
    }
}

/* ---- Layout ----------------------------------------------------------------------- */

/* Every view of one number is that number; so is its padding with itself. */
static Node *view_of_splat(Node *n)
{
    double k;
    if (!splat_of(n->in[0], &k))
        return NULL;
    for (int i = 1; i < n->nin; i++)
        if (!is_splat(n->in[i], k))
            return NULL;
    return graph_typed(n->type, n->shape, k);
}

static Node *simplify_reshape(Node *n)
{
    Node *a = n->in[0];
    if (a->op == OP_reshape)
        return graph_reshape(a->in[0], n->shape);
    if (a->op == OP_broadcast && a->in[0]->shape.rank == 0)
        return graph_broadcast(a->in[0], n->shape, (int[]){-1, -1, -1, -1, -1, -1, -1, -1});
    if (a->op == OP_contract && single_use(a))
        return contract_under_view(n, a);
    return NULL;
}

static Node *simplify_transpose(Node *n)
{
    Node *a = n->in[0];
    int p[MAX_RANK], last = -1;
    bool moves = false;
    for (int i = 0; i < n->shape.rank; i++) {
        p[i] = a->op == OP_transpose ? a->attr.permutation[n->attr.permutation[i]] : 0;
        if (n->shape.dim[i] == 1)
            continue;
        moves |= n->attr.permutation[i] < last;
        last = n->attr.permutation[i];
    }
    if (!moves)
        return graph_reshape(a, n->shape);
    if (a->op == OP_transpose)
        return graph_transpose(a->in[0], p);
    if (a->op == OP_contract && single_use(a))
        return contract_under_view(n, a);
    return NULL;
}

/* Which axis of `from` each axis of `to` shows, where only ones differ: for
 * axes of size 1, -1. */
static void match_axes(Shape from, Shape to, int *source)
{
    int i = 0;
    for (int j = 0; j < to.rank; j++) {
        source[j] = -1;
        if (to.dim[j] == 1)
            continue;
        while (from.dim[i] == 1)
            i++;
        source[j] = i++;
    }
}

/* broadcast(reshape(x)) = broadcast(x) if the reshape only adds ones: then all
 * axes of x are matched. */
static Node *broadcast_of_reshape(Node *n, Node *reshape)
{
    Node *x = reshape->in[0];
    int source[MAX_RANK], map[MAX_RANK], matched = 0;
    if (!only_ones_differ(x->shape, reshape->shape))
        return NULL;
    match_axes(x->shape, reshape->shape, source);
    for (int i = 0; i < n->shape.rank; i++) {
        map[i] = n->attr.map[i] < 0 ? -1 : source[n->attr.map[i]];
        matched += map[i] >= 0;
    }
    return matched == x->shape.rank ? graph_broadcast(x, n->shape, map) : NULL;
}

static Node *simplify_broadcast(Node *n)
{
    Node *a = n->in[0];
    int map[MAX_RANK];
    if (a->shape.batch == n->shape.batch && shape_size(a->shape) == shape_size(n->shape))
        return graph_reshape(a, n->shape);
    if (a->op == OP_reshape)
        return broadcast_of_reshape(n, a);
    if (a->op != OP_broadcast)
        return NULL;
    for (int i = 0; i < n->shape.rank; i++)
        map[i] = n->attr.map[i] < 0 ? -1 : a->attr.map[n->attr.map[i]];
    return graph_broadcast(a->in[0], n->shape, map);
}

/* reverse of axes of size 1 only, or twice. */
static Node *simplify_reverse(Node *n)
{
    bool any = false;
    for (int i = 0; i < n->shape.rank; i++)
        any |= n->attr.reverse[i] && n->shape.dim[i] > 1;
    if (!any)
        return n->in[0];
    if (n->in[0]->op == OP_reverse && !memcmp(&n->attr, &n->in[0]->attr, sizeof n->attr))
        return n->in[0]->in[0];
    return NULL;
}

Node *simplify_layout(Node *n)
{
    Node *same = view_of_splat(n);
    if (same)
        return same;
    switch (n->op) {
    case OP_reshape: return simplify_reshape(n);
    case OP_transpose: return simplify_transpose(n);
    case OP_broadcast: return simplify_broadcast(n);
    case OP_reverse: return simplify_reverse(n);
    default: return NULL;
    }
}

/* ---- Sums of parts ------------------------------------------------------------------- */

enum { MAX_PARTS = 16 };

/* The padded operands of a sum of sums, where they are nothing else. */
static bool find_pads(Node *n, bool root, Node **pads, int *count)
{
    if (n->op == OP_pad) {
        if (!is_splat(n->in[1], 0) || *count == MAX_PARTS)
            return false;
        pads[(*count)++] = n;
        return true;
    }
    return n->op == OP_add && (root || single_use(n)) &&
           find_pads(n->in[0], false, pads, count) && find_pads(n->in[1], false, pads, count);
}

/* Does n only add zeros before and behind along this axis? */
static bool pads_along(const Node *n, int axis)
{
    for (int i = 0; i < n->shape.rank; i++) {
        int64_t low = n->attr.pad.low[i], high = n->attr.pad.high[i];
        if (n->attr.pad.interior[i] || low < 0 || high < 0 || (i != axis && (low || high)))
            return false;
    }
    return true;
}

static Node *part_from(Node **pads, int count, int axis, int64_t start)
{
    for (int i = 0; i < count; i++)
        if (pads[i]->attr.pad.low[axis] == start)
            return pads[i]->in[0];
    return NULL;
}

Node *sum_of_pads(Node *n)
{
    Node *pads[MAX_PARTS], *parts[MAX_PARTS];
    int count = 0, axis = 0;
    if (!find_pads(n, true, pads, &count))
        return NULL;
    while (axis < n->shape.rank && !pads[0]->attr.pad.low[axis] && !pads[0]->attr.pad.high[axis])
        axis++;
    if (axis == n->shape.rank)
        return NULL;
    int64_t start = 0;
    for (int i = 0; i < count; i++) {
        if (!pads_along(pads[i], axis))
            return NULL;
        parts[i] = part_from(pads, count, axis, start);
        if (!parts[i])
            return NULL;
        start += parts[i]->shape.dim[axis];
    }
    return start == n->shape.dim[axis] ? graph_concatenate(count, parts, axis) : NULL;
}

/* ---- Reductions ---------------------------------------------------------------------- */

/* Features first, so that each sample is reduced where it lies. */
static Node *split_reduction(Node *n)
{
    bool features[MAX_RANK + 1] = {0}, batch[MAX_RANK + 1] = {[MAX_RANK] = true}, any = false;
    for (int i = 0; i < MAX_RANK; i++)
        any |= features[i] = n->attr.axes[i];
    if (!any || !n->attr.axes[MAX_RANK])
        return NULL;
    return graph_reduce(n->op, graph_reduce(n->op, n->in[0], features), batch);
}

/* An axis of size 1 is dropped by a reshape. */
static Node *reduce_ones(Node *n)
{
    bool axes[MAX_RANK + 1] = {0}, ones = false;
    Shape kept = {.batch = n->in[0]->shape.batch};
    for (int i = 0; i < n->in[0]->shape.rank; i++) {
        bool one = n->attr.axes[i] && n->in[0]->shape.dim[i] == 1;
        ones |= one;
        if (one)
            continue;
        axes[kept.rank] = n->attr.axes[i];
        kept.dim[kept.rank++] = n->in[0]->shape.dim[i];
    }
    axes[MAX_RANK] = n->attr.axes[MAX_RANK];
    return ones ? graph_reduce(n->op, graph_reshape(n->in[0], kept), axes) : NULL;
}

/* What a reduction of a broadcast does to the operand x of the broadcast. */
typedef struct Repeats {
    bool left[MAX_RANK + 1]; /* axes of x, and its batch, still to reduce */
    double times;            /* how often the reduced axes show each element */
    int map[MAX_RANK];       /* from what is left of x to the result */
} Repeats;

static Repeats repeats(const Node *reduce, const Node *broadcast)
{
    Repeats r = {.times = 1};
    int kept = 0, axis = 0;
    for (int i = 0; i < broadcast->shape.rank; i++) {
        int source = broadcast->attr.map[i];
        bool repeated =
            source < 0 || broadcast->in[0]->shape.dim[source] != broadcast->shape.dim[i];
        if (reduce->attr.axes[i]) {
            r.times *= repeated ? (double)broadcast->shape.dim[i] : 1;
            if (source >= 0)
                r.left[source] = true;
        } else {
            r.map[axis++] = source < 0 ? -1 : kept++;
        }
    }
    r.left[MAX_RANK] = reduce->attr.axes[MAX_RANK] && broadcast->in[0]->shape.batch;
    return r;
}

/* sum(broadcast(x)) = broadcast(n * sum(x)); max(broadcast(x)) = broadcast(max(x)). */
static Node *reduce_of_broadcast(Node *n)
{
    Node *a = n->in[0];
    if (a->op != OP_broadcast || n->type != T_F32)
        return NULL;
    Repeats r = repeats(n, a);
    Node *sum = graph_reduce(n->op, a->in[0], r.left);
    bool samples = n->attr.axes[MAX_RANK] && !a->in[0]->shape.batch;
    if (n->op == OP_reduce_sum && r.times != 1)
        sum = graph_op2(OP_mul, sum, graph_const(sum->shape, r.times));
    if (n->op == OP_reduce_sum && samples)
        sum = graph_op2(OP_mul, sum, graph_expand(graph_live(), sum->shape));
    return graph_broadcast(sum, n->shape, r.map);
}

/* Sums of a constant: the number of terms times it. */
static Node *reduce_of_splat(Node *n)
{
    double k, times = (double)(shape_size(n->in[0]->shape) / shape_size(n->shape));
    if (!splat_of(n->in[0], &k) || n->type != T_F32)
        return NULL;
    if (n->op == OP_reduce_max)
        return graph_const(n->shape, k);
    Node *sum = graph_const(n->shape, k * times);
    if (n->attr.axes[MAX_RANK])
        sum = graph_op2(OP_mul, graph_expand(graph_live(), n->shape), sum);
    return sum;
}

/* The sum of all features does not see their shape. */
static Node *reduce_of_reshape(Node *n)
{
    Node *a = n->in[0];
    bool all[MAX_RANK + 1] = {0};
    if (a->op != OP_reshape || a->shape.rank == 0 || n->shape.rank)
        return NULL;
    for (int i = 0; i < a->in[0]->shape.rank; i++)
        all[i] = true;
    all[MAX_RANK] = n->attr.axes[MAX_RANK];
    return graph_reduce(n->op, a->in[0], all);
}

/* A sum over features of one over the batch: features first, as everywhere. */
static Node *reduce_of_batch(Node *n)
{
    Node *a = n->in[0];
    bool batch[MAX_RANK + 1] = {[MAX_RANK] = true};
    if (n->op != OP_reduce_sum || a->op != n->op || !a->attr.axes[MAX_RANK] || !single_use(a))
        return NULL;
    for (int i = 0; i < MAX_RANK; i++)
        if (a->attr.axes[i])
            return NULL;
    return graph_reduce(n->op, graph_reduce(n->op, a->in[0], n->attr.axes), batch);
}

/* A sum of a contraction along axes that are variables of it is one more of its
 * sums: the gradients of all steps of a scan become one product. */
static Node *reduce_of_contract(Node *n)
{
    Node *a = n->in[0];
    Contraction c = a->attr.contraction;
    int rank = 0;
    if (n->op != OP_reduce_sum || a->op != OP_contract || !single_use(a) ||
        n->attr.axes[MAX_RANK])
        return NULL;
    for (int i = 0; i < a->shape.rank; i++) {
        const Affine *index = &a->attr.contraction.map[0][i];
        bool whole = index->terms == 1 && index->constant == 0 && index->coefficient[0] == 1 &&
                     c.extent[index->var[0]] == a->shape.dim[i];
        if (n->attr.axes[i] && !whole)
            return NULL;
        if (!n->attr.axes[i])
            c.map[0][rank++] = *index;
    }
    return graph_contract(n->shape, a->in[0], a->nin > 1 ? a->in[1] : NULL, &c);
}

Node *simplify_reduce(Node *n)
{
    Node *(*const rules[])(Node *) = {reduce_of_splat, reduce_of_broadcast, reduce_ones,
                                      split_reduction, reduce_of_reshape,   sum_of_scatter,
                                      reduce_of_batch, reduce_of_contract};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        Node *other = rules[i](n);
        if (other)
            return other;
    }
    return NULL;
}
