/* The reader of checkpoints. fuzz_repair puts right the checksum at the end. */
#define _GNU_SOURCE
#include "memory_file.h"
#include "tiny_model.h"

#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void fuzz_repair(uint8_t *data, size_t size);

void fuzz_repair(uint8_t *data, size_t size)
{
    uint32_t crc;
    if (size < sizeof crc)
        return;
    crc = (uint32_t)crc32_z(0, data, size - sizeof crc);
    memcpy(data + size - sizeof crc, &crc, sizeof crc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _Alignas(64) char memory[256] = {0};
    rt_machine *machine = tiny_machine(memory);
    rt_error error = {0};
    rt_state state = {0};
    char *vars = NULL;
    bool found;
    bool good =
        checkpoint_read(machine->model, memory_file(data, size), &state, &vars, &found, &error);
    if (good && found)
        checkpoint_restore(machine, vars);
    else if (error.text[0] == '\0')
        abort();
    for (int i = 0; good && i < state.nsums; i++)
        state.sums[i] += state.counts[i]; /* both are that long */
    free(state.sums);
    free(state.counts);
    return 0;
}
