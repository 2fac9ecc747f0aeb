/* Sequences: lengths, series of a CSV, windows; where each sample lies, what
 * is gathered of it, and what is refused. */
#include "data/data_test.h"

enum { LANES = AECC_LANES };

static void expect_text(const rt_error *error, const char *text)
{
    if (strstr(error->text, text) == NULL)
        fail_msg("expected: %s\nfound: %s", text, error->text);
    assert_int_equal(error->status, RT_BAD_INPUT);
}

/* An array [steps, 2] with 10 s, 10 s + 1 in step s; its own allocation, so
 * that a read beyond it is seen. */
static data_array steps_of(data_type type, int64_t steps)
{
    size_t size = data_type_size(type);
    void *values = malloc(size * (size_t)(2 * steps));
    assert_non_null(values);
    for (int64_t i = 0; i < 2 * steps; i++) {
        int value = (int)(i / 2 * 10 + i % 2);
        if (type == DATA_U8)
            ((uint8_t *)values)[i] = (uint8_t)value;
        else if (type == DATA_I16)
            ((int16_t *)values)[i] = (int16_t)value;
        else
            ((float *)values)[i] = (float)value;
    }
    data_array array = data_borrow("x", type, 2, (int64_t[]){steps, 2}, values);
    array.memory = values;
    return array;
}

static bool set_lengths(data_array *array, int64_t step, int n, const int64_t *values,
                        rt_error *error)
{
    data_array lengths = data_borrow("l", DATA_I64, 1, (int64_t[]){n}, values);
    bool good = data_set_lengths(array, &lengths, step, error);
    data_close(&lengths);
    return good;
}

/* The same as [sequences, room, 2]: steps of one sequence, then what is no
 * number, which nothing may read. */
static data_array padded(int n, const int64_t *lengths, int64_t room)
{
    float *values = malloc(sizeof *values * (size_t)(n * room * 2));
    assert_non_null(values);
    int64_t step = 0;
    for (int i = 0; i < n; i++)
        for (int64_t t = 0; t < room; t++)
            for (int k = 0; k < 2; k++)
                values[(i * room + t) * 2 + k] =
                    t < lengths[i] ? (float)((step + t) * 10 + k) : (0.0f / 0.0f),
                                            step += t + 1 == lengths[i] && k == 1 ? lengths[i] : 0;
    data_array array = data_borrow("x", DATA_F32, 3, (int64_t[]){n, room, 2}, values);
    array.memory = values;
    return array;
}

/* "0-2 3-9": the first and last step of every sample. */
static void expect_places(const data_component *c, const char *places)
{
    char text[256] = "", *at = text;
    for (int64_t i = 0; i < c->samples; i++) {
        float *out = calloc((size_t)c->elements, sizeof *out);
        int32_t length;
        assert_non_null(out);
        gather_sample(c, i, c->elements, out);
        gather_lengths(c, &i, 1, 2, &length);
        at += sprintf(at, "%s%d-%d", i > 0 ? " " : "", (int)out[0] / 10,
                      (int)out[2 * length - 2] / 10);
        for (int64_t e = 2 * length; e < c->elements; e++)
            assert_true(out[e] == 0);
        free(out);
    }
    assert_string_equal(text, places);
}

static void expect_array(const data_array *array, const char *places)
{
    data_view view = data_view_of(array, NULL);
    expect_places(&view.components[0], places);
    data_view_free(&view);
}

static void test_lengths(void **state)
{
    (void)state;
    rt_error error;
    const int64_t lengths[] = {3, 1, 6};
    for (int64_t step = 0; step <= 2; step += 2) {
        data_array array = steps_of(DATA_F32, 10);
        assert_true(set_lengths(&array, step, 3, lengths, &error));
        expect_shape(&array, DATA_F32, 3, (int64_t[]){3, 6, 2});
        expect_array(&array, "0-2 3-3 4-9");
        data_close(&array);
        array = padded(3, lengths, 8);
        assert_true(set_lengths(&array, step, 3, lengths, &error));
        expect_shape(&array, DATA_F32, 3, (int64_t[]){3, 6, 2});
        expect_array(&array, "0-2 3-3 4-9");
        assert_true(data_check_finite(&array, &error)); /* what pads is not read */
        data_close(&array);
    }
}

