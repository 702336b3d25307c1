"""The fit against what was measured, and what is left of each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Fit
from isoflop.plots.style import AXES, dots, log_axis, loss_axis, response_label, shades, size_bar, size_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

ORDER = "order"
_NEIGHBOURS = 0.3  # of the rows in a running median


def fit_against_measured(fit: Fit, axes: Axes) -> Axes:
    """Measured loss against the fitted one, on the diagonal where the law is right; coloured by the first input.

    Raises FitError for a fit without its runs.
    """
    runs = fit.require_runs()
    fitted, measured = _fitted(fit), runs[fit.law.response]
    ends = np.array([min(fitted.min(), measured.min()), max(fitted.max(), measured.max())])
    ink = shades(axes)
    axes.plot(ends, ends, color=ink.muted, linewidth=1, zorder=1)
    first = fit.law.input_names[0]
    norm, colours = size_colours(axes, runs[first])
    dots(axes, fitted, measured, colours=colours(norm(runs[first])))
    if fit.objective.space == "log" or ends[0] > 0:
        loss_axis(axes.xaxis, fit)
        loss_axis(axes.yaxis, fit)
    axes.set(xlabel=f"fitted {response_label(fit)}", ylabel=f"measured {response_label(fit)}")
    said, reading = AXES.get(first, (first, "plain"))
    size_bar(axes, norm, colours, label=said, reading=reading)
    return axes


def residuals(fit: Fit, axes: Axes, *, against: str = "N") -> Axes:
    """measured/fitted − 1 in per cent (measured − fitted for a fit of raw losses) against an input, C, or the row.

    against: an input of the law, ``C`` (6ND), or ``order`` (the row's number in the table). The line is a running
    median: where it leaves zero, the law bends otherwise than the runs.
    Raises FitError for a fit without its runs, IsoflopError for another name.
    """
    runs = fit.require_runs()
    fitted, measured = _fitted(fit), runs[fit.law.response]
    inputs = fit.law.input_names
    if against == ORDER:
        x = runs.rows.astype(np.float64)
    elif against in inputs:
        x = runs[against]
    elif against == "C" and {"N", "D"} <= set(inputs):
        x = 6 * runs["N"] * runs["D"]
    else:
        choices = [*inputs, *(["C"] if {"N", "D"} <= set(inputs) else []), ORDER]
        raise IsoflopError(f"residuals of {fit.law.name} can be drawn against {', '.join(choices)}, not {against!r}")
    in_logs = fit.objective.space == "log"
    rest = 100 * (measured / fitted - 1) if in_logs else measured - fitted
    ink = shades(axes)
    axes.axhline(0, color=ink.muted, linewidth=1, zorder=1)
    dots(axes, x, rest, colours=ink.series[0])
    order = np.argsort(x, kind="stable")
    axes.plot(x[order], _running_median(rest[order]), color=ink.series[1], linewidth=1.8, zorder=4)
    if against == ORDER:
        axes.set_xlabel("row of the table")
    else:
        log_axis(axes.xaxis, "6ND" if against == "C" else against)
    unit = "%" if in_logs else fit.data.loss_unit
    axes.set_ylabel(f"measured above the law ({unit})")
    return axes


def _fitted(fit: Fit) -> Floats:
    runs = fit.require_runs()
    return fit.predict({name: runs[name] for name in fit.law.input_names})


def _running_median(values: Floats) -> Floats:
    """The median of the nearest rows, at most half the width of the window beyond each end."""
    half = max(1, int(_NEIGHBOURS * len(values)) // 2)
    if len(values) > 4_000:  # a median of every window would cost more than the picture: steps of the window's tenth
        at = np.linspace(0, len(values) - 1, 400).round().astype(int)
        medians = [np.median(values[max(0, each - half) : each + half + 1]) for each in at]
        return np.interp(np.arange(len(values)), at, medians)
    return np.array([np.median(values[max(0, each - half) : each + half + 1]) for each in range(len(values))])
