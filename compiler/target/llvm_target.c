/* Target machines: the host's processor and features, or those asked for.
 *
 * needs       --target, --mcpu, --mattr as given, NULL where not
 * guarantees  a machine of a processor that this LLVM knows; a wrong name is
 *             wrong usage (exit 2) */
#include "target/llvm.h"

#include <llvm-c/ErrorHandling.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <stdlib.h>
#include <string.h>

/* An access is one base and a constant already, and a kernel's loop is one
 * long block: reducing strength again takes a third of the time of code
 * generation and needs more registers; neither pass makes the code faster. */
static void leave_out_passes(void)
{
    static const char *const options[] = {"aecc", "-disable-lsr", "-disable-post-ra"};
    LLVMParseCommandLineOptions(sizeof options / sizeof *options, options, "");
}

static const char *foreign_target;

/* LLVM gives up: on the host a defect, elsewhere a target beyond it. */
static void stop_of_llvm(const char *reason)
{
    if (foreign_target)
        fail_usage("--target=%s: LLVM makes no code for this program: %.*s", foreign_target,
                   (int)strcspn(reason, ":\n"), reason);
    die("LLVM: %s", reason);
}

static void start_llvm(void)
{
    static bool started;
    if (started)
        return;
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMInitializeAllAsmParsers();
    leave_out_passes();
    LLVMInstallFatalErrorHandler(stop_of_llvm);
    started = true;
}

static const char *keep(char *message)
{
    const char *text = intern(message);
    LLVMDisposeMessage(message);
    return text;
}

#if defined(__x86_64__)
#include <cpuid.h>

/* Names of processors newer than the library's own table, by family. */
static const struct {
    unsigned family, from_model;
    const char *cpu;
} newer[] = {
    {0x1A, 0x00, "znver5"},
    {0x19, 0x10, "znver4"},
    {0x19, 0x00, "znver3"},
};

static const char *newer_cpu(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d) || b != 0x68747541) /* "Auth"enticAMD */
        return NULL;
    __get_cpuid(1, &a, &b, &c, &d);
    unsigned family = (a >> 8 & 15) + (a >> 20 & 255), model = (a >> 4 & 15) | (a >> 12 & 0xF0);
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++)
        if (newer[i].family == family && model >= newer[i].from_model)
            return newer[i].cpu;
    return NULL;
}
#else
static const char *newer_cpu(void)
{
    return NULL;
}
#endif

static const char *host_cpu(void)
{
    const char *name = keep(LLVMGetHostCPUName());
    bool unknown = !strcmp(name, "generic") || !strncmp(name, "x86-64", 6);
    const char *better = unknown ? newer_cpu() : NULL;
    return better ? better : name;
}

static LLVMTargetRef find_target(const char *triple)
{
    LLVMTargetRef target;
    char *message;
    if (LLVMGetTargetFromTriple(triple, &target, &message))
        fail_usage("--target=%s: %s", triple, message);
    if (!LLVMTargetHasTargetMachine(target) || !LLVMTargetHasAsmBackend(target))
        fail_usage("--target=%s: this LLVM makes no objects for it", triple);
    return target;
}

static LLVMCodeGenOptLevel codegen_level(int level)
{
    return level == 0   ? LLVMCodeGenLevelNone
           : level == 1 ? LLVMCodeGenLevelLess
                        : LLVMCodeGenLevelDefault;
}

/* "fma,-avx" -> "+fma,-avx", as LLVM wants it. */
static const char *with_signs(const char *list)
{
    Text out = {0};
    while (*list) {
        size_t n = strcspn(list, ",");
        const char *sign = *list == '+' || *list == '-' ? "" : "+";
        if (n)
            text_printf(&out, "%s%s%.*s", out.n ? "," : "", sign, (int)n, list);
        list += n + (list[n] == ',');
    }
    return out.n ? out.at : "";
}

/* The features of the processor named, then those of --mattr. */
static const char *features_of(const TargetOptions *options, bool native)
{
    const char *extra = options->features ? with_signs(options->features) : "";
    const char *host = native ? keep(LLVMGetHostCPUFeatures()) : "";
    return format("%s%s%s", host, *host && *extra ? "," : "", extra);
}

/* aecc_call of runtime/aecc_rt.h has 64-bit pointers at fixed offsets. */
static void require_64_bits(LLVMTargetMachineRef machine, const char *triple)
{
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    if (LLVMPointerSize(layout) != 8)
        fail_usage("--target=%s: aecc makes code for 64-bit targets only", triple);
    LLVMDisposeTargetData(layout);
}

