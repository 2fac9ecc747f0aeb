/* How many threads a run uses where --threads does not say.
 *
 * A step of microseconds, or a machine that others use too, runs faster on one
 * thread than on a team that has to meet. Results do not depend on it, so the
 * run tries both for a moment, keeps the faster one, and tries the other again
 * from time to time, ever more rarely while the answer stays the same. */
#include "train.h"

static const double WINDOW = 0.05; /* seconds that make a rate */
enum { SOON = 4, RARELY = 512 };   /* windows between two trials */

void pace_open(rt_pace *p, rt_machine *m, bool automatic)
{
    *p = (rt_pace){.machine = m, .team = m->team.threads, .interval = SOON};
    p->automatic = automatic && p->team > 1;
    p->trial = true;
}

static void use(rt_pace *p, bool alone)
{
    p->alone = alone;
    p->steps = 0;
    p->seconds = 0;
    p->machine->team.threads = alone ? 1 : p->team;
    p->machine->call.threads = p->machine->team.threads;
}

/* Both rates are known: the faster one goes on. */
static void choose(rt_pace *p)
{
    bool alone = p->rate[true] > p->rate[false];
    p->interval = alone != p->settled ? SOON : p->interval * 2 < RARELY ? p->interval * 2 : RARELY;
    p->settled = alone;
    p->windows = 0;
    p->trial = false;
    use(p, alone);
}

void pace_count(rt_pace *p, int64_t steps, double seconds)
{
    if (!p->automatic)
        return;
    p->steps += steps;
    p->seconds += seconds;
    if (p->seconds < WINDOW)
        return;
    p->rate[p->alone] = (double)p->steps / p->seconds;
    p->steps = 0;
    p->seconds = 0;
    if (p->trial && p->rate[!p->alone] > 0) {
        choose(p);
    } else if (p->trial || ++p->windows >= p->interval) {
        p->trial = true;
        use(p, !p->alone);
    }
}
