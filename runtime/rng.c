/* Random numbers as pure functions of key and counter: Philox4x32-10, after
 * Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3". */
#include "rt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void philox_round(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    uint64_t p0 = (uint64_t)0xD2511F53 * c[0], p1 = (uint64_t)0xCD9E8D57 * c[2];
    uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                        (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
    memcpy(c, next, sizeof next);
}

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    memcpy(out, counter, 4 * sizeof *out);
    for (int i = 0; i < 10; i++) {
        philox_round(out, k0, k1);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
}

void random_key(uint64_t seed, uint32_t purpose, uint32_t key[2])
{
    key[0] = (uint32_t)seed;
    key[1] = (uint32_t)(seed >> 32) ^ purpose * 0x9E3779B9u;
}

/* Box and Muller, two numbers from two words. */
static void normal2(uint32_t a, uint32_t b, double out[2])
{
    double u = ((double)(a >> 8) + 1) * 0x1p-24;
    double r = sqrt(-2 * log(u)), angle = 2 * M_PI * ((double)(b >> 8) * 0x1p-24);
    out[0] = r * cos(angle);
    out[1] = r * sin(angle);
}

void random_normal4(const uint32_t counter[4], const uint32_t key[2], double out[4])
{
    uint32_t w[4];
    philox(counter, key, w);
    normal2(w[0], w[1], out);
    normal2(w[2], w[3], out + 2);
}

/* Fisher-Yates; a draw below n is the high half of a 64-bit word times n, off
 * uniform by less than n / 2^64. */
void shuffle(int64_t *order, int64_t n, uint64_t seed, uint32_t block, uint32_t epoch)
{
    uint32_t key[2], w[4];
    random_key(seed, AECC_RANDOM_SHUFFLE, key);
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    for (int64_t i = n - 1, draw = 0; i > 0; i--, draw++) {
        if (!(draw & 1)) {
            const uint32_t counter[4] = {(uint32_t)(draw >> 1), (uint32_t)(draw >> 33), block,
                                         epoch};
            philox(counter, key, w);
        }
        uint64_t bits = (uint64_t)w[2 * (draw & 1)] << 32 | w[2 * (draw & 1) + 1];
        int64_t j = (int64_t)(((unsigned __int128)bits * (uint64_t)(i + 1)) >> 64);
        int64_t t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

/* ---- Orthogonal matrices -------------------------------------------------- */

/* Vector `which` of a set: `n` numbers, `step` apart. */
typedef struct vectors {
    double *at;
    int64_t count, n, apart, step;
} vectors;

static double dot(const vectors *v, int64_t a, int64_t b)
{
    double sum = 0;
    for (int64_t i = 0; i < v->n; i++)
        sum += v->at[a * v->apart + i * v->step] * v->at[b * v->apart + i * v->step];
    return sum;
}

/* Modified Gram-Schmidt, in place. */
static void orthonormalize(const vectors *v)
{
    for (int64_t a = 0; a < v->count; a++) {
        double norm = sqrt(dot(v, a, a));
        for (int64_t i = 0; i < v->n; i++)
            v->at[a * v->apart + i * v->step] /= norm;
        for (int64_t b = a + 1; b < v->count; b++) {
            double along = dot(v, a, b);
            for (int64_t i = 0; i < v->n; i++)
                v->at[b * v->apart + i * v->step] -= along * v->at[a * v->apart + i * v->step];
        }
    }
}

void aecc_orthogonal(aecc_call *call, float *at, int64_t rows, int64_t columns, int64_t stride,
                     uint32_t path)
{
    int64_t n = rows * columns;
    double *matrix = rt_alloc((size_t)(n + 3), sizeof *matrix);
    for (int64_t i = 0; i < n; i += 4) {
        const uint32_t counter[4] = {(uint32_t)(i >> 2), 0, path, call->step};
        random_normal4(counter, call->key, matrix + i);
    }
    vectors tall = {matrix, columns, rows, 1, columns};
    vectors wide = {matrix, rows, columns, columns, 1};
    orthonormalize(rows >= columns ? &tall : &wide);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            at[r * stride + c] = (float)matrix[r * columns + c];
    free(matrix);
}
