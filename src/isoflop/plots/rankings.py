"""The ranking of recipes at every scale, with the share of pairs that is decided as at the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import MARKERS, input_axis, plain, ramp, shades
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.decisions import DecisionAudit


def ranking_by_scale(audit: DecisionAudit, axes: Axes) -> Axes:
    """Rank of each recipe (1 is the best) over x, for the first response; above each scale its decision accuracy.

    Colors are those of the ranking at the target; recipes that were not measured there are muted.
    """
    ink = shades(axes)
    response = audit.responses[0]
    means, less = audit.means[response], audit.lower[0]
    scales = [*(each.scale for each in audit.of(response)), audit.target]
    ranks: dict[str, dict[float, int]] = {name: {} for name in means}
    for scale in scales:
        there = sorted(
            (name for name in means if scale in means[name]),
            key=lambda name: means[name][scale] if less else -means[name][scale],
        )
        for rank, name in enumerate(there, 1):
            ranks[name][scale] = rank
    final = sorted((name for name in means if audit.target in means[name]), key=lambda name: ranks[name][audit.target])
    ordered = ramp("viridis", dark=ink.dark)(np.linspace(0, 1, max(len(final), 2)))
    for name, of in ranks.items():
        at = final.index(name) if name in final else -1
        color = ordered[at] if at >= 0 else ink.muted
        if len(final) <= len(ink.series) and at >= 0:
            color = ink.series[at]
        x = [scale for scale in scales if scale in of]
        axes.plot(x, [of[scale] for scale in x], color=color, marker=MARKERS[at % len(MARKERS)], linewidth=1.4)
    input_axis(axes.xaxis, audit.x, np.array(scales))
    axes.set_ylabel(f"rank by {plain(response.replace('_', ' '))} (1 is best)")
    count = max(len(means), 2)
    axes.set_ylim(count + 0.5, -0.1)
    axes.set_yticks(range(1, count + 1, max(1, count // 12)))
    for each in audit.of(response):
        axes.annotate(
            f"{100 * each.accuracy.value:.0f}%", (each.scale, 0.35), ha="center", fontsize="small", color=ink.ink
        )
    axes.set_title(
        f"above: decision accuracy, the share of pairs in the order of {audit.x} = {format_quantity(audit.target)}",
        loc="left",
        fontsize="small",
        color=ink.ink,
    )
    right = axes.secondary_yaxis("right")
    right.set_yticks([ranks[name][audit.target] for name in final], [plain(name) for name in final], fontsize="small")
    right.tick_params(color=ink.ink, labelcolor=ink.ink)
    return axes
