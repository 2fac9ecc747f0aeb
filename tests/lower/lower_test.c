/* Kernels against the oracle: contractions of every class, windows,
 * reductions, maps and updates in place, forward and gradient, on odd shapes.
 * Each model is built straight from the graph's builders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "aecc.h"
#include "graph/ops.h"
#include "loop/lower.h"

/* ---- A model of one step -------------------------------------------------------- */

typedef struct Build {
    Model model;
    Fn init, step;
    Node *inputs[8];
    const char *input_names[8];
    Node *outputs[16];
    const char *output_names[16];
    Var *targets[16];
    Node *values[16];
    Var *vars[16];
    Var *init_targets[16];
    Node *init_values[16];
    Fn *fns[2];
} Build;

static Build *begin(void)
{
    Build *b = NEW(Build);
    b->init =
        (Fn){.kind = FN_INIT, .name = "init", .targets = b->init_targets, .values = b->init_values};
    b->step = (Fn){.kind = FN_STEP,
                   .name = "step",
                   .inputs = b->inputs,
                   .input_names = b->input_names,
                   .outputs = b->outputs,
                   .output_names = b->output_names,
                   .targets = b->targets,
                   .values = b->values};
    b->fns[0] = &b->init;
    b->fns[1] = &b->step;
    b->model =
        (Model){.name = "test", .source = "test.nn", .vars = b->vars, .fns = b->fns, .nfns = 2};
    return b;
}

static Shape shape(bool batch, int rank, ...)
{
    Shape s = {.batch = batch, .rank = rank};
    va_list args;
    va_start(args, rank);
    for (int i = 0; i < rank; i++)
        s.dim[i] = va_arg(args, int);
    va_end(args);
    return s;
}

static Node *input(Build *b, Shape s)
{
    int i = b->step.ninputs++;
    b->input_names[i] = format("in%d", i);
    return b->inputs[i] = graph_input(T_F32, s, i, (Pos){0});
}

static Node *param(Build *b, Shape s)
{
    Var *v = NEW(Var);
    int i = b->model.nvars++;
    v->kind = VAR_PARAM;
    v->name = format("p%d", i);
    v->shape = s;
    v->type = T_F32;
    Node *random = graph_random(RANDOM_UNIFORM, s, 77u + (uint32_t)i);
    v->init = graph_op2(OP_add, random, graph_const(s, -0.5));
    b->vars[i] = b->init_targets[i] = v;
    b->init_values[i] = v->init;
    b->init.nupdates = b->model.nvars;
    v->node = graph_var(v);
    return v->node;
}

static void output(Build *b, Node *n)
{
    int i = b->step.noutputs++;
    b->output_names[i] = format("out%d", i);
    b->outputs[i] = n;
}

static void update(Build *b, Node *var, Node *value)
{
    int i = b->step.nupdates++;
    b->targets[i] = var->attr.var;
    b->values[i] = value;
}

static void verify(Build *b)
{
    grad(&b->model);
    simplify(&b->model);
    pairs(&b->model);
    ranges(&b->model);
    fuse(&b->model);
    plan(&b->model);
    Machine host = machine_for(&(TargetOptions){0});
    lower(&b->model, &host);
    for (int f = 0; f < 2; f++)
        for (int k = 0; k < b->fns[f]->program->nkernels; k++)
            verify_kernel(b->fns[f]->program->kernels[k]);
    if (getenv("AECC_PRINT")) {
        Text t = {0};
        print_program(&t, b->step.program, true);
        fwrite(t.at, 1, t.n, stdout);
    }
    assert_int_equal(check_interpreter(&b->model), 0);
}

/* n, and the gradient of sum(n * n) for each of its parameters, stepped. */
static void check_with_gradients(Build *b, Node *n)
{
    Node *square = graph_op2(OP_mul, n, n);
    output(b, n);
    for (int i = 0; i < b->step.ninputs; i++)
        output(b, graph_gradient(square, b->inputs[i]));
    for (int i = 0; i < b->model.nvars; i++) {
        Node *p = b->vars[i]->node, *g = graph_gradient(square, p);
        Node *step = graph_op2(OP_mul, g, graph_const(p->shape, -0.01));
        update(b, p, graph_op2(OP_add, p, step));
    }
    verify(b);
}

/* ---- Contractions ------------------------------------------------------------------ */

