"""Scores of tasks through their losses: what was measured, the curve with its bands, and the forecast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import LINES, MARKERS, dots, legend, plain, shades
from isoflop.room import MOST_TASKS
from isoflop.uncertainty.scatter import new_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.downstream import Downstream

_POINTS = 120


def score_against_loss(answers: Mapping[str, Downstream], axes: Axes) -> Axes:
    """Score against the task's loss of each checkpoint, the second law with its band, and the forecast with both
    intervals: across that of the loss, upwards that of the score.

    The dark band is the curve's, the light one that of a new run at a loss that is known. The first four tasks.
    """
    ink = shades(axes)
    for place, (name, each) in enumerate(list(answers.items())[:MOST_TASKS]):
        color, second, level = ink.series[place % len(ink.series)], each.second, each.score.level
        link = second.estimate.law.input_names[0]
        runs = second.estimate.require_runs()
        ends = [each.loss.loss.value, each.loss.loss.low, each.loss.loss.high, *second.estimate.data.ranges[link]]
        known = [end for end in ends if np.isfinite(end)]
        loss = np.linspace(min(known), max(known), _POINTS)
        dots(axes, runs[link], runs[each.response], colors=color, marker=MARKERS[place])
        drawn = second.estimate.law.value({key: draws[:, None] for key, draws in second.draws.items()}, {link: loss})
        if len(drawn):
            tails = [(1 - level) / 2, (1 + level) / 2]
            for band, alpha in ((drawn, 0.3), (new_runs(second, drawn), 0.12)):
                axes.fill_between(loss, *np.quantile(band, tails, axis=0), color=color, alpha=alpha, linewidth=0)
        axes.plot(loss, second.estimate.predict({link: loss}), color=color, linestyle=LINES[place], linewidth=1.6)
        told, score = each.loss.loss, each.score
        axes.errorbar(
            [told.value],
            [score.value],
            xerr=[[told.value - told.low], [told.high - told.value]],
            yerr=[[score.value - score.low], [score.high - score.value]],
            color=color,
            marker=MARKERS[place],
            markersize=7,
            markerfacecolor=ink.paper,  # a forecast is hollow, measurements are full
            markeredgecolor=color,
            capsize=3,
            linewidth=1.5,
            zorder=5,
            label=plain(name),
        )
    axes.plot([], [], linestyle="none", label=f"bars: forecast, {100 * level:g}% intervals")
    first = next(iter(answers.values()))
    axes.set_xlabel(f"loss of the task ({first.loss.unit})")
    axes.set_ylabel(first.response.replace("_", " "))
    legend(axes)
    return axes
