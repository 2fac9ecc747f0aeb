/* Scans: values against a loop written out, and derivatives of first and
 * second order against differences: random bodies, several sequences and carried
 * values, both directions, lengths 1, 2, 7, 28, scans in scans. */
#include "graph/random_graph.h"
#include "graph/scan.h"

/* ---- Bodies ------------------------------------------------------------------- */

/* f(all of the operands), of one shape, by random operations. */
static Node *random_value(Bench *b, int n, Node **operand, Shape shape)
{
    Pool p = {.b = b, .odd = {1, 2, 3, 5}};
    for (int i = 0; i < n; i++)
        pool_add(&p, operand[i]);
    for (int i = 0; i < 6; i++)
        pool_add(&p, below(b, 2) ? random_unary(&p) : random_binary(&p));
    Node *sum = graph_const(shape, 0.1);
    for (int i = p.n - 1; i >= 0 && i >= p.n - 4; i--)
        sum = graph_op2(OP_add, sum, fitted(p.at[i], shape));
    for (int i = 0; i < n; i++)
        sum = graph_op2(OP_add, sum, fitted(operand[i], shape));
    return graph_op1(OP_tanh, sum);
}

enum { OUTSIDE = 5 };

typedef struct Recurrence {
    Node *w, *x, *h, *c, *z;   /* from outside: OUTSIDE nodes              */
    int64_t steps;
    bool reverse;
} Recurrence;

static Recurrence inputs(Bench *b, int64_t steps, bool reverse)
{
    Recurrence r = {.steps = steps, .reverse = reverse};
    r.w = bench_input(b, T_F32, shape2(false, 3, 2), -1, 1);
    r.x = bench_input(b, T_F32, shape2(true, steps, 3), -1, 1);
    r.h = bench_input(b, T_F32, shape1(true, 2), -1, 1);
    r.c = bench_input(b, T_F32, shape1(false, 3), -1, 1);
    r.z = bench_input(b, T_F32, shape2(false, steps, 2), -1, 1);
    return r;
}

/* In stretches of up to `every` steps; 0: as it is. */
static void results_of(Node *scan, int64_t every, Node **results)
{
    for (int i = 0; i < scan->nin - scan->attr.scan.carried && !every; i++)
        results[i] = graph_result(scan, i);
    if (every)
        assert_true(scan_in_stretches(scan, every, results));
}

/* Two sequences, two carried values, emits, and a sum of all that comes out. */
static Node *scan_and_sum(Bench *b, const Recurrence *r, int64_t every)
{
    int id = graph_scan_id();
    Node *h = graph_carried(id, 0, T_F32, r->h->shape);
    Node *c = graph_carried(id, 1, T_F32, r->c->shape);
    Node *x = graph_element(r->x, graph_time(id));
    Node *z = graph_element(r->z, graph_time(id));
    Node *all[] = {h, c, x, r->w, z};
    Node *narrow[] = {c, r->w, z};
    Node *init[] = {r->h, r->c};
    Node *next[] = {random_value(b, 5, all, r->h->shape), random_value(b, 3, narrow, r->c->shape)};
    Node *emit[] = {random_value(b, 5, all, shape1(true, 2)), next[0], h};
    Node *result[5];
    results_of(graph_scan(id, r->steps, r->reverse, 2, init, next, 3, emit), every, result);
    Node *sum = graph_const((Shape){.batch = true}, 0);
    for (int i = 0; i < 5; i++)
        if (i != 1)
            sum = graph_op2(OP_add, sum, fitted(result[i], sum->shape));
    return graph_op2(OP_add, sum, fitted(result[1], sum->shape));
}

static Node *random_scan(Bench *b, const Recurrence *r)
{
    return scan_and_sum(b, r, 0);
}

static void random_bodies(void **state)
{
    static const int64_t lengths[] = {1, 2, 7, 28};
    (void)state;
    for (int seed = 1; seed <= 40; seed++) {
        Bench b = bench_new(1 + seed % 3, (uint64_t)seed * 7001);
        Recurrence r = inputs(&b, lengths[seed % 4], seed / 4 % 2);
        Node *y = random_scan(&b, &r);
        assert_true(derivatives_right(&b, y, OUTSIDE, format("scan %d", seed)));
        graph_reset();
        arena_free();
    }
}

/* Of one step, of all and of more than all, and what does not divide them. */
static void in_stretches(void **state)
{
    static const int64_t lengths[] = {1, 2, 7, 28}, every[] = {1, 2, 3, 5, 28, 40};
    (void)state;
    for (int seed = 1; seed <= 48; seed++) {
        Bench b = bench_new(1 + seed % 3, (uint64_t)seed * 5003);
        Recurrence r = inputs(&b, lengths[seed % 4], seed / 4 % 2);
        Node *y = scan_and_sum(&b, &r, every[seed % 6]);
        assert_true(derivatives_right(&b, y, OUTSIDE, format("stretches %d", seed)));
        graph_reset();
        arena_free();
    }
}

