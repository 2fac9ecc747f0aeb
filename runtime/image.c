/* image.h: PNG writer, and grids of samples such as originals over
 * reconstructions. */
#include "image.h"
#include "atomic.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* ---- Writing --------------------------------------------------------------- */

/* What must survive libpng's longjmp. */
typedef struct encoder {
    png_structp png;
    png_infop info;
    atomic_file file;
    bool failed_write;
    char message[128];
} encoder;

static void on_error(png_structp png, png_const_charp message)
{
    encoder *e = png_get_error_ptr(png);
    snprintf(e->message, sizeof e->message, "%s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_write(png_structp png, png_bytep bytes, size_t count)
{
    encoder *e = png_get_io_ptr(png);
    if (fwrite(bytes, 1, count, e->file.stream) != count) {
        e->failed_write = true;
        png_error(png, "write failed");
    }
}

static void on_flush(png_structp png)
{
    (void)png;
}

static bool encode(encoder *e, int64_t width, int64_t height, int channels, const uint8_t *pixels)
{
    if (setjmp(png_jmpbuf(e->png)))
        return false;
    png_set_write_fn(e->png, e, on_write, on_flush);
    png_set_IHDR(e->png, e->info, (png_uint_32)width, (png_uint_32)height, 8,
                 channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(e->png, e->info);
    for (int64_t y = 0; y < height; y++)
        png_write_row(e->png, pixels + y * width * channels);
    png_write_end(e->png, NULL);
    return true;
}

static bool write_open(encoder *e, const char *path, int64_t width, int64_t height, int channels,
                       const uint8_t *pixels, rt_error *error)
{
    e->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, e, on_error, on_warning);
    e->info = e->png != NULL ? png_create_info_struct(e->png) : NULL;
    if (e->info == NULL)
        return rt_set(error, RT_IO, "%s: not enough memory to write a PNG", path);
    if (encode(e, width, height, channels, pixels))
        return true;
    return e->failed_write ? rt_set_errno(error, path, "write")
                           : rt_set(error, RT_IO, "%s: cannot write a picture of %lld x %lld: %s",
                                    path, (long long)width, (long long)height, e->message);
}

bool image_write(const char *path, int64_t width, int64_t height, int channels,
                 const uint8_t *pixels, rt_error *error)
{
    encoder e = {0};
    if (!atomic_open(&e.file, path, error))
        return false;
    bool good = write_open(&e, path, width, height, channels, pixels, error);
    png_destroy_write_struct(&e.png, &e.info);
    if (good)
        return atomic_commit(&e.file, error);
    atomic_abandon(&e.file);
    return false;
}

/* ---- Grids ------------------------------------------------------------------- */

enum { CELL_SIDE = 112, MAX_SIDE = 30000 };

typedef struct canvas {
    int64_t width, height;
    int channels;
    uint8_t *pixels;
    int64_t cell_height, cell_width; /* of a sample, scaled */
    int64_t row_gap, column_gap, margin;
    int scale;
    float low, high;
} canvas;

/* Ink on white for grey, light for RGB; what is not a number prints as low. */
static uint8_t level(const canvas *to, float value, bool ink)
{
    float share = (value - to->low) / (to->high - to->low);
    float cut = share >= 1 ? 1 : share > 0 ? share : 0;
    int byte = (int)(cut * 255 + 0.5f);
    return (uint8_t)(ink ? 255 - byte : byte);
}

/* One pixel of a sample becomes scale x scale pixels. */
static void draw_pixel(canvas *to, int64_t y, int64_t x, const float *value)
{
    for (int i = 0; i < to->scale; i++)
        for (int j = 0; j < to->scale; j++)
            for (int c = 0; c < to->channels; c++)
                to->pixels[((y + i) * to->width + x + j) * to->channels + c] =
                    level(to, value[c], to->channels == 1);
}

static void draw_cell(canvas *to, const image_grid *grid, int row, int column)
{
    const float *sample = grid->cells[row * grid->columns + column];
    int64_t top = to->margin + row * (to->cell_height + to->row_gap);
    int64_t left = to->margin + column * (to->cell_width + to->column_gap);
    if (sample == NULL)
        return;
    for (int64_t y = 0; y < grid->dims[0]; y++)
        for (int64_t x = 0; x < grid->dims[1]; x++)
            draw_pixel(to, top + y * to->scale, left + x * to->scale,
                       sample + (y * grid->dims[1] + x) * to->channels);
}

/* Cells of about CELL_SIDE pixels, a tenth of that between them. */
static void lay_out(canvas *to, const image_grid *grid)
{
    int64_t side = grid->dims[0] > grid->dims[1] ? grid->dims[0] : grid->dims[1];
    to->channels = grid->rank == 3 ? (int)grid->dims[2] : 1;
    to->scale = grid->scale > 0 ? grid->scale : side < CELL_SIDE ? (int)(CELL_SIDE / side) : 1;
    to->cell_height = grid->dims[0] * to->scale;
    to->cell_width = grid->dims[1] * to->scale;
    to->low = grid->low;
    to->high = grid->high > grid->low ? grid->high : grid->low + 1;
    int64_t gap = side * to->scale / 10 + 1;
    to->row_gap = grid->row_gap > 0 ? grid->row_gap : gap;
    to->column_gap = grid->column_gap > 0 ? grid->column_gap : gap;
    to->margin = gap;
    to->height = 2 * gap + grid->rows * (to->cell_height + to->row_gap) - to->row_gap;
    to->width = 2 * gap + grid->columns * (to->cell_width + to->column_gap) - to->column_gap;
}

static bool check_grid(const char *path, const image_grid *grid, rt_error *error)
{
    bool picture =
        grid->rank == 2 || (grid->rank == 3 && (grid->dims[2] == 1 || grid->dims[2] == 3));
    for (int i = 0; picture && i < grid->rank; i++)
        picture = grid->dims[i] >= 1 && grid->dims[i] <= MAX_SIDE;
    if (!picture || grid->rows < 1 || grid->columns < 1)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: these samples are not pictures: a picture has the "
                      "shape [height, width], [height, width, 1] or [height, width, 3]\n"
                      "write the values as .npy instead",
                      path);
    return true;
}

bool image_write_grid(const char *path, const image_grid *grid, rt_error *error)
{
    canvas to = {0};
    if (!check_grid(path, grid, error))
        return false;
    lay_out(&to, grid);
    if (to.width > MAX_SIDE || to.height > MAX_SIDE)
        return rt_set(error, RT_BAD_INPUT,
                      "%s: a picture of %lld x %lld pixels is too large\n"
                      "show fewer samples",
                      path, (long long)to.width, (long long)to.height);
    size_t size = (size_t)(to.width * to.height * to.channels);
    to.pixels = rt_alloc(size, 1);
    memset(to.pixels, 255, size);
    for (int row = 0; row < grid->rows; row++)
        for (int column = 0; column < grid->columns; column++)
            draw_cell(&to, grid, row, column);
    bool good = image_write(path, to.width, to.height, to.channels, to.pixels, error);
    free(to.pixels);
    return good;
}
