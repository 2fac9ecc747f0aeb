/* plan: where everything lies, decided once.
 *
 * needs       kernels in order (fuse)
 * guarantees  vars have offsets that are the same in every function; two
 *             buffers share bytes only if no thread can still need the one
 *             when another already writes the other; threads that share a
 *             block know where they must meet; the blocks of a chunk
 *
 * The fixed part holds the vars, then each function's tensors without a
 * batch; the block part holds the tensors of LANES samples that outlive their
 * segment, the scratch part those that do not. */
#include <stdlib.h>

#include "graph/fuse.h"
#include "loop/lower.h"

/* CACHE: bytes that a thread finds near, about its L2. It takes part in the
 * order of sums: the same for all targets. */
enum { ALIGNMENT = 64, CACHE = 1 << 20 };

/* Rows of an odd number of lines use all sets of a cache. A convolution reads a
 * few columns of each row: rows of 4 lines fill a quarter of the sets, and what
 * the next columns need is gone; a product with a matrix of 4,096 columns took
 * three times as long. */
static int64_t padded_row(int64_t n)
{
    int64_t lines = (n + LANES - 1) / LANES;
    return (lines % 2 == 0 ? lines + 1 : lines) * LANES;
}

int64_t storage_of(Shape shape, int64_t stride[MAX_RANK])
{
    int64_t size = 1;
    for (int i = shape.rank - 1; i >= 0; i--) {
        bool last = i == shape.rank - 1;
        bool padded = last && shape.rank >= 2 && shape.dim[i] > 8;
        stride[i] = size;
        size *= padded ? padded_row(shape.dim[i]) : shape.dim[i];
    }
    return (size + LANES - 1) / LANES * LANES;
}

static void plan_vars(Model *model)
{
    int64_t offset = 0;
    for (int i = 0; i < model->nvars; i++) {
        int64_t stride[MAX_RANK];
        model->vars[i]->offset = offset;
        offset += storage_of(model->vars[i]->shape, stride) * 4;
    }
    model->fixed_bytes = offset;
}

/* ---- Lives ------------------------------------------------------------------ */

/* Kernel k (nkernels: whoever called the function) reads or writes b. */
static void touch(Program *p, Buffer *b, int k)
{
    if (!b)
        return;
    b->first = k < b->first ? k : b->first;
    b->last = k > b->last ? k : b->last;
    if (k < p->nkernels) {
        Kernel *kernel = p->kernels[k];
        PUSH(kernel->touched, kernel->ntouched, kernel->touched_cap, b);
    }
}

static void touch_reads(Program *p, Node *n, int kernel)
{
    Buffer *b = p->by_node[n->id];
    if (b && p->kernel_of[n->id] != kernel) {
        touch(p, b, kernel);
        return;
    }
    if (p->kernel_of[n->id] >= 0 && p->kernel_of[n->id] != kernel)
        return;
    for (int i = 0; i < n->nin; i++)
        if (p->kernel_of[n->in[i]->id] != kernel)
            touch_reads(p, n->in[i], kernel);
}

static void touch_rows(Program *p, const Kernel *k)
{
    if (k->form != FORM_CONTRACT)
        return;
    for (int i = 0; i < k->root->nin; i++)
        if (is_rows_operand(k->root, i))
            touch(p, p->rows_by_node[k->root->in[i]->id], k->id);
    if (sums_block_by_block(k->root))
        touch(p, p->part_by_node[k->root->id], k->id);
}

static void touch_kernel(Program *p, const Kernel *k)
{
    for (int i = 0; i < k->nstores; i++)
        touch(p, k->stores[i].buffer, k->id);
    for (int i = 0; i < k->nnodes; i++)
        for (int j = 0; j < k->nodes[i]->nin; j++) {
            Node *in = k->nodes[i]->in[j];
            if (is_rows_operand(k->nodes[i], j))
                continue;
            if (p->kernel_of[in->id] != k->id || p->by_node[in->id])
                touch_reads(p, in, k->id);
        }
    if (k->form == FORM_ROWS)
        touch(p, p->by_node[memory_node(p, k->root)->id], k->id);
    if (k->form == FORM_JOIN)
        touch(p, p->part_by_node[k->root->id], k->id);
    for (int i = 0; i < k->nnodes; i++) /* what it copies */
        if (p->kernel_of[k->nodes[i]->id] != k->id)
            touch_reads(p, k->nodes[i], k->id);
    if (k->form == FORM_LOAD)
        for (int i = 0; i < p->fn->ninputs; i++)
            touch(p, p->input_buffers[i], k->id);
    touch_rows(p, k);
}

/* Do all threads meet before kernel k, and never go back beyond it? A segment
 * starts again with its next chunk. */
static bool parts_lives(const Program *p, int k)
{
    return p->kernels[k]->barrier && p->kernels[k]->kind != KERNEL_JOIN;
}

/* A kernel without lanes of its own may still run in one thread while another
 * is further on: what it touches lives from barrier to barrier. */
static void widen(const Program *p, Buffer *b)
{
    bool apart = b->space == IN_FIXED || p->kernels[b->first]->kind == KERNEL_UNIT;
    while (apart && b->first > 0 && !parts_lives(p, b->first))
        b->first--;
    apart = b->space == IN_FIXED || p->kernels[b->last]->kind == KERNEL_UNIT;
    while (apart && b->last + 1 < p->nkernels && !parts_lives(p, b->last + 1))
        b->last++;
}

