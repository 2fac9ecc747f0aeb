/* print_ast: the tree as an indented outline, one node a line. */
#include "ast.h"

static const char *const labels[N_AST] = {
    [AST_NUMBER] = "number",     [AST_STRING] = "string",       [AST_BOOL] = "bool",
    [AST_NAME] = "name",         [AST_LIST] = "list",           [AST_ELLIPSIS] = "ellipsis",
    [AST_AT_MOST] = "at_most",   [AST_CALL] = "call",           [AST_ARG] = "arg",
    [AST_UNARY] = "unary",       [AST_BINARY] = "binary",       [AST_IF] = "if",
    [AST_BIND] = "bind",         [AST_LINE] = "line",           [AST_PARAM] = "param",
    [AST_STATE] = "state",       [AST_UPDATE] = "update",       [AST_USING] = "using",
    [AST_MINIMIZE] = "minimize", [AST_RETURN] = "return",       [AST_VALIDATE] = "validate",
    [AST_EPOCHS] = "epochs",     [AST_BATCH] = "batch",         [AST_STEP] = "step",
    [AST_SCAN] = "scan",         [AST_EMIT] = "emit",           [AST_IMPORT] = "import",
    [AST_LET] = "let",           [AST_DATA] = "data",           [AST_NETWORK] = "network",
    [AST_LAYER] = "layer",       [AST_OPTIMIZER] = "optimizer", [AST_PARAMETER] = "parameter",
    [AST_TRAIN] = "train",       [AST_REPORT] = "report",       [AST_FILE] = "file",
};

static void print_node(Text *out, const Ast *n, const char *role, int depth);

static void print_list(Text *out, AstList list, const char *role, int depth)
{
    for (int i = 0; i < list.n; i++)
        print_node(out, list.at[i], role, depth);
}

static void print_value(Text *out, const Ast *n)
{
    if (n->name)
        text_printf(out, " %s", n->name);
    if (n->kind == AST_NUMBER)
        text_printf(out, " %s", n->text);
    else if (n->text) {
        text_printf(out, " ");
        text_quote(out, n->text);
    }
    if (n->kind == AST_BOOL)
        text_printf(out, n->number ? " true" : " false");
    if (n->op)
        text_printf(out, " %s", ast_op_name(n->op));
    if (n->flag)
        text_printf(out, " drop_last");
}

static void print_node(Text *out, const Ast *n, const char *role, int depth)
{
    if (!n)
        return;
    text_printf(out, "%*s%s%s", 2 * depth, "", role, labels[n->kind]);
    print_value(out, n);
    if (n->pos.line)
        text_printf(out, "  # %d:%d", n->pos.line, n->pos.column);
    text_printf(out, "\n");
    print_list(out, n->params, "with ", depth + 1);
    print_node(out, n->a, "a ", depth + 1);
    print_node(out, n->b, "b ", depth + 1);
    print_node(out, n->c, "c ", depth + 1);
    print_list(out, n->kids, "", depth + 1);
}

void print_ast(Text *out, const Ast *file)
{
    print_node(out, file, "", 0);
}
