/* Products of a leaf in another order: all there, each sum in its own order,
 * fewer values alive. */
#include "loop/leaf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PIXELS = 5, TAPS = 3 };

/* A row of pixels under taps, tap by tap; `step` is 1 or -1: the way a tap
 * moves along the row. */
static Leaf row(int step)
{
    Leaf leaf = {.noutputs = PIXELS, .registers = {2, 1}, .room = 32};
    for (int tap = 0; tap < TAPS; tap++)
        for (int i = 0; i < PIXELS; i++) {
            Product p = {.output = i, .step = tap, .address = {16 * (i + step * tap), tap}};
            PUSH(leaf.at, leaf.n, leaf.cap, p);
        }
    number_values(&leaf);
    return leaf;
}

static int most_alive(const Leaf *leaf, int which)
{
    int most = 0;
    for (int i = 0; i < leaf->n; i++) {
        int alive = 0;
        for (int v = 0; v < leaf->nvalues[which]; v++) {
            bool before = false, after = false;
            for (int j = 0; j < leaf->n; j++)
                if (leaf->at[j].value[which] == v) {
                    before |= j <= i;
                    after |= j >= i;
                }
            alive += before && after;
        }
        most = alive > most ? alive : most;
    }
    return most;
}

static void test_sweep(void **state)
{
    (void)state;
    for (int step = -1; step <= 1; step += 2) {
        Leaf leaf = row(step);
        int next[PIXELS] = {0};
        assert_int_equal(leaf.nvalues[0], PIXELS + TAPS - 1);
        assert_int_equal(leaf.nvalues[1], TAPS);
        assert_true(most_alive(&leaf, 0) > 2);
        order_products(&leaf);
        assert_int_equal(leaf.n, PIXELS * TAPS);
        for (int i = 0; i < leaf.n; i++) {
            const Product *p = &leaf.at[i];
            assert_int_equal(p->address[1], next[p->output]++);
            assert_int_equal(p->address[0], 16 * (p->output + step * p->address[1]));
        }
        assert_int_equal(most_alive(&leaf, 0), 1);
        assert_int_equal(most_alive(&leaf, 1), TAPS);
    }
}

/* Without room for a sweep each step loads its own operands again. */
static void test_no_room(void **state)
{
    (void)state;
    Leaf leaf = row(1);
    int next[PIXELS] = {0}, fresh = 0;
    leaf.room = 3;
    order_products(&leaf);
    assert_int_equal(leaf.n, PIXELS * TAPS);
    for (int i = 0; i < leaf.n; i++) {
        const Product *p = &leaf.at[i];
        assert_int_equal(p->address[1], next[p->output]++);
        assert_int_equal(p->step, i / PIXELS);
        assert_int_equal(p->fresh, i > 0 && i % PIXELS == 0);
        fresh += p->fresh;
    }
    assert_int_equal(fresh, TAPS - 1);
}

/* Outer products have nothing to gain: as they were. */
static void test_outer_product(void **state)
{
    (void)state;
    Leaf leaf = {.noutputs = 6, .registers = {1, 1}, .room = 32};
    for (int step = 0; step < 4; step++)
        for (int i = 0; i < 6; i++) {
            Product p = {
                .output = i, .step = step, .address = {100 * step + i / 2, 100 * step + i % 2}};
            PUSH(leaf.at, leaf.n, leaf.cap, p);
        }
    number_values(&leaf);
    const Product *before = leaf.at;
    order_products(&leaf);
    assert_ptr_equal(leaf.at, before);
}

static void test_empty(void **state)
{
    (void)state;
    Leaf leaf = {.noutputs = 3};
    number_values(&leaf);
    order_products(&leaf);
    assert_int_equal(leaf.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_outer_product),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests_name("leaf", tests, NULL, NULL);
}
