/* Calls: arguments to parameters, shapes against signatures, and what each
 * kind of function does with its body. Networks are inlined at each call;
 * their parameters are made by the first and shared by all. */
#include "graph/check.h"

#include <string.h>

/* ---- Functions --------------------------------------------------------------- */

Function *function_of(const Ast *decl, Env *env)
{
    Function *f = NEW(Function);
    f->decl = decl;
    f->env = env;
    return f;
}

const char *function_name(const Function *f)
{
    return f->builtin ? f->builtin->name : f->decl->name;
}

static bool is_layer(const Function *f)
{
    return f->builtin ? builtin_is_layer(f->builtin)
                      : f->decl->kind == AST_LAYER || f->decl->kind == AST_NETWORK;
}

static const char *first_parameter(const Function *f)
{
    if (f->builtin) {
        const char *s = f->builtin->parameters;
        size_t n = strcspn(s, ",;");
        bool required = n > 0 && s[n - 1] != '?' && s[n - 1] != '*';
        return required ? intern_n(s, n) : NULL;
    }
    AstList params = f->decl->params;
    return params.n > 0 && !params.at[0]->b ? params.at[0]->name : NULL;
}

/* A call with names only that leaves out the first parameter waits for it:
 * `leaky_relu(negative_slope: 0.1)` is a function of x. */
static bool waits(const Function *f, const Arg *args, int n)
{
    const char *first = first_parameter(f);
    for (int i = 0; i < n; i++)
        if (!args[i].name || args[i].name == first)
            return false;
    if (!f->builtin && f->decl->kind == AST_OPTIMIZER)
        return true;
    return first && (f->builtin || f->decl->kind != AST_NETWORK);
}

static Value waiting(const Function *f, const Arg *args, int n)
{
    Function *w = NEW(Function);
    *w = *f;
    w->given = args;
    w->ngiven = n;
    return (Value){.kind = V_FUNCTION, .function = w};
}

/* ---- Signatures ---------------------------------------------------------------- */

static const char *signature_text(const Ast *list)
{
    Text t = {0};
    text_printf(&t, "[");
    for (int i = 0; i < list->kids.n; i++) {
        const Ast *e = list->kids.at[i];
        text_printf(&t, "%s", i ? ", " : "");
        if (e->kind == AST_ELLIPSIS)
            text_printf(&t, "...");
        else if (e->kind == AST_NUMBER)
            text_printf(&t, "%s", number_text(e->number));
        else if (e->kind == AST_AT_MOST)
            text_printf(&t, "%s <= %s", e->name,
                        e->a->kind == AST_NUMBER ? number_text(e->a->number) : "(…)");
        else if (e->kind == AST_NAME)
            text_printf(&t, "%s", e->name);
        else
            text_printf(&t, "(…)");
    }
    text_printf(&t, "]");
    return t.at;
}

static int parameter_index(AstList params, const char *name)
{
    for (int i = 0; i < params.n; i++)
        if (params.at[i]->name == name)
            return i;
    return -1;
}

/* [units] of a recurrent layer, where a sequence is wanted. */
static bool gave_last_step(Check *c, const Ast *p, Value v)
{
    Binding *b = v.made && v.kind == V_TENSOR ? env_find(c->file, v.name) : NULL;
    if (!b || b->value.kind != V_FUNCTION || !b->value.function->decl)
        return false;
    AstList params = b->value.function->decl->params;
    return v.node->shape.rank + 2 == p->a->kids.n &&
           parameter_index(params, intern("return_sequences")) >= 0;
}

static void report_signature(Check *c, const char *function, const Ast *p, Value v)
{
    report(c, v.pos, "`%s` takes %s: %s, %s", function, p->name, signature_text(p->a),
           introduce(v));
    note(c, p->pos, "declared here");
    if (v.name && !v.made && v.declared.line && !in_library(c, v.declared))
        note(c, v.declared, "`%s` is bound here", v.name);
    if (gave_last_step(c, p, v))
        advise(c, "`return_sequences: true` makes `%s` give all steps", v.name);
    if (v.kind == V_TENSOR && v.node->shape.rank == 2 && p->a->kids.n == 4)
        advise(c, "add the axis of channels: `reshape(%lld, %lld, 1)`",
               (long long)v.node->shape.dim[0], (long long)v.node->shape.dim[1]);
}

