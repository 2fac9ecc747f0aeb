/* The npy reader and writer: types, orders, headers by other hands and by
 * hostile ones. Byte strings are what numpy.save writes. */
#include "data/data_test.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static test_file npy_version(int version, const char *header, const void *values, size_t size)
{
    test_file file = {0};
    size_t length = strlen(header);
    unsigned char head[12] = {0x93,
                              'N',
                              'U',
                              'M',
                              'P',
                              'Y',
                              (unsigned char)version,
                              0,
                              (unsigned char)length,
                              (unsigned char)(length >> 8),
                              0,
                              0};
    put(&file, head, version == 1 ? 10 : 12);
    put(&file, header, length);
    put(&file, values, size);
    return file;
}

static test_file npy(const char *header, const void *values, size_t size)
{
    return npy_version(1, header, values, size);
}

#define HEADER(descr, fortran, shape) \
    "{'descr': '" descr "', 'fortran_order': " fortran ", 'shape': " shape ", }    \n"

static test_file floats(void)
{
    static const float values[6] = {1, 2, 3, 4, 5, -0.5f};
    return npy(HEADER("<f4", "False", "(2, 3)"), values, sizeof values);
}

static void expect(const test_file *file, data_type type, int rank, const int64_t *dims,
                   const void *values)
{
    expect_good(data_read_npy, file, type, rank, dims, values);
}

static void test_types(void **state)
{
    (void)state;
    test_file f = floats();
    expect(&f, DATA_F32, 2, (int64_t[]){2, 3}, (float[]){1, 2, 3, 4, 5, -0.5f});
    f = npy(HEADER("|u1", "False", "(3,)"), "abc", 3);
    expect(&f, DATA_U8, 1, (int64_t[]){3}, "abc");
    f = npy(HEADER("|b1", "False", "(2, 1)"), "\0\1", 2);
    expect(&f, DATA_U8, 2, (int64_t[]){2, 1}, "\0\1");
    f = npy(HEADER("|i1", "False", "(1, 1, 1)"), "\xff", 1);
    expect(&f, DATA_I8, 3, (int64_t[]){1, 1, 1}, (int8_t[]){-1});
    f = npy(HEADER("<u2", "False", "(1,)"), "\xff\xff", 2);
    expect(&f, DATA_U16, 1, (int64_t[]){1}, (uint16_t[]){65535});
    f = npy(HEADER("<i8", "False", "(1,)"), "\xfe\xff\xff\xff\xff\xff\xff\xff", 8);
    expect(&f, DATA_I64, 1, (int64_t[]){1}, (int64_t[]){-2});
    f = npy(HEADER("<f8", "False", "(1,)"), "\0\0\0\0\0\0\xf8\x3f", 8);
    expect(&f, DATA_F64, 1, (int64_t[]){1}, (double[]){1.5});
}

static void test_big_endian(void **state)
{
    (void)state;
    test_file f = npy(HEADER(">f4", "False", "(2,)"), "\x3f\x80\0\0\xc0\0\0\0", 8);
    expect(&f, DATA_F32, 1, (int64_t[]){2}, (float[]){1, -2});
    f = npy(HEADER(">i4", "False", "(1,)"), "\0\1\0\0", 4);
    expect(&f, DATA_I32, 1, (int64_t[]){1}, (int32_t[]){65536});
    f = npy(HEADER(">i2", "False", "(2,)"), "\1\2\3\4", 4);
    expect(&f, DATA_I16, 1, (int64_t[]){2}, (int16_t[]){258, 772});
}

static void test_fortran_order(void **state)
{
    (void)state;
    test_file f = npy(HEADER("|u1", "True", "(2, 3)"), "adbecf", 6);
    expect(&f, DATA_U8, 2, (int64_t[]){2, 3}, "abcdef");
    f = npy(HEADER("|u1", "True", "(2, 2, 3)"), "agdjbhekcifl", 12);
    expect(&f, DATA_U8, 3, (int64_t[]){2, 2, 3}, "abcdefghijkl");
    f = npy(HEADER("<i2", "True", "(4,)"), "\1\0\2\0\3\0\4\0", 8);
    expect(&f, DATA_I16, 1, (int64_t[]){4}, (int16_t[]){1, 2, 3, 4});
}

static void test_versions_and_spellings(void **state)
{
    (void)state;
    const char *header = HEADER("|u1", "False", "(2, 2)");
    for (int version = 1; version <= 3; version++) {
        test_file f = npy_version(version, header, "abcd", 4);
        expect(&f, DATA_U8, 2, (int64_t[]){2, 2}, "abcd");
    }
    test_file f = npy("{\"shape\":(2,2),\"fortran_order\":False,\"descr\":\"|u1\"}", "abcd", 4);
    expect(&f, DATA_U8, 2, (int64_t[]){2, 2}, "abcd");
}

static void test_damage(void **state)
{
    (void)state;
    test_file f = floats();
    attack_prefixes(data_read_npy, &f);
    attack_bits(data_read_npy, &f);
    attack_trailing(data_read_npy, &f);
    f = npy(HEADER(">i2", "True", "(2, 3)"), "\0\1\0\2\0\3\0\4\0\5\0\6", 12);
    attack_prefixes(data_read_npy, &f);
    attack_bits(data_read_npy, &f);
}

static void expect_header_error(const char *header, const char *text)
{
    test_file f = npy(header, "abcd", 4);
    expect_error(data_read_npy, f.bytes, f.size, text);
}

