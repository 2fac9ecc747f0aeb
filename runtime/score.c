/* Lines of report blocks that are numbers: metrics, the Fréchet distance of
 * features, histograms of classes, compression. The lines of a block are values of
 * one function, which runs once over the samples for all lines that take as many.
 * Sums go in the order of the samples, so that a result does not depend on threads. */
#include "rt.h"

#include "eigen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SAMPLES = 10000, FLOAT_BITS = 32 };

typedef enum kind { METRIC, FRECHET, HISTOGRAM, COMPRESSION, N_KINDS } kind;

static const char *const kinds[N_KINDS] = {"metric", "frechet", "histogram", "compression"};

static kind kind_of(const char *name)
{
    int k = 0;
    while (k < N_KINDS && strcmp(kinds[k], name) != 0)
        k++;
    return (kind)k;
}

bool is_score(const rt_report *r)
{
    return kind_of(r->kind) != N_KINDS;
}

bool reports_scores(const rt_model *m)
{
    for (int i = 0; i < m->nreports; i++)
        if (is_score(&m->reports[i]))
            return true;
    return false;
}

/* ---- A line under way ------------------------------------------------------------ */

typedef struct line {
    kind kind;
    int first;      /* of its outputs                            */
    float *rows[2]; /* FRECHET: [sample][feature] of both; HISTOGRAM: one;
                     * COMPRESSION: one sample of both            */
    double sum;     /* METRIC, COMPRESSION                        */
} line;

typedef struct lines {
    line *at;
    int n;
} lines;

/* The output whose elements a line keeps. */
static int kept(const line *l)
{
    return l->kind == COMPRESSION ? l->first + 1 : l->first;
}

static void open_line(line *l, const rt_function *f, int64_t samples)
{
    int64_t rows = l->kind == COMPRESSION ? 1 : samples;
    int64_t n = rows * f->outputs[kept(l)].elements;
    for (int i = 0; i < 2 && l->kind != METRIC; i++)
        l->rows[i] = rt_alloc((size_t)n, sizeof(float));
}

static void take_rows(line *l, const rt_machine *m, int64_t first, int64_t count)
{
    for (int i = 0; i < (l->kind == FRECHET ? 2 : 1); i++) {
        const rt_tensor *t = &m->function->outputs[l->first + i];
        for (int64_t s = 0; s < count; s++)
            machine_sample(m, t, s, l->rows[i] + (first + s) * t->elements);
    }
}

static void add_error(line *l, const rt_machine *m, int64_t count)
{
    const rt_tensor *t = &m->function->outputs[kept(l)];
    for (int64_t s = 0; s < count; s++) {
        machine_sample(m, t, s, l->rows[0]);
        machine_sample(m, t + 1, s, l->rows[1]);
        for (int64_t i = 0; i < t->elements; i++) {
            double e = (double)l->rows[0][i] - (double)l->rows[1][i];
            l->sum += e * e;
        }
    }
}

static void take(rt_machine *m, void *job, int64_t first, int64_t count)
{
    lines *all = job;
    for (int i = 0; i < all->n; i++) {
        line *l = &all->at[i];
        if (l->kind == METRIC)
            l->sum += (double)machine_scalar(m, &m->function->outputs[l->first]) * (double)count;
        else if (l->kind == COMPRESSION)
            add_error(l, m, count);
        else
            take_rows(l, m, first, count);
    }
}

/* ---- What a line gives ------------------------------------------------------------- */

static void add(rt_score *s, const char *prefix, const char *name, double value)
{
    snprintf(s->names[s->n], sizeof s->names[s->n], "%s%s%s", prefix, *prefix && *name ? "." : "",
             name);
    s->values[s->n++] = value;
}

