/* Model -> LLVM module -> object, assembly or LLVM text.
 *
 * needs       lower() has filled in every kernel, plan() every offset
 * guarantees  the module is verified; a whole one exports aecc_descriptor and
 *             aecc_variants, and nothing else; of several, all that one has
 *             and another calls is hidden
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
    emit_in_lanes(e, NULL, LANES);
    LLVMTypeRef nothing = LLVMVoidTypeInContext(c);
    LLVMTypeRef kernel[] = {e->pointer, e->i64, e->i64, e->i64, e->pointer};
    e->kernel_type = LLVMFunctionType(nothing, kernel, 5, 0);
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

void emit_for(Emit *e, const Target *target, const char *suffix)
{
    e->target = target;
    e->suffix = suffix;
}

void emit_open(Emit *e, const Model *model, const Target *target, const char *suffix, bool whole)
{
    *e = (Emit){.model = model, .whole = whole, .context = LLVMContextCreate()};
    e->machine = target_machine(&target->options);
    e->module = LLVMModuleCreateWithNameInContext(model->name, e->context);
    prepare_module(e->module, e->machine);
    e->at = LLVMCreateBuilderInContext(e->context);
    emit_for(e, target, suffix);
    find_types(e);
}

void emit_close(Emit *e)
{
    LLVMDisposeBuilder(e->at);
    LLVMDisposeModule(e->module);
    LLVMDisposeTargetMachine(e->machine);
    LLVMContextDispose(e->context);
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
    add_text(e, f, "target-cpu", e->target->cpu);
    add_text(e, f, "target-features", e->target->features);
    add_text(e, f, "prefer-vector-width", "512");
    add_text(e, f, "denormal-fp-math-f32", "preserve-sign,preserve-sign");
}

/* ---- Functions and tables -------------------------------------------------------------- */

static LLVMValueRef new_constant(Emit *e, const char *name, LLVMValueRef initial)
{
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(initial), name);
    LLVMSetInitializer(global, initial);
    LLVMSetGlobalConstant(global, 1);
    return global;
}

/* What another module may name. */
static LLVMValueRef hide(const Emit *e, LLVMValueRef global)
{
    if (e->whole)
        LLVMSetLinkage(global, LLVMInternalLinkage);
    else
        LLVMSetVisibility(global, LLVMHiddenVisibility);
    return global;
}

static LLVMValueRef text_constant(Emit *e, const char *text)
{
    return LLVMConstStringInContext(e->context, text, (unsigned)strlen(text), 0);
}

LLVMValueRef kernel_function(Emit *e, const char *symbol)
{
    LLVMValueRef f = LLVMGetNamedFunction(e->module, symbol);
    return f ? f : hide(e, LLVMAddFunction(e->module, symbol, e->kernel_type));
}

static const char *table_name(const char *suffix)
{
    return format("aecc_functions%s", suffix);
}

void emit_functions(Emit *e, KernelSymbol **symbol)
{
    int n = e->model->nfns;
    LLVMValueRef *functions = NEW_ARRAY(LLVMValueRef, n);
    for (int i = 0; i < n; i++)
        functions[i] = emit_driver(e, e->model->fns[i], symbol[i]);
    LLVMValueRef table = LLVMConstArray2(e->pointer, functions, (uint64_t)n);
    hide(e, new_constant(e, table_name(e->suffix), table));
}

static LLVMValueRef function_table(Emit *e, const char *suffix)
{
    LLVMValueRef table = LLVMGetNamedGlobal(e->module, table_name(suffix));
    if (table)
        return table;
    LLVMTypeRef type = LLVMArrayType2(e->pointer, (uint64_t)e->model->nfns);
    return hide(e, LLVMAddGlobal(e->module, type, table_name(suffix)));
}

static LLVMValueRef private_text(Emit *e, const char *text)
{
    LLVMValueRef global = new_constant(e, "aecc_text", text_constant(e, text));
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

void emit_tables(Emit *e, const Target *const *targets, const char *const *suffix, int n)
{
    LLVMTypeRef members[] = {e->pointer, e->pointer, e->pointer};
    LLVMTypeRef type = LLVMStructTypeInContext(e->context, members, 3, 0);
    LLVMValueRef *rows = NEW_ARRAY(LLVMValueRef, n + 1);
    for (int i = 0; i < n; i++) {
        const Target *t = targets[i];
        LLVMValueRef row[] = {private_text(e, t->cpu),
                              private_text(e, probe_requirements(t->probe, t->features)),
                              function_table(e, suffix[i])};
        rows[i] = LLVMConstStructInContext(e->context, row, 3, 0);
    }
    rows[n] = LLVMConstNull(type);
    new_constant(e, "aecc_variants", LLVMConstArray2(type, rows, (uint64_t)n + 1));
    new_constant(e, "aecc_descriptor", text_constant(e, describe(e->model)));
}

/* ---- The module ------------------------------------------------------------------------ */

static void verify_module(const Emit *e)
{
    char *message = NULL;
    if (LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message))
        die("LLVM: %s", message);
    LLVMDisposeMessage(message);
}

/* Loops that a kernel has were left as loops on purpose, and it computes
 * nothing in vain: only equal addresses and invariants are left to find. */
void optimize_module(Emit *e)
{
    verify_module(e);
    if (e->target->options.level == 0)
        return;
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(e->module, "function(early-cse<memssa>,loop-mssa(licm))",
                                       e->machine, options);
    if (error)
        die("LLVM: passes: %s", LLVMGetErrorMessage(error));
    LLVMDisposePassBuilderOptions(options);
}

void write_text(const Emit *e, Text *out)
{
    char *text = LLVMPrintModuleToString(e->module);
    text_put(out, text, strlen(text));
    LLVMDisposeMessage(text);
}

LLVMMemoryBufferRef generate(const Emit *e, LLVMCodeGenFileType form)
{
    LLVMMemoryBufferRef code;
    char *message;
    if (LLVMTargetMachineEmitToMemoryBuffer(e->machine, e->module, form, &message, &code))
        die("LLVM: %s", message);
    return code;
}
