/* Optimizers: the body of an `optimizer` is evaluated once for each parameter
 * that a `using` updates, with `parameter` and `gradient` bound; what it
 * assigns becomes an update of the step. All reads see the values before the
 * step, unless the body assigned them above.
 *
 *   state v = 0                          one for each parameter, its shape
 *   state u: [] = 1                      one for the `using`
 *   v = rho * v + (1 - rho) * gradient^2
 *   parameter = parameter - learning_rate * gradient / sqrt(v + epsilon) */
#include "graph/check.h"

#include <string.h>

/* A state without the parameter's shape: shared by all of the `using`. */
typedef struct Shared {
    const char *name;
    Var *var;
    Node *next;
} Shared;

typedef struct Optimizer {
    const char *prefix; /* "optimizer_1"                           */
    Function *function;
    Fn *fn;
    Value count, global_norm;
    Shared *shared;
    int nshared, shared_cap;
    Var *param;
    Node *gradient; /* of the parameter at hand                */
} Optimizer;

static const char *const own_names[] = {"parameter", "gradient", "count", "global_norm"};

static Node *global_norm(const Using *u, Node **gradients)
{
    Node *sum = NULL;
    for (int i = 0; i < u->nparams; i++) {
        bool axes[MAX_RANK + 1] = {0};
        for (int k = 0; k < u->params[i]->shape.rank; k++)
            axes[k] = true;
        Node *square = graph_op2(OP_mul, gradients[i], gradients[i]);
        Node *part = graph_reduce(OP_reduce_sum, square, axes);
        sum = sum ? graph_op2(OP_add, sum, part) : part;
    }
    return sum ? graph_op1(OP_sqrt, sum) : scalar(0);
}

/* `count` is 1 in the first update of this `using`. */
static Node *count_updates(Check *c, Optimizer *o, Pos pos)
{
    Var *var = new_var(c, VAR_COUNT, format("%s.count", o->prefix), T_I32, (Shape){0}, pos);
    var->init = graph_typed(T_I32, var->shape, 0);
    Node *next = graph_op2(OP_add, var->node, graph_typed(T_I32, var->shape, 1));
    fn_update(o->fn, var, next);
    return graph_convert(next, T_F32);
}

/* ---- States ---------------------------------------------------------------------- */

static Shared *find_shared(Optimizer *o, const char *name)
{
    for (int i = 0; i < o->nshared; i++)
        if (o->shared[i].name == name)
            return &o->shared[i];
    return NULL;
}

static Var *new_state(Check *c, Optimizer *o, const Ast *s, bool own, Env *env)
{
    Shape shape = own ? o->param->shape : (Shape){0};
    const char *name = own ? format("%s.%s.%s", o->prefix, o->param->name, s->name)
                           : format("%s.%s", o->prefix, s->name);
    bool absent = false;
    Node *init = initial_value(c, s->b, env, shape, intern(name), &absent);
    if (absent)
        return NULL;
    Var *var = new_var(c, VAR_SLOT, name, T_F32, shape, s->pos);
    var->owner = own ? o->param : NULL;
    var->init = init ? init : graph_const(shape, 0);
    return var;
}

static void declare_slot(Check *c, Optimizer *o, const Ast *s, Env *env)
{
    Binding *b = env_own(env, s->name);
    if (b) {
        report(c, s->pos2, "`%s` is bound twice", s->name);
        note(c, b->pos, "first here");
        return;
    }
    if (s->a && s->a->kids.n > 0) {
        report(c, s->a->pos,
               "a state has the parameter's shape, or [] for one number that all "
               "parameters share");
        return;
    }
    Shared *shared = s->a ? find_shared(o, s->name) : NULL;
    Var *var = shared ? shared->var : new_state(c, o, s, s->a == NULL, env);
    if (s->a && !shared && var) {
        Shared one = {s->name, var, NULL};
        PUSH(o->shared, o->nshared, o->shared_cap, one);
    }
    b = env_bind(env, s->name, var ? v_tensor(var->node) : v_number(0), s->pos, B_STATE);
    b->state = var;
}

static void assign(Check *c, Binding *b, const Ast *s, Env *env)
{
    Value v = eval(c, s->a, env);
    if (!b->state) {
        b->value = v;
        return;
    }
    Node *node = v.kind == V_ERROR ? NULL : to_number_node(c, v);
    Shape both, wanted = b->state->shape;
    if (!node)
        return;
    if (!broadcast_shapes(node->shape, wanted, &both) || !shape_equal(both, wanted)) {
        report(c, s->a->pos, "`%s` is %s, its new value %s", b->name, sample_text(wanted),
               sample_text(node->shape));
        return;
    }
    b->next_state = graph_expand(node, wanted);
    b->value = v_tensor(b->next_state);
}

static void optimizer_statement(Check *c, Optimizer *o, const Ast *s, Env *env)
{
    if (s->kind == AST_STATE) {
        declare_slot(c, o, s, env);
        return;
    }
    Binding *b = s->kids.n == 1 ? env_own(env, s->kids.at[0]->name) : NULL;
    if (b && b->kind == B_STATE)
        assign(c, b, s, env);
    else
        bind_names(c, s, eval(c, s->a, env), env);
}

