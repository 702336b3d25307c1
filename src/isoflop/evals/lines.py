"""Lines through means over items that all models share, whose sampling errors go together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from isoflop.evals.items import cluster_sums
from isoflop.uncertainty.ensemble import Interval

Floats = NDArray[np.float64]


def mean_covariance(values: Floats, clusters: NDArray[np.int64]) -> Floats:
    """Covariance over clusters of items of the models' means, (M, M), from values (M, I)."""
    _, codes = np.unique(clusters, return_inverse=True)
    sums = cluster_sums(values - values.mean(axis=1, keepdims=True), codes)
    count = sums.shape[1]
    return count / (count - 1) * sums @ sums.T / values.shape[1] ** 2


def log_slope(x: Floats, values: Floats, clusters: NDArray[np.int64], level: float) -> Interval:
    """γ of mean ∝ x^γ: the slope of ln mean in ln x, under the sampling of items and the scatter beyond it."""
    mean = values.mean(axis=1)
    covariance = mean_covariance(values, clusters) / np.outer(mean, mean)
    away = np.log(x) - np.log(x).mean()
    design, target = np.stack([np.ones_like(away), away], axis=1), np.log(mean)
    beyond, freedom = beyond_sampling(design, target, covariance)
    coefficients, spread = solved(design, target, covariance + beyond * np.eye(len(x)))
    slope, half = float(coefficients[1]), quantile(freedom, level) * math.sqrt(spread[1, 1])
    return Interval(slope, slope - half, slope + half, level)


def two_sided(z: float) -> float:
    """P(|Z| > |z|) of a standard normal Z."""
    return math.erfc(abs(z) / math.sqrt(2))


def quantile(freedom: float, level: float) -> float:
    """Student's two-sided quantile; the normal one for infinite freedom."""
    return float(ndtri((1 + level) / 2)) if math.isinf(freedom) else float(stdtrit(freedom, (1 + level) / 2))


def solved(design: Floats, target: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Least squares with equal weights, and the covariance of its coefficients under that of the rates.

    Weights by the estimated errors would draw the line to models whose rates came out too low, because those have the
    smaller errors: with two passes an item the slope is then 3 % too flat.
    """
    solve = np.linalg.pinv(design)
    return solve @ target, solve @ covariance @ solve.T


def beyond_sampling(design: Floats, target: Floats, covariance: Floats) -> tuple[float, float]:
    """τ² from the residuals of ordinary least squares, whose mean square is tr(MΣ)/(n − p) + τ²; and the freedom."""
    count, params = design.shape
    if count <= params:
        return 0.0, math.inf
    keep = np.eye(count) - design @ np.linalg.pinv(design)
    residual = keep @ target
    tau = (float(residual @ residual) - float(np.trace(keep @ covariance))) / (count - params)
    return (tau, float(count - params)) if tau > 0 else (0.0, math.inf)
