/* Elementary functions as regions of the loop IR.
 *
 * needs       nothing
 * guarantees  exp, log, tanh, logistic, softplus, erf, pow: below 4 ulp
 *             (tests/llvm), sin and cos for |x| < 10,000; the exact values
 *             at zeros, infinities and NaN; subnormal arguments of log and
 *             pow count as zero, as they do where the trainer flushes them
 *
 * The coefficients are minimax in relative error: minimax.py prints them. */
#include "target/math.h"

#include <math.h>

static Inst *number(double x)
{
    return fconst(x);
}
static Inst *add(Inst *a, Inst *b)
{
    return map2(OP_add, a, b);
}
static Inst *mul(Inst *a, Inst *b)
{
    return map2(OP_mul, a, b);
}
static Inst *divide(Inst *a, Inst *b)
{
    return map2(OP_div, a, b);
}
static Inst *less(Inst *a, Inst *b)
{
    return map2(OP_lt, a, b);
}
static Inst *negate(Inst *a)
{
    return map1(OP_neg, a);
}
static Inst *subtract(Inst *a, Inst *b)
{
    return add(a, negate(b));
}

static Inst *word(uint32_t x)
{
    return vconst(V_I32, (double)(int32_t)x);
}

/* The nearer of x and the bound; NaN stays NaN. */
static Inst *at_most(Inst *x, double bound)
{
    return map_select(less(number(bound), x), number(bound), x);
}

static Inst *at_least(Inst *x, double bound)
{
    return map_select(less(x, number(bound)), number(bound), x);
}

