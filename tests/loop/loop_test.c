/* Builders, printer, reader and verifier of the loop IR. */
#include "loop/support.h"

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Builders ------------------------------------------------------------------ */

static void test_index_folding(void **state)
{
    (void)state;
    Kernel k = {.name = "fold"};
    loop_kernel(&k);
    Inst *a = imul(iadd(k.u0, iconst(3)), 4);
    assert_int_equal(a->op, L_iadd);
    assert_int_equal(a->args[1]->integer, 12);
    assert_ptr_equal(a->args[0], imul(k.u0, 4));
    assert_ptr_equal(iadd(iadd(k.u0, iconst(2)), iconst(-2)), k.u0);
    assert_ptr_equal(idiv(a, 4), iadd(k.u0, iconst(3)));
    assert_int_equal(irem(iadd(imul(k.u0, 6), iconst(13)), 3)->integer, 1);
    assert_int_equal(imin(iconst(3), iconst(5))->integer, 3);
    assert_int_equal(imax(iconst(3), iconst(5))->integer, 5);
    assert_int_equal(multiple_of(iadd(imul(k.u0, 48), iconst(32))), 16);
    assert_int_equal(imul(k.u0, 0)->integer, 0);
}

static void test_equal_instructions_are_one(void **state)
{
    (void)state;
    Kernel k = {.name = "equal"};
    loop_kernel(&k);
    assert_ptr_equal(iconst(7), iconst(7));
    assert_ptr_equal(fconst(0.1), fconst((float)0.1));
    Inst *x = splat(live_count(V_F32));
    assert_ptr_equal(map2(OP_add, x, fconst(1)), map2(OP_add, x, splat(fconst(1))));
    Inst *loop = loop_begin(iconst(0), k.u0, 1, 0, NULL);
    assert_ptr_equal(map2(OP_add, x, fconst(1)), k.body.at[2]);
    Inst *inner = map2(OP_mul, x, x);
    loop_end(loop, NULL, NULL);
    assert_ptr_not_equal(map2(OP_mul, x, x), inner); /* it does not dominate */
}

static void test_index_arithmetic_leaves_loops(void **state)
{
    (void)state;
    Kernel k = {.name = "hoist"};
    loop_kernel(&k);
    Inst *outer = loop_begin(iconst(0), iconst(9), 1, 0, NULL);
    Inst *inner = loop_begin(iconst(0), iconst(9), 1, 0, NULL);
    assert_ptr_equal(imul(k.u0, 28)->home, &k.body);
    assert_ptr_equal(imul(outer->index, 28)->home, &outer->body);
    assert_ptr_equal(imul(inner->index, 28)->home, &inner->body);
    loop_end(inner, NULL, NULL);
    loop_end(outer, NULL, NULL);
    assert_int_equal(k.body.n, 2);
    assert_int_equal(k.body.at[0]->op, L_imul);
}

static int count_ops(const Region *region, LoopOp op)
{
    int n = 0;
    for (int i = 0; i < region->n; i++)
        n += region->at[i]->op == op;
    return n;
}

static void test_four_elements_share_one_philox(void **state)
{
    (void)state;
    Kernel k = {.name = "random"};
    loop_kernel(&k);
    Inst *base = imul(k.u0, 8);
    for (int i = 0; i < 8; i++)
        random_value(RANDOM_UNIFORM, 5, iadd(base, iconst(i)), true);
    assert_int_equal(count_ops(&k.body, L_philox), 2);
    random_value(RANDOM_NORMAL, 5, k.u1, true);
    assert_int_equal(count_ops(&k.body, L_philox), 3);
}

/* ---- Text ------------------------------------------------------------------------- */