static Affine at(int64_t c, int n, int v0, int64_t c0, int v1, int64_t c1)
{
    return (Affine){.constant = c, .terms = n, .var = {v0, v1}, .coefficient = {c0, c1}};
}

static Node *dense(Node *x, Node *w)
{
    int n = (int)x->shape.dim[x->shape.rank - 1], units = (int)w->shape.dim[1];
    Contraction c = {.nvars = x->shape.rank + 1};
    Shape out = x->shape;
    out.dim[out.rank - 1] = units;
    for (int i = 0; i < x->shape.rank - 1; i++) {
        c.extent[i] = x->shape.dim[i];
        c.map[0][i] = c.map[1][i] = at(0, 1, i, 1, 0, 0);
    }
    int k = x->shape.rank - 1, j = k + 1;
    c.extent[k] = n;
    c.extent[j] = units;
    c.map[0][k] = at(0, 1, j, 1, 0, 0);
    c.map[1][k] = c.map[2][0] = at(0, 1, k, 1, 0, 0);
    c.map[2][1] = at(0, 1, j, 1, 0, 0);
    return graph_contract(out, x, w, &c);
}

/* Vars oh ow co r ci s; transposed: the image is scattered to. */
static Node *conv(Node *x, Node *w, int out_h, int out_w, int stride, int dilation, int low,
                  bool transposed)
{
    int in = transposed ? 3 : 2;
    Contraction c = {.nvars = 6};
    int64_t k = w->shape.dim[transposed ? 2 : 3];
    c.extent[0] = transposed ? x->shape.dim[0] : out_h;
    c.extent[1] = transposed ? x->shape.dim[1] : out_w;
    c.extent[2] = k;
    c.extent[3] = w->shape.dim[0];
    c.extent[4] = w->shape.dim[in];
    c.extent[5] = w->shape.dim[1];
    Affine slide[3] = {at(-low, 2, 0, stride, 3, dilation), at(-low, 2, 1, stride, 5, dilation),
                       at(0, 1, transposed ? 2 : 4, 1, 0, 0)};
    Affine plain[3] = {at(0, 1, 0, 1, 0, 0), at(0, 1, 1, 1, 0, 0),
                       at(0, 1, transposed ? 4 : 2, 1, 0, 0)};
    memcpy(c.map[transposed ? 0 : 1], slide, sizeof slide);
    memcpy(c.map[transposed ? 1 : 0], plain, sizeof plain);
    c.map[2][0] = at(0, 1, 3, 1, 0, 0);
    c.map[2][1] = at(0, 1, 5, 1, 0, 0);
    c.map[2][2] = at(0, 1, transposed ? 2 : 4, 1, 0, 0);
    c.map[2][3] = at(0, 1, transposed ? 4 : 2, 1, 0, 0);
    return graph_contract(shape(true, 3, out_h, out_w, (int)k), x, w, &c);
}

static void test_dense(void **state)
{
    static const int sizes[][2] = {{1, 1}, {3, 2}, {17, 3}, {100, 30}, {5, 17}, {33, 100}, {1, 40}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Build *b = begin();
        Node *x = input(b, shape(true, 1, sizes[i][0]));
        Node *w = param(b, shape(false, 2, sizes[i][0], sizes[i][1]));
        check_with_gradients(b, dense(x, w));
    }
}

static void test_dense_of_rows(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 2, 7, 5));
    Node *w = param(b, shape(false, 2, 5, 19));
    check_with_gradients(b, dense(x, w));
}

/* Sums stored from block to block. */
static void test_dense_of_many_rows(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 2, 9, 5));
    Node *w = param(b, shape(false, 2, 5, 19)), *v = param(b, shape(false, 2, 19, 21));
    check_with_gradients(b, dense(graph_op1(OP_tanh, dense(x, w)), v));
    int by_block = 0;
    for (int k = 0; k < b->step.program->nkernels; k++)
        by_block += sums_block_by_block(b->step.program->kernels[k]->root);
    assert_int_equal(by_block, 2);
}

static Node *relu(Node *x)
{
    Node *zero = graph_const(x->shape, 0);
    return graph_select(graph_op2(OP_lt, zero, x), x, zero);
}

