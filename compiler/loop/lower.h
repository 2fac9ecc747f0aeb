/* What fuse() and the files of loop/ that lower kernels share. */
#ifndef AECC_LOWER_H
#define AECC_LOWER_H

#include "loop/loop.h"

/* ---- schedule.c: what a contraction looks like to the machine ----------- */

typedef enum ContractClass {
    CONTRACT_SAMPLES,   /* lanes are samples: forward and input gradients    */
    CONTRACT_LANE_SUM,  /* lanes are samples, summed at the end: gradients   */
                        /* of convolution weights                            */
    CONTRACT_ROWS,      /* lanes are an output axis, samples one by one:     */
                        /* gradients of dense weights                        */
    CONTRACT_FREE       /* no batch anywhere                                 */
} ContractClass;

/* *lane_var: the variable in the lanes of ROWS and FREE, or -1 (scalars). */
ContractClass contract_class(const Node *, int *lane_var);

/* ---- views: reshape, transpose, … of what is in memory ------------------- */

bool op_is_view(Op);
/* The node under the views of n. */
Node *view_base(Node *n);
/* n's element [i] is its base's element `offset` + sum i * stride, counted
 * in natural (unpadded) order for a batch and in storage order otherwise. */
bool view_strides(Node *n, int64_t *offset, int64_t stride[MAX_RANK]);

/* ---- eval.c: the value of a node at an index ----------------------------- */

typedef enum LaneMode { LANE_NONE, LANE_SAMPLE, LANE_AXIS } LaneMode;

/* Where: an index for each axis of a shape, or one index into the storage
 * of everything of that shape (`flat`). With LANE_AXIS the lanes are 16
 * neighbors along axis `lane`, whose index is that of the first (-1: all
 * lanes see the same element). */
typedef struct At {
    LaneMode mode;
    bool by_flat;
    Inst *flat;
    Inst *axis[MAX_RANK];
    int lane;
} At;

typedef struct Eval {
    Program *program;
    Kernel *kernel;
    Inst *block;               /* NULL: the kernel's own                     */
    Inst **uniform;            /* [node id]: scalars computed at the top     */
    struct { Node *node; Inst *value; } *known;   /* at the current index    */
    int nknown, known_cap;
} Eval;

Eval eval_begin(Program *, Kernel *);
/* Forgets values of the last index; `root` has value `value` at the new one. */
void eval_at(Eval *, Node *root, Inst *value);
Inst *eval(Eval *, Node *, const At *);
/* Evaluates and writes every store of the kernel at an index of its space. */
void eval_stores(Eval *, const At *);
/* The index of an element in n's buffer, in elements of one sample. */
Inst *natural_index(Shape, Inst *const *axis);
Inst *storage_index(Shape, Inst *const *axis);
/* Can everything the kernel touches be addressed by storage index alone? */
bool kernel_is_flat(const Program *, const Kernel *);

/* ---- nest.c: loops over the box of a contraction ------------------------- */

/* A contraction after the outputs' strides have been split into phases:
 * every output index is one variable (times a stride, plus a constant), and
 * `bound`s say which points exist. */
typedef struct NestVar {
    int64_t extent;
    int64_t tile;              /* unrolled offsets 0..tile-1                 */
    bool reduced, lane;        /* lane: counts vectors of LANES              */
    /* While loops are emitted: */
    Inst *base;                /* runtime part, NULL until its loop stands   */
    int64_t first;             /* its least value in the current segment     */
    bool fixed;                /* base is that constant                      */
    int64_t count;             /* offsets alive here: tile, or the remainder */
} NestVar;

typedef struct Bound { Affine at; int64_t limit; } Bound;   /* 0 <= at < limit */

enum { MAX_BOUNDS = 2 * MAX_RANK, MAX_TERMS = 4 };

/* constant + sum of coefficient * var, any number of terms. */
typedef struct Linear { int64_t constant; int64_t coefficient[MAX_VARS]; } Linear;

typedef struct Nest {
    int nvars;
    NestVar var[MAX_VARS];
    int nbounds;
    Bound bound[MAX_BOUNDS];
    Affine out[MAX_RANK];      /* index of each output axis                  */
    int out_rank;
    bool has[2];               /* operand a, b                               */
    Node *operand[2];
    Linear address[2];         /* element of the operand's buffer            */
    Affine tap[MAX_RANK];      /* window: offset in the window of each axis  */
    int order[MAX_VARS];       /* loops, outermost first                     */
    int norder;
    int nouter;                /* order[0..nouter) are outputs               */
    int unit_var;              /* the var whose tiles are the units, or -1   */
} Nest;

/* Splits a contraction into its phases; calls back with each one's nest.
 * roles: which map is written (0 is the contraction's own). */
void nest_phases(const Node *, const Contraction *, Node *a, Node *b,
                 void (*each)(Nest *, void *), void *arg);

typedef struct NestEmit {
    Nest *nest;
    Kernel *kernel;
    int carry;                 /* values carried for each accumulator        */
    void *arg;
    Inst *(*start)(struct NestEmit *, int which);
    /* All points of the unrolled offsets; updates acc[output][carry]. */
    void (*leaf)(struct NestEmit *, Inst **acc);
    /* Wraps the reduced loops (over blocks, samples); NULL: none. */
    void (*reduce)(struct NestEmit *, Inst **acc, void (*inner)(struct NestEmit *, Inst **));
    void (*finish)(struct NestEmit *, Inst **acc);
} NestEmit;

void nest_emit(NestEmit *);
int nest_outputs(const Nest *);                    /* accumulators alive here */
/* The offsets (one for each var) of output number i. */
void nest_output(const Nest *, int i, int64_t offset[MAX_VARS]);
/* Calls back for every combination of offsets of the reduced vars, in the
 * order of the sum. */
void nest_reduced(Nest *, void (*each)(Nest *, int64_t offset[MAX_VARS], void *), void *);
bool nest_alive(const Nest *, const int64_t offset[MAX_VARS]);
Inst *nest_affine(const Nest *, const Affine *, const int64_t offset[MAX_VARS]);
/* Runtime part and constant part of an address. */
Inst *nest_base(const Nest *, const Linear *);
int64_t nest_constant(const Nest *, const Linear *, const int64_t offset[MAX_VARS]);

/* ---- bodies of kernels, by form ------------------------------------------- */
void lower_map(Program *, Kernel *);
void lower_reduce(Program *, Kernel *);
void lower_contraction(Program *, Kernel *);
void lower_window(Program *, Kernel *);
void lower_copy(Program *, Kernel *);
void lower_rows(Program *, Kernel *);
void lower_index(Program *, Kernel *);

/* A loop lo..hi; body(index, arg) appends to it. */
typedef void LoopBody(Inst *index, void *arg);
void for_each(Inst *lo, Inst *hi, int64_t step, LoopBody *body, void *arg);

#endif
