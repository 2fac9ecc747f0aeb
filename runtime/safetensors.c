/* Weights as .safetensors: 8 bytes of header length, a JSON header, the data.
 * What is saved is params and states, in the order of the program, in their
 * natural shapes; equal weights are equal files. What is read is not trusted:
 * every size is checked against the file, the tensors must cover the data
 * exactly, and nothing is copied before all of it is known to fit. */
#define _GNU_SOURCE
#include "rt.h"

#include "atomic.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 100000000 };

static bool saved(const rt_var *v)
{
    return !v->borrowed && (v->kind == RT_PARAM || (v->kind == RT_STATE && !v->each_epoch));
}

/* ---- Writing -------------------------------------------------------------- */

static json_t *header_of(const rt_model *m)
{
    json_t *header = json_object();
    int64_t at = 0;
    for (int i = 0; i < m->nvars; i++) {
        const rt_tensor *t = &m->vars[i].tensor;
        if (!saved(&m->vars[i]))
            continue;
        json_t *shape = json_array();
        for (int d = 0; d < t->rank; d++)
            json_array_append_new(shape, json_integer(t->shape[d]));
        json_object_set_new(header, t->name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", t->integer ? "I32" : "F32",
                                      "shape", shape, "data_offsets", (json_int_t)at,
                                      (json_int_t)(at + 4 * t->elements)));
        at += 4 * t->elements;
    }
    return header;
}

static void write_header(const rt_model *m, FILE *stream)
{
    json_t *header = header_of(m);
    char *text = json_dumps(header, JSON_COMPACT);
    uint64_t length = strlen(text), padded = (length + 7) / 8 * 8;
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(padded >> 8 * i);
    fwrite(bytes, 1, 8, stream);
    fprintf(stream, "%s%*s", text, (int)(padded - length), "");
    free(text);
    json_decref(header);
}

bool weights_save(const rt_machine *machine, const char *path, rt_error *error)
{
    const rt_model *m = machine->model;
    atomic_file file;
    if (!atomic_open(&file, path, error))
        return false;
    write_header(m, file.stream);
    for (int i = 0; i < m->nvars; i++) {
        const rt_tensor *t = &m->vars[i].tensor;
        const char *at = machine->memory + t->offset;
        for (int64_t e = 0; saved(&m->vars[i]) && e < t->elements; e++)
            fwrite(at + 4 * tensor_place(t, e), 4, 1, file.stream);
    }
    return atomic_commit(&file, error);
}

/* ---- Reading -------------------------------------------------------------- */

/* Which vars a file is read for: the program's own, or those that an imported
 * program has in it, all of them or the ones that no step changes. */
typedef struct part {
    int from; /* -1: its own */
    bool borrowed;
} part;

static bool wanted(const rt_var *v, part p)
{
    if (p.from < 0)
        return saved(v);
    return v->from == p.from && (v->borrowed || (!p.borrowed && saved(v)));
}

typedef struct entry {
    const char *name, *dtype;
    const json_t *shape;
    int64_t begin, end;
} entry;

typedef struct file {
    const char *path;
    unsigned char *bytes;
    size_t size, data; /* data: where it starts */
    json_t *header;
    entry *entries;
    int n;
} file;

