/* The trainer inside: what its files share. aecc_rt.h is the ABI to generated
 * code, data.h the data, error.h messages and exit statuses.
 *
 *   model.c      the descriptor as structures       options.c  the command line
 *   source.c source_in.c  data -> views             machine.c  memory, calls
 *   threads.c    team of threads, barrier           rng.c      Philox, shuffles
 *   peak.c bandwidth.c measured limits              main.c     start, signals
 *   cpu.c        features, code for them
 *   train.c pass.c pace.c  the loop                 validate.c objectives
 *   checkpoint.c safetensors.c log.c progress.c     what a run writes
 *   score.c eigen.c    numbers of report blocks
 *   evaluate.c run.c reconstruct.c generate.c detect.c summary.c benchmark.c
 *   bound.c                                         the other commands
 *   pictures.c report.c  samples as PNG
 */
#ifndef AECC_RT_INTERNAL_H
#define AECC_RT_INTERNAL_H

#include "aecc_rt.h"
#include "data.h"
#include "error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifndef AECC_VERSION
#define AECC_VERSION "0.1.0"
#endif

/* ==== model.c: the descriptor =========================================== */

enum { RT_MAX_RANK = 8 };

/* Where a tensor lives. Element (i, j, …) is number i * strides[0] + … ; of
 * lane l in a block that number * AECC_LANES + l, or l * row + number. */
typedef struct rt_tensor {
    const char *name;       /* or NULL                                        */
    bool integer, batch;
    bool scratch;           /* in the scratch of its block                    */
    int rank;
    int64_t shape[RT_MAX_RANK], strides[RT_MAX_RANK];
    int64_t elements;       /* of a sample, without padding                   */
    bool dense;             /* element i is number i                          */
    int64_t offset, row;
    int length;             /* its length varies: input or output that has it; -1 */
    int length_of;          /* input: it is the length of that one; -1        */
    int64_t steps;          /* input: a number of steps up to this one; 0     */
    int component;          /* input: of the data that fills it; -1           */
    int64_t classes;        /* input of a network: it numbers so many; 0      */
} rt_tensor;

typedef enum { RT_PARAM, RT_STATE, RT_SLOT, RT_COUNT } rt_var_kind;

typedef struct rt_var {
    rt_tensor tensor;
    rt_var_kind kind;
    int64_t bytes;          /* with padding                                   */
    bool each_epoch;        /* zero when an epoch begins                      */
    int from;               /* its first value is in that file of weights; -1 */
    bool borrowed;          /* it is always read there                        */
} rt_var;

/* LOAD: it is aecc_load. */
typedef enum { RT_LOAD, RT_BLOCK, RT_CHUNK, RT_JOIN, RT_UNIT } rt_kernel_kind;

typedef struct rt_kernel {
    const char *name, *layer;     /* layer may be NULL                        */
    bool each_sample;             /* flops are for each sample                */
    rt_kernel_kind kind;
    int line;
    double flops;
    int64_t bytes[2];             /* it touches: each time, of a block        */
    int64_t updates;              /* elements of parameters it writes         */
    int lengths;                  /* the input by which its loop ends; -1     */
    int64_t steps, stretch;       /* of the loop; of a sample in each         */
} rt_kernel;

/* Ticks of a call behind those of its kernels. */
enum { TICKS_WAITING, TICKS_LOADING, N_MORE_TICKS };

typedef struct rt_function {
    const char *name;
    int ninputs, noutputs, nkernels;
    int nvalues;                  /* inputs that samples fill; lengths follow */
    int ncomponents;              /* of a view: values, then numbers of steps */
    int nresults;                 /* outputs; their lengths follow            */
    int64_t chunk, shared_blocks, scratch_bytes, part_bytes;
    int single;                   /* its twin for one sample, or -1           */
    int nupdates, *updates;       /* vars that it writes                      */
    uint64_t borrows;             /* files of weights whose borrowed vars it reads */
    rt_tensor *inputs, *outputs;
    rt_kernel *kernels;
    aecc_function *code;
} rt_function;

