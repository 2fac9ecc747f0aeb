/* A trainer: the CPU is checked, the command line read, the command run. */
#define _GNU_SOURCE
#include "rt.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t seen;

/* The second signal of a kind ends the process as if nothing caught it. */
static void on_signal(int number)
{
    seen = number;
}

void signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int signal_seen(void)
{
    return seen;
}

void trainer_machine(rt_trainer *t, int64_t batch)
{
    machine_open(&t->machine, t->model, t->options->threads, t->options->seed, batch);
}

int64_t inference_batch(const rt_trainer *t)
{
    if (t->options->batch)
        return t->options->batch;
    return t->model->ntrains ? t->model->trains[0].batch : 32;
}

static int dispatch(rt_trainer *t)
{
    switch (t->options->command) {
    case CMD_TRAIN: return command_train(t);
    case CMD_EVALUATE: return command_evaluate(t);
    case CMD_RUN: return command_run(t);
    case CMD_ENCODE: return command_encode(t);
    case CMD_RECONSTRUCT: return command_reconstruct(t);
    case CMD_GENERATE: return command_generate(t);
    case CMD_DETECT: return command_detect(t);
    case CMD_SUMMARY: return command_summary(t);
    case CMD_BENCHMARK: return command_benchmark(t);
    }
    return RT_DEFECT;
}

int main(int argc, char **argv)
{
    rt_set_name(argv[0]);
    signal(SIGXFSZ, SIG_IGN); /* a file that grew too large is an error of write() */
    rt_model *model = model_read(aecc_descriptor, cpu_choose(aecc_variants));
    static rt_options options; /* these live as long as the process */
    static rt_trainer trainer;
    options = options_read(argc, argv, model);
    trainer.model = model;
    trainer.options = &options;
    sources_open(&trainer.sources, model, &options);
    int status = dispatch(&trainer);
    if (fflush(stdout) || ferror(stdout))
        rt_fail(RT_IO, "cannot write to standard output: %s", strerror(errno));
    machine_close(&trainer.machine);
    sources_close(&trainer.sources);
    return status;
}
