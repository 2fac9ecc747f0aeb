/* format_ast: the canonical form of a file.
 *
 * One statement a line, four spaces a level, single spaces around operators
 * but none around `^`, at most one blank line. What is longer than WIDTH is
 * broken where it is loosest: behind `=`, before an operator, between arguments,
 * before `then` and `else`. Parentheses and line breaks
 * of the source do not matter, so that there is one way to write each tree.
 *
 *     minimize   mse( a,b )+1e-4*penalty(c)      # both
 * becomes
 *     minimize mse(a, b) + 1e-4 * penalty(c)  # both                        */
#include "ast.h"

#include <string.h>

enum { WIDTH = 100, INDENT = 4 };

/* ---- Expressions on one line -------------------------------------------- */

typedef enum Level { /* loosest first                          */
                     LEVEL_IF,
                     LEVEL_OR,
                     LEVEL_AND,
                     LEVEL_NOT,
                     LEVEL_COMPARE,
                     LEVEL_SUM,
                     LEVEL_PRODUCT,
                     LEVEL_NEGATIVE,
                     LEVEL_POWER,
                     LEVEL_PRIMARY
} Level;

static Level level_of_operator(int op)
{
    switch (op) {
    case AST_OP_OR: return LEVEL_OR;
    case AST_OP_AND: return LEVEL_AND;
    case '+':
    case '-': return LEVEL_SUM;
    case '*':
    case '/':
    case '%':
    case '@': return LEVEL_PRODUCT;
    case '^': return LEVEL_POWER;
    default: return LEVEL_COMPARE;
    }
}

static Level level_of(const Ast *e)
{
    switch (e->kind) {
    case AST_IF: return LEVEL_IF;
    case AST_UNARY: return e->op == AST_OP_NOT ? LEVEL_NOT : LEVEL_NEGATIVE;
    case AST_BINARY: return level_of_operator(e->op);
    default: return LEVEL_PRIMARY;
    }
}

static void put(Text *out, const char *s)
{
    text_put(out, s, strlen(s));
}

static void flat(Text *out, const Ast *e);

/* With parentheses where e binds less tightly than `least`. */
static void operand(Text *out, const Ast *e, Level least)
{
    bool inside = level_of(e) < least;
    put(out, inside ? "(" : "");
    flat(out, e);
    put(out, inside ? ")" : "");
}

static void flat_list(Text *out, const char *open, AstList list, const char *close)
{
    put(out, open);
    for (int i = 0; i < list.n; i++) {
        put(out, i ? ", " : "");
        flat(out, list.at[i]);
    }
    put(out, close);
}

/* Left operands of `^` and both of a comparison bind tighter than it does;
 * everywhere else only the right one has to. */
static Level left_level(int op)
{
    Level level = level_of_operator(op);
    return level == LEVEL_POWER || level == LEVEL_COMPARE ? level + 1 : level;
}

static Level right_level(int op)
{
    Level level = level_of_operator(op);
    return level == LEVEL_POWER ? LEVEL_NEGATIVE : level + 1;
}

static void flat_binary(Text *out, const Ast *e)
{
    operand(out, e->a, left_level(e->op));
    text_printf(out, e->op == '^' ? "%s" : " %s ", ast_op_name(e->op));
    operand(out, e->b, right_level(e->op));
}

static void flat_unary(Text *out, const Ast *e)
{
    put(out, e->op == AST_OP_NOT ? "not " : "-");
    operand(out, e->a, level_of(e));
}

static void flat_if(Text *out, const Ast *e)
{
    put(out, "if ");
    flat(out, e->a);
    put(out, " then ");
    flat(out, e->b);
    put(out, " else ");
    flat(out, e->c);
}

/* `if` and `not` begin an expression unless they stand alone. */
static void flat_name(Text *out, const char *name)
{
    bool alone = strcmp(name, "if") == 0 || strcmp(name, "not") == 0;
    text_printf(out, alone ? "(%s)" : "%s", name);
}

