/* Every elementwise operation by the interpreter against its formula in long
 * double, on odd sizes, with and without a batch; its first and second
 * derivatives against differences. */
#include "graph/support.h"

typedef long double Real;
typedef struct Case {
    Op op;
    double lo, hi;
    Real (*value)(Real x, Real y);
    double number; /* pow */
} Case;

#define FORMULA(name, value)             \
    static Real f_##name(Real x, Real y) \
    {                                    \
        (void)x, (void)y;                \
        return value;                    \
    }
/* clang-format off: a table */
FORMULA(add, x + y)
FORMULA(mul, x *y)
FORMULA(div, x / y)
FORMULA(neg, 0 - x)
FORMULA(max, fmaxl(x, y))
FORMULA(exp, expl(x / 2) * expl(x / 2))
FORMULA(log, -logl(1 / x))
FORMULA(tanh, 1 - 2 / (expl(2 * x) + 1))
FORMULA(logistic, (1 + tanhl(x / 2)) / 2)
FORMULA(softplus, logl(1 + expl(x)))
FORMULA(sqrt, expl(logl(x) / 2))
FORMULA(square, x *x)
FORMULA(cube_root, cbrtl(x))
FORMULA(inverse, 1 / x)
FORMULA(sin, 2 * sinl(x / 2) * cosl(x / 2))
FORMULA(cos, 1 - 2 * sinl(x / 2) * sinl(x / 2))
FORMULA(floor, (Real)(long long)(x + 100) - 100)
/* clang-format on */

static Real f_erf(Real x, Real y) /* its series */
{
    Real term = x, sum = x;
    (void)y;
    for (int n = 1; n < 60; n++) {
        term *= -x * x / n;
        sum += term / (2 * n + 1);
    }
    return 2 * sum / sqrtl(acosl(-1));
}

static const Case cases[] = {
    {OP_add, -2, 2, f_add, 0},
    {OP_mul, -2, 2, f_mul, 0},
    {OP_div, 0.5, 2, f_div, 0},
    {OP_neg, -2, 2, f_neg, 0},
    {OP_max, -2, 2, f_max, 0},
    {OP_exp, -3, 3, f_exp, 0},
    {OP_log, 0.1, 4, f_log, 0},
    {OP_tanh, -3, 3, f_tanh, 0},
    {OP_logistic, -5, 5, f_logistic, 0},
    {OP_softplus, -5, 5, f_softplus, 0},
    {OP_sqrt, 0.1, 4, f_sqrt, 0},
    {OP_pow, -2, 2, f_square, 2},
    {OP_pow, 0.2, 2, f_cube_root, 1.0 / 3},
    {OP_pow, 0.5, 2, f_inverse, -1},
    {OP_sin, -5, 5, f_sin, 0},
    {OP_cos, -5, 5, f_cos, 0},
    {OP_erf, -2, 2, f_erf, 0},
    {OP_floor, -4, 4, f_floor, 0},
};

static Node *build_case(const Case *c, Node *x, Node *y)
{
    if (c->op == OP_pow)
        return graph_pow(x, c->number);
    return op_info[c->op].arity == 2 ? graph_op2(c->op, x, y) : graph_op1(c->op, x);
}

static void check_case(const Case *c, int64_t size, bool batch, int64_t samples)
{
    Bench b = bench_new(samples, (uint64_t)(size + samples));
    Node *x = bench_input(&b, T_F32, shape1(batch, size), c->lo, c->hi);
    Node *y = bench_input(&b, T_F32, shape1(batch, size), c->lo, c->hi);
    Node *z = build_case(c, x, y);
    double *value = bench_value(&b, z);
    for (int64_t i = 0; i < bench_count(&b, z); i++) {
        double want = (double)c->value(bench_values(&b, x)[i], bench_values(&b, y)[i]);
        if (!(fabs(value[i] - want) <= 1e-13 * (1 + fabs(want))))
            fail_msg("%s: %.17g instead of %.17g", op_name[c->op], value[i], want);
    }
    assert_true(derivatives_right(&b, z, 2, op_name[c->op]));
}

static void values_and_derivatives(void **state)
{
    (void)state;
    const int64_t sizes[] = {1, 3, 17, 100};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int s = 0; s < 4; s++) {
            check_case(&cases[i], sizes[s], false, 1);
            check_case(&cases[i], sizes[s], true, 1);
            check_case(&cases[i], sizes[s], true, 24);
            graph_reset();
            arena_free();
        }
}

static void rounded_to_float(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bench b = bench_new(1, i);
        Node *x = bench_input(&b, T_F32, shape1(false, 50), cases[i].lo, cases[i].hi);
        Node *y = bench_input(&b, T_F32, shape1(false, 50), cases[i].lo, cases[i].hi);
        Node *z = build_case(&cases[i], x, y);
        double *value = bench_run(&b, 1, &z, true)[0];
        for (int j = 0; j < 50; j++) {
            Real want = cases[i].value((float)b.value[0][j], (float)b.value[1][j]);
            assert_true(value[j] == (float)value[j]);
            assert_true(fabsl(value[j] - want) <= fabsl(want) * 0x1p-24L + 1e-18L);
        }
    }
    graph_reset();
    arena_free();
}

