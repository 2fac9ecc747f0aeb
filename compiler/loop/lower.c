/* lower: the loops of every kernel.
 *
 * needs       kernels with their buffers (fuse)
 * guarantees  every kernel has a body that computes units [u0, u1) and its
 *             number of units; all lanes, tiles and borders are decided */
#include "loop/tile.h"

void lower_kernel(Program *p, Kernel *k)
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
    k->units = 1;
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
    k->bytes[IN_FIXED] = k->bytes[IN_BLOCK] = 0;
    mark_touched(touched, &k->body);
    for (int i = 0; k->load_inputs && i < p->fn->ninputs; i++)
        touched[p->input_buffers[i]->id] = true;
    for (int i = 0; i < p->nbuffers; i++)
        k->bytes[holds_samples(p->buffers[i])] += touched[i] ? p->buffers[i]->size : 0;
}

/* What the file says of its batch, where a train block runs fn. */
static int64_t expected_samples(const Model *model, const Fn *fn)
{
    enum { USUAL = 32 };
    for (int i = 0; i < model->ntrains; i++) {
        const Train *t = &model->trains[i];
        for (int s = 0; s < t->nsteps; s++)
            if (t->steps[s].fn == fn || t->steps[s].joined == fn || t->objective == fn)
                return t->batch;
    }
    return USUAL;
}

void lower(const Model *model, const Machine *machine)
{
    Choices *choices = NULL;
    for (int i = 0; i < model->nfns; i++) {
        Program *p = model->fns[i]->program;
        p->machine = machine;
        choices = p->choices ? p->choices : choices ? choices : new_choices();
        p->choices = choices;
        p->samples = expected_samples(model, model->fns[i]);
        for (int k = 0; k < p->nkernels; k++) {
            lower_kernel(p, p->kernels[k]);
            count_bytes(p, p->kernels[k]);
        }
    }
}
