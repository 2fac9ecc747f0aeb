/* aecc: the map. Every type and entry point of the compiler, a banner for
 * each file, in the order of the pipeline:
 *
 *   model.nn --parse--> Ast --check--> Model (graph)
 *            --grad, simplify, share, pairs, ranges--> Model --fuse, plan--> Program (kernels)
 *            --lower--> Program (loops) --llvm--> object --link--> trainer
 *
 * Letters of dimensions, everywhere: N batch, H W image, C channels in,
 * K channels out, R S kernel. Shapes are per sample: the batch is a mark on
 * a shape, not one of its dimensions. LANES samples form a block; the lane
 * of a sample is its place in its block. */
#ifndef AECC_H
#define AECC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define AECC_VERSION "0.1.0"

enum { LANES = 16, MAX_RANK = 8, MAX_VARS = 16 };

/* Exit statuses of aecc. */
enum { EXIT_DONE = 0, EXIT_PROGRAM = 1, EXIT_USAGE = 2, EXIT_FILE = 5,
       EXIT_DEFECT = 70 };

#if defined(__GNUC__)
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define NORETURN __attribute__((noreturn))
#else
#define PRINTF(f, a)
#define NORETURN
#endif

/* ==== base/arena.c: one bump arena for a compilation ==================== */
void *arena_alloc(size_t bytes);          /* zeroed, aligned to 16           */
#define NEW(type) ((type *)arena_alloc(sizeof(type)))
#define NEW_ARRAY(type, n) ((type *)arena_alloc(sizeof(type) * (size_t)(n)))
/* Grows an arena array so that index n is valid; amortized. `cap` is updated. */
void *arena_grow(void *array, size_t size, int n, int *cap);
#define PUSH(array, n, cap, value)                                           \
    ((array) = arena_grow((array), sizeof *(array), (n), &(cap)),            \
     (array)[(n)++] = (value))
void arena_free(void);                    /* everything at once              */

/* ==== base/intern.c: names that compare by pointer ====================== */
const char *intern(const char *s);
const char *intern_n(const char *s, size_t n);

/* ==== base/text.c: strings that grow ==================================== */
typedef struct Text { char *at; size_t n, cap; } Text;
void text_put(Text *, const char *bytes, size_t n);
void text_printf(Text *, const char *format, ...) PRINTF(2, 3);
char *format(const char *format, ...) PRINTF(1, 2);   /* in the arena        */
char *vformat(const char *format, va_list) PRINTF(1, 0);
/* The shortest decimal that reads back as the same double. */
void text_double(Text *, double value);
/* In double quotes, with the escapes of .nn files. */
void text_quote(Text *, const char *s);
/* Reads a whole file, "-" the standard input, which may be read again;
 * NUL-terminated. NULL with errno set when that fails. */
char *read_file(const char *path, size_t *n);
/* Writes by way of a temporary file beside it; "-" is stdout. Exits with
 * EXIT_FILE and a message when that fails; leaves nothing half written. */
void write_file(const char *path, const void *bytes, size_t n);
/* The same of a regular file; returns 0 or errno. */
int try_write_file(const char *path, const void *bytes, size_t n);
/* Ends with EXIT_FILE where write_file would fail, before work is spent. */
void check_writable(const char *path);
/* The file that a write to `path` replaces: what a link names, else `path`. */
char *replaced_file(const char *path);

/* ==== base/diag.c: errors with a caret, all of them in one run ========== */
typedef struct Pos { int file, line, column, length; } Pos;  /* line 0: none */

typedef enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } ColorWhen;
typedef struct DiagOptions {
    ColorWhen color; bool json, werror;
} DiagOptions;
extern DiagOptions diag_options;

int diag_source(const char *path, const char *text, size_t n); /* a file number */
const char *source_path(int file);
const char *source_text(int file, size_t *n);
/* Each message is collected and printed by diag_flush in the order of the
 * source; note_at and hint belong to the message before them. Equal messages
 * at one place are printed once. */
void error_at(Pos, const char *format, ...) PRINTF(2, 3);
void warning_at(Pos, const char *format, ...) PRINTF(2, 3);
void note_at(Pos, const char *format, ...) PRINTF(2, 3);
void hint(const char *format, ...) PRINTF(1, 2);
int error_count(void);                    /* -Werror counts warnings too     */
void diag_flush(void);
/* Forgets sources and messages: before or after arena_free(). */
void diag_reset(void);
/* The candidate nearest to `word` if it is near enough to be meant, or NULL. */
const char *closest(const char *word, const char *const *candidates, int n);
/* A defect of aecc itself: says so, names the pass, asks for a report; 70. */
void die(const char *format, ...) PRINTF(1, 2) NORETURN;
extern const char *current_pass;
/* While a text form of a program is verified: what die() finds is an error of
 * this file (EXIT_PROGRAM), not a defect. */
