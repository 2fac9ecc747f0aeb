/* make_weights SHAPES OUT.safetensors
 *
 * The initial weights of the comparison with Keras, from a rule instead of a
 * file: SHAPES has a line `name dim dim …` for each tensor; a bias is zero, a
 * kernel is uniform within ±sqrt(6 / (fan in + fan out)) by a hash of its name
 * and the index of the element; of batch normalization scale and variance are
 * within 1 ± 0.5, shift and mean within ±0.5. make_reference.py and
 * make_adversarial.py read what this writes. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 64, MAX_DIMS = 4, MAX_NAME = 100 };

typedef struct Tensor {
    char name[MAX_NAME];
    int rank;
    long dim[MAX_DIMS], size;
} Tensor;

static int read_shapes(FILE *file, Tensor *tensors)
{
    char line[256];
    int n = 0;
    while (n < MAX_TENSORS && fgets(line, sizeof line, file)) {
        Tensor *t = &tensors[n++];
        t->size = 1;
        snprintf(t->name, sizeof t->name, "%s", strtok(line, " \n"));
        for (char *word; t->rank < MAX_DIMS && (word = strtok(NULL, " \n"));)
            t->size *= t->dim[t->rank++] = atol(word);
    }
    return n;
}

/* The header of a safetensors file, padded so that the data is aligned. */
static void write_header(FILE *out, const Tensor *tensors, int n)
{
    static char text[MAX_TENSORS * 256];
    long at = 0, offset = 0;
    for (int i = 0; i < n; i++) {
        const Tensor *t = &tensors[i];
        at += sprintf(text + at, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", i ? "," : "{", t->name);
        for (int d = 0; d < t->rank; d++)
            at += sprintf(text + at, d ? ",%ld" : "%ld", t->dim[d]);
        at += sprintf(text + at, "],\"data_offsets\":[%ld,%ld]}", offset, offset + 4 * t->size);
        offset += 4 * t->size;
    }
    text[at++] = '}';
    while (at % 8)
        text[at++] = ' ';
    uint64_t length = (uint64_t)at;
    fwrite(&length, 8, 1, out);
    fwrite(text, 1, (size_t)at, out);
}

static uint32_t hash_name(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    return x ^ x >> 16;
}

static bool ends(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static void write_tensor(FILE *out, const Tensor *t)
{
    bool scale = ends(t->name, ".gamma") || ends(t->name, ".moving_variance");
    bool shift = ends(t->name, ".beta") || ends(t->name, ".moving_mean");
    double limit = scale || shift ? 0.5 : 0;
    if (t->rank > 1) {
        long in = t->dim[t->rank - 2], units = t->dim[t->rank - 1];
        limit = sqrt(6.0 / ((double)(in + units) * (double)(t->size / in / units)));
    }
    for (long i = 0; i < t->size; i++) {
        double u = (mix(hash_name(t->name) + (uint32_t)i * 0x9E3779B9u) >> 8) / 16777216.0;
        float value = limit > 0 ? (float)(scale + limit * (2 * u - 1)) : 0;
        fwrite(&value, 4, 1, out);
    }
}

int main(int argc, char **argv)
{
    static Tensor tensors[MAX_TENSORS];
    FILE *in = argc == 3 ? fopen(argv[1], "r") : NULL;
    FILE *out = in ? fopen(argv[2], "wb") : NULL;
    if (!out) {
        fprintf(stderr, "usage: make_weights SHAPES OUT.safetensors\n");
        return 2;
    }
    int n = read_shapes(in, tensors);
    write_header(out, tensors, n);
    for (int i = 0; i < n; i++)
        write_tensor(out, &tensors[i]);
    fclose(in);
    return fclose(out) ? 5 : 0;
}
