/* Functions of the model that do not train: each network for inference, the
 * lines of report blocks, originals beside reconstructions. Also the layers
 * of each network as a summary lists them. */
#include "graph/check.h"

#include <string.h>

/* ---- Building functions ------------------------------------------------------------ */

Fn *new_fn(Check *c, FnKind kind, const char *name, Pos pos)
{
    Fn *fn = NEW(Fn);
    fn->kind = kind;
    fn->name = intern(name);
    fn->pos = pos;
    PUSH(c->model->fns, c->model->nfns, c->fns_cap, fn);
    return fn;
}

/* Room for element n of an array that doubles at powers of two. */
static void *room(void *array, size_t size, int n)
{
    if (n & (n - 1))
        return array;
    void *wider = arena_alloc(size * (size_t)(n ? 2 * n : 1));
    if (n)
        memcpy(wider, array, size * (size_t)n);
    return wider;
}

static Node *add_input(Fn *fn, const char *name, Type type, Shape shape, Pos pos)
{
    int n = fn->ninputs++;
    shape.batch = true;
    fn->length_of = room(fn->length_of, sizeof *fn->length_of, n);
    fn->most = room(fn->most, sizeof *fn->most, n);
    fn->length_of[n] = -1;
    fn->most[n] = 0;
    fn->classes = room(fn->classes, sizeof *fn->classes, n);
    fn->classes[n] = 0;
    fn->inputs = room(fn->inputs, sizeof *fn->inputs, n);
    fn->input_names = room(fn->input_names, sizeof *fn->input_names, n);
    fn->input_names[n] = name;
    return fn->inputs[n] = graph_input(type, shape, n, pos);
}

Node *fn_input(Fn *fn, const char *name, Shape shape, Pos pos)
{
    return add_input(fn, name, T_F32, shape, pos);
}

Node *fn_count(Fn *fn, const char *name, int64_t most, Pos pos)
{
    Node *n = add_input(fn, intern(name), T_I32, (Shape){0}, pos);
    fn->most[fn->ninputs - 1] = most;
    return n;
}

Node *fn_length(Fn *fn, int of, Pos pos)
{
    const char *name = format("%s.length", fn->input_names[of]);
    Node *n = fn_count(fn, name, fn->inputs[of]->shape.dim[0], pos);
    fn->length_of[fn->ninputs - 1] = of;
    return n;
}

void fn_output(Fn *fn, const char *name, Node *node)
{
    int n = fn->noutputs++;
    fn->outputs = room(fn->outputs, sizeof *fn->outputs, n);
    fn->output_names = room(fn->output_names, sizeof *fn->output_names, n);
    fn->length = room(fn->length, sizeof *fn->length, n);
    fn->length[n] = -1;
    fn->output_names[n] = intern(name);
    fn->outputs[n] = node;
}

void fn_output_lengths(Fn *fn, Node *const *length)
{
    int n = fn->noutputs;
    for (int i = 0; i < n; i++) {
        for (int k = n; k < fn->noutputs && length[i]; k++)
            if (fn->outputs[k] == length[i])
                fn->length[i] = k;
        if (!length[i] || fn->length[i] >= 0)
            continue;
        fn->length[i] = fn->noutputs;
        fn_output(fn, format("%s.length", fn->output_names[i]), length[i]);
    }
    for (int i = 0; i < n; i++)
        if (length[i])
            fn->outputs[i] = valid_or(length[i], fn->outputs[i], 0);
}

void fn_update(Fn *fn, Var *target, Node *value)
{
    int n = fn->nupdates++;
    fn->targets = room(fn->targets, sizeof *fn->targets, n);
    fn->values = room(fn->values, sizeof *fn->values, n);
    fn->targets[n] = target;
    fn->values[n] = value;
}

/* ---- Layers for the summary ----------------------------------------------------------- */

static int64_t count_elements(const Instance *at, VarKind kind)
{
    int64_t n = 0;
    for (int i = 0; i < at->nvars; i++)
        if (at->vars[i]->kind == kind)
            n += shape_size(at->vars[i]->shape);
    for (int i = 0; i < at->nsites; i++)
        n += count_elements(at->sites[i].child, kind);
    return n;
}

