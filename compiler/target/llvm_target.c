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

/* Where a vector takes four registers, the scheduler moves loads, and the masks
 * of sums over samples, far ahead of their products, and then there are not
 * registers enough. The order of leaf.c has the fewest alive. On x86-64 it does
 * no such harm. */
static void choose_scheduler(const char *triple)
{
    static bool now;
    bool keep_order = strncmp(triple, "aarch64", 7) == 0;
    if (keep_order == now)
        return;
    const char *options[] = {"aecc", keep_order ? "-enable-misched=false" : "-enable-misched=true"};
    LLVMParseCommandLineOptions(sizeof options / sizeof *options, options, "");
    now = keep_order;
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

bool is_host_target(const char *triple)
{
    start_llvm();
    const char *host = keep(LLVMGetDefaultTargetTriple());
    const char *other = keep(LLVMNormalizeTargetTriple(triple));
    size_t n = strcspn(host, "-");
    return strncmp(host, other, n) == 0 && other[n] == '-' && strstr(other, "-linux") != NULL;
}

LLVMTargetMachineRef target_machine(const TargetOptions *options)
{
    start_llvm();
    foreign_target = options->triple;
    const char *host = keep(LLVMGetDefaultTargetTriple());
    const char *triple = options->triple ? keep(LLVMNormalizeTargetTriple(options->triple)) : host;
    choose_scheduler(triple);
    bool native = options->cpu ? !strcmp(options->cpu, "native") : !options->triple;
    const char *cpu = native ? host_cpu() : options->cpu ? options->cpu : "generic";
    LLVMTargetMachineRef machine =
        named_machine(find_target(triple), triple, cpu, features_of(options, native),
                      codegen_level(options->level));
    require_64_bits(machine, triple);
    return machine;
}

Target target_of(const TargetOptions *options)
{
    LLVMTargetMachineRef machine = target_machine(options);
    const char *probe = probe_machine(machine);
    Target t = {
        .options = *options,
        .cpu = machine_cpu(machine),
        .features = machine_features(machine),
        .probe = probe,
        .fma = probe_has_fma(probe),
    };
    LLVMDisposeTargetMachine(machine);
    return t;
}

const char *machine_cpu(LLVMTargetMachineRef machine)
{
    return keep(LLVMGetTargetMachineCPU(machine));
}

const char *machine_features(LLVMTargetMachineRef machine)
{
    return keep(LLVMGetTargetMachineFeatureString(machine));
}
