/* Data trees of the descriptor as views. */
#include "rt.h"

#include <stdlib.h>
#include <string.h>

/* Arrays that views point into: files of --in, windows. */
typedef struct rt_kept {
    data_array *arrays;
    int n;
    int64_t skipped; /* series without a window */
    struct rt_kept *next;
} rt_kept;

data_array *sources_keep(rt_sources *s, int n)
{
    rt_kept *kept = rt_alloc(1, sizeof *kept);
    *kept = (rt_kept){rt_alloc((size_t)n, sizeof *kept->arrays), n, 0, s->kept};
    s->kept = kept;
    return kept->arrays;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* The FILE of `--data NAME=FILE` for a name, or NULL. */
static const char *replacement(const rt_options *o, const char *name)
{
    for (int i = o->data.n - 1; name && i >= 0; i--) {
        const char *equals = strchr(o->data.at[i], '=');
        size_t n = (size_t)(equals - o->data.at[i]);
        if (strlen(name) == n && !strncmp(name, o->data.at[i], n))
            return equals + 1;
    }
    return NULL;
}

/* "x.lengths", the name of the file with the lengths of data `x`; malloc'd. */
static char *name_of_lengths(const char *name)
{
    return name ? rt_text("%s.lengths", name) : NULL;
}

/* Ends the process unless the program declares data of this name. */
static void check_name(const rt_model *m, const char *given)
{
    const char **names = rt_alloc(2 * (size_t)m->nfiles + 1, sizeof *names);
    size_t n = 0;
    if (!strchr(given, '='))
        rt_fail(RT_USAGE, "--data takes NAME=FILE, not '%s'", given);
    if (!strchr(given, '=')[1])
        rt_fail(RT_USAGE, "--data %s: the name of a file is missing", given);
    char *name = strndup(given, strcspn(given, "="));
    bool known = false;
    for (int i = 0; i < m->nfiles; i++) {
        const rt_tree *file = &m->files[i];
        if (file->name)
            names[n++] = file->name;
        if (file->name && file->lengths)
            names[n++] = name_of_lengths(file->name); /* lives as long as the process */
    }
    for (size_t i = 0; i < n; i++)
        known = known || !strcmp(names[i], name);
    if (!known && !n)
        rt_fail(RT_USAGE, "--data %s: %s reads no files", given, m->source);
    const char *near = known ? NULL : rt_closest(name, names, n);
    if (!known)
        rt_fail(RT_USAGE, "--data %s: %s declares no data of this name\ndid you mean %s?", given,
                m->source, near ? near : names[0]);
    free(name);
    free(names);
}

void sources_open(rt_sources *s, const rt_model *m, const rt_options *o)
{
    for (int i = 0; i < o->data.n; i++)
        check_name(m, o->data.at[i]);
    *s = (rt_sources){.model = m, .options = o, .beside = folder_of(m->source)};
    s->arrays = rt_alloc((size_t)m->nfiles + 1, sizeof *s->arrays);
    s->opened = rt_alloc((size_t)m->nfiles + 1, sizeof *s->opened);
}

void sources_close(rt_sources *s)
{
    for (int i = 0; i < s->model->nfiles; i++)
        if (s->opened[i])
            data_close(&s->arrays[i]);
    for (rt_kept *next; s->kept; s->kept = next) {
        next = s->kept->next;
        for (int i = 0; i < s->kept->n; i++)
            data_close(&s->kept->arrays[i]);
        free(s->kept->arrays);
        free(s->kept);
    }
    free(s->arrays);
    free(s->opened);
    free(s->beside);
}

/* ---- Trees ---------------------------------------------------------------- */

/* Elements of a step of a file of sequences; 0: not known. */
static int64_t step_in(const rt_tree *file)
{
    return file->rank > 0 ? data_elements(file->rank - 1, file->shape + 1) : 0;
}

static void read_file(rt_sources *s, const rt_tree *t, data_array *array)
{
    const char *other = replacement(s->options, t->name);
    char *name = name_of_lengths(t->name);
    const char *lengths = t->lengths ? replacement(s->options, name) : NULL;
    data_source source = {.name = t->name,
                          .reader = other ? NULL : t->reader,
                          .path = other ? other : t->path,
                          .beside = s->beside,
                          .series = t->series,
                          .lengths = lengths ? lengths : t->lengths,
                          .step = step_in(t)};
    rt_error error;
    if (!data_open(array, &source, &error))
        rt_raise(&error);
    if (t->time >= 0 && !array->sequences && !data_set_equal(array, step_in(t), &error))
        rt_raise(&error);
    free(name);
}

static const data_array *open_file(rt_sources *s, const rt_tree *t)
{
    if (!s->opened[t->index])
        read_file(s, t, &s->arrays[t->index]);
    s->opened[t->index] = true;
    return &s->arrays[t->index];
}

_Noreturn void sources_cannot_scale(const char *data, rt_form form)
{
    rt_fail(RT_USAGE, "%s: only train and report blocks can apply the program's expression\n%s",
            data,
            form == SCALED ? "write a report block with reconstructions"
                           : "give --in FILE.npy of floats with what the network sees");
}

/* Functions of train and report blocks count classes with what a file holds. */
void sources_check_classes(const data_array *array, const rt_tree *file, rt_form form)
{
    rt_error error;
    if (form == AS_FILES_HOLD && file && file->classes > 0 &&
        !data_check_classes(array, file->classes, &error))
        rt_raise(&error);
}

/* Does what lies in the file have the declared shape? */
static void check_shape(const data_view *view, const data_array *array, const rt_tree *t)
{
    data_input declared = {t->name ? t->name : t->path, t->rank, t->shape,
                           .varying = t->time >= 0 && t->rank > 0};
    int64_t any[RT_MAX_RANK];
    rt_error error;
    if (t->rank < 0)
        return;
    if (t->time == 0 && t->rank > 0) {
        memcpy(any, t->shape, sizeof any);
        any[0] = array->dims[1];
        declared.dims = any;
    }
    if (!data_check(&view->components[0], &declared, &error))
        rt_raise(&error);
}

static data_view view_file(rt_sources *s, const rt_tree *t, rt_form form)
{
    if (form != AS_FILES_HOLD && t->opaque)
        sources_cannot_scale(t->name ? t->name : t->path, form);
    const data_array *array = open_file(s, t);
    data_view view = data_view_of(array, form != AS_FILES_HOLD ? &t->affine : &t->early);
    sources_check_classes(array, t, form);
    check_shape(&view, array, t);
    return view;
}

/* Were as many series of this file skipped before? */
static bool was_said(const rt_sources *s, const char *path, int64_t skipped)
{
    for (const rt_kept *kept = s->kept->next; kept; kept = kept->next)
        for (int i = 0; kept->skipped == skipped && i < kept->n; i++)
            if (!strcmp(kept->arrays[i].path, path))
                return true;
    return false;
}

/* Once for the same series; each part of a zip has as many. */
static void warn_skipped(rt_sources *s, const data_view *windows, int64_t length, int64_t skipped)
{
    for (int i = 0; i < windows->ncomponents; i++) {
        const char *path = windows->components[i].runs[0].array->path;
        if (!was_said(s, path, skipped))
            rt_warn("%s: %lld series shorter than a window of %lld steps: skipped", path,
                    (long long)skipped, (long long)length);
    }
}

data_view sources_windows(rt_sources *s, const rt_tree *t, const data_view *of)
{
    data_view view;
    rt_error error;
    int runs = 0;
    for (int i = 0; i < of->ncomponents; i++)
        runs += of->components[i].nruns;
    data_array *arrays = sources_keep(s, runs);
    if (!data_windows(&view, of, t->length, t->stride, arrays, &s->kept->skipped, &error))
        rt_raise(&error);
    if (s->kept->skipped)
        warn_skipped(s, &view, t->length, s->kept->skipped);
    return view;
}

static bool has_file(const rt_tree *t)
{
    bool any = t->kind == RT_FILE;
    for (int i = 0; i < t->nparts; i++)
        any = any || has_file(&t->parts[i]);
    return any;
}

/* What is drawn for each place has as many samples as what it stands beside. */
static void set_drawn(data_view *view, int64_t samples)
{
    view->samples = samples;
    for (int i = 0; i < view->ncomponents; i++)
        view->components[i].samples = samples;
}

static data_view view_parts(rt_sources *s, const rt_tree *t, rt_form form)
{
    data_view *parts = rt_alloc((size_t)t->nparts, sizeof *parts), view;
    rt_error error;
    int64_t samples = 1;
    for (int i = 0; i < t->nparts; i++) {
        parts[i] = sources_view(s, &t->parts[i], form);
        samples = has_file(&t->parts[i]) ? parts[i].samples : samples;
    }
    for (int i = 0; i < t->nparts; i++)
        if (!has_file(&t->parts[i]))
            set_drawn(&parts[i], samples);
    bool ok = t->kind == RT_ZIP      ? data_zip(&view, parts, t->nparts, &error)
              : t->kind == RT_CONCAT ? data_concat(&view, parts, t->nparts, &error)
                                     : data_split(&view, parts, t->name, t->last, t->rest, t->count,
                                                  t->fraction, &error);
    if (!ok)
        rt_raise(&error);
    for (int i = 0; i < t->nparts; i++)
        data_view_free(&parts[i]);
    free(parts);
    return view;
}

static data_view view_filter(rt_sources *s, const rt_tree *t, rt_form form)
{
    data_view of = sources_view(s, &t->parts[0], form);
    data_view by = sources_view(s, &t->parts[1], AS_FILES_HOLD), view;
    rt_error error;
    int runs = 0;
    for (int i = 0; i < of.ncomponents; i++)
        runs += of.components[i].nruns;
    if (!data_filter(&view, &of, &by, t->keep, t->nkeep, sources_keep(s, runs), &error))
        rt_raise(&error);
    data_view_free(&of);
    data_view_free(&by);
    return view;
}

static data_view view_windows(rt_sources *s, const rt_tree *t, rt_form form)
{
    data_view of = sources_view(s, &t->parts[0], form);
    data_view view = sources_windows(s, t, &of);
    data_view_free(&of);
    return view;
}

data_view sources_view(rt_sources *s, const rt_tree *t, rt_form form)
{
    return t->kind == RT_FILE      ? view_file(s, t, form)
           : t->kind == RT_REPLAY  ? replay_view(s->model, t, 1)
           : t->kind == RT_WINDOWS ? view_windows(s, t, form)
           : t->kind == RT_FILTER  ? view_filter(s, t, form)
                                   : view_parts(s, t, form);
}
