/* The reader of the graph's text form: its state and its tokens. After the
 * first error everything reads as nothing, so no caller has to stop. */
#ifndef AECC_READ_H
#define AECC_READ_H

#include "ops.h"

typedef struct Reader {
    const char *at, *end, *line_start;
    int file, line;
    bool failed;
    Fn *fn;
    Node **nodes; int nnodes, nodes_cap;
    Var **vars; int nvars, vars_cap;
    int inputs_cap, input_names_cap, outputs_cap, output_names_cap, lengths_cap, targets_cap,
        values_cap;
} Reader;

/* Reports what was expected here, once; false. */
bool read_failed(Reader *, const char *expected);
bool read_mark(Reader *, char);             /* if it is there                */
bool need_mark(Reader *, char);
const char *read_word(Reader *);            /* interned, or NULL             */
bool read_exactly(Reader *, const char *word);        /* if it is there    */
bool need_word(Reader *, const char *);
int need_choice(Reader *, const char *const *words, int n, const char *what);
const char *need_string(Reader *);
int64_t need_integer(Reader *);
void need_integers(Reader *, int64_t *to, int n);     /* (1, 2, 3)         */
double need_number(Reader *);
Shape need_shape(Reader *);

/* ---- read_attr.c: the attribute of a node, after its operands ------------- */
void read_attr(Reader *, Node *);

#endif
