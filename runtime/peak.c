/* Measured limits: independent chains of fused multiply-adds that only touch
 * registers, and the barrier alone. */
#include "rt.h"

/* One round: `chains` multiply-adds of `lanes` floats, `unroll` times. */
typedef struct kernel {
    void (*rounds)(int64_t n);
    double flops;
} kernel;

#if defined(__x86_64__)

#define ALL20(F) \
    F(0)         \
    F(1)         \
    F(2)         \
    F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19)
#define ALL12(F)   F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)
#define FMA512(n)  "vfmadd231ps %%zmm20, %%zmm21, %%zmm" #n "\n\t"
#define FMA256(n)  "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #n "\n\t"
#define ZERO512(n) "vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"
#define ZERO256(n) "vxorps %%ymm" #n ", %%ymm" #n ", %%ymm" #n "\n\t"

__attribute__((target("avx512f"))) static void rounds512(int64_t n)
{
    __asm__ volatile(ALL20(ZERO512) ZERO512(20)
                         ZERO512(21) "1:\n\t" ALL20(FMA512) "dec %0\n\tjnz 1b\n\tvzeroupper"
                     : "+r"(n)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16",
                       "xmm17", "xmm18", "xmm19", "xmm20", "xmm21");
}

__attribute__((target("avx2,fma"))) static void rounds256(int64_t n)
{
    __asm__ volatile(ALL12(ZERO256) ZERO256(12)
                         ZERO256(13) "1:\n\t" ALL12(FMA256) "dec %0\n\tjnz 1b\n\tvzeroupper"
                     : "+r"(n)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13");
}

static kernel best_kernel(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return (kernel){rounds512, 20 * 16 * 2};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (kernel){rounds256, 12 * 8 * 2};
    return (kernel){0};
}

#elif defined(__aarch64__)

#define ALL20(F) \
    F(0)         \
    F(1)         \
    F(2)         \
    F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19)
#define FMLA(n) "fmla v" #n ".4s, v20.4s, v21.4s\n\t"
#define ZERO(n) "movi v" #n ".4s, #0\n\t"

static void rounds128(int64_t n)
{
    __asm__ volatile(ALL20(ZERO) ZERO(20) ZERO(21) "1:\n\t" ALL20(FMLA) "subs %0, %0, #1\n\tb.ne 1b"
                     : "+r"(n)
                     :
                     : "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
                       "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21");
}

static kernel best_kernel(void)
{
    return (kernel){rounds128, 20 * 4 * 2};
}

#else

static kernel best_kernel(void)
{
    return (kernel){0};
}

#endif

enum { ROUNDS = 500000, TRIES = 5, MEETINGS = 50000 };

typedef struct measure {
    rt_team *team;
    kernel kernel;
    double begin, best;
} measure;

static void start(void *argument)
{
    ((measure *)argument)->begin = now();
}

static void stop(void *argument)
{
    measure *m = argument;
    double time = now() - m->begin;
    if (m->best <= 0 || time < m->best)
        m->best = time;
}

static void multiply(void *argument, int64_t thread)
{
    measure *m = argument;
    for (int i = 0; i < TRIES; i++) {
        team_meet(m->team, thread, start, m);
        m->kernel.rounds(ROUNDS);
        team_meet(m->team, thread, stop, m);
    }
}

static void meet(void *argument, int64_t thread)
{
    measure *m = argument;
    for (int i = 0; i < TRIES; i++) {
        team_meet(m->team, thread, start, m);
        for (int k = 0; k < MEETINGS; k++)
            team_meet(m->team, thread, NULL, NULL);
        team_meet(m->team, thread, stop, m);
    }
}

double peak_flops(rt_team *team)
{
    measure m = {.team = team, .kernel = best_kernel()};
    if (!m.kernel.rounds)
        return 0;
    team_run(team, multiply, &m);
    return m.kernel.flops * ROUNDS * team->threads / m.best;
}

double barrier_seconds(rt_team *team)
{
    measure m = {.team = team};
    team_run(team, meet, &m);
    return m.best / MEETINGS;
}
