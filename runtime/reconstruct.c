/* `reconstruct`: originals over what the network makes of them. */
#define _GNU_SOURCE
#include "pictures.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_COUNT = 5 };

void draw_reconstructions(rt_trainer *t, int function, const data_view *all, int64_t count,
                          const char *path)
{
    if (count <= 0)
        count = DEFAULT_COUNT;
    if (count > all->samples)
        count = all->samples;
    rt_pictures p = {.function = function,
                     .view = all,
                     .count = count,
                     .outputs = t->model->functions[function].nresults < 2 ? 1 : 2,
                     .columns = count};
    draw_pictures(t, &p, path);
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
    char *path = picture_path(t, "reconstructions");
    data_view view = sources_given(&t->sources, f, m->reconstruct_data,
                                   m->reconstruct_scaled ? SCALED : AS_FILES_HOLD);
    trainer_machine(t, inference_batch(t));
    weights_need(&t->machine, t->options);
    draw_reconstructions(t, m->reconstruct, &view, t->options->count, path);
    printf("%s\n", path);
    data_view_free(&view);
    free(path);
    return RT_OK;
}
