/* meet: the last part of plan(), where threads that share a block wait.
 *
 * needs       what each kernel touches, and where that lies
 * guarantees  between two meetings no kernel of a segment touches memory that
 *             an earlier one writes, nor writes what that reads
 *
 * Where there are fewer blocks than threads, each kernel of a block is split
 * by units. A thread may run ahead into the next kernel as long as what this
 * one touches is not what the others are still at. They meet anyhow after
 * inputs were loaded, and between two runs (run_end). */
#include "graph/fuse.h"

static bool writes(const Kernel *k, const Buffer *b)
{
    for (int i = 0; i < k->nstores; i++)
        if (k->stores[i].buffer == b)
            return true;
    return false;
}

static bool overlap(const Buffer *a, const Buffer *b)
{
    return a->space == b->space && a->offset < b->offset + b->size &&
           b->offset < a->offset + a->size;
}

static bool conflict(const Kernel *before, const Kernel *after)
{
    for (int i = 0; i < before->ntouched; i++)
        for (int j = 0; j < after->ntouched; j++) {
            const Buffer *a = before->touched[i], *b = after->touched[j];
            if (overlap(a, b) && (writes(before, a) || writes(after, b)))
                return true;
        }
    return false;
}

/* Kernels [first, last) are shared in the same way. */
static void meet_in_run(const Program *p, int first, int last)
{
    int since = first; /* the first kernel after the last meeting */
    for (int k = first; k < last; k++) {
        Kernel *kernel = p->kernels[k];
        for (int i = since; i < k && !kernel->meet; i++)
            kernel->meet = conflict(p->kernels[i], kernel);
        since = kernel->load_inputs ? k + 1 : kernel->meet ? k : since;
    }
}

void find_meetings(Program *p)
{
    for (int first = 0, end, joins; first < p->nkernels; first = end) {
        end = first + 1;
        if (!kernel_streams(p->kernels[first]))
            continue;
        end = segment_end(p, first, &joins);
        for (int k = first, next; k < joins; k = next) {
            next = run_end(p, k, joins);
            meet_in_run(p, k, next);
        }
    }
}
