/* bench/gather: microseconds to gather a block of 16 samples, by type and
 * scaling, from a data set that does not fit the caches.
 *
 *   gather [elements [samples]]
 *
 * "random" takes shuffled samples, as training does; "prefetch" asks for the
 * rows of the next block first; "in order" is validation. */
#include "data.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCKS = 2000, REPEATS = 5 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void shuffle(int64_t *samples, int64_t count)
{
    uint64_t state = 42;
    for (int64_t i = count - 1; i > 0; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        int64_t j = (int64_t)((state >> 33) % (uint64_t)(i + 1)), kept = samples[i];
        samples[i] = samples[j];
        samples[j] = kept;
    }
}

/* The best of a few passes, in microseconds a block. */
static double measure(const data_component *c, const int64_t *samples, bool prefetch, float *out)
{
    double best = 1e9;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double start = now();
        for (int block = 0; block < BLOCKS; block++) {
            const int64_t *mine = samples + (block * AECC_LANES) % (c->samples - 2 * AECC_LANES);
            if (prefetch)
                gather_prefetch(c, mine + AECC_LANES);
            gather_block(c, mine, c->elements, out);
        }
        double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    return best / BLOCKS * 1e6;
}

static void report(data_type type, const data_affine *affine, const char *scaling,
                   const int64_t *dims, const int64_t *order, const int64_t *shuffled)
{
    size_t count = (size_t)(dims[0] * dims[1]);
    void *values = malloc(count * data_type_size(type));
    float *out = aligned_alloc(64, (size_t)dims[1] * AECC_LANES * sizeof *out);
    if (values == NULL || out == NULL)
        rt_fail(RT_IO, "not enough memory");
    memset(values, 1, count * data_type_size(type));
    data_array array = data_borrow("bench", type, 2, dims, values);
    data_view view = data_view_of(&array, affine);
    const data_component *c = &view.components[0];
    printf("%-4s %-16s %8.2f %8.2f %8.2f\n", data_type_name(type), scaling,
           measure(c, order, false, out), measure(c, shuffled, false, out),
           measure(c, shuffled, true, out));
    data_view_free(&view);
    data_close(&array);
    free(values);
    free(out);
}

int main(int argc, char **argv)
{
    int64_t dims[2] = {argc > 2 ? atoll(argv[2]) : 60000, argc > 1 ? atoll(argv[1]) : 784};
    if (dims[0] < 4 * AECC_LANES || dims[1] < 1)
        rt_fail(RT_USAGE, "usage: gather [elements [samples]], at least %d samples",
                4 * AECC_LANES);
    int64_t *order = rt_alloc((size_t)dims[0], sizeof *order);
    int64_t *shuffled = rt_alloc((size_t)dims[0], sizeof *shuffled);
    for (int64_t i = 0; i < dims[0]; i++)
        order[i] = shuffled[i] = i;
    shuffle(shuffled, dims[0]);
    printf("microseconds for 16 samples of %lld elements\n%-21s %8s %8s %8s\n", (long long)dims[1],
           "", "in order", "random", "prefetch");
    report(DATA_U8, NULL, "", dims, order, shuffled);
    report(DATA_U8, &(data_affine){255, 1, 0}, "/ 255", dims, order, shuffled);
    report(DATA_U8, &(data_affine){127.5f, 1, -1}, "/ 127.5 - 1", dims, order, shuffled);
    report(DATA_U8, &(data_affine){1.1f, 3, -1}, "/ 1.1 * 3 - 1", dims, order, shuffled);
    report(DATA_I32, &(data_affine){255, 1, 0}, "/ 255", dims, order, shuffled);
    report(DATA_F32, NULL, "", dims, order, shuffled);
    report(DATA_F32, &(data_affine){255, 1, 0}, "/ 255", dims, order, shuffled);
    report(DATA_F64, NULL, "", dims, order, shuffled);
    free(order);
    free(shuffled);
    return 0;
}
