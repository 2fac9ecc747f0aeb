/* The PNG reader: kinds of pixels, folders, damage. Pictures are made with
 * libpng here, so every kind is there without files. */
#include "data/data_test.h"

#include <png.h>
#include <stdio.h>
#include <unistd.h>

static void to_file(png_structp png, png_bytep bytes, size_t size)
{
    put(png_get_io_ptr(png), bytes, size);
}

/* `rows` are packed as the color type and depth say. */
static test_file make_png(unsigned width, unsigned height, int depth, int color, int interlace,
                          const unsigned char *rows, size_t row_size)
{
    static const png_color palette[2] = {{10, 20, 30}, {200, 210, 220}};
    test_file file = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    assert_int_equal(setjmp(png_jmpbuf(png)), 0);
    png_set_write_fn(png, &file, to_file, NULL);
    png_set_IHDR(png, info, width, height, depth, color, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 2);
    png_write_info(png, info);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (unsigned y = 0; y < height; y++)
            png_write_row(png, rows + y * row_size);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return file;
}

static const unsigned char six[6] = {0, 51, 102, 153, 204, 255};

static test_file grey(void)
{
    return make_png(3, 2, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, six, 3);
}

static void test_grey(void **state)
{
    (void)state;
    test_file f = grey();
    const int64_t dims[3] = {1, 2, 3};
    expect_good(data_read_png, &f, DATA_U8, 3, dims, six);
    f = make_png(3, 2, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_ADAM7, six, 3);
    expect_good(data_read_png, &f, DATA_U8, 3, dims, six);
    f = make_png(3, 2, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, (unsigned char[]){0xa0, 0x40},
                 1);
    expect_good(data_read_png, &f, DATA_U8, 3, dims, (unsigned char[]){255, 0, 255, 0, 255, 0});
    f = make_png(3, 1, 4, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, (unsigned char[]){0x0f, 0x30},
                 2);
    expect_good(data_read_png, &f, DATA_U8, 3, (int64_t[]){1, 1, 3}, (unsigned char[]){0, 255, 51});
    f = make_png(2, 1, 16, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 (unsigned char[]){0xff, 0xff, 0x80, 0x80}, 4);
    expect_good(data_read_png, &f, DATA_U8, 3, (int64_t[]){1, 1, 2}, (unsigned char[]){255, 128});
    f = make_png(2, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_INTERLACE_NONE,
                 (unsigned char[]){7, 0, 9, 255}, 4);
    expect_good(data_read_png, &f, DATA_U8, 3, (int64_t[]){1, 1, 2}, (unsigned char[]){7, 9});
}

static void test_color(void **state)
{
    (void)state;
    const int64_t dims[4] = {1, 1, 2, 3};
    test_file f = make_png(2, 1, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, six, 6);
    expect_good(data_read_png, &f, DATA_U8, 4, dims, six);
    f = make_png(2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, PNG_INTERLACE_NONE,
                 (unsigned char[]){0, 51, 102, 9, 153, 204, 255, 0}, 8);
    expect_good(data_read_png, &f, DATA_U8, 4, dims, six);
    f = make_png(2, 1, 1, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, (unsigned char[]){0x40}, 1);
    expect_good(data_read_png, &f, DATA_U8, 4, dims, (unsigned char[]){10, 20, 30, 200, 210, 220});
}

static void test_damage(void **state)
{
    (void)state;
    test_file f = grey();
    attack_prefixes(data_read_png, &f);
    attack_bits(data_read_png, &f);
    f = make_png(2, 1, 1, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_ADAM7, (unsigned char[]){0x40}, 1);
    attack_prefixes(data_read_png, &f);
    attack_bits(data_read_png, &f);
}

/* Writes the width into the header, with its checksum. */
static test_file with_width(unsigned width)
{
    test_file f = grey();
    unsigned crc = 0xffffffff;
    for (int i = 0; i < 4; i++)
        f.bytes[16 + i] = (unsigned char)(width >> (24 - 8 * i));
    for (int i = 12; i < 29; i++) {
        crc ^= f.bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    crc = ~crc;
    for (int i = 0; i < 4; i++)
        f.bytes[29 + i] = (unsigned char)(crc >> (24 - 8 * i));
    return f;
}

static void test_messages(void **state)
{
    (void)state;
    test_file f = grey();
    expect_error(data_read_png, "", 0, "not a PNG");
    expect_error(data_read_png, "GIF89a...", 9, "not a PNG: byte 0 should begin \\x89PNG");
    expect_error(data_read_png, "\0\0\x08\1", 4, "read it with idx(…)");
    expect_error(data_read_png, f.bytes, f.size - 1, "damaged PNG: truncated");
    f.bytes[20] ^= 1;
    expect_error(data_read_png, f.bytes, f.size, "damaged PNG: IHDR: CRC error");
    f = with_width(60000);
    expect_error(data_read_png, f.bytes, f.size, "damaged PNG");
    f = with_width(70000);
    expect_error(data_read_png, f.bytes, f.size, "damaged PNG");
}

/* ---- Folders ------------------------------------------------------------------- */

static char folder[] = "/tmp/png_test.XXXXXX";

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static void remove_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void expect_folder_error(const char *text)
{
    data_array array;
    rt_error error;
    data_source source = {.name = "pictures", .path = folder};
    assert_false(data_open(&array, &source, &error));
    assert_int_equal(error.status, RT_BAD_INPUT);
    if (strstr(error.text, text) == NULL)
        fail_msg("expected: %s\nfound: %s", text, error.text);
}

static void test_folder(void **state)
{
    (void)state;
    data_array array;
    rt_error error;
    data_source source = {.name = "pictures", .reader = "png", .path = folder};
    for (int i = 0; i < 20; i++) {
        char name[16];
        unsigned char pixels[6] = {(unsigned char)i, 1, 2, 3, 4, 5};
        test_file f = make_png(3, 2, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, pixels, 3);
        snprintf(name, sizeof name, "%02d.%s", i, i % 2 == 0 ? "png" : "PNG");
        write_file(name, f.bytes, f.size);
    }
    write_file("notes.txt", "no picture", 10);
    assert_true(data_open(&array, &source, &error));
    expect_shape(&array, DATA_U8, 3, (int64_t[]){20, 2, 3});
    for (int i = 0; i < 20; i++) {
        char name[16];
        assert_int_equal(((const unsigned char *)array.values)[6 * i], i);
        snprintf(name, sizeof name, "%02d.%s", i, i % 2 == 0 ? "png" : "PNG");
        remove_file(name);
    }
    data_close(&array);
    remove_file("notes.txt");
}

static void test_folder_messages(void **state)
{
    (void)state;
    test_file first = grey();
    test_file color = make_png(2, 1, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, six, 6);
    expect_folder_error("the data set is empty: no .png in this folder");
    write_file("a.png", first.bytes, first.size);
    write_file("b.png", color.bytes, color.size);
    expect_folder_error("/b.png: a picture of [1, 2, 3], but the first one, ");
    expect_folder_error("/a.png, is [2, 3]\n");
    write_file("b.png", first.bytes, 40);
    expect_folder_error("/b.png: byte 40: damaged PNG: truncated");
    write_file("b.png", "", 0);
    expect_folder_error("/b.png: not a PNG");
    remove_file("a.png");
    remove_file("b.png");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grey),   cmocka_unit_test(test_color),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_folder), cmocka_unit_test(test_folder_messages),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
