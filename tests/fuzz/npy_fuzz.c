/* The npy reader. */
#include "reader_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    feed(data_read_npy, data, size);
    return 0;
}
