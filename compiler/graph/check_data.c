/* Data sources. aecc never opens them: a source is a tree of files, splits,
 * zips, concatenations and windows, and for each component the expression that makes
 * a sample of what lies in the file. That expression goes into the graph of
 * every function that reads the component; where it is affine, the file
 * knows it too (pictures are written back by it). */
#include "graph/check.h"

#include <math.h>
#include <string.h>

/* ---- The tree ------------------------------------------------------------------ */

Data *new_data(DataKind kind, Pos pos)
{
    Data *d = NEW(Data);
    *d = (Data){
        .kind = kind, .affine = true, .divide = 1, .multiply = 1, .early = {1, 1, 0}, .pos = pos};
    return d;
}

/* Calls visit() for each file of a component; the number of components. */
int each_file(Data *d, int first, int component, void (*visit)(Data *file, const void *),
              const void *argument)
{
    if (d->kind == DATA_REPLAY)
        return 1;
    if (d->kind == DATA_FILE) {
        if (first == component || component < 0)
            visit(d, argument);
        return 1;
    }
    int n = 0, parts = d->kind == DATA_FILTER ? 1 : d->nparts;
    for (int i = 0; i < parts; i++) {
        int at = d->kind == DATA_ZIP ? first + n : first;
        int count = each_file(d->parts[i], at, component, visit, argument);
        n = d->kind == DATA_ZIP ? n + count : count;
    }
    return n;
}

Data *copy_tree(const Data *d)
{
    Data *copy = NEW(Data);
    *copy = *d;
    copy->parts = NEW_ARRAY(Data *, d->nparts + 1);
    for (int i = 0; i < d->nparts; i++)
        copy->parts[i] = d->kind == DATA_FILTER && i ? d->parts[i] : copy_tree(d->parts[i]);
    return copy;
}

static void ignore(Data *file, const void *argument)
{
    (void)file, (void)argument;
}

Value data_value(Data *d, const Transform **parts, int nparts)
{
    DataValue *v = NEW(DataValue);
    *v = (DataValue){d, parts, nparts};
    return (Value){.kind = V_DATA, .data = v};
}

const Transform **one_transform(const Transform *t)
{
    const Transform **parts = NEW_ARRAY(const Transform *, 1);
    parts[0] = t;
    return parts;
}

Value data_file(Check *c, Call *call)
{
    const char *path, *option = NULL;
    bool npy = strcmp(call->builtin->name, "npy") == 0;
    if (!to_text(c, call->arg[0], "a path", &path) ||
        (call->has[1] &&
         !to_text(c, call->arg[1], npy ? "a path" : "the name of a column", &option)))
        return v_error();
    if (!*path || (option && !*option)) {
        report(c, call->arg[*path ? 1 : 0].pos, *path && !npy ? "an empty name" : "an empty path");
        return v_error();
    }
    Data *d = new_data(DATA_FILE, call->pos);
    d->reader = call->builtin->name;
    d->path = path;
    d->type = T_F32;
    d->lengths = npy ? option : NULL;
    d->series = npy ? NULL : option;
    d->varying = option != NULL;
    return data_value(d, one_transform(NULL), 1);
}

bool is_data(Check *c, Value v)
{
    if (v.kind != V_DATA)
        report(c, v.pos, "%s, expected a data source", introduce(v));
    return v.kind == V_DATA;
}

bool only_data(Check *c, const Call *call)
{
    for (int i = 0; i < call->nrest; i++)
        if (!is_data(c, call->rest[i]))
            return false;
    return true;
}

Data *join_data(DataKind kind, const Call *call)
{
    Data *d = new_data(kind, call->pos);
    d->nparts = call->nrest;
    d->parts = NEW_ARRAY(Data *, call->nrest);
    for (int i = 0; i < call->nrest; i++)
        d->parts[i] = call->rest[i].data->data;
    return d;
}

