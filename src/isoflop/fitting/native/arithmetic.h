/* Elementwise operations on rows, written so that a compiler turns each loop into vector instructions.
 *
 * Nothing here relies on -ffast-math: NaN and infinity travel as they do in NumPy. exp and log are our own because the C
 * library's cannot be vectorized portably; both are within two units in the last place. */
#ifndef ISOFLOP_ARITHMETIC_H
#define ISOFLOP_ARITHMETIC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* One binary for every processor of an architecture: the loops below are compiled again for AVX2 and AVX-512, and the
 * loader takes the best. Without fused multiply-add, so that every row comes out with the same bits; sums over rows are
 * added in another order by each. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define ISOFLOP_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ISOFLOP_CLONES
#endif

/* What is called from such a loop has to become part of it: compiled by itself it is that of the least processor. */
#if defined(__GNUC__)
#define ISOFLOP_INLINE static inline __attribute__((always_inline))
#else
#define ISOFLOP_INLINE static inline
#endif

typedef enum {
    OP_ADD, OP_MULTIPLY, OP_MINIMUM, OP_MAXIMUM, OP_POWER, OP_GREATER_EQUAL,
    OP_LOG, OP_EXP, OP_LOG1P, OP_EXPM1, OP_ABSOLUTE, OP_SIGN, OP_RECIPROCAL, OP_SQRT, OP_SQUARE,
    OP_LGAMMA, OP_DIGAMMA,
    OP_ROOT, OP_SUM
} Operation;

ISOFLOP_INLINE double from_bits(uint64_t bits) { double x; memcpy(&x, &bits, sizeof x); return x; }
ISOFLOP_INLINE uint64_t to_bits(double x) { uint64_t bits; memcpy(&bits, &x, sizeof bits); return bits; }

/* exp(x) = 2^k exp(r), |r| <= ln2/2, by Taylor's polynomial of degree 13 (remainder 4e-18). 2^k is applied in two
 * halves, so that results below the smallest normal number come out right. */
ISOFLOP_INLINE double exp_one(double x)
{
    const double shift = 0x1.8p52, ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;
    double inside = x < -750.0 ? -750.0 : x > 710.0 ? 710.0 : x;
    double k = (inside * 0x1.71547652b82fep0 + shift) - shift;
    double r = (inside - k * ln2_high) - k * ln2_low;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * (r * r) + r;
    double half = (k * 0.5 + shift) - shift, rest = k - half;
    double first = from_bits((to_bits(half + shift) + 1023) << 52), second = from_bits((to_bits(rest + shift) + 1023) << 52);
    double result = (p + 1.0) * first * second;
    result = x > 709.782712893384 ? INFINITY : result;
    return x != x ? x : result;
}

/* log(2^e m) by the method of FreeBSD's e_log.c: m in [sqrt(1/2), sqrt(2)), s = f/(2 + f), an odd polynomial in s. */
ISOFLOP_INLINE double log_one(double x)
{
    double scaled = x < 0x1p-1022 ? x * 0x1p54 : x, moved = x < 0x1p-1022 ? 54.0 : 0.0;
    uint64_t bits = to_bits(scaled);
    double m = from_bits((bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL);
    double e = from_bits((bits >> 52) | 0x4330000000000000ULL) - (0x1p52 + 1023.0) - moved;
    double above = m > 1.4142135623730951 ? 1.0 : 0.0;
    m = above > 0.0 ? m * 0.5 : m;
    e += above;
    double f = m - 1.0, s = f / (2.0 + f), z = s * s, w = z * z;
    double odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    double even = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 +
                  w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    double half_square = 0.5 * f * f, r = odd + even;
    double result = e * 6.93147180369123816490e-01 -
                    ((half_square - (s * (half_square + r) + e * 1.90821492927058770002e-10)) - f);
    result = x == INFINITY ? x : result;
    result = x == 0.0 ? -INFINITY : result;
    return x < 0.0 ? NAN : x != x ? x : result;
}

/* ln Gamma and its derivative on positive numbers; the latter by its recurrence up to 10, and from there by the asymptotic
 * series, whose first term left out is below 1e-16. */
static inline double lgamma_one(double x) { return x < 0.0 ? NAN : lgamma(x); }

static inline double digamma_one(double x)
{
    if (!(x > 0.0)) return x == 0.0 ? -INFINITY : NAN;
    double below = 0.0;
    for (; x < 10.0; x += 1.0) below += 1.0 / x;
    double y = 1.0 / (x * x);
    double series = y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132 -
                    y * (691.0 / 32760 - y * (1.0 / 12)))))));
    return log(x) - 0.5 / x - series - below;
}

