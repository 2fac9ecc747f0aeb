/* The IDX reader: all types, gzip, damage, headers that lie. */
#include "data/data_test.h"

#include <zlib.h>

static test_file idx(int type, int rank, const uint32_t *dims, const void *values, size_t size)
{
    test_file file = {0};
    unsigned char head[4] = {0, 0, (unsigned char)type, (unsigned char)rank};
    put(&file, head, 4);
    for (int i = 0; i < rank; i++) {
        unsigned char b[4] = {(unsigned char)(dims[i] >> 24), (unsigned char)(dims[i] >> 16),
                              (unsigned char)(dims[i] >> 8), (unsigned char)dims[i]};
        put(&file, b, 4);
    }
    put(&file, values, size);
    return file;
}

static test_file gzip(const void *bytes, size_t size)
{
    test_file file = {0};
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)bytes;
    z.avail_in = (uInt)size;
    z.next_out = file.bytes;
    z.avail_out = sizeof file.bytes;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    file.size = z.total_out;
    deflateEnd(&z);
    return file;
}

static test_file images(void)
{
    static const unsigned char pixels[12] = {0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255};
    return idx(0x08, 3, (uint32_t[]){2, 2, 3}, pixels, sizeof pixels);
}

static void test_bytes(void **state)
{
    (void)state;
    test_file file = images();
    expect_good(data_read_idx, &file, DATA_U8, 3, (int64_t[]){2, 2, 3}, file.bytes + 16);
    file = idx(0x08, 1, (uint32_t[]){3}, "abc", 3);
    expect_good(data_read_idx, &file, DATA_U8, 1, (int64_t[]){3}, "abc");
    file = idx(0x09, 2, (uint32_t[]){1, 3}, "\xff\x80\x7f", 3);
    expect_good(data_read_idx, &file, DATA_I8, 2, (int64_t[]){1, 3}, (int8_t[]){-1, -128, 127});
}

static void test_wide_types(void **state)
{
    (void)state;
    test_file file = idx(0x0b, 2, (uint32_t[]){2, 1}, "\x01\x02\xff\xfe", 4);
    expect_good(data_read_idx, &file, DATA_I16, 2, (int64_t[]){2, 1}, (int16_t[]){258, -2});
    file = idx(0x0c, 1, (uint32_t[]){2}, "\x00\x01\x00\x00\xff\xff\xff\xff", 8);
    expect_good(data_read_idx, &file, DATA_I32, 1, (int64_t[]){2}, (int32_t[]){65536, -1});
    file = idx(0x0d, 2, (uint32_t[]){1, 2}, "\x3f\x80\x00\x00\xc0\x00\x00\x00", 8);
    expect_good(data_read_idx, &file, DATA_F32, 2, (int64_t[]){1, 2}, (float[]){1, -2});
    file = idx(0x0e, 2, (uint32_t[]){1, 1}, "\x3f\xf8\0\0\0\0\0\0", 8);
    expect_good(data_read_idx, &file, DATA_F64, 2, (int64_t[]){1, 1}, (double[]){1.5});
}

static void test_gzip(void **state)
{
    (void)state;
    test_file plain = images(), packed = gzip(plain.bytes, plain.size);
    expect_good(data_read_idx, &packed, DATA_U8, 3, (int64_t[]){2, 2, 3}, plain.bytes + 16);
    test_file two = gzip(plain.bytes, 10), rest = gzip(plain.bytes + 10, plain.size - 10);
    put(&two, rest.bytes, rest.size);
    expect_good(data_read_idx, &two, DATA_U8, 3, (int64_t[]){2, 2, 3}, plain.bytes + 16);
}

static void test_damage(void **state)
{
    (void)state;
    test_file plain = images(), packed = gzip(plain.bytes, plain.size);
    attack_prefixes(data_read_idx, &plain);
    attack_bits(data_read_idx, &plain);
    attack_trailing(data_read_idx, &plain);
    attack_prefixes(data_read_idx, &packed);
    attack_bits(data_read_idx, &packed);
}

