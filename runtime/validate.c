/* Functions over all samples of a view, in file order. */
#include "rt.h"

#include <stdlib.h>
#include <string.h>

typedef struct pass {
    int function;
    uint32_t purpose;
    const data_view *view;
    int64_t batch, first, count; /* count 0: no call yet */
    rt_each *each;
    void *job;
} pass;

static bool next_batch(rt_machine *m, void *job)
{
    pass *p = job;
    if (p->count)
        p->each(m, p->job, p->first, p->count);
    p->first += p->count;
    int64_t left = p->view->samples - p->first;
    if (!left || signal_seen())
        return false;
    p->count = left < p->batch ? left : p->batch;
    int function = faster_function(m->model, p->function, &p->count);
    machine_set(m, function, p->purpose, p->first / p->batch, p->view, NULL, p->first, p->count);
    return true;
}

bool over_view(rt_machine *m, int function, uint32_t purpose, const data_view *view, int64_t batch,
               rt_each *each, void *job)
{
    pass p = {function, purpose, view, batch, 0, 0, each, job};
    view_check(view, &m->model->functions[function]);
    weights_check(m, &m->model->functions[function]);
    machine_pack(m);
    machine_run(m, next_batch, &p);
    return p.first == view->samples;
}

static void add_scalars(rt_machine *m, void *job, int64_t first, int64_t count)
{
    double *sums = job;
    (void)first;
    for (int i = 0; i < m->function->noutputs; i++)
        sums[i] += (double)machine_scalar(m, &m->function->outputs[i]) * (double)count;
}

bool objectives_over(rt_machine *m, int function, const data_view *view, int64_t batch, double *out)
{
    int n = m->model->functions[function].noutputs;
    memset(out, 0, (size_t)n * sizeof *out);
    bool whole = over_view(m, function, AECC_RANDOM_VALIDATE, view, batch, add_scalars, out);
    for (int i = 0; i < n; i++)
        out[i] /= (double)view->samples;
    return whole;
}

char *objective_name(const rt_model *m, const rt_train *train, int output)
{
    const char *step = NULL;
    if (m->functions[train->objective].noutputs == train->nsteps)
        step = train->steps[output].name;
    return step     ? rt_text("val_%s.loss", step)
           : output ? rt_text("val_loss_%d", output + 1)
                    : rt_text("val_loss");
}
