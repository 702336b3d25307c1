"""The fitted surface: contours of L(N, D), the runs, and the compute-optimal path with its band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.laws.optimum import Optimum, optimum
from isoflop.plots.design import isocompute
from isoflop.plots.style import dots, legend_below, log_axis, response_label, shades
from isoflop.uncertainty.quantiles import finite_quantiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.uncertainty import Ensemble

Floats = NDArray[np.float64]

_DRAWS = 300
_BUDGETS = 40
_NAMES_AT = 0.94  # of the way across
_ROOM = 0.055  # of the height, between two names


def loss_contours(ensemble: Ensemble, axes: Axes, *, level: float = 0.9, decades: float = 1.0) -> Axes:
    """L(N, D) = const, the runs, and argmin over N of L(N, C/6N) for budgets C, with its interval along each budget.

    decades: how far beyond the runs the axes reach. Raises IsoflopError for a law in other inputs.
    """
    fit = ensemble.estimate
    if set(fit.law.input_names) != {"N", "D"}:
        raise IsoflopError(f"contours need a law in N and D; {fit.law.name} has {', '.join(fit.law.input_names)}")
    runs = fit.require_runs()
    ink = shades(axes)
    (low_n, high_n), (low_d, high_d) = fit.data.ranges["N"], fit.data.ranges["D"]
    beyond = 10**decades
    n, d = np.geomspace(low_n / 1.5, high_n * beyond, 120), np.geomspace(low_d / 1.5, high_d * beyond, 120)
    surface = fit.predict({"N": n[:, None], "D": d})
    lowest, highest = (float(each) for each in np.quantile(surface, [0.005, 0.9]))
    levels = _round_levels(lowest, highest)
    axes.contour(d, n, surface, levels=levels, colors=ink.series[0], linewidths=0.8, alpha=0.8)
    dots(axes, runs["D"], runs["N"], colors=ink.muted, label="runs")

    counted = fit.data.flops
    compute = counted.flops(runs["N"], runs["D"])
    budgets = np.geomspace(compute.min(), counted.flops(float(n[-1]), float(d[-1])), _BUDGETS)
    path = np.array([float(optimum(fit.law, _one(fit.params), budget, counted=counted).n[0]) for budget in budgets])
    if len(ensemble):
        draws = {name: values[:_DRAWS] for name, values in ensemble.draws.items()}
        many = np.stack([_inside(optimum(fit.law, draws, budget, counted=counted)) for budget in budgets])
        ends = finite_quantiles(many, [(1 - level) / 2, (1 + level) / 2], axis=1)
        around = np.concatenate([ends[0], ends[1][::-1]])
        total = np.concatenate([budgets, budgets[::-1]])
        axes.fill(
            counted.tokens(around, total),
            around,
            facecolor=ink.series[1],
            edgecolor="none",
            alpha=0.22,
            label=f"{100 * level:g}% interval",
            zorder=2,
        )
    axes.plot(counted.tokens(path, budgets), path, color=ink.series[1], linewidth=2, label="compute-optimal", zorder=4)
    log_axis(axes.xaxis, "D")
    log_axis(axes.yaxis, "N")
    axes.set_xlim(d[0], d[-1])
    axes.set_ylim(n[0], n[-1])
    axes.set_title(f"{response_label(fit)} of the fitted law", fontsize="small", color=ink.muted, loc="right")
    isocompute(axes, named=False)
    _name_levels(axes, levels, n, d, surface)
    legend_below(axes)
    return axes


def _one(params: Mapping[str, float]) -> dict[str, Floats]:
    return {name: np.array([value]) for name, value in params.items()}


def _inside(found: Optimum) -> Floats:
    """N* of each draw, NaN where a draw has no optimum inside its range."""
    return np.where(found.inside, found.n, np.nan)


def _round_levels(low: float, high: float) -> Floats:
    """About a dozen round values, evenly spaced, or by 1-2-5 where they span more than a factor of four."""
    from matplotlib.ticker import MaxNLocator

    if high / low < 4:
        return np.asarray(MaxNLocator(nbins=12, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high), dtype=np.float64)
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    multiples = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 100 else (1.0, 3.0)
    return np.sort(np.outer(powers, multiples).ravel())


def _name_levels(axes: Axes, levels: Floats, n: Floats, d: Floats, surface: Floats) -> None:
    """Each contour's value at the right, where it crosses one column of the surface; crowded ones are left out."""
    ink = shades(axes)
    column = int(_NAMES_AT * (len(d) - 1))
    down = surface[:, column]
    if not (np.diff(down) < 0).all():
        return
    last = -1.0
    for level in sorted(levels, reverse=True):
        height = float(np.interp(-level, -down, np.linspace(0, 1, len(n)), left=np.nan, right=np.nan))
        if 0.03 < height < 0.97 and height - last > _ROOM:
            axes.text(
                d[column],
                float(np.exp(np.interp(height, np.linspace(0, 1, len(n)), np.log(n)))),
                f"{level:.4g}",
                fontsize="x-small",
                color=ink.series[0],
                ha="center",
                va="center",
                bbox={"facecolor": ink.paper, "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
                zorder=5,
            )
            last = height
