/* Scans: builders, bodies, and versions of one scan made one.
 *
 *   before   %9 = scan(init, next, emit a); %14 = scan(init, next, emit a, b), one id
 *   after    %14 alone; results of %9 are those of %14                         */
#include "scan.h"

#include <string.h>

static const Attr no_attr;

static Node *scan_node(Op op, Type type, Shape shape, int nin, Node **in, const Attr *attr)
{
    Pos pos = nin ? in[0]->pos : (Pos){0};
    return graph_node(op, type, shape, nin, in, attr, pos);
}

/* Numbers are from the count of nodes: unique, as each scan has leaves. */
int graph_scan_id(void)
{
    return graph_count();
}

Node *graph_carried(int id, int index, Type type, Shape shape)
{
    Attr attr = no_attr;
    attr.scan.id = id;
    attr.scan.index = index;
    return scan_node(OP_carried, type, shape, 0, NULL, &attr);
}

Node *graph_time(int id)
{
    Attr attr = no_attr;
    attr.scan.id = id;
    return scan_node(OP_time, T_I32, (Shape){0}, 0, NULL, &attr);
}

Node *graph_scan(int id, int64_t steps, bool reverse, int carried, Node **init, Node **next,
                 int nemit, Node **emit)
{
    Attr attr = no_attr;
    Node **in = NEW_ARRAY(Node *, 2 * carried + nemit + 1);
    attr.scan.id = id;
    attr.scan.carried = carried;
    attr.scan.steps = steps;
    attr.scan.reverse = reverse;
    for (int i = 0; i < carried; i++) {
        in[i] = init[i];
        in[carried + i] = next[i];
    }
    for (int i = 0; i < nemit; i++)
        in[2 * carried + i] = emit[i];
    return scan_node(OP_scan, T_F32, (Shape){0}, 2 * carried + nemit, in, &attr);
}

Node *scan_of_lengths(Node *scan, int lengths)
{
    Attr attr = scan->attr;
    attr.scan.lengths = lengths;
    return scan_node(OP_scan, T_F32, (Shape){0}, scan->nin, scan->in, &attr);
}

Node *scan_like(Node *scan, const Node *other)
{
    Attr attr = scan->attr;
    attr.scan.lengths = other->attr.scan.lengths;
    attr.scan.again = other->attr.scan.again;
    attr.scan.stretch = other->attr.scan.stretch;
    return scan_node(OP_scan, T_F32, (Shape){0}, scan->nin, scan->in, &attr);
}

Node *graph_result(Node *scan, int index)
{
    Attr attr = no_attr;
    const Node *value = scan->in[scan->attr.scan.carried + index];
    bool stacked = index >= scan->attr.scan.carried;
    attr.scan.index = index;
    return scan_node(OP_result, value->type,
                     stacked ? shape_stacked(value->shape, scan->attr.scan.steps) : value->shape,
                     1, &scan, &attr);
}

/* Of a value that is repeated along its first axis, that value. */
Node *graph_element(Node *sequence, Node *index)
{
    Node *in[] = {sequence, index};
    double k;
    if (splat_of(sequence, &k))
        return graph_typed(sequence->type, shape_element(sequence->shape), k);
    if (sequence->op == OP_broadcast && sequence->attr.map[0] < 0)
        return graph_broadcast(sequence->in[0], shape_element(sequence->shape),
                               sequence->attr.map + 1);
    return scan_node(OP_element, sequence->type, shape_element(sequence->shape), 2, in, NULL);
}

Node *repeat_steps(Node *value, int64_t steps)
{
    int map[MAX_RANK] = {-1};
    for (int i = 0; i < value->shape.rank; i++)
        map[i + 1] = i;
    return graph_broadcast(value, shape_stacked(value->shape, steps), map);
}

/* ---- Bodies -------------------------------------------------------------------- */

static bool set_has(const ScanSet *set, int bit)
{
    return set->word[bit / 64] >> bit % 64 & 1;
}

static void set_join(ScanSet *to, const ScanSet *from)
{
    for (int w = 0; w < SCAN_WORDS; w++)
        to->word[w] |= from->word[w];
}

/* Versions of one scan share its leaves, and so its bit. */
int scan_place(const Scans *s, int id)
{
    for (int i = 0; i < s->n; i++)
        if (s->at[i]->attr.scan.id == id)
            return i;
    return -1;
}

static void list_scans(Scans *s, NodeList list)
{
    for (int i = 0; i < list.n; i++)
        if (list.at[i]->op == OP_scan && scan_place(s, list.at[i]->attr.scan.id) < 0)
            PUSH(s->at, s->n, s->cap, list.at[i]);
    if (s->n > MAX_SCANS)
        die("a function has %d scans, more than %d", s->n, MAX_SCANS);
}

