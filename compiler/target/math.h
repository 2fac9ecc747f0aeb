/* Functions that no target has as an instruction, written in the loop IR, so
 * that every back end computes the same bits from the same primitives: fma,
 * add, mul, div, sqrt, comparisons, select and operations on bits. */
#ifndef AECC_MATH_H
#define AECC_MATH_H

#include "loop/loop.h"

/* A region with parameters: a back end binds values to `param` (in
 * Inst.value), walks `body` and takes the values of `result`. */
typedef struct MathFunction {
    int nparams, nresults;
    Inst *param[6], *result[4];
    Region body;
} MathFunction;

/* exp, log, tanh, logistic, softplus, sin, cos, erf, of a vector or scalar;
 * NULL: `op` is a primitive. */
MathFunction *math_map(Op op, bool vector);
MathFunction *math_pow(double exponent, bool vector);
/* param: four words of the counter, two of the key; result: four words. */
MathFunction *math_philox(bool vector);
MathFunction *math_uniform(bool vector);
/* param: words for radius and angle; result: a pair of normal numbers. */
MathFunction *math_normal(bool vector);

#endif
