/* spread: the next to last part of fuse(), how threads share the kernels over
 * blocks.
 *
 * By blocks, a thread takes its samples through many kernels and meets nobody,
 * but every thread reads all weights. By units, each thread keeps to a range
 * of a matrix (ranges.c) and reads the activations of all samples. A function
 * whose batch is so small that its wide matrices outweigh the activations runs
 * such kernels by units: then only the thread that updates a range of weights
 * ever reads it, and it stays in that thread's cache. So does the copy by rows
 * of what the matrix's gradient reads along that range. A matrix beyond any
 * cache is read once for all blocks, whatever the function. */
#include "graph/fuse.h"
#include "loop/lower.h"

static int64_t matrix_bytes(Shape s)
{
    return shape_size(s) * 4;
}

/* The output variable that moves along this index, or -1. */
static int output_along(const Node *n, const Affine *along)
{
    for (int i = 0; i < n->shape.rank; i++)
        for (int t = 0; t < along->terms; t++)
            for (int o = 0; o < n->attr.contraction.map[0][i].terms; o++)
                if (n->attr.contraction.map[0][i].var[o] == along->var[t])
                    return along->var[t];
    return -1;
}

/* Do different units read different parts of the matrix's owned axis? */
static bool units_own(const Node *n, const Node *matrix, int which)
{
    return output_along(n, &n->attr.contraction.map[1 + which][owned_axis(matrix->shape)]) >= 0;
}

/* What is read and written of each block, in bytes. */
static int64_t activation_bytes(const Node *n)
{
    int64_t elements = shape_size(n->shape);
    for (int i = 0; i < n->nin; i++)
        elements += n->in[i]->shape.batch ? shape_size(n->in[i]->shape) : 0;
    return elements * LANES * 4;
}

static bool is_shared_product(const Fusion *f, const Kernel *k, int64_t *bytes)
{
    int which;
    const Node *matrix = k->form == FORM_CONTRACT ? matrix_operand(k->root, &which) : NULL;
    if (!matrix)
        return false;
    *bytes = matrix_bytes(matrix->shape);
    return *bytes > OWNED_MOST ||
           (f->fn->kind == FN_STEP && *bytes >= OWNED_LEAST && units_own(k->root, matrix, which));
}

/* The gradient's operand along the owned axis. */
static void share_rows(Fusion *f, const Node *gradient)
{
    const Contraction *c = &gradient->attr.contraction;
    int owned = owned_axis(gradient->shape), lane_var;
    if (gradient->shape.rank != 2 || matrix_bytes(gradient->shape) < OWNED_LEAST ||
        contract_class(gradient, &lane_var) != CONTRACT_ROWS)
        return;
    for (int i = 0; i < gradient->nin; i++) {
        const Node *operand = gradient->in[i];
        bool along = false;
        for (int d = 0; d < gradient->in[i]->shape.rank; d++)
            along = along || c->map[1 + i % 2][d].var[0] == c->map[0][owned].var[0];
        if (along && is_rows_operand(gradient, i))
            f->program->kernels[f->rows_kernel[operand->id]]->shared_bytes =
                shape_size(operand->shape) * LANES * 4;
    }
}

void choose_spreads(Fusion *f)
{
    Program *p = f->program;
    int64_t weights = 0, activations = 0, largest = 0;
    for (int i = 0; i < p->nkernels; i++) {
        Kernel *k = p->kernels[i];
        int64_t bytes;
        if (k->scan >= 0 || !is_shared_product(f, k, &bytes))
            continue;
        k->shared_bytes = bytes;
        weights += bytes;
        activations += activation_bytes(k->root);
        largest = bytes > largest ? bytes : largest;
    }
    if (largest > OWNED_MOST)
        p->shared_blocks = INT64_MAX;
    else if (activations > 0)
        p->shared_blocks = weights / activations;
    for (int i = 0; i < p->nkernels && activations > 0; i++)
        if (p->kernels[i]->form == FORM_CONTRACT && !p->kernels[i]->root->shape.batch)
            share_rows(f, p->kernels[i]->root);
}

/* A product's and a gradient's, so that they agree. */
int owned_output(const Kernel *k)
{
    const Node *n = k->root;
    int which, lane_var;
    const Node *matrix = matrix_operand(n, &which);
    if (matrix && k->shared_bytes)
        return output_along(n, &n->attr.contraction.map[1 + which][owned_axis(matrix->shape)]);
    bool gradient = n->shape.rank == 2 && contract_class(n, &lane_var) == CONTRACT_ROWS;
    if (gradient && matrix_bytes(n->shape) >= OWNED_LEAST)
        return output_along(n, &n->attr.contraction.map[0][owned_axis(n->shape)]);
    return -1;
}
