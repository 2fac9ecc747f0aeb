/* For tests of check(): a program as text to its Model, and its parts by name. */
#ifndef AECC_TESTS_CHECK_SUPPORT_H
#define AECC_TESTS_CHECK_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aecc.h"
#include "ast.h"

static inline void forget_all(void)
{
    graph_reset();
    diag_reset();
    arena_free();
}

static inline Model *model_of(const char *text)
{
    Ast *file = parse(diag_source("test.nn", text, strlen(text)));
    Model *m = file ? check(file, "test.nn") : NULL;
    if (!m) {
        diag_flush();
        fail_msg("not a program:\n%s", text);
    }
    return m;
}

static inline Var *var_named(const Model *m, const char *name)
{
    for (int i = 0; i < m->nvars; i++)
        if (strcmp(m->vars[i]->name, name) == 0)
            return m->vars[i];
    return NULL;
}

static inline Fn *fn_named(const Model *m, const char *name)
{
    for (int i = 0; i < m->nfns; i++)
        if (strcmp(m->fns[i]->name, name) == 0)
            return m->fns[i];
    return NULL;
}

/* Does the function give the variable a new value? */
static inline bool updates(const Fn *fn, const char *name)
{
    for (int i = 0; i < fn->nupdates; i++)
        if (strcmp(fn->targets[i]->name, name) == 0)
            return true;
    return false;
}

static inline int count_ops(const Fn *fn, Op op)
{
    NodeList list = graph_reach(fn->noutputs, fn->outputs);
    int n = 0;
    for (int i = 0; i < list.n; i++)
        n += list.at[i]->op == op;
    return n;
}

/* Every variable with the value that FN_INIT gives it. */
static inline Interp machine_of(Model *m, int64_t samples)
{
    Interp run = {.samples = samples, .var_list = m->vars, .nvars = m->nvars};
    run.random.seed[0] = 42;
    run.vars = NEW_ARRAY(double *, m->nvars + 1);
    run.inputs = NEW_ARRAY(double *, 8);
    for (int v = 0; v < m->nvars; v++)
        run.vars[v] = NEW_ARRAY(double, shape_size(m->vars[v]->shape));
    interpret(m->fns[0], &run);
    for (int v = 0; v < m->nvars; v++)
        memcpy(run.vars[v], run.updates[v],
               sizeof(double) * (size_t)shape_size(m->vars[v]->shape));
    return run;
}

/* What the function computes becomes the variables' values. */
static inline void update_all(const Fn *fn, Interp *run)
{
    for (int u = 0; u < fn->nupdates; u++)
        for (int v = 0; v < run->nvars; v++)
            if (run->var_list[v] == fn->targets[u])
                memcpy(run->vars[v], run->updates[u],
                       sizeof(double) * (size_t)shape_size(run->var_list[v]->shape));
}

static inline double *value_of(const Interp *run, const char *name)
{
    for (int v = 0; v < run->nvars; v++)
        if (strcmp(run->var_list[v]->name, name) == 0)
            return run->vars[v];
    return NULL;
}

#endif
