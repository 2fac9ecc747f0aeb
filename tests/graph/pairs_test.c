/* Products that add up: which become one, in which order, and that they are the
 * same numbers. */
#include "graph/scan.h"
#include "support.h"

static Affine index_of(int var)
{
    return (Affine){0, 1, {var}, {1}};
}

/* A gradient of a matrix [rows, columns]: x along its rows, g along its columns; with
 * `turned` the operands the other way round, and the variables numbered so. */
static Node *outer(Node *x, Node *g, bool turned)
{
    Shape s = {.rank = 2, .dim = {x->shape.dim[0], g->shape.dim[0]}};
    int row = turned ? 1 : 0, column = 1 - row;
    Contraction c = {.nvars = 2};
    c.extent[row] = s.dim[0];
    c.extent[column] = s.dim[1];
    c.map[0][0] = c.map[1 + turned][0] = index_of(row);
    c.map[0][1] = c.map[2 - turned][0] = index_of(column);
    return turned ? graph_contract(s, g, x, &c) : graph_contract(s, x, g, &c);
}

static Node *after_pairs(FnKind kind, Node *n)
{
    Fn fn = {.kind = kind, .name = "test", .noutputs = 1, .outputs = &n};
    Model model = {.nfns = 1, .fns = (Fn *[]){&fn}};
    pairs(&model);
    return n;
}

static Node *plus(Node *a, Node *b)
{
    return graph_op2(OP_add, a, b);
}

static Node *vector(Bench *b, int64_t n)
{
    return bench_input(b, T_F32, shape_of(true, 1, &n), -1, 1);
}

enum { ROWS = 7, COLUMNS = 20 };

/* Two uses, three, and one with its operands exchanged are one product; its pairs
 * stand in the order of the sum. */
static void joined(void **state)
{
    (void)state;
    for (int turned = 0; turned < 8; turned++) {
        Bench b = bench_new(37, 1);
        Node *x[3], *g[3], *term[3];
        for (int i = 0; i < 3; i++) {
            x[i] = vector(&b, ROWS);
            g[i] = vector(&b, COLUMNS);
            term[i] = outer(x[i], g[i], turned >> i & 1);
        }
        Node *sum = plus(plus(term[0], term[1]), term[2]);
        assert_ptr_equal(after_pairs(FN_OBJECTIVE, sum), sum);
        Node *one = after_pairs(FN_STEP, sum);
        assert_int_equal(one->op, OP_contract);
        assert_int_equal(contraction_pairs(one), 3);
        assert_null(node_error(one));
        assert_true(contraction_flops(one) == 3 * 2 * ROWS * COLUMNS);
        for (int i = 0; i < 3; i++) {
            int exchanged = turned & 1; /* the first says which way round */
            assert_ptr_equal(one->in[2 * i + exchanged], x[i]);
            assert_ptr_equal(one->in[2 * i + 1 - exchanged], g[i]);
        }
        double **value = bench_run(&b, 2, (Node *[]){sum, one}, false);
        for (int i = 0; i < ROWS * COLUMNS; i++)
            assert_true(fabs(value[0][i] - value[1][i]) < 1e-12);
        graph_reset();
        arena_free();
    }
}

/* What somebody else reads, what has another shape, what is no sum over the batch. */
static void left_alone(void **state)
{
    (void)state;
    Bench b = bench_new(5, 1);
    Node *x = vector(&b, ROWS), *g = vector(&b, COLUMNS), *y = vector(&b, ROWS);
    Node *first = outer(x, g, false), *second = outer(y, g, false);
    Node *read = plus(plus(first, second), first);
    assert_ptr_equal(after_pairs(FN_STEP, read), read);
    Node *square = outer(vector(&b, 20), vector(&b, 20), false);
    Node *other = graph_reshape(outer(vector(&b, 10), vector(&b, 40), false), square->shape);
    assert_ptr_equal(after_pairs(FN_STEP, plus(square, other)), plus(square, other));
    Contraction c = {.nvars = 1, .extent = {COLUMNS}};
    c.map[0][0] = c.map[1][0] = c.map[2][0] = index_of(0);
    Node *each = plus(graph_contract(g->shape, g, g, &c),
                      graph_contract(g->shape, g, vector(&b, COLUMNS), &c));
    assert_ptr_equal(after_pairs(FN_STEP, each), each);
    graph_reset();
    arena_free();
}

/* Sums over samples: one of the sums of each sample. */
static void sums(void **state)
{
    (void)state;
    Bench b = bench_new(21, 1);
    bool axes[MAX_RANK + 1] = {[MAX_RANK] = true};
    Node *x = vector(&b, COLUMNS), *y = vector(&b, COLUMNS);
    Node *sum = plus(graph_reduce(OP_reduce_sum, x, axes), graph_reduce(OP_reduce_sum, y, axes));
    Node *one = after_pairs(FN_STEP, sum);
    assert_int_equal(one->op, OP_reduce_sum);
    assert_int_equal(one->in[0]->op, OP_add);
    double **value = bench_run(&b, 2, (Node *[]){sum, one}, false);
    for (int i = 0; i < COLUMNS; i++)
        assert_true(fabs(value[0][i] - value[1][i]) < 1e-12);
    graph_reset();
    arena_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined),
        cmocka_unit_test(left_alone),
        cmocka_unit_test(sums),
    };
    return cmocka_run_group_tests_name("pairs", tests, NULL, NULL);
}
