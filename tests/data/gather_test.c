/* Blocks against the plainest loop, bit for bit: every type, odd sizes,
 * scaling, mixed runs, dead lanes, and back to rows. */
#include "data/data_test.h"

enum { LANES = AECC_LANES, SAMPLES = 37, MAX_ELEMENTS = 100, CANARY = 0x5a };

/* Each step rounded: volatile keeps the compiler from fusing them. */
static float scaled(float x, data_affine f)
{
    volatile float quotient = x / f.divide, product = quotient * f.multiply;
    return product + f.add;
}

static void fill(data_type type, void *values, int64_t count)
{
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        int32_t v = (int32_t)(state >> 8) - (1 << 23);
        switch (type) {
        case DATA_U8: ((uint8_t *)values)[i] = (uint8_t)v; break;
        case DATA_I8: ((int8_t *)values)[i] = (int8_t)v; break;
        case DATA_U16: ((uint16_t *)values)[i] = (uint16_t)v; break;
        case DATA_I16: ((int16_t *)values)[i] = (int16_t)v; break;
        case DATA_I32: ((int32_t *)values)[i] = v * 200; break;
        case DATA_I64: ((int64_t *)values)[i] = (int64_t)v * 3000000; break;
        case DATA_F32: ((float *)values)[i] = (float)v / 777; break;
        case DATA_F64: ((double *)values)[i] = (double)v / 999; break;
        }
    }
}

static float value_at(const data_array *a, int64_t i)
{
    switch (a->type) {
    case DATA_U8: return (float)((const uint8_t *)a->values)[i];
    case DATA_I8: return (float)((const int8_t *)a->values)[i];
    case DATA_U16: return (float)((const uint16_t *)a->values)[i];
    case DATA_I16: return (float)((const int16_t *)a->values)[i];
    case DATA_I32: return (float)((const int32_t *)a->values)[i];
    case DATA_I64: return (float)((const int64_t *)a->values)[i];
    case DATA_F32: return ((const float *)a->values)[i];
    case DATA_F64: return (float)((const double *)a->values)[i];
    }
    return 0;
}

static float expected_at(const data_component *c, int64_t sample, int64_t element)
{
    const data_run *run = c->runs;
    while (sample >= run->count)
        sample -= run++->count;
    return scaled(value_at(run->array, (run->first + sample) * c->elements + element), run->affine);
}

static void expect_block(const data_component *c, const int64_t *samples)
{
    float *out = aligned_alloc(64, (MAX_ELEMENTS + 1) * LANES * sizeof *out);
    float *end = out + c->elements * LANES;
    assert_non_null(out);
    memset(out, CANARY, (MAX_ELEMENTS + 1) * LANES * sizeof *out);
    gather_prefetch(c, samples);
    gather_block(c, samples, c->elements, out);
    for (int64_t e = 0; e < c->elements; e++)
        for (int lane = 0; lane < LANES; lane++) {
            float expected = expected_at(c, samples[lane], e);
            if (memcmp(&out[e * LANES + lane], &expected, sizeof expected) != 0)
                fail_msg("element %d, lane %d: %.9g, expected %.9g", (int)e, lane,
                         (double)out[e * LANES + lane], (double)expected);
        }
    for (size_t i = 0; i < LANES * sizeof *end; i++)
        assert_int_equal(((unsigned char *)end)[i], CANARY);
    free(out);
}

static void expect_sample(const data_component *c, int64_t sample)
{
    float *out = malloc((size_t)(c->elements + 1) * sizeof *out);
    assert_non_null(out);
    memset(out, CANARY, (size_t)(c->elements + 1) * sizeof *out);
    gather_sample(c, sample, c->elements, out);
    for (int64_t e = 0; e < c->elements; e++) {
        float expected = expected_at(c, sample, e);
        assert_memory_equal(&out[e], &expected, sizeof expected);
    }
    assert_int_equal(((unsigned char *)(out + c->elements))[0], CANARY);
    free(out);
}

/* The first block, a permuted one, and a short one with a repeated sample. */
static void expect_blocks(const data_component *c)
{
    int64_t samples[LANES];
    for (int i = 0; i < LANES; i++)
        samples[i] = i;
    expect_block(c, samples);
    for (int i = 0; i < LANES; i++)
        samples[i] = (i * 11 + 5) % c->samples;
    expect_block(c, samples);
    for (int i = 0; i < LANES; i++)
        samples[i] = c->samples - 3 + (i < 2 ? i : 2);
    expect_block(c, samples);
    expect_sample(c, samples[1]);
}

static const data_affine scalings[] = {
    {1, 1, 0},          {255, 1, 0}, {127.5f, 1, -1},  {2, 3, -1},
    {0.3f, 1.7f, 0.1f}, {-8, 1, 0},  {16777215, 1, 0}, {1e-30f, 1, 0},
};

