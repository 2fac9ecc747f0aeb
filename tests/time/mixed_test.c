/* A batch of mixed lengths: what a sample gives depends on its own steps
 * alone, neither on those of the others nor on what stands behind its last;
 * training likewise, and with any number of threads. */
#include "check/support.h"
#include "loop/loop.h"
#include "target/jit.h"

enum { STEPS = 11, WIDTH = 3, SAMPLES = 19 };

static const char program[] =
    "data d: [time <= 11, 3] = npy(\"x.npy\", lengths: \"n.npy\")\n"
    "network encoder(x: [time <= 11, 3]) {\n"
    "    h = bidirectional(x, lstm(units: 5, return_sequences: true))\n"
    "    y = layer_normalization(h)\n"
    "    c = conv1d(y, 4, 3, padding: same)\n"
    "    z = gru(c, 4, backwards: true) + lstm(c, 4)\n"
    "    return z + mean(c, axis: 0) + max(c, axis: 0) * length(x)\n"
    "}\n"
    "network decoder(z: [4], steps) {\n"
    "    repeat_vector(steps)\n"
    "    simple_rnn(5, return_sequences: true)\n"
    "    dense(3)\n"
    "}\n"
    "network all(x: [time <= 11, 3]) {\n"
    "    y = decoder(encoder(x), steps: length(x))\n"
    "    return y, encoder(x), x / norm(x, axis: 1, keep: true)\n"
    "}\n"
    "train on d(x) {\n"
    "    y, z, u = all(x)\n"
    "    minimize mse(y, x) + mean(y * u) + variance(z) / 8 + mean(norm(y, axis: 0)) using sgd()\n"
    "}\n";

/* The same with checkpoints. */
static char *with_checkpoints(void)
{
    static const char *const marks[][2] = {{"true))", "true, checkpoint: 3))"},
                                           {"gru(c, 4,", "gru(c, 4, checkpoint: 4,"},
                                           {"lstm(c, 4)", "lstm(c, 4, checkpoint: 1)"},
                                           {"simple_rnn(5,", "simple_rnn(5, checkpoint: 5,"}};
    char *text = format("%s", program);
    for (int i = 0; i < 4; i++) {
        char *at = strstr(text, marks[i][0]);
        assert_non_null(at);
        text = format("%.*s%s%s", (int)(at - text), text, marks[i][1], at + strlen(marks[i][0]));
    }
    return text;
}

static const double lengths[SAMPLES] = {3, 11, 1, 7, 3, 3, 11, 2, 9, 7, 1, 1, 5, 10, 4, 3, 8, 2, 6};

static Model *compiled_from(const char *text)
{
    static Machine host;
    Model *m = model_of(text);
    grad(m);
    hoist(m);
    simplify(m);
    unbatch(m);
    pairs(m);
    ranges(m);
    fuse(m);
    plan(m);
    host = machine_for(&(TargetOptions){0});
    lower(m, &host);
    return m;
}

static Model *compiled(void)
{
    return compiled_from(program);
}

static int place_of(const Model *m, const Fn *fn)
{
    int f = 0;
    while (m->fns[f] != fn)
        f++;
    return f;
}

static double padded(int sample, int step, int k, double behind)
{
    return step < lengths[sample] ? sin(1.3 * sample + 0.7 * step + 2 * k) + 0.2 : behind;
}

/* The samples of that length (0: all), with something behind their ends. */
static Interp batch_of(Model *m, double length, double behind)
{
    Interp run = machine_of(m, 0);
    run.inputs[0] = NEW_ARRAY(double, SAMPLES *STEPS *WIDTH);
    run.inputs[1] = NEW_ARRAY(double, SAMPLES);
    for (int s = 0; s < SAMPLES; s++) {
        if (length > 0 && lengths[s] != length)
            continue;
        double *x = run.inputs[0] + run.samples * STEPS * WIDTH;
        for (int i = 0; i < STEPS * WIDTH; i++)
            x[i] = padded(s, i / WIDTH, i % WIDTH, behind);
        run.inputs[1][run.samples++] = lengths[s];
    }
    return run;
}