typedef enum {
    RT_FILE, RT_SPLIT, RT_ZIP, RT_CONCAT, RT_WINDOWS, RT_FILTER, RT_REPLAY
} rt_tree_kind;

typedef struct rt_tree {
    rt_tree_kind kind;
    const char *name;             /* as declared, or NULL                     */
    int nparts;                   /* SPLIT and WINDOWS have one               */
    struct rt_tree *parts;
    int index;                    /* FILE, REPLAY: which of the model's       */
    const char *reader, *path;
    const char *lengths, *series; /* FILE: its file of lengths, column; NULL  */
    int64_t time;                 /* FILE: steps of its sequences; 0: any; -1: none */
    int64_t length, stride;       /* WINDOWS                                  */
    int rank;                     /* of a declared shape; -1: not declared    */
    int64_t shape[RT_MAX_RANK];
    int64_t classes;              /* FILE: above 0: values are 0 … classes - 1 */
    bool opaque;                  /* FILE: its expression is not affine       */
    data_affine affine;           /* else what it does                        */
    data_affine early;            /* FILE: what is done AS_FILES_HOLD         */
    bool last, rest;              /* SPLIT                                    */
    int64_t count;
    double fraction;
    double *keep;                 /* FILTER                                   */
    int nkeep;
} rt_tree;

typedef struct rt_layer {
    const char *name, *type;
    int rank;
    int64_t output[RT_MAX_RANK];
    int64_t params, untrained;
} rt_layer;

typedef struct rt_network {
    const char *name;
    int function, nlayers;
    rt_layer *layers;
} rt_network;

typedef struct rt_step {
    const char *name;             /* NULL: the only one                       */
    int function;
    int64_t repeat;
    bool fresh;                   /* takes batches of its own                 */
    int joined, output;           /* function that does its last call, or -1; */
                                  /* above 0: the objective in one that was   */
} rt_step;

typedef struct rt_train {
    rt_tree *data, *validation;   /* validation may be NULL                   */
    int objective;                /* function, or -1                          */
    int nsteps;
    rt_step *steps;
    int64_t epochs, batch;
    bool drop_last;
    bool in_order;                /* never shuffled                           */
    bool watched;                 /* its steps update different networks      */
    int watch;                    /* function that gives samples and data of pairs; -1 */
    int npairs;
    struct rt_pair { int generator, discriminator; } *pairs;   /* steps      */
} rt_train;

typedef struct rt_report {
    const char *kind;
    rt_tree *data;
    int function, first;          /* its values: outputs from `first` on      */
    int64_t count, bits;          /* the options of these names, or 0         */
    int64_t every;                /* samples: the same                        */
    const char *epochs;           /* samples: "1,2,50", or NULL               */
    const char *name;             /* the option of that name, or NULL         */
} rt_report;

/* Samples that a function made in earlier passes. */
typedef struct rt_replay {
    int function;
    int64_t size, elements;
    float *samples;               /* [size][elements]                         */
} rt_replay;

typedef struct rt_model {
    void *document;               /* the JSON: owns every name; never freed   */
    const char *name, *source, *hash;
    const char *cpu;              /* that its code is for                     */
    int64_t fixed_bytes, block_bytes;
    int nvars, nfunctions, nfiles, nnetworks, ntrains, nreports;
    int nreplays;
    rt_replay *replays;
    int nweights;
    const char **weights;         /* files of imported programs' weights      */
    rt_var *vars;
    rt_function *functions;       /* [0] gives every var its first value      */
    rt_tree *files;
    rt_network *networks;
    rt_train *trains;
    rt_report *reports;
    int pack;                     /* function, or -1                          */
    int reconstruct;              /* function, or -1                          */
    bool reconstruct_scaled;      /* it takes what networks take: SCALED      */
    rt_tree *reconstruct_data;
} rt_model;

