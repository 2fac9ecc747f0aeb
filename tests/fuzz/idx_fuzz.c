/* IDX as it is, and as the contents of a sound gzip file: otherwise the
 * checksum keeps mutations away from what is inside. */
#include "reader_fuzz.h"

#include <zlib.h>

static void feed_gzipped(const uint8_t *data, size_t size)
{
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    size_t room = deflateBound(&z, size);
    unsigned char *packed = malloc(room);
    if (packed == NULL)
        abort();
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)size;
    z.next_out = packed;
    z.avail_out = (uInt)room;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    feed(data_read_idx, packed, z.total_out);
    deflateEnd(&z);
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    feed(data_read_idx, data, size);
    feed_gzipped(data, size);
    return 0;
}
