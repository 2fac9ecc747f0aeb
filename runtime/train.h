/* A training run: what train.c (blocks, epochs, files) and pass.c (steps)
 * share. */
#ifndef AECC_TRAIN_H
#define AECC_TRAIN_H

#include "rt.h"

enum { MAX_METRICS = 64 };

typedef enum { GOING, SIGNALLED, LIMITED, DIVERGED } rt_ending;

/* The choice between the whole team and one thread; see pace.c. */
typedef struct rt_pace {
    rt_machine *machine;
    bool automatic;
    int team;                      /* threads of all                          */
    bool alone, settled;           /* now on one thread; the last choice      */
    bool trial;                    /* this window is for comparison           */
    double rate[2];                /* [alone] steps a second, 0: not known    */
    int64_t steps;                 /* of this window                          */
    double seconds;
    int windows, interval;         /* since the last trial; until the next    */
} rt_pace;

void pace_open(rt_pace *, rt_machine *, bool automatic);
/* After `steps` that took `seconds`: chooses for the next ones. */
void pace_count(rt_pace *, int64_t steps, double seconds);

/* A look at a step: what its update does. See watch.c. */
typedef struct rt_watch {
    bool active;                   /* this pass is looked at                  */
    bool again;                    /* the step runs a second time             */
    bool comparing;                /* the pass is over: samples against data  */
    char *before, *after;          /* vars that the step updates              */
    double loss;                   /* of the first time                       */
    float *row;                    /* a sample                                */
    double *mean, *square;         /* [element]                               */
} rt_watch;

typedef struct training {
    rt_trainer *trainer;
    const rt_options *options;
    const rt_model *model;
    rt_machine *machine;
    rt_state state;
    rt_log log;
    rt_progress progress;
    rt_pace pace;
    double started;                /* now() minus the run's seconds then      */
    rt_ending ending;

    const rt_train *block;
    data_view view, validation;
    int64_t batch, epochs;
    int64_t per_pass, passes;      /* batches in a pass, passes in an epoch   */
    int64_t *order;                /* NULL: the order of the file             */

    int step;                      /* the pass: which step, …                 */
    int64_t repeat;                /* … how often it ran, …                   */
    bool called;                   /* … does it wait for its loss?            */
    bool joined;                   /* … was it called with those after it?    */
    int64_t first, count;          /* its batch                               */
    double *losses;                /* [step] mean over repeats                */
    double slice;                  /* when to leave the parallel region       */
    rt_watch watch;
    int replay;                    /* whose call is under way, or -1          */
    bool warm;                     /* the block's first pass is over          */
} training;

/* Batches that one pass over the steps of a block draws. */
int64_t batches_per_pass(const rt_train *);
/* Runs passes until the epoch ends, something is due, or some 80 ms are over;
 * sets `ending` where the run ends. */
void run_passes(training *);
/* ==== watch.c: what makes several steps hard to train =================== */

/* Room for the block's vars; a pass, a call of its last repeat, and the loss of a call. */
void watch_open(training *);
void watch_close(training *);
void watch_pass(training *);
void watch_before(training *);
/* After a call: true where the same call, or another one that is now set, must
 * follow before anything else; the vars and the loss are then as after the first. */
bool watch_again(training *);
/* After the last step of a pass: true where a call is set that compares. */
bool watch_compare(training *);
/* Says what the epoch's figures tell; the names of the warnings go to `list`, a JSON
 * list, malloc'd, and the figures to `add`. NULL: no warnings. */
typedef void watch_add(void *job, const char *name, double value);
char *watch_epoch(training *, watch_add *add, void *job);

/* "loss", "critic.loss"; the name lives until the next call. */
const char *loss_name(const training *, int step);
/* Objective of the step that was called last. */
double step_loss(const training *);

#endif
