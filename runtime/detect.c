/* `detect`: samples ranked by reconstruction error; those above a quantile of
 * the training errors are anomalies. The error of a sequence is over its steps;
 * windows are told by their series and first step. */
#include "rt.h"

#include "atomic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Mean squared error of each sample of a view. */
typedef struct errors {
    double *at;
    float *made, *given;
} errors;

static double sample_error(const errors *e, int64_t elements)
{
    double sum = 0;
    for (int64_t i = 0; i < elements; i++) {
        double d = (double)e->made[i] - (double)e->given[i];
        sum += d * d;
    }
    return sum / (double)elements;
}

static void take(rt_machine *m, void *job, int64_t first, int64_t count)
{
    errors *e = job;
    const rt_tensor *made = &m->function->outputs[0], *given = &m->function->outputs[1];
    for (int64_t s = 0; s < count; s++) {
        machine_sample(m, made, s, e->made);
        machine_sample(m, given, s, e->given);
        e->at[first + s] = sample_error(e, machine_live(m, made, s));
    }
}

/* NULL after a signal. */
static double *errors_of(rt_trainer *t, const data_view *view)
{
    int function = t->model->reconstruct;
    int64_t elements = t->model->functions[function].outputs[0].elements;
    errors e = {rt_alloc((size_t)view->samples, sizeof(double)),
                rt_alloc((size_t)elements, sizeof(float)),
                rt_alloc((size_t)elements, sizeof(float))};
    bool whole =
        over_view(&t->machine, function, AECC_RANDOM_RUN, view, t->machine.batch, take, &e);
    free(e.made);
    free(e.given);
    if (whole)
        return e.at;
    free(e.at);
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the two nearest of the sorted values, as numpy.quantile. */
static double quantile(double *values, int64_t n, double q)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    double place = q * (double)(n - 1);
    int64_t below = (int64_t)place;
    if (below + 1 >= n)
        return values[n - 1];
    return values[below] + (place - (double)below) * (values[below + 1] - values[below]);
}

/* ---- Output ----------------------------------------------------------------- */

typedef struct ranked {
    int64_t sample;
    double error;
} ranked;

static int descending(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->error != y->error)
        return x->error > y->error ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

typedef struct table {
    const ranked *rows;
    int64_t n;
    double threshold, quantile;
    const data_component *data; /* NULL: samples are no parts of series */
} table;

