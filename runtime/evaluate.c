/* `evaluate`: the objectives over --in, else over the validation data, else
 * over the training data. */
#include "rt.h"

#include <stdlib.h>
#include <string.h>

static void print_values(const rt_trainer *t, const rt_train *train, int64_t samples,
                         const double *values, bool json)
{
    const rt_function *f = &t->model->functions[train->objective];
    char text[32];
    if (json && t->model->ntrains > 1)
        printf("{\"block\":%d,\"samples\":%lld", (int)(train - t->model->trains) + 1,
               (long long)samples);
    else if (json)
        printf("{\"samples\":%lld", (long long)samples);
    else
        printf("%-24s %lld\n", "samples", (long long)samples);
    for (int i = 0; i < f->noutputs; i++) {
        char *name = objective_name(t->model, train, i);
        const char *shown = name + strlen("val_");
        if (json)
            printf(",\"%s\":%s", shown, number_text(text, values[i]));
        else
            printf("%-24s %.6g\n", shown, values[i]);
        free(name);
    }
    printf(json ? "}\n" : "");
}

static void evaluate_block(rt_trainer *t, const rt_train *train)
{
    const rt_function *f = &t->model->functions[train->objective];
    const rt_tree *tree = train->validation ? train->validation : train->data;
    data_view view = sources_given(&t->sources, f, tree, AS_FILES_HOLD);
    double *values = rt_alloc((size_t)f->noutputs, sizeof *values);
    int64_t batch = t->options->batch ? t->options->batch : train->batch;
    objectives_over(&t->machine, train->objective, &view, batch, values);
    print_values(t, train, view.samples, values, t->options->json);
    free(values);
    data_view_free(&view);
}

int command_evaluate(rt_trainer *t)
{
    int64_t largest = 1;
    int blocks = 0;
    for (int i = 0; i < t->model->ntrains; i++) {
        const rt_train *train = &t->model->trains[i];
        int64_t batch = t->options->batch ? t->options->batch : train->batch;
        largest = batch > largest ? batch : largest;
        blocks += train->objective >= 0;
    }
    if (!blocks)
        rt_fail(RT_USAGE, "%s has no objective to evaluate\nwrite a train block", t->model->source);
    trainer_machine(t, largest);
    weights_need(&t->machine, t->options);
    for (int i = 0; i < t->model->ntrains; i++) {
        if (t->model->trains[i].objective < 0)
            continue;
        if (blocks > 1 && !t->options->json)
            printf("block %d\n", i + 1);
        evaluate_block(t, &t->model->trains[i]);
    }
    return RT_OK;
}
