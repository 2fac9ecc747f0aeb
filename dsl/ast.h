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
    AST_BINARY,   /* op, a, b; pos2 = the operator                            */
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
    AST_SCAN,     /* b (AST_LIST of names) in a (AST_LIST of sequences; a->a: */
                  /* checkpoint, or NULL)                                     */
                  /* along c (AST_NAME or NULL; flag: backwards, if b), params = */
                  /* carried values (AST_BIND of one name each), kids = body  */
    AST_EMIT,     /* a                                                        */
    /* Declarations of a file. */
    AST_IMPORT,   /* text = path, a = AST_STRING of its weights or NULL       */
    AST_LET,      /* name, params, a = value; params.n < 0: a constant        */
    AST_DATA,     /* kids = AST_NAME, b = shape or NULL, a = value            */
    AST_NETWORK,  /* name, params, kids = body; text = file of its weights, if */
                  /* it is of a program that is imported with them            */
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
       AST_OP_AND, AST_OP_OR, AST_OP_NOT,
       AST_OP_RANGE }; /* a..b, only as a sequence of a scan */

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
    const char *closing;  /* comment lines before its `}`, or NULL           */
    int open_line;        /* of its `{`, 0 without a body                    */
    int last_line;        /* of its last token, in statements, declarations  */
    int height;           /* of the tree below, 1 for a leaf                 */
};

/* A tree higher than this is an error, so that no pass over it overflows the
 * stack. */
enum { AST_MAX_HEIGHT = 500 };

/* A body in braces, with the lines of both. */
typedef struct AstBlock { AstList kids; int open_line, last_line; } AstBlock;

/* Constructors (actions of the grammar call only these). */
Ast *ast_new(AstKind kind, Pos pos);
Ast *ast_make(Ast fields);                  /* a copy, with its height       */
AstList ast_append(AstList list, Ast *kid); /* a NULL kid is left out        */
AstList ast_list(Ast *first);
Ast *ast_body(Ast *node, AstBlock block);   /* node.kids = the block's       */
Ast *ast_dimension(Ast *expression);        /* `n <= 9` becomes AST_AT_MOST  */
Ast *ast_unary(int op, Pos place, Ast *a);  /* place: the operator's         */
Ast *ast_binary(Ast *a, int op, Pos place, Ast *b);
Ast *ast_call(Ast *name, Pos pos, AstList args);
/* From the start of a to the end of b, where both stand on one line. */
Pos pos_join(Pos a, Pos b);

/* "network", "a bound value", … for messages; the operator's spelling. */
const char *ast_kind_name(AstKind kind);
const char *ast_op_name(int op);

/* Parses the text of source file number `file` (see diag_source()). Reports
 * every syntax error it can recover from; returns NULL after any. */
Ast *parse(int file);

/* Parses a program: the file at `path` ("-" is stdin) with the declarations
 * of each file that it imports, once, in place of the first import of it. An
 * import is looked for beside the file that names it, then in `folders`. Of a
 * program that is imported with its weights only functions and networks come.
 * NULL after errors. *files, if not NULL, gets the paths that were read. */
typedef struct Paths { const char **at; int n, cap; } Paths;
Ast *parse_program(const char *path, const Paths *folders, Paths *files);

/* The tree as an indented outline, for --emit=ast. */
void print_ast(Text *out, const Ast *file);

/* The canonical form of a file, for --format: parse(format(f)) equals
 * parse(f), and format(format(f)) equals format(f). Comments are kept. */
void format_ast(Text *out, const Ast *file);
/* `layer dense(x: [batch, ..., n], units)` of a declaration, on one line. */
void format_signature(Text *out, const Ast *declaration);

#endif