static void refuse(int n, const int64_t *lengths, const char *text)
{
    rt_error error;
    data_array array = steps_of(DATA_F32, 10);
    assert_false(set_lengths(&array, 2, n, lengths, &error));
    expect_text(&error, text);
    data_close(&array);
}

/* Steps of samples need two axes more than a step has. */
static void test_axes_refused(void **state)
{
    (void)state;
    const int64_t dims[DATA_MAX_RANK] = {4, 1, 1, 1, 1, 1, 1, 1};
    static const float values[4] = {1, 2, 3, 4};
    data_array array = data_borrow("x", DATA_F32, DATA_MAX_RANK, dims, values), cuts[1] = {{0}};
    data_view view = data_view_of(&array, NULL), windows;
    int64_t skipped;
    rt_error error;
    assert_false(data_windows(&windows, &view, 2, 1, cuts, &skipped, &error));
    expect_text(&error, "x: windows of steps with more than 6 axes");
    assert_false(set_lengths(&array, 1, 2, (int64_t[]){1, 3}, &error));
    expect_text(&error, "x: sequences of steps with more than 6 axes");
    data_view_free(&view);
    data_close(&array);
}

static void test_lengths_refused(void **state)
{
    (void)state;
    rt_error error;
    refuse(3, (int64_t[]){3, 0, 7}, "l: the length of sequence 1 (from 0) is zero");
    refuse(3, (int64_t[]){3, -1, 8}, "l: the length of sequence 1 (from 0) is -1");
    refuse(2, (int64_t[]){3, INT64_MAX},
           "l: the length of sequence 1 (from 0) is 9223372036854775808, more than the maximum, "
           "2147483647");
    refuse(2, (int64_t[]){3, 6},
           "l: the lengths add up to fewer than the 10 steps of x: its "
           "shape is [10, 2]");
    refuse(3, (int64_t[]){3, 6, 2}, "l: the lengths add up to more than the 10 steps of x");
    data_array halves = data_borrow("l", DATA_F32, 1, (int64_t[]){2}, (float[]){2, 7.5f});
    data_array array = steps_of(DATA_F32, 10);
    assert_false(data_set_lengths(&array, &halves, 2, &error));
    expect_text(&error, "l: the length of sequence 1 (from 0) is 7.5\n"
                        "a length is a whole number of steps");
    data_close(&halves);
    data_array pairs = data_borrow("l", DATA_U8, 2, (int64_t[]){2, 2}, "abcd");
    assert_false(data_set_lengths(&array, &pairs, 2, &error));
    expect_text(&error, "l: 2 numbers for each sequence, expected one");
    data_close(&pairs);
    data_close(&array);
    const int64_t lengths[] = {3, 1, 6};
    array = padded(3, lengths, 6);
    assert_false(set_lengths(&array, 2, 2, lengths, &error));
    expect_text(&error, "l: 2 lengths, but x has 3 sequences: its shape is [3, 6, 2]");
    assert_false(set_lengths(&array, 2, 3, (int64_t[]){3, 1, 7}, &error));
    expect_text(&error, "the length of sequence 2 (from 0) is 7, but x has room for 6 steps");
    data_close(&array);
}

/* ---- Gathering ---------------------------------------------------------------- */

