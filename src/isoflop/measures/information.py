"""Entropy and mutual information of continuous samples, from distances to near neighbors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree
from scipy.special import digamma, gammaln

from isoflop.errors import DataError

Floats = NDArray[np.float64]

# A tree prunes nothing in many dimensions; from here on, all distances by one matrix product are quicker.
_TREE_DIMENSIONS = 12
_BLOCK = 512


def kozachenko_leonenko_entropy(points: ArrayLike, *, neighbors: int = 5) -> float:
    """ĥ(X) = ψ(n) − ψ(k) + log c_d + (d/n) Σᵢ log ρᵢ, with c_d = π^(d/2) / Γ(1 + d/2), in nats.

    points: (samples, dimensions), or (samples,) for one dimension; ρᵢ is the Euclidean distance from point i to its
    k-th neighbor. Raises DataError for too few samples and for points repeated more than ``neighbors`` times (their
    ρ is 0). Kozachenko and Leonenko 1987; in this form in Butakov et al. 2024 (arXiv 2305.08013).
    """
    table = _table(points, neighbors)
    samples, dimensions = table.shape
    reach = _reach(table, neighbors)
    if not reach.all():
        raise DataError(
            f"{int((reach == 0).sum())} points coincide with {neighbors} others or more, so their density is "
            "infinite; add noise to the representation or drop the copies"
        )
    ball = dimensions / 2 * math.log(math.pi) - gammaln(dimensions / 2 + 1)
    return float(digamma(samples) - digamma(neighbors) + ball + dimensions * np.log(reach).mean())


def kozachenko_leonenko_information(x: ArrayLike, y: ArrayLike, *, neighbors: int = 5) -> float:
    """I(X; Y) = h(X) + h(Y) − h(X, Y), each by :func:`kozachenko_leonenko_entropy`, in nats.

    x: (samples, dimensions of X); y: (samples, dimensions of Y). The biases of the three entropies do not cancel, so
    the scale of X against Y matters, and in tens of dimensions the answer is nonsense: compress first.
    """
    both = _joint(x, y, neighbors)
    return (
        kozachenko_leonenko_entropy(both[0], neighbors=neighbors)
        + kozachenko_leonenko_entropy(both[1], neighbors=neighbors)
        - kozachenko_leonenko_entropy(np.concatenate(both, axis=1), neighbors=neighbors)
    )


def kraskov_information(x: ArrayLike, y: ArrayLike, *, neighbors: int = 5) -> float:
    """I(X; Y) = ψ(k) + ψ(n) − ⟨ψ(n_x + 1) + ψ(n_y + 1)⟩, in nats.

    x: (samples, dimensions of X); y: (samples, dimensions of Y). n_x counts the points nearer to xᵢ, in the maximum
    norm, than the k-th neighbor of (xᵢ, yᵢ) is in the joint space; so the scales of the neighborhoods agree and most
    of the bias cancels. It still cannot tell more than about log n nats. Kraskov, Stögbauer and Grassberger 2004,
    algorithm 1.
    """
    both = _joint(x, y, neighbors)
    samples = len(both[0])
    joint = np.concatenate(both, axis=1)
    distances, _ = KDTree(joint).query(joint, neighbors + 1, p=np.inf)
    inside = np.nextafter(distances[:, -1], 0)
    counts = [KDTree(side).query_ball_point(side, inside, p=np.inf, return_length=True) for side in both]
    # The point itself is in the ball, so these counts are n_x + 1 and n_y + 1 already.
    return float(digamma(neighbors) + digamma(samples) - sum(digamma(count).mean() for count in counts))


def _table(points: ArrayLike, neighbors: int) -> Floats:
    table = np.asarray(points, dtype=np.float64)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or not np.isfinite(table).all():
        raise DataError(f"points must be a finite table (samples, dimensions); these have shape {table.shape}")
    if neighbors < 1 or len(table) <= neighbors:
        raise DataError(f"{len(table)} samples have no {neighbors}-th neighbor; give more samples or ask for fewer")
    return table


def _joint(x: ArrayLike, y: ArrayLike, neighbors: int) -> tuple[Floats, Floats]:
    first, second = _table(x, neighbors), _table(y, neighbors)
    if len(first) != len(second):
        raise DataError(f"X has {len(first)} samples and Y {len(second)}; mutual information needs them in pairs")
    return first, second


def _reach(table: Floats, neighbors: int) -> Floats:
    """Euclidean distance from each point to its k-th neighbor, shape (samples,)."""
    if table.shape[1] < _TREE_DIMENSIONS:
        distances, _ = KDTree(table).query(table, neighbors + 1)
        nearest: Floats = distances[:, -1]
        return nearest
    table = table - table.mean(axis=0)  # keeps |x|² + |y|² − 2xy from cancelling
    norms = (table**2).sum(axis=1)
    squares = np.empty(len(table))
    for start in range(0, len(table), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = norms[rows, None] + norms - 2 * table[rows] @ table.T
        squares[rows] = np.partition(block, neighbors, axis=1)[:, neighbors]
    # Rounding leaves the distance between equal points a little off zero, on either side.
    floor = 64 * np.finfo(np.float64).eps * norms
    return np.sqrt(np.where(squares > floor, squares, 0.0))
