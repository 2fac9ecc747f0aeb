/* The gradient of a scan is a scan in the other direction.
 *
 *   before   %9 = scan(init, next(c, x[t], w), emit(c, x[t], w))
 *   after    %9 = scan(init, next, emit, c, residuals)
 *            %20 = scan in reverse, which carries the gradient c' of c:
 *                  next  c'   = part of c  in (c' * next + emit' * emit)
 *                  emit  x[t]'= part of x[t], and w[t]' = part of w
 *            init' = c' in the end, x' = the stacked x[t]', w' = sum of w[t]'
 *
 * The body's derivative is one sweep over the nodes of a step. Then what it
 * takes from the forward step is put in: carried values and results of
 * products, scans and costly elementwise operations as they were stored
 * (residuals); all else is computed again from those. Of a scan whose steps are
 * done `again` only what it carries is stored, and a step of the reverse scan
 * begins with a copy of the forward one. */
#include "grad.h"

typedef struct Body {
    Node *scan;          /* or a copy, where its steps are done again         */
    NodeList reach;      /* of next values and emits, in order of ids         */
    NodeList nodes;      /* of a step: those inside                           */
    bool *inside;        /* by id                                             */
    int count;           /* ids below are older than the derivative           */
    bool *active;        /* [carried]: its gradient is carried                */
    Sweep sweep;
    int id;              /* of the new scan                                   */
    Node *time;
} Body;

void grad_result(Sweep *s, Node *n, Node *g)
{
    Node *scan = n->in[0];
    if (!s->results[scan->id])
        s->results[scan->id] = NEW_ARRAY(Node *, scan->nin);
    Node **sum = &s->results[scan->id][n->attr.scan.index];
    *sum = *sum ? graph_op2(OP_add, *sum, g) : g;
}

/* Its scan's sweep stops at it; outside of one there is no `time`. */
void grad_element(Sweep *s, Node *n, Node *g)
{
    (void)s, (void)g;
    die("the gradient of %%%d, an element, is its scan's", n->id);
}

/* ---- The body ---------------------------------------------------------------- */

static bool is_leaf(const Body *b, const Node *n)
{
    return (n->op == OP_carried || n->op == OP_time) &&
           n->attr.scan.id == b->scan->attr.scan.id;
}

static void find_body(Body *b)
{
    int carried = b->scan->attr.scan.carried, cap = 0;
    b->reach = graph_reach(b->scan->nin - carried, b->scan->in + carried);
    b->count = graph_count();
    b->inside = NEW_ARRAY(bool, b->count);
    for (int i = 0; i < b->reach.n; i++) {
        Node *n = b->reach.at[i];
        b->inside[n->id] = is_leaf(b, n);
        for (int j = 0; j < n->nin; j++)
            b->inside[n->id] |= b->inside[n->in[j]->id];
        if (b->inside[n->id])
            PUSH(b->nodes.at, b->nodes.n, cap, n);
    }
}

/* x[t] of a sequence from outside: the sweep stops there. */
static bool is_step_of_sequence(const Body *b, const Node *n)
{
    return n->op == OP_element && !b->inside[n->in[0]->id] && is_leaf(b, n->in[1]);
}

/* A carried value is needed where its initial or next value is. */
static bool carried_is_needed(const Body *b, const Node *n)
{
    const bool *needed = b->sweep.needed;
    int index = n->attr.scan.index;
    return n->op == OP_carried && is_leaf(b, n) && n->type == T_F32 &&
           (needed[scan_init(b->scan, index)->id] || needed[scan_next(b->scan, index)->id]);
}

static bool needs_operand(const bool *needed, const Node *n)
{
    for (int j = 0; j < n->nin && differentiable(n); j++)
        if (needed[n->in[j]->id])
            return true;
    return false;
}

/* What leads from values that are needed outside to the results. Copies of what
 * depends on scans in the body alone are new. */