LLVMTargetMachineRef target_machine(const TargetOptions *options)
{
    start_llvm();
    foreign_target = options->triple;
    const char *host = keep(LLVMGetDefaultTargetTriple());
    const char *triple = options->triple ? keep(LLVMNormalizeTargetTriple(options->triple)) : host;
    bool native = options->cpu ? !strcmp(options->cpu, "native") : !options->triple;
    const char *cpu = native ? host_cpu() : options->cpu ? options->cpu : "generic";
    LLVMTargetMachineRef machine =
        named_machine(find_target(triple), triple, cpu, features_of(options, native),
                      codegen_level(options->level));
    require_64_bits(machine, triple);
    return machine;
}

const char *machine_cpu(LLVMTargetMachineRef machine)
{
    return keep(LLVMGetTargetMachineCPU(machine));
}

const char *machine_features(LLVMTargetMachineRef machine)
{
    return keep(LLVMGetTargetMachineFeatureString(machine));
}

/* The last mention of a feature in "+a,-b,…" counts; -1: none. */
static int mentioned(const char *features, const char *name)
{
    int found = -1;
    size_t n = strlen(name);
    for (const char *at = features; at && *at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at + 1, name, n) && (at[n + 1] == ',' || !at[n + 1]))
            found = *at == '+';
    }
    return found;
}

/* What each level of x86-64 adds to the one before, as cpuinfo names it, and
 * LLVM's name where it is another. */
static const struct {
    const char *cpuinfo, *llvm;
    int level;
} x86[] = {
    {"ssse3", NULL, 2},
    {"sse4_1", "sse4.1", 2},
    {"sse4_2", "sse4.2", 2},
    {"popcnt", NULL, 2},
    {"avx", NULL, 3},
    {"avx2", NULL, 3},
    {"bmi1", "bmi", 3},
    {"bmi2", NULL, 3},
    {"f16c", NULL, 3},
    {"fma", NULL, 3},
    {"movbe", NULL, 3},
    {"avx512f", NULL, 4},
    {"avx512bw", NULL, 4},
    {"avx512cd", NULL, 4},
    {"avx512dq", NULL, 4},
    {"avx512vl", NULL, 4},
    {"avx512_bf16", "avx512bf16", 5},
    {"avx512_vnni", "avx512vnni", 5},
    {"avx512_vbmi2", "avx512vbmi2", 5},
    {"gfni", NULL, 5},
    {"avx512_vp2intersect", "avx512vp2intersect", 6},
    {"avx_vnni", "avxvnni", 6},
};

static const struct {
    const char *cpu;
    int level;
} x86_cpus[] = {
    {"x86-64-v2", 2},      {"nehalem", 2},        {"x86-64-v3", 3},      {"haswell", 3},
    {"skylake", 3},        {"znver1", 3},         {"znver2", 3},         {"znver3", 3},
    {"alderlake", 3},      {"x86-64-v4", 4},      {"skylake-avx512", 4}, {"cascadelake", 4},
    {"icelake-server", 4}, {"sapphirerapids", 4}, {"znver4", 5},         {"znver5", 6},
};

static int x86_level(const char *cpu)
{
    for (size_t i = 0; i < sizeof x86_cpus / sizeof *x86_cpus; i++)
        if (!strcmp(x86_cpus[i].cpu, cpu))
            return x86_cpus[i].level;
    return 1;
}

static bool is_x86(LLVMTargetMachineRef machine)
{
    return !strncmp(keep(LLVMGetTargetMachineTriple(machine)), "x86_64", 6);
}

static bool x86_has(LLVMTargetMachineRef machine, size_t i)
{
    const char *name = x86[i].llvm ? x86[i].llvm : x86[i].cpuinfo;
    int said = mentioned(machine_features(machine), name);
    return said >= 0 ? said : x86[i].level <= x86_level(machine_cpu(machine));
}

bool machine_has_fma(LLVMTargetMachineRef machine)
{
    if (!is_x86(machine)) {
        const char *triple = keep(LLVMGetTargetMachineTriple(machine));
        return !strncmp(triple, "aarch64", 7) || !strncmp(triple, "riscv64", 7);
    }
    for (size_t i = 0; i < sizeof x86 / sizeof *x86; i++)
        if (!strcmp(x86[i].cpuinfo, "fma"))
            return x86_has(machine, i);
    return false;
}

char *cpu_requirements(LLVMTargetMachineRef machine)
{
    Text list = {0};
    for (size_t i = 0; is_x86(machine) && i < sizeof x86 / sizeof *x86; i++)
        if (x86_has(machine, i))
            text_printf(&list, "%s%s", list.n ? "," : "", x86[i].cpuinfo);
    return format("%.*s", (int)list.n, list.n ? list.at : "");
}
