/* data.h: samples into lanes and back.
 *
 * needs       the rows of AECC_LANES samples, anywhere in memory
 * guarantees  out[element][lane], float32, scaled; the same bits whatever the
 *             machine, the type's width and the neighbours in the block
 *
 *   row of sample 7   0 128 255 …         out[0][3] = 0
 *   in lane 3, / 255                      out[1][3] = 0.5019608
 *                                         out[2][3] = 1
 *
 * It works by tiles of 16 elements x 16 samples. Bytes are transposed as bytes
 * and widened afterwards; all other types become float first. */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* x / d * m + a rounds each step, so no step may be fused with the next. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

#if defined(__x86_64__) && defined(__gnu_linux__)
#define FOR_EACH_CPU __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FOR_EACH_CPU
#endif
#define INLINE static inline __attribute__((always_inline))

enum { LANES = AECC_LANES, TILE = 16 };

typedef unsigned char v16u8 __attribute__((vector_size(16)));
typedef float v16f __attribute__((vector_size(64)));
typedef float v4f __attribute__((vector_size(16)));

/* ---- Scaling --------------------------------------------------------------- */

/* Division is slow, a product with 1 / d is off by one ulp for some x. For a
 * byte x * high + x * low is x / d: high has 16 bits, so x * high is exact,
 * and the sum is rounded once. gather_plan proves it for all 256 bytes. */
enum { SCALE_COPY, SCALE_PRODUCT, SCALE_PRODUCT_AFFINE, SCALE_DIVIDE_AFFINE };

static bool product_is_division(float divide, float high, float low)
{
    for (int x = 0; x < 256; x++)
        if ((float)x * high + (float)x * low != (float)x / divide)
            return false;
    return true;
}

static float upper_16_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= 0xffffff00;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

void gather_plan(data_run *run)
{
    const data_affine *f = &run->affine;
    int exponent;
    bool power_of_two = fabsf(frexpf(f->divide, &exponent)) == 0.5f && abs(exponent) < 100;
    bool plain = f->multiply == 1 && f->add == 0;
    run->high = 1 / f->divide;
    run->low = 0;
    bool product = power_of_two;
    if (!product && run->array->type == DATA_U8) {
        run->high = upper_16_bits(run->high);
        run->low = (float)(1 / (double)f->divide - (double)run->high);
        product = product_is_division(f->divide, run->high, run->low);
    }
    run->scaling = !product         ? SCALE_DIVIDE_AFFINE
                   : !plain         ? SCALE_PRODUCT_AFFINE
                   : f->divide == 1 ? SCALE_COPY
                                    : SCALE_PRODUCT;
}

INLINE float scaled(float x, data_run run, int scaling)
{
    if (scaling == SCALE_COPY)
        return x;
    x = scaling == SCALE_DIVIDE_AFFINE ? x / run.affine.divide : x * run.high + x * run.low;
    return scaling == SCALE_PRODUCT ? x : x * run.affine.multiply + run.affine.add;
}

/* CALL(s) with the run's scaling as a constant. */
#define WITH_SCALING(scaling, CALL)                               \
    switch (scaling) {                                            \
    case SCALE_COPY: CALL(SCALE_COPY); break;                     \
    case SCALE_PRODUCT: CALL(SCALE_PRODUCT); break;               \
    case SCALE_PRODUCT_AFFINE: CALL(SCALE_PRODUCT_AFFINE); break; \
    default: CALL(SCALE_DIVIDE_AFFINE); break;                    \
    }

/* ---- Where the samples lie --------------------------------------------------- */

typedef struct block_rows {
    const unsigned char *row[LANES];
    const data_run *run[LANES];
    int64_t live[LANES];       /* elements that there are; zeros follow */
    int64_t shortest, longest; /* of live */
    bool uniform;              /* all of run[0] */
} block_rows;

static const unsigned char *row_of(const data_component *c, int64_t sample, const data_run **run,
                                   int64_t *live)
{
    *run = data_run_of(c, &sample);
    const data_array *array = (*run)->array;
    data_place place = data_place_of(array, (*run)->first + sample);
    *live = place.count;
    return (const unsigned char *)array->values + (size_t)place.start * data_type_size(array->type);
}