Value data_zip(Check *c, Call *call)
{
    if (!only_data(c, call))
        return v_error();
    if (call->nrest < 2) {
        report(c, call->pos, "`zip` joins two or more sources");
        return v_error();
    }
    const Transform **parts = NULL;
    int n = 0, cap = 0;
    for (int i = 0; i < call->nrest; i++)
        for (int k = 0; k < call->rest[i].data->nparts; k++)
            PUSH(parts, n, cap, call->rest[i].data->parts[k]);
    return data_value(join_data(DATA_ZIP, call), parts, n);
}

/* The windows that a component is made of, or NULL. */
Data *windows_of(Data *d, int component)
{
    int first = 0;
    if (d->kind == DATA_WINDOWS)
        return d;
    for (int i = 0; i < d->nparts; i++) {
        int count = each_file(d->parts[i], 0, -1, ignore, NULL);
        if (d->kind != DATA_ZIP || (component >= first && component < first + count))
            return windows_of(d->parts[i], component - (d->kind == DATA_ZIP ? first : 0));
        first += count;
    }
    return NULL;
}

/* A source made of one other. */
static Data *data_from(DataKind kind, Pos pos, Data *of)
{
    Data *d = new_data(kind, pos);
    d->nparts = 1;
    d->parts = NEW_ARRAY(Data *, 1);
    d->parts[0] = of;
    return d;
}

/* One part of a split: the last or first `amount`, or the others. */
static Value split_part(const Call *call, bool last, bool rest, double amount)
{
    DataValue *of = call->arg[0].data;
    Data *d = data_from(DATA_SPLIT, call->pos, of->data);
    d->last = last;
    d->rest = rest;
    d->fraction = amount < 1 ? amount : 0;
    d->count = amount < 1 ? 0 : (int64_t)amount;
    return data_value(d, of->parts, of->nparts);
}

/* `split(x, last: 5000)`, `split(x, first: 0.8)`: both parts, in file order. */
Value data_split(Check *c, Call *call)
{
    enum { PARTS = 1, AXIS, FIRST, LAST };
    if (call->has[PARTS] || call->has[AXIS] || call->has[FIRST] == call->has[LAST]) {
        report(c, call->pos, "a data source is split by `first: …` or `last: …`");
        advise(c, "`split(x, last: 5000)` or, of a fraction, `split(x, last: 0.1)`");
        return v_error();
    }
    if (!only_files(c, call->arg[0].pos, call->arg[0].data->data, "split"))
        return v_error();
    bool last = call->has[LAST];
    Value v = call->arg[last ? LAST : FIRST];
    double amount;
    if (!to_number(c, v, "a number of samples", &amount))
        return v_error();
    if (!(amount > 0) || (amount >= 1 && amount != floor(amount)) || amount > 1e15) {
        report(c, v.pos, "%s, expected a number of samples or a fraction below 1", introduce(v));
        return v_error();
    }
    Value parts[] = {split_part(call, last, last, amount), split_part(call, last, !last, amount)};
    Value both = v_list(2, parts);
    both.kind = V_TUPLE;
    return both;
}

/* Does it change numbers alone, each by itself? */
static bool keeps_shape(const Transform *t)
{
    for (; t; t = t->before) {
        bool number = t->op != 0 && (t->unary || t->other.kind == V_NUMBER);
        bool map = t->op == 0 && t->function->builtin &&
                   (t->function->builtin->call == map_one || t->function->builtin->call == clip);
        if (!number && !map)
            return false;
    }
    return true;
}

/* ---- Windows ------------------------------------------------------------------------ */

bool has_windows(Data *d, int components)
{
    for (int i = 0; i < components; i++)
        if (windows_of(d, i))
            return true;
    return false;
}

