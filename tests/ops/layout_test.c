/* Layout, reductions, windows and rows: each against loops that say what it
 * means, with and without a batch; derivatives against differences. */
#include "graph/support.h"

enum { A = 3, B = 5, C = 2 };

static const int64_t batches[] = {1, 24};

/* Element i, j, k of sample s of an input [A, B, C]. */
static double at(const Bench *b, int input, int64_t s, int64_t i, int64_t j, int64_t k)
{
    return b->value[input][((s * A + i) * B + j) * C + k];
}

static void expect(Bench *b, Node *y, const double *want, const char *what)
{
    double *value = bench_value(b, y);
    for (int64_t i = 0; i < bench_count(b, y); i++)
        if (value[i] != want[i])
            fail_msg("%s: element %d is %g instead of %g", what, (int)i, value[i], want[i]);
    if (b->samples == 1)
        assert_true(derivatives_right(b, graph_op1(OP_tanh, y), b->n, what));
}

/* Calls test(b, samples) on an input [A, B, C] of each kind of batch. */
static void each_batch(void (*test)(Bench *, Node *))
{
    for (int i = 0; i < 3; i++) {
        Bench b = bench_new(batches[i % 2], (uint64_t)i);
        test(&b, bench_input(&b, T_F32, shape3(i < 2, A, B, C), -1, 1));
        graph_reset();
        arena_free();
    }
}

static int64_t samples_in(const Bench *b, const Node *x)
{
    return x->shape.batch ? b->samples : 1;
}

/* Runs the loop body with s, i, j, k over all of x; n counts. */
#define EACH(x)                                                                       \
    for (int64_t n = 0, s = 0, i = 0, j = 0, k = 0; n < samples_in(b, x) * A * B * C; \
         n++, k = n % C, j = n / C % B, i = n / (C * B) % A, s = n / (A * B * C))

static void transposed(Bench *b, Node *x)
{
    double *want = NEW_ARRAY(double, bench_count(b, x));
    EACH(x)
    want[((s * C + k) * A + i) * B + j] = at(b, 0, s, i, j, k);
    expect(b, graph_transpose(x, (int[]){2, 0, 1}), want, "transpose");
}

static void reversed(Bench *b, Node *x)
{
    double *want = NEW_ARRAY(double, bench_count(b, x));
    EACH(x)
    want[n] = at(b, 0, s, A - 1 - i, j, C - 1 - k);
    expect(b, graph_reverse(x, (bool[]){true, false, true}), want, "reverse");
}

static void reshaped(Bench *b, Node *x)
{
    expect(b, graph_reshape(x, shape2(x->shape.batch, B, A * C)), b->value[0], "reshape");
}

static void broadcasted(Bench *b, Node *x)
{
    Shape to = shape_of(true, 5, (int64_t[]){2, A, B, 3, C});
    Node *y = graph_broadcast(x, to, (int[]){-1, 0, 1, -1, 2});
    double *want = NEW_ARRAY(double, bench_count(b, y));
    for (int64_t i = 0; i < bench_count(b, y); i++) {
        int64_t s = x->shape.batch ? i / (6 * A * B * C) : 0, in = i % (3 * A * B * C);
        want[i] = at(b, 0, s, 0, in / (3 * C), in % C);
    }
    expect(b, y, want, "broadcast");
}

static void expanded_ones(Bench *b, Node *x)
{
    Node *row = bench_input(b, T_F32, shape2(false, 1, C), -1, 1);
    Node *y = graph_op2(OP_mul, x, graph_expand(row, x->shape));
    double *want = NEW_ARRAY(double, bench_count(b, y));
    EACH(x)
    want[n] = at(b, 0, s, i, j, k) * b->value[1][k];
    expect(b, y, want, "expand");
}

