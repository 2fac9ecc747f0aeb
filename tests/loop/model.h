/* For tests of schedules: a model of text, lowered. */
#ifndef AECC_TESTS_LOOP_MODEL_H
#define AECC_TESTS_LOOP_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ast.h"
#include "loop/loop.h"

/* The networks of `text` and one training step, for which the squares of what
 * `net` makes of its input are to be small. The rate is so large that a new
 * weight is its gradient, nearly to the last bit. */
static inline Model *model_of(const char *text, const Machine *machine)
{
    const char *whole = format("%s"
                               "data file = npy(\"x.npy\")\n"
                               "train on file(x) {\n"
                               "    minimize mean(net(x) * net(x)) using sgd(1000)\n"
                               "    batch 40\n"
                               "}\n", text);
    Ast *tree = parse(diag_source("test.nn", whole, strlen(whole)));
    Model *m = tree ? check(tree, "test.nn") : NULL;
    diag_flush();
    assert_non_null(m);
    grad(m);
    hoist(m);
    simplify(m);
    pairs(m);
    ranges(m);
    fuse(m);
    plan(m);
    lower(m, machine);
    return m;
}

static inline Fn *step_of(const Model *m)
{
    return m->trains[0].steps[0].fn;
}

#endif
