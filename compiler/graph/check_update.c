/* What a step updates: the networks, parts and parameters that its lines
 * `update … using …` name, or all that `minimize … using …` reaches; and of
 * the states of layers those that belong to what is named. */
#include "graph/check.h"

#include <string.h>

/* ---- What an objective reaches ------------------------------------------------------------ */

static bool passes_gradient(const Node *n)
{
    switch (n->op) {
    case OP_stop_gradient:
    case OP_lt:
    case OP_le:
    case OP_eq:
    case OP_and:
    case OP_or:
    case OP_not:
    case OP_floor:
    case OP_window_argmax: return false;
    default: return n->type == T_F32;
    }
}

static bool not_stopped(const Node *n)
{
    return n->op != OP_stop_gradient;
}

/* [node id]: does the objective depend on it by ways on which all nodes pass? */
static bool *ways_to(Node *objective, bool (*passes)(const Node *))
{
    NodeList all = graph_reach(1, &objective);
    bool *alive = NEW_ARRAY(bool, objective->id + 1);
    alive[objective->id] = true;
    for (int i = all.n - 1; i >= 0; i--) {
        Node *n = all.at[i];
        for (int k = 0; alive[n->id] && (!passes || passes(n)) && k < n->nin; k++)
            alive[n->in[k]->id] = true;
    }
    return alive;
}

/* Marks, by place in model->vars, what the objective depends on smoothly. It
 * ends with the variables that there are: an optimizer adds states, which no
 * objective reaches. What is reached only behind `stop_gradient` is meant to
 * keep its values. */
static bool *reached_vars(Check *c, Node *objective)
{
    Model *m = c->model;
    bool *reached = NEW_ARRAY(bool, m->nvars + 1);
    const bool *smooth = ways_to(objective, passes_gradient);
    const bool *open = ways_to(objective, not_stopped), *any = ways_to(objective, NULL);
    for (int v = 0; v < m->nvars; v++) {
        int id = m->vars[v]->node->id;
        bool param = m->vars[v]->kind == VAR_PARAM && id <= objective->id;
        reached[v] = param && smooth[id];
        if (param && any[id] && !open[id])
            c->owners[v]->stopped = true;
    }
    return reached;
}

static bool is_reached(const Check *c, const bool *reached, int v)
{
    return c->model->vars[v]->kind == VAR_PARAM && reached[v];
}

static void report_target(Check *c, const Ast *name, bool known)
{
    const char **names = NULL;
    int n = 0, cap = 0;
    for (NetworkInfo *i = c->networks; i; i = i->next)
        PUSH(names, n, cap, i->decl->name);
    report(c, name->pos, known ? "`%s` is not a network" : "unknown network `%s`", name->name);
    const char *meant = suggest(name->name, names, n);
    if (meant)
        advise(c, "did you mean `%s`?", meant);
    else
        advise(c, "`update` names networks or parts of one, such as `encoder.dense_1`");
}

/* The network of a target, `decoder` or `decoder.dense_2`. */
NetworkInfo *find_network(Check *c, const Ast *name)
{
    const char *first = intern_n(name->name, strcspn(name->name, "."));
    Binding *b = env_find(c->file, first);
    if (b && b->value.kind == V_FUNCTION && b->value.function->network) {
        return b->value.function->network;
    }
    report_target(c, name, b != NULL);
    return NULL;
}

/* Is the variable the target or a part of it? NULL: everything is. */
static bool is_part(const Var *var, const char *target)
{
    size_t n = target ? strlen(target) : 0;
    return !target ||
           (strncmp(var->name, target, n) == 0 && (var->name[n] == '.' || var->name[n] == 0));
}

static bool takes(const Using *u, const Var *var)
{
    for (int i = 0; i < u->nparams; i++)
        if (u->params[i] == var)
            return true;
    return false;
}

static bool take_params(Check *c, const bool *reached, const char *target, Using *u, int *cap)
{
    bool any = false;
    for (int v = 0; v < c->model->nvars; v++)
        if (is_reached(c, reached, v) && is_part(c->model->vars[v], target)) {
            if (!takes(u, c->model->vars[v]))
                PUSH(u->params, u->nparams, *cap, c->model->vars[v]);
            c->owners[v]->updated = true;
            any = true;
        }
    return any;
}