/* A number that a name of a signature already stands for. */
static bool known_size(Check *c, const Ast *e, Env *env, double *size)
{
    Binding *b = e->kind == AST_NAME ? env_find(env, e->name) : NULL;
    if (e->kind == AST_NAME && !b)
        return false;
    if (b && !b->lazy && b->value.kind != V_NUMBER)
        return false;
    Value v = eval(c, e, env);
    *size = v.kind == V_NUMBER ? v.number : 0;
    return v.kind == V_NUMBER || e->kind != AST_NAME;
}

static bool match_size(Check *c, const Ast *e, int64_t size, Env *env)
{
    double known;
    int64_t most;
    if (e->kind == AST_AT_MOST && (!maximum_of(c, e, env, &most) || size > most))
        return false;
    if (e->kind != AST_AT_MOST && known_size(c, e, env, &known))
        return known == (double)size;
    if (e->kind == AST_NAME || (e->kind == AST_AT_MOST && !env_own(env, e->name)))
        env_bind(env, e->name, v_number((double)size), e->pos, B_VALUE);
    return true;
}

/* Sizes first..last of the signature against dims of the shape from `at`. */
static bool match_range(Check *c, AstList kids, int first, int last, Shape s, int at, Env *env)
{
    bool fits = true;
    for (int i = first; i < last; i++)
        fits &= match_size(c, kids.at[i], s.dim[at + i - first], env);
    return fits;
}

static bool match_shape(Check *c, const Ast *list, Shape s, Env *env)
{
    AstList kids = list->kids;
    int first = kids.n > 0 && kids.at[0]->kind == AST_NAME && kids.at[0]->name == intern("batch");
    int open = -1;
    for (int i = first; i < kids.n; i++)
        if (kids.at[i]->kind == AST_ELLIPSIS)
            open = i;
    if (open < 0)
        return kids.n - first == s.rank && match_range(c, kids, first, kids.n, s, 0, env);
    int before = open - first, after = kids.n - open - 1, middle = s.rank - before - after;
    if (middle < 0)
        return false;
    env_bind(env, intern("..."), v_sizes(middle, s.dim + before), list->pos, B_VALUE);
    return match_range(c, kids, first, open, s, 0, env) &&
           match_range(c, kids, open + 1, kids.n, s, s.rank - after, env);
}

static bool wrong_signature(const Ast *list)
{
    int open = 0;
    for (int i = 0; i < list->kids.n; i++) {
        const Ast *e = list->kids.at[i];
        open += e->kind == AST_ELLIPSIS;
        if ((e->kind == AST_AT_MOST && e != varying_size(list)) || open > 1 ||
            (e->kind == AST_NUMBER && e->number < 1))
            return true;
    }
    return false;
}

/* Is the number of steps one that the declaration fixes? */
static bool fixes_steps(const Ast *list, const Env *env)
{
    int first = list->kids.n > 0 && list->kids.at[0]->kind == AST_NAME &&
                list->kids.at[0]->name == intern("batch");
    const Ast *e = list->kids.n > first ? list->kids.at[first] : NULL;
    return e && e->kind != AST_ELLIPSIS && e->kind != AST_AT_MOST &&
           !(e->kind == AST_NAME && env_own(env, e->name));
}

static bool report_fixed(Check *c, const char *function, const Ast *p, Value v)
{
    report(c, v.pos, "`%s` takes %s of a fixed length, %s; %s", function, p->name,
           signature_text(p->a), introduce(v));
    note(c, p->pos, "declared here");
    advise(c, "`%s: [time <= %lld, …]` takes sequences of any length up to that", p->name,
           (long long)v.node->shape.dim[0]);
    return false;
}

bool match_signature(Check *c, const char *function, const Ast *p, Value v, Env *env)
{
    if (v.kind == V_NUMBER) {
        Pos pos = v.pos;
        v = v_tensor(scalar(v.number));
        v.pos = pos;
    }
    if (v.kind == V_TENSOR && match_shape(c, p->a, v.node->shape, env))
        return !is_sequence(v) || !fixes_steps(p->a, env) || report_fixed(c, function, p, v);
    if (wrong_signature(p->a)) /* reported where it is declared */
        return false;
    report_signature(c, function, p, v);
    if (v.kind == V_TUPLE)
        advise(c, "name the parts first: `a, b = …`");
    return false;
}

