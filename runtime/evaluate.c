/* `evaluate`: the objectives over --in, else over the validation data, else
 * over the training data; and the numbers of report blocks. */
#include "rt.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a table, or the fields of a JSON object. */
typedef struct page {
    bool json;
    int fields; /* of the object that is open */
} page;

static void put_name(page *p, const char *name)
{
    if (p->json)
        printf("%s\"%s\":", p->fields++ ? "," : "{", name);
    else
        printf("%-24s ", name);
}

static void put_number(page *p, const char *name, double value)
{
    char text[32];
    put_name(p, name);
    if (p->json)
        fputs(number_text(text, value), stdout);
    else
        printf("%.6g\n", value);
}

static void put_whole(page *p, const char *name, int64_t value)
{
    put_name(p, name);
    printf(p->json ? "%lld" : "%lld\n", (long long)value);
}

static void put_classes(page *p, const rt_score *s)
{
    put_name(p, s->names[0]);
    if (p->json)
        fputs(s->json, stdout);
    for (int64_t i = 0; !p->json && i < s->nclasses; i++)
        printf("%lld%s", (long long)s->classes[i], i + 1 < s->nclasses ? " " : "\n");
}

static void put_score(page *p, const rt_score *s)
{
    if (s->classes)
        put_classes(p, s);
    for (int i = 0; i < s->n; i++)
        put_number(p, s->names[i], s->values[i]);
}

static void end_object(page *p)
{
    if (p->json && p->fields)
        printf("}\n");
    p->fields = 0;
}

/* ---- Objectives ------------------------------------------------------------------ */

static void put_values(const rt_trainer *t, page *p, const rt_train *train, int64_t samples,
                       const double *values)
{
    const rt_function *f = &t->model->functions[train->objective];
    if (p->json && t->model->ntrains > 1)
        put_whole(p, "block", train - t->model->trains + 1);
    put_whole(p, "samples", samples);
    for (int i = 0; i < f->noutputs; i++) {
        char *name = objective_name(t->model, train, i);
        put_number(p, name + strlen("val_"), values[i]);
        free(name);
    }
}

static void evaluate_block(rt_trainer *t, page *p, const rt_train *train)
{
    const rt_function *f = &t->model->functions[train->objective];
    const rt_tree *tree = train->validation ? train->validation : train->data;
    data_view view = sources_given(&t->sources, f, tree, AS_FILES_HOLD);
    double *values = rt_alloc((size_t)f->noutputs, sizeof *values);
    int64_t batch = t->options->batch ? t->options->batch : train->batch;
    replay_fill(&t->machine, tree, batch);
    objectives_over(&t->machine, train->objective, &view, batch, values);
    put_values(t, p, train, view.samples, values);
    free(values);
    data_view_free(&view);
}

/* ---- Scores ---------------------------------------------------------------------- */

/* Does --in, if it is given, hold the report's inputs? */
static bool is_given(const rt_trainer *t, const rt_function *f)
{
    return !t->options->in.n || t->options->in.n == f->nvalues;
}

static void evaluate_report(rt_trainer *t, page *p, int report, rt_score *scores)
{
    const rt_report *r = &t->model->reports[report];
    const rt_function *f = &t->model->functions[r->function];
    if (!is_given(t, f))
        return;
    data_view view = sources_given(&t->sources, f, r->data, AS_FILES_HOLD);
    score(t, report, &view, t->machine.batch, scores);
    put_score(p, &scores[report]);
    data_view_free(&view);
}

/* What an autoencoder saves, where no report says it. */
static void evaluate_coder(rt_trainer *t, page *p)
{
    const rt_model *m = t->model;
    const rt_function *f = &m->functions[m->reconstruct];
    rt_score s;
    if (!is_given(t, f))
        return;
    data_view view = sources_given(&t->sources, f, m->reconstruct_data,
                                   m->reconstruct_scaled ? SCALED : AS_FILES_HOLD);
    score_coder(t, &view, t->machine.batch, &s);
    put_score(p, &s);
    data_view_free(&view);
}

static bool has_scores(const rt_model *m)
{
    return coder(m) || reports_scores(m);
}

static void evaluate_reports(rt_trainer *t, page *p)
{
    const rt_model *m = t->model;
    rt_score *scores = scores_new(m);
    if (coder(m))
        evaluate_coder(t, p);
    for (int i = 0; i < m->nreports; i++)
        if (is_score(&m->reports[i]))
            evaluate_report(t, p, i, scores);
    scores_free(m, scores);
}

int command_evaluate(rt_trainer *t)
{
    page p = {.json = t->options->json};
    int64_t largest = t->model->ntrains ? 1 : inference_batch(t);
    int blocks = 0;
    for (int i = 0; i < t->model->ntrains; i++) {
        const rt_train *train = &t->model->trains[i];
        int64_t batch = t->options->batch ? t->options->batch : train->batch;
        largest = batch > largest ? batch : largest;
        blocks += train->objective >= 0;
    }
    if (!blocks && !has_scores(t->model))
        rt_fail(RT_USAGE, "%s has no objective to evaluate\nwrite a train block", t->model->source);
    trainer_machine(t, largest);
    weights_need(&t->machine, t->options);
    for (int i = 0; i < t->model->ntrains; i++) {
        if (t->model->trains[i].objective < 0)
            continue;
        if (blocks > 1 && !p.json)
            printf("block %d\n", i + 1);
        evaluate_block(t, &p, &t->model->trains[i]);
        if (blocks > 1)
            end_object(&p);
    }
    if (blocks > 1 && !p.json && has_scores(t->model))
        printf("reports\n");
    evaluate_reports(t, &p);
    end_object(&p);
    return RT_OK;
}