static void same_sample(const Fn *fn, const Interp *a, int64_t i, const Interp *b, int64_t j)
{
    int64_t steps = (int64_t)a->inputs[1][i];
    assert_int_equal(fn->noutputs, 4);
    for (int k = 0; k < fn->noutputs; k++) {
        Shape shape = fn->outputs[k]->shape;
        int64_t size = shape_size(shape), row = shape.rank == 2 ? size / STEPS : size;
        int64_t count = fn->length[k] >= 0 ? steps * row : size;
        assert_memory_equal(a->outputs[k] + i * size, b->outputs[k] + j * size,
                            sizeof(double) * (size_t)count);
    }
}

static void mixed_and_equal(void **state)
{
    (void)state;
    Model *m = compiled();
    Jit *jit = jit_open(m, &(TargetOptions){.level = 2});
    const Fn *fn = fn_named(m, "all");
    int f = place_of(m, fn);
    Interp mixed = batch_of(m, 0, 0);
    jit_run(jit, f, &mixed, 1);
    for (int length = 1; length <= STEPS; length++) {
        Interp equal = batch_of(m, length, 7);
        if (equal.samples == 0)
            continue;
        jit_run(jit, f, &equal, 2);
        for (int64_t s = 0, n = 0; s < SAMPLES; s++)
            if (lengths[s] == length)
                same_sample(fn, &mixed, s, &equal, n++);
    }
    jit_close(jit);
    forget_all();
}

static void padding_is_nothing(void **state)
{
    (void)state;
    Model *m = compiled();
    Jit *jit = jit_open(m, &(TargetOptions){.level = 2});
    const Fn *fn = m->trains[0].steps[0].fn;
    int f = place_of(m, fn);
    Interp zeros = batch_of(m, 0, 0), others = batch_of(m, 0, -3);
    jit_run(jit, f, &zeros, 1);
    jit_run(jit, f, &others, 3);
    assert_true(isfinite(zeros.outputs[0][0]));
    assert_memory_equal(zeros.outputs[0], others.outputs[0], sizeof(double));
    for (int i = 0; i < fn->nupdates; i++) {
        size_t n = (size_t)shape_size(fn->targets[i]->shape);
        for (size_t k = 0; k < n; k++)
            assert_true(isfinite(zeros.updates[i][k]));
        assert_memory_equal(zeros.updates[i], others.updates[i], sizeof(double) * n);
    }
    jit_close(jit);
    forget_all();
}

static int loops_with_lengths(Program *p, bool keep)
{
    int n = 0;
    for (int i = 0; i < p->nscans; i++) {
        n += p->scans[i].lengths != NULL;
        p->scans[i].lengths = keep ? p->scans[i].lengths : NULL;
    }
    return n;
}

/* Loops that end one step after the longest sequence leave what those through
 * all steps leave, with blocks of one thread and with blocks that some share. */
static void expect_ends_change_nothing(const char *text)
{
    const int threads[] = {1, 3, 2};
    Model *m[] = {compiled_from(text), compiled_from(text)};
    const Fn *fn[] = {m[0]->trains[0].steps[0].fn, m[1]->trains[0].steps[0].fn};
    assert_true(loops_with_lengths(fn[0]->program, true) >= 8);
    assert_true(loops_with_lengths(fn[1]->program, false) >= 8);
    Jit *jit[] = {jit_open(m[0], &(TargetOptions){.level = 2}),
                  jit_open(m[1], &(TargetOptions){.level = 2})};
    for (int length = 1; length <= STEPS; length++) {
        Interp run[2];
        for (int k = 0; k < 2; k++) {
            run[k] = batch_of(m[k], 0, 5);
            for (int s = 0; s < SAMPLES; s++)
                run[k].inputs[1][s] = lengths[s] < length ? lengths[s] : length;
            jit_run(jit[k], place_of(m[k], fn[k]), &run[k], threads[length % 3]);
        }
        for (int i = 0; i < fn[0]->nupdates; i++)
            assert_memory_equal(run[0].updates[i], run[1].updates[i],
                                sizeof(double) * (size_t)shape_size(fn[0]->targets[i]->shape));
        assert_memory_equal(run[0].outputs[0], run[1].outputs[0], sizeof(double));
    }
    jit_close(jit[0]);
    jit_close(jit[1]);
    forget_all();
}

