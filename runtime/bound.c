/* What binds a kernel: the time of its multiply-adds, its bytes and its
 * updates at the measured limits, each against its measured time. */
#include "benchmark.h"

const char *const bound_name[BOUND_CORE + 1] = {"FMA",    "L2",      "L3",  "memory",
                                                "update", "threads", "core"};

/* Below these no limit counts as the reason. */
static const double NEAR = 0.4, UNEVEN = 0.25;

/* The level that holds what a step keeps touching. */
static int home_of(const benchmark *b, double footprint)
{
    const rt_limits *l = &b->limits;
    if (footprint <= (double)l->size[LEVEL_L2] * b->threads)
        return LEVEL_L2;
    return footprint <= (double)l->size[LEVEL_L3] ? LEVEL_L3 : LEVEL_MEMORY;
}

/* The farthest level, up to the step's home, from which all of the kernel's
 * bytes can have come in its time. */
static int level_of(const rt_limits *l, const part *p, int home)
{
    int level = home;
    while (level > LEVEL_L2 && p->bytes * l->read[level] > 1.05 * p->seconds)
        level--;
    return level;
}

static void nearer(part *p, bound_by bound, double seconds)
{
    if (seconds <= p->nearness * p->seconds)
        return;
    p->bound = bound;
    p->nearness = seconds / p->seconds;
}

static void find_bound(const benchmark *b, part *p, int home)
{
    const rt_limits *l = &b->limits;
    int level = level_of(l, p, home);
    p->bound = BOUND_CORE;
    p->nearness = 0;
    if (p->seconds <= 0)
        return;
    if (l->flops > 0)
        nearer(p, BOUND_FMA, p->flops / l->flops);
    nearer(p, (bound_by)(BOUND_L2 + level - LEVEL_L2), p->bytes * l->read[level]);
    nearer(p, BOUND_UPDATE, (double)p->kernel->updates * l->update);
    if (1 - p->mean / p->seconds > UNEVEN && p->nearness < 1 - UNEVEN) {
        p->bound = BOUND_THREADS;
        p->nearness = 1 - p->mean / p->seconds;
    } else if (p->nearness < NEAR) {
        p->bound = BOUND_CORE;
    }
}

void find_bounds(benchmark *b, double footprint)
{
    int home = home_of(b, footprint);
    for (int i = 0; i < b->nparts; i++)
        find_bound(b, &b->parts[i], home);
}
