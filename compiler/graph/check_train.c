/* Train blocks: each step becomes a function of the bound data that gives
 * the objective and the updates of exactly what the step names; `validate`
 * gives one more function with the objectives in inference mode. */
#include "graph/check.h"

#include <string.h>

/* ---- What a block says -------------------------------------------------------------- */

typedef struct Block {
    const Ast *ast;
    int index; /* from 1                                  */
    const Ast *validate, *epochs, *batch;
    const Ast **steps;
    int nsteps, steps_cap; /* the block itself if none   */
    bool loose;            /* it minimizes outside of a step          */
} Block;

static void once(Check *c, const Ast **slot, const Ast *s, const char *what)
{
    if (*slot) {
        report(c, s->pos, "a second `%s` in this block", what);
        note(c, (*slot)->pos, "the first is here");
    } else {
        *slot = s;
    }
}

static void read_block(Check *c, Block *b)
{
    const Ast *loose = NULL;
    for (int i = 0; i < b->ast->kids.n; i++) {
        const Ast *s = b->ast->kids.at[i];
        switch (s->kind) {
        case AST_VALIDATE: once(c, &b->validate, s, "validate"); break;
        case AST_EPOCHS: once(c, &b->epochs, s, "epochs"); break;
        case AST_BATCH: once(c, &b->batch, s, "batch"); break;
        case AST_STEP: PUSH(b->steps, b->nsteps, b->steps_cap, s); break;
        case AST_MINIMIZE:
        case AST_USING: loose = loose ? loose : s; break;
        default: break; /* bindings                               */
        }
    }
    if (loose && b->nsteps > 0) {
        report(c, loose->pos, "this block has steps: it belongs into one of them");
        note(c, b->steps[0]->pos, "a step");
    }
    if (b->nsteps == 0)
        PUSH(b->steps, b->nsteps, b->steps_cap, b->ast);
    for (int i = 0; i < b->nsteps; i++)
        for (int k = 0; k < i; k++)
            if (b->nsteps > 1 && b->steps[i]->name == b->steps[k]->name) {
                report(c, b->steps[i]->pos, "two steps are called `%s`", b->steps[i]->name);
                note(c, b->steps[k]->pos, "the first is here");
            }
}

static int64_t block_number(Check *c, const Ast *s, const char *what, int64_t otherwise,
                            int64_t high)
{
    int64_t n = otherwise;
    if (s)
        to_whole(c, eval(c, s->a, c->file), what, 1, high, &n);
    return n;
}

DataValue *open_block(Check *c, const Ast *block)
{
    Pos pos = block->pos2;
    DataValue *v = find_data(c, block->name, pos);
    if (v && block->params.n == 0) {
        report(c, pos, "nothing names the samples of `%s`", block->name);
        advise(c, "write `on %s(x)`", block->name);
        return NULL;
    }
    if (v)
        infer_shapes(c, v, block);
    return v;
}

/* ---- Objectives ------------------------------------------------------------------------ */

static bool is_step(const Block *b, const Ast *step)
{
    return step != b->ast;
}

static void bind_lines(Check *c, const Ast *body, Env *env)
{
    for (int i = 0; i < body->kids.n; i++)
        if (body->kids.at[i]->kind == AST_BIND)
            bind_names(c, body->kids.at[i], eval(c, body->kids.at[i]->a, env), env);
}

static const Ast *find_minimize(Check *c, const Ast *step)
{
    const Ast *found = NULL;
    for (int i = 0; i < step->kids.n; i++)
        if (step->kids.at[i]->kind == AST_MINIMIZE)
            once(c, &found, step->kids.at[i], "minimize");
    if (!found) {
        report(c, step->pos, "nothing to minimize");
        advise(c, "write `minimize mse(decoder(encoder(x)), x) using nadam()`");
    }
    return found;
}

