/* grad() on models: gradients inside objectives, of every order, and the
 * check that --check=grad makes of them. */
#include "graph/support.h"

enum { FEATURES = 4, UNITS = 3 };

typedef struct Example {
    Model model;
    Fn step;
    Fn *fns[1];
    Var *vars[4];
    Node *image;
} Example;

static Var *add_param(Example *e, const char *name, Shape shape)
{
    Var *var = NEW(Var);
    *var = (Var){.kind = VAR_PARAM, .name = name, .type = T_F32, .shape = shape};
    graph_var(var);
    var->init = graph_random(RANDOM_NORMAL, shape, (uint32_t)e->model.nvars);
    e->vars[e->model.nvars++] = var;
    return var;
}

static Example *new_example(void)
{
    Example *e = NEW(Example);
    e->image = graph_input(T_F32, shape1(true, FEATURES), 0, (Pos){0});
    e->fns[0] = &e->step;
    e->model = (Model){.name = "test", .vars = e->vars, .nfns = 1, .fns = e->fns};
    e->step = (Fn){.kind = FN_STEP, .name = "step", .ninputs = 1, .inputs = &e->image};
    e->step.outputs = NEW_ARRAY(Node *, 1);
    e->step.targets = NEW_ARRAY(Var *, 4);
    e->step.values = NEW_ARRAY(Node *, 4);
    return e;
}

/* The objective, and every parameter's update by its gradient. */
static void minimize(Example *e, Node *objective)
{
    e->step.noutputs = 1;
    e->step.outputs[0] = objective;
    e->step.nupdates = e->model.nvars;
    for (int i = 0; i < e->model.nvars; i++) {
        e->step.targets[i] = e->vars[i];
        e->step.values[i] = graph_gradient(objective, e->vars[i]->node);
    }
}

static Node *sum(Node *a, bool batch)
{
    bool axes[MAX_RANK + 1] = {[MAX_RANK] = batch && a->shape.batch};
    for (int i = 0; i < a->shape.rank; i++)
        axes[i] = true;
    return graph_reduce(OP_reduce_sum, a, axes);
}

static Node *mean(Node *a)
{
    return graph_op2(OP_div, sum(a, true), graph_live());
}

static Node *square(Node *a)
{
    return graph_op2(OP_mul, a, a);
}

static Node *minus(Node *a, Node *b)
{
    return graph_op2(OP_add, a, graph_op1(OP_neg, b));
}

static Node *dense(Example *e, Node *x, int64_t units)
{
    int64_t n = x->shape.dim[0];
    Var *kernel = add_param(e, format("kernel_%d", e->model.nvars), shape2(false, n, units));
    Contraction c = {.nvars = 2, .extent = {n, units}};
    Affine k = {0, 1, {0}, {1}}, u = {0, 1, {1}, {1}};
    c.map[0][0] = u;
    c.map[1][0] = k;
    memcpy(c.map[2], (Affine[]){k, u}, 2 * sizeof k);
    return graph_contract(shape1(true, units), x, kernel->node, &c);
}

/* A critic whose slope by its input is in the objective (WGAN-GP). */
static Node *penalized(Example *e)
{
    Node *critic = dense(e, graph_op1(OP_tanh, dense(e, e->image, UNITS)), 1);
    Node *slope = graph_gradient(critic, e->image);
    Node *length = graph_op1(OP_sqrt, graph_op2(OP_add, sum(square(slope), false),
                                                graph_const((Shape){.batch = true}, 1e-6)));
    Node *penalty = mean(square(minus(length, graph_const(length->shape, 1))));
    return graph_op2(OP_add, mean(critic), graph_op2(OP_mul, penalty, graph_const((Shape){0}, 10)));
}

/* Statistics of the batch are differentiated as what they are. */
static Node *normalized(Example *e)
{
    Node *x = dense(e, e->image, UNITS);
    Shape small = shape1(false, UNITS);
    bool batch[MAX_RANK + 1] = {[MAX_RANK] = true};
    Node *live = graph_expand(graph_live(), small);
    Node *center = graph_op2(OP_div, graph_reduce(OP_reduce_sum, x, batch), live);
    Node *apart = minus(x, graph_expand(center, x->shape));
    Node *spread = graph_op2(OP_div, graph_reduce(OP_reduce_sum, square(apart), batch), live);
    Node *scale = graph_pow(graph_op2(OP_add, spread, graph_const(small, 1e-3)), -0.5);
    Node *y = graph_op2(OP_mul, apart, graph_expand(scale, x->shape));
    return mean(graph_op1(OP_softplus, dense(e, graph_op1(OP_tanh, y), 1)));
}

