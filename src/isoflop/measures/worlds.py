"""Samples whose mutual information is known exactly, as many and as wide as those that are measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, ndtri

from isoflop.errors import DataError
from isoflop.measures.samples import Floats, Ints

_KNOTS = 48

# Draws X and Y of a world: a strength that is about the information in nats, and a seed.
Draw = Callable[[float, int], tuple[Floats, Floats, float]]


@dataclass(frozen=True)
class World:
    """A world of known information.

    name: in words. draw: (strength, seed) → X, Y and the exact information in nats, which grows with the strength.
    """

    name: str
    draw: Draw


def gaussian_world(samples: int, dimensions: tuple[int, int]) -> World:
    """Gaussian pairs: m = min(d_x, d_y) coordinates correlated with ρ² = 1 − exp(−2I / m), the others not."""

    def draw(nats: float, seed: int) -> tuple[Floats, Floats, float]:
        return *_normal_pairs(samples, dimensions, nats, np.random.default_rng(seed)), nats

    return World("Gaussian pairs", draw)


def margins_world(x: Floats, y: Floats) -> World:
    """Gaussian pairs, mixed by the correlations inside X and Y, their coordinates pushed to the samples' own margins.

    Both maps are invertible, so that the information stays exact; heavy tails, skewness and clusters of single
    coordinates are those of the samples.
    """
    mixes = [_mixing(side) for side in (x, y)]
    quantiles = [np.sort(side, axis=0) for side in (x, y)]

    def draw(nats: float, seed: int) -> tuple[Floats, Floats, float]:
        pair = _normal_pairs(len(x), (x.shape[1], y.shape[1]), nats, np.random.default_rng(seed))
        first, second = (_with_margins(side @ mix, own) for side, mix, own in zip(pair, mixes, quantiles, strict=True))
        return first, second, nats

    return World("pairs with these margins", draw)


def symmetric_world(samples: int, dimensions: tuple[int, int]) -> World:
    """Gaussian pairs whose Y has a random sign in every coordinate: no correlation, yet information.

    I = I(ρ) + E log ½(1 + exp(−2ρxy / (1 − ρ²))) a pair, by Gauss-Hermite quadrature.
    """
    shared = min(dimensions)

    def draw(strength: float, seed: int) -> tuple[Floats, Floats, float]:
        rng = np.random.default_rng(seed)
        nats = _strength_of(strength / shared) * shared
        x, y = _normal_pairs(samples, dimensions, nats, rng)
        return x, y * rng.choice([-1.0, 1.0], y.shape), shared * _symmetric(nats / shared)

    return World("pairs without correlation", draw)


def label_world(sizes: Ints, dimensions: int) -> World:
    """Classes of these sizes as unit Gaussians with random centers; I(Z; Y) in nats by a mean over exact densities."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    entropy = -sum(share * math.log(share) for share in sizes / sizes.sum())

    def draw(nats: float, seed: int) -> tuple[Floats, Floats, float]:
        rng = np.random.default_rng(seed)
        centers = rng.standard_normal((len(sizes), dimensions))
        scale = _center_scale(centers, sizes, min(nats, 0.999 * entropy))
        points = scale * centers[codes] + rng.standard_normal((codes.size, dimensions))
        return points, codes.astype(np.float64), _class_information(scale * centers, sizes)

    return World("Gaussian classes", draw)


def _normal_pairs(
    samples: int, dimensions: tuple[int, int], nats: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    shared = min(dimensions)
    x, y = (rng.standard_normal((samples, each)) for each in dimensions)
    square = -math.expm1(-2 * max(nats, 0.0) / shared)
    y[:, :shared] = math.sqrt(square) * x[:, :shared] + math.sqrt(1 - square) * y[:, :shared]
    return x, y


def _mixing(table: Floats) -> Floats:
    """A factor of the correlations of the coordinates' normal scores, (dimensions, dimensions)."""
    scores = ndtri((np.argsort(np.argsort(table, axis=0), axis=0) + 0.5) / len(table))
    correlation = np.corrcoef(scores.T).reshape(table.shape[1], -1)
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 1e-9))).T)


