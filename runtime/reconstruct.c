/* Pictures: originals over reconstructions, and samples of a generator. */
#define _GNU_SOURCE
#include "rt.h"

#include "image.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_COUNT = 5, GENERATED_COUNT = 32, GENERATED_COLUMNS = 8 };

/* Outputs of the first `count` samples. */
typedef struct pictures {
    int64_t count, elements;
    int rows;      /* outputs shown */
    float **cells; /* [rows][count] */
} pictures;

static bool is_picture(const rt_tensor *t)
{
    return t->rank == 2 || (t->rank == 3 && (t->shape[2] == 1 || t->shape[2] == 3));
}

static void open_pictures(pictures *p, int rows, int64_t count, int64_t elements)
{
    *p = (pictures){.count = count, .elements = elements, .rows = rows};
    p->cells = rt_alloc((size_t)(rows * count), sizeof *p->cells);
    for (int64_t i = 0; i < rows * count; i++)
        p->cells[i] = rt_alloc((size_t)elements, sizeof **p->cells);
}

static void close_pictures(pictures *p)
{
    for (int64_t i = 0; i < p->rows * p->count; i++)
        free(p->cells[i]);
    free(p->cells);
}

/* Row 0 gets the last output shown (the original), then the others. */
static void take(rt_machine *m, void *job, int64_t first, int64_t count)
{
    pictures *p = job;
    for (int row = 0; row < p->rows; row++)
        for (int64_t s = 0; s < count; s++)
            machine_sample(m, &m->function->outputs[p->rows - 1 - row], s,
                           p->cells[row * p->count + first + s]);
}

static void write_grid(const pictures *p, int columns, const rt_tensor *t, const char *path)
{
    int64_t cells = p->rows * p->count;
    image_grid grid = {.rows = (int)((cells + columns - 1) / columns),
                       .columns = columns,
                       .rank = t->rank,
                       .dims = t->shape};
    const float **padded = rt_alloc((size_t)grid.rows * (size_t)columns, sizeof *padded);
    rt_error error;
    memcpy(padded, p->cells, (size_t)cells * sizeof *padded);
    grid.cells = padded;
    if (!image_write_grid(path, &grid, &error))
        rt_raise(&error);
    free(padded);
}

/* Draws the first samples of a view. */
static void draw(rt_trainer *t, int function, const data_view *all, int64_t count, const char *path)
{
    const rt_function *f = &t->model->functions[function];
    int rows = f->nresults < 2 ? 1 : 2;
    pictures p;
    if (count > all->samples)
        count = all->samples;
    data_view view = data_slice(all, 0, count);
    int64_t batch = t->machine.batch < count ? t->machine.batch : count;
    open_pictures(&p, rows, count, f->outputs[0].elements);
    if (over_view(&t->machine, function, AECC_RANDOM_RUN, &view, batch, take, &p))
        write_grid(&p, (int)count, &f->outputs[0], path);
    close_pictures(&p);
    data_view_free(&view);
}

bool report_pictures(rt_trainer *t, const rt_report *report, const char *path)
{
    if (!is_picture(&t->model->functions[report->function].outputs[0]))
        return false;
    data_view view = sources_view(&t->sources, report->data, AS_FILES_HOLD);
    draw(t, report->function, &view, report->count > 0 ? report->count : DEFAULT_COUNT, path);
    data_view_free(&view);
    return true;
}

static char *out_path(const rt_trainer *t, const char *what)
{
    char *path;
    const char *out = t->options->out;
    size_t n = out ? strlen(out) : 0;
    if (out && (n < 5 || strcmp(out + n - 4, ".png")))
        rt_fail(RT_USAGE, "--out takes a name that ends in .png, not '%s'", out);
    if ((out ? asprintf(&path, "%s", out) : asprintf(&path, "%s-%s.png", t->model->name, what)) < 0)
        rt_fail(RT_IO, "out of memory");
    return path;
}

static _Noreturn void no_picture(const rt_tensor *t)
{
    char shape[64];
    data_shape_text(shape, sizeof shape, t->rank, t->shape);
    rt_fail(RT_USAGE,
            "samples of shape %s are no pictures\npictures are [height, width], or with "
            "1 or 3 channels; `run` writes any network's output as .npy",
            shape);
}

