/* The ABI between generated code and the runtime of a trainer, on one page.
 *
 * The object file of a model exports
 *   aecc_descriptor   the JSON below, a C string
 *   aecc_variants     the functions, once for each processor that it was
 *                     compiled for
 * and calls aecc_barrier, aecc_load and aecc_orthogonal.
 *
 * Memory is one block: a fixed part (vars first, then temporaries), then a
 * part for each block of AECC_LANES samples, then scratch: a part for each
 * block under way, and one for each chunk whose sums wait to be joined. A
 * tensor with a batch is stored [element][lane]; one without a batch has the
 * strides of the descriptor.
 *
 * {
 *  "aecc": "0.1.0", "name": "conv_ae", "source": "conv_ae.nn", "hash": "…",
 *  "fixed_bytes": n, "block_bytes": n,           // the largest of all functions
 *  "vars": [{"name": "encoder.dense_1.kernel", "kind": "param|state|slot|count",
 *            "type": "f32|i32", "shape": [784,100], "strides": [112,1],
 *            "offset": n, "bytes": n, "each_epoch": bool,   // zero when one begins
 *            "owner": "…" or null,
 *            "from": i, "borrowed": bool}],      // its first value is in weights[i], of an
 *      // imported program; borrowed: no step changes it, and it is always read there
 *  "weights": [path, …],                          // of imported programs
 *  "functions": [{"name": "train_1.step",
 *                 "kind": "init|step|objective|network|report|single|pack",
 *                 "borrows": [i, …],              // it reads borrowed vars of weights[i]
 *                 "chunk": n, "shared_blocks": n,    // blocks of a chunk; see below
 *                 "scratch_bytes": n, "part_bytes": n,   // for a block, for a chunk
 *                 "inputs":  [{"name", "type", "shape": [28,28], "batch": bool,
 *                              "offset", "scratch": bool,     // in a block, or its scratch
 *                              "length_of": i, "steps": n,    // where it is a length: below
 *                              "classes": n}],                // network: numbers below n
 *                 "outputs": [{"name", "type", "shape", "batch": bool, "offset",
 *                              "strides", "row",     // batch: in a block, else fixed
 *                              "length": k}],        // where its length varies: below
 *                 "updates": ["var", …],          // names of the vars it writes
 *                 "single": i or null,            // the same for one sample, faster for few
 *                 "kernels": [{"name", "kind": "load|block|chunk|join|unit", "layer", "line",
 *                              "flops", "bytes": [f, b], "updates",
 *                              "each_sample": bool, "trips": [i, n, s]}]}],
 *      // load: aecc_load does its work. bytes: of the tensors that it touches, in the
 *      // fixed part (or a chunk's) and in a block's; a unit kernel takes all blocks,
 *      // the others their own and the fixed part each time. updates: elements of
 *      // parameters that it writes
 *      // trips: where it runs in a loop of n steps that ends one after those that
 *      // input i, the samples' numbers of steps, needs at s in each
 *      // row: 0, or floats from lane to lane of a tensor stored [lane][element]
 *  "data": [tree, …],                             // every file, in order
 *      // functions of train and report blocks take samples as the files hold
 *      // them, those of networks take them after "affine"
 *      // tree: {"kind": "file", "index": i, "name", "reader": "idx|npy|csv|png",
 *      //        "path", "shape" or null, "type", "classes": n, "affine": [divide,
 *      //        multiply, add] or null}; classes > 0: its values are whole numbers
 *      //        from 0 to n - 1, which count something; "early": [divide, multiply, add]
 *      //        of it that train and report blocks expect to be done; and, where its samples are
 *      //        sequences, "time": n, "lengths": path, "series": column: below
 *      //     | {"kind": "windows", "of": tree, "length": n, "stride": n}: below
 *      //     | {"kind": "split", "of": tree, "last": bool, "rest": bool,
 *      //        "count": n or "fraction": x}
 *      //     | {"kind": "zip|concat", "parts": [tree, …]}
 *      //     | {"kind": "replay", "index": i}   what a function made in earlier passes
 *  "replays": [{"function": i, "size": n}],       // so many samples are kept of each
 *  "networks": [{"name", "function": i, "layers": [{"name", "type", "output": [..],
 *                "params": n, "untrained": n, "line": n}]}],
 *  "train": [{"data": tree, "validation": tree or null, "objective": i or null,
 *             "steps": [{"name": string or null, "function": i, "repeat": n,
 *                        "fresh": bool,         // takes n batches, not the last one
 *                        "joined": i or null, "output": n}],   // see below
 *             "epochs": n, "batch": n, "drop_last": bool, "line": n,
 *             "in_order": bool,                  // never shuffled
 *             "watched": bool,                   // its steps update different networks
 *             "watch": i or null, "pairs": [[g, d], …]}],   // outputs 2 k, 2 k + 1: samples
 *      // of step g as step d's network sees them, and data as it sees that
 *  "reports": [{"kind": "reconstructions", "data": tree, "function": i, "first": k,
 *                "options": {}}],
 *      // its values are the outputs from k on; lines of one block may share a function
 *  "pack": i or null,      // to be called after vars changed, before "single" functions
 *  "reconstruct": {"function": i, "data": tree,
 *                  "scaled": bool} or null      // it takes what networks take
 * }
 *
 * Steps that share work are one function, "joined": it takes the place of the
 * last call of the first of them, which has output 0, and the others are not
 * called: their objective is its output number "output".
 *
 * Sequences of varying length. A function's input whose length varies has its
 * maximum as the first size of its shape, [512,28], and an input of its own for
 * its lengths: type i32, shape [], named "x.length" of "x", "length_of" the
 * index of x among the inputs. Lengths come after all other inputs, so that
 * the others are the components of a train block's or report's data, in order.
 * The runtime puts a sample's steps first and zeros behind them, up to the
 * maximum; lengths are from 1 to the maximum, in dead lanes as the last live
 * sample's. An input with "steps": n is a number of steps that belongs to no
 * input (`steps` of a decoder): i32, from 1 to n; n if nothing else is known.
 * An output whose length varies has "length": k, the index of an output
 * behind all others that holds it (i32, shape [], batch like the output): the
 * steps from there on are zero or of no meaning. Outputs that have the same
 * lengths share one; it is no result of its own.
 *
 * A file whose samples are sequences has "time": the maximum, or 0 where none
 * is declared (windows over it need none); "shape" has the maximum first.
 * "lengths": path of a file of its kind, with a whole number for each sample
 * (`npy("x.npy", lengths: "n.npy")`: x.npy is [samples, any, 28], padded
 * behind, or [steps of all, 28]). "series": name of the csv column that tells which series a row
 * belongs to; rows of one series stand together and are its steps, the other
 * columns are the features. With neither all samples have the file's length.
 * "windows" of files with "time" are windows over each series, one series
 * after the other; of files without, the samples of "of" are the steps of one
 * series. All windows are full; a series shorter than "length" has none. The
 * file's "shape" is then that of what lies in it: of a series, or of a step.
 */
