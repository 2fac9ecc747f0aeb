/* Lines of report blocks that are numbers: metrics, the Fréchet distance of
 * features, histograms of classes, compression. Sums go in the order of the
 * samples, so that a result does not depend on threads. */
#define _GNU_SOURCE
#include "rt.h"

#include "eigen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SAMPLES = 10000, FLOAT_BITS = 32 };

bool is_score(const rt_report *r)
{
    static const char *const kinds[] = {"metric", "frechet", "histogram", "compression"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(r->kind, kinds[i]))
            return true;
    return false;
}

static void add(rt_score *s, const char *prefix, const char *name, double value)
{
    snprintf(s->names[s->n], sizeof s->names[s->n], "%s%s%s", prefix, *prefix && *name ? "." : "",
             name);
    s->values[s->n++] = value;
}

/* ---- Passes over the samples -------------------------------------------------- */

/* Rows of outputs, of all samples, as floats. */
typedef struct rows {
    int outputs;
    float *at[2]; /* [output][sample][element] */
} rows;

static void take_rows(rt_machine *m, void *job, int64_t first, int64_t count)
{
    rows *r = job;
    for (int i = 0; i < r->outputs; i++) {
        const rt_tensor *t = &m->function->outputs[i];
        for (int64_t s = 0; s < count; s++)
            machine_sample(m, t, s, r->at[i] + (first + s) * t->elements);
    }
}

static bool take_all(rt_trainer *t, int function, const data_view *view, int64_t batch, rows *r)
{
    const rt_function *f = &t->model->functions[function];
    for (int i = 0; i < r->outputs; i++)
        r->at[i] = rt_alloc((size_t)view->samples * (size_t)f->outputs[i].elements, sizeof(float));
    return over_view(&t->machine, function, AECC_RANDOM_RUN, view, batch, take_rows, r);
}

static void add_metric(rt_machine *m, void *job, int64_t first, int64_t count)
{
    (void)first;
    *(double *)job += (double)machine_scalar(m, &m->function->outputs[0]) * (double)count;
}

/* The squared differences of the outputs `prediction` and the next one. */
typedef struct error_sum {
    int prediction;
    float *a, *b; /* a sample */
    double sum;
} error_sum;

static void add_error(rt_machine *m, void *job, int64_t first, int64_t count)
{
    error_sum *e = job;
    const rt_tensor *t = &m->function->outputs[e->prediction];
    (void)first;
    for (int64_t s = 0; s < count; s++) {
        machine_sample(m, t, s, e->a);
        machine_sample(m, t + 1, s, e->b);
        for (int64_t i = 0; i < t->elements; i++)
            e->sum += ((double)e->a[i] - (double)e->b[i]) * ((double)e->a[i] - (double)e->b[i]);
    }
}

/* ---- The kinds ------------------------------------------------------------------ */

static bool metric(rt_trainer *t, const rt_report *r, const data_view *view, int64_t batch,
                   rt_score *out)
{
    double sum = 0;
    bool whole =
        over_view(&t->machine, r->function, AECC_RANDOM_RUN, view, batch, add_metric, &sum);
    add(out, r->name ? r->name : r->kind, "", sum / (double)view->samples);
    return whole;
}

static bool frechet(rt_trainer *t, const rt_report *r, const data_view *view, int64_t batch,
                    rt_score *out)
{
    rows all = {.outputs = 2};
    int n = (int)t->model->functions[r->function].outputs[0].elements;
    if (view->samples < 2)
        rt_fail(RT_BAD_INPUT, "%s takes two samples or more", r->kind);
    bool whole = take_all(t, r->function, view, batch, &all);
    if (whole)
        add(out, r->name ? r->name : r->kind, "",
            frechet_distance(n, view->samples, all.at[0], view->samples, all.at[1]));
    free(all.at[0]);
    free(all.at[1]);
    return whole;
}

