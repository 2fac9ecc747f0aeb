/* The grammar of .nn files. layout.c delivers END where a statement ends with
 * its line (or at `;`, or before `}`) and tells keywords from names, so that
 * a keyword may be a name wherever no keyword can stand. Actions only build
 * nodes; what may stand in which block is check_places()'. */
%code requires {
#include "syntax.h"
}

%code provides {
int nn_lex(NN_STYPE *value, Pos *pos, Layout *layout);
}

%code {
#define YYLLOC_DEFAULT(now, rhs, n)                                          \
    ((now) = (n) ? pos_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n))              \
                 : YYRHSLOC(rhs, 0))
#define NAMED(kind_, pos_, name_, ...)                                       \
    ast_make((Ast){kind_, pos_, (name_)->pos, .name = (name_)->name, __VA_ARGS__})

static void nn_error(const Pos *, Ast **, Layout *, const char *message);
static Ast *ended(Ast *statement, Pos end);
}

%define api.prefix {nn_}
%define api.pure full
%define api.location.type {Pos}
%define api.value.type union
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%parse-param {Ast **result}
%param {Layout *layout}

%token <Ast *> NAME "a name" DOTTED "a dotted name"
%token <Ast *> NUMBER "a number" STRING "a string" BOOL "true or false"
%token END "the end of the line" FILE_END 0 "the end of the file"
%token IMPORT "import" LET "let" DATA "data" NETWORK "network" LAYER "layer"
%token OPTIMIZER "optimizer" TRAIN "train" REPORT "report" ON "on"
%token PARAM "param" STATE "state" UPDATE "update" USING "using"
%token MINIMIZE "minimize" RETURN "return" VALIDATE "validate"
%token EPOCHS "epochs" BATCH "batch" DROP "drop" LAST "last"
%token STEP "step" REPEAT "repeat"
%token SCAN "scan" IN "in" ALONG "along" BACKWARDS "backwards"
%token CHECKPOINT "checkpoint" CARRYING "carrying" EMIT "emit"
%token IF "if" THEN "then" ELSE "else" AND "and" OR "or" NOT "not"
%token LE "<=" GE ">=" EQ "==" NE "!=" DOTDOT ".." ELLIPSIS "..." SEMICOLON ";"

%precedence ELSE
%left OR
%left AND
%precedence NOT
%nonassoc '<' '>' LE GE EQ NE
%left '+' '-'
%left '*' '/' '%' '@'
%precedence NEGATIVE
%right '^'

%type <Ast *> declaration data parameter statement simple compound
%type <Ast *> expression primary call list shape dimension argument
%type <Ast *> optional_shape repeat sequence along checkpoint carried optimizer target
%type <AstList> declarations parameters parameter_list names bound statements
%type <AstList> expressions arguments argument_list dimensions targets
%type <AstList> carrying carried_list sequences
%type <AstBlock> block

%%

file: declarations                 { *result = ast_make((Ast){AST_FILE, @$, .kids = $1}); }
    ;

/* ---- Declarations ------------------------------------------------------- */

declarations: %empty               { $$ = (AstList){0}; }
    | declarations declaration END { $$ = ast_append($1, ended($2, @3)); }
    | declarations error END       { $$ = $1; yyerrok; }
    | declarations error block END { $$ = $1; yyerrok; }
    ;

declaration: IMPORT STRING         { $$ = ast_make((Ast){AST_IMPORT, @$, @2, .text = $2->text}); }
    | IMPORT STRING USING STRING
        { $$ = ast_make((Ast){AST_IMPORT, @$, @2, .text = $2->text, .a = $4}); }
    | LET NAME '=' expression
        { $$ = NAMED(AST_LET, @$, $2, .a = $4, .params = {.n = -1}); }
    | LET NAME parameters '=' expression
        { $$ = NAMED(AST_LET, @$, $2, .a = $5, .params = $3); }
    | data
    | NETWORK NAME parameters block
        { $$ = ast_body(NAMED(AST_NETWORK, @1, $2, .params = $3), $4); }
    | LAYER NAME parameters block
        { $$ = ast_body(NAMED(AST_LAYER, @1, $2, .params = $3), $4); }
    | OPTIMIZER NAME parameters block
        { $$ = ast_body(NAMED(AST_OPTIMIZER, @1, $2, .params = $3), $4); }
    | TRAIN ON NAME bound block
        { $$ = ast_body(NAMED(AST_TRAIN, @1, $3, .params = $4), $5); }
    | REPORT ON NAME bound block
        { $$ = ast_body(NAMED(AST_REPORT, @1, $3, .params = $4), $5); }
    ;

data: DATA names optional_shape '=' expression
        { $$ = ast_make((Ast){AST_DATA, @$, @2, .kids = $2, .b = $3, .a = $5}); }
    ;

names: NAME                        { $$ = ast_list($1); }
    | names ',' NAME               { $$ = ast_append($1, $3); }
    ;