static void test_two_layers(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 1, 20));
    Node *w = param(b, shape(false, 2, 20, 24)), *bias = param(b, shape(false, 1, 24));
    Node *v = param(b, shape(false, 2, 24, 20));
    Node *h = graph_op2(OP_add, dense(x, w), graph_expand(bias, shape(true, 1, 24)));
    Node *y = graph_reshape(dense(relu(h), v), shape(true, 2, 4, 5));
    check_with_gradients(b, graph_op1(OP_tanh, y));
}

/* Matrices so wide that threads own parts of them: sums in ranges along the
 * first and the last axis, kernels by units over all blocks. */
static void test_owned_matrices(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 1, 400));
    Node *w = param(b, shape(false, 2, 400, 50)), *v = param(b, shape(false, 2, 50, 800));
    Node *y = dense(graph_op1(OP_tanh, dense(x, w)), v);
    check_with_gradients(b, graph_op1(OP_tanh, y));
    const Program *p = b->step.program;
    int owned = 0;
    for (int k = 0; k < p->nkernels; k++)
        owned += p->kernels[k]->shared_bytes > 0;
    assert_int_equal(owned, 2 * 2 + 1); /* there and back, and the copy by rows */
    assert_true(p->shared_blocks > 1);
}

/* Rows of a page get a line between them. */
static void test_padded_rows(void **state)
{
    static const int64_t rows[][2] = {{8, 8}, {9, 16}, {784, 784}, {1024, 1040}, {4090, 4112}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t stride[MAX_RANK];
        storage_of(shape(false, 2, 3, (int)rows[i][0]), stride);
        assert_int_equal(stride[0], rows[i][1]);
    }
    Build *b = begin();
    Node *x = input(b, shape(true, 1, 20));
    check_with_gradients(b, dense(x, param(b, shape(false, 2, 20, 1024))));
}

typedef struct ConvCase {
    int h, w, c, k, r, s, stride, dilation, low, oh, ow;
    bool transposed;
} ConvCase;

static const ConvCase conv_cases[] = {
    {5, 5, 3, 4, 3, 3, 1, 1, 1, 5, 5, false},     {7, 7, 2, 3, 3, 3, 1, 1, 1, 7, 7, false},
    {28, 28, 1, 3, 3, 3, 1, 1, 1, 28, 28, false}, {3, 3, 5, 4, 3, 3, 1, 1, 1, 3, 3, false},
    {9, 6, 2, 3, 3, 3, 2, 1, 1, 5, 3, false},     {8, 8, 2, 17, 1, 1, 1, 1, 0, 8, 8, false},
    {17, 3, 2, 2, 5, 2, 1, 1, 0, 13, 2, false},   {12, 12, 1, 2, 3, 3, 1, 2, 2, 12, 12, false},
    {10, 10, 2, 2, 7, 7, 1, 1, 3, 10, 10, false}, {11, 11, 2, 3, 4, 4, 3, 1, 0, 3, 3, false},
    {3, 3, 4, 3, 3, 3, 2, 1, 0, 7, 7, true},      {7, 7, 3, 2, 3, 3, 2, 1, 0, 14, 14, true},
    {5, 4, 2, 3, 5, 5, 2, 1, 1, 10, 8, true},     {4, 4, 2, 2, 2, 2, 3, 1, 0, 12, 12, true},
    {6, 6, 2, 1, 3, 3, 1, 1, 1, 6, 6, true},      {21, 21, 1, 2, 3, 3, 1, 1, 1, 21, 21, false},
};

static void test_convolutions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) {
        const ConvCase *t = &conv_cases[i];
        Build *b = begin();
        Node *x = input(b, shape(true, 3, t->h, t->w, t->c));
        Node *w = param(b, t->transposed ? shape(false, 4, t->r, t->s, t->k, t->c)
                                         : shape(false, 4, t->r, t->s, t->c, t->k));
        check_with_gradients(
            b, conv(x, w, t->oh, t->ow, t->stride, t->dilation, t->low, t->transposed));
    }
}

/* Planes longer than their pixels, with masks that fill no whole line; sizes
 * that leave a rest of every tile. */
