#!/usr/bin/env python3
"""Prints the coefficients of math.c: polynomials (and one quotient) that
minimize the largest relative error, found by Lawson's reweighting of least
squares on Chebyshev points. Needs numpy and mpmath."""
import mpmath as mp
import numpy as np


def chebyshev(lo, hi, n=2000):
    x = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    return lo + (hi - lo) * (x + 1) / 2


def lawson(columns, target, rounds=400):
    """Coefficients c with columns @ c near target, largest error least."""
    weight = np.ones(len(target))
    scale = np.abs(columns).max(axis=0)
    for _ in range(rounds):
        root = np.sqrt(weight)[:, None]
        c = np.linalg.lstsq(columns / scale * root, target * root[:, 0], rcond=None)[0]
        error = np.abs(columns / scale @ c - target)
        weight = weight * (error / error.max() + 1e-3)
        weight /= weight.sum()
    return c / scale, error.max()


def polynomial(name, f, lo, hi, degree, weight=lambda x: 1):
    """sum c[i] x^i near f(x) on [lo, hi], the error times weight(x) least."""
    x = chebyshev(lo, hi)
    f = np.array([float(f(mp.mpf(v))) for v in x])
    w = np.array([float(weight(mp.mpf(v))) for v in x])
    columns = np.stack([x ** i for i in range(degree + 1)], axis=1) * w[:, None]
    show(name, *lawson(columns, f * w))


def quotient(name, f, lo, hi, p, q, weight, scale):
    """P(x) / Q(x) near f(x), P(0) = Q(0) = scale, relative error times weight(f)
    least. The coefficients are rounded one after the other, those left make up
    for it."""
    x = chebyshev(lo, hi)
    f = np.array([float(f(mp.mpf(v))) for v in x])
    w = np.array([weight(v) for v in x])
    powers = [x ** i / f for i in range(1, p + 1)] + [-x ** i for i in range(1, q + 1)]
    below, fixed = np.ones(len(x)), {}
    for i in range(30 + len(powers)):
        free = [j for j in range(len(powers)) if j not in fixed]
        target = 1 - 1 / f - sum(c * powers[j] for j, c in fixed.items())
        columns = np.stack([powers[j] for j in free], axis=1)
        found, error = lawson(columns * (w / below)[:, None], target * w / below, 100)
        c = {**fixed, **dict(zip(free, found))}
        below = 1 + sum(c[p - 1 + k] * x ** k for k in range(1, q + 1))
        if i >= 30:
            fixed[free[-1]] = float(np.float32(c[free[-1]] * scale)) / scale
    for part, indices in ("above", range(p)), ("below", range(p, p + q)):
        show(f"{name} {part}", [scale] + [c[j] * scale for j in indices], error)


def show(name, c, error):
    print(f"{name}: error {error:.1e}")
    print("    " + ", ".join(f"{np.float32(v):.9g}" for v in c))


half_log2 = 0.3466
quarter = 0.8
# exp(r) = 1 + r + r^2 P(r)
polynomial("exp", lambda r: (mp.exp(r) - 1 - r) / r ** 2, -half_log2, half_log2, 4,
           lambda r: r ** 2 / mp.exp(r))
# log(1 + f) = f - f^2 / 2 + f^3 P(f)
polynomial("log", lambda f: (mp.log1p(f) - f + f * f / 2) / f ** 3, -0.2929, 0.4143, 8,
           lambda f: f ** 3 / mp.log1p(f))
# log(1 + t) = t P(t)
polynomial("log1p", lambda t: mp.log1p(t) / t, 0, 1.0001, 10, lambda t: t / mp.log1p(t))
# sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2 / 2 + r^4 P(r^2)
polynomial("sin", lambda s: (mp.sin(mp.sqrt(s)) / mp.sqrt(s) - 1) / s, 0, quarter ** 2, 3,
           lambda s: s)
polynomial("cos", lambda s: (mp.cos(mp.sqrt(s)) - 1 + s / 2) / s ** 2, 0, quarter ** 2, 2,
           lambda s: s ** 2)
# tanh(x / 2) = x / 2 P(x^2) / Q(x^2) = u, s = x^2; tanh(x) = 2 u / (1 + u^2), so
# that an error of u counts less and less as u nears 1; the scale puts the
# terms where float32 is fine
quotient("tanh", lambda s: mp.tanh(mp.sqrt(s) / 2) / mp.sqrt(s) * 2, 0, 9.02 ** 2, 2, 3,
         lambda s: (1 - np.tanh(s ** 0.5 / 2) ** 2) / (1 + np.tanh(s ** 0.5 / 2) ** 2), 1.8125)
# erf(x) = x + x P(x^2) for small x, 1 - exp(t P(t) - t) with t = |x| otherwise
polynomial("erf", lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s) - 1, 0, 0.94 ** 2, 5)
polynomial("erf tail", lambda t: (mp.log(mp.erfc(t)) + t) / t, 0.90, 4.0, 6,
           lambda t: t * mp.erfc(t) / mp.erf(t))
