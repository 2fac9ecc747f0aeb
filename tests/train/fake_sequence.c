/* A model of sequences written by hand against aecc_rt.h: up to 6 steps of two
 * numbers. A sequence is reconstructed as its own first step again and again,
 * plus a bias that is trained; padded steps must not count. Sums are over steps
 * and samples in order, whatever the threads. In the padding it leaves garbage.
 *
 *   network copy(x: [time <= 6, 2])      x + bias; twin for one sample
 *   network repeat(coding: [2], steps)   coding, steps times
 *
 * Its data is x.csv with a column of series; with -DLENGTHS x.npy and n.csv;
 * with -DWINDOWS windows of x.csv, and x is [3, 2] without lengths.
 *
 *   fixed part   0 bias [2]   64 loss   128 x, 192 r of one sample   256, 320 lengths
 *   block        0 x [12][16]   768 r [12][16]   1536 length [16]   1600 coding [2][16] */
#include "aecc_rt.h"

#include <string.h>

enum { LANES = AECC_LANES, STEP = 2 };
#ifdef WINDOWS
enum { STEPS = 3 };
#else
enum { STEPS = 6 };
#endif
enum { N = STEPS * STEP };
enum { BIAS = 0, LOSS = 64, X_SINGLE = 128, R_SINGLE = 192, LENGTH_SINGLE = 256, FIXED = 384 };
enum { X = 0, R = 768, LENGTH = 1536, CODING = 1600, BLOCK = 1728 };

static float *fixed(const aecc_call *c, int at)
{
    return (float *)(c->fixed + at);
}

static float *block(const aecc_call *c, int64_t b, int at)
{
    return (float *)(c->blocks + b * c->block_stride + at);
}

static int length(const aecc_call *c, int64_t b, int lane)
{
#ifdef WINDOWS
    (void)c, (void)b, (void)lane;
    return STEPS;
#else
    return ((const int32_t *)block(c, b, LENGTH))[lane];
#endif
}

static void init(aecc_call *c, int64_t thread)
{
    if (!thread)
        memset(c->fixed, 0, FIXED);
}

/* r of one block: element e of its steps is x of `from(e)`, plus the bias. */
static void forward(aecc_call *c, int64_t b, int first)
{
    float *x = block(c, b, X), *r = block(c, b, R);
    aecc_load(c, b);
    for (int e = 0; e < N; e++)
        for (int lane = 0; lane < LANES; lane++) {
            float live = x[(first ? e % STEP : e) * LANES + lane] + fixed(c, BIAS)[e % STEP];
            r[e * LANES + lane] = e < length(c, b, lane) * STEP ? live : 1e9f;
        }
}

static void all_blocks(aecc_call *c, int64_t thread, int first)
{
    int64_t end = (thread + 1) * c->nblocks / c->threads;
    for (int64_t b = thread * c->nblocks / c->threads; b < end; b++)
        forward(c, b, first);
    aecc_barrier(c, thread);
}

/* Mean of d^2 over valid steps; the gradient of the bias. */
static void sums(aecc_call *c, float *loss, float gradient[STEP])
{
    int64_t count = 0;
    *loss = gradient[0] = gradient[1] = 0;
    for (int64_t s = 0; s < c->samples; s++) {
        int lane = (int)(s % LANES);
        int64_t b = s / LANES;
        for (int e = 0; e < length(c, b, lane) * STEP; e++, count++) {
            float d = block(c, b, R)[e * LANES + lane] - block(c, b, X)[e * LANES + lane];
            *loss += d * d;
            gradient[e % STEP] += 2 * d;
        }
    }
    *loss /= (float)count;
    for (int k = 0; k < STEP; k++)
        gradient[k] /= (float)count;
}

static void step(aecc_call *c, int64_t thread)
{
    float gradient[STEP];
    all_blocks(c, thread, 1);
    if (thread)
        return;
    sums(c, fixed(c, LOSS), gradient);
    for (int k = 0; k < STEP; k++)
        fixed(c, BIAS)[k] -= 0.1f * gradient[k];
}

static void objective(aecc_call *c, int64_t thread)
{
    float gradient[STEP];
    all_blocks(c, thread, 1);
    if (!thread)
        sums(c, fixed(c, LOSS), gradient);
}

static void copy(aecc_call *c, int64_t thread)
{
    all_blocks(c, thread, 0);
}

static void reconstruct(aecc_call *c, int64_t thread)
{
    all_blocks(c, thread, 1);
}

static void single(aecc_call *c, int64_t thread)
{
    if (thread)
        return;
    aecc_load(c, 0);
    for (int e = 0; e < N; e++)
        fixed(c, R_SINGLE)[e] = fixed(c, X_SINGLE)[e] + fixed(c, BIAS)[e % STEP];
}

static void repeat(aecc_call *c, int64_t thread)
{
    for (int64_t b = 0; !thread && b < c->nblocks; b++) {
        aecc_load(c, b);
        for (int e = 0; e < N * LANES; e++)
            block(c, b, R)[e] = block(c, b, CODING)[e % (STEP * LANES)];
    }
}

static aecc_function *const functions[] = {init,        step,   objective, copy,
                                           reconstruct, single, repeat};
