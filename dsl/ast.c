/* Constructors of the syntax tree and what its kinds are called. */
#include "ast.h"

static const char *const kind_names[N_AST] = {
    [AST_NUMBER] = "a number",
    [AST_STRING] = "a string",
    [AST_BOOL] = "true or false",
    [AST_NAME] = "a name",
    [AST_LIST] = "a list",
    [AST_ELLIPSIS] = "`...`",
    [AST_AT_MOST] = "a bounded dimension",
    [AST_CALL] = "a call",
    [AST_ARG] = "an argument",
    [AST_UNARY] = "an expression",
    [AST_BINARY] = "an expression",
    [AST_IF] = "an `if` expression",
    [AST_BIND] = "a bound value",
    [AST_LINE] = "a line without a name",
    [AST_PARAM] = "`param`",
    [AST_STATE] = "`state`",
    [AST_UPDATE] = "`update … = …`",
    [AST_USING] = "`update … using …`",
    [AST_MINIMIZE] = "`minimize`",
    [AST_RETURN] = "`return`",
    [AST_VALIDATE] = "`validate on`",
    [AST_EPOCHS] = "`epochs`",
    [AST_BATCH] = "`batch`",
    [AST_STEP] = "`step`",
    [AST_SCAN] = "`scan`",
    [AST_EMIT] = "`emit`",
    [AST_IMPORT] = "`import`",
    [AST_LET] = "`let`",
    [AST_DATA] = "`data`",
    [AST_NETWORK] = "a network",
    [AST_LAYER] = "a layer",
    [AST_OPTIMIZER] = "an optimizer",
    [AST_PARAMETER] = "a parameter",
    [AST_TRAIN] = "a train block",
    [AST_REPORT] = "a report block",
    [AST_FILE] = "a file",
};

const char *ast_kind_name(AstKind kind)
{
    return kind_names[kind];
}

const char *ast_op_name(int op)
{
    switch (op) {
    case AST_OP_LE: return "<=";
    case AST_OP_GE: return ">=";
    case AST_OP_EQ: return "==";
    case AST_OP_NE: return "!=";
    case AST_OP_AND: return "and";
    case AST_OP_OR: return "or";
    case AST_OP_NOT: return "not";
    case AST_OP_RANGE: return "..";
    default: return intern_n(&(char){(char)op}, 1);
    }
}

Pos pos_join(Pos a, Pos b)
{
    if (a.file == b.file && a.line == b.line && b.column >= a.column)
        a.length = b.column + b.length - a.column;
    return a;
}

/* ---- Nodes -------------------------------------------------------------- */

static int height_of(const Ast *node)
{
    return node ? node->height : 0;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int height_of_all(AstList list)
{
    int height = 0;
    for (int i = 0; i < list.n; i++)
        height = larger(height, height_of(list.at[i]));
    return height;
}

static int height_below(const Ast *n)
{
    int height = larger(height_of(n->a), larger(height_of(n->b), height_of(n->c)));
    return larger(height, larger(height_of_all(n->kids), height_of_all(n->params)));
}

/* The error is reported where the limit is passed, not at every node above. */
Ast *ast_make(Ast fields)
{
    Ast *node = NEW(Ast);
    *node = fields;
    node->height = 1 + height_below(node);
    if (node->height == AST_MAX_HEIGHT + 1) {
        error_at(node->pos, "this is nested more than %d levels deep", AST_MAX_HEIGHT);
        hint("give the inner parts names");
    }
    return node;
}

Ast *ast_new(AstKind kind, Pos pos)
{
    return ast_make((Ast){.kind = kind, .pos = pos});
}

/* The capacity is implied: lists grow at 0 and at the powers of two from 4. */
AstList ast_append(AstList list, Ast *kid)
{
    if (!kid)
        return list;
    bool full = list.n == 0 || (list.n >= 4 && (list.n & (list.n - 1)) == 0);
    if (full) {
        Ast **grown = NEW_ARRAY(Ast *, list.n ? 2 * list.n : 4);
        for (int i = 0; i < list.n; i++)
            grown[i] = list.at[i];
        list.at = grown;
    }
    list.at[list.n++] = kid;
    return list;
}

AstList ast_list(Ast *first)
{
    return ast_append((AstList){0}, first);
}

Ast *ast_body(Ast *node, AstBlock block)
{
    node->kids = block.kids;
    node->open_line = block.open_line;
    node->last_line = block.last_line;
    return node;
}

Ast *ast_unary(int op, Pos place, Ast *a)
{
    return ast_make((Ast){AST_UNARY, pos_join(place, a->pos), place, .op = op, .a = a});
}

Ast *ast_binary(Ast *a, int op, Pos place, Ast *b)
{
    return ast_make((Ast){AST_BINARY, pos_join(a->pos, b->pos), place, .op = op, .a = a, .b = b});
}

Ast *ast_dimension(Ast *e)
{
    if (e->kind != AST_BINARY || e->op != AST_OP_LE || e->a->kind != AST_NAME)
        return e;
    return ast_make((Ast){AST_AT_MOST, e->pos, e->a->pos, .name = e->a->name, .a = e->b});
}

Ast *ast_call(Ast *name, Pos pos, AstList args)
{
    return ast_make((Ast){AST_CALL, pos, name->pos, .name = name->name, .kids = args});
}
