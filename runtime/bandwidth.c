/* Measured limits: seconds for a byte from each level of the memory. Every
 * thread reads a buffer of its own that fits one level and not the one before.
 * Reading alone counts: what a kernel writes goes back while it reads on, and
 * a line that is written first is read too. */
#define _GNU_SOURCE
#include "rt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TRIES = 4, HUGE_PAGE = 2 << 20 };

static const int64_t LEAST_BYTES = 4 << 20;  /* walked in a try */
static const int64_t MOST_BYTES = 256 << 20; /* of all buffers  */

/* ---- Walks ---------------------------------------------------------------- */

/* Reads the bytes [at, end), a multiple of 512. */
typedef void walk(const char *at, const char *end);

/* The empty assembly wants each value, so no load is left out. */
#define WALK(name, attributes, bytes, constraint)                                       \
    typedef float name##_vector __attribute__((vector_size(bytes)));                    \
    attributes static void name(const char *at, const char *end)                        \
    {                                                                                   \
        for (; at < end; at += 8 * bytes) {                                             \
            const name##_vector *v = (const name##_vector *)at;                         \
            __asm__ volatile("" ::constraint(v[0]), constraint(v[1]), constraint(v[2]), \
                             constraint(v[3]));                                         \
            __asm__ volatile("" ::constraint(v[4]), constraint(v[5]), constraint(v[6]), \
                             constraint(v[7]));                                         \
        }                                                                               \
    }

#if defined(__x86_64__)

WALK(walk512, __attribute__((target("avx512f"))), 64, "v")
WALK(walk256, __attribute__((target("avx"))), 32, "x")
WALK(walk128, , 16, "x")

static walk *best_walk(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return walk512;
    return __builtin_cpu_supports("avx") ? walk256 : walk128;
}

#elif defined(__aarch64__)

WALK(walk128, , 16, "w")

static walk *best_walk(void)
{
    return walk128;
}

#else

static walk *best_walk(void)
{
    return NULL;
}

#endif

/* ---- Caches --------------------------------------------------------------- */

/* A number of bytes, as "32K" or "1024K"; 0 where there is none. */
static int64_t cache_file(int index, const char *name, char text[32])
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
    FILE *file = fopen(path, "re");
    bool got = file && fgets(text, 32, file);
    if (file)
        fclose(file);
    if (!got)
        return 0;
    char *unit;
    int64_t size = strtoll(text, &unit, 10);
    return *unit == 'K' ? size << 10 : *unit == 'M' ? size << 20 : size;
}

/* Of the first core; 0: no such level. */
static void find_sizes(int64_t size[N_LEVELS])
{
    char text[32];
    for (int index = 0; index < 8; index++) {
        int64_t level = cache_file(index, "level", text), bytes = cache_file(index, "size", text);
        bool code = !cache_file(index, "type", text) && !strncmp(text, "Instr", 5);
        if (level >= 1 && level <= 3 && bytes > 0 && !code)
            size[level - 1] = bytes;
    }
}

/* What a thread walks: half of its part of the cache, several times the last
 * cache for memory; 0 where the level before is hardly smaller. */
static int64_t walked_bytes(const rt_limits *l, int level, int threads)
{
    int64_t last = l->size[LEVEL_L3] ? l->size[LEVEL_L3] : l->size[LEVEL_L2];
    int64_t bytes = l->size[level] / 2;
    if (level == LEVEL_L3)
        bytes /= threads;
    if (level == LEVEL_MEMORY)
        bytes = (4 * last < MOST_BYTES ? 4 * last : MOST_BYTES) / threads;
    if (level > LEVEL_L1 && bytes < 2 * l->size[level - 1])
        bytes = 0;
    return bytes / 4096 * 4096;
}

/* ---- Measuring -------------------------------------------------------------- */

typedef struct walks {
    rt_team *team;
    walk *walk;
    char *memory;  /* of all threads                          */
    int64_t bytes; /* that each walks                         */
    int times;
    double begin, best;
} walks;

static void start(void *argument)
{
    ((walks *)argument)->begin = now();
}

static void stop(void *argument)
{
    walks *w = argument;
    double time = now() - w->begin;
    w->best = w->best > 0 && w->best < time ? w->best : time;
}

static void walk_often(void *argument, int64_t thread)
{
    walks *w = argument;
    char *own = w->memory + thread * w->bytes;
    memset(own, 0, (size_t)w->bytes);
    for (int i = 0; i < TRIES; i++) {
        team_meet(w->team, thread, start, w);
        for (int k = 0; k < w->times; k++)
            w->walk(own, own + w->bytes);
        team_meet(w->team, thread, stop, w);
    }
}

/* Seconds a byte, all threads together. */
static double seconds_a_byte(walks *w)
{
    w->times = (int)(w->bytes < LEAST_BYTES ? LEAST_BYTES / w->bytes : 1);
    w->best = 0;
    team_run(w->team, walk_often, w);
    return w->best / ((double)w->bytes * w->times * w->team->threads);
}

void measure_levels(rt_team *team, rt_limits *l)
{
    walks w = {.team = team, .walk = best_walk()};
    find_sizes(l->size);
    for (int level = LEVEL_L1; level < N_LEVELS && w.walk; level++) {
        w.bytes = walked_bytes(l, level, team->threads);
        if (!w.bytes)
            continue;
        size_t size = (size_t)(w.bytes * team->threads + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE;
        w.memory = aligned_alloc(HUGE_PAGE, size);
        if (!w.memory)
            continue;
        madvise(w.memory, size, MADV_HUGEPAGE);
        l->read[level] = seconds_a_byte(&w);
        free(w.memory);
    }
}