/* c[0] + c[1] x + … */
static Inst *horner(Inst *x, int n, const double *c)
{
    Inst *sum = number(c[n - 1]);
    for (int i = n - 2; i >= 0; i--)
        sum = fma3(sum, x, number(c[i]));
    return sum;
}
#define HORNER(x, ...) \
    horner(x, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

static const uint32_t SIGN = 0x80000000u;

static Inst *magnitude(Inst *x)
{
    return float_of(map2(OP_and, bits_of(x), word(~SIGN)));
}

/* x, negated where the sign bit of `bits` is set. */
static Inst *flip_sign(Inst *x, Inst *bits)
{
    return float_of(bitwise(L_xor, bits_of(x), map2(OP_and, bits, word(SIGN))));
}

/* ---- exp, log, pow -------------------------------------------------------- */

/* Adding ROUND leaves the nearest integer in the low bits. */
static const double ROUND = 12582912; /* 1.5 * 2^23             */
static const uint32_t ROUND_BITS = 0x4B400000;
static const uint32_t ONE_BITS = 0x3F800000, SQRT_HALF_BITS = 0x3F3504F3;
static const double LEAST_NORMAL = 0x1p-126;
static const double LN2_HIGH = 0.693359375, LN2_LOW = -2.12194440054690583e-4;

/* Of an integer, or of its float plus ROUND: only the low bits count. */
static Inst *power_of_two(Inst *n)
{
    return float_of(map2(OP_add, shift(L_shl, n, 23), word(ONE_BITS)));
}

/* p * 2^n in two factors, so that neither overflows where the product does not. */
static Inst *scale(Inst *p, Inst *n)
{
    Inst *half = shift(L_sar, n, 1);
    return mul(mul(p, power_of_two(half)), power_of_two(subtract(n, half)));
}

/* exp(x + low), |low| small; x = n ln 2 + r, exp r = 1 + r + r^2 P(r). */
static Inst *exp_of(Inst *x, Inst *low)
{
    x = at_least(at_most(x, 89), -105);
    Inst *rounded = fma3(x, number(1.44269504088896341), number(ROUND));
    Inst *n = add(rounded, number(-ROUND));
    Inst *r = fma3(n, number(-LN2_LOW), fma3(n, number(-LN2_HIGH), x));
    if (low)
        r = add(r, low);
    Inst *p = HORNER(r, 0.49999994, 0.166665211, 0.041668389, 0.00836871564, 0.00138146023);
    p = add(fma3(mul(r, r), p, r), number(1));
    return scale(p, add(bits_of(rounded), word(-ROUND_BITS)));
}

/* x = 2^e (1 + f), 1 + f from sqrt(1/2) to sqrt(2). */
static void take_apart(Inst *x, Inst **e, Inst **f)
{
    Inst *bits = bits_of(x);
    Inst *n = shift(L_sar, add(bits, word(-SQRT_HALF_BITS)), 23);
    *e = map_convert(n, T_F32);
    *f = add(float_of(subtract(bits, shift(L_shl, n, 23))), number(-1));
}

/* log(1 + f) = f - f^2 / 2 + f^3 P(f). */
static Inst *log_tail(Inst *f)
{
    return HORNER(f, 0.333333135, -0.250000089, 0.200021192, -0.166679859, 0.14219521, -0.124057531,
                  0.118885882, -0.116748199, 0.0674458966);
}

static Inst *log_of(Inst *x)
{
    Inst *e, *f;
    take_apart(x, &e, &f);
    Inst *square = mul(f, f);
    Inst *sum = fma3(e, number(LN2_LOW), mul(mul(f, square), log_tail(f)));
    sum = add(f, fma3(number(-0.5), square, sum));
    sum = fma3(e, number(LN2_HIGH), sum);
    Inst *small = map_select(less(x, number(0)), number(NAN), number(-INFINITY));
    sum = map_select(less(x, number(LEAST_NORMAL)), small, sum);
    return map_select(less(x, number(INFINITY)), sum, x);
}

/* log x in two parts, the sum of which has about 32 bits. */
static Inst *log_in_two(Inst *x, Inst **low)
{
    Inst *e, *f;
    take_apart(x, &e, &f);
    Inst *square = mul(f, f), *square_low = fma3(f, f, negate(square));
    Inst *half = mul(square, number(-0.5));
    Inst *h = add(f, half), *l = add(subtract(f, h), half);
    l = fma3(number(-0.5), square_low, l);
    l = fma3(mul(f, square), log_tail(f), l);
    Inst *whole = mul(e, number(LN2_HIGH));
    Inst *high = add(whole, h);
    l = add(l, add(subtract(whole, high), h));
    l = fma3(e, number(LN2_LOW), l);
    Inst *sum = add(high, l);
    *low = add(subtract(high, sum), l);
    return sum;
}

/* |x|^k = exp(k log |x|), with the ends put right. */
static Inst *general_power(Inst *x, double k)
{
    Inst *size = magnitude(x), *low;
    Inst *high = log_in_two(size, &low);
    double k_low = k - (float)k;
    Inst *y = mul(high, number(k));
    Inst *y_low = fma3(low, number(k), fma3(high, number(k), negate(y)));
    Inst *v = exp_of(y, fma3(high, number(k_low), y_low));
    v = map_select(less(size, number(LEAST_NORMAL)), number(k > 0 ? 0 : INFINITY), v);
    v = map_select(less(size, number(INFINITY)), v, number(k > 0 ? INFINITY : 0));
    if (k == floor(k))
        v = fmod(k, 2) != 0 ? flip_sign(v, bits_of(x)) : v;
    else
        v = map_select(less(x, number(0)), number(NAN), v);
    return map_select(map2(OP_eq, x, x), v, x);
}

static Inst *whole_power(Inst *x, int n)
{
    if (n == 1)
        return x;
    Inst *half = whole_power(x, n / 2), *square = mul(half, half);
    return n % 2 ? mul(square, x) : square;
}

static Inst *power_of(Inst *x, double k)
{
    enum { MOST_FACTORS = 8 }; /* more would lose more than 4 ulp */
    if (k == 0)
        return splat(number(1));
    if (k < 0 && k >= -MOST_FACTORS && floor(2 * k) == 2 * k)
        return divide(number(1), power_of(x, -k));
    if (k > 0 && k <= MOST_FACTORS && k == floor(k))
        return whole_power(x, (int)k);
    if (k == 0.5)
        return map1(OP_sqrt, x);
    if (k == 1.5)
        return mul(x, map1(OP_sqrt, x));
    return general_power(x, k);
}

/* ---- Activations ------------------------------------------------------------ */

/* u = tanh(x / 2) = n / d, n = x / 2 P(x^2), d = Q(x^2); tanh x = 2 u / (1 +
 * u^2) = 2 n d / (d^2 + n^2). From 9.01 on the nearest float is 1; no quotient
 * is larger. */
static Inst *tanh_of(Inst *x)
{
    x = at_least(at_most(x, 9.01), -9.01);
    Inst *s = mul(x, x);
    Inst *p = HORNER(s, 0.5 * 1.8125, 0.5 * 0.0539715961, 0.5 * 0.000207228164);
    Inst *d = HORNER(s, 1.8125, 0.205013201, 0.00218756008, 2.2306042e-06);
    Inst *n = mul(x, p);
    return divide(mul(add(n, n), d), fma3(n, n, mul(d, d)));
}

/* 1 / (1 + exp(-x)); exp(-x) = 2^n p, r = x + n ln 2, p = exp(-r) as in
 * exp_of(). Beyond what is clamped 2^n is 0 or infinite. */
static Inst *logistic_of(Inst *x)
{
    x = at_least(at_most(x, 88), -89);
    Inst *rounded = fma3(x, number(-1.44269504088896341), number(ROUND));
    Inst *n = add(rounded, number(-ROUND));
    Inst *r = fma3(n, number(LN2_LOW), fma3(n, number(LN2_HIGH), x));
    Inst *p =
        HORNER(r, 1, -1, 0.49999994, -0.166665211, 0.041668389, -0.00836871564, 0.00138146023);
    return divide(number(1), fma3(p, power_of_two(bits_of(rounded)), number(1)));
}

/* max(x, 0) + log(1 + t), t = exp(-|x|), log(1 + t) = t P(t). */
static Inst *softplus_of(Inst *x)
{
    Inst *t = exp_of(negate(magnitude(x)), NULL);
    Inst *p = HORNER(t, 1, -0.499999821, 0.333325595, -0.24987264, 0.198907033, -0.161055133,
                     0.124180064, -0.0824353397, 0.0414724611, -0.0134046692, 0.0020296399);
    return fma3(t, p, at_least(x, 0));
}

/* x + x P(x^2) near zero, then 1 - exp(t P(t) - t), t = |x|. */
static Inst *erf_of(Inst *x)
{
    Inst *t = at_most(magnitude(x), 4), *s = mul(t, t);
    Inst *p = HORNER(s, 0.128379151, -0.376124799, 0.112816401, -0.0267595872, 0.00498215295,
                     -0.000593188277);
    Inst *q = HORNER(t, -0.128637075, -0.635198057, -0.106159031, 0.0236945506, -0.00361033413,
                     0.000314856094, -1.04329019e-05);
    Inst *tail = subtract(number(1), exp_of(fma3(t, q, negate(t)), NULL));
    return map_select(less(number(0.921875), t), flip_sign(tail, bits_of(x)), fma3(x, p, x));
}

/* ---- sin, cos ---------------------------------------------------------------- */

/* The sine of r + turns * pi / 2, |r| <= pi / 4. */
static Inst *sine_at(Inst *r, Inst *turns)
{
    Inst *s = mul(r, r);
    Inst *sine = HORNER(s, -0.166666672, 0.00833332911, -0.000198391877, 2.7169167e-06);
    sine = fma3(mul(r, s), sine, r);
    Inst *cosine = HORNER(s, 1, -0.5, 0.0416666456, -0.00138872513, 2.4424924e-05);
    Inst *odd = map2(OP_eq, map2(OP_and, turns, word(1)), word(1));
    return flip_sign(map_select(odd, cosine, sine), shift(L_shl, turns, 30));
}

static Inst *sine_of(Inst *x, uint32_t turns)
{
    Inst *rounded = fma3(x, number(0.636619772367581343), number(ROUND));
    Inst *n = add(rounded, number(-ROUND));
    /* pi / 2 in four parts: n times the first two is exact without fma too. */
    Inst *r = fma3(n, number(-0x1.92p0), x);
    r = fma3(n, number(-0x1.fb4p-12), r);
    r = fma3(n, number(-0x1.4442d2p-24), r);
    r = fma3(n, number(0x1.ee59dap-50), r);
    r = at_least(at_most(r, 0.8), -0.8);
    return sine_at(r, add(bits_of(rounded), word(turns)));
}

/* ---- Random numbers: the rules of runtime/aecc_rt.h --------------------------- */

static void philox_round(Inst *c[4], Inst *const key[2], uint32_t round)
{
    Inst *m0 = word(0xD2511F53), *m1 = word(0xCD9E8D57);
    Inst *k0 = add(key[0], word(round * 0x9E3779B9u));
    Inst *k1 = add(key[1], word(round * 0xBB67AE85u));
    Inst *high0 = bitwise(L_mulhi, c[0], m0), *low0 = mul(c[0], m0);
    Inst *high1 = bitwise(L_mulhi, c[2], m1), *low1 = mul(c[2], m1);
    c[0] = bitwise(L_xor, bitwise(L_xor, high1, c[1]), k0);
    c[2] = bitwise(L_xor, bitwise(L_xor, high0, c[3]), k1);
    c[1] = low1;
    c[3] = low0;
}

static Inst *top_24_bits(Inst *bits)
{
    return shift(L_shr, bits, 8);
}

static Inst *uniform_of(Inst *bits)
{
    return mul(map_convert(top_24_bits(bits), T_F32), number(0x1p-24));
}

/* Box and Muller: the angle is a 24-bit fraction of a turn, so that its
 * quadrant and what remains of it are exact. */
static void normal_pair(Inst *radius, Inst *angle, Inst *out[2])
{
    Inst *u = map_convert(add(top_24_bits(radius), word(1)), T_F32);
    Inst *r = map1(OP_sqrt, mul(log_of(mul(u, number(0x1p-24))), number(-2)));
    Inst *turn = top_24_bits(angle);
    Inst *quadrant = shift(L_shr, add(turn, word(1 << 21)), 22);
    Inst *rest = subtract(turn, shift(L_shl, quadrant, 22));
    Inst *a = mul(map_convert(rest, T_F32), number(6.28318530717958648 * 0x1p-24));
    out[0] = mul(r, sine_at(a, add(quadrant, word(1))));
    out[1] = mul(r, sine_at(a, quadrant));
}

/* ---- The functions ------------------------------------------------------------- */

static MathFunction *begin(int nparams, ValueType type, bool vector)
{
    MathFunction *f = NEW(MathFunction);
    f->nparams = nparams;
    for (int i = 0; i < nparams; i++) {
        f->param[i] = NEW(Inst);
        f->param[i]->op = L_parameter;
        f->param[i]->integer = i;
        f->param[i]->type = vector ? type + (V_VF32 - V_F32) : type;
    }
    return f;
}

static Inst *map_of(Op op, Inst *x)
{
    switch (op) {
    case OP_exp: return exp_of(x, NULL);
    case OP_log: return log_of(x);
    case OP_tanh: return tanh_of(x);
    case OP_logistic: return logistic_of(x);
    case OP_softplus: return softplus_of(x);
    case OP_sin: return sine_of(x, 0);
    case OP_cos: return sine_of(x, 1);
    case OP_erf: return erf_of(x);
    default: return NULL;
    }
}

static MathFunction *end(MathFunction *f, Region *before, int nresults)
{
    f->nresults = nresults;
    loop_into(before);
    return f;
}

MathFunction *math_map(Op op, bool vector)
{
    MathFunction *f = begin(1, V_F32, vector);
    Region *before = loop_into(&f->body);
    f->result[0] = map_of(op, f->param[0]);
    end(f, before, 1);
    return f->result[0] ? f : NULL;
}

MathFunction *math_pow(double exponent, bool vector)
{
    MathFunction *f = begin(1, V_F32, vector);
    Region *before = loop_into(&f->body);
    f->result[0] = power_of(f->param[0], exponent);
    return end(f, before, 1);
}

MathFunction *math_philox(bool vector)
{
    MathFunction *f = begin(6, V_I32, vector);
    Region *before = loop_into(&f->body);
    for (int i = 0; i < 4; i++)
        f->result[i] = f->param[i];
    for (uint32_t round = 0; round < 10; round++)
        philox_round(f->result, f->param + 4, round);
    return end(f, before, 4);
}

MathFunction *math_uniform(bool vector)
{
    MathFunction *f = begin(1, V_I32, vector);
    Region *before = loop_into(&f->body);
    f->result[0] = uniform_of(f->param[0]);
    return end(f, before, 1);
}

MathFunction *math_normal(bool vector)
{
    MathFunction *f = begin(2, V_I32, vector);
    Region *before = loop_into(&f->body);
    normal_pair(f->param[0], f->param[1], f->result);
    return end(f, before, 2);
}
