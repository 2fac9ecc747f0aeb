/* Between main.c, which reads the command line, and pipeline.c, which runs
 * the passes. */
#ifndef AECC_DRIVER_H
#define AECC_DRIVER_H

#include "aecc.h"
#include "ast.h"

#define OPTION_FIELD_FLAG bool
#define OPTION_FIELD_VALUE const char *
#define OPTION_FIELD_JOINED const char *
#define OPTION_FIELD_LEVEL const char *
#define OPTION_FIELD_FOLDERS Paths

typedef struct Options {
    const char *input;                     /* "-": the standard input        */
#define OPTION(form, field, ...) OPTION_FIELD_##form field;
#include "options.def"
#undef OPTION
} Options;

/* ---- options.c ---------------------------------------------------------- */
/* Ends with EXIT_USAGE at the first thing that is wrong. */
Options parse_options(int argc, char **argv);
void print_help(Text *);
/* "a, b, c" of n names, and the name that `word` is; -1: none. */
const char *name_list(const char *const *names, int n);
int name_index(const char *word, const char *const *names, int n);
/* As name_index; ends with EXIT_USAGE and the choices where there is none. */
int option_choice(const char *option, const char *word, const char *const *names, int n);

/* ---- pipeline.c --------------------------------------------------------- */
/* Compiles as the options say; the exit status. */
int compile(const Options *);
void print_passes(Text *);
void print_emits(Text *);

/* ---- reread.c ----------------------------------------------------------- */
typedef enum TextForm { FORM_NONE, FORM_GRAPH, FORM_LOOPS } TextForm;
/* Which text form of a program this is; FORM_NONE: no such text. */
TextForm text_form(const char *text);
/* Reads a text form, verifies it, prints it again; the exit status. */
int reprint(const Options *, const char *path, const char *text, size_t n);

/* ---- listing.c ---------------------------------------------------------- */
int print_std(Text *);

#endif