/* One of everything. */
static Hand *sample(void)
{
    Hand *h = hand_new("sample");
    Buffer *x = hand_buffer(h, IN_BLOCK, E_F32, 32), *y = hand_buffer(h, IN_BLOCK, E_F32, 32);
    Buffer *w = hand_buffer(h, IN_FIXED, E_F32, 64), *m = hand_buffer(h, IN_BLOCK, E_U8, 4);
    Kernel *k = hand_kernel(h, "everything", KERNEL_BLOCK, 3);
    k->load_inputs = true;
    Inst *sum[2] = {vconst(V_VF32, 0), vconst(V_VF32, -INFINITY)}, *v[LANES], *t[LANES];
    Inst *loop = loop_begin(k->u0, imin(k->u1, iconst(30)), 2, 2, sum);
    Inst *at = imul(loop->index, LANES), *a = load(V_VF32, x, at, NULL);
    Inst *b = load(V_F32, w, iadd(loop->index, iconst(1)), NULL);
    Inst *next[2] = {fma3(splat(b), a, loop->carried[0]), map2(OP_max, loop->carried[1], a)};
    loop_end(loop, next, sum);
    loop = passes_begin(4, 2, sum);
    next[0] = map2(OP_add, loop->carried[0], load(V_VF32, x, iconst(LANES), NULL));
    next[1] = loop->carried[1];
    loop_end(loop, next, sum);
    Inst *p = map2(OP_lt, sum[0], map_pow(sum[1], 2.5));
    store(m, iconst(16), map2(OP_and, p, live_mask(NULL)), NULL);
    for (int i = 0; i < LANES; i++)
        v[i] = load(V_VF32, x, iconst(16 * i), k->block);
    transpose16(v, t);
    store(y, iconst(0), map_select(p, t[3], lane_sums(v)), NULL);
    Inst *r = random_value(RANDOM_NORMAL, 9, iadd(imul(k->u0, 4), iconst(2)), true);
    store(y, imul(k->u0, 16), map1(OP_tanh, r), iadd(k->block, iconst(0)));
    store(w, iconst(3), map2(OP_add, lane_sum(r), pick(r, 5)), NULL);
    Inst *bits = shift(L_shr, bits_of(r), 3);
    store(y, iconst(48), float_of(bitwise(L_xor, bits, lane_index())), NULL);
    store(w, idiv(k->live, 3), map_convert(irem(k->live, 7), T_F32), NULL);
    k = hand_kernel(h, "orthogonal", KERNEL_UNIT, 1);
    k->barrier = true;
    call_orthogonal(w, 77);
    return h;
}

static char *text_of(const Program *program)
{
    Text out = {0};
    print_program(&out, program, true);
    return out.at;
}

static void test_print_then_read(void **state)
{
    (void)state;
    Hand *h = sample();
    char *text = text_of(&h->program);
    Program *again = read_program(diag_source("sample.loop", text, strlen(text)));
    assert_non_null(again);
    for (int i = 0; i < again->nkernels; i++)
        verify_kernel(again->kernels[i]);
    assert_string_equal(text_of(again), text);
    assert_true(again->kernels[0]->load_inputs);
    assert_int_equal(again->block_bytes, h->program.block_bytes);
}

#define HEAD "program \"p\" fixed 0 block 0 scratch 0 part 0 chunk 1"

static void test_reader_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "program",
        "program \"p\" fixed 0",
        HEAD " kernel",
        HEAD "\nkernel \"k\" unit units 1 {\n  v0: vf32 = nonsense\n}\n",
        HEAD "\nkernel \"k\" unit units 1 {\n  store b0 [0] v1\n}\n",
        HEAD "\nkernel \"k\" unit units 1 {\n  i0 = iadd i7 1\n}\n",
        HEAD "\nkernel \"k\" unit units 1 {\n  r0 = loop i1 = 0 .. 4 step",
        HEAD "\nbuffer b0 \"x\" fixed f32 [1, 2, 3, 4, 5, 6, 7, 8, 9]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int before = error_count();
        assert_null(read_program(diag_source("bad.loop", bad[i], strlen(bad[i]))));
        assert_int_equal(error_count(), before + 1);
    }
}

/* ---- Verifier ---------------------------------------------------------------------- */

