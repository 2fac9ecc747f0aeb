/* Measured limits: independent chains of fused multiply-adds that only touch
 * registers, square roots with divisions as optimizers have them, and the
 * barrier alone. In assembly, since left to a compiler the chains spill and
 * it is the compiler that is measured. */
#include "rt.h"

/* n rounds: `flops` of multiply-adds each; `roots` floats' square root and
 * division each. */
typedef struct kernel {
    void (*rounds)(int64_t n);
    double flops;
    void (*root_rounds)(int64_t n);
    double roots;
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

#define ROOT(reg, n) \
    "vsqrtps %%" reg #n ", %%" reg #n "\n\tvdivps %%" reg #n ", %%" reg "4, %%" reg "5\n\t"
#define ROOTS(reg) \
    "1:\n\t" ROOT(reg, 0) ROOT(reg, 1) ROOT(reg, 2) ROOT(reg, 3) "dec %0\n\tjnz 1b\n\tvzeroupper"
#define ROOT_REGISTERS "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5"

/* From ones, so that no operand is a special one. */
__attribute__((target("avx512f"))) static void roots512(int64_t n)
{
    float one = 1;
    __asm__ volatile(
        "vbroadcastss %1, %%zmm0\n\tvmovaps %%zmm0, %%zmm1\n\tvmovaps %%zmm0, %%zmm2\n\t"
        "vmovaps %%zmm0, %%zmm3\n\tvmovaps %%zmm0, %%zmm4\n\t" ROOTS("zmm")
        : "+r"(n)
        : "m"(one)
        : ROOT_REGISTERS);
}

__attribute__((target("avx2"))) static void roots256(int64_t n)
{
    float one = 1;
    __asm__ volatile(
        "vbroadcastss %1, %%ymm0\n\tvmovaps %%ymm0, %%ymm1\n\tvmovaps %%ymm0, %%ymm2\n\t"
        "vmovaps %%ymm0, %%ymm3\n\tvmovaps %%ymm0, %%ymm4\n\t" ROOTS("ymm")
        : "+r"(n)
        : "m"(one)
        : ROOT_REGISTERS);
}

static kernel best_kernel(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return (kernel){rounds512, 20 * 16 * 2, roots512, 4 * 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (kernel){rounds256, 12 * 8 * 2, roots256, 4 * 8};
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

#define ROOT(n) "fsqrt v" #n ".4s, v" #n ".4s\n\tfdiv v5.4s, v4.4s, v" #n ".4s\n\t"
#define ONE(n)  "fmov v" #n ".4s, #1.0\n\t"

static void roots128(int64_t n)
{
    __asm__ volatile(ONE(0) ONE(1) ONE(2) ONE(3) ONE(4) "1:\n\t" ROOT(0) ROOT(1) ROOT(2)
                         ROOT(3) "subs %0, %0, #1\n\tb.ne 1b"
                     : "+r"(n)
                     :
                     : "cc", "v0", "v1", "v2", "v3", "v4", "v5");
}

static kernel best_kernel(void)
{
    return (kernel){rounds128, 20 * 4 * 2, roots128, 4 * 4};
}

#else

static kernel best_kernel(void)
{
    return (kernel){0};
}

#endif

enum { ROUNDS = 500000, ROOT_ROUNDS = 50000, TRIES = 5, MEETINGS = 200, MEETING_TRIES = 50 };

/* Where others have the cores a meeting takes until the scheduler comes round:
 * milliseconds instead of a microsecond. No more tries after so long. */
static const double MEETING_SECONDS = 0.1;

typedef struct measure {
    rt_team *team;
    void (*rounds)(int64_t n);
    int64_t n;
    double first, begin, best;
    bool late;
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
    m->late = now() - m->first > MEETING_SECONDS;
}

static void compute(void *argument, int64_t thread)
{
    measure *m = argument;
    for (int i = 0; i < TRIES; i++) {
        team_meet(m->team, thread, start, m);
        m->rounds(m->n);
        team_meet(m->team, thread, stop, m);
    }
}

/* Seconds of a round, every thread doing as many. */
static double round_seconds(rt_team *team, void (*rounds)(int64_t), int64_t n)
{
    measure m = {.team = team, .rounds = rounds, .n = n};
    team_run(team, compute, &m);
    return m.best / (double)n;
}

static void meet(void *argument, int64_t thread)
{
    measure *m = argument;
    for (int i = 0; i < MEETING_TRIES && !m->late; i++) {
        team_meet(m->team, thread, start, m);
        for (int k = 0; k < MEETINGS; k++)
            team_meet(m->team, thread, NULL, NULL);
        team_meet(m->team, thread, stop, m);
    }
}

double peak_flops(rt_team *team)
{
    kernel k = best_kernel();
    return k.rounds ? k.flops * team->threads / round_seconds(team, k.rounds, ROUNDS) : 0;
}

double update_seconds(rt_team *team)
{
    kernel k = best_kernel();
    if (!k.rounds)
        return 0;
    return round_seconds(team, k.root_rounds, ROOT_ROUNDS) / (k.roots * team->threads);
}

double barrier_seconds(rt_team *team)
{
    measure m = {.team = team, .first = now()};
    team_run(team, meet, &m);
    return m.best / MEETINGS;
}
