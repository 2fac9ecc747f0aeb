/* compare losses LOG.jsonl GOLDEN.json STEPS TOLERANCE [STEPS TOLERANCE …]
 *     the losses of the first STEPS steps agree within TOLERANCE (relative)
 * compare gradients BEFORE AFTER RATE GOLDEN.safetensors TOLERANCE
 *     (BEFORE - AFTER) / RATE, what one step of SGD reveals of each gradient,
 *     agrees within TOLERANCE of the largest element of its tensor
 * compare values AFTER GOLDEN.safetensors TOLERANCE
 *     the same of the tensors themselves
 *
 * Prints the largest difference, and ends with status 1 where it is too large. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static void die(const char *what, const char *path)
{
    fprintf(stderr, "compare: %s: %s\n", path, what);
    exit(1);
}

/* ---- Losses ---------------------------------------------------------------- */

enum { MAX_STEPS = 1000 };

/* The "loss" of each row of a step; other rows have an "epoch". */
static int read_log(const char *path, double *loss)
{
    FILE *file = fopen(path, "r");
    char line[4096];
    int n = 0;
    if (!file)
        die("cannot be read", path);
    while (n < MAX_STEPS && fgets(line, sizeof line, file)) {
        json_t *row = json_loads(line, 0, NULL);
        if (!row)
            die("a line is no JSON", path);
        if (!json_object_get(row, "epoch"))
            loss[n++] = json_number_value(json_object_get(row, "loss"));
        json_decref(row);
    }
    fclose(file);
    return n;
}

static int compare_losses(int argc, char **argv)
{
    static double loss[MAX_STEPS];
    int bad = 0, logged = read_log(argv[0], loss);
    json_t *golden = json_object_get(json_load_file(argv[1], 0, NULL), "losses");
    if (!golden)
        die("no golden losses", argv[1]);
    for (int i = 2; i + 1 < argc; i += 2) {
        int steps = atoi(argv[i]), at = 0;
        double tolerance = atof(argv[i + 1]), worst = 0;
        if (logged < steps || (int)json_array_size(golden) < steps)
            die("too few steps", argv[0]);
        for (int s = 0; s < steps; s++) {
            double wanted = json_number_value(json_array_get(golden, (size_t)s));
            double difference = fabs(loss[s] - wanted) / wanted;
            if (!(difference <= worst)) {
                worst = difference;
                at = s;
            }
        }
        printf("%d steps: %.2g (at %d), tolerance %.2g\n", steps, worst, at + 1, tolerance);
        bad |= !(worst <= tolerance);
    }
    return bad;
}

/* ---- Gradients ------------------------------------------------------------- */

typedef struct File {
    const char *path;
    json_t *header;
    char *data;
} File;

static File read_tensors(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint64_t length;
    if (!file || fread(&length, 8, 1, file) != 1)
        die("cannot be read", path);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file) - 8;
    char *bytes = malloc(size);
    fseek(file, 8, SEEK_SET);
    if (fread(bytes, 1, size, file) != size || length > size)
        die("is too short", path);
    fclose(file);
    json_t *header = json_loadb(bytes, length, 0, NULL);
    if (!header)
        die("has no header", path);
    return (File){path, header, bytes + length};
}

static const float *tensor(const File *file, const char *name, size_t *n)
{
    json_t *range = json_object_get(json_object_get(file->header, name), "data_offsets");
    if (!range)
        die("lacks a tensor", name);
    json_int_t begin = json_integer_value(json_array_get(range, 0));
    *n = (size_t)(json_integer_value(json_array_get(range, 1)) - begin) / 4;
    return (const float *)(file->data + begin);
}

static int compare_gradient(const File *files, const char *name, double rate, double tolerance)
{
    size_t n[3];
    const float *before = tensor(&files[0], name, &n[0]);
    const float *after = tensor(&files[1], name, &n[1]);
    const float *golden = tensor(&files[2], name, &n[2]);
    double largest = 0, worst = 0;
    if (n[0] != n[2] || n[1] != n[2])
        die("differs in size", name);
    for (size_t i = 0; i < n[2]; i++) {
        double got = ((double)before[i] - (double)after[i]) / rate;
        double difference = fabs(got - (double)golden[i]);
        largest = fmax(largest, fabs((double)golden[i]));
        worst = difference <= worst ? worst : difference;
    }
    printf("%-36s %.2g of %.3g\n", name, worst / largest, largest);
    return !(worst <= tolerance * largest);
}

static int compare_value(const File *files, const char *name, double tolerance)
{
    size_t n[2];
    const float *got = tensor(&files[0], name, &n[0]), *golden = tensor(&files[1], name, &n[1]);
    double largest = 0, worst = 0;
    if (n[0] != n[1])
        die("differs in size", name);
    for (size_t i = 0; i < n[0]; i++) {
        double difference = fabs((double)got[i] - (double)golden[i]);
        largest = fmax(largest, fabs((double)golden[i]));
        worst = difference <= worst ? worst : difference;
    }
    printf("%-48s %.2g of %.3g\n", name, worst / largest, largest);
    return !(worst <= tolerance * largest);
}

static int compare_values(char **argv)
{
    File files[2] = {read_tensors(argv[0]), read_tensors(argv[1])};
    const char *name;
    json_t *unused;
    int bad = 0;
    json_object_foreach(files[1].header, name, unused) bad |=
        compare_value(files, name, atof(argv[2]));
    return bad;
}

static int compare_gradients(char **argv)
{
    File files[3] = {read_tensors(argv[0]), read_tensors(argv[1]), read_tensors(argv[3])};
    double rate = atof(argv[2]), tolerance = atof(argv[4]);
    const char *name;
    json_t *unused;
    int bad = 0;
    json_object_foreach(files[2].header, name, unused) bad |=
        compare_gradient(files, name, rate, tolerance);
    return bad;
}

int main(int argc, char **argv)
{
    if (argc >= 6 && !strcmp(argv[1], "losses"))
        return compare_losses(argc - 2, argv + 2);
    if (argc == 7 && !strcmp(argv[1], "gradients"))
        return compare_gradients(argv + 2);
    if (argc == 5 && !strcmp(argv[1], "values"))
        return compare_values(argv + 2);
    fprintf(stderr, "usage: compare losses LOG GOLDEN STEPS TOLERANCE …\n"
                    "       compare gradients BEFORE AFTER RATE GOLDEN TOLERANCE\n"
                    "       compare values AFTER GOLDEN TOLERANCE\n");
    return 2;
}
