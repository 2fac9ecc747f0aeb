/* Layout: ends of statements, and keywords told from names.
 *
 * A statement ends with its line, at `;` and before `}`. A line goes on
 * inside ( ) and [ ], after a binary operator, `,`, `=` or `:`, and where the
 * next line begins with a binary operator or with a word such as `using`.
 *
 * A word is a keyword only where that keyword can stand, so that it can be a
 * name everywhere else: `step = 3`, `dense(3, repeat: 2)`, `network batch(x)`. */
#include "syntax.h"
#include "grammar.h"

#include <string.h>

enum { MOST_OPEN = 200 }; /* brackets inside each other             */

/* ---- Keywords ----------------------------------------------------------- */

typedef enum KeywordClass {
    OPENS_DECLARATION, /* at the start of a line outside of blocks       */
    OPENS_WITH_NAME,   /* at the start of a statement: `state v`         */
    OPENS_WITH_VALUE,  /* … : `minimize a + b`                           */
    AFTER_OPERAND,     /* `a then b`, `x using y`                        */
    BEFORE_OPERAND,    /* `if a`, `not a`, `backwards if a`              */
    BY_PLACE           /* `on`, `drop`, `last`: each has one place       */
} KeywordClass;

typedef struct Keyword {
    const char *word;
    int code;
    KeywordClass class;
} Keyword;

static const Keyword keywords[] = {
    {"import", IMPORT, OPENS_DECLARATION},
    {"let", LET, OPENS_DECLARATION},
    {"data", DATA, OPENS_DECLARATION},
    {"network", NETWORK, OPENS_DECLARATION},
    {"layer", LAYER, OPENS_DECLARATION},
    {"optimizer", OPTIMIZER, OPENS_DECLARATION},
    {"train", TRAIN, OPENS_DECLARATION},
    {"report", REPORT, OPENS_DECLARATION},
    {"param", PARAM, OPENS_WITH_NAME},
    {"state", STATE, OPENS_WITH_NAME},
    {"update", UPDATE, OPENS_WITH_NAME},
    {"validate", VALIDATE, OPENS_WITH_NAME},
    {"step", STEP, OPENS_WITH_NAME},
    {"scan", SCAN, OPENS_WITH_NAME},
    {"minimize", MINIMIZE, OPENS_WITH_VALUE},
    {"return", RETURN, OPENS_WITH_VALUE},
    {"epochs", EPOCHS, OPENS_WITH_VALUE},
    {"batch", BATCH, OPENS_WITH_VALUE},
    {"emit", EMIT, OPENS_WITH_VALUE},
    {"then", THEN, AFTER_OPERAND},
    {"else", ELSE, AFTER_OPERAND},
    {"and", AND, AFTER_OPERAND},
    {"or", OR, AFTER_OPERAND},
    {"using", USING, AFTER_OPERAND},
    {"repeat", REPEAT, AFTER_OPERAND},
    {"in", IN, AFTER_OPERAND},
    {"along", ALONG, AFTER_OPERAND},
    {"backwards", BACKWARDS, AFTER_OPERAND},
    {"checkpoint", CHECKPOINT, AFTER_OPERAND},
    {"carrying", CARRYING, AFTER_OPERAND},
    {"if", IF, BEFORE_OPERAND},
    {"not", NOT, BEFORE_OPERAND},
    {"on", ON, BY_PLACE},
    {"drop", DROP, BY_PLACE},
    {"last", LAST, BY_PLACE},
};
enum { N_KEYWORDS = sizeof keywords / sizeof *keywords };

static const Keyword *keyword_of(const Token *t)
{
    for (int i = 0; t->code == NAME && i < N_KEYWORDS; i++)
        if (strcmp(t->text, keywords[i].word) == 0)
            return &keywords[i];
    return NULL;
}

const char *const *layout_openers(bool in_block, int *n)
{
    static const char *words[N_KEYWORDS];
    *n = 0;
    for (int i = 0; i < N_KEYWORDS; i++) {
        bool opens_block =
            keywords[i].class == OPENS_WITH_NAME || keywords[i].class == OPENS_WITH_VALUE;
        if (in_block ? opens_block : keywords[i].class == OPENS_DECLARATION)
            words[(*n)++] = keywords[i].word;
    }
    return words;
}

/* ---- State -------------------------------------------------------------- */

struct Layout {
    const Token *tokens;
    int next;                   /* the token that is looked at            */
    Token current, previous;    /* as delivered                           */
    bool began, previous_began; /* is current, previous a statement's first */
    int opener;                 /* code of the statement's first token    */
    Token open[MOST_OPEN];
    int depth;
    Token unclosed; /* ( or [ left open at the END or { before */
    bool gave_up;
};

Layout *layout_new(const Tokens *tokens)
{
    Layout *l = NEW(Layout);
    l->tokens = tokens->at;
    l->current.code = l->previous.code = END;
    return l;
}