/* "[3,0,1]"; malloc'd. */
static char *list_of(const int64_t *values, int64_t n)
{
    size_t size = (size_t)n * 21 + 3, at = 0;
    char *text = rt_alloc(size, 1);
    for (int64_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", i ? "," : "[", (long long)values[i]);
    snprintf(text + at, size - at, "]");
    return text;
}

static void count_classes(const line *l, int64_t classes, const char *name, rt_score *out)
{
    out->nclasses = classes;
    out->classes = rt_alloc((size_t)classes, sizeof *out->classes);
    for (int64_t s = 0; s < out->samples; s++) {
        const float *p = l->rows[0] + s * classes;
        int64_t largest = 0;
        for (int64_t i = 1; i < classes; i++)
            largest = p[i] > p[largest] ? i : largest;
        out->classes[largest]++;
    }
    snprintf(out->names[0], sizeof out->names[0], "%s", name);
    out->json = list_of(out->classes, classes);
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

static void add_compression(const line *l, const data_view *view, int64_t elements,
                            double code_bits, const char *prefix, rt_score *out)
{
    double bytes = ceil(code_bits / 8);
    add(out, prefix, "bytes", bytes);
    add(out, prefix, "ratio", file_bytes(view, elements) / bytes);
    add(out, prefix, "error", l->sum / (double)out->samples / (double)elements);
}

static void close_line(line *l, const rt_function *f, const rt_report *r, const data_view *view,
                       rt_score *out)
{
    const char *name = r->name ? r->name : r->kind;
    int64_t n = f->outputs[kept(l)].elements;
    double bits = (double)(r->bits ? r->bits : FLOAT_BITS);
    switch (l->kind) {
    case METRIC: add(out, name, "", l->sum / (double)out->samples); break;
    case FRECHET:
        add(out, name, "",
            frechet_distance((int)n, out->samples, l->rows[0], out->samples, l->rows[1]));
        break;
    case HISTOGRAM: count_classes(l, n, name, out); break;
    default:
        add_compression(l, view, n, bits * (double)f->outputs[l->first].elements,
                        r->name ? r->name : "", out);
    }
}

static void free_line(line *l)
{
    free(l->rows[0]);
    free(l->rows[1]);
}

/* ---- The reports of a program ------------------------------------------------------- */

/* Of those that there are as many samples as the report asks for. */
static int64_t samples_of(const rt_report *r, int64_t there)
{
    kind k = kind_of(r->kind);
    int64_t count = r->count ? r->count : k == METRIC || k == COMPRESSION ? there : DEFAULT_SAMPLES;
    if (k == FRECHET && (count < 2 || there < 2))
        rt_fail(RT_BAD_INPUT, "%s takes two samples or more", r->kind);
    return count < there ? count : there;
}

/* All lines of a function that take `samples`; false when a signal stopped it. */
static bool run_lines(rt_trainer *t, int function, const data_view *all, int64_t samples,
                      int64_t batch, rt_score *out)
{
    const rt_model *m = t->model;
    const rt_function *f = &m->functions[function];
    lines job = {rt_alloc((size_t)m->nreports, sizeof(line)), 0};
    int *report = rt_alloc((size_t)m->nreports, sizeof *report);
    for (int i = 0; i < m->nreports; i++)
        if (m->reports[i].function == function && out[i].samples == samples) {
            report[job.n] = i;
            job.at[job.n] =
                (line){.kind = kind_of(m->reports[i].kind), .first = m->reports[i].first};
            open_line(&job.at[job.n++], f, samples);
        }
    data_view view = data_slice(all, 0, samples);
    bool whole = over_view(&t->machine, function, AECC_RANDOM_RUN, &view, batch, take, &job);
    for (int i = 0; i < job.n; i++) {
        if (whole)
            close_line(&job.at[i], f, &m->reports[report[i]], &view, &out[report[i]]);
        free_line(&job.at[i]);
    }
    data_view_free(&view);
    free(job.at);
    free(report);
    return whole;
}

bool score(rt_trainer *t, int report, const data_view *view, int64_t batch, rt_score *out)
{
    const rt_model *m = t->model;
    int function = m->reports[report].function;
    if (out[report].samples) /* with a line before it */
        return true;
    for (int i = report; i < m->nreports; i++)
        if (m->reports[i].function == function)
            out[i].samples = samples_of(&m->reports[i], view->samples);
    for (int i = report; i < m->nreports; i++)
        if (m->reports[i].function == function && !out[i].n && !out[i].classes &&
            !run_lines(t, function, view, out[i].samples, batch, out))
            return false;
    return true;
}

rt_score *scores_new(const rt_model *m)
{
    return rt_alloc((size_t)m->nreports + 1, sizeof(rt_score));
}

void scores_free(const rt_model *m, rt_score *s)
{
    for (int i = 0; i < m->nreports; i++) {
        free(s[i].classes);
        free(s[i].json);
    }
    free(s);
}

/* ---- Without a line of a report ------------------------------------------------- */

static bool reports_compression(const rt_model *m)
{
    for (int i = 0; i < m->nreports; i++)
        if (kind_of(m->reports[i].kind) == COMPRESSION)
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
    int function = t->model->reconstruct;
    const rt_function *f = &t->model->functions[function];
    line l = {.kind = COMPRESSION, .first = -1};
    lines job = {&l, 1};
    *out = (rt_score){.samples = view->samples};
    open_line(&l, f, view->samples);
    bool whole = over_view(&t->machine, function, AECC_RANDOM_RUN, view, batch, take, &job);
    add_compression(&l, view, f->outputs[0].elements,
                    FLOAT_BITS * (double)coder(t->model)->outputs[0].elements, "", out);
    free_line(&l);
    return whole;
}
