"""A fit of groups: one small panel a group, its runs with its law, the shared parameters named above all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.panel import group_table
from isoflop.laws.lists import Lists
from isoflop.plots.canvas import paint
from isoflop.plots.style import dots, log_axis, plain, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.fitting.panel import PanelFit

Floats = NDArray[np.float64]

MOST_PANELS = 12
_COLUMNS = 4
_POINTS = 60


def groups_drawn(panel: PanelFit) -> tuple[int, ...]:
    """Which groups have a panel: all, or twelve from the first to the last."""
    count = len(panel.groups)
    return tuple(dict.fromkeys(np.linspace(0, count - 1, min(count, MOST_PANELS)).round().astype(int).tolist()))


def fitted_panels(panel: PanelFit, axes: Axes) -> Axes:
    """Each group's runs with its law: against the input where there is one, else measured against fitted."""
    ink = shades(axes)
    axes.set_axis_off()
    shown = groups_drawn(panel)
    shared = ", ".join(f"{name} = {value:.4g}" for name, value in panel.shared.items()) or "nothing"
    few = f"; {len(shown)} of {len(panel.groups)} groups" if len(shown) < len(panel.groups) else ""
    axes.set_title(f"shared: {shared}{few}", color=ink.ink, fontsize=9)
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    width, height = 1 / columns, 1 / rows
    response = panel.ready.table.loss
    limits = _limits(response)
    first: Axes | None = None
    for place, number in enumerate(shown):
        row, column = divmod(place, columns)
        box = (column * width + 0.12 * width, 1 - (row + 1) * height + 0.20 * height, 0.86 * width, 0.68 * height)
        small = axes.inset_axes(box, sharex=first, sharey=first)
        first = small if first is None else first
        small.set_facecolor(axes.get_facecolor())
        _one(panel, number, small, limits)
        color = ink.ink
        small.set_title(plain(panel.groups[number]), fontsize=7, color=color, pad=2)
        small.tick_params(labelsize=6)
        small.xaxis.label.set_fontsize(7)
        small.yaxis.label.set_fontsize(7)
        if place + columns < len(shown):
            small.tick_params(labelbottom=False)
            small.set_xlabel("")
        if column:
            small.tick_params(labelleft=False)
            small.set_ylabel("")
        paint(small, color)
    return axes


def _one(panel: PanelFit, number: int, axes: Axes, limits: tuple[float, float]) -> None:
    ink = shades(axes)
    table = group_table(panel.ready, number)
    measured = table.loss
    values = dict(zip(panel.law.param_names, panel.params[number], strict=True))
    names = panel.law.input_names
    word = panel.law.response.replace("_", " ")
    color = ink.series[number % len(ink.series)]
    whole = panel.ready.table.inputs[names[0]]
    if len(names) == 1 and not isinstance(whole, Lists):
        positive = bool((whole > 0).all())
        grid = np.geomspace(whole.min(), whole.max(), _POINTS) if positive else np.linspace(whole.min(), whole.max())
        dots(axes, np.asarray(table.inputs[names[0]]), measured, colors=color)
        with np.errstate(all="ignore"):
            fitted = np.broadcast_to(panel.law.value(values, {names[0]: grid}), grid.shape)
        axes.plot(grid, fitted, color=ink.ink, linewidth=1.0)
        if positive:
            log_axis(axes.xaxis, names[0])
        else:
            axes.set_xlabel(names[0])
        axes.set_ylabel(plain(word))
    else:
        with np.errstate(all="ignore"):
            fitted = np.broadcast_to(panel.law.value(values, table.inputs), measured.shape)
        dots(axes, fitted, measured, colors=color)
        axes.plot(limits, limits, color=ink.muted, linewidth=1.0)
        axes.set_xlim(*limits)
        axes.set_xlabel("fitted")
        axes.set_ylabel("measured")
    axes.set_ylim(*limits)


def _limits(response: Floats) -> tuple[float, float]:
    low, high = float(response.min()), float(response.max())
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return low - margin, high + margin
