/* Data trees of the descriptor, and files of the command line, as views. */
#define _GNU_SOURCE
#include "rt.h"

#include <stdlib.h>
#include <string.h>

/* A file of --in; views borrow its array. */
typedef struct rt_input {
    data_array array;
    struct rt_input *next;
} rt_input;

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

/* Ends the process unless the program declares data of this name. */
static void check_name(const rt_model *m, const char *given)
{
    const char **names = rt_alloc((size_t)m->nfiles + 1, sizeof *names);
    size_t n = 0;
    if (!strchr(given, '='))
        rt_fail(RT_USAGE, "--data takes NAME=FILE, not '%s'", given);
    char *name = strndup(given, strcspn(given, "="));
    bool known = false;
    for (int i = 0; i < m->nfiles; i++)
        if (m->files[i].name) {
            names[n++] = m->files[i].name;
            known = known || !strcmp(m->files[i].name, name);
        }
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
    for (rt_input *next; s->inputs; s->inputs = next) {
        next = s->inputs->next;
        data_close(&s->inputs->array);
        free(s->inputs);
    }
    free(s->arrays);
    free(s->opened);
    free(s->beside);
}

/* ---- Trees ---------------------------------------------------------------- */

static const data_array *open_file(rt_sources *s, const rt_tree *t)
{
    data_array *array = &s->arrays[t->index];
    if (s->opened[t->index])
        return array;
    const char *other = replacement(s->options, t->name);
    data_source source = {t->name, other ? NULL : t->reader, other ? other : t->path, s->beside};
    rt_error error;
    if (!data_open(array, &source, &error))
        rt_raise(&error);
    s->opened[t->index] = true;
    return array;
}

static _Noreturn void cannot_scale(const char *data, rt_form form)
{
    rt_fail(RT_USAGE, "%s: only train and report blocks can apply the program's expression\n%s",
            data,
            form == SCALED ? "write a report block with reconstructions"
                           : "give --in FILE.npy of floats with what the network sees");
}

/* Functions of train and report blocks count classes with what a file holds. */
static void check_classes(const data_array *array, const rt_tree *file, rt_form form)
{
    rt_error error;
    if (form == AS_FILES_HOLD && file && file->classes > 0 &&
        !data_check_classes(array, file->classes, &error))
        rt_raise(&error);
}

static data_view view_file(rt_sources *s, const rt_tree *t, rt_form form)
{
    if (form != AS_FILES_HOLD && t->opaque)
        cannot_scale(t->name ? t->name : t->path, form);
    data_view view = data_view_of(open_file(s, t), form != AS_FILES_HOLD ? &t->affine : NULL);
    rt_error error;
    check_classes(open_file(s, t), t, form);
    data_input declared = {t->name ? t->name : t->path, t->rank, t->shape, false, false};
    if (t->rank >= 0 && !data_check(&view.components[0], &declared, &error))
        rt_raise(&error);
    return view;
}