bound: %empty                      { $$ = (AstList){0}; }
    | '(' names ')'                { $$ = $2; }
    ;

parameters: '(' ')'                { $$ = (AstList){0}; }
    | '(' parameter_list ')'       { $$ = $2; }
    | '(' parameter_list ',' ')'   { $$ = $2; }
    ;

parameter_list: parameter          { $$ = ast_list($1); }
    | parameter_list ',' parameter { $$ = ast_append($1, $3); }
    ;

parameter: NAME optional_shape     { $$ = NAMED(AST_PARAMETER, @$, $1, .a = $2); }
    | NAME optional_shape '=' expression
        { $$ = NAMED(AST_PARAMETER, @$, $1, .a = $2, .b = $4); }
    ;

/* ---- Shapes ------------------------------------------------------------- */

optional_shape: %empty             { $$ = NULL; }
    | ':' shape                    { $$ = $2; }
    ;

shape: '[' ']'                     { $$ = ast_new(AST_LIST, @$); }
    | '[' dimensions ']'           { $$ = ast_make((Ast){AST_LIST, @$, .kids = $2}); }
    ;

dimensions: dimension              { $$ = ast_list($1); }
    | dimensions ',' dimension     { $$ = ast_append($1, $3); }
    ;

dimension: expression              { $$ = ast_dimension($1); }
    | ELLIPSIS                     { $$ = ast_new(AST_ELLIPSIS, @1); }
    ;

/* ---- Statements --------------------------------------------------------- */

block: open statements '}'         { $$ = (AstBlock){$2, @1.line, @3.line}; }
    ;

open: '{'                          { yyerrok; }
    ;

statements: %empty                 { $$ = (AstList){0}; }
    | statements statement         { $$ = ast_append($1, $2); }
    | statements error END         { $$ = $1; yyerrok; }
    | statements error block END   { $$ = $1; yyerrok; }
    ;

statement: simple END              { $$ = ended($1, @2); }
    | compound END
    ;

simple: expression
        { $$ = ast_make((Ast){AST_LINE, @$, .a = $1}); }
    | NAME ':' expression
        { $$ = NAMED(AST_LINE, @$, $1, .a = $3); }
    | names '=' expression
        { $$ = ast_make((Ast){AST_BIND, @$, @1, .kids = $1, .a = $3}); }
    | PARAM NAME optional_shape '=' expression
        { $$ = NAMED(AST_PARAM, @$, $2, .a = $3, .b = $5); }
    | STATE NAME optional_shape '=' expression
        { $$ = NAMED(AST_STATE, @$, $2, .a = $3, .b = $5); }
    | UPDATE NAME '=' expression
        { $$ = NAMED(AST_UPDATE, @$, $2, .a = $4); }
    | UPDATE targets USING optimizer
        { $$ = ast_make((Ast){AST_USING, @$, @2, .kids = $2, .a = $4}); }
    | MINIMIZE expression
        { $$ = ast_make((Ast){AST_MINIMIZE, @$, @2, .a = $2}); }
    | MINIMIZE expression USING optimizer
        { $$ = ast_make((Ast){AST_MINIMIZE, @$, @2, .a = $2, .b = $4}); }
    | RETURN expressions
        { $$ = ast_make((Ast){AST_RETURN, @$, @2, .kids = $2}); }
    | VALIDATE ON NAME
        { $$ = NAMED(AST_VALIDATE, @$, $3); }
    | EPOCHS expression
        { $$ = ast_make((Ast){AST_EPOCHS, @$, @2, .a = $2}); }
    | BATCH expression
        { $$ = ast_make((Ast){AST_BATCH, @$, @2, .a = $2}); }
    | BATCH expression ',' DROP LAST
        { $$ = ast_make((Ast){AST_BATCH, @$, @2, .a = $2, .flag = true}); }
    | EMIT expression
        { $$ = ast_make((Ast){AST_EMIT, @$, @2, .a = $2}); }
    ;

compound: STEP NAME repeat block
        { $$ = ast_body(NAMED(AST_STEP, @1, $2, .a = $3), $4); }
    | SCAN names IN sequences along checkpoint carrying block
        { $$ = ast_body(ast_make((Ast){AST_SCAN, @1, @2, .name = $2.at[0]->name,
                                       .a = ast_make((Ast){AST_LIST, @4, .a = $6, .kids = $4}),
                                       .b = ast_make((Ast){AST_LIST, @2, .kids = $2}),
                                       .c = $5, .params = $7}), $8); }
    ;

sequences: sequence                { $$ = ast_list($1); }
    | sequences ',' sequence       { $$ = ast_append($1, $3); }
    ;

sequence: expression
    | expression DOTDOT expression { $$ = ast_binary($1, AST_OP_RANGE, @2, $3); }
    ;

repeat: %empty                     { $$ = NULL; }
    | REPEAT expression            { $$ = $2; }
    ;

