/* check: Ast -> Model.
 *
 * Needs: a parsed file. Guarantees: every name, shape and argument is right
 * or reported at its place; after no error the Model has the functions of
 * all steps, validations, networks and reports as graphs over the
 * primitives, and every variable its initial value. Beyond this point shapes
 * never change and no name is looked up. Gradients are still OP_gradient.
 *
 *   network f(x: [2]) { dense(1) }           fn train_1.step(x: [batch, 2])
 *   train on data(x) {                         c  = contract(x, f.dense_1.kernel)
 *       minimize mean(f(x)^2)         -->      y  = add(c, f.dense_1.bias)
 *           using sgd(learning_rate: 0.1)      e  = mean of mul(y, y)
 *   }                                          g  = gradient(e, f.dense_1.kernel)
 *                                              update f.dense_1.kernel = … g …
 *
 * The file is executed by an abstract interpreter whose numbers are known
 * and whose tensors are nodes: functions, layers and networks are inlined at
 * each call, `if` on known values chooses, loops do not exist. The standard
 * library is read the same way before the user's file. */
#include "graph/check.h"

#include <math.h>
#include <string.h>

/* ---- Declarations ---------------------------------------------------------------------- */

static bool declared_twice(Check *c, const char *name, Pos pos, const Env *env)
{
    Binding *b = env_own(env, name);
    if (!b)
        return false;
    report(c, pos, "`%s` is declared twice", name);
    note(c, b->pos, "first here");
    return true;
}

static void add_network(Check *c, const Ast *d, Function *f)
{
    NetworkInfo *info = NEW(NetworkInfo);
    info->decl = d;
    info->function = f;
    info->instance = (Instance){.name = d->name, .network = info, .pos = d->pos};
    f->network = info;
    *c->networks_end = info;
    c->networks_end = &info->next;
}

static void check_body(Check *c, const Ast *d)
{
    for (int i = 0; i + 1 < d->kids.n; i++)
        if (d->kids.at[i]->kind == AST_RETURN) {
            report(c, d->kids.at[i + 1]->pos, "nothing can follow `return`");
            break;
        }
}

static void check_size(Check *c, const Ast *e)
{
    bool negative = e->kind == AST_UNARY && e->op == '-' && e->a->kind == AST_NUMBER;
    double size = e->kind == AST_NUMBER ? e->number : 1;
    if (negative || size < 1 || size != floor(size))
        report(c, e->pos, "a size is a whole number from 1, this is %s",
               number_text(negative ? -e->a->number : size));
}

static void check_bounded(Check *c, const Ast *d, const Ast *shape, const Ast *e)
{
    if (e->name == intern("batch"))
        report(c, e->pos, "`%s <= …` is for a state; a sequence has `time <= …`", e->name);
    else if (d->kind != AST_NETWORK)
        report(c, e->pos, "a maximum stands in the input of a network");
    else if (e != varying_size(shape))
        report(c, e->pos, "steps are the first axis: `[%s <= …, n]`", e->name);
    if (d->kind != AST_NETWORK)
        advise(c, "a layer takes sequences of any length: `x: [batch, %s, n]`", e->name);
}

static void check_signature(Check *c, const Ast *d, const Ast *shape)
{
    const Ast *open = NULL;
    for (int i = 0; i < shape->kids.n; i++) {
        const Ast *e = shape->kids.at[i];
        if (e->kind == AST_AT_MOST)
            check_bounded(c, d, shape, e);
        check_size(c, e);
        if (e->kind != AST_ELLIPSIS)
            continue;
        if (open)
            report(c, e->pos, "a shape has one `...` at most");
        open = e;
    }
}

static void check_parameters(Check *c, const Ast *d)
{
    for (int i = 0; i < d->params.n; i++) {
        const Ast *p = d->params.at[i];
        if (p->a)
            check_signature(c, d, p->a);
        bool taken = p->name == intern("training") || p->name == intern("update");
        if (d->kind == AST_NETWORK && taken)
            report(c, p->pos, "every network has an argument `%s` already", p->name);
        for (int k = 0; k < i; k++)
            if (p->name == d->params.at[k]->name) {
                report(c, p->pos, "two parameters are called `%s`", p->name);
                note(c, d->params.at[k]->pos, "the first is here");
            }
    }
}

