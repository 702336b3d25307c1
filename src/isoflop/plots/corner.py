"""All parameters' draws against each other: where a pair fills a thin ridge, two numbers are known only together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.plots.canvas import paint
from isoflop.plots.style import shades, symbol
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.uncertainty import Ensemble

Floats = NDArray[np.float64]

MOST: Final = 6  # parameters that have room
_CELLS: Final = 28  # of the grid on which draws are counted, on each side
_SMOOTH: Final = np.array([0.06, 0.24, 0.4, 0.24, 0.06])
_SHARES: Final = (0.9, 0.5)  # of the draws inside a contour
_FACTOR: Final = 1.5  # between the ends of the draws of an amplitude from which its logarithm is shown
_LEFT, _BOTTOM, _GAP = 0.09, 0.1, 0.014  # of the width and height


def corner(ensemble: Ensemble, axes: Axes, *, names: Sequence[str] = (), level: float = 0.9) -> Axes:
    """Contours that hold 50 and 90 % of the draws of every pair, a histogram of each, and the fit.

    names: parameters; the first six of the law where none are given. Amplitudes that spread by factors are shown by
    their logarithm. Dotted: the ends of each one's interval; the number in a panel is the correlation of the pair.
    Raises IsoflopError for an ensemble without draws or with fewer than two parameters.
    """
    chosen = list(names) or list(ensemble.draws)[:MOST]
    if not len(ensemble):
        raise IsoflopError(f"{ensemble.estimate.data.source} comes without draws; fit runs of your own to have some")
    if len(chosen) < 2:
        raise IsoflopError(f"a pair needs two parameters, and {', '.join(chosen) or 'none'} is given; name another")
    ink, count = shades(axes), len(chosen)
    axes.set_axis_off()
    logs = {name: name in ensemble.estimate.law.linear and _over_factors(ensemble.draws[name]) for name in chosen}
    values = {name: np.log(ensemble.draws[name]) if logs[name] else ensemble.draws[name] for name in chosen}
    middle = {
        name: float(np.log(ensemble.estimate.params[name]) if logs[name] else ensemble.estimate.params[name])
        for name in chosen
    }
    window = {name: _window(values[name], middle[name]) for name in chosen}
    width, height = (1 - _LEFT) / count, (1 - _BOTTOM) / count
    for row, up in enumerate(chosen):
        for column, across in enumerate(chosen[: row + 1]):
            box = (_LEFT + column * width, _BOTTOM + (count - 1 - row) * height, width * (1 - _GAP * count),
                   height * (1 - _GAP * count))  # fmt: skip
            small = axes.inset_axes(box)
            small.set_facecolor(axes.get_facecolor())
            x = values[across]
            ends = np.quantile(x, [(1 - level) / 2, (1 + level) / 2])
            if row == column:
                _histogram(small, x, window[across], ink.series[0])
                small.axvline(middle[across], color=ink.series[1], linewidth=1.3)
            else:
                _contours(small, x, values[up], window[across], window[up], ink.series[0])
                small.plot([middle[across]], [middle[up]], marker="D", markersize=4, color=ink.series[1])
                small.set_ylim(*window[up])
                small.text(
                    0.95, 0.93, f"{np.corrcoef(x, values[up])[0, 1]:.2f}", transform=small.transAxes, ha="right",
                    va="top", fontsize="x-small", color=ink.muted,
                )  # fmt: skip
            for end in ends:
                small.axvline(end, color=ink.muted, linewidth=0.8, linestyle=":")
            small.set_xlim(*window[across])
            _labels(small, across, up, logs, row=row, column=column, last=count - 1)
            paint(small, ink.ink)
            small.set_in_layout(column == 0 or row == count - 1)  # the others are surrounded by panels
    return axes


def _window(values: Floats, middle: float) -> tuple[float, float]:
    low, high = np.quantile(values, [0.005, 0.995])
    low, high = min(float(low), middle), max(float(high), middle)
    room = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _histogram(axes: Axes, x: Floats, window: tuple[float, float], color: str) -> None:
    counts, edges = np.histogram(x, bins=_CELLS, range=window)
    axes.stairs(np.convolve(counts, _SMOOTH, "same"), edges, fill=True, color=color, alpha=0.35)
    axes.set_ylim(0, None)


def _contours(
    axes: Axes, x: Floats, y: Floats, across: tuple[float, float], up: tuple[float, float], color: str
) -> None:
    """The smallest areas that hold so many of the draws."""
    counts, left, low = np.histogram2d(x, y, bins=_CELLS, range=(across, up))
    for side in (0, 1):
        counts = np.apply_along_axis(np.convolve, side, counts, _SMOOTH, "same")
    falling = np.sort(counts.ravel())[::-1]
    inside = np.cumsum(falling) / falling.sum()
    levels = [float(falling[np.searchsorted(inside, share)]) for share in _SHARES]
    if not 0 < levels[0] < levels[1] < counts.max():
        axes.plot(x[:200], y[:200], ".", color=color, markersize=2)
        return
    from contourpy import FillType, contour_generator
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    across_at, up_at = ((each[1:] + each[:-1]) / 2 for each in (left, low))
    heights = contour_generator(x=across_at, y=up_at, z=counts.T, fill_type=FillType.OuterCode)
    for level, strength in zip(levels, (0.3, 0.45), strict=True):
        for corners, codes in zip(*heights.filled(level, np.inf), strict=True):
            axes.add_artist(PathPatch(Path(corners, codes), facecolor=color, edgecolor="none", alpha=strength))


def _over_factors(draws: Floats) -> bool:
    """Whether draws spread by factors, so that a logarithm shows them; a floor's do not."""
    return bool((draws > 0).all() and np.quantile(draws, 0.95) > _FACTOR * np.quantile(draws, 0.05))


def _labels(axes: Axes, across: str, up: str, logs: dict[str, bool], *, row: int, column: int, last: int) -> None:
    """Ticks and names along the outer sides alone."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def written(in_logs: bool) -> FuncFormatter:
        return FuncFormatter(lambda value, _: format_quantity(np.exp(value), digits=2) if in_logs else f"{value:.3g}")

    axes.tick_params(labelsize=6.5, length=2.5)
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(written(logs[across]))
    axes.yaxis.set_major_formatter(written(logs[up]))
    if row == last:
        axes.set_xlabel(symbol(across), fontsize="small", labelpad=2)
    else:
        axes.tick_params(labelbottom=False)
    if row == column:
        axes.set_yticks([])
    elif column == 0:
        axes.set_ylabel(symbol(up), fontsize="small", labelpad=2)
    else:
        axes.tick_params(labelleft=False)
