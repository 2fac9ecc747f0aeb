/* Kernels made by hand, compiled and run: memory, loops, lanes, masks, random
 * numbers, and how functions call their kernels. */
#include "loop/support.h"

#include <math.h>

#include "target/jit.h"

typedef struct Room { /* memory for one function               */
    Hand *hand;
    char *fixed, *blocks;
    aecc_call call;
    int loads[8]; /* calls of aecc_load by block           */
} Room;

static char *room_of(int64_t bytes)
{
    char *at = aligned_alloc(64, (size_t)bytes + 64);
    assert_non_null(at);
    memset(at, 0, (size_t)bytes + 64);
    return at;
}

static Room open_room(Hand *h, int64_t samples)
{
    int64_t nblocks = (samples + LANES - 1) / LANES, stride = h->program.block_bytes;
    Room r = {
        .hand = h, .fixed = room_of(h->program.fixed_bytes), .blocks = room_of(nblocks * stride)};
    r.call = (aecc_call){
        .fixed = r.fixed, .blocks = r.blocks, .block_stride = stride, .samples = samples};
    return r;
}

static void close_room(Room *r)
{
    free(r->fixed);
    free(r->blocks);
}

static void count_load(void *context, aecc_call *call, int64_t block)
{
    Room *r = context;
    (void)call;
    __atomic_fetch_add(&r->loads[block], 1, __ATOMIC_RELAXED);
}

static void run(Room *r, int threads)
{
    for (int i = 0; i < r->hand->program.nkernels; i++)
        verify_kernel(r->hand->program.kernels[i]);
    TargetOptions host = {.level = 2};
    Jit *jit = jit_open(&r->hand->model, &host);
    jit_call(jit, 0, &r->call, threads, count_load, r);
    jit_close(jit);
}

static float *floats(Room *r, const Buffer *b, int64_t block)
{
    char *part = b->space == IN_BLOCK ? r->blocks + block * r->call.block_stride : r->fixed;
    return (float *)(void *)(part + b->offset);
}

/* ---- Loops and sums ------------------------------------------------------------------- */

/* y[u] = 10 w[u] + the sum of w[0 .. u), by a loop that may not run at all. */
static void test_carried_values(void **state)
{
    (void)state;
    enum { N = 6 };
    Hand *h = hand_new("carried");
    Buffer *w = hand_buffer(h, IN_FIXED, E_F32, N), *y = hand_buffer(h, IN_FIXED, E_F32, N);
    Kernel *k = hand_kernel(h, "sums", KERNEL_UNIT, N);
    Inst *outer = loop_begin(k->u0, k->u1, 1, 0, NULL);
    Inst *sum = map2(OP_mul, load(V_F32, w, outer->index, NULL), fconst(10));
    Inst *inner = loop_begin(iconst(0), outer->index, 1, 1, &sum);
    Inst *next = map2(OP_add, inner->carried[0], load(V_F32, w, inner->index, NULL));
    loop_end(inner, &next, &sum);
    store(y, outer->index, sum, NULL);
    loop_end(outer, NULL, NULL);
    Room r = open_room(h, 0);
    for (int i = 0; i < N; i++)
        floats(&r, w, 0)[i] = (float)(i + 1);
    run(&r, 1);
    for (int i = 0; i < N; i++)
        assert_float_equal(floats(&r, y, 0)[i], 10 * (i + 1) + i * (i + 1) / 2, 0);
    close_room(&r);
}

