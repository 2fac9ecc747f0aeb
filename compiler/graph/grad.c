/* grad: reverse mode on the graph.
 *
 * Needs: a legal graph. Guarantees: no OP_gradient is left in any function or
 * initial value; derivatives are nodes of the same table, so that they can be
 * differentiated again. No cotangent is a symbolic zero: what does not
 * depend on x is never visited. Contributions to a node are added in
 * descending order of the ids of its users.
 *
 *   before   %2 = mul(%0, %1); %3 = gradient(%2, %0)
 *   after    %4 = const 1; %5 = mul(%4, %1)
 *
 * The rules of one line stand in ops.def, column `gradient`, and are expanded
 * here; the ones of several lines are the functions grad_<op>. */
#include <math.h>
#include <string.h>

#include "grad.h"

/* ---- One sweep ------------------------------------------------------------- */

void give(Sweep *s, Node *to, Node *part)
{
    if (!part || !s->needed[to->id])
        return;
    if (!shape_equal(to->shape, part->shape))
        die("gradient of %s %s has shape %s", op_name[to->op], shape_text(to->shape),
            shape_text(part->shape));
    Node **sum = &s->gradient[to->id];
    *sum = *sum ? graph_op2(OP_add, *sum, part) : part;
}

/* ---- The vocabulary of the column `gradient` ---------------------------------- */

Node *zeros(Shape shape)
{
    return graph_const(shape, 0);
}

static Node *scale(double k, Node *a)
{
    return k == 1 ? a : graph_op2(OP_mul, a, graph_const(a->shape, k));
}

static Node *where(Node *p, Node *g)
{
    return graph_select(p, g, zeros(g->shape));
}

/* The gradient of n's sum over axes, spread over what was summed. */
static Node *expand_reduced(Node *g, const Node *n)
{
    int map[MAX_RANK], next = 0;
    for (int i = 0; i < n->in[0]->shape.rank; i++)
        map[i] = n->attr.axes[i] ? -1 : next++;
    return graph_broadcast(g, n->in[0]->shape, map);
}

#define add(a, b)   graph_op2(OP_add, a, b)
#define mul(a, b)   graph_op2(OP_mul, a, b)
#define div(a, b)   graph_op2(OP_div, a, b)
#define neg(a)      graph_op1(OP_neg, a)
#define sub(a, b)   add(a, neg(b))
#define pow(a, k)   graph_pow(a, k)
#define exp(a)      graph_op1(OP_exp, a)
#define sin(a)      graph_op1(OP_sin, a)
#define cos(a)      graph_op1(OP_cos, a)
#define logistic(a) graph_op1(OP_logistic, a)
#define eq(a, b)    graph_op2(OP_eq, a, b)
#define lt(a, b)    graph_op2(OP_lt, a, b)
#define not(a) graph_op1(OP_not, a)
#define select(p, a, b)   graph_select(p, a, b)
#define reshape(a, shape) graph_reshape(a, shape)
#define one(like)         graph_const((like)->shape, 1)

/* ---- Rules of layout ------------------------------------------------------------ */

static void grad_transpose(Sweep *s, Node *n, Node *g)
{
    int inverse[MAX_RANK];
    for (int i = 0; i < n->shape.rank; i++)
        inverse[n->attr.permutation[i]] = i;
    give(s, n->in[0], graph_transpose(g, inverse));
}

/* Sums what was repeated: new axes, axes of size 1, the batch. */
static void grad_broadcast(Sweep *s, Node *n, Node *g)
{
    Shape from = n->in[0]->shape;
    bool axes[MAX_RANK + 1] = {0};
    for (int i = 0; i < n->shape.rank; i++) {
        int source = n->attr.map[i];
        axes[i] = source < 0 || from.dim[source] != n->shape.dim[i];
    }
    axes[MAX_RANK] = n->shape.batch && !from.batch;
    give(s, n->in[0], reshape(graph_reduce(OP_reduce_sum, g, axes), from));
}

static Node *sum_all(Node *a)
{
    bool axes[MAX_RANK + 1] = {0};
    for (int i = 0; i < a->shape.rank; i++)
        axes[i] = true;
    axes[MAX_RANK] = a->shape.batch;
    return graph_reduce(OP_reduce_sum, a, axes);
}