/* The same values; the same derivatives of what goes along the steps; other
 * orders of sums over them. */
static void stretches_change_nothing(void **state)
{
    (void)state;
    for (int every = 1; every <= 8; every++) {
        Bench b = bench_new(2, 77);
        Recurrence r = inputs(&b, 7, every % 2);
        Bench again = b;
        Node *y[2] = {scan_and_sum(&b, &r, 0), scan_and_sum(&again, &r, every)}, *g[2 * OUTSIDE];
        b = again;
        for (int k = 0; k < 2; k++) {
            bool axes[MAX_RANK + 1] = {[MAX_RANK] = true};
            gradient(graph_reduce(OP_reduce_sum, y[k], axes), OUTSIDE, b.in, g + k * OUTSIDE);
        }
        double **value = bench_run(&b, 2, y, true), **of = bench_run(&b, 2 * OUTSIDE, g, false);
        assert_memory_equal(value[0], value[1], 2 * sizeof(double));
        for (int i = 0; i < OUTSIDE; i++)
            for (int64_t j = 0; j < bench_count(&b, b.in[i]); j++)
                assert_true(fabs(of[i][j] - of[i + OUTSIDE][j]) <= 1e-13 * (1 + fabs(of[i][j])));
        graph_reset();
        arena_free();
    }
}

/* ---- Values --------------------------------------------------------------------- */

static Node *cell(Node *h, Node *x, Node *w)
{
    Contraction c = {.nvars = 2, .extent = {3, 2}};
    Affine i = {0, 1, {0}, {1}}, j = {0, 1, {1}, {1}};
    c.map[0][0] = j;
    c.map[1][0] = i;
    c.map[2][0] = i;
    c.map[2][1] = j;
    return graph_op1(OP_tanh, graph_op2(OP_add, h, graph_contract(h->shape, x, w, &c)));
}

static Node *step_of(Node *x, int64_t t)
{
    int64_t start[] = {t, 0}, limit[] = {t + 1, x->shape.dim[1]}, stride[] = {1, 1};
    return graph_reshape(graph_slice(x, start, limit, stride), shape1(true, x->shape.dim[1]));
}

/* Emits the carried value after each step, or -- what no derivative reads --
 * its negative. */
static Node *scanned(const Recurrence *r, bool negative)
{
    int id = graph_scan_id();
    Node *h = graph_carried(id, 0, T_F32, r->h->shape), *init = r->h;
    Node *next = cell(h, graph_element(r->x, graph_time(id)), r->w);
    Node *emit = negative ? graph_op1(OP_neg, next) : next;
    return graph_scan(id, r->steps, r->reverse, 1, &init, &next, 1, &emit);
}

static void like_a_loop(void **state)
{
    (void)state;
    for (int reverse = 0; reverse < 2; reverse++) {
        Bench b = bench_new(3, 5);
        Recurrence r = inputs(&b, 7, reverse);
        Node *h = r.h, *scan = scanned(&r, false), *roots[16] = {graph_result(scan, 0)};
        Node *stack = graph_result(scan, 1);
        for (int k = 0; k < 7; k++) {
            int64_t t = reverse ? 6 - k : k;
            h = cell(h, step_of(r.x, t), r.w);
            roots[2 + 2 * k] = h;
            roots[1 + 2 * k] = step_of(stack, t);
        }
        double **value = bench_run(&b, 15, roots, true);
        for (int k = 0; k < 7; k++)
            assert_memory_equal(value[1 + 2 * k], value[2 + 2 * k], 6 * sizeof(double));
        assert_memory_equal(value[0], value[14], 6 * sizeof(double));
        graph_reset();
        arena_free();
    }
}

/* ---- Scans in scans --------------------------------------------------------------- */

static Node *nested(Bench *b, const Recurrence *r, int64_t every, int64_t within)
{
    int outer = graph_scan_id();
    Node *h = graph_carried(outer, 0, T_F32, r->h->shape);
    Node *row = graph_element(r->x, graph_time(outer));
    int inner = graph_scan_id();
    Node *c = graph_carried(inner, 0, T_F32, r->h->shape);
    Node *element = graph_element(row, graph_time(inner));
    Node *mixed = graph_op2(OP_mul, graph_expand(element, c->shape), h);
    Node *own = fitted(graph_op1(OP_tanh, graph_op2(OP_mul, c, c)), c->shape);
    Node *weight = graph_expand(fitted(r->w, (Shape){0}), c->shape);
    Node *next = graph_op1(
        OP_tanh, graph_op2(OP_add, graph_op2(OP_mul, weight, own), graph_op2(OP_add, c, mixed)));
    Node *result[2];
    results_of(graph_scan(inner, 3, r->reverse, 1, &h, &next, 1, &own), within, result);
    Node *emitted = fitted(result[1], h->shape);
    Node *after = graph_op1(OP_tanh, graph_op2(OP_add, result[0], emitted));
    Node *init = r->h;
    results_of(graph_scan(outer, r->steps, !r->reverse, 1, &init, &after, 1, &emitted), every,
               result);
    (void)b;
    return graph_op2(OP_add, fitted(result[1], r->h->shape), result[0]);
}

