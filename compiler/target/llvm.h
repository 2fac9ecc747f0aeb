/* The LLVM back end, shared by llvm*.c and jit.c: one context structure with
 * the types in use. All of the LLVM C API is called from these files. */
#ifndef AECC_LLVM_H
#define AECC_LLVM_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "loop/loop.h"
#include "target/math.h"

/* A processor that code is made for. */
typedef struct Target {
    TargetOptions options;
    const char *cpu, *features;        /* as LLVM names them                 */
    const char *probe;                 /* llvm_probe.c                       */
    bool fma;                          /* it multiplies and adds             */
} Target;

/* Offsets that grow by a constant each round of a loop: llvm_stride.c. */
typedef struct RunningOffset { Inst *index; LLVMValueRef phi; int64_t step; } RunningOffset;
typedef struct Running {
    Inst *loop;
    LLVMBasicBlockRef from, body;
    RunningOffset *at; int n, cap;
} Running;

/* Where a buffer stands: at `offset` of a part, of those `stride` apart. */
typedef struct Place { LLVMValueRef part, stride, offset; } Place;

/* The function of a kernel. `placed`: it stands for kernels whose buffers are
 * elsewhere, too, and is told where: of each of kernel_buffers() three numbers,
 * the members of aecc_call with the part and the stride, and the offset. */
typedef struct KernelSymbol { const char *name; bool placed; } KernelSymbol;

typedef struct Emit {
    const Model *model;
    const Target *target;
    const char *suffix;                /* of this target's names             */
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef at;
    LLVMTargetMachineRef machine;
    bool whole;                        /* no other module holds functions    */
    LLVMTypeRef type[V_NONE + 1];      /* of ValueType                       */
    LLVMTypeRef i8, i32, i64, pointer;
    LLVMTypeRef kernel_type, function_type;
    MathFunction *map[N_OPS][2], *philox[2], *uniform[2], *normal[2];

    /* Of the kernel being emitted. */
    const Kernel *kernel;
    LLVMValueRef function, call, samples;
    LLVMValueRef part[N_SPACES], stride[N_SPACES]; /* of memory, see aecc_call */
    Place *place;                      /* of each buffer, or NULL: as planned */
    LLVMValueRef key[2], step;
    Buffer **buffers;                  /* those it touches                   */
    int nbuffers;
    LLVMValueRef *scope, *noalias;     /* metadata of each                   */
    bool narrow;                       /* a vector takes several registers   */
    LLVMValueRef lane; int lanes;      /* of vectors: the first, NULL: 0; how many */
    Running *running;                  /* of the innermost loop, or NULL     */
} Emit;

/* ---- llvm_target.c: machines ---------------------------------------------- */
LLVMTargetMachineRef target_machine(const TargetOptions *);
Target target_of(const TargetOptions *);
/* llvm_machine.c: what the cost model knows of it. */
Machine machine_of(const Target *);
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
/* An empty module with a context and a machine of its own; fills in all but
 * the kernel's part. */
void emit_open(Emit *, const Model *, const Target *, const char *suffix, bool whole);
void emit_close(Emit *);
/* What follows is for this target. */
void emit_for(Emit *, const Target *, const char *suffix);
/* The functions of the model, which call kernels by symbol[fn][kernel], and
 * their table. */
void emit_functions(Emit *, KernelSymbol **symbol);
/* The descriptor, and the table of the processors that there is code for. */
void emit_tables(Emit *, const Target *const *, const char *const *suffix, int n);
void optimize_module(Emit *);
void write_text(const Emit *, Text *);
/* Object or assembly. */
LLVMMemoryBufferRef generate(const Emit *, LLVMCodeGenFileType);
/* A kernel, which some module defines. */
LLVMValueRef kernel_function(Emit *, const char *symbol);
/* The machine's triple and layout. */
void prepare_module(LLVMModuleRef, LLVMTargetMachineRef);
void add_attributes(Emit *, LLVMValueRef function);
LLVMValueRef int64(Emit *, int64_t);

/* ---- llvm_kernel.c: a kernel is a function --------------------------------- */
void emit_kernel(Emit *, const Kernel *, KernelSymbol);
void emit_region(Emit *, const Region *);
LLVMValueRef value(Emit *, Inst *);

/* ---- llvm_memory.c: loads, stores ---------------------------------------------- */
LLVMValueRef emit_load(Emit *, const Inst *);
void emit_store(Emit *, const Inst *);
/* Fills in scope and noalias from buffers. */
void find_scopes(Emit *);
LLVMValueRef buffer_address(Emit *, const Buffer *, LLVMValueRef block);

/* ---- llvm_stride.c: offsets that run along a loop ------------------------------ */
/* The value of an index in elements, or NULL: it does not run. */
LLVMValueRef running_offset(Emit *, Inst *);
/* At the end of the loop's last block. */
void advance_offsets(Emit *, LLVMBasicBlockRef last);

/* ---- llvm_value.c: instructions without a region or memory -------------------- */
LLVMValueRef emit_value(Emit *, const Inst *);
LLVMValueRef emit_greater(Emit *, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef emit_splat(Emit *, LLVMValueRef scalar, LLVMTypeRef vector);

/* ---- llvm_lanes.c: across the lanes ---------------------------------------------- */
LLVMValueRef emit_lane_sum(Emit *, LLVMValueRef);
LLVMValueRef emit_lane_max(Emit *, LLVMValueRef);
LLVMValueRef emit_lane_sums(Emit *, LLVMValueRef v[LANES]);
void emit_transpose(Emit *, LLVMValueRef v[LANES], LLVMValueRef out[LANES]);
/* What follows has vectors of lanes [first, first + n); NULL: from 0 on. */
void emit_in_lanes(Emit *, LLVMValueRef first, int n);
/* Those lanes of a vector of all. */
LLVMValueRef emit_own_lanes(Emit *, LLVMValueRef);
/* A vector of all lanes in memory, and those lanes of it. */
LLVMValueRef emit_slot(Emit *, LLVMValueRef);
LLVMValueRef emit_from_slot(Emit *, LLVMValueRef slot);
void emit_to_slot(Emit *, LLVMValueRef slot, LLVMValueRef);

/* ---- llvm_driver.c: a function of the model calls its kernels --------------------- */
LLVMValueRef emit_driver(Emit *, const Fn *, const KernelSymbol *kernels);
/* Members of aecc_call: where a space begins, and how far parts are apart. */
int64_t part_member(BufferSpace);
int64_t stride_member(BufferSpace);

/* Offset in aecc_call. */
enum { CALL_TIME = 112 };

#endif