static Shape result_shape(Value v)
{
    if (v.kind == V_TUPLE && v.list.n > 0)
        v = v.list.at[0];
    return v.kind == V_TENSOR ? v.node->shape : (Shape){0};
}

void record_layer(Check *c, const char *name, const char *type, Value result, const Instance *of,
                  Pos pos)
{
    NetworkInfo *info = c->at.record;
    if (!info)
        return;
    LayerInfo layer = {.name = intern(name),
                       .type = type,
                       .output = result_shape(result),
                       .params = count_elements(of, VAR_PARAM),
                       .untrained = count_elements(of, VAR_STATE),
                       .pos = pos};
    PUSH(info->layers, info->nlayers, info->layers_cap, layer);
}

/* Parameters that stand in the network itself. */
static void record_own(NetworkInfo *info)
{
    for (int i = 0; i < info->instance.nvars; i++) {
        const Var *var = info->instance.vars[i];
        int64_t n = shape_size(var->shape);
        bool param = var->kind == VAR_PARAM;
        LayerInfo layer = {.name = var->name,
                           .type = param ? "param" : "state",
                           .output = var->shape,
                           .params = param ? n : 0,
                           .untrained = param ? 0 : n,
                           .pos = var->pos};
        PUSH(info->layers, info->nlayers, info->layers_cap, layer);
    }
}

/* ---- Networks as functions --------------------------------------------------------------- */

/* The argument that the first call gave for a parameter. */
static const Value *example_of(const NetworkInfo *info, int parameter)
{
    const char *name = info->decl->params.at[parameter]->name;
    int next = 0;
    for (int i = 0; i < info->nexample; i++) {
        const Arg *a = &info->example[i];
        if (a->name ? a->name == name : next++ == parameter)
            return &a->value;
    }
    return NULL;
}

/* A parameter as an input of the function, or the constant it was called
 * with; false: nothing says its shape. */
static bool network_argument(Check *c, Fn *fn, const NetworkInfo *info, int i, Arg *arg)
{
    const Ast *p = info->decl->params.at[i];
    const Value *example = example_of(info, i);
    Shape shape;
    arg->name = p->name;
    arg->pos = p->pos;
    if (example && is_count(*example)) {
        arg->value = *example; /* network_lengths makes it an input */
        return true;
    }
    if (!p->a && !example && p->b) {
        arg->value = eval(c, p->b, info->function->env);
    } else if (example && example->kind != V_TENSOR) {
        arg->value = *example;
    } else {
        if (!constant_shape(c, p->a, info->function->env, &shape)) {
            if (!example)
                return false;
            shape = example->node->shape;
        }
        bool varies = varying_size(p->a) || (!p->a && example && is_sequence(*example));
        arg->value = v_tensor(fn_input(fn, p->name, shape, p->pos));
        arg->value.length = varies ? arg->value.node : NULL; /* network_lengths */
    }
    arg->value.pos = p->pos;
    return true;
}

/* Lengths come after all other inputs. */
static void network_lengths(Fn *fn, int n, Arg *args)
{
    for (int i = 0; i < n; i++) {
        Value *v = &args[i].value;
        if (is_count(*v))
            *v = v_count(fn_count(fn, args[i].name, v->most, args[i].pos), v->most);
        else if (v->kind == V_TENSOR && v->node->op == OP_input && v->length)
            *v = v_filled(v->node, fn_length(fn, v->node->attr.input, args[i].pos));
        v->pos = args[i].pos;
    }
}

static const Ast *find_return(const Ast *decl)
{
    for (int i = 0; i < decl->kids.n; i++)
        if (decl->kids.at[i]->kind == AST_RETURN)
            return decl->kids.at[i];
    return NULL;
}

