/* For tests of the graph: inputs with random values, evaluation by the
 * interpreter, and gradients against central differences in double. */
#ifndef AECC_TESTS_GRAPH_SUPPORT_H
#define AECC_TESTS_GRAPH_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "graph/ops.h"

enum { MAX_INPUTS = 16 };

typedef struct Bench {
    Node *in[MAX_INPUTS];
    double *value[MAX_INPUTS];
    int n;
    int64_t samples;
    uint64_t seed;
} Bench;

static inline uint64_t next_random(Bench *b)
{
    uint64_t z = b->seed += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

/* Uniform in [lo, hi). */
static inline double between(Bench *b, double lo, double hi)
{
    return lo + (hi - lo) * (double)(next_random(b) >> 11) * 0x1p-53;
}

/* One of 0 .. n-1. */
static inline int below(Bench *b, int n)
{
    return (int)(next_random(b) % (uint64_t)n);
}

static inline Bench bench_new(int64_t samples, uint64_t seed)
{
    return (Bench){.samples = samples, .seed = seed};
}

static inline int64_t bench_count(const Bench *b, const Node *n)
{
    return shape_size(n->shape) * (n->shape.batch ? b->samples : 1);
}

static inline Node *bench_input(Bench *b, Type type, Shape shape, double lo, double hi)
{
    Node *in = graph_input(type, shape, b->n, (Pos){0});
    int64_t count = bench_count(b, in);
    b->in[b->n] = in;
    b->value[b->n] = NEW_ARRAY(double, count);
    for (int64_t i = 0; i < count; i++) {
        double x = between(b, lo, hi);
        b->value[b->n][i] = type == T_F32 ? x : floor(x);
    }
    b->n++;
    return in;
}

static inline double *bench_values(const Bench *b, const Node *in)
{
    return b->value[in->attr.input];
}

static inline double **bench_run(const Bench *b, int n, Node **roots, bool float32)
{
    Fn fn = {.kind = FN_STEP, .name = "test", .ninputs = b->n, .inputs = (Node **)b->in,
             .noutputs = n, .outputs = roots};
    Interp run = {.float32 = float32, .samples = b->samples, .inputs = (double **)b->value};
    run.random = (Random){{1, 2}, 3, 4};
    interpret(&fn, &run);
    return run.outputs;
}

static inline double *bench_value(const Bench *b, Node *root)
{
    return bench_run(b, 1, &root, false)[0];
}

/* The sum of w[i] * y[i], with w a new random input. */
static inline Node *weighted_sum(Bench *b, Node *y)
{
    bool axes[MAX_RANK + 1] = {0};
    Node *w = bench_input(b, T_F32, y->shape, 0.5, 1.5);
    for (int i = 0; i < y->shape.rank; i++)
        axes[i] = true;
    axes[MAX_RANK] = y->shape.batch;
    return graph_reduce(OP_reduce_sum, graph_op2(OP_mul, y, w), axes);
}

/* f at in[i] + step * direction. */
static inline double moved(Bench *b, int i, const double *direction, double step, Node *f)
{
    int64_t count = bench_count(b, b->in[i]);
    double *kept = b->value[i], *there = NEW_ARRAY(double, count);
    for (int64_t j = 0; j < count; j++)
        there[j] = kept[j] + step * direction[j];
    b->value[i] = there;
    double value = bench_value(b, f)[0];
    b->value[i] = kept;
    return value;
}

/* Central difference, extrapolated from three steps: error of order h^6. */
static inline double difference(Bench *b, int i, const double *direction, Node *f)
{
    double h = 1e-4, d[3];
    for (int k = 0; k < 3; k++, h /= 2)
        d[k] = (moved(b, i, direction, h, f) - moved(b, i, direction, -h, f)) / (2 * h);
    double first = (4 * d[1] - d[0]) / 3, second = (4 * d[2] - d[1]) / 3;
    return (16 * second - first) / 15;
}

/* The gradients of scalar f with respect to the first n inputs, along a random
 * direction each, against differences. False: says which differs. */
static inline bool gradients_right(Bench *b, Node *f, int n, const char *what)
{
    Node *g[MAX_INPUTS];
    bool right = true;
    gradient(f, n, b->in, g);
    double **value = bench_run(b, n, g, false);
    for (int i = 0; i < n; i++) {
        int64_t count = bench_count(b, b->in[i]);
        double *direction = NEW_ARRAY(double, count), symbolic = 0, size = 0;
        if (b->in[i]->type != T_F32)
            continue;
        for (int64_t j = 0; j < count; j++) {
            direction[j] = between(b, -1, 1);
            symbolic += value[i][j] * direction[j];
            size += fabs(value[i][j] * direction[j]);
        }
        double numeric = difference(b, i, direction, f);
        if (!(fabs(symbolic - numeric) <= 1e-6 * (size + 1e-2))) {
            print_error("%s: input %d: gradient %.12g, difference %.12g\n", what, i, symbolic,
                        numeric);
            right = false;
        }
    }
    return right;
}

/* First and second derivatives of y by its first n inputs: the second as the
 * gradient of a weighted sum of the first. */
static inline bool derivatives_right(Bench *b, Node *y, int n, const char *what)
{
    Node *g[MAX_INPUTS], *sum = NULL;
    Node *f = weighted_sum(b, y);
    bool right = gradients_right(b, f, n, what);
    gradient(f, n, b->in, g);
    for (int i = 0; i < n; i++) {
        if (b->in[i]->type != T_F32)
            continue;
        Node *part = weighted_sum(b, g[i]);
        sum = sum ? graph_op2(OP_add, sum, part) : part;
    }
    return gradients_right(b, sum, n, format("%s, second order", what)) && right;
}

static inline Shape shape1(bool batch, int64_t a)
{
    return shape_of(batch, 1, &a);
}

static inline Shape shape2(bool batch, int64_t a, int64_t b)
{
    return shape_of(batch, 2, (int64_t[]){a, b});
}

static inline Shape shape3(bool batch, int64_t a, int64_t b, int64_t c)
{
    return shape_of(batch, 3, (int64_t[]){a, b, c});
}

#endif