/* `windows(series, length: 64, stride: 1)`. */
Value data_windows(Check *c, Call *call)
{
    enum { SOURCE, LENGTH, STRIDE };
    Value of = call->arg[SOURCE];
    int64_t length, stride = 1;
    if (!is_data(c, of))
        return v_error();
    if (!call->has[LENGTH]) {
        report(c, call->pos, "`windows` needs length, the number of steps of each");
        return v_error();
    }
    if (!to_whole(c, call->arg[LENGTH], "a number of steps", 1, MAX_ELEMENTS, &length) ||
        (call->has[STRIDE] &&
         !to_whole(c, call->arg[STRIDE], "a stride", 1, MAX_ELEMENTS, &stride)))
        return v_error();
    DataValue *v = of.data;
    if (!only_files(c, of.pos, v->data, "cut into windows"))
        return v_error();
    for (int i = 0; i < v->nparts; i++)
        if (!keeps_shape(v->parts[i])) {
            report(c, call->pos, "windows are taken of what lies in the files");
            advise(c, "take windows first: `f(windows(x, length: %lld))`", (long long)length);
            return v_error();
        }
    if (has_windows(v->data, v->nparts)) {
        report(c, call->pos, "these are windows already");
        return v_error();
    }
    Data *d = data_from(DATA_WINDOWS, call->pos, v->data);
    d->count = length;
    d->stride = stride;
    return data_value(d, v->parts, v->nparts);
}

/* ---- What expressions do to samples ---------------------------------------------- */

typedef struct Arithmetic {
    int op;
    bool unary, right;
    double k;
} Arithmetic;

/* (x / divide) * multiply + add after one more operation. */
static void compose(Data *d, const void *argument)
{
    const Arithmetic *a = argument;
    double k = a->k;
    if (a->unary || (a->op == '-' && a->right)) {
        d->multiply = -d->multiply;
        d->add = (a->unary ? 0 : k) - d->add;
    } else if (a->op == '+' || a->op == '-') {
        d->add += a->op == '+' ? k : -k;
    } else if (a->op == '*') {
        d->multiply *= k;
        d->add *= k;
    } else if (a->op == '/' && !a->right && d->multiply == 1 && d->add == 0) {
        d->divide *= k;
    } else if (a->op == '/' && !a->right) {
        d->multiply /= k;
        d->add /= k;
    } else {
        d->affine = false;
    }
}

static void not_affine(Data *d, const void *argument)
{
    (void)argument;
    d->affine = false;
}

static bool single(Check *c, Pos pos, const DataValue *v)
{
    if (v->nparts == 1)
        return true;
    report(c, pos, "this source has %d components", v->nparts);
    advise(c, "scale each before `zip` joins them");
    return false;
}

static Value transformed(Data *tree, Transform *t, const DataValue *of)
{
    t->before = of->parts[0];
    return data_value(tree, one_transform(t), 1);
}

Value data_operator(Check *c, Pos pos, int op, bool unary, bool right, Value data, Value other)
{
    if (!single(c, pos, data.data))
        return v_error();
    if (!unary && other.kind != V_NUMBER && other.kind != V_TENSOR) {
        report(c, pos, "arithmetic of a data source takes numbers; %s", introduce(other));
        return v_error();
    }
    if (op == '/' && !right && other.kind == V_NUMBER && other.number == 0) {
        report(c, pos, "division by zero");
        return v_error();
    }
    Transform *t = NEW(Transform);
    *t = (Transform){.op = op, .unary = unary, .right = right, .other = other, .pos = pos};
    Data *tree = copy_tree(data.data->data);
    Arithmetic a = {op, unary, right, other.kind == V_NUMBER ? other.number : 0};
    each_file(tree, 0, -1, unary || other.kind == V_NUMBER ? compose : not_affine, &a);
    return transformed(tree, t, data.data);
}

Value data_call(Check *c, Function *f, Arg *args, int n, int hole, Pos pos)
{
    DataValue *of = args[hole].value.data;
    for (int i = hole + 1; i < n; i++)
        if (args[i].value.kind == V_DATA) {
            report(c, args[i].pos, "`%s` takes one data source", function_name(f));
            return v_error();
        }
    if (!single(c, pos, of))
        return v_error();
    Transform *t = NEW(Transform);
    *t = (Transform){.function = f, .args = args, .nargs = n, .hole = hole, .pos = pos};
    Data *tree = copy_tree(of->data);
    each_file(tree, 0, -1, not_affine, NULL);
    return transformed(tree, t, of);
}

