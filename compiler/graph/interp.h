/* What the files of the interpreter share. Values are doubles whatever their
 * type: i32 exactly, bool as 0 and 1. */
#ifndef AECC_INTERP_H
#define AECC_INTERP_H

#include "ops.h"

typedef struct Frame {
    const Interp *run;
    double **value;                /* by id: [sample][element], or [element] */
    NodeList nodes;                /* of the function, in order of ids       */
    const struct Scans *scans;
} Frame;

static inline int64_t samples_of(const Frame *f, const Node *n)
{
    return n->shape.batch ? f->run->samples : 1;
}

/* The elements of one sample; those of all where there is no batch. */
static inline double *sample_of(const Frame *f, const Node *n, int64_t sample)
{
    return f->value[n->id] + (n->shape.batch ? sample * shape_size(n->shape) : 0);
}

/* x as an operation leaves it. */
static inline double rounded(const Frame *f, double x)
{
    return f->run->float32 ? (double)(float)x : x;
}

/* Each fills f->value[n->id]; its operands are there. */
void interpret_random(Frame *, const Node *);
void interpret_orthogonal(Frame *, const Node *);
void interpret_layout(Frame *, const Node *);
void interpret_reduce(Frame *, const Node *);
void interpret_window(Frame *, const Node *);
void interpret_rows(Frame *, const Node *);
void interpret_contract(Frame *, const Node *);
/* An OP_scan: runs its body, fills its results. */
void interpret_scan(Frame *, const Node *);
/* Any node whose operands are there. */
void interpret_node(Frame *, const Node *);

#endif
