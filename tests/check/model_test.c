/* What check() makes of a program: functions, updates, names, states, random
 * numbers, data, reconstruction, layers. */
#include "check/support.h"

#define IMAGES "data images: [4] = idx(\"images\") / 255\n"
#define GAN                                                                             \
    "network generator(coding: [2]) {\n    dense(3, relu)\n    batch_normalization()\n" \
    "    dense(4)\n}\n"                                                                 \
    "network critic(image: [4]) {\n    dense(5)\n    batch_normalization()\n    dense(1)\n}\n"

/* A step updates what it names: parameters, their states, its optimizer. */
static void steps_update_what_they_name(void **state)
{
    (void)state;
    Model *m = model_of(IMAGES GAN
                        "train on images(image) {\n"
                        "    step critic {\n        fake = generator(normal(2), training: false)\n"
                        "        minimize mean(critic(fake)) - mean(critic(image))\n"
                        "        update critic using rmsprop()\n    }\n"
                        "    step generator repeat 3 {\n"
                        "        minimize -mean(critic(generator(normal(2))))\n"
                        "        update generator using adam()\n    }\n}\n");
    const Train *t = &m->trains[0];
    const Fn *critic = t->steps[0].fn, *generator = t->steps[1].fn;
    assert_string_equal(critic->name, "train_1.critic");
    assert_int_equal(t->steps[1].repeat, 3);
    assert_true(t->epochs == 1 && t->batch == 32 && !t->drop_last);
    assert_true(updates(critic, "critic.dense_1.kernel"));
    assert_true(updates(critic, "critic.batch_normalization_1.moving_mean"));
    assert_true(updates(critic, "optimizer_1.critic.dense_1.kernel.v"));
    assert_false(updates(critic, "generator.dense_1.kernel"));
    assert_false(updates(critic, "generator.batch_normalization_1.moving_mean"));
    assert_true(updates(generator, "generator.dense_2.bias"));
    assert_true(updates(generator, "generator.batch_normalization_1.moving_variance"));
    assert_true(updates(generator, "optimizer_2.count"));
    assert_true(updates(generator, "optimizer_2.power_2"));
    assert_false(updates(generator, "critic.dense_1.kernel"));
    assert_false(updates(generator, "critic.batch_normalization_1.moving_mean"));
    assert_ptr_equal(var_named(m, "optimizer_1.critic.dense_1.kernel.v")->owner,
                     var_named(m, "critic.dense_1.kernel"));
    assert_null(var_named(m, "optimizer_2.power_2")->owner);
    forget_all();
}

static void parts_of_networks(void **state)
{
    (void)state;
    Model *m = model_of(
        IMAGES GAN
        "train on images(image) {\n    minimize mean(critic(image))^2\n"
        "    update critic.dense_1 using sgd()\n    update critic.dense_2.kernel using sgd()\n}\n"
        "train on images(image) {\n"
        "    minimize mse(generator(stop_gradient(image @ ones([4, 2]))), 0) using sgd()\n}\n");
    const Fn *first = m->trains[0].steps[0].fn;
    assert_true(updates(first, "critic.dense_1.kernel") && updates(first, "critic.dense_1.bias"));
    assert_true(updates(first, "critic.dense_2.kernel"));
    assert_false(updates(first, "critic.dense_2.bias"));
    assert_false(updates(first, "critic.batch_normalization_1.gamma"));
    assert_null(m->trains[0].steps[0].name);
    assert_non_null(fn_named(m, "train_2.step"));
    forget_all();
}

