/* data.h: samples of several lengths, and windows.
 *
 * needs       an array whose rows are steps, or samples of steps
 * guarantees  where each sample lies; no value is copied
 *
 *   [10, 2] of steps, lengths 3 7    two samples: steps 0 … 2, steps 3 … 9
 *   windows of 3, stride 2, of them  four samples: steps 0 … 2; 3 … 5, 5 … 7, 7 … 9
 */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

data_sequences *data_sequences_new(int64_t nseries, int64_t step)
{
    data_sequences *s = rt_alloc(1, sizeof *s);
    s->step = step;
    s->nseries = nseries;
    s->first = rt_alloc((size_t)nseries, sizeof *s->first);
    s->length = rt_alloc((size_t)nseries, sizeof *s->length);
    return s;
}

void data_sequences_free(data_sequences *s)
{
    if (s == NULL)
        return;
    free(s->names);
    free(s->text);
    free(s->first);
    free(s->length);
    free(s->before);
    free(s);
}

/* ---- Places ------------------------------------------------------------------ */

/* The series that window `sample` is of. */
static int64_t series_of(const data_sequences *s, int64_t sample)
{
    int64_t low = 0, high = s->nseries;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (s->before[middle] <= sample)
            low = middle;
        else
            high = middle;
    }
    return low;
}

data_place data_place_of(const data_array *array, int64_t sample)
{
    const data_sequences *s = array->sequences;
    if (s == NULL)
        return (data_place){sample, 0, sample * array->elements, array->elements};
    if (s->window == 0)
        return (data_place){sample, 0, s->first[sample] * s->step, s->length[sample] * s->step};
    int64_t series = series_of(s, sample);
    int64_t step = (sample - s->before[series]) * s->stride;
    return (data_place){series, step, (s->first[series] + step) * s->step, s->window * s->step};
}

int64_t data_spans(const data_array *array)
{
    return array->sequences != NULL ? array->sequences->nseries : 1;
}

data_place data_span(const data_array *array, int64_t span)
{
    const data_sequences *s = array->sequences;
    if (s == NULL)
        return (data_place){0, 0, 0, array->samples * array->elements};
    return (data_place){span, 0, s->first[span] * s->step, s->length[span] * s->step};
}

const char *data_place_text(char *text, size_t size, const data_array *array, int64_t at)
{
    const data_sequences *s = array->sequences;
    if (s == NULL) {
        snprintf(text, size, "sample %lld, element %lld", (long long)(at / array->elements),
                 (long long)(at % array->elements));
        return text;
    }
    int64_t step = at / s->step, i = 0;
    while (i + 1 < s->nseries && step >= s->first[i] + s->length[i])
        i++;
    long long place = step - s->first[i], element = at % s->step;
    if (s->names != NULL)
        snprintf(text, size, "series %.60s, step %lld, element %lld", s->names[i], place, element);
    else
        snprintf(text, size, "series %lld, step %lld, element %lld", (long long)i, place, element);
    return text;
}

/* ---- Lengths ------------------------------------------------------------------ */

static int64_t longest_of(const data_sequences *s)
{
    int64_t longest = 0;
    for (int64_t i = 0; i < s->nseries; i++)
        longest = s->length[i] > longest ? s->length[i] : longest;
    return longest;
}

/* Samples are the series; `axis` dims of the array make way for the two that
 * count series and steps. */
static void take_series(data_array *array, data_sequences *s, int axis)
{
    int rest = array->rank - axis;
    memmove(array->dims + 2, array->dims + axis, (size_t)rest * sizeof *array->dims);
    array->rank = 2 + rest;
    array->dims[0] = array->samples = s->nseries;
    array->dims[1] = longest_of(s);
    array->elements = array->dims[1] * s->step;
    array->sequences = s;
}

void data_set_series(data_array *array, data_sequences *sequences)
{
    take_series(array, sequences, 1);
}

