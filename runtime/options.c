/* The command line: one table, options.def, is the parser and the help. */
#define _GNU_SOURCE
#include "rt.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

typedef enum { COUNT, SEED, NUMBER, TEXT, LIST, FLAG } kind;

typedef struct entry {
    const char *name;
    size_t field;
    kind kind;
    const char *argument;
    int64_t low, high;
    int commands;
    const char *help;
} entry;

static const entry table[] = {
#define OPTION(name, field, ...) {name, offsetof(rt_options, field), __VA_ARGS__},
#include "options.def"
#undef OPTION
};

typedef struct command {
    const char *name;
    rt_command command;
    const char *help;
} command;

static const command commands[] = {
    {"train", CMD_TRAIN, "train and save the weights (the default)"},
    {"evaluate", CMD_EVALUATE, "the objectives over --in, or the validation or training data"},
    {"run", CMD_RUN, "run NETWORK --in FILE --out FILE.npy: any network over a file"},
    {"encode", CMD_ENCODE, "codings of --in, or of the program's report or validation data"},
    {"reconstruct", CMD_RECONSTRUCT, "originals over reconstructions as PNG"},
    {"generate", CMD_GENERATE, "what a network makes of noise, by default generator; PNG or .npy"},
    {"detect", CMD_DETECT, "samples ranked by reconstruction error, anomalies marked"},
    {"summary", CMD_SUMMARY, "layers, shapes, parameters, FLOPs and bytes"},
    {"benchmark", CMD_BENCHMARK,
     "time of a step, or of a network with --infer, by kernel: GFLOP/s, share of the peak"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const char *command_name(rt_command which)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (commands[i].command == which)
            return commands[i].name;
    return "";
}

/* ---- Help ----------------------------------------------------------------- */

enum { LEFT = 34 }; /* columns of an option and its argument */

static void help_option(const entry *e)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", e->name, e->argument ? " " : "",
             e->argument ? e->argument : "");
    printf("  %-*s", LEFT, left);
    if (strlen(left) >= LEFT)
        printf("\n  %*s", LEFT, "");
    printf("%s\n", e->help);
}

static void help_options(int which)
{
    printf("\nOptions:\n");
    for (int i = 0; i < N_OPTIONS; i++)
        if (table[i].commands & which)
            help_option(&table[i]);
}

static _Noreturn void help(const rt_options *o, const rt_model *model, bool named)
{
    if (named) {
        printf("Usage: %s %s%s [OPTION…]\n", rt_name(), command_name(o->command),
               o->command == CMD_RUN        ? " NETWORK"
               : o->command == CMD_GENERATE ? " [NETWORK]"
                                            : "");
        for (int i = 0; i < N_COMMANDS; i++)
            if (commands[i].command == o->command)
                printf("%s\n", commands[i].help);
        help_options(o->command);
    } else {
        printf("Usage: %s [COMMAND] [OPTION…]\n"
               "The trainer of %s, made by aecc %s.\n\nCommands:\n",
               rt_name(), model->source, AECC_VERSION);
        for (int i = 0; i < N_COMMANDS; i++)
            printf("  %-12s%s\n", commands[i].name, commands[i].help);
        help_options(CMD_TRAIN);
        printf("\n`%s COMMAND --help` shows the options of another command.\n", rt_name());
    }
    printf("\nExit status: 0 done; 1 bad data, weights or checkpoint; 2 wrong usage; 3 the loss\n"
           "is no longer finite; 5 reading or writing failed; 70 a defect of aecc; 130 and 143\n"
           "ended by SIGINT and SIGTERM, with everything saved.\n");
    exit(fflush(stdout) ? RT_IO : RT_OK);
}

/* ---- Values --------------------------------------------------------------- */

static int64_t read_count(const entry *e, const char *value)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno || end == value || *end || n < e->low || n > e->high)
        rt_fail(RT_USAGE, "--%s takes a whole number from %lld to %lld, not '%s'", e->name,
                (long long)e->low, (long long)e->high, value);
    return n;
}

static uint64_t read_seed(const entry *e, const char *value)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (errno || end == value || *end || *value == '-')
        rt_fail(RT_USAGE, "--%s takes a whole number from 0 to 18446744073709551615, not '%s'",
                e->name, value);
    return n;
}

static double read_number(const entry *e, const char *value)
{
    char *end;
    double x = strtod(value, &end);
    if (end == value || *end || !(x >= (double)e->low && x <= (double)e->high))
        rt_fail(RT_USAGE, "--%s takes a number from %lld to %lld, not '%s'", e->name,
                (long long)e->low, (long long)e->high, value);
    return x;
}

static void append(rt_list *list, const char *value)
{
    const char **grown = rt_alloc((size_t)list->n + 1, sizeof *grown);
    if (list->n)
        memcpy(grown, list->at, (size_t)list->n * sizeof *grown);
    grown[list->n++] = value;
    free(list->at);
    list->at = grown;
}

static void set(rt_options *o, const entry *e, const char *value)
{
    void *field = (char *)o + e->field;
    switch (e->kind) {
    case COUNT: *(int64_t *)field = read_count(e, value); break;
    case SEED: *(uint64_t *)field = read_seed(e, value); break;
    case NUMBER: *(double *)field = read_number(e, value); break;
    case TEXT: *(const char **)field = value; break;
    case LIST: append(field, value); break;
    case FLAG: *(bool *)field = true; break;
    }
    if (e->kind == TEXT && !*value)
        rt_fail(RT_USAGE, "--%s takes %s, not an empty string", e->name, e->argument);
    o->given[e - table] = true;
}

