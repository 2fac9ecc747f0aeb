/* order: the second half of fuse(), when each kernel runs.
 *
 * Kernels over blocks come as early and as together as they can, so that a
 * thread takes its samples through many of them without meeting the others;
 * then everything that reads all blocks. */
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

static bool is_ready(const Kernel *k, const bool *done)
{
    for (int i = 0; i < k->ndeps; i++)
        if (!done[k->deps[i]])
            return false;
    return true;
}

/* How well k follows `last`: in kind, then in how the threads share it. */
static int fitness(const Kernel *k, const Kernel *last)
{
    return (k->kind == last->kind) * 2 + (!k->shared_bytes == !last->shared_bytes);
}

/* The next kernel: the first of those that follow best. */
static int next_ready(const Program *p, const bool *done, const Kernel *last)
{
    int best = -1;
    for (int k = 0; k < p->nkernels; k++)
        if (!done[k] && is_ready(p->kernels[k], done) &&
            (best < 0 || fitness(p->kernels[k], last) > fitness(p->kernels[best], last)))
            best = k;
    if (best < 0)
        die("kernels of %s wait for each other", p->fn->name);
    return best;
}

/* Kernels over blocks do not wait for each other; all else does. */
static bool must_meet(const Kernel *k, Kernel *const *since, int n)
{
    for (int i = 0; i < n; i++)
        for (int d = 0; d < k->ndeps; d++)
            if (k->deps[d] == since[i]->id &&
                !(k->kind == KERNEL_BLOCK && since[i]->kind == KERNEL_BLOCK))
                return true;
    return false;
}

static void set_barriers(Kernel **order, int n)
{
    int first = 0;
    for (int i = 0; i < n; i++)
        if (must_meet(order[i], order + first, i - first)) {
            order[i]->barrier = true;
            first = i;
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
                                       "copy", "rows", "orthogonal", "index"};
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
    const Kernel *last = &(Kernel){.kind = KERNEL_BLOCK};
    for (int i = 0; i < p->nkernels; i++) {
        int k = next_ready(p, done, last);
        done[k] = true;
        last = order[i] = p->kernels[k];
    }
    set_barriers(order, p->nkernels);
    renumber(p, order);
    name_kernels(p);
}
