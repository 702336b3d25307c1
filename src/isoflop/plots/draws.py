"""Draws of two parameters, and the ridge along which they trade."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.plots.style import dots, legend, log_axis, shades, symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from isoflop.uncertainty import Ensemble

Floats = NDArray[np.float64]


def parameter_draws(ensemble: Ensemble, axes: Axes, *, x: str = "A", y: str = "alpha", level: float = 0.9) -> Axes:
    """Draws of two parameters with the fit, and their ridge: the principal axis of the draws.

    Amplitudes are shown by their logarithm, exponents as they are: then A/N^α trades along a straight line. The dotted
    lines are the ends of each one's interval: where draws fill a thin ridge, the two numbers are known
    together far better than each alone.
    Raises IsoflopError for a name that is no free parameter, and for an ensemble without draws.
    """
    if not len(ensemble):
        raise IsoflopError(f"{ensemble.estimate.data.source} comes without draws; fit runs of your own to have some")
    ink = shades(axes)
    across, up = ensemble.evaluate(x), ensemble.evaluate(y)
    logs = [
        name in ensemble.estimate.law.linear and bool((values > 0).all()) for name, values in ((x, across), (y, up))
    ]
    dots(axes, across, up, colors=ink.series[0], label=f"{len(ensemble)} draws").set_alpha(0.55)
    for name, axis, in_logs in ((x, axes.xaxis, logs[0]), (y, axes.yaxis, logs[1])):
        _axis(axis, name, in_logs)
    ends_x, ends_y = (np.quantile(values, [(1 - level) / 2, (1 + level) / 2]) for values in (across, up))
    for each in ends_x:
        axes.axvline(each, color=ink.muted, linewidth=0.9, linestyle=":")
    for place, each in enumerate(ends_y):
        axes.axhline(
            each,
            color=ink.muted,
            linewidth=0.9,
            linestyle=":",
            label=f"{100 * level:g}% interval" if place == 0 else None,
        )
    window = axes.get_xlim(), axes.get_ylim()
    ridge = _ridge(np.log(across) if logs[0] else across, np.log(up) if logs[1] else up)
    if ridge is not None:
        line, correlation = ridge
        drawn = [np.exp(values) if in_logs else values for values, in_logs in zip(line, logs, strict=True)]
        axes.plot(*drawn, color=ink.series[1], linewidth=1.5, label=f"ridge, correlation {correlation:.2f}")
    axes.plot(
        [ensemble.estimate.params[x]],
        [ensemble.estimate.params[y]],
        marker="D",
        markersize=7,
        linestyle="none",
        markerfacecolor=ink.ink,
        markeredgecolor=ink.paper,
        zorder=5,
        label="the fit",
    )
    axes.set_xlim(window[0])
    axes.set_ylim(window[1])
    legend(axes)
    return axes


def _axis(axis: Axis, name: str, in_logs: bool) -> None:
    if in_logs:
        log_axis(axis, "", label=symbol(name))
    else:
        axis.set_label_text(symbol(name))


def _ridge(x: Floats, y: Floats) -> tuple[tuple[Floats, Floats], float] | None:
    """Both ends of the draws' principal axis, each scaled by its own spread, and the correlation; None without one."""
    widths = np.array([x.std(), y.std()])
    if not (widths > 0).all():
        return None
    correlation = float(np.corrcoef(x, y)[0, 1])
    way = widths * np.array([1.0, np.sign(correlation) or 1.0])
    reach = np.array([-3.0, 3.0])
    return (np.median(x) + reach * way[0], np.median(y) + reach * way[1]), correlation