static void declare_function(Check *c, const Ast *d, Env *env)
{
    Pos pos = d->pos2;
    if (declared_twice(c, d->name, pos, env))
        return;
    if (d->kind == AST_LET && d->params.n < 0) {
        env_bind(env, d->name, v_error(), pos, B_VALUE)->lazy = d;
        return;
    }
    Function *f = function_of(d, env);
    env_bind(env, d->name, (Value){.kind = V_FUNCTION, .function = f, .pos = pos}, pos, B_VALUE);
    if (d->kind == AST_NETWORK)
        add_network(c, d, f);
    check_parameters(c, d);
    check_body(c, d);
}

static void declare_sources(Check *c, const Ast *d, Env *env)
{
    for (int i = 0; i < d->kids.n; i++) {
        const Ast *name = d->kids.at[i];
        if (!declared_twice(c, name->name, name->pos, env))
            env_bind(env, name->name, v_error(), name->pos, B_VALUE)->lazy = d;
    }
}

/* Names are known in the whole file, so that order does not matter. */
static void declare_file(Check *c, const Ast *file, Env *env)
{
    for (int i = 0; i < file->kids.n; i++) {
        const Ast *d = file->kids.at[i];
        if (d->kind == AST_DATA)
            declare_sources(c, d, env);
        else if (d->kind != AST_TRAIN && d->kind != AST_REPORT)
            declare_function(c, d, env);
    }
}

/* ---- The standard library ------------------------------------------------------------------ */

static void load_library(Check *c)
{
    for (int i = 0; i < std_file_count; i++) {
        const char *path = format("std/%s", std_files[i].name);
        int file = diag_source(path, std_files[i].text, strlen(std_files[i].text));
        if (i == 0)
            c->std_first = file;
        c->std_last = file;
        Ast *ast = parse(file);
        if (!ast) {
            diag_flush();
            die("the standard library does not parse: %s", path);
        }
        declare_file(c, ast, c->std);
    }
}

/* ---- The order of work ------------------------------------------------------- */

static void evaluate(Check *c, const Ast *d)
{
    c->at = (Context){0};
    if (d->kind == AST_TRAIN) {
        check_train(c, d);
    } else if (d->kind == AST_REPORT) {
        check_report(c, d);
    } else if (d->kind == AST_DATA || (d->kind == AST_LET && d->params.n < 0)) {
        const Ast *name = d->kind == AST_DATA ? d->kids.at[0] : d;
        Ast e = {.kind = AST_NAME, .name = name->name, .pos = name->pos};
        eval(c, &e, c->file);
    }
}

static void build_init(Model *m)
{
    Fn *fn = m->fns[0];
    for (int i = 0; i < m->nvars; i++)
        fn_update(fn, m->vars[i], m->vars[i]->init);
}

static void mark_borrowed(const Check *c)
{
    for (int i = 0; i < c->model->nvars; i++)
        c->model->vars[i]->borrowed = c->model->vars[i]->weights && !c->owners[i]->updated;
}

static const char *model_name(const char *source)
{
    const char *slash = strrchr(source, '/'), *name = slash ? slash + 1 : source;
    const char *dot = strrchr(name, '.');
    size_t n = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    return strcmp(source, "-") == 0 ? "model" : intern_n(name, n);
}

Model *check(Ast *file, const char *source)
{
    Check *c = NEW(Check);
    c->model = NEW(Model);
    c->model->name = model_name(source);
    c->model->source = source;
    c->networks_end = &c->networks;
    c->std = env_new(NULL);
    c->file = env_new(c->std);
    load_library(c);
    declare_file(c, file, c->file);
    new_fn(c, FN_INIT, "init", file->pos);
    for (int i = 0; i < file->kids.n; i++)
        evaluate(c, file->kids.at[i]);
    build_networks(c);
    c->at = (Context){0};
    if (!c->networks && error_count() == 0)
        report(c, file->kids.n ? file->kids.at[0]->pos : (Pos){0}, "%s has no network", source);
    if (error_count() > 0)
        return NULL;
    build_reconstruct(c);
    build_watches(c);
    build_init(c->model);
    mark_borrowed(c);
    check_unused(file, source);
    graph_at((Pos){0}, NULL);
    return error_count() > 0 ? NULL : c->model;
}
