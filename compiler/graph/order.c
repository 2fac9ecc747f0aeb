/* order: the second half of fuse(), when each kernel runs.
 *
 * Kernels over blocks and chunks come as early and as together as they can,
 * so that a thread takes its samples through many of them without meeting the
 * others: a segment. A sum over a chunk comes as soon as its operands are
 * there, which are in the caches then and whose memory is soon free again. The
 * joins of a segment follow it; then everything that reads all blocks. */
#include "graph/fuse.h"
#include "loop/lower.h"

static bool same_elements(const Node *view)
{
    return view->op == OP_stop_gradient || (view->op == OP_reshape && view->shape.batch);
}

bool reads_by_flat(const Fusion *f, const Node *n)
{
    for (int i = 0; i < n->nin; i++) {
        const Node *in = n->in[i];
        while (op_is_view(in->op) && f->program->kernel_of[in->id] < 0 && same_elements(in))
            in = in->in[0];
        if (in->op == OP_broadcast && f->program->kernel_of[in->id] < 0) {
            if (in->in[0]->shape.batch || shape_size(in->in[0]->shape) != 1)
                return false;
        } else if (op_is_view(in->op) && f->program->kernel_of[in->id] < 0) {
            return false;
        } else if (in->op == OP_iota ||
                   (!in->shape.batch && shape_size(in->shape) != 1 && in->op != OP_const)) {
            return false;
        }
    }
    return true;
}

/* Has all that kernel k of another loop or none waits for been done? */
static bool deps_done(const Program *p, const Kernel *k, int loop, const bool *done)
{
    for (int i = 0; i < k->ndeps; i++)
        if (!done[k->deps[i]] && !(loop >= 0 && in_loop(p, p->kernels[k->deps[i]]->scan, loop)))
            return false;
    return true;
}

/* The loops around k that have not begun, the outermost of them; -1: none. */
static int loop_to_begin(const Program *p, const Kernel *k, int under_way)
{
    int loop = k->scan;
    while (loop >= 0 && p->scans[loop].outer != under_way)
        loop = p->scans[loop].outer;
    return k->scan == under_way ? -1 : loop;
}

/* Kernels of a loop stand together, and begin when all may. */
static bool is_ready(const Program *p, const Kernel *k, int under_way, const bool *done)
{
    if (!in_loop(p, k->scan, under_way) || !deps_done(p, k, -1, done))
        return false;
    int loop = loop_to_begin(p, k, under_way);
    for (int i = 0; loop >= 0 && i < p->nkernels; i++)
        if (in_loop(p, p->kernels[i]->scan, loop) && !deps_done(p, p->kernels[i], loop, done))
            return false;
    return true;
}

/* The innermost loop with kernels that are done and others that are not. */
static int loop_under_way(const Program *p, int last, const bool *done)
{
    for (int loop = last; loop >= 0; loop = p->scans[loop].outer)
        for (int k = 0; k < p->nkernels; k++)
            if (!done[k] && in_loop(p, p->kernels[k]->scan, loop))
                return loop;
    return -1;
}

/* Does k begin a loop that is no part of a segment, as a step of it has sums
 * over the batch? */
static bool begins_apart(const Program *p, const Kernel *k, int under_way)
{
    int loop = outermost_loop(p, k->scan);
    bool apart = false;
    for (int i = 0; loop >= 0 && under_way < 0 && i < p->nkernels; i++)
        apart |= in_loop(p, p->kernels[i]->scan, loop) && !kernel_streams(p->kernels[i]);
    return apart;
}

/* Of what is ready after `last` the lowest comes next: a segment goes on to
 * its joins, and these to all that reads whole batches; then what the threads
 * share in the same way. */
static int rank(const Program *p, const Kernel *k, const Kernel *last, int under_way)
{
    static const int in_segment[] = {1, 0, 2, 3}, after_it[] = {2, 2, 0, 1};
    KernelKind kind = begins_apart(p, k, under_way) ? KERNEL_UNIT : k->kind;
    return (kernel_streams(last) ? in_segment : after_it)[kind] * 2 +
           (!k->shared_bytes != !last->shared_bytes);
}

static int next_ready(const Program *p, const bool *done, const Kernel *last)
{
    int best = -1, loop = loop_under_way(p, last->scan, done);
    for (int k = 0; k < p->nkernels; k++)
        if (!done[k] && is_ready(p, p->kernels[k], loop, done) &&
            (best < 0 ||
             rank(p, p->kernels[k], last, loop) < rank(p, p->kernels[best], last, loop)))
            best = k;
    if (best < 0)
        die("kernels of %s wait for each other", p->fn->name);
    return best;
}

