/* The reader of weights, into a small model: all of them or none. */
#define _GNU_SOURCE
#include "memory_file.h"
#include "tiny_model.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char before[256];
    _Alignas(64) char memory[256] = {0};
    rt_error error = {0};
    bool good = weights_load(tiny_machine(memory), memory_file(data, size), &error);
    if (!good && (error.text[0] == '\0' || memcmp(memory, before, sizeof memory) != 0))
        abort();
    return 0;
}