static void locate(block_rows *r, const data_component *c, const int64_t *samples, int64_t elements)
{
    r->uniform = true;
    r->shortest = elements;
    r->longest = 0;
    for (int lane = 0; lane < LANES; lane++) {
        int64_t *live = &r->live[lane];
        r->row[lane] = row_of(c, samples[lane], &r->run[lane], live);
        r->uniform &= r->run[lane] == r->run[0];
        *live = *live < elements ? *live : elements;
        r->shortest = *live < r->shortest ? *live : r->shortest;
        r->longest = *live > r->longest ? *live : r->longest;
    }
}

void gather_prefetch(const data_component *c, const int64_t *samples)
{
    enum { LINE = 64 };
    block_rows r;
    locate(&r, c, samples, INT64_MAX);
    for (int lane = 0; lane < LANES; lane++) {
        size_t size = data_type_size(r.run[lane]->array->type) * (size_t)r.live[lane];
        for (size_t at = 0; at < size; at += LINE)
            __builtin_prefetch(r.row[lane] + at, 0, 2);
    }
}

void gather_lengths(const data_component *c, const int64_t *samples, int count, int64_t step,
                    int32_t *out)
{
    for (int i = 0; i < count; i++) {
        const data_run *run;
        int64_t live;
        row_of(c, samples[i], &run, &live);
        out[i] = (int32_t)(live / step);
    }
}

/* ---- Bytes ------------------------------------------------------------------- */

/* a[k] b[k] a[k + 1] b[k + 1] … of 16 bytes */
#define INTERLEAVE(a, b, k)                                                                      \
    __builtin_shufflevector(a, b, k, k + 16, k + 1, k + 17, k + 2, k + 18, k + 3, k + 19, k + 4, \
                            k + 20, k + 5, k + 21, k + 6, k + 22, k + 7, k + 23)

/* 16 rows of 16 bytes become 16 columns: four rounds of a perfect shuffle. */
INLINE void transpose_bytes(v16u8 *rows)
{
    v16u8 next[TILE];
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            next[2 * i] = INTERLEAVE(rows[i], rows[i + 8], 0);
            next[2 * i + 1] = INTERLEAVE(rows[i], rows[i + 8], 8);
        }
        memcpy(rows, next, sizeof next);
    }
}

/* A flat loop, so that the compiler widens with the target's own instruction. */
INLINE void tile_of_bytes(v16u8 *rows, const data_run *run, int scaling, v16f *out)
{
    const data_run local = *run;
    unsigned char bytes[TILE * LANES];
    float *values = (float *)out;
    transpose_bytes(rows);
    memcpy(bytes, rows, sizeof bytes);
    for (int i = 0; i < TILE * LANES; i++)
        values[i] = scaled((float)bytes[i], local, scaling);
}

INLINE void gather_bytes(const block_rows *r, int64_t elements, int scaling, v16f *out)
{
    v16u8 rows[TILE];
    v16f last[TILE];
    int64_t e = 0;
    for (; e + TILE <= elements; e += TILE) {
#pragma GCC unroll 16
        for (int lane = 0; lane < LANES; lane++)
            memcpy(&rows[lane], r->row[lane] + e, TILE);
        tile_of_bytes(rows, r->run[0], scaling, out + e);
    }
    if (e == elements)
        return;
    memset(rows, 0, sizeof rows);
    for (int lane = 0; lane < LANES; lane++)
        memcpy(&rows[lane], r->row[lane] + e, (size_t)(elements - e));
    tile_of_bytes(rows, r->run[0], scaling, last);
    memcpy(out + e, last, (size_t)(elements - e) * sizeof *last);
}

FOR_EACH_CPU
static void gather_u8(const block_rows *r, int64_t elements, v16f *out){
#define GATHER(scaling) gather_bytes(r, elements, scaling, out)
    WITH_SCALING(r->run[0]->scaling, GATHER)
#undef GATHER
}

/* ---- Every type ---------------------------------------------------------------- */