extern const char *blamed_text;
/* Wrong usage (2); reading or writing failed (5). */
void fail_usage(const char *format, ...) PRINTF(1, 2) NORETURN;
void fail_file(const char *format, ...) PRINTF(1, 2) NORETURN;

/* ==== std (generated): the .nn files of dsl/std, embedded at build ======= */
struct StdFile { const char *name, *text; };   /* "layers.nn"               */
extern const struct StdFile std_files[];
extern const int std_file_count;

/* ==== graph/graph.c: tensors and operations, no loops =================== */
typedef enum Type { T_F32, T_I32, T_BOOL, N_TYPES } Type;

/* A tensor's shape for one sample; `batch`: there is one such for each. */
typedef struct Shape {
    bool batch;
    int rank;
    int64_t dim[MAX_RANK];
} Shape;

typedef enum Op {
#define OP(name, ...) OP_##name,
#include "graph/ops.def"
    N_OPS
} Op;

/* constant + sum of coefficient[i] * var[i], over the domain of a contraction. */
typedef struct Affine {
    int64_t constant;
    int terms;
    int var[2];
    int64_t coefficient[2];
} Affine;

/* out[map 0] += a[map 1] * b[map 2] for every point of a box of variables
 * (times the batch, where one of the three has it); points at which an index
 * falls outside its tensor are skipped. That one form is a dense layer, a
 * convolution, a transposed one, pooling by average, and each one's
 * gradients: a gradient permutes the three roles. With one operand (nin 1)
 * b is 1. With more than two they are pairs a b a b … of the same shapes, whose
 * products all go to out (pairs.c). The sum of an element runs over the reduced
 * variables in their order, as one chain of fused multiply-adds from zero; over the
 * batch block by block, outermost, in a block pair by pair, and of a pair as the
 * class says (loop/lower.h). */
typedef struct Contraction {
    int nvars;
    int64_t extent[MAX_VARS];
    Affine map[3][MAX_RANK];
} Contraction;

/* Windows over all axes of a sample: axes without one have size 1, stride 1. */
typedef struct Window {
    int64_t size[MAX_RANK], stride[MAX_RANK], dilation[MAX_RANK], low[MAX_RANK];
} Window;

typedef enum RandomKind { RANDOM_UNIFORM, RANDOM_NORMAL, RANDOM_BITS } RandomKind;

typedef union Attr {
    double number;                                   /* const, pow: exponent */
    struct { double number; const double *data; } constant;  /* data or splat */
    int axis;                                        /* iota, concatenate    */
    int permutation[MAX_RANK];                       /* transpose            */
    int map[MAX_RANK];       /* broadcast: source axis of each axis, -1: new */
    bool axes[MAX_RANK + 1]; /* reductions: [i] axis i, [MAX_RANK] the batch */
    struct { int64_t low[MAX_RANK], high[MAX_RANK], interior[MAX_RANK]; } pad;
    struct { int64_t start[MAX_RANK], limit[MAX_RANK], stride[MAX_RANK]; } slice;
    bool reverse[MAX_RANK];
    Contraction contraction;
    Window window;
    struct { RandomKind kind; uint32_t path; } random;   /* and orthogonal  */
    struct Var *var;
    int input;                                       /* index into Fn.inputs */
    struct {
        int id;              /* of the scan; carried and time name theirs     */
        int index;           /* carried: which; result: which                 */
        int carried;         /* scan: values carried from step to step        */
        bool reverse;        /* scan: from the last step to the first         */
        bool again;          /* scan: derivatives do its steps again, from    */
                             /* what is carried into each; nothing else of a  */
                             /* step is kept, or done for all steps at once   */
        int64_t steps;
        int lengths;         /* scan: 1 + the input that says how many steps  */
                             /* a sample has, 0: all. Beyond, it carries its  */
                             /* values on, and emits what no result reads    */
        int64_t stretch;     /* with lengths: steps of a sample in one of the */
                             /* scan's; 0: one                               */
    } scan;
} Attr;

