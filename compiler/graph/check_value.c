/* Values and scopes of check(), what messages call them, and conversions.
 * A conversion that fails reports why at the value's place; of V_ERROR it
 * fails silently, since there was a message already. */
#include "graph/check.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---- Making values --------------------------------------------------------- */

Value v_error(void)
{
    return (Value){.kind = V_ERROR};
}

Value v_none(void)
{
    return (Value){.kind = V_NONE};
}

Value v_number(double number)
{
    return (Value){.kind = V_NUMBER, .number = number};
}

Value v_bool(bool truth)
{
    return (Value){.kind = V_BOOL, .number = truth};
}

Value v_string(const char *text)
{
    return (Value){.kind = V_STRING, .text = text};
}

Value v_list(int n, const Value *at)
{
    Value v = {.kind = V_LIST, .list = {NEW_ARRAY(Value, n + 1), n}};
    if (n > 0)
        memcpy(v.list.at, at, sizeof *at * (size_t)n);
    return v;
}

Value v_sizes(int n, const int64_t *sizes)
{
    Value parts[MAX_RANK];
    for (int i = 0; i < n; i++)
        parts[i] = v_number((double)sizes[i]);
    return v_list(n, parts);
}

Value v_tensor(Node *node)
{
    return node ? (Value){.kind = V_TENSOR, .node = node} : v_error();
}

bool values_equal(Value a, Value b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case V_NONE: return true;
    case V_NUMBER:
    case V_BOOL: return a.number == b.number;
    case V_STRING: return strcmp(a.text, b.text) == 0;
    case V_TENSOR: return a.node == b.node;
    case V_DATA: return a.data == b.data;
    case V_FUNCTION:
        return a.function->decl == b.function->decl && a.function->builtin == b.function->builtin;
    case V_LIST:
    case V_TUPLE:
        if (a.list.n != b.list.n)
            return false;
        for (int i = 0; i < a.list.n; i++)
            if (!values_equal(a.list.at[i], b.list.at[i]))
                return false;
        return true;
    default: return false;
    }
}

/* ---- What messages call a value ------------------------------------------- */

const char *sample_text(Shape shape)
{
    shape.batch = false;
    return shape_text(shape);
}

const char *number_text(double number)
{
    Text t = {0};
    if (fabs(number) < 1e15 && number == floor(number))
        return format("%.0f", number);
    text_double(&t, number);
    return t.at;
}

static const char *list_text(Value v)
{
    Text t = {0};
    text_printf(&t, "[");
    for (int i = 0; i < v.list.n && i < 8; i++)
        text_printf(&t, "%s%s", i ? ", " : "", describe_value(v.list.at[i]));
    text_printf(&t, v.list.n > 8 ? ", …]" : "]");
    return t.at;
}

const char *describe_value(Value v)
{
    switch (v.kind) {
    case V_ERROR: return "an error";
    case V_NONE: return "none";
    case V_NUMBER: return number_text(v.number);
    case V_BOOL: return v.number != 0 ? "true" : "false";
    case V_STRING: return format("\"%s\"", v.text);
    case V_LIST: return format("the list %s", list_text(v));
    case V_TUPLE: return format("%d values", v.list.n);
    case V_FUNCTION: return format("the function `%s`", function_name(v.function));
    case V_DATA: return "a data source";
    case V_TENSOR:
        if (is_sequence(v))
            return format("[time <= %s", sample_text(v.node->shape) + 1);
        return format("%s%s", sample_text(v.node->shape),
                      v.node->type == T_BOOL ? " of truth values" : "");
    }
    return "nothing";
}

const char *introduce(Value v)
{
    if (v.name && v.made)
        return format("`%s` gives %s", v.name, describe_value(v));
    if (v.name)
        return format("`%s` is %s", v.name, describe_value(v));
    return format("this is %s", describe_value(v));
}

/* ---- Scopes ---------------------------------------------------------------- */

Env *env_new(Env *outer)
{
    Env *env = NEW(Env);
    env->outer = outer;
    return env;
}

