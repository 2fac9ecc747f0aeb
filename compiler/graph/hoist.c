/* hoist: what does not need the carried values leaves the scan.
 *
 * Needs: no OP_gradient. Guarantees: no contraction is left in a body that
 * depends on the steps only through sequences, or that only an emit needs:
 * they are done for all steps at once, before or after the scan. Emits and
 * carried values that nobody reads are gone. Values are the same, and so is
 * the order of every sum.
 *
 *   before   scan: z = add(contract(element(x, t), w), contract(h, r)) ...
 *            reverse scan: emit contract(element(x, t), dz)
 *   after    %9 = contract(x, w), of all steps; scan: z = add(element(%9, t), ...)
 *            reverse scan: emit dz; contract(x, stacked dz)
 *
 * What is invariant is outside already: it does not depend on the leaves. */
#include <string.h>

#include "scan.h"

typedef struct Hoist {
    Node *scan;
    Scans scans;
    int place;      /* of the scan                                       */
    bool *for_next; /* by id: a next value needs it                      */
    Node **lifted;  /* by id: of all steps; NULL: not known yet          */
    bool *tried;
    unsigned *seen, search; /* by id: the last search that came by             */
    bool sinks;             /* carried values are there as stacks: emit them     */
    Node **emit;
    int n, cap;
} Hoist;

static bool is_body(const Hoist *h, const Node *n)
{
    return inside_scan(&h->scans, n, h->place);
}

static bool is_own(const Hoist *h, const Node *n, Op op)
{
    return n->op == op && n->attr.scan.id == h->scan->attr.scan.id;
}

/* ---- A node of all steps at once ------------------------------------------------ */

static Node *lift(Hoist *h, Node *n);

static Node *stacked(Hoist *h, const Node *n, int nin, Node **in, const Attr *attr)
{
    return graph_node(n->op, n->type, shape_stacked(n->shape, h->scan->attr.scan.steps), nin, in,
                      attr, n->pos);
}

/* Operands that stand outside are repeated; NULL if one cannot be lifted. */
static Node **lifted_operands(Hoist *h, const Node *n)
{
    Node **in = NEW_ARRAY(Node *, n->nin + 1);
    for (int i = 0; i < n->nin; i++) {
        in[i] = is_body(h, n->in[i]) ? lift(h, n->in[i])
                                     : repeat_steps(n->in[i], h->scan->attr.scan.steps);
        if (!in[i])
            return NULL;
    }
    return in;
}

static void behind_step(Affine map[MAX_RANK], int rank, int step)
{
    memmove(map + 1, map, sizeof *map * (size_t)rank);
    map[0] = (Affine){0, 1, {step}, {1}};
}

/* The step is one more variable; what stands outside has no need of it. */
static Node *lift_contract(Hoist *h, Node *n)
{
    Contraction c = n->attr.contraction;
    Node *in[2] = {NULL, NULL};
    if (c.nvars == MAX_VARS || n->shape.rank == MAX_RANK)
        return NULL;
    c.extent[c.nvars] = h->scan->attr.scan.steps;
    behind_step(c.map[0], n->shape.rank, c.nvars);
    for (int i = 0; i < n->nin; i++) {
        in[i] = n->in[i];
        if (!is_body(h, n->in[i]))
            continue;
        in[i] = n->in[i]->shape.rank < MAX_RANK ? lift(h, n->in[i]) : NULL;
        if (!in[i])
            return NULL;
        behind_step(c.map[i + 1], n->in[i]->shape.rank, c.nvars);
    }
    c.nvars++;
    return graph_contract(shape_stacked(n->shape, h->scan->attr.scan.steps), in[0], in[1], &c);
}

