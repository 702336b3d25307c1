"""The near-optimal set of a plan: how far each unknown may move while the objective stays nearly the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.plots.style import legend_above, log_axis, name_rows, plain, shades
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.mixtures import MixturePlan
    from isoflop.planning.program.optimized_plan import Chosen, OptimizedPlan

Floats = NDArray[np.float64]


def near_optimal_set(plan: OptimizedPlan, axes: Axes) -> Axes:
    """A row for each unknown: its range over the near-optimal set, points of the set, its interval, and the best.

    Shares of a mixture along their own axis from 0 to 1; without shares, every unknown relative to its best, on a
    logarithmic axis.
    """
    ink = shades(axes)
    shares = {each.name for each in plan.problem.unknowns if each.share}
    rows = [each for each in plan.chosen if each.name in shares] or list(plan.chosen)
    random = np.random.default_rng(0)
    for place, each in enumerate(rows):
        scale = 1.0 if shares or not each.interval.value > 0 else each.interval.value
        first = place == 0
        low, high = (end / scale for end in each.near)
        axes.barh(
            [place], [high - low], left=[low], height=0.62, color=ink.series[2], alpha=0.22, linewidth=0,
            label=f"objective within {100 * plan.within:.2g}% of the best" if first else None,
        )  # fmt: skip
        dots = plan.near[each.name] / scale
        axes.plot(
            dots, place + random.uniform(-0.22, 0.22, len(dots)), ".", markersize=2.5, color=ink.series[2], alpha=0.6,
            linestyle="none",
        )  # fmt: skip
        if np.isfinite(each.interval.low):
            axes.plot(
                [each.interval.low / scale, each.interval.high / scale], [place, place], color=ink.series[1],
                linewidth=2.5, solid_capstyle="butt",
                label=f"{100 * each.interval.level:g}% interval of the best" if first else None,
            )  # fmt: skip
        axes.plot(
            [each.interval.value / scale], [place], marker="o", markersize=7, color=ink.series[1], linestyle="none",
            label="best" if first else None,
        )  # fmt: skip
    name_rows(axes, [_named(each, bool(shares)) for each in rows])
    if shares:
        axes.set_xlim(-0.02, min(1.02, 1.1 * max(max(each.near[1], each.interval.value) for each in rows)))
        axes.set_xlabel("share of the mixture")
    else:
        log_axis(axes.xaxis, "M", label="relative to the best")
        axes.use_sticky_edges = False
        axes.margins(x=0.04)
    legend_above(axes)
    return axes


def mixture_shares(plan: MixturePlan, axes: Axes) -> Axes:
    """A row for each domain, the largest share on top: its near-optimal range, its interval, and the best."""
    ink = shades(axes)
    rows = sorted(plan.domains, key=lambda each: each.share.value)
    for place, each in enumerate(rows):
        first, low, high = place == 0, *each.near
        axes.barh(
            [place], [high - low], left=[low], height=0.62, color=ink.series[2], alpha=0.22, linewidth=0,
            label=f"loss within {100 * plan.within:.2g}% of the least" if first else None,
        )  # fmt: skip
        axes.plot(
            [each.share.low, each.share.high], [place, place], color=ink.series[1], linewidth=2.5,
            solid_capstyle="butt", label=f"{100 * each.share.level:g}% interval of the best" if first else None,
        )  # fmt: skip
        axes.plot(
            [each.share.value], [place], marker="o", markersize=7, color=ink.series[1], linestyle="none",
            label="best" if first else None,
        )  # fmt: skip
        axes.plot([each.seen], [place], marker="|", markersize=14, color=ink.muted, linestyle="none",
                  label="largest trained" if first else None)  # fmt: skip
    name_rows(axes, [f"{plain(each.name)} = {100 * each.share.value:.3g}%" for each in rows])
    axes.set_xlim(-0.02, min(1.02, 1.1 * max(max(each.near[1], each.share.high, each.seen) for each in rows)))
    axes.set_xlabel("share of the mixture")
    legend_above(axes)
    return axes


def _named(each: Chosen, share: bool) -> str:
    value = f"{100 * each.interval.value:.3g}%" if share else format_quantity(each.interval.value)
    return f"{plain(each.name)} = {value}"
