/* describe: the descriptor of a trainer.
 *
 * Needs:      a Model after plan() and lower(): every Fn has its Program,
 *             every buffer its offset.
 * Guarantees: one JSON object in the form that runtime/aecc_rt.h states;
 *             the same model gives the same bytes.
 * Example:    param encoder.dense_1.kernel: [784, 100] at offset 0
 *   becomes   {"name":"encoder.dense_1.kernel","kind":"param","type":"f32",
 *              "shape":[784,100],"strides":[112,1],"offset":0,"bytes":351232,…}
 */
#include <string.h>

#include "../aecc.h"
#include "../graph/ops.h"
#include "../loop/loop.h"

static const char *const data_kind[] = {"file", "split", "zip", "concat", "windows",
                                        "filter", "replay"};

static void put(Text *t, const char *s)
{
    text_put(t, s, strlen(s));
}

static void put_bool(Text *t, const char *key, bool value)
{
    text_printf(t, "\"%s\":%s", key, value ? "true" : "false");
}

static void put_int(Text *t, const char *key, int64_t value)
{
    text_printf(t, "\"%s\":%lld", key, (long long)value);
}

static void put_string(Text *t, const char *s)
{
    if (!s) {
        put(t, "null");
        return;
    }
    put(t, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            text_printf(t, "\\%c", c);
        else if (c < 0x20)
            text_printf(t, "\\u%04x", c);
        else
            text_put(t, s, 1);
    }
    put(t, "\"");
}

static void put_field(Text *t, const char *key, const char *value)
{
    text_printf(t, "\"%s\":", key);
    put_string(t, value);
}

static void put_list(Text *t, const char *key, int n, const int64_t *value)
{
    text_printf(t, "\"%s\":[", key);
    for (int i = 0; i < n; i++)
        text_printf(t, "%s%lld", i ? "," : "", (long long)value[i]);
    put(t, "]");
}

static void separate(Text *t, int i)
{
    if (i)
        put(t, ",\n ");
}

static int fn_index(const Model *m, const Fn *fn)
{
    for (int i = 0; i < m->nfns; i++)
        if (m->fns[i] == fn)
            return i;
    die("a function that is not in the model: %s", fn->name);
}

static void put_fn_index(Text *t, const char *key, const Model *m, const Fn *fn)
{
    if (fn)
        put_int(t, key, fn_index(m, fn));
    else
        text_printf(t, "\"%s\":null", key);
}

/* ---- Variables ------------------------------------------------------------ */

/* The files of weights that the program is imported with, each once. */
static int list_weights(const Model *m, const char **path)
{
    int n = 0;
    for (int i = 0; i < m->nvars; i++) {
        int k = 0;
        while (m->vars[i]->weights && k < n && strcmp(path[k], m->vars[i]->weights) != 0)
            k++;
        if (m->vars[i]->weights && k == n)
            path[n++] = m->vars[i]->weights;
    }
    return n;
}

static int weights_index(const Model *m, const char *weights)
{
    const char **path = NEW_ARRAY(const char *, m->nvars + 1);
    int n = list_weights(m, path), k = 0;
    while (k < n && strcmp(path[k], weights) != 0)
        k++;
    return k;
}

static void put_weights(Text *t, const Model *m)
{
    const char **path = NEW_ARRAY(const char *, m->nvars + 1);
    int n = list_weights(m, path);
    put(t, ",\n\"weights\":[");
    for (int i = 0; i < n; i++) {
        put(t, i ? "," : "");
        put_string(t, path[i]);
    }
    put(t, "]");
}

static void put_var(Text *t, const Model *m, const Var *v)
{
    int64_t stride[MAX_RANK];
    int64_t elements = storage_of(v->shape, stride);
    put(t, "{");
    put_field(t, "name", v->name);
    put(t, ",");
    put_field(t, "kind", var_kind_name[v->kind]);
    put(t, ",");
    put_field(t, "type", v->type == T_F32 ? "f32" : "i32");
    put(t, ",");
    put_list(t, "shape", v->shape.rank, v->shape.dim);
    put(t, ",");
    put_list(t, "strides", v->shape.rank, stride);
    put(t, ",");
    put_int(t, "offset", v->offset);
    put(t, ",");
    put_int(t, "bytes", elements * 4);
    put(t, ",");
    put_bool(t, "each_epoch", v->places);
    put(t, ",");
    put_field(t, "owner", v->owner ? v->owner->name : NULL);
    if (v->weights) {
        put(t, ",");
        put_int(t, "from", weights_index(m, v->weights));
        put(t, ",");
        put_bool(t, "borrowed", v->borrowed);
    }
    put(t, "}");
}

