/* history: the first part of fuse() where a function has scans.
 *
 * needs       a legal graph
 * guarantees  no `carried` is left, nor a result that is one: each carried
 *             value is an element of its history, of which the body reads one
 *             step and writes the next; loops are listed, outer ones first
 *
 *   before   %3 = carried; %9 = scan(%1, next(%3), emit %3); result(%9, 0); result(%9, 1)
 *   after    %3 = element(history, time); %9 = scan(%1, next(%3), emit %3);
 *            history of %9 [steps]; history of %9 [0 .. steps - 1]
 *
 * Step t of a forward scan reads place t and writes place t + 1; of a reverse
 * one it reads place t + 1 and writes place t. So a value that is carried and
 * kept for the backward pass is in memory once. */
#include "graph/fuse.h"
#include "graph/scan.h"

static const Attr no_attr;

static Node *whole_number(int64_t number)
{
    return graph_typed(T_I32, (Shape){0}, (double)number);
}

static Node *time_plus(const Node *scan, int64_t number)
{
    Node *time = graph_time(scan->attr.scan.id);
    return number ? graph_op2(OP_add, time, whole_number(number)) : time;
}

Node *slot_before(const Node *scan)
{
    return time_plus(scan, scan->attr.scan.reverse);
}

Node *slot_after(const Node *scan)
{
    return time_plus(scan, !scan->attr.scan.reverse);
}

Node *slot_first(const Node *scan)
{
    return whole_number(scan->attr.scan.reverse ? scan->attr.scan.steps : 0);
}

/* scan NULL: as the body sees it. */
static Node *make_history(const Node *of, int index, Node *scan)
{
    Attr attr = no_attr;
    const Node *value = scan_init(of, index);
    attr.scan.id = of->attr.scan.id;
    attr.scan.index = index;
    return graph_node(OP_history, value->type,
                      shape_stacked(value->shape, of->attr.scan.steps + 1), scan ? 1 : 0,
                      scan ? &scan : NULL, &attr, value->pos);
}

/* Places [from, from + count) of the first axis. */
static Node *places(Node *history, int64_t from, int64_t count)
{
    int64_t start[MAX_RANK] = {from}, limit[MAX_RANK], stride[MAX_RANK];
    for (int i = 0; i < history->shape.rank; i++) {
        limit[i] = history->shape.dim[i];
        stride[i] = 1;
    }
    limit[0] = from + count;
    return graph_slice(history, start, limit, stride);
}

static Node *last_place(Node *history, const Node *scan)
{
    int64_t last = scan->attr.scan.reverse ? 0 : scan->attr.scan.steps;
    return graph_element(history, whole_number(last));
}

static void replace_carried(NodeList list, const Node *scan, Node **to)
{
    for (int i = 0; i < list.n; i++) {
        Node *n = list.at[i];
        if (n->op == OP_carried && n->attr.scan.id == scan->attr.scan.id)
            to[n->id] = graph_element(make_history(scan, n->attr.scan.index, NULL),
                                      slot_before(scan));
    }
}

/* The carried value that an emit is, before (or after) the step; -1: none. */
static int emitted_carried(const Node *scan, const Node *emit, bool after)
{
    for (int i = 0; i < scan->attr.scan.carried; i++)
        if (emit == (after ? scan_next(scan, i)
                           : graph_element(make_history(scan, i, NULL), slot_before(scan))))
            return i;
    return -1;
}

static Node *in_history(Node *scan, int result)
{
    int carried = scan->attr.scan.carried;
    int64_t steps = scan->attr.scan.steps;
    bool reverse = scan->attr.scan.reverse;
    if (result < carried)
        return last_place(make_history(scan, result, scan), scan);
    Node *emit = scan_emit(scan, result - carried);
    int before = emitted_carried(scan, emit, false), after = emitted_carried(scan, emit, true);
    if (after >= 0)
        return places(make_history(scan, after, scan), !reverse, steps);
    return before >= 0 ? places(make_history(scan, before, scan), reverse, steps) : NULL;
}

static void replace_results(NodeList list, const Node *scan, Node **to)
{
    for (int i = 0; i < list.n; i++) {
        Node *n = list.at[i];
        if (n->op == OP_result && n->in[0]->attr.scan.id == scan->attr.scan.id)
            to[n->id] = in_history(n->in[0], n->attr.scan.index);
    }
}

/* `to` has room for what the rule makes meanwhile. */
static void apply(NodeList *roots, const Node *scan,
                  void (*rule)(NodeList, const Node *, Node **))
{
    NodeList list = graph_reach(roots->n, roots->at);
    Node **to = NEW_ARRAY(Node *, graph_count() + 1);
    rule(list, scan, to);
    graph_substitute(roots->n, roots->at, to);
}

static void add_loop(Program *p, const Node *scan)
{
    ScanLoop loop = {.id = scan->attr.scan.id,
                     .steps = scan->attr.scan.steps,
                     .reverse = scan->attr.scan.reverse,
                     .input = scan->attr.scan.lengths,
                     .stretch = scan->attr.scan.stretch ? scan->attr.scan.stretch : 1,
                     .outer = -1};
    PUSH(p->scans, p->nscans, p->scans_cap, loop);
}

/* find_scans lists inner scans first. */
static void list_loops(Program *p, const Scans *scans)
{
    for (int i = scans->n; i-- > 0;)
        add_loop(p, scans->at[i]);
    for (int i = 0; i < p->nscans; i++) {
        const Node *scan = scans->at[scans->n - 1 - i];
        for (int k = 0; k < i; k++)
            if (inside_scan(scans, scan, scans->n - 1 - k)) {
                p->scans[i].outer = k;
                p->scans[i].depth = p->scans[k].depth + 1;
            }
        if (p->scans[i].depth >= MAX_SCAN_DEPTH)
            die("scans in scans are more than %d deep", MAX_SCAN_DEPTH);
    }
}

void open_scans(Program *p)
{
    Fn *fn = p->fn;
    NodeList roots = fn_roots(fn);
    Scans scans = find_scans(graph_reach(roots.n, roots.at));
    for (int i = 0; i < scans.n; i++) {
        apply(&roots, scans.at[i], replace_carried);
        apply(&roots, scans.at[i], replace_results);
    }
    for (int i = 0; i < roots.n; i++)
        *(i < fn->noutputs ? &fn->outputs[i] : &fn->values[i - fn->noutputs]) = roots.at[i];
    list_loops(p, &scans);
}
