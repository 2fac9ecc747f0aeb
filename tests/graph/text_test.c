/* The text form: what is printed reads back as the same graph; what is wrong
 * is reported at its line; mutated text never crashes the reader. */
#include <stdlib.h>

#include "graph/random_graph.h"

static const char *fn_text(const Fn *fn)
{
    Text t = {0};
    print_fn(&t, fn);
    text_put(&t, "", 1);
    return t.at;
}

static Fn *read_text(const char *text)
{
    Var **vars;
    int nvars;
    diag_reset();
    Fn *fn = read_fn(diag_source("test.graph", text, strlen(text)), &vars, &nvars);
    assert_int_equal(fn == NULL, error_count() > 0);
    return fn;
}

static Var *new_var(const char *name, VarKind kind, Shape shape, Var *owner)
{
    Var *var = NEW(Var);
    *var = (Var){.kind = kind, .name = intern(name), .type = T_F32, .shape = shape, .owner = owner};
    graph_var(var);
    var->init = kind == VAR_PARAM ? graph_orthogonal(shape, 7) : graph_const(shape, 0.1);
    return var;
}

/* A function with everything: inputs, variables, updates, several outputs. */
static Fn *random_fn(Bench *b)
{
    Pool p = random_graph(b, 16, true);
    Var *w = new_var("net.dense_1.kernel", VAR_PARAM, shape2(false, 2, 3), NULL);
    Var *m = new_var("net.dense_1.kernel.m", VAR_SLOT, w->shape, w);
    Node *y = graph_op2(OP_add, p.at[p.n - 1], fitted(w->node, p.at[p.n - 1]->shape));
    Node *noise = graph_random(RANDOM_NORMAL, shape2(true, 2, 3), 4000000000u);
    Node *mix = graph_op2(OP_mul, graph_expand(w->node, noise->shape), noise);
    Node *by[] = {w->node, b->in[0]}, *g[2];
    Node *loss = graph_op2(OP_add, weighted_sum(b, y), weighted_sum(b, mix));
    gradient(loss, 2, by, g);
    Fn *fn = NEW(Fn);
    *fn =
        (Fn){.kind = FN_STEP, .name = "train.step", .ninputs = b->n, .noutputs = 2, .nupdates = 2};
    fn->inputs = b->in;
    fn->input_names = NEW_ARRAY(const char *, b->n);
    for (int i = 0; i < b->n; i++)
        fn->input_names[i] = format("x%d", i);
    fn->outputs = NEW_ARRAY(Node *, 2);
    fn->outputs[0] = loss;
    fn->outputs[1] = g[1];
    fn->output_names = NEW_ARRAY(const char *, 2);
    fn->output_names[0] = "loss";
    fn->output_names[1] = "slope";
    fn->targets = NEW_ARRAY(Var *, 2);
    fn->values = NEW_ARRAY(Node *, 2);
    fn->targets[0] = w;
    fn->targets[1] = m;
    fn->values[0] = graph_op2(OP_add, w->node, graph_op1(OP_neg, g[0]));
    fn->values[1] = graph_op2(OP_add, m->node, g[0]);
    return fn;
}

static void round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        Bench b = bench_new(2, seed);
        Fn *fn = random_fn(&b);
        verify_fn(fn);
        const char *text = fn_text(fn);
        graph_reset();
        Fn *again = read_text(text);
        if (!again)
            diag_flush();
        assert_non_null(again);
        verify_fn(again);
        assert_string_equal(fn_text(again), text);
        graph_reset();
        arena_free();
    }
}

static void constants(void **state)
{
    (void)state;
    const double values[] = {0,        -0.0,      0.1, 1e-300, -1.7976931348623157e308,
                             INFINITY, -INFINITY, NAN, 1.0 / 3};
    int n = sizeof values / sizeof *values;
    Node *data = graph_data(shape1(false, n), values);
    Fn fn = {.kind = FN_INIT, .name = "constants", .noutputs = 1, .outputs = &data};
    const char *text = fn_text(&fn);
    graph_reset();
    Fn *again = read_text(text);
    assert_non_null(again);
    assert_memory_equal(again->outputs[0]->attr.constant.data, values,
                        sizeof *values * (size_t)(n - 2));
    assert_true(isnan(again->outputs[0]->attr.constant.data[n - 2]));
    graph_reset();
    arena_free();
}

static void errors(void **state)
{
    (void)state;
    const char *const wrong[] = {
        "",
        "fn",
        "fn walk \"a\" {}",
        "fn step \"a\" {",
        "fn step \"a {}",
        "fn step \"a\" { %1 = live f32 [] }",
        "fn step \"a\" { %0 = fly f32 [] }",
        "fn step \"a\" { %0 = live f32 [2] }",
        "fn step \"a\" { %0 = live i32 [] }",
        "fn step \"a\" { %0 = add f32 [] %0 %0 }",
        "fn step \"a\" { %0 = live f32 [] %1 = add f32 [] %0 }",
        "fn step \"a\" { %0 = live f32 [] %1 = reshape f32 [1, 1, 1, 1, 1, 1, 1, 1, 1] %0 }",
        "fn step \"a\" { %0 = const f32 [99999999999] value(1) }",
        "fn step \"a\" { %0 = const f32 [2000000000, 2000000000] value(1) }",
        "fn step \"a\" { %0 = const f32 [-1] value(1) }",
        "fn step \"a\" { %0 = const f32 [2] data(1) }",
        "fn step \"a\" { %0 = const f32 [] value(x) }",
        "fn step \"a\" { %0 = iota f32 [2] axis(1) }",
        "fn step \"a\" { %0 = var f32 [] \"w\" }",
        "fn step \"a\" { var \"w\" param f32 [] var \"w\" param f32 [] }",
        "fn step \"a\" { %0 = input f32 [] index(1) \"x\" }",
        "fn step \"a\" { %0 = iota f32 [2] axis(0) %1 = transpose f32 [2] %0 permutation(1) }",
        "fn step \"a\" { %0 = iota f32 [2] axis(0) %1 = reduce_sum f32 [] %0 axes(9) }",
        "fn step \"a\" { %0 = iota f32 [2] axis(0) %1 = contract f32 [] %0 extent(2) out() "
        "a(v1) }",
        "fn step \"a\" { %0 = iota f32 [2] axis(0) %1 = contract f32 [] %0 extent(2) out() "
        "a(v0 + v0) }",
        "fn step \"a\" { output \"y\" %0 }",
        "fn step \"a\" { update \"w\" %0 }",
        "fn step \"a\" { } x",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (read_text(wrong[i]))
            fail_msg("read without an error: %s", wrong[i]);
        graph_reset();
    }
    diag_reset();
    arena_free();
}

/* Bytes changed, dropped and doubled: an error or another graph, no crash. */
static void mutations(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        static char text[1 << 16];
        Bench b = bench_new(2, 1 + seed % 20);
        size_t n = strlen(fn_text(random_fn(&b))) + 1;
        if (n > sizeof text)
            continue;
        memcpy(text, fn_text(random_fn(&b)), n);
        b.seed = seed;
        for (int k = 0; k < 1 + (int)(seed % 4); k++) {
            size_t i = (size_t)below(&b, (int)n - 1);
            char c = text[below(&b, (int)n - 1)];
            text[i] = below(&b, 2) ? c : (char)(32 + below(&b, 95));
        }
        graph_reset();
        Fn *fn = read_text(text);
        if (fn)
            verify_fn(fn);
        graph_reset();
        diag_reset();
        arena_free();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(constants),
        cmocka_unit_test(errors),
        cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