const Token *layout_current(const Layout *l)
{
    return &l->current;
}

const Token *layout_previous(const Layout *l)
{
    return &l->previous;
}

bool layout_previous_began_statement(const Layout *l)
{
    return l->previous_began;
}

bool layout_gave_up(const Layout *l)
{
    return l->gave_up;
}

/* The innermost bracket that is open, 0 for none. */
static int top(const Layout *l)
{
    return l->depth ? l->open[l->depth - 1].code : 0;
}

static bool in_parentheses(const Layout *l)
{
    return top(l) == '(' || top(l) == '[';
}

const Token *layout_open(const Layout *l)
{
    if (in_parentheses(l))
        return &l->open[l->depth - 1];
    bool closes = l->current.code == END || l->current.code == '{';
    return closes && l->unclosed.code ? &l->unclosed : NULL;
}

bool layout_in_block(const Layout *l)
{
    for (int i = 0; i < l->depth; i++)
        if (l->open[i].code == '{')
            return true;
    return false;
}

void layout_recover(Layout *l)
{
    while (in_parentheses(l))
        l->depth--;
}

static bool at_start(const Layout *l)
{
    return l->current.code == END || l->current.code == '{';
}

/* ---- Classes of tokens -------------------------------------------------- */

static bool is_operator(int code)
{
    switch (code) {
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '@':
    case '^':
    case '<':
    case '>':
    case LE:
    case GE:
    case EQ:
    case NE: return true;
    default: return false;
    }
}

static bool ends_operand(int code)
{
    switch (code) {
    case NAME:
    case DOTTED:
    case NUMBER:
    case STRING:
    case BOOL:
    case BACKWARDS:
    case ')':
    case ']': return true;
    default: return false;
    }
}

static bool begins_operand(int code)
{
    switch (code) {
    case NAME:
    case DOTTED:
    case NUMBER:
    case STRING:
    case BOOL:
    case '(':
    case '[':
    case '-':
    case IF:
    case NOT: return true;
    default: return false;
    }
}

/* After these only a name can follow. */
static bool demands_name(int code)
{
    switch (code) {
    case LET:
    case DATA:
    case NETWORK:
    case LAYER:
    case OPTIMIZER:
    case ON:
    case PARAM:
    case STATE:
    case UPDATE:
    case STEP:
    case SCAN:
    case ALONG:
    case CARRYING: return true;
    default: return false;
    }
}

static bool demands_more(int code)
{
    switch (code) {
    case '=':
    case ',':
    case ':':
    case THEN:
    case ELSE:
    case AND:
    case OR:
    case NOT:
    case IF:
    case USING:
    case IN:
    case ALONG:
    case CHECKPOINT:
    case CARRYING:
    case DOTDOT: return true;
    default: return is_operator(code);
    }
}

/* ---- Where statements end ----------------------------------------------- */

/* A word that goes on with the line above, unless it is bound or labelled. */
static bool continues(const Token *t)
{
    const Keyword *k = keyword_of(t);
    if (!k || k->class != AFTER_OPERAND)
        return is_operator(t->code) || t->code == '=' || t->code == '{' || t->code == DOTDOT;
    bool logic = k->code == THEN || k->code == ELSE || k->code == AND || k->code == OR;
    int follows = t[1].pos.line == t->pos.line ? t[1].code : END;
    return logic ? begins_operand(follows) : follows == NAME || follows == NUMBER;
}

static bool statement_ends_before(const Layout *l, const Token *t)
{
    int last = l->current.code;
    if (last == END || last == '{')
        return false;
    if (last == '}' || t->code == '}' || t->code == FILE_END)
        return true;
    if (t->code == SEMICOLON)
        return !in_parentheses(l);
    return !in_parentheses(l) && t->pos.line != l->current.pos.line && !demands_more(last) &&
           !continues(t);
}

/* Just behind the token before it. */
static Token end_token(const Layout *l)
{
    Token t = {END, l->current.pos, "", 0};
    t.pos.column += t.pos.length;
    t.pos.length = 1;
    return t;
}

/* ---- Keywords or names -------------------------------------------------- */

static bool is_opener(const Layout *l, const Keyword *k, const Token *t)
{
    bool same_line = t[1].pos.line == t->pos.line;
    int follows = same_line ? t[1].code : END;
    if (k->class == OPENS_DECLARATION)
        return !layout_in_block(l) || follows == NAME || (k->code == IMPORT && follows == STRING);
    if (k->class == OPENS_WITH_NAME)
        return follows == NAME || follows == DOTTED || (k->code == STEP && follows == '{');
    return begins_operand(follows) || follows == END || follows == '}';
}

static bool is_by_place(const Layout *l, int code)
{
    int last = l->current.code;
    switch (code) {
    case ON: return last == TRAIN || last == REPORT || last == VALIDATE;
    case DROP: return last == ',' && l->opener == BATCH && !in_parentheses(l);
    default: return last == DROP;
    }
}

