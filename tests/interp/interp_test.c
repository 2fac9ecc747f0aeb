/* The interpreter's own: random numbers, leaves, rounding, orders of sums. */
#include "graph/support.h"

/* The known answers of Philox4x32-10 (Salmon et al., Random123). */
static void philox_vectors(void **state)
{
    (void)state;
    const uint32_t pi_counter[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
    const uint32_t pi_key[2] = {0xa4093822, 0x299f31d0};
    uint32_t out[4], ones[4] = {~0u, ~0u, ~0u, ~0u}, zero[4] = {0};
    philox(zero, zero, out);
    assert_memory_equal(out, ((uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}), 16);
    philox(ones, ones, out);
    assert_memory_equal(out, ((uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}), 16);
    philox(pi_counter, pi_key, out);
    assert_memory_equal(out, ((uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}), 16);
}

/* Words by element, sample and path, as runtime/aecc_rt.h has them. */
static void random_counters(void **state)
{
    (void)state;
    Bench b = bench_new(3, 1);
    Node *bits = graph_random(RANDOM_BITS, shape1(true, 6), 99);
    Node *uniform = graph_random(RANDOM_UNIFORM, shape1(true, 6), 99);
    double *value = bench_value(&b, bits), *unit = bench_value(&b, uniform);
    uint32_t key[2] = {1, 2 ^ 3 * 0x9E3779B9u};
    for (int64_t i = 0; i < 18; i++) {
        uint32_t counter[4] = {(uint32_t)(i % 6 / 4), (uint32_t)(i / 6), 99, 4}, word[4];
        philox(counter, key, word);
        assert_true(value[i] == (int32_t)word[i % 6 % 4]);
        assert_true(unit[i] == (word[i % 6 % 4] >> 8) / 16777216.0);
    }
    graph_reset();
    arena_free();
}

static void normal_moments(void **state)
{
    (void)state;
    enum { N = 40000 };
    Bench b = bench_new(1, 1);
    double *x = bench_value(&b, graph_random(RANDOM_NORMAL, shape1(false, N), 5));
    double sum = 0, square = 0, fourth = 0, pairs = 0;
    for (int i = 0; i < N; i++) {
        sum += x[i];
        square += x[i] * x[i];
        fourth += pow(x[i], 4);
        pairs += x[i] * x[i ^ 1];
    }
    assert_true(fabs(sum / N) < 0.02 && fabs(square / N - 1) < 0.03);
    assert_true(fabs(fourth / N - 3) < 0.2 && fabs(pairs / N) < 0.03);
    graph_reset();
    arena_free();
}

static void check_orthogonal(int64_t rows, int64_t columns)
{
    Bench b = bench_new(1, 1);
    double *q = bench_value(&b, graph_orthogonal(shape2(false, rows, columns), 3));
    bool wide = rows < columns;
    int64_t thin = wide ? rows : columns, length = wide ? columns : rows;
    for (int64_t i = 0; i < thin; i++)
        for (int64_t j = 0; j < thin; j++) {
            double sum = 0;
            for (int64_t k = 0; k < length; k++)
                sum += wide ? q[i * columns + k] * q[j * columns + k]
                            : q[k * columns + i] * q[k * columns + j];
            assert_true(fabs(sum - (i == j)) < 1e-9);
        }
}

static void orthogonal(void **state)
{
    (void)state;
    check_orthogonal(1, 1);
    check_orthogonal(7, 3);
    check_orthogonal(3, 7);
    check_orthogonal(40, 40);
    graph_reset();
    arena_free();
}

static void leaves(void **state)
{
    (void)state;
    Bench b = bench_new(5, 1);
    Node *count = graph_iota(T_I32, shape3(false, 2, 3, 2), 1);
    double *value = bench_value(&b, count);
    for (int i = 0; i < 12; i++)
        assert_true(value[i] == i / 2 % 3);
    assert_true(bench_value(&b, graph_live())[0] == 5);
    Node *third = graph_const(shape1(true, 2), 1.0 / 3);
    assert_true(bench_run(&b, 1, &third, true)[0][9] == (float)(1.0 / 3));
    double data[] = {0.1, 0.2};
    assert_memory_equal(bench_value(&b, graph_data(shape1(false, 2), data)), data, sizeof data);
    graph_reset();
    arena_free();
}

/* A chain of fused multiply-adds from zero, batch outermost, as float32. */
static void order_of_contraction(void **state)
{
    (void)state;
    Bench b = bench_new(3, 1);
    Node *x = bench_input(&b, T_F32, shape1(true, 50), -1, 1);
    Node *w = bench_input(&b, T_F32, shape1(true, 50), -1, 1);
    Contraction c = {.nvars = 1, .extent = {50}};
    c.map[1][0] = c.map[2][0] = (Affine){0, 1, {0}, {1}};
    Node *y = graph_contract((Shape){0}, x, w, &c);
    float sum = 0;
    for (int i = 0; i < 150; i++)
        sum = fmaf((float)b.value[0][i], (float)b.value[1][i], sum);
    assert_true(bench_run(&b, 1, &y, true)[0][0] == sum);
    graph_reset();
    arena_free();
}

/* Multiply-adds that are done: those of a 3 x 3 convolution without its border. */
static void flops(void **state)
{
    (void)state;
    Affine v[4];
    for (int i = 0; i < 4; i++)
        v[i] = (Affine){0, 1, {i}, {1}};
    Contraction c = {.nvars = 4, .extent = {10, 3, 8, 2}};
    c.map[0][0] = v[0];
    c.map[0][1] = v[3];
    c.map[1][0] = (Affine){-1, 2, {0, 1}, {1, 1}};
    c.map[1][1] = v[2];
    memcpy(c.map[2], (Affine[]){v[1], v[2], v[3]}, sizeof(Affine) * 3);
    Node *x = graph_const(shape2(true, 10, 8), 1), *w = graph_const(shape3(false, 3, 8, 2), 1);
    Node *y = graph_contract(shape2(true, 10, 2), x, w, &c);
    assert_true(contraction_flops(y) == 2 * 28 * 8 * 2);
    graph_reset();
    arena_free();
}

/* Equal nodes are one node, also random ones and data; others are not. */
static void equal_nodes(void **state)
{
    (void)state;
    double data[] = {1, 2}, other[] = {1, 3};
    Shape s = shape1(false, 2);
    assert_ptr_equal(graph_data(s, data), graph_data(s, data));
    assert_ptr_not_equal(graph_data(s, data), graph_data(s, other));
    assert_ptr_equal(graph_random(RANDOM_NORMAL, s, 1), graph_random(RANDOM_NORMAL, s, 1));
    assert_ptr_not_equal(graph_random(RANDOM_NORMAL, s, 1), graph_random(RANDOM_NORMAL, s, 2));
    assert_ptr_not_equal(graph_const(s, 0), graph_const(s, -0.0));
    assert_ptr_not_equal(graph_const(s, 1), graph_typed(T_I32, s, 1));
    assert_ptr_equal(graph_const(s, NAN), graph_const(s, NAN));
    graph_reset();
    arena_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_vectors), cmocka_unit_test(random_counters),
        cmocka_unit_test(normal_moments), cmocka_unit_test(orthogonal),
        cmocka_unit_test(leaves),         cmocka_unit_test(order_of_contraction),
        cmocka_unit_test(flops),          cmocka_unit_test(equal_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
