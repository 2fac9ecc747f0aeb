/* One compilation and its passes: pipeline.c runs them, inspect.c looks at
 * what they made. */
#ifndef AECC_PIPELINE_H
#define AECC_PIPELINE_H

#include "driver.h"

/* What a compilation holds after a pass; each includes those before it. */
typedef enum Holds { NOTHING, TREE, GRAPH, KERNELS, LOOPS, CODE } Holds;

typedef struct Compilation {
    const Options *options;
    TargetOptions *targets;        /* one for each processor of --mcpu       */
    int ntargets, jobs;
    Machine machine;
    OutputForm form;               /* of `code`                              */
    const char *output;
    Paths files;                   /* that were read, for -MD                */
    Ast *tree;
    Model *model;
    Code code;
} Compilation;

typedef struct Pass {
    const char *name;
    void (*run)(Compilation *);
    Holds holds;
    const char *doc;
} Pass;

/* The program as text. */
void put_program(Text *, const Compilation *, Holds);
/* die()s at the first thing that is illegal. */
void verify_program(const Compilation *, Holds);
/* One line of --stats, under the heading of put_stats_heading. */
void put_stats_heading(Text *);
void put_stats(Text *, const char *pass, const Compilation *, Holds);
/* A line for each function of the code. */
/* A heading and a line for each phase of each contraction: what its schedule
 * is, and what that costs by the model. Needs loops. */
void put_schedules(Text *, const Model *);
void put_sequences(Text *, const Model *);
void put_code_sizes(Text *, const Code *);

#endif