static void initial_values(void **state)
{
    (void)state;
    static const struct {
        const char *init;
        double variance, most;
    } cases[] = {
        {"glorot_uniform", 2.0 / 300, 0.1414214},
        {"glorot_normal", 2.0 / 300, 0.185649},
        {"he_uniform", 2.0 / 200, 0.1732051},
        {"he_normal", 2.0 / 200, 0.2273715},
        {"lecun_uniform", 1.0 / 200, 0.1224745},
        {"lecun_normal", 1.0 / 200, 0.160776},
        {"random_normal", 0.0025, 1},
        {"random_uniform", 0.01 / 12, 0.05},
        {"truncated_normal", 0.0025 * 0.774, 0.1},
        {"constant(value: 0.5)", 0.25, 0.5},
        {"orthogonal(gain: 2)", 4.0 / 200, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Model *m =
            model_of(format("network f(x: [200]) {\n    dense(100, init: %s)\n}\n", cases[i].init));
        Interp run = machine_of(m, 1);
        const double *kernel = value_of(&run, "f.dense_1.kernel");
        double square = 0, most = 0;
        for (int k = 0; k < 20000; k++) {
            square += kernel[k] * kernel[k] / 20000;
            most = fmax(most, fabs(kernel[k]));
        }
        if (fabs(square / cases[i].variance - 1) > 0.03 || most > cases[i].most * 1.000001)
            fail_msg("%s: variance %g, largest %g", cases[i].init, square, most);
        forget_all();
    }
}

static uint32_t path_of(const Fn *fn, int which)
{
    NodeList list = graph_reach(fn->noutputs, fn->outputs);
    for (int i = 0; i < list.n; i++)
        if (list.at[i]->op == OP_random && which-- == 0)
            return list.at[i]->attr.random.path;
    return 0;
}

/* Each place and call that draws has numbers of its own; equal programs agree. */
static void random_paths(void **state)
{
    (void)state;
    const char *text =
        IMAGES "network f(x: [4]) {\n    dropout(0.5)\n    dense(4)\n    gaussian_noise(0.1)\n}\n"
               "train on images(x) {\n    validate on images\n"
               "    minimize mse(f(x) + f(x), normal(4)) using sgd()\n}\n";
    Model *m = model_of(text);
    uint32_t path[5];
    assert_int_equal(count_ops(m->trains[0].steps[0].fn, OP_random), 5);
    for (int i = 0; i < 5; i++)
        path[i] = path_of(m->trains[0].steps[0].fn, i);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++)
            assert_true(path[i] != path[k]);
    /* In validation only what the objective itself draws. */
    assert_int_equal(count_ops(m->trains[0].objective, OP_random), 1);
    forget_all();
    m = model_of(text);
    for (int i = 0; i < 5; i++)
        assert_int_equal(path_of(m->trains[0].steps[0].fn, i), path[i]);
    forget_all();
}

/* One update of a moving mean for each call, in order; reads see the old one. */
static void states_chain(void **state)
{
    (void)state;
    Model *m =
        model_of("data points = csv(\"points\")\n"
                 "layer history(x: [batch, n]) {\n    state last: [n] = zeros\n"
                 "    update last = 10 * last + mean(x, over: batch)\n    return x + last\n}\n"
                 "network f(x: [1]) {\n    history()\n    dense(1)\n}\n"
                 "train on points(x) {\n    minimize mean(f(x) * f(x + 1)) using sgd()\n}\n");
    grad(m);
    Interp run = machine_of(m, 2);
    run.inputs[0] = (double[]){1, 2};
    const Fn *step = m->trains[0].steps[0].fn;
    interpret(step, &run);
    update_all(step, &run);
    assert_true(fabs(value_of(&run, "f.history_1.last")[0] - 17.5) < 1e-12);
    forget_all();
}

static void short_batches_divide_by_their_size(void **state)
{
    (void)state;
    Model *m =
        model_of("data points = csv(\"points\")\nnetwork f(x: [2]) {\n    dense(1)\n}\n"
                 "report on points(x) {\n    map(f(x), mean(x), mean(x, over: batch) + 0 * x,\n"
                 "            mean(x, each: sample), variance(x), norm(x, each: sample),\n"
                 "            batch + 0 * x)\n}\n");
    Interp run = machine_of(m, 3);
    run.inputs[0] = (double[]){1, 2, 3, 4, 5, 9};
    interpret(m->reports[0].fn, &run);
    assert_true(run.outputs[1][0] == 4);
    assert_true(run.outputs[2][0] == 3 && run.outputs[2][1] == 5);
    assert_true(run.outputs[3][0] == 1.5 && run.outputs[3][2] == 7);
    assert_true(fabs(run.outputs[4][0] - 40.0 / 6) < 1e-12);
    assert_true(fabs(run.outputs[5][1] - 5) < 1e-12);
    assert_true(run.outputs[6][0] == 3);
    forget_all();
}

static void data_trees(void **state)
{
    (void)state;
    Model *m = model_of(
        "data images = idx(\"i.gz\") / 255 * 2 - 1\n"
        "data labels: [] = idx(\"l.gz\")\n"
        "data training, validation = split(zip(images, labels), last: 5000)\n"
        "network f(x: [28, 28]) {\n    flatten()\n    dense(10, softmax)\n}\n"
        "train on training(x, label) {\n    validate on validation\n"
        "    minimize sparse_categorical_crossentropy(f(x), label) using sgd()\n"
        "    batch 16, drop last\n}\n"
        "report on validation(x, label) {\n    map(f(x), label, method: tsne, count: 100)\n}\n");
    const Train *t = &m->trains[0];
    assert_true(t->data->kind == DATA_SPLIT && t->data->last && t->data->rest);
    assert_true(t->validation->kind == DATA_SPLIT && !t->validation->rest);
    assert_int_equal(t->data->count, 5000);
    assert_int_equal(m->ndata, 2);
    const Data *images = m->data[0];
    assert_string_equal(images->name, "images");
    assert_true(images->affine && images->divide == 255 && images->multiply == 2 &&
                images->add == -1);
    assert_string_equal(shape_text(images->shape), "[28, 28]");
    assert_true(m->data[1]->shaped && m->data[1]->shape.rank == 0);
    assert_int_equal(t->steps[0].fn->ninputs, 2);
    assert_string_equal(t->steps[0].fn->input_names[1], "label");
    assert_true(t->batch == 16 && t->drop_last);
    const Report *r = &m->reports[0];
    assert_true(r->noptions == 2 && strcmp(r->option_values[0], "tsne") == 0);
    assert_string_equal(r->option_values[1], "100");
    forget_all();
}