static void flat_parameter(Text *out, const Ast *p)
{
    put(out, p->name);
    if (p->a) {
        put(out, ": ");
        flat(out, p->a);
    }
    if (p->b) {
        put(out, " = ");
        flat(out, p->b);
    }
}

static void flat(Text *out, const Ast *e)
{
    switch (e->kind) {
    case AST_NUMBER: put(out, e->text); break;
    case AST_STRING: text_quote(out, e->text); break;
    case AST_BOOL: put(out, e->number ? "true" : "false"); break;
    case AST_NAME: flat_name(out, e->name); break;
    case AST_LIST: flat_list(out, "[", e->kids, "]"); break;
    case AST_ELLIPSIS: put(out, "..."); break;
    case AST_AT_MOST:
        text_printf(out, "%s <= ", e->name);
        operand(out, e->a, LEVEL_SUM);
        break;
    case AST_CALL:
        put(out, e->name);
        flat_list(out, "(", e->kids, ")");
        break;
    case AST_ARG:
        if (e->name)
            text_printf(out, "%s: ", e->name);
        flat(out, e->a);
        break;
    case AST_UNARY: flat_unary(out, e); break;
    case AST_BINARY: flat_binary(out, e); break;
    case AST_IF: flat_if(out, e); break;
    case AST_PARAMETER: flat_parameter(out, e); break;
    default: die("format: %s in an expression", ast_kind_name(e->kind));
    }
}

/* ---- Expressions that take several lines -------------------------------- */

static int column_of(const Text *out)
{
    size_t n = out->n;
    while (n > 0 && out->at[n - 1] != '\n')
        n--;
    return (int)(out->n - n);
}

static void new_line(Text *out, int indent)
{
    text_printf(out, "\n%*s", indent, "");
}

static void wrapped(Text *out, const Ast *e, int indent);

static bool fits(const Text *out, size_t more)
{
    return (size_t)column_of(out) + more <= WIDTH;
}

static size_t flat_length(const Ast *e)
{
    Text line = {0};
    flat(&line, e);
    return line.n;
}

/* As many on a line as fit, the lines aligned behind the bracket. */
static void filled_list(Text *out, const char *open, AstList list, const char *close, int indent)
{
    put(out, open);
    int align = column_of(out);
    if (align > WIDTH / 2) {
        align = indent + INDENT;
        new_line(out, align);
    }
    for (int i = 0; i < list.n; i++) {
        const char *after = i < list.n - 1 ? " ," : " ) {";
        bool same_line = fits(out, flat_length(list.at[i]) + strlen(after));
        if (i > 0 && same_line)
            put(out, " ");
        else if (i > 0)
            new_line(out, align);
        wrapped(out, list.at[i], align);
        put(out, i < list.n - 1 ? "," : "");
    }
    put(out, close);
}

static void wrapped_operand(Text *out, const Ast *e, Level least, int indent)
{
    bool inside = level_of(e) < least;
    put(out, inside ? "(" : "");
    wrapped(out, e, indent);
    put(out, inside ? ")" : "");
}

/* Whether the right operand begins a line: it does where that makes it fit,
 * and where it is a call. Sums in parentheses are broken inside. */
static bool begins_line(const Text *out, const Ast *operand, Level least, int indent)
{
    size_t n = flat_length(operand) + strlen(" * ()");
    if (fits(out, n))
        return false;
    bool inside = level_of(operand) < least || operand->kind == AST_BINARY;
    return !inside || (size_t)indent + INDENT + n <= WIDTH;
}

/* a + b - c: lines begin with an operator. */
static void filled_chain(Text *out, const Ast *e, Level level, int indent)
{
    if (e->a->kind == AST_BINARY && level_of(e->a) == level && level != LEVEL_COMPARE)
        filled_chain(out, e->a, level, indent);
    else
        wrapped_operand(out, e->a, left_level(e->op), indent);
    if (begins_line(out, e->b, right_level(e->op), indent))
        new_line(out, indent + INDENT);
    else
        put(out, " ");
    text_printf(out, "%s ", ast_op_name(e->op));
    bool tighter = e->b->kind == AST_BINARY && level_of(e->b) > level;
    wrapped_operand(out, e->b, right_level(e->op), tighter ? indent + INDENT : indent);
}

