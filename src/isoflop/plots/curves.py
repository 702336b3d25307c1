"""Training curves, told apart by their schedule or any other word in the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.plots.style import LINES, legend, legend_above, log_axis, plain, shades
from isoflop.runs import Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_MOST_POINTS = 2_000  # of one curve; more are averaged, as the screen would
_MOST_KINDS = 12  # that are told apart; further ones share a color
_FEW_KINDS = 5  # whose names fit beside the curves
_COLUMN = 2.4  # inches of a column of names above them
_ALONG = ("step", "D", "S", "C")


def training_curves(runs: Runs, axes: Axes, *, by: str = "schedule", along: str = "") -> Axes:
    """Loss of each run against its steps or tokens, one line style and color for each value of the column ``by``.

    along: the column across; by default the first of step, D, S and C that the table has. Curves of more than 2,000
    points are shown by means of neighboring points.
    Raises DataError where a column is missing or no run has two points.
    """
    names = runs.text(by)
    across = along or next((name for name in _ALONG if name in runs.frame.columns), "")
    if not across:
        raise DataError(f"{runs.source} has neither steps nor tokens to draw curves along; name them (--column step=…)")
    x, loss, codes = runs[across], runs["loss"], runs.run_codes()
    ink = shades(axes)
    kinds = list(dict.fromkeys(names))
    named: set[str] = set()
    drawn = 0
    for rows in _rows_of_runs(codes):
        kept = rows[np.isfinite(x[rows]) & np.isfinite(loss[rows]) & (x[rows] > 0) & (loss[rows] > 0)]
        if len(kept) < 2:
            continue
        kind = names[kept[0]]
        place = min(kinds.index(kind), _MOST_KINDS)
        color, line = ink.muted, LINES[0]
        if place < _MOST_KINDS:
            turn, color_of = divmod(place, len(ink.series))
            color, line = ink.series[color_of], LINES[(place + turn) % len(LINES)]
        label = (plain(kind) or "unknown") if place < _MOST_KINDS else f"{len(kinds) - _MOST_KINDS} others"
        order = kept[np.argsort(x[kept], kind="stable")]
        axes.plot(
            *_thinned(x[order], loss[order]),
            color=color,
            linestyle=line,
            linewidth=1.3,
            label=None if label in named else label,
        )
        named.add(label)
        drawn += 1
    if not drawn:
        raise DataError(f"no run of {runs.source} has two points, so there is no curve to draw; give a run column")
    log_axis(axes.xaxis, across)
    log_axis(axes.yaxis, "loss", label=f"loss ({runs.loss_unit})")
    if len(named) > _FEW_KINDS:
        figure = axes.get_figure(root=True)
        width = _COLUMN if figure is None else float(figure.get_figwidth())
        legend_above(axes, columns=max(2, int(width / _COLUMN)))
    else:
        legend(axes, loc="upper right")
    return axes


def _rows_of_runs(codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most 2,000 points, each the mean of as many neighbors."""
    together = -(-len(x) // _MOST_POINTS)
    if together == 1:
        return x, y
    starts = np.arange(0, len(x), together)
    counts = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / counts, np.add.reduceat(y, starts) / counts
