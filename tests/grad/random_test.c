/* Gradients of random graphs, first and second order, against differences. */
#include "graph/random_graph.h"

/* At a kink a difference means nothing: other values are tried. */
static bool right_somewhere(uint64_t seed, bool kinks, int64_t samples)
{
    for (int draw = 0; draw < 4; draw++) {
        Bench b = bench_new(samples, seed);
        Pool p = random_graph(&b, 12, kinks);
        Node *y = p.at[p.n - 1];
        b.seed += (uint64_t)draw * 77777;
        for (int i = 0; i < b.n; i++)
            for (int64_t j = 0; draw && j < bench_count(&b, b.in[i]); j++)
                b.value[i][j] = between(&b, -1, 1);
        if (derivatives_right(&b, y, 3, format("graph %d", (int)seed)))
            return true;
        if (!kinks)
            return false;
    }
    return false;
}

static void random_graphs(bool kinks, int64_t samples, int count)
{
    for (int seed = 1; seed <= count; seed++) {
        assert_true(right_somewhere((uint64_t)(seed * 1000 + samples), kinks, samples));
        graph_reset();
        arena_free();
    }
}

static void smooth_one_sample(void **state)
{
    (void)state;
    random_graphs(false, 1, 150);
}

static void smooth_batch(void **state)
{
    (void)state;
    random_graphs(false, 3, 150);
}

static void with_kinks(void **state)
{
    (void)state;
    random_graphs(true, 2, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth_one_sample),
        cmocka_unit_test(smooth_batch),
        cmocka_unit_test(with_kinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