static void test_messages(void **state)
{
    (void)state;
    test_file f = images();
    expect_error(data_read_idx, "", 0, "test: the file is empty");
    expect_error(data_read_idx, f.bytes, 3, "truncated at byte 3, in the header of an IDX file");
    expect_error(data_read_idx, f.bytes, 9, "in the header: its 3 sizes end at byte 16");
    expect_error(data_read_idx, f.bytes, 20, "truncated at byte 20: [2, 2, 3] of u8 needs 12");
    expect_error(data_read_idx, "\x89PNG....", 8, "read it with png(…)");
    expect_error(data_read_idx, "\x93NUMPY..", 8, "read it with npy(…)");
    expect_error(data_read_idx, "1,2,3\n4", 7, "read it with csv(…)");
    expect_error(data_read_idx, "\0\0\x0a\x01....", 8, "byte 2: type 0a, expected 08, 09");
    expect_error(data_read_idx, "\0\0\x08\x00....", 8, "byte 3: rank 0, expected 1 to 8");
    expect_error(data_read_idx, "\0\0\x08\x09....", 8, "byte 3: rank 9, expected 1 to 8");
    f = idx(0x08, 2, (uint32_t[]){0, 3}, "", 0);
    expect_error(data_read_idx, f.bytes, f.size, "the data set is empty: its shape is [0, 3]");
    f = idx(0x08, 2, (uint32_t[]){3, 0}, "", 0);
    expect_error(data_read_idx, f.bytes, f.size, "the data set is empty: its shape is [3, 0]");
    f = idx(0x0d, 2, (uint32_t[]){1, 2}, "\x3f\x80\x00\x00\x7f\xc0\x00\x00", 8);
    expect_error(data_read_idx, f.bytes, f.size, "sample 0, element 1 is NaN");
    f = idx(0x0e, 2, (uint32_t[]){2, 1}, "\0\0\0\0\0\0\0\0\x7f\xe0\0\0\0\0\0\0", 16);
    expect_error(data_read_idx, f.bytes, f.size, "sample 1, element 0 is too large for float32");
}

/* Headers that promise what cannot be: memory is never asked for. */
static void test_hostile_sizes(void **state)
{
    (void)state;
    const uint32_t all = 0xffffffff;
    test_file f = idx(0x0e, 8, (uint32_t[]){all, all, all, all, all, all, all, all}, "", 0);
    expect_error(data_read_idx, f.bytes, f.size, "promises an impossible shape");
    f = idx(0x08, 4, (uint32_t[]){65536, 65536, 65536, 65536}, "", 0);
    expect_error(data_read_idx, f.bytes, f.size, "promises an impossible shape");
    f = idx(0x0d, 2, (uint32_t[]){all, all / 4}, "x", 1);
    expect_error(data_read_idx, f.bytes, f.size, "");
    f = idx(0x08, 3, (uint32_t[]){all, 28, 28}, "x", 1);
    expect_error(data_read_idx, f.bytes, f.size, "truncated at byte 17");
    test_file packed = gzip(f.bytes, f.size);
    expect_error(data_read_idx, packed.bytes, packed.size, "compressed bytes can hold");
}

/* Zeros without end after a small header. */
static void test_bomb(void **state)
{
    (void)state;
    size_t size = 1 << 20;
    unsigned char *zeros = calloc(size, 1);
    test_file head = idx(0x08, 1, (uint32_t[]){100}, "", 0);
    assert_non_null(zeros);
    memcpy(zeros, head.bytes, head.size);
    test_file bomb = gzip(zeros, size);
    free(zeros);
    expect_error(data_read_idx, bomb.bytes, bomb.size, "bytes follow the last value at byte 108");
}

static void test_gzip_messages(void **state)
{
    (void)state;
    test_file plain = images(), packed = gzip(plain.bytes, plain.size);
    expect_error(data_read_idx, packed.bytes, packed.size - 5, "the compressed data ends early");
    packed.bytes[packed.size - 6] ^= 1;
    expect_error(data_read_idx, packed.bytes, packed.size, "incorrect data check");
    test_file text = gzip("1,2\n3,4\n", 8);
    expect_error(data_read_idx, text.bytes, text.size, "not an IDX file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),    cmocka_unit_test(test_wide_types),
        cmocka_unit_test(test_gzip),     cmocka_unit_test(test_damage),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_hostile_sizes),
        cmocka_unit_test(test_bomb),     cmocka_unit_test(test_gzip_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