bool constant_shape(Check *c, const Ast *list, Env *env, Shape *shape)
{
    *shape = (Shape){0};
    if (!list || list->kids.n > MAX_RANK)
        return false;
    for (int i = 0; i < list->kids.n; i++) {
        double size;
        const Ast *e = list->kids.at[i];
        int64_t most;
        if (e->kind == AST_AT_MOST && e == varying_size(list)) {
            if (!maximum_of(c, e, env, &most))
                return false;
            shape->dim[shape->rank++] = most;
            continue;
        }
        bool open = e->kind == AST_ELLIPSIS || e->kind == AST_AT_MOST;
        if (open || !known_size(c, e, env, &size) || size < 1 || size > (double)MAX_ELEMENTS ||
            size != (double)(int64_t)size)
            return false;
        shape->dim[shape->rank++] = (int64_t)size;
    }
    return shape_fits(c, list->pos, *shape);
}

/* ---- Arguments ------------------------------------------------------------------- */

static const char *parameter_list(AstList params)
{
    Text t = {0};
    for (int i = 0; i < params.n; i++)
        text_printf(&t, "%s%s", i ? ", " : "", params.at[i]->name);
    return t.n ? t.at : "nothing";
}

static void report_argument(Check *c, const Function *f, const Arg *a)
{
    AstList params = f->decl->params;
    const char **names = NEW_ARRAY(const char *, params.n + 1);
    for (int i = 0; i < params.n; i++)
        names[i] = params.at[i]->name;
    report(c, a->pos, "`%s` has no argument `%s`", function_name(f), a->name);
    const char *meant = suggest(a->name, names, params.n);
    if (meant)
        advise(c, "did you mean `%s`?", meant);
    else
        advise(c, "it takes %s", parameter_list(params));
}

static bool too_many(Check *c, const Function *f, const Arg *a, int n)
{
    AstList params = f->decl->params;
    report(c, a->pos, "too many arguments: `%s` takes %s", function_name(f),
           parameter_list(params));
    note(c, f->decl->pos2, "declared here");
    if (n == params.n + 1 && is_layer(f))
        advise(c, "on a line of its own a layer takes the line above as its first argument");
    return false;
}

/* Each argument to its parameter; `given` by index, NULL where none. */
static bool place_arguments(Check *c, const Function *f, Arg *args, int n, Arg **given)
{
    bool ok = true;
    int next = 0;
    for (int i = 0; i < n; i++) {
        int at = args[i].name ? parameter_index(f->decl->params, args[i].name) : next++;
        if (at < 0) {
            report_argument(c, f, &args[i]);
            ok = false;
        } else if (at >= f->decl->params.n) {
            return too_many(c, f, &args[i], n);
        } else if (given[at]) {
            report(c, args[i].pos, "`%s` is given twice", f->decl->params.at[at]->name);
            note(c, given[at]->pos, "first here");
            ok = false;
        } else {
            given[at] = &args[i];
        }
    }
    return ok;
}

static bool complete(Check *c, const Function *f, Arg **given, Pos pos)
{
    bool all = true;
    for (int i = 0; i < f->decl->params.n; i++) {
        const Ast *p = f->decl->params.at[i];
        if (given[i] || p->b)
            continue;
        report(c, pos, "`%s` needs %s", function_name(f), p->name);
        note(c, p->pos, "declared here");
        advise(c, "write `%s: …`", p->name);
        all = false;
    }
    return all;
}

bool check_arguments(Check *c, Function *f, Arg *args, int n, Pos pos)
{
    Arg **given = NEW_ARRAY(Arg *, f->decl->params.n + 1);
    return place_arguments(c, f, args, n, given) && complete(c, f, given, pos);
}

bool bind_arguments(Check *c, Function *f, Arg *args, int n, Pos pos, Env *env)
{
    AstList params = f->decl->params;
    Arg **given = NEW_ARRAY(Arg *, params.n + 1);
    bool ok = place_arguments(c, f, args, n, given) && complete(c, f, given, pos);
    for (int i = 0; i < params.n; i++) {
        const Ast *p = params.at[i];
        Value v = given[i] ? given[i]->value : p->b ? eval(c, p->b, env) : v_error();
        ok &= v.kind != V_ERROR;
        if (p->a && v.kind != V_ERROR && !match_signature(c, function_name(f), p, v, env)) {
            v = v_error();
            ok = false;
        }
        Binding *b = env_own(env, p->name);
        if (b) /* a shape variable of the same name */
            b->value = v;
        else
            env_bind(env, p->name, v, p->pos, B_ARGUMENT);
    }
    return ok;
}

