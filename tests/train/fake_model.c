/* A small model written by hand against aecc_rt.h, so that the trainer can be
 * tested without the compiler: r = x @ kernel + bias + noise / 100 over images
 * [2, 2], mse, SGD with momentum, a moving mean of the inputs, two train
 * blocks; the second has two named steps, one of them repeated. The data are
 * points / 10: all functions but the network's divide.
 *
 *   fixed part   0 kernel [4, 4], row stride 16     256 bias [4]
 *              320 velocity, as kernel              576 count
 *              640 moving_mean [4]                  704 loss
 *              768 gradient, as kernel             1024 gradient of bias
 *             1088 x of one sample                 1120 r of it
 *             1152 kernel, packed
 *   block        0 x [4][16]   256 r [4][16]   512 r - x [4][16] */
#include "aecc_rt.h"

#include <math.h>
#include <string.h>

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

enum { N = 4, ROW = 16, LANES = AECC_LANES };
enum {
    KERNEL = 0,
    BIAS = 256,
    VELOCITY = 320,
    COUNT = 576,
    MEAN = 640,
    LOSS = 704,
    GRADIENT = 768,
    BIAS_GRADIENT = 1024,
    X_SINGLE = 1088,
    R_SINGLE = 1120,
    PACKED = 1152, /* as kernel: what the network of one sample reads */
    FIXED = 1408
};
enum { X = 0, R = 256, D = 512, BLOCK = 768 };

static float *fixed(const aecc_call *c, int at)
{
    return (float *)(c->fixed + at);
}

static float *block(const aecc_call *c, int64_t b, int at)
{
    return (float *)(c->blocks + b * c->block_stride + at);
}

static void init(aecc_call *c, int64_t thread)
{
    if (thread)
        return;
    memset(c->fixed, 0, FIXED);
    for (int i = 0; i < N * N; i++) {
        uint32_t counter[4] = {(uint32_t)i, 0, 7, c->step}, w[4];
        philox(counter, c->key, w);
        fixed(c, KERNEL)[i / N * ROW + i % N] = (float)((w[0] >> 8) * 0x1p-24 - 0.5);
    }
}

/* r and r - x of one block; noise in training only. */
static void forward(aecc_call *c, int64_t b, float noise, float divide)
{
    float *x = block(c, b, X), *r = block(c, b, R), *d = block(c, b, D);
    aecc_load(c, b);
    for (int i = 0; i < N * LANES; i++)
        x[i] /= divide;
    for (int j = 0; j < N; j++)
        for (int lane = 0; lane < LANES; lane++) {
            float sum = fixed(c, BIAS)[j];
            for (int i = 0; i < N; i++)
                sum = fmaf(x[i * LANES + lane], fixed(c, KERNEL)[i * ROW + j], sum);
            uint32_t counter[4] = {(uint32_t)j, (uint32_t)(b * LANES + lane), 3, c->step}, w[4];
            philox(counter, c->key, w);
            sum += noise * (float)((w[0] >> 8) * 0x1p-24 - 0.5);
            r[j * LANES + lane] = sum;
            d[j * LANES + lane] = sum - x[j * LANES + lane];
        }
}

static void all_blocks(aecc_call *c, int64_t thread, float noise, float divide)
{
    int64_t end = (thread + 1) * c->nblocks / c->threads;
    for (int64_t b = thread * c->nblocks / c->threads; b < end; b++)
        forward(c, b, noise, divide);
    aecc_barrier(c, thread);
}

static int64_t live(const aecc_call *c, int64_t b)
{
    int64_t left = c->samples - b * LANES;
    return left < LANES ? left : LANES;
}

static void loss(aecc_call *c)
{
    float sum = 0;
    for (int64_t b = 0; b < c->nblocks; b++)
        for (int j = 0; j < N; j++)
            for (int64_t lane = 0; lane < live(c, b); lane++) {
                float d = block(c, b, D)[j * LANES + lane];
                sum += d * d;
            }
    *fixed(c, LOSS) = sum / (float)(N * c->samples);
}