static Value apply_call(Check *c, const Transform *t, Value sample)
{
    Arg *args = NEW_ARRAY(Arg, t->nargs);
    memcpy(args, t->args, sizeof *args * (size_t)t->nargs);
    args[t->hole].value = sample;
    return call_function(c, t->function, args, t->nargs, NULL, t->pos, NULL);
}

Value apply_transform(Check *c, const Transform *t, Value sample)
{
    if (!t)
        return sample;
    Value v = apply_transform(c, t->before, sample);
    Pos pos = v.pos;
    if (t->op == 0)
        v = apply_call(c, t, v);
    else if (t->unary)
        v = eval_unary(c, t->pos, t->op, v);
    else
        v = eval_binary(c, t->pos, t->op, t->right ? t->other : v, t->right ? v : t->other);
    v.pos = pos;
    return v;
}

/* ---- Shapes ------------------------------------------------------------------------- */

/* A sample as it is declared, or as a network takes it. */
typedef struct Sample {
    Shape shape;
    bool varying;
    bool windows; /* of what lies in the file */
} Sample;

/* Of a file in windows: a series, however long, or one step. */
static void set_shape(Data *file, const void *argument)
{
    const Sample *s = argument;
    if (file->shaped)
        return;
    file->shape = s->shape;
    file->shaped = true;
    if (!s->windows) {
        file->varying |= file->bounded = s->varying;
        return;
    }
    int steps = !file->varying;
    file->shape.dim[0] = 0;
    for (int i = steps; i < s->shape.rank; i++)
        file->shape.dim[i - steps] = i > 0 ? s->shape.dim[i] : 0;
    file->shape.rank -= steps;
}

static void set_sample(const DataValue *v, int component, Sample s)
{
    const Data *windows = windows_of(v->data, component);
    s.windows = windows && s.shape.rank > 0;
    if (!windows || s.windows)
        each_file(v->data, 0, component, set_shape, &s);
}

static void get_file(Data *file, const void *argument)
{
    Data **to = *(Data ***)argument;
    if (!*to || !(*to)->shaped)
        *to = file;
}

static const Data *component_file(const Data *d, int component)
{
    Data *file = NULL, **at = &file;
    each_file((Data *)d, 0, component, get_file, &at);
    return file;
}

const Shape *component_shape(const Data *d, int component)
{
    const Data *replay = replay_of(d, component);
    if (replay)
        return &replay->shape;
    const Data *file = component_file(d, component), *windows = windows_of((Data *)d, component);
    if (!file || !file->shaped)
        return NULL;
    Shape *shape = NEW(Shape);
    *shape = file->shape;
    if (windows && !file->varying && shape->rank == MAX_RANK)
        return NULL;
    if (windows && !file->varying) {
        shape->rank++;
        memcpy(shape->dim + 1, file->shape.dim, sizeof *shape->dim * (MAX_RANK - 1));
    }
    if (windows)
        shape->dim[0] = windows->count;
    return shape;
}

bool component_varies(const Data *d, int component)
{
    const Data *file = component_file(d, component);
    return file && file->varying && !windows_of((Data *)d, component);
}

/* A file inside of a `zip` has the name of the whole, and others have it. */
static bool shares_name(const DataValue *v, const Data *file)
{
    for (int i = 0; i < v->nparts; i++) {
        const Data *other = component_file(v->data, i);
        if (other != file && other && other->name == file->name)
            return true;
    }
    return false;
}

