/* --mcpu and --mattr: LLVM's library only grumbles about a name that it does
 * not know and goes on without it, so its grumbling is read here.
 *
 * needs       a target, a triple, names as given
 * guarantees  a machine of that processor; a wrong name ends with exit 2 and
 *             the nearest name there is; `help` lists them all */
#include "target/llvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Names {
    LLVMTargetRef target;
    const char *triple;
} Names;

static LLVMTargetMachineRef create(const Names *n, const char *cpu, const char *features,
                                   LLVMCodeGenOptLevel level)
{
    return LLVMCreateTargetMachine(n->target, n->triple, cpu, features, level, LLVMRelocPIC,
                                   LLVMCodeModelDefault);
}

/* The machine; *said is what LLVM wrote to the standard error meanwhile. */
static LLVMTargetMachineRef listen(const Names *n, const char *cpu, const char *features,
                                   LLVMCodeGenOptLevel level, Text *said)
{
    FILE *file = tmpfile();
    int standard_error = dup(STDERR_FILENO);
    if (!file || standard_error < 0)
        fail_file("cannot make a temporary file");
    dup2(fileno(file), STDERR_FILENO);
    LLVMTargetMachineRef machine = create(n, cpu, features, level);
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    rewind(file);
    for (int c; (c = getc(file)) != EOF;)
        text_put(said, &(char){(char)c}, 1);
    fclose(file);
    return machine;
}

/* LLVM's own list of processors and features. */
static Text all_names(const Names *n)
{
    Text help = {0};
    LLVMDisposeTargetMachine(listen(n, "help", "", LLVMCodeGenLevelNone, &help));
    return help;
}

/* Of the first words of its indented lines. */
static const char *nearest(const Names *n, const char *word)
{
    const char **names = NULL;
    int count = 0, cap = 0;
    Text help = all_names(n);
    for (const char *line = help.n ? help.at : NULL; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t length = strcspn(line + strspn(line, " "), " \n");
        if (!strncmp(line, "  ", 2) && length)
            PUSH(names, count, cap, intern_n(line + strspn(line, " "), length));
    }
    return closest(word, names, count);
}

/* "'nonsense' is not a recognized processor for this target (…)" */
static void refuse(const Names *n, const char *said)
{
    const char *word = intern_n(said + 1, strcspn(said + 1, "'"));
    const char *kind = strstr(said, "feature") ? "feature (--mattr)" : "processor (--mcpu)";
    const char *near = nearest(n, *word == '+' || *word == '-' ? word + 1 : word);
    if (near)
        fail_usage("%s is no %s of %s; did you mean %s?", word, kind, n->triple, near);
    fail_usage("%s is no %s of %s", word, kind, n->triple);
}

LLVMTargetMachineRef named_machine(LLVMTargetRef target, const char *triple, const char *cpu,
                                   const char *features, LLVMCodeGenOptLevel level)
{
    Names n = {target, triple};
    Text said = {0};
    if (!strcmp(cpu, "help") || strstr(features, "+help")) {
        Text help = all_names(&n);
        write_file("-", help.at, help.n);
        exit(EXIT_DONE);
    }
    LLVMTargetMachineRef machine = listen(&n, cpu, features, level, &said);
    const char *unknown = said.n ? strstr(said.at, "is not a recognized") : NULL;
    while (unknown && unknown > said.at && unknown[-1] != '\n')
        unknown--;
    if (unknown)
        refuse(&n, unknown);
    if (!machine)
        fail_usage("--target=%s --mcpu=%s: LLVM refuses this target", triple, cpu);
    return machine;
}
