/* data.h: .npy files of float32 and int32, as numpy.save writes them (format 1.0). */
#include "atomic.h"
#include "data.h"

#include <stdlib.h>
#include <string.h>

struct npy_writer {
    atomic_file file;
    uint64_t left; /* values still to come */
};

/* The header ends in spaces and a newline so that the values start at 64. */
static bool write_header(FILE *stream, data_type type, int rank, const int64_t *dims)
{
    enum { START = 10, ALIGN = 64 };
    char text[512], shape[256] = "";
    size_t used = 0;
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)dims[i]);
    const char *order = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? ">" : "<";
    int length =
        snprintf(text, sizeof text, "{'descr': '%s%c4', 'fortran_order': False, 'shape': (%s%s), }",
                 order, type == DATA_I32 ? 'i' : 'f', shape, rank == 1 ? "," : "");
    int padded = (START + length + 1 + ALIGN - 1) / ALIGN * ALIGN - START;
    unsigned char magic[START] = {0x93,
                                  'N',
                                  'U',
                                  'M',
                                  'P',
                                  'Y',
                                  1,
                                  0,
                                  (unsigned char)(padded & 255),
                                  (unsigned char)(padded >> 8)};
    return fwrite(magic, 1, START, stream) == START &&
           fprintf(stream, "%-*s\n", padded - 1, text) == padded;
}

npy_writer *npy_create(const char *path, data_type type, int rank, const int64_t *dims,
                       rt_error *error)
{
    npy_writer *writer = rt_alloc(1, sizeof *writer);
    if (!atomic_open(&writer->file, path, error)) {
        free(writer);
        return NULL;
    }
    writer->left = 1;
    for (int i = 0; i < rank; i++)
        writer->left *= (uint64_t)dims[i];
    if (!write_header(writer->file.stream, type, rank, dims)) {
        rt_set_errno(error, path, "write");
        npy_abandon(writer);
        return NULL;
    }
    return writer;
}

bool npy_append(npy_writer *writer, const void *values, size_t count, rt_error *error)
{
    if (count > writer->left)
        return rt_set(error, RT_DEFECT, "%s: more values than its shape holds", writer->file.path);
    if (fwrite(values, 4, count, writer->file.stream) != count)
        return rt_set_errno(error, writer->file.path, "write");
    writer->left -= count;
    return true;
}

bool npy_commit(npy_writer *writer, rt_error *error)
{
    if (writer->left > 0) {
        rt_set(error, RT_DEFECT, "%s: %llu values fewer than its shape holds", writer->file.path,
               (unsigned long long)writer->left);
        npy_abandon(writer);
        return false;
    }
    bool good = atomic_commit(&writer->file, error);
    free(writer);
    return good;
}

void npy_abandon(npy_writer *writer)
{
    atomic_abandon(&writer->file);
    free(writer);
}

bool npy_write(const char *path, int rank, const int64_t *dims, const float *values,
               rt_error *error)
{
    npy_writer *writer = npy_create(path, DATA_F32, rank, dims, error);
    if (writer == NULL)
        return false;
    if (!npy_append(writer, values, (size_t)writer->left, error)) {
        npy_abandon(writer);
        return false;
    }
    return npy_commit(writer, error);
}