static void advise_shape(Check *c, const DataValue *v, int component, const char *name)
{
    const Data *file = component_file(v->data, component);
    if (file && file->reader && shares_name(v, file))
        advise(c,
               "give the file a name first, `data %s: [28, 28] = %s(\"%s\")`, and `zip` the name",
               name, file->reader, file->path);
    else
        advise(c, "declare it where the file is named: `data %s: [28, 28] = …`, one number: `[]`",
               file && file->name ? file->name : "x");
}

/* Looks for a network call that takes `name`, also by way of functions. */
static bool find_use(Check *c, const Ast *e, const char *name, int depth, Sample *s);

static bool use_of_call(Check *c, const Ast *call, const char *name, int depth, Sample *s)
{
    Binding *b = env_find(c->file, call->name);
    const Ast *decl = b && b->value.kind == V_FUNCTION ? b->value.function->decl : NULL;
    for (int i = 0; decl && i < call->kids.n; i++) {
        const Ast *arg = call->kids.at[i], *p = NULL;
        if (arg->a->kind != AST_NAME || arg->a->name != name)
            continue;
        for (int k = 0; k < decl->params.n; k++)
            if (arg->name ? decl->params.at[k]->name == arg->name : k == i)
                p = decl->params.at[k];
        if (p && p->a && decl->kind == AST_NETWORK &&
            constant_shape(c, p->a, b->value.function->env, &s->shape)) {
            s->varying = varying_size(p->a) != NULL;
            return true;
        }
        if (p && depth < 8 && decl->kind != AST_NETWORK) {
            bool found = decl->a && find_use(c, decl->a, p->name, depth + 1, s);
            for (int k = 0; k < decl->kids.n && !found; k++)
                found = find_use(c, decl->kids.at[k], p->name, depth + 1, s);
            if (found)
                return true;
        }
    }
    return false;
}

static bool find_use(Check *c, const Ast *e, const char *name, int depth, Sample *s)
{
    if (!e)
        return false;
    if (e->kind == AST_CALL && use_of_call(c, e, name, depth, s))
        return true;
    for (int i = 0; i < e->kids.n; i++)
        if (find_use(c, e->kids.at[i], name, depth, s))
            return true;
    return find_use(c, e->a, name, depth, s) || find_use(c, e->b, name, depth, s) ||
           find_use(c, e->c, name, depth, s);
}

void infer_shapes(Check *c, const DataValue *v, const Ast *block)
{
    for (int i = 0; i < v->nparts && i < block->params.n; i++) {
        Sample s = {0};
        bool known = component_shape(v->data, i) != NULL || !keeps_shape(v->parts[i]);
        for (int k = 0; k < block->kids.n && !known; k++)
            if (find_use(c, block->kids.at[k], block->params.at[i]->name, 0, &s)) {
                set_sample(v, i, s);
                known = true;
            }
    }
}

/* ---- Declarations and uses --------------------------------------------------------------- */

static void name_file(Data *file, const void *argument)
{
    if (!file->name)
        file->name = argument;
}

/* `[28, 28]`, or `[time <= 512, 28]`. */
static bool declared_sample(Check *c, const Ast *shape, Env *env, Sample *s)
{
    const Ast *steps = varying_size(shape);
    int64_t most;
    s->varying = steps != NULL;
    if (!steps)
        return to_shape(c, eval(c, shape, env), &s->shape);
    Ast others = *shape;
    others.kids = (AstList){0};
    for (int i = 1; i < shape->kids.n; i++)
        others.kids =
            i > 1 ? ast_append(others.kids, shape->kids.at[i]) : ast_list(shape->kids.at[i]);
    if (!maximum_of(c, steps, env, &most) || !to_shape(c, eval(c, &others, env), &s->shape))
        return false;
    if (s->shape.rank == MAX_RANK) {
        report(c, shape->pos, "a shape of %d axes; there are at most %d", MAX_RANK + 1, MAX_RANK);
        return false;
    }
    memmove(s->shape.dim + 1, s->shape.dim, sizeof *s->shape.dim * (size_t)s->shape.rank);
    s->shape.dim[0] = most;
    s->shape.rank++;
    return shape_fits(c, shape->pos, s->shape);
}

