/* Segments walked chunk by chunk: a function made by hand, whose sums over the
 * batch must be the chain that its chunks give, to the last bit, whatever the
 * threads, the rounds and the blocks that are left over. */
#include "loop/support.h"

#include "target/jit.h"

enum { N = 5, LARGE_PART = 3 << 20 };

typedef struct Room {
    const Buffer *x;
    int loads[64]; /* calls of aecc_load by block */
} Room;

static float input_at(int64_t sample, int i)
{
    return (float)((sample * 37 + i * 11) % 101) / 7.0f;
}

/* for u in [u0, u1), as the current region between the two calls */
static Inst *units(const Kernel *k)
{
    return loop_begin(k->u0, k->u1, 1, 0, NULL);
}

static Buffer *part_of(Hand *h)
{
    Buffer *b = hand_buffer(h, IN_FIXED, E_F32, N);
    b->space = IN_PART;
    b->offset = 0;
    return b;
}

static Buffer *scratch_buffer(Hand *h)
{
    Program *p = &h->program;
    Buffer *b = hand_buffer(h, IN_BLOCK, E_F32, N);
    b->space = IN_SCRATCH;
    b->offset = p->scratch_bytes;
    p->scratch_bytes += b->size;
    return b;
}

/* t[u] = x[u] + 1, then s[u] = t[u] * t[N - 1 - u]: units of others. */
static void add_blocks(Hand *h, Buffer *x, Buffer *t, Buffer *s)
{
    Kernel *k = hand_kernel(h, "add", KERNEL_BLOCK, N);
    k->load_inputs = true;
    Inst *loop = units(k), *at = imul(loop->index, LANES);
    store(t, at, map2(OP_add, load(V_VF32, x, at, NULL), fconst(1)), NULL);
    loop_end(loop, NULL, NULL);
    k = hand_kernel(h, "multiply", KERNEL_BLOCK, N);
    k->meet = true;
    loop = units(k);
    at = imul(loop->index, LANES);
    Inst *mirror = iadd(imul(loop->index, -LANES), iconst((N - 1) * LANES));
    store(s, at, map2(OP_mul, load(V_VF32, t, at, NULL), load(V_VF32, t, mirror, NULL)), NULL);
    loop_end(loop, NULL, NULL);
}

/* part[u] = the chain of lane sums of s over the blocks of the chunk. */
static void add_chunks(Hand *h, Buffer *s, Buffer *part)
{
    Kernel *k = hand_kernel(h, "sum", KERNEL_CHUNK, N);
    Inst *loop = units(k), *sum = fconst(0), *first = imul(k->block, h->program.chunk);
    Inst *blocks = idiv(iadd(live_count(V_INDEX), iconst(LANES - 1)), LANES);
    Inst *end = imin(iadd(first, iconst(h->program.chunk)), blocks);
    Inst *inner = loop_begin(first, end, 1, 1, &sum);
    Inst *v = load(V_VF32, s, imul(loop->index, LANES), inner->index);
    v = map_select(live_mask(inner->index), v, fconst(0));
    Inst *next = map2(OP_add, inner->carried[0], lane_sum(v));
    loop_end(inner, &next, &sum);
    store(part, loop->index, sum, NULL);
    loop_end(loop, NULL, NULL);
}

/* y[u] = y[u] + part[u], from zero. */
static void add_join(Hand *h, Buffer *part, Buffer *y)
{
    Kernel *k = hand_kernel(h, "join", KERNEL_JOIN, N);
    k->barrier = true;
    Inst *loop = units(k), *before = load(V_F32, y, loop->index, NULL);
    Inst *is_first = map2(OP_lt, map_convert(k->block, T_I32), vconst(V_I32, 1));
    before = map_select(is_first, fconst(0), before);
    store(y, loop->index, map2(OP_add, before, load(V_F32, part, loop->index, NULL)), NULL);
    loop_end(loop, NULL, NULL);
}

/* A part so large that rounds are as short as they can be. */
static Hand *segment(int64_t chunk, Buffer **x, Buffer **y)
{
    Hand *h = hand_new("segment");
    h->program.chunk = chunk;
    h->program.part_bytes = LARGE_PART;
    *x = scratch_buffer(h);
    Buffer *t = scratch_buffer(h), *s = scratch_buffer(h), *part = part_of(h);
    *y = hand_buffer(h, IN_FIXED, E_F32, N);
    add_blocks(h, *x, t, s);
    add_chunks(h, s, part);
    add_join(h, part, *y);
    return h;
}