static bool check_length(const data_array *lengths, int64_t i, int64_t most, rt_error *error)
{
    double value = data_value(lengths, i);
    if (value == 0)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the length of sequence %lld (from 0) is zero\n"
                      "a sequence has at least one step: drop those that are empty",
                      lengths->path, (long long)i);
    if (!(value > 0 && value == floor(value) && isfinite(value)))
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the length of sequence %lld (from 0) is %.9g\n"
                      "a length is a whole number of steps, at least one",
                      lengths->path, (long long)i, value);
    if (value > (double)most)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the length of sequence %lld (from 0) is %.0f, more than the maximum, "
                      "%lld\nraise the maximum in the program, or cut the sequence",
                      lengths->path, (long long)i, value, (long long)most);
    return true;
}

bool data_check_lengths(const data_array *lengths, int64_t most, rt_error *error)
{
    if (lengths->elements != 1)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: %lld numbers for each sequence, expected one, its length\n"
                      "save an array of one axis",
                      lengths->path, (long long)lengths->elements);
    for (int64_t i = 0; i < lengths->samples; i++)
        if (!check_length(lengths, i, most, error))
            return false;
    return true;
}

static bool set_padded(data_array *array, const data_array *lengths, data_sequences *s,
                       rt_error *error)
{
    char shape[256];
    data_shape_text(shape, sizeof shape, array->rank, array->dims);
    if (lengths->samples != array->samples)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: %lld lengths, but %s has %lld sequences: its shape is %s\n"
                      "give one length for each sequence",
                      lengths->path, (long long)lengths->samples, array->path,
                      (long long)array->samples, shape);
    for (int64_t i = 0; i < s->nseries; i++) {
        if (s->length[i] > array->dims[1])
            return rt_set(error, RT_BAD_INPUT,
                          "%s: the length of sequence %lld (from 0) is %lld, but %s has room for "
                          "%lld steps: its shape is %s\n"
                          "the lengths are of another file, or the file was cut",
                          lengths->path, (long long)i, (long long)s->length[i], array->path,
                          (long long)array->dims[1], shape);
        s->first[i] = i * array->dims[1];
    }
    take_series(array, s, 2);
    return true;
}

/* -1 where it is more than the array has steps. */
static int64_t place_in_turn(data_sequences *s, int64_t steps)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < s->nseries; i++) {
        s->first[i] = sum;
        if (s->length[i] > steps - sum)
            return -1;
        sum += s->length[i];
    }
    return sum;
}

static bool set_concatenated(data_array *array, const data_array *lengths, data_sequences *s,
                             rt_error *error)
{
    char shape[256];
    int64_t sum = place_in_turn(s, array->samples);
    data_shape_text(shape, sizeof shape, array->rank, array->dims);
    if (sum != array->samples)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the lengths add up to %s than the %lld steps of %s: its shape is %s\n"
                      "sequences lie one after another, [steps of all, …], or padded, "
                      "[sequences, steps, …]",
                      lengths->path, sum < 0 ? "more" : "fewer", (long long)array->samples,
                      array->path, shape);
    if (array->rank == DATA_MAX_RANK)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: sequences of steps with more than %d axes\nreshape it before numpy.save",
                      array->path, DATA_MAX_RANK - 2);
    take_series(array, s, 1);
    return true;
}

static bool is_padded(const data_array *array, int64_t step, data_sequences *s)
{
    if (step == 0)
        return array->rank > 1 && place_in_turn(s, array->samples) != array->samples;
    return array->rank > 1 && array->elements != step;
}

bool data_set_lengths(data_array *array, const data_array *lengths, int64_t step, rt_error *error)
{
    if (!data_check_lengths(lengths, INT32_MAX, error))
        return false;
    data_sequences *s = data_sequences_new(lengths->samples, 1);
    for (int64_t i = 0; i < s->nseries; i++)
        s->length[i] = (int64_t)data_value(lengths, i);
    bool padded = is_padded(array, step, s);
    s->step = padded ? array->elements / array->dims[1] : array->elements;
    bool good =
        padded ? set_padded(array, lengths, s, error) : set_concatenated(array, lengths, s, error);
    if (!good)
        data_sequences_free(s);
    return good;
}

