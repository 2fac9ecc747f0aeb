/* Programs, kernels and loops: what fuse() makes of a function, what lower()
 * fills in and what the back ends walk.
 *
 * A Program is a list of kernels in order. A kernel is of one of these kinds.
 *   BLOCK   runs once for each block of LANES samples; its values are
 *           vectors, lane = sample; blocks are independent of each other.
 *   CHUNK   runs once for each chunk, `Program.chunk` blocks one after
 *           another: sums over its samples go to the chunk's part. Chunks
 *           are independent of each other.
 *   JOIN    runs once for each chunk, in their order: adds the chunk's part
 *           to a tensor without a batch, which the first chunk sets.
 *   UNIT    runs once; it reads all blocks (or none) and writes tensors
 *           without a batch.
 * All kinds split into `units` independent parts, [u0, u1) of which one
 * call computes; the split never changes a bit of the result.
 *
 * A segment is a row of BLOCK and CHUNK kernels with the JOINs that follow.
 * It can be walked chunk by chunk: what only its own kernels read and write
 * needs memory for the chunks under way, not for the whole batch.
 *
 * A kernel's body is a region of instructions in SSA form. Loops are
 * instructions with a body and carried values, so that an accumulator is a
 * phi and never memory. Loads, stores and loop bounds are the only places
 * where index arithmetic is used. */
#ifndef AECC_LOOP_H
#define AECC_LOOP_H

#include "aecc.h"

/* ---- Buffers ------------------------------------------------------------ */

typedef enum BufferSpace {
    IN_FIXED,    /* once: vars, tensors without a batch                      */
    IN_BLOCK,    /* for each block of samples                                */
    IN_SCRATCH,  /* for each block under way: its life is within a segment   */
    IN_PART,     /* for each chunk whose parts wait to be joined             */
    N_SPACES
} BufferSpace;

/* With a batch [element][LANES]; or rows: the last axis in vectors of LANES,
 * [vector][LANES samples][LANES elements]. Without one a matrix's last dimension is
 * padded to an odd multiple of LANES where it is larger than 8 (storage_of). */
typedef enum ElementType { E_F32, E_I32, E_U8 } ElementType;

typedef struct Buffer {
    const char *name;
    BufferSpace space;
    ElementType element;
    bool rows;
    Shape shape;               /* of the tensor it holds                     */
    int64_t stride[MAX_RANK];  /* in elements (times LANES where lanes)      */
    int64_t size;              /* bytes, a multiple of 64                    */
    int64_t offset;            /* set by plan()                              */
    Var *var;                  /* IN_FIXED: the var that lives here, or NULL */
    Node *node;
    int first, last;           /* kernels of its life; set by fuse()         */
    int id;
} Buffer;

/* Does it hold samples, in its lanes or rows? */
static inline bool holds_samples(const Buffer *b)
{
    return b->space == IN_BLOCK || b->space == IN_SCRATCH;
}

/* Strides in elements of a tensor without a batch, padded as said above;
 * returns the number of elements with padding, a multiple of LANES. */
int64_t storage_of(Shape, int64_t stride[MAX_RANK]);

/* ---- Instructions ------------------------------------------------------- */

typedef enum ValueType {
    V_INDEX,                   /* 64-bit integer                             */
    V_F32, V_I32, V_BOOL,      /* one                                        */
    V_VF32, V_VI32, V_VBOOL,   /* LANES of them                              */
    V_NONE
} ValueType;

typedef enum LoopOp {
#define LOOP_OP(name, ...) L_##name,
#include "loop/loops.def"
    N_LOOP_OPS
} LoopOp;

typedef struct Inst Inst;
typedef struct Region Region;
struct Region {
    Inst **at; int n, cap;
    Region *up;                /* the region around it; NULL: a kernel's     */
    Inst **table;              /* its pure instructions, hashed; of a        */
    int slots, used;           /* kernel's region, its constants too         */
};