static void network_output(Check *c, Fn *fn, const char *name, Value v, Pos pos, Node **length)
{
    if (v.kind != V_TENSOR || v.node->type != T_F32) {
        if (v.kind != V_ERROR)
            report(c, v.pos.line ? v.pos : pos, "a network gives tensors, this is %s",
                   describe_value(v));
        return;
    }
    Shape each = v.node->shape;
    each.batch = true;
    length[fn->noutputs] = is_sequence(v) ? v.length : NULL;
    fn_output(fn, name, graph_expand(v.node, each));
}

/* Results are called as `return` names them, `out` otherwise. */
static void network_outputs(Check *c, Fn *fn, const Ast *decl, Value v)
{
    const Ast *ret = find_return(decl);
    int n = v.kind == V_TUPLE ? v.list.n : 1;
    Node **length = NEW_ARRAY(Node *, n + 1);
    for (int i = 0; i < n; i++) {
        bool named = ret && i < ret->kids.n && ret->kids.at[i]->kind == AST_NAME;
        const char *name = named ? ret->kids.at[i]->name : n == 1 ? "out" : format("out_%d", i + 1);
        network_output(c, fn, name, v.kind == V_TUPLE ? v.list.at[i] : v, decl->pos, length);
    }
    fn_output_lengths(fn, length);
}

/* Gives the arguments their names; false if a shape is unknown. */
static bool bind_network(Check *c, Fn *fn, NetworkInfo *info, Env *env, Value *first)
{
    int n = info->decl->params.n;
    Arg *args = NEW_ARRAY(Arg, n + 1);
    for (int i = 0; i < n; i++)
        if (!network_argument(c, fn, info, i, &args[i]))
            return false;
    network_lengths(fn, n, args);
    *first = n > 0 ? args[0].value : v_error();
    return bind_arguments(c, info->function, args, n, info->decl->pos, env);
}

static void unknown_shape(const NetworkInfo *info)
{
    if (error_count() > 0)
        return;
    warning_at(info->decl->pos2,
               "network `%s` is never called and its input has no fixed shape: it is left out",
               info->decl->name);
}

/* Lists the function of a network; false if it is left out. */
static bool build_network(Check *c, NetworkInfo *info)
{
    const Ast *decl = info->decl;
    Fn *fn = NEW(Fn);
    *fn = (Fn){.kind = FN_NETWORK, .name = decl->name, .pos = decl->pos};
    Env *env = env_new(info->function->env);
    Value first;
    if (!bind_network(c, fn, info, env, &first)) {
        unknown_shape(info);
        return false;
    }
    graph_at(decl->pos, decl->name);
    c->listed = fn;
    network_outputs(c, fn, decl, network_body(c, info, env, first, false, true));
    c->listed = NULL;
    record_own(info);
    PUSH(c->model->fns, c->model->nfns, c->fns_cap, fn);
    Network network = {decl->name, fn, info->nlayers, info->layers, decl->pos};
    PUSH(c->model->networks, c->model->nnetworks, c->networks_cap, network);
    return true;
}

/* Its own trainer runs it: it comes with its weights, and nothing changes them. */
static bool is_borrowed(const NetworkInfo *info)
{
    return info->decl->text && !info->updated;
}

/* Warns of a network that training does not reach. */
static void check_use(Check *c, const NetworkInfo *info, bool called)
{
    Pos pos = info->decl->pos2;
    bool learns = count_elements(&info->instance, VAR_PARAM) > 0;
    if (c->model->ntrains == 0 || error_count() > 0 || info->updated)
        return;
    if (!called) {
        warning_at(pos, "network `%s` is never used", info->decl->name);
    } else if (learns && !info->stopped) {
        warning_at(pos, "no step updates network `%s`: it keeps its initial values",
                   info->decl->name);
        advise(c,
               "a line `update %s using …` trains it; `stop_gradient(%s(…))` says that it is "
               "to stay as it is",
               info->decl->name, info->decl->name);
    }
}

void build_networks(Check *c)
{
    c->bound = NULL;
    for (NetworkInfo *info = c->networks; info; info = info->next) {
        bool called = info->called;
        c->at = (Context){0};
        if (!is_borrowed(info) && build_network(c, info))
            check_use(c, info, called);
    }
}

/* ---- Reports ----------------------------------------------------------------- */

