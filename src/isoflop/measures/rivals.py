"""Rival measures that neighbor estimators are set beside: a Gaussian's information, entropy and information of bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from isoflop.errors import DataError
from isoflop.measures.samples import Floats, Ints, as_labels, as_samples, pairs_of, varying


def gaussian_information(x: ArrayLike, y: ArrayLike) -> float:
    """I(X; Y) = ½ log(|S_x| |S_y| / |S_xy|) without the bias of the sample covariances, in nats.

    x: (samples, dimensions of X); y: (samples, dimensions of Y). Exact in expectation for jointly Gaussian samples,
    since E log|S| is known (digammas of the degrees of freedom); blind to dependence that is not linear.
    Raises DataError where there are not more samples than dimensions.
    """
    first, second = (varying(side, name) for side, name in zip(pairs_of(x, y), ("X", "Y"), strict=True))
    samples, total = len(first), first.shape[1] + second.shape[1]
    if samples <= total + 1:
        raise DataError(
            f"{samples} samples do not determine the covariance of {total} dimensions; give more samples, or fewer "
            "components"
        )
    parts = (first, second, np.concatenate((first, second), axis=1))
    one, other, both = (_log_determinant(each) - _wishart_bias(samples - 1, each.shape[1]) for each in parts)
    return 0.5 * (one + other - both)


def binned_entropy(points: ArrayLike, *, bins: int = 2) -> float:
    """−Σ p log p over the cells of a grid with ``bins`` bins a dimension between least and greatest value, in nats.

    points: (samples, dimensions). The classical baseline: with n samples it cannot exceed log n, and in tens of
    dimensions nearly every sample has a cell of its own, so that it says log n of anything.
    """
    return _entropy_of(_cells(points, bins))


def binned_information(x: ArrayLike, y: ArrayLike, *, bins: int = 2) -> float:
    """H(X) + H(Y) − H(X, Y) of the cells of :func:`binned_entropy`, in nats."""
    first, second = pairs_of(x, y)
    one, other = _cells(first, bins), _cells(second, bins)
    return _entropy_of(one) + _entropy_of(other) - _entropy_of(np.stack((one, other), axis=1))


def binned_label_information(points: ArrayLike, labels: ArrayLike, *, bins: int = 2) -> float:
    """H(Z) + H(Y) − H(Z, Y) of the cells of :func:`binned_entropy` and the classes, in nats."""
    cells = _cells(points, bins)
    codes = as_labels(labels, len(cells))
    return _entropy_of(cells) + _entropy_of(codes) - _entropy_of(np.stack((cells, codes), axis=1))


def _cells(points: ArrayLike, bins: int) -> Ints:
    if bins < 2:
        raise DataError(f"{bins} bins a dimension tell nothing apart; give 2 or more")
    table = varying(as_samples(points))
    low, span = table.min(axis=0), np.ptp(table, axis=0)
    places = np.minimum((bins * (table - low) / span).astype(np.int64), bins - 1)
    _, cells = np.unique(places, axis=0, return_inverse=True)
    return np.asarray(cells, dtype=np.int64).reshape(-1)


def _entropy_of(cells: Ints) -> float:
    _, counts = np.unique(cells, axis=0, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum())


def _log_determinant(table: Floats) -> float:
    sign, value = np.linalg.slogdet(np.cov(table.T).reshape(table.shape[1], -1))
    if sign <= 0 or not np.isfinite(value):
        raise DataError("the points lie in fewer dimensions than they have; take principal components first")
    return float(value)


def _wishart_bias(freedom: int, dimensions: int) -> float:
    """E log|S| − log|Σ| of a sample covariance with so many degrees of freedom."""
    return float(digamma((freedom - np.arange(dimensions)) / 2).sum() + dimensions * np.log(2 / freedom))