int command_reconstruct(rt_trainer *t)
{
    const rt_model *m = t->model;
    if (m->reconstruct < 0)
        rt_fail(RT_USAGE,
                "%s reconstructs nothing\nwrite networks `encoder` and `decoder`, or a "
                "report block with reconstructions",
                m->source);
    const rt_function *f = &m->functions[m->reconstruct];
    if (!is_picture(&f->outputs[0]))
        no_picture(&f->outputs[0]);
    char *path = out_path(t, "reconstructions");
    data_view view = sources_given(&t->sources, f, m->reconstruct_data,
                                   m->reconstruct_scaled ? SCALED : AS_FILES_HOLD);
    trainer_machine(t, inference_batch(t));
    weights_need(&t->machine, t->options);
    draw(t, m->reconstruct, &view, t->options->count ? t->options->count : DEFAULT_COUNT, path);
    printf("%s\n", path);
    data_view_free(&view);
    free(path);
    return RT_OK;
}

/* ---- Samples of a generator ------------------------------------------------ */

static const rt_network *noise_network(const rt_trainer *t)
{
    const rt_model *m = t->model;
    const char *name = t->options->network ? t->options->network : "generator";
    const rt_network *network = model_network(m, name);
    if (!network && t->options->network)
        rt_fail(RT_USAGE, "%s has no network %s", m->source, name);
    if (!network)
        rt_fail(RT_USAGE,
                "%s has no network that makes samples from noise alone\n"
                "that would be one named generator; `%s generate NETWORK` feeds another one "
                "with normal noise",
                m->source, rt_name());
    const rt_function *f = &m->functions[network->function];
    if (f->nvalues != 1 || f->inputs[0].integer)
        rt_fail(RT_USAGE, "%s cannot be fed with noise: it takes %s", name,
                f->nvalues != 1 ? "more than one input" : "integers");
    if (!is_picture(&f->outputs[0]))
        no_picture(&f->outputs[0]);
    return network;
}

/* Standard normal inputs: element e of sample s from counter (e / 4, s, 0, 0). */
static float *noise(uint64_t seed, int64_t samples, int64_t elements)
{
    float *values = rt_alloc((size_t)(samples * elements), sizeof *values);
    uint32_t key[2];
    random_key(seed, AECC_RANDOM_RUN, key);
    for (int64_t s = 0; s < samples; s++)
        for (int64_t e = 0; e < elements; e += 4) {
            const uint32_t counter[4] = {(uint32_t)(e / 4), (uint32_t)s, 0, 0};
            double four[4];
            random_normal4(counter, key, four);
            for (int64_t i = 0; i < 4 && e + i < elements; i++)
                values[s * elements + e + i] = (float)four[i];
        }
    return values;
}

int command_generate(rt_trainer *t)
{
    const rt_network *network = noise_network(t);
    const rt_function *f = &t->model->functions[network->function];
    const rt_tensor *in = &f->inputs[0];
    int64_t count = t->options->count ? t->options->count : GENERATED_COUNT;
    int64_t dims[RT_MAX_RANK + 1] = {count};
    char *path = out_path(t, "samples");
    memcpy(dims + 1, in->shape, (size_t)in->rank * sizeof *dims);
    float *values = noise(t->options->seed, count, in->elements);
    data_array array = data_borrow("noise", DATA_F32, in->rank + 1, dims, values);
    data_view view = data_view_of(&array, NULL);
    pictures p;
    sources_complete(&t->sources, f, &view);
    trainer_machine(t, count < 256 ? count : 256);
    weights_need(&t->machine, t->options);
    open_pictures(&p, 1, count, f->outputs[0].elements);
    over_view(&t->machine, network->function, AECC_RANDOM_RUN, &view, t->machine.batch, take, &p);
    write_grid(&p, (int)(count < GENERATED_COLUMNS ? count : GENERATED_COLUMNS), &f->outputs[0],
               path);
    printf("%s\n", path);
    close_pictures(&p);
    data_view_free(&view);
    data_close(&array);
    free(values);
    free(path);
    return RT_OK;
}
