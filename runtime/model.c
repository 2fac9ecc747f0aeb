/* The descriptor of generated code (its JSON is in aecc_rt.h) as structures.
 * aecc wrote it: whatever is missing here is a defect of aecc. */
#include "rt.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void rt_defect(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rt_error error;
    rt_set(&error, RT_DEFECT, "%s", text);
    rt_raise(&error);
}

/* ---- Fields --------------------------------------------------------------- */

static json_t *field(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        rt_defect("the descriptor lacks \"%s\"", key);
    return value;
}

static int64_t whole(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(field(object, key));
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(field(object, key));
}

static bool flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* NULL for null. The document lives as long as the process. */
static const char *text(const json_t *object, const char *key)
{
    return json_string_value(field(object, key));
}

static int list(const json_t *object, const char *key, int64_t out[RT_MAX_RANK])
{
    const json_t *array = field(object, key);
    size_t n = json_array_size(array);
    if (n > RT_MAX_RANK)
        rt_defect("\"%s\" has %zu dimensions", key, n);
    for (size_t i = 0; i < n; i++)
        out[i] = (int64_t)json_integer_value(json_array_get(array, i));
    return (int)n;
}

/* "key": [ … ] as an array of structures, each filled by `read`. */
static void *array(const json_t *object, const char *key, size_t size, int *n,
                   void (*read)(void *, const json_t *))
{
    const json_t *items = field(object, key);
    *n = (int)json_array_size(items);
    char *out = rt_alloc((size_t)(*n ? *n : 1), size);
    for (int i = 0; i < *n; i++)
        read(out + (size_t)i * size, json_array_get(items, (size_t)i));
    return out;
}

static int choice(const json_t *object, const char *key, const char *const *names, int n)
{
    const char *name = text(object, key);
    for (int i = 0; i < n; i++)
        if (name && !strcmp(name, names[i]))
            return i;
    rt_defect("\"%s\" is %s", key, name ? name : "null");
}

/* A function's index, -1 for null. */
static int function_index(const json_t *object, const char *key)
{
    return json_is_null(field(object, key)) ? -1 : (int)whole(object, key);
}

/* ---- Parts ---------------------------------------------------------------- */

/* -1 where the key is missing. */
static int64_t optional(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
}

static void read_tensor(void *out, const json_t *object)
{
    rt_tensor *t = out;
    t->name = text(object, "name");
    t->integer = !strcmp(text(object, "type"), "i32");
    t->batch = flag(object, "batch");
    t->scratch = flag(object, "scratch");
    t->rank = list(object, "shape", t->shape);
    list(object, "strides", t->strides);
    t->elements = 1;
    t->dense = true;
    for (int i = t->rank - 1; i >= 0; i--) {
        t->dense = t->dense && (t->strides[i] == t->elements || t->shape[i] == 1);
        t->elements *= t->shape[i];
    }
    t->offset = whole(object, "offset");
    t->row = json_object_get(object, "row") ? whole(object, "row") : 0;
    t->length = (int)optional(object, "length");
    t->length_of = (int)optional(object, "length_of");
    t->steps = optional(object, "steps") > 0 ? optional(object, "steps") : 0;
    t->classes = json_integer_value(json_object_get(object, "classes"));
    t->component = -1;
}

static void read_var(void *out, const json_t *object)
{
    static const char *const kinds[] = {"param", "state", "slot", "count"};
    rt_var *v = out;
    read_tensor(&v->tensor, object);
    v->kind = (rt_var_kind)choice(object, "kind", kinds, 4);
    v->bytes = whole(object, "bytes");
    v->each_epoch = flag(object, "each_epoch");
    v->from = (int)optional(object, "from");
    v->borrowed = flag(object, "borrowed");
}

