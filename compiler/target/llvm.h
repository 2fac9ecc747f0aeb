/* The LLVM back end, shared by llvm*.c and jit.c: one context structure with
 * the types in use. All of the LLVM C API is called from these files. */
#ifndef AECC_LLVM_H
#define AECC_LLVM_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "loop/loop.h"
#include "target/math.h"

typedef struct Emit {
    const Model *model;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef at;
    LLVMTargetMachineRef machine;
    const char *cpu, *features, *probe;
    int level;                         /* -O                                 */
    bool fma;                          /* the target multiplies and adds     */
    LLVMTypeRef type[V_NONE + 1];      /* of ValueType                       */
    LLVMTypeRef i8, i32, i64, pointer;
    LLVMTypeRef kernel_type, function_type;
    MathFunction *map[N_OPS][2], *philox[2], *uniform[2], *normal[2];

    /* Of the kernel being emitted. */
    const Kernel *kernel;
    LLVMValueRef function, call, fixed, blocks, stride, samples, own_block;
    LLVMValueRef key[2], step;
    Buffer **buffers;                  /* those it touches                   */
    int nbuffers, buffers_cap;
    LLVMValueRef *scope, *noalias;     /* metadata of each                   */
} Emit;

/* ---- llvm_target.c: machines ---------------------------------------------- */
LLVMTargetMachineRef target_machine(const TargetOptions *);
/* llvm_names.c: of a processor and features by name. */
LLVMTargetMachineRef named_machine(LLVMTargetRef, const char *triple, const char *cpu,
                                   const char *features, LLVMCodeGenOptLevel);
const char *machine_cpu(LLVMTargetMachineRef);
const char *machine_features(LLVMTargetMachineRef);

/* ---- llvm_probe.c ---------------------------------------------------------------- */
/* What follows is read from it. */
const char *probe_machine(LLVMTargetMachineRef);
bool probe_has_fma(const char *probe);
/* Features of x86 that the code may use, by their names in /proc/cpuinfo. */
const char *probe_requirements(const char *probe, const char *features);

/* ---- llvm.c ------------------------------------------------------------------ */
/* Fills in all but the kernel's part; the module is empty. */
void emit_open(Emit *, const Model *, LLVMContextRef, LLVMTargetMachineRef, int level);
/* All functions of the model and their table; verified and optimized. */
void emit_module(Emit *);
void emit_close(Emit *);
/* The machine's triple and layout. */
void prepare_module(LLVMModuleRef, LLVMTargetMachineRef);
void add_attributes(Emit *, LLVMValueRef function);
LLVMValueRef int64(Emit *, int64_t);

/* ---- llvm_kernel.c: a kernel is a function --------------------------------- */
LLVMValueRef emit_kernel(Emit *, const Kernel *);
void emit_region(Emit *, const Region *);
LLVMValueRef value(Emit *, Inst *);

/* ---- llvm_memory.c: loads, stores ---------------------------------------------- */
LLVMValueRef emit_load(Emit *, const Inst *);
void emit_store(Emit *, const Inst *);
/* Fills in scope and noalias from buffers. */
void find_scopes(Emit *);
LLVMValueRef buffer_address(Emit *, const Buffer *, LLVMValueRef block);

/* ---- llvm_value.c: instructions without a region or memory -------------------- */
LLVMValueRef emit_value(Emit *, const Inst *);
LLVMValueRef emit_greater(Emit *, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef emit_splat(Emit *, LLVMValueRef scalar, LLVMTypeRef vector);

/* ---- llvm_lanes.c: across the lanes ---------------------------------------------- */
LLVMValueRef emit_lane_sum(Emit *, LLVMValueRef);
LLVMValueRef emit_lane_max(Emit *, LLVMValueRef);
LLVMValueRef emit_lane_sums(Emit *, LLVMValueRef v[LANES]);
void emit_transpose(Emit *, LLVMValueRef v[LANES], LLVMValueRef out[LANES]);

/* ---- llvm_driver.c: a function of the model calls its kernels --------------------- */
LLVMValueRef emit_driver(Emit *, const Fn *, LLVMValueRef *kernels);

#endif
