"""The profile likelihood of one parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.plots.style import legend, log_axis, shades, symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.uncertainty.profile import Profile

Floats = NDArray[np.float64]

_WIDE = 4.0


def profile_likelihood(found: Profile, axes: Axes, *, param: str) -> Axes:
    """2·(ℓ̂ − ℓ) against the parameter, the others at their best; the interval is where it lies below the threshold.

    Dots are the points that were solved. Raises IsoflopError for a parameter that was not profiled.
    """
    if param not in found.curves:
        raise IsoflopError(f"{param!r} was not profiled; there are {', '.join(found.curves)}")
    ink = shades(axes)
    values, deviances = found.curves[param]
    interval = found.intervals[param]
    shown = np.isfinite(values) & (deviances <= 3 * found.threshold)
    values, deviances = values[shown], deviances[shown]
    axes.plot(*_smooth(values, deviances, interval.value), color=ink.ink, linewidth=1.6)
    axes.plot(values, deviances, marker="o", markersize=3.5, linestyle="none", color=ink.ink)
    axes.axhline(
        found.threshold,
        color=ink.series[1],
        linewidth=1.2,
        linestyle=(0, (5, 2)),
        label=f"threshold of {100 * interval.level:g}%",
    )
    for end in (interval.low, interval.high):
        if np.isfinite(end) and end != 0:
            axes.vlines(end, 0, found.threshold, color=ink.series[1], linewidth=1.2)
    low, high = (
        end if np.isfinite(end) and end != 0 else edge
        for end, edge in zip((interval.low, interval.high), (values.min(), values.max()), strict=True)
    )
    axes.axvspan(low, high, color=ink.series[1], alpha=0.1, linewidth=0, label="interval")
    axes.axvline(interval.value, color=ink.muted, linewidth=1, linestyle=":", label="the fit")
    if values.min() > 0 and values.max() / values.min() > _WIDE:
        log_axis(axes.xaxis, "", label=symbol(param))
    else:
        axes.set_xlabel(symbol(param))
    axes.set_ylabel("deviance 2(ℓ̂ − ℓ)")
    axes.set_ylim(0, float(found.threshold) * 1.6)
    legend(axes, loc="upper center")
    return axes


def _smooth(values: Floats, deviances: Floats, center: float) -> tuple[Floats, Floats]:
    """The deviance between the points that were solved: its signed root is nearly straight, and is interpolated."""
    from scipy.interpolate import PchipInterpolator

    distinct = np.unique(values, return_index=True)[1]
    if len(distinct) < 3:
        return values, deviances
    root = np.sign(values - center) * np.sqrt(deviances)
    grid = np.linspace(values.min(), values.max(), 200)
    return grid, PchipInterpolator(values[distinct], root[distinct])(grid) ** 2
