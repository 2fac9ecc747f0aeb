/* simplify() keeps values, and reaches the forms that later passes rely on. */
#include "graph/random_graph.h"

static void simplify_one(Node **roots, int n)
{
    Fn fn = {.kind = FN_STEP, .name = "test", .noutputs = n, .outputs = roots};
    Model m = {.name = "test", .nfns = 1, .fns = (Fn *[]){&fn}};
    simplify(&m);
}

static Node *simplified(Node *n)
{
    simplify_one(&n, 1);
    return n;
}

static bool close_to(double a, double b)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * (1 + fabs(a) + fabs(b));
}

/* A result with its first and second derivatives, before and after. */
static void random_graphs(void **state)
{
    (void)state;
    int before_nodes = 0, after_nodes = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        Bench b = bench_new(1 + (int64_t)(seed % 3), seed);
        Pool p = random_graph(&b, 14, true);
        Node *roots[16];
        int n = 0;
        roots[n++] = p.at[p.n - 1];
        roots[n++] = p.at[p.n / 2];
        gradient(roots[0], 3, b.in, roots + n);
        n += 3;
        gradient(roots[2], 3, b.in, roots + n);
        n += 3;
        double **before = bench_run(&b, n, roots, false);
        int64_t counts[16];
        for (int i = 0; i < n; i++)
            counts[i] = bench_count(&b, roots[i]);
        before_nodes += graph_reach(n, roots).n;
        simplify_one(roots, n);
        after_nodes += graph_reach(n, roots).n;
        double **after = bench_run(&b, n, roots, false);
        for (int i = 0; i < n; i++) {
            assert_int_equal(counts[i], bench_count(&b, roots[i]));
            for (int64_t j = 0; j < counts[i]; j++)
                if (!close_to(before[i][j], after[i][j]))
                    fail_msg("graph %d, root %d, element %d: %.12g became %.12g", (int)seed, i,
                             (int)j, before[i][j], after[i][j]);
        }
        graph_reset();
        arena_free();
    }
    print_message("%d nodes became %d\n", before_nodes, after_nodes);
    assert_true(after_nodes < before_nodes);
}

static void algebra(void **state)
{
    (void)state;
    Bench b = bench_new(2, 1);
    Shape s = shape1(true, 3);
    Node *x = bench_input(&b, T_F32, s, -1, 1), *zero = graph_const(s, 0);
    Node *one = graph_const(s, 1), *p = graph_op2(OP_lt, x, zero);
    assert_ptr_equal(simplified(graph_op2(OP_mul, one, x)), x);
    assert_ptr_equal(simplified(graph_op2(OP_add, zero, x)), x);
    assert_ptr_equal(simplified(graph_op2(OP_div, x, one)), x);
    assert_ptr_equal(simplified(graph_op1(OP_neg, graph_op1(OP_neg, x))), x);
    assert_ptr_equal(simplified(graph_select(p, x, x)), x);
    assert_ptr_equal(simplified(graph_op1(OP_stop_gradient, x)), x);
    assert_ptr_equal(simplified(graph_select(graph_op1(OP_not, p), zero, x)),
                     graph_select(p, x, zero));
    assert_ptr_equal(simplified(graph_pow(x, 2)), graph_op2(OP_mul, x, x));
    assert_ptr_equal(simplified(graph_op1(OP_exp, zero)), one);
    Node *halves = graph_op2(OP_mul, graph_op2(OP_mul, x, graph_const(s, 0.3)), graph_const(s, 2));
    assert_ptr_equal(simplified(halves), graph_op2(OP_mul, x, graph_const(s, 0.6)));
    Node *k = bench_input(&b, T_F32, (Shape){0}, -1, 1), *two = graph_const((Shape){0}, 2);
    Node *scaled = graph_op2(OP_mul, x, graph_expand(k, s));
    assert_ptr_equal(simplified(graph_op2(OP_add, scaled, scaled)),
                     graph_op2(OP_mul, x, graph_expand(graph_op2(OP_mul, k, two), s)));
    Node *zeros = graph_op2(OP_mul, x, zero); /* NaN and inf are not lost */
    assert_ptr_equal(simplified(zeros), zeros);
    graph_reset();
    arena_free();
}

static void reductions(void **state)
{
    (void)state;
    Bench b = bench_new(2, 1);
    Node *x = bench_input(&b, T_F32, shape2(true, 3, 4), -1, 1);
    bool all[MAX_RANK + 1] = {true, true, [MAX_RANK] = true};
    Node *sum = simplified(graph_reduce(OP_reduce_sum, x, all));
    assert_true(sum->op == OP_reduce_sum && sum->attr.axes[MAX_RANK]);
    assert_true(sum->in[0]->op == OP_reduce_sum && sum->in[0]->in[0] == x);
    Node *ones = graph_const(shape1(true, 4), 1);
    bool both[MAX_RANK + 1] = {true, [MAX_RANK] = true};
    Node *count = simplified(graph_reduce(OP_reduce_sum, ones, both));
    assert_ptr_equal(count, graph_op2(OP_mul, graph_live(), graph_const((Shape){0}, 4)));
    graph_reset();
    arena_free();
}

