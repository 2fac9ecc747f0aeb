/* What fuse() and the files of loop/ that lower kernels share. */
#ifndef AECC_LOWER_H
#define AECC_LOWER_H

#include "loop/loop.h"

/* ---- schedule.c: what a contraction looks like to the machine ----------- */

typedef enum ContractClass {
    CONTRACT_SAMPLES,  /* lanes are samples: forward and input gradients    */
    CONTRACT_LANE_SUM, /* lanes are samples, summed at the end: gradients   */
                       /* of convolution weights                            */
    CONTRACT_ROWS,     /* lanes are an output axis, samples one by one, the */
                       /* innermost of the sum: gradients of dense weights  */
    CONTRACT_FREE      /* no batch anywhere                                 */
} ContractClass;

/* *lane_var: the variable in the lanes of ROWS and FREE, or -1 (scalars). */
ContractClass contract_class(const Node *, int *lane_var);
/* Is operand i one of ROWS that is read by vectors, from a copy? */
bool is_rows_operand(const Node *, int i);
/* A sum of ROWS so long that it is stored from block to block: then the
 * operands of one block are read for all outputs, before the next block's. */
bool sums_block_by_block(const Node *);

/* ---- views: reshape, transpose, … of what is in memory ------------------- */

bool op_is_view(Op);
/* The node under the views of n. */
Node *view_base(Node *n);
/* Do n's elements lie in its buffer as they are counted, without padding? */
bool is_natural(const Node *n);
/* n's element [i] is its base's element `offset` + sum i * stride, counted
 * in natural (unpadded) order for a batch and in storage order otherwise. */
bool view_strides(Node *n, int64_t *offset, int64_t stride[MAX_RANK]);
/* The node whose buffer holds n: itself, or what is under its views. */
Node *memory_node(const Program *, Node *n);
/* view_strides relative to memory_node; die()s where fuse() saw to it that
 * there is an affine address. */
void memory_strides(const Program *, Node *n, int64_t *offset, int64_t stride[MAX_RANK]);

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
    Inst *block;    /* NULL: the kernel's own                     */
    Inst **uniform; /* [node id]: scalars computed at the top     */
    struct {
        Node *node;
        Inst *value;
    } * known;      /* at the current index    */
    const At *here; /* the current index, where it is known       */
    bool by_memory; /* `flat` counts in the order of the buffers, not naturally */
    int nknown, known_cap;
} Eval;

Eval eval_begin(Program *, Kernel *);
/* Forgets values of the last index; `root` has value `value` at the new one. */
void eval_at(Eval *, Node *root, Inst *value);
/* Another value that the root brings with it. */
void eval_know(Eval *, Node *, Inst *value);
Inst *eval_node(Eval *, Node *, const At *);
/* At a new index, with nothing known of it. */
Inst *eval_here(Eval *, Node *, const At *);
/* Evaluates and writes every store of the kernel at an index of its space. */
void eval_stores(Eval *, const At *);
/* The same at several indices, node by node: what waits in one of them leaves
 * time for the others. */
void eval_beside(Eval *, int n, const At *);
/* The index of an element in n's buffer, in elements of one sample. */
Inst *natural_index(Shape, Inst *const *axis);
Inst *storage_index(Shape, Inst *const *axis);
Inst *strided_index(int rank, const int64_t *stride, Inst *const *axis);
/* The axes of a natural index. */
void split_index(Shape, Inst *flat, Inst **axis);
/* Random numbers of one Philox call, of neighboring elements. */
enum { DRAWS = 4 };
/* Does it draw random numbers for samples? */
bool kernel_draws(const Program *, const Kernel *);
/* Does it read or write images in planes (graph/layout.c)? */
bool kernel_has_planes(const Program *, const Kernel *);
/* Can everything the kernel touches be addressed by storage index alone? */
bool kernel_is_flat(const Program *, const Kernel *);

/* What is added to memory_strides' offset at run time: elements of sequences. */
Inst *memory_shift(Eval *, Node *n);
/* A scalar i32 of the graph as an index. */
Inst *eval_index(Eval *, Node *);

/* map.c. Are 16 neighbors along axis `lane` of n's index (-1: one element)
 * neighbors in memory all the way down? */
bool lanes_fit(const Program *, const Kernel *, const Node *n, int lane);

/* ---- nest.c, phase.c: loops over the box of a contraction ----------------- */

/* constant + sum of coefficient * variable. */
typedef struct Linear {
    int64_t constant;
    int64_t coefficient[MAX_VARS];
} Linear;

/* 0 <= at < limit, or the point does not exist. */
typedef struct Bound {
    Linear at;
    int64_t limit;
} Bound;

typedef struct NestVar {
    int64_t extent;
    bool reduced;
    /* While loops are emitted: */
    Inst *base;    /* runtime part; NULL before its loop         */
    int64_t first; /* its least value in this segment            */
    bool fixed;    /* base is `first`                            */
    bool settled;  /* or any base of this segment does the same  */
    int64_t count; /* offsets alive here: tile, or the remainder */
} NestVar;

enum { MAX_BOUNDS = 3 * MAX_RANK };

/* How a nest is run through: all that is free in it. The order of a sum is
 * not: reduced variables run in the order of the nest, whatever is unrolled. */
