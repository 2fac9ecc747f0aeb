/* tile [NAME] -- the tile emitter alone: the bodies of bodies.h, compiled as a
 * trainer's kernels are, run on one thread from the cache. For each GFLOP/s
 * and its share of the peak, measured just before it.
 * With a NAME: the assembly of that body. */
#include "target/jit.h"

#include "rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bodies.h"

enum { REPEATS = 9 };

static double measure_peak(void)
{
    rt_team team;
    team_open(&team, 1);
    return peak_flops(&team) / 1e9;
}

/* ---- Measuring --------------------------------------------------------------------------- */

static double measure(const Body *b, Jit *jit)
{
    enum { CALLS = 300 };
    float *memory = aligned_alloc(64, (size_t)b->program.fixed_bytes);
    if (!memory)
        fail_file("no memory");
    for (int64_t i = 0; i < b->program.fixed_bytes / 4; i++)
        memory[i] = 1;
    aecc_call call = {.fixed = (char *)memory};
    double best = 0;
    for (int i = 0; i < REPEATS; i++) {
        double seconds = jit_time(jit, 0, &call, CALLS);
        double rate = b->flops * CALLS / seconds / 1e9;
        best = rate > best ? rate : best;
    }
    free(memory);
    return best;
}

static void report(Body *b)
{
    TargetOptions host = {.level = 2};
    double begin = now();
    Jit *jit = jit_open(&b->model, &host);
    double seconds = now() - begin, peak = measure_peak(), rate = measure(b, jit);
    printf("%-6s %6.1f GFLOP/s, %5.1f %% of %.1f; compiled in %.0f ms\n", b->name, rate,
           100 * rate / peak, peak, seconds * 1e3);
    jit_close(jit);
}

static int show_assembly(Body *b)
{
    Text out = {0};
    TargetOptions host = {.level = 2};
    emit_llvm(&b->model, &host, OUT_ASSEMBLY, &out);
    fwrite(out.at, 1, out.n, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    Body *bodies[] = {dense(), conv()};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        if (argc > 1 && !strcmp(argv[1], bodies[i]->name))
            return show_assembly(bodies[i]);
        if (argc == 1)
            report(bodies[i]);
    }
    if (argc > 1)
        fprintf(stderr, "usage: tile [dense | conv]\n");
    return argc > 1 ? EXIT_USAGE : 0;
}