static const char *const report_kinds[] = {"reconstructions", "map",    "samples",
                                           "interpolate",     "metric", "frechet",
                                           "histogram",       "compression"};
enum { NREPORT_KINDS = sizeof report_kinds / sizeof *report_kinds };

static bool known_kind(Check *c, const Ast *call)
{
    for (int i = 0; i < NREPORT_KINDS; i++)
        if (strcmp(report_kinds[i], call->name) == 0)
            return true;
    report(c, call->pos, "unknown report `%s`", call->name);
    const char *meant = suggest(call->name, report_kinds, NREPORT_KINDS);
    if (meant)
        advise(c, "did you mean `%s`?", meant);
    else
        advise(c, "reports are reconstructions, map, samples, interpolate, metric, frechet, "
                  "histogram, compression");
    return false;
}

static const char *option_text(Check *c, const Ast *arg, Env *env)
{
    Binding *bound = arg->a->kind == AST_NAME ? env_find(env, arg->a->name) : NULL;
    if (arg->a->kind == AST_NAME && (!bound || bound->value.kind == V_FUNCTION))
        return arg->a->name;
    Value v = eval(c, arg->a, env);
    if (v.kind == V_STRING)
        return v.text;
    if (v.kind == V_NUMBER || v.kind == V_BOOL)
        return describe_value(v);
    if (v.kind != V_ERROR)
        report(c, arg->pos, "an option is a number, a string or a word; %s", introduce(v));
    return NULL;
}

/* samples(x, count: 32, every: 5, epochs: [1, 2, 50]) */
static const char *sample_option(Check *c, const Ast *arg, Env *env)
{
    static const char *const names[] = {"count", "every", "epochs"};
    enum { N = sizeof names / sizeof *names };
    int which = 0;
    while (which < N && strcmp(names[which], arg->name) != 0)
        which++;
    if (which == N) {
        report(c, arg->pos, "`samples` has no option `%s`", arg->name);
        const char *meant = suggest(arg->name, names, N);
        advise(c, meant ? "did you mean `%s`?" : "its options are count, every, epochs", meant);
        return NULL;
    }
    Value v = eval(c, arg->a, env);
    if (v.kind != V_LIST || which < 2)
        v = v_list(1, &v);
    Text t = {0};
    for (int i = 0; i < v.list.n; i++) {
        Value one = v.list.at[i];
        int64_t n;
        if (one.pos.line == 0)
            one.pos = arg->a->pos;
        if (!to_whole(c, one, which ? "a number of epochs" : "a number of samples", 1,
                      which ? 1 << 30 : 1000000, &n))
            return NULL;
        text_printf(&t, "%s%lld", i ? "," : "", (long long)n);
    }
    return t.at;
}

static void add_option(Report *r, const char *name, const char *value)
{
    r->option_names = room(r->option_names, sizeof *r->option_names, r->noptions);
    r->option_values = room(r->option_values, sizeof *r->option_values, r->noptions);
    r->option_names[r->noptions] = name;
    r->option_values[r->noptions++] = value;
}

/* How many values it shows; lengths of sequences come after them. */
static int read_report(Check *c, Report *r, const Ast *call, Env *env)
{
    static const char *const names[] = {"prediction", "target"};
    Node **length = NEW_ARRAY(Node *, r->first + call->kids.n + 1);
    for (int i = 0; i < call->kids.n; i++) {
        const Ast *arg = call->kids.at[i];
        if (arg->name) {
            bool samples = strcmp(r->kind, "samples") == 0;
            const char *value = samples ? sample_option(c, arg, env) : option_text(c, arg, env);
            if (value)
                add_option(r, arg->name, value);
            continue;
        }
        const char *name = r->fn->noutputs < 2 ? names[r->fn->noutputs] : "value";
        Value v = eval(c, arg->a, env);
        Node *node = v.kind == V_ERROR ? NULL : to_number_node(c, v);
        if (node && is_sequence(v))
            length[r->fn->noutputs] = v.length;
        if (node)
            fn_output(r->fn, name, node);
    }
    int shown = r->fn->noutputs - r->first;
    fn_output_lengths(r->fn, length);
    return shown;
}

