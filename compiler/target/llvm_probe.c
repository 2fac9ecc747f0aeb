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

/* ---- What else the host has ------------------------------------------------------- */

/* The line of /proc/cpuinfo with the features, "" where there is none. */
static const char *host_flags(void)
{
    size_t n;
    const char *all = read_file("/proc/cpuinfo", &n);
    const char *flags = all ? strstr(all, "\nflags") : NULL;
    return flags ? format("%.*s ", (int)strcspn(flags + 1, "\n"), flags + 1) : "";
}

/* "avx512_fp16" of LLVM's "avx512fp16", if /proc/cpuinfo shows it; or NULL. */
static const char *name_in(const char *flags, const char *feature)
{
    size_t prefix = strncmp(feature, "avx512", 6) == 0 ? 6 : 3;
    char *plain = format("%s", feature);
    for (char *c = plain; *c; c++)
        *c = *c == '-' || *c == '.' ? '_' : *c;
    if (strstr(flags, format(" %s ", plain)))
        return plain;
    char *split = format("%.*s_%s", (int)prefix, plain, plain + prefix);
    return strstr(flags, format(" %s ", split)) ? split : NULL;
}

static bool has_item(const char *list, const char *item)
{
    return strstr(format(",%s,", list), format(",%s,", item)) != NULL;
}

/* Instructions of vectors beyond the groups, which LLVM may choose where they
 * are. A feature that this kernel has no name for cannot be asked for. */
static void put_vector_features(Text *list, const char *features)
{
    static const char *const prefixes[] = {"+avx", "+amx", "+gfni"};
    const char *flags = host_flags();
    for (const char *at = features; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ',')) {
        bool vector = false;
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
            vector |= strncmp(at, prefixes[i], strlen(prefixes[i])) == 0;
        const char *feature = format("%.*s", (int)strcspn(at, ","), at);
        const char *name = vector ? name_in(flags, feature + 1) : NULL;
        bool later_off = has_item(at, format("-%s", feature + 1));
        if (name && !later_off && !has_item(list->at, name))
            text_printf(list, ",%s", name);
    }
}

/* A group includes those before it. */
const char *probe_requirements(const char *probe, const char *features)
{
    enum { GROUPS = sizeof x86 / sizeof *x86 };
    int n = GROUPS;
    Text list = {0};
    while (n > 0 && !strstr(probe, x86[n - 1].shown_by))
        n--;
    for (int i = 0; i < n; i++)
        text_printf(&list, "%s%s", i ? "," : "", x86[i].features);
    if (n > 1)
        put_vector_features(&list, features);
    return list.n ? list.at : "";
}

/* What --mattr adds, by LLVM's names. */
static bool host_has_features(const char *features)
{
    char *host = LLVMGetHostCPUFeatures();
    bool all = true;
    for (const char *at = features; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        all = all && (*at != '+' || has_item(host, format("%.*s", (int)strcspn(at, ","), at)));
    LLVMDisposeMessage(host);
    return all;
}

bool host_runs(const TargetOptions *options)
{
    Target t = target_of(options);
    const char *flags = host_flags();
    for (const char *at = probe_requirements(t.probe, t.features); *at;) {
        size_t n = strcspn(at, ",");
        if (!strstr(flags, format(" %.*s ", (int)n, at)))
            return false;
        at += n + (at[n] == ',');
    }
    return host_has_features(t.features);
}