static void scans_in_scans(void **state)
{
    (void)state;
    for (int k = 0; k < 8; k++) {
        Bench b = bench_new(2, 11);
        Recurrence r = inputs(&b, 4, k % 2);
        Node *y = nested(&b, &r, k / 2 % 2 ? 3 : 0, k / 4 ? 2 : 0);
        assert_true(derivatives_right(&b, y, 3, "a scan in a scan"));
        graph_reset();
        arena_free();
    }
}

/* ---- One scan ------------------------------------------------------------------------ */

static int count_scans(Node *root)
{
    NodeList list = graph_reach(1, &root);
    int n = 0;
    for (int i = 0; i < list.n; i++)
        n += list.at[i]->op == OP_scan;
    return n;
}

static void versions_become_one(void **state)
{
    (void)state;
    Bench b = bench_new(2, 3);
    Recurrence r = inputs(&b, 5, false);
    Node *f = weighted_sum(&b, graph_result(scanned(&r, true), 1)), *g;
    gradient(f, 1, b.in, &g);
    Node *root = graph_op2(OP_add, fitted(g, (Shape){0}), f);
    double before = bench_value(&b, root)[0];
    assert_int_equal(count_scans(root), 3); /* two versions, and the reverse */
    unite_scans(1, &root);
    assert_int_equal(count_scans(root), 2);
    assert_true(bench_value(&b, root)[0] == before);
    graph_reset();
    arena_free();
}

/* ---- What leaves a scan ----------------------------------------------------------------- */

static int count_in_bodies(int n, Node **roots, Op op)
{
    NodeList list = graph_reach(n, roots);
    Scans scans = find_scans(list);
    int count = 0;
    for (int i = 0; i < list.n; i++)
        count += list.at[i]->op == op && inside_any(&scans, list.at[i]);
    return count;
}

static void hoisted_is_equal(void **state)
{
    static const int64_t lengths[] = {1, 2, 7, 28};
    (void)state;
    for (int seed = 1; seed <= 40; seed++) {
        Bench b = bench_new(1 + seed % 3, (uint64_t)seed * 7001);
        Recurrence r = inputs(&b, lengths[seed % 4], seed / 4 % 2);
        Node *roots[1 + OUTSIDE] = {weighted_sum(&b, random_scan(&b, &r))};
        gradient(roots[0], OUTSIDE, b.in, roots + 1);
        double **before = bench_run(&b, 1 + OUTSIDE, roots, false);
        unite_scans(1 + OUTSIDE, roots);
        hoist_roots(1 + OUTSIDE, roots);
        double **after = bench_run(&b, 1 + OUTSIDE, roots, false);
        for (int i = 0; i < 1 + OUTSIDE; i++)
            for (int64_t j = 0; j < bench_count(&b, roots[i]); j++)
                assert_true(fabs(before[i][j] - after[i][j]) <= 1e-12 * (1 + fabs(before[i][j])));
        graph_reset();
        arena_free();
    }
}

/* x w leaves forward, its gradients backward: h' = tanh(h + x[t] w). */
static void products_leave(void **state)
{
    (void)state;
    Bench b = bench_new(2, 3);
    Recurrence r = inputs(&b, 5, false);
    Node *roots[4] = {weighted_sum(&b, graph_result(scanned(&r, true), 1))};
    gradient(roots[0], 3, b.in, roots + 1);
    unite_scans(4, roots);
    assert_int_equal(count_in_bodies(4, roots, OP_contract), 3);
    hoist_roots(4, roots);
    assert_int_equal(count_in_bodies(4, roots, OP_contract), 0);
    graph_reset();
    arena_free();
}

static void unread_values_go(void **state)
{
    (void)state;
    Bench b = bench_new(2, 3);
    Recurrence r = inputs(&b, 5, false);
    int id = graph_scan_id();
    Node *h = graph_carried(id, 0, T_F32, r.h->shape), *c = graph_carried(id, 1, T_F32, r.c->shape);
    Node *init[] = {r.h, r.c}, *emit[] = {h, c};
    Node *next[] = {graph_op1(OP_tanh, h), graph_op2(OP_add, c, c)};
    Node *root = graph_result(graph_scan(id, 5, false, 2, init, next, 2, emit), 2);
    double *before = bench_value(&b, root);
    hoist_roots(1, &root);
    assert_int_equal(root->in[0]->nin, 3); /* init, next, emit */
    assert_memory_equal(before, bench_value(&b, root), 20 * sizeof(double));
    graph_reset();
    arena_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_a_loop),
        cmocka_unit_test(random_bodies),
        cmocka_unit_test(in_stretches),
        cmocka_unit_test(stretches_change_nothing),
        cmocka_unit_test(scans_in_scans),
        cmocka_unit_test(versions_become_one),
        cmocka_unit_test(hoisted_is_equal),
        cmocka_unit_test(products_leave),
        cmocka_unit_test(unread_values_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
