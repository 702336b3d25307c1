"""Entropy and mutual information of continuous samples, from distances to near neighbors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree
from scipy.special import digamma, gammaln

from isoflop.errors import DataError
from isoflop.measures.neighbors import TREE_DIMENSIONS, joint_counts, neighbor_distances
from isoflop.measures.samples import Floats, as_labels, as_samples, pairs_of, squared_distances


def kozachenko_leonenko_entropy(points: ArrayLike, *, neighbors: int = 5) -> float:
    """ĥ(X) = ψ(n) − ψ(k) + log c_d + (d/n) Σᵢ log ρᵢ, with c_d = π^(d/2) / Γ(1 + d/2), in nats.

    points: (samples, dimensions), or (samples,) for one dimension; ρᵢ is the Euclidean distance from point i to its
    k-th neighbor. Raises DataError for too few samples and for points repeated more than ``neighbors`` times (their
    ρ is 0). Kozachenko and Leonenko 1987; in this form in Butakov et al. 2024 (arXiv 2305.08013).
    """
    return float(_entropy_terms(points, neighbors).mean())


def kozachenko_leonenko_information(x: ArrayLike, y: ArrayLike, *, neighbors: int = 5) -> float:
    """I(X; Y) = h(X) + h(Y) − h(X, Y), each by :func:`kozachenko_leonenko_entropy`, in nats.

    x: (samples, dimensions of X); y: (samples, dimensions of Y). The biases of the three entropies do not cancel, so
    the scale of X against Y matters, and in tens of dimensions the answer is nonsense: compress first.
    """
    return float(kozachenko_leonenko_terms(x, y, neighbors=neighbors).mean())


def kozachenko_leonenko_terms(x: ArrayLike, y: ArrayLike, *, neighbors: int = 5) -> Floats:
    """The terms, one a sample, whose mean is :func:`kozachenko_leonenko_information`; shape (samples,)."""
    first, second = _joint(x, y, neighbors)
    both = np.concatenate((first, second), axis=1)
    return (
        _entropy_terms(first, neighbors) + _entropy_terms(second, neighbors) - _entropy_terms(both, neighbors)
    )  # fmt: skip


def kraskov_information(x: ArrayLike, y: ArrayLike, *, neighbors: int = 5) -> float:
    """I(X; Y) = ψ(k) + ψ(n) − ⟨ψ(n_x + 1) + ψ(n_y + 1)⟩, in nats.

    x: (samples, dimensions of X); y: (samples, dimensions of Y). n_x counts the points nearer to xᵢ, in the maximum
    norm, than the k-th neighbor of (xᵢ, yᵢ) is in the joint space; so the scales of the neighborhoods agree and most
    of the bias cancels. It still cannot tell more than about log n nats. Above 6,000 samples the mean is over a random
    part of them, all of them being neighbors. Kraskov, Stögbauer and Grassberger 2004, algorithm 1.
    """
    return float(kraskov_terms(x, y, neighbors=neighbors).mean())


def kraskov_terms(x: ArrayLike, y: ArrayLike, *, neighbors: int = 5) -> Floats:
    """The terms whose mean is :func:`kraskov_information`, one a sample that is looked at."""
    first, second = _joint(x, y, neighbors)
    counts = joint_counts(first, second, neighbors)
    told: Floats = digamma(neighbors) + digamma(len(first)) - digamma(counts[0]) - digamma(counts[1])
    return told


def label_information(points: ArrayLike, labels: ArrayLike, *, neighbors: int = 5) -> float:
    """I(Z; Y) = ψ(n) + ⟨ψ(kᵢ) − ψ(n_{yᵢ}) − ψ(mᵢ)⟩ of points and their classes, in nats.

    points: (samples, dimensions); labels: (samples,). kᵢ is ``neighbors``, or less in a class with fewer samples;
    n_{yᵢ} counts the samples of the class, mᵢ the points of any class, with the point itself, nearer to zᵢ than its
    kᵢ-th neighbor in its own class. Classes of one sample are left out. Ross 2014 (PLoS ONE 9, e87357).
    """
    return float(label_terms(points, labels, neighbors=neighbors).mean())


def label_terms(points: ArrayLike, labels: ArrayLike, *, neighbors: int = 5) -> Floats:
    """The terms whose mean is :func:`label_information`, one a sample of a class of two or more."""
    table = _table(points, neighbors)
    codes = as_labels(labels, len(table))
    sizes = np.bincount(codes)
    keep = sizes[codes] > 1
    table, codes = table[keep], codes[keep]
    radius, used = np.empty(len(table)), np.empty(len(table))
    for each in np.unique(codes):
        own = np.flatnonzero(codes == each)
        k = min(neighbors, len(own) - 1)
        radius[own] = neighbor_distances(table[own], k)[:, -1]
        used[own] = k
    counts = _within(table, radius)
    told: Floats = digamma(len(table)) + digamma(used) - digamma(sizes[codes]) - digamma(counts)
    return told


def _within(table: Floats, radius: Floats) -> Floats:
    """How many points are nearer to each than its radius, the point itself among them."""
    reach = np.nextafter(radius, 0)
    if table.shape[1] < TREE_DIMENSIONS:
        found = cKDTree(table).query_ball_point(table, reach, return_length=True, workers=-1)
        return np.maximum(np.asarray(found, dtype=np.float64), 1)
    table = table - table.mean(axis=0)
    counts = np.empty(len(table))
    for start in range(0, len(table), 512):
        rows = slice(start, start + 512)
        squares = squared_distances(table[rows], table)
        counts[rows] = (squares < (reach[rows, None] * (1 - 1e-9)) ** 2).sum(axis=1)
    return np.maximum(counts, 1)


def _entropy_terms(points: ArrayLike, neighbors: int) -> Floats:
    table = _table(points, neighbors)
    samples, dimensions = table.shape
    reach = neighbor_distances(table, neighbors)[:, -1]
    if not reach.all():
        raise DataError(
            f"{int((reach == 0).sum())} points coincide with {neighbors} others or more, so their density is "
            "infinite; add noise to the representation or drop the copies"
        )
    ball = dimensions / 2 * math.log(math.pi) - gammaln(dimensions / 2 + 1)
    told: Floats = digamma(samples) - digamma(neighbors) + ball + dimensions * np.log(reach)
    return told


def _table(points: ArrayLike, neighbors: int) -> Floats:
    table = as_samples(points)
    if neighbors < 1 or len(table) <= neighbors:
        raise DataError(f"{len(table)} samples have no {neighbors}-th neighbor; give more samples or ask for fewer")
    return table


def _joint(x: ArrayLike, y: ArrayLike, neighbors: int) -> tuple[Floats, Floats]:
    first, second = pairs_of(x, y)
    return _table(first, neighbors), _table(second, neighbors)
