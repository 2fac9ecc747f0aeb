/* simplify: algebra on the graph.
 *
 * Needs: no OP_gradient (stop_gradient is dropped). Guarantees: the same
 * values, but for the sign of zeros, the rounding of constants, powers and sums
 * of equal terms, and products with zeros around what windows scatter; no sum
 * in another order, but those of what windows scatter and sums of sums; a
 * reduction over features and the batch is two nodes, features first; operands
 * of a contraction have no transpose, reverse or broadcast that its maps can
 * express.
 *
 *   before   %2 = mul(%0, 1)   %3 = transpose(%1)   %4 = contract(%2, %3)
 *   after    %4 = contract(%0, %1), with the axes of map 2 exchanged
 *
 * Nodes that no root reaches any more are gone: that is dead code. */
#include <math.h>

#include "simplify.h"

enum { MAX_ROUNDS = 50 };

/* ---- Elementwise ---------------------------------------------------------------- */

static Node *fold_constants(Node *n)
{
    double value[3] = {0};
    for (int i = 0; i < n->nin; i++)
        if (!splat_of(n->in[i], &value[i]))
            return NULL;
    return graph_typed(n->type, n->shape, map_value(n, value[0], value[1], value[2]));
}

static bool is_power_of_two(double x)
{
    int exponent;
    return isfinite(x) && x != 0 && fabs(frexp(x, &exponent)) == 0.5;
}

/* (x * a) * b = x * (a * b) for a constant or broadcast a, if a or b is a power of
 * two: then both are rounded once. */
static Node *merge_factors(Node *n, double b)
{
    double a = NAN;
    Node *inner = n->in[0];
    if (n->type != T_F32 || inner->op != OP_mul)
        return NULL;
    int repeated = inner->in[0]->op == OP_broadcast ? 0 : 1;
    Node *factor = inner->in[repeated];
    bool exact = (splat_of(factor, &a) && is_power_of_two(a)) || is_power_of_two(b);
    if (!exact || (isnan(a) && factor->op != OP_broadcast))
        return NULL;
    return graph_op2(OP_mul, inner->in[!repeated], graph_op2(OP_mul, factor, n->in[1]));
}

static Node *simplify_mul(Node *n)
{
    double k;
    if (!splat_of(n->in[1], &k))
        return NULL;
    if (k == 1)
        return n->in[0];
    if (k == -1)
        return graph_op1(OP_neg, n->in[0]);
    return merge_factors(n, k);
}

/* x + 0 = x; x + x = 2 x, where factors may meet. */
static Node *simplify_add(Node *n)
{
    if (n->type == T_F32 && n->in[0] == n->in[1])
        return graph_op2(OP_mul, n->in[0], graph_const(n->shape, 2));
    return is_splat(n->in[1], 0) ? n->in[0] : sum_of_pads(n);
}

static Node *reciprocal(Node *a)
{
    return graph_op2(OP_div, graph_const(a->shape, 1), a);
}

/* Powers that products and roots make. */
static Node *simplify_pow(Node *n)
{
    Node *x = n->in[0];
    double k = n->attr.number;
    if (k < 0 && 2 * k == floor(2 * k) && k >= -2)
        return reciprocal(graph_pow(x, -k));
    if (k == 2)
        return graph_op2(OP_mul, x, x);
    if (k == 3)
        return graph_op2(OP_mul, x, graph_op2(OP_mul, x, x));
    if (k == 0.5)
        return graph_op1(OP_sqrt, x);
    if (k == 1.5)
        return graph_op2(OP_mul, x, graph_op1(OP_sqrt, x));
    return NULL;
}

static Node *simplify_select(Node *n)
{
    double k;
    Node *p = n->in[0], *a = n->in[1], *b = n->in[2];
    if (splat_of(p, &k))
        return k != 0 ? a : b;
    if (a == b)
        return a;
    if (p->op == OP_not)
        return graph_select(p->in[0], b, a);
    if (a->op == OP_select && a->in[0] == p)
        return graph_select(p, a->in[1], b);
    if (b->op == OP_select && b->in[0] == p)
        return graph_select(p, a, b->in[2]);
    return select_of_scatter(n);
}

/* and, or with a constant on the right, or with themselves. */
static Node *simplify_logic(Node *n)
{
    double k;
    if (n->in[0] == n->in[1])
        return n->in[0];
    if (!splat_of(n->in[1], &k))
        return NULL;
    bool decides = (k != 0) == (n->op == OP_or);
    return n->in[decides];
}