static void find_inside(Scans *s, const Node *n)
{
    ScanSet *set = &s->inside[n->id];
    int place = n->op == OP_carried || n->op == OP_time || n->op == OP_scan
                    ? scan_place(s, n->attr.scan.id)
                    : -1;
    for (int i = 0; i < n->nin; i++)
        set_join(set, &s->inside[n->in[i]->id]);
    if (place < 0)
        return;
    uint64_t bit = (uint64_t)1 << place % 64;
    if (n->op == OP_scan)
        set->word[place / 64] &= ~bit;
    else
        set->word[place / 64] |= bit;
}

Scans find_scans(NodeList list)
{
    Scans s = {0};
    list_scans(&s, list);
    s.inside = NEW_ARRAY(ScanSet, graph_count() + 1);
    for (int i = 0; i < list.n; i++)
        find_inside(&s, list.at[i]);
    return s;
}

bool inside_any(const Scans *s, const Node *n)
{
    for (int w = 0; w < SCAN_WORDS; w++)
        if (s->inside[n->id].word[w])
            return true;
    return false;
}

bool inside_scan(const Scans *s, const Node *n, int scan)
{
    return set_has(&s->inside[n->id], scan);
}

bool inside_directly(const Scans *s, const Node *n, int scan)
{
    if (!inside_scan(s, n, scan))
        return false;
    for (int i = 0; i < s->n; i++)
        if (i != scan && inside_scan(s, n, i) && inside_scan(s, s->at[i], scan))
            return false;
    return true;
}

/* ---- Versions -------------------------------------------------------------------- */

static int emit_place(const Node *scan, const Node *emit)
{
    for (int i = 0; i < scan_emits(scan); i++)
        if (scan_emit(scan, i) == emit)
            return i;
    return -1;
}

Node *scan_with_emits(Node *scan, int n, Node *const *emit)
{
    int old = scan_emits(scan), carried = scan->attr.scan.carried;
    Node **all = NEW_ARRAY(Node *, old + n + 1);
    for (int i = 0; i < old; i++)
        all[i] = scan_emit(scan, i);
    for (int i = 0; i < n; i++)
        if (emit_place(scan, emit[i]) < 0)
            all[old++] = emit[i];
    Node *more = graph_scan(scan->attr.scan.id, scan->attr.scan.steps, scan->attr.scan.reverse,
                            carried, scan->in, scan->in + carried, old, all);
    return scan_like(more, scan);
}

int result_of_emit(const Node *scan, const Node *emit)
{
    return scan->attr.scan.carried + emit_place(scan, emit);
}

/* The version with the emits of all. */
static Node *unite(NodeList list, Node *first)
{
    Node *all = first;
    for (int i = 0; i < list.n; i++) {
        Node *n = list.at[i];
        if (n->op == OP_scan && n->attr.scan.id == first->attr.scan.id)
            all = scan_with_emits(all, scan_emits(n), n->in + 2 * n->attr.scan.carried);
    }
    return all;
}

static void redirect(Node *all, NodeList list, Node **to)
{
    for (int i = 0; i < list.n; i++) {
        Node *n = list.at[i], *scan = n->op == OP_result ? n->in[0] : NULL;
        if (!scan || scan->attr.scan.id != all->attr.scan.id || scan == all)
            continue;
        int carried = scan->attr.scan.carried, index = n->attr.scan.index;
        if (index >= carried)
            index = result_of_emit(all, scan_emit(scan, index - carried));
        to[n->id] = graph_result(all, index);
    }
}

/* Another version of the scan at list[i], further down the list. */
static bool has_version(NodeList list, int i)
{
    for (int j = i + 1; j < list.n; j++)
        if (list.at[j]->op == OP_scan && list.at[j]->attr.scan.id == list.at[i]->attr.scan.id)
            return true;
    return false;
}

void unite_scans(int n, Node **roots)
{
    NodeList list = graph_reach(n, roots);
    for (int i = 0; i < list.n; i++) {
        if (list.at[i]->op != OP_scan || !has_version(list, i))
            continue;
        Node *all = unite(list, list.at[i]);
        Node **to = NEW_ARRAY(Node *, graph_count() + 2 * list.n);
        redirect(all, list, to);
        graph_substitute(n, roots, to);
        list = graph_reach(n, roots);
        i = -1;
    }
}

/* ---- Steps ---------------------------------------------------------------------- */

static bool reaches_step(const Node *n, bool *seen)
{
    if (seen[n->id] || n->op == OP_scan)
        return false;
    seen[n->id] = true;
    bool found = n->op == OP_carried || n->op == OP_time;
    for (int i = 0; i < n->nin && !found; i++)
        found = reaches_step(n->in[i], seen);
    return found;
}

bool is_of_step(const Node *n)
{
    return reaches_step(n, NEW_ARRAY(bool, graph_count() + 1));
}
