/* Pictures of samples as PNG, written whole or not at all. */
#ifndef AECC_IMAGE_H
#define AECC_IMAGE_H

#include "error.h"
#include <stdint.h>

/* 8-bit grey (channels 1) or RGB (3), rows from the top. */
bool image_write(const char *path, int64_t width, int64_t height, int channels,
                 const uint8_t *pixels, rt_error *error);

/* A grid of samples on white. */
typedef struct image_grid {
    int rows, columns;
    int rank;               /* of a sample: 2 [H, W], or 3 [H, W, C], C 1 or 3 */
    const int64_t *dims;
    const float *const *cells;   /* [rows][columns], NULL for an empty one     */
    float low, high;        /* what is white and black of grey; 0 and 0: 0 and 1 */
    int scale;              /* pixels for each pixel; 0: 28x28 becomes 112x112 */
    int row_gap, column_gap;     /* in pixels of the picture; 0: a tenth of a cell */
} image_grid;

/* Values are cut to low..high. Grey samples print as ink, 0 white and 1 black, as
 * the seed's pictures do; RGB samples as light. */
bool image_write_grid(const char *path, const image_grid *grid, rt_error *error);

#endif