static inline double scalar_operation(Operation op, double a, double b)
{
    switch (op) {
    case OP_ADD: return a + b;
    case OP_MULTIPLY: return a * b;
    case OP_MINIMUM: return a < b || a != a ? a : b;
    case OP_MAXIMUM: return a > b || a != a ? a : b;
    case OP_POWER: return pow(a, b);
    case OP_GREATER_EQUAL: return a >= b;
    case OP_LOG: return log(a);
    case OP_EXP: return exp(a);
    case OP_LOG1P: return log1p(a);
    case OP_EXPM1: return expm1(a);
    case OP_ABSOLUTE: return fabs(a);
    case OP_SIGN: return a != a ? a : (double)((a > 0) - (a < 0));
    case OP_RECIPROCAL: return 1.0 / a;
    case OP_SQRT: return sqrt(a);
    case OP_SQUARE: return a * a;
    case OP_LGAMMA: return lgamma_one(a);
    case OP_DIGAMMA: return digamma_one(a);
    default: return NAN;
    }
}

#define UNARY(EXPRESSION) \
    for (int i = 0; i < n; i++) { double a = first[i]; out[i] = (EXPRESSION); } \
    return;
#define BINARY(EXPRESSION) \
    if (!first_alone && !second_alone) for (int i = 0; i < n; i++) { double a = first[i], b = second[i]; out[i] = (EXPRESSION); } \
    else if (first_alone) { double a = *first; for (int i = 0; i < n; i++) { double b = second[i]; out[i] = (EXPRESSION); } } \
    else { double b = *second; for (int i = 0; i < n; i++) { double a = first[i]; out[i] = (EXPRESSION); } } \
    return;

/* out[i] = op(first[i], second[i]) for n rows; an operand that is alone is one number for all of them. */
ISOFLOP_CLONES
static void row_operation(Operation op, int n, const double *restrict first, int first_alone,
                          const double *restrict second, int second_alone, double *restrict out)
{
    if (first_alone && (second == NULL || second_alone)) {
        double value = scalar_operation(op, *first, second == NULL ? 0.0 : *second);
        for (int i = 0; i < n; i++) out[i] = value;
        return;
    }
    switch (op) {
    case OP_ADD: BINARY(a + b)
    case OP_MULTIPLY: BINARY(a * b)
    case OP_MINIMUM: BINARY(a < b || a != a ? a : b)
    case OP_MAXIMUM: BINARY(a > b || a != a ? a : b)
    case OP_POWER: BINARY(pow(a, b))
    case OP_GREATER_EQUAL: BINARY(a >= b ? 1.0 : 0.0)
    case OP_LOG: UNARY(log_one(a))
    case OP_EXP: UNARY(exp_one(a))
    case OP_LOG1P: UNARY(log1p(a))
    case OP_EXPM1: UNARY(expm1(a))
    case OP_ABSOLUTE: UNARY(fabs(a))
    case OP_SIGN: UNARY(a != a ? a : (a > 0 ? 1.0 : 0.0) - (a < 0 ? 1.0 : 0.0))
    case OP_RECIPROCAL: UNARY(1.0 / a)
    case OP_SQRT: UNARY(sqrt(a))
    case OP_SQUARE: UNARY(a * a)
    case OP_LGAMMA: UNARY(lgamma_one(a))
    case OP_DIGAMMA: UNARY(digamma_one(a))
    default: return;
    }
}

#undef UNARY
#undef BINARY
#endif