typedef struct Node Node;
struct Node {
    Op op;
    Type type;
    Shape shape;
    int nin;
    Node **in;
    Attr attr;            /* zero where unused: equal nodes compare by bytes */
    Pos pos;              /* the .nn source that made it                     */
    const char *layer;    /* "encoder.conv2d_1", or NULL                     */
    int id;               /* in order of creation; inputs have smaller ids   */
};

/* What keeps its value between steps. */
typedef enum VarKind {
    VAR_PARAM, VAR_STATE, VAR_SLOT, VAR_COUNT,
    VAR_PACKED            /* a parameter in the order that FN_SINGLE reads   */
} VarKind;
typedef struct Var {
    VarKind kind;         /* SLOT, COUNT: an optimizer's, for `owner`        */
    const char *name;     /* "encoder.dense_1.kernel"; unique                */
    Type type;
    Shape shape;          /* never batch                                     */
    Node *node;           /* the OP_var leaf                                 */
    Node *init;           /* a value of this shape without inputs            */
    struct Var *owner;    /* SLOT: the parameter; else NULL                  */
    bool places;          /* STATE: [0] is the place in the batch; zero when */
                          /* an epoch begins                                 */
    const char *weights;  /* PARAM, STATE: the file that has its first value, */
                          /* of a program imported with its weights, or NULL */
    bool borrowed;        /* no step updates its network: it stays in that file */
    Pos pos;
    int64_t offset;       /* bytes in the fixed part, set by plan()          */
} Var;

/* Builders check shapes as assertions (die): users' mistakes are found by
 * check() before. Each returns an equal existing node where there is one. */
Node *graph_node(Op, Type, Shape, int nin, Node **in, const Attr *, Pos);
Node *graph_op1(Op, Node *a);                       /* elementwise           */
Node *graph_op2(Op, Node *a, Node *b);
Node *graph_pow(Node *a, double exponent);
Node *graph_const(Shape, double value);             /* splat, f32            */
Node *graph_typed(Type, Shape, double value);       /* splat of any type     */
Node *graph_data(Shape, const double *values);
Node *graph_select(Node *p, Node *a, Node *b);
Node *graph_convert(Node *a, Type);
Node *graph_reshape(Node *a, Shape);
Node *graph_transpose(Node *a, const int *permutation);
Node *graph_broadcast(Node *a, Shape to, const int *map);
/* Broadcasts a to `to` as expressions do: from the right, batch with batch. */
Node *graph_expand(Node *a, Shape to);
Node *graph_pad(Node *a, Node *value, const int64_t *low, const int64_t *high,
                const int64_t *interior);
Node *graph_slice(Node *a, const int64_t *start, const int64_t *limit,
                  const int64_t *stride);
Node *graph_reverse(Node *a, const bool *axes);
Node *graph_concatenate(int n, Node **parts, int axis);
/* axes[i]; axes[MAX_RANK] reduces the batch. Reduced axes are removed. */
Node *graph_reduce(Op, Node *a, const bool *axes);
Node *graph_contract(Shape out, Node *a, Node *b, const Contraction *);
Node *graph_window(Op, Node *a, Node *index, Shape out, const Window *);
Node *graph_gather_rows(Node *rows, Node *index);
Node *graph_scatter_add_rows(Node *into, Node *index, Node *rows);
/* Recurrence. `id` of graph_scan_id(). Body: every node that depends on the
 * scan's carried values or its time. init, next: `carried` of them; emit: any
 * number. Result i < carried is carried value i after the last step; result
 * carried + j is emit j of all steps, stacked along a new first axis. */
int graph_scan_id(void);
Node *graph_carried(int id, int index, Type, Shape);
Node *graph_time(int id);                /* i32: the step, 0 the first in time */
Node *graph_scan(int id, int64_t steps, bool reverse, int carried, Node **init, Node **next,
                 int nemit, Node **emit);
/* The same scan, of samples that have as many steps as that input says. */
Node *scan_of_lengths(Node *scan, int lengths);
/* Its results as those of a scan whose steps are stretches of at most `every`
 * of its own, which derivatives do again; false: too many axes. */
bool scan_in_stretches(Node *scan, int64_t every, Node **results);
Node *graph_result(Node *scan, int index);
Node *graph_element(Node *sequence, Node *index);      /* sequence[index]    */
Node *graph_iota(Type, Shape, int axis);
Node *graph_random(RandomKind, Shape, uint32_t path);
Node *graph_orthogonal(Shape, uint32_t path);
Node *graph_live(void);                  /* live samples of the batch, scalar */
Node *graph_place(void);                 /* i32 of each sample: 0, 1, …   */
Node *graph_var(Var *);
Node *graph_input(Type, Shape, int index, Pos);
/* d sum(y) / d x, a place that grad() fills. */
Node *graph_gradient(Node *y, Node *x);
/* New nodes get this source place and layer until it is set again. */
void graph_at(Pos, const char *layer);
void graph_reset(void);           /* an empty graph, after arena_free()      */
int graph_count(void);            /* nodes so far; ids are below it          */

