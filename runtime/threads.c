/* A team of threads that meets often.
 *
 * The barrier is two words: the others count up `arrived` and watch `phase`;
 * thread 0 waits for all, does what one thread has to do, and turns the
 * phase. A waiting thread spins for a while, then sleeps until the word
 * changes: where there are more threads than cores, or other programs on
 * them, a core that spins is one that the thread waited for cannot have. */
#define _GNU_SOURCE
#include "rt.h"

#include <limits.h>
#include <linux/futex.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SPINS = 2000, SPINS_CROWDED = 50 };

void team_open(rt_team *team, int64_t threads)
{
    memset(team, 0, sizeof *team);
    team->threads = (int)threads;
    team->spins = threads > cores_available() ? SPINS_CROWDED : SPINS;
    omp_set_dynamic(0);
}

static inline void relax(void)
{
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Sleeps unless the word has changed from `seen` by now. */
static void sleep_on(rt_word *word, unsigned seen)
{
    atomic_fetch_add(&word->sleepers, 1);
    syscall(SYS_futex, &word->value, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    atomic_fetch_sub(&word->sleepers, 1);
}

/* To be called after the word was changed by a sequentially consistent
 * operation: a sleeper that is not counted yet sees the new value. */
static void wake(rt_word *word)
{
    if (atomic_load(&word->sleepers))
        syscall(SYS_futex, &word->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Waits until the word is `value`, or is it no longer. */
static void await(rt_word *word, unsigned value, bool equal, int spins)
{
    for (int looks = 0;; looks++) {
        unsigned seen = atomic_load_explicit(&word->value, memory_order_acquire);
        if ((seen == value) == equal)
            return;
        if (looks < spins)
            relax();
        else
            sleep_on(word, seen);
    }
}

static void arrive(rt_team *team)
{
    unsigned phase = atomic_load_explicit(&team->phase.value, memory_order_relaxed);
    unsigned others = (unsigned)team->threads - 1;
    if (atomic_fetch_add(&team->arrived.value, 1) + 1 == others)
        wake(&team->arrived);
    await(&team->phase, phase, false, team->spins);
}

void team_meet(rt_team *team, int64_t thread, void (*between)(void *), void *argument)
{
    if (thread) {
        arrive(team);
        return;
    }
    if (team->threads > 1) {
        await(&team->arrived, (unsigned)team->threads - 1, true, team->spins);
        atomic_store_explicit(&team->arrived.value, 0, memory_order_relaxed);
    }
    if (between)
        between(argument);
    if (team->threads > 1) {
        atomic_fetch_add(&team->phase.value, 1);
        wake(&team->phase);
    }
}

/* ---- Floating-point mode -------------------------------------------------- */

/* Sets flush-to-zero and denormals-are-zero; the mode before. */
static uint64_t flush_to_zero(void)
{
#if defined(__x86_64__)
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);
    return mode;
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" ::"r"(mode | (uint64_t)1 << 24));
    return mode;
#else
    return 0;
#endif
}

static void restore_mode(uint64_t mode)
{
#if defined(__x86_64__)
    _mm_setcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(mode));
#else
    (void)mode;
#endif
}

void team_run(rt_team *team, void (*body)(void *, int64_t), void *argument)
{
    int wanted = team->threads, got = 0;
#pragma omp parallel num_threads(wanted)
    {
#pragma omp single
        got = omp_get_num_threads();
        if (got == wanted) {
            uint64_t mode = flush_to_zero();
            body(argument, omp_get_thread_num());
            restore_mode(mode);
        }
    }
    if (got != wanted)
        rt_fail(RT_IO, "only %d of %d threads could be started\nuse --threads %d", got, wanted,
                got);
}

/* ---- Time ----------------------------------------------------------------- */

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

uint64_t aecc_ticks(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#else
    return (uint64_t)(now() * 1e9);
#endif
}
