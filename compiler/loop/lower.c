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
        [FORM_JOIN] = lower_join,
        [FORM_ORTHOGONAL] = lower_copy,
        [FORM_INDEX] = lower_index,
    };
    k->body = (Region){0};
    Region *before = loop_kernel(k);
    if (k->form != FORM_LOAD)
        by_form[k->form](p, k);
    loop_into(before);
}

/* ---- Bytes that a kernel touches ------------------------------------------ */

static void mark_touched(bool *touched, const Region *r)
{
    for (int i = 0; i < r->n; i++) {
        const Inst *inst = r->at[i];
        if (inst->buffer)
            touched[inst->buffer->id] = true;
        if (inst->op == L_loop)
            mark_touched(touched, &inst->body);
    }
}

/* Each buffer once: caches keep it from its first touch to its last, and what
 * is written goes back while other bytes are read. */
static void count_bytes(const Program *p, Kernel *k)
{
    bool *touched = NEW_ARRAY(bool, p->nbuffers);
    mark_touched(touched, &k->body);
    for (int i = 0; k->load_inputs && i < p->fn->ninputs; i++)
        touched[p->input_buffers[i]->id] = true;
    for (int i = 0; i < p->nbuffers; i++)
        k->bytes[holds_samples(p->buffers[i])] += touched[i] ? p->buffers[i]->size : 0;
}

void lower(const Model *model, const Machine *machine)
{
    for (int i = 0; i < model->nfns; i++) {
        Program *p = model->fns[i]->program;
        p->machine = machine;
        for (int k = 0; k < p->nkernels; k++) {
            lower_kernel(p, p->kernels[k]);
            count_bytes(p, p->kernels[k]);
        }
    }
}
