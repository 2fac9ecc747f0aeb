/* data.h: views. Which samples, of which arrays, in which order.
 *
 * A component is a list of runs of rows; split cuts runs, concat appends them,
 * zip puts components side by side. Every constructor returns a view of its
 * own: no view points into another, all point into arrays. */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has_sequences(const data_component *c)
{
    for (int i = 0; i < c->nruns; i++)
        if (c->runs[i].array->sequences != NULL)
            return true;
    return false;
}

static data_run *new_runs(int count)
{
    return rt_alloc((size_t)count, sizeof(data_run));
}

data_view data_view_of(const data_array *array, const data_affine *affine)
{
    data_component *c = rt_alloc(1, sizeof *c);
    data_run run = {.array = array, .count = array->samples, .affine = {1, 1, 0}};
    if (affine != NULL)
        run.affine = *affine;
    gather_plan(&run);
    c->rank = array->rank - 1;
    memcpy(c->dims, array->dims + 1, (size_t)c->rank * sizeof *c->dims);
    c->elements = array->elements;
    c->samples = array->samples;
    c->nruns = 1;
    c->runs = new_runs(1);
    c->runs[0] = run;
    return (data_view){.samples = array->samples, .ncomponents = 1, .components = c};
}

void data_view_free(data_view *view)
{
    for (int i = 0; i < view->ncomponents; i++)
        free(view->components[i].runs);
    free(view->components);
    *view = (data_view){0};
}

data_view data_view_copy(const data_view *view)
{
    return data_slice(view, 0, view->samples);
}

const data_run *data_run_of(const data_component *c, int64_t *sample)
{
    const data_run *run = c->runs;
    while (*sample >= run->count)
        *sample -= run++->count;
    return run;
}

const data_array *data_array_of(const data_component *c, int64_t *sample)
{
    const data_run *run = data_run_of(c, sample);
    *sample += run->first;
    return run->array;
}

/* Only the runs that hold a sample of [first, first + count). */
static data_component slice_component(const data_component *c, int64_t first, int64_t count)
{
    data_component out = *c;
    int64_t start = 0, end = first + count;
    out.samples = count;
    out.runs = new_runs(c->nruns);
    out.nruns = 0;
    if (c->drawn)
        memcpy(out.runs, c->runs, (size_t)(out.nruns = c->nruns) * sizeof *out.runs);
    for (int i = 0; i < c->nruns && !c->drawn; i++) {
        data_run run = c->runs[i];
        int64_t from = start > first ? start : first;
        int64_t to = start + run.count < end ? start + run.count : end;
        if (from < to) {
            run.first += from - start;
            run.count = to - from;
            out.runs[out.nruns++] = run;
        }
        start += c->runs[i].count;
    }
    return out;
}

data_view data_slice(const data_view *view, int64_t first, int64_t count)
{
    data_view out = {.samples = count, .ncomponents = view->ncomponents};
    out.components = rt_alloc((size_t)view->ncomponents, sizeof *out.components);
    for (int i = 0; i < view->ncomponents; i++)
        out.components[i] = slice_component(&view->components[i], first, count);
    return out;
}

bool data_split(data_view *out, const data_view *view, const char *name, bool last, bool rest,
                int64_t count, double fraction, rt_error *error)
{
    int64_t all = view->samples;
    int64_t part = count > 0 ? count : llround(fraction * (double)all);
    if (part < 1 || part >= all)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: a split of %lld of its %lld samples leaves "
                      "%s part empty\nchange the split, or give more data",
                      name, (long long)part, (long long)all, part < 1 ? "that" : "the other");
    int64_t kept = rest ? all - part : part;
    bool at_end = last != rest;
    *out = data_slice(view, at_end ? all - kept : 0, kept);
    return true;
}