bool data_set_equal(data_array *array, int64_t step, rt_error *error)
{
    char shape[256];
    data_shape_text(shape, sizeof shape, array->rank, array->dims);
    if (step == 0 && array->rank < 2)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: its shape is %s, expected a sequence for each sample, [samples, steps, "
                      "…]\nsave it with two or more axes",
                      array->path, shape);
    step = step > 0 ? step : array->elements / array->dims[1];
    if (array->elements % step != 0)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: its shape is %s: no whole number of steps of %lld elements in a sample\n"
                      "give the data that the model was written for, or change its shape",
                      array->path, shape, (long long)step);
    int64_t length = array->elements / step;
    data_sequences *s = data_sequences_new(array->samples, step);
    for (int64_t i = 0; i < s->nseries; i++) {
        s->length[i] = length;
        s->first[i] = i * length;
    }
    bool steps = array->rank > 1 && array->dims[1] == length;
    if (!steps) {
        array->rank = 2;
        array->dims[1] = step;
    }
    take_series(array, s, steps ? 2 : 1);
    return true;
}

/* ---- Windows -------------------------------------------------------------------- */

/* The series in a run: its sequences, or all its samples as steps of one. */
static data_sequences *series_in(const data_run *run)
{
    const data_array *a = run->array;
    bool steps = a->sequences == NULL;
    int64_t step = steps ? a->elements : a->sequences->step;
    data_sequences *s = data_sequences_new(steps ? 1 : run->count, step);
    for (int64_t i = 0; i < s->nseries; i++) {
        data_place place = data_place_of(a, run->first + i);
        s->first[i] = place.start / step;
        s->length[i] = steps ? run->count : place.count / step;
    }
    if (!steps && a->sequences->names != NULL && a->sequences->window == 0) {
        s->names = rt_alloc((size_t)s->nseries, sizeof *s->names);
        memcpy(s->names, a->sequences->names + run->first, (size_t)s->nseries * sizeof *s->names);
    }
    return s;
}

/* Series without a full window go; the windows that there are. */
static int64_t cut(data_sequences *s, int64_t length, int64_t stride, int64_t *skipped)
{
    int64_t kept = 0, windows = 0;
    s->window = length;
    s->stride = stride;
    s->before = rt_alloc((size_t)s->nseries, sizeof *s->before);
    for (int64_t i = 0; i < s->nseries; i++) {
        if (s->length[i] < length)
            continue;
        s->first[kept] = s->first[i];
        s->length[kept] = s->length[i];
        if (s->names != NULL)
            s->names[kept] = s->names[i];
        s->before[kept++] = windows;
        windows += (s->length[kept - 1] - length) / stride + 1;
    }
    *skipped += s->nseries - kept;
    s->nseries = kept;
    return windows;
}

/* An array that borrows the values of another. */
static data_array windows_of(const data_array *a, data_sequences *s, int64_t windows)
{
    data_array out = *a;
    int axis = a->sequences == NULL ? 1 : 2; /* the first of a step */
    out.path = strdup(a->path);
    out.memory = NULL;
    out.sequences = s;
    out.rank = 2 + a->rank - axis;
    memmove(out.dims + 2, a->dims + axis, (size_t)(a->rank - axis) * sizeof *out.dims);
    out.dims[0] = out.samples = windows;
    out.dims[1] = s->window;
    out.elements = s->window * s->step;
    return out;
}

/* The series of a component, one after another. */
typedef struct walk {
    const data_component *of;
    int run;
    int64_t series; /* of the run */
} walk;