static void test_layers_of_planes(void **state)
{
    static const int cases[][4] = {/* n, channels of two layers, stride of the second */
                                   {4, 5, 3, 1},
                                   {8, 17, 2, 2},
                                   {17, 3, 5, 2},
                                   {20, 1, 7, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *t = cases[i], n = t[0], out = (n + t[3] - 1) / t[3];
        Build *b = begin();
        Node *x = input(b, shape(true, 3, n, n, 2));
        Node *w = param(b, shape(false, 4, 3, 3, 2, t[1]));
        Node *v = param(b, shape(false, 4, 3, 3, t[1], t[2]));
        Node *h = relu(conv(x, w, n, n, 1, 1, 1, false));
        check_with_gradients(b, relu(conv(h, v, out, out, t[3], 1, 1, false)));
    }
}

static Node *dropped(Node *x, uint32_t path)
{
    Node *u = graph_random(RANDOM_UNIFORM, x->shape, path);
    return graph_select(graph_op2(OP_lt, u, graph_const(x->shape, 0.7)), x,
                        graph_const(x->shape, 0));
}

/* Operands of products that have this shape and lie in planes, or not. */
static int operands_in_planes(const Program *p, Shape s, bool planes)
{
    int n = 0;
    for (int i = 0; i < p->nkernels; i++)
        for (int k = 0; k < p->kernels[i]->root->nin; k++) {
            Node *in = p->kernels[i]->root->in[k];
            if (p->kernels[i]->form == FORM_CONTRACT && shape_equal(in->shape, s))
                n += planes == (p->by_node[memory_node(p, in)->id]->stride[1] == 1);
        }
    return n;
}

/* A reshape, or random numbers, before and after products of images: what the
 * products read is in planes all the same. */
static void test_images_between_reshapes(void **state)
{
    static const int cases[][2] = {{4, 8}, {4, 6}, {3, 4}, {5, 12}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int n = cases[i][0], c = cases[i][1], size = n * n * c;
        Build *b = begin();
        Shape image = shape(true, 3, n, n, c);
        Node *x = input(b, shape(true, 1, 9));
        Node *w = param(b, shape(false, 2, 9, size));
        Node *v = param(b, shape(false, 4, 3, 3, c, c));
        Node *u = param(b, shape(false, 4, 3, 3, c, c));
        Node *d = param(b, shape(false, 2, size, 5));
        Node *h = relu(graph_reshape(dense(x, w), image));
        h = dropped(relu(conv(h, v, n, n, 1, 1, 1, false)), 3);
        h = dropped(relu(conv(h, u, n, n, 1, 1, 1, false)), 4);
        check_with_gradients(b, dense(graph_reshape(h, shape(true, 1, size)), d));
        if (c % DRAWS) /* a call for each number: then in the order of the elements */
            continue;
        assert_true(operands_in_planes(b->step.program, image, true) >= 8);
        assert_int_equal(operands_in_planes(b->step.program, image, false), 0);
    }
}

/* Is the gradient of the var, within its update, one product of several pairs? */
static bool is_one_product(const Build *b, const Node *var)
{
    for (int i = 0; i < b->step.nupdates; i++) {
        NodeList nodes = graph_reach(1, &b->step.values[i]);
        for (int k = 0; k < nodes.n && b->step.targets[i] == var->attr.var; k++)
            if (nodes.at[k]->op == OP_contract && contraction_pairs(nodes.at[k]) > 1 &&
                shape_equal(nodes.at[k]->shape, var->shape))
                return true;
    }
    return false;
}

/* Networks called twice and three times, and tied weights: one product for each
 * gradient, of every class, over blocks that are sums so far or not. */
static void test_pairs(void **state)
{
    static const int sizes[][3] = {{9, 17, 5}, {3, 8, 1}, {70, 40, 300}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int *t = sizes[i];
        Build *b = begin();
        Node *x = input(b, shape(true, 1, t[0])), *y = input(b, shape(true, 1, t[0]));
        Node *w = param(b, shape(false, 2, t[0], t[1])), *v = param(b, shape(false, 2, t[1], t[2]));
        Node *f = dense(relu(dense(x, w)), v), *g = dense(relu(dense(y, w)), v);
        Node *h = dense(relu(dense(graph_op2(OP_mul, x, y), w)), v);
        check_with_gradients(b, graph_op2(OP_add, f, graph_op2(OP_mul, g, h)));
        assert_true(is_one_product(b, w));
    }
    for (int columns = 3; columns <= 20; columns += 17) { /* encoder and its transpose */
        Build *b = begin();
        Node *x = input(b, shape(true, 1, 30)), *w = param(b, shape(false, 2, 30, columns));
        Node *back = graph_transpose(w, (int[]){1, 0});
        check_with_gradients(b, dense(relu(dense(x, w)), back));
        assert_true(is_one_product(b, w));
    }
    for (int channels = 1; channels <= 9; channels += 4) { /* siamese images */
        Build *b = begin();
        Node *x = input(b, shape(true, 3, 7, 7, 2)), *y = input(b, shape(true, 3, 7, 7, 2));
        Node *w = param(b, shape(false, 4, 3, 3, 2, channels));
        Node *f = relu(conv(x, w, 4, 4, 2, 1, 1, false));
        Node *g = relu(conv(y, w, 4, 4, 2, 1, 1, false));
        check_with_gradients(b, graph_op2(OP_mul, f, g));
        assert_true(is_one_product(b, w));
    }
    for (int steps = 3; steps <= 9; steps += 6) { /* sequences: long sums block by block */
        Build *b = begin();
        Node *x = input(b, shape(true, 2, steps, 6)), *y = input(b, shape(true, 2, steps, 6));
        Node *w = param(b, shape(false, 2, 6, 21));
        check_with_gradients(b, graph_op2(OP_mul, dense(x, w), dense(y, w)));
        assert_true(is_one_product(b, w));
    }
}

static void test_without_batch(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = param(b, shape(false, 2, 6, 11)), *w = param(b, shape(false, 2, 11, 18));
    Node *v = param(b, shape(false, 2, 18, 3));
    check_with_gradients(b, dense(dense(x, w), v));
}

/* ---- Windows --------------------------------------------------------------------------- */

static Node *max_pool(Node *x, int side, int stride, int low, int size)
{
    Window w = {{side, side, 1}, {stride, stride, 1}, {1, 1, 1}, {low, low, 0}};
    Shape out = shape(true, 3, size, size, (int)x->shape.dim[2]);
    Node *index = graph_window(OP_window_argmax, x, NULL, out, &w);
    return graph_window(OP_window_gather, x, index, out, &w);
}

static int kernels_with_pool(const Program *p)
{
    int n = 0;
    for (int i = 0; i < p->nkernels; i++)
        n += p->kernels[i]->pool != NULL;
    return n;
}

/* Poolings that their convolution does: windows that fill the map or leave
 * pixels which are never computed, in tiles with and without a rest; and three
 * that it cannot do, of windows that overlap, start or end in the padding. */
static void test_pooled_convolutions(void **state)
{
    static const struct {
        int n, in, out, taps, side, stride, low, pooled, fused;
    } cases[] = {
        {8, 1, 3, 3, 2, 2, 0, 4, 1},   {7, 3, 17, 3, 2, 2, 0, 3, 1}, {17, 2, 2, 5, 3, 3, 0, 5, 1},
        {28, 1, 1, 3, 2, 2, 0, 14, 1}, {9, 1, 5, 1, 4, 4, 0, 2, 1},  {13, 2, 3, 13, 2, 2, 0, 6, 0},
        {9, 2, 2, 3, 3, 2, 0, 4, 0},   {7, 2, 2, 3, 2, 2, 1, 4, 0},  {8, 2, 3, 3, 3, 3, 0, 3, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Build *b = begin();
        int n = cases[i].n, taps = cases[i].taps, half = taps / 2;
        Node *x = input(b, shape(true, 3, n, n, cases[i].in));
        Node *w = param(b, shape(false, 4, taps, taps, cases[i].in, cases[i].out));
        Node *h = relu(conv(x, w, n, n, 1, 1, half, false));
        Node *y = max_pool(h, cases[i].side, cases[i].stride, cases[i].low, cases[i].pooled);
        Node *v = param(b, shape(false, 4, 3, 3, cases[i].out, 2));
        int size = cases[i].pooled;
        check_with_gradients(b, conv(y, v, size, size, 1, 1, 1, false));
        assert_int_equal(kernels_with_pool(b->step.program), cases[i].fused);
    }
}

static void test_max_pool(void **state)
{
    static const int cases[][6] = {/* n, size, stride, low, out, channels */
                                   {6, 2, 2, 0, 3, 4},
                                   {7, 2, 2, 0, 3, 3},
                                   {7, 3, 2, 1, 4, 1},
                                   {5, 3, 1, 1, 5, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *t = cases[i];
        Build *b = begin();
        Node *x = input(b, shape(true, 3, t[0], t[0], t[5]));
        check_with_gradients(b, max_pool(x, t[1], t[2], t[3], t[4]));
    }
}

/* ---- Reductions, views, updates ----------------------------------------------------------- */

static Node *reduce(Op op, Node *n, bool batch, int count, ...)
{
    bool axes[MAX_RANK + 1] = {0};
    va_list args;
    va_start(args, count);
    for (int i = 0; i < count; i++)
        axes[va_arg(args, int)] = true;
    va_end(args);
    axes[MAX_RANK] = batch;
    return graph_reduce(op, n, axes);
}

static void test_loss(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 2, 3, 5)), *t = input(b, shape(true, 2, 3, 5));
    Node *w = param(b, shape(false, 2, 5, 5));
    Node *d = graph_op2(OP_add, dense(x, w), graph_op1(OP_neg, t));
    Node *sum = reduce(OP_reduce_sum, graph_op2(OP_mul, d, d), true, 2, 0, 1);
    Node *live = graph_node(OP_live, T_F32, shape(false, 0), 0, NULL, NULL, (Pos){0});
    Node *loss = graph_op2(OP_div, sum, graph_op2(OP_mul, live, graph_const(shape(false, 0), 15)));
    output(b, loss);
    Node *g = graph_gradient(loss, w);
    update(b, w, graph_op2(OP_add, w, graph_op2(OP_mul, g, graph_const(w->shape, -0.1))));
    verify(b);
}

static void test_reductions(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 3, 3, 4, 17)), *p = param(b, shape(false, 2, 7, 37));
    Node *q = param(b, shape(false, 3, 2, 3, 5));
    output(b, reduce(OP_reduce_sum, x, false, 1, 1));
    output(b, reduce(OP_reduce_max, x, false, 2, 0, 2));
    output(b, reduce(OP_reduce_sum, x, true, 2, 0, 1));
    output(b, reduce(OP_reduce_sum, x, true, 0));
    output(b, reduce(OP_reduce_max, x, true, 1, 2));
    output(b, reduce(OP_reduce_sum, p, false, 1, 1));
    output(b, reduce(OP_reduce_sum, p, false, 1, 0));
    output(b, reduce(OP_reduce_max, p, false, 2, 0, 1));
    output(b, reduce(OP_reduce_sum, q, false, 2, 0, 2));
    output(b, graph_op1(OP_sqrt, reduce(OP_reduce_sum, graph_op2(OP_mul, p, p), false, 2, 0, 1)));
    verify(b);
}

