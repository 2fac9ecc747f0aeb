/* Data of a trainer: files become arrays, arrays become views, and a block of
 * AECC_LANES samples of a view becomes [element][lane] floats.
 *
 *   data_open("train-images-idx3-ubyte.gz")      array [60000, 28, 28] of u8
 *   data_view_of(array, / 255)                   view, 60000 samples, 1 component
 *   data_split(view, last, rest, 5000)           view, 55000 samples
 *   data_zip(images, labels)                     view, 2 components
 *   gather_block(&view.components[0], samples, out)
 *
 * Values stay in memory in the type of the file; they become float32 in
 * gather_block, then are divided, multiplied and added to, each step rounded
 * once. Nothing here trusts a file: sizes in a header are compared with the
 * bytes present before memory is asked for.
 */
#ifndef AECC_DATA_H
#define AECC_DATA_H

#include "aecc_rt.h"
#include "error.h"

#include <stdio.h>

enum { DATA_MAX_RANK = 8 };

typedef enum {
    DATA_U8, DATA_I8, DATA_U16, DATA_I16, DATA_I32, DATA_I64, DATA_F32, DATA_F64
} data_type;

size_t data_type_size(data_type type);
const char *data_type_name(data_type type);       /* "u8", … */

/* data.c: arrays */

typedef struct data_array {
    char *path;             /* where the file was found                       */
    data_type type;
    int rank;               /* >= 1: dims[0] counts samples                   */
    int64_t dims[DATA_MAX_RANK];
    int64_t samples;        /* dims[0], >= 1                                  */
    int64_t elements;       /* of one sample, >= 1                            */
    const void *values;     /* [samples][elements], native byte order         */
    void *memory;           /* the allocation that holds values               */
    struct data_sequences *sequences;   /* NULL: all samples are alike        */
} data_array;

typedef struct data_source {
    const char *name;       /* in the program, for messages; or NULL          */
    const char *reader;     /* "idx", "npy", "csv", "png"; NULL: by content   */
    const char *path;       /* as written: a file, or a folder of PNGs        */
    const char *beside;     /* folder of the .nn file, or NULL                */
    const char *series;     /* column of a CSV that names the series, or NULL */
    const char *lengths;    /* file with the length of each sequence, before `series` */
    int64_t step;           /* elements of a step, for `lengths`; 0: not known */
    bool are_lengths;       /* data_check_lengths tells what is not finite    */
} data_source;

/* Looks for the path as given, beside the .nn file, in each folder of
 * $AECC_DATA and in /usr/share/datasets/ and its folders. A malloc'd path, or
 * NULL with an error that lists the places. */
char *data_find(const data_source *source, rt_error *error);
/* Finds and reads. Every float is finite, every size checked. */
bool data_open(data_array *array, const data_source *source, rt_error *error);
void data_close(data_array *array);
/* Is every value a whole number from 0 to classes - 1? */
bool data_check_classes(const data_array *array, int64_t classes, rt_error *error);
/* An array that borrows `values`; nothing is checked. */
data_array data_borrow(const char *name, data_type type, int rank, const int64_t *dims,
                       const void *values);
/* The product of dims. */
int64_t data_elements(int rank, const int64_t *dims);
/* "[60000, 28, 28]" */
const char *data_shape_text(char *text, size_t size, int rank, const int64_t *dims);

/* data_sequence.c: samples of several lengths, and windows */

/* Series of steps, one after another in the values, or with room between them.
 * A sample of the array is a whole series or, with `window`, a window of one;
 * dims[1] is the longest. Windows overlap in memory: each is but a place. */
typedef struct data_sequences {
    int64_t step;           /* elements of a step                             */
    int64_t nseries;
    int64_t *first;         /* [series] its first step, in steps from values  */
    int64_t *length;        /* [series] its steps, >= 1                       */
    const char **names;     /* [series], or NULL                              */
    char *text;             /* what they point into; NULL: of another array   */
    int64_t window, stride; /* steps; 0: samples are whole series             */
    int64_t *before;        /* [series] windows before its own; NULL          */
} data_sequences;

/* Where a sample lies. */
typedef struct data_place {
    int64_t series;         /* which of the array's                           */
    int64_t first;          /* step of that series                            */
    int64_t start, count;   /* elements, from values                          */
} data_place;