static data_view view_parts(rt_sources *s, const rt_tree *t, rt_form form)
{
    data_view *parts = rt_alloc((size_t)t->nparts, sizeof *parts), view;
    rt_error error;
    for (int i = 0; i < t->nparts; i++)
        parts[i] = sources_view(s, &t->parts[i], form);
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

data_view sources_view(rt_sources *s, const rt_tree *t, rt_form form)
{
    return t->kind == RT_FILE ? view_file(s, t, form) : view_parts(s, t, form);
}

/* ---- Files of the command line -------------------------------------------- */

/* File `*skip` among the components of a tree, in their order. */
static const rt_tree *component(const rt_tree *t, int *skip)
{
    if (t->kind == RT_FILE)
        return (*skip)-- ? NULL : t;
    int parts = t->kind == RT_CONCAT ? 1 : t->nparts;
    for (int i = 0; i < parts; i++) {
        const rt_tree *found = component(&t->parts[i], skip);
        if (found)
            return found;
    }
    return NULL;
}

static bool is_npy_of_floats(const data_array *array)
{
    size_t n = strlen(array->path);
    return n > 4 && !strcmp(array->path + n - 4, ".npy") &&
           (array->type == DATA_F32 || array->type == DATA_F64);
}

/* How `like` scales component i, if the form asks for it; else NULL. */
static const data_affine *scaling(const data_array *array, const rt_tree *like, int i, rt_form form)
{
    if (!like || form == AS_FILES_HOLD || (form == SCALED_BUT_NPY && is_npy_of_floats(array)))
        return NULL;
    const rt_tree *file = component(like, &i);
    if (file && file->opaque)
        cannot_scale(array->path, form);
    return file ? &file->affine : NULL;
}

/* Which input an argument of --in names: by "NAME=", else by its place. */
static int input_of(const rt_function *f, const char *given, int place, const char **path)
{
    size_t n = strcspn(given, "=");
    *path = given;
    for (int i = 0; given[n] && i < f->ninputs; i++)
        if (f->inputs[i].name && strlen(f->inputs[i].name) == n &&
            !strncmp(f->inputs[i].name, given, n)) {
            *path = given + n + 1;
            return i;
        }
    return place;
}

static data_view read_input(rt_sources *s, const char *path, const rt_tree *like, int i,
                            rt_form form)
{
    rt_input *input = rt_alloc(1, sizeof *input);
    data_source source = {NULL, NULL, path, NULL};
    rt_error error;
    if (!data_open(&input->array, &source, &error))
        rt_raise(&error);
    int at = i;
    check_classes(&input->array, like ? component(like, &at) : NULL, form);
    input->next = s->inputs;
    s->inputs = input;
    return data_view_of(&input->array, scaling(&input->array, like, i, form));
}

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
    for (int i = 0; i < f->ninputs && n < sizeof names; i++)
        if (f->inputs[i].name)
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "",
                                  f->inputs[i].name);
    rt_fail(RT_USAGE, "%s takes %d input%s%s%s%s, and --in gives %d\nrepeat --in for each of them",
            shown_name(f, own), f->ninputs, f->ninputs == 1 ? "" : "s", n ? " (" : "", names,
            n ? ")" : "", given);
}

data_view sources_in(rt_sources *s, const rt_function *f, const rt_tree *like, rt_form form)
{
    const rt_list *in = &s->options->in;
    const char **paths = rt_alloc((size_t)f->ninputs + 1, sizeof *paths);
    data_view *parts = rt_alloc((size_t)f->ninputs + 1, sizeof *parts), view;
    rt_error error;
    if (!in->n)
        rt_fail(RT_USAGE, "%s needs its input: --in FILE", f->name);
    if (in->n != f->ninputs)
        wrong_count(f, in->n);
    for (int i = 0; i < in->n; i++) {
        const char *path;
        int input = input_of(f, in->at[i], i, &path);
        if (paths[input])
            rt_fail(RT_USAGE, "--in gives input %s twice", f->inputs[input].name);
        paths[input] = path;
        parts[input] = read_input(s, path, like, input, form);
    }
    if (!data_zip(&view, parts, f->ninputs, &error))
        rt_raise(&error);
    view_check(&view, f);
    for (int i = 0; i < f->ninputs; i++)
        data_view_free(&parts[i]);
    free(parts);
    free(paths);
    return view;
}

data_view sources_given(rt_sources *s, const rt_function *f, const rt_tree *t, rt_form form)
{
    return s->options->in.n ? sources_in(s, f, t, form) : sources_view(s, t, form);
}

void view_check(const data_view *view, const rt_function *f)
{
    rt_error error;
    if (view->ncomponents < f->ninputs)
        rt_fail(RT_BAD_INPUT, "%s takes %d inputs, and its data has %d", f->name, f->ninputs,
                view->ncomponents);
    for (int i = 0; i < f->ninputs; i++) {
        const rt_tensor *t = &f->inputs[i];
        data_input input = {t->name, t->rank, t->shape, t->integer, false};
        if (!data_check(&view->components[i], &input, &error))
            rt_raise(&error);
    }
}
