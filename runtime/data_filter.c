/* data.h: the samples of a view that numbers choose.
 *
 * Rows that stay are copied next to each other, in the type of their file, so
 * that a batch is gathered as fast as from a whole one; of sequences only the
 * places are. */
#include "data.h"

#include <stdlib.h>
#include <string.h>

static bool is_one_of(double value, const double *keep, int nkeep)
{
    for (int i = 0; i < nkeep; i++)
        if (value == keep[i])
            return true;
    return false;
}

static const char *path_of(const data_view *view)
{
    return view->components[0].runs[0].array->path;
}

static bool check_numbers(const data_view *view, const data_view *by, rt_error *error)
{
    char shape[256];
    const data_component *c = &by->components[0];
    if (c->elements != 1)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: samples of the shape %s, a filter takes one number for each\n"
                      "filter by a file of class numbers or the like",
                      path_of(by), data_shape_text(shape, sizeof shape, c->rank, c->dims));
    if (by->samples != view->samples)
        return rt_set(error, RT_BAD_INPUT,
                      "filter: %s has %lld samples, %s has %lld numbers\n"
                      "each sample of a filter needs its number",
                      path_of(view), (long long)view->samples, path_of(by), (long long)by->samples);
    return true;
}

/* stays[sample]; the caller frees it. *kept counts them. */
static bool *choose(const data_view *by, const double *keep, int nkeep, int64_t *kept)
{
    bool *stays = rt_alloc((size_t)by->samples, sizeof *stays);
    const data_component *c = &by->components[0];
    int64_t sample = 0;
    *kept = 0;
    for (int i = 0; i < c->nruns; i++)
        for (int64_t k = 0; k < c->runs[i].count; k++, sample++) {
            const data_array *a = c->runs[i].array;
            stays[sample] =
                is_one_of(data_value(a, data_place_of(a, c->runs[i].first + k).start), keep, nkeep);
            *kept += stays[sample];
        }
    return stays;
}

static bool copy_rows(data_array *out, const data_run *run, const bool *stays, rt_error *error)
{
    const data_array *a = run->array;
    size_t size = (size_t)a->elements * data_type_size(a->type);
    unsigned char *to = data_alloc(a->path, (uint64_t)out->samples * size, error);
    const unsigned char *from = (const unsigned char *)a->values + (size_t)run->first * size;
    out->memory = to;
    out->values = to;
    for (int64_t i = 0; to && i < run->count; i++)
        if (stays[i]) {
            memcpy(to, from + (size_t)i * size, size);
            to += size;
        }
    return out->memory != NULL;
}

static void keep_sequences(data_array *out, const data_run *run, const bool *stays)
{
    const data_sequences *all = run->array->sequences;
    data_sequences *s = data_sequences_new(out->samples, all->step);
    int64_t n = 0;
    if (all->names != NULL)
        s->names = rt_alloc((size_t)out->samples, sizeof *s->names);
    for (int64_t i = 0; i < run->count; i++) {
        int64_t series = run->first + i;
        if (!stays[i])
            continue;
        s->first[n] = all->first[series];
        s->length[n] = all->length[series];
        if (all->names != NULL)
            s->names[n] = all->names[series];
        n++;
    }
    out->memory = NULL;
    out->sequences = s;
}

/* An array of the rows of a run that stay, of which there are some. */
static bool filter_run(data_array *out, const data_run *run, const bool *stays, int64_t kept,
                       rt_error *error)
{
    *out = *run->array;
    out->path = strdup(run->array->path);
    out->memory = NULL;
    out->sequences = NULL;
    out->dims[0] = out->samples = kept;
    if (run->array->sequences == NULL)
        return copy_rows(out, run, stays, error);
    keep_sequences(out, run, stays);
    return true;
}

static bool filter_component(data_component *out, const data_component *c, const bool *stays,
                             data_array *arrays, rt_error *error)
{
    *out = *c;
    out->samples = out->nruns = 0;
    out->runs = rt_alloc((size_t)c->nruns, sizeof *out->runs);
    for (int i = 0; i < c->nruns; stays += c->runs[i].count, i++) {
        int64_t kept = 0;
        for (int64_t k = 0; k < c->runs[i].count; k++)
            kept += stays[k];
        if (kept == 0)
            continue;
        if (!filter_run(&arrays[i], &c->runs[i], stays, kept, error))
            return false;
        data_run *run = &out->runs[out->nruns++];
        *run = c->runs[i];
        run->array = &arrays[i];
        run->first = 0;
        run->count = kept;
        out->samples += kept;
    }
    return true;
}

static bool filter_all(data_view *out, const data_view *view, const bool *stays, data_array *arrays,
                       rt_error *error)
{
    for (int i = 0; i < view->ncomponents; i++) {
        const data_component *c = &view->components[i];
        if (!filter_component(&out->components[i], c, stays, arrays, error))
            return false;
        arrays += c->nruns;
    }
    return true;
}

static bool none_stays(const data_view *by, const double *keep, int nkeep, rt_error *error)
{
    if (nkeep > 1)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: none of the %lld numbers is one of those to keep\n"
                      "the filter would leave no sample",
                      path_of(by), (long long)by->samples);
    return rt_set(error, RT_BAD_INPUT,
                  "%s: none of the %lld numbers is %.9g\nthe filter would leave no sample",
                  path_of(by), (long long)by->samples, keep[0]);
}

bool data_filter(data_view *out, const data_view *view, const data_view *by, const double *keep,
                 int nkeep, data_array *arrays, rt_error *error)
{
    int64_t kept;
    *out = (data_view){0};
    if (!check_numbers(view, by, error))
        return false;
    bool *stays = choose(by, keep, nkeep, &kept);
    bool good = kept > 0 || none_stays(by, keep, nkeep, error);
    if (good) {
        *out = (data_view){.samples = kept, .ncomponents = view->ncomponents};
        out->components = rt_alloc((size_t)view->ncomponents, sizeof *out->components);
        good = filter_all(out, view, stays, arrays, error);
    }
    if (!good)
        data_view_free(out);
    free(stays);
    return good;
}