/* Column j of the gradient, summed over samples in order. */
static void gradient(aecc_call *c, int j)
{
    float scale = 2 / (float)(N * c->samples);
    for (int i = 0; i <= N; i++) {
        float sum = 0;
        for (int64_t b = 0; b < c->nblocks; b++)
            for (int64_t lane = 0; lane < live(c, b); lane++)
                sum += block(c, b, D)[j * LANES + lane] *
                       (i < N ? block(c, b, X)[i * LANES + lane] : 1);
        if (i < N)
            fixed(c, GRADIENT)[i * ROW + j] = sum * scale;
        else
            fixed(c, BIAS_GRADIENT)[j] = sum * scale;
    }
}

static void update(aecc_call *c, int j)
{
    for (int i = 0; i < N; i++) {
        float *v = &fixed(c, VELOCITY)[i * ROW + j];
        *v = 0.5f * *v + fixed(c, GRADIENT)[i * ROW + j];
        fixed(c, KERNEL)[i * ROW + j] -= 0.1f * *v;
    }
    fixed(c, BIAS)[j] -= 0.1f * fixed(c, BIAS_GRADIENT)[j];
    float mean = block(c, 0, X)[j * LANES];
    fixed(c, MEAN)[j] = 0.9f * fixed(c, MEAN)[j] + 0.1f * mean;
}

static void step(aecc_call *c, int64_t thread)
{
    uint64_t begin = c->profile ? aecc_ticks() : 0;
    all_blocks(c, thread, 0.01f, 10);
    for (int j = 0; j < N; j++)
        if (j % c->threads == thread)
            gradient(c, j);
    if (thread == 0)
        loss(c);
    aecc_barrier(c, thread);
    if (c->profile)
        c->profile[0] += aecc_ticks() - begin;
    for (int j = 0; j < N; j++)
        if (j % c->threads == thread)
            update(c, j);
    if (thread == 0)
        ++*(int32_t *)(c->fixed + COUNT);
}

static void objective(aecc_call *c, int64_t thread)
{
    all_blocks(c, thread, 0, 10);
    if (thread == 0)
        loss(c);
}

static void network(aecc_call *c, int64_t thread)
{
    all_blocks(c, thread, 0, 1);
}

static void reconstruct(aecc_call *c, int64_t thread)
{
    all_blocks(c, thread, 0, 10);
}

static void single(aecc_call *c, int64_t thread)
{
    float *x = fixed(c, X_SINGLE), *r = fixed(c, R_SINGLE);
    if (thread)
        return;
    aecc_load(c, 0);
    for (int j = 0; j < N; j++) {
        r[j] = fixed(c, BIAS)[j];
        for (int i = 0; i < N; i++)
            r[j] = fmaf(x[i], fixed(c, PACKED)[i * ROW + j], r[j]);
    }
}

static void pack(aecc_call *c, int64_t thread)
{
    if (!thread)
        memcpy(fixed(c, PACKED), fixed(c, KERNEL), 256);
}

static aecc_function *const functions[] = {init,        step,   objective, network,
                                           reconstruct, single, pack};

#ifndef FAKE_CPU
#define FAKE_CPU ""
#endif
const aecc_variant aecc_variants[] = {{"any", FAKE_CPU, functions}, {0}};

#ifndef FAKE_HASH
#define FAKE_HASH "00000000000000aa"
#endif

/* The descriptor is JSON that the preprocessor puts together and quotes. */
/* clang-format off */
#define QUOTED(...) #__VA_ARGS__
#define JSON(...) QUOTED(__VA_ARGS__)

#define IMAGE "type": "f32", "shape": [2, 2], "strides": [2, 1]
#define SCALAR {"name": null, "type": "f32", "shape": [], "strides": [], "batch": false, \
                "offset": 704}
