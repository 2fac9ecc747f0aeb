/* The run over passes.def: time, --dump, --verify, --stats and where to stop
 * all come from that one list; what is written from emits.def. */
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- The passes --------------------------------------------------------- */

static void pass_parse(Compilation *c)
{
    c->tree = parse_program(c->options->input, &c->options->folders, &c->files);
}

static void pass_check(Compilation *c)
{
    c->model = check(c->tree, c->options->input);
}

static void pass_grad(Compilation *c)
{
    grad(c->model);
}

static void pass_hoist(Compilation *c)
{
    hoist(c->model);
}

static void pass_simplify(Compilation *c)
{
    simplify(c->model);
}

static void pass_share(Compilation *c)
{
    share_steps(c->model);
}

static void pass_pairs(Compilation *c)
{
    pairs(c->model);
}

static void pass_ranges(Compilation *c)
{
    ranges(c->model);
}

static void pass_unbatch(Compilation *c)
{
    unbatch(c->model);
}

static void pass_fuse(Compilation *c)
{
    fuse(c->model);
}

static void pass_plan(Compilation *c)
{
    plan(c->model);
}

static void pass_lower(Compilation *c)
{
    c->machine = machine_for(&c->targets[0]);
    lower(c->model, &c->machine);
    if (c->options->tune) {
        tune(c->model, &c->targets[0]);
        lower(c->model, &c->machine);
    }
}

static void pass_llvm(Compilation *c)
{
    c->code = emit_code(c->model, &(CodeOptions){
                                      .targets = c->targets,
                                      .ntargets = c->ntargets,
                                      .form = c->form,
                                      .jobs = c->jobs,
                                      .sizes = c->options->stats,
                                  });
}

static void pass_link(Compilation *c);

static const Pass passes[] = {
#define PASS(name, holds, doc) {#name, pass_##name, holds, doc},
#include "passes.def"
#undef PASS
};
enum { N_PASSES = sizeof passes / sizeof *passes };

static const char *const pass_names[] = {
#define PASS(name, holds, doc) #name,
#include "passes.def"
#undef PASS
};

enum {
#define PASS(name, holds, doc) AFTER_##name,
#include "passes.def"
#undef PASS
};

void print_passes(Text *out)
{
    for (int i = 0; i < N_PASSES; i++)
        text_printf(out, "%-10s %s\n", passes[i].name, passes[i].doc);
}

/* ---- What is written ---------------------------------------------------- */

enum {
#define EMIT(name, ...) EMIT_##name,
#include "emits.def"
#undef EMIT
};

static const struct {
    int last;
    const char *ending, *doc;
} emits[] = {
#define EMIT(name, last, ending, doc) {AFTER_##last, ending, doc},
#include "emits.def"
#undef EMIT
};
enum { N_EMITS = sizeof emits / sizeof *emits };

static const char *const emit_names[] = {
#define EMIT(name, ...) #name,
#include "emits.def"
#undef EMIT
};

void print_emits(Text *out)
{
    for (int i = 0; i < N_EMITS; i++)
        text_printf(out, "  %-22s %s%s\n", emit_names[i], emits[i].doc,
                    *emits[i].ending == '-' ? " (to the standard output)" : "");
}

static int chosen_emit(const Options *o)
{
    return o->emit ? option_choice("--emit", o->emit, emit_names, N_EMITS) : EMIT_exe;
}

/* "conv_ae" of "examples/conv_ae.nn". */
static const char *base_name(const char *input)
{
    const char *slash = strrchr(input, '/'), *name = slash ? slash + 1 : input;
    size_t n = strlen(name);
    if (strcmp(input, "-") == 0)
        return "model";
    return n > 3 && strcmp(name + n - 3, ".nn") == 0 ? intern_n(name, n - 3) : name;
}

static const char *default_output(const Options *o, int emit)
{
    const char *ending = emits[emit].ending;
    return *ending == '-' ? "-" : format("%s%s", base_name(o->input), ending);
}

