"""Rank correlations of measures with a response, each with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.plots.style import name_rows, plain, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.correlation import Correlations

_MOST = 20


def correlations(result: Correlations, axes: Axes) -> Axes:
    """A mark and a line a measure, strongest first; muted where nothing can be told, shaded where all is strong."""
    from isoflop.validation.correlation import STRONG

    ink = shades(axes)
    drawn = result.measures[:_MOST]
    for low, high in ((-1, -STRONG), (STRONG, 1)):
        axes.axvspan(low, high, color=ink.muted, alpha=0.12, linewidth=0)
    axes.axvline(0, color=ink.ink, linewidth=0.8)
    for row, each in enumerate(drawn):
        color = ink.muted if each.strength == "cannot be told" else ink.series[0]
        axes.plot([each.rho.low, each.rho.high], [row, row], color=color, linewidth=1.8, solid_capstyle="butt")
        axes.plot([each.rho.value], [row], "o", color=color, markersize=6)
    axes.set_xlim(-1.03, 1.03)
    name_rows(axes, [each.measure for each in drawn])
    beside = f" beside {', '.join(map(plain, result.given))}" if result.given else ""
    axes.set_xlabel(f"rank correlation with {plain(result.response)}{beside}")
    told = "gray: cannot be told; shaded: strong where the whole interval lies there"
    if len(result.measures) > _MOST:
        told += f"; the strongest {_MOST} of {len(result.measures)}"
    axes.set_title(told, loc="left", fontsize="small", color=ink.ink)
    return axes
