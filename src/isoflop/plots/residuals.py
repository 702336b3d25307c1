"""The fit against what was measured, and what is left of each run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Estimate
from isoflop.fitting.table import law_inputs
from isoflop.plots.style import (
    AXES,
    at_the_edge,
    dots,
    input_axis,
    loss_axis,
    response_label,
    runs_of,
    shades,
    size_bar,
    size_colors,
    usual_limits,
)
from isoflop.units import training_flops

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

ORDER = "order"
_STRETCHES = 9  # of which the median is drawn
_FEWEST = 18  # rows for medians to mean something


def fit_against_measured(fit: Estimate, axes: Axes) -> Axes:
    """Measured loss against the fitted one, on the diagonal where the law is right; colored by its first input.

    Raises FitError for a fit without its runs.
    """
    runs = runs_of(fit)
    fitted, measured = _fitted(fit), runs[fit.law.response]
    ends = np.array([min(fitted.min(), measured.min()), max(fitted.max(), measured.max())])
    ink = shades(axes)
    axes.plot(ends, ends, color=ink.muted, linewidth=1, zorder=1)
    first = next((name for name in fit.law.row_inputs if (runs[name] > 0).all()), None)
    if first is None:
        dots(axes, fitted, measured, colors=ink.series[0])
    else:
        norm, colors = size_colors(axes, runs[first])
        dots(axes, fitted, measured, colors=colors(norm(runs[first])))
        said, reading = AXES.get(first, (first, "plain"))
        size_bar(axes, norm, colors, label=said, reading=reading)
    if fit.data.space == "log" or ends[0] > 0:
        loss_axis(axes.xaxis, fit)
        loss_axis(axes.yaxis, fit)
    axes.set(xlabel=f"fitted {response_label(fit)}", ylabel=f"measured {response_label(fit)}")
    low, high = axes.get_ylim()
    usual_limits(axes, measured, measured / fitted - 1)
    if axes.get_ylim() != (low, high):
        low, high = axes.get_ylim()
        inside = fitted[(measured >= low) & (measured <= high)]
        axes.set_xlim(min(low, inside.min()), max(high, inside.max()))
        at_the_edge(axes, np.clip(fitted, *axes.get_xlim()), measured, what="run")
    return axes


@dataclass(frozen=True)
class Left:
    """What is left of each row: x and rest, (rows,); unit: per cent, or that of the loss."""

    x: Floats
    rest: Floats
    unit: str


def left_over(fit: Estimate, *, against: str) -> Left:
    """measured/fitted − 1 in per cent, or measured − fitted for a fit of raw losses, with what it stands against.

    against: an input of the law, ``C`` (6ND), or ``order``, the row's number in the table.
    Raises FitError for a fit without its runs, IsoflopError for another name.
    """
    runs = runs_of(fit)
    fitted, measured = _fitted(fit), runs[fit.law.response]
    inputs = fit.law.row_inputs
    if against == ORDER:
        x = runs.rows.astype(np.float64)
    elif against in inputs:
        x = runs[against]
    elif against == "C" and {"N", "D"} <= set(inputs):
        x = training_flops(runs["N"], runs["D"])
    else:
        choices = [*inputs, *(["C"] if {"N", "D"} <= set(inputs) else []), ORDER]
        raise IsoflopError(f"residuals of {fit.law.name} can be drawn against {', '.join(choices)}, not {against!r}")
    if fit.data.space == "log":
        return Left(x, 100 * (measured / fitted - 1), "%")
    return Left(x, measured - fitted, fit.data.loss_unit)


def residuals(fit: Estimate, axes: Axes, *, against: str = "N") -> Axes:
    """measured/fitted − 1 in per cent (measured − fitted for a fit of raw losses) against an input, C, or the row.

    against: an input of the law, ``C`` (6ND), or ``order`` (the row's number in the table). The line joins
    medians over ninths of the rows: where it leaves zero, the law bends otherwise than the runs.
    Raises FitError for a fit without its runs, IsoflopError for another name.
    """
    left = left_over(fit, against=against)
    x, rest = left.x, left.rest
    ink = shades(axes)
    axes.axhline(0, color=ink.muted, linewidth=1, zorder=1)
    dots(axes, x, rest, colors=ink.series[0])
    if len(x) >= _FEWEST:
        axes.plot(
            *medians(x, rest), color=ink.series[1], marker="s", markersize=4, linewidth=1.6, zorder=4, label="medians"
        )
    _robust_limits(axes, x, rest)
    if against == ORDER:
        axes.set_xlabel("row of the table")
    else:
        input_axis(axes.xaxis, "6ND" if against == "C" else against, x)
    axes.set_ylabel(f"measured above the law ({left.unit})")
    return axes


def _fitted(fit: Estimate) -> Floats:
    return fit.predict(law_inputs(fit.law, fit.require_runs()))


def medians(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Medians of y over stretches of x of equally many rows; rows of one x, within 1 %, stay together."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    edges = np.searchsorted(x, 0.99 * x[np.linspace(0, len(x) - 1, _STRETCHES + 1).astype(int)[1:-1]])
    parts = [part for part in np.split(np.arange(len(x)), np.unique(edges)) if len(part)]
    return np.array([np.median(x[part]) for part in parts]), np.array([np.median(y[part]) for part in parts])


def _robust_limits(axes: Axes, x: Floats, rest: Floats) -> None:
    """Keep a few far runs from flattening all others: they are shown as triangles at the edge, with their number."""
    ink = shades(axes)
    size = np.abs(rest)
    usual = 2.0 * float(np.quantile(size, 0.95))
    far = size > usual
    if not far.any() or usual == 0 or size.max() < 1.5 * usual:
        return
    axes.set_ylim(-usual if rest.min() < -usual else axes.get_ylim()[0], usual if rest.max() > usual else None)
    low, high = axes.get_ylim()
    for beyond, edge, marker in ((rest > high, high, "^"), (rest < low, low, "v")):
        if beyond.any():
            inside = edge - 0.02 * (high - low) * np.sign(edge)
            axes.scatter(
                x[beyond], np.full(int(beyond.sum()), inside), marker=marker, s=26, color=ink.series[3], zorder=5
            )
    count = int(((rest > high) | (rest < low)).sum())
    axes.set_title(f"{count} beyond the edge (triangles)", fontsize="small", color=ink.muted, loc="right")
