"""The smallest x whose response is within delta of the best, with the interval from tests of every size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval
from isoflop.validation.level_scatter import Scatter
from isoflop.validation.levels import Levels

Floats = NDArray[np.float64]


def smallest_near_best(
    levels: Levels, scatter: Scatter, fitted: Floats, *, delta: float, lower: bool, level: float
) -> Interval:
    """min{x_k : max_j m_j − m_k ≤ δ} of the means m, with more being better unless ``lower``.

    The value is that of ``fitted``, the means under the order of their shape. The interval ends at measured x. Low end:
    the smallest x at which "within δ" is not rejected (Bonferroni over the sizes that it is compared with). High end:
    from the best size downwards, the last at which "δ or more behind some size" is rejected for every other size. Each
    side has (1 − level)/2. NaN ends without an estimate of scatter.
    """
    sign = -1.0 if lower else 1.0
    ideal = sign * fitted
    value = int(np.flatnonzero(ideal >= ideal.max() - delta)[0])
    count = len(levels.x)
    if not scatter.known or count < 2:
        return Interval(float(levels.x[value]), np.nan, np.nan, level)
    mean, tail = sign * levels.mean, (1 - level) / 2
    error = scatter.pair_errors()
    behind = mean[None, :] - mean[:, None] - delta  # how much further than δ size j is ahead of size k, [k, j]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(behind == 0, 0.0, behind / error)
    apart = ~np.eye(count, dtype=bool)
    farther = (ratio > -special.stdtrit(scatter.freedom, tail / (count - 1))) & apart
    within = (ratio < special.stdtrit(scatter.freedom, tail)) | ~apart
    low = int(np.flatnonzero(~farther.any(1))[0]) if not farther.any(1).all() else value
    high, best = count - 1, int(ideal.argmax())
    for k in range(best, -1, -1):
        if not within[k].all():
            break
        high = k
    return Interval(float(levels.x[value]), float(levels.x[min(low, value)]), float(levels.x[max(high, value)]), level)


def turning_point(levels: Levels, scatter: Scatter, at: int, *, up: bool, level: float) -> Interval:
    """x of the lowest mean (``up``) or the highest, from the smallest to the largest x at which it may lie.

    An x is left out where some other mean lies beyond its own, at 1 − level with Bonferroni's correction. at: where the
    fitted means turn.
    """
    sign = -1.0 if up else 1.0
    mean = sign * levels.mean
    error = scatter.pair_errors()
    beyond = mean[None, :] - mean[:, None] > -error * special.stdtrit(scatter.freedom, (1 - level) / (len(mean) - 1))
    possible = levels.x[~beyond.any(1)]
    here = float(levels.x[at])
    return Interval(here, min(here, float(possible.min())), max(here, float(possible.max())), level)
