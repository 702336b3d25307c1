"""A plan: the loss along its budget, how flat the bottom is, and how sure the best size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning.sizes import sizes
from isoflop.plots.canvas import paint
from isoflop.plots.style import legend, log_axis, loss_axis, shades
from isoflop.units import format_quantity, training_flops

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning import Plan
    from isoflop.planning.answer import Recommended
    from isoflop.uncertainty import Ensemble

Floats = NDArray[np.float64]

_HEADROOM = 0.4  # of the height, for the legend
_SIDE = 6.0  # the curve reaches this factor beyond the flat band, or the interval, on both sides


def flat_band(plan: Plan, ensemble: Ensemble, axes: Axes, *, recommended: Recommended | None = None) -> Axes:
    """The mean loss against N at the plan's budget, with its interval; D = C/6N along the top.

    Loss and interval are those of the plan at N*, and the valley around it has the shape of the law's.

    Shaded: all sizes within ``plan.band.within`` of the best loss. The bar at the minimum is the interval of N*.
    recommended: another model than the compute-optimal one, marked at its N and loss, its tokens in the legend.
    """
    fit, ink = ensemble.estimate, shades(axes)
    level = plan.n.level
    ends = [plan.band.n[0], plan.band.n[1], plan.n.low, plan.n.high]
    ends += [] if recommended is None else [recommended.n.value]
    known = [each for each in ends if np.isfinite(each)]
    n = np.geomspace(min(known) / _SIDE, max(known) * _SIDE, 160)
    valley = sizes(ensemble).valley(np.array([plan.budget]), n / plan.n.value, plan.band.within)[0]
    curve, low, high = (end * valley for end in (plan.loss.value, plan.loss.low, plan.loss.high))
    axes.axvspan(
        *plan.band.n,
        color=ink.series[2],
        alpha=0.18,
        linewidth=0,
        label=f"within {100 * plan.band.within:.2g}% of the best",
    )
    if np.isfinite(low).any():
        axes.fill_between(
            n, low, high, color=ink.muted, alpha=0.25, linewidth=0, label=f"{100 * level:g}% interval of the loss"
        )
    beyond = fit.runs is not None and plan.budget > float(training_flops(fit.runs["N"], fit.runs["D"]).max())
    axes.plot(n, curve, color=ink.ink, linewidth=1.8, linestyle=(0, (4, 2)) if beyond else "-",
              label="forecast, beyond the runs" if beyond else None)  # fmt: skip
    best = plan.loss.value
    if np.isfinite(plan.n.low):
        axes.plot(
            [plan.n.low, plan.n.high],
            [best, best],
            color=ink.series[1],
            linewidth=3,
            solid_capstyle="butt",
            label=f"{100 * level:g}% interval of N*",
        )
    axes.plot(
        [plan.n.value], [best], marker="o", markersize=7, color=ink.series[1], linestyle="none", label="best size N*"
    )
    if recommended is not None:
        at = (recommended.n.value, recommended.loss.value)
        if np.isfinite(recommended.n.low):
            axes.plot([recommended.n.low, recommended.n.high], [at[1]] * 2, color=ink.series[3], linewidth=2)
        axes.plot(
            *([each] for each in at),
            marker="D",
            markersize=7,
            color=ink.series[3],
            linestyle="none",
            label=f"recommended ({recommended.why}), {format_quantity(recommended.d.value)} tokens",
        )
    log_axis(axes.xaxis, "N")
    loss_axis(axes.yaxis, fit)
    axes.margins(x=0)
    bottom, above = axes.get_ylim()
    axes.set_ylim(bottom, above * (above / bottom) ** _HEADROOM)
    counted = fit.data.flops
    top = axes.secondary_xaxis("top", functions=_other(counted, plan.budget))
    top.set_xlabel(f"training tokens D{' = C/6N' if counted == SIX_ND else f', {counted.told()}'}")
    from isoflop.plots.ticks import set_log_ticks

    set_log_ticks(top.xaxis, "quantity")
    paint(top, str(axes.xaxis.label.get_color()))
    legend(axes, loc="upper left")  # the near-optimal range stands in the middle
    return axes


def _other(
    counted: TrainingFlops, budget: float
) -> tuple[Callable[[ArrayLike], Floats], Callable[[ArrayLike], Floats]]:
    """N to D at the budget, and back."""

    def tokens(values: ArrayLike) -> Floats:
        return counted.tokens(np.maximum(np.asarray(values, dtype=np.float64), 1e-30), budget)

    def params(values: ArrayLike) -> Floats:
        return counted.params(np.maximum(np.asarray(values, dtype=np.float64), 1e-30), budget)

    return tokens, params