/* Blocks of mixed lengths against one sample after another, bit for bit. */
static void expect_blocks(const data_component *c, int64_t elements)
{
    float *out = aligned_alloc(64, (size_t)(elements + 1) * LANES * sizeof *out);
    float *one = malloc((size_t)elements * sizeof *one);
    assert_non_null(out);
    assert_non_null(one);
    for (int shift = 0; shift < 7; shift++) {
        int64_t samples[LANES];
        for (int i = 0; i < LANES; i++)
            samples[i] = (i * 5 + shift) % c->samples;
        memset(out, 0x5a, (size_t)(elements + 1) * LANES * sizeof *out);
        gather_prefetch(c, samples);
        gather_block(c, samples, elements, out);
        for (int lane = 0; lane < LANES; lane++) {
            gather_sample(c, samples[lane], elements, one);
            for (int64_t e = 0; e < elements; e++)
                assert_memory_equal(&out[e * LANES + lane], &one[e], sizeof *one);
        }
        assert_int_equal(((unsigned char *)(out + elements * LANES))[0], 0x5a);
    }
    free(one);
    free(out);
}

static void test_blocks(void **state)
{
    (void)state;
    static const int64_t some[] = {3, 1, 6, 14, 9, 20, 8, 16, 7, 3}, alike[] = {16, 16, 16, 16};
    static const data_type types[] = {DATA_U8, DATA_I16, DATA_F32};
    static const data_affine scalings[] = {{1, 1, 0}, {255, 1, 0}, {3, 1, -1}};
    rt_error error;
    for (int t = 0; t < 3; t++)
        for (int k = 0; k < 3; k++)
            for (int64_t room = 20; room <= 33; room += 13) {
                data_array array = steps_of(types[t], 87), even = steps_of(types[t], 64);
                assert_true(set_lengths(&array, 2, 10, some, &error));
                assert_true(set_lengths(&even, 2, 4, alike, &error));
                data_view parts[2] = {data_view_of(&even, &scalings[2 - k]),
                                      data_view_of(&array, &scalings[k])};
                data_view all;
                assert_true(data_concat(&all, parts, 2, &error));
                assert_int_equal(all.components[0].elements, 40);
                expect_blocks(&parts[0].components[0], 2 * room);
                expect_blocks(&parts[0].components[0], 32);
                expect_blocks(&parts[1].components[0], 2 * room);
                expect_blocks(&all.components[0], 2 * room);
                data_view_free(&all);
                data_view_free(&parts[0]);
                data_view_free(&parts[1]);
                data_close(&array);
                data_close(&even);
            }
}

/* Zeros are zeros, whatever the program adds to samples. */
static void test_padding(void **state)
{
    (void)state;
    rt_error error;
    data_array array = steps_of(DATA_F32, 3);
    assert_true(set_lengths(&array, 2, 2, (int64_t[]){1, 2}, &error));
    data_view view = data_view_of(&array, &(data_affine){1, 2, 5});
    float out[6];
    gather_sample(&view.components[0], 0, 6, out);
    assert_memory_equal(out, ((float[]){5, 7, 0, 0, 0, 0}), sizeof out);
    int32_t whole[4 * LANES], lengths[LANES];
    int64_t samples[LANES] = {1};
    gather_block_i32(&view.components[0], samples, 4, whole);
    assert_int_equal(whole[0], 10);
    assert_int_equal(whole[3 * LANES], 21);
    assert_int_equal(whole[LANES + 1], 1);
    assert_int_equal(whole[2 * LANES + 1], 0);
    gather_lengths(&view.components[0], samples, LANES, 2, lengths);
    assert_int_equal(lengths[0], 2);
    assert_int_equal(lengths[1], 1);
    data_view_free(&view);
    data_close(&array);
}

/* ---- Inputs --------------------------------------------------------------------- */

static void test_inputs(void **state)
{
    (void)state;
    rt_error error;
    data_array array = steps_of(DATA_F32, 10);
    assert_true(set_lengths(&array, 2, 3, (int64_t[]){3, 1, 6}, &error));
    data_view view = data_view_of(&array, NULL);
    data_input input = {"x", 2, (int64_t[]){6, 2}, true, true};
    assert_true(data_check(&view.components[0], &input, &error));
    input.dims = (int64_t[]){5, 2};
    assert_false(data_check(&view.components[0], &input, &error));
    expect_text(&error, "x: sequence 2 (from 0) has 6 steps, the input x takes up to 5");
    input.dims = (int64_t[]){6, 4};
    assert_false(data_check(&view.components[0], &input, &error));
    expect_text(&error, "the input x takes up to [6, 4]");
    input = (data_input){"x", 2, (int64_t[]){6, 2}, false, false};
    assert_false(data_check(&view.components[0], &input, &error));
    expect_text(&error, "sequence 0 (from 0) has 3 steps, the input x takes sequences of 6 only");
    data_view last = data_slice(&view, 2, 1);
    assert_true(data_check(&last.components[0], &input, &error));
    data_view_free(&last);
    data_view_free(&view);
    data_close(&array);
}