/* ---- Functions ------------------------------------------------------------ */

/* What the runtime needs to find a tensor: in a block, element (i, j, …) of
 * lane l is number (i * strides[0] + …) * LANES + l, or with "row" above zero
 * l * row + (i * strides[0] + …). */
static void put_tensor(Text *t, const char *name, const Node *node, const Buffer *b)
{
    int64_t counted[MAX_RANK], size = 1;
    bool reshaped = node != b->node; /* then the buffer is without padding */
    for (int i = node->shape.rank; i-- > 0; size *= node->shape.dim[i])
        counted[i] = size;
    put(t, "{");
    put_field(t, "name", name);
    put(t, ",");
    put_field(t, "type", node->type == T_F32 ? "f32" : "i32");
    put(t, ",");
    put_list(t, "shape", node->shape.rank, node->shape.dim);
    put(t, ",");
    put_bool(t, "batch", holds_samples(b));
    put(t, ",");
    put_bool(t, "scratch", b->space == IN_SCRATCH);
    put(t, ",");
    put_int(t, "offset", b->offset);
    put(t, ",");
    put_list(t, "strides", node->shape.rank, reshaped ? counted : b->stride);
    put(t, ",");
    put_int(t, "row", b->rows ? b->size / (4 * LANES) : 0);
}

/* Of a length: whose it is, or how large it can be. */
static void put_input(Text *t, const Fn *fn, int i, const Buffer *b)
{
    put_tensor(t, fn->input_names[i], fn->inputs[i], b);
    if (fn->length_of && fn->length_of[i] >= 0) {
        put(t, ",");
        put_int(t, "length_of", fn->length_of[i]);
    } else if (fn->most && fn->most[i] > 0) {
        put(t, ",");
        put_int(t, "steps", fn->most[i]);
    }
    if (fn->classes && fn->classes[i] > 0) {
        put(t, ",");
        put_int(t, "classes", fn->classes[i]);
    }
    put(t, "}");
}

static void put_output(Text *t, const Fn *fn, int i, const Buffer *b)
{
    put_tensor(t, fn->output_names ? fn->output_names[i] : NULL, fn->outputs[i], b);
    if (fn->length && fn->length[i] >= 0) {
        put(t, ",");
        put_int(t, "length", fn->length[i]);
    }
    put(t, "}");
}

/* Does the work of the kernel grow with the batch? */
static bool grows(const Kernel *k)
{
    if (kernel_streams(k))
        return true;
    for (int i = 0; i < k->nnodes; i++) {
        const Node *node = k->nodes[i];
        if (node->shape.batch)
            return true;
        for (int j = 0; j < node->nin; j++)
            if (node->in[j]->shape.batch)
                return true;
    }
    return false;
}

/* Elements of parameters that the kernel gives their next values. */
static int64_t updated(const Kernel *k)
{
    int64_t elements = 0;
    for (int i = 0; i < k->nstores; i++) {
        const Var *var = k->stores[i].buffer->var;
        elements += var && var->kind == VAR_PARAM ? shape_size(var->shape) : 0;
    }
    return elements;
}

/* Of a loop that ends with the samples: input, steps, how many of these each is. */
static void put_trips(Text *t, const Program *p, const Kernel *k)
{
    int loop = k->scan;
    while (loop >= 0 && p->scans[loop].outer >= 0)
        loop = p->scans[loop].outer;
    if (loop < 0 || !p->scans[loop].lengths)
        return;
    const ScanLoop *l = &p->scans[loop];
    put(t, ",");
    put_list(t, "trips", 3, (int64_t[]){l->input - 1, l->steps, l->stretch});
}

static void put_kernel(Text *t, const Program *p, const Kernel *k)
{
    put(t, "{");
    put_field(t, "name", k->name);
    put(t, ",");
    put_field(t, "kind", k->load_inputs ? "load" : kernel_kind_name[k->kind]);
    put(t, ",");
    put_field(t, "layer", k->layer);
    put(t, ",");
    put_int(t, "line", k->pos.line);
    put(t, ",\"flops\":");
    text_double(t, k->flops);
    put(t, ",");
    put_list(t, "bytes", 2, k->bytes);
    put(t, ",");
    put_int(t, "updates", updated(k));
    put(t, ",");
    put_bool(t, "each_sample", grows(k));
    put_trips(t, p, k);
    put(t, "}");
}