Binding *env_own(const Env *env, const char *name)
{
    for (Binding *b = env->first; b; b = b->next)
        if (b->name == name)
            return b;
    return NULL;
}

Binding *env_find(const Env *env, const char *name)
{
    for (; env; env = env->outer) {
        Binding *b = env_own(env, name);
        if (b)
            return b;
    }
    return NULL;
}

Binding *env_bind(Env *env, const char *name, Value value, Pos pos, BindingKind kind)
{
    Binding *b = NEW(Binding);
    *b = (Binding){.name = name, .kind = kind, .value = value, .pos = pos, .next = env->first};
    env->first = b;
    return b;
}

void bind_mode(const Check *c, Env *env)
{
    const char *name = intern("training");
    if (!env_own(env, name))
        env_bind(env, name, v_bool(c->at.training), (Pos){0}, B_VALUE);
}

/* ---- Places ---------------------------------------------------------------- */

bool in_library(const Check *c, Pos pos)
{
    return pos.file >= c->std_first && pos.file <= c->std_last;
}

Pos user_place(const Check *c, Pos pos)
{
    for (const Frame *f = c->at.frame; f && in_library(c, pos); f = f->outer)
        pos = f->call;
    return pos;
}

const char *spelled(Pos pos)
{
    size_t n;
    const char *at = source_text(pos.file, &n), *end = at + n;
    for (int line = 1; line < pos.line && at; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at += at != NULL;
    }
    if (!at || pos.line < 1 || end - at < pos.column - 1 + pos.length)
        return "";
    return intern_n(at + pos.column - 1, (size_t)pos.length);
}

/* The outermost function of the library on the way to a message. */
static const char *library_function(const Check *c)
{
    const char *name = NULL;
    for (const Frame *f = c->at.frame; f; f = f->outer) {
        name = f->name;
        if (!in_library(c, f->call))
            break;
    }
    return name ? name : "this";
}

static char *formatted(const char *form, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, form, args);
    char *text = arena_alloc((size_t)(n < 0 ? 0 : n) + 1);
    vsnprintf(text, (size_t)n + 1, form, again);
    va_end(again);
    return text;
}

/* After the limits are reached what follows is only a consequence; a mistake
 * in a function that is called very often is reported at each call, and the
 * messages are then one. */
void report(Check *c, Pos pos, const char *form, ...)
{
    if (c->exhausted)
        return;
    va_list args;
    va_start(args, form);
    char *text = formatted(form, args);
    va_end(args);
    Pos place = user_place(c, pos);
    error_at(place, "%s", text);
    if (in_library(c, pos) && !in_library(c, place))
        note_at(pos, "found here, in `%s` of the standard library", library_function(c));
    c->exhausted = ++c->reports >= MAX_REPORTS;
}

void note(Check *c, Pos pos, const char *form, ...)
{
    if (c->exhausted)
        return;
    va_list args;
    va_start(args, form);
    note_at(pos, "%s", formatted(form, args));
    va_end(args);
}

void advise(Check *c, const char *form, ...)
{
    if (c->exhausted)
        return;
    va_list args;
    va_start(args, form);
    hint("%s", formatted(form, args));
    va_end(args);
}

void place_nodes(Check *c, Pos pos)
{
    graph_at(user_place(c, pos), c->at.layer);
}

/* ---- Conversions ----------------------------------------------------------- */

/* What a value of the wrong kind was probably meant to be. */
static void advise_value(Check *c, Value v, const char *wanted)
{
    const Ast *decl = v.kind == V_FUNCTION ? v.function->decl : NULL;
    if (decl && decl->kind == AST_LAYER)
        advise(c, "inside an expression the argument is written: `%s(x)`", decl->name);
    else if (v.kind == V_FUNCTION)
        advise(c, "call it: `%s(…)`; on a line of a network write `activation(%s)`",
               function_name(v.function), function_name(v.function));
    else if (v.kind == V_STRING && isalpha((unsigned char)v.text[0]))
        advise(c, "names are written without quotes: `%s`", v.text);
    else if (v.kind == V_TENSOR && strncmp(wanted, "a size", 6) == 0)
        advise(c, "on a line of its own a layer takes the line above as its first argument");
}