static Node *lift_layout(Hoist *h, Node *n, Node **in)
{
    Attr attr = n->attr;
    int rank = n->in[0]->shape.rank;
    switch (n->op) {
    case OP_broadcast:
        for (int i = n->shape.rank; i > 0; i--)
            attr.map[i] = n->attr.map[i - 1] < 0 ? -1 : n->attr.map[i - 1] + 1;
        attr.map[0] = 0;
        break;
    case OP_transpose:
        for (int i = rank; i > 0; i--)
            attr.permutation[i] = n->attr.permutation[i - 1] + 1;
        attr.permutation[0] = 0;
        break;
    case OP_slice:
        for (int i = rank; i > 0; i--) {
            attr.slice.start[i] = n->attr.slice.start[i - 1];
            attr.slice.limit[i] = n->attr.slice.limit[i - 1];
            attr.slice.stride[i] = n->attr.slice.stride[i - 1];
        }
        attr.slice.start[0] = 0;
        attr.slice.limit[0] = h->scan->attr.scan.steps;
        attr.slice.stride[0] = 1;
        break;
    case OP_concatenate: attr.axis++; break;
    case OP_reshape: break;
    default: return NULL;
    }
    return stacked(h, n, n->nin, in, &attr);
}

static Node *lift_reduce(Hoist *h, Node *n, Node **in)
{
    Attr attr = n->attr;
    for (int i = n->in[0]->shape.rank; i > 0; i--)
        attr.axes[i] = n->attr.axes[i - 1];
    attr.axes[0] = false;
    return stacked(h, n, 1, in, &attr);
}

static Node *emitted(Hoist *h, Node *n)
{
    PUSH(h->emit, h->n, h->cap, n);
    h->scan = scan_with_emits(h->scan, 1, &n);
    return graph_result(h->scan, result_of_emit(h->scan, n));
}

static Node *all_steps(Type type, int64_t steps)
{
    return graph_iota(type, shape_of(false, 1, &steps), 0);
}

static Node *lift_once(Hoist *h, Node *n)
{
    if (is_own(h, n, OP_time))
        return all_steps(T_I32, h->scan->attr.scan.steps);
    if (h->sinks && (is_own(h, n, OP_carried) || h->for_next[n->id]))
        return emitted(h, n);
    if (n->op == OP_element && !is_body(h, n->in[0]) && is_own(h, n->in[1], OP_time) &&
        n->in[0]->shape.dim[0] == h->scan->attr.scan.steps)
        return n->in[0];
    if (n->op == OP_contract)
        return lift_contract(h, n);
    OpKind kind = op_info[n->op].kind;
    if ((kind != MAP && kind != LAYOUT && kind != REDUCE) || n->shape.rank == MAX_RANK ||
        n->in[0]->shape.rank == MAX_RANK)
        return NULL;
    Node **in = lifted_operands(h, n);
    if (!in)
        return NULL;
    if (kind == LAYOUT)
        return lift_layout(h, n, in);
    return kind == REDUCE ? lift_reduce(h, n, in) : stacked(h, n, n->nin, in, &n->attr);
}

static Node *lift(Hoist *h, Node *n)
{
    if (!h->tried[n->id]) {
        h->tried[n->id] = true;
        h->lifted[n->id] = lift_once(h, n);
    }
    return h->lifted[n->id];
}

/* ---- Which nodes ------------------------------------------------------------------- */

/* Marks the part of the body under n, where mark is not set yet. */
static void mark_under(const Hoist *h, Node *n, bool *mark)
{
    if (!is_body(h, n) || mark[n->id])
        return;
    mark[n->id] = true;
    for (int i = 0; i < n->nin; i++)
        mark_under(h, n->in[i], mark);
}

static bool search_contraction(const Hoist *h, const Node *n)
{
    if (!is_body(h, n) || h->seen[n->id] == h->search || (h->sinks && h->for_next[n->id]))
        return false;
    h->seen[n->id] = h->search;
    if (n->op == OP_contract)
        return true;
    for (int i = 0; i < n->nin; i++)
        if (search_contraction(h, n->in[i]))
            return true;
    return false;
}

/* Is there a contraction under n, this side of what stops a lift? */
static bool has_contraction(Hoist *h, const Node *n)
{
    h->search++;
    return search_contraction(h, n);
}

