"""Correlation of ranks, and how likely chance alone makes it as large."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special

Floats = NDArray[np.float64]


class Ranks:
    """Ranks of a column among any of its rows, ties at their mean, without sorting it again."""

    def __init__(self, values: Floats) -> None:
        distinct, self._codes = np.unique(values, return_inverse=True)
        self._codes = self._codes.reshape(-1)
        self._count = len(distinct)

    def among(self, rows: NDArray[np.bool_] | slice = slice(None)) -> Floats:
        """Of the rows that are kept, all where none are named, (kept,)."""
        codes = self._codes[rows]
        counts = np.bincount(codes, minlength=self._count)
        return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[codes])


def spearman(one: Floats, two: Floats) -> float:
    """Correlation of ranks, ties at their mean; NaN where one of them does not vary."""
    a, b = Ranks(one).among(), Ranks(two).among()
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