#define OUTPUT(name_, offset_) {"name": name_, IMAGE, "batch": true, "offset": offset_}
#define CHUNK "chunk": 1, "shared_blocks": 0, "scratch_bytes": 0, "part_bytes": 0
#define FRESH "fresh": true, "joined": null, "output": 0
#define FUNCTION(name_, kind_, ...) \
    {"name": name_, "kind": kind_, CHUNK, "single": null, \
     "inputs": [{"name": "image", IMAGE, "batch": true, "offset": 0}], \
     "outputs": [__VA_ARGS__], "updates": [], \
     "kernels": [{"name": "dense_1.forward", "kind": "block", "layer": "encoder.dense_1", \
                  "line": 4, "flops": 32, "bytes": [320, 512], \
                  "updates": 0, "each_sample": true}]}
#define NETWORK(batch_, in_, out_) \
    "inputs": [{"name": "image", IMAGE, "batch": batch_, "offset": in_}], \
    "outputs": [{"name": "r", IMAGE, "batch": batch_, "offset": out_}], "updates": [], \
    "kernels": [{"name": "dense_1.forward", "kind": "block", "layer": "encoder.dense_1", \
                 "line": 4, "flops": 32, "bytes": [320, 512], \
                  "updates": 0, "each_sample": batch_}]
#define POINTS {"kind": "file", "name": "points", "index": 0, "reader": "csv", \
                "path": "points.csv", "shape": null, "type": "f32", "affine": [10, 1, 0]}
#define SPLIT(rest_) {"kind": "split", "name": null, "of": POINTS, "last": true, \
                      "rest": rest_, "count": 24}
#define TRAIN(epochs_, ...) \
    {"data": SPLIT(true), "validation": SPLIT(false), "objective": 2, "steps": [__VA_ARGS__], \
     "epochs": epochs_, "batch": 32, "drop_last": false, "line": 9}
#define MATRIX "shape": [4, 4], "strides": [16, 1], "bytes": 256, "owner": null
#define VECTOR "shape": [4], "strides": [1], "bytes": 64, "owner": null
#define NUMBER "shape": [], "strides": [], "bytes": 64, "owner": null

const char aecc_descriptor[] = JSON(
{"aecc": "0.1.0", "name": "fake", "source": "fake.nn", "hash": FAKE_HASH,
 "fixed_bytes": 1408, "block_bytes": 768,
 "vars": [
  {"name": "encoder.dense_1.kernel", "kind": "param", "type": "f32", MATRIX, "offset": 0},
  {"name": "encoder.dense_1.bias", "kind": "param", "type": "f32", VECTOR, "offset": 256},
  {"name": "encoder.dense_1.velocity", "kind": "slot", "type": "f32", MATRIX, "offset": 320},
  {"name": "count", "kind": "count", "type": "i32", NUMBER, "offset": 576},
  {"name": "encoder.norm_1.moving_mean", "kind": "state", "type": "f32", VECTOR, "offset": 640}],
 "functions": [
  {"name": "init", "kind": "init", CHUNK, "single": null, "inputs": [], "outputs": [],
   "updates": [], "kernels": []},
  FUNCTION("train_1.step", "step", SCALAR),
  FUNCTION("train_1.objective", "objective", SCALAR),
  {"name": "encoder", "kind": "network", CHUNK, "single": 5, NETWORK(true, 0, 256)},
  FUNCTION("reconstruct", "report", OUTPUT("reconstruction", 256), OUTPUT("original", 0)),
  {"name": "encoder.single", "kind": "single", CHUNK, "single": null, NETWORK(false, 1088, 1120)},
  {"name": "pack", "kind": "pack", CHUNK, "single": null, "inputs": [], "outputs": [],
   "updates": [], "kernels": []}],
 "data": [POINTS],
 "networks": [{"name": "encoder", "function": 3, "layers": [
  {"name": "encoder.dense_1", "type": "dense", "output": [2, 2], "params": 20, "untrained": 0,
   "line": 4}]}],
 "train": [
  TRAIN(3, {"name": null, "function": 1, "repeat": 1, FRESH}),
  TRAIN(2, {"name": "first", "function": 1, "repeat": 1, FRESH},
           {"name": "second", "function": 1, "repeat": 2, FRESH})],
 "reports": [{"kind": "reconstructions", "data": SPLIT(false), "function": 4,
              "options": {"count": "3"}}],
 "reconstruct": {"function": 4, "scaled": false, "data": SPLIT(false)}, "pack": 6});
