/* Steps of a train block: what a step does not name keeps its bits and is not
 * computed; steps joined by share_steps() do what they do apart. */
#include "check/support.h"
#include "loop/loop.h"
#include "target/jit.h"

enum { SAMPLES = 21, FEATURES = 6, MOST_STEPS = 4 };

#define NETWORKS                               \
    "data points: [6] = csv(\"points.csv\")\n" \
    "network g(z: [3]) {\n"                    \
    "    dense(9, relu)\n"                     \
    "    batch_normalization()\n"              \
    "    dense(6)\n"                           \
    "}\n"                                      \
    "network d(x: [6]) {\n"                    \
    "    dense(8, leaky_relu)\n"               \
    "    dropout(0.3)\n"                       \
    "    batch_normalization()\n"              \
    "    judge: dense(1)\n"                    \
    "}\n"                                      \
    "network other(x: [6]) {\n"                \
    "    dense(6, tanh)\n"                     \
    "}\n"

/* What the steps of a program may touch: names of vars or of what holds them. */
typedef struct Example {
    const char *text;
    const char *named[MOST_STEPS][4];
    bool joined;
} Example;

static const Example examples[] = {
    /* Alternation; each step has its own codings. */
    {NETWORKS "train on points(x) {\n"
              "    step d {\n"
              "        minimize mean(softplus(d(g(normal(3))))) + mean(softplus(-d(x)))\n"
              "        update d using rmsprop()\n"
              "    }\n"
              "    step g {\n"
              "        minimize mean(softplus(-d(g(normal(3)))))\n"
              "        update g using nadam()\n"
              "    }\n"
              "    step o {\n"
              "        minimize mse(other(x), x) using sgd(momentum: 0.9)\n"
              "    }\n"
              "}\n",
     {{"d", "optimizer_1"}, {"g", "optimizer_2"}, {"other", "optimizer_3"}},
     false},
    /* Codings and samples that both steps use; g.d share the generator. */
    {NETWORKS "train on points(x) {\n"
              "    fake = g(normal(3))\n"
              "    step d {\n"
              "        minimize mean(softplus(d(fake))) + mean(softplus(-d(x)))\n"
              "        update d using rmsprop()\n"
              "    }\n"
              "    step g {\n"
              "        minimize mean(softplus(-d(fake)))\n"
              "        update g using adam()\n"
              "    }\n"
              "}\n",
     {{"d", "optimizer_1"}, {"g", "optimizer_2"}},
     true},
    /* One parameter, one part, two parts; a gradient penalty; a network that
     * two steps update; work that the first and the last step share. */
    {NETWORKS
     "train on points(x) {\n"
     "    fake = g(normal(3))\n"
     "    kept = stop_gradient(other(x))\n"
     "    step judge {\n"
     "        minimize mean(softplus(d(fake, update: false))) + mean(softplus(-d(x + kept)))\n"
     "        update d.judge.bias using sgd(learning_rate: 0.1)\n"
     "    }\n"
     "    step critic {\n"
     "        t = uniform(0, 1, each: sample)\n"
     "        between = t * x + (1 - t) * normal(6)\n"
     "        slope = grad(d(between, training: false), between)\n"
     "        minimize mean(d(x)) + 10 * mean((norm(slope, each: sample) - 1)^2)\n"
     "        update d.dense_1, d.judge using adam()\n"
     "    }\n"
     "    step both {\n"
     "        minimize mean(softplus(-d(fake))) + mse(other(x), fake)\n"
     "        update g.dense_2 using sgd()\n"
     "        update other, d.judge.kernel using adagrad()\n"
     "    }\n"
     "}\n",
     {{"d.judge.bias", "optimizer_1"},
      {"d.dense_1", "d.judge", "optimizer_2"},
      {"g.dense_2", "other", "d.judge.kernel", "optimizer_"}},
     true},
    /* Recurrence shared by two steps. */
    {"data points: [6] = csv(\"points.csv\")\n"
     "network g(z: [6]) {\n"
     "    reshape(3, 2)\n"
     "    gru(4, return_sequences: true)\n"
     "    dense(2)\n"
     "}\n"
     "network d(x: [3, 2]) {\n"
     "    lstm(5)\n"
     "    dense(1)\n"
     "}\n"
     "train on points(x) {\n"
     "    fake = g(x)\n"
     "    step d {\n"
     "        minimize mean(softplus(d(fake))) + mean(softplus(-d(reshape(x, 3, 2))))\n"
     "        update d using adam()\n"
     "    }\n"
     "    step g {\n"
     "        minimize mean(softplus(-d(fake)))\n"
     "        update g using adam()\n"
     "    }\n"
     "}\n",
     {{"d", "optimizer_1"}, {"g", "optimizer_2"}},
     true},
};
enum { N_EXAMPLES = sizeof examples / sizeof *examples };

