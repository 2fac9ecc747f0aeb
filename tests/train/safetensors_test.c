/* .safetensors: what is written reads back; every flaw of a file is refused
 * with status 1 and without touching a variable. */
#include "rt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/aecc-safetensors-XXXXXX";

/* a: f32 [2, 3] with a row stride of 5; n: i32 []; s: an optimizer's. */
static rt_var vars[] = {
    {{.name = "a", .rank = 2, .shape = {2, 3}, .strides = {5, 1}, .elements = 6}, RT_PARAM, 64},
    {{.name = "n", .integer = true, .elements = 1, .offset = 64}, RT_STATE, 64},
    {{.name = "s", .rank = 1, .shape = {2}, .strides = {1}, .elements = 2, .offset = 128},
     RT_SLOT,
     64},
};
static rt_model model = {.name = "m", .source = "m.nn", .nvars = 3, .vars = vars};
static _Alignas(64) float memory[48];
static rt_machine machine = {.model = &model, .memory = (char *)memory};

static void write_file(const char *header, int64_t length, size_t data)
{
    FILE *file = fopen(path, "wb");
    uint64_t n = length < 0 ? strlen(header) : (uint64_t)length;
    char zeros[256] = {0};
    fwrite(&n, 8, 1, file);
    fputs(header, file);
    fwrite(zeros, 1, data, file);
    fclose(file);
}

static void set_memory(void)
{
    for (int i = 0; i < 48; i++)
        memory[i] = (float)i;
}

/* Loading fails with a message that has `text`, and changes nothing. */
static void refused(const char *text)
{
    float before[48];
    rt_error error = {0};
    set_memory();
    memcpy(before, memory, sizeof before);
    assert_false(weights_load(&machine, path, &error));
    assert_int_equal(error.status, RT_BAD_INPUT);
    if (!strstr(error.text, text))
        fail_msg("no \"%s\" in: %s", text, error.text);
    assert_memory_equal(before, memory, sizeof before);
}

static void refused_header(const char *header, size_t data, const char *text)
{
    write_file(header, -1, data);
    refused(text);
}

#define A(begin, end) \
    "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[" begin "," end "]}"
#define S(begin, end) "\"n\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[" begin "," end "]}"

static void round_trip(void **state)
{
    rt_error error;
    (void)state;
    set_memory();
    ((int32_t *)memory)[16] = -7;
    assert_true(weights_save(&machine, path, &error));
    memset(memory, 0, sizeof memory);
    memory[32] = 5;
    assert_true(weights_load(&machine, path, &error));
    static const float rows[2][3] = {{0, 1, 2}, {5, 6, 7}};
    assert_memory_equal(memory, rows[0], sizeof rows[0]);
    assert_memory_equal(memory + 5, rows[1], sizeof rows[1]);
    assert_true(memory[3] == 0 && memory[4] == 0);
    assert_int_equal(((int32_t *)memory)[16], -7);
    assert_true(memory[32] == 5);
}

static void layout(void **state)
{
    rt_error error;
    size_t size;
    uint64_t length;
    (void)state;
    assert_true(weights_save(&machine, path, &error));
    unsigned char *bytes = data_slurp(path, &size, &error);
    assert_non_null(bytes);
    memcpy(&length, bytes, 8);
    assert_int_equal(length % 8, 0);
    assert_int_equal(size, 8 + length + 28);
    assert_int_equal(bytes[8], '{');
    free(bytes);
}

static void accepted(void **state)
{
    rt_error error;
    (void)state;
    write_file("{\"__metadata__\":{\"format\":\"pt\"}," S("24", "28") "," A("0", "24") "}   ", -1,
               28);
    assert_true(weights_load(&machine, path, &error));
    /* a state may be missing: it keeps its value, with a warning */
    write_file("{" A("0", "24") "}", -1, 24);
    assert_true(weights_load(&machine, path, &error));
}