static void wrapped_power(Text *out, const Ast *e, int indent)
{
    wrapped_operand(out, e->a, left_level(e->op), indent);
    put(out, "^");
    wrapped_operand(out, e->b, right_level(e->op), indent);
}

static void wrapped_unary(Text *out, const Ast *e, int indent)
{
    put(out, e->op == AST_OP_NOT ? "not " : "-");
    wrapped_operand(out, e->a, level_of(e), indent);
}

/* One line for each case; `else if` goes on with the list of cases. */
static void wrapped_if(Text *out, const Ast *e, int indent)
{
    put(out, "if ");
    wrapped(out, e->a, indent);
    if (fits(out, flat_length(e->b) + strlen(" then ")))
        put(out, " ");
    else
        new_line(out, indent + 2 * INDENT);
    put(out, "then ");
    wrapped(out, e->b, indent + INDENT);
    new_line(out, indent + INDENT);
    put(out, "else ");
    if (e->c->kind == AST_IF)
        wrapped_if(out, e->c, indent);
    else
        wrapped(out, e->c, indent + INDENT);
}

static void broken(Text *out, const Ast *e, int indent)
{
    if (e->kind == AST_CALL) {
        put(out, e->name);
        filled_list(out, "(", e->kids, ")", indent);
    } else if (e->kind == AST_LIST) {
        filled_list(out, "[", e->kids, "]", indent);
    } else if (e->kind == AST_ARG) {
        if (e->name)
            text_printf(out, "%s: ", e->name);
        wrapped(out, e->a, indent);
    } else if (e->kind == AST_BINARY && e->op == '^') {
        wrapped_power(out, e, indent);
    } else if (e->kind == AST_BINARY) {
        filled_chain(out, e, level_of(e), indent);
    } else if (e->kind == AST_UNARY) {
        wrapped_unary(out, e, indent);
    } else if (e->kind == AST_IF) {
        wrapped_if(out, e, indent);
    } else {
        flat(out, e);
    }
}

/* On one line where it fits, with the character that may follow. */
static void wrapped(Text *out, const Ast *e, int indent)
{
    if (fits(out, flat_length(e) + 1))
        flat(out, e);
    else
        broken(out, e, indent);
}

/* ---- Statements --------------------------------------------------------- */

static void names(Text *out, AstList list)
{
    for (int i = 0; i < list.n; i++)
        text_printf(out, "%s%s", i ? ", " : "", list.at[i]->name);
}

static void shape(Text *out, const Ast *s)
{
    if (!s)
        return;
    put(out, ": ");
    flat(out, s);
}

static void value(Text *out, const char *before, const Ast *e, int indent)
{
    if (!e)
        return;
    put(out, before);
    wrapped(out, e, indent);
}

/* What does not fit behind the `=` begins on the next line, unless it is a
 * list or a call that would not fit there either. */
static void assigned(Text *out, const Ast *e, int indent)
{
    size_t n = flat_length(e);
    bool bracketed = e->kind == AST_CALL || e->kind == AST_LIST;
    put(out, " =");
    if (fits(out, n + 2) || (bracketed && (size_t)indent + INDENT + n + 1 > WIDTH)) {
        value(out, " ", e, indent);
        return;
    }
    new_line(out, indent + INDENT);
    wrapped(out, e, indent);
}

/* A line must not begin with what continues the line above or with a keyword
 * of its own. */
static bool needs_parentheses(const Ast *e)
{
    static const char *const openers[] = {"minimize", "return", "epochs", "batch", "emit",
                                          "then",     "else",   "and",    "or"};
    while (e->kind == AST_BINARY)
        e = e->a;
    if (e->kind == AST_UNARY)
        return e->op == '-';
    bool named = e->kind == AST_NAME || e->kind == AST_CALL;
    for (size_t i = 0; named && i < sizeof openers / sizeof *openers; i++)
        if (strcmp(e->name, openers[i]) == 0)
            return true;
    return false;
}