static void read_kernel(void *out, const json_t *object)
{
    static const char *const kinds[] = {"load", "block", "chunk", "join", "unit"};
    int64_t bytes[RT_MAX_RANK] = {0};
    rt_kernel *k = out;
    k->name = text(object, "name");
    k->layer = text(object, "layer");
    k->each_sample = flag(object, "each_sample");
    k->line = (int)whole(object, "line");
    k->flops = number(object, "flops");
    k->kind = (rt_kernel_kind)choice(object, "kind", kinds, 5);
    list(object, "bytes", bytes);
    k->bytes[0] = bytes[0];
    k->bytes[1] = bytes[1];
    k->updates = whole(object, "updates");
    k->lengths = -1;
    if (json_object_get(object, "trips")) {
        int64_t trips[RT_MAX_RANK] = {0};
        list(object, "trips", trips);
        k->lengths = (int)trips[0];
        k->steps = trips[1];
        k->stretch = trips[2];
    }
}

/* Which component of a view each input takes; which outputs are results. */
static void number_tensors(rt_function *f)
{
    for (int i = 0; i < f->ninputs; i++) {
        rt_tensor *t = &f->inputs[i];
        if (t->length_of >= f->ninputs)
            rt_defect("%s, input %d: the length of input %d", f->name, i, t->length_of);
        if (t->length_of >= 0)
            f->inputs[t->length_of].length = i;
        else if (!t->steps)
            t->component = f->nvalues++;
    }
    f->ncomponents = f->nvalues;
    for (int i = 0; i < f->ninputs; i++)
        if (f->inputs[i].steps && f->inputs[i].length_of < 0)
            f->inputs[i].component = f->ncomponents++;
    f->nresults = f->noutputs;
    for (int i = 0; i < f->noutputs; i++) {
        int length = f->outputs[i].length;
        if (length >= f->noutputs)
            rt_defect("%s, output %d: its length in output %d", f->name, i, length);
        if (length >= 0 && length < f->nresults)
            f->nresults = length;
    }
}

static void read_borrows(rt_function *f, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        f->borrows |= (uint64_t)1 << (json_integer_value(json_array_get(list, i)) & 63);
}

static void read_function(void *out, const json_t *object)
{
    rt_function *f = out;
    f->name = text(object, "name");
    f->chunk = whole(object, "chunk");
    f->shared_blocks = whole(object, "shared_blocks");
    f->scratch_bytes = whole(object, "scratch_bytes");
    f->part_bytes = whole(object, "part_bytes");
    f->inputs = array(object, "inputs", sizeof *f->inputs, &f->ninputs, read_tensor);
    f->outputs = array(object, "outputs", sizeof *f->outputs, &f->noutputs, read_tensor);
    f->kernels = array(object, "kernels", sizeof *f->kernels, &f->nkernels, read_kernel);
    f->single = function_index(object, "single");
    read_borrows(f, json_object_get(object, "borrows"));
    number_tensors(f);
}

static data_affine affine_of(const json_t *list)
{
    return (data_affine){
        .divide = (float)json_number_value(json_array_get(list, 0)),
        .multiply = (float)json_number_value(json_array_get(list, 1)),
        .add = (float)json_number_value(json_array_get(list, 2)),
    };
}

static void read_file(rt_tree *t, const json_t *object)
{
    t->index = (int)whole(object, "index");
    t->reader = text(object, "reader");
    t->path = text(object, "path");
    if (!json_is_null(field(object, "shape")))
        t->rank = list(object, "shape", t->shape);
    t->time = optional(object, "time");
    t->lengths = json_string_value(json_object_get(object, "lengths"));
    t->series = json_string_value(json_object_get(object, "series"));
    t->classes = json_integer_value(json_object_get(object, "classes"));
    const json_t *affine = field(object, "affine"), *early = json_object_get(object, "early");
    t->opaque = !json_is_array(affine);
    if (!t->opaque)
        t->affine = affine_of(affine);
    t->early = early ? affine_of(early) : (data_affine){1, 1, 0};
}

static void read_number(void *out, const json_t *object)
{
    *(double *)out = json_number_value(object);
}

static void read_tree(void *out, const json_t *object);

