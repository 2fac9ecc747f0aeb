/* pool: a part of fuse(), which max poolings their contraction can do itself.
 *
 * Where windows do not overlap and nobody else reads what is pooled, a tile
 * of the contraction covers whole windows: only the largest element of each
 * and its place go to memory, and elements in no window are never computed. */
#include <string.h>

#include "graph/fuse.h"
#include "loop/lower.h"

enum { MAX_SIDE = 4, MAX_TAPS_UNDER = 11, MAX_SUM = 128 };

/* A long sum wants a tile of its own choice, and hides the time that its
 * elements take through the cache; unless some need not be computed at all. */
static bool pays(const Node *n, const Node *pool)
{
    for (int i = 0; i < n->shape.rank; i++)
        if (pool->shape.dim[i] * pool->attr.window.size[i] < n->shape.dim[i])
            return true;
    const Contraction *c = &n->attr.contraction;
    int64_t length = 1;
    for (int v = 0; v < c->nvars; v++)
        length *= c->extent[v];
    return length / shape_size(n->shape) <= MAX_SUM;
}

/* Is the axis of the output one variable, which moves along the samples under
 * few taps? */
static bool axis_slides(const Node *n, int axis)
{
    const Contraction *c = &n->attr.contraction;
    const Affine *out = &c->map[0][axis];
    if (out->terms != 1 || out->coefficient[0] != 1 || out->constant != 0 ||
        c->extent[out->var[0]] != n->shape.dim[axis])
        return false;
    int operand = n->in[0]->shape.batch ? 0 : 1;
    for (int i = 0; i < n->in[operand]->shape.rank; i++) {
        const Affine *a = &c->map[1 + operand][i];
        for (int t = 0; t < a->terms; t++)
            if (a->var[t] == out->var[0])
                return a->terms == 1 || c->extent[a->var[1 - t]] <= MAX_TAPS_UNDER;
    }
    return false;
}

/* Windows of a row, or of a row and a column, side by side from the start and
 * without padding at the end. */
static bool windows_tile(const Node *root, const Node *pool)
{
    const Window *w = &pool->attr.window;
    int last = root->shape.rank - 1;
    for (int i = 0; i <= last; i++) {
        if (w->stride[i] != w->size[i] || w->low[i] != 0 || w->size[i] > MAX_SIDE ||
            pool->shape.dim[i] * w->size[i] > root->shape.dim[i])
            return false;
        if (w->size[i] > 1 && (i == last || !axis_slides(root, i)))
            return false;
    }
    return last == 1 || last == 2;
}

static bool within(const Fusion *f, const Node *n, int kernel, const Node *argmax)
{
    if (f->program->kernel_of[n->id] == kernel || n == argmax)
        return true;
    return n->op == OP_window_gather && n->in[0] == argmax->in[0] && n->in[1] == argmax &&
           !memcmp(&n->attr.window, &argmax->attr.window, sizeof(Window));
}

/* Does anybody but the pooling read what the kernel computes? */
static bool read_elsewhere(const Fusion *f, int kernel, const Node *argmax)
{
    const int *kernel_of = f->program->kernel_of;
    for (int i = 0; i < f->nodes.n; i++)
        for (int k = 0; k < f->nodes.at[i]->nin; k++)
            if (kernel_of[f->nodes.at[i]->in[k]->id] == kernel &&
                !within(f, f->nodes.at[i], kernel, argmax))
                return true;
    for (int i = 0; i < f->fn->noutputs; i++)
        if (kernel_of[f->fn->outputs[i]->id] == kernel)
            return true;
    return false;
}

int pooling_kernel(const Fusion *f, const Node *n)
{
    int k = f->program->kernel_of[n->in[0]->id], lane_var;
    if (n->op != OP_window_argmax || k < 0)
        return -1;
    const Kernel *kernel = f->program->kernels[k];
    bool fits = kernel->form == FORM_CONTRACT && !kernel->pool &&
                contract_class(kernel->root, &lane_var) == CONTRACT_SAMPLES &&
                shape_equal(kernel->root->shape, n->in[0]->shape) &&
                windows_tile(kernel->root, n) && pays(kernel->root, n);
    return fits && !read_elsewhere(f, k, n) ? k : -1;
}