/* A tie of max gives half of the gradient to each side. */
static void tie_of_max(void **state)
{
    (void)state;
    Bench b = bench_new(1, 1);
    Node *x = bench_input(&b, T_F32, shape1(false, 3), 0, 1), *y = graph_const(x->shape, 0.5);
    Node *g;
    memcpy(b.value[0], (double[]){0.25, 0.5, 0.75}, 3 * sizeof(double));
    gradient(graph_op2(OP_max, x, y), 1, &x, &g);
    assert_memory_equal(bench_value(&b, g), ((double[]){0, 0.5, 1}), 3 * sizeof(double));
    graph_reset();
    arena_free();
}

static double special(Op op, double x, double y)
{
    Node *in[] = {graph_const((Shape){0}, x), graph_const((Shape){0}, y)};
    Bench b = bench_new(1, 1);
    Node *n = op_info[op].arity == 2 ? graph_op2(op, in[0], in[1]) : graph_op1(op, in[0]);
    return bench_value(&b, n)[0];
}

static void special_values(void **state)
{
    (void)state;
    assert_true(isnan(special(OP_max, NAN, 1)) && isnan(special(OP_max, 1, NAN)));
    assert_true(special(OP_max, -INFINITY, 1) == 1);
    assert_true(special(OP_logistic, -1000, 0) == 0 && special(OP_logistic, 1000, 0) == 1);
    assert_true(special(OP_softplus, -1000, 0) == 0 && special(OP_softplus, 1000, 0) == 1000);
    assert_true(isnan(special(OP_softplus, NAN, 0)) && isnan(special(OP_logistic, NAN, 0)));
    assert_true(special(OP_lt, NAN, 1) == 0 && special(OP_eq, NAN, NAN) == 0);
    assert_true(special(OP_le, 1, 1) == 1 && special(OP_lt, 1, 1) == 0);
    graph_reset();
    arena_free();
}

static double converted_to(Type from, double x, Type to)
{
    Bench b = bench_new(1, 1);
    return bench_value(&b, graph_convert(graph_typed(from, (Shape){0}, x), to))[0];
}

static void integers(void **state)
{
    (void)state;
    Bench b = bench_new(1, 1);
    Node *big = graph_typed(T_I32, (Shape){0}, 2000000011);
    Node *two = graph_typed(T_I32, (Shape){0}, 2);
    assert_true(bench_value(&b, graph_op2(OP_add, big, big))[0] == -294967274);
    assert_true(bench_value(&b, graph_op2(OP_mul, big, big))[0] ==
                (int32_t)(2000000011u * 2000000011u));
    assert_true(bench_value(&b, graph_op1(OP_neg, two))[0] == -2);
    assert_true(converted_to(T_F32, -1.9, T_I32) == -1);
    assert_true(converted_to(T_F32, NAN, T_I32) == 0);
    assert_true(converted_to(T_F32, 1e20, T_I32) == INT32_MAX);
    assert_true(converted_to(T_F32, 0.5, T_BOOL) == 1 && converted_to(T_I32, 0, T_BOOL) == 0);
    assert_true(converted_to(T_BOOL, 1, T_F32) == 1);
    graph_reset();
    arena_free();
}

static void logic_and_select(void **state)
{
    (void)state;
    Bench b = bench_new(5, 3);
    Node *x = bench_input(&b, T_F32, shape1(true, 17), -1, 1);
    Node *y = bench_input(&b, T_F32, shape1(true, 17), -1, 1);
    Node *p = graph_op2(OP_lt, x, y), *q = graph_op2(OP_le, graph_const(x->shape, 0), x);
    Node *r = graph_op2(OP_or, graph_op2(OP_and, p, q), graph_op1(OP_not, q));
    Node *z = graph_select(r, graph_op2(OP_mul, x, y), graph_op1(OP_exp, y));
    double *value = bench_value(&b, z);
    for (int64_t i = 0; i < bench_count(&b, z); i++) {
        double u = b.value[0][i], v = b.value[1][i];
        assert_true(value[i] == ((u < v && u >= 0) || !(u >= 0) ? u * v : exp(v)));
    }
    assert_true(derivatives_right(&b, z, 2, "select"));
    graph_reset();
    arena_free();
}

static void stopped(void **state)
{
    (void)state;
    Bench b = bench_new(1, 3);
    Node *x = bench_input(&b, T_F32, shape1(false, 3), -1, 1), *g;
    gradient(graph_op2(OP_mul, x, graph_op1(OP_stop_gradient, x)), 1, &x, &g);
    assert_memory_equal(bench_value(&b, g), b.value[0], 3 * sizeof(double));
    gradient(graph_op1(OP_floor, x), 1, &x, &g);
    assert_true(is_splat(g, 0));
    graph_reset();
    arena_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_derivatives),
        cmocka_unit_test(rounded_to_float),
        cmocka_unit_test(tie_of_max),
        cmocka_unit_test(special_values),
        cmocka_unit_test(integers),
        cmocka_unit_test(logic_and_select),
        cmocka_unit_test(stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
