/* Memory for the code of one engine. */
#ifndef AECC_JIT_MEMORY_H
#define AECC_JIT_MEMORY_H

#include <llvm-c/LLJIT.h>

#include "aecc.h"

typedef struct JitMemory JitMemory;

/* The builder's engine will load objects there; free it after the engine. */
JitMemory *jit_memory_for(LLVMOrcLLJITBuilderRef);
void jit_memory_free(JitMemory *);

#endif
