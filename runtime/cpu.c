/* Which of the trainer's codes this CPU runs.
 *
 * A trainer has code for one processor or for several. It takes what asks for
 * the most features of those that this CPU has; AECC_CPU names another. */
#define _GNU_SOURCE
#include "rt.h"

#include <stdlib.h>
#include <string.h>

/* ---- Features -------------------------------------------------------------- */

/* The "flags" of the first processor in /proc/cpuinfo, " a b c "; NULL where
 * there are none, on another architecture than x86. */
static char *cpu_flags(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    while (file && !found && getline(&line, &size, file) > 0)
        found = !strncmp(line, "flags\t", 6);
    if (file)
        fclose(file);
    for (char *c = line; found && *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    if (!found) {
        free(line);
        line = NULL;
    }
    return line;
}

static bool has_word(const char *words, const char *word, size_t n)
{
    for (const char *at = words; (at = strchr(at, ' ')); at++)
        if (!strncmp(at + 1, word, n) && at[1 + n] == ' ')
            return true;
    return false;
}

/* The first of `list`, "avx2,fma,…" as in /proc/cpuinfo, that this CPU lacks;
 * NULL if it has them all. */
static const char *missing_feature(const char *list)
{
    char *flags = *list ? cpu_flags() : NULL;
    const char *missing = NULL;
    while (flags && !missing && *list) {
        size_t n = strcspn(list, ",");
        if (n && !has_word(flags, list, n))
            missing = list;
        list += n + (list[n] == ',');
    }
    free(flags);
    return missing;
}

static int count_features(const char *list)
{
    int n = *list != 0;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

/* ---- Choice ---------------------------------------------------------------- */

static const aecc_variant *named(const aecc_variant *variants, const char *cpu)
{
    char names[512] = "";
    size_t n = 0;
    for (const aecc_variant *v = variants; v->cpu; v++) {
        if (!strcmp(v->cpu, cpu))
            return v;
        if (n < sizeof names)
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", v->cpu);
    }
    rt_fail(RT_USAGE,
            "AECC_CPU is %s, and this trainer has no code for it\n"
            "it has code for %s",
            cpu, names);
}

static const aecc_variant *best(const aecc_variant *variants)
{
    const aecc_variant *found = NULL;
    for (const aecc_variant *v = variants; v->cpu; v++)
        if (!missing_feature(v->needs) &&
            (!found || count_features(v->needs) > count_features(found->needs)))
            found = v;
    return found;
}

/* Fewest features first. */
static const aecc_variant *simplest(const aecc_variant *variants)
{
    const aecc_variant *found = variants;
    for (const aecc_variant *v = variants; v->cpu; v++)
        if (count_features(v->needs) < count_features(found->needs))
            found = v;
    return found;
}

const aecc_variant *cpu_choose(const aecc_variant *variants)
{
    const char *cpu = getenv("AECC_CPU");
    const aecc_variant *v = cpu && *cpu ? named(variants, cpu) : best(variants);
    const char *missing = missing_feature((v ? v : simplest(variants))->needs);
    if (missing)
        rt_fail(RT_USAGE,
                "this CPU lacks %.*s, which the code of this trainer uses\n"
                "compile it for this machine, or with --mcpu=x86-64-v3",
                (int)strcspn(missing, ","), missing);
    return v;
}
