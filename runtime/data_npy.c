/* NumPy's .npy, format 1.0 to 3.0.
 *
 * byte 0      \x93NUMPY
 * byte 6, 7   version
 * byte 8      length of the header, 16 bits (version 1) or 32, little-endian
 * then        {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
 * then        the values
 *
 * The header is a Python literal: the three keys in any order, each once, and
 * nothing else is accepted. Objects (pickles) and records are refused. */
#include "data.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NPY_FIXED = 10, NPY_MAX_HEADER = 10000 };

typedef struct npy_header {
    const char *path;
    const unsigned char *bytes;
    size_t at, end; /* of the literal, in bytes of the file */
    data_array *array;
    bool big, fortran;
    unsigned seen; /* a bit for each key */
} npy_header;

enum { KEY_DESCR = 1, KEY_FORTRAN = 2, KEY_SHAPE = 4, KEY_ALL = 7 };

static bool expected(const npy_header *h, const char *what, rt_error *error)
{
    return rt_set(error, RT_BAD_INPUT,
                  "%s: byte %zu, in the header: expected %s\n"
                  "the file is damaged; save it again with numpy.save",
                  h->path, h->at, what);
}

static void skip_space(npy_header *h)
{
    while (h->at < h->end && isspace(h->bytes[h->at]))
        h->at++;
}

static bool accept(npy_header *h, char c)
{
    skip_space(h);
    if (h->at >= h->end || h->bytes[h->at] != (unsigned char)c)
        return false;
    h->at++;
    return true;
}

static bool accept_word(npy_header *h, const char *word)
{
    size_t length = strlen(word);
    skip_space(h);
    if (h->end - h->at < length || memcmp(h->bytes + h->at, word, length) != 0)
        return false;
    h->at += length;
    return true;
}

/* A short string in either kind of quotes. */
static bool read_string(npy_header *h, char *text, size_t size)
{
    char quote = accept(h, '\'') ? '\'' : accept(h, '"') ? '"' : 0;
    size_t n = 0;
    while (quote != 0 && h->at < h->end && n + 1 < size) {
        char c = (char)h->bytes[h->at++];
        if (c == quote) {
            text[n] = '\0';
            return true;
        }
        text[n++] = c;
    }
    return false;
}

/* ---- The three values ------------------------------------------------------ */

static bool type_of(const char *code, data_type *type)
{
    static const struct {
        const char *code;
        data_type type;
    } codes[] = {
        {"b1", DATA_U8},  {"u1", DATA_U8},  {"i1", DATA_I8},  {"u2", DATA_U16}, {"i2", DATA_I16},
        {"i4", DATA_I32}, {"i8", DATA_I64}, {"f4", DATA_F32}, {"f8", DATA_F64},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i].code) == 0) {
            *type = codes[i].type;
            return true;
        }
    return false;
}

static bool read_descr(npy_header *h, rt_error *error)
{
    char text[16];
    size_t start = h->at;
    if (!read_string(h, text, sizeof text)) {
        h->at = start;
        return expected(h, "a simple type, like '<f4'", error);
    }
    if (text[0] == '\0' || strchr("<>|=", text[0]) == NULL || !type_of(text + 1, &h->array->type))
        return rt_set(error, RT_BAD_INPUT,
                      "%s: byte %zu, in the header: values of type '%s' are "
                      "not read\nsave array.astype(\"float32\")",
                      h->path, start, text);
    h->big = text[0] == '>' || (text[0] == '=' && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    return true;
}

static bool read_fortran(npy_header *h, rt_error *error)
{
    h->fortran = accept_word(h, "True");
    return h->fortran || accept_word(h, "False") || expected(h, "True or False", error);
}

static bool read_size(npy_header *h, int64_t *size)
{
    *size = 0;
    skip_space(h);
    size_t start = h->at;
    for (; h->at < h->end && isdigit(h->bytes[h->at]); h->at++)
        if (__builtin_mul_overflow(*size, 10, size) ||
            __builtin_add_overflow(*size, h->bytes[h->at] - '0', size))
            return false;
    return h->at > start;
}

static bool read_shape(npy_header *h, rt_error *error)
{
    data_array *array = h->array;
    array->rank = 0;
    if (!accept(h, '('))
        return expected(h, "a shape, like (60000, 28, 28)", error);
    while (!accept(h, ')')) {
        if (array->rank == DATA_MAX_RANK)
            return rt_set(error, RT_BAD_INPUT,
                          "%s: the array has more than %d axes\n"
                          "reshape it before numpy.save",
                          h->path, DATA_MAX_RANK);
        if (!read_size(h, &array->dims[array->rank++]))
            return expected(h, "the size of an axis", error);
        if (!accept(h, ',') && !(h->at < h->end && h->bytes[h->at] == ')'))
            return expected(h, "',' or ')'", error);
    }
    if (array->rank == 0)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: a single value, shape ()\n"
                      "the first axis counts samples: save an array with at least one axis",
                      h->path);
    return true;
}

