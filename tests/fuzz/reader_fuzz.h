/* What the fuzz targets of the data readers share. */
#ifndef READER_FUZZ_H
#define READER_FUZZ_H

#include "data.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input may unpack to more than it is worth gathering. */
enum { GATHERED_ELEMENTS = 1 << 16 };

static inline void use_view(const data_view *view, int64_t elements)
{
    const data_component *c = &view->components[0];
    int64_t samples[AECC_LANES];
    int32_t lengths[AECC_LANES];
    float *out = aligned_alloc(64, (size_t)elements * AECC_LANES * sizeof *out);
    for (int i = 0; i < AECC_LANES; i++)
        samples[i] = i < view->samples ? view->samples - 1 - i : 0;
    if (out == NULL)
        abort();
    gather_prefetch(c, samples);
    gather_block(c, samples, elements, out);
    gather_lengths(c, samples, AECC_LANES, 1, lengths);
    free(out);
}

/* Windows of its series, or of its rows. */
static inline void use_windows(const data_view *view, int64_t length)
{
    data_array array = {0};
    data_view windows;
    rt_error error = {0};
    int64_t skipped;
    if (data_windows(&windows, view, length, 2, &array, &skipped, &error)) {
        use_view(&windows, windows.components[0].elements);
        data_view_free(&windows);
    } else if (error.text[0] == '\0') {
        abort();
    }
    data_close(&array);
}

/* An array that a reader accepts must hold: its last rows are gathered, which
 * the address sanitizer watches. */
static inline void use_array(const data_array *array)
{
    if (array->elements > GATHERED_ELEMENTS)
        return;
    data_view view = data_view_of(array, &(data_affine){255, 1, 0});
    use_view(&view, array->elements);
    if (array->elements < GATHERED_ELEMENTS / 3)
        use_windows(&view, 3);
    data_view_free(&view);
}

/* As a reader gets a file: its own, with a zero behind it. */
static inline unsigned char *file_of(const uint8_t *data, size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    if (bytes == NULL)
        abort();
    memcpy(bytes, data, size);
    bytes[size] = 0;
    return bytes;
}

/* Every input is an array or an error with a message and a status. */
static inline void feed(data_reader *reader, const uint8_t *data, size_t size)
{
    data_array array;
    rt_error error = {0};
    unsigned char *bytes = file_of(data, size);
    bool good = reader(&array, "fuzz", bytes, size, &error);
    if (good && array.samples * array.elements < 1)
        abort();
    array.path = array.path == NULL ? strdup("fuzz") : array.path;
    good = good && data_check_finite(&array, &error);
    if (good)
        use_array(&array);
    else if (error.text[0] == '\0' || (error.status != RT_BAD_INPUT && error.status != RT_IO))
        abort();
    data_close(&array);
}

#endif
