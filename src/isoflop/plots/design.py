"""Where the runs are: model size against tokens, with lines of equal compute; or the loss against the one input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.plots.style import AXES, dots, legend, log_axis, ramp, shades, size_bar
from isoflop.runs import Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


def design(runs: Runs, axes: Axes, *, ringed: Sequence[int] = ()) -> Axes:
    """N against D of every row, colored by the loss, over faint lines of equal 6ND, one a decade.

    Without N or D: the loss against the first input that the table has. Rows without positive, finite values are left
    out, as no logarithm shows them. ringed: numbers of rows that are marked, outliers. Raises IsoflopError where the
    table has neither inputs nor a loss.
    """
    have = [name for name in AXES if name in runs.frame.columns]
    if "N" in have and "D" in have:
        return _plane(runs, axes, ringed)
    if not have or "loss" not in runs.frame.columns:
        raise IsoflopError(f"{runs.source} has no inputs with a loss to draw; name its columns with --column")
    x, loss = runs[have[0]], runs["loss"]
    good = _positive(x) & _positive(loss)
    dots(axes, x[good], loss[good], colors=shades(axes).series[0])
    _ring(axes, x, loss, good & np.isin(runs.rows, list(ringed)))
    log_axis(axes.xaxis, have[0])
    log_axis(axes.yaxis, "loss", label=f"loss ({runs.loss_unit})")
    return axes


def _plane(runs: Runs, axes: Axes, ringed: Sequence[int]) -> Axes:
    from matplotlib.colors import LogNorm

    ink = shades(axes)
    n, d = runs["N"], runs["D"]
    good = _positive(n) & _positive(d)
    colored = "loss" in runs.frame.columns and bool((good & _positive(runs["loss"])).any())
    if colored:
        loss = runs["loss"]
        good &= _positive(loss)
        # 2 % off both ends: one run that diverged would take all the colors
        low, high = np.quantile(loss[good], [0.02, 0.98])
        norm = LogNorm(low, high if high > low else low * 1.1)
        colors = ramp("cividis", dark=ink.dark)
        dots(axes, d[good], n[good], colors=colors(norm(loss[good])))
        size_bar(axes, norm, colors, label=f"loss ({runs.loss_unit})", reading="plain")
    else:
        dots(axes, d[good], n[good], colors=ink.series[0])
    _ring(axes, d, n, good & np.isin(runs.rows, list(ringed)))
    log_axis(axes.xaxis, "D")
    log_axis(axes.yaxis, "N")
    isocompute(axes)
    return axes


def _ring(axes: Axes, x: Floats, y: Floats, which: NDArray[np.bool_]) -> None:
    if not which.any():
        return
    axes.scatter(
        x[which],
        y[which],
        s=70,
        facecolors="none",
        edgecolors=shades(axes).series[1],
        linewidths=1.4,
        zorder=5,
        label=f"{int(which.sum())} odd {'row' if which.sum() == 1 else 'rows'}",
    )
    legend(axes, loc="lower right")


def isocompute(axes: Axes, *, named: bool = True) -> None:
    """Faint lines of equal 6ND on axes of D (across) and N (up), at most one a decade, named at the upper end."""
    from isoflop.plots.ticks import scientific

    ink = shades(axes)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    exponents = np.arange(np.ceil(np.log10(6 * left * low)), np.floor(np.log10(6 * right * high)) + 1)
    for exponent in exponents[:: max(1, len(exponents) // 6)]:
        total = 10.0**exponent / 6
        x = np.geomspace(max(left, total / high), min(right, total / low), 2)
        axes.plot(x, total / x, color=ink.faint, linewidth=0.8, zorder=0)
        where = np.log(x[0] / left) / np.log(right / left), np.log(total / x[0] / low) / np.log(high / low)
        at_top = where[1] > 0.98 and 0.06 < where[0] < 0.94
        at_left = where[0] < 0.02 and 0.1 < where[1] < 0.9
        if named and (at_top or at_left):  # the lines fall to the right, so there is room above them at the left
            axes.annotate(
                scientific(10.0**exponent),
                (x[0], total / x[0]),
                xytext=(7, -9) if at_top else (5, 1),
                textcoords="offset points",
                fontsize="x-small",
                color=ink.muted,
                zorder=1,
            )
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)


def _positive(values: Floats) -> NDArray[np.bool_]:
    return np.isfinite(values) & (values > 0)
