/* pictures.h */
#include "pictures.h"

#include "image.h"

#include <stdlib.h>
#include <string.h>

bool is_picture(const rt_tensor *t)
{
    return t->rank == 2 || (t->rank == 3 && (t->shape[2] == 1 || t->shape[2] == 3));
}

void no_picture(const rt_tensor *t)
{
    char shape[64];
    data_shape_text(shape, sizeof shape, t->rank, t->shape);
    rt_fail(RT_USAGE,
            "samples of shape %s are no pictures\npictures are [height, width], or with "
            "1 or 3 channels; `run` writes any network's output as .npy",
            shape);
}

char *picture_path(const rt_trainer *t, const char *what)
{
    const char *out = t->options->out;
    if (out && !ends_in(out, ".png"))
        rt_fail(RT_USAGE, "--out takes a name that ends in .png, not '%s'", out);
    return out ? rt_text("%s", out) : rt_text("%s-%s.png", t->model->name, what);
}

/* ---- White and black ------------------------------------------------------------ */

static bool holds_bytes(const rt_tree *file)
{
    return !strcmp(file->reader, "idx") || !strcmp(file->reader, "png");
}

static float scaled(const data_affine *a, float x)
{
    return x / a->divide * a->multiply + a->add;
}

/* Of the first file of such samples whose bytes the program makes smaller. */
static void find_range(const rt_model *m, const rt_tensor *t, image_grid *grid)
{
    for (int i = 0; i < m->nfiles; i++) {
        const rt_tree *file = &m->files[i];
        if (file->opaque || file->rank < 0 || !holds_bytes(file) ||
            data_elements(file->rank, file->shape) != t->elements)
            continue;
        float low = scaled(&file->affine, 0), high = scaled(&file->affine, 255);
        if (high <= low || high - low > 127)
            continue;
        grid->low = low;
        grid->high = high;
        return;
    }
}

/* ---- Grids ------------------------------------------------------------------------ */

typedef struct cells {
    int64_t count;
    int outputs;
    float **at; /* [outputs][count] */
} cells;

static void open_cells(cells *c, const rt_pictures *p, int64_t elements)
{
    c->count = p->count;
    c->outputs = p->outputs;
    c->at = rt_alloc((size_t)(c->outputs * c->count), sizeof *c->at);
    for (int64_t i = 0; i < c->outputs * c->count; i++)
        c->at[i] = rt_alloc((size_t)elements, sizeof **c->at);
}

static void close_cells(cells *c)
{
    for (int64_t i = 0; i < c->outputs * c->count; i++)
        free(c->at[i]);
    free(c->at);
}

/* The first cells get the last output shown (the original), then the others. */
static void take(rt_machine *m, void *job, int64_t first, int64_t count)
{
    cells *c = job;
    for (int row = 0; row < c->outputs; row++)
        for (int64_t s = 0; s < count; s++)
            machine_sample(m, &m->function->outputs[c->outputs - 1 - row], s,
                           c->at[row * c->count + first + s]);
}

static void write_grid(const rt_model *m, const cells *c, int64_t columns, const rt_tensor *t,
                       const char *path)
{
    int64_t n = c->outputs * c->count;
    image_grid grid = {.rows = (int)((n + columns - 1) / columns),
                       .columns = (int)columns,
                       .rank = t->rank,
                       .dims = t->shape};
    const float **padded = rt_alloc((size_t)grid.rows * (size_t)columns, sizeof *padded);
    rt_error error;
    memcpy(padded, c->at, (size_t)n * sizeof *padded);
    grid.cells = padded;
    find_range(m, t, &grid);
    if (!image_write_grid(path, &grid, &error))
        rt_raise(&error);
    free(padded);
}

bool draw_pictures(rt_trainer *t, const rt_pictures *p, const char *path)
{
    const rt_tensor *output = &t->model->functions[p->function].outputs[0];
    data_view view = data_slice(p->view, 0, p->count);
    int64_t batch = t->machine.batch < p->count ? t->machine.batch : p->count;
    cells c;
    open_cells(&c, p, output->elements);
    bool whole = over_view(&t->machine, p->function, AECC_RANDOM_RUN, &view, batch, take, &c);
    if (whole)
        write_grid(t->model, &c, p->columns, output, path);
    close_cells(&c);
    data_view_free(&view);
    return whole;
}
