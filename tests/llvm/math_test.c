/* Elementary functions as compiled, against long double: below 4 ulp over the
 * useful range, exact at zeros, infinities and NaN, the same bits for vectors
 * and scalars. */
#include "loop/support.h"

#include <math.h>

#include "target/jit.h"

enum { N = 1 << 15, PASSES = 4, VECTOR = 0, SCALAR = 1 };

typedef enum Spread { EVEN, LOGARITHMIC, NEAR_ONE } Spread;

typedef struct Case {
    const char *name;
    Op op;
    double exponent;
    long double (*reference)(long double);
    double lo, hi;
    Spread spread;
    double minus_inf, zero, inf; /* values there */
} Case;

static long double logistic(long double x)
{
    return 1 / (1 + expl(-x));
}
static long double softplus(long double x)
{
    return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x)));
}

static const Case cases[] = {
    {"exp", OP_exp, 0, expl, -87.3, 88.7, EVEN, 0, 1, INFINITY},
    {"log", OP_log, 0, logl, 0x1p-126, 0x1p127, LOGARITHMIC, NAN, -INFINITY, INFINITY},
    {"log", OP_log, 0, logl, 0.5, 2, NEAR_ONE, NAN, -INFINITY, INFINITY},
    {"tanh", OP_tanh, 0, tanhl, -10, 10, EVEN, -1, 0, 1},
    {"tanh", OP_tanh, 0, tanhl, 1e-30, 10, LOGARITHMIC, -1, 0, 1},
    {"logistic", OP_logistic, 0, logistic, -87, 87, EVEN, 0, 0.5, 1},
    {"softplus", OP_softplus, 0, softplus, -87, 100, EVEN, 0, M_LN2, INFINITY},
    {"sin", OP_sin, 0, sinl, -1e4, 1e4, EVEN, NAN, 0, NAN},
    {"sin", OP_sin, 0, sinl, 1e-30, 10, LOGARITHMIC, NAN, 0, NAN},
    {"cos", OP_cos, 0, cosl, -1e4, 1e4, EVEN, NAN, 1, NAN},
    {"erf", OP_erf, 0, erfl, -5, 5, EVEN, -1, 0, 1},
    {"erf", OP_erf, 0, erfl, 1e-30, 5, LOGARITHMIC, -1, 0, 1},
    {"pow", OP_pow, 2, NULL, -1e18, 1e18, EVEN, INFINITY, 0, INFINITY},
    {"pow", OP_pow, 3, NULL, -100, 100, EVEN, -INFINITY, 0, INFINITY},
    {"pow", OP_pow, 0.5, NULL, 1e-37, 1e37, LOGARITHMIC, NAN, 0, INFINITY},
    {"pow", OP_pow, -0.5, NULL, 1e-37, 1e37, LOGARITHMIC, NAN, INFINITY, 0},
    {"pow", OP_pow, -1, NULL, 1e-37, 1e37, LOGARITHMIC, 0, INFINITY, 0},
    {"pow", OP_pow, 1.5, NULL, 1e-20, 1e20, LOGARITHMIC, NAN, 0, INFINITY},
    {"pow", OP_pow, 0.3, NULL, 1e-37, 1e37, LOGARITHMIC, NAN, 0, INFINITY},
    {"pow", OP_pow, -2.7, NULL, 1e-12, 1e12, LOGARITHMIC, NAN, INFINITY, 0},
    {"pow", OP_pow, 13, NULL, -600, 600, EVEN, -INFINITY, 0, INFINITY},
    {"pow", OP_pow, -10, NULL, 1e-3, 1e3, LOGARITHMIC, 0, INFINITY, 0},
};
enum { CASES = sizeof cases / sizeof *cases };

static long double reference(const Case *c, long double x)
{
    return c->op == OP_pow ? powl(x, c->exponent) : c->reference(x);
}

/* ---- The functions, over N numbers, in vectors and one by one ------------------------ */

static float *memory; /* N arguments, N results, N results    */
static Jit *jit;

static Kernel *kernel_of(Buffer *x, Buffer *y, const Case *c, int form, const char *name)
{
    Kernel *k = NEW(Kernel);
    *k = (Kernel){.name = name, .kind = KERNEL_UNIT, .units = N / LANES, .scan = -1};
    loop_kernel(k);
    int64_t step = form == VECTOR ? LANES : 1;
    ValueType type = form == VECTOR ? V_VF32 : V_F32;
    Inst *loop = loop_begin(imul(k->u0, LANES), imul(k->u1, LANES), step, 0, NULL);
    Inst *v = load(type, x, loop->index, NULL);
    Inst *r = c->op == OP_pow ? map_pow(v, c->exponent) : map1(c->op, v);
    store(y, iadd(loop->index, iconst(form * N)), r, NULL);
    loop_end(loop, NULL, NULL);
    return k;
}