/* Reads the descriptor of generated code; a flaw in it is a defect of aecc. */
rt_model *model_read(const char *descriptor, const aecc_variant *);
/* NULL where there is none of this name. */
const rt_network *model_network(const rt_model *, const char *name);
/* The same (NULL: none), or the end with a message that lists the networks. */
const rt_network *need_network(const rt_model *, const char *name);
/* Ends with status 70. */
_Noreturn void rt_defect(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ==== options.c: the command line ======================================= */

typedef enum {
    CMD_TRAIN = 1, CMD_EVALUATE = 2, CMD_RUN = 4, CMD_ENCODE = 8, CMD_RECONSTRUCT = 16,
    CMD_GENERATE = 32, CMD_DETECT = 64, CMD_SUMMARY = 128, CMD_BENCHMARK = 256
} rt_command;

typedef struct rt_list { int n; const char **at; } rt_list;

typedef enum {
#define OPTION(name, field, ...) OPT_##field,
#include "options.def"
#undef OPTION
    N_OPTIONS
} rt_option;

typedef struct rt_options {
    rt_command command;
    const char *network;              /* run, generate, benchmark: its word   */
    bool given[N_OPTIONS];            /* on the command line                  */
    int64_t epochs, batch, threads, steps, every, score, early_stop, count;
    uint64_t seed;
    double quantile;
    rt_list data, in, lengths;
    const char *init, *weights, *save, *checkpoint, *log, *out, *progress;
    const char *labels, *interpolate;
    bool no_shuffle, resume, log_steps, quiet, infer, json, help, version;
} rt_options;

/* Parses; ends the process on wrong usage (2), --help and --version (0). */
rt_options options_read(int argc, char **argv, const rt_model *);
/* Cores that this process may use. */
int cores_available(void);

/* ==== rng.c: random numbers that are pure functions ====================== */

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
void random_key(uint64_t seed, uint32_t purpose, uint32_t key[2]);
/* Elements 4 * counter[0] … + 3 of standard normal numbers. */
void random_normal4(const uint32_t counter[4], const uint32_t key[2], double out[4]);
/* order = a permutation of 0 … n-1, a function of seed, block and epoch. */
void shuffle(int64_t *order, int64_t n, uint64_t seed, uint32_t block, uint32_t epoch);

/* ==== threads.c: a team that meets ======================================= */

/* What threads wait for; each in a cache line of its own. */
typedef struct rt_word {
    _Alignas(64) _Atomic unsigned value;
    _Atomic unsigned sleepers;
} rt_word;

typedef struct rt_team {
    int threads, spins;                        /* spins before it sleeps      */
    rt_word arrived, phase;
} rt_team;

void team_open(rt_team *, int64_t threads);
/* All threads meet; thread 0 runs `between` (or NULL) while the others wait. */
void team_meet(rt_team *, int64_t thread, void (*between)(void *), void *argument);
/* Runs body(argument, thread) on every thread; subnormals are flushed to zero
 * in it, and the caller's floating-point mode is restored. */
void team_run(rt_team *, void (*body)(void *, int64_t), void *argument);
/* Seconds of a clock that never goes back. */
double now(void);

/* ==== cpu.c: the code for this CPU ======================================== */

/* Of a table that ends with NULL; an error (2) where this CPU can run none. */
const aecc_variant *cpu_choose(const aecc_variant *);

/* ==== peak.c bandwidth.c: what this CPU can do at most ==================== */

typedef enum { LEVEL_L1, LEVEL_L2, LEVEL_L3, LEVEL_MEMORY, N_LEVELS } rt_level;

/* Measured, of the whole team; 0: not known. */
typedef struct rt_limits {
    double flops;                    /* FLOP/s, fused multiply-adds in registers */
    double update;                   /* seconds: a square root and a division     */
    double barrier;                  /* seconds: one meeting                      */
    double read[N_LEVELS];           /* seconds a byte                            */
    int64_t size[N_LEVELS];          /* bytes: L1, L2 of a core, L3 of all        */
} rt_limits;

/* Fused multiply-adds of floats, in FLOP/s of the whole team; 0: not known. */
double peak_flops(rt_team *);
/* Seconds for a float's square root and division, all threads together. */
double update_seconds(rt_team *);
/* Seconds that one meeting of the team takes. */
double barrier_seconds(rt_team *);
/* Fills read and size; tens of milliseconds. */
void measure_levels(rt_team *, rt_limits *);

/* ==== source.c source_in.c: data trees, files of --in -> views ============ */

typedef struct rt_sources {
    const rt_model *model;
    const rt_options *options;
    char *beside;                  /* folder of the .nn file                  */
    data_array *arrays;            /* [file]; opened when first wanted        */
    bool *opened;
    struct rt_kept *kept;          /* arrays that views borrow, last one first */
} rt_sources;

void sources_open(rt_sources *, const rt_model *, const rt_options *);
void sources_close(rt_sources *);
/* What samples look like. Functions of train and report blocks scale the data
 * of files themselves, networks take it scaled; and a .npy of floats that the
 * user gives to a network is what it shall see. */
typedef enum { AS_FILES_HOLD, SCALED, SCALED_BUT_NPY } rt_form;

/* Opens what the tree needs. Ends the process when that fails. */
data_view sources_view(rt_sources *, const rt_tree *, rt_form);
/* The files of `--in [INPUT=]FILE` as inputs of a function, scaled as `like`
 * (may be NULL) scales its own. */
data_view sources_in(rt_sources *, const rt_function *, const rt_tree *like, rt_form);
/* --in where it is given, else the tree. */
data_view sources_given(rt_sources *, const rt_function *, const rt_tree *, rt_form);
/* For these two: arrays, `n` of them and empty, that live as long as the sources;
 * windows of a view as the tree has them; what to say where scaling is needed
 * and the program's expression is not affine; the same for class numbers, which
 * functions of train and report blocks count with as the file holds them. */
data_array *sources_keep(rt_sources *, int n);
data_view sources_windows(rt_sources *, const rt_tree *, const data_view *of);
_Noreturn void sources_cannot_scale(const char *data, rt_form);
void sources_check_classes(const data_array *, const rt_tree *file, rt_form);
/* Random inputs of a function, which live as long as the process: floats of
 * [0, 1), whole numbers 0. */
data_view made_up(const rt_function *, uint64_t seed, int64_t samples);
/* Numbers of steps that no data tells become components: the most there are. */
void sources_complete(rt_sources *, const rt_function *, data_view *);
/* Checks that the view fills the function's inputs. */
void view_check(const data_view *, const rt_function *);

/* ==== machine.c: memory and calls ======================================== */

typedef struct rt_machine {
    const rt_model *model;
    char *memory;
    int64_t batch;                 /* the largest that fits                   */
    uint64_t seed;
    rt_team team;
    aecc_call call;                /* the next one                            */
    const rt_function *function;
    const data_view *view;
    const int64_t *order;          /* sample numbers of the batch, or NULL    */
    int64_t first;                 /* NULL: from this one on                  */
    uint64_t **profile;            /* [thread], or NULL                       */
    uint64_t missing;              /* files of weights that are not there     */
} rt_machine;

void machine_open(rt_machine *, const rt_model *, int64_t threads, uint64_t seed, int64_t batch);
void machine_close(rt_machine *);
/* Bytes that it takes. */
double machine_bytes(const rt_model *, int64_t threads, int64_t batch);
/* Prepares the next call, over samples first … first + count - 1 of `order`
 * (NULL: file order). */
void machine_set(rt_machine *, int function, uint32_t purpose, int64_t step,
                 const data_view *, const int64_t *order, int64_t first, int64_t count);
/* Calls until next() is false; next() runs on thread 0 before each call, sees
 * the outputs of the one before, and prepares one with machine_set. */
typedef bool rt_next(rt_machine *, void *job);
void machine_run(rt_machine *, rt_next *next, void *job);
/* First values of all vars. */
void machine_init(rt_machine *);
/* The function to call for the next of `count` samples of an inference, and
 * in *count how many it takes. */
int faster_function(const rt_model *, int function, int64_t *count);
/* Packs the vars as they are now, before functions for one sample. */
void machine_pack(rt_machine *);
/* A scalar output of the last call. */
float machine_scalar(const rt_machine *, const rt_tensor *);
/* Steps of an output in a sample of the last call; the first size of its shape
 * where the length does not vary. */
int64_t machine_length(const rt_machine *, const rt_tensor *, int64_t sample);
/* Elements of a step of a tensor whose first axis is steps; those of an output
 * that a sample of the last call has. */
int64_t step_of(const rt_tensor *);
int64_t machine_live(const rt_machine *, const rt_tensor *, int64_t sample);
/* Copies sample `sample` of an output to `elements` floats in natural order,
 * zeros behind its steps. */
void machine_sample(const rt_machine *, const rt_tensor *, int64_t sample, float *to);
/* The first of vars with a value that is not finite, or NULL; *at its place. */
const rt_var *machine_bad_var(const rt_machine *, int64_t *at);
/* to/from the strides of a tensor: element i in natural order is number … */
int64_t tensor_place(const rt_tensor *, int64_t element);

/* ==== replay.c: data that networks made ================================== */

/* A view of as many samples as the data beside it has. */
data_view replay_view(const rt_model *, const rt_tree *, int64_t samples);
/* Fills those of a tree from the networks as they are now. */
void replay_fill(rt_machine *, const rt_tree *, int64_t batch);
/* Which of a replay's samples a place of a batch gets. */
int64_t replay_draw(const aecc_call *, uint64_t seed, int64_t size, int64_t place);
/* After a pass: takes what the call for replay `*at` made (-1: there was none) and sets
 * the call for the next one of the tree; false, and -1, where there is none. */
bool replay_next(rt_machine *, const rt_tree *, int64_t pass, int64_t step, int64_t batch, int *at);
size_t replay_bytes(const rt_model *);         /* of all samples that are kept   */

/* ==== validate.c: objectives and outputs over a view ===================== */

/* Batches of a view in file order, one call for each; `each` gets every batch
 * after its call. False when a signal stopped it. */
typedef void rt_each(rt_machine *, void *job, int64_t first, int64_t count);
bool over_view(rt_machine *, int function, uint32_t purpose, const data_view *,
               int64_t batch, rt_each *each, void *job);
/* out[output] = mean over the samples of each scalar output. */
bool objectives_over(rt_machine *, int function, const data_view *, int64_t batch, double *out);
/* "val_loss", "val_critic.loss", …: an objective of a train block; malloc'd. */
char *objective_name(const rt_model *, const rt_train *, int output);

/* ==== safetensors.c ====================================================== */

bool weights_save(const rt_machine *, const char *path, rt_error *);
bool weights_load(rt_machine *, const char *path, rt_error *);
/* Reads the weights of imported programs, those that no step changes or, of a run
 * that begins, all; a file that is not there is missing only to what reads it:
 * weights_check ends the process where a function does. */
void weights_import(rt_machine *, bool first);
void weights_check(const rt_machine *, const rt_function *);
/* Loads --weights, or NAME.safetensors; ends the process when that fails. */
void weights_need(rt_machine *, const rt_options *);

/* ==== checkpoint.c ======================================================= */

/* What a run knows besides its variables. */
enum { RT_MAX_BATCH = 65536 };

typedef struct rt_state {
    int64_t block, epoch, position;    /* batches drawn in this epoch         */
    int64_t step, batches;             /* of the run                          */
    int64_t samples;                   /* of the block's data                 */
    double *sums, *counts;             /* [step of the block] of this epoch   */
    double *firsts;                    /* [step] its first loss               */
    double *slopes, *stills, *probes;  /* [step] watch.c: sums, how many      */
    double *spreads, *spread_counts;   /* [step] the same of a generator's    */
    int nsums;
    double best;                       /* lowest objective, INFINITY before   */
    int64_t waited;                    /* epochs since then                   */
    double seconds;
    uint64_t seed;
    int64_t batch;                     /* as given, 0: the program's          */
    bool no_shuffle;
    int64_t log_bytes;
} rt_state;

bool checkpoint_save(const rt_machine *, const rt_state *, const char *path, rt_error *);
/* *found false where there is none. `state->sums` is allocated. */
bool checkpoint_read(const rt_model *, const char *path, rt_state *, char **vars, bool *found,
                     rt_error *);
void checkpoint_restore(rt_machine *, char *vars);

/* ==== log.c ============================================================== */

typedef struct rt_log { FILE *file; const char *path; } rt_log;

/* keep: bytes to keep of an existing file (0 starts it afresh). */
void log_open(rt_log *, const char *path, int64_t keep);
/* One row; keys with NULL end it. Numbers read back exactly. */
typedef struct rt_field {
    const char *name; bool integer; int64_t whole; double number;
    const char *json;              /* instead of a number, or NULL            */
} rt_field;
void log_row(rt_log *, const rt_field *, int n);
void log_flush(rt_log *);
/* Bytes so far, on disk. */
int64_t log_sync(rt_log *);
void log_close(rt_log *);
/* Shortest decimal that reads back as the same double. */
const char *number_text(char text[32], double value);

/* ==== progress.c ========================================================= */

typedef enum { SHOW_NEVER, SHOW_LINES, SHOW_BAR, SHOW_JSON } rt_show;

typedef struct rt_progress {
    rt_show show;
    bool plain;                    /* no UTF-8: a bar of ASCII                */
    bool color;
    int width;                     /* of the last line drawn                  */
    int64_t epoch, epochs, total;  /* total: steps in an epoch               */
    int64_t first;                 /* steps done when it began                */
    double began, drawn, settled;  /* settled: time after its first step      */
} rt_progress;

typedef struct rt_metric { const char *name; double value; } rt_metric;

void progress_open(rt_progress *, const rt_options *);
void progress_epoch(rt_progress *, int64_t epoch, int64_t epochs, int64_t done, int64_t total);
void progress_step(rt_progress *, int64_t done, const rt_metric *, int n);
void progress_end(rt_progress *, int64_t done, const rt_metric *, int n);
/* A line between bars; says nothing with --quiet. */
void progress_say(rt_progress *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ==== the commands ======================================================= */

/* What every command needs, made by main(). */
typedef struct rt_trainer {
    const rt_model *model;
    const rt_options *options;
    rt_sources sources;
    rt_machine machine;
} rt_trainer;

int command_train(rt_trainer *);
int command_evaluate(rt_trainer *);
int command_run(rt_trainer *);
int command_encode(rt_trainer *);
int command_reconstruct(rt_trainer *);
int command_generate(rt_trainer *);
int command_detect(rt_trainer *);
int command_summary(rt_trainer *);
int command_benchmark(rt_trainer *);

/* A network over all samples of a view, to --out; the exit status. */
int run_network(rt_trainer *, const rt_network *, const data_view *);
/* Draws the pictures of report blocks that are due after this epoch of a block, from
 * 1; epoch 0: when training has ended. */
void report_pictures(rt_trainer *, rt_progress *, int64_t block, int64_t epoch);
/* The batch for inference: --batch, or the program's. */
int64_t inference_batch(const rt_trainer *);
/* Memory for the largest batch of this command. */
void trainer_machine(rt_trainer *, int64_t batch);

/* ==== score.c: lines of report blocks that are numbers =================== */

typedef struct rt_score {
    int64_t samples;               /* it is of                                */
    int n;                         /* numbers, or a histogram, names[0]       */
    char names[3][128];
    double values[3];
    int64_t nclasses, *classes;    /* samples of each class; NULL             */
    char *json;                    /* the same as a list; NULL                */
} rt_score;

bool is_score(const rt_report *);
/* Has the program such a line? */
bool reports_scores(const rt_model *);
/* One for each report, empty. */
rt_score *scores_new(const rt_model *);
void scores_free(const rt_model *, rt_score *);
/* Fills that of a report, and of those that share its function, over their numbers
 * of samples of a view; nothing where that is done. False when a signal stopped it. */
bool score(rt_trainer *, int report, const data_view *, int64_t batch, rt_score *);
/* The encoder of a program that reconstructs, and whose reports say nothing of
 * compression; else NULL. Its compression over a view. */
const rt_function *coder(const rt_model *);
bool score_coder(rt_trainer *, const data_view *, int64_t batch, rt_score *);

/* ==== signals (main.c) =================================================== */

void signals_catch(void);
/* 0, or the signal that asked the run to end. */
int signal_seen(void);

#endif
