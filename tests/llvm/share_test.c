/* How threads share the units of one kernel after another: what does not come
 * out even is given to the last threads and to the first in turns. */
#include "loop/support.h"

#include "target/jit.h"

enum { UNITS = 5, KERNELS = 4 };

/* share[u0] = u1 - u0, of each kernel in a row of its own. */
static Buffer *add_kernels(Hand *h, const double *flops, int barrier)
{
    Buffer *share = hand_buffer(h, IN_FIXED, E_F32, KERNELS * UNITS);
    for (int i = 0; i < KERNELS; i++) {
        Kernel *k = hand_kernel(h, format("k%d", i), KERNEL_UNIT, UNITS);
        k->flops = flops[i];
        k->barrier = i == barrier;
        Inst *n = map_convert(iadd(k->u1, imul(k->u0, -1)), T_F32);
        store(share, iadd(k->u0, iconst(i * UNITS)), n, NULL);
    }
    return share;
}

/* first[i]: the units of thread 0 in kernel i. */
static void expect_first(const double *flops, int barrier, int threads, const float *first)
{
    Hand *h = hand_new("shares");
    Buffer *share = add_kernels(h, flops, barrier);
    TargetOptions host = {.level = 1};
    Jit *jit = jit_open(&h->model, &host);
    char *fixed = calloc(1, (size_t)h->program.fixed_bytes + 64);
    aecc_call call = {.fixed = fixed, .samples = 1};
    jit_call(jit, 0, &call, threads, NULL, NULL);
    const float *got = (float *)(void *)(fixed + share->offset);
    for (int i = 0; i < KERNELS; i++) {
        float all = 0;
        for (int u = 0; u < UNITS; u++)
            all += got[i * UNITS + u];
        assert_float_equal(all, UNITS, 0);
        assert_float_equal(got[i * UNITS], first[i], 0);
    }
    free(fixed);
    jit_close(jit);
}

static void test_shares(void **state)
{
    (void)state;
    static const double equal[] = {1, 1, 1, 1}, large[] = {9, 1, 1, 1}, none[] = {0, 0, 0, 0};
    expect_first(equal, -1, 2, (float[]){2, 3, 2, 3});
    expect_first(large, -1, 2, (float[]){2, 3, 3, 3});
    expect_first(equal, 1, 2, (float[]){2, 2, 3, 2});
    expect_first(none, -1, 2, (float[]){2, 2, 2, 2});
    expect_first(equal, -1, 3, (float[]){1, 2, 1, 2});
    expect_first(equal, -1, 1, (float[]){5, 5, 5, 5});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares)};
    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
