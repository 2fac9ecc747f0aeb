/* Messages: format, hints, exit statuses, did-you-mean; and files that appear
 * whole or not at all. */
#include "data/data_test.h"

#include "atomic.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `end` in a child; its exit status, and what it wrote to stderr. */
static int run_to_end(void (*end)(void), char *text, size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        end();
        _exit(99);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n; used + 1 < size && (n = read(ends[0], text + used, size - 1 - used)) > 0;)
        used += (size_t)n;
    text[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void end_with_hint(void)
{
    rt_set_name("/usr/bin/conv_ae");
    rt_fail(RT_BAD_INPUT, "%s: bad\nrepair it\nor drop it", "x.idx");
}

static void end_with_odd_name(void)
{
    rt_set_name("model");
    rt_fail(RT_IO, "a\033[2Jb\177");
}

static void end_with_defect(void)
{
    rt_set_name("model");
    rt_fail(RT_DEFECT, "kernel 3 is missing");
}

static void test_end(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_to_end(end_with_hint, text, sizeof text), RT_BAD_INPUT);
    assert_string_equal(text, "conv_ae: error: x.idx: bad\n  hint: repair it\n"
                              "  hint: or drop it\n");
    assert_int_equal(run_to_end(end_with_odd_name, text, sizeof text), RT_IO);
    assert_string_equal(text, "model: error: a\\x1b[2Jb\\x7f\n");
    assert_int_equal(run_to_end(end_with_defect, text, sizeof text), RT_DEFECT);
    assert_non_null(strstr(text, "this is a defect of aecc"));
}

static void test_long_message(void **state)
{
    (void)state;
    rt_error error;
    char name[5000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(rt_set(&error, RT_USAGE, "%s\nhint", name));
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_int_equal(error.status, RT_USAGE);
}

static void test_errno(void **state)
{
    (void)state;
    rt_error error;
    errno = ENOSPC;
    assert_false(rt_set_errno(&error, "out.npy", "write"));
    assert_int_equal(error.status, RT_IO);
    assert_non_null(strstr(error.text, "out.npy: cannot write: No space left on device\nfree"));
}

static void test_closest(void **state)
{
    (void)state;
    static const char *const names[] = {"epochs", "batch", "seed", "threads", "steps"};
    assert_string_equal(rt_closest("epoch", names, 5), "epochs");
    assert_string_equal(rt_closest("bathc", names, 5), "batch");
    assert_string_equal(rt_closest("thread", names, 5), "threads");
    assert_null(rt_closest("learning_rate", names, 5));
    assert_null(rt_closest("xy", names, 5));
    assert_int_equal(rt_distance("batch", "batch"), 0);
    assert_int_equal(rt_distance("abcd", "acbd"), 1);
    assert_int_equal(rt_distance("", "abc"), 3);
}

/* ---- atomic.h ---------------------------------------------------------------- */

static char folder[] = "/tmp/error_test.XXXXXX";

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

static void expect_content(const char *path, const char *text)
{
    char found[64] = "";
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_true(fread(found, 1, sizeof found - 1, stream) == strlen(text));
    assert_string_equal(found, text);
    fclose(stream);
}

static void write_text(const char *path, const char *text)
{
    atomic_file file;
    rt_error error;
    assert_true(atomic_open(&file, path, &error));
    fputs(text, file.stream);
    assert_true(atomic_commit(&file, &error));
}

static void test_replace(void **state)
{
    (void)state;
    atomic_file file;
    rt_error error;
    write_text("x", "old");
    expect_content("x", "old");
    assert_true(atomic_open(&file, "x", &error));
    fputs("half", file.stream);
    fflush(file.stream);
    expect_content("x", "old");
    assert_int_equal(access(file.temporary, F_OK), 0);
    atomic_abandon(&file);
    atomic_abandon(&file);
    expect_content("x", "old");
    write_text("x", "new");
    expect_content("x", "new");
    assert_int_equal(unlink("x"), 0); /* and nothing else: see tear_down */
}

static void test_refuse(void **state)
{
    (void)state;
    atomic_file file;
    rt_error error;
    assert_false(atomic_open(&file, "/dev/null", &error));
    assert_non_null(strstr(error.text, "not a regular file"));
    assert_false(atomic_open(&file, "no/x", &error));
    assert_non_null(strstr(error.text, "no/x: cannot write: No such file"));
    assert_int_equal(mkdir("d", 0777), 0);
    assert_false(atomic_open(&file, "d", &error));
    assert_int_equal(error.status, RT_IO);
    assert_int_equal(rmdir("d"), 0);
}

static void write_too_much(void)
{
    static const char block[8192];
    atomic_file file;
    rt_error error;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){16384, 16384});
    if (!atomic_open(&file, "big", &error))
        rt_raise(&error);
    for (int i = 0; i < 100; i++)
        fwrite(block, 1, sizeof block, file.stream);
    if (!atomic_commit(&file, &error))
        rt_raise(&error);
}

/* As on a full disk: status 5 and no file. */
static void test_full(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_to_end(write_too_much, text, sizeof text), RT_IO);
    assert_non_null(strstr(text, "big: cannot write: File too large"));
    assert_int_not_equal(access("big", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end),     cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_errno),   cmocka_unit_test(test_closest),
        cmocka_unit_test(test_replace), cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
