/* Parameters and states: declared by the body of a layer or network, made by
 * the first call that reaches the declaration, found by name in all others. */
#include "graph/check.h"
#include "graph/ops.h"

#include <string.h>

Var *new_var(Check *c, VarKind kind, const char *name, Type type, Shape shape, Pos pos)
{
    Var *var = NEW(Var);
    *var = (Var){.kind = kind,
                 .name = intern(name),
                 .type = type,
                 .shape = shape,
                 .pos = user_place(c, pos)};
    if (c->at.owner && (kind == VAR_PARAM || kind == VAR_STATE))
        var->weights = c->at.owner->network->decl->text;
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

/* ---- States of places in the batch -------------------------------------------
 *
 * A row for each place, of which a sample sees its own: row[place], and 0 in
 * places beyond the last row. New values are scattered to the rows of this
 * batch; in a short last batch the other rows stay. */

/* [1] instead of []: an index in memory. */
static Node *place_index(void)
{
    return graph_reshape(graph_place(), shape_of(true, 1, (int64_t[]){1}));
}

static Shape of_sample(Shape rows)
{
    return shape_of(true, rows.rank - 1, rows.dim + 1);
}

/* x where the sample's place has a row, else 0. */
static Node *where_kept(Node *x, int64_t rows)
{
    Node *place = graph_place(), *limit = graph_typed(T_I32, place->shape, (double)rows);
    Node *kept = graph_expand(graph_op2(OP_lt, place, limit), x->shape);
    return graph_select(kept, x, graph_const(x->shape, 0));
}

static Node *row_of_place(Node *rows)
{
    Node *row = graph_gather_rows(rows, place_index());
    return where_kept(graph_reshape(row, of_sample(rows->shape)), rows->shape.dim[0]);
}

static Node *with_rows(Node *rows, Node *value)
{
    Shape column = shape_of(false, 1, rows->shape.dim), one = value->shape;
    int map[MAX_RANK] = {0};
    for (int i = 1; i < MAX_RANK; i++)
        map[i] = -1;
    Node *live = graph_broadcast(graph_live(), column, (int[]){-1});
    Node *taken = graph_op2(OP_lt, graph_iota(T_F32, column, 0), live);
    taken = graph_broadcast(taken, rows->shape, map);
    Node *others = graph_select(taken, graph_const(rows->shape, 0), rows);
    one.rank = rows->shape.rank;
    one.dim[0] = 1;
    for (int i = 1; i < one.rank; i++)
        one.dim[i] = rows->shape.dim[i];
    value = graph_reshape(where_kept(value, rows->shape.dim[0]), one);
    return graph_scatter_add_rows(others, place_index(), value);
}

/* In training what the last batch left; elsewhere every batch begins anew. */
static Node *place_value(const Check *c, Node *rows)
{
    Shape shape = of_sample(rows->shape);
    shape.batch = c->at.training;
    return c->at.training ? row_of_place(rows) : graph_const(shape, 0);
}

Node *state_value(Check *c, Var *var)
{
    Node *value = var->node;
    for (int i = c->nupdates - 1; i >= 0 && c->at.in_update && value == var->node; i--)
        if (c->updates[i].var == var)
            value = c->updates[i].value;
    return var->places ? place_value(c, value) : value;
}

/* `[batch <= 32, n]` */
static const Ast *bound_of_places(const Ast *shape)
{
    const Ast *first = shape && shape->kids.n > 0 ? shape->kids.at[0] : NULL;
    bool places = first && first->kind == AST_AT_MOST && first->name == intern("batch");
    return places ? first->a : NULL;
}

/* `[batch, n]` and `param w: [batch <= 32, n]` are not. */
static bool bound_is_right(Check *c, const Ast *s)
{
    const Ast *first = s->a->kids.n > 0 ? s->a->kids.at[0] : NULL;
    bool batch = first && first->kind == AST_NAME && first->name == intern("batch");
    bool state = s->kind == AST_STATE;
    if (!batch && (state || !bound_of_places(s->a)))
        return true;
    if (state) {
        report(c, first->pos, "`%s` says of how many places in the batch at most", s->name);
        advise(c, "write `[batch <= 32, …]`");
    } else {
        report(c, first->pos, "a parameter is the same for all samples");
        advise(c, "leave `batch` away; `state %s: [batch <= 32, …]` is of each place in the batch",
               s->name);
    }
    return false;
}

/* The sizes of a declaration; false after a message or, absent, where the
 * number of places is `none`. */
static bool declared_shape(Check *c, const Ast *s, Env *env, Shape *shape, bool *absent)
{
    enum { MOST_PLACES = 65536 };
    const Ast *bound = bound_of_places(s->a);
    int64_t places;
    if (s->a && !bound_is_right(c, s))
        return false;
    if (!bound)
        return !s->a || to_shape(c, eval(c, s->a, env), shape);
    Value v = eval(c, bound, env);
    *absent = v.kind == V_NONE;
    if (*absent || !to_whole(c, v, "a number of places in the batch", 1, MOST_PLACES, &places))
        return false;
    Ast *rest = NEW(Ast);
    *rest = *s->a;
    rest->kids.at++;
    rest->kids.n--;
    Shape sample;
    if (!to_shape(c, eval(c, rest, env), &sample))
        return false;
    if (sample.rank == MAX_RANK) {
        report(c, s->a->pos, "a state has at most %d axes, that of the batch included", MAX_RANK);
        return false;
    }
    *shape = shape_of(false, sample.rank + 1, sample.dim);
    memmove(shape->dim + 1, shape->dim, (size_t)sample.rank * sizeof *shape->dim);
    shape->dim[0] = places;
    return shape_fits(c, s->a->pos, *shape);
}

static void check_first_rows(Check *c, const Ast *s, const Node *init)
{
    if (is_splat(init, 0))
        return;
    report(c, s->b->pos, "a state of each place in the batch begins as 0");
    advise(c, "write `= 0`, and add what else it begins with where it is read");
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
    for (int i = bound_of_places(shape) ? 1 : 0; shape && i < shape->kids.n; i++) {
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
    if (!declared_shape(c, s, env, &shape, absent))
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
    var->places = bound_of_places(s->a) != NULL;
    if (var->places && init)
        check_first_rows(c, s, init);
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
    Value v = absent ? v_number(0) : v_tensor(var ? state_value(c, var) : NULL);
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
    if (!c->at.training || c->at.keeps_states || !c->collect || !b->state)
        return;
    c->at.in_update = true;
    Value v = eval(c, s->a, env);
    c->at.in_update = false;
    Node *node = v.kind == V_ERROR ? NULL : to_number_node(c, v);
    Var *var = b->state;
    Shape both, shape = var->places ? of_sample(var->shape) : var->shape;
    if (!node)
        return;
    if (!broadcast_shapes(node->shape, shape, &both) || !shape_equal(both, shape)) {
        report(c, s->a->pos, "`%s` is %s, its new value %s%s", s->name, sample_text(shape),
               sample_text(node->shape),
               node->shape.batch && !var->places ? " for each sample" : "");
        if (node->shape.batch && !var->places)
            advise(c, "`state %s: [batch <= 32, …]` has a value for each place in the batch",
                   s->name);
        return;
    }
    node = graph_expand(node, shape);
    StateUpdate u = {var, var->places ? with_rows(var->node, node) : node, c->at.owner};
    PUSH(c->updates, c->nupdates, c->updates_cap, u);
}
