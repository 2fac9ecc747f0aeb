/* generate SEED -- a random feed-forward .nn program on stdout: odd shapes, every
 * kind of layer, loss and optimizer, branches, sometimes a gradient in the
 * objective. The same seed gives the same program. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_ELEMENTS = 400 }; /* of a value between layers, for the interpreter's sake */

static uint64_t state;

static uint32_t bits(void)
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(z >> 32);
}

static int below(int n)
{
    return (int)(bits() % (uint32_t)n);
}

static int from(int low, int high)
{
    return low + below(high - low + 1);
}

static bool chance(int percent)
{
    return below(100) < percent;
}

#define ONE_OF(array) ((array)[below((int)(sizeof(array) / sizeof *(array)))])

/* ---- Shapes ---------------------------------------------------------------- */

/* The running value: a vector [c], rows [h, c] or an image [h, w, c]. */
typedef struct Value {
    int rank, h, w, c;
} Value;

static int elements(Value v)
{
    return (v.rank > 1 ? v.h : 1) * (v.rank > 2 ? v.w : 1) * v.c;
}

static void print_shape(Value v)
{
    if (v.rank == 3)
        printf("[%d, %d, %d]", v.h, v.w, v.c);
    else if (v.rank == 2)
        printf("[%d, %d]", v.h, v.c);
    else
        printf("[%d]", v.c);
}

/* ---- Lines of a network ------------------------------------------------------ */

/* A network is a stack of lines, or binds a name v1, v2, … to each value. */
static bool bound;
static int values;

/* layer("dense", "20, relu"): what follows the argument that carries the value. */
static void layer(const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (bound)
        printf("    v%d = %s(v%d%s", values + 1, name, values, *format ? ", " : "");
    else
        printf("    %s(", name);
    vprintf(format, args);
    printf(")\n");
    values++;
    va_end(args);
}

/* ---- Layers: each prints a line and returns the value after it, or prints
 * nothing and returns `unfit`. -------------------------------------------------- */

static const Value unfit;

static const char *const activations[] = {"linear", "relu", "sigmoid", "tanh",     "selu",
                                          "gelu",   "elu",  "swish",   "softplus", "leaky_relu"};
static const char *const initializers[] = {"glorot_uniform", "glorot_normal", "he_normal",
                                           "he_uniform",     "lecun_normal",  "orthogonal"};

/* ", activation: tanh, init: he_normal", or less. */
static const char *options(void)
{
    static char text[100];
    int n = 0;
    text[0] = 0;
    if (chance(70))
        n = snprintf(text, sizeof text, ", activation: %s", ONE_OF(activations));
    if (chance(30))
        snprintf(text + n, sizeof text - (size_t)n, ", init: %s", ONE_OF(initializers));
    return text;
}

/* ", strides: 2", or nothing where it is what the layer does anyway. */
static const char *option(const char *name, int value, int usual)
{
    static char text[4][40];
    static int turn;
    char *at = text[turn++ % 4];
    at[0] = 0;
    if (value != usual)
        snprintf(at, sizeof text[0], ", %s: %d", name, value);
    return at;
}

static const char *padding(bool same)
{
    return same ? ", padding: same" : "";
}

/* Places that a window has along an axis: "same" pads, "valid" does not. */
static int windows(int size, int kernel, int stride, int dilation, bool same)
{
    int reach = (kernel - 1) * dilation + 1;
    return same ? (size + stride - 1) / stride : size < reach ? 0 : (size - reach) / stride + 1;
}

static Value dense(Value v)
{
    v.c = from(1, 20);
    layer("dense", "%d%s", v.c, options());
    return v;
}

static Value conv2d(Value v)
{
    int kernel = from(1, 4), stride = from(1, 3), dilation = stride == 1 ? from(1, 2) : 1;
    int groups = v.c % 2 == 0 && chance(30) ? 2 : 1;
    bool same = chance(60);
    Value out = {3, windows(v.h, kernel, stride, dilation, same),
                 windows(v.w, kernel, stride, dilation, same), groups * from(1, 5)};
    if (v.rank != 3 || out.h < 1 || out.w < 1)
        return unfit;
    layer("conv2d", "%d, %d%s%s%s%s%s", out.c, kernel, option("strides", stride, 1), padding(same),
          option("dilation", dilation, 1), option("groups", groups, 1), options());
    return out;
}

static Value conv2d_transpose(Value v)
{
    int kernel = from(1, 4), stride = from(1, 3);
    bool same = chance(50);
    int over = same || kernel < stride ? 0 : kernel - stride;
    Value out = {3, v.h * stride + over, v.w * stride + over, from(1, 5)};
    if (v.rank != 3 || elements(out) > MOST_ELEMENTS)
        return unfit;
    layer("conv2d_transpose", "%d, %d%s%s%s", out.c, kernel, option("strides", stride, 1),
          padding(same), options());
    return out;
}

