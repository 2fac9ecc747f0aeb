/* What a processor is to the cost model (loop/cost.c): a row of a table, by
 * the instructions that LLVM uses for a vector of LANES.
 *
 * needs       --target, --mcpu, --mattr as given, NULL where not
 * guarantees  figures of a common processor of that kind: a schedule depends
 *             on them, a bit of a result never does */
#include "target/llvm.h"

#include <string.h>

enum { KB = 1024, MB = 1024 * KB };

/* Figures: Zen 4 and 3, any x86-64, Neoverse N1. A multiply-add where there is
 * no such instruction is a product and a sum; the product takes a register. */
static const struct {
    const char *shown_by; /* in the probe's assembly           */
    Machine machine;
} machines[] = {
    {"zmm",
     {.name = "avx512",
      .registers = 32,
      .width = 16,
      .usable = 25.6,
      .multiply_adds = 1,
      .loads = 1,
      .splats = 2,
      .stores = 0.5,
      .issue = 6,
      .latency = 4,
      .memory_operands = true,
      .cache = {32 * KB, 1 * MB, 16 * MB},
      .bytes = {32, 16, 5}}},
    {"vfmadd2",
     {.name = "avx2",
      .registers = 16,
      .width = 8,
      .usable = 16,
      .multiply_adds = 2,
      .loads = 2,
      .splats = 2,
      .stores = 1,
      .issue = 6,
      .latency = 4,
      .entry = 10,
      .memory_operands = false,
      .cache = {32 * KB, 512 * KB, 16 * MB},
      .bytes = {32, 16, 5}}},
    {"ymm",
     {.name = "avx",
      .registers = 16,
      .width = 8,
      .usable = 16,
      .multiply_adds = 1,
      .loads = 1,
      .splats = 2,
      .stores = 0.5,
      .issue = 4,
      .latency = 8,
      .memory_operands = false,
      .cache = {32 * KB, 256 * KB, 8 * MB},
      .bytes = {32, 16, 5}}},
    {"xmm",
     {.name = "sse2",
      .registers = 16,
      .width = 4,
      .usable = 13,
      .multiply_adds = 1,
      .loads = 2,
      .splats = 2,
      .stores = 1,
      .issue = 4,
      .latency = 8,
      .memory_operands = false,
      .cache = {32 * KB, 256 * KB, 8 * MB},
      .bytes = {32, 16, 5}}},
    {"fmla",
     {.name = "neon",
      .registers = 32,
      .width = 4,
      .usable = 27,
      .multiply_adds = 2,
      .loads = 2,
      .splats = 2,
      .stores = 1,
      .issue = 4,
      .latency = 4,
      .memory_operands = false,
      .cache = {64 * KB, 1 * MB, 16 * MB},
      .bytes = {32, 16, 5}}},
};

/* A processor that is none of these is taken for the last. */
Machine machine_of(const Target *target)
{
    enum { KINDS = sizeof machines / sizeof *machines };
    int i = 0;
    while (i < KINDS - 1 && !strstr(target->probe, machines[i].shown_by))
        i++;
    return machines[i].machine;
}

Machine machine_for(const TargetOptions *options)
{
    Target target = target_of(options);
    return machine_of(&target);
}