/* x @ transpose(w), with the transpose and a reverse in the maps. */
static void views_of_contractions(void **state)
{
    (void)state;
    Bench b = bench_new(2, 1);
    Affine i = {0, 1, {0}, {1}}, k = {0, 1, {1}, {1}};
    Contraction c = {.nvars = 2, .extent = {5, 4}};
    c.map[0][0] = i;
    c.map[1][0] = k;
    c.map[2][0] = k;
    c.map[2][1] = i;
    Node *x = bench_input(&b, T_F32, shape1(true, 4), -1, 1);
    Node *w = bench_input(&b, T_F32, shape2(false, 5, 4), -1, 1);
    Node *turned = graph_reverse(graph_transpose(w, (int[]){1, 0}), (bool[]){true, false});
    Node *y = graph_contract(shape1(true, 5), x, turned, &c);
    Node *wide = graph_reshape(y, shape3(true, 1, 5, 1));
    Node *z = simplified(wide);
    assert_true(z->op == OP_contract && z->in[0] == x && z->in[1] == w);
    assert_int_equal(z->shape.rank, 3);
    double *before = bench_value(&b, wide), *after = bench_value(&b, z);
    assert_memory_equal(before, after, 10 * sizeof *before);
    graph_reset();
    arena_free();
}

static Node *random_view(Pool *p, Node *a)
{
    int64_t low[MAX_RANK], high[MAX_RANK], none[MAX_RANK] = {0};
    bool axes[MAX_RANK];
    switch (below(p->b, 6)) {
    case 0: return random_transpose(p, a);
    case 1: return random_broadcast(p, a);
    case 2: return random_slice(p, a);
    case 3: return random_reshape(p, a);
    case 4:
        for (int i = 0; i < a->shape.rank; i++)
            axes[i] = below(p->b, 2);
        return graph_reverse(a, axes);
    default:
        for (int i = 0; i < a->shape.rank; i++) {
            low[i] = below(p->b, 2);
            high[i] = below(p->b, 3);
        }
        return graph_pad(a, graph_const((Shape){0}, 0), low, high, none);
    }
}

/* Contractions of views of inputs, under views: the same values, and of the
 * views many are gone. */
static void random_views(void **state)
{
    (void)state;
    int views_before = 0, views_after = 0;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        Bench b = bench_new(2, seed);
        Pool p = {.b = &b, .odd = {1, 2, 3, 4}};
        for (int i = 0; i < 2; i++) {
            Node *a = bench_input(&b, T_F32, random_shape(&p, 4), -1, 1);
            for (int k = below(&b, 3); k >= 0 && shape_size(a->shape) < 300; k--)
                a = random_view(&p, a);
            pool_add(&p, a);
        }
        Node *root = p.n ? random_contract(&p)->in[0] : b.in[0];
        root = random_transpose(&p, root);
        double *before = bench_value(&b, root);
        NodeList list = graph_reach(1, &root);
        for (int i = 0; i < list.n; i++)
            views_before += op_info[list.at[i]->op].kind == LAYOUT;
        root = simplified(root);
        list = graph_reach(1, &root);
        for (int i = 0; i < list.n; i++)
            views_after += op_info[list.at[i]->op].kind == LAYOUT;
        double *after = bench_value(&b, root);
        for (int64_t j = 0; j < bench_count(&b, root); j++)
            if (!close_to(before[j], after[j]))
                fail_msg("graph %d: %.12g became %.12g", (int)seed, before[j], after[j]);
        graph_reset();
        arena_free();
    }
    print_message("%d views became %d\n", views_before, views_after);
    assert_true(views_after * 3 < views_before * 2);
}

/* A pooled layer: its mask and the sum of its bias are of pooled size, and its
 * products pass over the row and the column that no window reaches. */
static void pooled_layer(void **state)
{
    (void)state;
    Bench b = bench_new(3, 1);
    Shape mapped = {.batch = true, .rank = 3, .dim = {7, 5, 3}}, pooled = mapped;
    pooled.dim[0] = 3;
    pooled.dim[1] = 2;
    Node *x = bench_input(&b, T_F32, shape2(true, 7, 5), -1, 1);
    Node *w = bench_input(&b, T_F32, shape1(false, 3), -1, 1);
    Node *bias = bench_input(&b, T_F32, shape1(false, 3), -1, 1);
    Contraction c = {.nvars = 3, .extent = {7, 5, 3}};
    for (int i = 0; i < 3; i++)
        c.map[0][i] = c.map[1][i] = (Affine){.terms = 1, .var = {i}, .coefficient = {1}};
    c.map[1][2] = (Affine){0};
    c.map[2][0] = c.map[0][2];
    Node *h = graph_op2(OP_add, graph_contract(mapped, x, w, &c), graph_expand(bias, mapped));
    Node *zero = graph_const(mapped, 0), *r = graph_select(graph_op2(OP_lt, zero, h), h, zero);
    Window window = {{2, 2, 1}, {2, 2, 1}, {1, 1, 1}, {0}};
    Node *index = graph_window(OP_window_argmax, r, NULL, pooled, &window);
    Node *y = graph_window(OP_window_gather, r, index, pooled, &window), *of[] = {w, bias}, *g[2];
    gradient(graph_op2(OP_mul, y, y), 2, of, g);
    double **before = bench_run(&b, 2, g, false);
    simplify_one(g, 2);
    double **after = bench_run(&b, 2, g, false);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++)
            assert_true(close_to(before[i][k], after[i][k]));
    NodeList list = graph_reach(2, g);
    for (int i = 0; i < list.n; i++) {
        const Node *n = list.at[i];
        assert_false(n->op == OP_select && n->in[1]->op == OP_window_scatter);
        assert_false(n->op == OP_reduce_sum && n->in[0]->op == OP_window_scatter);
        if (n->op == OP_contract && n->in[1]->op == OP_window_scatter)
            assert_true(n->attr.contraction.extent[0] == 6 && n->attr.contraction.extent[1] == 4);
    }
    graph_reset();
    arena_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs), cmocka_unit_test(algebra),
        cmocka_unit_test(reductions),    cmocka_unit_test(views_of_contractions),
        cmocka_unit_test(random_views),  cmocka_unit_test(pooled_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