static bool is_keyword(const Layout *l, const Keyword *k, const Token *t)
{
    int last = l->current.code;
    if (demands_name(last))
        return false;
    switch (k->class) {
    case AFTER_OPERAND: return ends_operand(last);
    case BEFORE_OPERAND:
        return (!ends_operand(last) || (last == BACKWARDS && k->code == IF)) &&
               t[1].pos.line == t->pos.line && begins_operand(t[1].code);
    case BY_PLACE: return is_by_place(l, k->code);
    default: return at_start(l) && is_opener(l, k, t);
    }
}

static Token classified(const Layout *l, const Token *t)
{
    Token out = *t;
    const Keyword *k = keyword_of(t);
    if (k && is_keyword(l, k, t))
        out.code = k->code;
    else if (t->code == NAME && (strcmp(t->text, "true") == 0 || strcmp(t->text, "false") == 0))
        out.code = BOOL;
    return out;
}

/* ---- Braces that are missing -------------------------------------------- */

static void report_missing_brace(const Layout *l, const Token *t)
{
    const char *before = t->code == FILE_END ? "the end of the file" : format("`%s`", t->text);
    error_at(t->pos, "a `}` is missing before %s", before);
    note_at(l->open[l->depth - 1].pos, "this `{` is open");
}

/* A declaration in a block, or the end of the file: the block's `}` was
 * forgotten. It is reported and put in, so that what follows is read well. */
static bool brace_is_missing(const Layout *l, const Token *t)
{
    if (top(l) != '{' || !at_start(l))
        return false;
    const Keyword *k = keyword_of(t);
    return t->code == FILE_END ||
           (k && k->class == OPENS_DECLARATION && k->code != LET && is_opener(l, k, t));
}

/* ---- Entry -------------------------------------------------------------- */

/* Brackets left open end with the statement that they stand in, or where a
 * block begins. */
static void leave_parentheses(Layout *l)
{
    l->unclosed = in_parentheses(l) ? l->open[l->depth - 1] : (Token){0};
    layout_recover(l);
}

static void open_bracket(Layout *l, const Token *t)
{
    if (t->code == '{')
        leave_parentheses(l);
    if (l->depth < MOST_OPEN) {
        l->open[l->depth++] = *t;
        return;
    }
    error_at(t->pos, "brackets are nested more than %d deep", MOST_OPEN);
    l->gave_up = true;
}

static void close_bracket(Layout *l, const Token *t)
{
    int opening = t->code == ')' ? '(' : t->code == ']' ? '[' : '{';
    if (top(l) == opening)
        l->depth--;
}

static const Token *skip_semicolons(Layout *l)
{
    while (at_start(l) && l->tokens[l->next].code == SEMICOLON)
        l->next++;
    return &l->tokens[l->next];
}

static Token following(Layout *l)
{
    const Token *t = skip_semicolons(l);
    if (statement_ends_before(l, t)) {
        leave_parentheses(l);
        return end_token(l);
    }
    if (brace_is_missing(l, t)) {
        report_missing_brace(l, t);
        return (Token){'}', t->pos, "}", 0};
    }
    l->next += t->code != FILE_END;
    return classified(l, t);
}

static void advance(Layout *l)
{
    l->previous = l->current;
    l->previous_began = l->began;
    l->began = at_start(l);
    l->current = following(l);
    int code = l->current.code;
    if (l->began)
        l->opener = code;
    if (code == '(' || code == '[' || code == '{')
        open_bracket(l, &l->current);
    else if (code == ')' || code == ']' || code == '}')
        close_bracket(l, &l->current);
}

static Ast *leaf(const Token *t)
{
    Ast fields = {.kind = AST_NAME, .pos = t->pos, .pos2 = t->pos};
    if (t->code == NUMBER || t->code == STRING) {
        fields.kind = t->code == NUMBER ? AST_NUMBER : AST_STRING;
        fields.text = t->text;
        fields.number = t->number;
    } else if (t->code == BOOL) {
        fields.kind = AST_BOOL;
        fields.number = *t->text == 't';
    } else {
        fields.name = t->text;
    }
    return ast_make(fields);
}

int nn_lex(NN_STYPE *value, Pos *pos, Layout *l)
{
    if (!l->gave_up)
        advance(l);
    *pos = l->current.pos;
    int code = l->gave_up ? FILE_END : l->current.code;
    switch (code) {
    case NAME: value->NAME = leaf(&l->current); break;
    case DOTTED: value->DOTTED = leaf(&l->current); break;
    case NUMBER: value->NUMBER = leaf(&l->current); break;
    case STRING: value->STRING = leaf(&l->current); break;
    case BOOL: value->BOOL = leaf(&l->current); break;
    default: break;
    }
    return code;
}
