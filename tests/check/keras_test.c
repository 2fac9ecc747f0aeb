/* The standard library against Keras 3: golden.txt (made by make_golden.py)
 * has what Keras computes in float64 for each layer, activation, loss,
 * optimizer and schedule; the interpreter computes the same from the graph. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aecc.h"
#include "ast.h"

enum { SAMPLES = 3, STEPS = 6, FIELDS = 6 };
#define GOLDEN "tests/check/golden.txt"

static double sine(int64_t k, double phase)
{
    return sin(0.7 * (double)k + phase);
}

static void forget_all(void)
{
    graph_reset();
    diag_reset();
    arena_free();
}

static Model *model_of(const char *text)
{
    Ast *file = parse(diag_source("golden.nn", text, strlen(text)));
    Model *m = file ? check(file, "golden.nn") : NULL;
    if (!m) {
        diag_flush();
        fail_msg("not a program:\n%s", text);
    }
    return m;
}

/* All variables with their values: weights are sines, the rest as `init` says. */
static Interp machine(Model *m, const char *variance)
{
    Interp run = {.samples = SAMPLES, .var_list = m->vars, .nvars = m->nvars};
    run.vars = NEW_ARRAY(double *, m->nvars + 1);
    run.inputs = NEW_ARRAY(double *, 1);
    for (int v = 0; v < m->nvars; v++)
        run.vars[v] = NEW_ARRAY(double, shape_size(m->vars[v]->shape));
    interpret(m->fns[0], &run);
    for (int v = 0; v < m->nvars; v++) {
        int64_t n = shape_size(m->vars[v]->shape);
        bool weight = m->vars[v]->kind == VAR_PARAM || m->vars[v]->kind == VAR_STATE;
        bool positive = variance && strstr(m->vars[v]->name, variance);
        for (int64_t k = 0; k < n; k++) {
            double s = sine(k, v + 1.0);
            run.vars[v][k] = !weight ? run.updates[v][k] : positive ? 1 + 0.5 * s : s;
        }
    }
    return run;
}

static void set_input(Interp *run, int64_t n)
{
    run->inputs[0] = NEW_ARRAY(double, n * SAMPLES);
    for (int64_t s = 0; s < SAMPLES; s++)
        for (int64_t k = 0; k < n; k++)
            run->inputs[0][s * n + k] = 2 * sine(k, 0.3 + (double)s);
}

static int different(const char *what, int i, double got, double wanted)
{
    if (fabs(got - wanted) <= 1e-6 * (1 + fabs(wanted)))
        return 0;
    print_error("%s: number %d is %.12g, Keras has %.12g\n", what, i, got, wanted);
    return 1;
}

/* "7 8 4" -> "[7, 8, 4]" */
static char *list_of(const char *sizes)
{
    Text t = {0};
    for (const char *s = sizes; *s; s++)
        text_printf(&t, *s == ' ' ? ", " : "%c", *s);
    return format("[%s]", t.at);
}

static int check_layer(char **field)
{
    Model *m = model_of(format("network f(x: %s) {\n    %s\n}\n", list_of(field[1]), field[2]));
    Interp run = machine(m, "variance");
    Fn *fn = m->networks[0].fn;
    set_input(&run, shape_size(fn->inputs[0]->shape));
    interpret(fn, &run);
    int64_t n = shape_size(fn->outputs[0]->shape) * SAMPLES;
    int bad = 0;
    char *next = field[3];
    for (int project = 0; project < 3; project++) {
        double dot = 0;
        for (int64_t k = 0; k < n; k++)
            dot += run.outputs[0][k] * cos(0.37 * project * (double)k + project);
        bad += different(field[2], project, dot, strtod(next, &next));
    }
    return bad;
}

static void update_all(const Fn *fn, Interp *run)
{
    for (int u = 0; u < fn->nupdates; u++)
        for (int v = 0; v < run->nvars; v++)
            if (run->var_list[v] == fn->targets[u])
                memcpy(run->vars[v], run->updates[u],
                       sizeof(double) * (size_t)shape_size(run->var_list[v]->shape));
}

static int check_training(char **field)
{
    Model *m = model_of(format(
        "data points = csv(\"x\")\n"
        "network net(x: [3]) {\n    dense(4, %s)\n}\n"
        "train on points(x) {\n"
        "    t = abs(concat(x, slice(x, 0, 1))) / 2\n    y = net(x)\n"
        "    minimize %s using %s\n}\n", field[1], field[2], field[3]));
    grad(m);
    Interp run = machine(m, NULL);
    set_input(&run, 3);
    int bad = 0;
    char *next = field[4];
    for (int step = 0; step < STEPS; step++) {
        interpret(m->trains[0].steps[0].fn, &run);
        bad += different(format("%s, %s", field[2], field[3]), step, run.outputs[0][0],
                         strtod(next, &next));
        update_all(m->trains[0].steps[0].fn, &run);
    }
    return bad;
}

/* Cuts a line at " | "; the number of fields. */
static int split_fields(char *line, char **field)
{
    int n = 0;
    while (line && n < FIELDS) {
        char *end = strstr(line, " | ");
        field[n++] = line;
        if (end)
            *end = 0;
        line = end ? end + 3 : NULL;
    }
    return n;
}

static void as_keras(void **state)
{
    (void)state;
    FILE *file = fopen(GOLDEN, "r");
    assert_non_null(file);
    char line[1000];
    int bad = 0, lines = 0;
    while (fgets(line, sizeof line, file)) {
        char *field[FIELDS];
        int n = split_fields(line, field);
        assert_true(n == 4 || n == 5);
        bad += n == 4 ? check_layer(field) : check_training(field);
        lines++;
        forget_all();
    }
    fclose(file);
    assert_true(lines > 100);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_keras)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