static void line(Text *out, const Ast *s, int indent)
{
    if (s->name)
        text_printf(out, "%s: ", s->name);
    bool inside = !s->name && needs_parentheses(s->a);
    value(out, inside ? "(" : "", s->a, indent);
    put(out, inside ? ")" : "");
}

static void bind(Text *out, const Ast *s, int indent)
{
    names(out, s->kids);
    assigned(out, s->a, indent);
}

static void stored(Text *out, const char *word, const Ast *s, int indent)
{
    text_printf(out, "%s %s", word, s->name);
    shape(out, s->a);
    assigned(out, s->b, indent);
}

static void returned(Text *out, const Ast *s, int indent)
{
    put(out, "return ");
    for (int i = 0; i < s->kids.n; i++)
        value(out, i ? ", " : "", s->kids.at[i], indent);
}

static void data(Text *out, const Ast *s, int indent)
{
    put(out, "data ");
    names(out, s->kids);
    shape(out, s->b);
    assigned(out, s->a, indent);
}

static void parameters(Text *out, const Ast *s, int indent)
{
    filled_list(out, "(", s->params, ")", indent);
}

static void bound_names(Text *out, const Ast *s)
{
    if (s->params.n == 0)
        return;
    put(out, "(");
    names(out, s->params);
    put(out, ")");
}

static void sequence(Text *out, const Ast *s)
{
    bool range = s->kind == AST_BINARY && s->op == AST_OP_RANGE;
    flat(out, range ? s->a : s);
    if (range) {
        put(out, "..");
        flat(out, s->b);
    }
}

/* What a scan carries, on a line of its own where the first does not hold it. */
static void carrying(Text *out, const Ast *s, int indent)
{
    size_t n = strlen(" carrying {");
    for (int i = 0; i < s->params.n; i++)
        n += strlen(s->params.at[i]->kids.at[0]->name) + strlen(" = , ") +
             flat_length(s->params.at[i]->a);
    if (fits(out, n))
        put(out, " ");
    else
        new_line(out, indent + INDENT);
    put(out, "carrying ");
    for (int i = 0; i < s->params.n; i++) {
        put(out, i ? ", " : "");
        bind(out, s->params.at[i], indent);
    }
}

static void scan(Text *out, const Ast *s, int indent)
{
    put(out, "scan ");
    for (int i = 0; i < s->b->kids.n; i++)
        text_printf(out, "%s%s", i ? ", " : "", s->b->kids.at[i]->name);
    for (int i = 0; i < s->a->kids.n; i++) {
        put(out, i ? ", " : " in ");
        sequence(out, s->a->kids.at[i]);
    }
    if (s->c)
        text_printf(out, " along %s%s", s->c->name, s->c->flag ? " backwards" : "");
    if (s->c && s->c->b) {
        put(out, " if ");
        flat(out, s->c->b);
    }
    if (s->a->a) {
        put(out, " checkpoint ");
        flat(out, s->a->a);
    }
    if (s->params.n > 0)
        carrying(out, s, indent);
}

static void let(Text *out, const Ast *s, int indent)
{
    text_printf(out, "let %s", s->name);
    if (s->params.n >= 0)
        parameters(out, s, indent);
    assigned(out, s->a, indent);
}

static void declared(Text *out, const char *word, const Ast *s, int indent)
{
    text_printf(out, "%s %s", word, s->name);
    parameters(out, s, indent);
}

/* ` using nadam()`, on a line of its own where it does not fit. */
static void using(Text *out, const Ast *optimizer, int indent)
{
    if (!optimizer)
        return;
    bool here = fits(out, flat_length(optimizer) + strlen(" using "));
    if (!here)
        new_line(out, indent + INDENT);
    value(out, here ? " using " : "using ", optimizer, indent + INDENT);
}

