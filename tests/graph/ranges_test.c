/* Sums in ranges: which products are cut, where, and that they are the same
 * numbers. */
#include "support.h"

static Node *matrix(int rows, int columns)
{
    Var *v = NEW(Var);
    *v = (Var){
        .kind = VAR_PARAM, .name = "w", .shape = shape_of(false, 2, (int64_t[]){rows, columns})};
    v->init = graph_const(v->shape, 0);
    return graph_var(v);
}

/* x summed along axis `axis` of w. */
static Node *product(Node *x, Node *w, int axis)
{
    Contraction c = {.nvars = 2, .extent = {w->shape.dim[0], w->shape.dim[1]}};
    Affine index[2] = {{0, 1, {0}, {1}}, {0, 1, {1}, {1}}};
    c.map[0][0] = index[1 - axis];
    c.map[1][0] = index[axis];
    c.map[2][0] = index[0];
    c.map[2][1] = index[1];
    return graph_contract(shape_of(true, 1, &w->shape.dim[1 - axis]), x, w, &c);
}

static Node *after_ranges(FnKind kind, Node *n)
{
    Fn fn = {.kind = kind, .name = "test", .noutputs = 1, .outputs = &n};
    Model model = {.nfns = 1, .fns = (Fn *[]){&fn}};
    ranges(&model);
    return n;
}

/* Into how many ranges a step cuts a sum along this axis of a matrix. */
static int64_t cut(int rows, int columns, int axis)
{
    Bench b = bench_new(2, 1);
    int64_t k = axis == 0 ? rows : columns;
    Node *x = bench_input(&b, T_F32, shape_of(true, 1, &k), -1, 1), *w = matrix(rows, columns);
    Node *y = product(x, w, axis);
    assert_ptr_equal(after_ranges(FN_OBJECTIVE, y), y);
    Node *now = after_ranges(FN_STEP, y);
    assert_true(shape_equal(now->shape, y->shape));
    int64_t n = now == y ? 1 : now->in[0]->shape.dim[0];
    if (now != y) {
        assert_true(now->op == OP_reduce_sum && now->in[0]->op == OP_contract);
        assert_null(node_error(now));
        assert_null(node_error(now->in[0]));
    }
    graph_reset();
    arena_free();
    return n;
}

static void which(void **state)
{
    (void)state;
    assert_int_equal(cut(784, 100, 0), 4);
    assert_int_equal(cut(784, 100, 1), 1); /* that axis has no owner          */
    assert_int_equal(cut(100, 784, 1), 4);
    assert_int_equal(cut(400, 50, 0), 2);
    assert_int_equal(cut(256, 256, 1), 1); /* ranges would be short           */
    assert_int_equal(cut(512, 512, 1), 2); /* of equal axes the last          */
    assert_int_equal(cut(512, 512, 0), 1);
    assert_int_equal(cut(785, 100, 0), 1);   /* no power of two divides it      */
    assert_int_equal(cut(784, 10, 0), 1);    /* too small to be worth a meeting */
    assert_int_equal(cut(4096, 4096, 1), 1); /* no cache holds a part of it   */
}

static void values(void **state)
{
    (void)state;
    Bench b = bench_new(3, 1);
    int64_t k = 400;
    Node *x = bench_input(&b, T_F32, shape_of(true, 1, &k), -1, 1);
    Node *w = bench_input(&b, T_F32, shape_of(false, 2, (int64_t[]){400, 50}), -1, 1);
    Node *v = matrix(400, 50), *y = after_ranges(FN_STEP, product(x, v, 0));
    Node *plain = product(x, w, 0), *in[2] = {x, w};
    Node *parts = graph_contract(y->in[0]->shape, in[0], in[1], &y->in[0]->attr.contraction);
    Node *sum = graph_reduce(OP_reduce_sum, parts, y->attr.axes), *roots[2] = {plain, sum};
    double **value = bench_run(&b, 2, roots, false);
    for (int i = 0; i < 3 * 50; i++)
        assert_true(fabs(value[0][i] - value[1][i]) < 1e-12);
    graph_reset();
    arena_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(which), cmocka_unit_test(values)};
    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