/* reconstructions(prediction, target): two values of a sample, of one shape. */
static void check_reconstructions(Check *c, const Report *r, const Ast *call, int shown, int before)
{
    if (error_count() != before)
        return;
    if (shown != 2) {
        report(c, call->pos, "`reconstructions` takes a prediction and a target");
        return;
    }
    const Fn *fn = r->fn;
    Shape a = fn->outputs[0]->shape, b = fn->outputs[1]->shape;
    int *length = fn->length;
    length[0] = length[0] < 0 ? length[1] : length[0];
    length[1] = length[1] < 0 ? length[0] : length[1];
    if (length[0] != length[1])
        report(c, call->pos, "the prediction and the target have different lengths");
    else if (!a.batch || !shape_equal(a, b))
        report(c, call->pos, "the prediction is %s, the target %s", sample_text(a), sample_text(b));
    else if (!c->model->reconstruct) {
        c->model->reconstruct = r->fn;
        c->model->reconstruct_data = r->data;
    }
}

/* The lines of a block that are numbers are values of one function, so that what
 * they share, such as a draw, is the same in all of them and computed once. */
typedef struct Lines {
    const Ast *block;
    const DataValue *data;
    Fn *scores;
    Env *env; /* of `scores` */
} Lines;

/* A function of the block's data with its bindings; NULL after a message. */
static Fn *report_fn(Check *c, const Lines *l, const Ast *call, const char *name, Env *env)
{
    const Ast *block = l->block;
    Fn *fn = new_fn(c, FN_REPORT, format("report_%d.%s", c->model->nreports + 1, name), call->pos);
    if (!bind_data(c, fn, l->data, block->params, env))
        return NULL;
    bind_mode(c, env);
    for (int i = 0; i < block->kids.n; i++)
        if (block->kids.at[i]->kind == AST_BIND)
            bind_names(c, block->kids.at[i], eval(c, block->kids.at[i]->a, env), env);
    return fn;
}

static void open_scores(Check *c, Lines *l, const Ast *call)
{
    if (l->env)
        return;
    l->env = env_new(c->file);
    l->scores = report_fn(c, l, call, "scores", l->env);
}

static void add_report(Check *c, Lines *l, const Ast *call)
{
    int before = error_count();
    Report r = {.kind = call->name, .data = l->data->data, .pos = call->pos};
    bool number = is_score(call->name);
    Env *env = number ? NULL : env_new(c->file);
    if (!known_kind(c, call))
        return;
    if (number)
        open_scores(c, l, call);
    r.fn = number ? l->scores : report_fn(c, l, call, call->name, env);
    if (!r.fn)
        return;
    r.first = r.fn->noutputs;
    int shown = read_report(c, &r, call, number ? l->env : env);
    if (strcmp(r.kind, "reconstructions") == 0)
        check_reconstructions(c, &r, call, shown, before);
    else if (number && error_count() == before)
        check_score(c, &r, shown);
    else if (error_count() == before && r.fn->noutputs == 0)
        report(c, call->pos, "`%s` needs a value to show", call->name);
    else if (error_count() == before && shown > 1 && strcmp(r.kind, "samples") == 0)
        report(c, call->pos, "`samples` shows one value, these are %d", shown);
    PUSH(c->model->reports, c->model->nreports, c->reports_cap, r);
}

void check_report(Check *c, const Ast *ast)
{
    c->at = (Context){0};
    DataValue *data = open_block(c, ast);
    if (!data)
        return;
    if (!only_files(c, ast->pos2, data->data, "reported"))
        return;
    use_data(c, data->data);
    Lines lines = {.block = ast, .data = data};
    for (int i = 0; i < ast->kids.n; i++) {
        const Ast *s = ast->kids.at[i];
        const Ast *call = s->kind == AST_LINE && !s->name ? s->a : s;
        if (call->kind == AST_CALL)
            add_report(c, &lines, call);
        else if (s->kind != AST_BIND)
            report(c, s->pos,
                   "a report has lines such as `reconstructions(decoder(encoder(x)), "
                   "x, count: 5)`");
    }
}

