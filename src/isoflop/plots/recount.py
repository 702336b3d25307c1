"""Kaplan against Chinchilla: the local exponent of the optimal size when embeddings are not counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from isoflop.planning.reconcile import KAPLAN
from isoflop.plots.style import LINES, legend_above, log_axis, plain, shades
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.reconcile import Recount

_END = 0.16  # of the axis' width, along which a limit is drawn


def exponents_recounted(answers: Mapping[str, Recount], axes: Axes) -> Axes:
    """g(N_E) = d log N_E*/d log C of each law with its band, both limits, and the slope read over a range of sizes.

    The range, shaded, is that of the first; thick lines are the slopes that a power law fitted over it would show.
    """
    ink = shades(axes)
    low, high = next(iter(answers.values())).sizes
    log_axis(axes.xaxis, "N", label="parameters without embeddings")
    whose = "Kaplan's sizes" if (low, high) == KAPLAN else f"{format_quantity(low)} to {format_quantity(high)}"
    axes.axvspan(low, high, color=ink.muted, alpha=0.15, linewidth=0, label=whose)
    for place, (name, each) in enumerate(answers.items()):
        color, line = ink.series[place % len(ink.series)], LINES[place % len(LINES)]
        n, value, bottom, top = each.curve
        if np.isfinite(bottom).all():
            axes.fill_between(n, bottom, top, color=color, alpha=0.2, linewidth=0)
        axes.plot(n, value, color=color, linestyle=line, linewidth=1.6, label=plain(name))
        for limit, ends in ((each.small, (0.0, _END)), (each.large, (1 - _END, 1.0))):
            axes.axhline(limit.value, *ends, color=color, linestyle=line, linewidth=1.0, alpha=0.7)
        slope = [each.slope.value] * 2
        axes.plot(each.sizes, slope, color=color, linestyle=line, linewidth=3.0, marker="|", markersize=9, zorder=4)
    axes.plot([], [], color=ink.muted, linewidth=3.0, marker="|", markersize=9, label="power law over these")
    axes.plot([], [], color=ink.muted, linewidth=1.0, label="limits (at the edges)")
    n = np.concatenate([each.curve[0] for each in answers.values()])
    axes.set_xlim(n.min(), n.max())
    axes.set_ylabel("exponent of $N_E^*$ in C")
    legend_above(axes)
    return axes