bool data_zip(data_view *out, const data_view *parts, int nparts, rt_error *error)
{
    int total = 0;
    for (int i = 0; i < nparts; i++) {
        if (parts[i].samples != parts[0].samples)
            return rt_set(error, RT_BAD_INPUT,
                          "zip: part 1 (%s) has %lld samples, part %d (%s) "
                          "has %lld\neach sample of a zip needs all its parts",
                          parts[0].components[0].runs[0].array->path, (long long)parts[0].samples,
                          i + 1, parts[i].components[0].runs[0].array->path,
                          (long long)parts[i].samples);
        total += parts[i].ncomponents;
    }
    *out = (data_view){.samples = parts[0].samples};
    out->components = rt_alloc((size_t)total, sizeof *out->components);
    for (int i = 0; i < nparts; i++) {
        data_view copy = data_view_copy(&parts[i]);
        memcpy(out->components + out->ncomponents, copy.components,
               (size_t)copy.ncomponents * sizeof *copy.components);
        out->ncomponents += copy.ncomponents;
        free(copy.components);
    }
    return true;
}

/* Steps may differ in number. */
static bool same_shape(const data_component *a, const data_component *b)
{
    int from = a->rank > 0 && (has_sequences(a) || has_sequences(b)) ? 1 : 0;
    return a->rank == b->rank &&
           memcmp(a->dims + from, b->dims + from, (size_t)(a->rank - from) * sizeof *a->dims) == 0;
}

static bool check_concat(const data_view *first, const data_view *other, int place, rt_error *error)
{
    if (first->ncomponents != other->ncomponents)
        return rt_set(error, RT_BAD_INPUT, "concat: part 1 has %d components, part %d has %d",
                      first->ncomponents, place, other->ncomponents);
    for (int i = 0; i < first->ncomponents; i++) {
        const data_component *a = &first->components[i], *b = &other->components[i];
        char one[256], two[256];
        if (!same_shape(a, b))
            return rt_set(
                error, RT_BAD_INPUT,
                "concat: samples of %s have the shape %s, those of "
                "%s %s\nall parts need samples of one shape",
                a->runs[0].array->path, data_shape_text(one, sizeof one, a->rank, a->dims),
                b->runs[0].array->path, data_shape_text(two, sizeof two, b->rank, b->dims));
    }
    return true;
}

static void append_runs(data_component *to, const data_component *from)
{
    data_run *runs = new_runs(to->nruns + from->nruns);
    memcpy(runs, to->runs, (size_t)to->nruns * sizeof *runs);
    memcpy(runs + to->nruns, from->runs, (size_t)from->nruns * sizeof *runs);
    free(to->runs);
    to->runs = runs;
    to->nruns += from->nruns;
    to->samples += from->samples;
    if (from->elements > to->elements) {
        to->elements = from->elements;
        to->dims[0] = from->dims[0];
    }
}

bool data_concat(data_view *out, const data_view *parts, int nparts, rt_error *error)
{
    for (int i = 1; i < nparts; i++)
        if (!check_concat(&parts[0], &parts[i], i + 1, error))
            return false;
    *out = data_view_copy(&parts[0]);
    for (int i = 1; i < nparts; i++) {
        for (int j = 0; j < out->ncomponents; j++)
            append_runs(&out->components[j], &parts[i].components[j]);
        out->samples += parts[i].samples;
    }
    return true;
}

/* ---- Fitness for an input ------------------------------------------------ */

int64_t data_elements(int rank, const int64_t *dims)
{
    int64_t product = 1;
    for (int i = 0; i < rank; i++)
        product *= dims[i];
    return product;
}

/* Is value `i` of the array a whole number that fits 32 bits? */
static bool is_int32(const data_array *array, int64_t i)
{
    switch (array->type) {
    case DATA_I64: {
        int64_t value = ((const int64_t *)array->values)[i];
        return value >= INT32_MIN && value <= INT32_MAX;
    }
    case DATA_F32: {
        float value = ((const float *)array->values)[i];
        return value >= -0x1p31f && value < 0x1p31f && value == (float)(int32_t)value;
    }
    case DATA_F64: {
        double value = ((const double *)array->values)[i];
        return value >= -0x1p31 && value < 0x1p31 && value == (double)(int32_t)value;
    }
    default: return true;
    }
}