static void fill(void *context, aecc_call *call, int64_t block)
{
    Room *r = context;
    char *at = call->scratch + block * call->scratch_stride + r->x->offset;
    for (int i = 0; i < N; i++)
        for (int64_t lane = 0; lane < LANES; lane++)
            ((float *)(void *)at)[i * LANES + lane] = input_at(block * LANES + lane, i);
    __atomic_fetch_add(&r->loads[block], 1, __ATOMIC_RELAXED);
}

/* The tree over lanes, as lane_sum has it: halves are added. */
static float tree(const float *lane, int n)
{
    float half[LANES];
    if (n == 1)
        return lane[0];
    for (int i = 0; i < n / 2; i++)
        half[i] = lane[i] + lane[i + n / 2];
    return tree(half, n / 2);
}

static float chunk_sum(int64_t samples, int64_t first, int64_t end, int u)
{
    float sum = 0;
    for (int64_t b = first; b < end; b++) {
        float lane[LANES];
        for (int64_t l = 0; l < LANES; l++) {
            int64_t s = b * LANES + l;
            lane[l] = s < samples ? (input_at(s, u) + 1) * (input_at(s, N - 1 - u) + 1) : 0;
        }
        sum += tree(lane, LANES);
    }
    return sum;
}

static float expected(int64_t samples, int64_t chunk, int u)
{
    int64_t nblocks = (samples + LANES - 1) / LANES;
    float sum = 0;
    for (int64_t first = 0; first < nblocks; first += chunk) {
        int64_t end = first + chunk < nblocks ? first + chunk : nblocks;
        sum += chunk_sum(samples, first, end, u);
    }
    return sum;
}

/* Scratch and parts as the trainer has them, and not a byte more. */
static void compare(Jit *jit, Hand *h, Room *r, const Buffer *y, int64_t samples, int threads)
{
    const Program *p = &h->program;
    int64_t nblocks = (samples + LANES - 1) / LANES, chunks = (nblocks + p->chunk - 1) / p->chunk;
    int64_t under_way = aecc_scratch_blocks(nblocks, p->chunk, 0, threads);
    int64_t round = aecc_round(nblocks, p->chunk, threads, p->part_bytes);
    char *fixed = calloc(1, (size_t)p->fixed_bytes + 64);
    char *scratch = aligned_alloc(64, (size_t)(under_way * p->scratch_bytes));
    char *parts = aligned_alloc(64, (size_t)((chunks < round ? chunks : round) * LARGE_PART));
    aecc_call call = {.fixed = fixed,
                      .samples = samples,
                      .scratch = scratch,
                      .scratch_stride = p->scratch_bytes,
                      .parts = parts,
                      .part_stride = p->part_bytes};
    memset(r->loads, 0, sizeof r->loads);
    jit_call(jit, 0, &call, threads, fill, r);
    for (int u = 0; u < N; u++)
        assert_float_equal(((float *)(void *)(fixed + y->offset))[u],
                           expected(samples, p->chunk, u), 0);
    for (int64_t b = 0; b < nblocks; b++)
        assert_int_equal(r->loads[b], 1);
    free(fixed);
    free(scratch);
    free(parts);
}

static void test_chunks(void **state)
{
    static const int64_t chunk[] = {1, 2, 5, 100}, samples[] = {1, 24, 100, 256, 1000};
    static const int threads[] = {1, 2, 3, 8};
    TargetOptions host = {.level = 1};
    (void)state;
    for (int c = 0; c < 4; c++) {
        Buffer *x, *y;
        Hand *h = segment(chunk[c], &x, &y);
        for (int k = 0; k < h->program.nkernels; k++)
            verify_kernel(h->program.kernels[k]);
        Jit *jit = jit_open(&h->model, &host);
        Room r = {.x = x};
        for (int s = 0; s < 5; s++)
            for (int t = 0; t < 4; t++)
                compare(jit, h, &r, y, samples[s], threads[t]);
        jit_close(jit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chunks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
