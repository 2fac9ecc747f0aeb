/* `summary`: Keras' table, with the work and the bytes of each layer. */
#include "rt.h"

#include <string.h>

/* A row but for its first column, which is as wide as its longest label. */
#define COLUMNS " %-18s %10s %12s %10s\n"
enum { LABEL_MIN = 34, OTHERS = 54 };

static void rule(char c, int width)
{
    for (int i = 0; i < width; i++)
        putchar(c);
    putchar('\n');
}

/* 1234567 as "1,234,567"; `text` needs 32 bytes. */
static const char *grouped(char *text, int64_t n)
{
    char plain[24];
    int length = snprintf(plain, sizeof plain, "%lld", (long long)n), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = plain[i];
    }
    text[at] = 0;
    return text;
}

static const char *bytes_text(char text[32], double bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    int unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    snprintf(text, 32, unit ? "%.2f %s" : "%.0f %s", bytes, units[unit]);
    return text;
}

/* FLOPs of one sample in the kernels of a layer ("a.b" and "a.b.c"); of all
 * kernels for NULL. */
static double layer_flops(const rt_function *f, const char *layer)
{
    double flops = 0;
    size_t n = layer ? strlen(layer) : 0;
    for (int i = 0; i < f->nkernels; i++) {
        const char *of = f->kernels[i].layer;
        if (!layer || (of && !strncmp(of, layer, n) && (!of[n] || of[n] == '.')))
            flops += f->kernels[i].flops;
    }
    return flops;
}

/* "conv2d_1 (conv2d)"; the length that it has or would have. */
static int label_text(char *text, size_t size, const rt_layer *layer)
{
    const char *dot = strchr(layer->name, '.');
    return snprintf(text, size, "%s (%s)", dot ? dot + 1 : layer->name, layer->type);
}

static int label_width(const rt_network *network)
{
    int width = LABEL_MIN;
    for (int i = 0; i < network->nlayers; i++) {
        int n = label_text(NULL, 0, &network->layers[i]);
        width = n > width ? n : width;
    }
    return width;
}

static void print_layer(const rt_function *f, const rt_layer *layer, int width)
{
    char label[160], shape[64], params[32], flops[32], bytes[32];
    label_text(label, sizeof label, layer);
    data_shape_text(shape, sizeof shape, layer->rank, layer->output);
    printf("%-*s" COLUMNS, width, label, shape, grouped(params, layer->params + layer->untrained),
           grouped(flops, (int64_t)layer_flops(f, layer->name)),
           bytes_text(bytes, 4.0 * (double)(layer->params + layer->untrained)));
}

static void print_network(const rt_model *m, const rt_network *network)
{
    const rt_function *f = &m->functions[network->function];
    int width = label_width(network);
    char flops[32];
    printf("Network: \"%s\"\n", network->name);
    rule('_', width + OTHERS);
    printf("%-*s" COLUMNS, width, "Layer (type)", "Output shape", "Param #", "FLOPs", "Bytes");
    rule('=', width + OTHERS);
    for (int i = 0; i < network->nlayers; i++)
        print_layer(f, &network->layers[i], width);
    rule('=', width + OTHERS);
    printf("FLOPs of one sample: %s\n\n", grouped(flops, (int64_t)layer_flops(f, NULL)));
}

static int64_t elements_of(const rt_model *m, rt_var_kind kind)
{
    int64_t n = 0;
    for (int i = 0; i < m->nvars; i++)
        if (m->vars[i].kind == kind)
            n += m->vars[i].tensor.elements;
    return n;
}

static void print_count(const char *what, int64_t n)
{
    char count[32], bytes[32];
    printf("%s: %s (%s)\n", what, grouped(count, n), bytes_text(bytes, 4.0 * (double)n));
}

int command_summary(rt_trainer *t)
{
    const rt_model *m = t->model;
    char bytes[32];
    printf("Model: \"%s\" (%s)\n\n", m->name, m->source);
    for (int i = 0; i < m->nnetworks; i++)
        print_network(m, &m->networks[i]);
    int64_t params = elements_of(m, RT_PARAM), states = elements_of(m, RT_STATE);
    print_count("Total params", params + states);
    print_count("Trainable params", params);
    print_count("Non-trainable params", states);
    print_count("Optimizer params", elements_of(m, RT_SLOT) + elements_of(m, RT_COUNT));
    int64_t batch = inference_batch(t);
    printf("Memory at batch %lld: %s\n", (long long)batch,
           bytes_text(bytes, machine_bytes(m, t->options->threads, batch)));
    printf("Code for: %s\n", m->cpu);
    return RT_OK;
}