static void mark_body(Body *b, const Sweep *outer)
{
    bool *needed = b->sweep.needed;
    for (int i = 0; i < b->scan->attr.scan.carried; i++)
        needed[scan_init(b->scan, i)->id] = outer->needed[scan_init(b->scan, i)->id];
    for (int i = 0; i < b->reach.n; i++) {
        const Node *n = b->reach.at[i];
        if (!b->inside[n->id])
            needed[n->id] =
                n->id < outer->count ? outer->needed[n->id] : needs_operand(needed, n);
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < b->nodes.n; i++) {
            const Node *n = b->nodes.at[i];
            bool now = needed[n->id] || carried_is_needed(b, n) || needs_operand(needed, n);
            changed |= now && !needed[n->id];
            needed[n->id] = now;
        }
    }
}

/* Which carried values the results' gradients reach, through next values. */
static void find_active(Body *b, Node *const *of_result)
{
    const Node *scan = b->scan;
    int carried = scan->attr.scan.carried;
    b->active = NEW_ARRAY(bool, carried + 1);
    for (bool changed = true; changed;) {
        bool *reached = NEW_ARRAY(bool, b->count);
        changed = false;
        for (int i = 0; i < scan->nin - carried; i++)
            if (of_result[i] || (i < carried && b->active[i]))
                reached[scan->in[carried + i]->id] = true;
        for (int i = b->nodes.n - 1; i >= 0; i--) {
            const Node *n = b->nodes.at[i];
            for (int j = 0; j < n->nin && reached[n->id] && differentiable(n); j++)
                reached[n->in[j]->id] = true;
        }
        for (int i = 0; i < b->nodes.n; i++) {
            const Node *n = b->nodes.at[i];
            if (n->op != OP_carried || !is_leaf(b, n) || !reached[n->id] ||
                !b->sweep.needed[n->id] || b->active[n->attr.scan.index])
                continue;
            changed = b->active[n->attr.scan.index] = true;
        }
        for (int i = 0; i < carried; i++)
            if (of_result[i] && !b->active[i])
                changed = b->active[i] = true;
    }
}

static Node *carried_leaf(const Body *b, int index)
{
    const Node *init = scan_init(b->scan, index);
    return graph_carried(b->scan->attr.scan.id, index, init->type, init->shape);
}

/* ---- Its derivative ------------------------------------------------------------- */

static void start_sweep(Body *b, Node *const *of_result)
{
    const Node *scan = b->scan;
    int carried = scan->attr.scan.carried, place = 0;
    for (int i = 0; i < scan->nin - carried; i++) {
        Node *value = scan->in[carried + i];
        if (i < carried && b->active[i])
            give(&b->sweep, value, graph_carried(b->id, place++, T_F32, value->shape));
        else if (i >= carried && of_result[i])
            give(&b->sweep, value, graph_element(of_result[i], b->time));
    }
}

static void sweep_body(Body *b)
{
    for (int i = b->nodes.n - 1; i >= 0; i--) {
        Node *n = b->nodes.at[i];
        if (!is_step_of_sequence(b, n) && !is_leaf(b, n))
            pull(&b->sweep, n);
    }
}

/* The nodes whose gradient leaves a step: x[t], and w from outside. */
static NodeList leaving(const Body *b)
{
    NodeList list = {0};
    int cap = 0;
    for (int i = 0; i < b->reach.n; i++) {
        Node *n = b->reach.at[i];
        if (b->sweep.gradient[n->id] && (!b->inside[n->id] || is_step_of_sequence(b, n)))
            PUSH(list.at, list.n, cap, n);
    }
    return list;
}

/* ---- Residuals ---------------------------------------------------------------- */

static bool is_costly(Op op)
{
    switch (op) {
    case OP_exp:
    case OP_log:
    case OP_tanh:
    case OP_logistic:
    case OP_softplus:
    case OP_sin:
    case OP_cos:
    case OP_erf:
    case OP_pow: return true;
    default: return false;
    }
}