static Value pool2d(Value v, const char *name)
{
    int size = from(1, 3), stride = chance(60) ? size : from(1, 3);
    bool same = chance(40);
    Value out = {3, windows(v.h, size, stride, 1, same), windows(v.w, size, stride, 1, same), v.c};
    if (v.rank != 3 || out.h < 1 || out.w < 1)
        return unfit;
    layer(name, "%d%s%s", size, option("strides", stride, size), padding(same));
    return out;
}

static Value max_pool2d(Value v)
{
    return pool2d(v, "max_pool2d");
}

static Value average_pool2d(Value v)
{
    return pool2d(v, "average_pool2d");
}

static Value global_pool2d(Value v)
{
    if (v.rank != 3)
        return unfit;
    layer(chance(50) ? "global_average_pool2d" : "global_max_pool2d", "");
    return (Value){1, 0, 0, v.c};
}

static Value flatten(Value v)
{
    layer("flatten", "");
    return (Value){1, 0, 0, elements(v)};
}

/* The same elements, as an image or rows where they divide so. */
static Value reshape(Value v)
{
    int n = elements(v), h = from(1, 6), w = from(1, 6);
    if (n % (h * w) == 0) {
        layer("reshape", "%d, %d, %d", h, w, n / (h * w));
        return (Value){3, h, w, n / (h * w)};
    }
    if (n % h == 0) {
        layer("reshape", "%d, %d", h, n / h);
        return (Value){2, h, 0, n / h};
    }
    return unfit;
}

static Value activate(Value v)
{
    layer("activation", "%s", ONE_OF(activations));
    return v;
}

static Value normalize(Value v)
{
    layer(chance(50) ? "batch_normalization" : "layer_normalization", "");
    return v;
}

static Value disturb(Value v)
{
    if (chance(50))
        layer("dropout", "0.3");
    else
        layer("gaussian_noise", "0.2");
    return v;
}

/* Where values have names: a skip connection over a layer that keeps the shape. */
static Value skip(Value v)
{
    static const char *const joins[] = {"v%d = v%d + v%d\n", "v%d = v%d * v%d\n",
                                        "v%d = maximum(v%d, v%d)\n", "v%d = v%d - 2 * v%d\n"};
    if (!bound)
        return unfit;
    int before = values;
    layer("dense", "%d%s", v.c, options());
    printf("    ");
    printf(ONE_OF(joins), values + 1, values, before);
    values++;
    return v;
}

static Value (*const layers[])(Value) = {
    dense,   dense,   conv2d,   conv2d,    conv2d,  conv2d_transpose, max_pool2d, average_pool2d,
    flatten, reshape, activate, normalize, disturb, global_pool2d,    skip};

/* Ends with a dense layer, so that there is something to train. */
static Value network(Value v)
{
    bound = chance(40);
    values = 0;
    printf("network net(%s: ", bound ? "v0" : "x");
    print_shape(v);
    printf(") {\n");
    for (int n = from(0, 5); n > 0;) {
        Value next = ONE_OF(layers)(v);
        if (next.rank) {
            v = next;
            n--;
        }
    }
    v = dense(v);
    if (bound)
        printf("    return v%d\n", values);
    printf("}\n\n");
    return v;
}

/* ---- Objective and optimizer ------------------------------------------------- */

static const char *const losses[] = {
    "mse(net(x), y)",
    "mae(net(x), y)",
    "huber(net(x), y)",
    "bce(sigmoid(net(x)), sigmoid(y))",
    "categorical_crossentropy(softmax(net(x)), softmax(y))",
    "mean((net(x) - y)^2) + 0.01 * mean(sum(abs(net(x)), each: sample))",
    "mse(net(x), y) + mse(net(0.5 - x), y) / 2",
    "mse(net(x), net(x * x)) + mse(net(-x), y)",
    "mse(net(x), y) + mean(sqrt(1 + sum(grad(sum(tanh(net(x))), x)^2, each: sample)))",
};

static const char *const optimizers[] = {
    "sgd()",
    "sgd(learning_rate: 0.1, momentum: 0.9)",
    "sgd(momentum: 0.9, nesterov: true)",
    "rmsprop()",
    "adam()",
    "adamw(weight_decay: 0.01)",
    "nadam()",
    "nadam(momentum_decay: 0.004)",
    "adagrad()",
};

static void train(void)
{
    printf("train on pairs(x, y) {\n    minimize %s using %s\n    batch %d\n}\n", ONE_OF(losses),
           ONE_OF(optimizers), chance(50) ? 24 : from(1, 40));
}

static Value input(void)
{
    switch (below(4)) {
    case 0: return (Value){1, 0, 0, from(1, 40)};
    case 1: return (Value){2, from(1, 7), 0, from(1, 9)};
    default: return (Value){3, from(1, 9), from(1, 9), from(1, 4)};
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: generate SEED\n");
        return 2;
    }
    state = strtoull(argv[1], NULL, 10) * 0xD6E8FEB86659FD93u;
    Value in = input();
    printf("# generate %s\n", argv[1]);
    Value out = network(in);
    printf("data x: ");
    print_shape(in);
    printf(" = npy(\"x.npy\")\ndata y: ");
    print_shape(out);
    printf(" = npy(\"y.npy\")\ndata pairs = zip(x, y)\n\n");
    train();
    return 0;
}
