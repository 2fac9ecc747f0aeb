/* read_fn: the text form of a function (print.c) back to the same graph.
 * Everything the text can get wrong is an error at its line: unknown words,
 * numbers out of range, nodes that node_error() finds illegal. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"

/* ---- Tokens ------------------------------------------------------------------- */

static void skip_space(Reader *r)
{
    for (; r->at < r->end; r->at++) {
        if (*r->at == '#')
            while (r->at + 1 < r->end && r->at[1] != '\n')
                r->at++;
        else if (*r->at == '\n') {
            r->line++;
            r->line_start = r->at + 1;
        } else if (!isspace((unsigned char)*r->at))
            return;
    }
}

bool read_failed(Reader *r, const char *expected)
{
    if (!r->failed) {
        const char *end = r->at;
        while (end < r->end && !isspace((unsigned char)*end))
            end++;
        int length = end > r->at ? (int)(end - r->at) : 1;
        error_at((Pos){r->file, r->line, (int)(r->at - r->line_start) + 1, length}, "expected %s",
                 expected);
    }
    r->failed = true;
    return false;
}

bool read_mark(Reader *r, char c)
{
    skip_space(r);
    if (r->failed || r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

bool need_mark(Reader *r, char c)
{
    return read_mark(r, c) || read_failed(r, format("`%c`", c));
}

const char *read_word(Reader *r)
{
    skip_space(r);
    const char *from = r->at;
    while (!r->failed && r->at < r->end && (isalnum((unsigned char)*r->at) || *r->at == '_'))
        r->at++;
    return r->at > from ? intern_n(from, (size_t)(r->at - from)) : NULL;
}

bool need_word(Reader *r, const char *word)
{
    skip_space(r);
    const char *from = r->at, *got = read_word(r);
    if (got == intern(word))
        return true;
    r->at = from;
    return read_failed(r, format("`%s`", word));
}

bool read_exactly(Reader *r, const char *word)
{
    skip_space(r);
    const char *from = r->at;
    if (read_word(r) == intern(word))
        return true;
    r->at = from;
    return false;
}

int need_choice(Reader *r, const char *const *words, int n, const char *what)
{
    skip_space(r);
    const char *from = r->at, *got = read_word(r);
    for (int i = 0; got && i < n; i++)
        if (!strcmp(got, words[i]))
            return i;
    r->at = from;
    read_failed(r, what);
    const char *near = got ? closest(got, words, n) : NULL;
    if (near)
        hint("did you mean `%s`?", near);
    return 0;
}

const char *need_string(Reader *r)
{
    if (!need_mark(r, '"'))
        return "";
    const char *from = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\n')
        r->at++;
    const char *text = intern_n(from, (size_t)(r->at - from));
    need_mark(r, '"');
    return text;
}

/* Below 2^31, so that sums and products of a few stay in 64 bits. */
int64_t need_integer(Reader *r)
{
    bool negative = read_mark(r, '-');
    int64_t value = 0;
    skip_space(r);
    if (r->at == r->end || !isdigit((unsigned char)*r->at))
        return read_failed(r, "an integer");
    while (r->at < r->end && isdigit((unsigned char)*r->at) && value < INT32_MAX)
        value = value * 10 + (*r->at++ - '0');
    if (value > INT32_MAX)
        return read_failed(r, "an integer below 2147483648");
    return negative ? -value : value;
}

void need_integers(Reader *r, int64_t *to, int n)
{
    need_mark(r, '(');
    for (int i = 0; i < n && !r->failed; i++) {
        if (i)
            need_mark(r, ',');
        to[i] = need_integer(r);
    }
    need_mark(r, ')');
}

/* What printf writes: digits, inf, nan. */
double need_number(Reader *r)
{
    char digits[64];
    size_t n = 0;
    skip_space(r);
    while (r->at + n < r->end && n + 1 < sizeof digits &&
           (isalnum((unsigned char)r->at[n]) || strchr("+-.", r->at[n]))) {
        digits[n] = r->at[n];
        n++;
    }
    digits[n] = 0;
    char *end = digits;
    double value = n ? strtod(digits, &end) : 0;
    if (end == digits || *end)
        return read_failed(r, "a number");
    r->at += n;
    return value;
}

/* ---- Nodes ---------------------------------------------------------------------- */

static Node *need_node(Reader *r)
{
    if (!need_mark(r, '%'))
        return NULL;
    const char *from = r->at;
    int64_t number = need_integer(r);
    if (r->failed || number < 0 || number >= r->nnodes) {
        r->at = from;
        read_failed(r, "the number of a node above");
        return NULL;
    }
    return r->nodes[number];
}

static Var *need_var(Reader *r)
{
    skip_space(r);
    const char *from = r->at, *name = need_string(r);
    for (int i = 0; i < r->nvars; i++)
        if (r->vars[i]->name == name)
            return r->vars[i];
    r->at = from;
    read_failed(r, "the name of a variable declared above");
    return NULL;
}

Shape need_shape(Reader *r)
{
    Shape s = {0};
    double size = 1;
    if (!need_mark(r, '[') || read_mark(r, ']'))
        return s;
    do {
        skip_space(r);
        if (s.rank == 0 && !s.batch && r->at < r->end && *r->at == 'b') {
            s.batch = need_word(r, "batch");
            continue;
        }
        if (s.rank == MAX_RANK) {
            read_failed(r, "at most 8 axes");
            break;
        }
        s.dim[s.rank] = need_integer(r);
        size *= (double)s.dim[s.rank++];
        if (size > 0x1p40)
            read_failed(r, "a shape of fewer elements");
    } while (read_mark(r, ','));
    need_mark(r, ']');
    return s;
}

/* Inputs come in any order, as a function may share the node of another's. */
static void read_input_name(Reader *r, Node *n)
{
    enum { MOST = 1000 };
    Fn *fn = r->fn;
    int i = n->attr.input;
    const char *name = need_string(r);
    if (i < 0 || i >= MOST || (i < fn->ninputs && fn->inputs[i])) {
        read_failed(r, "the number of another input");
        return;
    }
    while (fn->ninputs <= i) {
        int names = fn->ninputs;
        PUSH(fn->input_names, names, r->input_names_cap, NULL);
        PUSH(fn->inputs, fn->ninputs, r->inputs_cap, NULL);
    }
    fn->inputs[i] = n;
    fn->input_names[i] = name;
}

static void read_operands(Reader *r, Node *n)
{
    int cap = 0, arity = op_info[n->op].arity;
    skip_space(r);
    while (!r->failed && n->nin != arity && r->at < r->end && *r->at == '%') {
        Node *in = need_node(r);
        if (in)
            PUSH(n->in, n->nin, cap, in);
        skip_space(r);
    }
    if (n->nin < (arity < 0 ? n->op != OP_history : arity))
        read_failed(r, "an operand");
}

/* What print_node wrote behind the node at `from`: NULL where no comment ends
 * its line. */
static const char *layer_behind(const Reader *r, const char *from)
{
    bool quoted = false;
    const char *at = from, *end;
    for (; at < r->end && *at != '\n' && (quoted || *at != '#'); at++)
        quoted ^= *at == '"';
    if (at == r->end || *at != '#')
        return NULL;
    for (at++; at < r->end && *at == ' ';)
        at++;
    for (end = at; end < r->end && *end != '\n' && *end != '\r';)
        end++;
    return end > at ? intern_n(at, (size_t)(end - at)) : NULL;
}

static void read_node(Reader *r)
{
    Node n;
    memset(&n, 0, sizeof n);
    int64_t number = need_integer(r);
    if (!r->failed && number != r->nnodes)
        read_failed(r, format("node %%%d", r->nnodes));
    need_mark(r, '=');
    skip_space(r);
    const char *from = r->at;
    n.op = (Op)need_choice(r, op_name, N_OPS, "an operation");
    n.type = (Type)need_choice(r, type_name, N_TYPES, "a type");
    n.shape = need_shape(r);
    read_operands(r, &n);
    if (!r->failed)
        read_attr(r, &n);
    if (!r->failed && n.op == OP_var)
        n.attr.var = need_var(r);
    const char *error = r->failed ? NULL : node_error(&n);
    if (error) {
        r->at = from;
        read_failed(r, format("a legal node: %s %s", op_name[n.op], error));
    }
    if (r->failed)
        return;
    Pos pos = {r->file, r->line, (int)(from - r->line_start) + 1, 1};
    Node *made = graph_node(n.op, n.type, n.shape, n.nin, n.in, &n.attr, pos);
    made->layer = layer_behind(r, from);
    PUSH(r->nodes, r->nnodes, r->nodes_cap, made);
    if (n.op == OP_var)
        n.attr.var->node = made;
    if (n.op == OP_input)
        read_input_name(r, made);
}

/* ---- Functions ---------------------------------------------------------------------- */

static void read_var(Reader *r)
{
    Var *var = NEW(Var);
    var->name = need_string(r);
    for (int i = 0; i < r->nvars; i++)
        if (r->vars[i]->name == var->name)
            read_failed(r, "another name: a variable has this one");
    var->kind = (VarKind)need_choice(r, var_kind_name, VAR_KINDS,
                                     "param, state, slot, count or packed");
    var->type = (Type)need_choice(r, type_name, N_TYPES, "a type");
    var->shape = need_shape(r);
    skip_space(r);
    if (!r->failed && r->at < r->end && *r->at == 'o' && need_word(r, "owner"))
        var->owner = need_var(r);
    PUSH(r->vars, r->nvars, r->vars_cap, var);
}

static void read_init(Reader *r)
{
    Var *var = need_var(r);
    Node *value = need_node(r);
    if (var && value && (value->type != var->type || !shape_equal(value->shape, var->shape)))
        read_failed(r, "an initial value of the variable's type and shape");
    if (var)
        var->init = value;
}

static void read_output(Reader *r)
{
    Fn *fn = r->fn;
    int names = fn->noutputs, lengths = fn->noutputs;
    int64_t length = -1;
    const char *name = need_string(r);
    Node *value = need_node(r);
    if (read_exactly(r, "length"))
        need_integers(r, &length, 1);
    PUSH(fn->output_names, names, r->output_names_cap, name);
    PUSH(fn->length, lengths, r->lengths_cap, (int)length);
    PUSH(fn->outputs, fn->noutputs, r->outputs_cap, value);
}

/* All inputs come before: read_line() sees to it. */
static void read_steps(Reader *r)
{
    Fn *fn = r->fn;
    int64_t of[3] = {0};
    need_word(r, "of");
    need_integers(r, of, 3);
    if (!r->failed && (of[0] < 0 || of[0] >= fn->ninputs || of[1] < -1 || of[1] >= fn->ninputs))
        read_failed(r, "inputs above");
    if (r->failed)
        return;
    if (!fn->length_of) {
        fn->length_of = NEW_ARRAY(int, fn->ninputs);
        fn->most = NEW_ARRAY(int64_t, fn->ninputs);
        for (int i = 0; i < fn->ninputs; i++)
            fn->length_of[i] = -1;
    }
    fn->length_of[of[0]] = (int)of[1];
    fn->most[of[0]] = of[2];
}

static void read_update(Reader *r)
{
    Fn *fn = r->fn;
    int targets = fn->nupdates;
    Var *var = need_var(r);
    Node *value = need_node(r);
    if (var && value && (value->type != var->type || !shape_equal(value->shape, var->shape)))
        read_failed(r, "a value of the variable's type and shape");
    PUSH(fn->targets, targets, r->targets_cap, var);
    PUSH(fn->values, fn->nupdates, r->values_cap, value);
}

static void read_line(Reader *r)
{
    static const char *const words[] = {"var", "init", "steps", "output", "update"};
    static void (*const readers[])(Reader *) = {read_var, read_init, read_steps, read_output,
                                                read_update};
    int inputs = r->fn->ninputs;
    if (!read_mark(r, '%'))
        readers[need_choice(r, words, 5, "a node, var, init, steps, output, update or `}`")](r);
    else
        read_node(r);
    if (!r->failed && r->fn->length_of && r->fn->ninputs > inputs)
        read_failed(r, "no input behind a line `steps`");
}

static void open_text(Reader *r, int file)
{
    size_t n;
    *r = (Reader){.file = file, .line = 1};
    r->at = r->line_start = source_text(file, &n);
    r->end = r->at + n;
}

/* The vars are of this function alone. */
static void read_one(Reader *r)
{
    *r = (Reader){.at = r->at,
                  .end = r->end,
                  .line_start = r->line_start,
                  .file = r->file,
                  .line = r->line,
                  .fn = NEW(Fn)};
    need_word(r, "fn");
    r->fn->kind = (FnKind)need_choice(r, fn_kind_name, FN_KINDS, "a kind of function");
    r->fn->name = need_string(r);
    need_mark(r, '{');
    while (!r->failed && !read_mark(r, '}'))
        read_line(r);
    for (int i = 0; i < r->fn->ninputs && !r->failed; i++)
        if (!r->fn->inputs[i])
            read_failed(r, format("input %d above", i));
    skip_space(r);
}

Fn *read_fn(int file, Var ***vars, int *nvars)
{
    Reader r;
    open_text(&r, file);
    read_one(&r);
    if (!r.failed && r.at != r.end)
        read_failed(&r, "the end of the file");
    *vars = r.vars;
    *nvars = r.nvars;
    return r.failed ? NULL : r.fn;
}

/* Numbers are in order of ids, and equal nodes of two functions would share
 * one: so each function gets a graph of its own. */
bool read_graph(int file, void (*each)(void *, const Fn *), void *job)
{
    Reader r;
    open_text(&r, file);
    do {
        graph_reset();
        read_one(&r);
        if (!r.failed)
            each(job, r.fn);
    } while (!r.failed && r.at != r.end);
    return !r.failed;
}
