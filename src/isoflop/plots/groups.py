"""Groups of runs compared: their curves with bands and the interval of a crossing; the multiplier along x."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.plots.style import LINES, MARKERS, dots, legend, log_axis, plain, response_label, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.comparison import Comparison

Floats = NDArray[np.float64]

_MOST = 8  # groups that are drawn, the leader among them
_BEYOND = 10.0
_LEAST, _LARGEST = 1e-3, 1e3  # multipliers beyond which the axis is cut


def group_curves(found: Comparison, axes: Axes) -> Axes:
    """Each group's law with its band over its runs, dashed beyond them; the interval of a crossing is shaded."""
    ink = shades(axes)
    curves = found.curves
    grid = curves.grid
    for place, name in _drawn(found):
        color = ink.series[place % len(ink.series)]
        low, value, high = (_within(each, *_limits(found)) for each in found.bands[place])
        inside = grid <= curves.ranges[place, 1]
        axes.fill_between(grid, low, high, color=color, alpha=0.18, linewidth=0)
        style = LINES[place % len(LINES)]
        axes.plot(grid[inside], value[inside], color=color, linewidth=1.6, linestyle=style, label=plain(name))
        axes.plot(grid[~inside], value[~inside], color=color, linewidth=1.0, linestyle=(0, (1.2, 1.6)))
        if not curves.along.optimal:
            runs = found.groups[place].runs
            dots(axes, runs[curves.along.x], runs[found.response], colors=color, marker=MARKERS[place % len(MARKERS)])
    for each in found.lead.crossing.places:
        axes.axvspan(
            each.low or grid[0], each.high or grid[-1], color=ink.muted, alpha=0.2, linewidth=0, label="crossing"
        )
        axes.axvline(each.x, color=ink.ink, linewidth=1.0)
    log_axis(axes.xaxis, curves.along.x)
    if curves.space == "log":
        log_axis(axes.yaxis, "", label=response_label(found.fits[0]))
    else:
        axes.set_ylabel(response_label(found.fits[0]))
    axes.margins(x=0.02)
    legend(axes)
    return axes


def group_multipliers(found: Comparison, axes: Axes) -> Axes:
    """m with f_reference(m·x) = f_group(x) against x, with its interval; where it is not reached there is no line."""
    ink = shades(axes)
    drawn = dict(_drawn(found))
    for place, each in enumerate(found.multipliers, start=1):
        if place not in drawn:
            continue
        color = ink.series[place % len(ink.series)]
        value = np.where((each.value >= _LEAST) & (each.value <= _LARGEST), each.value, np.nan)
        low, high = (np.clip(end, _LEAST, _LARGEST) for end in (each.low, each.high))
        axes.fill_between(each.x, low, high, color=color, alpha=0.18, linewidth=0)
        axes.plot(
            each.x, value, color=color, linewidth=1.6, linestyle=LINES[place % len(LINES)], label=plain(each.group)
        )
    axes.axhline(1.0, color=ink.muted, linewidth=1.0)
    log_axis(axes.xaxis, found.curves.along.x)
    log_axis(axes.yaxis, "", label=f"{found.curves.along.x} of {plain(found.reference)} for the same response (×)")
    inside = [each.value[(each.value >= _LEAST) & (each.value <= _LARGEST)] for each in found.multipliers]
    shown = np.concatenate([[0.5, 2.0], *inside])
    axes.set_ylim(max(_LEAST, shown.min() / 2), min(_LARGEST, shown.max() * 2))
    axes.margins(x=0.02)
    legend(axes)
    return axes


def _limits(found: Comparison) -> tuple[float, float]:
    """Responses beyond which a curve is cut: those of the runs, and ten times their range on both sides."""
    measured = np.concatenate([each.runs[found.response] for each in found.groups])
    low, high = float(np.nanmin(measured)), float(np.nanmax(measured))
    if found.curves.space == "log":
        return low / _BEYOND, high * _BEYOND
    return low - _BEYOND * (high - low), high + _BEYOND * (high - low)


def _within(values: Floats, low: float, high: float) -> Floats:
    """The values, cut at both limits; what is no number stays none."""
    return np.clip(values, low, high)


def _drawn(found: Comparison) -> list[tuple[int, str]]:
    """The reference and those that are best most often at the scale of the headline."""
    scale = next(each for each in found.scales if each.x == found.lead.x)
    order = sorted(range(1, len(found.names)), key=lambda place: -scale.best[place])[: _MOST - 1]
    return [(place, found.names[place]) for place in (0, *sorted(order))]
