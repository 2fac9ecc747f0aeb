/* Between diag.c, which collects messages, and diag_print.c, which writes
 * them. Everyone else includes aecc.h only. */
#ifndef AECC_BASE_DIAG_H
#define AECC_BASE_DIAG_H

#include "aecc.h"

typedef enum {
    SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE, SEVERITY_HINT
} Severity;

typedef struct Part {             /* a note or a hint of a message           */
    Severity severity;
    Pos pos;
    const char *text;
} Part;

typedef struct Message {
    Severity severity;
    Pos pos;
    int order;                    /* of reporting                            */
    const char *text;
    Part *parts; int nparts, parts_cap;
} Message;

/* To stderr, as text or as JSON lines. */
void print_messages(const Message *, int n);
/* The message with which aecc ends; kind: "error", "internal error" */
void print_final(const char *kind, const char *text);

#endif
