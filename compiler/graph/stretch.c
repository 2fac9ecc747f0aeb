/* Scans whose steps are stretches of another's: checkpoints.
 *
 * Of a scan in stretches derivatives keep what is carried into each stretch,
 * and do its steps again before they go back through them (grad_scan.c): kept
 * are steps / k states and the values of k steps, instead of those of all.
 *
 *   before   c, y = scan of 10 steps: next(c, x[t]), emit(c, x[t])
 *   after    c, z = scan of 3 steps, again:
 *                       c, z[s] = scan of 4 steps: next(c, x'[s][i]), emit(c, x'[s][i])
 *            y = the first 10 rows of z; x' = x [3, 4], step t = 4 s + i
 *
 * Behind the last step, where the stretches are longer than the scan, what is
 * carried stays, and sequences begin anew: numbers that there are. */
#include <string.h>

#include "scan.h"

/* ---- A copy ------------------------------------------------------------------- */

static bool is_scan_part(const Node *n)
{
    return n->op == OP_carried || n->op == OP_time || n->op == OP_scan;
}

/* [place]: a new number of each scan in the body of the one at `place`, and of
 * itself; -1: of no such. */
static int *new_ids(const Scans *scans, int place)
{
    int *id = NEW_ARRAY(int, scans->n + 1);
    for (int s = 0; s < scans->n; s++) {
        id[s] = -1;
        if (s != place && !inside_scan(scans, scans->at[s], place))
            continue;
        id[s] = graph_scan_id();
        graph_time(id[s]);
    }
    return id;
}

static bool is_copied(const Scans *scans, const Node *n, const int *id)
{
    for (int s = 0; s < scans->n; s++)
        if (id[s] >= 0 && (inside_scan(scans, n, s) || n == scans->at[s]))
            return true;
    return false;
}

static Node *copy_of(const Scans *scans, const Node *n, Node *const *now, const int *id)
{
    Node **in = NEW_ARRAY(Node *, n->nin + 1);
    Attr attr = n->attr;
    for (int i = 0; i < n->nin; i++)
        in[i] = now[n->in[i]->id];
    if (is_scan_part(n)) {
        int place = scan_place(scans, n->attr.scan.id);
        attr.scan.id = place >= 0 && id[place] >= 0 ? id[place] : n->attr.scan.id;
    }
    graph_at(n->pos, n->layer);
    return graph_node(n->op, n->type, n->shape, n->nin, in, &attr, n->pos);
}

Node *scan_copy(Node *scan)
{
    NodeList list = graph_reach(1, &scan);
    Scans scans = find_scans(list);
    Node **now = NEW_ARRAY(Node *, graph_count());
    int *id = new_ids(&scans, scan_place(&scans, scan->attr.scan.id));
    for (int i = 0; i < list.n; i++) {
        Node *n = list.at[i];
        now[n->id] = is_copied(&scans, n, id) ? copy_of(&scans, n, now, id) : n;
    }
    graph_at(scan->pos, scan->layer);
    return now[scan->id];
}

/* ---- Stretches ------------------------------------------------------------------ */

typedef struct Stretches {
    Node *scan;                /* as it is                                      */
    int64_t n, length;         /* of them there are n, of so many steps          */
    int outer, inner;          /* numbers of the new scans                      */
    Node *place, *step, *time; /* of the stretch; in it; of the scan as it is   */
} Stretches;

static Node *whole(Shape shape, int64_t number)
{
    return graph_typed(T_I32, shape, (double)number);
}

static Stretches open_stretches(Node *scan, int64_t every)
{
    Stretches s = {.scan = scan};
    int64_t steps = scan->attr.scan.steps;
    s.n = every < steps ? (steps + every - 1) / every : 1;
    s.length = (steps + s.n - 1) / s.n;
    s.outer = graph_scan_id();
    s.place = graph_time(s.outer);
    s.inner = graph_scan_id();
    s.step = graph_time(s.inner);
    Node *before = graph_op2(OP_mul, s.place, whole((Shape){0}, s.length));
    s.time = graph_op2(OP_add, before, s.step);
    return s;
}

/* [steps, …] with more steps: draws of these, or the first ones again. */
static Node *lengthened(Node *x, int64_t steps)
{
    int64_t start[MAX_RANK] = {0}, limit[MAX_RANK], stride[MAX_RANK],
            more = steps - x->shape.dim[0];
    Shape shape = x->shape;
    if (more == 0)
        return x;
    shape.dim[0] = steps;
    if (x->op == OP_random)
        return graph_random(x->attr.random.kind, shape, x->attr.random.path);
    for (int i = 0; i < x->shape.rank; i++) {
        limit[i] = i ? x->shape.dim[i] : more;
        stride[i] = 1;
    }
    return graph_concatenate(2, (Node *[]){x, graph_slice(x, start, limit, stride)}, 0);
}