/* ---- Arguments ------------------------------------------------------------ */

/* Options that a later version brings. */
static const char *const later[] = {"report"};

static void refuse_later(const char *word)
{
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (!strcmp(word, later[i]))
            rt_fail(RT_USAGE, "--%s is not part of this version of aecc", word);
}

static _Noreturn void unknown_option(const char *name, size_t n)
{
    char word[64];
    const char *names[N_OPTIONS];
    snprintf(word, sizeof word, "%.*s", (int)(n < 60 ? n : 60), name);
    refuse_later(word);
    for (int i = 0; i < N_OPTIONS; i++)
        names[i] = table[i].name;
    const char *near = rt_closest(word, names, N_OPTIONS);
    if (near)
        rt_fail(RT_USAGE, "no option --%s\ndid you mean --%s?", word, near);
    rt_fail(RT_USAGE, "no option --%s\n`%s --help` lists the options", word, rt_name());
}

static const entry *find(const char *name, size_t n)
{
    for (int i = 0; i < N_OPTIONS; i++)
        if (strlen(table[i].name) == n && !strncmp(table[i].name, name, n))
            return &table[i];
    unknown_option(name, n);
}

/* Reads the option at argv[i]; the index of the last word it took. */
static int read_option(rt_options *o, int argc, char **argv, int i)
{
    const char *name = argv[i] + 2, *equals = strchr(name, '=');
    const entry *e = find(name, equals ? (size_t)(equals - name) : strlen(name));
    if (!(e->commands & o->command))
        rt_fail(RT_USAGE, "--%s is not an option of %s\n`%s %s --help` lists those that are",
                e->name, command_name(o->command), rt_name(), command_name(o->command));
    if (e->kind == FLAG) {
        if (equals)
            rt_fail(RT_USAGE, "--%s takes no value", e->name);
        set(o, e, "1");
    } else if (equals) {
        set(o, e, equals + 1);
    } else if (i + 1 < argc) {
        set(o, e, argv[++i]);
    } else {
        rt_fail(RT_USAGE, "--%s needs a value: --%s %s", e->name, e->name, e->argument);
    }
    return i;
}

/* The command, if the first word is one. */
static bool read_command(rt_options *o, const char *word)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++) {
        names[i] = commands[i].name;
        if (!strcmp(word, names[i])) {
            o->command = commands[i].command;
            return true;
        }
    }
    if (*word == '-')
        return false;
    const char *near = rt_closest(word, names, N_COMMANDS);
    if (near)
        rt_fail(RT_USAGE, "no command '%s'\ndid you mean %s?", word, near);
    rt_fail(RT_USAGE, "no command '%s'\n`%s --help` lists the commands", word, rt_name());
}

static bool validates_any(const rt_model *m)
{
    for (int i = 0; i < m->ntrains; i++)
        if (m->trains[i].validation && m->trains[i].objective >= 0)
            return true;
    return false;
}

static void check(const rt_options *o, const rt_model *model)
{
    static const char *const shows[] = {"auto", "always", "never", "json"};
    bool known = !o->progress;
    for (int i = 0; i < 4 && !known; i++)
        known = !strcmp(o->progress, shows[i]);
    if (!known)
        rt_fail(RT_USAGE, "--progress takes auto, always, never or json, not '%s'", o->progress);
    if (o->init && o->weights)
        rt_fail(RT_USAGE, "--init and --weights are the same: give one of them");
    if (o->resume && !o->checkpoint)
        rt_fail(RT_USAGE, "--resume needs --checkpoint FILE");
    if (o->every && !o->checkpoint)
        rt_fail(RT_USAGE, "--every needs --checkpoint FILE");
    if (o->early_stop && !validates_any(model))
        rt_fail(RT_USAGE,
                "--early-stop needs validation, and %s has none\n"
                "write `validate on DATA` in a train block",
                model->source);
    if (o->log_steps && !o->log)
        rt_fail(RT_USAGE, "--log-steps needs --log FILE.jsonl");
}

int cores_available(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > 256 ? 256 : n;
}

rt_options options_read(int argc, char **argv, const rt_model *model)
{
    rt_options o = {.command = CMD_TRAIN, .seed = 42, .quantile = 0.99};
    int i = 1;
    bool named = argc > 1 && read_command(&o, argv[1]);
    i += named;
    for (; i < argc; i++) {
        if (!strcmp(argv[i], "-h"))
            o.help = true;
        else if (!strncmp(argv[i], "--", 2) && argv[i][2])
            i = read_option(&o, argc, argv, i);
        else if (argv[i][0] == '-')
            rt_fail(RT_USAGE, "no option %s\n`%s --help` lists the options", argv[i], rt_name());
        else if (o.command & (CMD_RUN | CMD_GENERATE | CMD_BENCHMARK) && !o.network)
            o.network = argv[i];
        else
            rt_fail(RT_USAGE, "'%s' is not expected here\n`%s --help` shows the usage", argv[i],
                    rt_name());
    }
    if (o.help)
        help(&o, model, named);
    if (o.version) {
        printf("%s (model %s), made by aecc %s, code for %s\n", rt_name(), model->hash,
               AECC_VERSION, model->cpu);
        exit(fflush(stdout) ? RT_IO : RT_OK);
    }
    check(&o, model);
    if (o.init)
        o.weights = o.init;
    if (!o.threads)
        o.threads = cores_available();
    return o;
}