static void padded(Bench *b, Node *x)
{
    const int64_t low[] = {1, -1, 0}, high[] = {-1, 2, 1}, interior[] = {0, 1, 2};
    Node *value = bench_input(b, T_F32, (Shape){0}, 2, 3);
    Node *y = graph_pad(x, value, low, high, interior);
    assert_true(shape_equal(y->shape, shape3(x->shape.batch, A, 2 * B, 5)));
    double *want = NEW_ARRAY(double, bench_count(b, y));
    for (int64_t i = 0; i < bench_count(b, y); i++)
        want[i] = b->value[1][0];
    EACH(x)
    if (i + 1 < A && 2 * j - 1 >= 0)
        want[((s * A + i + 1) * 2 * B + 2 * j - 1) * 5 + 3 * k] = at(b, 0, s, i, j, k);
    expect(b, y, want, "pad");
}

static void sliced(Bench *b, Node *x)
{
    const int64_t start[] = {1, 0, 1}, limit[] = {3, 4, 2}, stride[] = {1, 3, 1};
    Node *y = graph_slice(x, start, limit, stride);
    double *want = NEW_ARRAY(double, bench_count(b, y));
    int64_t next = 0;
    EACH(x)
    if (i >= 1 && (j == 0 || j == 3) && k == 1)
        want[next++] = at(b, 0, s, i, j, k);
    assert_int_equal(next, bench_count(b, y));
    expect(b, y, want, "slice");
}

static void concatenated(Bench *b, Node *x)
{
    Node *other = bench_input(b, T_F32, shape3(x->shape.batch, A, 1, C), -1, 1);
    Node *y = graph_concatenate(3, (Node *[]){x, other, x}, 1);
    double *want = NEW_ARRAY(double, bench_count(b, y));
    EACH(x)
    {
        double *row = want + (s * A + i) * (2 * B + 1) * C;
        row[j * C + k] = row[(B + 1 + j) * C + k] = at(b, 0, s, i, j, k);
        row[B * C + k] = b->value[1][(s * A + i) * C + k];
    }
    expect(b, y, want, "concatenate");
}

static void summed(Bench *b, Node *x)
{
    bool axes[MAX_RANK + 1] = {true, false, true};
    Node *y = graph_reduce(OP_reduce_sum, x, axes);
    double *want = NEW_ARRAY(double, bench_count(b, y));
    EACH(x)
    want[s * B + j] += at(b, 0, s, i, j, k);
    expect(b, y, want, "reduce_sum");
    axes[MAX_RANK] = x->shape.batch;
    y = graph_reduce(OP_reduce_sum, x, axes);
    memset(want, 0, B * sizeof *want);
    EACH(x)
    want[j] += at(b, 0, s, i, j, k);
    expect(b, y, want, "reduce_sum of the batch");
}

static void largest(Bench *b, Node *x)
{
    bool axes[MAX_RANK + 1] = {false, true, false, [MAX_RANK] = x->shape.batch};
    Node *y = graph_reduce(OP_reduce_max, x, axes);
    double want[A * C];
    for (int i = 0; i < A * C; i++)
        want[i] = -INFINITY;
    EACH(x)
    want[i * C + k] = fmax(want[i * C + k], at(b, 0, s, i, j, k));
    expect(b, y, want, "reduce_max");
}

static void layout(void **state)
{
    (void)state;
    void (*const tests[])(Bench *, Node *) = {transposed,    reversed, reshaped, broadcasted,
                                              expanded_ones, padded,   sliced,   concatenated};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        each_batch(tests[i]);
}

static void reductions(void **state)
{
    (void)state;
    each_batch(summed);
    each_batch(largest);
}

/* ---- Windows --------------------------------------------------------------------- */