/* The steps of the next series, 0 after the last; *path becomes its file's. */
static int64_t next_series(walk *w, const char **path)
{
    for (; w->run < w->of->nruns; w->run++, w->series = 0) {
        const data_run *run = &w->of->runs[w->run];
        const data_array *a = run->array;
        *path = a->path;
        if (a->sequences == NULL && w->series++ == 0)
            return run->count;
        if (a->sequences != NULL && w->series < run->count)
            return data_place_of(a, run->first + w->series++).count / a->sequences->step;
    }
    return 0;
}

/* Windows of a zip pair steps: what becomes windows is of equal length. */
static bool check_pairs(const data_component *a, const data_component *b, int64_t length,
                        rt_error *error)
{
    walk of_a = {.of = a}, of_b = {.of = b};
    const char *path = "", *other = "";
    for (int64_t i = 0;; i++) {
        int64_t n = next_series(&of_a, &path), m = next_series(&of_b, &other);
        if (n == 0 && m == 0)
            return true;
        if (n != m && (n == 0 || m == 0 || n >= length || m >= length))
            return rt_set(error, RT_BAD_INPUT,
                          "%s: series %lld (from 0) has %lld steps, that of %s has %lld\n"
                          "windows of a zip need as many steps in each series of both",
                          path, (long long)i, (long long)n, other, (long long)m);
    }
}

static bool too_short(const data_component *c, int64_t length, int64_t series, rt_error *error)
{
    walk w = {.of = c};
    const char *path;
    int64_t longest = 0;
    for (int64_t n; (n = next_series(&w, &path)) > 0;)
        longest = n > longest ? n : longest;
    return rt_set(error, RT_BAD_INPUT,
                  "%s: %s shorter than a window of %lld steps: %lld\n"
                  "take shorter windows, or give longer series",
                  c->runs[0].array->path, series > 1 ? "all series are" : "the series is",
                  (long long)length, (long long)longest);
}

static bool windows_in(data_component *out, const data_component *c, int64_t length, int64_t stride,
                       data_array *arrays, int64_t *skipped, rt_error *error)
{
    *skipped = 0;
    *out = (data_component){.runs = rt_alloc((size_t)c->nruns, sizeof *out->runs)};
    for (int i = 0; i < c->nruns; i++) {
        const data_array *a = c->runs[i].array;
        if (a->sequences == NULL && a->rank == DATA_MAX_RANK)
            return rt_set(error, RT_BAD_INPUT, "%s: windows of steps with more than %d axes",
                          a->path, DATA_MAX_RANK - 2);
        data_sequences *s = series_in(&c->runs[i]);
        int64_t windows = cut(s, length, stride, skipped);
        arrays[i] = windows_of(a, s, windows);
        if (windows == 0)
            continue;
        data_run *run = &out->runs[out->nruns++];
        *run = c->runs[i];
        run->array = &arrays[i];
        run->first = 0;
        run->count = windows;
        out->samples += windows;
        out->rank = arrays[i].rank - 1;
        memcpy(out->dims, arrays[i].dims + 1, (size_t)out->rank * sizeof *out->dims);
        out->elements = arrays[i].elements;
    }
    return out->nruns > 0 || too_short(c, length, *skipped, error);
}

bool data_windows(data_view *out, const data_view *view, int64_t length, int64_t stride,
                  data_array *arrays, int64_t *skipped, rt_error *error)
{
    *out = (data_view){0};
    for (int i = 1; i < view->ncomponents; i++)
        if (!check_pairs(&view->components[0], &view->components[i], length, error))
            return false;
    *out = (data_view){.ncomponents = view->ncomponents};
    out->components = rt_alloc((size_t)view->ncomponents, sizeof *out->components);
    for (int i = 0; i < view->ncomponents; i++) {
        const data_component *c = &view->components[i];
        if (!windows_in(&out->components[i], c, length, stride, arrays, skipped, error)) {
            data_view_free(out);
            return false;
        }
        arrays += c->nruns;
    }
    out->samples = out->components[0].samples;
    return true;
}
