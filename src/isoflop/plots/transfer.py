"""Loss on one data set against the loss on another: paired runs, the line with its band, and the forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import dots, legend, plain, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.transfer import Transfer
    from isoflop.planning.transfer_few import FewTransfer
    from isoflop.uncertainty.ensemble import Interval

_POINTS = 80


def loss_to_loss(line: Transfer, axes: Axes) -> Axes:
    """L_B against L_A of every pair, E_B + K·(L_A − E_A)^κ with the confidence band of its mean, and the forecast."""
    ink = shades(axes)
    ends = [float(line.x.min()), float(line.x.max()), *(() if line.measured is None else (line.measured,))]
    x = np.linspace(min(ends), max(ends), _POINTS)
    tails = [(1 - line.level) / 2, (1 + line.level) / 2]
    band = np.nanquantile(np.array([line.means(each) for each in x]), tails, axis=1)
    color = ink.series[0]
    axes.fill_between(x, *band, color=color, alpha=0.25, linewidth=0)
    axes.plot(x, line.at(x), color=color, linewidth=1.6)
    dots(axes, line.x, line.y, colors=ink.muted, label="paired runs")
    if line.loss is not None and line.measured is not None:
        _forecast(axes, line.measured, line.loss, label=f"forecast, {100 * line.level:g}% interval")
    unit = line.target.estimate.data.loss_unit
    axes.set_xlabel(f"loss on {plain(line.names[0])} ({unit})")
    axes.set_ylabel(f"loss on {plain(line.names[1])} ({unit})")
    legend(axes)
    return axes


def loss_from_few(few: FewTransfer, axes: Axes) -> Axes:
    """L_B against L_A of the runs on B, L_B = exp(a)·L_A^γ with the interval of a further run, and the forecast."""
    ink = shades(axes)
    ends = [float(few.x.min()), float(few.x.max()), few.asked]
    x = np.geomspace(0.97 * min(ends), 1.03 * max(ends), _POINTS)
    value, low, high = few.band(x)
    color = ink.series[0]
    axes.fill_between(x, low, high, color=color, alpha=0.25, linewidth=0, label=f"{100 * few.level:g}% interval")
    axes.plot(x, value, color=color, linewidth=1.6)
    dots(axes, few.x, few.y, colors=ink.muted, label="runs on both")
    _forecast(axes, few.asked, few.loss, label="forecast")
    unit = few.source.estimate.data.loss_unit
    axes.set_xlabel(f"loss on {plain(few.names[0])} ({unit})")
    axes.set_ylabel(f"loss on {plain(few.names[1])} ({unit})")
    legend(axes)
    return axes


def _forecast(axes: Axes, at: float, told: Interval, *, label: str) -> None:
    """The loss on B that is foretold, with its interval, unlike what was measured."""
    axes.errorbar(
        [at],
        [told.value],
        yerr=[[told.value - told.low], [told.high - told.value]],
        color=shades(axes).series[1],
        marker="D",
        markersize=6,
        capsize=3,
        zorder=5,
        label=label,
    )