static Node *unpad(Node *n, Node *g)
{
    int64_t low[MAX_RANK], high[MAX_RANK], none[MAX_RANK] = {0}, stride[MAX_RANK];
    for (int i = 0; i < n->shape.rank; i++) {
        low[i] = -n->attr.pad.low[i];
        high[i] = -n->attr.pad.high[i];
        stride[i] = n->attr.pad.interior[i] + 1;
    }
    Node *inside = graph_pad(g, zeros((Shape){0}), low, high, none);
    return graph_slice(inside, none, inside->shape.dim, stride);
}

static void grad_pad(Sweep *s, Node *n, Node *g)
{
    Node *kept = unpad(n, g);
    give(s, n->in[0], kept);
    if (s->needed[n->in[1]->id])
        give(s, n->in[1], sub(sum_all(g), sum_all(kept)));
}

static void grad_slice(Sweep *s, Node *n, Node *g)
{
    int64_t high[MAX_RANK], interior[MAX_RANK];
    const int64_t *start = n->attr.slice.start, *stride = n->attr.slice.stride;
    for (int i = 0; i < n->shape.rank; i++) {
        int64_t last = start[i] + (n->shape.dim[i] - 1) * stride[i];
        high[i] = n->in[0]->shape.dim[i] - last - 1;
        interior[i] = stride[i] - 1;
    }
    give(s, n->in[0], graph_pad(g, zeros((Shape){0}), start, high, interior));
}

static void grad_concatenate(Sweep *s, Node *n, Node *g)
{
    int64_t start[MAX_RANK] = {0}, limit[MAX_RANK], stride[MAX_RANK];
    int axis = n->attr.axis;
    for (int i = 0; i < n->shape.rank; i++) {
        limit[i] = n->shape.dim[i];
        stride[i] = 1;
    }
    limit[axis] = 0;
    for (int i = 0; i < n->nin; i++) {
        start[axis] = limit[axis];
        limit[axis] += n->in[i]->shape.dim[axis];
        if (s->needed[n->in[i]->id])
            give(s, n->in[i], graph_slice(g, start, limit, stride));
    }
}

/* ---- Rules of reductions, contractions, windows, rows ------------------------------ */

static void grad_reduce_max(Sweep *s, Node *n, Node *g)
{
    Node *x = n->in[0];
    Node *mark = graph_convert(eq(x, expand_reduced(n, n)), T_F32);
    Node *share = div(g, graph_reduce(OP_reduce_sum, mark, n->attr.axes));
    give(s, x, mul(mark, expand_reduced(share, n)));
}

/* The same points with roles exchanged: what a role gets is the sum over its
 * points of the product of the other two. */
static Node *permuted(Node *n, int to, Node *a, int role_a, Node *b, int role_b)
{
    Contraction c = n->attr.contraction;
    memcpy(c.map[0], n->attr.contraction.map[to], sizeof c.map[0]);
    memcpy(c.map[1], n->attr.contraction.map[role_a], sizeof c.map[1]);
    memcpy(c.map[2], n->attr.contraction.map[role_b], sizeof c.map[2]);
    return graph_contract(n->in[to - 1]->shape, a, b, &c);
}

static void grad_contract(Sweep *s, Node *n, Node *g)
{
    Node *a = n->in[0], *b = n->nin > 1 ? n->in[1] : NULL;
    if (s->needed[a->id])
        give(s, a, permuted(n, 1, g, 0, b, 2));
    if (b && s->needed[b->id])
        give(s, b, permuted(n, 2, a, 1, g, 0));
}

static void grad_window_gather(Sweep *s, Node *n, Node *g)
{
    Node *x = n->in[0];
    give(s, x, graph_window(OP_window_scatter, g, n->in[1], x->shape, &n->attr.window));
}

static void grad_window_scatter(Sweep *s, Node *n, Node *g)
{
    Node *x = n->in[0];
    give(s, x, graph_window(OP_window_gather, g, n->in[1], x->shape, &n->attr.window));
}

static void grad_gather_rows(Sweep *s, Node *n, Node *g)
{
    give(s, n->in[0], graph_scatter_add_rows(zeros(n->in[0]->shape), n->in[1], g));
}

static void grad_scatter_add_rows(Sweep *s, Node *n, Node *g)
{
    give(s, n->in[0], g);
    if (!s->needed[n->in[2]->id])
        return;
    Node *rows = graph_gather_rows(g, n->in[1]);
    bool batch[MAX_RANK + 1] = {[MAX_RANK] = rows->shape.batch && !n->in[2]->shape.batch};
    rows = graph_reduce(OP_reduce_sum, rows, batch);
    give(s, n->in[2], graph_expand(rows, n->in[2]->shape));
}

