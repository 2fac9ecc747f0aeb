/* The standard library against Keras 3: golden.txt (made by make_golden.py)
 * has what Keras computes in float64 for each layer (its gradients, too),
 * activation, loss, optimizer and schedule; the interpreter computes the same from the graph. */
#include "check/support.h"

enum { SAMPLES = 3, STEPS = 6, FIELDS = 6 };
#define GOLDEN "tests/check/golden.txt"

static double sine(int64_t k, double phase)
{
    return sin(0.7 * (double)k + phase);
}

/* As `init` says, but weights are sines. */
static Interp machine(Model *m, const char *variance)
{
    Interp run = machine_of(m, SAMPLES);
    for (int v = 0; v < m->nvars; v++) {
        const Var *var = m->vars[v];
        bool positive = variance && strstr(var->name, variance);
        for (int64_t k = 0; k < shape_size(var->shape); k++) {
            double s = sine(k, v + 1.0);
            if (var->kind == VAR_PARAM || var->kind == VAR_STATE)
                run.vars[v][k] = positive ? 1 + 0.5 * s : s;
        }
    }
    return run;
}

static void set_input(Interp *run, int64_t n)
{
    run->inputs[0] = NEW_ARRAY(double, n *SAMPLES);
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

static double projection(const double *value, int64_t n, int m)
{
    double dot = 0;
    for (int64_t k = 0; k < n; k++)
        dot += value[k] * cos(0.37 * m * (double)k + m);
    return dot;
}

/* The gradient of the output's projection 1, sample by sample, by the input
 * and by each parameter: the outputs of the function that is given back. */
static Fn *gradients_of(Model *m, const Fn *fn)
{
    Shape shape = fn->outputs[0]->shape;
    int64_t n = shape_size(shape);
    double *weight = NEW_ARRAY(double, n);
    Fn *g = NEW(Fn);
    Node **by = NEW_ARRAY(Node *, m->nvars + 1);
    *g = *fn;
    g->outputs = NEW_ARRAY(Node *, m->nvars + 1);
    g->noutputs = 1;
    by[0] = fn->inputs[0];
    for (int v = 0; v < m->nvars; v++)
        if (m->vars[v]->kind == VAR_PARAM)
            by[g->noutputs++] = m->vars[v]->node;
    for (int64_t k = 0; k < n; k++)
        weight[k] = cos(0.37 * (double)k + 1);
    Node *w = graph_data(shape_of(false, shape.rank, shape.dim), weight);
    gradient(graph_op2(OP_mul, fn->outputs[0], graph_expand(w, shape)), g->noutputs, by,
             g->outputs);
    return g;
}

static int check_layer(char **field)
{
    Model *m = model_of(format("network f(x: %s) {\n    %s\n}\n", list_of(field[1]), field[2]));
    Interp run = machine(m, "variance");
    Fn *fn = m->networks[0].fn;
    set_input(&run, shape_size(fn->inputs[0]->shape));
    interpret(fn, &run);
    int64_t n = shape_size(fn->outputs[0]->shape) * SAMPLES;
    int bad = 0, at = 0;
    char *next = field[3];
    for (; at < 3; at++)
        bad += different(field[2], at, projection(run.outputs[0], n, at), strtod(next, &next));
    Fn *by = gradients_of(m, fn);
    interpret(by, &run);
    for (int i = 0; i < by->noutputs; i++, at++) {
        Shape s = by->outputs[i]->shape;
        double dot = projection(run.outputs[i], shape_size(s) * (s.batch ? SAMPLES : 1), 1);
        bad += different(field[2], at, dot, strtod(next, &next));
    }
    return bad + (strspn(next, " \n") != strlen(next));
}

static int check_training(char **field)
{
    Model *m = model_of(format("data points = csv(\"x\")\n"
                               "network net(x: [3]) {\n    %s\n}\n"
                               "data again = points\n"
                               "train on points(x) {\n    validate on again\n"
                               "    t = abs(concat(x, slice(x, 0, 1))) / 2\n    y = net(x)\n"
                               "    minimize %s using %s\n}\n",
                               field[1], field[2], field[3]));
    grad(m);
    Interp run = machine(m, "variance");
    set_input(&run, 3);
    int bad = 0;
    char *next = field[4];
    for (int step = 0; step < STEPS; step++) {
        interpret(m->trains[0].steps[0].fn, &run);
        bad += different(format("%s, %s", field[2], field[3]), step, run.outputs[0][0],
                         strtod(next, &next));
        update_all(m->trains[0].steps[0].fn, &run);
    }
    interpret(m->trains[0].objective, &run);
    return bad + different(format("%s, inference", field[1]), STEPS, run.outputs[0][0],
                           strtod(next, &next));
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
