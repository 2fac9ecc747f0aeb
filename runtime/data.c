/* data.h: arrays. Finding a file, choosing its reader, checking its values. */
#include "data.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [DATA_U8] = {"u8", 1},   [DATA_I8] = {"i8", 1},   [DATA_U16] = {"u16", 2},
    [DATA_I16] = {"i16", 2}, [DATA_I32] = {"i32", 4}, [DATA_I64] = {"i64", 8},
    [DATA_F32] = {"f32", 4}, [DATA_F64] = {"f64", 8},
};

size_t data_type_size(data_type type)
{
    return types[type].size;
}

const char *data_type_name(data_type type)
{
    return types[type].name;
}

const char *data_shape_text(char *text, size_t size, int rank, const int64_t *dims)
{
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < rank && at < size; i++)
        at +=
            (size_t)snprintf(text + at, size - at, "%s%lld", i > 0 ? ", " : "", (long long)dims[i]);
    if (at < size)
        snprintf(text + at, size - at, "]");
    return text;
}

/* ---- Readers by name and by content ----------------------------------- */

static const struct format {
    const char *name;
    data_reader *read;
} formats[] = {
    {"idx", data_read_idx},
    {"npy", data_read_npy},
    {"csv", data_read_csv},
    {"png", data_read_png},
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

static const struct format *find_format(const char *name)
{
    for (int i = 0; i < FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static bool starts_with(const unsigned char *bytes, size_t size, const char *magic, size_t length)
{
    return size >= length && memcmp(bytes, magic, length) == 0;
}

static bool is_text(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size && i < 512; i++)
        if (bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t')
            return false;
    return size > 0;
}

static const char *kind_of(const unsigned char *bytes, size_t size)
{
    if (starts_with(bytes, size, "\x93NUMPY", 6))
        return "npy";
    if (starts_with(bytes, size, "\x89PNG", 4))
        return "png";
    if (starts_with(bytes, size, "\0\0", 2) || starts_with(bytes, size, "\x1f\x8b", 2))
        return "idx";
    return is_text(bytes, size) ? "csv" : NULL;
}

const char *data_kind_hint(const unsigned char *bytes, size_t size)
{
    const char *kind = kind_of(bytes, size);
    if (size == 0)
        return ", and the file is empty\ncopy or save the file again";
    if (kind == NULL)
        return "\ncheck that this is the right file";
    switch (kind[0]) {
    case 'n': return "\nit is a NumPy file: read it with npy(…)";
    case 'p': return "\nit is a PNG: read it with png(…)";
    case 'i':
        return bytes[0] == 0 ? "\nit looks like an IDX file: read it with idx(…)"
                             : "\nit is gzipped: idx(…) reads an IDX file in it, others "
                               "need gunzip";
    default: return "\nit is text: read it with csv(…) if it is a table of numbers";
    }
}

static const struct format *choose_format(const data_source *source, const char *path,
                                          const unsigned char *bytes, size_t size, rt_error *error)
{
    const char *kind = source->reader != NULL ? source->reader : kind_of(bytes, size);
    const struct format *format = kind != NULL ? find_format(kind) : NULL;
    if (format == NULL)
        rt_set(error, RT_BAD_INPUT,
               "%s: the format of this file is unknown\n"
               "data is read from IDX (also .gz), NumPy .npy, CSV and PNG",
               path);
    return format;
}

/* ---- Reading ----------------------------------------------------------- */

void *data_alloc(const char *path, uint64_t size, rt_error *error)
{
    void *memory = size < SIZE_MAX ? malloc((size_t)size + 1) : NULL;
    if (memory == NULL)
        rt_set(error, RT_IO, "%s: not enough memory for its %llu bytes", path,
               (unsigned long long)size);
    return memory;
}

/* Reads up to `size` bytes; a file that shrinks meanwhile gives fewer. */
static bool read_bytes(int handle, unsigned char *bytes, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = read(handle, bytes + *got, size - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return true;
}

static unsigned char *slurp_open(int handle, const char *path, size_t *size, rt_error *error)
{
    struct stat status;
    if (fstat(handle, &status) != 0) {
        rt_set_errno(error, path, "read");
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        rt_set(error, RT_IO, "%s: not a regular file%s", path,
               S_ISDIR(status.st_mode) ? " but a folder\nonly png(…) reads a folder" : "");
        return NULL;
    }
    unsigned char *bytes = data_alloc(path, (uint64_t)status.st_size, error);
    if (bytes == NULL)
        return NULL;
    if (!read_bytes(handle, bytes, (size_t)status.st_size, size)) {
        rt_set_errno(error, path, "read");
        free(bytes);
        return NULL;
    }
    bytes[*size] = 0;
    return bytes;
}

unsigned char *data_slurp(const char *path, size_t *size, rt_error *error)
{
    int handle = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (handle < 0) {
        rt_set_errno(error, path, "read");
        return NULL;
    }
    unsigned char *bytes = slurp_open(handle, path, size, error);
    close(handle);
    return bytes;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* On success the array keeps `path`. */
static bool read_file(data_array *array, const data_source *source, const char *path,
                      rt_error *error)
{
    size_t size;
    unsigned char *bytes = data_slurp(path, &size, error);
    if (bytes == NULL)
        return false;
    if (size == 0) {
        free(bytes);
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the file is empty\ngive a line for each sample, "
                      "or another file",
                      path);
    }
    const struct format *format = choose_format(source, path, bytes, size, error);
    if (format == NULL) {
        free(bytes);
        return false;
    }
    bool series = source->series != NULL && format->read == data_read_csv;
    if (series && source->lengths != NULL && data_csv_names(path, bytes, size, source->series)) {
        free(bytes);
        return rt_set(error, RT_BAD_INPUT,
                      "%s: the lengths of its series are in %s and in its column \"%s\"\n"
                      "give no file of lengths, or a file without that column",
                      path, source->lengths, source->series);
    }
    if (series && source->lengths == NULL)
        return data_read_csv_series(array, path, bytes, size, source->series, error);
    return format->read(array, path, bytes, size, error);
}

/* Finds and reads the file of lengths, where the source has one. */
static bool read_lengths(data_array *array, const data_source *source, rt_error *error)
{
    char name[128];
    data_source file = {source->name != NULL ? name : NULL, NULL, source->lengths, source->beside,
                        .are_lengths = true};
    data_array lengths;
    if (source->lengths == NULL)
        return true;
    snprintf(name, sizeof name, "%s.lengths", source->name != NULL ? source->name : "");
    if (!data_open(&lengths, &file, error))
        return false;
    bool good = data_set_lengths(array, &lengths, source->step, error);
    data_close(&lengths);
    return good;
}

bool data_open(data_array *array, const data_source *source, rt_error *error)
{
    *array = (data_array){0};
    char *path = data_find(source, error);
    if (path == NULL)
        return false;
    bool folder = is_folder(path) && (source->reader == NULL || source->reader[0] == 'p');
    bool good =
        folder ? data_read_png_folder(array, path, error) : read_file(array, source, path, error);
    array->path = path;
    good = good && read_lengths(array, source, error) &&
           (source->are_lengths || data_check_finite(array, error));
    if (!good)
        data_close(array);
    return good;
}

void data_close(data_array *array)
{
    free(array->path);
    free(array->memory);
    data_sequences_free(array->sequences);
    *array = (data_array){0};
}

data_array data_borrow(const char *name, data_type type, int rank, const int64_t *dims,
                       const void *values)
{
    data_array array = {.path = strdup(name), .type = type, .rank = rank, .values = values};
    memcpy(array.dims, dims, (size_t)rank * sizeof *dims);
    array.samples = dims[0];
    array.elements = 1;
    for (int i = 1; i < rank; i++)
        array.elements *= dims[i];
    return array;
}

/* ---- Checks ------------------------------------------------------------ */

bool data_measure(data_array *array, uint64_t *bytes, rt_error *error)
{
    char shape[256];
    data_shape_text(shape, sizeof shape, array->rank, array->dims);
    int64_t total = (int64_t)data_type_size(array->type);
    array->samples = array->dims[0];
    array->elements = 1;
    for (int i = 0; i < array->rank; i++) {
        if (array->dims[i] <= 0)
            return rt_set(error, RT_BAD_INPUT,
                          "%s: the data set is empty: its shape is %s\n"
                          "at least one sample with one element is needed",
                          array->path, shape);
        if (__builtin_mul_overflow(total, array->dims[i], &total))
            return rt_set(error, RT_BAD_INPUT,
                          "%s: the header promises an impossible shape, %s\n"
                          "the file is damaged",
                          array->path, shape);
        if (i > 0)
            array->elements *= array->dims[i];
    }
    *bytes = (uint64_t)total;
    return true;
}

bool data_check_length(const data_array *array, uint64_t bytes, uint64_t present, uint64_t start,
                       rt_error *error)
{
    if (present == bytes)
        return true;
    char shape[256];
    data_shape_text(shape, sizeof shape, array->rank, array->dims);
    unsigned long long have = present, want = bytes, end = start + bytes;
    if (present < bytes)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: truncated at byte %llu: %s of %s needs %llu bytes "
                      "after the header, %llu are there\ncopy or download the file again",
                      array->path, (unsigned long long)start + have, shape,
                      data_type_name(array->type), want, have);
    return rt_set(error, RT_BAD_INPUT,
                  "%s: bytes follow the last value at byte %llu: %s of %s "
                  "needs only %llu bytes after the header\nthe header does not fit the contents",
                  array->path, end, shape, data_type_name(array->type), want);
}

static void reverse(unsigned char *value, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        unsigned char byte = value[i];
        value[i] = value[size - 1 - i];
        value[size - 1 - i] = byte;
    }
}

void data_take_values(data_array *array, size_t start, uint64_t size, bool big)
{
    size_t width = data_type_size(array->type);
    unsigned char *values = (unsigned char *)array->memory + start;
    if (start % width != 0) {
        memmove(array->memory, values, (size_t)size);
        values = array->memory;
    }
    array->values = values;
    bool native_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    for (uint64_t at = 0; big != native_big && width > 1 && at < size; at += width)
        reverse(values + at, width);
}

/* The first value of a span that is not finite as float32, or -1. */
static int64_t first_bad(const data_array *array, data_place span)
{
    int64_t end = span.start + span.count;
    if (array->type == DATA_F32) {
        const float *values = array->values;
        for (int64_t i = span.start; i < end; i++)
            if (!isfinite(values[i]))
                return i;
    } else if (array->type == DATA_F64) {
        const double *values = array->values;
        for (int64_t i = span.start; i < end; i++)
            if (!isfinite((float)values[i]))
                return i;
    }
    return -1;
}

bool data_check_finite(const data_array *array, rt_error *error)
{
    int64_t bad = -1, spans = data_spans(array);
    char place[160];
    for (int64_t i = 0; i < spans && bad < 0; i++)
        bad = first_bad(array, data_span(array, i));
    if (bad < 0)
        return true;
    double value = data_value(array, bad);
    const char *what = isnan(value)   ? "is NaN"
                       : isinf(value) ? "is infinite"
                                      : "is too large for float32";
    return rt_set(error, RT_BAD_INPUT,
                  "%s: %s %s (counted from 0)\n"
                  "training needs finite numbers: repair or drop that sample",
                  array->path, data_place_text(place, sizeof place, array, bad), what);
}

double data_value(const data_array *array, int64_t i)
{
    const void *values = array->values;
    switch (array->type) {
    case DATA_U8: return ((const uint8_t *)values)[i];
    case DATA_I8: return ((const int8_t *)values)[i];
    case DATA_U16: return ((const uint16_t *)values)[i];
    case DATA_I16: return ((const int16_t *)values)[i];
    case DATA_I32: return ((const int32_t *)values)[i];
    case DATA_I64: return (double)((const int64_t *)values)[i];
    case DATA_F32: return (double)((const float *)values)[i];
    case DATA_F64: return ((const double *)values)[i];
    }
    return 0;
}

static bool check_classes_in(const data_array *array, data_place span, int64_t classes,
                             rt_error *error)
{
    char place[160];
    for (int64_t i = span.start; i < span.start + span.count; i++) {
        double value = data_value(array, i);
        if (value >= 0 && value < (double)classes && value == floor(value))
            continue;
        return rt_set(error, RT_BAD_INPUT,
                      "%s: %s is %.9g (counted from 0), not one of "
                      "the program's %lld classes\n"
                      "a class is a whole number from 0 to %lld",
                      array->path, data_place_text(place, sizeof place, array, i), value,
                      (long long)classes, (long long)classes - 1);
    }
    return true;
}

bool data_check_classes(const data_array *array, int64_t classes, rt_error *error)
{
    int64_t spans = data_spans(array);
    for (int64_t i = 0; i < spans; i++)
        if (!check_classes_in(array, data_span(array, i), classes, error))
            return false;
    return true;
}
