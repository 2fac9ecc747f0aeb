/* The csv reader. */
#include "reader_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    feed(data_read_csv, data, size);
    return 0;
}
