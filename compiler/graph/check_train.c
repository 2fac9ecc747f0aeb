/* Train blocks: each step becomes a function of the bound data that gives
 * the objective and the updates of exactly what the step names; `validate`
 * gives one more function with the objectives in inference mode. */
#include "graph/check.h"

#include <string.h>

/* ---- What a block says -------------------------------------------------------------- */

/* What the lines before the steps bind in one mode, evaluated once, so that a
 * draw is the same in all steps. */
typedef struct Before {
    bool known;
    Binding *first;
    StateUpdate *updates;
    int nupdates;
} Before;

typedef struct Block {
    const Ast *ast;
    int index; /* from 1                                  */
    const Ast *validate, *epochs, *batch;
    const Ast **steps;
    int nsteps, steps_cap; /* the block itself if none   */
    Before before[2];      /* [training]                               */
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
    if (v && !has_samples(c, pos, v->data, block->name))
        return NULL;
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

const Ast *find_minimize(Check *c, const Ast *step)
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

static void keep_before(const Check *c, Before *kept, const Env *env)
{
    kept->known = true;
    kept->first = env->first;
    kept->nupdates = c->nupdates;
    kept->updates = NEW_ARRAY(StateUpdate, c->nupdates + 1);
    for (int i = 0; i < c->nupdates; i++)
        kept->updates[i] = c->updates[i];
}

/* The latest binding comes first. */
static void bind_again(const Binding *b, Env *env)
{
    if (!b)
        return;
    bind_again(b->next, env);
    if (!env_own(env, b->name))
        env_bind(env, b->name, b->value, b->pos, b->kind);
}

static void bind_before_steps(Check *c, Block *b, Env *env)
{
    Before *before = &b->before[c->at.training];
    if (!before->known) {
        bind_lines(c, b->ast, env);
        keep_before(c, before, env);
        return;
    }
    bind_again(before->first, env);
    for (int i = 0; i < before->nupdates; i++)
        PUSH(c->updates, c->nupdates, c->updates_cap, before->updates[i]);
}

/* The objective of a step with its bindings in env; NULL after a message. */
static Node *objective_of(Check *c, Block *b, const Ast *step, bool training, Env *env)
{
    Context saved = c->at;
    c->at = (Context){.training = training, .in_block = true};
    bind_mode(c, env);
    if (is_step(b, step))
        bind_before_steps(c, b, env);
    bind_lines(c, step, env);
    const Ast *minimize = find_minimize(c, step);
    Node *objective = minimize ? scalar_objective(c, minimize, env) : NULL;
    c->at = saved;
    return objective;
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
static void check_block(Check *c, Block *b)
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

static Fn *build_step(Check *c, Block *b, const Ast *step, const DataValue *data)
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

static Fn *build_objective(Check *c, Block *b, const DataValue *data)
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

static void add_validation(Check *c, Block *b, Train *t, const DataValue *training)
{
    const Ast *s = b->validate;
    Pos pos = s->pos2;
    DataValue *data = find_data(c, s->name, pos);
    if (!data)
        return;
    if (!has_samples(c, pos, data->data, s->name))
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

static TrainStep train_step(Check *c, Block *b, const Ast *step, const DataValue *data)
{
    int64_t repeat = 1;
    if (is_step(b, step) && step->a)
        to_whole(c, eval(c, step->a, c->file), "a number of repeats", 1, 1 << 20, &repeat);
    return (TrainStep){.name = is_step(b, step) ? step->name : NULL,
                       .fn = build_step(c, b, step, data),
                       .repeat = (int)repeat,
                       .fresh = step == b->steps[0] || step->a,
                       .pos = step->pos};
}

static void check_steps(Check *c, const Block *b, const Train *t)
{
    Fn **fns = NEW_ARRAY(Fn *, t->nsteps);
    for (int i = 0; i < t->nsteps; i++)
        fns[i] = t->steps[i].fn;
    if (error_count() == 0)
        check_two_optimizers(c, t->nsteps, b->steps, fns);
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
    Block *b = &c->blocks[block].block;
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
        check_steps(c, &b, &t);
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
