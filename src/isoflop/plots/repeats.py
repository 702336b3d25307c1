"""What tokens are worth that are seen again, and where to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import LINES, MARKERS, legend_above, log_axis, shades
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.repeat import Repeat

_LEAST = 64.0  # epochs that are shown at least
_MOST = 1_000.0
_BEYOND = 3.0  # times the last stop


def worth_of_repeats(answers: Sequence[Repeat], axes: Axes) -> Axes:
    """Fresh tokens that would do the same, in multiples of those there are, against epochs, by law, with bands.

    Along the diagonal a repeated token is as good as a new one. Marked: the epochs after which the next is worth less
    than the share that was asked, with their interval.
    """
    ink = shades(axes)
    last = max(each.stop.value for each in answers if math.isfinite(each.stop.value))
    end = float(np.clip(_BEYOND * last, _LEAST, _MOST))
    tops = []
    log_axis(axes.xaxis, "epochs", label=f"epochs over {format_quantity(answers[0].unique)} unique tokens")
    log_axis(axes.yaxis, "", label="effective tokens in unique epochs")
    axes.plot([1, end], [1, end], color=ink.muted, linewidth=1, linestyle=":", label="as unique tokens")
    for place, each in enumerate(answers):
        color, line = ink.series[place % len(ink.series)], LINES[place % len(LINES)]
        epochs, fresh, low, high = each.along[:, each.along[0] <= end]
        if np.isfinite(low).all():
            axes.fill_between(epochs, low, high, color=color, alpha=0.2, linewidth=0)
        name = each.ensemble.estimate.law.name
        axes.plot(epochs, fresh, color=color, linestyle=line, linewidth=1.6)
        axes.plot([], [], color=color, linestyle=line, marker=MARKERS[place], markersize=7, label=name)
        tops.append(np.nanmax(np.where(np.isfinite(high), high, fresh)))
        stop = each.stop
        at = float(np.interp(stop.value, epochs, fresh))
        if stop.value <= end:
            axes.plot([stop.value], [at], marker=MARKERS[place], markersize=8, color=color, linestyle="none", zorder=4)
            if math.isfinite(stop.low):
                axes.hlines(at, stop.low, min(stop.high, end), color=color, linewidth=2.2, zorder=4)
    axes.plot(
        [], [], marker="o", markersize=7, markerfacecolor="none", markeredgecolor=ink.muted, linestyle="none",
        label=f"marginal value below {answers[0].least:g}",
    )  # fmt: skip
    axes.set_xlim(1, answers[0].along[0][answers[0].along[0] <= end][-1])
    axes.set_ylim(0.95, min(end, 1.3 * max(tops)))
    legend_above(axes)
    return axes
