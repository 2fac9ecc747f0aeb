/* format_ast: the canonical form of a file.
 *
 * One statement a line, four spaces a level, single spaces around operators
 * but none around `^`, at most one blank line. What is longer than WIDTH is
 * broken where it is loosest: a sum before its operators, a call after each
 * argument, a condition before `then` and `else`. Parentheses and line breaks
 * of the source do not matter, so that there is one way to write each tree.
 *
 *     minimize   mse( a,b )+1e-4*penalty(c)      # both
 * becomes
 *     minimize mse(a, b) + 1e-4 * penalty(c)  # both                        */
#include "ast.h"

#include <string.h>

enum { WIDTH = 90, INDENT = 4 };

/* ---- Expressions on one line -------------------------------------------- */

typedef enum Level {               /* loosest first                          */
    LEVEL_IF, LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARE, LEVEL_SUM,
    LEVEL_PRODUCT, LEVEL_NEGATIVE, LEVEL_POWER, LEVEL_PRIMARY
} Level;

static Level level_of_operator(int op)
{
    switch (op) {
    case AST_OP_OR: return LEVEL_OR;
    case AST_OP_AND: return LEVEL_AND;
    case '+': case '-': return LEVEL_SUM;
    case '*': case '/': case '%': case '@': return LEVEL_PRODUCT;
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

static void wrapped_list(Text *out, const char *open, AstList list, const char *close,
                         int indent)
{
    put(out, open);
    for (int i = 0; i < list.n; i++) {
        new_line(out, indent + INDENT);
        wrapped(out, list.at[i], indent + INDENT);
        put(out, i < list.n - 1 ? "," : "");
    }
    new_line(out, indent);
    put(out, close);
}

static void wrapped_operand(Text *out, const Ast *e, Level least, int indent)
{
    bool inside = level_of(e) < least;
    put(out, inside ? "(" : "");
    wrapped(out, e, indent);
    put(out, inside ? ")" : "");
}

/* a + b - c: each term on its line, behind its operator. */
static void wrapped_chain(Text *out, const Ast *e, Level level, int indent)
{
    if (e->a->kind == AST_BINARY && level_of(e->a) == level && level != LEVEL_COMPARE)
        wrapped_chain(out, e->a, level, indent);
    else
        wrapped_operand(out, e->a, left_level(e->op), indent);
    new_line(out, indent + INDENT);
    text_printf(out, "%s ", ast_op_name(e->op));
    wrapped_operand(out, e->b, right_level(e->op), indent + INDENT);
}

static void wrapped_if(Text *out, const Ast *e, int indent)
{
    put(out, "if ");
    wrapped(out, e->a, indent);
    new_line(out, indent + INDENT);
    put(out, "then ");
    wrapped(out, e->b, indent + INDENT);
    new_line(out, indent + INDENT);
    put(out, "else ");
    wrapped(out, e->c, indent + INDENT);
}

static void broken(Text *out, const Ast *e, int indent)
{
    if (e->kind == AST_CALL && e->kids.n > 0) {
        put(out, e->name);
        wrapped_list(out, "(", e->kids, ")", indent);
    } else if (e->kind == AST_LIST && e->kids.n > 0) {
        wrapped_list(out, "[", e->kids, "]", indent);
    } else if (e->kind == AST_ARG) {
        text_printf(out, e->name ? "%s: " : "", e->name);
        wrapped(out, e->a, indent);
    } else if (e->kind == AST_BINARY && e->op != '^') {
        wrapped_chain(out, e, level_of(e), indent);
    } else if (e->kind == AST_IF) {
        wrapped_if(out, e, indent);
    } else {
        flat(out, e);
    }
}

/* On one line where it fits, with the character that may follow. */
static void wrapped(Text *out, const Ast *e, int indent)
{
    Text line = {0};
    flat(&line, e);
    if (column_of(out) + (int)line.n + 1 <= WIDTH)
        text_put(out, line.at, line.n);
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

/* A line must not begin with what continues the line above or with a keyword
 * of its own. */
static bool needs_parentheses(const Ast *e)
{
    static const char *const openers[] = {"minimize", "return", "epochs", "batch", "emit"};
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
    value(out, " = ", s->a, indent);
}

static void stored(Text *out, const char *word, const Ast *s, int indent)
{
    text_printf(out, "%s %s", word, s->name);
    shape(out, s->a);
    value(out, " = ", s->b, indent);
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
    value(out, " = ", s->a, indent);
}

static void parameters(Text *out, const Ast *s, int indent)
{
    Text flat_form = {0};
    flat_list(&flat_form, "(", s->params, ")");
    if (column_of(out) + (int)flat_form.n + 2 <= WIDTH)
        put(out, flat_form.at);
    else
        wrapped_list(out, "(", s->params, ")", indent);
}

static void bound_names(Text *out, const Ast *s)
{
    if (s->params.n == 0)
        return;
    put(out, "(");
    names(out, s->params);
    put(out, ")");
}

static void scan(Text *out, const Ast *s, int indent)
{
    text_printf(out, "scan %s in ", s->name);
    if (s->a->kind == AST_BINARY && s->a->op == AST_OP_RANGE) {
        flat(out, s->a->a);
        put(out, "..");
        flat(out, s->a->b);
    } else {
        flat(out, s->a);
    }
    if (s->c)
        text_printf(out, " along %s", s->c->name);
    for (int i = 0; i < s->params.n; i++) {
        put(out, i ? ", " : " carrying ");
        bind(out, s->params.at[i], indent);
    }
}

static void let(Text *out, const Ast *s, int indent)
{
    text_printf(out, "let %s", s->name);
    if (s->params.n >= 0)
        parameters(out, s, indent);
    value(out, " = ", s->a, indent);
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
    Text call = {0};
    flat(&call, optimizer);
    bool fits = column_of(out) + (int)call.n + (int)strlen(" using ") <= WIDTH;
    if (!fits)
        new_line(out, indent + INDENT);
    value(out, fits ? " using " : "using ", optimizer, fits ? indent : indent + INDENT);
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
        value(out, " = ", s->a, indent);
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
    const char *words[N_AST] = {[AST_NETWORK] = "network", [AST_LAYER] = "layer",
                                [AST_OPTIMIZER] = "optimizer", [AST_LET] = "let"};
    text_printf(out, "%s %s", words[d->kind], d->name);
    if (d->params.n >= 0)
        flat_list(out, "(", d->params, ")");
}
