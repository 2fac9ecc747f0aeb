/* Files of the command line as views.
 *
 * A file of --in holds what the program's own files hold: it is scaled as they
 * are, a CSV has their column of series, and a series is cut into windows where
 * the program does that. */
#define _GNU_SOURCE
#include "rt.h"

#include <stdlib.h>
#include <string.h>

/* What the program says of one component of its data. */
typedef struct rt_like {
    const rt_tree *file, *windows; /* NULL: none */
} rt_like;

/* File `*skip` among the components of a tree, in their order. */
static rt_like find_like(const rt_tree *t, int *skip)
{
    if (!t || (t->kind == RT_FILE && (*skip)--))
        return (rt_like){0};
    if (t->kind == RT_FILE)
        return (rt_like){t, NULL};
    int parts = t->kind == RT_CONCAT || t->kind == RT_FILTER ? 1 : t->nparts;
    for (int i = 0; i < parts; i++) {
        rt_like found = find_like(&t->parts[i], skip);
        if (found.file)
            return (rt_like){found.file, t->kind == RT_WINDOWS ? t : found.windows};
    }
    return (rt_like){0};
}

static bool is_npy_of_floats(const data_array *array)
{
    return ends_in(array->path, ".npy") && (array->type == DATA_F32 || array->type == DATA_F64);
}

/* How the program scales the file, if the form asks for it; else NULL. */
static const data_affine *scaling(const data_array *array, const rt_tree *file, rt_form form)
{
    if (!file || (form == SCALED_BUT_NPY && is_npy_of_floats(array)))
        return NULL;
    if (form == AS_FILES_HOLD)
        return &file->early;
    if (file->opaque)
        sources_cannot_scale(array->path, form);
    return &file->affine;
}

/* The input that an argument names as "NAME=", or -1; *path behind it. */
static int named_input(const rt_function *f, const char *given, const char **path)
{
    size_t n = strcspn(given, "=");
    *path = given;
    for (int i = 0; given[n] && i < f->ninputs; i++)
        if (f->inputs[i].name && strlen(f->inputs[i].name) == n &&
            !strncmp(f->inputs[i].name, given, n)) {
            *path = given + n + 1;
            return i;
        }
    return -1;
}

static bool is_window(const rt_tensor *t, const rt_tree *windows)
{
    return windows && t->rank > 0 && t->shape[0] == windows->length;
}

static bool has_lengths(const rt_tensor *t)
{
    return t->length >= 0 || (t->steps && t->length_of < 0);
}

/* The input that component `place` of the data fills. */
static int value_input(const rt_function *f, int place)
{
    int i = 0;
    while (f->inputs[i].component != place)
        i++;
    return i;
}

/* Which input an argument of --lengths is for: the named one, or the first
 * that has lengths, or the first (which may be windows of series). */
static int input_of_lengths(const rt_function *f, const char *given, const char **path)
{
    int named = named_input(f, given, path);
    for (int i = 0; named < 0 && i < f->ninputs; i++)
        if (has_lengths(&f->inputs[i]))
            return i;
    return named < 0 ? 0 : named;
}

/* The file of --lengths for an input, or NULL. */
static const char *lengths_of(const rt_sources *s, const rt_function *f, int input)
{
    const char *path, *found = NULL;
    for (int i = 0; i < s->options->lengths.n; i++)
        if (input_of_lengths(f, s->options->lengths.at[i], &path) == input)
            found = path;
    return found;
}

/* Lengths are for inputs that have some, or that are windows of series; one
 * file for each. */
static void check_lengths(const rt_sources *s, const rt_function *f, const rt_tree *like)
{
    const char *path, *other;
    const rt_list *all = &s->options->lengths;
    for (int i = 0; i < all->n; i++) {
        int input = input_of_lengths(f, all->at[i], &path);
        const rt_tensor *t = &f->inputs[input];
        int at = t->component;
        if (!*path)
            rt_fail(RT_USAGE, "--lengths %s: the name of a file is missing", all->at[i]);
        for (int j = 0; j < i; j++)
            if (input_of_lengths(f, all->at[j], &other) == input)
                rt_fail(RT_USAGE, "--lengths gives those of input %s twice: %s and %s", t->name,
                        other, path);
        if (!has_lengths(t) && !is_window(t, find_like(like, &at).windows))
            rt_fail(RT_USAGE, "--lengths %s: the input %s of %s has one length only", path, t->name,
                    f->name);
    }
}

