"""Loss against compute: the runs, the fitted curve of each size, and the envelope with its band beyond the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.uncertainty import Ensemble
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_MOST_CURVES = 9
_DRAWS = 300


def loss_against_compute(ensemble: Ensemble, axes: Axes, *, level: float = 0.9, decades: float = 2.0) -> Axes:
    """min over N of L(N, C/6N) against C = 6ND, with its band, over the runs coloured by N.

    ensemble: of a law in N and D, with its runs. axes: where to draw. decades: how far beyond the runs.
    Raises IsoflopError for a law in other inputs.
    """
    fit = ensemble.fit
    if set(fit.law.input_names) != {"N", "D"}:
        raise IsoflopError(f"this picture needs a law in N and D; {fit.law.name} has {', '.join(fit.law.input_names)}")
    runs = fit.require_runs()
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    n, loss, compute = runs["N"], runs["loss"], 6 * runs["N"] * runs["D"]
    norm, colours = LogNorm(n.min(), n.max()), colormaps["viridis"]
    for size in _spread(n):
        own = np.isclose(np.log(n), np.log(size), atol=0.05)
        reach = np.geomspace(compute[own].min() / 2, compute[own].max() * 2, 60)
        curve = fit.predict({"N": size, "D": reach / (6 * size)})
        axes.plot(reach, curve, color=colours(norm(size)), linewidth=1, alpha=0.7)
    points = axes.scatter(
        compute, loss, c=n, norm=norm, cmap=colours, s=14, edgecolors="white", linewidths=0.3, zorder=3
    )

    budgets = np.geomspace(compute.min(), compute.max() * 10**decades, 80)
    best, low, high = _envelope(ensemble, budgets, level)
    inside = budgets <= compute.max()
    axes.fill_between(budgets, low, high, color="0.3", alpha=0.2, linewidth=0, label=f"{level:.0%} interval")
    axes.plot(budgets[inside], best[inside], color="black", linewidth=1.5, label="compute-optimal")
    axes.plot(
        budgets[~inside], best[~inside], color="black", linewidth=1.5, linestyle=(0, (4, 2)), label="beyond the runs"
    )
    axes.set(
        xscale="log", yscale="log", xlabel="training compute C = 6ND (FLOPs)", ylabel=f"loss ({fit.data.loss_unit})"
    )
    axes.margins(x=0.02)
    _plain_loss_ticks(axes, min(float(low.min()), float(loss.min())), float(loss.max()))
    axes.legend(frameon=False, loc="upper right")
    bar = axes.figure.colorbar(points, ax=axes, label="parameters N", pad=0.02)
    bar.ax.yaxis.set_major_formatter(lambda value, _: format_quantity(value, digits=2))
    bar.ax.yaxis.set_minor_formatter(lambda value, _: "")
    return axes


def _spread(n: Floats) -> Floats:
    """Up to nine of the distinct sizes, spread over their range."""
    sizes = np.exp(np.unique(np.round(np.log(n), 1)))
    sizes = np.array([n[np.abs(np.log(n / size)).argmin()] for size in sizes])
    if len(sizes) <= _MOST_CURVES:
        return sizes
    return sizes[np.linspace(0, len(sizes) - 1, _MOST_CURVES).round().astype(int)]


def _envelope(ensemble: Ensemble, budgets: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """The least loss at each budget: at the fit, and the ends of its interval over the draws."""
    fit = ensemble.fit
    low_n, high_n = fit.data.ranges["N"]
    sizes = np.geomspace(low_n / 100, high_n * 1000, 400)
    least = fit.predict({"N": sizes, "D": budgets[:, None] / (6 * sizes)}).min(axis=1)
    draws = {name: values[:_DRAWS, None, None] for name, values in ensemble.draws().items()}
    spread = np.stack(
        [
            fit.law.value(draws, {"N": sizes, "D": np.asarray(budget) / (6 * sizes)}).min(axis=-1)[:, 0]
            for budget in budgets
        ]
    )
    ends = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return least, ends[0], ends[1]


def _plain_loss_ticks(axes: Axes, low: float, high: float) -> None:
    """Losses span less than a decade: ticks at round numbers instead of powers of ten."""
    from matplotlib.ticker import FixedLocator, NullLocator

    step = next(each for each in (0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5) if (high - low) / each <= 8)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    axes.yaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