static void test_equal(void **state)
{
    (void)state;
    rt_error error;
    static const uint8_t bytes[24];
    data_array array = data_borrow("x", DATA_U8, 2, (int64_t[]){2, 12}, bytes);
    assert_true(data_set_equal(&array, 3, &error));
    expect_shape(&array, DATA_U8, 3, (int64_t[]){2, 4, 3});
    data_close(&array);
    array = data_borrow("x", DATA_U8, 3, (int64_t[]){2, 4, 3}, bytes);
    assert_true(data_set_equal(&array, 0, &error));
    expect_shape(&array, DATA_U8, 3, (int64_t[]){2, 4, 3});
    assert_int_equal(array.sequences->step, 3);
    data_close(&array);
    array = data_borrow("x", DATA_U8, 2, (int64_t[]){2, 12}, bytes);
    assert_false(data_set_equal(&array, 5, &error));
    expect_text(&error, "no whole number of steps of 5 elements");
    data_close(&array);
    array = data_borrow("x", DATA_U8, 1, (int64_t[]){24}, bytes);
    assert_false(data_set_equal(&array, 0, &error));
    expect_text(&error, "its shape is [24], expected a sequence for each sample");
    data_close(&array);
}

/* ---- Windows --------------------------------------------------------------------- */

static void expect_windows(const data_view *of, int64_t length, int64_t stride, const char *places,
                           int64_t skipped)
{
    data_array arrays[4] = {0};
    data_view view;
    rt_error error;
    int64_t found;
    assert_true(data_windows(&view, of, length, stride, arrays, &found, &error));
    assert_int_equal(found, skipped);
    assert_int_equal(view.components[0].dims[0], length);
    assert_int_equal(view.components[0].dims[1], 2);
    expect_places(&view.components[0], places);
    expect_blocks(&view.components[0], 2 * length);
    data_view_free(&view);
    for (int i = 0; i < 4; i++)
        data_close(&arrays[i]);
}

static void test_windows(void **state)
{
    (void)state;
    data_array array = steps_of(DATA_F32, 8);
    data_view view = data_view_of(&array, NULL);
    expect_windows(&view, 5, 1, "0-4 1-5 2-6 3-7", 0);
    expect_windows(&view, 5, 2, "0-4 2-6", 0);
    expect_windows(&view, 3, 3, "0-2 3-5", 0);
    expect_windows(&view, 8, 1, "0-7", 0);
    expect_windows(&view, 1, 4, "0-0 4-4", 0);
    data_view part = data_slice(&view, 2, 5), both;
    expect_windows(&part, 3, 1, "2-4 3-5 4-6", 0);
    rt_error error;
    data_view parts[2] = {part, view};
    assert_true(data_concat(&both, parts, 2, &error));
    expect_windows(&both, 5, 2, "2-6 0-4 2-6", 0);
    expect_windows(&both, 6, 1, "0-5 1-6 2-7", 1);
    data_array arrays[2] = {0};
    int64_t skipped;
    data_view none;
    assert_false(data_windows(&none, &part, 6, 1, arrays, &skipped, &error));
    expect_text(&error, "x: the series is shorter than a window of 6 steps: 5");
    data_close(&arrays[0]);
    data_view_free(&both);
    data_view_free(&part);
    data_view_free(&view);
    data_close(&array);
}