/* What no step of the program changes, and it needs. */
static void put_borrows(Text *t, const Model *m, const Fn *fn)
{
    const char **path = NEW_ARRAY(const char *, m->nvars + 1);
    int n = list_weights(m, path), listed = 0;
    Node **roots = NEW_ARRAY(Node *, fn->noutputs + fn->nupdates + 1);
    memcpy(roots, fn->outputs, sizeof *roots * (size_t)fn->noutputs);
    memcpy(roots + fn->noutputs, fn->values, sizeof *roots * (size_t)fn->nupdates);
    NodeList all = graph_reach(fn->noutputs + fn->nupdates, roots);
    put(t, "\"borrows\":[");
    for (int k = 0; k < n; k++) {
        bool borrows = false;
        for (int i = 0; i < all.n && fn->kind != FN_INIT; i++) {
            const Var *v = all.at[i]->op == OP_var ? all.at[i]->attr.var : NULL;
            borrows |= v && v->borrowed && strcmp(v->weights, path[k]) == 0;
        }
        if (borrows)
            text_printf(t, "%s%d", listed++ ? "," : "", k);
    }
    put(t, "],");
}

static void put_fn(Text *t, const Model *m, const Fn *fn)
{
    const Program *p = fn->program;
    put(t, "{");
    put_field(t, "name", fn->name);
    put(t, ",");
    put_field(t, "kind", fn_kind_name[fn->kind]);
    put(t, ",");
    put_borrows(t, m, fn);
    put_int(t, "chunk", p->chunk);
    put(t, ",");
    put_int(t, "shared_blocks", p->shared_blocks);
    put(t, ",");
    put_int(t, "scratch_bytes", p->scratch_bytes);
    put(t, ",");
    put_int(t, "part_bytes", p->part_bytes);
    put(t, ",\"inputs\":[");
    for (int i = 0; i < fn->ninputs; i++) {
        separate(t, i);
        put_input(t, fn, i, p->input_buffers[i]);
    }
    put(t, "],\n \"outputs\":[");
    for (int i = 0; i < fn->noutputs; i++) {
        separate(t, i);
        put_output(t, fn, i, p->output_buffers[i]);
    }
    put(t, "],\n \"updates\":[");
    for (int i = 0; i < fn->nupdates; i++) {
        put(t, i ? "," : "");
        put_string(t, fn->targets[i]->name);
    }
    put(t, "],");
    put_fn_index(t, "single", m, fn->single);
    put(t, ",\n \"kernels\":[");
    for (int i = 0; i < p->nkernels; i++) {
        separate(t, i);
        put_kernel(t, p, p->kernels[i]);
    }
    put(t, "]}");
}

/* ---- Data ----------------------------------------------------------------- */

static void put_sequences(Text *t, const Data *d)
{
    if (d->varying) {
        put(t, ",");
        put_int(t, "time", d->shaped ? d->shape.dim[0] : 0);
    }
    if (d->lengths) {
        put(t, ",");
        put_field(t, "lengths", d->lengths);
    }
    if (d->series) {
        put(t, ",");
        put_field(t, "series", d->series);
    }
}

static void put_affine(Text *t, const char *key, const double factor[3])
{
    text_printf(t, ",\"%s\":", key);
    for (int i = 0; i < 3; i++) {
        put(t, i ? "," : "[");
        text_double(t, factor[i]);
    }
    put(t, "]");
}

static void put_file(Text *t, const Model *m, const Data *d)
{
    int index = 0;
    while (index < m->ndata && m->data[index] != d)
        index++;
    put(t, ",");
    put_int(t, "index", index);
    put(t, ",");
    put_field(t, "reader", d->reader);
    put(t, ",");
    put_field(t, "path", d->path);
    put(t, ",");
    if (d->shaped)
        put_list(t, "shape", d->shape.rank, d->shape.dim);
    else
        put(t, "\"shape\":null");
    put(t, ",");
    put_field(t, "type", d->type == T_F32 ? "f32" : "i32");
    put(t, ",");
    put_int(t, "classes", d->classes);
    put_sequences(t, d);
    if (d->early[0] != 1 || d->early[1] != 1 || d->early[2] != 0)
        put_affine(t, "early", d->early);
    const double factor[3] = {d->divide, d->multiply, d->add};
    if (d->affine)
        put_affine(t, "affine", factor);
    else
        put(t, ",\"affine\":null");
}

static void put_data(Text *t, const Model *m, const Data *d);

static void put_split(Text *t, const Model *m, const Data *d)
{
    put(t, ",\"of\":");
    put_data(t, m, d->parts[0]);
    put(t, ",");
    put_bool(t, "last", d->last);
    put(t, ",");
    put_bool(t, "rest", d->rest);
    put(t, ",");
    if (d->fraction > 0) {
        put(t, "\"fraction\":");
        text_double(t, d->fraction);
    } else {
        put_int(t, "count", d->count);
    }
}