static int gradients_left(const Fn *fn)
{
    int n = 0;
    Node *roots[8];
    for (int i = 0; i < fn->noutputs + fn->nupdates; i++)
        roots[i] = i ? fn->values[i - 1] : fn->outputs[0];
    NodeList list = graph_reach(fn->noutputs + fn->nupdates, roots);
    for (int i = 0; i < list.n; i++)
        n += list.at[i]->op == OP_gradient;
    return n;
}

/* Updates are gradients of the objective: against differences of outputs[0]. */
static void updates_right(Example *e)
{
    Interp run = {.samples = 5, .var_list = e->vars, .nvars = e->model.nvars};
    Bench b = bench_new(5, 9);
    double *value[4], *image = NEW_ARRAY(double, 5 * FEATURES), h = 1e-5, d[2];
    for (int i = 0; i < 5 * FEATURES; i++)
        image[i] = between(&b, -1, 1);
    for (int i = 0; i < e->model.nvars; i++) {
        value[i] = NEW_ARRAY(double, shape_size(e->vars[i]->shape));
        for (int64_t j = 0; j < shape_size(e->vars[i]->shape); j++)
            value[i][j] = between(&b, -1, 1);
    }
    run.inputs = &image;
    run.vars = value;
    interpret(&e->step, &run);
    double **gradients = run.updates;
    for (int i = 0; i < e->model.nvars; i++)
        for (int64_t j = 0; j < shape_size(e->vars[i]->shape); j++) {
            double kept = value[i][j];
            for (int side = 0; side < 2; side++) {
                value[i][j] = kept + (side ? h : -h);
                interpret(&e->step, &run);
                d[side] = run.outputs[0][0];
            }
            value[i][j] = kept;
            double slope = (d[1] - d[0]) / (2 * h);
            assert_true(fabs(slope - gradients[i][j]) < 1e-6 * (1 + fabs(slope)));
        }
}

static void check_example(Node *(*objective)(Example *))
{
    Example *e = new_example();
    minimize(e, objective(e));
    grad(&e->model);
    assert_int_equal(gradients_left(&e->step), 0);
    verify_fn(&e->step);
    updates_right(e);
    assert_int_equal(check_gradients(&e->model), 0);
    simplify(&e->model);
    verify_fn(&e->step);
    updates_right(e);
    assert_int_equal(check_gradients(&e->model), 0);
    graph_reset();
    arena_free();
}

static void gradient_penalty(void **state)
{
    (void)state;
    check_example(penalized);
}

static void batch_normalization(void **state)
{
    (void)state;
    check_example(normalized);
}

/* d^4 x^4 / dx^4 = 24, each order a gradient node of the one before. */
static void fourth_order(void **state)
{
    (void)state;
    Example *e = new_example();
    Node *x = add_param(e, "x", (Shape){0})->node, *y = square(square(x));
    for (int order = 0; order < 4; order++)
        y = graph_gradient(y, x);
    minimize(e, y);
    grad(&e->model);
    simplify(&e->model);
    double at = 0.7, *values[] = {&at};
    Interp run = {.samples = 1, .var_list = e->vars, .nvars = 1, .vars = values};
    interpret(&e->step, &run);
    assert_true(fabs(run.outputs[0][0] - 24) < 1e-12 && run.updates[0][0] == 0);
    graph_reset();
    arena_free();
}

/* What does not depend on a parameter has the gradient 0, of its shape. */
static void no_path(void **state)
{
    (void)state;
    Example *e = new_example();
    add_param(e, "x", shape1(false, 3));
    minimize(e, mean(sum(e->image, false)));
    grad(&e->model);
    assert_ptr_equal(e->step.values[0], graph_const(shape1(false, 3), 0));
    graph_reset();
    arena_free();
}

/* --check=grad finds a gradient that is only half of the slope. */
static void wrong_gradient(void **state)
{
    (void)state;
    Example *e = new_example();
    Node *x = add_param(e, "x", shape1(false, 3))->node;
    minimize(e, sum(graph_op2(OP_mul, x, graph_op1(OP_stop_gradient, x)), false));
    grad(&e->model);
    assert_int_equal(check_gradients(&e->model), 1);
    graph_reset();
    arena_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_penalty), cmocka_unit_test(batch_normalization),
        cmocka_unit_test(fourth_order),     cmocka_unit_test(no_path),
        cmocka_unit_test(wrong_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