static Model *simplified(const Example *e)
{
    Model *m = model_of(e->text);
    grad(m);
    hoist(m);
    simplify(m);
    return m;
}

static bool holds(const char *target, const char *name)
{
    size_t n = strlen(target);
    bool prefix = strncmp(name, target, n) == 0;
    return prefix && (name[n] == '.' || name[n] == 0 || target[n - 1] == '_');
}

static bool is_named(const Example *e, int step, const char *name)
{
    for (int i = 0; i < 4 && e->named[step][i]; i++)
        if (holds(e->named[step][i], name))
            return true;
    return false;
}

/* ---- Bit for bit ------------------------------------------------------------------- */

static unsigned next_bits(unsigned *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

static void fill(char *at, int64_t bytes, unsigned seed)
{
    for (int64_t i = 0; i < bytes / 4; i++)
        ((float *)at)[i] = 0.1f + 0.8f * (float)(next_bits(&seed) >> 8) / 16777216.0f;
}

static void load_block(void *context, aecc_call *call, int64_t block)
{
    const Program *p = context;
    for (int i = 0; i < p->fn->ninputs; i++) {
        const Buffer *b = p->input_buffers[i];
        bool scratch = b->space == IN_SCRATCH;
        char *at = scratch ? call->scratch + block * call->scratch_stride
                           : call->blocks + block * call->block_stride;
        fill(at + b->offset, b->size, (unsigned)(7 * block + i));
    }
}

/* The bytes of a var in its storage, the padding of rows included. */
static size_t bytes_of(const Var *v)
{
    int64_t stride[MAX_RANK];
    return (size_t)storage_of(v->shape, stride) * 4;
}

static void touches_named(Jit *jit, const Model *m, int f, const Example *e, const bool *steps,
                          int threads)
{
    const Fn *fn = m->fns[f];
    aecc_call call = jit_new_call(m, fn->program, SAMPLES, threads);
    char *before = malloc((size_t)m->fixed_bytes);
    int changed = 0;
    fill(call.fixed, m->fixed_bytes, 3);
    memcpy(before, call.fixed, (size_t)m->fixed_bytes);
    call.key[0] = 42;
    call.step = 5;
    jit_call(jit, f, &call, threads, load_block, fn->program);
    for (int v = 0; v < m->nvars; v++) {
        const Var *var = m->vars[v];
        bool named = false;
        for (int s = 0; s < MOST_STEPS; s++)
            named = named || (steps[s] && is_named(e, s, var->name));
        bool same = memcmp(before + var->offset, call.fixed + var->offset, bytes_of(var)) == 0;
        if (!named && !same)
            fail_msg("%s changes %s", fn->name, var->name);
        if (named && var->kind == VAR_PARAM && same)
            fail_msg("%s does not change %s", fn->name, var->name);
        changed += !same;
    }
    assert_true(changed > 0);
    free(before);
    jit_free_call(&call);
}

static void compiled_steps(const Example *e, bool share)
{
    Model *m = simplified(e);
    static Machine host;
    TargetOptions options = {.level = 1};
    host = machine_for(&options);
    if (share)
        share_steps(m);
    ranges(m);
    fuse(m);
    plan(m);
    lower(m, &host);
    Jit *jit = jit_open(m, &options);
    const Train *t = &m->trains[0];
    for (int i = 0; i < t->nsteps; i++) {
        bool steps[MOST_STEPS] = {false};
        const Fn *fn = t->steps[i].joined ? t->steps[i].joined : t->steps[i].fn;
        int f = 0;
        while (m->fns[f] != fn)
            f++;
        for (int k = 0; k < t->nsteps; k++)
            steps[k] = k == i || (t->steps[i].joined && t->steps[k].joined == fn);
        for (int threads = 1; threads <= 3; threads += 2)
            touches_named(jit, m, f, e, steps, threads);
    }
    jit_close(jit);
    forget_all();
}

static void test_untouched(void **state)
{
    (void)state;
    for (int i = 0; i < N_EXAMPLES; i++) {
        compiled_steps(&examples[i], false);
        compiled_steps(&examples[i], true);
    }
}

/* ---- Joined and apart ------------------------------------------------------------- */

static Interp beginning(Model *m)
{
    Interp run = machine_of(m, SAMPLES);
    unsigned state = 9;
    run.random.purpose = AECC_RANDOM_TRAIN;
    run.random.step = 4;
    run.inputs[0] = NEW_ARRAY(double, SAMPLES *FEATURES);
    for (int i = 0; i < SAMPLES * FEATURES; i++)
        run.inputs[0][i] = next_bits(&state) / 4294967296.0;
    return run;
}

/* One pass: the objectives, and what the vars are afterwards. */
static Interp pass_of(Model *m, double *objective)
{
    Interp run = beginning(m);
    const Train *t = &m->trains[0];
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < t->nsteps; i++) {
            const TrainStep *s = &t->steps[i];
            const Fn *fn = s->joined ? s->joined : s->fn;
            if (s->output == 0)
                interpret(fn, &run);
            objective[i] = run.outputs[s->output][0];
            if (s->output == 0)
                update_all(fn, &run);
        }
        run.random.step++;
    }
    return run;
}

