/* layout: the last part of fuse(), the order of elements in block buffers.
 *
 * Images are kept in planes, [C][H][W][LANES]: the pixels of a row that a
 * convolution multiplies by one weight are then neighbors, where in [H][W][C]
 * they would lie C * 64 bytes apart and share a few sets of the cache. A
 * shape is kept in planes everywhere or nowhere, so that elementwise kernels
 * need one index only; whoever needs the elements in their natural order
 * (reshape, the runtime, random numbers by element) rules it out. */
#include "graph/fuse.h"
#include "loop/lower.h"

enum { MAX_SHAPES = 256 };

typedef struct Shapes {
    int n;
    Shape at[MAX_SHAPES];
} Shapes;

static bool contains(const Shapes *set, Shape shape)
{
    for (int i = 0; i < set->n; i++)
        if (shape_equal(set->at[i], shape))
            return true;
    return set->n == MAX_SHAPES;
}

static void rule_out(Shapes *set, const Node *n)
{
    if (n->shape.batch && !contains(set, n->shape))
        set->at[set->n++] = n->shape;
}

static Shapes natural_shapes(const Fusion *f)
{
    Shapes set = {0};
    for (int i = 0; i < f->nodes.n; i++) {
        const Node *n = f->nodes.at[i];
        bool ordered = n->op == OP_reshape || n->op == OP_random || n->op == OP_iota ||
                       n->op == OP_gather_rows || n->op == OP_scatter_add_rows ||
                       n->op == OP_element || n->op == OP_result || n->op == OP_history ||
                       n->op == OP_scan;
        if (ordered || n->op == OP_input)
            rule_out(&set, n);
        for (int k = 0; ordered && k < n->nin; k++)
            rule_out(&set, n->in[k]);
    }
    for (int i = 0; i < f->fn->noutputs; i++)
        rule_out(&set, f->fn->outputs[i]);
    for (int i = 0; i < f->program->nkernels; i++)
        if (f->program->kernels[i]->form == FORM_ROWS)
            rule_out(&set, memory_node(f->program, f->program->kernels[i]->root));
    return set;
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
    Shapes natural = natural_shapes(f);
    for (int i = 0; i < f->program->nbuffers; i++) {
        Buffer *b = f->program->buffers[i];
        if (b->space != IN_BLOCK || b->rows || b->shape.rank != 3 || contains(&natural, b->shape))
            continue;
        b->stride[1] = 1;
        b->stride[0] = b->shape.dim[1];
        b->stride[2] = plane_of(b->shape);
        set_size(b, b->stride[2] * b->shape.dim[2] * LANES);
    }
}
