/* --check=interp: every function of a model, compiled and in the oracle.
 *
 * For batches of 1, 3 and 24 samples: the largest difference from float64
 * over the largest magnitude of the tensor is below 1e-5; 1, 2 and 3 threads
 * give the same bits, and so does the twin for one sample. Where terms cancel
 * (the gradient of a bias before batch normalization is truly zero) float32
 * leaves more: a few times what the oracle itself leaves when it rounds every
 * operation is right, too. Near a kink (a relu at zero, two equal maxima)
 * float32 may take the other side; so a function fails only if it differs for
 * each of several draws of inputs. */
#include "target/jit.h"

#include <math.h>
#include <string.h>

enum { DRAWS = 4, MOST_THREADS = 3, MOST_SINGLE = 3, ROUNDINGS = 8 };

static const double TOLERANCE = 1e-5;
static const int64_t BATCHES[] = {1, 3, 24};

/* ---- Values to start from ------------------------------------------------------ */

typedef struct Draw {
    uint32_t counter[4], word[4];
    int left;
} Draw;

static double uniform(Draw *d)
{
    if (d->left == 0) {
        philox(d->counter, (uint32_t[]){0x61656363, 1}, d->word);
        d->counter[0]++;
        d->left = 4;
    }
    return (d->word[--d->left] >> 8) * 0x1p-24;
}

/* Lengths are from 1 to `most`. */
static double *draw_input(Draw *d, const Node *input, int64_t most, int64_t samples)
{
    int64_t n = shape_size(input->shape) * (input->shape.batch ? samples : 1);
    int64_t choices = input->type == T_BOOL ? 2 : most > 0 ? most : 4;
    double *x = NEW_ARRAY(double, n + 1);
    for (int64_t i = 0; i < n; i++)
        x[i] = input->type == T_F32 ? uniform(d) : floor(uniform(d) * (double)choices) + (most > 0);
    return x;
}

/* Around its first value; what must not be negative does not become so. */
static void vary(Draw *d, const Var *var, double *x)
{
    int64_t n = shape_size(var->shape);
    for (int64_t i = 0; i < n; i++) {
        if (var->type != T_F32)
            x[i] += 2;
        else if (var->kind == VAR_PARAM)
            x[i] = (float)(x[i] + 0.2 * uniform(d) - 0.1);
        else
            x[i] = (float)(x[i] + 0.1 * uniform(d));
    }
}

static double **first_values(const Model *model)
{
    Interp init = {.random = {.seed = {42}, .purpose = AECC_RANDOM_INIT}};
    double **vars = NEW_ARRAY(double *, model->nvars + 1);
    const Fn *fn = model->fns[0];
    interpret(fn, &init);
    for (int i = 0; i < model->nvars; i++) {
        vars[i] = NEW_ARRAY(double, shape_size(model->vars[i]->shape) + 1);
        for (int j = 0; j < fn->nupdates; j++)
            if (fn->targets[j] == model->vars[i])
                vars[i] = init.updates[j];
    }
    return vars;
}

/* Packed vars hold what they pack. */
static void pack(const Model *model, double **vars)
{
    Interp run = {.var_list = model->vars, .nvars = model->nvars, .vars = vars};
    if (!model->pack)
        return;
    interpret(model->pack, &run);
    for (int i = 0; i < model->pack->nupdates; i++)
        for (int v = 0; v < model->nvars; v++)
            if (model->vars[v] == model->pack->targets[i])
                vars[v] = run.updates[i];
}

static Interp start(const Model *model, int f, int64_t samples, int draw)
{
    const Fn *fn = model->fns[f];
    Draw d = {.counter = {0, (uint32_t)draw, (uint32_t)f, (uint32_t)samples}};
    uint32_t purpose = fn->kind == FN_INIT ? AECC_RANDOM_INIT : AECC_RANDOM_TRAIN;
    Interp run = {.samples = fn->kind == FN_INIT ? 0 : samples,
                  .var_list = model->vars,
                  .nvars = model->nvars,
                  .inputs = NEW_ARRAY(double *, fn->ninputs + 1),
                  .random = {.seed = {42, (uint32_t)draw},
                             .purpose = purpose,
                             .step = fn->kind == FN_INIT ? 0 : 3}};
    for (int i = 0; i < fn->ninputs; i++)
        run.inputs[i] = draw_input(&d, fn->inputs[i], fn->most ? fn->most[i] : 0, samples);
    run.vars = first_values(model);
    for (int i = 0; i < model->nvars; i++)
        vary(&d, model->vars[i], run.vars[i]);
    pack(model, run.vars);
    return run;
}

/* ---- Differences ------------------------------------------------------------------ */

/* The largest difference; *size is the magnitude of b. */
static double difference(const double *a, const double *b, int64_t n, double *size)
{
    double largest = 0;
    *size = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(a[i] - b[i]);
        bool same = a[i] == b[i] || (isnan(a[i]) && isnan(b[i]));
        if (!same && !(d <= largest))
            largest = isnan(d) ? INFINITY : d;
        *size = isfinite(b[i]) ? fmax(*size, fabs(b[i])) : *size;
    }
    return largest;
}

static int64_t count(const Node *node, int64_t samples)
{
    return shape_size(node->shape) * (node->shape.batch ? samples : 1);
}

