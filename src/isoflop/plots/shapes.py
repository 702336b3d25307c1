"""Responses along x by group, with the ordered means that their shapes imply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import LINES, MARKERS, input_axis, legend, plain, shades
from isoflop.room import MOST_GROUPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.shape_audit import ShapeAudit


def shapes_along(audit: ShapeAudit, axes: Axes) -> Axes:
    """Means with one standard error over x, the means under the order of the shape as a line, the smallest x within
    delta of the best as a ring; of the first response, its first groups.

    A shape that cannot be told has no line.
    """
    ink = shades(axes)
    rows = audit.of(audit.responses[0])[:MOST_GROUPS]
    for place, each in enumerate(rows):
        color, marker = ink.series[place % len(ink.series)], MARKERS[place % len(MARKERS)]
        levels, scatter = each.levels, each.tests.scatter
        error = scatter.sd / np.sqrt(scatter.precision) if scatter.known else np.zeros(len(levels.x))
        axes.errorbar(
            levels.x, levels.mean, yerr=error, color=color, marker=marker, markersize=5, linestyle="none",
            capsize=2, linewidth=1, label=plain(f"{levels.group}: {each.shape}"),
        )  # fmt: skip
        if each.shape != "cannot be told":
            axes.plot(levels.x, each.fitted, color=color, linestyle=LINES[place % len(LINES)], linewidth=1.4)
        at = int(np.flatnonzero(levels.x == each.near.value)[0])
        axes.plot(
            [levels.x[at]], [levels.mean[at]], marker="o", markersize=12, markerfacecolor="none",
            markeredgecolor=color, linestyle="none",
        )  # fmt: skip
    input_axis(axes.xaxis, audit.x, np.concatenate([each.levels.x for each in rows]))
    axes.set_ylabel(plain(audit.responses[0].replace("_", " ")))
    legend(axes)
    return axes