/* Networks or parts of them, so that their states change too. */
typedef struct Target {
    const NetworkInfo *network;
    const char *name; /* NULL: all of it */
} Target;

typedef struct Updated {
    Target *at;
    int n, cap;
    bool all;    /* `minimize … using …` */
    bool silent; /* the objective has mistakes: what it reaches is not known */
} Updated;

static void add_target(Updated *u, const NetworkInfo *info, const char *name)
{
    Target t = {info, name};
    PUSH(u->at, u->n, u->cap, t);
}

static bool has_params(const Instance *at)
{
    for (int i = 0; i < at->nvars; i++)
        if (at->vars[i]->kind == VAR_PARAM)
            return true;
    for (int i = 0; i < at->nsites; i++)
        if (has_params(at->sites[i].child))
            return true;
    return false;
}

/* Does a state of this network change in the step? */
static bool is_updated(const Updated *u, const Var *state, const NetworkInfo *info)
{
    for (int i = 0; i < u->n; i++)
        if (u->at[i].network == info && is_part(state, u->at[i].name))
            return true;
    return u->all && !has_params(&info->instance);
}

/* Does the step give a state of the target a new value? */
static bool has_new_state(const Check *c, const NetworkInfo *info, const char *target)
{
    for (int i = 0; i < c->nupdates; i++)
        if (c->updates[i].owner->network == info && is_part(c->updates[i].var, target))
            return true;
    return false;
}

/* The line of the step that named the var before `line`. */
static const Ast *named_before(const Ast *step, const Ast *line, const Var *var)
{
    for (int i = 0; step->kids.at[i] != line; i++) {
        const Ast *s = step->kids.at[i];
        for (int k = 0; s->kind == AST_USING && k < s->kids.n; k++)
            if (is_part(var, s->kids.at[k]->name))
                return s->kids.at[k];
    }
    return NULL;
}

/* A parameter has one new value in a step. */
static bool updated_before(Check *c, const Fn *fn, const Using *u, const Ast *step, const Ast *line)
{
    for (int i = 0; i < fn->nupdates; i++) {
        if (!takes(u, fn->targets[i]))
            continue;
        const Ast *first = named_before(step, line, fn->targets[i]);
        report(c, line->kids.at[0]->pos, "`%s` is updated twice in this step",
               fn->targets[i]->name);
        if (first)
            note(c, first->pos, "the first optimizer has it from here");
        advise(c, "a parameter has one optimizer in a step: name the other parts there, or make "
                  "two steps");
        return true;
    }
    return false;
}

/* Full names of the layers and parameters below an instance. */
static void list_parts(const Instance *at, const char ***names, int *n, int *cap)
{
    for (int i = 0; i < at->nvars; i++)
        PUSH(*names, *n, *cap, at->vars[i]->name);
    for (int i = 0; i < at->nsites; i++) {
        PUSH(*names, *n, *cap, at->sites[i].child->name);
        list_parts(at->sites[i].child, names, n, cap);
    }
}

static void advise_layers(Check *c, const Instance *network)
{
    Text t = {0};
    size_t prefix = strlen(network->name) + 1;
    for (int i = 0; i < network->nsites && i < 16; i++)
        text_printf(&t, "%s%s", i ? ", " : "", network->sites[i].child->name + prefix);
    if (t.n)
        advise(c, "its layers are %s%s", t.at, network->nsites > 16 ? ", …" : "");
}

/* Has the network no part of that name? Then that is reported. */
static bool report_part(Check *c, const Ast *name, const NetworkInfo *info)
{
    const char **names = NULL;
    int n = 0, cap = 0;
    list_parts(&info->instance, &names, &n, &cap);
    for (int i = 0; i < n; i++)
        if (names[i] == name->name)
            return false;
    if (!strchr(name->name, '.') || n == 0)
        return false;
    report(c, name->pos, "`%s` has no layer or parameter `%s`", info->decl->name,
           strchr(name->name, '.') + 1);
    const char *meant = suggest(name->name, names, n);
    if (meant)
        advise(c, "did you mean `%s`?", meant);
    else
        advise_layers(c, &info->instance);
    return true;
}

