/* layout: the last part of fuse(), the order of elements in block buffers.
 *
 * Images are kept in planes, [C][H][W][LANES]: the pixels of a row that a
 * convolution multiplies by one weight are then neighbors, where in [H][W][C]
 * they would lie C * 64 bytes apart and share a few sets of the cache. Whoever
 * needs the address of an element of another shape (a product of what a reshape
 * gives, the runtime) wants the natural order; everybody else reads and writes
 * either, by an index for each axis. Random numbers are counted in natural order,
 * four to a call: kernels draw for four channels at once (map.c), where the
 * channels are so many fours. */
#include "graph/fuse.h"
#include "graph/ops.h"
#include "loop/lower.h"

/* Buffers of `n` and of what is under its views. */
static void rule_out(const Fusion *f, bool *natural, Node *n)
{
    natural[n->id] = natural[memory_node(f->program, n)->id] = true;
}

static bool is_reshaped(const Fusion *f, const Node *n)
{
    for (; op_is_view(n->op) && f->program->kernel_of[n->id] < 0; n = n->in[0])
        if (n->op == OP_reshape)
            return true;
    return false;
}

static bool counts_elements(Op op)
{
    return op == OP_gather_rows || op == OP_scatter_add_rows || op == OP_element ||
           op == OP_result || op == OP_history || op == OP_scan;
}

static void rule_out_operands(const Fusion *f, bool *natural, Node *n)
{
    bool counts = counts_elements(n->op);
    bool addresses = op_info[n->op].kind == CONTRACT || op_info[n->op].kind == WINDOW;
    if (counts || n->op == OP_input)
        rule_out(f, natural, n);
    for (int i = 0; i < n->nin; i++)
        if (counts || (addresses && is_reshaped(f, n->in[i])))
            rule_out(f, natural, n->in[i]);
}

/* A kernel that draws with a call for each number. */
static bool draws_singly(const Program *p, const Kernel *k)
{
    return kernel_draws(p, k) && (k->space.rank != 3 || k->space.dim[2] % DRAWS);
}

/* [node id]: its buffer counts its elements in their natural order. */
static bool *natural_order(const Fusion *f)
{
    const Program *p = f->program;
    bool *natural = NEW_ARRAY(bool, p->nnodes);
    for (int i = 0; i < f->nodes.n; i++)
        rule_out_operands(f, natural, f->nodes.at[i]);
    for (int i = 0; i < f->fn->noutputs; i++)
        natural[p->output_buffers[i]->node->id] = true;
    for (int i = 0; i < p->nkernels; i++) {
        const Kernel *k = p->kernels[i];
        if (k->form == FORM_ROWS)
            rule_out(f, natural, k->root);
        for (int s = 0; s < k->nstores && draws_singly(p, k); s++)
            natural[k->stores[s].buffer->node->id] = true;
    }
    return natural;
}

/* Planes a multiple of many cache lines apart would meet in a few sets of the
 * cache, pixel for pixel: such planes are a row and a pixel longer. */
static int64_t plane_of(Shape shape)
{
    int64_t pixels = shape.dim[0] * shape.dim[1];
    return pixels % LANES ? pixels : pixels + shape.dim[1] + 1;
}

void choose_layouts(Fusion *f)
{
    const bool *natural = natural_order(f);
    for (int i = 0; i < f->program->nbuffers; i++) {
        Buffer *b = f->program->buffers[i];
        if (b->space != IN_BLOCK || b->rows || b->shape.rank != 3 || natural[b->node->id])
            continue;
        b->stride[1] = 1;
        b->stride[0] = b->shape.dim[1];
        b->stride[2] = plane_of(b->shape);
        set_size(b, b->stride[2] * b->shape.dim[2] * LANES);
    }
}
