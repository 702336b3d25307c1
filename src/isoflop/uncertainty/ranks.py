"""Correlation of ranks, and how likely chance alone makes it as large."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special

Floats = NDArray[np.float64]


def ranks(values: Floats) -> Floats:
    """The rank of each value, from 1; ties have the mean of their ranks, (values,)."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[codes.reshape(-1)])


def spearman(one: Floats, two: Floats) -> float:
    """Correlation of ranks, ties at their mean; NaN where one of them does not vary."""
    a, b = ranks(one), ranks(two)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def p_positive(correlation: float, count: int) -> float:
    """P(ρ̂ ≥ ρ) without any association, by Student's t of ρ·√((n − 2)/(1 − ρ²)); NaN for fewer than four pairs."""
    if count < 4 or not math.isfinite(correlation):
        return math.nan
    if abs(correlation) >= 1 - 1e-12:
        return 1 / math.factorial(min(count, 20)) if correlation > 0 else 1.0
    return float(special.stdtr(count - 2, -correlation * math.sqrt((count - 2) / (1 - correlation**2))))