/* ---- Nothing to update ---------------------------------------------------------- */

/* The node at which the ways of a gradient from y to what is marked end. */
static const Node *end_of_ways(Node *y, bool *holds)
{
    NodeList all = graph_reach(1, &y);
    const bool *smooth = ways_to(y, passes_gradient);
    const Node *end = NULL;
    for (int i = 0; i < all.n; i++) {
        const Node *n = all.at[i];
        if (holds[n->id] && smooth[n->id]) /* what is marked itself */
            return NULL;
        for (int k = 0; k < n->nin; k++)
            holds[n->id] |= holds[n->in[k]->id];
        if (!end && holds[n->id] && smooth[n->id] && !passes_gradient(n))
            end = n;
    }
    return end;
}

const Node *gradient_stop(Node *y, const Node *x)
{
    bool *holds = NEW_ARRAY(bool, y->id + 1);
    holds[x->id] = true;
    return end_of_ways(y, holds);
}

/* What stops the gradient on the way to a parameter of the target, or NULL. */
static const Node *target_stop(const Check *c, Node *objective, const char *target)
{
    bool *holds = NEW_ARRAY(bool, objective->id + 1);
    for (int v = 0; v < c->model->nvars; v++) {
        const Var *var = c->model->vars[v];
        if (var->kind == VAR_PARAM && var->node->id <= objective->id && is_part(var, target))
            holds[var->node->id] = true;
    }
    return end_of_ways(objective, holds);
}

/* Why nothing of the target is reached; NULL: of any network. */
static void explain_target(Check *c, Node *objective, const char *target)
{
    const Node *n = target_stop(c, objective, target);
    if (n && n->pos.line)
        note(c, n->pos, "no gradient goes through this");
    if (n)
        return;
    if (target)
        advise(c, "it is computed without `%s`: another step may be meant", target);
    else
        advise(c, "it calls no network that has parameters");
}

/* ---- Updates of a step ----------------------------------------------------------- */

static void add_using(Check *c, Fn *fn, Node *objective, const Ast *step, const Ast *s,
                      const bool *reached, Updated *updated, Env *env)
{
    Using u = {.call = s->a};
    int cap = 0;
    bool ok = true;
    for (int i = 0; i < s->kids.n; i++) {
        const Ast *name = s->kids.at[i];
        NetworkInfo *info = find_network(c, name);
        bool any = info && take_params(c, reached, name->name, &u, &cap);
        any = any || (info && has_new_state(c, info, name->name));
        if (info && !any && !report_part(c, name, info) && !updated->silent) {
            report(c, name->pos, "the objective does not depend on any parameter of `%s`",
                   name->name);
            explain_target(c, objective, name->name);
        }
        if (any)
            add_target(updated, info, name->name);
        ok &= any;
    }
    if (!ok || updated_before(c, fn, &u, step, s))
        check_optimizer(c, s->a, env);
    else
        add_updates(c, fn, objective, &u, env);
}

/* `minimize E using O`: all that E depends on. */
static void add_all(Check *c, Fn *fn, Node *objective, const Ast *minimize, const bool *reached,
                    Updated *updated, Env *env)
{
    Using u = {.call = minimize->b};
    int cap = 0;
    updated->all = true;
    if (!take_params(c, reached, NULL, &u, &cap)) {
        if (!updated->silent) {
            report(c, minimize->a->pos, "the objective does not depend on any parameter");
            explain_target(c, objective, NULL);
        }
        check_optimizer(c, minimize->b, env);
        return;
    }
    for (int v = 0; v < c->model->nvars; v++)
        if (is_reached(c, reached, v))
            add_target(updated, c->owners[v], NULL);
    add_updates(c, fn, objective, &u, env);
}

/* The last new value of each state of what is updated. */
static void add_states(Check *c, Fn *fn, const Updated *updated)
{
    for (int i = 0; i < c->nupdates; i++) {
        const StateUpdate *s = &c->updates[i];
        bool last = true;
        for (int k = i + 1; k < c->nupdates; k++)
            last &= c->updates[k].var != s->var;
        if (last && is_updated(updated, s->var, s->owner->network))
            fn_update(fn, s->var, s->value);
    }
}