const aecc_variant aecc_variants[] = {{"any", "", functions}, {0}};

/* clang-format off */
#define QUOTED(...) #__VA_ARGS__
#define JSON(...) QUOTED(__VA_ARGS__)

#ifdef WINDOWS
#define SHAPE "type": "f32", "shape": [3, 2], "strides": [2, 1]
#define LENGTH_OF(batch_, offset_)
#define LENGTH_OUT(batch_, offset_)
#define LENGTH_IN(k_)
#else
#define SHAPE "type": "f32", "shape": [6, 2], "strides": [2, 1]
#define LENGTH_(batch_, offset_) "name": "x.length", "type": "i32", "shape": [], "strides": [], \
                                 "batch": batch_, "offset": offset_
#define LENGTH_OF(batch_, offset_) , {LENGTH_(batch_, offset_), "length_of": 0}
#define LENGTH_OUT(batch_, offset_) , {LENGTH_(batch_, offset_)}
#define LENGTH_IN(k_) , "length": k_
#endif

#define FILE(...) {"kind": "file", "name": "points", "index": 0, "shape": [0, 2], \
                   "type": "f32", "affine": [1, 1, 0], __VA_ARGS__}
#ifdef LENGTHS
#define FILE_ FILE("reader": "npy", "path": "x.npy", "time": 0, "lengths": "n.csv")
#else
#define FILE_ FILE("reader": "csv", "path": "x.csv", "time": 0, "series": "id")
#endif
#ifdef WINDOWS
#define DATA_ {"kind": "windows", "name": "points", "of": FILE_, "length": 3, "stride": 1}
#else
#define DATA_ FILE_
#endif
#define CHUNK "chunk": 1, "shared_blocks": 0, "scratch_bytes": 0, "part_bytes": 0
#define FRESH "fresh": true, "joined": null, "output": 0
#define SCALAR {"name": null, "type": "f32", "shape": [], "strides": [], "batch": false, \
                "offset": 64}
#define INPUTS "inputs": [{"name": "x", SHAPE, "batch": true, "offset": 0} LENGTH_OF(true, 1536)]
#define REST "updates": [], "kernels": []

const char aecc_descriptor[] = JSON(
{"aecc": "0.1.0", "name": "fake", "source": "fake.nn", "hash": "00000000000000ab",
 "fixed_bytes": 384, "block_bytes": 1728,
 "vars": [{"name": "copy.bias", "kind": "param", "type": "f32", "shape": [2], "strides": [1],
           "bytes": 64, "owner": null, "offset": 0}],
 "functions": [
  {"name": "init", "kind": "init", CHUNK, "single": null, "inputs": [], "outputs": [], REST},
  {"name": "train_1.step", "kind": "step", CHUNK, "single": null, INPUTS, "outputs": [SCALAR],
   REST},
  {"name": "train_1.objective", "kind": "objective", CHUNK, "single": null, INPUTS,
   "outputs": [SCALAR], REST},
  {"name": "copy", "kind": "network", CHUNK, "single": 5, INPUTS,
   "outputs": [{"name": "y", SHAPE, "batch": true, "offset": 768 LENGTH_IN(1)}
               LENGTH_OUT(true, 1536)], REST},
  {"name": "reconstruct", "kind": "report", CHUNK, "single": null, INPUTS,
   "outputs": [{"name": "reconstruction", SHAPE, "batch": true, "offset": 768 LENGTH_IN(2)},
               {"name": "original", SHAPE, "batch": true, "offset": 0 LENGTH_IN(2)}
               LENGTH_OUT(true, 1536)], REST},
  {"name": "copy.single", "kind": "single", CHUNK, "single": null,
   "inputs": [{"name": "x", SHAPE, "batch": false, "offset": 128} LENGTH_OF(false, 256)],
   "outputs": [{"name": "y", SHAPE, "batch": false, "offset": 192 LENGTH_IN(1)}
               LENGTH_OUT(false, 256)], REST},
  {"name": "repeat", "kind": "network", CHUNK, "single": null,
   "inputs": [{"name": "coding", "type": "f32", "shape": [2], "strides": [1], "batch": true,
               "offset": 1600},
              {"name": "steps", "type": "i32", "shape": [], "strides": [], "batch": true,
               "offset": 1536, "steps": 6}],
   "outputs": [{"name": "y", "type": "f32", "shape": [6, 2], "strides": [2, 1], "batch": true,
                "offset": 768, "length": 1},
               {"name": "steps", "type": "i32", "shape": [], "strides": [], "batch": true,
                "offset": 1536}], REST}],
 "data": [FILE_],
 "networks": [{"name": "copy", "function": 3, "layers": []},
              {"name": "repeat", "function": 6, "layers": []}],
 "train": [{"data": DATA_, "validation": DATA_, "objective": 2,
            "steps": [{"name": null, "function": 1, "repeat": 1, FRESH}],
            "epochs": 3, "batch": 32,
            "drop_last": false, "line": 9}],
 "reports": [{"kind": "reconstructions", "data": DATA_, "function": 4, "options": {"count": "3"}}],
 "reconstruct": {"function": 4, "scaled": false, "data": DATA_}, "pack": null});
