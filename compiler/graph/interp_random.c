/* Random numbers as functions: Philox4x32-10 of a counter, the same words in
 * the interpreter, the runtime and generated code. The counter is {element /
 * 4, sample's place in the batch, path, step}; element e takes word e mod 4. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "interp.h"

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)c[0] * 0xD2511F53, b = (uint64_t)c[2] * 0xCD9E8D57;
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k0, (uint32_t)b,
                            (uint32_t)(a >> 32) ^ c[3] ^ k1, (uint32_t)a};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    memcpy(out, c, sizeof c);
}

static double uniform(uint32_t word)
{
    return (word >> 8) * 0x1p-24;
}

/* Box and Muller: words 0, 1 make elements 0, 1; words 2, 3 elements 2, 3. */
static double normal(const uint32_t word[4], int element)
{
    const uint32_t *pair = word + (element & 2);
    double radius = sqrt(-2 * log(uniform(pair[0]) + 0x1p-24));
    double angle = 2 * M_PI * uniform(pair[1]);
    return element & 1 ? radius * sin(angle) : radius * cos(angle);
}

static double draw(const Frame *f, RandomKind kind, uint32_t path, int64_t sample, int64_t e)
{
    const Random *r = &f->run->random;
    uint32_t key[2] = {r->seed[0], r->seed[1] ^ r->purpose * 0x9E3779B9};
    uint32_t counter[4] = {(uint32_t)(e >> 2), (uint32_t)sample, path, r->step}, word[4];
    philox(counter, key, word);
    switch (kind) {
    case RANDOM_UNIFORM: return uniform(word[e & 3]);
    case RANDOM_NORMAL: return rounded(f, normal(word, (int)(e & 3)));
    case RANDOM_BITS: return (int32_t)word[e & 3];
    }
    die("no random numbers of kind %d", (int)kind);
}

void interpret_random(Frame *f, const Node *n)
{
    int64_t size = shape_size(n->shape);
    for (int64_t s = 0; s < samples_of(f, n); s++)
        for (int64_t i = 0; i < size; i++)
            sample_of(f, n, s)[i] = draw(f, n->attr.random.kind, n->attr.random.path, s, i);
}

static double dot(const double *a, const double *b, int64_t n, int64_t stride)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i * stride] * b[i * stride];
    return sum;
}

/* Modified Gram-Schmidt on the columns of a tall matrix. The triangle it
 * leaves has a positive diagonal: that is the Q of the sign convention. */
static void orthonormalize(double *a, int64_t rows, int64_t columns)
{
    for (int64_t j = 0; j < columns; j++) {
        double length = sqrt(dot(a + j, a + j, rows, columns));
        for (int64_t i = 0; i < rows; i++)
            a[i * columns + j] /= length;
        for (int64_t k = j + 1; k < columns; k++) {
            double along = dot(a + j, a + k, rows, columns);
            for (int64_t i = 0; i < rows; i++)
                a[i * columns + k] -= along * a[i * columns + j];
        }
    }
}

/* As Keras': the shape as a matrix [all but the last axis, last axis]; a
 * normal matrix of max x min, element i * min + j, orthonormal columns;
 * transposed where there are fewer rows than columns. */
void interpret_orthogonal(Frame *f, const Node *n)
{
    int64_t columns = n->shape.dim[n->shape.rank - 1];
    int64_t rows = shape_size(n->shape) / columns;
    int64_t tall = rows > columns ? rows : columns, thin = rows + columns - tall;
    double *a = malloc((size_t)(tall * thin) * sizeof *a);
    if (!a)
        fail_file("out of memory for an orthogonal matrix");
    for (int64_t i = 0; i < tall * thin; i++)
        a[i] = draw(f, RANDOM_NORMAL, n->attr.random.path, 0, i);
    orthonormalize(a, tall, thin);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            f->value[n->id][i * columns + j] =
                rounded(f, rows < columns ? a[j * thin + i] : a[i * thin + j]);
    free(a);
}