typedef struct Schedule {
    int64_t tile[MAX_VARS]; /* unrolled offsets; >= extent: no loop       */
    int order[MAX_VARS];    /* vars with loops, outermost first           */
    int norder, nouter;     /* order[0..nouter) are outputs               */
    int unit_var;           /* its tiles are the units (order[0]), or -1  */
    int passes;             /* parts of the lanes, summed one after the   */
                            /* other from loop order[parted] on; 1: whole */
    int parted;             /* vectors                                    */
} Schedule;

/* A contraction (or window) after the strides of its output have been split
 * into phases: every index of the output is one variable, times a stride,
 * plus a constant; the bounds say which points exist. */
typedef struct Nest {
    int nvars;
    NestVar var[MAX_VARS];
    int nbounds;
    Bound bound[MAX_BOUNDS];
    int out_rank;
    Linear out[MAX_RANK];   /* index of each output axis                  */
    Linear address[2];      /* element of each operand's tensor           */
    Linear value[MAX_VARS]; /* each variable of the contraction itself    */
    bool empty;             /* no point reaches these outputs             */
    Inst *limit;            /* end of the range of `ranged` that is being */
                            /* emitted, or NULL: all of its extent        */
    int ranged;             /* the sum that is walked range by range      */
    Schedule by;            /* set before it is emitted                   */
} Nest;

typedef void NestBody(Nest *, void *arg);
/* Splits a contraction of these operands (b may be NULL) into phases, a nest
 * for each, without a schedule. */
void nest_phases(const Program *, Shape out, const Contraction *, Node *a, Node *b, NestBody *each,
                 void *arg);
/* Where an operand lies: at `offset`, with these strides. */
void nest_address(Nest *, int which, const Contraction *, int rank, int64_t offset,
                  const int64_t *stride);

/* Which term of an output's index is a position in the samples, not a tap; the
 * sum runs over the others. The first where nothing has a batch. */
int position_term(const Contraction *, Node *const operand[2], const Affine *);

/* ---- nest.c: a nest by its schedule ---------------------------------------- */

typedef struct NestEmit NestEmit;
struct NestEmit {
    Nest *nest;
    Kernel *kernel;
    void *arg;
    int carry; /* values carried for each output             */
    Inst *(*start)(NestEmit *, int which);
    /* Updates acc[output * carry + which] by all offsets alive. */
    void (*leaf)(NestEmit *, Inst **acc);
    /* Loops around the reduced ones (blocks, samples), or NULL; calls
     * nest_reduce with the values carried inside. */
    void (*around)(NestEmit *, Inst **acc);
    void (*finish)(NestEmit *, Inst **acc);
};

/* From now on v counts vectors of LANES of its values. */
void nest_count_vectors(Nest *, int v);
/* Tiles of the unit variable. */
int64_t nest_units(const Nest *);
/* Phases share the units: kernel->units becomes the most of any so far. */
void nest_emit(NestEmit *);
void nest_reduce(NestEmit *, Inst **acc);
int nest_outputs(const Nest *); /* outputs alive in this tile      */
/* The offsets of output number i (of reduced vars: as they are). */
void nest_output(const Nest *, int i, int64_t offset[MAX_VARS]);
/* Next combination of the reduced vars' offsets, in the order of the sum;
 * false after the last. Start from zeros. */
bool nest_next(const Nest *, int64_t offset[MAX_VARS]);
bool nest_alive(const Nest *, const int64_t offset[MAX_VARS]);
/* A linear form's part known at run time, and the rest at these offsets. */
Inst *nest_base(const Nest *, const Linear *);
int64_t nest_offset(const Nest *, const Linear *, const int64_t offset[MAX_VARS]);
Inst *nest_value(const Nest *, const Linear *, const int64_t offset[MAX_VARS]);

/* ---- window.c: a pooling within a contraction -------------------------------- */

/* Only elements in windows are computed; side[v]: of a window along v. */
void pool_nest(Nest *, const Node *pool, int64_t side[MAX_VARS]);
/* The elements of a tile of whole windows: stores what is kept of each. */
void pool_finish(const Nest *, Eval *, Inst *const *element);

/* ---- graph/spread.c -------------------------------------------------------------- */
/* The output variable along which threads own a matrix, or -1. */
int owned_output(const Kernel *);

/* ---- lower.c: one kernel; its Program has its machine ----------------------- */
void lower_kernel(Program *, Kernel *);

/* ---- bodies of kernels, by form ------------------------------------------- */
void lower_map(Program *, Kernel *);
void lower_reduce(Program *, Kernel *);
void lower_contraction(Program *, Kernel *);
void lower_window(Program *, Kernel *);
void lower_copy(Program *, Kernel *);
void lower_rows(Program *, Kernel *);
void lower_join(Program *, Kernel *);
void lower_index(Program *, Kernel *);

/* Blocks of the batch, the last of them perhaps short. */
Inst *block_count(void);
/* The blocks that a kernel's sums run over: its chunk's, or all. */
void block_range(const Program *, const Kernel *, Inst **lo, Inst **hi);
/* A loop lo..hi; body(index, arg) appends to it. */
typedef void LoopBody(Inst *index, void *arg);
void for_each(Inst *lo, Inst *hi, int64_t step, LoopBody *body, void *arg);

/* Loops over the axes of a shape from `axis` on; body(index of each, arg). */
typedef void AxesBody(Inst **index, void *arg);
void for_axes(Shape, int axis, Inst **index, AxesBody *body, void *arg);

#endif