static void put_windows(Text *t, const Model *m, const Data *d)
{
    put(t, ",\"of\":");
    put_data(t, m, d->parts[0]);
    put(t, ",");
    put_int(t, "length", d->count);
    put(t, ",");
    put_int(t, "stride", d->stride);
}

static void put_replay_index(Text *t, const Model *m, const Data *d)
{
    int index = 0;
    while (m->replays[index]->replay != d->replay)
        index++;
    put(t, ",");
    put_int(t, "index", index);
}

static void put_replay(Text *t, const Model *m, const Data *d)
{
    put(t, "{");
    put_int(t, "function", fn_index(m, d->replay));
    put(t, ",");
    put_int(t, "size", d->count);
    put(t, "}");
}

static void put_parts(Text *t, const Model *m, const Data *d)
{
    put(t, ",\"parts\":[");
    for (int i = 0; i < d->nparts; i++) {
        separate(t, i);
        put_data(t, m, d->parts[i]);
    }
    put(t, "]");
}

static void put_keep(Text *t, const Data *d)
{
    put(t, ",\"keep\":[");
    for (int i = 0; i < d->nkeep; i++) {
        separate(t, i);
        text_double(t, d->keep[i]);
    }
    put(t, "]");
}

static void put_data(Text *t, const Model *m, const Data *d)
{
    if (!d) {
        put(t, "null");
        return;
    }
    put(t, "{");
    put_field(t, "kind", data_kind[d->kind]);
    put(t, ",");
    put_field(t, "name", d->name);
    if (d->kind == DATA_FILE)
        put_file(t, m, d);
    else if (d->kind == DATA_SPLIT)
        put_split(t, m, d);
    else if (d->kind == DATA_WINDOWS)
        put_windows(t, m, d);
    else if (d->kind == DATA_REPLAY)
        put_replay_index(t, m, d);
    else
        put_parts(t, m, d);
    if (d->kind == DATA_FILTER)
        put_keep(t, d);
    put(t, "}");
}

/* ---- Networks, train blocks, reports -------------------------------------- */

static void put_network(Text *t, const Model *m, const Network *network)
{
    put(t, "{");
    put_field(t, "name", network->name);
    put(t, ",");
    put_int(t, "function", fn_index(m, network->fn));
    put(t, ",\"layers\":[");
    for (int i = 0; i < network->nlayers; i++) {
        const LayerInfo *layer = &network->layers[i];
        separate(t, i);
        put(t, "{");
        put_field(t, "name", layer->name);
        put(t, ",");
        put_field(t, "type", layer->type);
        put(t, ",");
        put_list(t, "output", layer->output.rank, layer->output.dim);
        put(t, ",");
        put_int(t, "params", layer->params);
        put(t, ",");
        put_int(t, "untrained", layer->untrained);
        put(t, ",");
        put_int(t, "line", layer->pos.line);
        put(t, "}");
    }
    put(t, "]}");
}

static void put_watch(Text *t, const Model *m, const Train *train)
{
    put_bool(t, "watched", train->watched);
    put(t, ",");
    put_fn_index(t, "watch", m, train->watch);
    put(t, ",\"pairs\":[");
    for (int i = 0; i < train->npairs; i++)
        text_printf(t, "%s[%d,%d]", i ? "," : "", train->pairs[i].generator,
                    train->pairs[i].discriminator);
    put(t, "]");
}

static void put_train(Text *t, const Model *m, const Train *train)
{
    put(t, "{\"data\":");
    put_data(t, m, train->data);
    put(t, ",\n \"validation\":");
    put_data(t, m, train->validation);
    put(t, ",\n ");
    put_fn_index(t, "objective", m, train->objective);
    put(t, ",\"steps\":[");
    for (int i = 0; i < train->nsteps; i++) {
        put(t, i ? ",{" : "{");
        put_field(t, "name", train->steps[i].name);
        put(t, ",");
        put_int(t, "function", fn_index(m, train->steps[i].fn));
        put(t, ",");
        put_int(t, "repeat", train->steps[i].repeat);
        put(t, ",");
        put_bool(t, "fresh", train->steps[i].fresh);
        put(t, ",");
        put_fn_index(t, "joined", m, train->steps[i].joined);
        put(t, ",");
        put_int(t, "output", train->steps[i].output);
        put(t, "}");
    }
    put(t, "],");
    put_int(t, "epochs", train->epochs);
    put(t, ",");
    put_int(t, "batch", train->batch);
    put(t, ",");
    put_bool(t, "drop_last", train->drop_last);
    put(t, ",");
    put_bool(t, "in_order", train->in_order);
    put(t, ",");
    put_watch(t, m, train);
    put(t, ",");
    put_int(t, "line", train->pos.line);
    put(t, "}");
}