/* die() ends the process, so it is asked in another. */
static bool is_refused(const Kernel *kernel)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        assert_non_null(freopen("/dev/null", "w", stderr));
        verify_kernel(kernel);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DEFECT;
}

static Kernel *read_kernel_of(const char *body)
{
    const char *text = format("program \"p\" fixed 256 block 256 scratch 0 part 0 chunk 1\n"
                              "buffer b0 \"x\" block f32 [batch, 4] strides 1 size 256 offset 0\n"
                              "buffer b1 \"i\" fixed i32 [64] strides 1 size 256 offset 0\n"
                              "kernel \"k\" block units 1 {\n%s\n}\n",
                              body);
    Program *p = read_program(diag_source("k.loop", text, strlen(text)));
    assert_non_null(p);
    return p->kernels[0];
}

static void test_verifier_accepts(void **state)
{
    (void)state;
    Hand *h = sample();
    for (int i = 0; i < h->program.nkernels; i++)
        verify_kernel(h->program.kernels[i]);
    assert_false(is_refused(read_kernel_of("v0: vf32 = load b0 [0]\nstore b0 [16] v0")));
}

static void test_verifier_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "v0: vi32 = load b0 [0]", /* integers of floats   */
        "v0: f32 = load b1 [0]",
        "v0: vf32 = load b0 [63]", /* beyond the end       */
        "v0: vf32 = load b0 [0]\nv1: f32 = fma v0 v0 v0",
        "v0: vf32 = load b0 [0]\nv1: vf32 = map add v0 1f",
        "v0: vf32 = load b0 [0]\nv1: vf32 = map lt v0 v0",
        "v0: vf32 = load b0 [0]\nv1: vf32 = splat v0",
        "v0: vf32 = load b0 [0]\nv1: f32 = pick v0 16",
        "i0 = irem u0 0",
        "loop i0 = 0 .. 4 step 0 {\n}",
        "r0 = loop i1 = 0 .. 4 step 1 carry (v2: vf32 = 0f) {\nyield v2\n}",
        "r0 = loop i1 = 0 .. 4 step 1 carry (v2: f32 = 0f) {\nyield 0f*\n}",
        "r0 = loop i1 = 0 .. 4 step 1 carry (v2: f32 = 0f) {\nyield v2\n}\nv3: f32 = result r0 1",
        "loop i0 = 0 .. 4 step 1 {\ni1 = imul i0 4\n}\ni2 = iadd i1 1", /* out of scope */
        "r0 = philox u0 3 vector\nv1: i32 = result r0 0",
        /* Passes: a part of the lanes, one round, of vectors, in no other, lanes apart. */
        "loop i0 = 0 .. 1 step 1 passes 3 {\n}",
        "loop i0 = 0 .. 1 step 1 passes 32 {\n}",
        "loop i0 = 0 .. 1 step 1 passes -2 {\n}",
        "loop i0 = 0 .. 2 step 1 passes 2 {\n}",
        "loop i0 = 0 .. u0 step 1 passes 2 {\n}",
        "r0 = loop i1 = 0 .. 1 step 1 passes 2 carry (v2: f32 = 0f) {\nyield v2\n}",
        "loop i0 = 0 .. 1 step 1 passes 2 {\nloop i1 = 0 .. 1 step 1 passes 2 {\n}\n}",
        "loop i0 = 0 .. 1 step 1 passes 2 {\nv1: vi32 = lane_index\n}",
        "loop i0 = 0 .. 1 step 1 passes 2 {\nstore b0 [0] 0f*\n}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!is_refused(read_kernel_of(bad[i])))
            fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_folding),
        cmocka_unit_test(test_equal_instructions_are_one),
        cmocka_unit_test(test_index_arithmetic_leaves_loops),
        cmocka_unit_test(test_four_elements_share_one_philox),
        cmocka_unit_test(test_print_then_read),
        cmocka_unit_test(test_reader_refuses),
        cmocka_unit_test(test_verifier_accepts),
        cmocka_unit_test(test_verifier_refuses),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