/* ---- One file ----------------------------------------------------------------- */

static void set_equal(data_array *array, int64_t step)
{
    rt_error error;
    if (!data_set_equal(array, step, &error))
        rt_raise(&error);
}

/* Sequences, where the input takes some. True: they, or the rows of the array as
 * steps of one, are to be cut into windows; an array of windows is not. */
static bool set_sequences(data_array *array, const rt_tensor *t, const rt_tree *windows)
{
    int64_t step = step_of(t);
    bool window = is_window(t, windows);
    if (window && !array->sequences && array->rank > 2 && array->dims[1] > windows->length &&
        array->elements == array->dims[1] * step)
        set_equal(array, step);
    if (window && (array->sequences || array->elements == step))
        return true;
    if (t->length >= 0 && !array->sequences)
        set_equal(array, step);
    return false;
}

static data_view read_input(rt_sources *s, const char *path, const rt_function *f, int input,
                            const rt_tree *tree, rt_form form)
{
    const rt_tensor *t = &f->inputs[input];
    int at = t->component;
    rt_like like = find_like(tree, &at);
    bool sequences = t->length >= 0 || is_window(t, like.windows);
    data_array *array = sources_keep(s, 1);
    data_source source = {.path = path,
                          .series = sequences && like.file ? like.file->series : NULL,
                          .lengths = lengths_of(s, f, input),
                          .step = sequences ? step_of(t) : 0};
    rt_error error;
    if (!data_open(array, &source, &error))
        rt_raise(&error);
    bool cut = sequences && set_sequences(array, t, like.windows);
    sources_check_classes(array, like.file, form);
    data_view view = data_view_of(array, scaling(array, like.file, form));
    if (!cut)
        return view;
    data_view windows = sources_windows(s, like.windows, &view);
    data_view_free(&view);
    return windows;
}

/* ---- All of them --------------------------------------------------------------- */

/* "train block 1" of "train_1.objective", whose name is the compiler's own. */
static const char *shown_name(const rt_function *f, char text[64])
{
    int block;
    if (sscanf(f->name, "train_%d.objective", &block) != 1)
        return f->name;
    snprintf(text, 64, "train block %d", block);
    return text;
}

static _Noreturn void wrong_count(const rt_function *f, int given)
{
    char names[256] = "", own[64];
    size_t n = 0;
    for (int i = 0; i < f->nvalues && n < sizeof names; i++)
        if (f->inputs[i].name)
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "",
                                  f->inputs[i].name);
    rt_fail(RT_USAGE, "%s takes %d input%s%s%s%s, and --in gives %d\nrepeat --in for each of them",
            shown_name(f, own), f->nvalues, f->nvalues == 1 ? "" : "s", n ? " (" : "", names,
            n ? ")" : "", given);
}

/* Which input an argument of --in names: by "NAME=", else by its place. */
static int input_of(const rt_function *f, const char *given, int place, const char **path)
{
    int input = named_input(f, given, path);
    if (input >= 0 && f->inputs[input].length_of >= 0)
        rt_fail(RT_USAGE, "--in %s: lengths are given by --lengths %s=FILE", given,
                f->inputs[f->inputs[input].length_of].name);
    if (input >= 0 && f->inputs[input].steps)
        rt_fail(RT_USAGE, "--in %s: numbers of steps are given by --lengths %s=FILE", given,
                f->inputs[input].name);
    return input >= 0 ? input : value_input(f, place);
}