/* Of rows of samples, or of whole sequences. */
static bool check_integers_in(const data_array *array, data_place span, const char *name,
                              rt_error *error)
{
    char place[160];
    for (int64_t i = span.start; i < span.start + span.count; i++)
        if (!is_int32(array, i))
            return rt_set(error, RT_BAD_INPUT,
                          "%s: %s is not an integer of 32 bits, which the input %s takes\n"
                          "give class numbers or indices, not scaled values",
                          array->path, data_place_text(place, sizeof place, array, i), name);
    return true;
}

static bool check_integers(const data_run *run, const char *name, rt_error *error)
{
    const data_array *array = run->array;
    if (run->affine.divide != 1 || run->affine.multiply != 1 || run->affine.add != 0)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the input %s takes integers, but its data is "
                      "scaled\ntake the scaling away from the data",
                      array->path, name);
    if (array->sequences == NULL) {
        data_place rows = {.start = run->first * array->elements,
                           .count = run->count * array->elements};
        return check_integers_in(array, rows, name, error);
    }
    for (int64_t i = 0; i < data_spans(array); i++)
        if (!check_integers_in(array, data_span(array, i), name, error))
            return false;
    return true;
}

static bool wrong_shape(const data_component *c, const data_input *in, rt_error *error)
{
    char have[256], want[256];
    int64_t product = data_elements(in->rank, in->dims);
    return rt_set(error, RT_BAD_INPUT,
                  "%s: its samples have the shape %s, %lld elements; the "
                  "input %s takes %s%s, %lld elements\n"
                  "give the data that the model was written for, or change the model's input",
                  c->runs[0].array->path, data_shape_text(have, sizeof have, c->rank, c->dims),
                  (long long)c->elements, in->name, in->varying ? "up to " : "",
                  data_shape_text(want, sizeof want, in->rank, in->dims), (long long)product);
}

/* A sample that is no sequence of the input's steps, or too long a one. */
static bool check_steps(const data_component *c, const data_run *run, const data_input *in,
                        rt_error *error)
{
    const data_array *a = run->array;
    int64_t step = data_elements(in->rank - 1, in->dims + 1);
    if (a->sequences != NULL ? a->sequences->step != step : a->elements % step != 0)
        return wrong_shape(c, in, error);
    for (int64_t i = 0; i < run->count; i++) {
        data_place place = data_place_of(a, run->first + i);
        if (place.count > in->dims[0] * step)
            return rt_set(error, RT_BAD_INPUT,
                          "%s: sequence %lld (from 0) has %lld steps, the input %s takes up to "
                          "%lld\nraise the maximum in the program, or cut the sequence",
                          a->path, (long long)(run->first + i), (long long)(place.count / step),
                          in->name, (long long)in->dims[0]);
    }
    return true;
}

static bool check_equal_lengths(const data_run *run, const data_input *in, int64_t elements,
                                rt_error *error)
{
    const data_array *a = run->array;
    for (int64_t i = 0; a->sequences != NULL && i < run->count; i++) {
        data_place place = data_place_of(a, run->first + i);
        if (place.count != elements)
            return rt_set(error, RT_BAD_INPUT,
                          "%s: sequence %lld (from 0) has %lld steps, the input %s takes "
                          "sequences of %lld only\n"
                          "declare a maximum, `[time <= %lld, …]`, or take `windows` of one length",
                          a->path, (long long)(run->first + i),
                          (long long)(place.count / a->sequences->step), in->name,
                          (long long)(elements / a->sequences->step), (long long)a->dims[1]);
    }
    return true;
}

bool data_check(const data_component *c, const data_input *in, rt_error *error)
{
    int64_t product = data_elements(in->rank, in->dims);
    if (!in->varying && product != c->elements)
        return wrong_shape(c, in, error);
    for (int i = 0; i < c->nruns; i++) {
        const data_run *run = &c->runs[i];
        if (!(in->varying ? check_steps(c, run, in, error)
                          : check_equal_lengths(run, in, product, error)) ||
            (in->integer && !check_integers(run, in->name, error)))
            return false;
    }
    return true;
}