/* y[n][sample] = sum over k of w[n][k] x[k][sample]: 10 x 2 tile, k by fours. */
static void test_tile(void **state)
{
    (void)state;
    enum { ROWS = 10, K = 12, BLOCKS = 2 };
    Hand *h = hand_new("tile");
    Buffer *w = hand_buffer(h, IN_FIXED, E_F32, ROWS * K);
    Buffer *x = hand_buffer(h, IN_BLOCK, E_F32, K), *y = hand_buffer(h, IN_BLOCK, E_F32, ROWS);
    hand_kernel(h, "tile", KERNEL_UNIT, 1);
    Inst *sum[ROWS * BLOCKS], *next[ROWS * BLOCKS], *in[BLOCKS];
    for (int i = 0; i < ROWS * BLOCKS; i++)
        sum[i] = vconst(V_VF32, 0);
    Inst *loop = loop_begin(iconst(0), iconst(K), 4, ROWS * BLOCKS, sum);
    memcpy(next, loop->carried, sizeof next);
    for (int u = 0; u < 4; u++) {
        Inst *k = iadd(loop->index, iconst(u));
        for (int b = 0; b < BLOCKS; b++)
            in[b] = load(V_VF32, x, imul(k, LANES), iconst(b));
        for (int n = 0; n < ROWS; n++)
            for (int b = 0; b < BLOCKS; b++) {
                Inst *weight = load(V_F32, w, iadd(iconst(n * K), k), NULL);
                next[n * BLOCKS + b] = fma3(splat(weight), in[b], next[n * BLOCKS + b]);
            }
    }
    loop_end(loop, next, sum);
    for (int i = 0; i < ROWS * BLOCKS; i++)
        store(y, iconst(i / BLOCKS * LANES), sum[i], iconst(i % BLOCKS));
    Room r = open_room(h, 32);
    for (int i = 0; i < ROWS * K; i++)
        floats(&r, w, 0)[i] = sinf((float)i);
    for (int i = 0; i < BLOCKS * K * LANES; i++)
        floats(&r, x, i / (K * LANES))[i % (K * LANES)] = cosf((float)i);
    run(&r, 1);
    for (int n = 0; n < ROWS; n++)
        for (int s = 0; s < BLOCKS * LANES; s++) {
            float want = 0;
            for (int k = 0; k < K; k++)
                want = fmaf(sinf((float)(n * K + k)),
                            cosf((float)(s / LANES * K * LANES + k * LANES + s % LANES)), want);
            assert_float_equal(floats(&r, y, s / LANES)[n * LANES + s % LANES], want, 0);
        }
    close_room(&r);
}

/* y = sum over j < 3, k < 4 of w[k] x[k] + y0, in passes within the loop over j: to
 * each lane in its own order what it has without passes. */
static void check_passes(int passes)
{
    enum { J = 3, K = 4 };
    Hand *h = hand_new("passes");
    Buffer *w = hand_buffer(h, IN_FIXED, E_F32, K);
    Buffer *x = hand_buffer(h, IN_BLOCK, E_F32, K + 1), *y = hand_buffer(h, IN_BLOCK, E_F32, 2);
    hand_kernel(h, "passes", KERNEL_BLOCK, 1);
    Inst *first = load(V_VF32, x, iconst(K * LANES), NULL);
    Inst *sum[2] = {first, vconst(V_VF32, 0)}, *inside[2], *next[2];
    Inst *outer = loop_begin(iconst(0), iconst(J), 1, 2, sum);
    Inst *part = passes_begin(passes, 2, outer->carried);
    Inst *inner = loop_begin(iconst(0), iconst(K), 1, 2, part->carried);
    Inst *v = load(V_VF32, x, imul(inner->index, LANES), NULL);
    Inst *weight = splat(load(V_F32, w, inner->index, NULL));
    next[0] = fma3(weight, v, inner->carried[0]);
    next[1] = map2(OP_add, inner->carried[1], first);
    loop_end(inner, next, inside);
    loop_end(part, inside, inside);
    loop_end(outer, inside, sum);
    store(y, iconst(0), sum[0], NULL);
    store(y, iconst(LANES), sum[1], NULL);
    Room r = open_room(h, LANES);
    for (int k = 0; k < K; k++)
        floats(&r, w, 0)[k] = sinf((float)k);
    for (int i = 0; i < (K + 1) * LANES; i++)
        floats(&r, x, 0)[i] = cosf((float)i);
    run(&r, 1);
    for (int lane = 0; lane < LANES; lane++) {
        float want = cosf((float)(K * LANES + lane)), more = 0;
        for (int i = 0; i < J * K; i++) {
            want = fmaf(sinf((float)(i % K)), cosf((float)(i % K * LANES + lane)), want);
            more += cosf((float)(K * LANES + lane));
        }
        assert_float_equal(floats(&r, y, 0)[lane], want, 0);
        assert_float_equal(floats(&r, y, 0)[LANES + lane], more, 0);
    }
    close_room(&r);
}

static void test_passes(void **state)
{
    (void)state;
    for (int passes = 2; passes <= LANES; passes *= 2)
        check_passes(passes);
}

/* ---- Across lanes ------------------------------------------------------------------------ */

static float tree(const float *lane)
{
    float v[LANES];
    memcpy(v, lane, sizeof v);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            v[i] += v[i + half];
    return v[0];
}

