/* Rules of simplify(): each returns what stands for the node, or NULL. Rules
 * are tried from the leaves on, and again on what they return. */
#ifndef AECC_SIMPLIFY_H
#define AECC_SIMPLIFY_H

#include "ops.h"

Node *simplify_map(Node *);
Node *simplify_layout(Node *);
Node *simplify_reduce(Node *);
Node *simplify_contract(Node *);

/* A sum of tensors that are zero but for a part each: the parts, joined. */
Node *sum_of_pads(Node *);

/* simplify_window.c */
Node *select_of_scatter(Node *);
Node *sum_of_scatter(Node *);
Node *contract_of_scatter(Node *);

/* Whether at most one node or root uses n: then n may be absorbed by it. */
bool single_use(const Node *n);
/* Whether a reshape from a to b only adds and drops axes of size 1. */
bool only_ones_differ(Shape a, Shape b);
/* The contraction n with its result under transpose or reshape `view`. */
Node *contract_under_view(Node *view, Node *n);

#endif