/* x[t] as x'[s][i] */
static Node *step_of(const Stretches *s, Node *x)
{
    Shape shape = {.batch = x->shape.batch, .rank = x->shape.rank + 1, .dim = {s->n, s->length}};
    memcpy(shape.dim + 2, x->shape.dim + 1, sizeof *shape.dim * (size_t)(x->shape.rank - 1));
    Node *rows = graph_reshape(lengthened(x, s->n * s->length), shape);
    return graph_element(graph_element(rows, s->place), s->step);
}

/* Leaves of the new scans in place of the old ones. */
static void move_leaves(const Stretches *s, int nroots, Node **roots)
{
    int id = s->scan->attr.scan.id;
    Node *time = graph_time(id);
    NodeList list = graph_reach(nroots, roots);
    Node **to = NEW_ARRAY(Node *, graph_count() + 8 * list.n + 1);
    for (int i = 0; i < list.n; i++) {
        Node *n = list.at[i];
        if (n->op == OP_carried && n->attr.scan.id == id)
            to[n->id] = graph_carried(s->inner, n->attr.scan.index, n->type, n->shape);
        else if (n->op == OP_element && n->in[1] == time)
            to[n->id] = step_of(s, n->in[0]);
    }
    to[time->id] = s->time;
    graph_substitute(nroots, roots, to);
}

/* What a step carries on, unless there is no such step. */
static Node *kept_behind_end(const Stretches *s, int index, Node *next)
{
    int64_t steps = s->scan->attr.scan.steps;
    if (s->n * s->length == steps || s->scan->attr.scan.lengths)
        return next;
    Shape shape = next->shape;
    Node *counts = graph_op2(OP_lt, graph_expand(s->time, shape), whole(shape, steps));
    return graph_select(counts, next, graph_carried(s->inner, index, next->type, shape));
}

/* [stretches, length, …] as [steps, …] */
static Node *in_one(const Stretches *s, Node *z)
{
    int64_t start[MAX_RANK] = {0}, stride[MAX_RANK];
    Shape shape = {.batch = z->shape.batch, .rank = z->shape.rank - 1};
    shape.dim[0] = s->n * s->length;
    memcpy(shape.dim + 1, z->shape.dim + 2, sizeof *shape.dim * (size_t)(z->shape.rank - 2));
    Node *all = graph_reshape(z, shape);
    for (int i = 0; i < shape.rank; i++)
        stride[i] = 1;
    shape.dim[0] = s->scan->attr.scan.steps;
    return graph_slice(all, start, shape.dim, stride);
}

/* Sequences and stacks get an axis more. */
static bool axes_fit(const Node *scan)
{
    Node *time = graph_time(scan->attr.scan.id);
    NodeList list = graph_reach(scan->nin, scan->in);
    bool fit = true;
    for (int i = 0; i < list.n; i++)
        if (list.at[i]->op == OP_element && list.at[i]->in[1] == time)
            fit &= list.at[i]->in[0]->shape.rank < MAX_RANK;
    for (int i = 2 * scan->attr.scan.carried; i < scan->nin; i++)
        fit &= scan->in[i]->shape.rank + 2 <= MAX_RANK;
    return fit;
}

bool scan_in_stretches(Node *scan, int64_t every, Node **results)
{
    if (!axes_fit(scan))
        return false;
    Stretches s = open_stretches(scan, every);
    int carried = scan->attr.scan.carried, n = scan->nin - carried;
    Node **values = NEW_ARRAY(Node *, n + 1), **first = NEW_ARRAY(Node *, carried + 1);
    for (int i = 0; i < n; i++)
        values[i] = scan->in[carried + i];
    move_leaves(&s, n, values);
    for (int i = 0; i < carried; i++) {
        first[i] = graph_carried(s.outer, i, scan->in[i]->type, scan->in[i]->shape);
        values[i] = kept_behind_end(&s, i, values[i]);
    }
    Node *inner = graph_scan(s.inner, s.length, scan->attr.scan.reverse, carried, first, values,
                             n - carried, values + carried);
    for (int i = 0; i < n; i++)
        values[i] = graph_result(inner, i);
    Node *outer = graph_scan(s.outer, s.n, scan->attr.scan.reverse, carried, scan->in, values,
                             n - carried, values + carried);
    Attr attr = outer->attr;
    attr.scan.again = true;
    attr.scan.lengths = scan->attr.scan.lengths;
    attr.scan.stretch = scan->attr.scan.lengths ? s.length : 0;
    outer = graph_node(OP_scan, T_F32, (Shape){0}, outer->nin, outer->in, &attr, outer->pos);
    for (int i = 0; i < n; i++) {
        Node *result = graph_result(outer, i);
        results[i] = i < carried ? result : in_one(&s, result);
    }
    return true;
}