static void test_header_messages(void **state)
{
    (void)state;
    expect_header_error("[1]", "byte 10, in the header: expected '{'");
    expect_header_error("{'descr'}", "expected ':'");
    expect_header_error("{'descr': '|u1', 'shape': (4,)}", "each once");
    expect_header_error("{'descr': '|u1', 'descr': '|u1'}", "each once");
    expect_header_error("{'other': 1}", "byte 11, in the header: expected 'descr'");
    expect_header_error("{'descr': [('a', '<f4')]}", "expected a simple type, like '<f4'");
    expect_header_error("{'descr': '|O'}", "values of type '|O' are not read");
    expect_header_error("{'descr': '<f2'}", "save array.astype(\"float32\")");
    expect_header_error("{'descr': '<c8'}", "values of type '<c8' are not read");
    expect_header_error("{'fortran_order': 1}", "expected True or False");
    expect_header_error("{'shape': 4}", "expected a shape");
    expect_header_error("{'shape': (-4,)}", "expected the size of an axis");
    expect_header_error("{'shape': (4 4)}", "expected ',' or ')'");
    expect_header_error("{'shape': (99999999999999999999,)}", "expected the size of an axis");
    expect_header_error("{'shape': (1,1,1,1,1,1,1,1,1)}", "more than 8 axes");
    expect_header_error(HEADER("|u1", "False", "()"), "a single value, shape ()");
    expect_header_error(HEADER("|u1", "False", "(0, 4)"), "the data set is empty");
    expect_header_error("{'descr': '|u1', 'fortran_order': False, 'shape': (4,)} x",
                        "expected the end of the header");
}

static void test_hostile_sizes(void **state)
{
    (void)state;
    expect_header_error(HEADER("<f8", "False", "(9223372036854775807, 2)"), "impossible shape");
    expect_header_error(HEADER("<f8", "False", "(4294967296, 4294967296, 2)"), "impossible shape");
    expect_header_error(HEADER("<f8", "True", "(4294967296,)"), "truncated");
    expect_header_error(HEADER("|u1", "True", "(1, 8589934592)"), "truncated at byte");
    test_file f = npy(HEADER("|u1", "False", "(4,)"), "abcd", 4);
    f.bytes[8] = f.bytes[9] = 0xff;
    expect_error(data_read_npy, f.bytes, f.size, "a header of 65535 bytes, expected at most");
    f = npy_version(2, HEADER("|u1", "False", "(4,)"), "abcd", 4);
    f.bytes[11] = 0xff;
    expect_error(data_read_npy, f.bytes, f.size, "expected at most 10000");
    f.bytes[6] = 4;
    expect_error(data_read_npy, f.bytes, f.size, "byte 6: version 4 of the .npy format");
    expect_error(data_read_npy, "", 0, "and the file is empty");
    expect_error(data_read_npy, "\0\0\x08\x01", 4, "read it with idx(…)");
}

static void test_not_finite(void **state)
{
    (void)state;
    float values[4] = {1, 2, INFINITY, 4};
    test_file f = npy(HEADER("<f4", "False", "(2, 2)"), values, sizeof values);
    expect_error(data_read_npy, f.bytes, f.size, "sample 1, element 0 is infinite");
    values[2] = NAN;
    f = npy(HEADER("<f4", "True", "(2, 2)"), values, sizeof values);
    expect_error(data_read_npy, f.bytes, f.size, "sample 0, element 1 is NaN");
}

/* ---- Writing --------------------------------------------------------------- */

static char written[] = "/tmp/npy_test.XXXXXX";

static void expect_written(int rank, const int64_t *dims, const float *values)
{
    rt_error error;
    data_array array;
    data_source source = {.reader = "npy", .path = written};
    assert_true(npy_write(written, rank, dims, values, &error));
    assert_true(data_open(&array, &source, &error));
    expect_shape(&array, DATA_F32, rank, dims);
    assert_int_equal(((uintptr_t)array.values - (uintptr_t)array.memory) % 64, 0);
    assert_memory_equal(array.values, values,
                        (size_t)(array.samples * array.elements) * sizeof *values);
    data_close(&array);
    assert_int_equal(unlink(written), 0);
}

static void test_write(void **state)
{
    (void)state;
    const float values[8] = {0.1f, -2, 3e-40f, 4, 5, 6, 7, 8};
    expect_written(1, (int64_t[]){8}, values);
    expect_written(2, (int64_t[]){4, 2}, values);
    expect_written(8, (int64_t[]){2, 1, 2, 1, 2, 1, 1, 1}, values);
}

static void test_write_whole_or_not(void **state)
{
    (void)state;
    rt_error error;
    const float value = 1;
    npy_writer *writer = npy_create(written, DATA_F32, 1, (int64_t[]){2}, &error);
    assert_non_null(writer);
    assert_true(npy_append(writer, &value, 1, &error));
    assert_false(npy_append(writer, &value, 2, &error));
    assert_false(npy_commit(writer, &error));
    assert_int_equal(error.status, RT_DEFECT);
    assert_int_not_equal(access(written, F_OK), 0);
    assert_false(npy_write("no-such-folder/x.npy", 1, (int64_t[]){1}, &value, &error));
    assert_int_equal(error.status, RT_IO);
    assert_non_null(strstr(error.text, "no-such-folder/x.npy: cannot write"));
}

static int name_file(void **state)
{
    (void)state;
    int handle = mkstemp(written);
    return handle >= 0 && close(handle) == 0 && unlink(written) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),         cmocka_unit_test(test_big_endian),
        cmocka_unit_test(test_fortran_order), cmocka_unit_test(test_versions_and_spellings),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_header_messages),
        cmocka_unit_test(test_hostile_sizes), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_write),         cmocka_unit_test(test_write_whole_or_not),
    };
    return cmocka_run_group_tests(tests, name_file, NULL);
}
