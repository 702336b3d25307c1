"""Capability or density of models against their dates, with the line of the 90 % quantile and the running best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import LINES, dots, legend, log_axis, plain, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from isoflop.planning.capability.index import Capability, Trend


def index_by_date(result: Capability, axes: Axes) -> Axes:
    """The index of each model with its interval against its date, record holders marked, and both lines.

    Models stand in order of their index where fewer than three have a date.
    """
    ink, scores = shades(axes), result.scores
    value = np.array([each.value for each in result.index])
    ends = np.array([[each.value - each.low, each.high - each.value] for each in result.index]).T
    dated = result.trend is not None
    x = scores.year if dated else np.argsort(np.argsort(value)).astype(float)
    there = np.isfinite(x)
    bars = np.clip(np.nan_to_num(ends[:, there]), 0, None)
    axes.errorbar(x[there], value[there], yerr=bars, fmt="none", ecolor=ink.muted, elinewidth=0.7, zorder=1)
    dots(axes, x[there], value[there], colors=ink.series[0], label="models")
    if result.trend is not None:
        found = result.trend.envelope
        rows = list(found.rows)
        dots(axes, x[rows], value[rows], colors=ink.series[1], marker="D", label="running best")
        lines_of(axes, result.trend, np.array([np.nanmin(scores.year), np.nanmax(scores.year)]))
    axes.set_xlabel("year" if dated else "models in order")
    axes.set_ylabel("capability index (logits of an average benchmark)")
    legend(axes)
    return axes


def lines_of(axes: Axes, trend: Trend, years: NDArray[np.float64], *, exponential: bool = False) -> None:
    """The line of the 90 % quantile, and that through the running best from its first model on."""
    ink, found = shades(axes), trend.envelope
    later = np.maximum(years, found.start)
    drawn = (
        (years, trend.base + trend.slope.value * years, LINES[0], "90 % quantile"),
        (later, found.line(later), LINES[1], "line of the running best"),
    )
    for x, y, style, label in drawn:
        axes.plot(x, np.exp(y) if exponential else y, color=ink.ink, linewidth=1.3, linestyle=style, label=label)


def density_by_date(result: Capability, axes: Axes) -> Axes:
    """Density of each model against its date, record holders marked, and both exponentials."""
    ink, density = shades(axes), result.density
    assert density is not None and density.trend is not None
    value = np.array([each.value for each in density.ratio])
    there = np.isfinite(result.scores.year) & np.isfinite(value)
    year, found = result.scores.year, density.trend.envelope
    dots(axes, year[there], value[there], colors=ink.series[0], label="models")
    rows = list(found.rows)
    dots(axes, year[rows], value[rows], colors=ink.series[1], marker="D", label="running best")
    lines_of(axes, density.trend, np.array([np.nanmin(year), np.nanmax(year)]), exponential=True)
    log_axis(axes.yaxis, "", label=f"density (effective {plain(density.by)} / {plain(density.by)})")
    axes.set_xlabel("year")
    legend(axes)
    return axes