def _with_margins(scores: Floats, quantiles: Floats) -> Floats:
    """Coordinates through the samples' quantile functions, monotone and smooth between 48 knots of the normal score.

    A function through every sample would have a density with a step at each, finer than neighbors are apart.
    """
    scores = scores / scores.std(axis=0)
    count = len(quantiles)
    knots = np.linspace(ndtri(0.5 / count), -ndtri(0.5 / count), _KNOTS)
    told = np.empty_like(scores)
    for column in range(scores.shape[1]):
        values = np.interp(ndtr(knots) * count - 0.5, np.arange(count), quantiles[:, column])
        # a flat piece would make samples coincide
        values += 1e-6 * np.ptp(values) * (knots - knots[0])
        curve = PchipInterpolator(knots, values)
        inside = np.clip(scores[:, column], knots[0], knots[-1])
        slope = np.where(scores[:, column] > 0, values[-1] - values[-2], values[1] - values[0]) / (knots[1] - knots[0])
        told[:, column] = curve(inside) + slope * (scores[:, column] - inside)
    return told


@cache
def _nodes() -> tuple[Floats, Floats]:
    points, weights = np.polynomial.hermite_e.hermegauss(96)
    return points, weights / weights.sum()


@cache
def _symmetric(nats: float) -> float:
    """Information of one pair with a random sign, whose information without it would be ``nats``."""
    square = -math.expm1(-2 * nats)
    if square <= 0:
        return 0.0
    if square > 1 - 1e-12:
        return nats - math.log(2)
    points, weights = _nodes()
    x, y = points[:, None], math.sqrt(square) * points[:, None] + math.sqrt(1 - square) * points
    other = np.logaddexp(0.0, -2 * math.sqrt(square) * x * y / (1 - square)) - math.log(2)
    return max(0.0, nats + float((weights[:, None] * weights * other).sum()))


@cache
def _strength_of(nats: float) -> float:
    """The information without signs of a pair that has ``nats`` with them."""
    low, high = 0.0, nats + 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _symmetric(middle) < nats else (low, middle)
    return 0.5 * (low + high)


def _class_information(centers: Floats, sizes: Ints, *, draws: int = 20_000) -> float:
    rng = np.random.default_rng(7)
    share = sizes / sizes.sum()
    codes = rng.choice(len(sizes), draws, p=share)
    points = centers[codes] + rng.standard_normal((draws, centers.shape[1]))
    squares = (points**2).sum(axis=1)[:, None] + (centers**2).sum(axis=1) - 2 * points @ centers.T
    logs = np.log(share) - 0.5 * squares
    posterior = logs[np.arange(draws), codes] - np.logaddexp.reduce(logs, axis=1)
    return float(posterior.mean() - (share * np.log(share)).sum())


def _center_scale(centers: Floats, sizes: Ints, nats: float) -> float:
    if nats <= 0:
        return 0.0
    low, high = 0.0, 1.0
    while _class_information(high * centers, sizes, draws=2_000) < nats and high < 1e3:
        high *= 2
    for _ in range(20):
        middle = 0.5 * (low + high)
        below = _class_information(middle * centers, sizes, draws=2_000) < nats
        low, high = (middle, high) if below else (low, middle)
    return 0.5 * (low + high)


def ties(table: Floats) -> float:
    """The largest share of the samples that have one value in one coordinate: 0.5 for units off half the time."""
    most = 0
    for column in table.T:
        _, counts = np.unique(column, return_counts=True)
        most = max(most, int(counts.max()))
    return 0.0 if most == 1 else most / len(table)


def tail_index(table: Floats) -> float:
    """The smallest Hill index over coordinates and sides, from the largest 2 % of distances to the median.

    Below 2 the variance is infinite. A Gaussian reads 5 or more. Raises DataError for fewer than 50 samples.
    """
    if len(table) < 50:
        raise DataError(f"{len(table)} samples have no tail; 50 are needed")
    count = max(10, len(table) // 50)
    distance: NDArray[np.float64] = np.sort(np.abs(table - np.median(table, axis=0)), axis=0)
    largest, threshold = distance[-count:], distance[-count - 1]
    usable = threshold > 0
    if not usable.any():
        return math.inf
    excess = np.log(largest[:, usable] / threshold[usable]).mean(axis=0)
    return float(1 / excess.max()) if excess.max() > 0 else math.inf
