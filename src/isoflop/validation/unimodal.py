"""Weighted least squares under an order: rising, falling, or one turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def monotone_fit(mean: Floats, weight: Floats, *, rising: bool) -> Floats:
    """argmin Σ w(ȳ − m)² over m that never falls, or never rises, (sizes,)."""
    from scipy.optimize import isotonic_regression  # half a second to import, which few commands need

    return np.asarray(isotonic_regression(mean, weights=weight, increasing=rising).x, dtype=np.float64)


def unimodal_fit(mean: Floats, weight: Floats, *, up: bool) -> tuple[Floats, int]:
    """argmin Σ w(ȳ − m)² over m that falls and then rises (``up``), or the reverse, (sizes,), and where it turns."""
    best, at, least = mean, 0, np.inf
    for turn in range(1, len(mean) + 1):  # the first ``turn`` means on one side
        left = monotone_fit(mean[:turn], weight[:turn], rising=not up)
        right = monotone_fit(mean[turn:], weight[turn:], rising=up) if turn < len(mean) else mean[turn:]
        both = np.concatenate([left, right])
        error = float((weight * (mean - both) ** 2).sum())
        if error < least * (1 - 1e-12):
            best, least = both, error
            at = int(both.argmin() if up else both.argmax())
    return best, at
