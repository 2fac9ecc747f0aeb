/* The peak that benchmarks divide by: CHAINS independent fused multiply-adds
 * in registers, in assembly, since left to a compiler they measure it. */
#ifndef AECC_BENCH_FMA_H
#define AECC_BENCH_FMA_H

enum { CHAINS = 12 };

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

/* Floats in the widest vector; 0: a machine without fused multiply-add. */
static int lanes(void)
{
    return __builtin_cpu_supports("avx512f") ? 16 : __builtin_cpu_supports("fma") ? 8 : 0;
}

/* n rounds of CHAINS instructions of lanes() multiply-adds each. */
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

#endif