/* A slip such as `aecc model` must not cost the model. */
static void check_output(const char *input, const char *output, int emit)
{
    struct stat in, out;
    if (emit == EMIT_exe && strcmp(output, "-") == 0)
        fail_usage("a trainer is not written to the standard output; name a file with -o");
    if (strcmp(output, "-") != 0 && stat(input, &in) == 0 && stat(output, &out) == 0 &&
        S_ISREG(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        fail_usage("the output would replace the input, %s; name another with -o", input);
    check_writable(output);
}

static void check_linkable(const Options *o, int emit)
{
    if (emit == EMIT_exe && o->target && !can_link(o->target))
        fail_usage("--target=%s: there is no runtime for it here to link a trainer with; make one "
                   "with scripts/cross-runtime, or write an object with --emit=obj",
                   o->target);
}

static void write_text(const Compilation *c, int emit)
{
    Text out = {0};
    if (emit == EMIT_dot)
        print_dot(&out, c->model);
    else if (emit == EMIT_obj || emit == EMIT_asm || emit == EMIT_llvm)
        out = c->code.part[0];
    else
        put_program(&out, c, passes[emits[emit].last].holds);
    write_file(c->output, out.at, out.n);
}

/* ---- Linking ------------------------------------------------------------ */

/* Objects, which go when the process does, after the arena. */
typedef struct Temporary {
    struct Temporary *next;
    char path[];
} Temporary;

static Temporary *temporary;

static void remove_temporary(void)
{
    for (Temporary *t = temporary; t; t = t->next)
        unlink(t->path);
}

static void remember_temporary(const char *path)
{
    Temporary *t = malloc(sizeof *t + strlen(path) + 1);
    if (!t)
        fail_file("out of memory for the name of a temporary file");
    if (!temporary)
        atexit(remove_temporary);
    strcpy(t->path, path);
    t->next = temporary;
    temporary = t;
}

static const char *write_object(const Text *code)
{
    const char *folder = getenv("TMPDIR");
    char *path = format("%s/aecc-XXXXXX.o", folder && *folder ? folder : "/tmp");
    int fd = mkstemps(path, 2);
    if (fd < 0)
        fail_file("cannot write a temporary file in %s", folder && *folder ? folder : "/tmp");
    close(fd);
    remember_temporary(path);
    write_file(path, code->at, code->n);
    return path;
}

static void pass_link(Compilation *c)
{
    const Options *o = c->options;
    int n = c->code.nparts;
    const char **objects = NEW_ARRAY(const char *, n);
    for (int i = 0; i < n; i++)
        objects[i] = o->dry_run ? format("MODEL.%d.o", i + 1) : write_object(&c->code.part[i]);
    link_trainer(&(LinkJob){objects, n, o->target, c->output, o->verbose, o->dry_run});
}

/* ---- A rule for make ---------------------------------------------------- */

static void put_make_name(Text *out, const char *name)
{
    for (; *name; name++) {
        if (strchr(" #\\", *name))
            text_put(out, "\\", 1);
        text_put(out, *name == '$' ? "$$" : name, *name == '$' ? 2 : 1);
    }
}

static void write_depend(const Compilation *c)
{
    const Options *o = c->options;
    const char *file = o->depend_file ? o->depend_file : format("%s.d", base_name(c->output));
    if (!o->depend_file && strcmp(c->output, "-") == 0)
        file = format("%s.d", base_name(o->input));
    Text out = {0};
    put_make_name(&out, c->output);
    text_printf(&out, ":");
    for (int i = 0; i < c->files.n; i++) {
        text_printf(&out, " ");
        put_make_name(&out, c->files.at[i]);
    }
    text_printf(&out, "\n");
    write_file(file, out.at, out.n);
}

/* ---- The run ------------------------------------------------------------ */

typedef struct Watch {
    bool dump[N_PASSES];
    bool verify;
    int last; /* the pass after which to stop           */
    double seconds[N_PASSES];
    Text stats, sequences, schedules;
} Watch;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void choose_dumps(Watch *w, const char *list)
{
    while (list) {
        const char *comma = strchr(list, ',');
        const char *word = intern_n(list, comma ? (size_t)(comma - list) : strlen(list));
        bool all = strcmp(word, "all") == 0;
        int pass = all ? 0 : option_choice("--dump", word, pass_names, N_PASSES);
        for (int i = pass; i < (all ? N_PASSES : pass + 1); i++)
            w->dump[i] = true;
        list = comma ? comma + 1 : NULL;
    }
}

static void dump(const Compilation *c, const Pass *p)
{
    Text out = {0};
    text_printf(&out, "# after %s\n", p->name);
    put_program(&out, c, p->holds);
    text_printf(&out, "\n");
    fwrite(out.at, 1, out.n, stderr);
}

static void look(const Compilation *c, Watch *w, int i)
{
    const Pass *p = &passes[i];
    if (w->verify)
        verify_program(c, p->holds);
    if (w->dump[i] && i != AFTER_link)
        dump(c, p);
    if (c->options->stats)
        put_stats(&w->stats, p->name, c, p->holds);
    if (c->options->stats && i == AFTER_plan)
        put_sequences(&w->sequences, c->model);
    if (c->options->stats && i == AFTER_lower)
        put_schedules(&w->schedules, c->model);
}

/* False after an error in the program. */
static bool run_passes(Compilation *c, Watch *w)
{
    for (int i = 0; i <= w->last; i++) {
        double start = now();
        current_pass = passes[i].name;
        if (c->options->verbose)
            fprintf(stderr, "aecc: %s: %s\n", passes[i].name, passes[i].doc);
        passes[i].run(c);
        w->seconds[i] = now() - start;
        if (error_count() > 0)
            return false;
        look(c, w, i);
    }
    current_pass = NULL;
    return true;
}

/* Parts of the line above; the last two are sums over the threads. */
static void print_code_times(const Code *code)
{
    const struct {
        const char *name;
        double seconds;
    } rows[] = {{"emit", code->emit}, {"optimize", code->optimize}, {"generate", code->generate}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fprintf(stderr, "  %-10s %7.2f ms\n", rows[i].name, 1e3 * rows[i].seconds);
    fprintf(stderr, "  %d part%s, %d thread%s\n", code->nparts, code->nparts == 1 ? "" : "s",
            code->threads, code->threads == 1 ? "" : "s");
}

static void print_watch(const Compilation *c, Watch *w)
{
    const Options *o = c->options;
    double total = 0;
    for (int i = 0; i <= w->last; i++)
        total += w->seconds[i];
    for (int i = 0; o->time && i <= w->last; i++) {
        fprintf(stderr, "%-10s %9.2f ms  %5.1f %%\n", passes[i].name, 1e3 * w->seconds[i],
                total > 0 ? 100 * w->seconds[i] / total : 0);
        if (i == AFTER_llvm)
            print_code_times(&c->code);
    }
    if (o->time)
        fprintf(stderr, "%-10s %9.2f ms\n", "total", 1e3 * total);
    if (o->stats) {
        Text out = {0};
        put_stats_heading(&out);
        text_put(&out, w->stats.at, w->stats.n);
        text_put(&out, w->sequences.n ? w->sequences.at : "", w->sequences.n);
        text_put(&out, w->schedules.n ? w->schedules.at : "", w->schedules.n);
        put_code_sizes(&out, &c->code);
        fputs(out.at, stderr);
    }
}

/* ---- --check ------------------------------------------------------------ */

static const char *const check_names[] = {"grad", "interp"};
static const int check_passes[] = {AFTER_simplify, AFTER_lower};

static void run_check(const Compilation *c, int which)
{
    int failures = which == 0 ? check_gradients(c->model) : check_interpreter(c->model);
    if (failures > 0)
        die("--check=%s: %d rows differ", check_names[which], failures);
}

/* ---- Entry -------------------------------------------------------------- */

static const char *shown_path(const Options *o)
{
    return strcmp(o->input, "-") == 0 ? "<stdin>" : o->input;
}

static int format_file(const Options *o)
{
    size_t n;
    char *text = read_file(o->input, &n);
    if (!text)
        fail_file("cannot read %s", o->input);
    Ast *tree = parse(diag_source(shown_path(o), text, n));
    if (!tree || error_count() > 0)
        return EXIT_PROGRAM;
    Text out = {0};
    text_put(&out, "", 0);
    format_ast(&out, tree);
    write_file(o->output ? o->output : "-", out.at, out.n);
    return EXIT_DONE;
}

static Watch watch_of(const Options *o, int last)
{
    Watch w = {.verify = o->verify, .last = last};
#if !defined(NDEBUG)
    w.verify = true;
#endif
    choose_dumps(&w, o->dump);
    return w;
}

static int compile_to(Compilation *c, int emit, int check, int stop)
{
    const Options *o = c->options;
    int last = stop >= 0 ? stop : check >= 0 ? check_passes[check] : emits[emit].last;
    Watch w = watch_of(o, last);
    if (!run_passes(c, &w))
        return EXIT_PROGRAM;
    diag_flush();
    if (stop < 0 && check >= 0)
        run_check(c, check);
    else if (stop < 0 && emit != EMIT_exe)
        write_text(c, emit);
    if (stop < 0 && check < 0 && (o->depend || o->depend_file) && !o->dry_run)
        write_depend(c);
    print_watch(c, &w);
    return EXIT_DONE;
}

/* Is the input a text that --emit printed? What cannot be read is left to the
 * parser, which says so. */
static bool is_reprinted(const Options *o, int *status)
{
    size_t n;
    char *text = read_file(o->input, &n);
    if (!text || text_form(text) == FORM_NONE)
        return false;
    *status = reprint(o, shown_path(o), text, n);
    return true;
}

/* A target for each name in the list of --mcpu. */
static void split_processors(Compilation *c)
{
    const Options *o = c->options;
    int cap = 0;
    TargetOptions t = {o->target, o->cpu, o->features, o->level ? *o->level - '0' : 3};
    const char *list = o->cpu;
    do {
        size_t n = list ? strcspn(list, ",") : 0;
        t.cpu = list ? intern_n(list, n) : NULL;
        for (int i = 0; i < c->ntargets; i++)
            if (c->targets[i].cpu == t.cpu)
                fail_usage("--mcpu names %s twice", t.cpu);
        PUSH(c->targets, c->ntargets, cap, t);
        list = list && list[n] ? list + n + 1 : NULL;
    } while (list);
}

/* Schedules are timed by code for the first processor. */
static void check_tunable(const Compilation *c)
{
    const Options *o = c->options;
    if (o->tune && o->target && !is_host_target(o->target))
        fail_usage("--tune measures on this machine, which is no %s; compile without --tune",
                   o->target);
    if (o->tune && !host_runs(&c->targets[0]))
        refuse_tuning(&c->targets[0]);
}

static int jobs_of(const Options *o)
{
    char *end;
    long n = o->jobs ? strtol(o->jobs, &end, 10) : 0;
    if (o->jobs && (*end || n < 1 || n > 1024))
        fail_usage("--jobs takes a number from 1 to 1024, not '%s'", o->jobs);
    return (int)n;
}

int compile(const Options *o)
{
    int status;
    if (o->format)
        return format_file(o);
    int emit = chosen_emit(o);
    if (is_reprinted(o, &status))
        return status;
    int check = o->check ? option_choice("--check", o->check, check_names, 2) : -1;
    int stop =
        !o->stop_after ? -1 : option_choice("--stop-after", o->stop_after, pass_names, N_PASSES);
    Compilation c = {
        .options = o,
        .form = emit == EMIT_asm    ? OUT_ASSEMBLY
                : emit == EMIT_llvm ? OUT_LLVM
                : emit == EMIT_obj  ? OUT_OBJECT
                                    : OUT_OBJECTS,
        .jobs = jobs_of(o),
        .output = o->output ? o->output : default_output(o, emit),
    };
    split_processors(&c);
    check_tunable(&c);
    if (check < 0 && stop < 0) {
        check_linkable(o, emit);
        check_output(o->input, c.output, emit);
    }
    return compile_to(&c, emit, check, stop);
}
