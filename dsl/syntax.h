/* Between the files that turn text into a tree; everyone else uses ast.h.
 *
 *   text --lexer.l--> tokens --layout.c--> tokens with ends of lines and
 *   keywords told from names --grammar.y--> tree --place.c, comments.c--> tree
 */
#ifndef AECC_SYNTAX_H
#define AECC_SYNTAX_H

#include "ast.h"

/* Every word is a NAME here: layout.c knows which ones are keywords. */
typedef struct Token {
    int code;             /* of grammar.h; 0 at the end of the file          */
    Pos pos;
    const char *text;     /* names, interned; strings, unescaped; numbers    */
    double number;
} Token;

typedef struct Comment {
    Pos pos;
    bool own;             /* nothing but the comment is on its line          */
    const char *text;     /* from # to the last character that is no space   */
} Comment;

typedef struct Tokens {
    Token *at; int n, cap;                   /* the last one is the file's end */
    Comment *comments; int ncomments, comments_cap;
} Tokens;

enum { MOST_ERRORS = 100 };                  /* scanning and parsing give up */

/* ---- lexer.l ------------------------------------------------------------ */
Tokens scan_tokens(int file);

/* ---- layout.c ----------------------------------------------------------- */
typedef struct Layout Layout;
Layout *layout_new(const Tokens *);
/* After a syntax error: brackets that are open count as closed, so that the
 * statement ends with its line. */
void layout_recover(Layout *);
/* What the parser saw last, and the one before. */
const Token *layout_current(const Layout *);
const Token *layout_previous(const Layout *);
/* The parenthesis or bracket that is open at the current token, or NULL. */
const Token *layout_open(const Layout *);
bool layout_in_block(const Layout *);
bool layout_previous_began_statement(const Layout *);
/* Whether parsing was given up with an error of its own. */
bool layout_gave_up(const Layout *);
/* The words that begin a declaration, or a statement in a block. */
const char *const *layout_openers(bool in_block, int *n);

/* ---- syntax_error.c ----------------------------------------------------- */
/* Reports the current token; expected: Bison's names of those that fit. */
void syntax_error(Layout *, const char *const *expected, int n);

/* ---- place.c, comments.c ------------------------------------------------ */
/* Reports each statement that stands in a block where it has no meaning. */
void check_places(const Ast *file);
/* Gives each comment to the statement that it belongs to. */
void attach_comments(Ast *file, const Tokens *);

#endif