/* The one part of a tree. */
static void read_of(rt_tree *t, const json_t *object)
{
    t->nparts = 1;
    t->parts = rt_alloc(1, sizeof *t->parts);
    read_tree(t->parts, field(object, "of"));
}

static void read_tree(void *out, const json_t *object)
{
    static const char *const kinds[] = {"file",    "split",  "zip",   "concat",
                                        "windows", "filter", "replay"};
    rt_tree *t = out;
    t->kind = (rt_tree_kind)choice(object, "kind", kinds, 7);
    t->name = text(object, "name");
    t->rank = -1;
    if (t->kind == RT_FILE) {
        read_file(t, object);
    } else if (t->kind == RT_REPLAY) {
        t->index = (int)whole(object, "index");
    } else if (t->kind == RT_WINDOWS) {
        read_of(t, object);
        t->length = whole(object, "length");
        t->stride = whole(object, "stride");
    } else if (t->kind == RT_SPLIT) {
        read_of(t, object);
        t->last = flag(object, "last");
        t->rest = flag(object, "rest");
        t->count = json_integer_value(json_object_get(object, "count"));
        t->fraction = json_number_value(json_object_get(object, "fraction"));
    } else {
        t->parts = array(object, "parts", sizeof *t->parts, &t->nparts, read_tree);
    }
    if (t->kind == RT_FILTER)
        t->keep = array(object, "keep", sizeof *t->keep, &t->nkeep, read_number);
}

/* NULL for null. */
static rt_tree *tree(const json_t *object, const char *key)
{
    const json_t *value = field(object, key);
    if (json_is_null(value))
        return NULL;
    rt_tree *t = rt_alloc(1, sizeof *t);
    read_tree(t, value);
    return t;
}

static void read_layer(void *out, const json_t *object)
{
    rt_layer *l = out;
    l->name = text(object, "name");
    l->type = text(object, "type");
    l->rank = list(object, "output", l->output);
    l->params = whole(object, "params");
    l->untrained = whole(object, "untrained");
}

static void read_network(void *out, const json_t *object)
{
    rt_network *n = out;
    n->name = text(object, "name");
    n->function = function_index(object, "function");
    n->layers = array(object, "layers", sizeof *n->layers, &n->nlayers, read_layer);
}

static void read_step(void *out, const json_t *object)
{
    rt_step *s = out;
    s->name = text(object, "name");
    s->function = function_index(object, "function");
    s->repeat = whole(object, "repeat");
    s->fresh = flag(object, "fresh");
    s->joined = function_index(object, "joined");
    s->output = (int)whole(object, "output");
}

static void read_replay(void *out, const json_t *object)
{
    rt_replay *r = out;
    r->function = function_index(object, "function");
    r->size = whole(object, "size");
}

static void read_replays(rt_model *m, const json_t *root)
{
    if (!json_object_get(root, "replays"))
        return;
    m->replays = array(root, "replays", sizeof *m->replays, &m->nreplays, read_replay);
    for (int i = 0; i < m->nreplays; i++) {
        rt_replay *r = &m->replays[i];
        r->elements = m->functions[r->function].outputs[0].elements;
        r->samples = rt_alloc((size_t)(r->size * r->elements), sizeof *r->samples);
    }
}

static void read_pair(void *out, const json_t *object)
{
    struct rt_pair *pair = out;
    pair->generator = (int)json_integer_value(json_array_get(object, 0));
    pair->discriminator = (int)json_integer_value(json_array_get(object, 1));
}

static void read_train(void *out, const json_t *object)
{
    rt_train *t = out;
    t->data = tree(object, "data");
    t->validation = tree(object, "validation");
    t->objective = function_index(object, "objective");
    t->steps = array(object, "steps", sizeof *t->steps, &t->nsteps, read_step);
    t->epochs = whole(object, "epochs");
    t->batch = whole(object, "batch");
    t->drop_last = flag(object, "drop_last");
    t->in_order = flag(object, "in_order");
    t->watched = flag(object, "watched");
    t->watch = (int)optional(object, "watch");
    if (t->watch >= 0)
        t->pairs = array(object, "pairs", sizeof *t->pairs, &t->npairs, read_pair);
}

