/* What `benchmark` prints: a table of 100 columns, or JSON. */
#include "benchmark.h"

#include <string.h>

enum { NAME_WIDTH = 36 };

/* Threads that spin have less than this of their cores only if others do. */
static const double BUSY = 0.9;

/* ---- The table -------------------------------------------------------------- */

static void print_limits(const rt_limits *l)
{
    static const char *const names[N_LEVELS] = {"L1", "L2", "L3", "memory"};
    printf("  limits   ");
    if (l->flops > 0)
        printf("FMA %.1f GFLOP/s, ", l->flops / 1e9);
    for (int i = 0; i < N_LEVELS; i++)
        if (l->read[i] > 0)
            printf("%s %.0f, ", names[i], 1e-9 / l->read[i]);
    printf("GB/s read; barrier %.0f ns\n", l->barrier * 1e9);
}

static void print_head(const benchmark *b)
{
    double rate = b->flops / b->step;
    printf("%s%s%s: batch %lld, %d thread%s, %lld steps\n", b->model->name, b->network ? ", " : "",
           b->network ? b->network : "", (long long)b->batch, b->threads,
           b->threads == 1 ? "" : "s", (long long)b->steps);
    printf("  step     %.1f us, %.0f samples/s, %.3g us a sample\n", b->step * 1e6,
           (double)b->batch / b->step, b->step * 1e6 / (double)b->batch);
    printf("  rate     %.1f GFLOP/s", rate / 1e9);
    if (b->limits.flops > 0)
        printf(", %.1f%% of the measured peak of %.1f", 100 * rate / b->limits.flops,
               b->limits.flops / 1e9);
    printf("\n");
    if (b->busy < BUSY)
        printf("  others   had %.0f%% of the cores' time: measure again\n", 100 * (1 - b->busy));
    print_limits(&b->limits);
}

/* The end says which kernel it is, so a long name loses its middle. */
static void print_name(const char *name)
{
    int n = (int)strlen(name), tail = 14;
    if (n <= NAME_WIDTH)
        printf("%-*s", NAME_WIDTH, name);
    else
        printf("%.*s..%s", NAME_WIDTH - tail - 2, name, name + n - tail);
}

/* A number, or blanks where there is none. */
static void print_number(int width, int digits, double value, const char *unit)
{
    if (value > 0)
        printf("%*.*f%s", width - (int)strlen(unit), digits, value, unit);
    else
        printf("%*s", width, "");
}

static void print_bound(const part *p)
{
    char text[32];
    snprintf(text, sizeof text, "%s %2.0f%%", bound_name[p->bound], 100 * p->nearness);
    printf("%12s\n", p->bound == BOUND_CORE ? bound_name[BOUND_CORE] : text);
}

static void print_part(const benchmark *b, const part *p)
{
    double us = p->seconds * 1e6;
    bool known = p->flops > 0 && p->seconds > 0 && b->limits.flops > 0;
    print_name(p->kernel->name);
    printf("%5d%10.2f%6.1f%%", p->kernel->line, us, 100 * p->seconds / b->profiled);
    print_number(8, 1, us > 0 ? p->flops / us * 1e-3 : 0, "");
    print_number(7, 1, known ? 100 * p->flops / p->seconds / b->limits.flops : 0, "%");
    print_number(8, 2, p->bytes * 1e-6, "");
    print_number(7, 1, us > 0 ? p->bytes / us * 1e-3 : 0, "");
    print_bound(p);
}

/* Kernels, waiting and the rest of each thread are its whole step. */
static void print_threads(const benchmark *b)
{
    printf("\n%-12s%12s%16s%16s%12s%12s\n", "us a step", "kernels", "loading data", "in barriers",
           "other", "step");
    for (int t = 0; t < b->threads; t++) {
        const thread_time *time = &b->thread[t];
        double other = b->profiled - time->kernels - time->waiting - time->loading;
        printf("thread %-5d%12.2f%16.2f%16.2f%12.2f%12.2f\n", t, time->kernels * 1e6,
               time->loading * 1e6, time->waiting * 1e6, other * 1e6, b->profiled * 1e6);
    }
}

void print_benchmark(const benchmark *b)
{
    print_head(b);
    printf("\n%-36s%5s%10s%7s%8s%7s%8s%7s%12s\n", "kernel", "line", "us", "share", "GFLOP/s",
           "peak", "MB", "GB/s", "bound by");
    for (int i = 0; i < b->nparts; i++)
        print_part(b, &b->parts[i]);
    print_threads(b);
}

/* ---- JSON ------------------------------------------------------------------- */

static void print_json_limits(const rt_limits *l)
{
    printf("\"limits\":{\"update_seconds\":%.9g,\"read_seconds\":[", l->update);
    for (int i = 0; i < N_LEVELS; i++)
        printf("%s%.9g", i ? "," : "", l->read[i]);
    printf("]}");
}

static void print_json_part(const part *p)
{
    printf("{\"name\":\"%s\",\"line\":%d,\"seconds\":%.9g,\"mean_seconds\":%.9g,\"flops\":%.9g,"
           "\"bytes\":%.9g,\"bound\":\"%s\",\"nearness\":%.4g}",
           p->kernel->name, p->kernel->line, p->seconds, p->mean, p->flops, p->bytes,
           bound_name[p->bound], p->nearness);
}

void print_benchmark_json(const benchmark *b)
{
    printf("{\"model\":\"%s\",\"batch\":%lld,\"threads\":%d,\"seconds_per_step\":%.9g,"
           "\"profiled_seconds_per_step\":%.9g,\"flops_per_step\":%.9g,\"peak_flops\":%.9g,"
           "\"barrier_seconds\":%.9g,\"busy\":%.4g,",
           b->model->name, (long long)b->batch, b->threads, b->step, b->profiled, b->flops,
           b->limits.flops, b->limits.barrier, b->busy);
    print_json_limits(&b->limits);
    printf(",\n\"by_thread\":[");
    for (int t = 0; t < b->threads; t++)
        printf("%s{\"kernels\":%.9g,\"loading\":%.9g,\"waiting\":%.9g}", t ? "," : "",
               b->thread[t].kernels, b->thread[t].loading, b->thread[t].waiting);
    printf("],\n\"kernels\":[");
    for (int i = 0; i < b->nparts; i++) {
        printf(i ? ",\n" : "\n");
        print_json_part(&b->parts[i]);
    }
    printf("]}\n");
}