/* Bytes of the UTF-8 character at `at`, 0 where there is none. */
static int character(const unsigned char *at)
{
    int n = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (at[0] > 0xf4)
        return 0;
    for (int i = 1; i < n; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
               (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f);
    return bad ? 0 : n;
}

/* The name of a series as a field of CSV, or of JSON: quotes twice, or escaped.
 * In JSON U+FFFD stands for a byte that is no UTF-8. */
static void print_name(FILE *to, const char *name, bool json)
{
    bool quoted = json || strpbrk(name, ",;\" \t\r\n");
    fputs(quoted ? "\"" : "", to);
    for (int n; *name; name += n) {
        unsigned char c = (unsigned char)*name;
        int whole = character((const unsigned char *)name);
        n = whole ? whole : 1;
        if (json && (c < 0x20 || !whole)) {
            fprintf(to, "\\u%04x", whole ? c : 0xfffdu);
            continue;
        }
        if (c == '"' || (json && c == '\\'))
            fputc(json ? '\\' : '"', to);
        fwrite(name, 1, (size_t)n, to);
    }
    fputs(quoted ? "\"" : "", to);
}

/* Series and first step of a sample. */
static void print_place(FILE *to, const table *t, int64_t sample, bool json)
{
    const data_array *array = data_array_of(t->data, &sample);
    data_place place = data_place_of(array, sample);
    const data_sequences *s = array->sequences;
    fputs(json ? ",\"series\":" : ",", to);
    if (s && s->names)
        print_name(to, s->names[place.series], json);
    else
        fprintf(to, "%lld", (long long)place.series);
    fprintf(to, json ? ",\"step\":%lld" : ",%lld", (long long)place.first);
}

static void print_csv(FILE *to, const table *t)
{
    char text[32];
    fprintf(to, "rank,sample,error,anomaly%s\n", t->data ? ",series,step" : "");
    for (int64_t i = 0; i < t->n; i++) {
        const ranked *r = &t->rows[i];
        fprintf(to, "%lld,%lld,%s,%d", (long long)i + 1, (long long)r->sample,
                number_text(text, r->error), r->error > t->threshold);
        if (t->data)
            print_place(to, t, r->sample, false);
        fputc('\n', to);
    }
}

static void print_json(FILE *to, const table *t)
{
    char text[32];
    fprintf(to, "{\"quantile\":%s,", number_text(text, t->quantile));
    fprintf(to, "\"threshold\":%s,\"samples\":[", number_text(text, t->threshold));
    for (int64_t i = 0; i < t->n; i++) {
        const ranked *r = &t->rows[i];
        fprintf(to, "%s\n{\"sample\":%lld,\"error\":%s,\"anomaly\":%s", i ? "," : "",
                (long long)r->sample, number_text(text, r->error),
                r->error > t->threshold ? "true" : "false");
        if (t->data)
            print_place(to, t, r->sample, true);
        fputc('}', to);
    }
    fprintf(to, "]}\n");
}

static bool wants_json(const char *out)
{
    bool json = out && ends_in(out, ".json");
    if (out && !json && !ends_in(out, ".csv"))
        rt_fail(RT_USAGE, "--out takes a name that ends in .csv or .json, not '%s'", out);
    return json;
}

static void write_result(const char *out, const table *t)
{
    atomic_file file = {.stream = stdout};
    rt_error error;
    bool json = wants_json(out);
    if (out && !atomic_open(&file, out, &error))
        rt_raise(&error);
    (json ? print_json : print_csv)(file.stream, t);
    if (out && !atomic_commit(&file, &error))
        rt_raise(&error);
}

/* Are samples of a component windows, or series that have names? */
static bool has_places(const data_component *c)
{
    for (int i = 0; i < c->nruns; i++) {
        const data_sequences *s = c->runs[i].array->sequences;
        if (s && (s->names || s->window))
            return true;
    }
    return false;
}

static void report(rt_trainer *t, const double *found, const data_view *view, double threshold)
{
    int64_t n = view->samples, anomalies = 0, shown = t->options->count;
    ranked *r = rt_alloc((size_t)n, sizeof *r);
    for (int64_t i = 0; i < n; i++) {
        r[i] = (ranked){i, found[i]};
        anomalies += found[i] > threshold;
    }
    qsort(r, (size_t)n, sizeof *r, descending);
    table all = {.rows = r,
                 .n = shown && shown < n ? shown : n,
                 .threshold = threshold,
                 .quantile = t->options->quantile,
                 .data = has_places(&view->components[0]) ? &view->components[0] : NULL};
    write_result(t->options->out, &all);
    fprintf(stderr,
            "%lld of %lld samples are anomalies: error above %.6g, the %g quantile of the "
            "training errors\n",
            (long long)anomalies, (long long)n, threshold, t->options->quantile);
    free(r);
}

int command_detect(rt_trainer *t)
{
    const rt_model *m = t->model;
    wants_json(t->options->out);
    if (m->reconstruct < 0 || !m->ntrains)
        rt_fail(RT_USAGE,
                "%s reconstructs nothing, so there are no errors to rank by\n"
                "write networks `encoder` and `decoder`, and a train block",
                m->source);
    const rt_function *f = &m->functions[m->reconstruct];
    rt_form form = m->reconstruct_scaled ? SCALED : AS_FILES_HOLD;
    data_view view = sources_given(&t->sources, f, m->reconstruct_data, form);
    data_view normal = sources_view(&t->sources, m->trains[0].data, form);
    trainer_machine(t, inference_batch(t));
    weights_need(&t->machine, t->options);
    signals_catch();
    double *known = errors_of(t, &normal), *found = known ? errors_of(t, &view) : NULL;
    if (found)
        report(t, found, &view, quantile(known, normal.samples, t->options->quantile));
    free(known);
    free(found);
    data_view_free(&view);
    data_view_free(&normal);
    return found ? RT_OK : 128 + signal_seen();
}
