"""An answer as runs are left out one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import LINES, MARKERS, legend, log_axis, shades
from isoflop.validation.influence import Influence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SAID = {
    "down": "each time the run that lowers it most",
    "up": "each time the run that raises it most",
    "outliers": "runs off the surface, the farthest first",
}


def removals(found: Influence, axes: Axes) -> Axes:
    """The decided answer against the number of runs left out, over its interval with all runs."""
    effect = found.effect(found.decided)
    ink = shades(axes)
    axes.axhspan(effect.value.low, effect.value.high, color=ink.faint, alpha=0.6, linewidth=0)
    axes.axhline(effect.value.value, color=ink.muted, linewidth=1)
    most = 1
    for place, each in enumerate(found.removals):
        if each.runs:
            most = max(most, len(each.runs))
            axes.plot(
                np.arange(len(each.runs) + 1),
                [effect.value.value, *each.values],
                marker=MARKERS[place],
                linestyle=LINES[place],
                color=ink.series[place],
                markersize=5,
                label=_SAID[each.how],
            )
    axes.set_xlim(-0.3, most + 0.3)
    axes.set_xlabel(f"runs left out, of {len(found.labels)}")
    if effect.answer.scale == "log":
        log_axis(axes.yaxis, "N", label=f"{effect.answer.name} (parameters)")
    else:
        axes.set_ylabel(effect.answer.name)
    legend(axes)
    return axes