void step_updates(Check *c, Fn *fn, Node *objective, const Ast *step, Env *env, bool sound)
{
    Updated updated = {.silent = !sound};
    const bool *reached = reached_vars(c, objective);
    const Ast *minimize = find_minimize(c, step);
    int usings = 0;
    for (int i = 0; i < step->kids.n; i++)
        if (step->kids.at[i]->kind == AST_USING) {
            usings++;
            if (!minimize->b)
                add_using(c, fn, objective, step, step->kids.at[i], reached, &updated, env);
        }
    if (minimize->b && usings > 0) {
        report(c, minimize->b->pos,
               "either `minimize … using …`, which updates all, or "
               "`update … using …`");
    } else if (minimize->b) {
        add_all(c, fn, objective, minimize, reached, &updated, env);
    } else if (usings == 0) {
        report(c, minimize->pos, "nothing is updated");
        advise(c, "write `minimize … using nadam()` or a line `update network using nadam()`");
    }
    add_states(c, fn, &updated);
}

/* ---- Several steps ----------------------------------------------------------------- */

/* Does the step update all that its objective reaches, without naming it? */
static const Ast *implied_using(const Ast *step)
{
    for (int i = 0; i < step->kids.n; i++)
        if (step->kids.at[i]->kind == AST_MINIMIZE && step->kids.at[i]->b)
            return step->kids.at[i];
    return NULL;
}

static NetworkInfo *owner_of(const Check *c, const Var *var)
{
    for (int v = 0; v < c->model->nvars; v++)
        if (c->model->vars[v] == var)
            return c->owners[v];
    return NULL;
}

static bool updates_network(const Check *c, const Fn *fn, const NetworkInfo *info)
{
    for (int i = 0; i < fn->nupdates; i++)
        if (fn->targets[i]->kind == VAR_PARAM && owner_of(c, fn->targets[i]) == info)
            return true;
    return false;
}

/* "generator, mapping": what step i updates and no other does; or NULL. */
static const char *networks_of_own(const Check *c, int n, Fn *const *fns, int i)
{
    Text t = {0};
    for (const NetworkInfo *info = c->networks; info; info = info->next) {
        bool own = updates_network(c, fns[i], info);
        for (int k = 0; k < n && own; k++)
            own = k == i || !updates_network(c, fns[k], info);
        if (own)
            text_printf(&t, "%s%s", t.n ? ", " : "", info->decl->name);
    }
    return t.n ? t.at : NULL;
}

/* Two optimizers for one network are meant only where both steps name it. */
static void warn_of_two(Check *c, const Ast *step, const Ast *other, const char *name,
                        const char *own)
{
    const Ast *minimize = implied_using(step), *theirs = implied_using(other);
    warning_at(minimize->b->pos,
               "step `%s` updates `%s` by an optimizer of its own, and step `%s` by another",
               step->name, name, other->name);
    note(c, theirs ? theirs->b->pos : other->pos, "step `%s`", other->name);
    if (own)
        advise(c,
               "write `update %s using …` below the objective if `%s` is to stay as it is in "
               "this step; a line that names `%s` says that it is meant",
               own, name, name);
    else
        advise(c, "a line `update %s using …` says that it is meant", name);
}

/* The first step that updates the network besides i, of which nobody has warned; -1. */
static int other_step(const Check *c, int n, const Ast *const *steps, Fn *const *fns, int i,
                      const NetworkInfo *info)
{
    for (int k = 0; k < n; k++)
        if (k != i && (k < i || !implied_using(steps[k])) && updates_network(c, fns[k], info))
            return k;
    return -1;
}

void check_two_optimizers(Check *c, int n, const Ast *const *steps, Fn *const *fns)
{
    for (int i = 0; i < n; i++) {
        const char *own = networks_of_own(c, n, fns, i);
        for (const NetworkInfo *info = c->networks; info; info = info->next) {
            int k = -1;
            if (implied_using(steps[i]) && updates_network(c, fns[i], info))
                k = other_step(c, n, steps, fns, i, info);
            if (k >= 0)
                warn_of_two(c, steps[i], steps[k], info->decl->name, own);
        }
    }
}
