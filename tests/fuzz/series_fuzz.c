/* The csv reader with a column of series. */
#include "reader_fuzz.h"

static bool read_series(data_array *array, const char *path, unsigned char *bytes, size_t size,
                        rt_error *error)
{
    return data_read_csv_series(array, path, bytes, size, "id", error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    feed(read_series, data, size);
    return 0;
}
