/* Experience replay: samples that a function of the program made in earlier passes
 * are data of later ones.
 *
 * A replay is full from the start: when a block that draws from it begins, its
 * function makes all of its samples. After pass p the batch that its function makes
 * takes the places from p * batch on, around the end: the oldest go. What a place of
 * a batch gets is drawn from all, by (seed, pass, place) alone; so with the samples in
 * the checkpoint a run that goes on has the bits of one that was not interrupted. */
#include "rt.h"

#include <stdlib.h>
#include <string.h>

static bool draws_from(const rt_tree *t, int replay)
{
    bool any = t->kind == RT_REPLAY && t->index == replay;
    for (int i = 0; i < t->nparts; i++)
        any = any || draws_from(&t->parts[i], replay);
    return any;
}

size_t replay_bytes(const rt_model *m)
{
    size_t bytes = 0;
    for (int i = 0; i < m->nreplays; i++)
        bytes += (size_t)(m->replays[i].size * m->replays[i].elements) * sizeof(float);
    return bytes;
}

data_view replay_view(const rt_model *m, const rt_tree *t, int64_t samples)
{
    const rt_replay *r = &m->replays[t->index];
    const rt_tensor *made = &m->functions[r->function].outputs[0];
    int64_t dims[DATA_MAX_RANK + 1] = {r->size};
    data_array *array = rt_alloc(1, sizeof *array); /* lives as long as the process */
    memcpy(dims + 1, made->shape, (size_t)made->rank * sizeof *dims);
    *array = data_borrow(t->name ? t->name : "replay", DATA_F32, made->rank + 1, dims, r->samples);
    data_view view = data_view_of(array, NULL);
    view.samples = view.components[0].samples = samples;
    view.components[0].drawn = r->size;
    return view;
}

int64_t replay_draw(const aecc_call *call, uint64_t seed, int64_t size, int64_t place)
{
    uint32_t key[2], words[4];
    const uint32_t counter[4] = {0, (uint32_t)place, (uint32_t)size, call->step};
    random_key(seed, AECC_RANDOM_REPLAY, key);
    philox(counter, key, words);
    return (int64_t)((uint64_t)words[0] * (uint64_t)size >> 32);
}

/* ---- New samples ---------------------------------------------------------------- */

/* What the last call made, to `first` and the places behind it. */
static void take(const rt_machine *m, rt_replay *r, int64_t first, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        machine_sample(m, &m->function->outputs[0], i,
                       r->samples + (first + i) % r->size * r->elements);
}

static int64_t batch_of(const rt_replay *r, int64_t batch)
{
    return batch < r->size ? batch : r->size;
}

bool replay_next(rt_machine *m, const rt_tree *t, int64_t pass, int64_t step, int64_t batch,
                 int *at)
{
    const rt_model *model = m->model;
    if (*at >= 0) {
        rt_replay *r = &model->replays[*at];
        int64_t count = batch_of(r, batch);
        take(m, r, pass % r->size * count, count);
    }
    for (int i = *at + 1; i < model->nreplays; i++)
        if (draws_from(t, i)) {
            machine_set(m, model->replays[i].function, AECC_RANDOM_REPLAY, step, NULL, NULL, 0,
                        batch_of(&model->replays[i], batch));
            *at = i;
            return true;
        }
    *at = -1;
    return false;
}

typedef struct filling {
    rt_replay *replay;
    int64_t batch, done, count; /* count: of the call under way */
} filling;

static bool fill_next(rt_machine *m, void *job)
{
    filling *f = job;
    if (f->count)
        take(m, f->replay, f->done, f->count);
    f->done += f->count;
    int64_t left = f->replay->size - f->done;
    f->count = left < f->batch ? left : f->batch;
    if (f->count)
        machine_set(m, f->replay->function, AECC_RANDOM_RUN, f->done / f->batch, NULL, NULL, 0,
                    f->count);
    return f->count > 0;
}

void replay_fill(rt_machine *m, const rt_tree *t, int64_t batch)
{
    for (int i = 0; i < m->model->nreplays; i++) {
        filling f = {&m->model->replays[i], batch, 0, 0};
        if (draws_from(t, i))
            machine_run(m, fill_next, &f);
    }
}
