"""The fitted surface: contours of L(N, D), the runs, and the compute-optimal path with its band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.laws.optimum import TRAIN, Optimum, optimum
from isoflop.plots.design import isocompute
from isoflop.plots.style import dots, legend, log_axis, response_label, shades
from isoflop.uncertainty import Ensemble

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_DRAWS = 300
_BUDGETS = 40


def loss_contours(ensemble: Ensemble, axes: Axes, *, level: float = 0.9, decades: float = 1.0) -> Axes:
    """L(N, D) = const, the runs, and argmin over N of L(N, C/6N) for budgets C, with its interval along each budget.

    decades: how far beyond the runs the axes reach. Raises IsoflopError for a law in other inputs.
    """
    fit = ensemble.fit
    if set(fit.law.input_names) != {"N", "D"}:
        raise IsoflopError(f"contours need a law in N and D; {fit.law.name} has {', '.join(fit.law.input_names)}")
    runs = fit.require_runs()
    ink = shades(axes)
    (low_n, high_n), (low_d, high_d) = fit.data.ranges["N"], fit.data.ranges["D"]
    beyond = 10**decades
    n, d = np.geomspace(low_n / 1.5, high_n * beyond, 120), np.geomspace(low_d / 1.5, high_d * beyond, 120)
    surface = fit.predict({"N": n[:, None], "D": d})
    lowest, highest = (float(each) for each in np.quantile(surface, [0.005, 0.9]))
    levels = np.geomspace(lowest, highest, 11)
    lines = axes.contour(d, n, surface, levels=levels, colors=ink.series[0], linewidths=0.8, alpha=0.8)
    axes.clabel(lines, levels[::2], fmt="%.3g", fontsize="x-small", inline_spacing=2)
    dots(axes, runs["D"], runs["N"], colours=ink.muted, label="runs")

    compute = TRAIN * runs["N"] * runs["D"]
    budgets = np.geomspace(compute.min(), TRAIN * n[-1] * d[-1], _BUDGETS)
    path = np.array([float(optimum(fit.law, _one(fit.params), budget).n[0]) for budget in budgets])
    if len(ensemble):
        draws = {name: values[:_DRAWS] for name, values in ensemble.draws().items()}
        many = np.stack([_inside(optimum(fit.law, draws, budget)) for budget in budgets])
        ends = np.nanquantile(many, [(1 - level) / 2, (1 + level) / 2], axis=1)
        around = np.concatenate([ends[0], ends[1][::-1]])
        total = np.concatenate([budgets, budgets[::-1]]) / TRAIN
        axes.fill(
            total / around,
            around,
            facecolor=ink.series[1],
            edgecolor="none",
            alpha=0.22,
            label=f"{100 * level:g}% interval",
            zorder=2,
        )
    axes.plot(budgets / TRAIN / path, path, color=ink.series[1], linewidth=2, label="compute-optimal", zorder=4)
    log_axis(axes.xaxis, "D")
    log_axis(axes.yaxis, "N")
    axes.set_xlim(d[0], d[-1])
    axes.set_ylim(n[0], n[-1])
    axes.set_title(f"{response_label(fit)} of the fitted law", fontsize="small", color=ink.muted, loc="right")
    isocompute(axes)
    legend(axes, loc="upper left")
    return axes


def _one(params: Mapping[str, float]) -> dict[str, Floats]:
    return {name: np.array([value]) for name, value in params.items()}


def _inside(found: Optimum) -> Floats:
    """N* of each draw, NaN where a draw has no optimum inside its range."""
    return np.where(found.inside, found.n, np.nan)
