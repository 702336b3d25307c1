"""IsoFLOP curves: at each budget the runs, the parabola through them, and its minimum with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.plots.style import LINES, MARKERS, dots, legend, log_axis, shades, size_bar, size_colors
from isoflop.units import format_by_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.parabolas import Parabolas

Floats = NDArray[np.float64]


def isoflop_curves(found: Parabolas, axes: Axes) -> Axes:
    """Loss against N at each budget, the parabola in log N, its minimum with its own interval, and N* ∝ C^a.

    found: of :func:`isoflop.planning.parabolas.parabolas`. A budget whose minimum is not bracketed is dotted and has no
    minimum. An interval that reaches beyond the runs ends at the edge of the picture.
    """
    ink = shades(axes)
    budgets = np.array([profile.budget for profile in found.profiles])
    norm, colors = size_colors(axes, budgets)
    log_axis(axes.xaxis, "N")
    log_axis(axes.yaxis, "", label=f"loss ({found.unit})")
    for place, profile in enumerate(found.profiles):
        color = colors(norm(profile.budget))
        dots(axes, profile.n, profile.loss, colors=color, marker=MARKERS[place % len(MARKERS)])
        x = np.log(profile.n)
        grid = np.linspace(x.min(), x.max(), 80)
        parabola = np.polynomial.Polynomial.fit(x, profile.loss, 2)
        axes.plot(np.exp(grid), parabola(grid), color=color, linewidth=1.2, linestyle="-" if profile.bracketed else ":")
    edges = axes.get_xlim()
    kept = [profile for profile in found.profiles if profile.bracketed]
    bottoms = [profile.loss_best for profile in kept]
    a = found.exponent_a
    axes.plot(
        [profile.n_best for profile in kept],
        bottoms,
        marker="D",
        markersize=5,
        linestyle="none",
        markerfacecolor=ink.series[1],
        markeredgecolor=ink.paper,
        zorder=5,
        label="minimum of the parabola",
    )
    intervals = [profile.minimum(level=a.level) for profile in kept]
    axes.hlines(
        bottoms,
        [each.low for each in intervals],
        [each.high for each in intervals],
        color=ink.series[1],
        linewidth=2.5,
        zorder=4,
        label=f"its {100 * a.level:g}% interval",
    )
    axes.plot(
        [found.n_at(profile.budget).value for profile in kept],
        bottoms,
        color=ink.ink,
        linewidth=1.2,
        linestyle=LINES[1],
        zorder=4,
        label=rf"$N^*\propto C^{{{format_by_interval(a.value, a.low, a.high)}}}$",
    )
    axes.set_xlim(edges)
    legend(axes)
    size_bar(axes, norm, colors, label="training compute C (FLOPs)", reading="power")
    return axes