static void declare_shape(Check *c, const Ast *decl, const Value *v, Env *env)
{
    Sample s = {0};
    if (!declared_sample(c, decl->b, env, &s))
        return;
    bool one = v->kind == V_DATA && v->data->nparts == 1;
    const Data *windows = one ? windows_of(v->data->data, 0) : NULL;
    if (windows && (s.varying || s.shape.rank == 0 || s.shape.dim[0] != windows->count))
        report(c, decl->b->pos, "a window has %lld steps: `[%lld, …]`", (long long)windows->count,
               (long long)windows->count);
    else if (one)
        set_sample(v->data, 0, s);
    else
        report(c, decl->b->pos, "a shape is declared for one source at a time");
    if (v->kind == V_DATA && !one)
        advise(c, "give each file a name first, `data x: [28, 28] = …`, and `zip` the names");
}

static void bind_source(Env *env, const Ast *name, Value v)
{
    Binding *b = env_own(env, name->name);
    if (!b)
        b = env_bind(env, name->name, v, name->pos, B_VALUE);
    b->value = v;
    b->lazy = NULL;
    if (v.kind != V_DATA)
        return;
    if (!v.data->data->name)
        v.data->data->name = name->name;
    each_file(v.data->data, 0, -1, name_file, name->name);
}

void declare_data(Check *c, const Ast *decl, Env *env)
{
    Value v = eval(c, decl->a, env);
    int n = decl->kids.n;
    bool tuple = v.kind == V_TUPLE && v.list.n == n;
    bool data = n == 1 ? v.kind == V_DATA : tuple;
    for (int i = 0; tuple && i < n; i++)
        data &= v.list.at[i].kind == V_DATA;
    if (!data && v.kind != V_ERROR) {
        report(c, decl->a->pos,
               n == 1 ? "%s, expected a data source" : "%s, expected a data source for each name",
               v.kind == V_TUPLE ? format("this is %s", describe_value(v)) : introduce(v));
        if (v.kind == V_TUPLE || n > 1)
            advise(c, "`data training, validation = split(…, last: 5000)` gives two sources");
        v = v_error();
    }
    if (v.kind != V_ERROR && decl->b)
        declare_shape(c, decl, &v, env);
    for (int i = 0; i < n; i++)
        bind_source(env, decl->kids.at[i], v.kind == V_ERROR ? v : n == 1 ? v : v.list.at[i]);
}

DataValue *find_data(Check *c, const char *name, Pos pos)
{
    Ast e = {.kind = AST_NAME, .name = name, .pos = pos};
    Value v = eval(c, &e, c->file);
    if (v.kind == V_DATA)
        return v.data;
    if (v.kind != V_ERROR) {
        report(c, pos, "%s, expected a data source", introduce(v));
        advise(c, "declare it: `data %s = idx(\"…\")`", name);
    }
    return NULL;
}

/* A file whose samples have lengths, taken as if they were all as long. */
static bool report_varying(Check *c, const DataValue *v, int i, const Ast *name)
{
    const Data *file = component_file(v->data, i);
    bool lengths = file && (file->lengths || file->series);
    if (!lengths || windows_of(v->data, i) || !file->shaped || file->bounded)
        return false;
    report(c, name->pos, "`%s` is a sequence of varying length: its source has `%s: …`", name->name,
           file->lengths ? "lengths" : "series");
    advise(c, "declare the most steps where the file is named, `data x: [time <= 512, 28] = …`");
    return true;
}

/* Its inputs, and behind those of all components their lengths. */
static bool bind_component(Check *c, Fn *fn, const DataValue *v, int i, const Ast *name)
{
    const Shape *shape = component_shape(v->data, i);
    if (report_varying(c, v, i, name))
        return false;
    if (!shape) {
        report(c, name->pos,
               "the shape of `%s` is not known: no network with a fixed shape "
               "takes it",
               name->name);
        advise_shape(c, v, i, name->name);
        return false;
    }
    if (!shape_fits(c, name->pos, *shape))
        return false;
    fn_input(fn, name->name, *shape, name->pos);
    return true;
}