/* ---- Instances of layers ----------------------------------------------------------- */

static Path *path_of(Instance *owner, Path *outer, const Ast *call)
{
    Path **first = outer ? &outer->inner : &owner->paths;
    for (Path *p = *first; p; p = p->next)
        if (p->call == call)
            return p;
    Path *p = NEW(Path);
    *p = (Path){.call = call, .next = *first};
    return *first = p;
}

static int count_type(Instance *owner, const char *type)
{
    for (int i = 0; i < owner->ncounters; i++)
        if (owner->counters[i].type == type)
            return ++owner->counters[i].n;
    Counter first = {type, 1};
    PUSH(owner->counters, owner->ncounters, owner->counters_cap, first);
    return 1;
}

static bool name_taken(Check *c, const Instance *owner, const char *name, Pos pos)
{
    for (int i = 0; i < owner->nsites; i++)
        if (owner->sites[i].child->name == name) {
            report(c, pos, "two layers are called `%s`", name);
            note(c, owner->sites[i].child->pos, "the first is here");
            return true;
        }
    return false;
}

static Instance *instance_at(Check *c, Instance *owner, const Ast *call, Pos pos, const char *type,
                             const char *label)
{
    for (int i = 0; i < owner->nsites; i++)
        if (owner->sites[i].call == call && owner->sites[i].path == c->at.path)
            return owner->sites[i].child;
    Instance *child = NEW(Instance);
    child->network = owner->network;
    child->pos = pos;
    const char *own = label ? label : format("%s_%d", type, count_type(owner, type));
    child->name = intern(format("%s.%s", owner->name, own));
    if (name_taken(c, owner, child->name, pos))
        child->name = intern(format("%s again", child->name));
    Site site = {call, c->at.path, child};
    PUSH(owner->sites, owner->nsites, owner->sites_cap, site);
    return child;
}

/* ---- The kinds of functions ---------------------------------------------------------- */

static Value call_let(Check *c, Function *f, Arg *args, int n, const Ast *call, Pos pos)
{
    Env *env = env_new(f->env);
    if (!bind_arguments(c, f, args, n, pos, env))
        return v_error();
    if (c->at.owner)
        c->at.path = path_of(c->at.owner, c->at.path, call);
    bind_mode(c, env);
    return eval(c, f->decl->a, env);
}

static Value call_layer(Check *c, Function *f, Arg *args, int n, const Ast *call, Pos pos,
                        const char *label)
{
    Env *env = env_new(f->env);
    if (!bind_arguments(c, f, args, n, pos, env))
        return v_error();
    Instance *owner = c->at.owner, *child = NULL;
    NetworkInfo *record = c->at.record;
    if (owner)
        child = instance_at(c, owner, call, pos, f->decl->name, label);
    c->at.owner = child;
    c->at.path = NULL;
    c->at.record = NULL;
    if (child)
        c->at.layer = child->name;
    bind_mode(c, env);
    Value v = eval_body(c, f->decl, env, n > 0 ? args[0].value : v_error());
    c->at.record = record;
    if (child)
        record_layer(c, child->name, f->decl->name, v, child, user_place(c, pos));
    return v;
}

/* Sizes that a signature would take from an input that is not known. */
static void bind_unknown(const Ast *signature, Env *env)
{
    for (int i = 0; i < signature->kids.n; i++) {
        const Ast *e = signature->kids.at[i];
        const char *name = e->kind == AST_ELLIPSIS ? intern("...") : e->name;
        bool size = e->kind == AST_ELLIPSIS || e->kind == AST_AT_MOST ||
                    (e->kind == AST_NAME && !env_find(env, name));
        if (size)
            env_bind(env, name, v_error(), e->pos, B_VALUE);
    }
}

/* The body of a layer one of whose arguments is wrong or, after an earlier
 * mistake, unknown: what is known of the others is still checked. */
