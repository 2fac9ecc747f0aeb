/* PNG: one picture, or a folder of pictures of one size in order of their
 * names (of bytes: picture_10 comes before picture_9).
 *
 * Grey of any depth becomes [H, W], color and palettes [H, W, 3], all of u8;
 * 16 bits are rounded to 8, transparency is ignored. libpng reports an error
 * by longjmp, so what must survive it lives in `decoder`. */
#include "data.h"

#include <dirent.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PNG_MAX_SIDE = 65535, PNG_MAX_CHUNK = 1 << 20, DEFLATE_MAX_RATIO = 1032 };

typedef struct decoder {
    png_structp png;
    png_infop info;
    const char *path;
    const unsigned char *bytes;
    size_t at, size;
    unsigned width, height, channels;
    png_bytep *rows;
    rt_error *error;
} decoder;

static void on_error(png_structp png, png_const_charp message)
{
    decoder *d = png_get_error_ptr(png);
    rt_set(d->error, RT_BAD_INPUT, "%s: byte %zu: damaged PNG: %s\ncopy or save the picture again",
           d->path, d->at, message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_read(png_structp png, png_bytep out, size_t count)
{
    decoder *d = png_get_io_ptr(png);
    if (count > d->size - d->at) {
        d->at = d->size;
        png_error(png, "truncated");
    }
    memcpy(out, d->bytes + d->at, count);
    d->at += count;
}

static bool start(decoder *d)
{
    d->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, on_error, on_warning);
    d->info = d->png != NULL ? png_create_info_struct(d->png) : NULL;
    if (d->info == NULL)
        return rt_set(d->error, RT_IO, "%s: not enough memory to read a PNG", d->path);
    png_set_read_fn(d->png, d, on_read);
    png_set_user_limits(d->png, PNG_MAX_SIDE, PNG_MAX_SIDE);
    png_set_chunk_malloc_max(d->png, PNG_MAX_CHUNK);
    png_set_chunk_cache_max(d->png, 64);
    return true;
}

static void finish(decoder *d)
{
    if (d->png != NULL)
        png_destroy_read_struct(&d->png, &d->info, NULL);
    free(d->rows);
    d->rows = NULL;
}

/* Asks libpng for 8 bits of grey or RGB. */
static void set_transformations(decoder *d)
{
    int color = png_get_color_type(d->png, d->info), depth = png_get_bit_depth(d->png, d->info);
    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(d->png);
    if (color == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(d->png);
    if (depth == 16)
        png_set_scale_16(d->png);
    png_set_strip_alpha(d->png);
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    d->channels = (color & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
}

/* Everything before the pixels. */
static bool decode_header(decoder *d)
{
    if (setjmp(png_jmpbuf(d->png)))
        return false;
    png_read_info(d->png, d->info);
    d->width = png_get_image_width(d->png, d->info);
    d->height = png_get_image_height(d->png, d->info);
    /* The least a pixel takes is a bit. */
    if ((uint64_t)d->width * d->height / 8 / DEFLATE_MAX_RATIO > d->size)
        png_error(d->png, "the file is too short for its width and height");
    set_transformations(d);
    if (png_get_rowbytes(d->png, d->info) != (size_t)d->width * d->channels)
        png_error(d->png, "unexpected layout of pixels");
    return true;
}

static bool decode_pixels(decoder *d, unsigned char *pixels)
{
    d->rows = rt_alloc(d->height, sizeof *d->rows);
    for (unsigned y = 0; y < d->height; y++)
        d->rows[y] = pixels + (size_t)y * d->width * d->channels;
    if (setjmp(png_jmpbuf(d->png)))
        return false;
    png_read_image(d->png, d->rows);
    png_read_end(d->png, NULL);
    return true;
}

static bool check_signature(const decoder *d)
{
    size_t magic = d->size < 8 ? d->size : 8;
    if (magic > 0 && png_sig_cmp((png_bytep)d->bytes, 0, magic) == 0)
        return true;
    return rt_set(d->error, RT_BAD_INPUT, "%s: not a PNG: byte 0 should begin \\x89PNG%s", d->path,
                  data_kind_hint(d->bytes, d->size));
}

/* ---- Pictures of a data set -------------------------------------------------- */

typedef struct picture_set {
    data_array *array;
    int64_t expected; /* pictures in all */
    uint64_t size;    /* bytes of one    */
    int64_t room;     /* pictures that fit array->memory */
    char *first;      /* name of the first, for messages */
} picture_set;

static void shape_of(const decoder *d, data_array *array)
{
    array->type = DATA_U8;
    array->rank = d->channels == 1 ? 3 : 4;
    array->dims[1] = d->height;
    array->dims[2] = d->width;
    array->dims[3] = d->channels;
    array->elements = (int64_t)d->height * d->width * d->channels;
}

static bool check_shape(const picture_set *set, const decoder *d)
{
    data_array other = {0};
    char want[64], have[64];
    const data_array *array = set->array;
    shape_of(d, &other);
    if (other.rank == array->rank && memcmp(other.dims, array->dims, sizeof other.dims) == 0)
        return true;
    return rt_set(d->error, RT_BAD_INPUT,
                  "%s: a picture of %s, but the first one, %s, is %s\n"
                  "the pictures of a data set need one size and one kind",
                  d->path, data_shape_text(have, sizeof have, other.rank - 1, other.dims + 1),
                  set->first, data_shape_text(want, sizeof want, array->rank - 1, array->dims + 1));
}

/* Room grows with the pictures that are really there. */
static bool make_room(picture_set *set, rt_error *error)
{
    data_array *array = set->array;
    if (array->samples < set->room)
        return true;
    int64_t room = set->room == 0 ? 16 : 2 * set->room;
    room = room < set->expected ? room : set->expected;
    void *grown = realloc(array->memory, (size_t)room * set->size);
    if (grown == NULL)
        return rt_set(error, RT_IO, "%s: not enough memory for %lld pictures", set->first,
                      (long long)room);
    array->memory = grown;
    set->room = room;
    return true;
}

static bool decode(decoder *d, picture_set *set)
{
    data_array *array = set->array;
    if (!check_signature(d) || !start(d) || !decode_header(d))
        return false;
    if (array->samples == 0) {
        shape_of(d, array);
        set->size = (uint64_t)array->elements;
        set->first = strdup(d->path);
    } else if (!check_shape(set, d)) {
        return false;
    }
    if (!make_room(set, d->error))
        return false;
    uint64_t place = (uint64_t)array->samples * set->size;
    if (!decode_pixels(d, (unsigned char *)array->memory + place))
        return false;
    array->samples++;
    return true;
}

static bool add_picture(picture_set *set, const char *path, const unsigned char *bytes, size_t size,
                        rt_error *error)
{
    decoder d = {.path = path, .bytes = bytes, .size = size, .error = error};
    bool good = decode(&d, set);
    finish(&d);
    return good;
}

static bool close_set(picture_set *set, bool good)
{
    data_array *array = set->array;
    free(set->first);
    if (!good) {
        free(array->memory);
        *array = (data_array){0};
        return false;
    }
    array->values = array->memory;
    array->dims[0] = array->samples;
    return true;
}

bool data_read_png(data_array *array, const char *path, unsigned char *bytes, size_t size,
                   rt_error *error)
{
    picture_set set = {.array = array, .expected = 1};
    *array = (data_array){0};
    bool good = add_picture(&set, path, bytes, size, error);
    free(bytes);
    return close_set(&set, good);
}

/* ---- Folders ------------------------------------------------------------------- */

static int is_png_name(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 4 &&
           strcasecmp(entry->d_name + length - 4, ".png") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_file(picture_set *set, const char *folder, const char *name, rt_error *error)
{
    size_t length = strlen(folder) + strlen(name) + 2, size;
    char *path = rt_alloc(length, 1);
    snprintf(path, length, "%s/%s", folder, name);
    unsigned char *bytes = data_slurp(path, &size, error);
    bool good = bytes != NULL && add_picture(set, path, bytes, size, error);
    free(bytes);
    free(path);
    return good;
}

bool data_read_png_folder(data_array *array, const char *folder, rt_error *error)
{
    struct dirent **names;
    *array = (data_array){0};
    int count = scandir(folder, &names, is_png_name, by_bytes);
    if (count < 0)
        return rt_set_errno(error, folder, "read");
    picture_set set = {.array = array, .expected = count};
    bool good = count > 0 || rt_set(error, RT_BAD_INPUT,
                                    "%s: the data set is empty: no .png in this folder\n"
                                    "name the folder that holds the pictures",
                                    folder);
    for (int i = 0; i < count; i++) {
        good = good && add_file(&set, folder, names[i]->d_name, error);
        free(names[i]);
    }
    free(names);
    return close_set(&set, good);
}
