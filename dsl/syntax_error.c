/* Messages of syntax errors: what was found, what could have stood there,
 * and the likely slip. */
#include "syntax.h"
#include "grammar.h"

#include <string.h>

/* ---- What could have stood there ---------------------------------------- */

/* Bison's names of tokens, by what they say together. */
static const char *const operand_tokens[] = {
    "a name", "a dotted name", "a number", "a string", "true or false",
    "if",     "not",           "'-'",      "'('",      "'['",
};
static const char *const operator_tokens[] = {
    "and", "or",  "'<'", "'>'", "<=",  ">=",  "==",  "!=",
    "'+'", "'-'", "'*'", "'/'", "'%'", "'@'", "'^'", "'('",
};
static const char *const statement_tokens[] = {
    "param",  "state", "update", "minimize", "return", "validate",
    "epochs", "batch", "step",   "scan",     "emit",
};
static const char *const declaration_tokens[] = {
    "import", "let", "data", "network", "layer", "optimizer", "train", "report",
};

/* A class stands for its members where its sign is among what is expected. */
static const struct Class {
    const char *sign, *name;
    const char *const *members;
    int n;
} classes[] = {
#define CLASS(sign, name, list)                      \
    {                                                \
        sign, name, list, sizeof list / sizeof *list \
    }
    CLASS("network", "a declaration", declaration_tokens),
    CLASS("minimize", "a statement", statement_tokens),
    CLASS("a number", "an expression", operand_tokens),
    CLASS("and", "an operator", operator_tokens),
};
enum { N_CLASSES = sizeof classes / sizeof *classes, OPERATOR = N_CLASSES - 1 };

static bool among(const char *word, const char *const *list, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

static bool in_a_class(const char *token, const bool *present)
{
    for (int c = 0; c < N_CLASSES; c++)
        if (present[c] && among(token, classes[c].members, classes[c].n))
            return true;
    return false;
}

static const char *quoted(const char *token)
{
    if (strchr(token, ' '))
        return token;
    size_t n = strlen(token);
    bool character = n == 3 && token[0] == '\'';
    return character ? format("`%c`", token[1]) : format("`%s`", token);
}

typedef struct Alternatives {
    const char *at[80];
    int n;
} Alternatives;

static void add(Alternatives *a, const char *what)
{
    if (a->n < (int)(sizeof a->at / sizeof *a->at))
        a->at[a->n++] = what;
}

/* Where a statement could begin its block could end, too; that goes without
 * saying. */
static bool is_end(const char *token)
{
    return strcmp(token, "the end of the file") == 0 || strcmp(token, "'}'") == 0;
}

/* Statements include expressions; an operator is named only when nothing
 * else could go on. */
static Alternatives alternatives(const char *const *expected, int n)
{
    bool present[N_CLASSES];
    for (int c = 0; c < N_CLASSES; c++)
        present[c] = among(classes[c].sign, expected, n);
    Alternatives out = {.n = 0};
    for (int c = 0; c < OPERATOR; c++)
        if (present[c] && (c == 0 || !present[c - 1]))
            add(&out, classes[c].name);
    for (int i = 0; i < n; i++)
        if (!in_a_class(expected[i], present) && !(out.n > 0 && is_end(expected[i])))
            add(&out, quoted(expected[i]));
    if (out.n == 0 && present[OPERATOR])
        add(&out, classes[OPERATOR].name);
    return out;
}

static const char *joined(const Alternatives *a)
{
    Text t = {0};
    text_put(&t, "", 0);
    for (int i = 0; i < a->n; i++)
        text_printf(&t, "%s%s", i == 0 ? "" : i < a->n - 1 ? ", " : " or ", a->at[i]);
    return t.at;
}

/* ---- What was found ----------------------------------------------------- */

static const char *found(const Layout *l, const Token *t)
{
    switch (t->code) {
    case END: return layout_open(l) ? "the end of the block" : "the end of the line";
    case FILE_END: return "the end of the file";
    case STRING: return "a string";
    default: return format("`%s`", t->text);
    }
}

/* ---- The likely slip ---------------------------------------------------- */

static void hint_opener(const Token *t, bool in_block)
{
    int n;
    const char *const *words = layout_openers(in_block, &n);
    const char *near = closest(t->text, words, n);
    if (near)
        hint("did you mean `%s`?", near);
    else if (!in_block)
        hint("outside of blocks stand import, data, let, network, layer, optimizer, "
             "train and report");
}

static bool is_statement_word(const Token *t)
{
    int n;
    const char *const *words = layout_openers(true, &n);
    return t->code != NAME && among(t->text, words, n);
}

static void hint_outside(const Token *now)
{
    if (is_statement_word(now))
        hint("`%s` belongs in the block of a declaration", now->text);
    else if (now->code == NAME)
        hint_opener(now, false);
    else if (now->code == '}')
        hint("no block is open here");
}

static void hint_inside(const Layout *l, const Token *now, const Token *before)
{
    const Token *open = layout_open(l);
    if (now->code == LET)
        hint("inside a block a name is bound without `let`: `x = …`");
    else if (now->code == '=' && open && open->code == '(')
        hint("arguments are named with `:`, as in `units: 3`");
    else if (before->code == NAME && layout_previous_began_statement(l) && now->code == NAME)
        hint_opener(before, true);
}

static bool expects(const char *const *expected, int n, const char *token)
{
    return n == 1 && strcmp(expected[0], token) == 0;
}

static void add_hint(Layout *l, const char *const *expected, int n)
{
    const Token *now = layout_current(l), *before = layout_previous(l);
    if (expects(expected, n, "'['") && before->code == ':')
        hint("a colon is followed by a shape, `x: [28, 28]`; a default is written `x = 3`");
    else if (expects(expected, n, "'('") && before->code == NAME && now->code == END)
        hint("it is called, as in `%s()`", before->text);
    else if (layout_in_block(l))
        hint_inside(l, now, before);
    else if (among("network", expected, n))
        hint_outside(now);
}

void syntax_error(Layout *l, const char *const *expected, int n)
{
    if (layout_gave_up(l))
        return;
    const Token *now = layout_current(l), *open = layout_open(l);
    Alternatives wanted = alternatives(expected, n);
    error_at(now->pos, "expected %s, found %s", joined(&wanted), found(l, now));
    if (open && (among("')'", expected, n) || among("']'", expected, n)))
        note_at(open->pos, "this `%s` is open", open->text);
    add_hint(l, expected, n);
    layout_recover(l);
}
