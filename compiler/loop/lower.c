/* lower: the loops of every kernel.
 *
 * needs       kernels with their buffers (fuse)
 * guarantees  every kernel has a body that computes units [u0, u1) and its
 *             number of units; all lanes, tiles and borders are decided */
#include "loop/lower.h"

static void lower_kernel(Program *p, Kernel *k)
{
    static void (*const by_form[])(Program *, Kernel *) = {
        [FORM_MAP] = lower_map,
        [FORM_REDUCE] = lower_reduce,
        [FORM_CONTRACT] = lower_contraction,
        [FORM_WINDOW] = lower_window,
        [FORM_COPY] = lower_copy,
        [FORM_ROWS] = lower_rows,
        [FORM_ORTHOGONAL] = lower_copy,
        [FORM_INDEX] = lower_index,
    };
    k->body = (Region){0};
    Region *before = loop_kernel(k);
    if (k->form != FORM_LOAD)
        by_form[k->form](p, k);
    loop_into(before);
}

/* Bytes that a call touches at least: what it reads and writes, once. */
static double kernel_bytes(const Program *p, const Kernel *k)
{
    double bytes = 0;
    for (int i = 0; i < k->nstores; i++)
        bytes += (double)k->stores[i].buffer->size;
    for (int i = 0; i < k->nnodes; i++)
        for (int j = 0; j < k->nodes[i]->nin; j++) {
            const Buffer *b = p->by_node[view_base(k->nodes[i]->in[j])->id];
            bytes += b && p->kernel_of[b->node->id] != k->id ? (double)b->size : 0;
        }
    return bytes;
}

void lower(const Model *model, const Machine *machine)
{
    for (int i = 0; i < model->nfns; i++) {
        Program *p = model->fns[i]->program;
        p->machine = machine;
        for (int k = 0; k < p->nkernels; k++) {
            lower_kernel(p, p->kernels[k]);
            p->kernels[k]->bytes = kernel_bytes(p, p->kernels[k]);
        }
    }
}