/* A change of sign is worked out inside the kernel whose root it follows. */
static void test_difference_of_sums(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 1, 3)), *p = param(b, shape(false, 2, 3, 3));
    Node *one = reduce(OP_reduce_sum, dense(x, p), true, 1, 0);
    Node *two = reduce(OP_reduce_sum, graph_op1(OP_exp, x), true, 1, 0);
    output(b, graph_op2(OP_add, one, graph_op1(OP_neg, graph_op2(OP_mul, two, two))));
    verify(b);
}

static void test_views(void **state)
{
    static const int64_t start[] = {1, 0, 2}, limit[] = {3, 4, 17}, stride[] = {1, 2, 3};
    static const int64_t low[] = {1, -1, 0}, high[] = {0, 2, -3}, interior[] = {1, 0, 2};
    static const int order[] = {2, 0, 1};
    bool flip[MAX_RANK] = {true, false, true};
    (void)state;
    for (int batch = 0; batch < 2; batch++) {
        Build *b = begin();
        Shape s = shape(batch, 3, 3, 4, 17);
        Node *x = batch ? input(b, s) : param(b, s);
        Node *y = graph_op1(OP_exp, x);
        output(b, graph_op1(OP_neg, graph_transpose(y, order)));
        output(b, graph_slice(y, start, limit, stride));
        output(b, graph_reverse(y, flip));
        output(b, graph_pad(y, graph_const(shape(false, 0), 0.5), low, high, interior));
        output(b, graph_concatenate(3, (Node *[]){y, x, y}, 1));
        output(b, graph_reshape(y, shape(batch, 2, 6, 34)));
        output(b, graph_op2(OP_mul, graph_reshape(graph_transpose(y, order), s), x));
        output(b, graph_gradient(graph_op2(OP_mul, graph_reshape(graph_transpose(y, order), s), x),
                                 x));
        verify(b);
    }
}