static void test_windows_of_series(void **state)
{
    (void)state;
    rt_error error;
    data_array array = steps_of(DATA_U8, 20);
    assert_true(set_lengths(&array, 2, 5, (int64_t[]){3, 6, 2, 5, 4}, &error));
    data_view view = data_view_of(&array, NULL);
    expect_windows(&view, 3, 1, "0-2 3-5 4-6 5-7 6-8 11-13 12-14 13-15 16-18 17-19", 1);
    expect_windows(&view, 4, 2, "3-6 5-8 11-14 16-19", 2);
    data_view part = data_slice(&view, 1, 3);
    expect_windows(&part, 5, 1, "3-7 4-8 11-15", 1);
    data_array arrays[2] = {0};
    int64_t skipped;
    data_view out;
    assert_true(data_windows(&out, &part, 5, 1, arrays, &skipped, &error));
    data_place place = data_place_of(&arrays[0], 1);
    assert_int_equal(place.series, 0);
    assert_int_equal(place.first, 1);
    data_close(&arrays[0]);
    data_view_free(&out);
    assert_false(data_windows(&out, &view, 7, 1, arrays, &skipped, &error));
    expect_text(&error, "x: all series are shorter than a window of 7 steps: 6");
    data_close(&arrays[0]);
    data_view_free(&part);
    data_view_free(&view);
    data_close(&array);
}

static void refuse_pair(const data_view *a, const data_view *b, const char *text)
{
    rt_error error;
    data_array arrays[2] = {0};
    data_view both = {a->samples, 2, (data_component[]){a->components[0], b->components[0]}}, out;
    int64_t skipped;
    assert_false(data_windows(&out, &both, 3, 1, arrays, &skipped, &error));
    expect_text(&error, text);
}

/* Parts of a zip have series of equal length; those without a window may differ,
 * and are counted once. */
static void test_windows_of_zip(void **state)
{
    (void)state;
    rt_error error;
    static const int64_t of[5][3] = {{4, 5, 2}, {4, 5, 1}, {5, 4, 2}, {2, 5, 4}, {9, 2, 0}};
    data_array arrays[5], windows[2] = {0};
    data_view views[5], out;
    int64_t skipped;
    for (int i = 0; i < 5; i++) {
        arrays[i] = steps_of(DATA_F32, of[i][0] + of[i][1] + of[i][2]);
        free(arrays[i].path);
        arrays[i].path = strdup((const char *[]){"a", "b", "c", "d", "e"}[i]);
        assert_true(set_lengths(&arrays[i], 2, i < 4 ? 3 : 2, of[i], &error));
        views[i] = data_view_of(&arrays[i], NULL);
    }
    refuse_pair(&views[0], &views[2], "a: series 0 (from 0) has 4 steps, that of c has 5");
    refuse_pair(&views[2], &views[3], "c: series 0 (from 0) has 5 steps, that of d has 2");
    data_view part = data_slice(&views[0], 0, 2);
    refuse_pair(&part, &views[0], "a: series 2 (from 0) has 0 steps, that of a has 2");
    refuse_pair(&views[0], &views[4], "a: series 0 (from 0) has 4 steps, that of e has 9");
    data_view last = data_slice(&views[0], 2, 1);
    assert_false(data_windows(&out, &last, 3, 1, windows, &skipped, &error));
    expect_text(&error, "a: the series is shorter than a window of 3 steps: 2");
    data_close(&windows[0]);
    data_view both = {3, 2, (data_component[]){views[0].components[0], views[1].components[0]}};
    assert_true(data_windows(&out, &both, 3, 1, windows, &skipped, &error));
    assert_int_equal(skipped, 1);
    assert_int_equal(out.samples, 5);
    assert_int_equal(out.components[1].samples, 5);
    data_view_free(&out);
    data_view_free(&part);
    data_view_free(&last);
    for (int i = 0; i < 2; i++)
        data_close(&windows[i]);
    for (int i = 0; i < 5; i++) {
        data_view_free(&views[i]);
        data_close(&arrays[i]);
    }
}

/* ---- CSV --------------------------------------------------------------------------- */

