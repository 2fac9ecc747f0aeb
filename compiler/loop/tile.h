/* Schedules of contractions: which there are (tile.c), what they cost
 * (cost.c), which one is taken (choose.c). */
#ifndef AECC_TILE_H
#define AECC_TILE_H

#include "loop/lower.h"

/* What is done to an output after its sum, in vectors of LANES. */
typedef struct Work {
    double instructions;    /* without loads and stores                   */
    double busy;            /* cycles of divisions and roots beyond those */
    double loads, stores;
} Work;

/* A phase of a contraction as the choice of its schedule sees it. The lane
 * variable of the nest counts vectors of LANES. */
typedef struct Contracted {
    const Machine *machine;
    Nest *nest;
    ContractClass class;
    int lane_var;           /* or -1                                      */
    const int64_t *side;    /* [var]: tiles are multiples of it; or NULL  */
    int owner;              /* its tiles belong to threads; or -1         */
    bool vector[2];         /* operand is read by vectors, not splat      */
    int64_t bytes[2];       /* between neighbors of its address           */
    Linear written;         /* element of the first store                 */
    double blocks;          /* that a sum over the batch runs through     */
    Work after;
} Contracted;

/* Cycles of one call, for all units; of UNIT kernels with all blocks. */
typedef struct Estimate {
    double cycles;
    double multiply, load, latency, issue, memory, after; /* of them, alone */
    int registers;          /* live in the leaf                           */
    int64_t code;           /* instructions                               */
} Estimate;

typedef struct Candidate {
    Schedule by;
    Estimate cost;
} Candidate;

/* ---- tile.c ---------------------------------------------------------------- */

typedef void EachSchedule(const Schedule *, void *arg);
/* All that nest.c can emit and that keep the order of the sum, in an order
 * that depends on nothing else. At least one. */
void each_schedule(const Contracted *, EachSchedule *, void *arg);
/* A schedule of all tiles 1 without an order. */
Schedule untiled(const Nest *);
bool has_loop(const Schedule *, const Nest *, int var);

/* ---- cost.c ---------------------------------------------------------------- */

/* What schedules of one contraction have in common is computed once, and what
 * does not depend on the order of loops once for equal tiles in a row. */
typedef struct Pricing Pricing;
Pricing *pricing(const Contracted *);
Estimate estimate(Pricing *, const Schedule *);
/* No schedule with these tiles costs less: but for rounding, a bound. */
double least_cycles(Pricing *, const Schedule *);
/* Of a node, about. */
double op_instructions(const Node *);
Work work_after(const Program *, const Kernel *);

/* ---- contract.c ------------------------------------------------------------ */

/* Each phase of a contraction, in the order of Kernel.by. */
typedef void PhaseBody(const Contracted *, int phase, void *arg);
void contract_phases(Program *, Kernel *, PhaseBody *, void *arg);

/* ---- choose.c -------------------------------------------------------------- */

/* The cheapest first; returns how many, at most `most`. */
int rank_schedules(const Contracted *, Candidate *, int most);
/* Interned; equal for contractions for which all of this file does the same. */
const char *contraction_key(const Contracted *);
/* Choices of one compilation, by key. */
typedef struct Choices Choices;
Choices *new_choices(void);
/* From now on this is the schedule of such contractions. */
void choose(Choices *, const char *key, const Schedule *);
/* The one set by choose(), or the cheapest. */
Schedule chosen_schedule(Choices *, const Contracted *);
/* "tile 1x14x2 of 28x28x3r loops 0 1 | 2": sums are marked r. */
void put_schedule(Text *, const Nest *, const Schedule *);

#endif