/* Depends on the steps through sequences and the time alone. */
static bool is_steady(const Hoist *h, const Node *n, signed char *known)
{
    if (!is_body(h, n))
        return true;
    if (known[n->id])
        return known[n->id] > 0;
    bool steady = n->op != OP_carried && inside_directly(&h->scans, n, h->place);
    for (int i = 0; i < n->nin && steady; i++)
        steady = is_steady(h, n->in[i], known);
    known[n->id] = steady ? 1 : -1;
    return steady;
}

static Hoist open_hoist(const Scans *scans, Node *scan)
{
    size_t n = (size_t)graph_count() + 1;
    Hoist h = {.scan = scan, .scans = *scans, .seen = NEW_ARRAY(unsigned, n)};
    h.place = scan_place(&h.scans, scan->attr.scan.id);
    h.for_next = NEW_ARRAY(bool, n);
    h.lifted = NEW_ARRAY(Node *, n);
    h.tried = NEW_ARRAY(bool, n);
    for (int i = 0; i < scan->attr.scan.carried; i++)
        mark_under(&h, scan_next(scan, i), h.for_next);
    return h;
}

/* ---- Before the scan: steady nodes that the rest of the body reads ----------------- */

static void mark_read(const Hoist *h, NodeList list, signed char *known, bool *read)
{
    for (int i = 0; i < list.n; i++) {
        const Node *n = list.at[i];
        bool takes = n == h->scan || (is_body(h, n) && !is_steady(h, n, known));
        for (int j = 0; j < n->nin && takes; j++)
            read[n->in[j]->id] = true;
    }
}

/* One to[] entry for each node whose value of all steps is made at once. */
static bool raise_steady(NodeList list, const Scans *scans, Node *scan, Node **to)
{
    if (scan->attr.scan.again)
        return false;
    Hoist h = open_hoist(scans, scan);
    size_t n = (size_t)graph_count() + 1;
    signed char *known = NEW_ARRAY(signed char, n);
    bool *read = NEW_ARRAY(bool, n), changed = false;
    Node *time = graph_time(scan->attr.scan.id);
    mark_read(&h, list, known, read);
    for (int i = 0; i < list.n; i++) {
        Node *node = list.at[i];
        if (!is_body(&h, node) || !read[node->id] || !is_steady(&h, node, known) ||
            !has_contraction(&h, node))
            continue;
        Node *all = lift(&h, node);
        if (!all)
            continue;
        to[node->id] = graph_element(all, time);
        changed = true;
    }
    return changed;
}

/* ---- After the scan: emits with a contraction that no next value needs -------------- */

static bool sink_emits(NodeList list, const Scans *scans, Node *scan, Node **to)
{
    Hoist h = open_hoist(scans, scan);
    bool changed = false;
    h.sinks = true;
    for (int i = 0; i < list.n; i++) {
        Node *node = list.at[i];
        int emit = node->op == OP_result && node->in[0] == scan
                       ? node->attr.scan.index - scan->attr.scan.carried
                       : -1;
        if (emit < 0)
            continue;
        Node *value = scan_emit(scan, emit);
        if (!has_contraction(&h, value))
            continue;
        Node *all = lift(&h, value);
        if (!all)
            continue;
        to[node->id] = all;
        changed = true;
    }
    return changed;
}

/* ---- Emits and carried values that nobody reads -------------------------------------- */

static bool *carried_in_use(NodeList list, const Scans *scans, Node *scan)
{
    int carried = scan->attr.scan.carried;
    bool *used = NEW_ARRAY(bool, scan->nin + 1);
    Hoist h = {.scan = scan, .scans = *scans};
    h.place = scan_place(&h.scans, scan->attr.scan.id);
    for (int i = 0; i < list.n; i++)
        if (list.at[i]->op == OP_result && list.at[i]->in[0] == scan)
            used[list.at[i]->attr.scan.index] = true;
    bool *mark = NEW_ARRAY(bool, graph_count() + 1);
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < scan->nin - carried; i++)
            if (used[i])
                mark_under(&h, scan->in[carried + i], mark);
        for (int i = 0; i < list.n; i++) {
            const Node *n = list.at[i];
            if (is_own(&h, n, OP_carried) && mark[n->id] && !used[n->attr.scan.index])
                changed = used[n->attr.scan.index] = true;
        }
    }
    return used;
}

