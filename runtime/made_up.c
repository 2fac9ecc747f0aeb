/* Inputs for timing a network where no file is at hand. */
#include "rt.h"

#include <stdlib.h>

static void *floats(uint64_t seed, uint32_t stream, int64_t n)
{
    float *values = rt_alloc((size_t)(n + 3), sizeof *values);
    uint32_t key[2], bits[4];
    random_key(seed, AECC_RANDOM_RUN, key);
    for (int64_t i = 0; i < n; i += 4) {
        const uint32_t counter[4] = {(uint32_t)(i / 4), stream, 0, 0};
        philox(counter, key, bits);
        for (int k = 0; k < 4; k++)
            values[i + k] = (float)(bits[k] >> 8) * 0x1p-24f;
    }
    return values;
}

/* Random floats; whole numbers are 0, numbers of steps the most there are. */
static void *values_of(const rt_tensor *t, uint64_t seed, uint32_t stream, int64_t n)
{
    if (!t->integer)
        return floats(seed, stream, n);
    int32_t *values = rt_alloc((size_t)n, sizeof *values);
    for (int64_t i = 0; i < n && t->steps; i++)
        values[i] = (int32_t)t->steps;
    return values;
}

static data_view input(const rt_tensor *t, uint64_t seed, uint32_t stream, int64_t samples)
{
    int64_t dims[RT_MAX_RANK + 1] = {samples};
    for (int i = 0; i < t->rank; i++)
        dims[1 + i] = t->shape[i];
    data_array *array = rt_alloc(1, sizeof *array);
    *array = data_borrow("random numbers", t->integer ? DATA_I32 : DATA_F32, t->rank + 1, dims,
                         values_of(t, seed, stream, samples * t->elements));
    return data_view_of(array, NULL);
}

data_view made_up(const rt_function *f, uint64_t seed, int64_t samples)
{
    data_view *parts = rt_alloc((size_t)f->ncomponents + 1, sizeof *parts), view;
    rt_error error;
    for (int i = 0; i < f->ninputs; i++)
        if (f->inputs[i].component >= 0)
            parts[f->inputs[i].component] = input(&f->inputs[i], seed, (uint32_t)i, samples);
    if (!data_zip(&view, parts, f->ncomponents, &error))
        rt_raise(&error);
    for (int i = 0; i < f->ncomponents; i++)
        data_view_free(&parts[i]);
    free(parts);
    return view;
}
