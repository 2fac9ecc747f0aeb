/* What makes several steps hard to train, made visible: blocks whose steps update
 * different networks.
 *
 * Some sixteen times in an epoch, evenly spread, a pass is looked at (every one of
 * fewer than 32). Each of its steps runs twice, not joined with others, from the same
 * batch and the same draws; the second time shows what the first update did, and is
 * undone. So bits depend on the places of these passes only where steps share work,
 * by the rounding of a joined step:
 *
 *   slope   |change of the step's loss| / length of the update: how steep the
 *           objective is along it; of plain gradient descent the gradient's norm
 *   still   the share of the step's parameters that the update did not move
 *
 * Where one step's network judges what the other's makes, samples are compared with
 * the data of the batch:
 *
 *   spread  standard deviation over the batch, of samples / of data (root of the
 *           mean of the variances of all elements)
 *
 * An epoch's figures are the means. The rules are those of docs/trainer.md. */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS = 16 };

static const double WON = 0.02;  /* of its first loss                       */
static const double BLOWN = 100; /* times the first loss, or 1 if that is less */
static const double FLAT = 1e-6; /* slope                                   */
static const double STILL = 0.9; /* of the parameters                       */
static const double ALIKE = 0.1; /* of the data's spread                    */

/* ---- Vars of a step ------------------------------------------------------------- */

static const rt_function *function_of(const training *t, int step)
{
    return &t->model->functions[t->block->steps[step].function];
}

static size_t bytes_of(const training *t, const rt_function *f)
{
    size_t bytes = 0;
    for (int i = 0; i < f->nupdates; i++)
        bytes += (size_t)t->model->vars[f->updates[i]].bytes;
    return bytes;
}

static void copy_vars(const training *t, char *copy, bool restore)
{
    const rt_function *f = function_of(t, t->step);
    for (int i = 0; i < f->nupdates; i++) {
        const rt_var *v = &t->model->vars[f->updates[i]];
        char *at = t->machine->memory + v->tensor.offset;
        memcpy(restore ? at : copy, restore ? copy : at, (size_t)v->bytes);
        copy += v->bytes;
    }
}

/* How far the parameters went from `before` to `after`, and the share that did not. */
static double distance(const training *t, double *still)
{
    const rt_function *f = function_of(t, t->step);
    const char *a = t->watch.before, *b = t->watch.after;
    double sum = 0, same = 0, all = 0;
    for (int i = 0; i < f->nupdates; i++) {
        const rt_var *v = &t->model->vars[f->updates[i]];
        for (int64_t e = 0; v->kind == RT_PARAM && e < v->tensor.elements; e++) {
            int64_t at = tensor_place(&v->tensor, e);
            double d = (double)((const float *)b)[at] - (double)((const float *)a)[at];
            sum += d * d;
            same += d == 0;
            all++;
        }
        a += v->bytes;
        b += v->bytes;
    }
    *still = all > 0 ? same / all : 0;
    return sqrt(sum);
}

/* ---- A pass ----------------------------------------------------------------------- */

void watch_open(training *t)
{
    rt_watch *w = &t->watch;
    size_t most = 1;
    int64_t elements = 1;
    *w = (rt_watch){0};
    if (!t->block->watched)
        return;
    for (int i = 0; i < t->block->nsteps; i++) {
        size_t bytes = bytes_of(t, function_of(t, i));
        most = bytes > most ? bytes : most;
    }
    for (int i = 0; i < 2 * t->block->npairs; i++) {
        int64_t n = t->model->functions[t->block->watch].outputs[i].elements;
        elements = n > elements ? n : elements;
    }
    w->before = rt_alloc(most, 1);
    w->after = rt_alloc(most, 1);
    w->row = rt_alloc((size_t)elements, sizeof *w->row);
    w->mean = rt_alloc((size_t)elements, sizeof *w->mean);
    w->square = rt_alloc((size_t)elements, sizeof *w->square);
}