/* Kernels of a segment meet where the driver of functions says; all else that
 * depends on another kernel waits for it. */
static bool must_meet(const Kernel *k, Kernel *const *since, int n)
{
    for (int i = 0; i < n; i++)
        for (int d = 0; d < k->ndeps; d++)
            if (k->deps[d] == since[i]->id && !(kernel_streams(k) && kernel_streams(since[i])))
                return true;
    return false;
}

/* Which kernels each loop runs; they do their work once for each step. */
static void find_loops(Program *p, Kernel **order)
{
    for (int l = 0; l < p->nscans; l++)
        p->scans[l].first = p->nkernels;
    for (int i = 0; i < p->nkernels; i++)
        for (int l = order[i]->scan; l >= 0; l = p->scans[l].outer) {
            p->scans[l].first = i < p->scans[l].first ? i : p->scans[l].first;
            p->scans[l].end = i + 1;
            order[i]->flops *= (double)p->scans[l].steps;
        }
}

static bool loop_streams(const ScanLoop *loop, Kernel *const *order)
{
    for (int i = loop->first; i < loop->end; i++)
        if (!kernel_streams(order[i]))
            return false;
    return true;
}

/* The loop that kernel k is part of, of those directly in `around`; -1: of none. */
static int loop_within(const Program *p, const Kernel *k, int around)
{
    int loop = k->scan == around ? -1 : k->scan;
    while (loop >= 0 && p->scans[loop].outer != around)
        loop = p->scans[loop].outer;
    return loop;
}

/* A loop over blocks is part of a segment: its threads meet before it, if at
 * all. Another one is apart: they meet before each of its steps, in a step as
 * its kernels depend on each other, and after the last. */
static void set_barriers(const Program *p, Kernel **order, int from, int to, int around)
{
    int first = from;
    for (int i = from, end; i < to; i = end) {
        int loop = loop_within(p, order[i], around);
        bool streams = loop < 0 || loop_streams(&p->scans[loop], order);
        end = loop < 0 ? i + 1 : p->scans[loop].end;
        bool meets = !streams || (first == i && (i > 0 || around >= 0));
        for (int k = i; k < end && !meets; k++)
            meets = must_meet(order[k], order + first, i - first);
        for (int k = i; k < end; k++)
            order[k]->barrier = meets && k == i;
        if (!streams)
            set_barriers(p, order, i, end, loop);
        first = !streams ? end : meets ? i : first;
    }
}

/* Kernel numbers become places in the order. */
static void renumber(Program *p, Kernel **order)
{
    int *place = NEW_ARRAY(int, p->nkernels);
    for (int i = 0; i < p->nkernels; i++)
        place[order[i]->id] = i;
    for (int i = 0; i < p->nkernels; i++) {
        Kernel *k = order[i];
        k->id = i;
        for (int d = 0; d < k->ndeps; d++)
            k->deps[d] = place[k->deps[d]];
    }
    for (int i = 0; i < p->nnodes; i++)
        if (p->kernel_of[i] >= 0)
            p->kernel_of[i] = place[p->kernel_of[i]];
    p->kernels = order;
}

static void name_kernels(Program *p)
{
    static const char *const form[] = {"load", "map",  "reduce",     "contract", "window",
                                       "copy", "rows", "join",     "orthogonal",
                                       "index"};
    for (int i = 0; i < p->nkernels; i++) {
        Kernel *k = p->kernels[i];
        const char *place = k->layer ? k->layer : p->fn->name;
        const char *what =
            k->form == FORM_WINDOW || k->form == FORM_REDUCE ? op_name[k->root->op] : form[k->form];
        k->name = format("%s.%s.%d", place, what, i);
    }
}

void order_kernels(Fusion *f)
{
    Program *p = f->program;
    Kernel **order = NEW_ARRAY(Kernel *, p->nkernels + 1);
    bool *done = NEW_ARRAY(bool, p->nkernels);
    const Kernel *last = &(Kernel){.kind = KERNEL_BLOCK, .scan = -1};
    for (int i = 0; i < p->nkernels; i++) {
        int k = next_ready(p, done, last);
        done[k] = true;
        last = order[i] = p->kernels[k];
    }
    find_loops(p, order);
    set_barriers(p, order, 0, p->nkernels, -1);
    renumber(p, order);
    name_kernels(p);
}
