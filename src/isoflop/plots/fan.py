"""A forecast as a fan: from the middle of the runs straight to the point asked, and how far beyond them that is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Estimate
from isoflop.fitting.objective.space import moved, to_scale
from isoflop.fitting.table import law_inputs
from isoflop.plots.style import (
    at_the_edge,
    dots,
    input_axis,
    legend_above,
    loss_axis,
    runs_of,
    shades,
    usual_limits,
)
from isoflop.uncertainty.extrapolation import decades_beyond
from isoflop.uncertainty.predictive import predictive
from isoflop.units import training_flops

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning import Forecast
    from isoflop.uncertainty import Ensemble

Floats = NDArray[np.float64]

_POINTS: Final = 120
_LEVELS: Final = (0.5,)  # drawn inside the forecast's own level
_BEYOND: Final = 1.12  # of the way from the middle of the runs to the point
_WITHOUT_RUNS: Final = 3.0  # decades of every input below the point, where no range of runs is known


@dataclass(frozen=True)
class Path:
    """A straight line in the logarithms of all inputs, from the middle of the runs through the point and a little on.

    inputs: name → (points,). x: what the axis shows, (points,); ``axis`` names it (``6ND`` or an input).
    reach: decades beyond the runs, of the input that is farthest out, (points,); zero where no range is known.
    """

    inputs: Mapping[str, Floats]
    axis: str
    x: Floats
    reach: Floats
    asked: float


def path_to(fit: Estimate, at: Mapping[str, float]) -> Path:
    """The line that a forecast's fan is drawn along; an input that may be zero runs evenly instead of in logarithms."""
    names = fit.law.input_names
    ranges = [fit.data.ranges.get(name) for name in names]
    in_logs = np.array(
        [at[name] > 0 and (each is None or each[0] > 0) for name, each in zip(names, ranges, strict=True)]
    )

    def place(column: int, value: float) -> float:
        return math.log(value) if in_logs[column] else value

    end = np.array([place(column, at[name]) for column, name in enumerate(names)])
    far = _WITHOUT_RUNS * math.log(10)
    low = np.array([place(k, each[0]) if each else end[k] - far for k, each in enumerate(ranges)])
    high = np.array([place(k, each[1]) if each else end[k] - far for k, each in enumerate(ranges)])
    middle = (low + high) / 2
    if np.allclose(middle, end):
        middle = middle - math.log(10) / 2
    way = end - middle
    # the line begins and ends where the first input leaves the range of the runs, or a little beyond the point
    with np.errstate(divide="ignore", invalid="ignore"):
        back = np.where(way > 0, (middle - low) / way, (middle - high) / way)
        forth = np.where(way > 0, (high - middle) / way, (low - middle) / way)
    start = -float(np.min(back[np.isfinite(back)], initial=np.inf))
    stop = float(np.min(forth[np.isfinite(forth)], initial=np.inf))
    steps = np.linspace(start if np.isfinite(start) else 0.0, max(stop if np.isfinite(stop) else 0.0, _BEYOND), _POINTS)
    places = middle + steps[:, None] * way
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        inputs = {
            name: np.exp(places[:, column]) if in_logs[column] else places[:, column]
            for column, name in enumerate(names)
        }
        axis, x = _axis(inputs, way, names)
        asked = training_flops(at["N"], at["D"]) if axis == "6ND" else at[axis]
    if not (np.isfinite(x).all() and math.isfinite(asked)):
        point = ", ".join(f"{name} = {value:g}" for name, value in at.items())
        raise IsoflopError(
            f"the line from the runs to {point} leaves what numbers hold; ask nearer, or draw no picture"
        )
    reach = np.zeros(_POINTS)
    for name, each in zip(names, ranges, strict=True):
        if each is not None:
            reach = np.maximum(reach, decades_beyond(inputs[name], *each))
    return Path(inputs, axis, x, np.where(reach < 1e-9, 0.0, reach), float(asked))


