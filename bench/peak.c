/* peak [THREADS] -- the limits that bench/run compares with, measured now:
 *     fma GFLOP/s of all threads, in registers
 *     barrier ns for all threads to meet (the machine has fast and slow times)
 *
 * The FMA loop is assembly: left to a compiler it measures the compiler. */
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHAINS = 12, REPEATS = 7 };

static const long ROUNDS = 4000000;

#if defined(__x86_64__)
/* clang-format off */
#define CHAIN(reg, i) "vfmadd231ps %%" reg "14, %%" reg "15, %%" reg #i "\n"
#define CHAINS_OF(reg)                                                          \
    CHAIN(reg, 0) CHAIN(reg, 1) CHAIN(reg, 2) CHAIN(reg, 3) CHAIN(reg, 4)       \
    CHAIN(reg, 5) CHAIN(reg, 6) CHAIN(reg, 7) CHAIN(reg, 8) CHAIN(reg, 9)       \
    CHAIN(reg, 10) CHAIN(reg, 11)
#define LOOP(reg, n)                                                            \
    __asm__ volatile("1:\n" CHAINS_OF(reg) "dec %0\n jnz 1b\n vzeroupper"       \
                     : "+r"(n)                                                  \
                     :                                                          \
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",  \
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14",       \
                       "xmm15", "cc")
/* clang-format on */

static int lanes(void)
{
    return __builtin_cpu_supports("avx512f") ? 16 : __builtin_cpu_supports("fma") ? 8 : 0;
}

static void multiply_add(long n)
{
    if (lanes() == 16)
        LOOP("zmm", n);
    else
        LOOP("ymm", n);
}
#elif defined(__aarch64__)
#define CHAIN(i) "fmla v" #i ".4s, v30.4s, v31.4s\n"

static int lanes(void)
{
    return 4;
}

static void multiply_add(long n)
{
    __asm__ volatile("1:\n" CHAIN(0) CHAIN(1) CHAIN(2) CHAIN(3) CHAIN(4) CHAIN(5) CHAIN(6) CHAIN(7)
                         CHAIN(8) CHAIN(9) CHAIN(10) CHAIN(11) "subs %0, %0, #1\n b.ne 1b"
                     : "+r"(n)
                     :
                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
                       "v30", "v31", "cc");
}
#endif

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