/* Leaves of the new scan in place of the old one's, results likewise. */
static void move_leaves(NodeList list, const Node *scan, int id, const int *number, Node **to)
{
    for (int i = 0; i < list.n; i++) {
        Node *n = list.at[i];
        if (n->attr.scan.id != scan->attr.scan.id)
            continue;
        if (n->op == OP_time)
            to[n->id] = graph_time(id);
        if (n->op == OP_carried && number[n->attr.scan.index] >= 0)
            to[n->id] = graph_carried(id, number[n->attr.scan.index], n->type, n->shape);
    }
}

static bool prune(NodeList list, const Scans *scans, Node *scan, Node **to)
{
    int carried = scan->attr.scan.carried, results = scan->nin - carried, kept = 0, place = 0;
    bool *used = carried_in_use(list, scans, scan);
    int *number = NEW_ARRAY(int, results + 1);
    for (int i = 0; i < results; i++) {
        number[i] = used[i] ? place++ : -1;
        kept += used[i] && i < carried;
    }
    if (place == results)
        return false;
    Node **values = NEW_ARRAY(Node *, results + 1), **init = NEW_ARRAY(Node *, carried + 1);
    for (int i = 0; i < results; i++)
        if (used[i])
            values[number[i]] = scan->in[carried + i];
    for (int i = 0; i < carried; i++)
        if (used[i])
            init[number[i]] = scan->in[i];
    int id = graph_scan_id();
    graph_time(id);
    Node **leaf = NEW_ARRAY(Node *, graph_count() + list.n + 1);
    move_leaves(list, scan, id, number, leaf);
    graph_substitute(place, values, leaf);
    Node *fresh = graph_scan(id, scan->attr.scan.steps, scan->attr.scan.reverse, kept, init, values,
                             place - kept, values + kept);
    fresh = scan_like(fresh, scan);
    for (int i = 0; i < list.n; i++)
        if (list.at[i]->op == OP_result && list.at[i]->in[0] == scan)
            to[list.at[i]->id] = graph_result(fresh, number[list.at[i]->attr.scan.index]);
    return true;
}

/* ---- The pass ---------------------------------------------------------------------------- */

/* Room in `to` for nodes that a rule makes before it is applied. */
static int room(NodeList list)
{
    return graph_count() + 1 + list.n;
}

static bool change_one(int n, Node **roots)
{
    static bool (*const rules[])(NodeList, const Scans *, Node *, Node **) = {raise_steady,
                                                                              sink_emits, prune};
    NodeList list = graph_reach(n, roots);
    Scans scans = find_scans(list);
    for (int i = 0; i < list.n; i++)
        for (size_t r = 0; list.at[i]->op == OP_scan && r < sizeof rules / sizeof *rules; r++) {
            Node **to = NEW_ARRAY(Node *, room(list));
            if (!rules[r](list, &scans, list.at[i], to))
                continue;
            graph_substitute(n, roots, to);
            unite_scans(n, roots);
            return true;
        }
    return false;
}

void hoist_roots(int n, Node **roots)
{
    while (change_one(n, roots))
        ;
}

/* Functions share no scans. */
void hoist(Model *m)
{
    for (int i = 0; i < m->nfns; i++) {
        Fn *fn = m->fns[i];
        NodeList roots = fn_roots(fn);
        hoist_roots(roots.n, roots.at);
        for (int j = 0; j < roots.n; j++)
            *(j < fn->noutputs ? &fn->outputs[j] : &fn->values[j - fn->noutputs]) = roots.at[j];
    }
}