def forecast_fan(forecast: Forecast, ensemble: Ensemble, axes: Axes) -> Axes:
    """The mean with its intervals along a line to the point asked; what lies beyond the runs is shaded by the decade.

    Mean and intervals have model error. Dots are the runs with their distance from the law kept and their inputs moved
    onto the line. The error bar is what one new run would measure.
    """
    fit, ink = ensemble.estimate, shades(axes)
    path = path_to(fit, forecast.at)
    level = forecast.loss.level
    _shade(path, forecast.reach, axes)
    for each, strength in ((level, 0.2), *((inner, 0.3) for inner in _LEVELS if inner < level)):
        said = predictive(ensemble, path.inputs, level=each)
        ends = said.mean
        if np.isfinite(ends).any():
            axes.fill_between(
                path.x,
                *ends,
                color=ink.series[0],
                alpha=strength,
                linewidth=0,
                label=f"{100 * each:g}% interval of the mean",
            )
    curve = said.median
    inside = path.reach == 0
    axes.plot(path.x, np.where(inside, curve, np.nan), color=ink.ink, linewidth=1.7)
    # the two pieces meet: the dashed one begins at the last point inside
    outside = ~inside
    outside[:-1] |= ~inside[1:]
    outside[1:] |= ~inside[:-1]
    axes.plot(path.x, np.where(outside, curve, np.nan), color=ink.ink, linewidth=1.7, linestyle=(0, (4, 2)))
    carried = None if fit.runs is None else _carried(fit, path, axes)
    value, low, high = forecast.loss.value, forecast.loss.low, forecast.loss.high
    if np.isfinite(low):
        axes.vlines(path.asked, low, high, color=ink.series[1], linewidth=2.2, zorder=5)
    axes.plot(
        [path.asked],
        [value],
        marker="D",
        markersize=6,
        linestyle="none",
        color=ink.series[1],
        zorder=6,
        label=f"{100 * level:g}% prediction interval" if np.isfinite(low) else "the forecast",
    )
    input_axis(axes.xaxis, path.axis, path.x)
    loss_axis(axes.yaxis, fit)
    axes.set_xlim(path.x.min(), path.x.max())
    if carried is not None:
        x, y = carried
        known = [each for each in (value, low, high) if np.isfinite(each)]
        usual_limits(axes, y, y / np.interp(x, *_ascending(path.x, curve)) - 1, keep=known)
        at_the_edge(axes, x, y, what="run")
    legend_above(axes)
    return axes


def _axis(inputs: Mapping[str, Floats], way: Floats, names: tuple[str, ...]) -> tuple[str, Floats]:
    """6ND where the law has both and it changes along the line; else the input that changes most."""
    if {"N", "D"} <= set(names):
        compute = training_flops(inputs["N"], inputs["D"])
        if not (compute > 0).all() or not np.isfinite(compute).all():  # beyond what numbers hold, which is refused
            return "6ND", np.full_like(compute, np.nan)
        if abs(math.log(compute[-1] / compute[0])) > 0.1:
            return "6ND", compute
    most = names[int(np.argmax(np.abs(way)))]
    return most, inputs[most]


def _shade(path: Path, distances: Mapping[str, float], axes: Axes) -> None:
    """Beyond the runs, each further decade a shade darker, with its number along the top."""
    ink = shades(axes)
    beyond = path.reach > 0
    for decade in range(math.ceil(path.reach.max())):
        inside = beyond & (path.reach > decade)
        for piece in _pieces(inside):
            x = path.x[piece]
            axes.axvspan(x.min(), x.max(), color=ink.muted, alpha=0.18 if ink.dark else 0.09, linewidth=0, zorder=0)
    # named once, where the forecast lies, for each input: on an axis of compute no number of them is one of the axis
    out = {name: decades for name, decades in distances.items() if decades > 0}
    if out:
        far = {name: decades for name, decades in out.items() if decades >= 0.05}
        words = " and ".join(f"{name} {decades:.1f}" for name, decades in far.items())
        axes.annotate(
            f"{words} decades beyond the runs" if far else f"{' and '.join(out)} beyond the runs",
            (path.asked, 0.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 5),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize="x-small",
            color=ink.muted,
        )


def _pieces(inside: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """The stretches of neighboring points where a condition holds, each with the point before it."""
    places = np.flatnonzero(inside)
    if not len(places):
        return []
    return [
        np.arange(max(0, piece[0] - 1), piece[-1] + 1)
        for piece in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    ]


def _ascending(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(x)
    return x[order], y[order]


def _carried(fit: Estimate, path: Path, axes: Axes) -> tuple[Floats, Floats]:
    """The runs on the line, as they are drawn: each keeps its place on the axis and its distance from the law."""
    runs = runs_of(fit)
    x = training_flops(runs["N"], runs["D"]) if path.axis == "6ND" else runs[path.axis]
    fitted, measured = fit.predict(law_inputs(fit.law, runs)), runs[fit.law.response]
    on_line = np.interp(x, *_ascending(path.x, fit.predict(path.inputs)))
    space = fit.data.space
    y = moved(on_line, to_scale(measured, space) - to_scale(fitted, space), space)
    shown = (x >= path.x.min()) & (x <= path.x.max())
    dots(axes, x[shown], y[shown], colors=shades(axes).muted, label="runs, carried onto this line")
    return x[shown], y[shown]
