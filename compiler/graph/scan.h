/* Recurrence in the graph: what a scan's body is, and how scans change.
 *
 * A scan has no region: its body is every node that depends on its `carried`
 * and `time` leaves, up to the scan node, which binds them. What does not
 * depend on them stands outside by itself. */
#ifndef AECC_SCAN_H
#define AECC_SCAN_H

#include "ops.h"

enum { SCAN_WORDS = 4, MAX_SCANS = 64 * SCAN_WORDS };

/* The scans in whose bodies a node stands, as bits by place in `scans`. */
typedef struct ScanSet { uint64_t word[SCAN_WORDS]; } ScanSet;

typedef struct Scans {
    Node **at; int n, cap;       /* OP_scan nodes, inner ones first            */
    ScanSet *inside;             /* by id of a node                           */
} Scans;

/* Of the nodes in a list that is in order of ids. */
Scans find_scans(NodeList);
int scan_place(const Scans *, int id);                     /* -1: none      */
bool inside_any(const Scans *, const Node *);
bool inside_scan(const Scans *, const Node *, int scan);   /* place in `at`  */
/* Does the node stand directly in the body, not in that of an inner scan? */
bool inside_directly(const Scans *, const Node *, int scan);

/* Is n of a step of any scan? Results are not. */
bool is_of_step(const Node *);

/* Places of a scan's operands. */
static inline int scan_emits(const Node *scan)
{
    return scan->nin - 2 * scan->attr.scan.carried;
}
static inline Node *scan_init(const Node *scan, int i) { return scan->in[i]; }
static inline Node *scan_next(const Node *scan, int i)
{
    return scan->in[scan->attr.scan.carried + i];
}
static inline Node *scan_emit(const Node *scan, int i)
{
    return scan->in[2 * scan->attr.scan.carried + i];
}
/* The same scan with those of n values as further emits that it has not; the
 * number of the result that stacks a value it emits. */
Node *scan_with_emits(Node *scan, int n, Node *const *emit);
int result_of_emit(const Node *scan, const Node *emit);
/* The scan with the direction-free attributes of another: lengths, again. */
Node *scan_like(Node *scan, const Node *other);
/* A scan with leaves of its own that gives the same, as do those in its body. */
Node *scan_copy(Node *scan);
/* All of one scan's versions (they differ in their emits) become one. */
void unite_scans(int n, Node **roots);
/* A sequence that is `value` at each step. */
Node *repeat_steps(Node *value, int64_t steps);

#endif