static void test_lanes(void **state)
{
    (void)state;
    Hand *h = hand_new("lanes");
    Buffer *x = hand_buffer(h, IN_FIXED, E_F32, 256), *t = hand_buffer(h, IN_FIXED, E_F32, 256);
    Buffer *y = hand_buffer(h, IN_FIXED, E_F32, 64);
    hand_kernel(h, "lanes", KERNEL_UNIT, 1);
    Inst *v[LANES], *turned[LANES];
    for (int i = 0; i < LANES; i++)
        v[i] = load(V_VF32, x, iconst(i * LANES), NULL);
    transpose16(v, turned);
    for (int i = 0; i < LANES; i++)
        store(t, iconst(i * LANES), turned[i], NULL);
    store(y, iconst(0), lane_sums(v), NULL);
    store(y, iconst(16), lane_sum(v[5]), NULL);
    store(y, iconst(17), lane_max(v[5]), NULL);
    store(y, iconst(18), pick(v[5], 9), NULL);
    store(y, iconst(32), map_convert(lane_index(), T_F32), NULL);
    Room r = open_room(h, 0);
    float *in = floats(&r, x, 0), *out = floats(&r, y, 0), most = -INFINITY;
    for (int i = 0; i < 256; i++)
        in[i] = sinf((float)(7 * i)) * expf((float)(i % 11));
    run(&r, 1);
    for (int i = 0; i < LANES; i++) {
        most = fmaxf(most, in[5 * LANES + i]);
        assert_float_equal(out[i], tree(in + i * LANES), 0);
        assert_float_equal(out[32 + i], i, 0);
        for (int j = 0; j < LANES; j++)
            assert_float_equal(floats(&r, t, 0)[i * LANES + j], in[j * LANES + i], 0);
    }
    assert_float_equal(out[16], tree(in + 5 * LANES), 0);
    assert_float_equal(out[17], most, 0);
    assert_float_equal(out[18], in[5 * LANES + 9], 0);
    close_room(&r);
}

/* ---- Types, masks, ends of ranges ----------------------------------------------------------- */

static void test_live_mask_and_bytes(void **state)
{
    (void)state;
    Hand *h = hand_new("mask");
    Buffer *m = hand_buffer(h, IN_BLOCK, E_U8, 1), *y = hand_buffer(h, IN_BLOCK, E_F32, 2);
    hand_kernel(h, "mask", KERNEL_BLOCK, 1);
    store(m, iconst(0), live_mask(NULL), NULL);
    hand_kernel(h, "read", KERNEL_BLOCK, 1);
    Inst *live = load(V_VBOOL, m, iconst(0), NULL);
    store(y, iconst(0), map_select(live, live_count(V_F32), fconst(-1)), NULL);
    store(y, iconst(16), map_convert(load(V_VI32, m, iconst(0), NULL), T_F32), NULL);
    Room r = open_room(h, 24);
    run(&r, 1);
    for (int s = 0; s < 32; s++) {
        assert_float_equal(floats(&r, y, s / LANES)[s % LANES], s < 24 ? 24 : -1, 0);
        assert_float_equal(floats(&r, y, s / LANES)[LANES + s % LANES], s < 24, 0);
    }
    close_room(&r);
}

/* NaN wins a maximum; conversions and integer division never trap. */
static void test_odd_values(void **state)
{
    (void)state;
    Hand *h = hand_new("odd");
    Buffer *x = hand_buffer(h, IN_FIXED, E_F32, 16), *y = hand_buffer(h, IN_FIXED, E_F32, 16);
    Buffer *z = hand_buffer(h, IN_FIXED, E_I32, 64);
    hand_kernel(h, "odd", KERNEL_UNIT, 1);
    Inst *a = load(V_F32, x, iconst(0), NULL), *b = load(V_F32, x, iconst(1), NULL);
    store(y, iconst(0), map2(OP_max, a, b), NULL);
    store(y, iconst(1), map2(OP_max, b, a), NULL);
    store(y, iconst(2), map2(OP_max, a, fconst(0)), NULL);
    store(y, iconst(3), map2(OP_max, fconst(0), a), NULL);
    Inst *v = map_convert(load(V_VF32, x, iconst(0), NULL), T_I32);
    store(z, iconst(0), v, NULL);
    store(z, iconst(16), map2(OP_max, v, vconst(V_I32, 3)), NULL);
    Inst *least = vconst(V_I32, INT32_MIN), *zero = map2(OP_mul, v, vconst(V_I32, 0));
    store(z, iconst(32), map2(OP_div, least, map2(OP_add, zero, vconst(V_I32, -1))), NULL);
    store(z, iconst(48), map2(OP_div, least, zero), NULL);
    Room r = open_room(h, 0);
    float in[16] = {NAN, 1, -2.75f, 1e30f, -1e30f, INFINITY, 7.9f};
    memcpy(floats(&r, x, 0), in, sizeof in);
    run(&r, 1);
    for (int i = 0; i < 4; i++)
        assert_true(isnan(floats(&r, y, 0)[i]));
    const int32_t *out = (const int32_t *)(void *)floats(&r, z, 0);
    const int32_t want[] = {0, 1, -2, INT32_MAX, INT32_MIN, INT32_MAX, 7};
    for (int i = 0; i < 7; i++) {
        assert_int_equal(out[i], want[i]);
        assert_int_equal(out[16 + i], want[i] > 3 ? want[i] : 3);
    }
    assert_int_equal(out[32], INT32_MIN);
    assert_int_equal(out[48], 0);
    close_room(&r);
}