#ifndef AECC_RT_H
#define AECC_RT_H

#include <stdint.h>

enum { AECC_LANES = 16 };

/* Purposes: the second half of a random key is seed's high word xor
 * purpose * 0x9E3779B9. Counter words: element / 4, sample's place in the
 * batch, source path, step. */
enum { AECC_RANDOM_INIT = 1, AECC_RANDOM_SHUFFLE, AECC_RANDOM_TRAIN,
       AECC_RANDOM_VALIDATE, AECC_RANDOM_RUN, AECC_RANDOM_REPLAY };

/* What one call of a function gets; each thread has its own copy. */
typedef struct aecc_call {
    char *fixed;            /*  0 fixed part                                  */
    char *blocks;           /*  8 part of the first block                     */
    int64_t block_stride;   /* 16 bytes from a block to the next              */
    int64_t samples;        /* 24 live samples, 0 for FN_INIT                 */
    int64_t nblocks;        /* 32 (samples + AECC_LANES - 1) / AECC_LANES     */
    uint32_t key[2];        /* 40 Philox key: seed and purpose                */
    uint32_t step;          /* 48 counter word                                */
    int32_t threads;        /* 52                                             */
    void *runtime;          /* 56 the runtime's own                           */
    uint64_t *profile;      /* 64 NULL, or ticks of this thread [kernel], then  */
                            /*    in barriers, in aecc_load                     */
    char *scratch;          /* 72 of aecc_scratch_blocks blocks               */
    int64_t scratch_stride; /* 80                                             */
    char *parts;            /* 88 of min(chunks, round) chunks                */
    int64_t part_stride;    /* 96                                             */
    int64_t round;          /* 104 chunks between two joins: aecc_round       */
    int64_t time[4];        /* 112 steps of the loops under way, outer first  */
} aecc_call;

/* All threads call with thread = 0 … threads-1. Chunks are walked in rounds,
 * after each of which their sums are joined. In a round every thread owns as
 * many chunks as all can have, one after the other in its own scratch; the
 * chunks left over they take together: each owns as many blocks as all can
 * have, and blocks left over are split by the units of kernels. Up to
 * shared_blocks blocks, all are taken together, so that threads can own ranges
 * of wide matrices: kernels with these are split by units for all blocks. While a
 * function runs, `scratch` is moved so that scratch + block * scratch_stride
 * is a block's, and `parts` for chunks likewise. */
typedef void aecc_function(aecc_call *call, int64_t thread);

/* Blocks whose scratch is in use at a time. */
static inline int64_t aecc_scratch_blocks(int64_t nblocks, int64_t chunk, int64_t shared_blocks,
                                          int64_t threads)
{
    return nblocks <= shared_blocks || nblocks / threads < chunk ? nblocks : chunk * threads;
}

/* As many chunks for each thread as there are, or as fit 8 MiB of parts. */
static inline int64_t aecc_round(int64_t nblocks, int64_t chunk, int64_t threads,
                                 int64_t part_bytes)
{
    int64_t each = ((nblocks + chunk - 1) / chunk + threads - 1) / threads;
    int64_t fit = part_bytes ? (8 << 20) / (threads * part_bytes) : each;
    each = fit < each ? fit : each;
    return threads * (each > 1 ? each : 1);
}

extern const char aecc_descriptor[];

/* The code for one processor. All variants have one descriptor, one memory
 * and, where both multiply and add in one rounding, one result. */
typedef struct aecc_variant {
    const char *cpu;        /* "x86-64-v3"; NULL ends the table               */
    const char *needs;      /* features by their names in /proc/cpuinfo:      */
                            /* "avx512f,avx2,fma,…"                           */
    aecc_function *const *functions;   /* in the order of "functions"         */
} aecc_variant;

extern const aecc_variant aecc_variants[];

/* All threads of the call meet. */
void aecc_barrier(aecc_call *call, int64_t thread);
/* Fills the inputs of block `block`: every input [element][lane], dead lanes
 * a copy of the last live sample. Called once for each block and call, with
 * the call as its thread has it. Inputs without a batch get the elements of the one
 * sample. */
void aecc_load(aecc_call *call, int64_t block);
/* Writes an orthogonal rows x columns matrix, row stride in floats; random
 * numbers from (call->key, path). */
void aecc_orthogonal(aecc_call *call, float *at, int64_t rows, int64_t columns,
                     int64_t stride, uint32_t path);
/* Time stamp for call->profile. */
uint64_t aecc_ticks(void);

#endif