along: %empty                      { $$ = NULL; }
    | ALONG NAME                   { $$ = $2; }
    | ALONG NAME BACKWARDS         { $$ = $2; $$->flag = true; }
    | ALONG NAME BACKWARDS IF expression
        { $$ = $2; $$->flag = true; $$->b = $5; }
    ;

checkpoint: %empty                 { $$ = NULL; }
    | CHECKPOINT expression        { $$ = $2; }
    ;

carrying: %empty                   { $$ = (AstList){0}; }
    | CARRYING carried_list        { $$ = $2; }
    ;

carried_list: carried              { $$ = ast_list($1); }
    | carried_list ',' carried     { $$ = ast_append($1, $3); }
    ;

carried: NAME '=' expression
        { $$ = ast_make((Ast){AST_BIND, @$, @1, .kids = ast_list($1), .a = $3}); }
    ;

optimizer: call
    ;

targets: target                    { $$ = ast_list($1); }
    | targets ',' target           { $$ = ast_append($1, $3); }
    ;

target: NAME
    | DOTTED
    ;

/* ---- Expressions -------------------------------------------------------- */

expression: primary
    | IF expression THEN expression ELSE expression
        { $$ = ast_make((Ast){AST_IF, @$, @2, .a = $2, .b = $4, .c = $6}); }
    | NOT expression               { $$ = ast_unary(AST_OP_NOT, @1, $2); }
    | '-' expression %prec NEGATIVE { $$ = ast_unary('-', @1, $2); }
    | expression OR expression     { $$ = ast_binary($1, AST_OP_OR, @2, $3); }
    | expression AND expression    { $$ = ast_binary($1, AST_OP_AND, @2, $3); }
    | expression '<' expression    { $$ = ast_binary($1, '<', @2, $3); }
    | expression '>' expression    { $$ = ast_binary($1, '>', @2, $3); }
    | expression LE expression     { $$ = ast_binary($1, AST_OP_LE, @2, $3); }
    | expression GE expression     { $$ = ast_binary($1, AST_OP_GE, @2, $3); }
    | expression EQ expression     { $$ = ast_binary($1, AST_OP_EQ, @2, $3); }
    | expression NE expression     { $$ = ast_binary($1, AST_OP_NE, @2, $3); }
    | expression '+' expression    { $$ = ast_binary($1, '+', @2, $3); }
    | expression '-' expression    { $$ = ast_binary($1, '-', @2, $3); }
    | expression '*' expression    { $$ = ast_binary($1, '*', @2, $3); }
    | expression '/' expression    { $$ = ast_binary($1, '/', @2, $3); }
    | expression '%' expression    { $$ = ast_binary($1, '%', @2, $3); }
    | expression '@' expression    { $$ = ast_binary($1, '@', @2, $3); }
    | expression '^' expression    { $$ = ast_binary($1, '^', @2, $3); }
    ;

primary: NUMBER
    | STRING
    | BOOL
    | NAME
    | DOTTED
    | call
    | list
    | '(' expression ')'           { $$ = $2; }
    ;

call: NAME arguments               { $$ = ast_call($1, @$, $2); }
    ;

list: '[' ']'                      { $$ = ast_new(AST_LIST, @$); }
    | '[' expressions ']'          { $$ = ast_make((Ast){AST_LIST, @$, .kids = $2}); }
    | '[' expressions ',' ']'      { $$ = ast_make((Ast){AST_LIST, @$, .kids = $2}); }
    ;

expressions: expression            { $$ = ast_list($1); }
    | expressions ',' expression   { $$ = ast_append($1, $3); }
    ;

arguments: '(' ')'                 { $$ = (AstList){0}; }
    | '(' argument_list ')'        { $$ = $2; }
    | '(' argument_list ',' ')'    { $$ = $2; }
    ;

argument_list: argument            { $$ = ast_list($1); }
    | argument_list ',' argument   { $$ = ast_append($1, $3); }
    ;

argument: expression               { $$ = ast_make((Ast){AST_ARG, @$, .a = $1}); }
    | NAME ':' expression          { $$ = NAMED(AST_ARG, @$, $1, .a = $3); }
    ;

%%

static Ast *ended(Ast *statement, Pos end)
{
    if (!statement->open_line)
        statement->last_line = end.line;
    return statement;
}

/* Bison's own message: its stack is full. */
static void nn_error(const Pos *pos, Ast **result, Layout *layout, const char *message)
{
    (void)result, (void)layout, (void)message;
    error_at(*pos, "this is nested too deeply");
    hint("give the inner parts names");
}

static int yyreport_syntax_error(const yypcontext_t *context, Ast **result, Layout *layout)
{
    (void)result;
    yysymbol_kind_t kinds[YYNTOKENS];
    const char *names[YYNTOKENS];
    int n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    for (int i = 0; i < n; i++)
        names[i] = yysymbol_name(kinds[i]);
    syntax_error(layout, names, n);
    return 0;
}
