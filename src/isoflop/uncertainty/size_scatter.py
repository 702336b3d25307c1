"""Whether the scatter of runs depends on their size, and how: the slope of log |residual| on log N."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CLEAR = 2.0  # standard errors from which a slope is one
_STEEPEST = 2.0
_LOWEST = 0.1  # share of the median below which a residual says no more of the noise
_FEWEST = 12


@dataclass(frozen=True)
class SizeScatter:
    """sd(N) ∝ (N/middle)^slope between the sizes ``low`` and ``high`` of the runs, and as at the nearer beyond them.

    error: standard error of the slope.
    """

    slope: float
    error: float
    middle: float
    low: float
    high: float

    def share(self, size: Floats) -> Floats:
        """(N/middle)^slope."""
        return np.asarray((np.clip(size, self.low, self.high) / self.middle) ** self.slope)

    def doubtful_share(self, size: Floats) -> Floats:
        """:meth:`share` times e^(error·|log N/middle|): each size is granted one standard error of the slope."""
        return self.share(size) * np.exp(self.error * np.abs(np.log(np.clip(size, self.low, self.high) / self.middle)))


def size_scatter(residuals: Floats, size: Floats, *, free: int) -> SizeScatter | None:
    """The slope of log |residual| on log N; None where it is within two standard errors of zero, or runs are few.

    The ``free`` smallest residuals are left out, since a fit of as many parameters by nearly absolute deviations passes
    through them, and what is below a tenth of the median counts as that much: a logarithm of almost nothing would
    decide. Few outliers move a logarithm little.

    Examples
    --------
    >>> import numpy as np
    >>> size = np.geomspace(1e7, 1e10, 60)
    >>> noise = np.random.default_rng(0).normal(size=60)
    >>> size_scatter(noise, size, free=5) is None
    True
    >>> round(size_scatter(noise * size**-0.5, size, free=5).slope, 1)
    -0.5
    """
    rows = np.argsort(np.abs(residuals), kind="stable")[free:]
    if len(rows) < _FEWEST or not (np.isfinite(residuals).all() and (size > 0).all()):
        return None
    place = np.log(size[rows])
    across = place - place.mean()
    if np.ptp(place) < 1e-9:
        return None
    far = np.abs(residuals[rows])
    heights = np.log(np.maximum(far, max(_LOWEST * float(np.median(far)), 1e-300)))
    slope = float(across @ heights / (across @ across))
    left = heights - heights.mean() - slope * across
    error = float(np.sqrt(float(left @ left) / (len(rows) - 2) / float(across @ across)))
    if not abs(slope) > _CLEAR * error:
        return None
    steep = float(np.clip(slope, -_STEEPEST, _STEEPEST))
    return SizeScatter(steep, error, float(np.exp(place.mean())), float(size.min()), float(size.max()))