static Node *scalar_objective(Check *c, const Ast *minimize, Env *env)
{
    Value v = eval(c, minimize->a, env);
    Node *node = v.kind == V_ERROR ? NULL : to_number_node(c, v);
    if (!node)
        return NULL;
    if (node->shape.rank == 0 && !node->shape.batch)
        return node;
    report(c, minimize->a->pos, "an objective is one number, this is %s%s",
           sample_text(node->shape), node->shape.batch ? " for each sample" : "");
    advise(c, "did you mean `mean(…)`?");
    return NULL;
}

/* The objective of a step with its bindings in env; NULL after a message. */
static Node *objective_of(Check *c, const Block *b, const Ast *step, bool training, Env *env)
{
    Context saved = c->at;
    c->at = (Context){.training = training, .in_block = true};
    bind_mode(c, env);
    if (is_step(b, step))
        bind_lines(c, b->ast, env);
    bind_lines(c, step, env);
    const Ast *minimize = find_minimize(c, step);
    Node *objective = minimize ? scalar_objective(c, minimize, env) : NULL;
    c->at = saved;
    return objective;
}

/* ---- What an objective updates ------------------------------------------------------------ */

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

/* Marks, by place in model->vars, what the objective depends on smoothly. It
 * ends with the variables that there are: an optimizer adds states, which no
 * objective reaches. */