/* Is the value of a forward step stored, once it is asked for? */
static bool is_stored(const Node *n)
{
    OpKind kind = op_info[n->op].kind;
    return n->op == OP_carried || n->op == OP_result || kind == CONTRACT || kind == REDUCE ||
           kind == WINDOW || is_costly(n->op);
}

/* The graph of the derivative: which nodes read the forward step, directly in
 * its body, and which are of the reverse one. */
typedef struct Derivative {
    const Body *body;
    NodeList reach;
    Scans scans;
    int scan;            /* place of the forward scan                         */
    bool *reverse;       /* by id: depends on leaves of the new scan          */
    bool *late;          /* or on values that the forward step did not read:  */
                         /* they may come after it                            */
    Node **residual; int n, cap;
} Derivative;

static Derivative examine(const Body *b, int nroots, Node *const *roots)
{
    Node **all = NEW_ARRAY(Node *, nroots + 1);
    for (int i = 0; i < nroots; i++)
        all[i] = roots[i];
    all[nroots] = b->scan;
    Derivative d = {.body = b, .reach = graph_reach(nroots + 1, all)};
    d.scans = find_scans(d.reach);
    d.scan = scan_place(&d.scans, b->scan->attr.scan.id);
    d.reverse = NEW_ARRAY(bool, graph_count());
    d.late = NEW_ARRAY(bool, graph_count());
    bool *early = NEW_ARRAY(bool, graph_count());
    for (int i = 0; i < b->reach.n; i++)
        early[b->reach.at[i]->id] = true;
    for (int i = 0; i < d.reach.n; i++) {
        const Node *n = d.reach.at[i];
        d.reverse[n->id] =
            (n->op == OP_carried || n->op == OP_time) && n->attr.scan.id == b->id;
        d.late[n->id] = !early[n->id] && !inside_scan(&d.scans, n, d.scan);
        for (int j = 0; j < n->nin; j++) {
            d.reverse[n->id] |= d.reverse[n->in[j]->id];
            d.late[n->id] |= d.late[n->in[j]->id] && !early[n->id];
        }
    }
    return d;
}

static bool in_step(const Derivative *d, const Node *n)
{
    return d->reverse[n->id] || inside_scan(&d->scans, n, d->scan);
}

static bool is_residual(const Derivative *d, const Node *n)
{
    return is_stored(n) && !d->late[n->id] && inside_directly(&d->scans, n, d->scan);
}

/* Forward values that the derivative reads, nothing further down. */
static void find_residuals(Derivative *d, int nroots, Node *const *roots)
{
    bool *seen = NEW_ARRAY(bool, graph_count());
    Node **stack = NULL;
    int n = 0, cap = 0;
    for (int i = 0; i < nroots; i++)
        PUSH(stack, n, cap, roots[i]);
    while (n) {
        Node *node = stack[--n];
        if (seen[node->id] || !in_step(d, node))
            continue;
        seen[node->id] = true;
        if (is_residual(d, node))
            PUSH(d->residual, d->n, d->cap, node);
        for (int i = 0; i < node->nin && !is_residual(d, node); i++)
            PUSH(stack, n, cap, node->in[i]);
    }
}

/* Puts stored values of the forward scan in place of forward values. */
static void use_residuals(Body *b, int nroots, Node **roots)
{
    Derivative d = examine(b, nroots, roots);
    find_residuals(&d, nroots, roots);
    Node *scan = scan_with_emits(b->scan, d.n, d.residual);
    Node **stored = NEW_ARRAY(Node *, d.n + 1);
    for (int i = 0; i < d.n; i++)
        stored[i] = graph_element(graph_result(scan, result_of_emit(scan, d.residual[i])), b->time);
    Node *time = graph_time(b->scan->attr.scan.id);
    Node **to = NEW_ARRAY(Node *, graph_count() + 1);
    for (int i = 0; i < d.reach.n; i++)
        if (!in_step(&d, d.reach.at[i]))
            to[d.reach.at[i]->id] = d.reach.at[i];
    for (int i = 0; i < d.n; i++)
        to[d.residual[i]->id] = stored[i];
    to[time->id] = b->time;
    graph_substitute(nroots, roots, to);
}