bool shape_equal(Shape, Shape);
int64_t shape_size(Shape);                          /* elements of a sample  */
Shape shape_of(bool batch, int rank, const int64_t *dim);
char *shape_text(Shape);                            /* "[28, 28]", arena     */
extern const char *const op_name[N_OPS];
extern const char *const type_name[N_TYPES];
bool op_is_map(Op);                /* elementwise: scalar formula in ops.def */
void print_ops(Text *);            /* ops.def as a table, for --print-ops    */

/* Nodes that `roots` reach, inputs first, in order of id. */
typedef struct NodeList { Node **at; int n; } NodeList;
NodeList graph_reach(int n, Node *const *roots);
/* Rebuilds the nodes that roots reach with replace(node, arg) != NULL put in
 * place of node; roots are updated. */
void graph_rewrite(int n, Node **roots, Node *(*replace)(Node *, void *), void *);
/* The same where to[id] tells what takes the place of a node, NULL: nothing
 * does; `to` has room for all nodes at the call. */
void graph_substitute(int n, Node **roots, Node *const *to);

/* ==== The model: what check() makes of a file =========================== */
typedef enum FnKind {
    FN_INIT,      /* updates: every var gets its first value                 */
    FN_STEP,      /* steps: outputs are their objectives; updates            */
    FN_OBJECTIVE, /* validation: outputs = the objectives, training false    */
    FN_NETWORK,   /* inference of a network                                  */
    FN_REPORT,    /* outputs of a line of a report block                     */
    FN_SINGLE,    /* a network or report for one sample: nothing has a batch */
    FN_PACK       /* updates: the packed vars, from the parameters           */
} FnKind;

typedef struct Fn {
    FnKind kind;
    const char *name;             /* "train_1.step", "encoder", …            */
    int ninputs; Node **inputs; const char **input_names;
    int noutputs; Node **outputs; const char **output_names;
    int nupdates; Var **targets; Node **values;
    /* Sequences of varying length; NULL where there are none.               */
    int *length_of;               /* [input]: the input whose length it is, -1 */
    int64_t *most;                /* [input]: the largest length, 0: it is none */
    int *length;                  /* [output]: the output that is its length, -1 */
    int64_t *classes;             /* NETWORK, [input]: it is the number of one of */
                                  /* so many, 0: it counts nothing            */
    Pos pos;
    struct Fn *single;            /* the same for one sample, or NULL        */
    struct Program *program;      /* set by fuse()                           */
} Fn;

/* Data sources as a tree; aecc never opens the files. */
typedef enum DataKind {
    DATA_FILE, DATA_SPLIT, DATA_ZIP, DATA_CONCAT, DATA_WINDOWS, DATA_FILTER,
    DATA_REPLAY           /* earlier samples of a function without inputs    */
} DataKind;
typedef struct Data {
    DataKind kind;
    const char *name;             /* declared name, or NULL                  */
    const char *reader, *path;    /* FILE: "idx" "npy" "csv" "png"           */
    struct Data **parts; int nparts;
    bool last, rest;              /* SPLIT: count from the end; the other part */
    int64_t count; double fraction;      /* SPLIT: one of them; WINDOWS: steps */
    int64_t stride;               /* WINDOWS: from one to the next           */
    double *keep; int nkeep;      /* FILTER: parts are what is filtered and  */
                                  /* the numbers by which; those that stay   */
    struct Fn *replay;            /* REPLAY: it makes samples, `count` are kept */
    const char *lengths, *series; /* FILE: of the steps of each sample; the  */
                                  /* column that names the series; or NULL   */
    bool varying, bounded;        /* FILE: shape.dim[0] is the most steps; 0, */
                                  /* not bounded: nothing says how many      */
    /* FILE: what the expression does to an element, where it is affine:
     * (x / divide) * multiply + add, in this order; identity 1 1 0. Any
     * expression is in the graph of the functions that use it.              */
    bool affine; double divide, multiply, add;
    double early[3];              /* FILE: what of it is done when a sample is */
                                  /* read, where others beside it differ     */
    Shape shape; bool shaped;     /* of one sample, if declared or inferred  */
    int64_t classes;              /* FILE: its values number this many, 0: no */
    Type type;
    Pos pos;
} Data;

