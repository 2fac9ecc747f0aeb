/* The abstract syntax tree of a .nn file: what the parser builds, what
 * `--format` prints and what check() reads.
 *
 * One struct serves every node; which fields a kind uses stands beside it.
 * Nodes live in the compilation's arena and are never freed. */
#ifndef AECC_AST_H
#define AECC_AST_H

#include "aecc.h"

typedef enum AstKind {
    /* Expressions. */
    AST_NUMBER,   /* number (text keeps the spelling for --format)           */
    AST_STRING,   /* text, unescaped                                          */
    AST_BOOL,     /* number 0 or 1: true, false                               */
    AST_NAME,     /* name                                                     */
    AST_LIST,     /* kids: [a, b, ..., c]; in shapes AST_ELLIPSIS may occur   */
    AST_ELLIPSIS, /* `...` inside a list                                      */
    AST_AT_MOST,  /* `time <= 512` inside a shape: name, a = bound            */
    AST_CALL,     /* name, kids = AST_ARG                                     */
    AST_ARG,      /* name or NULL, a = value                                  */
    AST_UNARY,    /* op ('-' or AST_OP_NOT), a                                */
    AST_BINARY,   /* op, a, b                                                 */
    AST_IF,       /* a = condition, b = then, c = else                        */
    /* Statements of networks, layers, optimizers, steps, train, report. */
    AST_BIND,     /* kids = AST_NAME (one or more), a = value                 */
    AST_LINE,     /* name = label or NULL, a = expression (a layer's line)    */
    AST_PARAM,    /* name, a = shape (AST_LIST) or NULL, b = initial value    */
    AST_STATE,    /* name, a = shape (AST_LIST) or NULL, b = initial value    */
    AST_UPDATE,   /* `update name = a`: the new value of a layer's state      */
    AST_USING,    /* `update kids using a`: kids = AST_NAME, a = AST_CALL     */
    AST_MINIMIZE, /* a = objective, b = AST_CALL of the optimizer or NULL     */
    AST_RETURN,   /* kids = expressions                                       */
    AST_VALIDATE, /* name = data source, pos2 = its place                     */
    AST_EPOCHS,   /* a                                                        */
    AST_BATCH,    /* a, flag = drop last                                      */
    AST_STEP,     /* name, a = repeat or NULL, kids = body                    */
    AST_SCAN,     /* kids = body; kept by the grammar for recurrence          */
    AST_EMIT,     /* a                                                        */
    /* Declarations of a file. */
    AST_IMPORT,   /* text = path                                              */
    AST_LET,      /* name, params, a = value; params.n < 0: a constant        */
    AST_DATA,     /* kids = AST_NAME, b = shape or NULL, a = value            */
    AST_NETWORK,  /* name, params, kids = body                                */
    AST_LAYER,    /* name, params, kids = body                                */
    AST_OPTIMIZER,/* name, params, kids = body                                */
    AST_PARAMETER,/* of one of these: name, a = shape or NULL, b = default    */
    AST_TRAIN,    /* name = data, params = bound names (AST_NAME), kids       */
    AST_REPORT,   /* name = data, params = bound names (AST_NAME), kids       */
    AST_FILE,     /* kids = declarations                                      */
    N_AST
} AstKind;

/* Operators of AST_UNARY and AST_BINARY; one-character ones are themselves:
 * '+' '-' '*' '/' '^' '@' '%' '<' '>'. */
enum { AST_OP_LE = 256, AST_OP_GE, AST_OP_EQ, AST_OP_NE,
       AST_OP_AND, AST_OP_OR, AST_OP_NOT };

typedef struct Ast Ast;
typedef struct AstList { Ast **at; int n; } AstList;

struct Ast {
    AstKind kind;
    Pos pos;              /* the whole construct's first token               */
    Pos pos2;             /* the name inside it, where that helps a caret    */
    const char *name;     /* interned                                        */
    const char *text;     /* strings; the spelling of numbers                */
    double number;
    int op;
    bool flag;
    Ast *a, *b, *c;
    AstList kids, params;
    const char *comment;  /* comment lines before it, for --format, or NULL  */
    const char *trailing; /* comment at the end of its line, or NULL         */
    bool blank;           /* a blank line stood before it, for --format      */
};

/* Constructors (actions of the grammar call only these). */
Ast *ast_new(AstKind kind, Pos pos);
AstList ast_append(AstList list, Ast *kid);

/* Parses the text of source file number `file` (see diag_source()). Reports
 * every syntax error it can recover from; returns NULL after any. */
Ast *parse(int file);

/* The tree as an indented outline, for --emit=ast. */
void print_ast(Text *out, const Ast *file);

/* The canonical form of a file, for --format: parse(format(f)) equals
 * parse(f), and format(format(f)) equals format(f). Comments are kept. */
void format_ast(Text *out, const Ast *file);

#endif
