/* Built-in functions: the table, and arguments to the parameters it states. */
#include "graph/check.h"

#include <math.h>
#include <string.h>

static const Builtin builtins[] = {
#define BUILTIN(name, parameters, lengths, function) {#name, parameters, lengths, function},
#include "graph/builtins.def"
};
enum { NBUILTINS = sizeof builtins / sizeof *builtins };

const Builtin *find_builtin(const char *name)
{
    for (int i = 0; i < NBUILTINS; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}

bool builtin_is_layer(const Builtin *b)
{
    return b->call == reshape;
}

static const char *const constants[] = {"training", "batch", "sample", "none", "infinity", "pi"};
enum { NCONSTANTS = sizeof constants / sizeof *constants };

int builtin_names(const char **names, int max)
{
    int n = 0;
    for (int i = 0; i < NBUILTINS && n < max; i++)
        names[n++] = builtins[i].name;
    for (int i = 0; i < NCONSTANTS && n < max; i++)
        names[n++] = constants[i];
    return n;
}

bool builtin_constant(Check *c, const char *name, Value *v)
{
    if (strcmp(name, "training") == 0)
        *v = v_bool(c->at.training);
    else if (strcmp(name, "batch") == 0)
        *v = v_tensor(graph_live());
    else if (strcmp(name, "sample") == 0)
        *v = v_string("sample");
    else if (strcmp(name, "none") == 0)
        *v = v_none();
    else if (strcmp(name, "infinity") == 0)
        *v = v_number(INFINITY);
    else if (strcmp(name, "pi") == 0)
        *v = v_number(M_PI);
    else
        return false;
    return true;
}

/* ---- Parameters --------------------------------------------------------------- */

/* One parameter of "x, axis?; keep": its name and how it may be given. */
typedef struct Parameter {
    const char *name;
    size_t length;
    bool optional, rest, named;
} Parameter;

enum { MAX_PARAMETERS = 12 };

static int read_parameters(const char *text, Parameter *list)
{
    int n = 0;
    bool named = false;
    while (*text) {
        Parameter p = {.name = text, .length = strcspn(text, ",;"), .named = named};
        text += p.length;
        named |= *text == ';';
        text += strspn(text, ",; ");
        char last = p.name[p.length - 1];
        p.rest = last == '*';
        p.optional = p.named || p.rest || last == '?';
        p.length -= last == '*' || last == '?';
        list[n++] = p;
    }
    return n;
}

static bool is_named(const Parameter *p, const char *name)
{
    return strlen(name) == p->length && memcmp(p->name, name, p->length) == 0;
}

static void report_parameter(Check *c, const Builtin *b, const Arg *a, const Parameter *list, int n)
{
    const char *names[MAX_PARAMETERS];
    for (int i = 0; i < n; i++)
        names[i] = intern_n(list[i].name, list[i].length);
    report(c, a->pos, "`%s` has no argument `%s`", b->name, a->name);
    const char *meant = suggest(a->name, names, n);
    if (meant)
        advise(c, "did you mean `%s`?", meant);
    else
        advise(c, "it takes (%s)", b->parameters);
}

static bool place_named(Check *c, Call *call, const Arg *a, const Parameter *list, int n)
{
    for (int i = 0; i < n; i++)
        if (is_named(&list[i], a->name)) {
            if (call->has[i]) {
                report(c, a->pos, "`%s` is given twice", a->name);
                return false;
            }
            if (list[i].rest)
                call->rest[call->nrest++] = a->value;
            else
                call->arg[i] = a->value;
            call->has[i] = true;
            return true;
        }
    report_parameter(c, call->builtin, a, list, n);
    return false;
}

static bool place_next(Check *c, Call *call, const Arg *a, const Parameter *list, int n, int *next)
{
    if (*next < n && list[*next].rest) {
        if (call->nrest == MAX_ARGUMENTS) {
            report(c, a->pos, "more than %d arguments", MAX_ARGUMENTS);
            return false;
        }
        call->rest[call->nrest++] = a->value;
        return true;
    }
    if (*next >= n || list[*next].named) {
        report(c, a->pos, "too many arguments: `%s` takes (%s)", call->builtin->name,
               call->builtin->parameters);
        if (strcmp(call->builtin->name, "max") == 0 || strcmp(call->builtin->name, "min") == 0)
            advise(c, "the larger of two values is `maximum(a, b)`, the smaller `minimum(a, b)`");
        return false;
    }
    call->has[*next] = true;
    call->arg[(*next)++] = a->value;
    return true;
}

static bool place_all(Check *c, Call *call, const Arg *args, int n)
{
    Parameter list[MAX_PARAMETERS];
    int count = read_parameters(call->builtin->parameters, list), next = 0;
    bool ok = true;
    for (int i = 0; i < n && ok; i++)
        ok = args[i].name ? place_named(c, call, &args[i], list, count)
                          : place_next(c, call, &args[i], list, count, &next);
    for (int i = 0; i < count && ok; i++)
        if (!call->has[i] && !list[i].optional) {
            report(c, call->pos, "`%s` needs %.*s", call->builtin->name, (int)list[i].length,
                   list[i].name);
            advise(c, "it takes (%s)", call->builtin->parameters);
            ok = false;
        }
    return ok;
}

static bool takes_fixed(Check *c, const Call *call)
{
    const char *what = format("`%s`", call->builtin->name);
    return only_fixed(c, call->pos, what, MAX_PARAMETERS, call->arg) &&
           only_fixed(c, call->pos, what, call->nrest, call->rest);
}

Value call_builtin(Check *c, const Builtin *b, Arg *args, int n, Pos pos)
{
    Call *call = NEW(Call);
    call->builtin = b;
    call->pos = pos;
    if (!place_all(c, call, args, n))
        return v_error();
    place_nodes(c, pos);
    if (b->lengths == FIXED && !takes_fixed(c, call))
        return v_error();
    Value v = b->call(c, call);
    return b->lengths == SAME ? step_by_step(c, pos, v, MAX_PARAMETERS, call->arg) : v;
}