static int64_t elements(const Var *v)
{
    return shape_size(v->shape);
}

static void joined_as_apart(const Example *e)
{
    double apart[MOST_STEPS] = {0}, joined[MOST_STEPS] = {0};
    Model *m = simplified(e);
    Interp a = pass_of(m, apart);
    int functions = m->nfns;
    m->trains[0].watched = false; /* else all are kept apart as well */
    share_steps(m);
    assert_int_equal(m->trains[0].steps[0].joined != NULL, e->joined);
    assert_int_equal(m->nfns < functions, e->joined);
    for (int f = 0; f < m->nfns; f++)
        verify_fn(m->fns[f]);
    Interp b = pass_of(m, joined);
    assert_memory_equal(apart, joined, sizeof apart);
    for (int v = 0; v < m->nvars; v++)
        if (memcmp(a.vars[v], b.vars[v], sizeof(double) * (size_t)elements(m->vars[v])))
            fail_msg("%s differs after the joined steps", m->vars[v]->name);
    forget_all();
}

static void test_joined(void **state)
{
    (void)state;
    for (int i = 0; i < N_EXAMPLES; i++)
        joined_as_apart(&examples[i]);
}

/* ---- What is computed ------------------------------------------------------------- */

static int products(const Fn *fn)
{
    Node **roots = NEW_ARRAY(Node *, fn->noutputs + fn->nupdates);
    int n = 0, found = 0;
    for (int i = 0; i < fn->noutputs; i++)
        roots[n++] = fn->outputs[i];
    for (int i = 0; i < fn->nupdates; i++)
        roots[n++] = fn->values[i];
    NodeList list = graph_reach(n, roots);
    for (int i = 0; i < list.n; i++)
        found += list.at[i]->op == OP_contract;
    return found;
}

/* Two dense layers each: g forward 2, d forward 2 for each call. */
static const char pair[] = "data points: [6] = csv(\"points.csv\")\n"
                           "network g(z: [3]) {\n"
                           "    dense(9, tanh)\n"
                           "    dense(6)\n"
                           "}\n"
                           "network d(x: [6]) {\n"
                           "    dense(8, tanh)\n"
                           "    dense(1)\n"
                           "}\n"
                           "train on points(x) {\n"
                           "    unused = d(g(normal(3)))\n"
                           "    fake = g(normal(3))\n"
                           "    step d {\n"
                           "        minimize mean(d(fake)) + 2 * mean(d(x))\n"
                           "        update d using sgd()\n"
                           "    }\n"
                           "    step g {\n"
                           "        minimize mean(d(fake))\n"
                           "        update g using sgd()\n"
                           "    }\n"
                           "    step last {\n"
                           "        minimize mean(d(fake))\n"
                           "        update g.dense_2.bias using sgd()\n"
                           "    }\n"
                           "    step frozen {\n"
                           "        minimize mean(softplus(d(x)))\n"
                           "        update d.dense_2.bias using sgd()\n"
                           "    }\n"
                           "}\n";