/* 2 x 3 windows, overlapping, padded; first maximum, padding never. */
static void pooled(Bench *b, Node *x)
{
    Window w = {{2, 3, 1}, {1, 2, 1}, {1, 1, 1}, {1, 1, 0}};
    Shape out = shape3(x->shape.batch, A, 3, C);
    Node *index = graph_window(OP_window_argmax, x, NULL, out, &w);
    Node *y = graph_window(OP_window_gather, x, index, out, &w);
    double *want = NEW_ARRAY(double, bench_count(b, y));
    for (int64_t i = 0; i < bench_count(b, y); i++)
        want[i] = -INFINITY;
    EACH(x)
    for (int64_t p = 0; p < A; p++)
        for (int64_t q = 0; q < 3; q++) {
            int64_t r = i - (p - 1), t = j - (2 * q - 1);
            double *to = &want[((s * A + p) * 3 + q) * C + k];
            if (r >= 0 && r < 2 && t >= 0 && t < 3)
                *to = fmax(*to, at(b, 0, s, i, j, k));
        }
    expect(b, y, want, "pooling");
    Node *back = graph_window(OP_window_scatter, y, index, x->shape, &w);
    assert_true(derivatives_right(b, graph_op1(OP_tanh, back), 1, "window_scatter"));
}

/* Relu's zeros tie: the first place in row-major order is chosen. */
static void ties(void **state)
{
    (void)state;
    Bench b = bench_new(1, 1);
    Node *x = bench_input(&b, T_F32, shape2(false, 4, 2), 0, 1);
    memcpy(b.value[0], (double[]){0, 0, 0, 0, 1, NAN, 3, NAN}, 8 * sizeof(double));
    Window w = {{2, 2}, {2, 2}, {1, 1}, {0, 0}};
    Shape out = shape2(false, 2, 1);
    Node *index = graph_window(OP_window_argmax, x, NULL, out, &w), *g;
    assert_memory_equal(bench_value(&b, index), ((double[]){0, 1}), 2 * sizeof(double));
    gradient(graph_window(OP_window_gather, x, index, out, &w), 1, &x, &g);
    assert_memory_equal(bench_value(&b, g), ((double[]){1, 0, 0, 0, 0, 1, 0, 0}),
                        8 * sizeof(double));
    graph_reset();
    arena_free();
}

static void windows(void **state)
{
    (void)state;
    each_batch(pooled);
}

/* ---- Rows ------------------------------------------------------------------------- */

static void gathered(Bench *b, Node *x)
{
    Node *index = bench_input(b, T_I32, shape1(true, 4), -2, 5); /* some outside */
    Node *y = graph_gather_rows(x, index);
    double *want = NEW_ARRAY(double, bench_count(b, y));
    for (int64_t i = 0; i < bench_count(b, y); i++) {
        int64_t s = i / (4 * B * C), r = (int64_t)b->value[1][i / (B * C)];
        r = r < 0 ? 0 : r >= A ? A - 1 : r;
        want[i] = at(b, 0, x->shape.batch ? s : 0, r, i / C % B, i % C);
    }
    expect(b, y, want, "gather_rows");
}

/* Repeated rows add; without a batch in x, those of all samples. */
static void scattered(Bench *b, Node *x)
{
    Node *index = bench_input(b, T_I32, shape1(true, 4), 0, A);
    Node *rows = bench_input(b, T_F32, shape_of(true, 3, (int64_t[]){4, B, C}), -1, 1);
    Node *y = graph_scatter_add_rows(x, index, rows);
    double *want = NEW_ARRAY(double, bench_count(b, y));
    memcpy(want, b->value[0], (size_t)bench_count(b, y) * sizeof *want);
    for (int64_t i = 0; i < bench_count(b, rows); i++) {
        int64_t s = x->shape.batch ? i / (4 * B * C) : 0;
        int64_t r = (int64_t)b->value[1][i / (B * C)];
        want[(s * A + r) * B * C + i % (B * C)] += b->value[2][i];
    }
    expect(b, y, want, "scatter_add_rows");
}

static void rows(void **state)
{
    (void)state;
    each_batch(gathered);
    each_batch(scattered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout), cmocka_unit_test(reductions), cmocka_unit_test(windows),
        cmocka_unit_test(ties),   cmocka_unit_test(rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
