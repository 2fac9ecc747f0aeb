/* IDX, the format of MNIST, plain or gzipped.
 *
 * byte 0, 1   zero
 * byte 2      type: 08 u8, 09 i8, 0b i16, 0c i32, 0d f32, 0e f64
 * byte 3      rank
 * byte 4 …    rank sizes, 32 bits, big-endian
 * then        the values, big-endian
 *
 * A gzipped file is inflated to exactly what its header promises: neither a
 * header that lies nor a bomb gets more memory than that, and a header that
 * the compressed bytes cannot possibly fill gets none. */
#include "data.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { IDX_HEAD = 4, IDX_MAX_HEADER = IDX_HEAD + 4 * DATA_MAX_RANK };
/* Deflate cannot do better than 1032 bytes from one. */
enum { DEFLATE_MAX_RATIO = 1032 };

static bool idx_type(unsigned char code, data_type *type)
{
    static const struct {
        unsigned char code;
        data_type type;
    } codes[] = {
        {0x08, DATA_U8},  {0x09, DATA_I8},  {0x0b, DATA_I16},
        {0x0c, DATA_I32}, {0x0d, DATA_F32}, {0x0e, DATA_F64},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code) {
            *type = codes[i].type;
            return true;
        }
    return false;
}

static uint32_t big_endian_32(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The first four bytes. */
static bool read_magic(data_array *array, const unsigned char *bytes, size_t size, rt_error *error)
{
    if (size == 0)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the file is empty\n"
                      "copy or download the file again",
                      array->path);
    if (size < IDX_HEAD)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: truncated at byte %zu, in the header of an IDX file"
                      "\ncopy or download the file again",
                      array->path, size);
    if (bytes[0] != 0 || bytes[1] != 0)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: not an IDX file: byte 0 begins %02x %02x %02x %02x, "
                      "expected 00 00, a type (08, 09 or 0b to 0e) and a rank%s",
                      array->path, bytes[0], bytes[1], bytes[2], bytes[3],
                      data_kind_hint(bytes, size));
    if (!idx_type(bytes[2], &array->type))
        return rt_set(error, RT_BAD_INPUT,
                      "%s: byte 2: type %02x, expected 08, 09 or 0b to 0e\n"
                      "the file is damaged, or not an IDX file",
                      array->path, bytes[2]);
    array->rank = bytes[3];
    if (array->rank < 1 || array->rank > DATA_MAX_RANK)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: byte 3: rank %d, expected 1 to %d\n"
                      "the file is damaged, or not an IDX file",
                      array->path, array->rank, DATA_MAX_RANK);
    return true;
}

static size_t header_size(const data_array *array)
{
    return IDX_HEAD + 4 * (size_t)array->rank;
}

/* Type, rank, dims and what follows from them. */
static bool read_header(data_array *array, const unsigned char *bytes, size_t size,
                        uint64_t *needed, rt_error *error)
{
    if (!read_magic(array, bytes, size, error))
        return false;
    if (size < header_size(array))
        return rt_set(error, RT_BAD_INPUT,
                      "%s: truncated at byte %zu, in the header: its %d sizes "
                      "end at byte %zu\ncopy or download the file again",
                      array->path, size, array->rank, header_size(array));
    for (int i = 0; i < array->rank; i++)
        array->dims[i] = big_endian_32(bytes + IDX_HEAD + 4 * i);
    return data_measure(array, needed, error);
}

/* ---- gzip ---------------------------------------------------------------- */

/* zlib counts in 32 bits, so long files are fed in pieces. */
typedef struct inflater {
    z_stream z;
    const unsigned char *end; /* of the compressed bytes */
    bool ended;               /* the last member of the file is complete */
    const char *problem;      /* NULL, or what zlib says */
} inflater;

static void refill(inflater *in)
{
    size_t left = (size_t)(in->end - in->z.next_in);
    in->z.avail_in = left < (1u << 30) ? (uInt)left : 1u << 30;
}

/* A gzip file may have several members, one after another. */
static void next_member(inflater *in)
{
    in->ended = in->z.next_in == in->end;
    if (!in->ended && inflateReset(&in->z) != Z_OK)
        in->problem = "not a gzip member";
}

