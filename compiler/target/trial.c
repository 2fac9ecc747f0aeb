/* A kernel by several schedules: a function for each, in one module, run by
 * ORC JIT on buffers of the size they have in the trainer.
 *
 * needs       a planned model; the host as target
 * guarantees  all are measured alike: in turns, each by its best round */
#include "target/trial.h"

#include "target/jit.h"

enum { ROUND_MICROSECONDS = 150, MOST_CALLS = 1000 };

struct Trial {
    Model model;
    Jit *jit;
    aecc_call call;
    int *calls; /* in a round                                  */
};

/* ---- A function of one kernel ------------------------------------------------- */

/* Loops around a kernel that stands alone: one step is timed. */
static ScanLoop *one_step(const Program *program)
{
    ScanLoop *loops = NEW_ARRAY(ScanLoop, program->nscans + 1);
    for (int i = 0; i < program->nscans; i++) {
        loops[i] = program->scans[i];
        loops[i].first = 0;
        loops[i].lengths = NULL;
        loops[i].end = loops[i].steps = 1;
    }
    return loops;
}

static Fn *function_of(const Fn *fn, const Kernel *kernel, const Schedule *by, int nby, int number)
{
    Fn *alone = NEW(Fn);
    Program *program = NEW(Program);
    Kernel *copy = NEW(Kernel);
    *copy = *kernel;
    copy->name = format("%s.%d", kernel->name, number);
    copy->by = by;
    copy->nby = nby;
    *program = *fn->program;
    program->kernels = NEW(Kernel *);
    program->kernels[0] = copy;
    program->nkernels = 1;
    program->scans = one_step(program);
    *alone = *fn;
    alone->name = format("%s.%d", fn->name, number);
    alone->program = program;
    alone->single = NULL;
    program->fn = alone;
    lower_kernel(program, copy);
    return alone;
}

/* ---- A trial ------------------------------------------------------------------------ */

Trial *trial_open(const Model *model, const Fn *fn, const Kernel *kernel,
                  const TargetOptions *target, const Schedule *const *by, int nby, int n)
{
    Trial *t = NEW(Trial);
    t->model = (Model){.name = model->name,
                       .source = model->source,
                       .nfns = n,
                       .fns = NEW_ARRAY(Fn *, n),
                       .fixed_bytes = model->fixed_bytes};
    for (int i = 0; i < n; i++)
        t->model.fns[i] = function_of(fn, kernel, by[i], nby, i);
    t->jit = jit_open(&t->model, target);
    t->call = jit_new_call(model, fn->program, fn->program->samples, 1);
    t->calls = NEW_ARRAY(int, n);
    return t;
}

void trial_close(Trial *t)
{
    jit_close(t->jit);
    jit_free_call(&t->call);
}

/* As many calls as a round has time for, 0: none can be run. The first call
 * warms the caches. */
static int calls_in_round(Trial *t, int i)
{
    if (jit_time(t->jit, i, &t->call, 1) < 0)
        return 0;
    double calls = ROUND_MICROSECONDS * 1e-6 / (jit_time(t->jit, i, &t->call, 1) + 1e-9);
    return calls < 1 ? 1 : calls > MOST_CALLS ? MOST_CALLS : (int)calls;
}

bool trial_time(Trial *t, int rounds, const bool *take, double *seconds)
{
    for (int i = 0; i < t->model.nfns; i++)
        if (!take || take[i]) {
            t->calls[i] = t->calls[i] ? t->calls[i] : calls_in_round(t, i);
            if (t->calls[i] == 0)
                return false;
            seconds[i] = 1e9;
        }
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < t->model.nfns; i++) {
            if (take && !take[i])
                continue;
            double once = jit_time(t->jit, i, &t->call, t->calls[i]) / t->calls[i];
            seconds[i] = once < seconds[i] ? once : seconds[i];
        }
    return true;
}