data_view sources_in(rt_sources *s, const rt_function *f, const rt_tree *like, rt_form form)
{
    const rt_list *in = &s->options->in;
    const char **paths = rt_alloc((size_t)f->ninputs + 1, sizeof *paths);
    data_view *parts = rt_alloc((size_t)f->nvalues + 1, sizeof *parts), view;
    rt_error error;
    if (!in->n)
        rt_fail(RT_USAGE, "%s needs its input: --in FILE", f->name);
    if (in->n != f->nvalues)
        wrong_count(f, in->n);
    check_lengths(s, f, like);
    for (int i = 0; i < in->n; i++) {
        const char *path;
        int input = input_of(f, in->at[i], i, &path);
        if (paths[input])
            rt_fail(RT_USAGE, "--in gives input %s twice", f->inputs[input].name);
        paths[input] = path;
        parts[f->inputs[input].component] = read_input(s, path, f, input, like, form);
    }
    if (!data_zip(&view, parts, f->nvalues, &error))
        rt_raise(&error);
    sources_complete(s, f, &view);
    view_check(&view, f);
    for (int i = 0; i < f->nvalues; i++)
        data_view_free(&parts[i]);
    free(parts);
    free(paths);
    return view;
}

data_view sources_given(rt_sources *s, const rt_function *f, const rt_tree *t, rt_form form)
{
    if (s->options->in.n)
        return sources_in(s, f, t, form);
    if (s->options->lengths.n)
        rt_fail(RT_USAGE, "--lengths goes with --in\nthe program says where the lengths of its own "
                          "data are; --data NAME.lengths=FILE gives others");
    data_view view = sources_view(s, t, form);
    sources_complete(s, f, &view);
    return view;
}

/* ---- Numbers of steps ------------------------------------------------------------ */

/* Of --lengths, or the most there are for every sample. */
static void read_steps(rt_sources *s, data_array *array, const rt_function *f, int input,
                       int64_t samples)
{
    const rt_tensor *t = &f->inputs[input];
    const char *path = lengths_of(s, f, input);
    data_source source = {.path = path, .are_lengths = true};
    rt_error error;
    if (path) {
        if (!data_open(array, &source, &error) || !data_check_lengths(array, t->steps, &error))
            rt_raise(&error);
        return;
    }
    int32_t *steps = rt_alloc((size_t)samples, sizeof *steps);
    for (int64_t i = 0; i < samples; i++)
        steps[i] = (int32_t)t->steps;
    *array = data_borrow(t->name, DATA_I32, 1, &samples, steps);
    array->memory = steps;
}

void sources_complete(rt_sources *s, const rt_function *f, data_view *view)
{
    int n = f->ncomponents - f->nvalues;
    if (!n || view->ncomponents < f->nvalues)
        return;
    data_view *parts = rt_alloc((size_t)n + 1, sizeof *parts), all;
    rt_error error;
    parts[0] = *view;
    for (int i = f->nvalues; i < view->ncomponents; i++)
        free(view->components[i].runs);
    parts[0].ncomponents = f->nvalues;
    for (int i = 0; i < f->ninputs; i++) {
        int component = f->inputs[i].component;
        if (component < f->nvalues)
            continue;
        data_array *array = sources_keep(s, 1);
        read_steps(s, array, f, i, view->samples);
        parts[1 + component - f->nvalues] = data_view_of(array, NULL);
    }
    if (!data_zip(&all, parts, n + 1, &error))
        rt_raise(&error);
    for (int i = 0; i <= n; i++)
        data_view_free(&parts[i]);
    free(parts);
    *view = all;
}

void view_check(const data_view *view, const rt_function *f)
{
    rt_error error;
    if (view->ncomponents < f->ncomponents)
        rt_fail(RT_BAD_INPUT, "%s takes %d inputs, and its data has %d", f->name, f->ncomponents,
                view->ncomponents);
    for (int i = 0; i < f->ninputs; i++) {
        const rt_tensor *t = &f->inputs[i];
        data_input input = {t->name, t->rank, t->shape, t->integer, t->length >= 0};
        if (t->component >= 0 && !data_check(&view->components[t->component], &input, &error))
            rt_raise(&error);
    }
}