/* What is read or written in a loop and outside lives as long as the loop. */
static void live_through_loops(const Program *p, Buffer *b)
{
    for (int i = p->nscans; i-- > 0;) {
        const ScanLoop *loop = &p->scans[i];
        bool inside = b->first < loop->end && b->last >= loop->first;
        bool outside = b->first < loop->first || b->last >= loop->end;
        if (!inside || !outside)
            continue;
        b->first = b->first < loop->first ? b->first : loop->first;
        b->last = b->last >= loop->end ? b->last : loop->end - 1;
    }
}

/* Only chunks under way need what lives within one segment. */
static void find_scratch(Program *p)
{
    for (int first = 0, end, joins; first < p->nkernels; first = end) {
        end = first + 1;
        if (!kernel_streams(p->kernels[first]))
            continue;
        end = segment_end(p, first, &joins);
        for (int i = 0; i < p->nbuffers; i++) {
            Buffer *b = p->buffers[i];
            if (b->space == IN_BLOCK && b->first >= first && b->last < joins)
                b->space = IN_SCRATCH;
        }
    }
}

static void find_lives(Program *p)
{
    for (int i = 0; i < p->nbuffers; i++) {
        p->buffers[i]->first = p->nkernels;
        p->buffers[i]->last = -1;
    }
    for (int i = 0; i < p->nkernels; i++)
        touch_kernel(p, p->kernels[i]);
    for (int i = 0; i < p->nscans; i++)
        touch(p, p->scans[i].lengths, p->scans[i].first);
    for (int i = 0; i < p->fn->noutputs; i++)
        touch(p, p->output_buffers[i], p->nkernels);
    for (int i = 0; i < p->nbuffers; i++)
        if (p->buffers[i]->last >= 0)
            live_through_loops(p, p->buffers[i]);
    find_scratch(p);
    for (int i = 0; i < p->nbuffers; i++) {
        Buffer *b = p->buffers[i];
        if (b->space != IN_FIXED && b->space != IN_BLOCK)
            continue;
        if (b->last >= 0 && b->last < p->nkernels && b->first < p->nkernels)
            widen(p, b);
        else if (b->last == p->nkernels && b->first < p->nkernels && b->space == IN_FIXED)
            b->first = 0;
    }
}

/* ---- Offsets ------------------------------------------------------------------- */

static int by_size(const void *x, const void *y)
{
    const Buffer *a = *(Buffer *const *)x, *b = *(Buffer *const *)y;
    if (a->size != b->size)
        return a->size < b->size ? 1 : -1;
    return a->id - b->id;
}

static bool collide(const Buffer *a, const Buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest place at which b meets nothing that lives beside it. */
static int64_t lowest_place(Buffer *const *placed, int n, const Buffer *b)
{
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        const Buffer *o = placed[i];
        if (o->space == b->space && collide(o, b) && o->offset < at + b->size &&
            at < o->offset + o->size) {
            at = o->offset + o->size;
            i = -1;
        }
    }
    return at;
}

static int64_t *space_bytes(Program *p, BufferSpace space)
{
    switch (space) {
    case IN_FIXED: return &p->fixed_bytes;
    case IN_BLOCK: return &p->block_bytes;
    case IN_SCRATCH: return &p->scratch_bytes;
    default: return &p->part_bytes;
    }
}

static void plan_program(Program *p, int64_t fixed_start)
{
    Buffer **sorted = NEW_ARRAY(Buffer *, p->nbuffers), **placed = NEW_ARRAY(Buffer *, p->nbuffers);
    int n = 0;
    for (int i = 0; i < p->nbuffers; i++)
        if (p->buffers[i]->var)
            p->buffers[i]->offset = p->buffers[i]->var->offset;
        else
            sorted[n++] = p->buffers[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    for (int i = 0; i < n; i++) {
        Buffer *b = sorted[i];
        b->offset = lowest_place(placed, i, b);
        placed[i] = b;
        int64_t end = (b->offset + b->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        int64_t *total = space_bytes(p, b->space);
        *total = end > *total ? end : *total;
    }
    for (int i = 0; i < n; i++)
        if (sorted[i]->space == IN_FIXED)
            sorted[i]->offset += fixed_start;
}

/* ---- Chunks -------------------------------------------------------------------- */

/* The more blocks a chunk has, the less its sums cost, as long as activations
 * stay in the cache; and where nothing is summed by chunk one is enough. A power of
 * two, so that threads get equal shares of the usual batches: of 16 blocks in chunks
 * of 6 one of two threads had 10. */
static int64_t chunk_blocks(const Program *p)
{
    bool sums = false;
    for (int k = 0; k < p->nkernels; k++)
        sums = sums || p->kernels[k]->kind == KERNEL_CHUNK;
    int64_t n = 1;
    while (sums && 2 * n * (p->scratch_bytes + 1) <= CACHE)
        n *= 2;
    return n;
}

void plan(Model *model)
{
    plan_vars(model);
    for (int i = 0; i < model->nfns; i++) {
        Program *p = model->fns[i]->program;
        find_trips(p);
        find_lives(p);
        plan_program(p, model->fixed_bytes);
        p->chunk = chunk_blocks(p);
        find_meetings(p);
    }
}
