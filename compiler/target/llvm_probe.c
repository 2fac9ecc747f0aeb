/* What a machine can do, asked of LLVM by compiling
 *
 *   <16 x float> probe(a, b, c) { return floor(fma(a, b, c)); }
 *
 * for it and reading the assembly: its C API lists a processor's features
 * nowhere, and a table here would age. */
#include "target/llvm.h"

#include <string.h>

static LLVMValueRef call(LLVMModuleRef module, LLVMBuilderRef at, const char *name,
                         LLVMTypeRef type, unsigned n, LLVMValueRef *args)
{
    LLVMContextRef context = LLVMGetModuleContext(module);
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef f = LLVMGetIntrinsicDeclaration(module, id, &type, 1);
    return LLVMBuildCall2(at, LLVMIntrinsicGetType(context, id, &type, 1), f, args, n, "");
}

static void build_probe(LLVMModuleRef module, LLVMContextRef context)
{
    LLVMTypeRef type = LLVMVectorType(LLVMFloatTypeInContext(context), LANES);
    LLVMTypeRef parameters[] = {type, type, type};
    LLVMValueRef f = LLVMAddFunction(module, "probe", LLVMFunctionType(type, parameters, 3, 0));
    LLVMBuilderRef at = LLVMCreateBuilderInContext(context);
    LLVMPositionBuilderAtEnd(at, LLVMAppendBasicBlockInContext(context, f, ""));
    LLVMValueRef args[] = {LLVMGetParam(f, 0), LLVMGetParam(f, 1), LLVMGetParam(f, 2)};
    LLVMValueRef sum = call(module, at, "llvm.fma", type, 3, args);
    LLVMBuildRet(at, call(module, at, "llvm.floor", type, 1, &sum));
    LLVMDisposeBuilder(at);
}

const char *probe_machine(LLVMTargetMachineRef machine)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("probe", context);
    prepare_module(module, machine);
    build_probe(module, context);
    LLVMMemoryBufferRef code;
    char *message;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &message, &code))
        die("LLVM: %s", message);
    const char *text = format("%.*s", (int)LLVMGetBufferSize(code), LLVMGetBufferStart(code));
    LLVMDisposeMemoryBuffer(code);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return text;
}

/* Without it LLVM calls the C library, 16 times. */
bool probe_has_fma(const char *probe)
{
    return !strstr(probe, "fmaf");
}

/* Features as /proc/cpuinfo names them, in groups that processors have as a
 * whole, each with what shows in the assembly where LLVM has the group. */
static const struct {
    const char *shown_by, *features;
} x86[] = {
    {"round", "ssse3,sse4_1,sse4_2,popcnt"},
    {"ymm", "avx"},
    {"vfmadd2", "avx2,bmi1,bmi2,f16c,fma,movbe"},
    {"zmm", "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"},
};

/* A group includes those before it. */
const char *probe_requirements(const char *probe)
{
    enum { GROUPS = sizeof x86 / sizeof *x86 };
    int n = GROUPS;
    Text list = {0};
    while (n > 0 && !strstr(probe, x86[n - 1].shown_by))
        n--;
    for (int i = 0; i < n; i++)
        text_printf(&list, "%s%s", i ? "," : "", x86[i].features);
    return list.n ? list.at : "";
}