struct Inst {
    LoopOp op;
    ValueType type;
    Op map;                    /* L_map: the elementwise operation           */
    int nargs;
    Inst **args;
    Buffer *buffer;            /* load, store                                */
    int64_t integer;           /* iconst; result, pick, parameter: which; …  */
    double number;             /* fconst; pow's exponent                     */
    Region body;               /* loop                                       */
    int passes;                /* loop of one round: runs once for each of so */
                               /* many parts of the lanes; 0: all at once    */
    Inst *index;               /* loop: its index (L_index in no region)     */
    Inst **carried;            /* loop: values in the body (L_carried)       */
    Inst **yield;              /* loop: their next values                    */
    int id;                    /* for printing; set by print_program         */
    Region *home;              /* where it stands; NULL: constant, parameter */
    void *value;               /* free for the walker of the moment          */
};

typedef enum KernelKind { KERNEL_BLOCK, KERNEL_CHUNK, KERNEL_JOIN, KERNEL_UNIT } KernelKind;

/* What its root makes of a kernel; one file of loop/ lowers each. */
typedef enum KernelForm {
    FORM_LOAD,                 /* the runtime fills the inputs of a block    */
    FORM_MAP,                  /* elementwise over the kernel's space        */
    FORM_REDUCE,               /* root reduces; the rest follows elementwise */
    FORM_CONTRACT,             /* root contracts; the rest follows           */
    FORM_WINDOW,               /* root is a window operation                 */
    FORM_COPY,                 /* pad, concatenate, data of a constant       */
    FORM_ROWS,                 /* a second copy, vectors of neighbors        */
    FORM_JOIN,                 /* root's parts of the chunks, added up       */
    FORM_ORTHOGONAL,           /* filled by the runtime                      */
    FORM_INDEX                 /* gather_rows, scatter_add_rows              */
} KernelForm;

/* slot: the element of the buffer's first axis that it becomes (an i32 of the
 * graph made of time and constants), or NULL: the buffer is all of it. Of
 * that, what begins at `start` along `axis`, where it is a part. */
typedef struct Store {
    Node *node;
    Buffer *buffer;
    Node *slot;
    bool part; int axis; int64_t start;
} Store;

/* Kernels [first, end) of a program run once for each step, in their order. */
typedef struct ScanLoop {
    int id;                    /* of the scan: names its `time`              */
    int64_t steps;
    bool reverse;
    int outer;                 /* the loop it stands in, or -1               */
    int depth;                 /* number of loops around it                  */
    int first, end;            /* set by order_kernels()                     */
    int input;                 /* 1 + the input that has the samples' steps  */
    int64_t stretch;           /* as many of these are one step              */
    Buffer *lengths;           /* its buffer: there is one step more than    */
                               /* the largest takes; or NULL: all. By plan() */
    Buffer **sequences; int nsequences;        /* with lengths: all that it  */
                               /* writes step by step, steps + 1: carried    */
} ScanLoop;
enum { MAX_SCAN_DEPTH = 4 };

typedef struct Kernel {
    const char *name;          /* "conv2d_2.forward.14x1", unique            */
    KernelKind kind;
    KernelForm form;
    bool load_inputs;          /* BLOCK: the runtime fills the input buffers */
    Node *root;                /* the operation that gave it its form        */
    Node *pool;                /* CONTRACT: a window_argmax over its elements, */
                               /* which nobody else reads; then `space` is its */
    Shape space;               /* of what follows the root, element by element */
    Node **nodes; int nnodes, nodes_cap;       /* all it computes, in order  */
    Store *stores; int nstores, stores_cap;    /* of these: into buffers     */
    int *deps; int ndeps, deps_cap;            /* kernels that go before it  */
    int id;
    int scan;                  /* innermost loop it runs in, or -1           */
    int64_t units;
    Inst *block, *u0, *u1;     /* L_parameter: V_INDEX; CHUNK, JOIN: `block` */
                               /* is the number of the chunk                 */
    Inst *live;                /* live samples of the batch, V_INDEX         */
    Inst *time[MAX_SCAN_DEPTH];    /* step of each loop around it, V_INDEX   */
    Region body;
    Buffer **touched; int ntouched, touched_cap;   /* reads, writes; by plan() */
    bool barrier;              /* all threads meet before this kernel        */
    int64_t shared_bytes;      /* BLOCK: of what its units divide among the  */
                               /* threads (spread.c); 0: by blocks always    */
    bool meet;                 /* and here, where they share a block         */
    const struct Schedule *by; /* of each phase of a contraction, by order;  */
    int nby;                   /* of those beyond, the cheapest (cost.c)     */
    double flops;              /* for a sample (BLOCK or reads blocks), or once */
    int64_t bytes[2];          /* of the buffers that it loads or stores: of
                                  all that is no block's, of a block's; set
                                  by lower()                                 */
    Pos pos; const char *layer;
} Kernel;