/* The array is its own allocation, so a read beyond it is seen. */
static data_array make_array(data_type type, int64_t elements)
{
    size_t size = data_type_size(type) * (size_t)(SAMPLES * elements);
    void *values = malloc(size);
    assert_non_null(values);
    fill(type, values, SAMPLES * elements);
    data_array array = data_borrow("test", type, 2, (int64_t[]){SAMPLES, elements}, values);
    array.memory = values;
    return array;
}

static void test_types_and_sizes(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 3, 15, 16, 17, 31, 48, 100};
    for (data_type type = DATA_U8; type <= DATA_F64; type++)
        for (size_t size = 0; size < sizeof sizes / sizeof sizes[0]; size++)
            for (size_t s = 0; s < sizeof scalings / sizeof scalings[0]; s++) {
                data_array array = make_array(type, sizes[size]);
                data_view view = data_view_of(&array, &scalings[s]);
                expect_blocks(&view.components[0]);
                data_view_free(&view);
                data_close(&array);
            }
}

/* All bytes by all divisors that a program may hold: never an ulp apart. */
static void test_division_of_bytes(void **state)
{
    (void)state;
    unsigned char bytes[LANES * 16];
    int64_t samples[LANES];
    float *out = aligned_alloc(64, sizeof bytes * sizeof *out);
    assert_non_null(out);
    for (int i = 0; i < LANES * 16; i++)
        bytes[i] = (unsigned char)i;
    for (int i = 0; i < LANES; i++)
        samples[i] = i;
    data_array array = data_borrow("test", DATA_U8, 2, (int64_t[]){LANES, 16}, bytes);
    for (int i = 1; i < 4000; i++) {
        float divide = i < 1000 ? (float)i : (float)i / 7.3f;
        data_view view = data_view_of(&array, &(data_affine){divide, 1, 0});
        gather_block(&view.components[0], samples, 16, out);
        for (int lane = 0; lane < LANES; lane++)
            for (int e = 0; e < 16; e++)
                assert_true(out[e * LANES + lane] == (float)bytes[lane * 16 + e] / divide);
        data_view_free(&view);
    }
    data_close(&array);
    free(out);
}

static void test_mixed_runs(void **state)
{
    (void)state;
    data_array bytes = make_array(DATA_U8, 21), floats = make_array(DATA_F32, 21);
    rt_error error;
    data_view parts[3] = {data_view_of(&bytes, &scalings[1]), data_view_of(&floats, NULL),
                          data_view_of(&bytes, &scalings[2])};
    data_view all, part;
    assert_true(data_concat(&all, parts, 3, &error));
    expect_blocks(&all.components[0]);
    assert_true(data_split(&part, &all, "s", true, false, SAMPLES + 9, 0, &error));
    expect_blocks(&part.components[0]);
    for (int i = 0; i < 3; i++)
        data_view_free(&parts[i]);
    data_view_free(&all);
    data_view_free(&part);
    data_close(&bytes);
    data_close(&floats);
}

static void test_integers(void **state)
{
    (void)state;
    int64_t samples[LANES];
    int32_t out[17 * LANES];
    for (int i = 0; i < LANES; i++)
        samples[i] = (i * 5) % SAMPLES;
    for (data_type type = DATA_U8; type <= DATA_I32; type++) {
        data_array array = make_array(type, 17);
        data_view view = data_view_of(&array, NULL);
        gather_block_i32(&view.components[0], samples, 17, out);
        for (int e = 0; e < 17; e++)
            for (int lane = 0; lane < LANES; lane++)
                assert_true((float)out[e * LANES + lane] ==
                            value_at(&array, samples[lane] * 17 + e));
        data_view_free(&view);
        data_close(&array);
    }
}

static void test_back_to_rows(void **state)
{
    (void)state;
    enum { STRIDE = MAX_ELEMENTS + 3 };
    float lanes[MAX_ELEMENTS * LANES], rows[LANES * STRIDE];
    for (int i = 0; i < MAX_ELEMENTS * LANES; i++)
        lanes[i] = (float)i;
    for (int elements = 1; elements <= MAX_ELEMENTS; elements += 7)
        for (int live = 1; live <= LANES; live++) {
            memset(rows, CANARY, sizeof rows);
            float untouched = rows[0];
            block_to_rows(lanes, elements, live, rows, STRIDE);
            for (int i = 0; i < LANES; i++)
                for (int e = 0; e < STRIDE; e++)
                    assert_true(rows[i * STRIDE + e] ==
                                (i < live && e < elements ? lanes[e * LANES + i] : untouched));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_sizes), cmocka_unit_test(test_division_of_bytes),
        cmocka_unit_test(test_mixed_runs),      cmocka_unit_test(test_integers),
        cmocka_unit_test(test_back_to_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