static void check_layer(Check *c, Function *f, Arg *args, int n, const Ast *call)
{
    AstList params = f->decl->params;
    Arg **given = NEW_ARRAY(Arg *, params.n + 1);
    Env *env = env_new(f->env);
    Context saved = c->at;
    Frame frame = {saved.frame, call->pos, function_name(f)};
    if (!place_arguments(c, f, args, n, given) || !complete(c, f, given, call->pos))
        return;
    c->calls++;
    c->at.frame = &frame;
    c->at.owner = NULL;
    c->at.record = NULL;
    c->at.unfed = true;
    for (int i = 0; i < params.n; i++) {
        const Ast *p = params.at[i];
        Value v = given[i] ? given[i]->value : p->b ? eval(c, p->b, env) : v_error();
        if (p->a && v.kind == V_ERROR)
            bind_unknown(p->a, env);
        else if (p->a && !match_signature(c, function_name(f), p, v, env))
            v = v_error();
        if (!env_own(env, p->name))
            env_bind(env, p->name, v, p->pos, B_ARGUMENT);
    }
    bind_mode(c, env);
    eval_body(c, f->decl, env, v_error());
    c->at = saved;
}

/* Takes an argument that every network has out of the list. */
static bool take_flag(Check *c, const char *name, bool otherwise, Arg *args, int *n)
{
    name = intern(name);
    for (int i = 0; i < *n; i++)
        if (args[i].name == name) {
            to_bool(c, args[i].value, name, &otherwise);
            memmove(&args[i], &args[i + 1], sizeof *args * (size_t)(*n - i - 1));
            --*n;
            i--;
        }
    return otherwise;
}

static void keep_example(NetworkInfo *info, const Arg *args, int n)
{
    info->called = true;
    info->example = NEW_ARRAY(Arg, n + 1);
    info->nexample = n;
    if (n > 0)
        memcpy(info->example, args, sizeof *args * (size_t)n);
}

Value network_body(Check *c, NetworkInfo *info, Env *env, Value first, bool training, bool record)
{
    Context saved = c->at;
    info->busy = true;
    c->at.owner = &info->instance;
    c->at.path = NULL;
    c->at.record = record ? info : NULL;
    c->at.training = training;
    c->at.layer = info->instance.name;
    bind_mode(c, env);
    Value v = eval_body(c, info->decl, env, first);
    info->busy = false;
    c->at = saved;
    return v;
}

static Value call_network(Check *c, Function *f, Arg *args, int n, Pos pos)
{
    NetworkInfo *info = f->network;
    if (info->busy) {
        report(c, pos, "network `%s` calls itself", f->decl->name);
        return v_error();
    }
    /* inference mode; and training mode, but the network's states stay */
    bool training = take_flag(c, "training", c->at.training, args, &n);
    bool update = take_flag(c, "update", !c->at.keeps_states, args, &n);
    Env *env = env_new(f->env);
    if (!bind_arguments(c, f, args, n, pos, env))
        return v_error();
    if (!info->called)
        keep_example(info, args, n);
    if (c->seeing) {
        Seen *seen = NEW(Seen);
        *seen = (Seen){info, env, c->seen};
        c->seen = seen;
    }
    bool kept = c->at.keeps_states;
    c->at.keeps_states = !update;
    Value v = network_body(c, info, env, n > 0 ? args[0].value : v_error(), training, false);
    c->at.keeps_states = kept;
    if (c->at.owner)
        record_layer(c, format("%s.%s", c->at.owner->name, f->decl->name), "network", v,
                     &info->instance, user_place(c, pos));
    return v;
}

static Value call_declared(Check *c, Function *f, Arg *args, int n, const Ast *call, Pos pos,
                           const char *label)
{
    switch (f->decl->kind) {
    case AST_LET: return call_let(c, f, args, n, call, pos);
    case AST_LAYER: return call_layer(c, f, args, n, call, pos, label);
    case AST_NETWORK: return call_network(c, f, args, n, pos);
    default:
        report(c, pos, "`%s` is an optimizer: it stands after `using`", f->decl->name);
        return v_error();
    }
}

Arg *with_given(const Function *f, Arg *args, int *n)
{
    if (f->ngiven == 0)
        return args;
    Arg *all = NEW_ARRAY(Arg, *n + f->ngiven);
    int total = *n;
    memcpy(all, args, sizeof *args * (size_t)*n);
    for (int i = 0; i < f->ngiven; i++) {
        bool again = false;
        for (int k = 0; k < *n; k++)
            again |= args[k].name == f->given[i].name;
        if (!again)
            all[total++] = f->given[i];
    }
    *n = total;
    return all;
}

