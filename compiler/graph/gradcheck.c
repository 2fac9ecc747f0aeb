/* --check=grad: the gradient of each step's objective with respect to every
 * parameter tensor, along a random direction, against central differences of
 * the objective in double, extrapolated from steps h and h / 2. Large h meet
 * kinks (relu, the choice of a pooling), small ones lose digits: several are
 * tried, then all values are drawn again for the tensors that disagree. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ops.h"

enum { SAMPLES = 3, DRAWS = 12, STEPS = 3 };
static const double tolerance = 1e-6;
/* A gradient this much smaller than the largest is nothing. */
static const double SMALLEST = 1e-2;
static const double step_sizes[STEPS] = {1e-4, 1e-5, 1e-6};

typedef struct Check {
    const Model *model;
    Fn *fn; /* outputs: objective, then gradients */
    Interp run;
    uint32_t draws;
} Check;

/* ---- Values ------------------------------------------------------------------ */

static double random_number(Check *c)
{
    uint32_t counter[4] = {c->draws++, 0, 0, 0}, key[2] = {42, 0x67726164}, word[4];
    philox(counter, key, word);
    return word[0] * 0x1p-31 - 1;
}

static int64_t elements(const Node *n)
{
    return shape_size(n->shape) * (n->shape.batch ? SAMPLES : 1);
}

static void fill(Check *c, const Node *n, double *at)
{
    for (int64_t i = 0; i < elements(n); i++) {
        double x = random_number(c);
        at[i] = n->type == T_F32 ? (x + 1) / 2 : n->type == T_BOOL ? x > 0 : floor(2 + 2 * x);
    }
}

static double *room_for(Shape shape)
{
    return NEW_ARRAY(double, shape_size(shape) * SAMPLES);
}

/* Initial values, moved a little, so that a zero bias is not a special case. */
static void draw_vars(Check *c, uint32_t seed)
{
    const Model *m = c->model;
    for (int i = 0; i < m->nvars; i++) {
        const Var *var = m->vars[i];
        if (!var->init)
            continue;
        Fn init = {
            .kind = FN_INIT, .name = var->name, .noutputs = 1, .outputs = (Node *[]){var->init}};
        Interp run = {.random = {{seed, 0}, 1, 0},
                      .var_list = c->run.var_list,
                      .nvars = i,
                      .vars = c->run.vars};
        interpret(&init, &run);
        int64_t count = shape_size(var->shape);
        memcpy(c->run.vars[i], run.outputs[0], (size_t)count * sizeof(double));
        for (int64_t j = 0; j < count && var->kind == VAR_PARAM; j++)
            c->run.vars[i][j] += 0.05 * random_number(c);
    }
}

