"""A run under way: its losses so far, the curve through them, and its band to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import dots, legend, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.finish import Finish


def run_to_its_end(said: Finish, axes: Axes) -> Axes:
    """Loss against step, the steps to come shaded by how sure they are."""
    ink = shades(axes)
    step, value, low, high = said.curve.T
    ahead = step >= said.seen
    axes.fill_between(step[ahead], low[ahead], high[ahead], color=ink.series[0], alpha=0.25, linewidth=0)
    dots(axes, *said.measured.T, colours=ink.muted, label="losses so far")
    # the warm-up's losses would leave no room for what is asked
    top = float(np.quantile(said.measured[:, 1], 0.9))
    axes.plot(step, value, color=ink.series[0], linewidth=1.6, label="annealing law", zorder=4)
    axes.errorbar(
        [said.end],
        [said.loss.value],
        yerr=[[said.loss.value - said.loss.low], [said.loss.high - said.loss.value]],
        color=ink.series[1],
        marker="D",
        markersize=4,
        capsize=3,
        label=f"last loss, {100 * said.loss.level:g} % interval",
        zorder=5,
    )
    bottom = min(float(low[ahead].min()), said.loss.low, float(said.measured[:, 1].min()))
    axes.set_ylim(bottom - 0.05 * (top - bottom), top + 0.1 * (top - bottom))
    axes.axvline(said.seen, color=ink.muted, linewidth=0.8, linestyle=(0, (1.2, 1.6)))
    axes.set_xlabel("optimiser steps")
    axes.set_ylabel(f"loss ({said.unit})")
    legend(axes, loc="upper right")
    return axes