data_place data_place_of(const data_array *array, int64_t sample);
/* What is checked of an array: its series, or all of its samples at once. */
int64_t data_spans(const data_array *array);
data_place data_span(const data_array *array, int64_t span);
/* "sample 3, element 17", "series 3, step 8, element 1" (from 0) of element
 * `at`, counted from values. */
const char *data_place_text(char *text, size_t size, const data_array *array, int64_t at);

/* The array's samples are sequences of equal length, whose steps have `step`
 * elements (0: what dims[1] leaves). */
bool data_set_equal(data_array *array, int64_t step, rt_error *error);
/* The same with these lengths: padded, [sequences,
 * steps, …], or without padding, [steps of all, …]; the elements of a step
 * decide, where they are not known (0) whether the lengths add up to dims[0]. */
bool data_set_lengths(data_array *array, const data_array *lengths, int64_t step,
                      rt_error *error);
/* Is every value a length, a whole number from 1 to `most`? */
bool data_check_lengths(const data_array *lengths, int64_t most, rt_error *error);
/* Series that begin at these steps of an array [steps, …]; takes them over. */
void data_set_series(data_array *array, data_sequences *sequences);
/* Room for first and length; the rest is zero. */
data_sequences *data_sequences_new(int64_t nseries, int64_t step);
void data_sequences_free(data_sequences *sequences);

/* data_view.c: which samples, of which arrays, in which order */

/* x / divide * multiply + add */
typedef struct data_affine { float divide, multiply, add; } data_affine;

/* Rows [first, first + count) of an array. */
typedef struct data_run {
    const data_array *array;
    int64_t first, count;
    data_affine affine;
    int scaling;            /* derived by gather_plan: how gather_block scales */
    float high, low;        /* derived: 1 / divide in two parts               */
} data_run;

/* One part of a zip: runs one after another, of equal sample shape. */
typedef struct data_component {
    int rank;               /* of a sample: dims without the samples axis     */
    int64_t dims[DATA_MAX_RANK];
    int64_t elements;
    int64_t samples;
    int64_t drawn;          /* above 0: any of so many rows, drawn for each place */
    int nruns;
    data_run *runs;
} data_component;

typedef struct data_view {
    int64_t samples;
    int ncomponents;
    data_component *components;
} data_view;

/* A view of one array; `affine` NULL leaves the values. */
data_view data_view_of(const data_array *array, const data_affine *affine);
/* Constructors copy: free their operands when they are not needed. */
void data_view_free(data_view *view);
data_view data_view_copy(const data_view *view);

/* The array that holds a sample; *sample becomes its number there. */
const data_array *data_array_of(const data_component *component, int64_t *sample);
/* The run that holds a sample, whose number becomes that in the run. */
const data_run *data_run_of(const data_component *component, int64_t *sample);
/* Rows [first, first + count) of a view; within its samples. */
data_view data_slice(const data_view *view, int64_t first, int64_t count);
/* A part of `count` samples, or where count is 0 of fraction * samples rounded
 * to the nearest, at the start or at the end; `rest` gives what remains. An
 * error when either would be empty. `name` is for the message. */
bool data_split(data_view *out, const data_view *view, const char *name, bool last, bool rest,
                int64_t count, double fraction, rt_error *error);
/* Components side by side: equal numbers of samples. */
bool data_zip(data_view *out, const data_view *parts, int nparts, rt_error *error);
/* Samples one after another: equal numbers of components, equal shapes. */
bool data_concat(data_view *out, const data_view *parts, int nparts, rt_error *error);

/* Windows of `length` steps, one each `stride` steps, of the sequences of a
 * view; samples that are no sequences are the steps of one, for each run. What
 * `out` points into comes to `arrays`, one for each run. Counts in *skipped the
 * series that are too short; an error where all are. */
bool data_windows(data_view *out, const data_view *view, int64_t length, int64_t stride,
                  data_array *arrays, int64_t *skipped, rt_error *error);

/* The samples whose number in `by`, a view with one number a sample, is one of
 * `keep`. What `out` points into comes to `arrays`, one for each run. An error
 * where there is none. */
bool data_filter(data_view *out, const data_view *view, const data_view *by, const double *keep,
                 int nkeep, data_array *arrays, rt_error *error);

/* An input that data is to fill. */
typedef struct data_input {
    const char *name;
    int rank;
    const int64_t *dims;
    bool integer;
    bool varying;           /* takes up to dims[0] steps                      */
} data_input;