static void put_report(Text *t, const Model *m, const Report *report)
{
    put(t, "{");
    put_field(t, "kind", report->kind);
    put(t, ",\"data\":");
    put_data(t, m, report->data);
    put(t, ",");
    put_int(t, "function", fn_index(m, report->fn));
    put(t, ",");
    put_int(t, "first", report->first);
    put(t, ",\"options\":{");
    for (int i = 0; i < report->noptions; i++) {
        put(t, i ? "," : "");
        put_field(t, report->option_names[i], report->option_values[i]);
    }
    put(t, "}}");
}

/* ---- The whole ------------------------------------------------------------ */

/* Identifies the program: its graph and its memory. FNV-1a, 64 bits. */
static uint64_t hash_of(const Model *m, const char *body, size_t n)
{
    Text graph = {0};
    print_graph(&graph, m);
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < graph.n; i++)
        h = (h ^ (unsigned char)graph.at[i]) * 0x100000001b3;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)body[i]) * 0x100000001b3;
    return h;
}

static void put_sizes(Text *t, const Model *m)
{
    int64_t fixed = 0, block = 0;
    for (int i = 0; i < m->nfns; i++) {
        const Program *p = m->fns[i]->program;
        fixed = p->fixed_bytes > fixed ? p->fixed_bytes : fixed;
        block = p->block_bytes > block ? p->block_bytes : block;
    }
    put_int(t, "fixed_bytes", m->fixed_bytes + fixed);
    put(t, ",");
    put_int(t, "block_bytes", block);
}

/* "key":[…] of n things, one a line. */
#define PUT_ARRAY(t, key, n, put_one)       \
    do {                                    \
        text_printf(t, ",\n\"%s\":[", key); \
        for (int i = 0; i < (n); i++) {     \
            separate(t, i);                 \
            put_one;                        \
        }                                   \
        put(t, "]");                        \
    } while (0)

/* A report's function holds the expression of its data, as those of train
 * blocks do; the one made of encoder and decoder takes what networks take. */
static bool takes_files(const Model *m, const Fn *fn)
{
    for (int i = 0; i < m->nreports; i++)
        if (m->reports[i].fn == fn)
            return true;
    return false;
}

static void put_reconstruct(Text *t, const Model *m)
{
    put(t, ",\n\"reconstruct\":");
    if (!m->reconstruct) {
        put(t, "null");
        return;
    }
    put(t, "{");
    put_int(t, "function", fn_index(m, m->reconstruct));
    put(t, ",");
    put_bool(t, "scaled", !takes_files(m, m->reconstruct));
    put(t, ",\"data\":");
    put_data(t, m, m->reconstruct_data);
    put(t, "}");
}

/* Packed vars, the last ones, are no business of the runtime's. */
static int kept_vars(const Model *m)
{
    int n = m->nvars;
    while (n > 0 && m->vars[n - 1]->kind == VAR_PACKED)
        n--;
    return n;
}

char *describe(const Model *m)
{
    Text body = {0}, all = {0};
    put_sizes(&body, m);
    PUT_ARRAY(&body, "vars", kept_vars(m), put_var(&body, m, m->vars[i]));
    put_weights(&body, m);
    PUT_ARRAY(&body, "functions", m->nfns, put_fn(&body, m, m->fns[i]));
    PUT_ARRAY(&body, "data", m->ndata, put_data(&body, m, m->data[i]));
    PUT_ARRAY(&body, "replays", m->nreplays, put_replay(&body, m, m->replays[i]));
    PUT_ARRAY(&body, "networks", m->nnetworks, put_network(&body, m, &m->networks[i]));
    PUT_ARRAY(&body, "train", m->ntrains, put_train(&body, m, &m->trains[i]));
    PUT_ARRAY(&body, "reports", m->nreports, put_report(&body, m, &m->reports[i]));
    put_reconstruct(&body, m);
    put(&body, ",\n");
    put_fn_index(&body, "pack", m, m->pack);
    put(&all, "{");
    put_field(&all, "aecc", AECC_VERSION);
    put(&all, ",");
    put_field(&all, "name", m->name);
    put(&all, ",");
    put_field(&all, "source", m->source);
    text_printf(&all, ",\"hash\":\"%016llx\",\n", (unsigned long long)hash_of(m, body.at, body.n));
    text_put(&all, body.at, body.n);
    text_put(&all, "}\n", 3);
    return all.at;
}
