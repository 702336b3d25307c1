"""Loss against compute: the runs, the fitted curve of each size, and the envelope with its band beyond the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.laws.optimum import optimum
from isoflop.plots.style import (
    at_the_edge,
    dots,
    legend,
    log_axis,
    loss_axis,
    shades,
    size_bar,
    size_colors,
    spread,
    usual_limits,
)
from isoflop.uncertainty.predictive import predictive
from isoflop.units import tokens_within, training_flops

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.uncertainty import Ensemble

Floats = NDArray[np.float64]

_MOST_CURVES = 9
_DRAWS = 300


def loss_against_compute(ensemble: Ensemble, axes: Axes, *, level: float = 0.9, decades: float = 2.0) -> Axes:
    """min over N of L(N, C/6N) against C = 6ND, with its intervals, over the runs colored by N.

    The wider interval is that of forecasts, with model error, the narrower one holds if the law does.

    ensemble: of a law in N and D, with its runs. axes: where to draw. decades: how far beyond the runs.
    Raises IsoflopError for a law in other inputs.
    """
    fit = ensemble.estimate
    if set(fit.law.input_names) != {"N", "D"}:
        raise IsoflopError(f"this picture needs a law in N and D; {fit.law.name} has {', '.join(fit.law.input_names)}")
    runs = fit.require_runs()
    ink = shades(axes)
    n, loss, compute = runs["N"], runs[fit.law.response], training_flops(runs["N"], runs["D"])
    norm, colors = size_colors(axes, n)
    for size in spread(n, _MOST_CURVES):
        own = np.isclose(np.log(n), np.log(size), atol=0.05)
        reach = np.geomspace(compute[own].min() / 2, compute[own].max() * 2, 60)
        curve = fit.predict({"N": size, "D": reach / (6 * size)})
        axes.plot(reach, curve, color=colors(norm(size)), linewidth=1, alpha=0.7)
    dots(axes, compute, loss, colors=colors(norm(n)))

    budgets = np.geomspace(compute.min(), compute.max() * 10**decades, 80)
    best, at, low, high = _envelope(ensemble, budgets, level)
    by_law, inside = (low, high), budgets <= compute.max()
    if len(ensemble):
        said = predictive(ensemble, {"N": at, "D": budgets / (6 * at)}, level=level)
        if said.mixture is not None:
            axes.fill_between(
                budgets, *said.mean, color=ink.muted, alpha=0.18, linewidth=0, label=f"{100 * level:g}% interval"
            )
            low, high = np.minimum(low, said.mean[0]), np.maximum(high, said.mean[1])
        axes.fill_between(budgets, *by_law, color=ink.muted, alpha=0.38, linewidth=0, label="if the law holds")
    axes.plot(budgets[inside], best[inside], color=ink.ink, linewidth=1.6, label="compute-optimal")
    axes.plot(
        budgets[~inside], best[~inside], color=ink.ink, linewidth=1.6, linestyle=(0, (4, 2)), label="beyond the runs"
    )
    log_axis(axes.xaxis, "6ND")
    loss_axis(axes.yaxis, fit)
    axes.margins(x=0.02)
    usual_limits(axes, loss, loss / fit.predict({"N": n, "D": runs["D"]}) - 1, keep=(low.min(), best.min()))
    at_the_edge(axes, compute, loss, what="run")
    legend(axes, loc="upper right")
    size_bar(axes, norm, colors, label="parameters N")
    return axes


def _envelope(ensemble: Ensemble, budgets: Floats, level: float) -> tuple[Floats, Floats, Floats, Floats]:
    """The least loss at each budget, at the fit and at which size, and the ends of its interval over the draws."""
    fit = ensemble.estimate
    low_n, high_n = fit.data.ranges["N"]

    def along(params: Mapping[str, Floats], draws: int) -> tuple[Floats, Floats]:
        """Least losses and their sizes, (budgets, draws); sizes far from all runs are left out."""
        repeated = {name: np.tile(values, len(budgets)) for name, values in params.items()}
        spent = np.repeat(budgets, draws)
        n = np.clip(optimum(fit.law, repeated, spent).n, low_n / 100, high_n * 1000)
        loss = fit.law.value(repeated, {"N": n, "D": tokens_within(spent, n)})
        return loss.reshape(-1, draws), n.reshape(-1, draws)

    least, at = (each[:, 0] for each in along({name: np.array([value]) for name, value in fit.params.items()}, 1))
    if not len(ensemble):
        return least, at, least, least
    across, _ = along({name: values[:_DRAWS] for name, values in ensemble.draws.items()}, min(_DRAWS, len(ensemble)))
    ends = np.quantile(across, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return least, at, ends[0], ends[1]