static void bind_value(Check *c, Fn *fn, const DataValue *v, int i, const Ast *name, Env *env)
{
    bool varies = component_varies(v->data, i);
    Value sample = v_filled(fn->inputs[i], varies ? fn_length(fn, i, name->pos) : NULL);
    sample.pos = name->pos;
    graph_at(name->pos, NULL);
    env_bind(env, name->name, apply_transform(c, v->parts[i], sample), name->pos, B_VALUE);
}

bool bind_data(Check *c, Fn *fn, const DataValue *v, AstList names, Env *env)
{
    bool ok = names.n == v->nparts;
    c->bound = v->data;
    if (!ok && names.n > 0)
        report(c, names.at[0]->pos, "%d name%s for a source of %d component%s", names.n,
               names.n == 1 ? "" : "s", v->nparts, v->nparts == 1 ? "" : "s");
    bool bound[MAX_ARGUMENTS] = {false};
    for (int i = 0; i < names.n && i < v->nparts && i < MAX_ARGUMENTS; i++)
        ok &= bound[i] = bind_component(c, fn, v, i, names.at[i]);
    for (int i = 0; i < names.n; i++) {
        const Ast *name = names.at[i];
        if (env_own(env, name->name)) {
            report(c, name->pos, "`%s` is bound twice", name->name);
            ok = false;
        } else if (i < MAX_ARGUMENTS && bound[i]) {
            bind_value(c, fn, v, i, name, env);
        } else {
            env_bind(env, name->name, v_error(), name->pos, B_VALUE);
        }
    }
    return ok;
}

/* ---- Class numbers ------------------------------------------------------------------- */

/* Do elements of the result stand in an operand as they are? */
static bool moves_elements(Op op)
{
    switch (op) {
    case OP_reshape:
    case OP_transpose:
    case OP_broadcast:
    case OP_slice:
    case OP_reverse:
    case OP_concatenate:
    case OP_convert:
    case OP_stop_gradient: return true;
    default: return false;
    }
}

static void set_classes(Data *file, const void *argument)
{
    int64_t classes = *(const int64_t *)argument;
    if (file->classes == 0 || classes < file->classes)
        file->classes = classes;
}

/* Of an input of a block's function or of a network. */
static void set_input_classes(const Check *c, int input, int64_t classes)
{
    int64_t *of = c->listed ? &c->listed->classes[input] : NULL;
    if (c->bound)
        each_file(c->bound, 0, input, set_classes, &classes);
    else if (of && (*of == 0 || classes < *of))
        *of = classes;
}

void expect_classes(const Check *c, Node *values, int64_t classes)
{
    NodeList all = graph_reach(1, &values);
    bool *moved = NEW_ARRAY(bool, values->id + 1);
    moved[values->id] = true;
    for (int i = all.n - 1; i >= 0; i--) {
        const Node *n = all.at[i];
        if (moved[n->id] && n->op == OP_input)
            set_input_classes(c, n->attr.input, classes);
        for (int k = 0; moved[n->id] && moves_elements(n->op) && k < n->nin; k++)
            moved[n->in[k]->id] = true;
        if (moved[n->id] && under_filling(all.at[i]))
            moved[under_filling(all.at[i])->id] = true;
    }
}

static void list_file(Check *c, Data *file)
{
    for (int i = 0; i < c->model->ndata; i++)
        if (c->model->data[i] == file)
            return;
    PUSH(c->model->data, c->model->ndata, c->data_cap, file);
}

void use_data(Check *c, Data *d)
{
    if (d->kind == DATA_FILE)
        list_file(c, d);
    for (int i = 0; i < d->nparts; i++)
        use_data(c, d->parts[i]);
}
