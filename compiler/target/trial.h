/* Schedules of one contraction, timed on this machine. */
#ifndef AECC_TRIAL_H
#define AECC_TRIAL_H

#include "loop/tile.h"

typedef struct Trial Trial;

/* Compiles a kernel of fn once for each list of schedules, one for each
 * phase, for a target that is the host. The model is planned and its Program
 * has its machine. */
Trial *trial_open(const Model *, const Fn *, const Kernel *, const TargetOptions *,
                  const Schedule *const *by, int nby, int n);
void trial_close(Trial *);

/* The least seconds of a call for the batch that the file says, of so many
 * rounds over all that take[i] (NULL: all of them); false: this machine does
 * not know an instruction of the code. */
bool trial_time(Trial *, int rounds, const bool *take, double *seconds);

#endif