/* Constants stand on the right of operations that commute. */
static Node *constant_right(Node *n)
{
    double k;
    if (!(op_info[n->op].flags & COMMUTES) || !splat_of(n->in[0], &k) || splat_of(n->in[1], &k))
        return NULL;
    return graph_op2(n->op, n->in[1], n->in[0]);
}

static Node *algebra(Node *n)
{
    switch (n->op) {
    case OP_add: return simplify_add(n);
    case OP_div: return is_splat(n->in[1], 1) ? n->in[0] : NULL;
    case OP_max: return n->in[0] == n->in[1] ? n->in[0] : NULL;
    case OP_mul: return simplify_mul(n);
    case OP_pow: return simplify_pow(n);
    case OP_select: return simplify_select(n);
    case OP_and:
    case OP_or: return simplify_logic(n);
    case OP_neg:
    case OP_not: return n->in[0]->op == n->op ? n->in[0]->in[0] : NULL;
    case OP_convert: return n->in[0]->type == n->type ? n->in[0] : NULL;
    case OP_stop_gradient: return n->in[0];
    default: return NULL;
    }
}

/* The broadcast that all operands which are no splats have in common. */
static Node *common_broadcast(const Node *n)
{
    Node *common = NULL;
    double k;
    for (int i = 0; i < n->nin; i++) {
        Node *in = n->in[i];
        if (splat_of(in, &k))
            continue;
        if (in->op != OP_broadcast)
            return NULL;
        if (common && !shape_equal(in->in[0]->shape, common->in[0]->shape))
            return NULL;
        for (int j = 0; common && j < n->shape.rank; j++)
            if (in->attr.map[j] != common->attr.map[j])
                return NULL;
        common = in;
    }
    return common;
}

/* f(broadcast a, broadcast b) = broadcast f(a, b): fewer elements to compute. */
static Node *hoist_broadcast(Node *n)
{
    Node *common = common_broadcast(n), *in[3];
    double k;
    if (!common)
        return NULL;
    Shape small = common->in[0]->shape;
    for (int i = 0; i < n->nin; i++)
        in[i] = splat_of(n->in[i], &k) ? graph_typed(n->in[i]->type, small, k) : n->in[i]->in[0];
    Node *inner = graph_node(n->op, n->type, small, n->nin, in, &n->attr, n->pos);
    return graph_broadcast(inner, n->shape, common->attr.map);
}

Node *simplify_map(Node *n)
{
    Node *(*const rules[])(Node *) = {fold_constants, constant_right, algebra, hoist_broadcast};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        Node *other = rules[i](n);
        if (other)
            return other;
    }
    return NULL;
}

/* ---- The pass ------------------------------------------------------------------- */

static struct {
    int *count; /* users by id; nodes of this round have none yet */
    int n;
} uses;

bool single_use(const Node *n)
{
    return n->id < uses.n && uses.count[n->id] <= 1;
}

static void count_uses(int n, Node **roots)
{
    NodeList list = graph_reach(n, roots);
    uses.n = graph_count();
    uses.count = NEW_ARRAY(int, uses.n + 1);
    for (int i = 0; i < n; i++)
        uses.count[roots[i]->id]++;
    for (int i = 0; i < list.n; i++)
        for (int j = 0; j < list.at[i]->nin; j++)
            uses.count[list.at[i]->in[j]->id]++;
}

/* What a scan emits twice is one sequence. */
static Node *simplify_result(Node *n)
{
    Node *scan = n->in[0];
    for (int i = scan->attr.scan.carried; i < n->attr.scan.index; i++)
        if (scan->in[scan->attr.scan.carried + i] ==
            scan->in[scan->attr.scan.carried + n->attr.scan.index])
            return graph_result(scan, i);
    return NULL;
}

static Node *one_rule(Node *n)
{
    if (n->op == OP_result)
        return simplify_result(n);
    switch (op_info[n->op].kind) {
    case MAP: return simplify_map(n);
    case LAYOUT: return simplify_layout(n);
    case REDUCE: return simplify_reduce(n);
    case CONTRACT: return simplify_contract(n);
    default: return NULL;
    }
}

static Node *simplify_node(Node *n, void *changed)
{
    Node *best = NULL, *next = one_rule(n);
    for (int i = 0; next && i < MAX_ROUNDS; i++) {
        best = next;
        *(bool *)changed = true;
        next = one_rule(best);
    }
    return best;
}

static void simplify_roots(int n, Node **roots)
{
    bool changed = true;
    for (int round = 0; changed && round < MAX_ROUNDS; round++) {
        changed = false;
        count_uses(n, roots);
        graph_rewrite(n, roots, simplify_node, &changed);
    }
}

void simplify(Model *m)
{
    rewrite_model(m, simplify_roots);
}