static int width_of(const char *dtype)
{
    static const struct {
        const char *name;
        int width;
    } types[] = {
        {"F32", 4},  {"I32", 4}, {"F64", 8}, {"I64", 8},     {"F16", 2},
        {"BF16", 2}, {"I16", 2}, {"U16", 2}, {"I8", 1},      {"U8", 1},
        {"BOOL", 1}, {"U32", 4}, {"U64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, dtype))
            return types[i].width;
    return 0;
}

/* Bytes of a tensor; -1 when the shape is no shape or too large. */
static int64_t bytes_of(const json_t *shape, int width)
{
    int64_t bytes = width;
    if (!json_is_array(shape))
        return -1;
    for (size_t d = 0; d < json_array_size(shape); d++) {
        const json_t *n = json_array_get(shape, d);
        if (!json_is_integer(n) || json_integer_value(n) < 0 ||
            __builtin_mul_overflow(bytes, (int64_t)json_integer_value(n), &bytes))
            return -1;
    }
    return bytes;
}

static bool read_entry(file *f, const char *name, const json_t *object, rt_error *error)
{
    const char *dtype = json_string_value(json_object_get(object, "dtype"));
    const json_t *shape = json_object_get(object, "shape");
    const json_t *offsets = json_object_get(object, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (!dtype || json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return rt_set(error, RT_BAD_INPUT,
                      "%s: tensor %s lacks a dtype, a shape or two data_offsets", f->path, name);
    entry e = {name, dtype, shape, json_integer_value(begin), json_integer_value(end)};
    if (!width_of(dtype))
        return rt_set(error, RT_BAD_INPUT, "%s: tensor %s has the unknown dtype %s", f->path, name,
                      dtype);
    if (e.begin < 0 || e.end < e.begin || (uint64_t)e.end > f->size - f->data)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: tensor %s is said to be at bytes %lld to %lld of %zu", f->path, name,
                      (long long)e.begin, (long long)e.end, f->size - f->data);
    if (bytes_of(shape, width_of(dtype)) != e.end - e.begin)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the shape of tensor %s does not agree with its %lld bytes", f->path,
                      name, (long long)(e.end - e.begin));
    f->entries[f->n++] = e;
    return true;
}

static int by_begin(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* No overlap, no hole, nothing after the last. */
static bool check_cover(file *f, rt_error *error)
{
    int64_t at = 0;
    qsort(f->entries, (size_t)f->n, sizeof *f->entries, by_begin);
    for (int i = 0; i < f->n; i++) {
        const entry *e = &f->entries[i];
        if (e->begin != at)
            return rt_set(error, RT_BAD_INPUT, "%s: tensor %s begins at byte %lld, %s %lld",
                          f->path, e->name, (long long)e->begin,
                          e->begin < at ? "inside the one that ends at"
                                        : "and the one before ends at",
                          (long long)at);
        at = e->end;
    }
    if ((uint64_t)at != f->size - f->data)
        return rt_set(error, RT_BAD_INPUT, "%s: %lld bytes follow the last tensor", f->path,
                      (long long)(f->size - f->data) - (long long)at);
    return true;
}

static bool read_header(file *f, rt_error *error)
{
    uint64_t length = 0;
    json_error_t json;
    const char *key;
    json_t *value;
    for (int i = 7; f->size >= 8 && i >= 0; i--)
        length = length << 8 | f->bytes[i];
    if (f->size < 8 || length > MAX_HEADER || length > f->size - 8)
        return rt_set(error, RT_BAD_INPUT, "%s: not a .safetensors file, or cut off (%zu bytes)",
                      f->path, f->size);
    f->header = json_loadb((char *)f->bytes + 8, length, JSON_REJECT_DUPLICATES, &json);
    if (!json_is_object(f->header) || f->bytes[8] != '{')
        return rt_set(error, RT_BAD_INPUT, "%s: bad .safetensors header: %s", f->path,
                      f->header ? "it is no JSON object" : json.text);
    f->data = 8 + length;
    f->entries = rt_alloc(json_object_size(f->header) + 1, sizeof *f->entries);
    json_object_foreach(f->header, key, value) if (strcmp(key, "__metadata__") &&
                                                   !read_entry(f, key, value, error)) return false;
    return check_cover(f, error);
}

static const entry *find(const file *f, const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->entries[i].name, name))
            return &f->entries[i];
    return NULL;
}

static bool same_shape(const rt_tensor *t, const entry *e)
{
    if ((int)json_array_size(e->shape) != t->rank)
        return false;
    for (int d = 0; d < t->rank; d++)
        if (json_integer_value(json_array_get(e->shape, (size_t)d)) != t->shape[d])
            return false;
    return true;
}

static bool check_values(const file *f, const rt_tensor *t, const entry *e, rt_error *error)
{
    for (int64_t i = 0; !t->integer && i < t->elements; i++) {
        float x;
        memcpy(&x, f->bytes + f->data + e->begin + 4 * i, 4);
        if (!isfinite(x))
            return rt_set(error, RT_BAD_INPUT, "%s: element %lld of %s is %f", f->path,
                          (long long)i, t->name, (double)x);
    }
    return true;
}

static bool check_var(const file *f, const rt_model *m, const rt_var *v, rt_error *error)
{
    const rt_tensor *t = &v->tensor;
    const entry *e = find(f, t->name);
    const char *dtype = t->integer ? "I32" : "F32";
    char expected[128];
    if (!e && v->kind == RT_STATE) {
        rt_warn("%s: no tensor %s; its initial value stays", f->path, t->name);
        return true;
    }
    if (!e)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: no tensor %s\nthese are the weights of another model than %s", f->path,
                      t->name, m->name);
    data_shape_text(expected, sizeof expected, t->rank, t->shape);
    if (strcmp(e->dtype, dtype))
        return rt_set(error, RT_BAD_INPUT, "%s: tensor %s is %s, expected %s", f->path, t->name,
                      e->dtype, dtype);
    if (!same_shape(t, e)) {
        char *given = json_dumps(e->shape, JSON_ENCODE_ANY);
        rt_set(error, RT_BAD_INPUT,
               "%s: tensor %s is %s, expected %s\nthese are the weights of another model than %s",
               f->path, t->name, given, expected, m->name);
        free(given);
        return false;
    }
    return check_values(f, t, e, error);
}

