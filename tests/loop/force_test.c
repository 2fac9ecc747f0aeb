/* Every schedule that tile.c lists gives the same bits: small models of each
 * class of contraction, trained one step by all schedules of all their
 * contractions, or by many of them, evenly spread (all with FULL set). */
#include "loop/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop/tile.h"
#include "target/jit.h"

enum { SAMPLES = 40, AT_ONCE = 16 }; /* the last block is short */

/* ---- Schedules by number ------------------------------------------------------ */

typedef struct Phase {
    Schedule *at;
    int n, cap;
} Phase;

typedef struct Listed {
    Phase phase[64];
    int n;
    bool class[CONTRACT_FREE + 1];
} Listed;

static void take(const Schedule *by, void *arg)
{
    Phase *p = arg;
    PUSH(p->at, p->n, p->cap, *by);
}

static void list_phase(const Contracted *c, int phase, void *arg)
{
    Listed *l = arg;
    assert_true(phase < 64);
    l->n = phase + 1;
    l->phase[phase] = (Phase){0};
    each_schedule(c, take, &l->phase[phase]);
    l->class[c->class] = true;
}

/* Round number `round` of so many runs through all schedules of a phase. */
static Schedule number(const Phase *p, int round, int rounds)
{
    return p->at[p->n <= rounds ? round % p->n : (int)((int64_t)round * p->n / rounds)];
}

static Fn *forced(const Fn *fn, const Listed *listed, int round, int rounds)
{
    Fn *copy = NEW(Fn);
    Program *p = NEW(Program);
    *copy = *fn;
    *p = *fn->program;
    copy->name = format("%s.%d", fn->name, round);
    copy->program = p;
    p->fn = copy;
    p->kernels = NEW_ARRAY(Kernel *, p->nkernels);
    for (int i = 0; i < p->nkernels; i++) {
        Kernel *k = p->kernels[i] = NEW(Kernel);
        *k = *fn->program->kernels[i];
        Schedule *by = NEW_ARRAY(Schedule, listed[i].n);
        for (int q = 0; q < listed[i].n; q++)
            by[q] = number(&listed[i].phase[q], round, rounds);
        k->by = by;
        k->nby = listed[i].n;
        lower_kernel(p, k);
    }
    return copy;
}

/* ---- A step ------------------------------------------------------------------- */

static double *values(int64_t n, double step)
{
    double *x = NEW_ARRAY(double, n + 1);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)sin(step * (double)(i + 1));
    return x;
}

static Interp step_input(const Model *m, const Fn *fn)
{
    Interp run = {.samples = SAMPLES, .var_list = m->vars, .nvars = m->nvars};
    run.inputs = NEW_ARRAY(double *, fn->ninputs + 1);
    run.vars = NEW_ARRAY(double *, m->nvars + 1);
    for (int i = 0; i < fn->ninputs; i++)
        run.inputs[i] = values(shape_size(fn->inputs[i]->shape) * SAMPLES, 1.7 + i);
    for (int i = 0; i < m->nvars; i++)
        run.vars[i] = values(shape_size(m->vars[i]->shape), 2.3 + i);
    return run;
}

static bool same_results(const Fn *fn, const Interp *a, const Interp *b)
{
    for (int i = 0; i < fn->noutputs; i++) {
        const Shape *s = &fn->outputs[i]->shape;
        size_t n = (size_t)(shape_size(*s) * (s->batch ? SAMPLES : 1));
        if (memcmp(a->outputs[i], b->outputs[i], n * sizeof(double)) != 0)
            return false;
    }
    for (int i = 0; i < fn->nupdates; i++)
        if (memcmp(a->updates[i], b->updates[i],
                   (size_t)shape_size(fn->targets[i]->shape) * sizeof(double)) != 0)
            return false;
    return true;
}

static void put_schedules(const Fn *fn)
{
    for (int i = 0; i < fn->program->nkernels; i++) {
        const Kernel *k = fn->program->kernels[i];
        for (int q = 0; q < k->nby; q++) {
            print_message("%s phase %d: tiles", k->name, q);
            for (int v = 0; v < MAX_VARS && k->by[q].tile[v]; v++)
                print_message(" %lld", (long long)k->by[q].tile[v]);
            print_message(" loops");
            for (int l = 0; l < k->by[q].norder; l++)
                print_message(" %d", k->by[q].order[l]);
            print_message("\n");
        }
    }
}

