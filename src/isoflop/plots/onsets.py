"""The onset map: how far each task has risen at each checkpoint, and where it rises in every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import input_axis, name_rows, plain, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.tracking import Tracking

_MOST = 40  # tasks, the earliest


def onset_map(result: Tracking, axes: Axes) -> Axes:
    """Tasks by checkpoints of the largest model: the share of its gain over guessing, 0 to 1, tasks in order of onset.

    A mark is the onset in one model; the larger the model, the darker.
    """
    from matplotlib import colormaps

    from isoflop.validation.tracking import log_places

    ink, curves = shades(axes), result.curves
    found = sorted(
        (each for each in result.onsets if each.rises and each.model == result.reference), key=lambda each: each.x.value
    )[:_MOST]
    m = curves.models.index(result.reference)
    there = np.isfinite(curves.scores[m]).any(axis=0)
    places = log_places(curves.x)[there]
    edges = np.exp(np.concatenate([[places[0]], (places[1:] + places[:-1]) / 2, [places[-1]]]))
    gain = np.array(
        [
            (curves.scores[m, curves.tasks.index(each.task)][there] - each.start) / (each.final - each.start)
            for each in found
        ]
    )
    if len(found):
        shown = axes.pcolormesh(
            edges, np.arange(len(found) + 1) - 0.5, np.clip(gain, 0, 1), cmap="cividis", vmin=0, vmax=1, rasterized=True
        )
        bar = axes.figure.colorbar(shown, ax=axes, pad=0.01)
        bar.set_label("share of the gain", color=ink.ink)
        bar.ax.tick_params(color=ink.ink, labelcolor=ink.ink)
    ramp = colormaps["Greys"](np.linspace(0.15, 0.95, len(curves.models)))
    for row, each in enumerate(found):
        for place, model in enumerate(curves.models):
            one = result.onset(model, each.task)
            if one.rises:
                axes.plot(
                    [one.x.value],
                    [row],
                    "o",
                    markersize=5,
                    color=ramp[place],
                    markeredgecolor="white",
                    markeredgewidth=0.6,
                    clip_on=False,  # onsets at the last checkpoint lie on the frame
                )
    input_axis(axes.xaxis, curves.by, np.exp(places))
    axes.set_xlim(edges[0], edges[-1])
    name_rows(axes, [plain(each.task) for each in found])
    axes.set_title("marks: onsets, the larger the model the darker", loc="left", fontsize="small", color=ink.ink)
    return axes