/* Does a component fill an input? The products must agree ([784] fills [28,
 * 28]), those of a step where it is varying. An integer input also needs whole
 * numbers that fit 32 bits. */
bool data_check(const data_component *component, const data_input *input, rt_error *error);

/* gather.c: samples into lanes and back */

/* Writes out[element][lane] of AECC_LANES samples (repeat the last live one in
 * dead lanes), `elements` of each: zero where a sample has fewer. `out` is 64-
 * byte aligned. The same bits on every machine. */
void gather_block(const data_component *component, const int64_t *samples, int64_t elements,
                  float *out);
void gather_block_i32(const data_component *component, const int64_t *samples, int64_t elements,
                      int32_t *out);
/* out[element] of one sample, by the same rounding. */
void gather_sample(const data_component *component, int64_t sample, int64_t elements, float *out);
void gather_sample_i32(const data_component *component, int64_t sample, int64_t elements,
                       int32_t *out);
/* The steps of `count` samples; a step has `step` elements. */
void gather_lengths(const data_component *component, const int64_t *samples, int count,
                    int64_t step, int32_t *out);
/* Asks for the rows of a block that will be gathered soon. */
void gather_prefetch(const data_component *component, const int64_t *samples);
/* rows[i][element] = lanes[element][i] for the first `live` lanes; a row is
 * `stride` floats. */
void block_to_rows(const float *lanes, int64_t elements, int live, float *rows, int64_t stride);
/* Fills the derived fields of a run; the constructors call it. */
void gather_plan(data_run *run);

/* data_idx.c, data_npy.c, data_csv.c, data_png.c: a reader for each format.
 *
 * `bytes` are the whole file, malloc'd, with a zero byte after the last; the
 * reader takes them over, in error too. `path` is for messages. */
typedef bool data_reader(data_array *array, const char *path, unsigned char *bytes, size_t size,
                         rt_error *error);
data_reader data_read_idx, data_read_npy, data_read_csv, data_read_png;
/* A CSV whose column `series` (by its name in the first line) says which series
 * a line is a step of; the other columns are its elements. NULL: no such. */
bool data_read_csv_series(data_array *array, const char *path, unsigned char *bytes, size_t size,
                          const char *series, rt_error *error);
/* Does the first line of a CSV name that column? */
bool data_csv_names(const char *path, const unsigned char *bytes, size_t size,
                    const char *series);
/* All the PNGs of a folder in order of their names. */
bool data_read_png_folder(data_array *array, const char *folder, rt_error *error);

/* What the readers share.
 *
 * Derives samples and elements from type, rank and dims, and says how many
 * bytes the values take; an error for an empty array and for an overflow. */
bool data_measure(data_array *array, uint64_t *bytes, rt_error *error);
/* `bytes` of values were promised and `present` are there: an error that
 * explains a difference; `start` is the place of the first value. */
bool data_check_length(const data_array *array, uint64_t bytes, uint64_t present, uint64_t start,
                       rt_error *error);
/* The values are `size` bytes from byte `start` of the array's memory, in big-
 * endian order if `big`: aligns them there and puts them in native order. */
void data_take_values(data_array *array, size_t start, uint64_t size, bool big);
bool data_check_finite(const data_array *array, rt_error *error);
/* Value `i` of all that lie in the array. */
double data_value(const data_array *array, int64_t i);
/* The end of a message and its hint for a file of another format than was
 * expected: "\nit is a NumPy file: read it with npy(…)". */
const char *data_kind_hint(const unsigned char *bytes, size_t size);
/* A whole file, as a data_reader takes it. */
unsigned char *data_slurp(const char *path, size_t *size, rt_error *error);
/* Memory for `size` bytes, or NULL with an error: sizes come from files. */
void *data_alloc(const char *path, uint64_t size, rt_error *error);

/* npy_write.c: results as .npy (format 1.0), whole or not at all */

typedef struct npy_writer npy_writer;
/* Of DATA_F32 or DATA_I32. */
npy_writer *npy_create(const char *path, data_type type, int rank, const int64_t *dims,
                       rt_error *error);
/* Appends `count` values, in C order. */
bool npy_append(npy_writer *writer, const void *values, size_t count, rt_error *error);
/* Closes; false (and no file) unless exactly the product of dims was appended. */
bool npy_commit(npy_writer *writer, rt_error *error);
void npy_abandon(npy_writer *writer);
bool npy_write(const char *path, int rank, const int64_t *dims, const float *values,
               rt_error *error);

#endif