static void run_rounds(const Model *m, const Fn *fn, const Listed *listed, int first, int n,
                       int rounds, Interp *chosen)
{
    Fn *fns[AT_ONCE + 1] = {(Fn *)fn};
    Model some = {.name = m->name,
                  .source = m->source,
                  .nfns = n + 1,
                  .fns = fns,
                  .fixed_bytes = m->fixed_bytes};
    for (int i = 0; i < n; i++)
        fns[1 + i] = forced(fn, listed, first + i, rounds);
    Jit *jit = jit_open(&some, &(TargetOptions){.level = 0});
    if (!chosen->outputs)
        jit_run(jit, 0, chosen, 1);
    for (int i = 0; i < n; i++) {
        Interp run = step_input(m, fn);
        jit_run(jit, 1 + i, &run, 1 + i % 3);
        if (!same_results(fn, chosen, &run)) {
            put_schedules(fns[1 + i]);
            fail_msg("other bits with these schedules, in round %d of %d", first + i, rounds);
        }
    }
    jit_close(jit);
}

/* ---- A model -------------------------------------------------------------------- */

static bool seen[CONTRACT_FREE + 1];

static void check_model(const char *text, int rounds)
{
    Machine host = machine_for(&(TargetOptions){0});
    Model *m = model_of(text, &host);
    const Fn *fn = step_of(m);
    const Program *p = fn->program;
    Listed *listed = NEW_ARRAY(Listed, p->nkernels);
    int most = 0;
    for (int i = 0; i < p->nkernels; i++) {
        if (p->kernels[i]->form == FORM_CONTRACT)
            contract_phases((Program *)p, p->kernels[i], list_phase, &listed[i]);
        for (int q = 0; q < listed[i].n; q++)
            most = listed[i].phase[q].n > most ? listed[i].phase[q].n : most;
        for (int c = 0; c <= CONTRACT_FREE; c++)
            seen[c] |= listed[i].class[c];
    }
    assert_int_equal(check_interpreter(m), 0);
    const char *full = getenv("FULL"); /* empty in the quick tier */
    rounds = most < rounds || (full && *full) ? most : rounds;
    Interp chosen = step_input(m, fn);
    for (int i = 0; i < rounds; i += AT_ONCE) {
        int n = rounds - i < AT_ONCE ? rounds - i : AT_ONCE;
        run_rounds(m, fn, listed, i, n, rounds, &chosen);
    }
}

static void test_dense(void **state)
{
    (void)state;
    check_model("network net(x: [17]) {\n"
                "    dense(3, tanh)\n"
                "    dense(1)\n"
                "    dense(33)\n"
                "}\n",
                25);
    check_model("network net(x: [3, 17]) {\n"
                "    dense(18, tanh)\n"
                "    dense(1)\n"
                "}\n",
                25);
}

static void test_convolutions(void **state)
{
    (void)state;
    check_model("network net(x: [5, 5, 3]) {\n"
                "    conv2d(17, 3, padding: same)\n"
                "}\n",
                25);
    check_model("network net(x: [7, 9, 1]) {\n"
                "    conv2d(3, 3, strides: 2)\n"
                "    conv2d(2, 2)\n"
                "}\n",
                25);
    check_model("network net(x: [3, 3, 2]) {\n"
                "    conv2d_transpose(5, 3, strides: 2)\n"
                "}\n",
                25);
    check_model("network net(x: [8, 8, 1]) {\n"
                "    conv2d(3, 3, activation: relu)\n"
                "    max_pool2d(2)\n"
                "}\n",
                25);
}

static void test_without_batch(void **state)
{
    (void)state;
    check_model("network net(x: [17]) {\n"
                "    param a: [17, 3] = normal()\n"
                "    param b: [3, 18] = normal()\n"
                "    return x @ (a @ b)\n"
                "}\n",
                25);
}

static void test_all_classes(void **state)
{
    (void)state;
    for (int c = 0; c <= CONTRACT_FREE; c++)
        assert_true(seen[c]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_without_batch),
        cmocka_unit_test(test_all_classes),
    };
    return cmocka_run_group_tests_name("force", tests, NULL, NULL);
}