static void draw_inputs(Check *c)
{
    const Fn *fn = c->fn;
    for (int i = 0; i < fn->ninputs; i++) {
        double *x = c->run.inputs[i];
        int64_t most = fn->most ? fn->most[i] : 0, n = elements(fn->inputs[i]);
        fill(c, fn->inputs[i], x);
        for (int64_t j = 0; j < n && most > 0; j++) /* a length */
            x[j] = 1 + floor((random_number(c) + 1) / 2 * (double)most);
    }
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* ---- One tensor ------------------------------------------------------------------ */

static double objective(Check *c, double *at, const double *kept, const double *direction,
                        int64_t n, double step)
{
    Fn only = *c->fn;
    only.noutputs = 1;
    for (int64_t i = 0; i < n; i++)
        at[i] = kept[i] + step * direction[i];
    interpret(&only, &c->run);
    memcpy(at, kept, (size_t)n * sizeof *at);
    double sum = 0;
    for (int64_t i = 0; i < elements(only.outputs[0]); i++)
        sum += c->run.outputs[0][i];
    return sum;
}

static double difference(Check *c, double *at, const double *kept, const double *direction,
                         int64_t n, double h)
{
    double d[2];
    for (int k = 0; k < 2; k++, h /= 2)
        d[k] =
            (objective(c, at, kept, direction, n, h) - objective(c, at, kept, direction, n, -h)) /
            (2 * h);
    return (4 * d[1] - d[0]) / 3;
}

typedef struct Result {
    double symbolic, numeric, error;
} Result;

/* A gradient smaller than this is lost in the rounding of the objective. */
static double unseen(double value)
{
    return 1e-9 + 8 * DBL_EPSILON * fabs(value) / step_sizes[0] / tolerance;
}

static double root_mean_square(const double *g, int64_t n)
{
    return sqrt(dot(g, g, n) / (double)n);
}

/* Of all gradients of a step: what a true zero is compared with, such as that
 * of a bias before batch normalization. */
static double largest_gradient(const Check *c, int n, const int *vars)
{
    double largest = 0;
    for (int i = 0; i < n; i++)
        largest = fmax(largest, root_mean_square(c->run.outputs[i + 1],
                                                 shape_size(c->model->vars[vars[i]]->shape)));
    return largest;
}

/* The best agreement over the steps: large ones meet kinks, small ones lose
 * digits of the objective. */
static Result compare(Check *c, int var, const double *g, double largest)
{
    int64_t n = shape_size(c->model->vars[var]->shape);
    double *at = c->run.vars[var], *kept = NEW_ARRAY(double, n), length = 0;
    double *direction = NEW_ARRAY(double, n);
    memcpy(kept, at, (size_t)n * sizeof *at);
    for (int64_t i = 0; i < n; i++) {
        direction[i] = random_number(c);
        length += direction[i] * direction[i];
    }
    for (int64_t i = 0; i < n; i++)
        direction[i] /= sqrt(length);
    Result best = {dot(g, direction, n), 0, INFINITY};
    double scale = root_mean_square(g, n) + fabs(best.symbolic) + SMALLEST * largest +
                   unseen(objective(c, at, kept, direction, n, 0));
    for (int i = 0; i < STEPS; i++) {
        double numeric = difference(c, at, kept, direction, n, step_sizes[i]);
        double error = fabs(best.symbolic - numeric) / scale;
        if (error < best.error)
            best = (Result){best.symbolic, numeric, error};
        if (best.error <= tolerance)
            break;
    }
    return best;
}

static void print_result(const Var *var, Result r)
{
    printf("%-40s %-16s %14.7g %14.7g %9.1e  %s\n", var->name, shape_text(var->shape), r.symbolic,
           r.numeric, r.error, r.error <= tolerance ? "ok" : "WRONG");
}

/* ---- All of them ------------------------------------------------------------------- */

/* outputs[0], then its gradient by each of the vars. */
static Fn *with_gradients(const Fn *fn, int n, Node **vars)
{
    Fn *copy = NEW(Fn);
    *copy = *fn;
    copy->nupdates = 0;
    copy->noutputs = 1 + n;
    copy->outputs = NEW_ARRAY(Node *, n + 1);
    copy->outputs[0] = fn->outputs[0];
    gradient(fn->outputs[0], n, vars, copy->outputs + 1);
    return copy;
}

/* The parameters that the objective reaches: their places in m->vars. */
static int *reached_params(const Model *m, const Fn *fn, int *n)
{
    NodeList list = graph_reach(1, fn->outputs);
    int *reached = NEW_ARRAY(int, m->nvars + 1);
    for (int i = 0; i < m->nvars; i++)
        for (int j = 0; j < list.n && m->vars[i]->kind == VAR_PARAM; j++)
            if (list.at[j] == m->vars[i]->node)
                reached[(*n)++] = i;
    return reached;
}

static Check new_check(const Model *m, Fn *fn)
{
    Check c = {.model = m, .fn = fn};
    c.run = (Interp){
        .samples = SAMPLES, .random = {{42, 0}, 3, 0}, .var_list = m->vars, .nvars = m->nvars};
    c.run.vars = NEW_ARRAY(double *, m->nvars + 1);
    c.run.inputs = NEW_ARRAY(double *, fn->ninputs + 1);
    for (int i = 0; i < m->nvars; i++)
        c.run.vars[i] = room_for(m->vars[i]->shape);
    for (int i = 0; i < fn->ninputs; i++)
        c.run.inputs[i] = room_for(fn->inputs[i]->shape);
    return c;
}

static int check_step(const Model *m, const Fn *fn)
{
    int n = 0, failures = 0;
    int *checked = reached_params(m, fn, &n);
    Node **vars = NEW_ARRAY(Node *, n + 1);
    Result *results = NEW_ARRAY(Result, n + 1);
    for (int i = 0; i < n; i++) {
        vars[i] = m->vars[checked[i]]->node;
        results[i].error = INFINITY;
    }
    Check c = new_check(m, with_gradients(fn, n, vars));
    failures = n;
    for (uint32_t draw = 0; draw < DRAWS && failures; draw++) {
        draw_vars(&c, 42 + draw);
        draw_inputs(&c);
        interpret(c.fn, &c.run);
        double **value = c.run.outputs, largest = largest_gradient(&c, n, checked);
        for (int i = 0; i < n; i++)
            if (!(results[i].error <= tolerance)) {
                results[i] = compare(&c, checked[i], value[i + 1], largest);
                failures -= results[i].error <= tolerance;
            }
    }
    printf("%s\n%-40s %-16s %14s %14s %9s\n", fn->name, "parameter", "shape", "gradient",
           "difference", "error");
    for (int i = 0; i < n; i++)
        print_result(m->vars[checked[i]], results[i]);
    return failures;
}

int check_gradients(const Model *m)
{
    int failures = 0;
    for (int i = 0; i < m->nfns; i++)
        if (m->fns[i]->kind == FN_STEP)
            failures += check_step(m, m->fns[i]);
    return failures;
}
