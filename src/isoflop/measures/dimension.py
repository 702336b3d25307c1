"""Intrinsic dimension from distances to near neighbors, corrected by samples of known dimension."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError
from isoflop.measures.neighbors import neighbor_distances
from isoflop.measures.samples import Floats, as_samples
from isoflop.measures.spectrum import principal_variances

# Samples of a kind: a generator, how many, and of how many dimensions.
Draw = Callable[[np.random.Generator, int, int], Floats]
_FEWEST: Final = 50
_MOST_AHEAD: Final = 6.0  # of the last change; in more than about 20 dimensions fewer samples are hardly farther apart
_FLAT: Final = 1e-6  # variance beyond the leading components that is rounding


@dataclass(frozen=True)
class Dimension:
    """An intrinsic dimension: the estimate as the formula gives it, and corrected for its bias at this n and d.

    raw: the formula's. value: the dimension at which samples of known dimension give ``raw``, the middle of the
    ``references`` that are alike in all directions; low, high: over all references and sampling error. limit: the
    number of principal components that hold the points, which no dimension exceeds.
    """

    raw: float
    value: float
    low: float
    high: float
    level: float
    references: dict[str, float]
    limit: int


def two_nearest_neighbors(points: ArrayLike, *, discard: float = 0.1) -> float:
    """d = −Σ x log(1 − F) / Σ x², x = log(r₂ / r₁): the slope through the origin, without the largest ``discard``.

    points: (samples, dimensions), copies dropped. Facco et al. 2017 (Scientific Reports 7, 12140).
    """
    table = _distinct(points)
    near = neighbor_distances(table, 2)
    ratio = np.sort(np.log(near[:, 1] / near[:, 0]))
    keep = max(2, int(len(ratio) * (1 - discard)))
    share = np.arange(1, len(ratio) + 1) / (len(ratio) + 1)
    x, y = ratio[:keep], -np.log1p(-share[:keep])
    if not (x > 0).any():
        raise DataError("first and second neighbors are equally far everywhere: the points lie on a grid; add noise")
    return float((x * y).sum() / (x * x).sum())


def maximum_likelihood_dimension(points: ArrayLike, *, neighbors: int = 20) -> float:
    """d = (k − 2) / ⟨Σⱼ log(r_k / rⱼ)⟩, j < k: the inverse of the mean inverse, unbiased where density is constant.

    points: (samples, dimensions), copies dropped. Levina and Bickel 2004 with the correction of MacKay and Ghahramani.
    """
    return _likelihood(neighbor_distances(_distinct(points), neighbors))


def intrinsic_dimension(
    points: ArrayLike, *, method: str = "mle", neighbors: int = 20, level: float = 0.9, seed: int = 0
) -> Dimension:
    """The dimension of samples of known dimension, as many as given, that have this estimate: uniform and Gaussian.

    Both formulas are biased low in many dimensions (13 from 3,000 points read 11, 50 read 30), the more the lighter the
    edges of the density and the less even its directions. The references are a uniform cube, a uniform ball and a
    Gaussian; a cube and a Gaussian of d dimensions with the d largest principal variances of the points, since of
    points that are wider in some directions neighbors lie along the wide ones; and d arcs of circles, bent so far that
    their d leading components hold the share of the variance that those of the points hold: in many dimensions no
    neighbor is near, and a bent surface looks like one of more dimensions. What the references disagree about is in
    the interval, and so is where the value goes with more samples: what bends or crowds the points is less within
    nearer neighbors, whose distance falls as n^(−1/d), and a fourth of the samples tells how much. method: ``mle`` or
    ``twonn``. Copies are dropped; the number of principal components that vary is an upper limit.
    """
    table = _distinct(points)
    estimate = _estimator(method, neighbors)
    raw = estimate(table)
    variances = principal_variances(table)
    limit = int((variances > 1e-10 * variances[0]).sum())
    rng = np.random.default_rng(seed)
    error = _sampling_error(table, estimate, rng)
    found: dict[str, float] = {}
    ends: list[float] = []
    from statistics import NormalDist

    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    own = {
        "Gaussian with these variances": _with_variances(_gaussian, variances),
        "cube with these variances": _with_variances(_centered_cube, variances),
        "arcs": _arcs(variances),
    }
    for name, draw in {**_REFERENCES, **own}.items():
        curve = _curve(draw, estimate, raw, len(table), limit, rng)
        if name in own and curve[0][-1] >= limit and curve[1][-1] < raw:
            continue  # such samples have a lower estimate in any dimension: they say nothing of these
        found[name] = _inverse(curve, raw, limit)
        ends += [_inverse(curve, raw * (1 + sign * reach), limit) for sign in (-1, 1)]
    values = sorted(found[name] for name in _REFERENCES)
    value = values[len(values) // 2]
    if len(table) >= 4 * _FEWEST:
        fourth = _of_fourths(table, estimate, limit, rng)
        ahead = value + _ahead(value) * (found["cube"] - fourth)
        ends.append(min(max(ahead, 1.0), float(limit)))
    return Dimension(raw, value, min(ends), max(ends), level, found, limit)


def _of_fourths(table: Floats, estimate: Callable[[Floats], float], limit: int, rng: np.random.Generator) -> float:
    """The dimension of a fourth of the samples by the cube, over four disjoint fourths."""
    order = rng.permutation(len(table))
    raw = float(np.mean([estimate(table[order[part::4]]) for part in range(4)]))
    return _inverse(_curve(_cube, estimate, raw, len(table) // 4, limit, rng), raw, limit)


def _ahead(value: float) -> float:
    """With a bias in proportion to the squared distance of neighbors, n^(−2/d): its rest over its last change.

    Between n/4 and n the bias falls by the factor f = 4^(−2/d), and f/(1 − f) of that change are left.
    """
    factor = 4 ** (-2 / value)
    return min(float(factor / (1 - factor)), _MOST_AHEAD)


def _distinct(points: ArrayLike) -> Floats:
    table = np.unique(as_samples(points), axis=0)
    if len(table) < _FEWEST:
        raise DataError(f"{len(table)} distinct samples have no intrinsic dimension; {_FEWEST} are needed")
    return table


def _likelihood(near: Floats) -> float:
    inverse = np.log(near[:, -1:] / near[:, :-1]).sum(axis=1) / (near.shape[1] - 2)
    mean = float(inverse.mean())
    if mean <= 0:
        raise DataError("all neighbors are equally far: the points lie on a grid; add noise")
    return 1 / mean


def _estimator(method: str, neighbors: int) -> Callable[[Floats], float]:
    match method:
        case "mle":
            return lambda table: _likelihood(neighbor_distances(table, min(neighbors, len(table) // 5)))
        case "twonn":
            return two_nearest_neighbors
    raise DataError(f"{method!r} is no method for the intrinsic dimension; choose mle or twonn")


def _sampling_error(table: Floats, estimate: Callable[[Floats], float], rng: np.random.Generator) -> float:
    """Relative standard error, from disjoint fifths: their scatter is √5 that of the whole, and their n lower."""
    order = rng.permutation(len(table))
    parts = [estimate(table[order[k::5]]) for k in range(5)] if len(table) >= 400 else []
    if not parts:
        return float(np.sqrt(2 / len(table)) + 0.05)
    return float(np.std(parts, ddof=1) / np.mean(parts) / np.sqrt(5))


def _cube(rng: np.random.Generator, samples: int, dimensions: int) -> Floats:
    return rng.random((samples, dimensions))


def _ball(rng: np.random.Generator, samples: int, dimensions: int) -> Floats:
    points = rng.standard_normal((samples, dimensions))
    points /= np.sqrt((points**2).sum(axis=1, keepdims=True))
    return points * rng.random((samples, 1)) ** (1 / dimensions)


def _gaussian(rng: np.random.Generator, samples: int, dimensions: int) -> Floats:
    return rng.standard_normal((samples, dimensions))


def _centered_cube(rng: np.random.Generator, samples: int, dimensions: int) -> Floats:
    return rng.random((samples, dimensions)) - 0.5


def _with_variances(draw: Draw, variances: Floats) -> Draw:
    scales = np.sqrt(np.maximum(variances, 0.0))
    return lambda rng, samples, dimensions: np.asarray(draw(rng, samples, dimensions) * scales[:dimensions])


def _arcs(variances: Floats) -> Draw:
    """Uniform angles between −φ and φ as sine and cosine; φ by the variance beyond the leading components."""
    held = np.cumsum(variances) / variances.sum()

    def draw(rng: np.random.Generator, samples: int, dimensions: int) -> Floats:
        beyond = 1 - held[min(dimensions, len(held)) - 1]
        if beyond < _FLAT:
            return _cube(rng, samples, dimensions)
        opening = _opening(float(beyond))
        angles = rng.uniform(-opening, opening, (samples, dimensions))
        return np.concatenate((np.sin(angles), np.cos(angles)), axis=1)

    return draw


def _opening(beyond: float) -> float:
    """φ whose cosines have this share of the variance of both; π, whole circles, where it is a half or more."""
    if beyond >= _cosines(np.pi):
        return float(np.pi)
    from scipy.optimize import brentq

    return float(brentq(lambda opening: _cosines(opening) - beyond, 1e-3, np.pi))


def _cosines(opening: float) -> float:
    """var cos θ / (var sin θ + var cos θ) of θ uniform between −φ and φ."""
    half = np.sinc(2 * opening / np.pi) / 2
    mean = np.sinc(opening / np.pi)
    return float((0.5 + half - mean**2) / (1 - mean**2))


_REFERENCES: Final[dict[str, Draw]] = {
    "cube": _cube,
    "ball": _ball,
    "Gaussian": _gaussian,
}


def _curve(
    draw: Draw,
    estimate: Callable[[Floats], float],
    raw: float,
    samples: int,
    limit: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Dimensions and what the estimator makes of them, around the one whose estimate is ``raw``."""
    dimensions: list[int] = []
    estimates: list[float] = []
    at = max(1, round(raw))
    for _ in range(6):
        if at in dimensions:
            break
        dimensions.append(at)
        estimates.append(float(np.mean([estimate(draw(rng, samples, at)) for _ in range(2)])))
        if estimates[-1] >= raw * 1.15 or at >= max(limit, 2):
            break
        at = min(max(limit, 2), max(at + 1, round(at * (1.25 * raw / estimates[-1]) ** 1.2)))
    lower = max(1, round(raw * 0.7))
    if lower not in dimensions:
        dimensions.append(lower)
        estimates.append(estimate(draw(rng, samples, lower)))
    order = np.argsort(dimensions)
    return np.array(dimensions, dtype=np.float64)[order], np.maximum.accumulate(np.array(estimates)[order])


def _inverse(curve: tuple[Floats, Floats], raw: float, limit: int) -> float:
    """The dimension whose estimate is ``raw``, on a logarithmic scale; beyond the curve in proportion."""
    dimensions, estimates = curve
    if raw <= estimates[0]:
        found = raw * dimensions[0] / estimates[0]
    elif raw >= estimates[-1]:
        found = raw * dimensions[-1] / estimates[-1]
    else:
        found = float(np.exp(np.interp(np.log(raw), np.log(estimates), np.log(dimensions))))
    return float(min(found, limit))
