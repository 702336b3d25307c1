/* Objectives: value, slope and curvature by residual, and the normal equations that they make with a Jacobian.
 * The formulas are those of isoflop.fitting.objective, one enumerator for each class that names itself here. */
#ifndef ISOFLOP_OBJECTIVE_H
#define ISOFLOP_OBJECTIVE_H

#include "arithmetic.h"

typedef enum { HUBER, SQUARES, STUDENT_T } ObjectiveKind;

/* df, constant: of a Student-t. outer: the share of the reweighted curvature that is kept where its own vanishes. */
typedef struct { int32_t kind, fits_scale; double df, constant, outer; } Objective;

/* Sums over rows: value, gradient (k) and curvature (k, k), k counting a fitted scale. */
typedef struct { double value, *slope, *curvature; } Normal;

/* slope[i], curvature[i] and, for a fitted scale, mixed[i] of n residuals, which they are given in place of slope. */
ISOFLOP_CLONES
static void add_residuals(const Objective *objective, int n, const double *restrict weight, double scale, int newton,
                          double *restrict slope, double *restrict curvature, double *restrict mixed, double *restrict sums)
{
    double total = 0.0, scale_slope = 0.0, scale_curvature = 0.0;
    if (objective->kind == HUBER) {
        double keep = newton ? objective->outer : 1.0;
#pragma omp simd reduction(+ : total)
        for (int i = 0; i < n; i++) {
            double r = slope[i], size = fabs(r), inner = size < scale ? size : scale;
            double pull = weight[i] * (scale / (size > scale ? size : scale));
            total += weight[i] * (inner * (size - 0.5 * inner));
            slope[i] = r * pull;
            curvature[i] = size <= scale ? pull : keep * pull;
        }
    } else if (objective->kind == SQUARES) {
#pragma omp simd reduction(+ : total)
        for (int i = 0; i < n; i++) {
            double r = slope[i];
            total += weight[i] * r * r;
            slope[i] = 2.0 * weight[i] * r;
            curvature[i] = 2.0 * weight[i];
        }
    } else {
        double df = objective->df, precision = exp(-2.0 * scale), base = scale + objective->constant;
        for (int i = 0; i < n; i++) {
            double r = slope[i], squared = r * r * precision, sum = df + squared;
            double pull = (df + 1.0) / sum * weight[i], own = pull * (df - squared) / sum;
            total += weight[i] * (0.5 * (df + 1.0) * log1p(squared / df) + base);
            slope[i] = pull * r * precision;
            if (newton) curvature[i] = (own > objective->outer * pull ? own : objective->outer * pull) * precision;
            else curvature[i] = pull * precision;
            mixed[i] = -2.0 * df * pull * r * precision / sum;
            scale_slope += weight[i] - pull * squared;
            scale_curvature += 2.0 * df * pull * squared / sum;
        }
    }
    sums[0] += total, sums[1] += scale_slope, sums[2] += scale_curvature;
}

/* sum of a[i] b[i] */
ISOFLOP_INLINE double inner_product(int n, const double *restrict a, const double *restrict b)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* into[j] += sum of a[i] vectors[j][i], four sums side by side: one alone waits for its own additions. */
ISOFLOP_INLINE void add_inner_products(int n, int many, const double *restrict a, const double *const *vectors, double *restrict into)
{
    int j = 0;
    for (; j + 4 <= many; j += 4) {
        const double *restrict b = vectors[j], *restrict c = vectors[j + 1], *restrict d = vectors[j + 2], *restrict e = vectors[j + 3];
        double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0;
#pragma omp simd reduction(+ : first, second, third, fourth)
        for (int i = 0; i < n; i++) {
            double own = a[i];
            first += own * b[i], second += own * c[i], third += own * d[i], fourth += own * e[i];
        }
        into[j] += first, into[j + 1] += second, into[j + 2] += third, into[j + 3] += fourth;
    }
    for (; j < many; j++) into[j] += inner_product(n, a, vectors[j]);
}

/* Adds J p to the gradient and J diag(c) Jᵀ to the lower triangle of the curvature, for a Jacobian of n_free rows. */
ISOFLOP_CLONES
static void add_products(int n_free, int k, int n, const double *const *jacobian, const double *slope,
                         const double *curvature, const double *mixed, double *restrict weighted, Normal *into)
{
    add_inner_products(n, n_free, slope, jacobian, into->slope);
    for (int a = 0; a < n_free; a++) {
        const double *row = jacobian[a];
        for (int i = 0; i < n; i++) weighted[i] = curvature[i] * row[i];
        add_inner_products(n, a + 1, weighted, jacobian, into->curvature + a * k);
        if (mixed != NULL) into->curvature[n_free * k + a] += inner_product(n, mixed, row);
    }
}

#endif
