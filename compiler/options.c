/* The command line, by the table of options.def. */
#include "driver.h"

#include <stddef.h>
#include <string.h>

typedef enum Form { FLAG, VALUE, JOINED, LEVEL, FOLDERS } Form;

typedef struct Option {
    Form form;
    size_t offset; /* of its field in struct Options         */
    const char *spelling, *value, *doc;
} Option;

static const Option options[] = {
#define OPTION(form, field, spelling, value, doc) \
    {form, offsetof(Options, field), spelling, value, doc},
#include "options.def"
#undef OPTION
};
enum { N_OPTIONS = sizeof options / sizeof *options };

/* ---- Choices ------------------------------------------------------------ */

const char *name_list(const char *const *names, int n)
{
    Text t = {0};
    for (int i = 0; i < n; i++)
        text_printf(&t, "%s%s", i ? ", " : "", names[i]);
    return t.at;
}

int name_index(const char *word, const char *const *names, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(word, names[i]) == 0)
            return i;
    return -1;
}

int option_choice(const char *option, const char *word, const char *const *names, int n)
{
    int i = name_index(word, names, n);
    if (i < 0)
        fail_usage("%s=%s is not one of: %s", option, word, name_list(names, n));
    return i;
}

/* ---- Parsing ------------------------------------------------------------ */

/* "--emit" of "--emit=exe". */
static const char *stem(const char *word)
{
    const char *equals = strchr(word, '=');
    return strncmp(word, "--", 2) == 0 && equals ? intern_n(word, (size_t)(equals - word)) : word;
}

/* The value that stands in the same word, NULL: it does not. */
static const char *value_within(const Option *o, const char *word)
{
    size_t n = strlen(o->spelling);
    if (o->form == VALUE)
        return word[n] == '=' ? word + n + 1 : NULL;
    return word[n] ? word + n : NULL;
}

static bool matches(const Option *o, const char *word)
{
    size_t n = strlen(o->spelling);
    if (strncmp(word, o->spelling, n) != 0)
        return false;
    return o->form == FLAG ? !word[n] : o->form == VALUE ? !word[n] || word[n] == '=' : true;
}

/* Exact flags before joined values: -MD is not -M with the value D. */
static const Option *option_of(const char *word)
{
    const Option *found = NULL;
    for (int i = 0; i < N_OPTIONS; i++)
        if (matches(&options[i], word) && (!found || options[i].form == FLAG))
            found = &options[i];
    return found;
}

/* Named in the documentation of the language, and not there yet. */
static const char *const later[] = {"--weights",   "--weights-as", "--network",
                                    "--quantize", "--calibrate", "--emit=c",     "--emit=header"};

static void refuse_later(const char *word)
{
    if (name_index(word, later, sizeof later / sizeof *later) >= 0)
        fail_usage("`%s` is not part of this version of aecc", word);
}

static NORETURN void fail_unknown(const char *word)
{
    refuse_later(stem(word));
    const char *names[N_OPTIONS];
    for (int i = 0; i < N_OPTIONS; i++)
        names[i] = options[i].spelling;
    const Option *flag = option_of(stem(word));
    if (flag && flag->form == FLAG)
        fail_usage("%s takes no value", flag->spelling);
    const char *near = closest(stem(word), names, N_OPTIONS);
    if (near)
        fail_usage("unknown option `%s`; did you mean `%s`?", word, near);
    fail_usage("unknown option `%s`; see aecc --help", word);
}

static void set(Options *to, const Option *o, const char *value)
{
    void *field = (char *)to + o->offset;
    switch (o->form) {
    case FLAG: *(bool *)field = true; break;
    case FOLDERS: {
        Paths *paths = field;
        PUSH(paths->at, paths->n, paths->cap, value);
        break;
    }
    case LEVEL:
        if (!strchr("0123", *value) || value[0] == 0 || value[1] != 0)
            fail_usage("%s%s: the levels are 0, 1, 2 and 3", o->spelling, value);
        *(const char **)field = value;
        break;
    default: *(const char **)field = value; break;
    }
}

/* Sets one option; the number of words that it took. */
static int take_option(Options *to, char **words, int n)
{
    const Option *o = option_of(words[0]);
    if (!o)
        fail_unknown(words[0]);
    const char *value = o->form == FLAG ? NULL : value_within(o, words[0]);
    int taken = 1;
    if (o->form != FLAG && !value) {
        if (n < 2 || o->form == LEVEL)
            fail_usage("%s needs a value: %s %s", o->spelling, o->spelling, o->value);
        value = words[1];
        taken = 2;
    }
    if (o->form != FLAG && !*value)
        fail_usage("the value of %s is empty", o->spelling);
    refuse_later(format("%s=%s", o->spelling, value ? value : ""));
    set(to, o, value);
    return taken;
}

static void take_input(Options *to, const char *word)
{
    if (to->input)
        fail_usage("one file is compiled at a time, not `%s` and `%s`; a file takes in "
                   "others by `import`",
                   to->input, word);
    if (!*word)
        fail_usage("the name of the input is empty");
    to->input = word;
}

/* How messages look is decided first, so that it holds for those about the
 * options themselves. */
static void set_message_options(const Options *o)
{
    static const char *const whens[] = {"auto", "always", "never"};
    static const char *const forms[] = {"text", "json"};
    diag_options.werror = o->werror;
    if (o->color)
        diag_options.color = (ColorWhen)option_choice("--color", o->color, whens, 3);
    if (o->error_format)
        diag_options.json = option_choice("--error-format", o->error_format, forms, 2) == 1;
}

Options parse_options(int argc, char **argv)
{
    Options o = {0};
    bool only_files = false;
    for (int i = 1; i < argc;) {
        bool option = !only_files && argv[i][0] == '-' && argv[i][1];
        if (option && strcmp(argv[i], "--") == 0) {
            only_files = true;
            i++;
        } else if (option) {
            i += take_option(&o, argv + i, argc - i);
            set_message_options(&o);
        } else {
            take_input(&o, argv[i++]);
        }
    }
    return o;
}

/* ---- Help --------------------------------------------------------------- */

static const char *shown(const Option *o)
{
    const char *between = o->form == VALUE ? "=" : o->form == LEVEL ? "" : " ";
    return o->value ? format("%s%s%s", o->spelling, between, o->value) : o->spelling;
}

void print_help(Text *out)
{
    text_printf(out, "usage: aecc [options] FILE.nn      compiles a model to a trainer\n\n");
    for (int i = 0; i < N_OPTIONS; i++)
        text_printf(out, "  %-22s %s\n", shown(&options[i]), options[i].doc);
    text_printf(out, "\nforms of --emit:\n");
    print_emits(out);
    text_printf(out,
                "\nWhat --emit=graph, grad and loop print can be FILE, too: it is read, verified\n"
                "and printed again in the same form.\n");
    text_printf(out, "\nExit status: 0; 1 errors in the program; 2 wrong usage; 5 reading or\n"
                     "writing failed; 70 a defect of aecc.\n");
}
