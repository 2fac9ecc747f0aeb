/* `generate`: what a network makes of noise, and of class numbers where it takes
 * some; as a picture or as .npy.
 *
 * Sample s is made of coding s, standard normal numbers that depend on the seed
 * and s alone, and of class s modulo the number of classes. With --interpolate
 * A,B the codings go from that of sample A to that of sample B, for each class
 * in turn. */
#include "pictures.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 32, COLUMNS = 8, MOST_COLUMNS = 20, ROWS_OF_CLASSES = 4, INTERPOLATED = 8 };

typedef struct samples {
    const rt_function *function;
    int64_t count;     /* of them all                             */
    int64_t classes;   /* the product of all inputs'; 1: none     */
    int nlabels;       /* inputs that take class numbers          */
    int64_t steps;     /* of the interpolation; 0: none           */
    uint32_t from, to; /* its ends, samples by number             */
    uint64_t seed;
} samples;

/* ---- Which network, which options ------------------------------------------------ */

static const rt_network *noise_network(const rt_trainer *t)
{
    const rt_model *m = t->model;
    if (t->options->network)
        return need_network(m, t->options->network);
    const rt_network *network = model_network(m, "generator");
    if (!network)
        rt_fail(RT_USAGE,
                "%s has no network that makes samples from noise alone\n"
                "that would be one named generator; `%s generate NETWORK` feeds another one "
                "with normal noise",
                m->source, rt_name());
    return network;
}

/* Noise fills the inputs, but for class numbers, one for each sample. */
static void check_inputs(const samples *s, const rt_network *network)
{
    int noise = 0;
    for (int i = 0; i < s->function->ninputs; i++) {
        const rt_tensor *in = &s->function->inputs[i];
        if (in->component < 0 || in->component >= s->function->nvalues)
            continue;
        noise += !in->classes;
        if (in->classes && in->elements > 1)
            rt_fail(RT_USAGE, "%s cannot be fed with noise: its input %s takes %lld class numbers",
                    network->name, in->name, (long long)in->elements);
    }
    if (!noise)
        rt_fail(RT_USAGE, "%s cannot be fed with noise: it takes class numbers only",
                network->name);
}

static _Noreturn void wrong_pair(const char *given)
{
    rt_fail(RT_USAGE,
            "--interpolate takes the numbers of two samples, such as 3,17, not '%s'\n"
            "they count from 0, as `%s generate` shows them, row by row",
            given, rt_name());
}

static uint32_t read_number(const char *given, const char **at)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(*at, &end, 10);
    if (errno || end == *at || **at < '0' || **at > '9' || n > INT32_MAX)
        wrong_pair(given);
    *at = end;
    return (uint32_t)n;
}

static void read_pair(samples *s, const char *given)
{
    const char *at = given;
    s->from = read_number(given, &at);
    if (*at++ != ',')
        wrong_pair(given);
    s->to = read_number(given, &at);
    if (*at || s->from == s->to)
        wrong_pair(given);
}

static void count_samples(samples *s, const rt_options *o)
{
    bool columns = s->classes > 1 && s->classes <= MOST_COLUMNS;
    s->count = o->count ? o->count : columns ? s->classes * ROWS_OF_CLASSES : COUNT;
    if (!o->interpolate)
        return;
    read_pair(s, o->interpolate);
    s->steps = o->count ? o->count : INTERPOLATED;
    s->count = s->steps * s->classes;
    if (s->steps < 2)
        rt_fail(RT_USAGE, "--interpolate takes at least two steps: --count 2");
}

static void check_labels(const samples *s, const rt_network *network, const rt_options *o)
{
    if (!o->labels)
        return;
    if (!s->nlabels)
        rt_fail(RT_USAGE,
                "--labels: %s takes no class numbers\n"
                "an input is one where the network gives it to one_hot, gather or embedding",
                network->name);
    if (!ends_in(o->labels, ".npy"))
        rt_fail(RT_USAGE, "--labels takes a name that ends in .npy, not '%s'", o->labels);
    if (o->out && !strcmp(o->out, o->labels))
        rt_fail(RT_USAGE, "--out and --labels are one file, '%s'", o->out);
}

static samples plan(const rt_trainer *t, const rt_network *network)
{
    samples s = {.function = &t->model->functions[network->function],
                 .classes = 1,
                 .seed = t->options->seed};
    check_inputs(&s, network);
    for (int i = 0; i < s.function->ninputs; i++)
        if (s.function->inputs[i].classes) {
            s.classes *= s.function->inputs[i].classes;
            s.nlabels++;
            if (s.classes > 1 << 20)
                rt_fail(RT_USAGE, "%s takes class numbers in more than a million combinations",
                        network->name);
        }
    count_samples(&s, t->options);
    check_labels(&s, network, t->options);
    return s;
}

/* ---- Inputs -------------------------------------------------------------------------- */

/* Standard normal numbers: element e of input i from counter (e / 4, sample, i, 0). */
static void draw_coding(const samples *s, int input, uint32_t sample, float *to)
{
    int64_t n = s->function->inputs[input].elements;
    uint32_t key[2];
    random_key(s->seed, AECC_RANDOM_RUN, key);
    for (int64_t e = 0; e < n; e += 4) {
        const uint32_t counter[4] = {(uint32_t)(e / 4), sample, (uint32_t)input, 0};
        double four[4];
        random_normal4(counter, key, four);
        for (int64_t i = 0; i < 4 && e + i < n; i++)
            to[e + i] = (float)four[i];
    }
}

/* Step k on a quarter of a circle from a to b: the squares of the two weights add
 * up to 1, so that each step is as likely a coding as its ends. */