static void reconstruction(void **state)
{
    (void)state;
    const char *program = IMAGES
        "network encoder(x: [4]) {\n    dense(2)\n}\nnetwork decoder(c: [2]) {\n    dense(4)\n}\n"
        "train on images(x) {\n    minimize mse(decoder(encoder(x)), x) using sgd()\n}\n";
    Model *m = model_of(program);
    assert_non_null(m->reconstruct);
    assert_int_equal(m->reconstruct->noutputs, 2);
    assert_ptr_equal(m->reconstruct_data, m->trains[0].data);
    forget_all();
    m = model_of(format("%sreport on images(x) {\n    reconstructions(x * 2, x)\n}\n", program));
    assert_ptr_equal(m->reconstruct, m->reports[0].fn);
    forget_all();
}

static void layers_of_networks(void **state)
{
    (void)state;
    Model *m = model_of(
        "layer block(x: [batch, n], units) {\n    dense(units)\n    batch_normalization()\n}\n"
        "network inner(x: [3]) {\n    dense(3)\n}\n"
        "network outer(x: [3]) {\n    param scale: [3] = ones\n    block(5)\n    first: dense(3)\n"
        "    block(3)\n    a = inner(x)\n    reshape(1, 3)\n    flatten()\n"
        "    h = dense(x, 4)\n    return dense(h, 2), a * scale\n}\n");
    static const struct {
        const char *name;
        int64_t params, untrained;
    } want[] = {
        {"outer.block_1", 30, 10}, {"outer.first", 18, 0},    {"outer.block_2", 18, 6},
        {"outer.inner", 12, 0},    {"outer.reshape_1", 0, 0}, {"outer.flatten_1", 0, 0},
        {"outer.dense_1", 16, 0},  {"outer.dense_2", 10, 0},  {"outer.scale", 3, 0},
    };
    const Network *outer = &m->networks[1];
    assert_int_equal(outer->nlayers, 9);
    for (int i = 0; i < 9; i++) {
        assert_string_equal(outer->layers[i].name, want[i].name);
        assert_int_equal(outer->layers[i].params, want[i].params);
        assert_int_equal(outer->layers[i].untrained, want[i].untrained);
    }
    assert_non_null(var_named(m, "outer.block_2.batch_normalization_1.moving_mean"));
    assert_non_null(var_named(m, "inner.dense_1.kernel"));
    assert_string_equal(outer->fn->output_names[0], "out_1");
    assert_int_equal(outer->fn->noutputs, 2);
    forget_all();
}

/* Unused draws, gradients and branches leave no trace in the functions. */
static void logits_are_used(void **state)
{
    (void)state;
    Model *m = model_of(
        IMAGES "network f(x: [4]) {\n    dense(4, sigmoid)\n    reshape(2, 2)\n}\n"
               "network g(x: [4]) {\n    dense(4, softmax)\n}\n"
               "train on images(x) {\n"
               "    minimize bce(f(x), 1) + categorical_crossentropy(g(x), x) using sgd()\n}\n");
    const Fn *step = m->trains[0].steps[0].fn;
    assert_int_equal(count_ops(step, OP_logistic), 0);
    assert_int_equal(count_ops(step, OP_softplus), 1);
    assert_int_equal(count_ops(step, OP_div), 3); /* x / 255 and two means */
    forget_all();
}

/* The gate that forgets starts with 1, the others as bias_init says. */
static void biases_of_lstm(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        double others, forget;
    } cases[] = {
        {"1", 0, 1},
        {"1, bias_init: constant(value: 3)", 3, 1},
        {"1, bias_init: 2", 2, 1},
        {"1, bias_init: 2, unit_forget_bias: false", 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Model *m = model_of(format("network f(x: [2, 1]) {\n    lstm(%s)\n}\n", cases[i].options));
        Interp run = machine_of(m, 1);
        const double *bias = value_of(&run, "f.lstm_1.bias");
        for (int gate = 0; gate < 4; gate++)
            assert_true(bias[gate] == (gate == 1 ? cases[i].forget : cases[i].others));
        forget_all();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_update_what_they_name),
        cmocka_unit_test(parts_of_networks),
        cmocka_unit_test(initial_values),
        cmocka_unit_test(biases_of_lstm),
        cmocka_unit_test(random_paths),
        cmocka_unit_test(states_chain),
        cmocka_unit_test(short_batches_divide_by_their_size),
        cmocka_unit_test(data_trees),
        cmocka_unit_test(reconstruction),
        cmocka_unit_test(layers_of_networks),
        cmocka_unit_test(logits_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
