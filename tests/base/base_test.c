/* Arena, names, text, files, and the nearest word. */
#include "aecc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_arena(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4096, 300000, 1 << 20, 5 << 20, 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = arena_alloc(sizes[i]);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xff, sizes[i]);
    }
}

static void test_grow(void **state)
{
    (void)state;
    int *array = NULL, n = 0, cap = 0;
    for (int i = 0; i < 1000; i++)
        PUSH(array, n, cap, i * i);
    assert_int_equal(n, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(array[i], i * i);
}

static void test_intern(void **state)
{
    (void)state;
    const char *relu = intern("relu");
    assert_ptr_equal(relu, intern_n("relu6", 4));
    assert_ptr_not_equal(relu, intern("relu6"));
    for (int i = 0; i < 5000; i++)
        intern(format("name_%d", i));
    assert_ptr_equal(relu, intern("relu"));
    assert_ptr_equal(intern("name_4321"), intern(format("name_%d", 4321)));
}

static const char *double_text(double value)
{
    Text t = {0};
    text_double(&t, value);
    return t.at;
}

static void test_doubles(void **state)
{
    (void)state;
    assert_string_equal(double_text(0.1), "0.1");
    assert_string_equal(double_text(1e-4), "0.0001");
    assert_string_equal(double_text(255), "255");
    assert_string_equal(double_text(5e-324), "5e-324");
    assert_string_equal(double_text(-INFINITY), "-inf");
    double hard[] = {1.0 / 3, 0.1 + 0.2, 1.7976931348623157e308, 2.2250738585072014e-308, -0.0};
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++)
        assert_true(strtod(double_text(hard[i]), NULL) == hard[i]);
}

static void test_text(void **state)
{
    (void)state;
    Text t = {0};
    for (int i = 0; i < 100; i++)
        text_printf(&t, "%d,", i);
    assert_int_equal(strlen(t.at), t.n);
    assert_memory_equal(t.at, "0,1,2,3,", 8);
    Text quoted = {0};
    text_quote(&quoted, "a\"b\\c\nd\te");
    assert_string_equal(quoted.at, "\"a\\\"b\\\\c\\nd\\te\"");
}

/* ---- Files ---------------------------------------------------------------- */

static char *temporary_folder(void)
{
    char *folder = format("/tmp/aecc-base-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void assert_holds(const char *path, const char *text)
{
    size_t n;
    char *read = read_file(path, &n);
    assert_non_null(read);
    assert_int_equal(n, strlen(text));
    assert_string_equal(read, text);
}

static void test_files(void **state)
{
    (void)state;
    char *folder = temporary_folder(), *path = format("%s/file", folder);
    char *link_path = format("%s/link", folder);
    struct stat about;
    write_file(path, "one", 3);
    assert_holds(path, "one");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("file", link_path), 0);
    write_file(link_path, "two!", 4);
    assert_holds(path, "two!");
    assert_int_equal(lstat(link_path, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0640);
    write_file("/dev/null", "nothing", 7);
    assert_int_equal(lstat("/dev/null", &about), 0);
    assert_true(S_ISCHR(about.st_mode));
    unlink(link_path);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void test_no_file(void **state)
{
    (void)state;
    size_t n;
    assert_null(read_file("/tmp/no such folder/file", &n));
    assert_null(read_file("/tmp", &n));
}

/* ---- Did you mean ----------------------------------------------------------- */

static void test_closest(void **state)
{
    (void)state;
    static const char *const words[] = {"dense", "conv2d", "max_pool2d", "relu", "selu", "mse"};
    static const struct {
        const char *word, *near;
    } cases[] = {
        {"dens", "dense"},
        {"desne", "dense"},
        {"Dense", "dense"},
        {"conv2", "conv2d"},
        {"maxpool2d", "max_pool2d"},
        {"rleu", "relu"},
        {"sleu", "selu"},
        {"mes", "mse"},
        {"x", NULL},
        {"ab", NULL},
        {"batch_normalization", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *near = closest(cases[i].word, words, 6);
        if (cases[i].near)
            assert_string_equal(near, cases[i].near);
        else
            assert_null(near);
    }
    char longest[5000];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_null(closest(longest, words, 6));
}

static int free_arena(void **state)
{
    (void)state;
    arena_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena),   cmocka_unit_test(test_grow),
        cmocka_unit_test(test_intern),  cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_text),    cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_file), cmocka_unit_test(test_closest),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}
