/* A sweep of reverse mode: what grad.c and grad_scan.c share. */
#ifndef AECC_GRAD_H
#define AECC_GRAD_H

#include "scan.h"

typedef struct Sweep {
    Node **gradient;   /* by id; NULL: zero so far                            */
    Node ***results;   /* by id of a scan: of its results, NULL: zero         */
    bool *needed;      /* by id: on a path to one of the x                    */
    int count;         /* nodes that have a place in these                    */
} Sweep;

Sweep new_sweep(void);                  /* for the nodes there are            */
bool differentiable(const Node *);
/* Adds a part to a node's gradient, if that is needed. */
void give(Sweep *, Node *to, Node *part);
/* Gives n's operands their parts of n's gradient, if it has one. */
void pull(Sweep *, Node *n);
Node *zeros(Shape);

/* grad_scan.c */
void grad_scan(Sweep *, Node *scan, Node *unused);
void grad_result(Sweep *, Node *result, Node *g);
void grad_element(Sweep *, Node *element, Node *g);

#endif
