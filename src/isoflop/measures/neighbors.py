"""Distances to near neighbors: by a tree in few dimensions, by chunks of a matrix product in many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from isoflop.measures.samples import Floats

# A tree prunes nothing in many dimensions; from here on, all distances by one matrix product are quicker.
TREE_DIMENSIONS = 12
_CELLS = 4_000_000  # entries of a chunk of the matrix of distances: 32 MB
# Multiplications that one estimate may take where every pair is looked at; beyond, a sample of the points is asked.
_WORK = 4e9


def neighbor_distances(table: Floats, neighbors: int) -> Floats:
    """Euclidean distances from each point to its 1st … k-th neighbor, shape (samples, k); copies are at exactly 0."""
    if table.shape[1] < TREE_DIMENSIONS:
        distances, _ = cKDTree(table).query(table, neighbors + 1, workers=-1)
        return np.asarray(distances[:, 1:], dtype=np.float64)
    table = table - table.mean(axis=0)  # keeps |x|² + |y|² − 2xy from cancelling
    norms = (table**2).sum(axis=1)
    found = np.empty((len(table), neighbors))
    step = max(1, _CELLS // len(table))
    for start in range(0, len(table), step):
        rows = slice(start, start + step)
        block = norms[rows, None] + norms - 2 * table[rows] @ table.T
        nearest = np.partition(block, neighbors, axis=1)[:, : neighbors + 1]
        nearest.sort(axis=1)
        # Rounding leaves the distance between equal points a little off zero, on either side.
        floor = 64 * np.finfo(np.float64).eps * norms[rows, None]
        found[rows] = np.sqrt(np.where(nearest > floor, nearest, 0.0))[:, 1:]
    return found


def joint_counts(x: Floats, y: Floats, neighbors: int, *, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """n_x + 1 and n_y + 1 of Kraskov's first algorithm, one entry a point that was looked at.

    n_x counts the points nearer to xᵢ, in the maximum norm, than the k-th neighbor of (xᵢ, yᵢ) is in the joint space.
    All points are neighbors; where looking at each would take minutes, a random sample of them is looked at.
    """
    samples, dimensions = len(x), x.shape[1] + y.shape[1]
    tree = dimensions <= 10
    limit = 6_000 if tree else max(2_000, int(_WORK / (samples * dimensions)))
    chosen = np.arange(samples)
    if limit < samples:
        chosen = np.sort(np.random.default_rng(seed).choice(samples, limit, replace=False))
    if not tree:
        return _counts_by_pairs(x, y, neighbors, chosen)
    joint = np.concatenate((x, y), axis=1)
    distances, _ = cKDTree(joint).query(joint[chosen], neighbors + 1, p=np.inf, workers=-1)
    inside = np.nextafter(distances[:, -1], 0)
    first, second = (
        cKDTree(side).query_ball_point(side[chosen], inside, p=np.inf, return_length=True, workers=-1)
        for side in (x, y)
    )
    return np.asarray(first), np.asarray(second)


def _counts_by_pairs(
    x: Floats, y: Floats, neighbors: int, chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every pair of a point looked at and any point, in single precision: ties would differ, distances do not."""
    narrow = [np.ascontiguousarray(side.T, dtype=np.float32) for side in (x, y)]
    first, second = np.empty(len(chosen), dtype=np.int64), np.empty(len(chosen), dtype=np.int64)
    step = max(1, _CELLS // len(x))
    for start in range(0, len(chosen), step):
        rows = chosen[start : start + step]
        one, other = (_largest_differences(side, rows) for side in narrow)
        joint = np.maximum(one, other)
        radius = np.partition(joint, neighbors, axis=1)[:, neighbors, None]
        # at least the point itself, which a radius of 0 between copies would leave out
        first[start : start + step] = np.maximum((one < radius).sum(axis=1), 1)
        second[start : start + step] = np.maximum((other < radius).sum(axis=1), 1)
    return first, second


def _largest_differences(columns: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """max over dimensions |xᵢ − xⱼ|, shape (rows, samples)."""
    found = np.zeros((len(rows), columns.shape[1]), dtype=np.float32)
    for column in columns:
        difference = column[rows, None] - column
        np.maximum(found, np.abs(difference, out=difference), out=found)
    return found