typedef struct TrainStep {
    const char *name;             /* NULL: the only one                      */
    Fn *fn; int repeat; Pos pos;
    bool fresh;                   /* takes batches of its own, not the last one */
    Fn *joined; int output;       /* or NULL: does its last call, and the steps */
                                  /* after it, of which this is output `output` */
} TrainStep;

/* Two steps against each other: what the generator's gives to a network of the
 * discriminator's, and what that gives it of the data. */
typedef struct WatchPair {
    int generator, discriminator; /* steps                                   */
    Node *samples, *data;         /* outputs 2 i and 2 i + 1 of `watch`      */
} WatchPair;

typedef struct Train {
    Data *data;                   /* components bound in order to inputs     */
    Data *validation; Fn *objective;          /* NULL without validate       */
    int nsteps; TrainStep *steps;
    int64_t epochs, batch; bool drop_last;
    bool in_order;                /* not shuffled: a state goes on from batch to batch */
    bool watched;                 /* steps that update different networks    */
    Fn *watch; WatchPair *pairs; int npairs;  /* NULL without pairs          */
    Pos pos;
} Train;

typedef struct Report {
    const char *kind;             /* "reconstructions", …                    */
    Data *data; Fn *fn;
    int first;                    /* its values are outputs of fn from here on */
    const char **option_names; const char **option_values; int noptions;
    Pos pos;
} Report;

typedef struct LayerInfo {        /* for `summary`, in order of the source   */
    const char *name;             /* "encoder.conv2d_1"                      */
    const char *type;             /* "conv2d"                                */
    Shape output; int64_t params, untrained; Pos pos;
} LayerInfo;

typedef struct Network {
    const char *name; Fn *fn;
    int nlayers; LayerInfo *layers;
    Pos pos;
} Network;

typedef struct Model {
    const char *name;             /* "conv_ae"                               */
    const char *source;           /* path of the .nn                         */
    int nvars; Var **vars;
    int nfns; Fn **fns;           /* [0] is FN_INIT                          */
    int nnetworks; Network *networks;
    int ndata; Data **data;       /* every DATA_FILE, in order               */
    int nreplays; Data **replays; /* every DATA_REPLAY, once                 */
    int ntrains; Train *trains;
    int nreports; Report *reports;
    /* Where a model has networks `encoder` and `decoder` or a report of
     * reconstructions: outputs (reconstruction, original); else NULL.       */
    Fn *reconstruct; Data *reconstruct_data;
    Fn *pack;                     /* or NULL; set by unbatch()                */
    int64_t fixed_bytes;          /* of all vars, set by plan()              */
} Model;

/* ==== graph/check….c: Ast -> Model: names, shapes, types, all errors ==== */
struct Ast;
Model *check(struct Ast *file, const char *source);

/* ==== graph passes ====================================================== */
void grad(Model *);               /* no OP_gradient afterwards               */
void hoist(Model *);              /* out of scans what they need not do      */
/* The same on the values of one function; roots are updated. */
void hoist_roots(int n, Node **roots);
void simplify(Model *);           /* algebra, constants, views into maps     */
void unbatch(Model *);            /* networks also without a batch           */
/* d sum(y) / d x[i] as graph, for grad() and tests. */
void gradient(Node *y, int n, Node **x, Node **out);
/* FLOPs of one sample (batch) or once; 2 for each multiply-add that is done. */
double contraction_flops(const Node *);

/* ==== graph/share.c: steps of one batch that share work are one Fn ======= */
void share_steps(Model *);

/* ==== graph/ranges.c: sums in ranges, one for each owner ============== */
void ranges(Model *);

/* ==== graph/pairs.c: products that add up are one ======================== */
void pairs(Model *);

/* ==== graph/print.c read.c verify.c ===================================== */
void print_graph(Text *, const Model *);
void print_fn(Text *, const Fn *);
/* Reads what print_fn prints; reports errors at its lines; NULL after any.
 * The vars that it declares are new, in *vars. */
Fn *read_fn(int file, Var ***vars, int *nvars);
/* Hands over each function of a text of print_graph, with vars and a graph of
 * its own that ends with the call; false after an error. */
bool read_graph(int file, void (*each)(void *, const Fn *), void *);
void verify_fn(const Fn *);       /* die()s at the first illegal node        */
void print_dot(Text *, const Model *);

