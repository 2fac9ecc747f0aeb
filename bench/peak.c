/* peak [THREADS] -- the limits that bench/run compares with, measured now:
 *     fma GFLOP/s of all threads, in registers
 *     barrier ns for all threads to meet (the machine has fast and slow times) */
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "fma.h"

enum { REPEATS = 7 };

static const long ROUNDS = 4000000;

static double fma_peak(int threads)
{
    double best = 0;
    for (int r = 0; r < REPEATS; r++) {
        double begin = omp_get_wtime();
#pragma omp parallel num_threads(threads)
        multiply_add(ROUNDS);
        double flops = (double)threads * (double)ROUNDS * CHAINS * lanes() * 2;
        double rate = flops / (omp_get_wtime() - begin) / 1e9;
        best = rate > best ? rate : best;
    }
    return best;
}

static atomic_int arrived, phase;

/* The runtime's kind of barrier: a counter and a phase. */
static void meet(int threads)
{
    int now = atomic_load(&phase);
    if (atomic_fetch_add(&arrived, 1) == threads - 1) {
        atomic_store(&arrived, 0);
        atomic_store(&phase, now + 1);
    } else {
        while (atomic_load(&phase) == now)
            ;
    }
}

static double barrier_ns(int threads)
{
    enum { MEETINGS = 20000 };
    double best = 1e9;
    for (int r = 0; r < REPEATS; r++) {
        double begin = omp_get_wtime();
#pragma omp parallel num_threads(threads)
        for (int i = 0; i < MEETINGS; i++)
            meet(threads);
        double ns = (omp_get_wtime() - begin) / MEETINGS * 1e9;
        best = ns < best ? ns : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : omp_get_num_procs();
    if (threads < 1 || !lanes()) {
        fprintf(stderr, "usage: peak [THREADS], on a machine with FMA\n");
        return 2;
    }
    printf("fma %.1f\n", fma_peak(threads));
    printf("barrier %.0f\n", barrier_ns(threads));
    return 0;
}