/* ---- The header -------------------------------------------------------------- */

static bool read_entry(npy_header *h, rt_error *error)
{
    char key[16];
    size_t start = h->at;
    unsigned bit = 0;
    if (read_string(h, key, sizeof key))
        bit = strcmp(key, "descr") == 0           ? KEY_DESCR
              : strcmp(key, "fortran_order") == 0 ? KEY_FORTRAN
              : strcmp(key, "shape") == 0         ? KEY_SHAPE
                                                  : 0;
    if (bit == 0 || (h->seen & bit) != 0) {
        h->at = start;
        return expected(h, "'descr', 'fortran_order' and 'shape', each once", error);
    }
    h->seen |= bit;
    if (!accept(h, ':'))
        return expected(h, "':'", error);
    return bit == KEY_DESCR     ? read_descr(h, error)
           : bit == KEY_FORTRAN ? read_fortran(h, error)
                                : read_shape(h, error);
}

static bool read_dictionary(npy_header *h, rt_error *error)
{
    if (!accept(h, '{'))
        return expected(h, "'{'", error);
    while (!accept(h, '}')) {
        if (!read_entry(h, error))
            return false;
        skip_space(h);
        if (!accept(h, ',') && !(h->at < h->end && h->bytes[h->at] == '}'))
            return expected(h, "',' or '}'", error);
    }
    skip_space(h);
    if (h->seen != KEY_ALL)
        return expected(h, "'descr', 'fortran_order' and 'shape', each once", error);
    return h->at == h->end || expected(h, "the end of the header", error);
}

static bool truncated(const char *path, size_t size, rt_error *error)
{
    return rt_set(error, RT_BAD_INPUT,
                  "%s: truncated at byte %zu, in the header of a .npy file\n"
                  "copy or save the file again",
                  path, size);
}

/* Sets where the literal begins and ends. */
static bool find_literal(npy_header *h, size_t size, rt_error *error)
{
    const unsigned char *bytes = h->bytes;
    size_t magic = size < 6 ? size : 6;
    if (size == 0 || memcmp(bytes, "\x93NUMPY", magic) != 0)
        return rt_set(error, RT_BAD_INPUT, "%s: not a .npy file: byte 0 should begin \\x93NUMPY%s",
                      h->path, data_kind_hint(bytes, size));
    if (size < NPY_FIXED)
        return truncated(h->path, size, error);
    if (bytes[6] < 1 || bytes[6] > 3)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: byte 6: version %d of the .npy format, expected "
                      "1 to 3\nsave it again with numpy.save",
                      h->path, bytes[6]);
    bool wide = bytes[6] > 1;
    if (wide && size < NPY_FIXED + 2)
        return truncated(h->path, size, error);
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (wide)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    h->at = NPY_FIXED + (wide ? 2 : 0);
    if (length > NPY_MAX_HEADER)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: byte 8: a header of %zu bytes, expected at most %d"
                      "\nthe file is damaged; save it again with numpy.save",
                      h->path, length, NPY_MAX_HEADER);
    h->end = h->at + length;
    return h->end <= size || truncated(h->path, size, error);
}

/* ---- The values ---------------------------------------------------------------- */

/* Axes in the file's order, the first fastest, become C order. */
static bool to_c_order(data_array *array, uint64_t size, const char *path, rt_error *error)
{
    size_t width = data_type_size(array->type);
    const char *from = array->values;
    char *to = data_alloc(path, size, error);
    if (to == NULL)
        return false;
    int64_t index[DATA_MAX_RANK] = {0}, stride[DATA_MAX_RANK], source = 0;
    for (int i = 0; i < array->rank; i++)
        stride[i] = i == 0 ? 1 : stride[i - 1] * array->dims[i - 1];
    for (uint64_t at = 0; at < size; at += width) {
        memcpy(to + at, from + (size_t)source * width, width);
        for (int i = array->rank - 1; i >= 0; i--) {
            source += stride[i];
            if (++index[i] < array->dims[i])
                break;
            source -= stride[i] * array->dims[i];
            index[i] = 0;
        }
    }
    free(array->memory);
    array->values = array->memory = to;
    return true;
}

static bool read_array(npy_header *h, size_t size, rt_error *error)
{
    uint64_t needed;
    data_array *array = h->array;
    if (!find_literal(h, size, error) || !read_dictionary(h, error) ||
        !data_measure(array, &needed, error) ||
        !data_check_length(array, needed, size - h->end, h->end, error))
        return false;
    data_take_values(array, h->end, needed, h->big);
    return !h->fortran || array->rank == 1 || to_c_order(array, needed, h->path, error);
}

bool data_read_npy(data_array *array, const char *path, unsigned char *bytes, size_t size,
                   rt_error *error)
{
    npy_header header = {.path = path, .bytes = bytes, .array = array};
    *array = (data_array){.path = (char *)path, .memory = bytes};
    bool good = read_array(&header, size, error);
    array->path = NULL;
    if (!good)
        data_close(array);
    return good;
}
