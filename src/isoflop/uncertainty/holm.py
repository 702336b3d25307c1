"""Holm's correction of several p-values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def holm(p: Sequence[float]) -> Floats:
    """max over j ≤ i of min(1, (m − j + 1)·p₍ⱼ₎), in the order of ``p``: p-values corrected by Holm (1979), (tests,).

    NaN, of a test that could not be made, stays and does not count among the m.
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return adjusted