static int data_argument(const Function *f, const Arg *args, int n)
{
    static const char *const takes_sources[] = {"split",  "zip",    "concat", "windows",
                                                "filter", "replay", NULL};
    bool joins = false;
    for (int i = 0; f->builtin && takes_sources[i]; i++)
        joins |= strcmp(f->builtin->name, takes_sources[i]) == 0;
    for (int i = 0; i < n && !joins; i++)
        if (args[i].value.kind == V_DATA)
            return i;
    return -1;
}

Value call_function(Check *c, Function *f, Arg *args, int n, const Ast *call, Pos pos,
                    const char *label)
{
    args = with_given(f, args, &n);
    c->calls++;
    if (waits(f, args, n))
        return waiting(f, args, n);
    int hole = data_argument(f, args, n);
    if (hole >= 0 && c->at.in_block) {
        report(c, args[hole].value.pos, "%s, expected a tensor or a number",
               introduce(args[hole].value));
        advise(c, "the block names its samples: `on %s(x)`",
               args[hole].value.name ? args[hole].value.name : "data");
        return v_error();
    }
    if (hole >= 0)
        return data_call(c, f, args, n, hole, pos);
    Context saved = c->at;
    Frame frame = {saved.frame, pos, function_name(f)};
    Value v;
    if (f->builtin) {
        v = call_builtin(c, f->builtin, args, n, pos);
    } else {
        c->at.frame = &frame;
        v = call_declared(c, f, args, n, call, pos, label);
    }
    c->at = saved;
    return v;
}

Value call_values(Check *c, Function *f, int n, const Value *values, Pos pos)
{
    Arg *args = NEW_ARRAY(Arg, n + 1);
    for (int i = 0; i < n; i++) {
        args[i] = (Arg){NULL, values[i], pos};
        args[i].value.pos = pos;
    }
    return call_function(c, f, args, n, NULL, pos, NULL);
}

/* ---- A call in the source ------------------------------------------------------------- */

static Function *find_function(Check *c, const Ast *call, Env *env)
{
    Value constant;
    if (!env_find(env, call->name) && !find_builtin(call->name) &&
        !builtin_constant(c, call->name, &constant)) {
        report(c, call->pos2, "unknown function or layer `%s`", call->name);
        const char *meant = suggest_name(call->name, env);
        if (meant)
            advise(c, "did you mean `%s`?", meant);
        return NULL;
    }
    Ast name = {.kind = AST_NAME, .name = call->name, .pos = call->pos2};
    Value v = eval(c, &name, env);
    if (v.kind == V_FUNCTION)
        return v.function;
    if (v.kind != V_ERROR) {
        report(c, v.pos, "`%s` is not a function: it is %s", call->name, describe_value(v));
        if (v.kind == V_STRING)
            advise(c, "names are written without quotes: `%s`", v.text);
        else if (v.declared.line)
            note(c, v.declared, "declared here");
    }
    return NULL;
}

static bool failed(const Arg *args, int n)
{
    for (int i = 0; i < n; i++)
        if (args[i].value.kind == V_ERROR)
            return true;
    return false;
}

/* The kind of a parameter's default, V_ERROR where nothing tells it. */
static ValueKind default_kind(const Function *f, const char *name, int place)
{
    if (!f || !f->decl || f->decl->params.n < 0)
        return V_ERROR;
    AstList params = f->decl->params;
    int at = name ? parameter_index(params, name) : place;
    const Ast *value = at >= 0 && at < params.n ? params.at[at]->b : NULL;
    Binding *b = value && value->kind == AST_NAME ? env_find(f->env, value->name) : NULL;
    if (b && b->lazy)
        return b->lazy->a && b->lazy->a->kind == AST_STRING ? V_STRING : V_ERROR;
    return b ? b->value.kind : V_ERROR;
}

static Value eval_argument(Check *c, const Ast *a, Env *env, ValueKind wanted)
{
    ValueKind saved = c->at.wanted;
    c->at.wanted = a->a->kind == AST_NAME ? wanted : V_ERROR;
    Value v = eval(c, a->a, env);
    c->at.wanted = saved;
    return v;
}

/* "h, 10, softmax" of `dense(h, 10, softmax)`, "…" where it has more lines. */
static const char *argument_text(const Ast *call)
{
    const char *text = spelled(call->pos), *open = strchr(text, '(');
    size_t n = strlen(text);
    bool whole = open && text[n - 1] == ')';
    return whole ? intern_n(open + 1, n - (size_t)(open - text) - 2) : "…";
}

