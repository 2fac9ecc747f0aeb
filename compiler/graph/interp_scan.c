/* The interpreter on recurrence: a scan runs its body once for each step, those
 * beyond the longest sequence too: results are the same. */
#include <string.h>

#include "interp.h"
#include "scan.h"

static size_t count_of(const Frame *f, const Node *n)
{
    return (size_t)(shape_size(n->shape) * samples_of(f, n));
}

static void copy_value(Frame *f, const Node *to, const Node *from)
{
    memcpy(f->value[to->id], f->value[from->id], count_of(f, from) * sizeof(double));
}

/* Sample by sample: element `at` of the stack `to` becomes `from`. */
static void put_element(Frame *f, const Node *to, int64_t at, const Node *from)
{
    int64_t size = shape_size(from->shape);
    for (int64_t s = 0; s < samples_of(f, from); s++)
        memcpy(sample_of(f, to, s) + at * size, sample_of(f, from, s),
               (size_t)size * sizeof(double));
}

static bool is_leaf_of(const Node *n, Op op, const Node *scan)
{
    return n->op == op && n->attr.scan.id == scan->attr.scan.id;
}

static void finish(Frame *f, const Node *scan, int64_t time, bool last)
{
    int carried = scan->attr.scan.carried;
    for (int i = 0; i < f->nodes.n; i++) {
        const Node *n = f->nodes.at[i];
        if (n->op != OP_result || n->in[0] != scan)
            continue;
        const Node *value = scan->in[carried + n->attr.scan.index];
        if (n->attr.scan.index >= carried)
            put_element(f, n, time, value);
        else if (last)
            copy_value(f, n, value);
    }
}

/* Sums start from what is there. A result is its scan's to fill. */
static void interpret_again(Frame *f, const Node *n)
{
    if (n->op != OP_result && n->op != OP_history)
        memset(f->value[n->id], 0, count_of(f, n) * sizeof(double));
    interpret_node(f, n);
}

/* Histories stand in for carried values once fuse() has been there. */
static void note_history(Frame *f, const Node *scan, int64_t place, bool first)
{
    for (int i = 0; i < f->nodes.n; i++) {
        const Node *n = f->nodes.at[i];
        if (is_leaf_of(n, OP_history, scan))
            put_element(f, n, place,
                        first ? scan_init(scan, n->attr.scan.index)
                              : scan_next(scan, n->attr.scan.index));
    }
}

static void run_body(Frame *f, const Node *scan, int64_t time, double *const *held)
{
    int place = scan_place(f->scans, scan->attr.scan.id);
    for (int i = 0; i < f->nodes.n; i++) {
        const Node *n = f->nodes.at[i];
        if (is_leaf_of(n, OP_time, scan))
            f->value[n->id][0] = (double)time;
        else if (is_leaf_of(n, OP_carried, scan))
            memcpy(f->value[n->id], held[n->attr.scan.index], count_of(f, n) * sizeof(double));
        else if (inside_directly(f->scans, n, place))
            interpret_again(f, n);
    }
}

/* What is carried into a step is held apart, as a next value may be another
 * carried one (h, c = c, h). */
static void run_scan(Frame *f, const Node *scan)
{
    int carried = scan->attr.scan.carried;
    int64_t steps = scan->attr.scan.steps;
    double **held = NEW_ARRAY(double *, carried + 1);
    for (int i = 0; i < carried; i++)
        held[i] = NEW_ARRAY(double, count_of(f, scan->in[i]) + 1);
    note_history(f, scan, scan->attr.scan.reverse ? steps : 0, true);
    for (int64_t k = 0; k < steps; k++) {
        int64_t time = scan->attr.scan.reverse ? steps - 1 - k : k;
        for (int i = 0; i < carried; i++) {
            const Node *from = k ? scan_next(scan, i) : scan_init(scan, i);
            memcpy(held[i], f->value[from->id], count_of(f, from) * sizeof(double));
        }
        run_body(f, scan, time, held);
        note_history(f, scan, time + !scan->attr.scan.reverse, false);
        finish(f, scan, time, k + 1 == steps);
    }
}

void interpret_scan(Frame *f, const Node *n)
{
    if (n->op == OP_scan)
        run_scan(f, n);
}
