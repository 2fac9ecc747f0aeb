/* place_scan: the kernels that write what a scan carries and emits.
 *
 * A value goes to its place in memory from the kernel that computes it, where
 * that runs in the right loop; else a kernel of that loop copies it. */
#include "graph/fuse.h"
#include "graph/scan.h"
#include "loop/lower.h"

int *loop_levels(const Program *p, NodeList nodes)
{
    Scans scans = find_scans(nodes);
    int *level = NEW_ARRAY(int, graph_count() + 1);
    for (int i = 0; i < graph_count() + 1; i++)
        level[i] = -1;
    for (int i = 0; i < nodes.n; i++)
        for (int s = 0; s < p->nscans; s++) {
            int place = scan_place(&scans, p->scans[s].id);
            int known = level[nodes.at[i]->id];
            if (place >= 0 && inside_scan(&scans, nodes.at[i], place) &&
                (known < 0 || p->scans[s].depth > p->scans[known].depth))
                level[nodes.at[i]->id] = s;
        }
    return level;
}

static int loop_of(const Program *p, const Node *scan)
{
    for (int i = 0; i < p->nscans; i++)
        if (p->scans[i].id == scan->attr.scan.id)
            return i;
    die("scan %d has no loop", scan->attr.scan.id);
}

/* A row of few numbers is not padded: whole vectors would reach the next. */
static bool is_narrow(const Node *n)
{
    return !n->shape.batch && n->shape.rank > 0 && n->shape.dim[n->shape.rank - 1] % LANES;
}

static bool writes_directly(const Fusion *f, const Node *value, int loop)
{
    int k = f->program->kernel_of[value->id];
    if (k < 0 || is_narrow(value))
        return false;
    const Kernel *kernel = f->program->kernels[k];
    bool everywhere = kernel->kind == KERNEL_BLOCK || kernel->kind == KERNEL_UNIT;
    return everywhere && kernel->scan == loop &&
           (kernel->form == FORM_MAP || kernel->form == FORM_CONTRACT ||
            kernel->form == FORM_REDUCE);
}

static int copy_value(Fusion *f, Node *value, int loop)
{
    Program *p = f->program;
    keep(f, value);
    Kernel *copy = new_kernel(f, FORM_MAP, value, value->shape);
    copy->scan = loop;
    PUSH(copy->nodes, copy->nnodes, copy->nodes_cap, value);
    if (p->kernel_of[value->id] >= 0)
        add_dep(p, copy->id, p->kernel_of[value->id]);
    else
        add_deps(f, copy->id, value);
    return copy->id;
}

/* The kernel that writes value to that element of the buffer's first axis. */
static int write_slot(Fusion *f, Node *value, Buffer *b, Node *slot, int loop)
{
    int k = writes_directly(f, value, loop) ? f->program->kernel_of[value->id]
                                            : copy_value(f, value, loop);
    Kernel *kernel = f->program->kernels[k];
    if (value->op == OP_concatenate && kernel->root != value)
        store_parts(kernel, value, b, slot);
    else
        store_in(kernel, value, b, slot);
    return k;
}

static Buffer *sequence_buffer(Fusion *f, Node *n)
{
    return new_buffer(f, n, n->shape.batch ? IN_BLOCK : IN_FIXED, false);
}

static void take(Fusion *f, Node *n, Buffer *b, int kernel)
{
    f->program->by_node[n->id] = b;
    f->program->kernel_of[n->id] = kernel;
}

static bool is_history(const Node *n, const Node *scan, int index)
{
    return n->op == OP_history && n->attr.scan.id == scan->attr.scan.id &&
           n->attr.scan.index == index;
}

/* All of the loop waits for the first value. */
static void start_loop(Fusion *f, int loop, int first)
{
    const Program *p = f->program;
    for (int k = 0; k < p->nkernels; k++)
        if (p->kernels[k]->scan >= 0 && in_loop(p, p->kernels[k]->scan, loop))
            add_dep(f->program, k, first);
}

static void place_carried(Fusion *f, Node *scan, int index)
{
    int loop = loop_of(f->program, scan);
    Buffer *b = NULL;
    for (int i = 0; i < f->nodes.n && !b; i++)
        if (is_history(f->nodes.at[i], scan, index))
            b = sequence_buffer(f, f->nodes.at[i]);
    if (!b)
        return;
    int first = write_slot(f, scan_init(scan, index), b, slot_first(scan),
                           f->program->scans[loop].outer);
    int next = write_slot(f, scan_next(scan, index), b, slot_after(scan), loop);
    for (int i = 0; i < f->nodes.n; i++)
        if (is_history(f->nodes.at[i], scan, index))
            take(f, f->nodes.at[i], b, f->nodes.at[i]->nin ? next : first);
    start_loop(f, loop, first);
}

void place_scan(Fusion *f, Node *scan)
{
    int loop = loop_of(f->program, scan);
    for (int i = 0; i < scan->attr.scan.carried; i++)
        place_carried(f, scan, i);
    for (int i = 0; i < f->nodes.n; i++) {
        Node *n = f->nodes.at[i];
        if (n->op != OP_result || n->in[0] != scan)
            continue;
        Buffer *b = sequence_buffer(f, n);
        Node *value = scan->in[scan->attr.scan.carried + n->attr.scan.index];
        take(f, n, b, write_slot(f, value, b, graph_time(scan->attr.scan.id), loop));
    }
}