static bool read_series(data_array *array, const char *text, rt_error *error)
{
    unsigned char *copy = (unsigned char *)strdup(text);
    assert_non_null(copy);
    *error = (rt_error){0};
    bool good = data_read_csv_series(array, "f.csv", copy, strlen(text), "id", error);
    array->path = strdup("f.csv");
    return good;
}

static void expect_series(const char *text, int64_t longest, const char *places, const char *names)
{
    data_array array;
    rt_error error;
    char found[64] = "";
    if (!read_series(&array, text, &error))
        fail_msg("%s", error.text);
    assert_int_equal(array.dims[1], longest);
    expect_array(&array, places);
    for (int64_t i = 0; i < array.samples; i++)
        strcat(strcat(found, array.sequences->names[i]), "|");
    assert_string_equal(found, names);
    data_close(&array);
}

static void refuse_series(const char *text, const char *message)
{
    data_array array;
    rt_error error;
    assert_false(read_series(&array, text, &error));
    expect_text(&error, message);
    assert_non_null(strchr(error.text, '\n'));
    data_close(&array);
}

static void test_series(void **state)
{
    (void)state;
    expect_series("id,x,y\na,0,1\na,10,11\nb,20,21\nc,30,31\nc,40,41\nc,50,51\n", 3, "0-1 2-2 3-5",
                  "a|b|c|");
    expect_series("x,id,y\r\n0,7,1\r\n10,7,11\r\n20,8,21", 2, "0-1 2-2", "7|8|");
    expect_series("# saved\n\"x\";\"y\";\"id\"\n0;1;\"a, b\"\n\n10;11;a, b\n", 2, "0-1", "a, b|");
    expect_series("id\t1\t2\nab\t0\t1\na\t10\t11\n", 1, "0-0 1-1", "ab|a|");
    expect_series("id,x,y\n\"a \"\"b\"\"\",0,1\n\"\"\"\"\"\",10,11\nc\"\"d,20,21\n", 1,
                  "0-0 1-1 2-2", "a \"b\"|\"\"|c\"\"d|");
    data_array array;
    rt_error error;
    static const char text[] = "\"the \"\"id\"\"\",x\na,1\n";
    unsigned char *copy = (unsigned char *)strdup(text);
    assert_true(data_read_csv_series(&array, "f.csv", copy, strlen(text), "the \"id\"", &error));
    data_close(&array);
}

static void test_series_refused(void **state)
{
    (void)state;
    refuse_series("name,x\na,1\n", "f.csv:1: no column \"id\" to name the series; the first line "
                                   "has name, x");
    refuse_series("1,2\n3,4\n", "no column \"id\" to name the series; the first line has 1, 2");
    refuse_series("id\na\n", "f.csv:1: the only column is \"id\"");
    refuse_series("id,x\na,1\n,2\n", "f.csv:3:1: the name of the series is missing");
    refuse_series("id,x\na,1\nb,2\n\na,3\n", "f.csv:5: series a goes on here, after other series; "
                                             "it began in line 2");
    refuse_series("id,x\na,b\n", "f.csv:2:3: expected a number, found 'b'");
    refuse_series("id,x\na,1,2\n", "f.csv:2: 3 fields, but the lines before have 2");
    refuse_series("id,x\na\n", "f.csv:2: 1 fields");
    refuse_series("id,x\n", "f.csv: the data set is empty");
    refuse_series("", "f.csv: the data set is empty");
    refuse_series("\"id,x\n", "this quote is not closed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),        cmocka_unit_test(test_lengths_refused),
        cmocka_unit_test(test_axes_refused),
        cmocka_unit_test(test_blocks),         cmocka_unit_test(test_padding),
        cmocka_unit_test(test_inputs),         cmocka_unit_test(test_equal),
        cmocka_unit_test(test_windows),        cmocka_unit_test(test_windows_of_series),
        cmocka_unit_test(test_windows_of_zip), cmocka_unit_test(test_series),
        cmocka_unit_test(test_series_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
