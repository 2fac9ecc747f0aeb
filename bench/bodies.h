/* Two inner loops as the scheduler makes them, by hand in the loop IR: for the
 * benchmark of the tile emitter and the test of its assembly.
 *     dense  10 outputs x 2 vectors of samples, 784 inputs
 *     conv   14 pixels of a row x 1 channel, 3 x 3 taps, 16 channels in */
#ifndef AECC_BENCH_BODIES_H
#define AECC_BENCH_BODIES_H

#include <string.h>

#include "loop/loop.h"

typedef struct Body {
    const char *name;
    Model model;
    Fn fn, *fns[1];
    Program program;
    Kernel kernel, *kernels[1];
    double flops;
} Body;

static inline Buffer *new_buffer(Body *b, const char *name, int64_t floats)
{
    Buffer *buffer = NEW(Buffer);
    *buffer = (Buffer){.name = name,
                       .element = E_F32,
                       .size = floats * 4,
                       .shape = shape_of(false, 1, &floats),
                       .offset = b->program.fixed_bytes,
                       .id = b->program.nbuffers};
    b->program.fixed_bytes += (buffer->size + 63) / 64 * 64;
    PUSH(b->program.buffers, b->program.nbuffers, b->program.buffers_cap, buffer);
    return buffer;
}

static inline Body *begin_body(const char *name, int64_t units)
{
    Body *b = NEW(Body);
    b->name = name;
    b->model = (Model){.name = name, .source = name, .nfns = 1, .fns = b->fns};
    b->fn = (Fn){.kind = FN_NETWORK, .name = name, .program = &b->program};
    b->program.fn = b->fns[0] = &b->fn;
    b->kernel = (Kernel){.name = name, .kind = KERNEL_UNIT, .units = units, .scan = -1};
    b->kernels[0] = &b->kernel;
    b->program.kernels = b->kernels;
    b->program.nkernels = 1;
    b->program.chunk = 1;
    loop_kernel(&b->kernel);
    return b;
}

/* y[n][2 vectors] = sum over k of w[n][k] x[k][2 vectors], ten n at a time. */
static inline Body *dense(void)
{
    enum { N = 100, K = 784, ROWS = 10, COLUMNS = 2, UNROLL = 4 };
    Body *b = begin_body("dense", N / ROWS);
    Buffer *w = new_buffer(b, "w", N * K), *x = new_buffer(b, "x", K * COLUMNS * LANES);
    Buffer *y = new_buffer(b, "y", N * COLUMNS * LANES);
    Inst *sum[ROWS * COLUMNS], *next[ROWS * COLUMNS], *in[COLUMNS];
    Inst *tile = loop_begin(b->kernel.u0, b->kernel.u1, 1, 0, NULL);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        sum[i] = vconst(V_VF32, 0);
    Inst *loop = loop_begin(iconst(0), iconst(K), UNROLL, ROWS * COLUMNS, sum);
    memcpy(next, loop->carried, sizeof next);
    for (int u = 0; u < UNROLL; u++) {
        Inst *k = iadd(loop->index, iconst(u));
        for (int j = 0; j < COLUMNS; j++)
            in[j] = load(V_VF32, x, iadd(imul(k, COLUMNS * LANES), iconst(j * LANES)), NULL);
        for (int i = 0; i < ROWS; i++) {
            Inst *row = iadd(imul(tile->index, ROWS), iconst(i));
            Inst *weight = splat(load(V_F32, w, iadd(imul(row, K), k), NULL));
            for (int j = 0; j < COLUMNS; j++)
                next[i * COLUMNS + j] = fma3(weight, in[j], next[i * COLUMNS + j]);
        }
    }
    loop_end(loop, next, sum);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        store(y, iadd(imul(tile->index, ROWS * COLUMNS * LANES), iconst(i * LANES)), sum[i], NULL);
    loop_end(tile, NULL, NULL);
    b->flops = 2.0 * N * K * COLUMNS * LANES;
    return b;
}

/* One row of 14 pixels of one channel: taps that fall outside are left out. */
static inline void convolve_row(Inst *row[14], Buffer *w, Buffer *x, Inst *weights, Inst *plane)
{
    enum { WIDTH = 14 };
    for (int r = 0; r < 3; r++)
        for (int s = 0; s < 3; s++) {
            Inst *tap = splat(load(V_F32, w, iadd(weights, iconst(r * 3 + s)), NULL));
            for (int p = 0; p < WIDTH; p++) {
                int column = p + s - 1;
                if (column < 0 || column >= WIDTH)
                    continue;
                Inst *at = iadd(plane, iconst((r * WIDTH + column) * LANES));
                row[p] = fma3(tap, load(V_VF32, x, at, NULL), row[p]);
            }
        }
}

/* Rows 1 to 12 of [16 channels][14][14][16 samples], 32 channels out. */
static inline Body *conv(void)
{
    enum { C = 16, K = 32, WIDTH = 14, HEIGHT = 14, PLANE = HEIGHT * WIDTH * LANES };
    Body *b = begin_body("conv", K);
    Buffer *w = new_buffer(b, "w", K * C * 9), *x = new_buffer(b, "x", C * PLANE);
    Buffer *y = new_buffer(b, "y", K * PLANE);
    Inst *sum[WIDTH], *next[WIDTH];
    Inst *channel = loop_begin(b->kernel.u0, b->kernel.u1, 1, 0, NULL);
    Inst *line = loop_begin(iconst(1), iconst(HEIGHT - 1), 1, 0, NULL);
    for (int i = 0; i < WIDTH; i++)
        sum[i] = vconst(V_VF32, 0);
    Inst *loop = loop_begin(iconst(0), iconst(C), 1, WIDTH, sum);
    memcpy(next, loop->carried, sizeof next);
    Inst *weights = iadd(imul(channel->index, C * 9), imul(loop->index, 9));
    Inst *above = imul(iadd(line->index, iconst(-1)), WIDTH * LANES);
    convolve_row(next, w, x, weights, iadd(imul(loop->index, PLANE), above));
    loop_end(loop, next, sum);
    Inst *out = iadd(imul(channel->index, PLANE), imul(line->index, WIDTH * LANES));
    for (int i = 0; i < WIDTH; i++)
        store(y, iadd(out, iconst(i * LANES)), sum[i], NULL);
    loop_end(line, NULL, NULL);
    loop_end(channel, NULL, NULL);
    b->flops = 2.0 * K * C * (HEIGHT - 2) * (9 * WIDTH - 6) * LANES;
    return b;
}

#endif