static bool histogram(rt_trainer *t, const rt_report *r, const data_view *view, int64_t batch,
                      rt_score *out)
{
    rows all = {.outputs = 1};
    int64_t n = t->model->functions[r->function].outputs[0].elements;
    bool whole = take_all(t, r->function, view, batch, &all);
    out->nclasses = n;
    out->classes = rt_alloc((size_t)n, sizeof *out->classes);
    for (int64_t s = 0; whole && s < view->samples; s++) {
        const float *p = all.at[0] + s * n;
        int64_t largest = 0;
        for (int64_t i = 1; i < n; i++)
            largest = p[i] > p[largest] ? i : largest;
        out->classes[largest]++;
    }
    snprintf(out->names[0], sizeof out->names[0], "%s", r->name ? r->name : r->kind);
    free(all.at[0]);
    return whole;
}

/* Bytes of a sample in its file: of the data's component that is as large. */
static double file_bytes(const data_view *view, int64_t elements)
{
    for (int i = 0; i < view->ncomponents; i++)
        if (view->components[i].elements == elements)
            return (double)elements *
                   (double)data_type_size(view->components[i].runs[0].array->type);
    return (double)elements * sizeof(float);
}

static bool compression(rt_trainer *t, int function, int prediction, double code_bits,
                        const data_view *view, int64_t batch, const char *prefix, rt_score *out)
{
    int64_t n = t->model->functions[function].outputs[prediction].elements;
    error_sum e = {prediction, rt_alloc((size_t)n, sizeof(float)),
                   rt_alloc((size_t)n, sizeof(float)), 0};
    bool whole = over_view(&t->machine, function, AECC_RANDOM_RUN, view, batch, add_error, &e);
    double bytes = ceil(code_bits / 8);
    add(out, prefix, "bytes", bytes);
    add(out, prefix, "ratio", file_bytes(view, n) / bytes);
    add(out, prefix, "error", e.sum / (double)view->samples / (double)n);
    free(e.a);
    free(e.b);
    return whole;
}

static bool report_score(rt_trainer *t, const rt_report *r, const data_view *view, int64_t batch,
                         rt_score *out)
{
    const rt_function *f = &t->model->functions[r->function];
    if (!strcmp(r->kind, "metric"))
        return metric(t, r, view, batch, out);
    if (!strcmp(r->kind, "frechet"))
        return frechet(t, r, view, batch, out);
    if (!strcmp(r->kind, "histogram"))
        return histogram(t, r, view, batch, out);
    double bits = (double)(r->bits ? r->bits : FLOAT_BITS) * (double)f->outputs[0].elements;
    return compression(t, r->function, 1, bits, view, batch, r->name ? r->name : "", out);
}

/* Of the view as many samples as the report asks for. */
static int64_t samples_of(const rt_report *r, int64_t there)
{
    bool whole = !strcmp(r->kind, "metric") || !strcmp(r->kind, "compression");
    int64_t count = r->count ? r->count : whole ? there : DEFAULT_SAMPLES;
    return count < there ? count : there;
}

bool score(rt_trainer *t, const rt_report *r, const data_view *view, int64_t batch, rt_score *out)
{
    *out = (rt_score){.samples = samples_of(r, view->samples)};
    data_view part = data_slice(view, 0, out->samples);
    bool whole = report_score(t, r, &part, batch, out);
    data_view_free(&part);
    return whole;
}

void score_free(rt_score *s)
{
    free(s->classes);
    *s = (rt_score){0};
}

/* ---- Without a line of a report ------------------------------------------------- */

static bool reports_compression(const rt_model *m)
{
    for (int i = 0; i < m->nreports; i++)
        if (!strcmp(m->reports[i].kind, "compression"))
            return true;
    return false;
}

const rt_function *coder(const rt_model *m)
{
    const rt_network *encoder = model_network(m, "encoder");
    if (m->reconstruct < 0 || !encoder || reports_compression(m))
        return NULL;
    const rt_function *f = &m->functions[encoder->function];
    const rt_function *back = &m->functions[m->reconstruct];
    bool fixed = f->nresults == 1 && f->noutputs == 1 && back->noutputs == 2;
    return fixed ? f : NULL;
}

bool score_coder(rt_trainer *t, const data_view *view, int64_t batch, rt_score *out)
{
    const rt_function *f = coder(t->model);
    *out = (rt_score){.samples = view->samples};
    return compression(t, t->model->reconstruct, 0, FLOAT_BITS * (double)f->outputs[0].elements,
                       view, batch, "", out);
}
