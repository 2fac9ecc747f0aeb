/* The code of the hot loops: the width that the target has, nothing spilled;
 * and every kind of target gets code. */
#include "loop/support.h"

#include "bench/bodies.h"

static const char *assembly(const Body *body, const char *triple, const char *cpu)
{
    TargetOptions options = {.triple = triple, .cpu = cpu, .level = 2};
    Text out = {0};
    emit_llvm(&body->model, &options, OUT_ASSEMBLY, &out);
    return out.at;
}

/* The largest stretch between a label and a jump back to it. */
static const char *hot_loop(const char *text, const char *multiply_add)
{
    const char *best = "";
    int most = 0;
    for (const char *label = strstr(text, "\n.LBB"); label; label = strstr(label + 1, "\n.LBB")) {
        const char *end = strstr(label + 1, "\n.LBB");
        int n = 0;
        const char *stop = end ? end : text + strlen(text);
        for (const char *at = label; (at = strstr(at + 1, multiply_add)) && at < stop;)
            n++;
        if (n > most) {
            most = n;
            best = format("%.*s", (int)(stop - label), label);
        }
    }
    return best;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

static void test_no_spills_512(void **state)
{
    (void)state;
    static const char *const cpus[] = {"znver4", "znver5", "skylake-avx512", "x86-64-v4"};
    static const int fmas[] = {10 * 2 * 4, 9 * 14 - 6};
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        Body *bodies[] = {dense(), conv()};
        for (int b = 0; b < 2; b++) {
            const char *text = assembly(bodies[b], "x86_64-linux-gnu", cpus[i]);
            const char *loop = hot_loop(text, "vfmadd");
            assert_int_equal(count(loop, "vfmadd"), fmas[b]);
            assert_int_equal(count(loop, "(%rsp"), 0);
            assert_int_equal(count(loop, "ymm"), 0);
            assert_int_equal(count(loop, "vaddss"), 0);
            assert_true(count(loop, "zmm") >= 2 * fmas[b]);
        }
    }
}

static void test_other_targets(void **state)
{
    (void)state;
    static const struct {
        const char *triple, *cpu, *has, *lacks;
    } targets[] = {
        {"x86_64-linux-gnu", "haswell", "vfmadd", "fmaf"},
        {"x86_64-linux-gnu", "x86-64", "mulps", "fmaf"},
        {"aarch64-linux-gnu", NULL, "fmla", "fmaf"},
        {"aarch64-linux-gnu", "neoverse-v1", "fmla", "fmaf"},
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const char *text = assembly(dense(), targets[i].triple, targets[i].cpu);
        assert_true(count(text, targets[i].has) > 0);
        assert_int_equal(count(text, targets[i].lacks), 0);
    }
}

static void test_all_levels(void **state)
{
    (void)state;
    for (int level = 0; level <= 3; level++) {
        TargetOptions options = {.level = level};
        Text out = {0};
        emit_llvm(&conv()->model, &options, OUT_OBJECT, &out);
        assert_memory_equal(out.at, "\177ELF", 4);
    }
}

/* The same model gives the same bytes. */
static void test_reproducible(void **state)
{
    (void)state;
    TargetOptions options = {.level = 2};
    Text a = {0}, b = {0};
    emit_llvm(&dense()->model, &options, OUT_OBJECT, &a);
    emit_llvm(&dense()->model, &options, OUT_OBJECT, &b);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.at, b.at, a.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_spills_512),
        cmocka_unit_test(test_other_targets),
        cmocka_unit_test(test_all_levels),
        cmocka_unit_test(test_reproducible),
    };
    return cmocka_run_group_tests_name("assembly", tests, NULL, NULL);
}