static void test_not_computed(void **state)
{
    (void)state;
    Model *m = model_of(pair);
    grad(m);
    hoist(m);
    simplify(m);
    const TrainStep *s = m->trains[0].steps;
    /* Forward 2 of g, 2 + 2 of d; backward, for d alone: two kernels and the
     * way back to the first layer for each of the two calls. */
    assert_int_equal(products(s[0].fn), 2 + 4 + 2 * 3);
    /* Forward 2 + 2; back through d and the second layer of g: 3; two kernels of g, none of d. */
    assert_int_equal(products(s[1].fn), 4 + 3 + 2);
    /* Back through d, then only a sum: what stands before the bias has no gradient. */
    assert_int_equal(products(s[2].fn), 4 + 2);
    /* Forward only. */
    assert_int_equal(products(s[3].fn), 2);
    int apart = 0, joined = 0;
    for (int i = 0; i < 4; i++)
        apart += products(s[i].fn);
    m->trains[0].watched = false;
    share_steps(m);
    assert_ptr_equal(s[0].joined, s[1].joined);
    assert_ptr_equal(s[0].joined, s[2].joined);
    assert_null(s[3].joined);
    for (int i = 0; i < m->nfns; i++)
        joined += m->fns[i]->kind == FN_STEP ? products(m->fns[i]) : 0;
    /* g's forward pass is one for the first two steps, but not for the third, which
     * stands behind its update; these two share the way back through d's last layer. */
    assert_int_equal(apart - joined, 2 + 1);
    forget_all();
}

/* Dropout draws for each call, in both phases, but not in inference mode. */
static void test_draws(void **state)
{
    (void)state;
    Model *m = simplified(&examples[0]);
    const TrainStep *s = m->trains[0].steps;
    assert_int_equal(count_ops(s[0].fn, OP_random), 1 + 2);
    assert_int_equal(count_ops(s[1].fn, OP_random), 1 + 1);
    assert_int_equal(count_ops(m->trains[0].objective, OP_random), 2);
    forget_all();
}

/* ---- Statistics of batches ---------------------------------------------------------- */

#define NORMALIZED(calls)                             \
    "data points: [6] = csv(\"points.csv\")\n"        \
    "network n(x: [6]) {\n"                           \
    "    batch_normalization(momentum: 0.5)\n"        \
    "}\n"                                             \
    "network m(x: [6]) {\n"                           \
    "    batch_normalization(momentum: 0.5)\n"        \
    "    dense(6)\n"                                  \
    "}\n"                                             \
    "train on points(x) {\n"                          \
    "    step one {\n"                                \
    "        minimize mean(" calls ") + mean(m(x))\n" \
    "        update n, m.dense_1 using sgd()\n"       \
    "    }\n"                                         \
    "}\n"

typedef struct Statistics {
    double mean, moving, objective, of_part;
} Statistics;

/* Of element 0, after one step. */
static Statistics statistics_of(const char *text)
{
    Model *m = model_of(text);
    grad(m);
    Interp run = beginning(m);
    Statistics s = {0};
    for (int i = 0; i < SAMPLES; i++)
        s.mean += run.inputs[0][i * FEATURES] / SAMPLES;
    interpret(m->trains[0].steps[0].fn, &run);
    s.objective = run.outputs[0][0];
    update_all(m->trains[0].steps[0].fn, &run);
    s.moving = value_of(&run, "n.batch_normalization_1.moving_mean")[0];
    s.of_part = value_of(&run, "m.batch_normalization_1.moving_mean")[0];
    forget_all();
    return s;
}

static void test_statistics(void **state)
{
    (void)state;
    /* Each call by its own batch, and moving averages once for each, in order. */
    Statistics s = statistics_of(NORMALIZED("n(x) + 2 * n(3 * x + 1)"));
    double first = 0.5 * s.mean, second = 0.5 * first + 0.5 * (3 * s.mean + 1);
    assert_true(fabs(s.moving - second) < 1e-12);
    assert_true(s.of_part == 0); /* m.dense_1 is another part of m */
    /* The same statistics of the batch, but the average stays at the first. */
    Statistics kept = statistics_of(NORMALIZED("n(x) + 2 * n(3 * x + 1, update: false)"));
    assert_true(fabs(kept.moving - first) < 1e-12);
    assert_true(fabs(kept.objective - s.objective) < 1e-12);
    /* By the moving average, 0 before the step, which stays as well. */
    Statistics other = statistics_of(NORMALIZED("n(x) + 2 * n(3 * x + 1, training: false)"));
    assert_true(fabs(other.moving - first) < 1e-12);
    assert_true(fabs(other.objective - s.objective) > 1);
    Statistics none = statistics_of(NORMALIZED("n(x, training: false)"));
    assert_true(none.moving == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untouched),    cmocka_unit_test(test_joined),
        cmocka_unit_test(test_not_computed), cmocka_unit_test(test_draws),
        cmocka_unit_test(test_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
