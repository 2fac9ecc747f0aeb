/* Files of lengths, npy or csv: of 9 padded sequences, and of 28 steps one after
 * another. */
#include "reader_fuzz.h"

enum { SEQUENCES = 9, ROOM = 6, STEPS = 28, STEP = 2 };

static data_array copy(int rank, const int64_t *dims)
{
    int64_t count = data_elements(rank, dims);
    float *values = calloc((size_t)count, sizeof *values);
    if (values == NULL)
        abort();
    data_array array = data_borrow("fuzz", DATA_F32, rank, dims, values);
    array.memory = values;
    return array;
}

static void use_lengths(const data_array *lengths, data_array array, int64_t step)
{
    rt_error error = {0};
    if (data_set_lengths(&array, lengths, step, &error))
        use_array(&array);
    else if (error.text[0] == '\0' || error.status != RT_BAD_INPUT)
        abort();
    data_close(&array);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    data_array lengths;
    rt_error error = {0};
    unsigned char *bytes = file_of(data, size);
    data_reader *reader = size > 0 && data[0] == 0x93 ? data_read_npy : data_read_csv;
    if (reader(&lengths, "lengths", bytes, size, &error)) {
        lengths.path = strdup("lengths");
        for (int64_t step = 0; step <= STEP; step += STEP) {
            use_lengths(&lengths, copy(3, (int64_t[]){SEQUENCES, ROOM, STEP}), step);
            use_lengths(&lengths, copy(2, (int64_t[]){STEPS, STEP}), step);
        }
    } else if (error.text[0] == '\0') {
        abort();
    }
    data_close(&lengths);
    return 0;
}