static void between(const samples *s, int64_t k, int64_t n, const float *a, const float *b,
                    float *to)
{
    double angle = acos(0) * (double)k / (double)(s->steps - 1);
    double weight[2] = {cos(angle), sin(angle)};
    for (int64_t e = 0; e < n; e++)
        to[e] = (float)(weight[0] * (double)a[e] + weight[1] * (double)b[e]);
}

static void fill_noise(const samples *s, int input, float *values)
{
    int64_t n = s->function->inputs[input].elements;
    if (!s->steps) {
        for (int64_t i = 0; i < s->count; i++)
            draw_coding(s, input, (uint32_t)i, values + i * n);
        return;
    }
    float *ends = rt_alloc((size_t)(2 * n), sizeof *ends);
    draw_coding(s, input, s->from, ends);
    draw_coding(s, input, s->to, ends + n);
    for (int64_t i = 0; i < s->count; i++)
        between(s, i % s->steps, n, ends, ends + n, values + i * n);
    free(ends);
}

/* The class of a sample at an input before which `others` combinations vary. */
static int64_t class_of(const samples *s, int64_t sample, int64_t others, int64_t classes)
{
    return (s->steps ? sample / s->steps : sample) / others % classes;
}

static void fill_labels(const samples *s, int input, float *values)
{
    int64_t others = 1;
    for (int i = 0; i < input; i++)
        others *= s->function->inputs[i].classes ? s->function->inputs[i].classes : 1;
    for (int64_t i = 0; i < s->count; i++)
        values[i] = (float)class_of(s, i, others, s->function->inputs[input].classes);
}

/* What fills the inputs lives as long as the sources. */
static data_view inputs_of(rt_trainer *t, const samples *s)
{
    const rt_function *f = s->function;
    data_view *parts = rt_alloc((size_t)f->nvalues, sizeof *parts), view;
    rt_error error;
    for (int i = 0; i < f->ninputs; i++) {
        const rt_tensor *in = &f->inputs[i];
        if (in->component < 0 || in->component >= f->nvalues)
            continue;
        int64_t dims[RT_MAX_RANK + 1] = {s->count};
        memcpy(dims + 1, in->shape, (size_t)in->rank * sizeof *dims);
        data_array *array = sources_keep(&t->sources, 1);
        float *values =
            data_alloc(in->name, (uint64_t)s->count * (uint64_t)in->elements * 4, &error);
        if (!values)
            rt_raise(&error);
        (in->classes ? fill_labels : fill_noise)(s, i, values);
        *array = data_borrow(in->name, DATA_F32, in->rank + 1, dims, values);
        array->memory = values;
        parts[in->component] = data_view_of(array, NULL);
    }
    if (!data_zip(&view, parts, f->nvalues, &error))
        rt_raise(&error);
    for (int i = 0; i < f->nvalues; i++)
        data_view_free(&parts[i]);
    free(parts);
    sources_complete(&t->sources, f, &view);
    return view;
}

/* ---- Results ------------------------------------------------------------------------- */

static int64_t columns_of(const samples *s)
{
    int64_t columns = s->steps                                       ? s->steps
                      : s->classes > 1 && s->classes <= MOST_COLUMNS ? s->classes
                                                                     : COLUMNS;
    return s->count < columns ? s->count : columns;
}

static void draw(rt_trainer *t, const samples *s, int function, const data_view *view,
                 const char *path)
{
    rt_pictures p = {.function = function,
                     .view = view,
                     .count = s->count,
                     .outputs = 1,
                     .columns = columns_of(s)};
    trainer_machine(t, s->count < 256 ? s->count : 256);
    weights_need(&t->machine, t->options);
    draw_pictures(t, &p, path);
    printf("%s\n", path);
}

/* [samples], or [samples, inputs] where several take class numbers. */
static void write_labels(const samples *s, const data_view *view, const char *path)
{
    const int64_t dims[] = {s->count, s->nlabels};
    rt_error error;
    npy_writer *writer = npy_create(path, DATA_I32, s->nlabels > 1 ? 2 : 1, dims, &error);
    if (!writer)
        rt_raise(&error);
    for (int64_t sample = 0; sample < s->count; sample++)
        for (int i = 0; i < s->function->ninputs; i++) {
            const rt_tensor *in = &s->function->inputs[i];
            int32_t label;
            if (!in->classes)
                continue;
            gather_sample_i32(&view->components[in->component], sample, 1, &label);
            if (!npy_append(writer, &label, 1, &error)) {
                npy_abandon(writer);
                rt_raise(&error);
            }
        }
    if (!npy_commit(writer, &error))
        rt_raise(&error);
}

int command_generate(rt_trainer *t)
{
    const rt_network *network = noise_network(t);
    const char *out = t->options->out;
    bool npy = out && ends_in(out, ".npy");
    samples s = plan(t, network);
    int status = RT_OK;
    char *path = NULL;
    if (out && !npy && !ends_in(out, ".png"))
        rt_fail(RT_USAGE, "--out takes a name that ends in .png or .npy, not '%s'", out);
    if (!npy && !is_picture(&s.function->outputs[0]))
        no_picture(&s.function->outputs[0]);
    if (!npy)
        path = picture_path(t, s.steps ? "interpolation" : "samples");
    data_view view = inputs_of(t, &s);
    if (npy)
        status = run_network(t, network, &view);
    else
        draw(t, &s, network->function, &view, path);
    if (status == RT_OK && t->options->labels)
        write_labels(&s, &view, t->options->labels);
    data_view_free(&view);
    free(path);
    return status;
}