static void read_path(void *out, const json_t *path)
{
    *(const char **)out = json_string_value(path);
}

static void read_report(void *out, const json_t *object)
{
    rt_report *r = out;
    r->kind = text(object, "kind");
    r->data = tree(object, "data");
    r->function = function_index(object, "function");
    const json_t *options = field(object, "options");
    const json_t *count = json_object_get(options, "count");
    const json_t *bits = json_object_get(options, "bits");
    const json_t *every = json_object_get(options, "every");
    r->first = json_object_get(object, "first") ? (int)whole(object, "first") : 0;
    r->count = count ? atoll(json_string_value(count)) : 0;
    r->bits = bits ? atoll(json_string_value(bits)) : 0;
    r->every = every ? atoll(json_string_value(every)) : 0;
    r->epochs = json_string_value(json_object_get(options, "epochs"));
    r->name = json_string_value(json_object_get(options, "name"));
}

static void read_reconstruct(rt_model *m, const json_t *root)
{
    const json_t *object = field(root, "reconstruct");
    m->reconstruct = -1;
    if (json_is_null(object))
        return;
    m->reconstruct = function_index(object, "function");
    m->reconstruct_scaled = flag(object, "scaled");
    m->reconstruct_data = tree(object, "data");
}

static int var_of(const rt_model *m, const char *name)
{
    for (int i = 0; i < m->nvars; i++)
        if (name && !strcmp(m->vars[i].tensor.name, name))
            return i;
    return -1;
}

/* Names to places; packed vars are not among the model's. */
static void read_updates(rt_model *m, const json_t *functions)
{
    for (int i = 0; i < m->nfunctions; i++) {
        const json_t *names = json_object_get(json_array_get(functions, (size_t)i), "updates");
        rt_function *f = &m->functions[i];
        f->updates = rt_alloc(json_array_size(names) + 1, sizeof *f->updates);
        for (size_t k = 0; k < json_array_size(names); k++) {
            int v = var_of(m, json_string_value(json_array_get(names, k)));
            if (v >= 0)
                f->updates[f->nupdates++] = v;
        }
    }
}

/* ---- The whole ------------------------------------------------------------ */

rt_model *model_read(const char *descriptor, const aecc_variant *code)
{
    json_error_t error;
    json_t *root = json_loads(descriptor, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        rt_defect("the descriptor, line %d: %s", error.line, error.text);
    rt_model *m = rt_alloc(1, sizeof *m);
    m->document = root;
    m->name = text(root, "name");
    m->source = text(root, "source");
    m->hash = text(root, "hash");
    m->cpu = code->cpu;
    m->fixed_bytes = whole(root, "fixed_bytes");
    m->block_bytes = whole(root, "block_bytes");
    m->vars = array(root, "vars", sizeof *m->vars, &m->nvars, read_var);
    if (json_object_get(root, "weights"))
        m->weights = array(root, "weights", sizeof *m->weights, &m->nweights, read_path);
    m->functions = array(root, "functions", sizeof *m->functions, &m->nfunctions, read_function);
    read_replays(m, root);
    m->files = array(root, "data", sizeof *m->files, &m->nfiles, read_tree);
    m->networks = array(root, "networks", sizeof *m->networks, &m->nnetworks, read_network);
    m->trains = array(root, "train", sizeof *m->trains, &m->ntrains, read_train);
    m->reports = array(root, "reports", sizeof *m->reports, &m->nreports, read_report);
    read_reconstruct(m, root);
    m->pack = function_index(root, "pack");
    read_updates(m, json_object_get(root, "functions"));
    for (int i = 0; i < m->nfunctions; i++)
        m->functions[i].code = code->functions[i];
    return m;
}

const rt_network *model_network(const rt_model *m, const char *name)
{
    for (int i = 0; i < m->nnetworks; i++)
        if (!strcmp(m->networks[i].name, name))
            return &m->networks[i];
    return NULL;
}