typedef struct Program {
    Fn *fn;
    Kernel **kernels; int nkernels, kernels_cap;
    Buffer **buffers; int nbuffers, buffers_cap;
    ScanLoop *scans; int nscans, scans_cap;    /* outer ones first           */
    int nnodes;                /* node ids are below                         */
    Buffer **by_node;          /* [node id]: where its value is, or NULL     */
    Buffer **rows_by_node;     /* [node id]: its copy by vectors, samples    */
                               /* apart                                      */
    Buffer **part_by_node;     /* [node id]: a chunk's part of it; of sums   */
                               /* block by block what there is so far        */
    int *kernel_of;            /* [node id]: the kernel that computes it, -1 */
    Buffer **input_buffers;    /* [fn input]                                 */
    Buffer **output_buffers;   /* [fn output]                                */
    int64_t fixed_bytes;       /* of tensors that are no vars, after them    */
    int64_t block_bytes;       /* for each block of samples                  */
    int64_t shared_blocks;     /* up to this many, kernels with shared_bytes */
                               /* are dealt to the threads by units          */
    const Machine *machine;    /* set by lower()                             */
    struct Choices *choices;   /* of schedules (choose.c); set by lower()    */
    int64_t scratch_bytes;     /* for each block under way                   */
    int64_t part_bytes;        /* for each chunk whose parts wait            */
    int64_t chunk;             /* blocks that make a chunk; set by plan()    */
    int64_t samples;           /* expected in a batch; set by lower()        */
} Program;

extern const char *const kernel_kind_name[KERNEL_UNIT + 1];
extern const char *const space_name[N_SPACES];
/* BLOCK or CHUNK. */
bool kernel_streams(const Kernel *);
/* The kernel after the segment that begins with `first`; *joins is the first
 * of its JOINs, or the same. */
int segment_end(const Program *, int first, int *joins);
/* The kernel, up to `last`, after those that threads share as they share
 * `first`: by blocks, by units of wide matrices, by units of sums. */
int run_end(const Program *, int first, int last);

enum { PARAMETER_BLOCK, PARAMETER_U0, PARAMETER_U1, PARAMETER_LIVE,
       PARAMETER_TIME,         /* PARAMETER_TIME + depth of the loop         */
       N_PARAMETERS = PARAMETER_TIME + MAX_SCAN_DEPTH };
extern const char *const parameter_name[N_PARAMETERS];
/* Of a kernel, in that order. */
void kernel_parameters(const Kernel *, Inst *all[N_PARAMETERS]);

extern const char *const loop_op_name[N_LOOP_OPS];
extern const char *const value_type_name[V_NONE + 1];

/* ---- loop/loop.c: builders append to the current region ------------------
 * Equal pure instructions are one where the first dominates. Index arithmetic
 * moves out of the loops that it does not depend on: a loop enters its region
 * at loop_end, so what is appended to that region before then runs before it. */