/* Two vars exchange their values; a third takes what the first was. */
static void test_updates_wait(void **state)
{
    (void)state;
    Build *b = begin();
    Shape s = shape(false, 2, 3, 20);
    Node *x = input(b, shape(true, 1, 3));
    Node *p = param(b, s), *q = param(b, s), *r = param(b, s);
    output(b, dense(x, p));
    update(b, p, q);
    update(b, q, graph_op2(OP_add, p, graph_const(s, 1)));
    update(b, r, p);
    verify(b);
}

static void test_normalization(void **state)
{
    (void)state;
    Build *b = begin();
    Shape s = shape(true, 2, 5, 6);
    Node *x = input(b, s), *gamma = param(b, shape(false, 1, 6));
    Node *live = graph_node(OP_live, T_F32, shape(false, 0), 0, NULL, NULL, (Pos){0});
    Node *n =
        graph_expand(graph_op2(OP_mul, live, graph_const(shape(false, 0), 5)), shape(false, 1, 6));
    Node *mean = graph_op2(OP_div, reduce(OP_reduce_sum, x, true, 1, 0), n);
    Node *d = graph_op2(OP_add, x, graph_op1(OP_neg, graph_expand(mean, s)));
    Node *var = graph_op2(OP_div, reduce(OP_reduce_sum, graph_op2(OP_mul, d, d), true, 1, 0), n);
    Node *scale = graph_op1(OP_sqrt, graph_op2(OP_add, var, graph_const(var->shape, 1e-3)));
    Node *y =
        graph_op2(OP_mul, graph_op2(OP_div, d, graph_expand(scale, s)), graph_expand(gamma, s));
    check_with_gradients(b, graph_op1(OP_tanh, y));
}