/* Up to `size` bytes; fewer at the end of the stream and after a problem. */
static size_t inflate_some(inflater *in, unsigned char *out, size_t size)
{
    size_t got = 0;
    while (got < size && !in->ended && in->problem == NULL) {
        size_t want = size - got < (1u << 30) ? size - got : 1u << 30;
        refill(in);
        in->z.next_out = out + got;
        in->z.avail_out = (uInt)want;
        int status = inflate(&in->z, Z_NO_FLUSH);
        got += want - in->z.avail_out;
        if (status == Z_STREAM_END)
            next_member(in);
        else if (status == Z_BUF_ERROR)
            in->problem = "the compressed data ends early";
        else if (status != Z_OK)
            in->problem = in->z.msg != NULL ? in->z.msg : "damaged";
    }
    return got;
}

static bool inflate_error(const inflater *in, const char *path, size_t size, rt_error *error)
{
    unsigned long long at = size - (size_t)(in->end - in->z.next_in);
    return rt_set(error, RT_BAD_INPUT,
                  "%s: compressed byte %llu: %s\n"
                  "copy or download the file again",
                  path, at, in->problem);
}

/* The header, all values, and one byte more if there is one. */
static unsigned char *inflate_all(inflater *in, data_array *array, size_t compressed, size_t *size,
                                  rt_error *error)
{
    unsigned char header[IDX_MAX_HEADER];
    uint64_t needed;
    size_t got = inflate_some(in, header, IDX_HEAD);
    if (got == IDX_HEAD && header[0] == 0 && header[3] <= DATA_MAX_RANK)
        got += inflate_some(in, header + IDX_HEAD, 4 * (size_t)header[3]);
    if (in->problem != NULL) {
        inflate_error(in, array->path, compressed, error);
        return NULL;
    }
    if (!read_header(array, header, got, &needed, error))
        return NULL;
    if (needed / DEFLATE_MAX_RATIO > compressed) {
        rt_set(error, RT_BAD_INPUT,
               "%s: truncated: the header promises %llu bytes, more than %zu "
               "compressed bytes can hold\ncopy or download the file again",
               array->path, (unsigned long long)needed, compressed);
        return NULL;
    }
    unsigned char *bytes = data_alloc(array->path, got + needed + 1, error);
    if (bytes == NULL)
        return NULL;
    memcpy(bytes, header, got);
    *size = got + inflate_some(in, bytes + got, needed + 1);
    if (in->problem != NULL) {
        inflate_error(in, array->path, compressed, error);
        free(bytes);
        return NULL;
    }
    return bytes;
}

static unsigned char *gunzip(data_array *array, const unsigned char *bytes, size_t *size,
                             rt_error *error)
{
    inflater in = {.end = bytes + *size};
    in.z.next_in = (Bytef *)bytes;
    if (inflateInit2(&in.z, 15 + 16) != Z_OK) {
        rt_set(error, RT_IO, "%s: not enough memory to decompress", array->path);
        return NULL;
    }
    unsigned char *inflated = inflate_all(&in, array, *size, size, error);
    inflateEnd(&in.z);
    return inflated;
}

/* ---- The reader ---------------------------------------------------------- */

static bool read_plain(data_array *array, unsigned char *bytes, size_t size, rt_error *error)
{
    uint64_t needed;
    array->memory = bytes;
    if (!read_header(array, bytes, size, &needed, error))
        return false;
    size_t start = header_size(array);
    if (!data_check_length(array, needed, size - start, start, error))
        return false;
    data_take_values(array, start, needed, true);
    return true;
}

bool data_read_idx(data_array *array, const char *path, unsigned char *bytes, size_t size,
                   rt_error *error)
{
    bool gzipped = size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
    *array = (data_array){.path = (char *)path};
    if (gzipped) {
        unsigned char *inflated = gunzip(array, bytes, &size, error);
        free(bytes);
        bytes = inflated;
    }
    bool good = bytes != NULL && read_plain(array, bytes, size, error);
    array->path = NULL;
    if (!good)
        data_close(array);
    return good;
}
