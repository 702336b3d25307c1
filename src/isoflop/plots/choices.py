"""One answer under many choices: where each takes it, against the interval of the answer as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import log_axis, shades
from isoflop.validation.sensitivity import Sensitivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def choices(found: Sensitivity, axes: Axes, *, name: str | None = None) -> Axes:
    """An answer (N* where there is one) under every choice, with its interval, over the band of the base.

    Choices that take it out of the band are drawn in another colour.
    """
    answer = found.asked.find(name) if name else found.asked.main
    fitted = [each for each in found.choices if answer.name in each.answers]
    base = found.base[answer.name]
    ink = shades(axes)
    axes.axvspan(base.low, base.high, color=ink.faint, alpha=0.6, linewidth=0)
    axes.axvline(base.value, color=ink.muted, linewidth=1)
    for place, each in enumerate(fitted):
        row = len(fitted) - 1 - place
        own = each.answers[answer.name]
        colour = ink.series[1] if found.outside(each, answer.name) else ink.series[0]
        axes.hlines(row, own.low, own.high, color=colour, linewidth=2)
        axes.plot([own.value], [row], marker="o", markersize=5, color=colour, linestyle="none")
    labels = [f"{each.group}: {each.setting}" for each in fitted]
    axes.set_yticks(np.arange(len(fitted))[::-1], labels, fontsize="small")
    axes.set_ylim(-0.7, len(fitted) - 0.3)
    if answer.scale == "log":
        log_axis(axes.xaxis, "N", label=f"{answer.name}, {answer.meaning}")
    else:
        axes.set_xlabel(f"{answer.name}, {answer.meaning}")
    return axes