Region *loop_into(Region *);               /* sets it, returns the one before */
/* Gives the kernel block, u0, u1, live; its body becomes the current region. */
Region *loop_kernel(Kernel *);
Inst *parameter(int which);                /* PARAMETER_…                    */
Inst *iconst(int64_t);                     /* folded: equal ones are shared  */
Inst *iadd(Inst *, Inst *);                /* folds constants                */
Inst *imul(Inst *, int64_t);
Inst *imin(Inst *, Inst *);
Inst *imax(Inst *, Inst *);
Inst *idiv(Inst *, int64_t);               /* of a non-negative by a constant */
Inst *irem(Inst *, int64_t);
Inst *index_from(Inst *);                  /* of a V_I32                     */
int64_t multiple_of(const Inst *);         /* a divisor of every value       */
Inst *fconst(double);                      /* V_F32                          */
Inst *vconst(ValueType, double);           /* of any value type              */
Inst *splat(Inst *);                       /* scalar -> vector; else itself  */
/* index in elements of the buffer; block NULL: the kernel's own block.      */
Inst *load(ValueType, Buffer *, Inst *index, Inst *block);
void store(Buffer *, Inst *index, Inst *value, Inst *block);
Inst *fma3(Inst *a, Inst *b, Inst *c);     /* a * b + c, one rounding        */
Inst *map1(Op, Inst *);                    /* splats scalars where it mixes  */
Inst *map2(Op, Inst *, Inst *);
Inst *map_pow(Inst *, double exponent);
Inst *map_select(Inst *p, Inst *a, Inst *b);
Inst *map_convert(Inst *, Type);           /* of V_INDEX too                 */
Inst *bits_of(Inst *);                     /* f32 -> i32, the same bits      */
Inst *float_of(Inst *);                    /* i32 -> f32, the same bits      */
Inst *shift(LoopOp, Inst *, int places);   /* L_shl, L_shr, L_sar of an i32  */
Inst *bitwise(LoopOp, Inst *, Inst *);     /* L_xor, L_mulhi; map2 has and, or */
Inst *live_mask(Inst *block);              /* V_VBOOL: lane is a live sample */
Inst *lane_sum(Inst *);                    /* 16 lanes by the fixed tree     */
Inst *lane_max(Inst *);
/* Element i of the result is the sum of the lanes of v[i], by the same tree. */
Inst *lane_sums(Inst *v[LANES]);
/* out[j] lane i = v[i] lane j. */
void transpose16(Inst *v[LANES], Inst *out[LANES]);
Inst *pick(Inst *vector, int lane);        /* one lane as a scalar           */
Inst *lane_index(void);                    /* V_VI32: 0..15                  */
/* The four words of one Philox call; uniform_from and normal_from (member
 * 0 or 1 of the pair) make floats of them. For random.c. */
void philox_words(uint32_t path, Inst *group, bool vector, Inst *words[4]);
Inst *uniform_from(Inst *word);
Inst *normal_from(Inst *radius, Inst *angle, int which);
/* 32 random bits (I32), or a float, for element `element` (V_INDEX) of each
 * sample of the block (vector), or of sample 0 (scalar). Elements 4i..4i+3
 * share one Philox call where they stand in one region and 4 is known to
 * divide `element` minus a constant. */
Inst *random_value(RandomKind, uint32_t path, Inst *element, bool vector);
Inst *live_count(ValueType);               /* live samples as V_F32, V_INDEX */
/* A loop lo <= i < hi by step with n carried values; the body is the region
 * between loop_begin and loop_end; results replace `carried` afterwards. */
Inst *loop_begin(Inst *lo, Inst *hi, int64_t step, int n, Inst **init);
void loop_end(Inst *loop, Inst **yield, Inst **results);
/* A loop of one round that runs once for each of `passes` parts of the lanes: a
 * vector in it has LANES / passes of them. */
Inst *passes_begin(int passes, int n, Inst **init);
/* Fills a V_F32/V_VF32 loop-invariant of what the runtime computes: the
 * orthogonal initial value of a matrix, written to the buffer. */
void call_orthogonal(Buffer *, uint32_t path);

/* ---- loop/print.c read.c verify.c ----------------------------------------- */
void print_kernel(Text *, const Kernel *);
/* Reads what print_program(…, true) prints; NULL after errors. */
Program *read_program(int file);
/* The same of several programs, one after another. */
Program **read_programs(int file, int *n);
void verify_kernel(const Kernel *);

/* ---- loop/same.c ----------------------------------------------------------- */
/* Equal, by pointer, for kernels of which one can stand for the other. */
const char *kernel_key(const Kernel *, int *instructions);
/* The same for kernels that may differ in where their buffers are. */
const char *kernel_form(const Kernel *);
/* What a kernel's loops load and store, as they come: the same order for all
 * kernels of a form. */
Buffer **kernel_buffers(const Kernel *, int *n);
/* Have they no byte in common? */
bool buffers_apart(const Buffer *, const Buffer *);

#endif