void watch_close(training *t)
{
    free(t->watch.before);
    free(t->watch.after);
    free(t->watch.row);
    free(t->watch.mean);
    free(t->watch.square);
    t->watch = (rt_watch){0};
}

void watch_pass(training *t)
{
    int64_t every = t->passes < LOOKS ? 1 : t->passes / LOOKS;
    int64_t pass = t->state.position / t->per_pass;
    t->watch.active = t->watch.before && pass % every == every - 1;
    t->watch.again = t->watch.comparing = false;
}

static bool last_repeat(const training *t)
{
    return t->repeat == t->block->steps[t->step].repeat - 1;
}

void watch_before(training *t)
{
    if (last_repeat(t))
        copy_vars(t, t->watch.before, false);
}

/* The figures of a step that ran twice; its vars and its loss as after the first time. */
static void look(training *t)
{
    rt_watch *w = &t->watch;
    const rt_tensor *objective = &t->machine->function->outputs[0];
    double change = (double)machine_scalar(t->machine, objective) - w->loss, still;
    double length = distance(t, &still);
    float loss = (float)w->loss;
    copy_vars(t, w->after, true);
    memcpy(t->machine->call.fixed + objective->offset, &loss, sizeof loss);
    if (!isfinite(change))
        return;
    t->state.slopes[t->step] += length > 0 ? fabs(change) / length : 0;
    t->state.stills[t->step] += still;
    t->state.probes[t->step]++;
}

/* sqrt of the mean of the variances of an output's elements over the batch. */
static double spread(training *t, const rt_tensor *output)
{
    rt_watch *w = &t->watch;
    double sum = 0, n = (double)t->count;
    memset(w->mean, 0, (size_t)output->elements * sizeof *w->mean);
    memset(w->square, 0, (size_t)output->elements * sizeof *w->square);
    for (int64_t s = 0; s < t->count; s++) {
        machine_sample(t->machine, output, s, w->row);
        for (int64_t i = 0; i < output->elements; i++)
            w->mean[i] += (double)w->row[i];
    }
    for (int64_t i = 0; i < output->elements; i++)
        w->mean[i] /= n;
    for (int64_t s = 0; s < t->count; s++) {
        machine_sample(t->machine, output, s, w->row);
        for (int64_t i = 0; i < output->elements; i++) {
            double d = (double)w->row[i] - w->mean[i];
            w->square[i] += d * d;
        }
    }
    for (int64_t i = 0; i < output->elements; i++)
        sum += w->square[i] / n;
    return sqrt(sum / (double)output->elements);
}

static void compare(training *t)
{
    for (int i = 0; i < t->block->npairs; i++) {
        const rt_tensor *outputs = t->machine->function->outputs;
        int step = t->block->pairs[i].generator;
        double samples = spread(t, &outputs[2 * i]), data = spread(t, &outputs[2 * i + 1]);
        if (!(data > 0) || !isfinite(samples))
            continue;
        t->state.spreads[step] += samples / data;
        t->state.spread_counts[step]++;
    }
}

bool watch_again(training *t)
{
    rt_watch *w = &t->watch;
    if (w->comparing) {
        compare(t);
        w->comparing = w->active = false;
        return false;
    }
    if (!t->called || !last_repeat(t))
        return false;
    if (w->again) {
        w->again = false;
        look(t);
        return false;
    }
    w->loss = (double)machine_scalar(t->machine, &t->machine->function->outputs[0]);
    if (!isfinite(w->loss))
        return false;
    copy_vars(t, w->after, false);
    return w->again = true;
}

bool watch_compare(training *t)
{
    if (t->block->watch < 0 || t->count < 2)
        return false;
    machine_set(t->machine, t->block->watch, AECC_RANDOM_VALIDATE, t->state.batches - 1, &t->view,
                t->order, t->first, t->count);
    return t->watch.comparing = true;
}

/* ---- An epoch ----------------------------------------------------------------------- */

typedef struct warnings {
    const training *t;
    char *list; /* "[\"critic.won\"" or NULL */
} warnings;

static const char *name_of(const training *t, int step)
{
    const char *name = t->block->steps[step].name;
    return name ? name : "step";
}

