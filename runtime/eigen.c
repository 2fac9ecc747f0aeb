/* eigen.h: cyclic Jacobi rotations. A few dozen features take ten sweeps. */
#include "eigen.h"

#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SWEEPS = 60 };

/* Columns p and q of m, of `rows` rows: (p, q) becomes (c p - s q, s p + c q). */
static void rotate_columns(int n, double *m, int p, int q, double c, double s)
{
    for (int i = 0; i < n; i++) {
        double x = m[i * n + p], y = m[i * n + q];
        m[i * n + p] = c * x - s * y;
        m[i * n + q] = s * x + c * y;
    }
}

static void rotate_rows(int n, double *m, int p, int q, double c, double s)
{
    for (int i = 0; i < n; i++) {
        double x = m[p * n + i], y = m[q * n + i];
        m[p * n + i] = c * x - s * y;
        m[q * n + i] = s * x + c * y;
    }
}

/* The rotation that makes m[p][q] zero. */
static void rotate(int n, double *m, double *vectors, int p, int q)
{
    double theta = (m[q * n + q] - m[p * n + p]) / (2 * m[p * n + q]);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    rotate_columns(n, m, p, q, c, s);
    rotate_rows(n, m, p, q, c, s);
    if (vectors)
        rotate_columns(n, vectors, p, q, c, s);
}

/* Is the element nothing beside those of the diagonal? */
static int negligible(int n, const double *m, int p, int q)
{
    double scale = sqrt(fabs(m[p * n + p])) * sqrt(fabs(m[q * n + q]));
    return fabs(m[p * n + q]) <= 1e-16 * scale || fabs(m[p * n + q]) < 1e-300;
}

void symmetric_eigen(int n, double *m, double *values, double *vectors)
{
    for (int i = 0; vectors && i < n * n; i++)
        vectors[i] = i % (n + 1) == 0;
    for (int sweep = 0, moved = 1; moved && sweep < MOST_SWEEPS; sweep++) {
        moved = 0;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++)
                if (!negligible(n, m, p, q)) {
                    rotate(n, m, vectors, p, q);
                    moved = 1;
                }
    }
    for (int i = 0; i < n; i++)
        values[i] = m[i * n + i];
}

/* ---- The distance ----------------------------------------------------------- */

typedef struct normal {
    double *mean, *covariance;
} normal;

static normal fit(int n, int64_t count, const float *x)
{
    normal f = {rt_alloc((size_t)n, sizeof(double)),
                rt_alloc((size_t)n * (size_t)n, sizeof(double))};
    double *d = rt_alloc((size_t)n, sizeof *d);
    for (int64_t k = 0; k < count; k++)
        for (int i = 0; i < n; i++)
            f.mean[i] += (double)x[k * n + i];
    for (int i = 0; i < n; i++)
        f.mean[i] /= (double)count;
    for (int64_t k = 0; k < count; k++) {
        for (int i = 0; i < n; i++)
            d[i] = (double)x[k * n + i] - f.mean[i];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                f.covariance[i * n + j] += d[i] * d[j];
    }
    for (int i = 0; i < n * n; i++)
        f.covariance[i] /= (double)(count - 1);
    free(d);
    return f;
}

static double root(double x)
{
    return x > 0 ? sqrt(x) : 0;
}

/* a = q L q' for the eigenvectors q: L^(1/2) q' b q L^(1/2), which has the
 * eigenvalues of a b. */
static void between(int n, const double *q, const double *values, const double *b, double *out)
{
    double *bq = rt_alloc((size_t)n * (size_t)n, sizeof *bq);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++)
                bq[i * n + j] += b[i * n + k] * q[k * n + j];
    memset(out, 0, (size_t)n * (size_t)n * sizeof *out);
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                out[i * n + j] += q[k * n + i] * bq[k * n + j];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            out[i * n + j] *= root(values[i]) * root(values[j]);
    free(bq);
}

static double trace(int n, const double *m)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += m[i * n + i];
    return sum;
}

/* trace((a b)^(1/2)); a is overwritten. */
static double trace_of_root(int n, double *a, const double *b)
{
    size_t size = (size_t)n * (size_t)n;
    double *values = rt_alloc((size_t)n, sizeof *values), sum = 0;
    double *q = rt_alloc(size, sizeof *q), *m = rt_alloc(size, sizeof *m);
    symmetric_eigen(n, a, values, q);
    between(n, q, values, b, m);
    symmetric_eigen(n, m, values, NULL);
    for (int i = 0; i < n; i++)
        sum += root(values[i]);
    free(values);
    free(q);
    free(m);
    return sum;
}

double frechet_distance(int n, int64_t count_a, const float *a, int64_t count_b, const float *b)
{
    normal x = fit(n, count_a, a), y = fit(n, count_b, b);
    double distance = trace(n, x.covariance) + trace(n, y.covariance);
    for (int i = 0; i < n; i++)
        distance += (x.mean[i] - y.mean[i]) * (x.mean[i] - y.mean[i]);
    distance -= 2 * trace_of_root(n, x.covariance, y.covariance);
    free(x.mean);
    free(x.covariance);
    free(y.mean);
    free(y.covariance);
    return distance < 0 ? 0 : distance; /* not a number where a feature is none */
}
