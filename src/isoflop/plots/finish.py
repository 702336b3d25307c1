"""A run under way: its losses so far, the curve through them, and its band to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import dots, legend, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.finish import Finish


def run_to_its_end(said: Finish, axes: Axes) -> Axes:
    """Loss against step: measured so far, the annealing law with its band over the steps to come, and the last loss.

    The band is the curve's; the bar at the end also holds the scatter of a single measurement. The first tenth of the
    losses may lie above the picture, since a warm-up would leave no room for what is asked.
    """
    from matplotlib.ticker import FuncFormatter

    from isoflop.plots.ticks import quantity

    ink = shades(axes)
    step, value, low, high = said.curve.T
    measured = said.measured[:, 1]
    ahead = step >= said.seen
    axes.fill_between(step[ahead], low[ahead], high[ahead], color=ink.series[0], alpha=0.25, linewidth=0)
    dots(axes, *said.measured.T, colors=ink.muted, label="losses so far")
    axes.plot(step, value, color=ink.series[0], linewidth=1.6, label="annealing law", zorder=4)
    axes.axvline(said.seen, color=ink.muted, linewidth=1.0, linestyle=(0, (1.2, 1.6)), label="now")
    axes.errorbar(
        [said.end],
        [said.loss.value],
        yerr=[[said.loss.value - said.loss.low], [said.loss.high - said.loss.value]],
        color=ink.series[1],
        marker="D",
        markersize=4,
        capsize=3,
        linestyle="none",
        label=f"last loss, {100 * said.loss.level:g}% interval",
        zorder=5,
    )
    top = max(float(np.quantile(measured, 0.9)), said.loss.high, float(high[ahead].max()))
    bottom = min(float(low[ahead].min()), said.loss.low, float(measured.min()))
    axes.set_ylim(bottom - 0.05 * (top - bottom), top + 0.1 * (top - bottom))
    axes.set_xlim(0, 1.04 * said.end)
    axes.xaxis.set_major_formatter(FuncFormatter(quantity))
    axes.set_xlabel("optimizer steps")
    axes.set_ylabel(f"loss ({said.unit})")
    legend(axes, loc="upper right")
    return axes
