/* Pictures of report blocks: reconstructions when training has ended; samples then
 * and after the epochs that the block names, always of the same draws. */
#include "pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 32, COLUMNS = 8 };

static bool is_kind(const rt_report *r, const char *kind)
{
    return !strcmp(r->kind, kind);
}

/* Is it in a list such as "1,2,50"? */
static bool is_listed(const char *list, int64_t epoch)
{
    while (list) {
        if (strtoll(list, NULL, 10) == epoch)
            return true;
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
    return false;
}

static bool is_due(const rt_report *r, int64_t epoch)
{
    if (!epoch)
        return true;
    return is_kind(r, "samples") &&
           ((r->every && epoch % r->every == 0) || is_listed(r->epochs, epoch));
}

/* NAME-samples.png, NAME-samples-2.png of the second report of a kind; with the
 * epoch, and the block where there are several: NAME-samples-epoch5.png. */
static char *path_of(const rt_model *m, const rt_report *r, int64_t block, int64_t epoch)
{
    char number[32] = "", place[64] = "";
    int before = 0;
    for (const rt_report *other = m->reports; other < r; other++)
        before += is_kind(other, r->kind);
    if (before)
        snprintf(number, sizeof number, "-%d", before + 1);
    if (epoch && m->ntrains > 1)
        snprintf(place, sizeof place, "-block%lld-epoch%lld", (long long)block + 1,
                 (long long)epoch);
    else if (epoch)
        snprintf(place, sizeof place, "-epoch%lld", (long long)epoch);
    return rt_text("%s-%s%s%s.png", m->name, r->kind, number, place);
}

/* False after a signal. */
static bool draw_samples(rt_trainer *t, const rt_report *r, const data_view *view, const char *path)
{
    int64_t count = r->count ? r->count : SAMPLES;
    count = count < view->samples ? count : view->samples;
    rt_pictures p = {.function = r->function,
                     .view = view,
                     .count = count,
                     .outputs = 1,
                     .columns = count < COLUMNS ? count : COLUMNS};
    return draw_pictures(t, &p, path);
}

static void draw(rt_trainer *t, rt_progress *progress, const rt_report *r, const char *path)
{
    bool drawn = true;
    if (!is_picture(&t->model->functions[r->function].outputs[0])) {
        progress_say(progress,
                     "skipped %s: the samples are no pictures, [height, width] or with 1 or 3 "
                     "channels",
                     path);
        return;
    }
    data_view view = sources_view(&t->sources, r->data, AS_FILES_HOLD);
    if (is_kind(r, "samples"))
        drawn = draw_samples(t, r, &view, path);
    else
        draw_reconstructions(t, r->function, &view, r->count, path);
    data_view_free(&view);
    if (drawn)
        progress_say(progress, "wrote %s", path);
}

void report_pictures(rt_trainer *t, rt_progress *progress, int64_t block, int64_t epoch)
{
    for (int i = 0; i < t->model->nreports; i++) {
        const rt_report *r = &t->model->reports[i];
        if (!is_due(r, epoch) || is_score(r)) /* `evaluate` prints scores */
            continue;
        if (is_kind(r, "reconstructions") || is_kind(r, "samples")) {
            char *path = path_of(t->model, r, block, epoch);
            draw(t, progress, r, path);
            free(path);
        } else {
            progress_say(progress,
                         "skipped the report %s: a trainer draws reconstructions and samples",
                         r->kind);
        }
    }
}