static void bad_frames(void **state)
{
    (void)state;
    FILE *file = fopen(path, "wb");
    fclose(file);
    refused("cut off");
    write_file("", 0, 0);
    refused("header");
    write_file("{}", 100, 0);
    refused("cut off");
    write_file("{}", INT64_MAX, 0);
    refused("cut off");
    write_file("{}", (int64_t)1 << 31, 0);
    refused("cut off");
    refused_header("{", 0, "header");
    refused_header("[]", 0, "header");
    refused_header(" {}", 0, "header");
    refused_header("{\"a\":1}", 0, "tensor a");
    refused_header("{\"a\":{}}", 0, "tensor a");
}

static void bad_places(void **state)
{
    (void)state;
    refused_header("{" A("0", "24") "," A("0", "24") "}", 24, "duplicate");
    refused_header("{" A("0", "24") "," S("20", "24") "}", 24, "inside");
    refused_header("{" A("0", "24") "," S("28", "32") "}", 32, "begins at byte 28");
    refused_header("{" A("4", "28") "}", 28, "begins at byte 4");
    refused_header("{" A("0", "24") "}", 30, "follow");
    refused_header("{" A("0", "24") "}", 20, "bytes 0 to 24");
    refused_header("{" A("-8", "16") "}", 24, "-8");
    refused_header("{" A("24", "0") "}", 24, "24 to 0");
    refused_header("{" A("0", "9223372036854775807") "}", 24, "tensor a");
    refused_header("{" A("0", "99999999999999999999") "}", 24, "header");
    refused_header("{" A("0.0", "24.0") "}", 24, "data_offsets");
    refused_header("{" A("0", "20") "}", 20, "shape");
}

static void bad_tensors(void **state)
{
    (void)state;
#define T(dtype, shape) \
    "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[0,24]}}"
    refused_header(T("F16", "[12]"), 24, "expected F32");
    refused_header(T("F64", "[3]"), 24, "expected F32");
    refused_header(T("X9", "[6]"), 24, "unknown dtype");
    refused_header(T("F32", "[3,2]"), 24, "expected [2, 3]");
    refused_header(T("F32", "[6]"), 24, "another model");
    refused_header(T("F32", "[-2,-3]"), 24, "shape");
    refused_header(T("F32", "[4294967296,4294967296]"), 24, "shape");
    refused_header(T("F32", "[2,3,4611686018427387904]"), 24, "shape");
    refused_header(T("F32", "\"2,3\""), 24, "shape");
    refused_header("{" S("0", "4") "}", 4, "no tensor a");
    refused_header("{" A("0", "24") ",\"b\":{\"dtype\":\"U8\",\"shape\":[1],"
                                    "\"data_offsets\":[24,25]}}",
                   25, "tensor b");
}

static void bad_values(void **state)
{
    const float inf = 1e30f * 1e30f;
    (void)state;
    write_file("{" A("0", "24") "}", -1, 24);
    FILE *file = fopen(path, "r+b");
    fseek(file, -4, SEEK_END);
    fwrite(&inf, 4, 1, file);
    fclose(file);
    refused("element 5 of a");
}

/* No prefix of a good file is accepted, and no changed byte of it harms. */
static void every_prefix_and_byte(void **state)
{
    rt_error error;
    size_t size;
    (void)state;
    assert_true(weights_save(&machine, path, &error));
    unsigned char *bytes = data_slurp(path, &size, &error);
    for (size_t n = 0; n < size; n++) {
        FILE *file = fopen(path, "wb");
        fwrite(bytes, 1, n, file);
        fclose(file);
        assert_false(weights_load(&machine, path, &error));
    }
    for (size_t n = 0; n < size; n++) {
        FILE *file = fopen(path, "wb");
        bytes[n] ^= 0x15;
        fwrite(bytes, 1, size, file);
        bytes[n] ^= 0x15;
        fclose(file);
        weights_load(&machine, path, &error);
    }
    free(bytes);
}

static int set_up(void **state)
{
    int handle = mkstemp(path);
    (void)state;
    return handle < 0 ? -1 : close(handle);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(layout),
        cmocka_unit_test(accepted),   cmocka_unit_test(bad_frames),
        cmocka_unit_test(bad_places), cmocka_unit_test(bad_tensors),
        cmocka_unit_test(bad_values), cmocka_unit_test(every_prefix_and_byte),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
