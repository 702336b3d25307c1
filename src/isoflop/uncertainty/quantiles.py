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
    moved = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    finite = np.isfinite(moved)
    found = np.full((len(ends), *moved.shape[1:]), np.nan)
    some = finite.any(axis=0)
    if some.any():
        kept = np.where(finite, moved, np.nan)[:, some]
        found[:, some] = np.nanquantile(kept, ends, axis=0)
    return found
