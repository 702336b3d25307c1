"""Which runs carry an answer: each one left out, and the few whose removal moves it most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from isoflop.plots.style import LINES, MARKERS, answer_axis, legend_above, name_rows, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.influence import Influence
    from isoflop.validation.removal import Effect

_SAID: Final = {
    "down": "those that hold it up",
    "up": "those that hold it down",
    "outliers": "those off the surface",
}


def runs_left_out(result: Influence, axes: Axes, *, answer: str = "", count: int = 12) -> Axes:
    """The answer with each of the most influential runs left out, strongest first, beside its value and interval.

    answer: its name; the one that the removals were chosen for where none is given. Hollow: the curvature's estimate.
    """
    name = answer or result.decided
    effect = result.effect(name)
    ink = shades(axes)
    _interval(effect, axes, vertical=True)
    chosen = result.strongest(name, count=count)
    for row, run in enumerate(chosen):
        axes.hlines(row, effect.value.value, effect.without[run], color=ink.series[0], linewidth=1.6)
        axes.plot([effect.without[run]], [row], marker="o", color=ink.series[0], linestyle="none", zorder=3)
        if effect.curvature is not None and np.isfinite(effect.curvature[run]):
            axes.plot(
                [effect.curvature[run]],
                [row],
                marker="o",
                markersize=8,
                markerfacecolor="none",
                markeredgecolor=ink.muted,
                linestyle="none",
                label="estimate by curvature" if row == 0 else None,
            )
    name_rows(axes, [f"without {result.labels[run]}" for run in chosen])
    answer_axis(axes.xaxis, effect.answer, result.asked, result.fit)
    legend_above(axes)
    return axes


def removal_paths(result: Influence, axes: Axes) -> Axes:
    """The answer as runs are left out one after another: those that move it most, and those farthest from the surface.

    The dotted line is the number of runs with which chance leaves the interval in this design, to first order.
    """
    from matplotlib.ticker import MaxNLocator

    effect = result.effect(result.decided)
    ink = shades(axes)
    _interval(effect, axes, vertical=False)
    for place, path in enumerate(result.removals):
        if not path.values:
            continue
        steps = np.arange(len(path.values) + 1)
        axes.plot(
            steps,
            [effect.value.value, *path.values],
            color=ink.series[place],
            linestyle=LINES[place],
            marker=MARKERS[place],
            markersize=4,
            linewidth=1.5,
            label=_SAID[path.how],
        )
    axes.axvline(result.usual, color=ink.muted, linewidth=1, linestyle=":", label="out of it by chance")
    axes.set_xlabel(f"runs left out, of {len(result.labels)}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    answer_axis(axes.yaxis, effect.answer, result.asked, result.fit)
    legend_above(axes)
    return axes


def _interval(effect: Effect, axes: Axes, *, vertical: bool) -> None:
    """The answer's value and interval, as a line and a band behind everything."""
    ink = shades(axes)
    value, level = effect.value, effect.value.level
    line, span = (axes.axvline, axes.axvspan) if vertical else (axes.axhline, axes.axhspan)
    if np.isfinite([value.low, value.high]).all():
        span(
            value.low,
            value.high,
            color=ink.muted,
            alpha=0.2,
            linewidth=0,
            label=f"{100 * level:g}% interval of all runs",
        )
    line(value.value, color=ink.ink, linewidth=1.2)
