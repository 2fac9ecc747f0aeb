/* The choice of a schedule: what pricing shares between schedules, and those
 * it leaves out, change no price and no choice. */
#include "loop/model.h"

#include "loop/tile.h"

static const char conv[] = "network net(x: [17, 17, 3]) {\n"
                           "    conv2d(5, 3, activation: relu, strides: 2)\n"
                           "    conv2d(18, 3, activation: relu)\n"
                           "    max_pool2d(2)\n"
                           "    flatten()\n"
                           "    dense(33, relu)\n"
                           "    dense(17 * 17 * 3)\n"
                           "}\n";

enum { MOST_PRICED = 4000, KEPT = 7 };

typedef struct All {
    const Contracted *c;
    Pricing *shared;
    Candidate at[MOST_PRICED];
    int n;
} All;

static void expect_same(const Estimate *a, const Estimate *b)
{
    assert_memory_equal(a, b, offsetof(Estimate, registers)); /* doubles */
    assert_int_equal(a->registers, b->registers);
    assert_int_equal(a->code, b->code);
}

/* Each alone, and all by one pricing, forwards. */
static void price_one(const Schedule *by, void *arg)
{
    All *all = arg;
    if (all->n == MOST_PRICED)
        return;
    Pricing *own = pricing(all->c);
    Candidate *new = &all->at[all->n++];
    *new = (Candidate){*by, estimate(own, by)};
    Estimate same = estimate(all->shared, by);
    expect_same(&same, &new->cost);
    assert_true(least_cycles(own, by) <= new->cost.cycles *(1 + 1e-9));
}

/* Stable, so of equal costs the first stays first. */
static void sort(Candidate *at, int n)
{
    for (int i = 1; i < n; i++) {
        Candidate c = at[i];
        int k = i;
        for (; k > 0 && c.cost.cycles < at[k - 1].cost.cycles; k--)
            at[k] = at[k - 1];
        at[k] = c;
    }
}

static int compared;

static void compare_phase(const Contracted *c, int phase, void *arg)
{
    (void)phase, (void)arg;
    All *all = NEW(All);
    *all = (All){.c = c, .shared = pricing(c)};
    each_schedule(c, price_one, all);
    if (all->n == MOST_PRICED)
        return;
    sort(all->at, all->n);
    for (int most = 1; most <= KEPT; most += KEPT - 1) {
        Candidate best[KEPT];
        int n = rank_schedules(c, best, most);
        assert_int_equal(n, all->n < most ? all->n : most);
        for (int i = 0; i < n; i++) {
            assert_memory_equal(&best[i].by, &all->at[i].by, sizeof(Schedule));
            expect_same(&best[i].cost, &all->at[i].cost);
        }
    }
    compared += all->n > KEPT;
}

static void test_prices_are_shared(void **state)
{
    static const char *const cpus[] = {"x86-64", "x86-64-v3", "x86-64-v4"};
    (void)state;
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        Machine machine =
            machine_for(&(TargetOptions){.triple = "x86_64-linux-gnu", .cpu = cpus[i]});
        const Program *p = step_of(model_of(conv, &machine))->program;
        compared = 0;
        for (int k = 0; k < p->nkernels; k++)
            if (p->kernels[k]->form == FORM_CONTRACT)
                contract_phases((Program *)p, p->kernels[k], compare_phase, NULL);
        assert_true(compared >= 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prices_are_shared),
    };
    return cmocka_run_group_tests_name("choose", tests, NULL, NULL);
}
