/* Random numbers: known answers, permutations, orthogonal matrices. */
#include "rt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The vectors of the authors' Random123 library. */
static void philox_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void keys_differ_by_purpose(void **state)
{
    uint32_t init[2], train[2];
    (void)state;
    random_key(42, AECC_RANDOM_INIT, init);
    random_key(42, AECC_RANDOM_TRAIN, train);
    assert_int_equal(init[0], 42);
    assert_int_equal(init[1], 0x9E3779B9);
    assert_int_equal(train[1], 3u * 0x9E3779B9u);
    random_key((uint64_t)7 << 32 | 1, AECC_RANDOM_INIT, init);
    assert_int_equal(init[0], 1);
    assert_int_equal(init[1], 7 ^ 0x9E3779B9u);
}

static void check_permutation(int64_t n)
{
    int64_t *order = rt_alloc((size_t)n + 1, sizeof *order);
    bool *seen = rt_alloc((size_t)n + 1, sizeof *seen);
    shuffle(order, n, 42, 0, 3);
    for (int64_t i = 0; i < n; i++) {
        assert_in_range(order[i], 0, n - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
    }
    free(order);
    free(seen);
}

static void shuffles_are_permutations(void **state)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 17, 1000, 55001};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_permutation(sizes[i]);
}

static void shuffles_depend_on_all(void **state)
{
    enum { N = 100 };
    int64_t first[N], other[N];
    (void)state;
    shuffle(first, N, 42, 0, 0);
    shuffle(other, N, 42, 0, 0);
    assert_memory_equal(first, other, sizeof first);
    shuffle(other, N, 43, 0, 0);
    assert_memory_not_equal(first, other, sizeof first);
    shuffle(other, N, 42, 1, 0);
    assert_memory_not_equal(first, other, sizeof first);
    shuffle(other, N, 42, 0, 1);
    assert_memory_not_equal(first, other, sizeof first);
}

/* Each of 6 places gets each of 6 values equally often: chi-square with 25
 * degrees of freedom, 52.6 at 0.001. */
static void shuffles_are_uniform(void **state)
{
    enum { N = 6, EPOCHS = 6000 };
    double count[N][N] = {{0}}, chi = 0, expected = (double)EPOCHS / N;
    (void)state;
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        int64_t order[N];
        shuffle(order, N, 42, 0, epoch);
        for (int i = 0; i < N; i++)
            count[i][order[i]]++;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            chi += (count[i][j] - expected) * (count[i][j] - expected) / expected;
    assert_true(chi < 52.6);
}

static void normals_have_moments(void **state)
{
    enum { N = 40000 };
    double mean = 0, square = 0;
    uint32_t key[2];
    (void)state;
    random_key(42, AECC_RANDOM_INIT, key);
    for (uint32_t i = 0; i < N / 4; i++) {
        const uint32_t counter[4] = {i, 0, 1, 0};
        double four[4];
        random_normal4(counter, key, four);
        for (int k = 0; k < 4; k++) {
            mean += four[k] / N;
            square += four[k] * four[k] / N;
        }
    }
    assert_true(fabs(mean) < 0.02);
    assert_true(fabs(square - 1) < 0.03);
}

/* The shorter of rows and columns are orthonormal; padding is not touched. */
static void check_orthogonal(int64_t rows, int64_t columns)
{
    int64_t stride = columns + 3, n = rows < columns ? rows : columns;
    float *m = rt_alloc((size_t)(rows * stride), sizeof *m);
    aecc_call call = {.step = 0};
    random_key(42, AECC_RANDOM_INIT, call.key);
    aecc_orthogonal(&call, m, rows, columns, stride, 99);
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b < n; b++) {
            double sum = 0;
            for (int64_t i = 0; i < (rows < columns ? columns : rows); i++)
                sum += rows < columns ? (double)m[a * stride + i] * m[b * stride + i]
                                      : (double)m[i * stride + a] * m[i * stride + b];
            assert_true(fabs(sum - (a == b)) < 1e-6);
        }
    for (int64_t r = 0; r < rows; r++)
        assert_true(m[r * stride + columns] == 0);
    free(m);
}

static void orthogonal_matrices(void **state)
{
    (void)state;
    check_orthogonal(1, 1);
    check_orthogonal(5, 5);
    check_orthogonal(7, 20);
    check_orthogonal(100, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),      cmocka_unit_test(keys_differ_by_purpose),
        cmocka_unit_test(shuffles_are_permutations), cmocka_unit_test(shuffles_depend_on_all),
        cmocka_unit_test(shuffles_are_uniform),      cmocka_unit_test(normals_have_moments),
        cmocka_unit_test(orthogonal_matrices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
