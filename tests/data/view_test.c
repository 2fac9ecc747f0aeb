/* Views against a list of (file, row) pairs, and what they refuse. */
#include "data/data_test.h"

typedef struct fixture {
    data_array a, b; /* 10 samples [2] of a, 4 of b */
    data_view va, vb;
} fixture;

static int set_up(void **state)
{
    static const unsigned char bytes[20], more[8];
    fixture *f = calloc(1, sizeof *f);
    f->a = data_borrow("a", DATA_U8, 2, (int64_t[]){10, 2}, bytes);
    f->b = data_borrow("b", DATA_U8, 2, (int64_t[]){4, 2}, more);
    f->va = data_view_of(&f->a, NULL);
    f->vb = data_view_of(&f->b, NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    data_view_free(&f->va);
    data_view_free(&f->vb);
    data_close(&f->a);
    data_close(&f->b);
    free(f);
    return 0;
}

/* "a3 a4 b0" for a component; letters are names of files. */
static void expect_rows(const data_component *c, const char *rows)
{
    char text[256] = "", *at = text;
    int64_t samples = 0;
    for (int i = 0; i < c->nruns; i++)
        for (int64_t row = 0; row < c->runs[i].count; row++, samples++)
            at += sprintf(at, "%s%s%d", at > text ? " " : "", c->runs[i].array->path,
                          (int)(c->runs[i].first + row));
    assert_string_equal(text, rows);
    assert_int_equal(c->samples, samples);
}

static void expect_split(const data_view *view, bool last, bool rest, int64_t count,
                         double fraction, const char *rows)
{
    data_view part;
    rt_error error;
    assert_true(data_split(&part, view, "s", last, rest, count, fraction, &error));
    expect_rows(&part.components[0], rows);
    assert_int_equal(part.samples, part.components[0].samples);
    data_view_free(&part);
}

static void test_split(void **state)
{
    fixture *f = *state;
    expect_split(&f->va, true, false, 3, 0, "a7 a8 a9");
    expect_split(&f->va, true, true, 3, 0, "a0 a1 a2 a3 a4 a5 a6");
    expect_split(&f->va, false, false, 3, 0, "a0 a1 a2");
    expect_split(&f->va, false, true, 8, 0, "a8 a9");
    expect_split(&f->va, true, false, 0, 0.2, "a8 a9");
    expect_split(&f->va, true, true, 0, 0.75, "a0 a1");
    expect_split(&f->vb, false, false, 0, 0.5, "b0 b1");
}

static void test_concat(void **state)
{
    fixture *f = *state;
    data_view parts[3] = {f->vb, f->va, f->vb}, all;
    rt_error error;
    assert_true(data_concat(&all, parts, 3, &error));
    assert_int_equal(all.samples, 18);
    expect_rows(&all.components[0], "b0 b1 b2 b3 a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 b0 b1 b2 b3");
    expect_split(&all, true, false, 6, 0, "a8 a9 b0 b1 b2 b3");
    expect_split(&all, true, true, 6, 0, "b0 b1 b2 b3 a0 a1 a2 a3 a4 a5 a6 a7");
    expect_split(&all, false, false, 4, 0, "b0 b1 b2 b3");
    data_view_free(&all);
}

static void test_zip(void **state)
{
    fixture *f = *state;
    data_view parts[2] = {f->va, f->va}, pairs, nested;
    rt_error error;
    assert_true(data_zip(&pairs, parts, 2, &error));
    data_view three[2] = {pairs, f->va};
    assert_true(data_zip(&nested, three, 2, &error));
    assert_int_equal(nested.ncomponents, 3);
    data_view part;
    assert_true(data_split(&part, &nested, "s", false, true, 8, 0, &error));
    for (int i = 0; i < 3; i++)
        expect_rows(&part.components[i], "a8 a9");
    data_view_free(&pairs);
    data_view_free(&nested);
    data_view_free(&part);
}

static void expect_text(const rt_error *error, const char *text)
{
    assert_int_equal(error->status, RT_BAD_INPUT);
    if (strstr(error->text, text) == NULL)
        fail_msg("expected: %s\nfound: %s", text, error->text);
}

static void test_messages(void **state)
{
    fixture *f = *state;
    data_view out, parts[2] = {f->va, f->vb};
    rt_error error;
    assert_false(data_zip(&out, parts, 2, &error));
    expect_text(&error, "part 1 (a) has 10 samples, part 2 (b) has 4");
    assert_false(data_split(&out, &f->va, "fashion", true, false, 10, 0, &error));
    expect_text(&error, "fashion: a split of 10 of its 10 samples leaves the other part empty");
    assert_false(data_split(&out, &f->va, "fashion", true, true, 5000, 0, &error));
    expect_text(&error, "a split of 5000 of its 10 samples");
    assert_false(data_split(&out, &f->va, "fashion", true, true, 0, 0.01, &error));
    expect_text(&error, "leaves that part empty");
    data_array other = data_borrow("c", DATA_U8, 3, (int64_t[]){1, 1, 2}, "xy");
    parts[1] = data_view_of(&other, NULL);
    assert_false(data_concat(&out, parts, 2, &error));
    expect_text(&error, "samples of a have the shape [2], those of c [1, 2]");
    data_view_free(&parts[1]);
    data_close(&other);
}

static bool fills(const data_component *c, int rank, const int64_t *dims, bool integer,
                  rt_error *error)
{
    data_input input = {integer ? "y" : "x", rank, dims, integer, false};
    return data_check(c, &input, error);
}

static void test_check(void **state)
{
    fixture *f = *state;
    rt_error error;
    const data_component *c = &f->va.components[0];
    assert_true(fills(c, 1, (int64_t[]){2}, false, &error));
    assert_true(fills(c, 3, (int64_t[]){1, 2, 1}, true, &error));
    assert_false(fills(c, 2, (int64_t[]){28, 28}, false, &error));
    expect_text(&error, "a: its samples have the shape [2], 2 elements; the input x takes "
                        "[28, 28], 784 elements");
}

static void expect_integers(data_type type, const void *values, bool good)
{
    rt_error error;
    data_array array = data_borrow("labels", type, 1, (int64_t[]){2}, values);
    data_view view = data_view_of(&array, NULL);
    assert_int_equal(fills(&view.components[0], 0, NULL, true, &error), good);
    if (!good)
        expect_text(&error, "sample 1, element 0 is not an integer of 32 bits");
    data_view_free(&view);
    data_close(&array);
}

static void test_integers(void **state)
{
    (void)state;
    rt_error error;
    expect_integers(DATA_I64, (int64_t[]){INT32_MIN, INT32_MAX}, true);
    expect_integers(DATA_I64, (int64_t[]){0, 1ll << 31}, false);
    expect_integers(DATA_F32, (float[]){-7, 9}, true);
    expect_integers(DATA_F32, (float[]){0, 0.5f}, false);
    expect_integers(DATA_F32, (float[]){0, 3e9f}, false);
    expect_integers(DATA_F64, (double[]){1, 2147483648.0}, false);
    data_array array = data_borrow("labels", DATA_U8, 1, (int64_t[]){2}, "ab");
    data_view view = data_view_of(&array, &(data_affine){255, 1, 0});
    assert_false(fills(&view.components[0], 0, NULL, true, &error));
    expect_text(&error, "the input y takes integers, but its data is scaled");
    data_view_free(&view);
    data_close(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_split, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_concat, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_zip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
        cmocka_unit_test(test_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