static bool mismatch(Check *c, Value v, const char *wanted)
{
    if (v.kind == V_ERROR)
        return false;
    report(c, v.pos, "%s, expected %s", introduce(v), wanted);
    advise_value(c, v, wanted);
    return false;
}

Node *to_node(Check *c, Value v)
{
    if (v.kind == V_TENSOR)
        return v.node;
    if (v.kind == V_NUMBER)
        return scalar(v.number);
    if (v.kind == V_BOOL)
        return graph_op2(OP_le, scalar(1), scalar(v.number));
    mismatch(c, v, "a tensor or a number");
    return NULL;
}

Node *to_number_node(Check *c, Value v)
{
    bool truth = v.kind == V_BOOL || (v.kind == V_TENSOR && v.node->type == T_BOOL);
    if (truth) {
        report(c, v.pos, "%s, expected numbers", introduce(v));
        advise(c, "write `if … then 1 else 0` to count truth values");
        return NULL;
    }
    return to_node(c, v);
}

bool to_number(Check *c, Value v, const char *what, double *number)
{
    *number = v.kind == V_NUMBER ? v.number : 0;
    return v.kind == V_NUMBER || mismatch(c, v, format("%s: a number", what));
}

bool to_whole(Check *c, Value v, const char *what, int64_t low, int64_t high, int64_t *n)
{
    double number;
    *n = low;
    if (!to_number(c, v, what, &number))
        return false;
    if (number != floor(number) || number < (double)low || number > (double)high) {
        report(c, v.pos, "%s, expected %s: a whole number from %lld to %lld", introduce(v), what,
               (long long)low, (long long)high);
        return false;
    }
    *n = (int64_t)number;
    return true;
}

bool to_bool(Check *c, Value v, const char *what, bool *truth)
{
    *truth = v.kind == V_BOOL && v.number != 0;
    return v.kind == V_BOOL || mismatch(c, v, format("%s: true or false", what));
}

bool to_text(Check *c, Value v, const char *what, const char **text)
{
    *text = v.kind == V_STRING ? v.text : "";
    return v.kind == V_STRING || mismatch(c, v, format("%s: a string", what));
}

bool to_shape(Check *c, Value v, Shape *shape)
{
    *shape = (Shape){0};
    Value one[1] = {v};
    Value list = v.kind == V_NUMBER ? v_list(1, one) : v;
    if (list.kind != V_LIST)
        return mismatch(c, v, "a shape such as [28, 28]");
    if (list.list.n > MAX_RANK) {
        report(c, v.pos, "a shape of %d axes; there are at most %d", list.list.n, MAX_RANK);
        return false;
    }
    shape->rank = list.list.n;
    for (int i = 0; i < list.list.n; i++) {
        Value size = list.list.at[i];
        if (size.pos.line == 0)
            size.pos = v.pos;
        if (!to_whole(c, size, "a size", 1, MAX_ELEMENTS, &shape->dim[i]))
            return false;
    }
    return shape_fits(c, v.pos, *shape);
}

bool to_axis(Check *c, Value v, Shape shape, int *axis)
{
    int64_t n;
    *axis = 0;
    if (!to_number(c, v, "an axis", &(double){0}))
        return false;
    if (shape.rank == 0) {
        report(c, v.pos, "there is no axis in the shape []");
        return false;
    }
    if (!to_whole(c, v, format("an axis of %s", sample_text(shape)), -shape.rank, shape.rank - 1,
                  &n))
        return false;
    *axis = (int)(n < 0 ? n + shape.rank : n);
    return true;
}

bool shape_fits(Check *c, Pos pos, Shape shape)
{
    int64_t size = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] > MAX_ELEMENTS / size) {
            report(c, pos, "%s has more than %lld elements", sample_text(shape),
                   (long long)MAX_ELEMENTS);
            return false;
        }
        size *= shape.dim[i];
    }
    return true;
}