static void test_random(void **state)
{
    (void)state;
    Build *b = begin();
    Shape s = shape(true, 1, 23);
    Node *x = input(b, s), *u = graph_random(RANDOM_UNIFORM, s, 5);
    Node *mask = graph_op2(OP_lt, u, graph_const(s, 0.5));
    Node *y = graph_select(mask, x, graph_const(s, 0));
    output(b, graph_random(RANDOM_NORMAL, shape(true, 2, 3, 3), 6));
    check_with_gradients(b, graph_op1(OP_exp, y));
}

static void test_rows_by_number(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 1, 4)), *table = param(b, shape(false, 2, 5, 3));
    Node *scaled = graph_op2(OP_mul, x, graph_const(x->shape, 5));
    Node *numbers = graph_convert(scaled, T_I32);
    Node *rows = graph_node(OP_gather_rows, T_F32, shape(true, 2, 4, 3), 2,
                            (Node *[]){table, numbers}, NULL, (Pos){0});
    Node *g = graph_gradient(graph_op2(OP_mul, rows, rows), table);
    output(b, rows);
    update(b, table, graph_op2(OP_add, table, g));
    verify(b);
}

/* What a kernel touches, each buffer once: a product reads weights (rows of an
 * odd number of lines) and inputs and writes outputs; the load writes the inputs. */
static void test_bytes(void **state)
{
    (void)state;
    Build *b = begin();
    Node *x = input(b, shape(true, 1, 48)), *w = param(b, shape(false, 2, 48, 32));
    output(b, dense(x, w));
    verify(b);
    const Program *p = b->step.program;
    int products = 0, loads = 0;
    for (int i = 0; i < p->nkernels; i++) {
        const Kernel *k = p->kernels[i];
        bool load = k->form == FORM_LOAD, product = k->form == FORM_CONTRACT;
        loads += load;
        products += product;
        if (load || product) {
            assert_int_equal(k->bytes[IN_FIXED], product ? 48 * 48 * 4 : 0);
            assert_int_equal(k->bytes[IN_BLOCK], (48 + (product ? 32 : 0)) * LANES * 4);
        }
    }
    assert_int_equal(loads, 1);
    assert_int_equal(products, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_dense_of_rows),
        cmocka_unit_test(test_dense_of_many_rows),
        cmocka_unit_test(test_two_layers),
        cmocka_unit_test(test_owned_matrices),
        cmocka_unit_test(test_padded_rows),
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(test_layers_of_planes),
        cmocka_unit_test(test_images_between_reshapes),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_without_batch),
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_pooled_convolutions),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_updates_wait),
        cmocka_unit_test(test_difference_of_sums),
        cmocka_unit_test(test_normalization),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_rows_by_number),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
