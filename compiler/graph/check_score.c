/* Lines of report blocks that are numbers: what `evaluate` prints.
 *
 *   metric(accuracy(classes(image), label), name: accuracy)   one number
 *   frechet(features(fake), features(image))                  how far two sets lie apart
 *   histogram(classes(fake))                                  which classes there are
 *   compression(coding, decoder(coding), image, bits: 1)      bytes, ratio, error
 *
 * The runtime takes the values from the function's outputs; here is checked
 * that they are of the shapes that it takes. */
#include "graph/check.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_FEATURES = 256, MOST_CLASSES = 1000, MOST_BITS = 64, MOST_SAMPLES = 10000000 };

static const char *option_of(const Report *r, const char *name)
{
    for (int i = 0; i < r->noptions; i++)
        if (strcmp(r->option_names[i], name) == 0)
            return r->option_values[i];
    return NULL;
}

/* A whole number from 1, where the option is given. */
static void check_count(Check *c, const Report *r, const char *name, long most)
{
    const char *text = option_of(r, name);
    char *end;
    long n = text ? strtol(text, &end, 10) : 1;
    if (text && (end == text || *end || n < 1 || n > most))
        report(c, r->pos, "`%s` is a whole number from 1 to %ld, not %s", name, most, text);
}

/* Numbers of a program are told apart by their names. */
static void check_name(Check *c, const Report *r)
{
    const char *name = option_of(r, "name");
    for (int i = 0; i < c->model->nreports; i++) {
        const Report *other = &c->model->reports[i];
        const char *its = option_of(other, "name");
        if (!is_score(other->kind) || strcmp(its ? its : other->kind, name ? name : r->kind) != 0)
            continue;
        report(c, r->pos, "a second number is called `%s`", name ? name : r->kind);
        note(c, other->pos, "the first is here");
        advise(c, "give it another name: `%s(…, name: second)`", r->kind);
        return;
    }
}

static void check_options(Check *c, const Report *r, const char *const *known, int n)
{
    for (int i = 0; i < r->noptions; i++) {
        bool found = false;
        for (int k = 0; k < n; k++)
            found |= strcmp(r->option_names[i], known[k]) == 0;
        if (found)
            continue;
        report(c, r->pos, "`%s` has no option `%s`", r->kind, r->option_names[i]);
        const char *meant = suggest(r->option_names[i], known, n);
        if (meant)
            advise(c, "did you mean `%s`?", meant);
    }
    check_count(c, r, "count", MOST_SAMPLES);
    check_count(c, r, "bits", MOST_BITS);
    check_name(c, r);
}

/* Numbers of each sample along one axis, [n], at most that many. */
static bool check_row(Check *c, const Report *r, int i, const char *what, int64_t most)
{
    Shape s = r->fn->outputs[r->first + i]->shape;
    if (!s.batch || s.rank != 1) {
        report(c, r->pos, "`%s` takes %s, [n] for each sample; this is %s%s", r->kind, what,
               sample_text(s), s.batch ? "" : " for the whole batch");
        return false;
    }
    if (s.dim[0] > most)
        report(c, r->pos, "`%s` takes at most %lld %s; these are %lld", r->kind, (long long)most,
               what, (long long)s.dim[0]);
    return s.dim[0] <= most;
}

static void check_frechet(Check *c, const Report *r)
{
    if (!check_row(c, r, 0, "features", MOST_FEATURES) ||
        !check_row(c, r, 1, "features", MOST_FEATURES))
        return;
    Node **out = r->fn->outputs + r->first;
    Shape a = out[0]->shape, b = out[1]->shape;
    if (!shape_equal(a, b))
        report(c, r->pos, "the features are %s and %s", sample_text(a), sample_text(b));
}

static void check_metric(Check *c, const Report *r)
{
    Shape s = r->fn->outputs[r->first]->shape;
    if (!s.batch && s.rank == 0)
        return;
    report(c, r->pos, "a metric is one number, this is %s%s", sample_text(s),
           s.batch ? " for each sample" : "");
    advise(c, "did you mean `mean(…)`?");
}

static void check_compression(Check *c, const Report *r)
{
    Node **out = r->fn->outputs + r->first;
    Shape code = out[0]->shape, a = out[1]->shape, b = out[2]->shape;
    if (!code.batch)
        report(c, r->pos, "a coding is of each sample; this is %s for the whole batch",
               sample_text(code));
    else if (!a.batch || !shape_equal(a, b))
        report(c, r->pos, "the prediction is %s, the target %s", sample_text(a), sample_text(b));
}

static const struct Kind {
    const char *name;
    int values;
    const char *takes;
    void (*check)(Check *, const Report *);
    const char *options[3];
    int noptions;
} kinds[] = {
    {"frechet",
     2,
     "two features, `frechet(features(fake), features(image))`",
     check_frechet,
     {"count", "name"},
     2},
    {"histogram",
     1,
     "probabilities of classes, `histogram(classifier(fake))`",
     NULL,
     {"count", "name"},
     2},
    {"metric",
     1,
     "one number, `metric(accuracy(classifier(x), label), name: accuracy)`",
     check_metric,
     {"count", "name"},
     2},
    {"compression",
     3,
     "a coding, its reconstruction and the original",
     check_compression,
     {"count", "name", "bits"},
     3},
};

bool is_score(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, kind) == 0)
            return true;
    return false;
}

void check_score(Check *c, const Report *r, int shown)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct Kind *k = &kinds[i];
        if (strcmp(k->name, r->kind) != 0)
            continue;
        check_options(c, r, k->options, k->noptions);
        if (r->fn->noutputs != r->first + shown)
            report(c, r->pos, "`%s` takes no sequences of varying length", r->kind);
        else if (shown != k->values)
            report(c, r->pos, "`%s` takes %s", r->kind, k->takes);
        else if (k->check)
            k->check(c, r);
        else
            check_row(c, r, 0, "classes", MOST_CLASSES);
    }
}