static void ends_change_nothing(void **state)
{
    (void)state;
    expect_ends_change_nothing(program);
}

static void ends_change_no_stretch(void **state)
{
    (void)state;
    expect_ends_change_nothing(with_checkpoints());
}

/* Means over a batch of mixed lengths are over the steps there are. */
static void means_count_steps(void **state)
{
    (void)state;
    Model *m = model_of("data d: [time <= 4, 2] = npy(\"x.npy\")\n"
                        "network f(x: [time <= 4, 2]) {\n"
                        "    param w: [2] = 1\n"
                        "    return w * mean(x, axis: 0)\n"
                        "}\n"
                        "train on d(x) {\n"
                        "    minimize mean(x) + 0 * mean(f(x)) using sgd()\n"
                        "}\n");
    double x[3][8] = {{1, 2, 9, 9, 9, 9, 9, 9}, {3, 4, 5, 6, 9, 9, 9, 9}, {1, 1, 2, 2, 3, 3, 4, 4}};
    Interp run = machine_of(m, 3);
    run.inputs[0] = x[0];
    run.inputs[1] = (double[]){1, 2, 4};
    interpret(m->trains[0].objective, &run);
    assert_float_equal(run.outputs[0][0], (3 + 18 + 20) / 14.0, 1e-12);
    interpret(fn_named(m, "f"), &run);
    const double expected[] = {1, 2, 4, 5, 2.5, 2.5};
    for (int i = 0; i < 6; i++)
        assert_float_equal(run.outputs[0][i], expected[i], 1e-12);
    forget_all();
}

/* A scan from the end begins at a sample's own last step. */
static void scans_skip_padding(void **state)
{
    (void)state;
    Model *m = model_of("layer walk(x: [batch, time]) {\n"
                        "    scan s in x along time carrying a = 1 { a = 2 * a + s; emit a }\n"
                        "    there = emitted\n"
                        "    scan t in x along time backwards if 1 < 2 carrying b = 1 {\n"
                        "        b = 2 * b + t; emit b\n"
                        "    }\n"
                        "    return a, b, there\n"
                        "}\n"
                        "network f(x: [time <= 3]) { walk() }\n");
    Interp run = machine_of(m, 2);
    run.inputs[0] = (double[]){1, 5, 50, 2, 3, 4};
    run.inputs[1] = (double[]){2, 3};
    interpret(fn_named(m, "f"), &run);
    assert_float_equal(run.outputs[0][0], 11, 0);
    assert_float_equal(run.outputs[0][1], 2 * (2 * (2 + 2) + 3) + 4, 0);
    assert_float_equal(run.outputs[1][0], 2 * (2 + 5) + 1, 0);
    assert_float_equal(run.outputs[1][1], 2 * (2 * (2 + 4) + 3) + 2, 0);
    const double all[] = {3, 11, 0, 4, 11, 26};
    for (int i = 0; i < 6; i++)
        assert_float_equal(run.outputs[2][i], all[i], 0);
    forget_all();
}

static void draws_differ_by_step(void **state)
{
    (void)state;
    Model *m = model_of("layer drawn(x: [batch, time]) {\n"
                        "    scan s in x { emit s + uniform() }\n"
                        "    return emitted\n"
                        "}\n"
                        "network f(x: [5]) { drawn() }\n");
    Interp run = machine_of(m, 1);
    run.inputs[0] = (double[]){0, 0, 0, 0, 0};
    interpret(fn_named(m, "f"), &run);
    for (int i = 1; i < 5; i++)
        assert_true(run.outputs[0][i] != run.outputs[0][i - 1]);
    forget_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_and_equal),     cmocka_unit_test(padding_is_nothing),
        cmocka_unit_test(ends_change_nothing),
        cmocka_unit_test(ends_change_no_stretch), cmocka_unit_test(means_count_steps),
        cmocka_unit_test(scans_skip_padding),  cmocka_unit_test(draws_differ_by_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
