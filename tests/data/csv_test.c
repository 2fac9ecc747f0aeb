/* The CSV reader: what it takes, what it refuses and where it points. */
#include "data/data_test.h"

#include <math.h>
#include <stdio.h>

static void expect_table(const char *text, int64_t rows, int64_t columns, const float *values)
{
    test_file file = {0};
    put(&file, text, strlen(text));
    expect_good(data_read_csv, &file, DATA_F32, 2, (int64_t[]){rows, columns}, values);
}

static void expect_message(const char *text, const char *message)
{
    expect_error(data_read_csv, text, strlen(text), message);
}

static void test_tables(void **state)
{
    (void)state;
    const float values[4] = {1, 2.5f, -3, 4e-3f};
    expect_table("1,2.5\n-3,4e-3\n", 2, 2, values);
    expect_table("1,2.5\r\n-3,4e-3", 2, 2, values);
    expect_table("1;2.5\n-3;.004\n", 2, 2, values);
    expect_table("1\t2.5\n-3\t0.004\n", 2, 2, values);
    expect_table("\"1\",\"2.5\"\n\" -3 \", 4E-3 \n", 2, 2, values);
    expect_table("1\r2.5\r-3\r0.4e-2\r", 4, 1, values);
    expect_table("1,2.5,+0,7\n", 1, 4, (float[]){1, 2.5f, 0, 7});
}

static void test_headers(void **state)
{
    (void)state;
    const float values[2] = {1, 2};
    expect_table("x,y\n1,2\n", 1, 2, values);
    expect_table("\"x, in \"\"cm\"\"\",y\n1,2\n", 1, 2, values);
    expect_table("# saved by hand\n#\n\nx,y\n1,2\n", 1, 2, values);
    expect_table("\xef\xbb\xbfx,y\n1,2\n", 1, 2, values);
    expect_table("\xef\xbb\xbf"
                 "1,2\n",
                 1, 2, values);
    expect_table(",y\n1,2\n", 1, 2, values);
    expect_table("x\n1\n\n  \n2\n\n", 2, 1, values);
}

/* Each number must be the float32 nearest to its decimal value. */
static void test_rounding(void **state)
{
    (void)state;
    static const char *const numbers[] = {
        "0.1",
        "-0.475629266",
        "1.18002627",
        "16777217",
        "9999999",
        "0.0000001",
        "123456.7",
        "1e38",
        "3.4028235e38",
        "1e-45",
        "1e-60",
        "-0",
        "0.00000000000001",
        "00000012.5",
        "1.00000005960464477539062",
        "1.00000005960464477539063",
        "7.e1",
        "3e+2",
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        expect_table(numbers[i], 1, 1, (float[]){strtof(numbers[i], NULL)});
    for (unsigned i = 0; i < 20000; i++) {
        char text[32];
        unsigned digits = i * 2654435761u;
        snprintf(text, sizeof text, "%u.%0*u", digits % 100, (int)(i % 6) + 1, digits / 100 % 10);
        expect_table(text, 1, 1, (float[]){strtof(text, NULL)});
    }
}

static void test_messages(void **state)
{
    (void)state;
    expect_message("x,y\n1,2\n3,nan\n", "test:3:3: the value is NaN");
    expect_message("1,-NaN\n", "test:1:3: the value is NaN");
    expect_message("1,2\n -Infinity,2\n", "test:2:2: the value is infinite");
    expect_message("1,2\n1e39,2\n", "test:2:1: the value is too large for float32");
    expect_message("1,2\n3\n", "test:2: 1 fields, but the lines before have 2");
    expect_message("x,y\n3,4,5\n", "test:2: 3 fields, but the lines before have 2");
    expect_message("1,2\n3,\n", "test:2:3: a value is missing");
    expect_message("1,2\n,3\n", "test:2:1: a value is missing");
    expect_message("1,2\n3,x4\n", "test:2:3: expected a number, found 'x4'");
    expect_message("1,two\n3,4\n", "test:1:3: expected a number, found 'two'");
    expect_message("1,0x10\n", "expected a number, found '0x10'");
    expect_message("1,2e\n", "expected a number, found '2e'");
    expect_message("1,5;2,5\n", "write decimals with a point");
    expect_message("1 2 3\n4 5 6\n", "separate columns by commas, semicolons or tabs");
    expect_message("1,\"2\n3,4\n", "test:1:3: this quote is not closed on its line");
    expect_message("1,\"2\"3\n", "test:1:6: expected a separator after the quoted field");
    expect_message("1 2 3 4\n", "separate columns by commas, semicolons or tabs");
    expect_message("", "the data set is empty");
    expect_message("\n\n  \n", "the data set is empty");
    expect_message("x,y\n", "the data set is empty");
    expect_error(data_read_csv, "1,2\0\n", 5, "not a CSV file: byte 3 is zero");
    expect_error(data_read_csv, "\0\0\x08\1", 4, "read it with idx(…)");
}

/* Prefixes of a table are tables or errors, never anything else. */
static void test_damage(void **state)
{
    (void)state;
    static const char text[] = "# c\n\"a\",b;c\n-1.5,\"2\"\r\n3e-2 , +4\n\n5,6";
    for (size_t size = 0; size < sizeof text; size++) {
        data_array array;
        rt_error error;
        if (!read_bytes(data_read_csv, &array, text, size, &error))
            assert_true(error.text[0] != '\0');
        data_close(&array);
    }
    test_file file = {0};
    put(&file, text, sizeof text - 1);
    attack_bits(data_read_csv, &file);
}

/* Many columns, then many blank lines: memory follows the values. */
static void test_hostile_sizes(void **state)
{
    (void)state;
    enum { COLUMNS = 20000, LINES = 1000000 };
    char *text = malloc(2 * COLUMNS + LINES);
    rt_error error;
    data_array array;
    assert_non_null(text);
    for (int i = 0; i < COLUMNS; i++)
        memcpy(text + 2 * i, i + 1 < COLUMNS ? "7," : "7\n", 2);
    memset(text + 2 * COLUMNS, '\n', LINES);
    assert_true(read_bytes(data_read_csv, &array, text, 2 * COLUMNS + LINES, &error));
    expect_shape(&array, DATA_F32, 2, (int64_t[]){1, COLUMNS});
    data_close(&array);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),   cmocka_unit_test(test_headers),
        cmocka_unit_test(test_rounding), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_damage),   cmocka_unit_test(test_hostile_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
