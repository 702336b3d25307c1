"""I(X; Z | Y) of a representation made stochastic by noise, between two bounds of a Gaussian mixture's entropy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from isoflop.errors import DataError
from isoflop.measures.samples import Floats, as_labels, as_samples, squared_distances

_ROWS = 512


_DRAWS = 4


@dataclass(frozen=True)
class MixtureBounds:
    """An information in nats with its lower and upper bound, and the most that so many samples can show.

    value: by drawing noise. ceiling: Σ p(y) log n_y; near to it every sample stands alone at this noise.
    """

    value: float
    lower: float
    upper: float
    ceiling: float


def conditional_information(points: ArrayLike, labels: ArrayLike, *, noise: float, seed: int = 0) -> MixtureBounds:
    """I(X; Z | Y), Z = f(X) + noise · N(0, I), as Σ_y p(y) of each class's information, in nats.

    points: f(x), (samples, dimensions); labels: (samples,). The value is h(Z | Y) − h(noise) with the entropy of the
    mixture of Gaussians about the samples, by a mean over drawn noise. The upper bound is
    −⟨log ⟨exp(−‖zᵢ − zⱼ‖² / 2σ²)⟩ⱼ⟩ᵢ
    (pairwise Kullback-Leibler divergences), the lower the same with 8σ² (Chernoff's, Kolchinsky and Tracey 2017).
    Used for the generalization gap by Kawaguchi et al. 2023 (arXiv 2305.18887).
    """
    table = as_samples(points)
    codes = as_labels(labels, len(table))
    parts = [
        (np.mean(codes == each), mixture_information(table[codes == each], noise=noise, seed=seed))
        for each in range(codes.max() + 1)
    ]
    value, lower, upper, ceiling = (
        float(sum(share * getattr(each, name) for share, each in parts))
        for name in ("value", "lower", "upper", "ceiling")
    )
    return MixtureBounds(value, lower, upper, ceiling)


def mixture_information(points: ArrayLike, *, noise: float, seed: int = 0) -> MixtureBounds:
    """I(X; Z) of Z = f(X) + noise · N(0, I) for equally likely samples; see :func:`conditional_information`."""
    if not (noise > 0 and np.isfinite(noise)):
        raise DataError(f"noise of {noise:g} makes the information infinite or 0; give a finite one above 0")
    table = as_samples(points, least=1)
    table = table - table.mean(axis=0)
    samples = len(table)
    rng, totals, drawn = np.random.default_rng(seed), np.zeros(2), 0.0
    for start in range(0, samples, _ROWS):
        squares = squared_distances(table[start : start + _ROWS], table)
        totals += [_log_mean(squares / (width * noise**2)) for width in (8, 2)]
        for _ in range(_DRAWS):
            given = rng.standard_normal((len(squares), table.shape[1])) * noise
            moved = squared_distances(table[start : start + _ROWS] + given, table)
            drawn += (_log_mean(moved / (2 * noise**2)) + float((given**2).sum()) / (2 * noise**2)) / _DRAWS
    lower, upper = -totals / samples
    # the mean over draws may leave the bounds by its scatter, the information cannot
    value = float(np.clip(-drawn / samples, lower, upper))
    return MixtureBounds(value, float(lower), float(upper), float(np.log(samples)))


def _log_mean(exponents: Floats) -> float:
    return float((logsumexp(-exponents, axis=1) - np.log(exponents.shape[1])).sum())


def gaussian_channel_information(variances: ArrayLike, *, noise: float) -> float:
    """½ Σ log(1 + sⱼ² / σ²): I(X; Z) exactly, for Gaussian f(X) of these variances along its principal axes."""
    spread = np.asarray(variances, dtype=np.float64)
    return float(0.5 * np.log1p(np.maximum(spread, 0.0) / noise**2).sum())
