/* The PNG reader. fuzz_repair puts right the checksum of every chunk, so that
 * mutations get past it. */
#include "reader_fuzz.h"

#include <zlib.h>

void fuzz_repair(uint8_t *data, size_t size);

static size_t big_endian(const uint8_t *b)
{
    return (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
}

/* A chunk: length, type, contents, CRC of type and contents. */
void fuzz_repair(uint8_t *data, size_t size)
{
    enum { SIGNATURE = 8, AROUND = 12 };
    size_t at = SIGNATURE;
    while (at + AROUND <= size && big_endian(data + at) <= size - at - AROUND) {
        size_t length = big_endian(data + at);
        uint8_t *crc = data + at + 8 + length;
        uLong value = crc32(0, data + at + 4, (uInt)length + 4);
        for (int i = 0; i < 4; i++)
            crc[i] = (uint8_t)(value >> (24 - 8 * i));
        at += AROUND + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    feed(data_read_png, data, size);
    return 0;
}