static bool *reached_vars(Check *c, Node *objective)
{
    Model *m = c->model;
    bool *reached = NEW_ARRAY(bool, m->nvars + 1);
    NodeList all = graph_reach(1, &objective);
    bool *alive = NEW_ARRAY(bool, objective->id + 1);
    alive[objective->id] = true;
    for (int i = all.n - 1; i >= 0; i--) {
        Node *n = all.at[i];
        for (int k = 0; alive[n->id] && passes_gradient(n) && k < n->nin; k++)
            alive[n->in[k]->id] = true;
    }
    for (int v = 0; v < m->nvars; v++) {
        int id = m->vars[v]->node->id;
        reached[v] = m->vars[v]->kind == VAR_PARAM && id <= objective->id && alive[id];
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
static NetworkInfo *find_network(Check *c, const Ast *name)
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

/* Networks that this step updates, so that their states change too. */
typedef struct Updated {
    NetworkInfo **at;
    int n, cap;
    bool silent; /* the objective has mistakes: what it reaches is not known */
} Updated;

static void add_network(Updated *u, NetworkInfo *info)
{
    for (int i = 0; i < u->n; i++)
        if (u->at[i] == info)
            return;
    PUSH(u->at, u->n, u->cap, info);
}

static bool is_updated(const Updated *u, const NetworkInfo *info)
{
    for (int i = 0; i < u->n; i++)
        if (u->at[i] == info)
            return true;
    return false;
}

/* A parameter has one new value in a step. */
static bool updated_before(Check *c, const Fn *fn, const Using *u, Pos pos)
{
    for (int i = 0; i < fn->nupdates; i++)
        if (takes(u, fn->targets[i])) {
            report(c, pos, "`%s` is updated twice in this step", fn->targets[i]->name);
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

static void add_using(Check *c, Fn *fn, Node *objective, const Ast *s, const bool *reached,
                      Updated *updated, Env *env)
{
    Using u = {.call = s->a};
    int cap = 0;
    bool ok = true;
    for (int i = 0; i < s->kids.n; i++) {
        const Ast *name = s->kids.at[i];
        NetworkInfo *info = find_network(c, name);
        bool any = info && take_params(c, reached, name->name, &u, &cap);
        if (info && !any && !report_part(c, name, info) && !updated->silent)
            report(c, name->pos, "the objective does not depend on any parameter of `%s`",
                   name->name);
        if (any)
            add_network(updated, info);
        ok &= any;
    }
    if (!ok || updated_before(c, fn, &u, s->kids.at[0]->pos))
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
    if (!take_params(c, reached, NULL, &u, &cap)) {
        if (!updated->silent)
            report(c, minimize->a->pos, "the objective does not depend on any parameter");
        check_optimizer(c, minimize->b, env);
        return;
    }
    for (int v = 0; v < c->model->nvars; v++)
        if (is_reached(c, reached, v))
            add_network(updated, c->owners[v]);
    add_updates(c, fn, objective, &u, env);
}

/* The last new value of each state of an updated network. */
static void add_states(Check *c, Fn *fn, const Updated *updated)
{
    for (int i = 0; i < c->nupdates; i++) {
        bool last = true;
        for (int k = i + 1; k < c->nupdates; k++)
            last &= c->updates[k].var != c->updates[i].var;
        if (last && is_updated(updated, c->updates[i].owner->network))
            fn_update(fn, c->updates[i].var, c->updates[i].value);
    }
}

static void step_updates(Check *c, Fn *fn, Node *objective, const Ast *step, Env *env, bool sound)
{
    Updated updated = {.silent = !sound};
    const bool *reached = reached_vars(c, objective);
    const Ast *minimize = find_minimize(c, step);
    int usings = 0;
    for (int i = 0; i < step->kids.n; i++)
        if (step->kids.at[i]->kind == AST_USING) {
            usings++;
            if (!minimize->b)
                add_using(c, fn, objective, step->kids.at[i], reached, &updated, env);
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

/* ---- Functions --------------------------------------------------------------- */

/* The names of a step whose objective is wrong. */
static void check_names(Check *c, const Ast *step, Env *env)
{
    for (int i = 0; i < step->kids.n; i++) {
        const Ast *s = step->kids.at[i];
        for (int k = 0; s->kind == AST_USING && k < s->kids.n; k++)
            find_network(c, s->kids.at[k]);
        const Ast *call = s->kind == AST_USING ? s->a : s->kind == AST_MINIMIZE ? s->b : NULL;
        if (call)
            check_optimizer(c, call, env);
    }
}

/* The names of a block whose data is wrong. */
static void check_block(Check *c, const Block *b)
{
    Env *bound = env_new(c->file);
    for (int i = 0; i < b->ast->params.n; i++)
        env_bind(bound, b->ast->params.at[i]->name, v_error(), b->ast->params.at[i]->pos, B_VALUE);
    for (int i = 0; i < b->nsteps; i++) {
        Env *env = env_new(bound);
        objective_of(c, b, b->steps[i], true, env);
        check_names(c, b->steps[i], env);
    }
    if (b->validate)
        find_data(c, b->validate->name, b->validate->pos2);
}

static Fn *build_step(Check *c, const Block *b, const Ast *step, const DataValue *data)
{
    const char *name = is_step(b, step) && step->name ? step->name : "step";
    Fn *fn = new_fn(c, FN_STEP, format("train_%d.%s", b->index, name), step->pos);
    Env *env = env_new(c->file);
    bool bound = bind_data(c, fn, data, b->ast->params, env);
    int before = error_count();
    c->collect = true;
    c->nupdates = 0;
    Node *objective = objective_of(c, b, step, true, env);
    c->collect = false;
    if (objective && bound) {
        fn_output(fn, "objective", objective);
        step_updates(c, fn, objective, step, env, error_count() == before);
    } else {
        check_names(c, step, env);
    }
    return fn;
}

static Fn *build_objective(Check *c, const Block *b, const DataValue *data)
{
    Pos pos = b->validate ? b->validate->pos : b->ast->pos;
    Fn *fn = new_fn(c, FN_OBJECTIVE, format("train_%d.objective", b->index), pos);
    Env *bound = env_new(c->file);
    if (!bind_data(c, fn, data, b->ast->params, bound))
        return fn;
    for (int i = 0; i < b->nsteps; i++) {
        Node *objective = objective_of(c, b, b->steps[i], false, env_new(bound));
        bool named = is_step(b, b->steps[i]) && b->steps[i]->name;
        if (objective)
            fn_output(fn, named ? b->steps[i]->name : "objective", objective);
    }
    return fn;
}

static void add_validation(Check *c, const Block *b, Train *t, const DataValue *training)
{
    const Ast *s = b->validate;
    Pos pos = s->pos2;
    DataValue *data = find_data(c, s->name, pos);
    if (!data)
        return;
    infer_shapes(c, data, b->ast);
    if (s->name == b->ast->name) {
        warning_at(pos, "validation on the training data");
        advise(c, "`data training, validation = split(%s, last: 0.1)` keeps some aside", s->name);
    }
    if (data->nparts != training->nparts) {
        report(c, pos, "`%s` has %d components, the training data has %d", s->name, data->nparts,
               training->nparts);
        return;
    }
    t->validation = data->data;
    t->objective = build_objective(c, b, data);
    use_data(c, data->data);
}

static TrainStep train_step(Check *c, const Block *b, const Ast *step, const DataValue *data)
{
    int64_t repeat = 1;
    if (is_step(b, step) && step->a)
        to_whole(c, eval(c, step->a, c->file), "a number of repeats", 1, 1 << 20, &repeat);
    return (TrainStep){.name = is_step(b, step) ? step->name : NULL,
                       .fn = build_step(c, b, step, data),
                       .repeat = (int)repeat,
                       .pos = step->pos};
}

/* A state of places goes on where the batch before ended. */
static void check_places(Train *t)
{
    for (int i = 0; i < t->nsteps; i++)
        for (int u = 0; t->steps[i].fn && u < t->steps[i].fn->nupdates; u++) {
            const Var *var = t->steps[i].fn->targets[u];
            t->in_order |= var->places;
            if (!var->places || var->shape.dim[0] >= t->batch)
                continue;
            warning_at(t->pos, "a batch has %lld places, `%s` keeps %lld", (long long)t->batch,
                       var->name, (long long)var->shape.dim[0]);
            hint("the samples behind them begin anew in each batch");
        }
}

/* What a block is made of, for a second look. */
typedef struct TrainBlock {
    Block block;
    const DataValue *data;
} TrainBlock;

Env *block_again(Check *c, int block, Fn *fn)
{
    const TrainBlock *b = &c->blocks[block];
    Env *bound = env_new(c->file);
    return b->data && bind_data(c, fn, b->data, b->block.ast->params, bound) ? bound : NULL;
}

void objective_again(Check *c, int block, int step, Env *bound)
{
    const Block *b = &c->blocks[block].block;
    objective_of(c, b, b->steps[step], true, env_new(bound));
}

void check_train(Check *c, const Ast *ast)
{
    Block b = {.ast = ast, .index = c->model->ntrains + 1};
    read_block(c, &b);
    Train t = {.pos = ast->pos, .nsteps = b.nsteps, .steps = NEW_ARRAY(TrainStep, b.nsteps)};
    t.epochs = block_number(c, b.epochs, "a number of epochs", 1, 1 << 30);
    t.batch = block_number(c, b.batch, "a batch size", 32, 65536);
    t.drop_last = b.batch && b.batch->flag;
    DataValue *data = open_block(c, ast);
    if (data) {
        t.data = data->data;
        use_data(c, data->data);
        for (int i = 0; i < b.nsteps; i++)
            t.steps[i] = train_step(c, &b, b.steps[i], data);
        check_places(&t);
        if (b.validate)
            add_validation(c, &b, &t, data);
        else if (error_count() == 0) /* for `evaluate` over data of its caller */
            t.objective = build_objective(c, &b, data);
    } else {
        check_block(c, &b);
    }
    PUSH(c->model->trains, c->model->ntrains, c->trains_cap, t);
    PUSH(c->blocks, c->nblocks, c->blocks_cap, ((TrainBlock){b, data}));
}
