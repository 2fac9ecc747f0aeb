/* Shared by fuse.c (which node goes where), keep.c (what goes to memory),
 * layout.c (how it lies there), spread.c (for which thread), order.c (when),
 * and by plan.c with meet.c. */
#ifndef AECC_FUSE_H
#define AECC_FUSE_H

#include "loop/loop.h"

typedef struct Fusion {
    Fn *fn;
    Program *program;
    NodeList nodes;   /* all that outputs and updates reach              */
    bool *forced;         /* [node id]: a view or leaf that is kept all the same */
    bool *inlined;    /* [node id]: computed where it is read            */
    int *rows_kernel; /* [node id]: makes its copy by rows, or -1        */
    int *level;       /* [node id]: innermost loop it is computed in, -1 */
} Fusion;

/* Can n be computed from the natural index of its elements alone, so that it
 * fits a kernel whose space has the same elements in another shape? */
bool reads_by_flat(const Fusion *, const Node *n);

/* What a result that is a reshape finds in memory as it needs it, or NULL. */
Node *reshaped_result(const Fusion *, Node *n);

/* ---- fuse.c: kernels and what they depend on -------------------------------- */

/* The computed nodes and vars that n reads, through views and inlined nodes. */
NodeList sources_of(const Fusion *, const Node *n);
/* Does kernel `from` come after kernel `target`, directly or not? */
bool reaches(const Program *, int from, int target);
void add_dep(Program *, int kernel, int on);
/* All that n reads. */
void add_deps(Fusion *, int kernel, const Node *n);
Kernel *new_kernel(Fusion *, KernelForm, Node *root, Shape space);
/* A new kernel with n as its root, placed in it. */
Kernel *kernel_for(Fusion *, KernelForm, Node *n);

/* ---- pool.c: a max pooling within the contraction before it -------------------- */

/* The kernel that can take in n, a window_argmax; -1: none. */
int pooling_kernel(const Fusion *, const Node *n);

/* Is `loop` the loop `outer`, or in it? The loop around a loop that is in none. */
bool in_loop(const Program *, int loop, int outer);
int outermost_loop(const Program *, int loop);

/* ---- history.c, place_scan.c: recurrence ------------------------------------- */

/* Lists the loops of p->fn; no `carried` is left. */
void open_scans(Program *);
/* Which step of a carried value's history a step reads and writes; where its
 * first value stands. */
Node *slot_before(const Node *scan);
Node *slot_after(const Node *scan);
Node *slot_first(const Node *scan);
/* [node id]: the innermost loop of the body that a node stands in, or -1. */
int *loop_levels(const Program *, NodeList);
/* Where the scan's carried values and emits are written: its body is placed. */
void place_scan(Fusion *, Node *scan);

/* ---- keep.c ------------------------------------------------------------------ */

/* Buffers of the inputs and the kernel that stands for filling them. */
void make_inputs(Fusion *);
/* Buffers and stores of everything else, outputs, updates in place. */
void keep_values(Fusion *);

/* A buffer for values like n's. */
Buffer *new_buffer(Fusion *, Node *n, BufferSpace, bool rows);
/* Kernel k, which computes n or can, also writes it there. */
void store_in(Kernel *k, Node *n, Buffer *, Node *slot);
/* The same of the operands of a concatenation, each in its place. */
void store_parts(Kernel *k, Node *concatenation, Buffer *, Node *slot);
/* n gets a buffer of its own, written by its kernel. */
void keep(Fusion *, Node *n);

/* Room for that many values. */
void set_size(Buffer *, int64_t values);

/* layout.c: strides of block buffers. */
void choose_layouts(Fusion *);

/* ---- ranges.c, spread.c: matrices in parts that a thread owns ------------------- */

/* Bytes of a matrix that is worth a meeting of the threads; of the largest of
 * which parts stay in a cache. */
enum { OWNED_LEAST = 64 << 10, OWNED_MOST = 4 << 20 };
int owned_axis(Shape matrix);
/* The var that n, a product of samples with a matrix, multiplies by, and as
 * which operand; else NULL. */
Node *matrix_operand(const Node *n, int *which);
/* Which kernels over blocks are shared by units. */
void choose_spreads(Fusion *);

/* order.c: sorts the kernels, numbers them, and sets barriers. */
void order_kernels(Fusion *);

/* meet.c: sets Kernel.meet of a program whose buffers have their places. */
void find_meetings(Program *);
/* trips.c, the first part of plan(): loops over the steps that samples have. */
void find_trips(Program *);

#endif