/* ---- Random numbers ---------------------------------------------------------- */

static void test_philox(void **state)
{
    (void)state;
    enum { N = 8, PATH = 77 };
    Hand *h = hand_new("philox");
    Buffer *v = hand_buffer(h, IN_BLOCK, E_I32, N), *s = hand_buffer(h, IN_FIXED, E_I32, N);
    Kernel *k = hand_kernel(h, "block", KERNEL_BLOCK, 2);
    Inst *loop = loop_begin(k->u0, k->u1, 1, 0, NULL);
    for (int i = 0; i < 4; i++) {
        Inst *element = iadd(imul(loop->index, 4), iconst(i));
        store(v, imul(element, LANES), random_value(RANDOM_BITS, PATH, element, true), NULL);
    }
    loop_end(loop, NULL, NULL);
    k = hand_kernel(h, "unit", KERNEL_UNIT, N);
    loop = loop_begin(k->u0, k->u1, 1, 0, NULL);
    store(s, loop->index, random_value(RANDOM_BITS, PATH, loop->index, false), NULL);
    loop_end(loop, NULL, NULL);
    Room r = open_room(h, 20);
    r.call.key[0] = 0xA4093822;
    r.call.key[1] = 0x299F31D0;
    r.call.step = 0x03707344;
    run(&r, 1);
    for (uint32_t sample = 0; sample < 32; sample++)
        for (uint32_t e = 0; e < N; e++) {
            uint32_t word[4], counter[4] = {e / 4, sample, PATH, r.call.step};
            philox(counter, r.call.key, word);
            const uint32_t *out = (const uint32_t *)(void *)floats(&r, v, sample / LANES);
            assert_int_equal(out[e * LANES + sample % LANES], word[e % 4]);
            if (sample == 0)
                assert_int_equal(((uint32_t *)(void *)floats(&r, s, 0))[e], word[e % 4]);
        }
    close_room(&r);
}

/* The known answer of Random123 for a counter and a key of zeros. */
static void test_philox_known_answer(void **state)
{
    (void)state;
    static const uint32_t known[] = {0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8};
    Hand *h = hand_new("known");
    Buffer *s = hand_buffer(h, IN_FIXED, E_I32, 4);
    hand_kernel(h, "unit", KERNEL_UNIT, 1);
    for (int i = 0; i < 4; i++)
        store(s, iconst(i), random_value(RANDOM_BITS, 0, iconst(i), false), NULL);
    Room r = open_room(h, 0);
    run(&r, 1);
    assert_memory_equal(floats(&r, s, 0), known, sizeof known);
    close_room(&r);
}

static void test_uniform_and_normal(void **state)
{
    (void)state;
    enum { N = 4, SAMPLES = 64 };
    Hand *h = hand_new("random");
    Buffer *u = hand_buffer(h, IN_BLOCK, E_F32, N), *n = hand_buffer(h, IN_BLOCK, E_F32, N);
    hand_kernel(h, "block", KERNEL_BLOCK, 1);
    for (int i = 0; i < N; i++) {
        store(u, iconst(i * LANES), random_value(RANDOM_UNIFORM, 1, iconst(i), true), NULL);
        store(n, iconst(i * LANES), random_value(RANDOM_NORMAL, 1, iconst(i), true), NULL);
    }
    Room r = open_room(h, SAMPLES);
    run(&r, 1);
    for (uint32_t s = 0; s < SAMPLES; s++)
        for (int i = 0; i < N; i++) {
            uint32_t w[4], counter[4] = {0, s, 1, 0};
            philox(counter, r.call.key, w);
            int64_t at = i * LANES + s % LANES;
            double radius = sqrt(-2 * log(((w[i & 2] >> 8) + 1) * 0x1p-24));
            double angle = 2 * M_PI * ((w[i | 1] >> 8) * 0x1p-24);
            double want = radius * (i & 1 ? sin(angle) : cos(angle));
            assert_float_equal(floats(&r, u, s / LANES)[at], (w[i] >> 8) * 0x1p-24, 0);
            assert_float_equal(floats(&r, n, s / LANES)[at], want, 1e-6 * fabs(want));
        }
    close_room(&r);
}

