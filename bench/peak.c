/* peak [THREADS] -- the limits that the benchmarks compare with, measured now. */
#include "rt.h"

#include <stdlib.h>

static const char *const level_name[N_LEVELS] = {"L1", "L2", "L3", "memory"};

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : cores_available();
    if (threads < 1) {
        fprintf(stderr, "usage: peak [THREADS]\n");
        return RT_USAGE;
    }
    rt_team team;
    rt_limits limits = {0};
    team_open(&team, threads);
    measure_levels(&team, &limits);
    printf("fma      %8.1f GFLOP/s\n", peak_flops(&team) / 1e9);
    printf("update   %8.3f ns for a square root and a division\n", update_seconds(&team) * 1e9);
    printf("barrier  %8.0f ns\n", barrier_seconds(&team) * 1e9);
    for (int i = 0; i < N_LEVELS; i++)
        if (limits.read[i] > 0)
            printf("%-8s %8.1f GB/s\n", level_name[i], 1e-9 / limits.read[i]);
    return 0;
}
