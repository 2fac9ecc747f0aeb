/* trips: a part of plan(), loops over the steps that the samples have.
 *
 * A scan of sequences of varying length carries its values on beyond the last
 * step of a sample. A loop ends one step after the longest of its samples: what
 * that step leaves is what all further steps would, as far as it is read, and
 * is copied to their places.
 *
 *   steps 512, longest 64: steps 0 .. 64 run; of each sequence that the loop
 *   emits, element 64 becomes elements 65 .. 511
 *
 * A loop over stretches, whose steps have sums over the batch, ends so for the
 * longest of all samples.
 *
 * needs       kernels in order
 * guarantees  a loop with `lengths` stands in a segment, or is apart and in no
 *             other, and lists all that it writes step by step */
#include "graph/fuse.h"

static bool streams(const Program *p, const ScanLoop *loop)
{
    for (int k = loop->first; k < loop->end; k++)
        if (p->kernels[k]->kind != KERNEL_BLOCK || (p->kernels[k]->barrier && k > loop->first))
            return false;
    return true;
}

static Buffer *lengths_of(const Program *p, int input)
{
    Buffer *b = input >= 0 && input < p->fn->ninputs ? p->input_buffers[input] : NULL;
    return b && holds_samples(b) && b->element == E_I32 && b->shape.rank == 0 ? b : NULL;
}

static bool written_by(const Buffer *b, const ScanLoop *loop)
{
    const Node *n = b->node;
    const Node *scan = n && n->op == OP_result ? n->in[0] : n && n->op == OP_history ? n : NULL;
    return scan && scan->attr.scan.id == loop->id;
}

/* Of a sequence, by vectors: it is copied once all steps are there. */
static bool copied_after(const Program *p, const Buffer *b, const ScanLoop *loop)
{
    for (int k = loop->first; k < loop->end; k++)
        if (p->kernels[k]->form == FORM_ROWS && p->kernels[k]->root == b->node)
            return false;
    return b->rows;
}

/* Sums over the batch of each step: there is one of each, of zeros behind the
 * samples' ends. */
static bool is_of_sums(const Buffer *b, const ScanLoop *loop)
{
    return loop->stretch > 1 && b->space == IN_FIXED && b->shape.dim[0] == loop->steps;
}

static void list_sequences(const Program *p, ScanLoop *loop, bool streaming)
{
    int cap = 0;
    for (int i = 0; i < p->nbuffers; i++) {
        Buffer *b = p->buffers[i];
        if (!written_by(b, loop) || copied_after(p, b, loop))
            continue;
        bool known = holds_samples(b) || (!streaming && is_of_sums(b, loop));
        if (!known || b->rows || b->shape.rank == 0 || b->shape.dim[0] < loop->steps) {
            loop->lengths = NULL;
            return;
        }
        PUSH(loop->sequences, loop->nsequences, cap, b);
    }
}

void find_trips(Program *p)
{
    for (int i = 0; i < p->nscans; i++) {
        ScanLoop *loop = &p->scans[i];
        bool streaming = streams(p, loop), apart = loop->stretch > 1 && loop->outer < 0;
        loop->lengths = streaming || apart ? lengths_of(p, loop->input - 1) : NULL;
        if (loop->lengths)
            list_sequences(p, loop, streaming);
    }
}
