/* Pictures read back: pixels, places in the grid, scale, and errors. */
#include "data/data_test.h"

#include "image.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/image_test.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

/* The picture x.png, which is then removed. */
static data_array read_back(void)
{
    data_array array;
    rt_error error;
    if (!data_open(&array, &(data_source){.path = "x.png", .reader = "png"}, &error))
        fail_msg("%s", error.text);
    assert_int_equal(unlink("x.png"), 0);
    return array;
}

static void test_write(void **state)
{
    (void)state;
    rt_error error;
    unsigned char pixels[2 * 5 * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)(i * 7);
    for (int channels = 1; channels <= 3; channels += 2) {
        assert_true(image_write("x.png", 5, 2, channels, pixels, &error));
        data_array array = read_back();
        expect_shape(&array, DATA_U8, channels == 1 ? 3 : 4, (int64_t[]){1, 2, 5, 3});
        assert_memory_equal(array.values, pixels, (size_t)(10 * channels));
        data_close(&array);
    }
}

static void test_grey_grid(void **state)
{
    (void)state;
    rt_error error;
    const float a[4] = {0, 1, 0.5f, 2}, b[4] = {-1, NAN, 0.25f, 0};
    const float *cells[4] = {a, b, NULL, a};
    const image_grid grid = {.rows = 2,
                             .columns = 2,
                             .rank = 2,
                             .dims = (int64_t[]){2, 2},
                             .cells = cells,
                             .scale = 1,
                             .row_gap = 1,
                             .column_gap = 2};
    assert_true(image_write_grid("x.png", &grid, &error));
    data_array array = read_back();
    /* clang-format off */
    const unsigned char expected[7 * 8] = {
        255, 255, 255, 255, 255, 255, 255, 255,
        255, 255,   0, 255, 255, 255, 255, 255,
        255, 127,   0, 255, 255, 191, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255,   0, 255,
        255, 255, 255, 255, 255, 127,   0, 255,
        255, 255, 255, 255, 255, 255, 255, 255,
    };
    /* clang-format on */
    expect_shape(&array, DATA_U8, 3, (int64_t[]){1, 7, 8});
    assert_memory_equal(array.values, expected, sizeof expected);
    data_close(&array);
}

static void test_color_grid(void **state)
{
    (void)state;
    rt_error error;
    const float pixel[3] = {1, 0, 0.5f};
    const float *cells[1] = {pixel};
    const image_grid grid = {.rows = 1,
                             .columns = 1,
                             .rank = 3,
                             .dims = (int64_t[]){1, 1, 3},
                             .cells = cells,
                             .scale = 2};
    assert_true(image_write_grid("x.png", &grid, &error));
    data_array array = read_back();
    expect_shape(&array, DATA_U8, 4, (int64_t[]){1, 4, 4, 3});
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 4; x++) {
            bool inside = y >= 1 && y <= 2 && x >= 1 && x <= 2;
            const unsigned char *at = (const unsigned char *)array.values + 3 * (4 * y + x);
            assert_memory_equal(at, inside ? "\xff\x00\x80" : "\xff\xff\xff", 3);
        }
    data_close(&array);
}

static void test_default_scale(void **state)
{
    (void)state;
    rt_error error;
    static const float sample[28 * 28];
    const float *cells[10];
    for (int i = 0; i < 10; i++)
        cells[i] = sample;
    const image_grid grid = {
        .rows = 2, .columns = 5, .rank = 3, .dims = (int64_t[]){28, 28, 1}, .cells = cells};
    assert_true(image_write_grid("x.png", &grid, &error));
    data_array array = read_back();
    expect_shape(&array, DATA_U8, 3, (int64_t[]){1, 2 * 112 + 3 * 12, 5 * 112 + 6 * 12});
    data_close(&array);
}

static void expect_grid_error(const image_grid *grid, const char *path, int status,
                              const char *text)
{
    rt_error error;
    assert_false(image_write_grid(path, grid, &error));
    assert_int_equal(error.status, status);
    if (strstr(error.text, text) == NULL)
        fail_msg("expected: %s\nfound: %s", text, error.text);
}

static void test_messages(void **state)
{
    (void)state;
    static const float sample[8];
    const float *cells[1] = {sample};
    image_grid grid = {
        .rows = 1, .columns = 1, .rank = 1, .dims = (int64_t[]){4, 1, 2}, .cells = cells};
    expect_grid_error(&grid, "x.png", RT_BAD_INPUT, "these samples are not pictures");
    grid.rank = 3;
    expect_grid_error(&grid, "x.png", RT_BAD_INPUT, "these samples are not pictures");
    grid.rank = 2;
    grid.rows = 0;
    expect_grid_error(&grid, "x.png", RT_BAD_INPUT, "these samples are not pictures");
    grid.rows = 1;
    expect_grid_error(&grid, "no/x.png", RT_IO, "no/x.png: cannot write: No such file");
    grid.scale = 10000;
    expect_grid_error(&grid, "x.png", RT_BAD_INPUT, "pixels is too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),      cmocka_unit_test(test_grey_grid),
        cmocka_unit_test(test_color_grid), cmocka_unit_test(test_default_scale),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
