/* For tests of loops: kernels made by hand in a program of their own. */
#ifndef AECC_TESTS_LOOP_SUPPORT_H
#define AECC_TESTS_LOOP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop/loop.h"

enum { MOST = 8 };

/* One function of several kernels, over buffers one after the other. */
typedef struct Hand {
    Model model;
    Fn fn, *fns[1];
    Program program;
} Hand;

static inline Hand *hand_new(const char *name)
{
    Hand *h = NEW(Hand);
    h->model = (Model){.name = name, .source = name, .nfns = 1, .fns = h->fns};
    h->fn = (Fn){.kind = FN_NETWORK, .name = name, .program = &h->program};
    h->program.fn = &h->fn;
    h->program.chunk = 1;
    h->fns[0] = &h->fn;
    return h;
}

/* `count` elements, in a block for each of its samples. */
static inline Buffer *hand_buffer(Hand *h, BufferSpace space, ElementType element, int64_t count)
{
    Program *p = &h->program;
    Buffer *b = NEW(Buffer);
    int64_t *end = space == IN_BLOCK ? &p->block_bytes : &p->fixed_bytes;
    int64_t bytes = count * (element == E_U8 ? 1 : 4) * (space == IN_BLOCK ? LANES : 1);
    *b = (Buffer){.name = format("b%d", p->nbuffers),
                  .space = space,
                  .element = element,
                  .shape = shape_of(space == IN_BLOCK, 1, &count),
                  .stride = {1},
                  .size = (bytes + 63) / 64 * 64,
                  .offset = *end,
                  .id = p->nbuffers};
    *end += b->size;
    PUSH(p->buffers, p->nbuffers, p->buffers_cap, b);
    return b;
}

/* A kernel; its body is the current region. */
static inline Kernel *hand_kernel(Hand *h, const char *name, KernelKind kind, int64_t units)
{
    Program *p = &h->program;
    Kernel *k = NEW(Kernel);
    *k = (Kernel){.name = name, .kind = kind, .units = units, .scan = -1, .id = p->nkernels};
    PUSH(p->kernels, p->nkernels, p->kernels_cap, k);
    loop_kernel(k);
    return k;
}

#endif
