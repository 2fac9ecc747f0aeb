/* Where data is looked for, how its format is chosen, and what is said when
 * it cannot be read. Runs in a folder of its own. */
#include "data/data_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/find_test.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    bool good = mkdtemp(folder) != NULL && chdir(folder) == 0 && mkdir("model", 0777) == 0 &&
                mkdir("one", 0777) == 0 && mkdir("two", 0777) == 0;
    unsetenv("AECC_DATA");
    return good ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    bool good = rmdir("model") == 0 && rmdir("one") == 0 && rmdir("two") == 0 && chdir("/") == 0 &&
                rmdir(folder) == 0;
    return good ? 0 : -1;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static void expect_found(const char *path, const char *beside, const char *found)
{
    rt_error error;
    data_source source = {.name = "d", .path = path, .beside = beside};
    char *place = data_find(&source, &error);
    if (found == NULL)
        assert_null(place);
    else
        assert_string_equal(place != NULL ? place : error.text, found);
    free(place);
}

static void test_order(void **state)
{
    (void)state;
    const char *files[] = {"x.csv", "model/x.csv", "one/x.csv", "two/x.csv"};
    for (int i = 0; i < 4; i++)
        write_file(files[i], "1\n", 2);
    setenv("AECC_DATA", "missing::one:two", 1);
    expect_found("x.csv", "model", "x.csv");
    unlink("x.csv");
    expect_found("x.csv", "model", "model/x.csv");
    expect_found("x.csv", NULL, "one/x.csv");
    unlink("one/x.csv");
    expect_found("x.csv", NULL, "two/x.csv");
    expect_found("/x.csv", "model", NULL);
    setenv("AECC_DATA", "", 1);
    expect_found("x.csv", NULL, NULL);
    unsetenv("AECC_DATA");
    expect_found("x.csv", NULL, NULL);
    unlink("model/x.csv");
    unlink("two/x.csv");
}

static void expect_open_error(const data_source *source, int status, const char *text)
{
    rt_error error;
    data_array array;
    assert_false(data_open(&array, source, &error));
    if (strstr(error.text, text) == NULL)
        fail_msg("expected: %s\nfound: %s", text, error.text);
    assert_int_equal(error.status, status);
}

static void test_missing(void **state)
{
    (void)state;
    setenv("AECC_DATA", "one:two", 1);
    expect_open_error(&(data_source){.name = "points", .path = "p.csv", .beside = "model"}, RT_IO,
                      "points: p.csv: no such file, neither here nor in model, one, two, "
                      "/usr/share/datasets\nput it there, or name its folder in AECC_DATA; "
                      "or pass --data points=FILE");
    expect_open_error(&(data_source){.path = "/no/p.csv"}, RT_IO, "/no/p.csv: no such file\n");
    expect_open_error(&(data_source){.path = ""}, RT_IO, ": no such file\n");
    unsetenv("AECC_DATA");
    if (access("/usr/share/datasets/fashion-mnist", F_OK) != 0)
        expect_open_error(&(data_source){.path = "train-images-idx3-ubyte.gz"}, RT_IO,
                          "apt install dataset-fashion-mnist");
}

static void expect_opened(const char *path, const char *reader, data_type type)
{
    rt_error error;
    data_array array;
    if (!data_open(&array, &(data_source){.path = path, .reader = reader}, &error))
        fail_msg("%s", error.text);
    assert_int_equal(array.type, type);
    assert_string_equal(array.path, path);
    data_close(&array);
}

static void test_formats(void **state)
{
    (void)state;
    rt_error error;
    write_file("a", "\0\0\x08\1\0\0\0\1x", 9);
    write_file("b", "x,y\n1,2\n", 8);
    assert_true(npy_write("c", 1, (int64_t[]){1}, (float[]){1}, &error));
    write_file("d", "\1\2\3\4", 4);
    expect_opened("a", NULL, DATA_U8);
    expect_opened("b", NULL, DATA_F32);
    expect_opened("c", NULL, DATA_F32);
    expect_opened("c", "npy", DATA_F32);
    expect_open_error(&(data_source){.path = "d"}, RT_BAD_INPUT, "the format of this file is");
    expect_open_error(&(data_source){.path = "c", .reader = "idx"}, RT_BAD_INPUT,
                      "it is a NumPy file: read it with npy(…)");
    expect_open_error(&(data_source){.path = "b", .reader = "png"}, RT_BAD_INPUT, "not a PNG");
    expect_open_error(&(data_source){.path = "one", .reader = "csv"}, RT_IO,
                      "one: not a regular file but a folder\nonly png(…) reads a folder");
    expect_open_error(&(data_source){.path = "/dev/null", .reader = "csv"}, RT_IO,
                      "/dev/null: not a regular file");
    for (const char *name = "abcd"; *name; name++)
        unlink((char[]){*name, '\0'});
}

/* Opening a pipe must not wait for someone to write into it. */
static void test_pipe(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("pipe", 0666), 0);
    expect_open_error(&(data_source){.path = "pipe"}, RT_IO, "pipe: not a regular file");
    unlink("pipe");
}

static void test_unreadable(void **state)
{
    (void)state;
    write_file("secret", "1\n", 2);
    assert_int_equal(chmod("secret", 0), 0);
    if (access("secret", R_OK) != 0)
        expect_open_error(&(data_source){.path = "secret"}, RT_IO, "secret: cannot read: Perm");
    unlink("secret");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),      cmocka_unit_test(test_missing),
        cmocka_unit_test(test_formats),    cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