/* What an imported program has besides, its other networks, is left alone. */
static bool check_all(const file *f, const rt_model *m, part p, rt_error *error)
{
    for (int i = 0; i < m->nvars; i++)
        if (wanted(&m->vars[i], p) && !check_var(f, m, &m->vars[i], error))
            return false;
    for (int i = 0; p.from < 0 && i < f->n; i++) {
        bool known = false;
        for (int v = 0; v < m->nvars && !known; v++)
            known = saved(&m->vars[v]) && !strcmp(m->vars[v].tensor.name, f->entries[i].name);
        if (!known)
            return rt_set(error, RT_BAD_INPUT,
                          "%s: %s has no variable for tensor %s\n"
                          "these are the weights of another model",
                          f->path, m->name, f->entries[i].name);
    }
    return true;
}

static void copy_all(const file *f, rt_machine *machine, part p)
{
    const rt_model *m = machine->model;
    for (int i = 0; i < m->nvars; i++) {
        const rt_tensor *t = &m->vars[i].tensor;
        const entry *e = wanted(&m->vars[i], p) ? find(f, t->name) : NULL;
        char *to = machine->memory + t->offset;
        for (int64_t k = 0; e && k < t->elements; k++)
            memcpy(to + 4 * tensor_place(t, k), f->bytes + f->data + e->begin + 4 * k, 4);
    }
}

static bool load(rt_machine *machine, const char *path, part p, rt_error *error)
{
    file f = {.path = path};
    f.bytes = data_slurp(path, &f.size, error);
    if (!f.bytes)
        return false;
    bool ok = read_header(&f, error) && check_all(&f, machine->model, p, error);
    if (ok)
        copy_all(&f, machine, p);
    json_decref(f.header);
    free(f.entries);
    free(f.bytes);
    return ok;
}

bool weights_load(rt_machine *machine, const char *path, rt_error *error)
{
    return load(machine, path, (part){.from = -1}, error);
}

/* ---- Weights of imported programs ------------------------------------------- */

static bool any_wanted(const rt_model *m, part p)
{
    for (int i = 0; i < m->nvars; i++)
        if (wanted(&m->vars[i], p))
            return true;
    return false;
}

/* Does a step go on from what the file has? */
static bool is_changed(const rt_model *m, int from)
{
    for (int i = 0; i < m->nvars; i++)
        if (m->vars[i].from == from && !m->vars[i].borrowed)
            return true;
    return false;
}

/* Beside the program, too, as its data. */
static char *find_weights(const rt_model *m, int from, rt_error *error)
{
    const char *slash = strrchr(m->source, '/');
    char *beside = slash ? strndup(m->source, (size_t)(slash - m->source) + 1) : strdup(".");
    data_source source = {.path = m->weights[from], .beside = beside};
    char *path = data_find(&source, error);
    free(beside);
    return path;
}

/* The place, and that the other program has to be trained first. */
static _Noreturn void not_there(const rt_machine *machine, int from)
{
    rt_error error;
    find_weights(machine->model, from, &error);
    *strchrnul(error.text, '\n') = '\0';
    rt_fail(RT_BAD_INPUT, "%s\nthe trainer of the program that %s imports writes it", error.text,
            machine->model->source);
}

void weights_import(rt_machine *machine, bool first)
{
    rt_error error;
    for (int i = 0; i < machine->model->nweights; i++) {
        part p = {.from = i, .borrowed = !first};
        if (!any_wanted(machine->model, p))
            continue;
        char *path = find_weights(machine->model, i, &error);
        if (path && !load(machine, path, p, &error))
            rt_raise(&error);
        if (!path)
            machine->missing |= (uint64_t)1 << i;
        if (!path && first && is_changed(machine->model, i))
            not_there(machine, i);
        free(path);
    }
}

void weights_check(const rt_machine *machine, const rt_function *f)
{
    uint64_t missing = machine->missing & f->borrows;
    if (missing)
        not_there(machine, __builtin_ctzll(missing));
}

void weights_need(rt_machine *machine, const rt_options *o)
{
    char *path = rt_text("%s.safetensors", machine->model->name);
    rt_error error;
    machine_init(machine);
    if (!o->weights) {
        FILE *there = fopen(path, "rb");
        if (!there)
            rt_fail(RT_BAD_INPUT,
                    "no weights: %s is not here\n"
                    "train first (`%s`), or name a file with --weights FILE",
                    path, rt_name());
        fclose(there);
    }
    if (!weights_load(machine, o->weights ? o->weights : path, &error))
        rt_raise(&error);
    weights_import(machine, false);
    free(path);
}
