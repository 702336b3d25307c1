"""Quantiles of draws of which some are no number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def finite_quantiles(values: Floats, ends: Sequence[float], *, axis: int = 0) -> Floats:
    """The quantiles of the finite values along an axis, (ends, …); NaN where none is finite.

    Examples
    --------
    >>> finite_quantiles(np.array([[1.0, np.nan], [3.0, np.inf]]), [0.5])
    array([[ 2., nan]])

    """
    # a sort puts what is no number last, so that the place of a quantile among the finite follows from their count
    moved = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    finite = np.isfinite(moved)
    ordered = np.sort(np.where(finite, moved, np.nan), axis=0)
    last = np.maximum(finite.sum(axis=0) - 1, 0)
    place = np.multiply.outer(np.asarray(ends, dtype=np.float64), last)
    below = np.floor(place).astype(np.intp)
    low = np.take_along_axis(ordered, below, axis=0)
    high = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=0)
    return np.asarray(low + (place - below) * (high - low))