/* ---- The sweep --------------------------------------------------------------------- */

/* Gives n's operands their parts of its gradient g. */
static void pull_by_rule(Sweep *s, Node *n, Node *g)
{
    Node *r = n, *x = n->nin > 0 ? n->in[0] : NULL, *y = n->nin > 1 ? n->in[1] : NULL,
         *z = n->nin > 2 ? n->in[2] : NULL;
    (void)z;
#define PART(i, part)  (s->needed[n->in[i]->id] ? give(s, n->in[i], part) : (void)0)
#define D1(dx)         PART(0, dx)
#define D2(dx, dy)     (PART(0, dx), PART(1, dy))
#define D3(dx, dy, dz) (PART(0, dx), PART(1, dy), PART(2, dz))
#define BY(rule)       grad_##rule(s, n, g)
#define NONE           (void)0
    switch (n->op) {
#define OP(name, arity, kind, attr, type, shape, value, gradient, ...) \
    case OP_##name:                                                    \
        gradient;                                                      \
        break;
#include "ops.def"
    default: die("no gradient rule for operation %d", (int)n->op);
    }
}

bool differentiable(const Node *n)
{
    return n->type == T_F32 && strcmp(op_info[n->op].gradient, "NONE") != 0;
}

void pull(Sweep *s, Node *n)
{
    Node *g = s->gradient[n->id];
    graph_at(n->pos, n->layer);
    if (g || s->results[n->id])
        pull_by_rule(s, n, g);
}

Sweep new_sweep(void)
{
    size_t n = (size_t)graph_count();
    return (Sweep){NEW_ARRAY(Node *, n), NEW_ARRAY(Node **, n), NEW_ARRAY(bool, n), (int)n};
}

static void mark_needed(Sweep *s, NodeList list, int n, Node **x)
{
    for (int i = 0; i < n; i++)
        s->needed[x[i]->id] = true;
    for (int i = 0; i < list.n; i++) {
        Node *node = list.at[i];
        for (int j = 0; j < node->nin && differentiable(node); j++)
            s->needed[node->id] |= s->needed[node->in[j]->id];
    }
}

void gradient(Node *y, int n, Node **x, Node **out)
{
    Sweep s = new_sweep();
    NodeList list = graph_reach(1, &y);
    mark_needed(&s, list, n, x);
    if (s.needed[y->id])
        s.gradient[y->id] = one(y);
    for (int i = list.n - 1; i >= 0; i--)
        pull(&s, list.at[i]);
    for (int i = 0; i < n; i++)
        out[i] = s.gradient[x[i]->id] ? s.gradient[x[i]->id] : zeros(x[i]->shape);
}

/* ---- All gradients of a model --------------------------------------------------------- */

/* Gradients of one y, by one sweep. */
typedef struct Group {
    Node *y;
    int n, cap, cap_x;
    Node **place, **x, **result;
} Group;

/* The first gradient in the list whose operands have none, and all others of
 * the same y that are as ready. */
static Group ready_gradients(NodeList list)
{
    Group group = {0};
    bool *holds = NEW_ARRAY(bool, graph_count()); /* a gradient, by id */
    for (int i = 0; i < list.n; i++) {
        Node *n = list.at[i];
        for (int j = 0; j < n->nin; j++)
            holds[n->id] |= holds[n->in[j]->id];
        if (n->op == OP_gradient && !holds[n->id] && (!group.y || group.y == n->in[0])) {
            int count = group.n;
            group.y = n->in[0];
            PUSH(group.x, count, group.cap_x, n->in[1]);
            PUSH(group.place, group.n, group.cap, n);
        }
        holds[n->id] |= n->op == OP_gradient;
    }
    return group;
}

static Node *replace_gradient(Node *n, void *arg)
{
    Group *group = arg;
    for (int i = 0; n->op == OP_gradient && i < group->n; i++)
        if (group->place[i] == n)
            return group->result[i];
    return NULL;
}

static void fill_gradients(int n, Node **roots)
{
    for (;;) {
        Group group = ready_gradients(graph_reach(n, roots));
        if (!group.n)
            return;
        group.result = NEW_ARRAY(Node *, group.n);
        gradient(group.y, group.n, group.x, group.result);
        graph_rewrite(n, roots, replace_gradient, &group);
        unite_scans(n, roots);
    }
}

void grad(Model *m)
{
    rewrite_model(m, fill_gradients);
    graph_at((Pos){0}, NULL);
}
