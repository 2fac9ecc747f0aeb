/* Eigenvalues and the Fréchet distance, against NumPy and SciPy. */
#include "eigen.h"
#include "rt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static float next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) * 0x1p-24F;
}

/* Uniform numbers; column i is (1 + i / n) times as wide where `wider`. */
static float *points(int n, int64_t count, uint32_t seed, bool wider)
{
    float *x = rt_alloc((size_t)(n * count), sizeof *x);
    for (int64_t i = 0; i < n * count; i++) {
        double u = (double)next(&seed);
        x[i] = (float)(wider ? u * (1 + (double)(i % n) / n) : u);
    }
    return x;
}

/* m = vectors values vectors', vectors' vectors = 1. */
static void eigenvectors(void **state)
{
    (void)state;
    for (int n = 1; n <= 33; n += 8) {
        double m[33 * 33], copy[33 * 33], values[33], v[33 * 33];
        uint32_t seed = 5;
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++)
                m[i * n + j] = m[j * n + i] = (double)next(&seed) - 0.5;
        memcpy(copy, m, sizeof m);
        symmetric_eigen(n, copy, values, v);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double back = 0, unit = 0;
                for (int k = 0; k < n; k++) {
                    back += v[i * n + k] * values[k] * v[j * n + k];
                    unit += v[k * n + i] * v[k * n + j];
                }
                assert_true(fabs(back - m[i * n + j]) < 1e-13);
                assert_true(fabs(unit - (i == j)) < 1e-13);
            }
    }
}

static void known_eigenvalues(void **state)
{
    double m[4] = {2, 1, 1, 2}, values[2], zero[9] = {0}, none[3];
    (void)state;
    symmetric_eigen(2, m, values, NULL);
    assert_true(fabs(fmin(values[0], values[1]) - 1) < 1e-15);
    assert_true(fabs(fmax(values[0], values[1]) - 3) < 1e-15);
    symmetric_eigen(3, zero, none, NULL);
    assert_true(none[0] == 0 && none[1] == 0 && none[2] == 0);
}

/* scipy.linalg.sqrtm of np.cov: |m - m'|^2 + trace(S + S' - 2 sqrtm(S @ S')). */
static void distances(void **state)
{
    static const struct {
        int n;
        int64_t a, b;
        double distance;
    } known[] = {
        {1, 10, 7, 0.00168864714872544},
        {3, 50, 40, 0.218402248560156},
        {17, 400, 300, 1.93966119818215},
        {64, 1000, 900, 7.21095507629977},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        float *a = points(known[i].n, known[i].a, 1, false);
        float *b = points(known[i].n, known[i].b, 2, true);
        double d = frechet_distance(known[i].n, known[i].a, a, known[i].b, b);
        assert_true(fabs(d - known[i].distance) < 1e-10 * known[i].distance);
        free(a);
        free(b);
    }
}

/* Of itself 0, moved by m: |m|^2; features that never change add nothing. */
static void moved(void **state)
{
    enum { N = 5, COUNT = 100 };
    float *a = points(N, COUNT, 3, false), b[N * COUNT];
    (void)state;
    for (int i = 0; i < N * COUNT; i++) {
        a[i] = i % N == 2 ? 0 : a[i];
        b[i] = a[i] + (i % N == 1 ? 3 : 0);
    }
    assert_true(frechet_distance(N, COUNT, a, COUNT, a) < 1e-12);
    assert_true(fabs(frechet_distance(N, COUNT, a, COUNT, b) - 9) < 1e-5);
    memset(b, 0, sizeof b);
    assert_true(frechet_distance(N, COUNT, b, COUNT, b) == 0);
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvectors),
        cmocka_unit_test(known_eigenvalues),
        cmocka_unit_test(distances),
        cmocka_unit_test(moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
