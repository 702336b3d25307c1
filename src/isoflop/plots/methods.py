"""Three methods' answers to one question, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import MARKERS, log_axis, shades
from isoflop.units import format_by_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.methods import Methods


def methods_compared(methods: Methods, axes: Axes) -> Axes:
    """N* at the budget by each method, with its interval, over the method's name and its exponent a.

    A method without an answer is named and left empty.
    """
    from isoflop.plots.ticks import power

    ink = shades(axes)
    values: list[float] = []
    for place, each in enumerate(methods.methods):
        row = len(methods.methods) - 1 - place
        said = f"{each.name}: no answer from these runs"
        if each.n is not None and each.exponent_a is not None:
            color = ink.series[place % len(ink.series)]
            axes.hlines(row, each.n.low, each.n.high, color=color, linewidth=2.5)
            axes.plot([each.n.value], [row], marker=MARKERS[place], markersize=8, color=color, linestyle="none")
            values += [each.n.value, each.n.low, each.n.high]
            a = each.exponent_a
            told = [format_by_interval(value, a.low, a.high) for value in (a.value, a.low, a.high)]
            said = f"{each.name}: a = {told[0]}" + (f" [{told[1]}, {told[2]}]" if told[1] else "")
        axes.text(
            0.02, row + 0.22, said, transform=axes.get_yaxis_transform(), va="bottom", fontsize="small", color=ink.ink
        )
    log_axis(axes.xaxis, "N", label=f"compute-optimal parameters N* at {power(methods.budget)} FLOPs")
    known = np.array([each for each in values if np.isfinite(each)])
    # a single answer without an interval would leave the axis without a range
    if len(known) and known.max() / known.min() < 1.5:
        axes.set_xlim(known.min() / 1.5, known.max() * 1.5)
    axes.set_ylim(-0.5, len(methods.methods) - 0.3)
    axes.set_yticks([])
    return axes