/* ---- One parameter, all parameters --------------------------------------------------- */

static void shared_update(Check *c, Optimizer *o, const Binding *b)
{
    Shared *s = find_shared(o, b->name);
    if (!s->next)
        s->next = b->next_state;
    else if (s->next != b->next_state)
        report(c, b->pos,
               "`%s` is one number for all parameters, so its new value cannot "
               "depend on `parameter` or `gradient`",
               b->name);
}

/* A scope lists its latest binding first; updates are in program order. */
static void collect_updates(Check *c, Optimizer *o, const Binding *b)
{
    if (!b)
        return;
    collect_updates(c, o, b->next);
    if (b->kind != B_STATE || !b->next_state)
        return;
    if (b->state->kind == VAR_SLOT && !b->state->owner)
        shared_update(c, o, b);
    else
        fn_update(o->fn, b->state, b->next_state);
}

static bool update_parameter(Check *c, Optimizer *o, Arg *args, int n, Pos pos)
{
    const Ast *decl = o->function->decl;
    Env *env = env_new(o->function->env);
    if (!bind_arguments(c, o->function, args, n, pos, env))
        return false;
    Value bound[] = {v_tensor(o->param->node), v_tensor(o->gradient), o->count, o->global_norm};
    for (int i = 0; i < 4; i++) {
        Binding *taken = env_own(env, intern(own_names[i]));
        if (taken) {
            report(c, taken->pos, "`%s` has a meaning of its own in an optimizer", taken->name);
            return false;
        }
        env_bind(env, intern(own_names[i]), bound[i], decl->pos, B_VALUE);
    }
    Binding *parameter = env_own(env, intern("parameter"));
    parameter->kind = B_STATE;
    parameter->state = o->param;
    int before = error_count();
    for (int i = 0; i < decl->kids.n; i++)
        optimizer_statement(c, o, decl->kids.at[i], env);
    if (!parameter->next_state && error_count() == before)
        report(c, decl->pos2, "optimizer `%s` never sets `parameter`", decl->name);
    collect_updates(c, o, env->first);
    return error_count() == before;
}

static Function *find_optimizer(Check *c, const Ast *call, Env *env)
{
    if (!env_find(env, call->name)) {
        report(c, call->pos2, "unknown optimizer `%s`", call->name);
        const char *meant = suggest_name(call->name, env);
        if (meant)
            advise(c, "did you mean `%s`?", meant);
        return NULL;
    }
    Ast name = {.kind = AST_NAME, .name = call->name, .pos = call->pos2};
    Value v = eval(c, &name, env);
    if (v.kind == V_FUNCTION && v.function->decl && v.function->decl->kind == AST_OPTIMIZER)
        return v.function;
    if (v.kind != V_ERROR) {
        report(c, call->pos2, "`%s` is not an optimizer", call->name);
        note(c, v.declared, "declared here");
    }
    return NULL;
}

static bool eval_arguments(Check *c, const Ast *call, Env *env, Arg *args)
{
    bool ok = true;
    for (int i = 0; i < call->kids.n; i++) {
        const Ast *a = call->kids.at[i];
        args[i] = (Arg){a->name, eval(c, a->a, env), a->name ? a->pos2 : a->pos};
        ok &= args[i].value.kind != V_ERROR;
    }
    return ok;
}

void check_optimizer(Check *c, const Ast *call, Env *env)
{
    int n = call->kids.n;
    Arg *args = NEW_ARRAY(Arg, n + 1);
    Function *f = find_optimizer(c, call, env);
    eval_arguments(c, call, env, args);
    if (f)
        check_arguments(c, f, with_given(f, args, &n), n, call->pos2);
}

void add_updates(Check *c, Fn *fn, Node *objective, const Using *u, Env *env)
{
    int n = u->call->kids.n;
    Arg *args = NEW_ARRAY(Arg, n + 1);
    Node **gradients = NEW_ARRAY(Node *, u->nparams + 1);
    Optimizer o = {.prefix = format("optimizer_%d", ++c->usings), .fn = fn};
    o.function = find_optimizer(c, u->call, env);
    if (!eval_arguments(c, u->call, env, args) || !o.function)
        return;
    args = with_given(o.function, args, &n);
    Context saved = c->at;
    Frame frame = {saved.frame, u->call->pos2, u->call->name};
    c->at = (Context){.frame = &frame,
                      .depth = saved.depth,
                      .in_optimizer = true,
                      .training = true,
                      .layer = intern(o.prefix)};
    place_nodes(c, u->call->pos);
    for (int i = 0; i < u->nparams; i++)
        gradients[i] = graph_gradient(objective, u->params[i]->node);
    o.count = v_tensor(count_updates(c, &o, u->call->pos));
    o.global_norm = v_tensor(global_norm(u, gradients));
    for (int i = 0; i < u->nparams; i++) {
        o.param = u->params[i];
        o.gradient = gradients[i];
        if (!update_parameter(c, &o, args, n, u->call->pos2))
            break;
    }
    for (int i = 0; i < o.nshared; i++)
        if (o.shared[i].next)
            fn_update(fn, o.shared[i].var, o.shared[i].next);
    c->at = saved;
}