/* ---- Reconstruction by name -------------------------------------------------- */

static const Network *network_named(const Model *m, const char *name)
{
    for (int i = 0; i < m->nnetworks; i++)
        if (strcmp(m->networks[i].name, name) == 0)
            return &m->networks[i];
    return NULL;
}

static Function *function_named(Check *c, const char *name)
{
    Binding *b = env_find(c->file, intern(name));
    return b->value.function;
}

/* Inputs of a function that are tensors; numbers of steps that are no length
 * of one of them. */
static int tensor_inputs(const Fn *fn)
{
    int n = 0;
    for (int i = 0; i < fn->ninputs; i++)
        n += fn->most[i] == 0;
    return n;
}

static int count_inputs(const Fn *fn)
{
    int n = 0;
    for (int i = 0; i < fn->ninputs; i++)
        n += fn->most[i] > 0 && fn->length_of[i] < 0;
    return n;
}

static int shown_outputs(const Fn *fn)
{
    int n = fn->noutputs;
    for (int i = 0; i < fn->noutputs; i++)
        n = fn->length[i] >= 0 && fn->length[i] < n ? fn->length[i] : n;
    return n;
}

static bool varies(const Fn *e)
{
    return e->ninputs == 2 && tensor_inputs(e) == 1 && count_inputs(e) == 0;
}

/* Two shapes, of which the first may have fewer steps. */
static bool same_steps_aside(Shape a, Shape b, bool aside)
{
    if (aside && a.rank > 0 && b.rank > 0 && a.dim[0] <= b.dim[0])
        a.dim[0] = b.dim[0];
    return shape_equal(a, b);
}

/* Can decoder(encoder(x)) be told from x? */
static bool reconstructs(const Fn *e, const Fn *d, Shape sample)
{
    sample.batch = true;
    return tensor_inputs(e) == 1 && count_inputs(e) == 0 && shown_outputs(e) == 1 &&
           tensor_inputs(d) == 1 && count_inputs(d) <= varies(e) && shown_outputs(d) == 1 &&
           shape_equal(e->outputs[0]->shape, d->inputs[0]->shape) &&
           (!varies(e) || same_steps_aside(sample, e->inputs[0]->shape, true)) &&
           same_steps_aside(d->outputs[0]->shape, e->inputs[0]->shape, varies(e));
}

/* Where nothing reports reconstructions: decoder(encoder(x)) beside x. */
void build_reconstruct(Check *c)
{
    Model *m = c->model;
    const Network *encoder = network_named(m, "encoder"), *decoder = network_named(m, "decoder");
    if (m->reconstruct || m->ntrains == 0 || !encoder || !decoder)
        return;
    const Fn *e = encoder->fn, *d = decoder->fn;
    Train *t = &m->trains[m->ntrains - 1];
    Data *data = t->validation ? t->validation : t->data;
    const Shape *sample = data ? component_shape(data, 0) : NULL;
    if (!sample || !reconstructs(e, d, *sample))
        return;
    Fn *fn = new_fn(c, FN_REPORT, "reconstruct", encoder->pos);
    Shape shape = varies(e) ? *sample : e->inputs[0]->shape;
    Value x = v_tensor(fn_input(fn, e->input_names[0], shape, encoder->pos));
    if (varies(e) && component_varies(data, 0))
        x = v_filled(x.node, fn_length(fn, 0, encoder->pos));
    Value code[2] = {call_values(c, function_named(c, "encoder"), 1, &x, encoder->pos)};
    int given = 1 + count_inputs(d);
    if (given == 2)
        code[1] = x.length ? v_count(x.length, shape.dim[0]) : v_number((double)shape.dim[0]);
    Value back = call_values(c, function_named(c, "decoder"), given, code, decoder->pos);
    if (back.kind != V_TENSOR)
        return;
    fn_output(fn, "prediction", back.node);
    fn_output(fn, "target", x.node);
    fn_output_lengths(fn, (Node *[]){x.length, x.length});
    m->reconstruct = fn;
    m->reconstruct_data = data;
}
