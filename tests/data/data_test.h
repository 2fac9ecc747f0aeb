/* What the tests of the readers share: files made of bytes, and the three
 * attacks that every format gets (every prefix, every flipped bit, a byte
 * more). Include it first. */
#ifndef DATA_TEST_H
#define DATA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"

typedef struct test_file {
    unsigned char bytes[4096];
    size_t size;
} test_file;

static inline void put(test_file *file, const void *bytes, size_t size)
{
    assert_true(file->size + size <= sizeof file->bytes);
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

/* Hands the reader a copy of its own, as data_open does. */
static inline bool read_bytes(data_reader *reader, data_array *array, const void *bytes,
                              size_t size, rt_error *error)
{
    unsigned char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    copy[size] = 0;
    *error = (rt_error){0};
    return reader(array, "test", copy, size, error) && data_check_finite(array, error);
}

static inline void expect_shape(const data_array *array, data_type type, int rank,
                                const int64_t *dims)
{
    assert_int_equal(array->type, type);
    assert_int_equal(array->rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(array->dims[i], dims[i]);
    assert_int_equal(array->samples, dims[0]);
    assert_int_equal(array->samples * array->elements * (int64_t)data_type_size(type) > 0, 1);
}

static inline void expect_good(data_reader *reader, const test_file *file, data_type type,
                               int rank, const int64_t *dims, const void *values)
{
    data_array array;
    rt_error error;
    if (!read_bytes(reader, &array, file->bytes, file->size, &error))
        fail_msg("%s", error.text);
    expect_shape(&array, type, rank, dims);
    assert_memory_equal(array.values, values,
                        (size_t)(array.samples * array.elements) * data_type_size(type));
    data_close(&array);
}

/* The message has the text in it, and nothing is left behind. */
static inline void expect_error(data_reader *reader, const void *bytes, size_t size,
                                const char *text)
{
    data_array array;
    rt_error error;
    if (read_bytes(reader, &array, bytes, size, &error)) {
        data_close(&array);
        fail_msg("no error, expected: %s", text);
    }
    data_close(&array);
    assert_int_equal(error.status, RT_BAD_INPUT);
    if (strstr(error.text, text) == NULL)
        fail_msg("expected: %s\nfound: %s", text, error.text);
    assert_non_null(strchr(error.text, '\n'));      /* with a hint */
}

/* No proper prefix of the file is accepted; none crashes. */
static inline void attack_prefixes(data_reader *reader, const test_file *file)
{
    for (size_t size = 0; size < file->size; size++)
        expect_error(reader, file->bytes, size, "");
}

/* Each flipped bit gives an array or an error, never anything else. */
static inline void attack_bits(data_reader *reader, const test_file *file)
{
    test_file bad = *file;
    for (size_t bit = 0; bit < 8 * file->size; bit++) {
        data_array array;
        rt_error error;
        bad.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (read_bytes(reader, &array, bad.bytes, bad.size, &error))
            assert_true(array.samples > 0 && array.elements > 0 && array.values != NULL);
        else
            assert_true(error.text[0] != '\0');
        data_close(&array);
        bad.bytes[bit / 8] = file->bytes[bit / 8];
    }
}

static inline void attack_trailing(data_reader *reader, const test_file *file)
{
    test_file bad = *file;
    put(&bad, "", 1);
    expect_error(reader, bad.bytes, bad.size, "bytes follow the last value");
}

#endif