/* out[i] = row[start + i] for i < n. Rows are aligned for their type. */
INLINE void widen(const data_run *run, const unsigned char *row, int64_t start, int n, float *out)
{
#define WIDEN(TYPE)                                                   \
    for (int i = 0; i < n; i++)                                       \
        out[i] = (float)((const TYPE *)(const void *)row)[start + i]; \
    break
    switch (run->array->type) {
    case DATA_U8: WIDEN(uint8_t);
    case DATA_I8: WIDEN(int8_t);
    case DATA_U16: WIDEN(uint16_t);
    case DATA_I16: WIDEN(int16_t);
    case DATA_I32: WIDEN(int32_t);
    case DATA_I64: WIDEN(int64_t);
    case DATA_F32: WIDEN(float);
    case DATA_F64: WIDEN(double);
    }
#undef WIDEN
}

INLINE void transpose_4x4(const v4f *rows, v4f *columns)
{
    v4f a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
    v4f b = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
    v4f c = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
    v4f d = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    columns[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    columns[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    columns[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    columns[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

/* to[j][i] = from[i][j] for i, j < 4; strides in floats. */
INLINE void move_4x4(const float *const from[4], float *to, int64_t stride)
{
    v4f rows[4], columns[4];
    for (int i = 0; i < 4; i++)
        memcpy(&rows[i], from[i], sizeof rows[i]);
    transpose_4x4(rows, columns);
    for (int j = 0; j < 4; j++)
        memcpy(to + j * stride, &columns[j], sizeof columns[j]);
}

/* out[e][lane] = rows[lane][e] */
INLINE void transpose_tile(const float *const rows[LANES], float *out)
{
    for (int lane = 0; lane < LANES; lane += 4)
        for (int e = 0; e < TILE; e += 4) {
            const float *const from[4] = {rows[lane] + e, rows[lane + 1] + e, rows[lane + 2] + e,
                                          rows[lane + 3] + e};
            move_4x4(from, out + e * LANES + lane, LANES);
        }
}

INLINE void scale_row(float *x, const data_run *run)
{
    const data_run local = *run;
#define SCALE(scaling)             \
    for (int i = 0; i < TILE; i++) \
    x[i] = scaled(x[i], local, scaling)
    WITH_SCALING(local.scaling, SCALE)
#undef SCALE
}

/* Elements e … of a row of `live`, of which `wanted` <= TILE are used: those
 * that are not there are zero. */
INLINE void part_of_row(const data_run *run, const unsigned char *row, int64_t e, int64_t live,
                        int64_t wanted, float *out)
{
    int64_t n = live - e < wanted ? live - e : wanted;
    memset(out, 0, TILE * sizeof *out);
    if (n <= 0)
        return;
    widen(run, row, e, (int)n, out);
    scale_row(out, run);
    for (int64_t i = n; i < wanted; i++)
        out[i] = 0;
}

/* `wanted` <= TILE elements of every lane; `whole`: all are there, and TILE. */
INLINE void gather_tile(const block_rows *r, int64_t e, bool whole, int64_t wanted, float *out)
{
    float tile[LANES][TILE];
    const float *rows[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        const data_run *run = r->run[lane];
        bool full = whole || e + TILE <= r->live[lane];
        bool direct = run->array->type == DATA_F32 && run->scaling == SCALE_COPY && full;
        rows[lane] = direct ? (const float *)(const void *)r->row[lane] + e : tile[lane];
        if (direct)
            continue;
        if (full) {
            widen(run, r->row[lane], e, TILE, tile[lane]);
            scale_row(tile[lane], run);
        } else {
            part_of_row(run, r->row[lane], e, r->live[lane], wanted, tile[lane]);
        }
    }
    transpose_tile(rows, out);
}

/* From element `e` on; zeros behind the longest row cost no more than memset. */
FOR_EACH_CPU
static void gather_any(const block_rows *r, int64_t e, int64_t elements, float *out)
{
    float last[TILE * LANES];
    for (; e + TILE <= r->shortest; e += TILE)
        gather_tile(r, e, true, TILE, out + e * LANES);
    for (; e < r->longest; e += TILE) {
        int64_t wanted = elements - e < TILE ? elements - e : TILE;
        gather_tile(r, e, false, wanted, last);
        memcpy(out + e * LANES, last, (size_t)wanted * LANES * sizeof *last);
    }
    if (e < elements)
        memset(out + e * LANES, 0, (size_t)(elements - e) * LANES * sizeof *out);
}

void gather_block(const data_component *c, const int64_t *samples, int64_t elements, float *out)
{
    block_rows r;
    int64_t done = 0;
    locate(&r, c, samples, elements);
    if (r.uniform && r.run[0]->array->type == DATA_U8) {
        done = r.shortest == elements ? elements : r.shortest / TILE * TILE;
        gather_u8(&r, done, (v16f *)(void *)out);
    }
    if (done < elements)
        gather_any(&r, done, elements, out);
}

FOR_EACH_CPU
void gather_sample(const data_component *c, int64_t sample, int64_t elements, float *out)
{
    const data_run *run;
    int64_t live, e = 0;
    const unsigned char *row = row_of(c, sample, &run, &live);
    float last[TILE];
    live = live < elements ? live : elements;
    for (; e + TILE <= live; e += TILE) {
        widen(run, row, e, TILE, out + e);
        scale_row(out + e, run);
    }
    if (e < live) {
        part_of_row(run, row, e, live, TILE, last);
        memcpy(out + e, last, (size_t)(live - e) * sizeof *last);
    }
    memset(out + live, 0, (size_t)(elements - live) * sizeof *out);
}

/* ---- Integers ------------------------------------------------------------------ */

static int32_t integer_at(const data_run *run, const unsigned char *row, int64_t e)
{
    switch (run->array->type) {
    case DATA_U8: return row[e];
    case DATA_I8: return ((const int8_t *)row)[e];
    case DATA_U16: return ((const uint16_t *)(const void *)row)[e];
    case DATA_I16: return ((const int16_t *)(const void *)row)[e];
    case DATA_I32: return ((const int32_t *)(const void *)row)[e];
    case DATA_I64: return (int32_t)((const int64_t *)(const void *)row)[e];
    case DATA_F32: return (int32_t)((const float *)(const void *)row)[e];
    case DATA_F64: return (int32_t)((const double *)(const void *)row)[e];
    }
    return 0;
}

void gather_block_i32(const data_component *c, const int64_t *samples, int64_t elements,
                      int32_t *out)
{
    block_rows r;
    locate(&r, c, samples, elements);
    for (int64_t e = 0; e < elements; e++)
        for (int lane = 0; lane < LANES; lane++)
            out[e * LANES + lane] = e < r.live[lane] ? integer_at(r.run[lane], r.row[lane], e) : 0;
}

void gather_sample_i32(const data_component *c, int64_t sample, int64_t elements, int32_t *out)
{
    const data_run *run;
    int64_t live;
    const unsigned char *row = row_of(c, sample, &run, &live);
    for (int64_t e = 0; e < elements; e++)
        out[e] = e < live ? integer_at(run, row, e) : 0;
}

/* ---- Back ------------------------------------------------------------------------ */

static void rows_one_by_one(const float *lanes, int64_t from, int64_t to, int first, int live,
                            float *rows, int64_t stride)
{
    for (int lane = first; lane < live; lane++)
        for (int64_t e = from; e < to; e++)
            rows[lane * stride + e] = lanes[e * LANES + lane];
}

void block_to_rows(const float *lanes, int64_t elements, int live, float *rows, int64_t stride)
{
    int64_t e = 0;
    for (; e + 4 <= elements; e += 4) {
        int lane = 0;
        for (; lane + 4 <= live; lane += 4) {
            const float *at = lanes + e * LANES + lane;
            const float *const from[4] = {at, at + LANES, at + 2 * LANES, at + 3 * LANES};
            move_4x4(from, rows + lane * stride + e, stride);
        }
        rows_one_by_one(lanes, e, e + 4, lane, live, rows, stride);
    }
    rows_one_by_one(lanes, e, elements, 0, live, rows, stride);
}