static void warn(warnings *w, int step, const char *what, const char *text)
{
    rt_warn("epoch %lld: %s", (long long)w->t->state.epoch + 1, text);
    char *longer = rt_text("%s%s\"%s.%s\"", w->list ? w->list : "[", w->list ? "," : "",
                           name_of(w->t, step), what);
    free(w->list);
    w->list = longer;
}

static double loss_of(const training *t, int step)
{
    return t->state.counts[step] > 0 ? t->state.sums[step] / t->state.counts[step] : 0;
}

static void check_won(warnings *w, int step)
{
    char text[512];
    double loss = loss_of(w->t, step), first = w->t->state.firsts[step];
    if (!(loss >= 0 && loss < WON * first))
        return;
    snprintf(text, sizeof text,
             "%s has won: its loss is %.3g, and was %.3g at first; the other side learns little "
             "from it\ntry a smaller learning rate or dropout for it, labels of 0.9 instead of "
             "1, or fewer repeats",
             name_of(w->t, step), loss, first);
    warn(w, step, "won", text);
}

static void check_blown(warnings *w, int step)
{
    char text[512];
    double loss = loss_of(w->t, step), first = fabs(w->t->state.firsts[step]);
    if (!(fabs(loss) > BLOWN * fmax(1, first)))
        return;
    snprintf(text, sizeof text,
             "the loss of %s blows up: it is %.3g, and was %.3g at first\n"
             "try a smaller learning rate, clip_norm: 1, or a penalty on the gradient",
             name_of(w->t, step), loss, w->t->state.firsts[step]);
    warn(w, step, "blows_up", text);
}

static void check_vanished(warnings *w, int step, double slope, double still)
{
    static const char hint[] = "try he_normal with relu, leaky_relu, normalization between layers, "
                               "or an objective that does not saturate";
    char text[512];
    if (still > STILL)
        snprintf(text, sizeof text,
                 "the gradients of %s vanish: %.3g %% of its parameters do not move\n%s",
                 name_of(w->t, step), 100 * still, hint);
    else if (slope < FLAT)
        snprintf(text, sizeof text,
                 "the gradients of %s vanish: its updates change its loss by %.3g for a length "
                 "of 1\n%s",
                 name_of(w->t, step), slope, hint);
    else
        return;
    warn(w, step, "vanishes", text);
}

static void check_collapsed(warnings *w, int step, double spread)
{
    char text[512];
    if (!(spread < ALIKE))
        return;
    snprintf(text, sizeof text,
             "the samples of %s collapse: they spread %.3g times as far as the data\n"
             "try a smaller learning rate, more noise, normalization in its networks, or "
             "earlier samples by `replay`",
             name_of(w->t, step), spread);
    warn(w, step, "collapses", text);
}

static void figure(const training *t, int step, const char *what, double value, watch_add *add,
                   void *job)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", name_of(t, step), what);
    add(job, name, value);
}

char *watch_epoch(training *t, watch_add *add, void *job)
{
    const rt_state *s = &t->state;
    warnings w = {.t = t};
    for (int i = 0; t->block->watched && i < t->block->nsteps; i++) {
        check_blown(&w, i);
        if (s->probes[i] > 0) {
            double slope = s->slopes[i] / s->probes[i], still = s->stills[i] / s->probes[i];
            figure(t, i, "slope", slope, add, job);
            figure(t, i, "still", still, add, job);
            check_vanished(&w, i, slope, still);
        }
        if (s->spread_counts[i] > 0) {
            figure(t, i, "spread", s->spreads[i] / s->spread_counts[i], add, job);
            check_collapsed(&w, i, s->spreads[i] / s->spread_counts[i]);
        }
        bool judges = false;
        for (int k = 0; k < t->block->npairs; k++)
            judges = judges || t->block->pairs[k].discriminator == i;
        if (judges)
            check_won(&w, i);
    }
    char *list = w.list ? rt_text("%s]", w.list) : NULL;
    free(w.list);
    return list;
}