/* The same where steps are done again: of the forward scan, whose copy the body
 * is, what it carries. */
static void use_carried(Body *b, Node *scan, int nroots, Node **roots)
{
    int carried = scan->attr.scan.carried;
    Node **kept = NEW_ARRAY(Node *, carried + 1);
    for (int i = 0; i < carried; i++)
        kept[i] = graph_carried(scan->attr.scan.id, i, scan->in[i]->type, scan->in[i]->shape);
    scan = scan_with_emits(scan, carried, kept);
    for (int i = 0; i < carried; i++)
        kept[i] = graph_element(graph_result(scan, result_of_emit(scan, kept[i])), b->time);
    Node *time = graph_time(b->scan->attr.scan.id);
    Node **to = NEW_ARRAY(Node *, graph_count() + carried + 1);
    for (int i = 0; i < carried; i++)
        to[carried_leaf(b, i)->id] = kept[i];
    to[time->id] = b->time;
    graph_substitute(nroots, roots, to);
}

/* ---- The new scan ---------------------------------------------------------------- */

/* roots: next gradients of the active carried values, then what leaves. */
static Node *reverse_scan(Body *b, Node *const *of_result, int nactive, int nroots, Node **roots)
{
    Node **init = NEW_ARRAY(Node *, nactive + 1);
    int place = 0;
    for (int i = 0; i < b->scan->attr.scan.carried; i++)
        if (b->active[i])
            init[place++] = of_result[i] ? of_result[i] : zeros(scan_init(b->scan, i)->shape);
    Node *scan = graph_scan(b->id, b->scan->attr.scan.steps, !b->scan->attr.scan.reverse, nactive,
                            init, roots, nroots - nactive, roots + nactive);
    return scan_like(scan, b->scan);
}

static Node *sum_over_steps(Node *stack)
{
    bool axes[MAX_RANK + 1] = {true};
    return graph_reduce(OP_reduce_sum, stack, axes);
}

static void give_results(Sweep *s, const Body *b, Node *reverse, NodeList left)
{
    int place = 0;
    for (int i = 0; i < b->scan->attr.scan.carried; i++)
        if (b->active[i])
            give(s, scan_init(b->scan, i), graph_result(reverse, place++));
    for (int i = 0; i < left.n; i++) {
        Node *n = left.at[i], *stack = graph_result(reverse, place + i);
        if (b->inside[n->id])
            give(s, n->in[0], stack);
        else
            give(s, n, sum_over_steps(stack));
    }
}

void grad_scan(Sweep *s, Node *scan, Node *unused)
{
    (void)unused;
    Body b = {.scan = scan->attr.scan.again ? scan_copy(scan) : scan};
    Node **of_result = s->results[scan->id];
    find_body(&b);
    b.id = graph_scan_id();
    b.time = graph_time(b.id);
    b.sweep = new_sweep();
    mark_body(&b, s);
    find_active(&b, of_result);
    start_sweep(&b, of_result);
    sweep_body(&b);
    NodeList left = leaving(&b);
    Node **roots = NEW_ARRAY(Node *, scan->attr.scan.carried + left.n + 1);
    int nactive = 0, nroots;
    for (int i = 0; i < scan->attr.scan.carried; i++)
        if (b.active[i]) {
            const Node *leaf = carried_leaf(&b, i);
            Node *g = leaf->id < b.count ? b.sweep.gradient[leaf->id] : NULL;
            roots[nactive++] = g ? g : zeros(leaf->shape);
        }
    nroots = nactive;
    for (int i = 0; i < left.n; i++)
        roots[nroots++] = b.sweep.gradient[left.at[i]->id];
    if (b.scan == scan)
        use_residuals(&b, nroots, roots);
    else
        use_carried(&b, scan, nroots, roots);
    give_results(s, &b, reverse_scan(&b, of_result, nactive, nroots, roots), left);
}
