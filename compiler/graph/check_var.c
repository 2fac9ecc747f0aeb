/* Parameters and states: declared by the body of a layer or network, made by
 * the first call that reaches the declaration, found by name in all others. */
#include "graph/check.h"

Var *new_var(Check *c, VarKind kind, const char *name, Type type, Shape shape, Pos pos)
{
    Var *var = NEW(Var);
    *var = (Var){.kind = kind,
                 .name = intern(name),
                 .type = type,
                 .shape = shape,
                 .pos = user_place(c, pos)};
    graph_var(var);
    for (int i = 0; i < c->model->nvars; i++)
        if (c->model->vars[i]->name == var->name) {
            report(c, pos, "a second variable is called `%s`", name);
            note(c, c->model->vars[i]->pos, "the first is made here");
        }
    PUSH(c->model->vars, c->model->nvars, c->vars_cap, var);
    PUSH(c->owners, c->nowners, c->owners_cap, c->at.owner ? c->at.owner->network : NULL);
    return var;
}

Node *state_value(Check *c, Var *var)
{
    for (int i = c->nupdates - 1; i >= 0 && c->at.in_update; i--)
        if (c->updates[i].var == var)
            return c->updates[i].value;
    return var->node;
}

/* An initial value is computed once, before there is data or a parameter. */
static bool initial_is_closed(Check *c, const Ast *e, Node *value)
{
    NodeList list = graph_reach(1, &value);
    for (int i = 0; i < list.n; i++) {
        Op op = list.at[i]->op;
        if (op == OP_input || op == OP_var || op == OP_live) {
            report(c, e->pos, "an initial value cannot depend on %s",
                   op == OP_var ? "a parameter" : "the data");
            return false;
        }
    }
    return true;
}

Node *initial_value(Check *c, const Ast *e, Env *env, Shape shape, const char *name, bool *absent)
{
    Context saved = c->at;
    c->at.init = name;
    c->at.draws = 0;
    Value v = eval(c, e, env);
    *absent = v.kind == V_NONE;
    if (v.kind == V_FUNCTION) {
        Value sizes = v_sizes(shape.rank, shape.dim);
        v = call_values(c, v.function, 1, &sizes, v.pos);
        v.pos = e->pos;
    }
    c->at = saved;
    Node *node = v.kind == V_ERROR || *absent ? NULL : to_number_node(c, v);
    Shape both;
    if (!node || !initial_is_closed(c, e, node))
        return NULL;
    if (broadcast_shapes(node->shape, shape, &both) && shape_equal(both, shape))
        return graph_expand(node, shape);
    report(c, e->pos, "the initial value of %s is %s, it needs %s", name, sample_text(node->shape),
           sample_text(shape));
    return NULL;
}

static Var *find_var(const Instance *owner, const char *name)
{
    for (int i = 0; i < owner->nvars; i++)
        if (owner->vars[i]->name == name)
            return owner->vars[i];
    return NULL;
}

/* The sizes that are known, where some are not. */
static void check_sizes(Check *c, const Ast *shape, Env *env)
{
    for (int i = 0; shape && i < shape->kids.n; i++) {
        if (shape->kids.at[i]->kind == AST_ELLIPSIS)
            continue;
        Value v = eval(c, shape->kids.at[i], env);
        if (v.kind != V_LIST)
            to_whole(c, v, "a size", 1, MAX_ELEMENTS, &(int64_t){0});
    }
}

/* The var of a declaration, made by the first call; NULL after a message or
 * where the initial value is `none`. */
static Var *declare_var(Check *c, const Ast *s, Env *env, VarKind kind, bool *absent)
{
    Shape shape = {0};
    Instance *owner = c->at.owner;
    if (c->at.unfed) {
        check_sizes(c, s->a, env);
        return NULL;
    }
    if (!owner) {
        report(c, s->pos2,
               "`%s` belongs to no network: a layer with parameters is called in a "
               "network",
               s->name);
        return NULL;
    }
    if (s->a && !to_shape(c, eval(c, s->a, env), &shape))
        return NULL;
    const char *name = intern(format("%s.%s", owner->name, s->name));
    Var *var = find_var(owner, name);
    if (var && !shape_equal(var->shape, shape)) {
        report(c, s->pos2, "%s is %s here, but it was made as %s", name, sample_text(shape),
               sample_text(var->shape));
        note(c, var->pos, "by the first call, of this");
        return NULL;
    }
    if (var)
        return var;
    Node *init = initial_value(c, s->b, env, shape, name, absent);
    if (*absent)
        return NULL;
    var = new_var(c, kind, name, T_F32, shape, s->pos);
    var->init = init ? init : graph_const(shape, 0);
    PUSH(owner->vars, owner->nvars, owner->vars_cap, var);
    return var;
}

static Binding *declare(Check *c, const Ast *s, Env *env, VarKind kind)
{
    Binding *b = env_own(env, s->name);
    if (b) {
        report(c, s->pos2, "`%s` is bound twice", s->name);
        note(c, b->pos, "first here");
        return NULL;
    }
    bool absent = false;
    Var *var = declare_var(c, s, env, kind, &absent);
    Value v = absent ? v_number(0) : v_tensor(var ? var->node : NULL);
    b = env_bind(env, s->name, v, s->pos, B_VALUE);
    b->state = kind == VAR_STATE ? var : NULL;
    return b;
}

void declare_param(Check *c, const Ast *s, Env *env)
{
    declare(c, s, env, VAR_PARAM);
}

void declare_state(Check *c, const Ast *s, Env *env)
{
    Binding *b = declare(c, s, env, VAR_STATE);
    if (b)
        b->kind = B_STATE;
}

/* States change in training mode, in steps; elsewhere they are only read. */
void update_state(Check *c, const Ast *s, Env *env)
{
    Binding *b = env_own(env, s->name);
    Pos pos = s->pos2;
    if (!b || b->kind != B_STATE) {
        report(c, pos, "`%s` is no state of this layer", s->name);
        advise(c, "declare it: `state %s: [n] = zeros`", s->name);
        return;
    }
    if (!c->at.training || !c->collect || !b->state)
        return;
    c->at.in_update = true;
    Value v = eval(c, s->a, env);
    c->at.in_update = false;
    Node *node = v.kind == V_ERROR ? NULL : to_number_node(c, v);
    Shape both;
    if (!node)
        return;
    if (!broadcast_shapes(node->shape, b->state->shape, &both) ||
        !shape_equal(both, b->state->shape)) {
        report(c, s->a->pos, "`%s` is %s, its new value %s%s", s->name,
               sample_text(b->state->shape), sample_text(node->shape),
               node->shape.batch ? " for each sample" : "");
        return;
    }
    StateUpdate u = {b->state, graph_expand(node, b->state->shape), c->at.owner};
    PUSH(c->updates, c->nupdates, c->updates_cap, u);
}