/* ---- How kernels are called -------------------------------------------------- */

/* Two BLOCK kernels, then a UNIT kernel that reads all blocks: y[u] = the sum
 * over live samples of (x + 1)^2. Every split over threads gives the same. */
static Hand *sum_of_squares(Buffer **x, Buffer **y)
{
    enum { N = 5 };
    Hand *h = hand_new("squares");
    *x = hand_buffer(h, IN_BLOCK, E_F32, N);
    Buffer *t = hand_buffer(h, IN_BLOCK, E_F32, N), *s = hand_buffer(h, IN_BLOCK, E_F32, N);
    *y = hand_buffer(h, IN_FIXED, E_F32, N);
    Kernel *k = hand_kernel(h, "add", KERNEL_BLOCK, N);
    k->load_inputs = true;
    Inst *loop = loop_begin(k->u0, k->u1, 1, 0, NULL), *at = imul(loop->index, LANES);
    store(t, at, map2(OP_add, load(V_VF32, *x, at, NULL), fconst(1)), NULL);
    loop_end(loop, NULL, NULL);
    k = hand_kernel(h, "square", KERNEL_BLOCK, N);
    loop = loop_begin(k->u0, k->u1, 1, 0, NULL);
    at = imul(loop->index, LANES);
    Inst *v = load(V_VF32, t, at, NULL);
    store(s, at, map2(OP_mul, v, v), NULL);
    loop_end(loop, NULL, NULL);
    k = hand_kernel(h, "sum", KERNEL_UNIT, N);
    k->barrier = true;
    loop = loop_begin(k->u0, k->u1, 1, 0, NULL);
    Inst *sum = fconst(0), *blocks = idiv(iadd(live_count(V_INDEX), iconst(LANES - 1)), LANES);
    Inst *inner = loop_begin(iconst(0), blocks, 1, 1, &sum);
    v = load(V_VF32, s, imul(loop->index, LANES), inner->index);
    v = map_select(live_mask(inner->index), v, fconst(0));
    Inst *next = map2(OP_add, inner->carried[0], lane_sum(v));
    loop_end(inner, &next, &sum);
    store(*y, loop->index, sum, NULL);
    loop_end(loop, NULL, NULL);
    return h;
}

static void test_threads(void **state)
{
    (void)state;
    for (int64_t samples = 3; samples <= 83; samples += 40)
        for (int threads = 1; threads <= 4; threads++) {
            Buffer *x, *y;
            Hand *h = sum_of_squares(&x, &y);
            Room r = open_room(h, samples);
            int64_t nblocks = (samples + LANES - 1) / LANES;
            for (int64_t s = 0; s < nblocks * LANES; s++)
                for (int i = 0; i < 5; i++)
                    floats(&r, x, s / LANES)[i * LANES + s % LANES] = (float)(s % 3 + i);
            run(&r, threads);
            for (int i = 0; i < 5; i++) {
                double want = 0;
                for (int64_t s = 0; s < samples; s++)
                    want += pow((double)(s % 3 + i + 1), 2);
                assert_float_equal(floats(&r, y, 0)[i], want, 0);
            }
            for (int64_t b = 0; b < nblocks; b++)
                assert_int_equal(r.loads[b], 1);
            close_room(&r);
        }
}

static void test_profile(void **state)
{
    (void)state;
    Buffer *x, *y;
    Hand *h = sum_of_squares(&x, &y);
    Room r = open_room(h, 40);
    uint64_t spent[3] = {0};
    r.call.profile = spent;
    run(&r, 1);
    for (int i = 0; i < 3; i++)
        assert_true(spent[i] > 0);
    close_room(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carried_values),
        cmocka_unit_test(test_tile),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_live_mask_and_bytes),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_philox),
        cmocka_unit_test(test_philox_known_answer),
        cmocka_unit_test(test_uniform_and_normal),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_profile),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