/* Does a signature, such as [batch, ...], take a number as a tensor? */
static bool takes_number(const Ast *signature)
{
    for (int i = 0; i < signature->kids.n; i++) {
        const Ast *e = signature->kids.at[i];
        if (e->kind != AST_ELLIPSIS && e->name != intern("batch"))
            return false;
    }
    return true;
}

/* A layer in an expression that is given no tensor: `y = a + dense(3)`. */
static bool lacks_tensor(Check *c, const Function *f, const Arg *args, int n, const Ast *call)
{
    if (!f->decl || f->decl->kind != AST_LAYER || n == 0 || args[0].name)
        return false;
    AstList params = f->decl->params;
    ValueKind kind = args[0].value.kind;
    int needed = 0;
    for (int i = 0; i < params.n; i++)
        needed += params.at[i]->b == NULL;
    if (params.n == 0 || !params.at[0]->a || kind == V_TENSOR || kind == V_DATA ||
        kind == V_TUPLE || kind == V_ERROR ||
        (kind == V_NUMBER && n >= needed && takes_number(params.at[0]->a)))
        return false;
    report(c, call->pos, "`%s` is given no tensor", call->name);
    const char *arguments = argument_text(call), *named = "";
    if (n == 1 && params.n > 1)
        named = format("; where a layer takes a layer, `%s(%s: %s)`", call->name,
                       params.at[1]->name, arguments);
    advise(c, "inside an expression the argument is written: `%s(x, %s)`%s", call->name, arguments,
           named);
    return true;
}

/* On a line, a call with all its arguments: `dense(h, 10, softmax)`. No layer
 * of the library takes a second tensor. */
static bool written_out(Check *c, const Function *f, const Arg *args, int n, const Ast *call)
{
    if (n == 0 || args[0].name || args[0].value.kind != V_TENSOR || is_count(args[0].value))
        return false;
    if (f->decl && !in_library(c, f->decl->pos) && n < f->decl->params.n)
        return false;
    report(c, call->pos, "on a line of its own `%s` takes the line above, not %s", call->name,
           format("`%s`", spelled(args[0].pos)));
    advise(c, "write `y = %s(%s)` or `return %s(%s)`", call->name, argument_text(call), call->name,
           argument_text(call));
    return true;
}

/* The arguments of a call one of which is wrong. */
static void check_given(Check *c, Function *f, Arg *args, int n, Pos pos)
{
    if (f->network) {
        take_flag(c, "training", true, args, &n);
        take_flag(c, "update", true, args, &n);
    }
    check_arguments(c, f, args, n, pos);
}

Value eval_call(Check *c, const Ast *call, Env *env, const Value *running, const char *label)
{
    Arg *all = NEW_ARRAY(Arg, call->kids.n + 2), *args = all + 1;
    int n = call->kids.n;
    Function *f = find_function(c, call, env);
    bool layer = f && is_layer(f);
    for (int i = 0; i < n; i++) {
        const Ast *a = call->kids.at[i];
        ValueKind wanted = default_kind(f, a->name, i + (running && layer));
        args[i] = (Arg){a->name, eval_argument(c, a, env, wanted), a->name ? a->pos2 : a->pos};
    }
    if (label && f && !layer)
        report(c, call->pos, "only a layer can have a label; `%s` is none", call->name);
    if (!f || (!running && lacks_tensor(c, f, args, n, call)))
        return v_error();
    if (running && layer && !written_out(c, f, args, n, call)) {
        all[0] = (Arg){NULL, *running, call->pos};
        all[0].value.pos = call->pos;
        args = all;
        n++;
    }
    if (failed(args, n)) {
        args = with_given(f, args, &n);
        if (f->decl && f->decl->kind == AST_LAYER && !waits(f, args, n))
            check_layer(c, f, args, n, call);
        else if (f->decl && !waits(f, args, n))
            check_given(c, f, args, n, call->pos);
        return v_error();
    }
    Value v = call_function(c, f, args, n, call, call->pos, label);
    if (running && f->builtin && layer && c->at.owner) {
        Instance *child = instance_at(c, c->at.owner, call, call->pos, call->name, label);
        record_layer(c, child->name, call->name, v, child, call->pos);
    }
    v.pos = call->pos;
    v.name = call->name;
    v.made = true;
    v.declared = f->decl && !in_library(c, f->decl->pos) ? f->decl->pos2 : (Pos){0};
    return v;
}
