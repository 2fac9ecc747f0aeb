/* Model -> LLVM module -> object, assembly or LLVM text.
 *
 * needs       lower() has filled in every kernel, plan() every offset
 * guarantees  the module is verified; it exports aecc_descriptor,
 *             aecc_functions (in the order of Model.fns) and aecc_cpu, and
 *             nothing else
 *
 * Kernels arrive unrolled and in vectors: LLVM shares equal expressions, moves
 * invariants out of loops and generates code. It gets no freedom with floats:
 * the order of a sum is the program's. */
#include "target/llvm.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

LLVMValueRef int64(Emit *e, int64_t n)
{
    return LLVMConstInt(e->i64, (unsigned long long)n, 1);
}

static void find_types(Emit *e)
{
    LLVMContextRef c = e->context;
    e->i8 = LLVMInt8TypeInContext(c);
    e->i32 = LLVMInt32TypeInContext(c);
    e->i64 = LLVMInt64TypeInContext(c);
    e->pointer = LLVMPointerTypeInContext(c, 0);
    LLVMTypeRef scalar[] = {e->i64, LLVMFloatTypeInContext(c), e->i32, LLVMInt1TypeInContext(c)};
    for (int type = V_INDEX; type <= V_BOOL; type++)
        e->type[type] = scalar[type];
    for (int type = V_F32; type <= V_BOOL; type++)
        e->type[type + (V_VF32 - V_F32)] = LLVMVectorType(scalar[type], LANES);
    LLVMTypeRef nothing = LLVMVoidTypeInContext(c);
    LLVMTypeRef kernel[] = {e->pointer, e->i64, e->i64, e->i64};
    e->kernel_type = LLVMFunctionType(nothing, kernel, 4, 0);
    LLVMTypeRef function[] = {e->pointer, e->i64};
    e->function_type = LLVMFunctionType(nothing, function, 2, 0);
}

void prepare_module(LLVMModuleRef module, LLVMTargetMachineRef machine)
{
    char *triple = LLVMGetTargetMachineTriple(machine);
    LLVMSetTarget(module, triple);
    LLVMDisposeMessage(triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
}

void emit_open(Emit *e, const Model *model, LLVMContextRef context, LLVMTargetMachineRef machine,
               int level)
{
    *e = (Emit){.model = model, .context = context, .machine = machine, .level = level};
    e->module = LLVMModuleCreateWithNameInContext(model->name, context);
    prepare_module(e->module, machine);
    e->at = LLVMCreateBuilderInContext(context);
    e->cpu = machine_cpu(machine);
    e->features = machine_features(machine);
    e->probe = probe_machine(machine);
    e->fma = probe_has_fma(e->probe);
    find_types(e);
}

void emit_close(Emit *e)
{
    LLVMDisposeBuilder(e->at);
}

/* ---- Attributes ------------------------------------------------------------------ */

static void add_enum(Emit *e, LLVMValueRef f, unsigned place, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(f, place, LLVMCreateEnumAttribute(e->context, kind, 0));
}

static void add_text(Emit *e, LLVMValueRef f, const char *key, const char *text)
{
    LLVMAttributeRef a = LLVMCreateStringAttribute(e->context, key, (unsigned)strlen(key), text,
                                                   (unsigned)strlen(text));
    LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, a);
}

/* Without "prefer-vector-width" some processors get half as wide vectors. */
void add_attributes(Emit *e, LLVMValueRef f)
{
    add_enum(e, f, LLVMAttributeFunctionIndex, "nounwind");
    add_enum(e, f, LLVMAttributeFunctionIndex, "noinline");
    add_enum(e, f, 1, "noalias");
    add_text(e, f, "target-cpu", e->cpu);
    add_text(e, f, "target-features", e->features);
    add_text(e, f, "prefer-vector-width", "512");
    add_text(e, f, "denormal-fp-math-f32", "preserve-sign,preserve-sign");
}

/* ---- The module --------------------------------------------------------------------- */

static void export_constant(Emit *e, const char *name, LLVMValueRef initial)
{
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(initial), name);
    LLVMSetInitializer(global, initial);
    LLVMSetGlobalConstant(global, 1);
}

static void export_text(Emit *e, const char *name, const char *text)
{
    export_constant(e, name, LLVMConstStringInContext(e->context, text, (unsigned)strlen(text), 0));
}

static LLVMValueRef emit_fn(Emit *e, const Fn *fn)
{
    const Program *program = fn->program;
    LLVMValueRef *kernels = NEW_ARRAY(LLVMValueRef, program->nkernels);
    for (int k = 0; k < program->nkernels; k++)
        kernels[k] = emit_kernel(e, program->kernels[k]);
    return emit_driver(e, fn, kernels);
}

static void fail_llvm(const char *what, LLVMErrorRef error)
{
    if (error)
        die("LLVM: %s: %s", what, LLVMGetErrorMessage(error));
}

/* Loops that a kernel has were left as loops on purpose. */
static void optimize(Emit *e)
{
    if (e->level == 0)
        return;
    const char *passes = "function(early-cse<memssa>,loop-mssa(licm),instsimplify,dse,adce)";
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    fail_llvm("passes", LLVMRunPasses(e->module, passes, e->machine, options));
    LLVMDisposePassBuilderOptions(options);
}

static void verify_module(Emit *e)
{
    char *message = NULL;
    if (LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message))
        die("LLVM: %s", message);
    LLVMDisposeMessage(message);
}

void emit_module(Emit *e)
{
    int n = e->model->nfns;
    LLVMValueRef *functions = NEW_ARRAY(LLVMValueRef, n);
    for (int i = 0; i < n; i++)
        functions[i] = emit_fn(e, e->model->fns[i]);
    export_constant(e, "aecc_functions", LLVMConstArray2(e->pointer, functions, (uint64_t)n));
    verify_module(e);
    optimize(e);
}

/* ---- What --emit writes ---------------------------------------------------------------- */

static void put_llvm(Emit *e, Text *out)
{
    char *text = LLVMPrintModuleToString(e->module);
    text_put(out, text, strlen(text));
    LLVMDisposeMessage(text);
}

static void put_code(Emit *e, LLVMCodeGenFileType form, Text *out)
{
    LLVMMemoryBufferRef code;
    char *message;
    if (LLVMTargetMachineEmitToMemoryBuffer(e->machine, e->module, form, &message, &code))
        die("LLVM: %s", message);
    text_put(out, LLVMGetBufferStart(code), LLVMGetBufferSize(code));
    LLVMDisposeMemoryBuffer(code);
}

void emit_llvm(const Model *model, const TargetOptions *options, OutputForm form, Text *out)
{
    Emit e;
    LLVMContextRef context = LLVMContextCreate();
    LLVMTargetMachineRef machine = target_machine(options);
    emit_open(&e, model, context, machine, options->level);
    export_text(&e, "aecc_descriptor", describe(model));
    export_text(&e, "aecc_cpu", probe_requirements(e.probe, e.features));
    emit_module(&e);
    if (form == OUT_LLVM)
        put_llvm(&e, out);
    else
        put_code(&e, form == OUT_OBJECT ? LLVMObjectFile : LLVMAssemblyFile, out);
    emit_close(&e);
    LLVMDisposeModule(e.module);
    LLVMDisposeTargetMachine(machine);
    LLVMContextDispose(context);
}