/* The worst tensor of a function; *name says which. `rounded`, if not NULL,
 * is b with its operations rounded. */
static double worst(const Fn *fn, const Interp *a, const Interp *b, const Interp *rounded,
                    const char **name)
{
    double most = -1;
    for (int i = 0; i < fn->noutputs + fn->nupdates; i++) {
        bool output = i < fn->noutputs;
        int j = output ? i : i - fn->noutputs;
        const Node *node = output ? fn->outputs[j] : fn->values[j];
        const double *right = output ? b->outputs[j] : b->updates[j];
        int64_t n = count(node, a->samples);
        double size, d = difference(output ? a->outputs[j] : a->updates[j], right, n, &size);
        if (rounded) {
            double left =
                difference(output ? rounded->outputs[j] : rounded->updates[j], right, n, &size);
            size = fmax(size, isfinite(left) ? ROUNDINGS * left / TOLERANCE : 0);
        }
        d /= size;
        if (d > most) {
            most = d;
            *name = output ? fn->output_names[j] : fn->targets[j]->name;
        }
    }
    return most;
}

static bool same_bits(const Fn *fn, const Interp *a, const Interp *b)
{
    for (int i = 0; i < fn->noutputs; i++)
        if (memcmp(a->outputs[i], b->outputs[i],
                   sizeof(double) * (size_t)count(fn->outputs[i], a->samples)))
            return false;
    for (int i = 0; i < fn->nupdates; i++)
        if (memcmp(a->updates[i], b->updates[i],
                   sizeof(double) * (size_t)count(fn->values[i], a->samples)))
            return false;
    return true;
}

/* Does the twin give the bits that the function has for one of its samples? */
static bool same_single(Jit *jit, const Model *model, const Fn *fn, const Interp *run, int64_t i)
{
    Interp one = *run;
    int f = 0;
    while (model->fns[f] != fn->single)
        f++;
    one.samples = 1;
    one.inputs = NEW_ARRAY(double *, fn->ninputs + 1);
    for (int k = 0; k < fn->ninputs; k++)
        one.inputs[k] = run->inputs[k] + i * shape_size(fn->inputs[k]->shape);
    jit_run(jit, f, &one, 1);
    for (int k = 0; k < fn->noutputs; k++) {
        int64_t size = shape_size(fn->outputs[k]->shape);
        if (memcmp(one.outputs[k], run->outputs[k] + i * size, sizeof(double) * (size_t)size))
            return false;
    }
    return true;
}

/* ---- The table ---------------------------------------------------------------------- */

typedef struct Row {
    double error;
    const char *tensor;
    bool threads, single; /* they give the same bits */
} Row;

static void try_draw(Jit *jit, const Model *model, int f, int64_t samples, int draw, Row *row)
{
    const Fn *fn = model->fns[f];
    Interp oracle = start(model, f, samples, draw), compiled = oracle;
    interpret(fn, &oracle);
    jit_run(jit, f, &compiled, 1);
    const char *tensor = "";
    double error = worst(fn, &compiled, &oracle, NULL, &tensor);
    if (!(error < TOLERANCE)) {
        Interp rounded = start(model, f, samples, draw);
        rounded.float32 = true;
        interpret(fn, &rounded);
        error = worst(fn, &compiled, &oracle, &rounded, &tensor);
    }
    if (draw == 0 || error < row->error) {
        row->error = error;
        row->tensor = tensor;
    }
    for (int threads = 2; threads <= MOST_THREADS; threads++) {
        Interp again = oracle;
        jit_run(jit, f, &again, threads);
        row->threads &= same_bits(fn, &compiled, &again);
    }
    for (int64_t i = 0; fn->single && i < samples && i < MOST_SINGLE; i++)
        row->single &= same_single(jit, model, fn, &compiled, i);
}

static bool check_row(Jit *jit, const Model *model, int f, int64_t samples)
{
    Row row = {.threads = true, .single = true, .error = INFINITY};
    for (int draw = 0; draw < DRAWS && !(row.error < TOLERANCE); draw++)
        try_draw(jit, model, f, samples, draw, &row);
    bool good = row.error < TOLERANCE && row.threads && row.single;
    const char *where = !(row.error < TOLERANCE) ? row.tensor : row.single ? "" : "one sample";
    printf("%-28s %5lld  %9.2e  %-9s %s%s%s\n", model->fns[f]->name, (long long)samples,
           fmax(row.error, 0), row.threads ? "same" : "DIFFER", good ? "ok" : "FAIL",
           *where ? " " : "", where);
    return good;
}

static bool has_batch(const Fn *fn)
{
    return fn->kind != FN_INIT && fn->kind != FN_SINGLE && fn->kind != FN_PACK;
}

int check_interpreter(const Model *model)
{
    int failures = 0;
    TargetOptions host = {.level = 2};
    Jit *jit = jit_open(model, &host);
    printf("%-28s %5s  %9s  %-9s\n", "function", "batch", "error", "threads");
    for (int f = 0; f < model->nfns; f++)
        for (size_t i = 0; i < sizeof BATCHES / sizeof *BATCHES; i++)
            if (has_batch(model->fns[f]) || i == 0)
                failures += !check_row(jit, model, f, BATCHES[i]);
    jit_close(jit);
    return failures;
}
