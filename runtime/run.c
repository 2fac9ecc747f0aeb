/* `run` and `encode`: a network over all samples of a file, to .npy; of a result
 * whose length varies, the lengths too. */
#include "rt.h"

#include <stdlib.h>
#include <string.h>

typedef struct results {
    int n;                /* files: a result's, then the one of its lengths */
    npy_writer **writers; /* [2 * result], [2 * result + 1]; NULL: closed, or none */
    float *sample;
} results;

static void abandon(results *r)
{
    for (int i = 0; i < r->n; i++)
        if (r->writers[i])
            npy_abandon(r->writers[i]);
}

/* No half-written file stays behind. */
static _Noreturn void give_up(results *r, const rt_error *error)
{
    abandon(r);
    rt_raise(error);
}

/* OUT.npy for one result, OUT-NAME.npy for each of several; OUT.lengths.npy. */
static char *output_path(const rt_function *f, const char *out, int output, const char *end)
{
    int stem = (int)strlen(out) - 4;
    const char *name = f->outputs[output].name;
    return f->nresults == 1 ? rt_text("%.*s%s", stem, out, end)
           : name           ? rt_text("%.*s-%s%s", stem, out, name, end)
                            : rt_text("%.*s-%d%s", stem, out, output + 1, end);
}

static npy_writer *create_one(results *r, char *path, data_type type, int rank, const int64_t *dims)
{
    rt_error error;
    npy_writer *writer = npy_create(path, type, rank, dims, &error);
    if (!writer)
        give_up(r, &error);
    free(path);
    return writer;
}

static void create(results *r, const rt_function *f, const char *out, int64_t samples)
{
    int64_t largest = 1;
    r->n = 2 * f->nresults;
    r->writers = rt_alloc((size_t)r->n, sizeof *r->writers);
    for (int i = 0; i < f->nresults; i++) {
        const rt_tensor *t = &f->outputs[i];
        int64_t dims[RT_MAX_RANK + 1] = {samples};
        memcpy(dims + 1, t->shape, (size_t)t->rank * sizeof *dims);
        r->writers[2 * i] =
            create_one(r, output_path(f, out, i, ".npy"), DATA_F32, t->rank + 1, dims);
        if (t->length >= 0)
            r->writers[2 * i + 1] =
                create_one(r, output_path(f, out, i, ".lengths.npy"), DATA_I32, 1, dims);
        largest = t->elements > largest ? t->elements : largest;
    }
    r->sample = rt_alloc((size_t)largest, sizeof *r->sample);
}

static void append_one(results *r, int file, const void *values, int64_t count)
{
    rt_error error;
    if (!npy_append(r->writers[file], values, (size_t)count, &error))
        give_up(r, &error);
}

static void append(rt_machine *m, void *job, int64_t first, int64_t count)
{
    results *r = job;
    (void)first;
    for (int i = 0; i < m->function->nresults; i++) {
        const rt_tensor *t = &m->function->outputs[i];
        for (int64_t s = 0; s < count; s++) {
            int32_t length = (int32_t)machine_length(m, t, s);
            machine_sample(m, t, s, r->sample);
            append_one(r, 2 * i, r->sample, t->elements);
            if (r->writers[2 * i + 1])
                append_one(r, 2 * i + 1, &length, 1);
        }
    }
}

static void finish(results *r, bool whole)
{
    rt_error error;
    for (int i = 0; whole && i < r->n; i++) {
        npy_writer *writer = r->writers[i];
        r->writers[i] = NULL;
        if (writer && !npy_commit(writer, &error))
            give_up(r, &error);
    }
    abandon(r);
    free(r->writers);
    free(r->sample);
}

static const char *checked_out(const rt_options *o)
{
    if (!o->out)
        rt_fail(RT_USAGE, "--out FILE.npy is missing: where does the result go?");
    if (!ends_in(o->out, ".npy"))
        rt_fail(RT_USAGE, "--out takes a name that ends in .npy, not '%s'", o->out);
    return o->out;
}

int run_network(rt_trainer *t, const rt_network *network, const data_view *view)
{
    const rt_function *f = &t->model->functions[network->function];
    const char *out = checked_out(t->options);
    int64_t batch = inference_batch(t);
    results r;
    trainer_machine(t, batch);
    weights_need(&t->machine, t->options);
    signals_catch();
    create(&r, f, out, view->samples);
    bool whole =
        over_view(&t->machine, network->function, AECC_RANDOM_RUN, view, batch, append, &r);
    finish(&r, whole);
    return whole ? RT_OK : 128 + signal_seen();
}

/* What the program feeds its networks with, for the scaling of files. */
static const rt_tree *program_data(const rt_model *m)
{
    if (m->reconstruct_data)
        return m->reconstruct_data;
    return m->ntrains ? m->trains[0].data : NULL;
}

const rt_network *need_network(const rt_model *m, const char *name)
{
    const rt_network *network = name ? model_network(m, name) : NULL;
    if (network)
        return network;
    const char **names = rt_alloc((size_t)m->nnetworks + 1, sizeof *names);
    char list[256] = "";
    for (int i = 0; i < m->nnetworks; i++) {
        names[i] = m->networks[i].name;
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = name ? rt_closest(name, names, (size_t)m->nnetworks) : NULL;
    if (near)
        rt_fail(RT_USAGE, "%s has no network %s\ndid you mean %s?", m->source, name, near);
    if (name)
        rt_fail(RT_USAGE, "%s has no network %s\nits networks: %s", m->source, name, list);
    rt_fail(RT_USAGE, "which network?\nits networks: %s", list);
}

int command_run(rt_trainer *t)
{
    const rt_network *network = need_network(t->model, t->options->network);
    checked_out(t->options);
    const rt_function *f = &t->model->functions[network->function];
    data_view view = sources_in(&t->sources, f, program_data(t->model), SCALED_BUT_NPY);
    int status = run_network(t, network, &view);
    data_view_free(&view);
    return status;
}

int command_encode(rt_trainer *t)
{
    const rt_network *network = need_network(t->model, "encoder");
    checked_out(t->options);
    const rt_function *f = &t->model->functions[network->function];
    const rt_tree *data = program_data(t->model);
    if (!data && !t->options->in.n)
        rt_fail(RT_USAGE, "encode what? give --in FILE");
    data_view view = sources_given(&t->sources, f, data, SCALED_BUT_NPY);
    int status = run_network(t, network, &view);
    data_view_free(&view);
    return status;
}
