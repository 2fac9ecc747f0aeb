/* What the files of the `benchmark` command share: benchmark.c measures,
 * bound.c says what binds a kernel, benchmark_print.c prints. */
#ifndef AECC_BENCHMARK_H
#define AECC_BENCHMARK_H

#include "rt.h"

/* What binds a kernel: the limit that its time comes nearest to. */
typedef enum bound_by {
    BOUND_FMA,     /* multiply-adds at the peak                                */
    BOUND_L2, BOUND_L3, BOUND_MEMORY, /* its bytes, from there                 */
    BOUND_UPDATE,  /* a square root and a division for each parameter          */
    BOUND_THREADS, /* one thread takes longer than the others                  */
    BOUND_CORE     /* none of them: L1, other instructions, starting           */
} bound_by;

/* A kernel in a step. */
typedef struct part {
    const rt_kernel *kernel;
    double seconds, mean;          /* of the slowest thread, of all of them   */
    double flops, bytes;           /* of all threads                          */
    bound_by bound;
    double nearness;               /* share of its time that the limit takes  */
} part;

/* Where a thread spends a step, in seconds. */
typedef struct thread_time { double kernels, waiting, loading; } thread_time;

typedef struct benchmark {
    const rt_model *model;
    const char *network;           /* of --infer, or NULL                     */
    int64_t batch, steps;
    int threads, nparts;
    double step, profiled;         /* seconds a step, and with the profile on */
    double busy;                   /* share of the cores' time it had then    */
    double flops;                  /* of a step                               */
    rt_limits limits;
    part *parts;                   /* in order                                */
    thread_time *thread;
} benchmark;

/* Fills bound and nearness. `footprint`: bytes that a step keeps touching. */
void find_bounds(benchmark *, double footprint);
extern const char *const bound_name[BOUND_CORE + 1];
void print_benchmark(const benchmark *);
void print_benchmark_json(const benchmark *);

#endif
