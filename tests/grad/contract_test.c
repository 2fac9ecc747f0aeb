/* Contractions of one dimension with strides, dilations of both operands and
 * paddings (also negative): the result against its definition, and its
 * gradients, which are contractions again, against transposes by brute force
 * on exact integers. */
#include "graph/support.h"

typedef struct Config {
    int n, k, s, ld, rd, lo, hi;
} Config;

static int out_size(Config c)
{
    int spread = (c.n - 1) * c.ld + 1, reach = (c.k - 1) * c.rd + 1;
    int room = spread + c.lo + c.hi - reach;
    return room < 0 ? 0 : room / c.s + 1;
}

/* Output o reads input i by kernel element r where i * ld = o * s + r * rd -
 * lo. A contraction's indices are affine in its variables; with ld > 1 they
 * are (i, r) and o is one, else (o, r) and i is one. */
static bool contraction_of(Config c, int out, Contraction *e)
{
    *e = (Contraction){.nvars = 2};
    e->extent[1] = c.k;
    e->map[2][0] = (Affine){0, 1, {1}, {1}};
    if (c.ld == 1) {
        e->extent[0] = out;
        e->map[0][0] = (Affine){0, 1, {0}, {1}};
        e->map[1][0] = (Affine){-c.lo, 2, {0, 1}, {c.s, c.rd}};
        return true;
    }
    e->extent[0] = c.n;
    e->map[0][0] = (Affine){c.lo, 2, {0, 1}, {c.ld, -c.rd}};
    e->map[1][0] = (Affine){0, 1, {0}, {1}};
    return c.s == 1;
}

static double brute_y(Config c, const double *x, const double *w, int o)
{
    double sum = 0;
    for (int i = 0; i < c.n; i++)
        for (int r = 0; r < c.k; r++)
            if (i * c.ld == o * c.s + r * c.rd - c.lo)
                sum += x[i] * w[r];
    return sum;
}

static int check_config(Config c)
{
    Contraction e;
    int out = out_size(c);
    if (out < 1 || !contraction_of(c, out, &e))
        return 0;
    Bench b = bench_new(1, (uint64_t)(c.n * 7 + c.k));
    Node *x = bench_input(&b, T_F32, shape1(false, c.n), -9, 9);
    Node *w = bench_input(&b, T_F32, shape1(false, c.k), -9, 9);
    Node *g = bench_input(&b, T_F32, shape1(false, out), -9, 9);
    for (int i = 0; i < b.n; i++)
        for (int64_t j = 0; j < shape_size(b.in[i]->shape); j++)
            b.value[i][j] = floor(b.value[i][j]);
    Node *roots[3], *by[] = {x, w};
    roots[0] = graph_contract(shape1(false, out), x, w, &e);
    gradient(graph_op2(OP_mul, roots[0], g), 2, by, roots + 1);
    double **value = bench_run(&b, 3, roots, true);
    double *gx = NEW_ARRAY(double, c.n), *gw = NEW_ARRAY(double, c.k);
    for (int o = 0; o < out; o++) {
        assert_true(value[0][o] == brute_y(c, b.value[0], b.value[1], o));
        for (int i = 0; i < c.n; i++)
            for (int r = 0; r < c.k; r++)
                if (i * c.ld == o * c.s + r * c.rd - c.lo) {
                    gx[i] += b.value[2][o] * b.value[1][r];
                    gw[r] += b.value[2][o] * b.value[0][i];
                }
    }
    assert_memory_equal(value[1], gx, sizeof *gx * (size_t)c.n);
    assert_memory_equal(value[2], gw, sizeof *gw * (size_t)c.k);
    return 1;
}

static void one_dimension(void **state)
{
    (void)state;
    int checked = 0;
    for (int n = 1; n <= 7; n++)
        for (int k = 1; k <= 4; k++)
            for (int s = 1; s <= 3; s++)
                for (int ld = 1; ld <= 3; ld++)
                    for (int rd = 1; rd <= 2; rd++)
                        for (int pads = 0; pads < 20; pads++) {
                            Config c = {n, k, s, ld, rd, pads / 4 - 1, pads % 4 - 1};
                            checked += check_config(c);
                        }
    print_message("%d configurations\n", checked);
    assert_true(checked > 4000);
    graph_reset();
    arena_free();
}

/* Two dimensions with channels, a batch, a stride, second derivatives. */
static void convolution(void **state)
{
    (void)state;
    for (int batch = 1; batch <= 5; batch += 4)
        for (int stride = 1; stride <= 2; stride++) {
            Bench b = bench_new(batch, 5);
            int64_t out = (5 - 1) / stride + 1;
            Contraction c = {.nvars = 6, .extent = {out, out, 3, 3, 3, 2}};
            Affine var[6]; /* p q k r s c */
            for (int v = 0; v < 6; v++)
                var[v] = (Affine){0, 1, {v}, {1}};
            Affine row = {-1, 2, {0, 3}, {stride, 1}}, column = {-1, 2, {1, 4}, {stride, 1}};
            memcpy(c.map[0], (Affine[]){var[0], var[1], var[2]}, 3 * sizeof *var);
            memcpy(c.map[1], (Affine[]){row, column, var[5]}, 3 * sizeof *var);
            memcpy(c.map[2], (Affine[]){var[3], var[4], var[5], var[2]}, 4 * sizeof *var);
            Node *x = bench_input(&b, T_F32, shape3(true, 5, 5, 2), -1, 1);
            int64_t kernel[] = {3, 3, 2, 3};
            Node *w = bench_input(&b, T_F32, shape_of(false, 4, kernel), -1, 1);
            Node *y = graph_contract(shape3(true, out, out, 3), x, w, &c);
            Node *z = graph_op1(OP_tanh, y);
            assert_true(derivatives_right(&b, z, 2, "convolution"));
        }
    graph_reset();
    arena_free();
}

/* Every combination of who has the batch, with a repeated and a summed axis:
 * out[i, j] += a[i, k] * b[k, l]: l is summed over b only, j repeats. */
static void batches(void **state)
{
    (void)state;
    for (int who = 0; who < 16; who++) {
        Bench b = bench_new(3, (uint64_t)who);
        Affine i = {0, 1, {0}, {1}}, j = {0, 1, {1}, {1}}, k = {0, 1, {2}, {1}},
               l = {1, 1, {3}, {-1}};
        Contraction c = {.nvars = 4, .extent = {2, 3, 4, 2}};
        memcpy(c.map[0], (Affine[]){i, j}, 2 * sizeof i);
        memcpy(c.map[1], (Affine[]){i, k}, 2 * sizeof i);
        memcpy(c.map[2], (Affine[]){k, l}, 2 * sizeof i);
        Node *a = bench_input(&b, T_F32, shape2(who & 1, 2, 4), -1, 1);
        Node *other = bench_input(&b, T_F32, shape2(who & 2, 4, 2), -1, 1);
        bool two = who & 8;
        Node *y = graph_contract(shape2(who & 4, 2, 3), a, two ? other : NULL, &c);
        assert_true(derivatives_right(&b, graph_op1(OP_tanh, y), 2, format("batch %d", who)));
    }
    graph_reset();
    arena_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_dimension),
        cmocka_unit_test(convolution),
        cmocka_unit_test(batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
