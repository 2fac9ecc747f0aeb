/* Filters of views: which rows stay, of which array and in which order. */
#include "data/data_test.h"

typedef struct fixture {
    data_array bytes, floats, numbers, labels; /* 10, 4, 10 and 14 samples */
    data_array kept[8];
} fixture;

static int set_up(void **state)
{
    static unsigned char bytes[20];
    static float floats[8];
    static const unsigned char numbers[10] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0};
    static const double labels[14] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 7.5, 7.5, 5, -1, 7.5};
    fixture *f = calloc(1, sizeof *f);
    for (int i = 0; i < 20; i++)
        bytes[i] = (unsigned char)i;
    for (int i = 0; i < 8; i++)
        floats[i] = 100 + (float)i;
    f->bytes = data_borrow("bytes", DATA_U8, 2, (int64_t[]){10, 2}, bytes);
    f->floats = data_borrow("floats", DATA_F32, 2, (int64_t[]){4, 2}, floats);
    f->numbers = data_borrow("numbers", DATA_U8, 1, (int64_t[]){10}, numbers);
    f->labels = data_borrow("labels", DATA_F64, 2, (int64_t[]){14, 1}, labels);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    data_close(&f->bytes);
    data_close(&f->floats);
    data_close(&f->numbers);
    data_close(&f->labels);
    for (int i = 0; i < 8; i++)
        data_close(&f->kept[i]);
    free(f);
    return 0;
}

/* The first elements of the samples of a component, as they are gathered. */
static void expect_first(const data_component *c, const char *wanted)
{
    char text[256] = "", *at = text;
    for (int64_t i = 0; i < c->samples; i++) {
        float sample[2];
        gather_sample(c, i, 2, sample);
        assert_true(sample[1] == sample[0] + 1);
        at += sprintf(at, "%s%g", i ? " " : "", (double)sample[0]);
    }
    assert_string_equal(text, wanted);
}

static void expect_filter(fixture *f, const data_view *view, const data_array *by,
                          const double *keep, int nkeep, const char *wanted)
{
    data_view numbers = data_view_of(by, NULL), out;
    rt_error error;
    if (!data_filter(&out, view, &numbers, keep, nkeep, f->kept, &error))
        fail_msg("%s", error.text);
    for (int i = 0; i < out.ncomponents; i++) {
        assert_int_equal(out.components[i].samples, out.samples);
        expect_first(&out.components[i], wanted);
    }
    data_view_free(&out);
    data_view_free(&numbers);
    for (int i = 0; i < 8; i++)
        data_close(&f->kept[i]);
}

static void test_one_file(void **state)
{
    fixture *f = *state;
    data_view view = data_view_of(&f->bytes, NULL);
    expect_filter(f, &view, &f->numbers, (double[]){1}, 1, "2 8 14");
    expect_filter(f, &view, &f->numbers, (double[]){2, 0}, 2, "0 4 6 10 12 16 18");
    data_view_free(&view);
}

/* Runs of two types, the second of which is cut; scaling stays. */
static void test_runs(void **state)
{
    fixture *f = *state;
    data_view parts[2] = {data_view_of(&f->bytes, NULL), data_view_of(&f->floats, NULL)}, both;
    rt_error error;
    assert_true(data_concat(&both, parts, 2, &error));
    expect_filter(f, &both, &f->labels, (double[]){7.5}, 1, "18 100 106");
    expect_filter(f, &both, &f->labels, (double[]){-1}, 1, "104");
    data_view slice = data_slice(&both, 4, 10), zipped, pair[2] = {slice, slice};
    assert_true(data_zip(&zipped, pair, 2, &error));
    expect_filter(f, &zipped, &f->numbers, (double[]){2}, 1, "12 18 104");
    data_view_free(&zipped);
    data_view_free(&slice);
    data_view_free(&both);
    data_view_free(&parts[0]);
    data_view_free(&parts[1]);
}

/* Of sequences the places stay, and each its length. */
static void test_sequences(void **state)
{
    fixture *f = *state;
    data_array lengths =
        data_borrow("lengths", DATA_U8, 1, (int64_t[]){4}, (unsigned char[]){1, 4, 2, 3});
    data_array by = data_borrow("by", DATA_U8, 1, (int64_t[]){4}, (unsigned char[]){9, 3, 9, 3});
    rt_error error;
    assert_true(data_set_lengths(&f->bytes, &lengths, 2, &error));
    data_view view = data_view_of(&f->bytes, NULL), numbers = data_view_of(&by, NULL), out;
    assert_true(data_filter(&out, &view, &numbers, (double[]){3}, 1, f->kept, &error));
    int32_t steps[2];
    float sample[8];
    gather_lengths(&out.components[0], (int64_t[]){0, 1}, 2, 2, steps);
    assert_true(out.samples == 2 && steps[0] == 4 && steps[1] == 3);
    gather_sample(&out.components[0], 1, 8, sample);
    assert_true(sample[0] == 14 && sample[5] == 19 && sample[6] == 0);
    data_view_free(&out);
    data_view_free(&view);
    data_view_free(&numbers);
    data_close(&lengths);
    data_close(&by);
}

static void expect_refusal(fixture *f, const data_array *by, int nkeep, const char *text)
{
    data_view view = data_view_of(&f->bytes, NULL), numbers = data_view_of(by, NULL), out;
    rt_error error;
    assert_false(data_filter(&out, &view, &numbers, (double[]){11, 12}, nkeep, f->kept, &error));
    assert_int_equal(error.status, RT_BAD_INPUT);
    if (strstr(error.text, text) == NULL)
        fail_msg("expected: %s\nfound: %s", text, error.text);
    assert_non_null(strchr(error.text, '\n'));
    data_view_free(&view);
    data_view_free(&numbers);
}

static void test_refusals(void **state)
{
    fixture *f = *state;
    expect_refusal(f, &f->floats, 1, "floats: samples of the shape [2]");
    expect_refusal(f, &f->labels, 1, "bytes has 10 samples, labels has 14 numbers");
    expect_refusal(f, &f->numbers, 1, "none of the 10 numbers is 11");
    expect_refusal(f, &f->numbers, 2, "none of the 10 numbers is one of those");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sequences, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
