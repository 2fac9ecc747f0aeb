/* Compiled functions, called in this process: for tests, benchmarks and
 * --check=interp. */
#ifndef AECC_JIT_H
#define AECC_JIT_H

#include "aecc.h"
#include "aecc_rt.h"

typedef struct Jit Jit;

Jit *jit_open(const Model *, const TargetOptions *);
void jit_close(Jit *);

/* Fills the inputs of a block; `context` is the caller's. */
typedef void JitLoad(void *context, aecc_call *, int64_t block);

/* Memory for so many samples; what it holds is arbitrary. */
struct Program;
aecc_call jit_new_call(const Model *, const struct Program *, int64_t samples, int threads);
void jit_free_call(aecc_call *);

/* All threads of one call; samples, key, step and memory of *call are the
 * caller's. Each thread flushes subnormal numbers to zero. */
void jit_call(Jit *, int fn, const aecc_call *call, int threads, JitLoad *, void *context);

/* Seconds for so many calls in a row in this thread, which runs alone; less
 * than 0: this machine does not know one of the code's instructions. */
double jit_time(Jit *, int fn, const aecc_call *call, int calls);

/* As interpret(): values in, values out, all as doubles. */
void jit_run(Jit *, int fn, Interp *, int threads);

#endif
