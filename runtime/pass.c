/* Passes over the steps of a train block: which batch, which function, when to
 * leave the parallel region. A pass is atomic: nothing between its steps stops
 * it but a loss that is not finite. */
#include "train.h"

#include <math.h>
#include <string.h>

static const double SLICE = 0.08; /* seconds between looks at the outside */

int64_t batches_per_pass(const rt_train *block)
{
    int64_t n = 0;
    for (int i = 0; i < block->nsteps; i++)
        n += block->steps[i].fresh ? block->steps[i].repeat : 0;
    return n;
}

const char *loss_name(const training *t, int step)
{
    static char name[128];
    const char *given = t->block->steps[step].name;
    snprintf(name, sizeof name, given ? "%s.loss" : "loss", given);
    return name;
}

static void draw(training *t)
{
    rt_state *s = &t->state;
    t->first = s->position * t->batch;
    t->count = t->view.samples - t->first < t->batch ? t->view.samples - t->first : t->batch;
    s->position++;
    s->batches++;
}

static void call_step(training *t)
{
    const rt_step *step = &t->block->steps[t->step];
    /* What is looked at is looked at step by step, at places that depend on nothing
     * but the number of passes. */
    t->joined = step->joined >= 0 && t->repeat + 1 == step->repeat && !t->watch.active;
    if (step->fresh)
        draw(t);
    if (t->watch.active)
        watch_before(t);
    machine_set(t->machine, t->joined ? step->joined : step->function, AECC_RANDOM_TRAIN,
                t->state.batches - 1, &t->view, t->order, t->first, t->count);
    t->called = true;
}

double step_loss(const training *t)
{
    int output = t->joined ? t->block->steps[t->step].output : 0;
    return machine_scalar(t->machine, &t->machine->function->outputs[output]);
}

/* False where the loss is not finite. */
static bool take_loss(training *t)
{
    const rt_step *step = &t->block->steps[t->step];
    double loss = step_loss(t);
    if (t->state.counts[t->step] <= 0 && t->state.epoch == 0)
        t->state.firsts[t->step] = loss;
    t->losses[t->step] += loss / (double)step->repeat;
    t->state.sums[t->step] += loss * (double)t->count;
    t->state.counts[t->step] += (double)t->count;
    if (!isfinite(loss))
        return false;
    if (++t->repeat == step->repeat) {
        t->repeat = 0;
        t->step++;
    }
    return true;
}

/* Of the step that was called and of those that are joined to it. */
static bool take_losses(training *t)
{
    t->called = false;
    do
        if (!take_loss(t))
            return false;
    while (t->joined && t->step < t->block->nsteps && t->block->steps[t->step].output > 0);
    return true;
}

static void log_step(training *t)
{
    rt_field fields[MAX_METRICS];
    char names[MAX_METRICS][128];
    int n = 0;
    if (t->model->ntrains > 1)
        fields[n++] = (rt_field){"block", true, t->state.block + 1, 0, NULL};
    fields[n++] = (rt_field){"step", true, t->state.step, 0, NULL};
    for (int i = 0; i < t->block->nsteps && n < MAX_METRICS; i++, n++) {
        snprintf(names[n], sizeof names[n], "%s", loss_name(t, i));
        fields[n] = (rt_field){names[n], false, 0, t->losses[i], NULL};
    }
    log_row(&t->log, fields, n);
}

static void end_pass(training *t)
{
    t->state.step++;
    if (t->options->log_steps)
        log_step(t);
    memset(t->losses, 0, (size_t)t->block->nsteps * sizeof *t->losses);
    t->step = 0;
}

/* Is anything due outside of the region? */
static bool must_leave(training *t)
{
    const rt_options *o = t->options;
    const rt_state *s = &t->state;
    if (signal_seen())
        t->ending = SIGNALLED;
    else if (o->steps && s->step >= o->steps)
        t->ending = LIMITED;
    return t->ending != GOING || s->position == t->passes * t->per_pass ||
           (o->every && s->step % o->every == 0) || now() > t->slice;
}

static bool next_call(rt_machine *m, void *job)
{
    training *t = job;
    if (t->watch.active && watch_again(t))
        return true;
    if (t->called && !take_losses(t)) {
        t->ending = DIVERGED;
        return false;
    }
    if (t->step == t->block->nsteps) {
        if (t->watch.active && watch_compare(t))
            return true;
        if (replay_next(m, t->block->data, t->state.step, t->state.batches - 1, t->batch,
                        &t->replay))
            return true;
        end_pass(t);
        if (must_leave(t))
            return false;
    }
    if (t->step == 0 && t->repeat == 0)
        watch_pass(t);
    call_step(t);
    return true;
}

void run_passes(training *t)
{
    int64_t step = t->state.step;
    double begin = now();
    t->slice = t->warm ? begin + SLICE : begin; /* the first pass is timed apart */
    machine_run(t->machine, next_call, t);
    if (t->warm)
        pace_count(&t->pace, t->state.step - step, now() - begin);
    t->warm = true;
}