static int compile_all(void **state)
{
    (void)state;
    Hand *h = hand_new("math");
    Buffer *x = hand_buffer(h, IN_FIXED, E_F32, N), *y = hand_buffer(h, IN_FIXED, E_F32, 2 * N);
    h->model.nfns = CASES;
    h->model.fns = NEW_ARRAY(Fn *, CASES);
    for (int i = 0; i < CASES; i++) {
        Fn *fn = h->model.fns[i] = NEW(Fn);
        *fn = (Fn){.kind = FN_NETWORK, .name = format("f%d", i), .program = NEW(Program)};
        fn->program->kernels = NEW_ARRAY(Kernel *, 2);
        fn->program->nkernels = 2;
        fn->program->chunk = 1;
        for (int form = VECTOR; form <= SCALAR; form++)
            fn->program->kernels[form] =
                kernel_of(x, y, &cases[i], form, format("f%d.%d", i, form));
    }
    TargetOptions host = {.level = 2};
    jit = jit_open(&h->model, &host);
    memory = aligned_alloc(64, (size_t)h->program.fixed_bytes);
    return !memory;
}

static int close_all(void **state)
{
    (void)state;
    jit_close(jit);
    free(memory);
    return 0;
}

static void compute(int i)
{
    aecc_call call = {.fixed = (char *)memory};
    jit_call(jit, i, &call, 1, NULL, NULL);
}

/* ---- Arguments ------------------------------------------------------------------------- */

static double uniform(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1p-53;
}

static double argument(const Case *c)
{
    double u = uniform();
    switch (c->spread) {
    case EVEN: return c->lo + u * (c->hi - c->lo);
    case LOGARITHMIC: return exp(log(c->lo) + u * (log(c->hi) - log(c->lo)));
    default: return 1 + (u - 0.5) * exp2(-20 * uniform());
    }
}

/* Distance in units of the last place of the result. */
static double ulps(float got, long double want)
{
    int exponent;
    frexpl(want, &exponent);
    return (double)(fabsl(got - want) / ldexpl(1, exponent - 24));
}

static bool is_normal(long double x)
{
    return fabsl(x) >= 0x1p-126L && fabsl(x) < 0x1p128L;
}

static void test_below_4_ulp(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        double worst = 0, where = 0;
        for (int pass = 0; pass < PASSES; pass++) {
            for (int j = 0; j < N; j++)
                memory[j] = (float)argument(&cases[i]);
            compute(i);
            for (int j = 0; j < N; j++) {
                long double want = reference(&cases[i], memory[j]);
                double error =
                    is_normal(want) && is_normal(memory[j]) ? ulps(memory[N + j], want) : 0;
                if (!(error <= worst)) {
                    worst = error;
                    where = memory[j];
                }
            }
        }
        print_message("%-8s %5g: %.2f ulp at %.9g\n", cases[i].name, cases[i].exponent, worst,
                      where);
        assert_true(worst < 4);
    }
}

static void expect(const Case *c, float x, float got, double want)
{
    bool good = isnan(want) ? isnan(got) : got == (float)want;
    if (!good)
        fail_msg("%s %g at %g: %g, not %g", c->name, c->exponent, x, got, want);
}

static void test_ends(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        const Case *c = &cases[i];
        for (int j = 0; j < N; j++)
            memory[j] = 1;
        memcpy(memory, (float[]){-INFINITY, 0, INFINITY, NAN}, 4 * sizeof(float));
        compute(i);
        expect(c, -INFINITY, memory[N], c->minus_inf);
        expect(c, 0, memory[N + 1], c->zero);
        expect(c, INFINITY, memory[N + 2], c->inf);
        expect(c, NAN, memory[N + 3], NAN);
    }
}

static void test_large_arguments(void **state)
{
    (void)state;
    static const struct {
        Op op;
        float x, want;
    } far[] = {
        {OP_exp, 89, INFINITY},  {OP_exp, -104, 0},           {OP_exp, -3e38f, 0},
        {OP_tanh, 3e38f, 1},     {OP_tanh, -50, -1},          {OP_logistic, -200, 0},
        {OP_logistic, 200, 1},   {OP_softplus, 3e38f, 3e38f}, {OP_softplus, -3e38f, 0},
        {OP_erf, 3e38f, 1},      {OP_log, -1, NAN},           {OP_logistic, 3e38f, 1},
        {OP_logistic, 87.9f, 1}, {OP_logistic, -3e38f, 0},    {OP_logistic, -89, 0},
    };
    for (size_t f = 0; f < sizeof far / sizeof *far; f++)
        for (int i = 0; i < CASES; i++)
            if (cases[i].op == far[f].op) {
                memory[0] = far[f].x;
                compute(i);
                expect(&cases[i], far[f].x, memory[N], far[f].want);
            }
}

/* Large angles; all of tanh that is about to reach 1. */
static void test_at_most_1(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        bool rises = cases[i].op == OP_tanh;
        if (cases[i].op != OP_sin && cases[i].op != OP_cos && !rises)
            continue;
        for (int j = 0; j < N; j++)
            memory[j] = (float)(rises ? 4 + 6 * uniform() : exp(uniform() * 88));
        compute(i);
        for (int j = 0; j < N; j++)
            assert_true(fabsf(memory[N + j]) <= 1);
    }
}

static void test_scalars_have_the_same_bits(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        for (int j = 0; j < N; j++)
            memory[j] = (float)argument(&cases[i]);
        compute(i);
        assert_memory_equal(memory + N, memory + 2 * N, N * sizeof(float));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_below_4_ulp),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_large_arguments),
        cmocka_unit_test(test_at_most_1),
        cmocka_unit_test(test_scalars_have_the_same_bits),
    };
    return cmocka_run_group_tests_name("math", tests, compile_all, close_all);
}