/* ==== graph/interp.c: the oracle ======================================== */
typedef struct Random { uint32_t seed[2], purpose, step; } Random;
typedef struct Interp {
    bool float32;                 /* round every operation to float32        */
    int64_t samples;              /* live samples in the batch               */
    Random random;
    double **inputs;              /* [fn input][sample][element]             */
    double **vars;                /* [index in vars][element]                */
    Var **var_list; int nvars;
    double **outputs;             /* out: [fn output], arena                 */
    double **updates;             /* out: [fn update], arena                 */
} Interp;
void interpret(const Fn *, Interp *);
/* Philox4x32-10. */
void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* ==== graph/gradcheck.c target/jit.c: --check=grad, --check=interp ====== */
/* Print a table to stdout; the number of rows that fail. */
int check_gradients(const Model *);
int check_interpreter(const Model *);

/* ==== graph/fuse.c (keep layout spread order), plan.c: kernels, memory === */
/* loop/loop.h has Buffer, Kernel and Program. */
struct Program;
void fuse(Model *);               /* every Fn gets its Program of kernels    */
void plan(Model *);               /* buffers get their offsets               */

/* ==== target/llvm_machine.c: a processor, to the choice of schedules ===== */
typedef struct TargetOptions {
    const char *triple, *cpu, *features;   /* NULL: the host's               */
    int level;                             /* -O                             */
} TargetOptions;

typedef struct Machine {
    const char *name;             /* of its vectors: "avx512", "neon", …     */
    int registers, width;         /* vector registers; floats in each        */
    double usable;                /* of them, before LLVM spills             */
    double multiply_adds, loads, stores;   /* of registers, in a cycle       */
    double splats;                /* loads of one number, in a cycle         */
    double issue;                 /* instructions in a cycle                 */
    int latency;                  /* of a multiply-add, in cycles            */
    double entry;                 /* cycles lost at a short loop; 0: not known */
    bool memory_operands;         /* a multiply-add can splat from memory    */
    int64_t cache[3];             /* bytes of L1, L2, L3 for one core        */
    double bytes[3];              /* in a cycle from L2, L3, memory          */
} Machine;
Machine machine_for(const TargetOptions *);
/* llvm_probe.c: has this machine what vectors for the target use? Other
 * instructions of a processor named may still be missing. */
bool host_runs(const TargetOptions *);
/* tune.c: chooses schedules by time, for the next lower(). */
void tune(const Model *, const TargetOptions *);
/* Wrong usage: code for the target does not run here. */
void refuse_tuning(const TargetOptions *) NORETURN;

/* ==== loop/ passes ======================================================== */
/* Every Kernel gets its loops, for this machine; Machine outlives the Model. */
void lower(const Model *, const Machine *);
void print_program(Text *, const struct Program *, bool loops);

/* ==== target/llvm…c describe.c link.c ================================== */
typedef enum { OUT_OBJECT, OUT_OBJECTS, OUT_ASSEMBLY, OUT_LLVM } OutputForm;
typedef struct CodeOptions {
    const TargetOptions *targets; int ntargets;   /* code for each           */
    OutputForm form;
    int jobs;                              /* threads; 0: one for each core  */
    bool sizes;                            /* of each function, too          */
} CodeOptions;
typedef struct CodeSize { const char *name; int instructions; int64_t bytes; } CodeSize;
typedef struct Code {
    Text *part; int nparts;                /* several with OUT_OBJECTS only  */
    CodeSize *functions; int nfunctions, functions_cap;
    int threads;
    double emit, optimize, generate;       /* seconds, of all threads        */
} Code;
/* The code of all functions and the descriptor (runtime/aecc_rt.h). The model
 * is lowered for the first target, and for the last one afterwards. */
Code emit_code(const Model *, const CodeOptions *);
/* For one target, in one piece. */
void emit_llvm(const Model *, const TargetOptions *, OutputForm, Text *out);
/* Does a program for `triple` run on this machine? */
bool is_host_target(const char *triple);
/* The targets that --target can name. */
void print_targets(Text *);
/* The descriptor's JSON. */
char *describe(const Model *);
typedef struct LinkJob {
    const char *const *objects; int nobjects;
    const char *triple;           /* NULL: the host's                        */
    const char *output;
    bool verbose, dry_run;
} LinkJob;
void link_trainer(const LinkJob *);
/* Is there a runtime for `triple`? */
bool can_link(const char *triple);

#endif