/* The statement without its block. */
static void head(Text *out, const Ast *s, int indent)
{
    switch (s->kind) {
    case AST_BIND: bind(out, s, indent); break;
    case AST_LINE: line(out, s, indent); break;
    case AST_PARAM: stored(out, "param", s, indent); break;
    case AST_STATE: stored(out, "state", s, indent); break;
    case AST_UPDATE:
        text_printf(out, "update %s", s->name);
        assigned(out, s->a, indent);
        break;
    case AST_USING:
        put(out, "update ");
        names(out, s->kids);
        using(out, s->a, indent);
        break;
    case AST_MINIMIZE:
        value(out, "minimize ", s->a, indent);
        using(out, s->b, indent);
        break;
    case AST_RETURN: returned(out, s, indent); break;
    case AST_VALIDATE: text_printf(out, "validate on %s", s->name); break;
    case AST_EPOCHS: value(out, "epochs ", s->a, indent); break;
    case AST_BATCH:
        value(out, "batch ", s->a, indent);
        put(out, s->flag ? ", drop last" : "");
        break;
    case AST_STEP:
        text_printf(out, "step %s", s->name);
        value(out, " repeat ", s->a, indent);
        break;
    case AST_SCAN: scan(out, s, indent); break;
    case AST_EMIT: value(out, "emit ", s->a, indent); break;
    case AST_IMPORT:
        put(out, "import ");
        text_quote(out, s->text);
        if (s->a) {
            put(out, " using ");
            text_quote(out, s->a->text);
        }
        break;
    case AST_LET: let(out, s, indent); break;
    case AST_DATA: data(out, s, indent); break;
    case AST_NETWORK: declared(out, "network", s, indent); break;
    case AST_LAYER: declared(out, "layer", s, indent); break;
    case AST_OPTIMIZER: declared(out, "optimizer", s, indent); break;
    case AST_TRAIN:
        text_printf(out, "train on %s", s->name);
        bound_names(out, s);
        break;
    case AST_REPORT:
        text_printf(out, "report on %s", s->name);
        bound_names(out, s);
        break;
    default: die("format: %s as a statement", ast_kind_name(s->kind));
    }
}

/* ---- Comments and blocks ------------------------------------------------ */

/* Each line of them at the indentation of what follows. */
static void comments(Text *out, const char *text, int indent)
{
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        if (n)
            text_printf(out, "%*s%.*s", indent, "", (int)n, text);
        put(out, "\n");
        text += n + (text[n] == '\n');
    }
}

static void statements(Text *out, AstList list, int indent);

static void block(Text *out, const Ast *s, int indent)
{
    bool empty = s->kids.n == 0 && !s->closing && !s->trailing;
    put(out, empty ? " {}" : " {");
    if (s->trailing)
        text_printf(out, "  %s", s->trailing);
    put(out, "\n");
    statements(out, s->kids, indent + INDENT);
    comments(out, s->closing, indent + INDENT);
    if (!empty)
        text_printf(out, "%*s}\n", indent, "");
}

static void statement(Text *out, const Ast *s, int indent)
{
    comments(out, s->comment, indent);
    text_printf(out, "%*s", indent, "");
    head(out, s, indent);
    if (s->open_line) {
        block(out, s, indent);
        return;
    }
    if (s->trailing)
        text_printf(out, "  %s", s->trailing);
    put(out, "\n");
}

static void statements(Text *out, AstList list, int indent)
{
    for (int i = 0; i < list.n; i++) {
        if (list.at[i]->blank && i > 0)
            put(out, "\n");
        statement(out, list.at[i], indent);
    }
}

/* ---- Entry -------------------------------------------------------------- */

void format_ast(Text *out, const Ast *file)
{
    statements(out, file->kids, 0);
    comments(out, file->closing, 0);
}

void format_signature(Text *out, const Ast *d)
{
    const char *words[N_AST] = {[AST_NETWORK] = "network",
                                [AST_LAYER] = "layer",
                                [AST_OPTIMIZER] = "optimizer",
                                [AST_LET] = "let"};
    text_printf(out, "%s %s", words[d->kind], d->name);
    if (d->params.n >= 0)
        flat_list(out, "(", d->params, ")");
}
