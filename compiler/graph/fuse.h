/* Shared by fuse.c (which node goes where), layout.c (how it lies in memory)
 * and order.c (when). */
#ifndef AECC_FUSE_H
#define AECC_FUSE_H

#include "loop/loop.h"

typedef struct Fusion {
    Fn *fn;
    Program *program;
    NodeList nodes;       /* all that outputs and updates reach              */
    bool *inlined;        /* [node id]: computed where it is read            */
    int *rows_kernel;     /* [node id]: makes its copy by rows, or -1        */
} Fusion;

/* Can n be computed from the natural index of its elements alone, so that it
 * fits a kernel whose space has the same elements in another shape? */
bool reads_by_flat(const Fusion *, const Node *n);

/* layout.c: strides of block buffers. */
void choose_layouts(Fusion *);

/* Sorts the kernels, numbers them, and sets barriers. */
void order_kernels(Fusion *);

#endif
