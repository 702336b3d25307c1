"""Pictures of which data to train on: ways to prune, unions of pools, transport of mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import legend_above, log_axis, plain, shades
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.selection.pools import Curation
    from isoflop.planning.selection.pruned import Pruning
    from isoflop.planning.selection.transported import TransportPlan

_MARKS = "os^DvPX"


def _log_axes(axes: Axes, x: str, response: str) -> None:
    log_axis(axes.xaxis, "D", label=x)  # counts, read as quantities
    log_axis(axes.yaxis, response, label=plain(response))


def pruned_errors(pruning: Pruning, axes: Axes) -> Axes:
    """The response of each way to prune against examples before pruning, with its interval."""
    ink = shades(axes)
    totals = [each.total for each in pruning.sizes]
    for k, way in enumerate(pruning.ways):
        found = [each.responses[k] for each in pruning.sizes]
        color = ink.series[k % len(ink.series)]
        axes.plot(
            totals, [each.value for each in found], marker=_MARKS[k % len(_MARKS)], markersize=5, color=color,
            linestyle="-" if k < len(ink.series) else "--", label=plain(way.name),
        )  # fmt: skip
        if all(np.isfinite(each.low) for each in found):
            axes.fill_between(
                totals,
                [each.low for each in found],
                [each.high for each in found],
                color=color,
                alpha=0.15,
                linewidth=0,
            )
    _log_axes(axes, "examples before pruning", pruning.response)
    legend_above(axes)
    return axes


def pool_errors(curation: Curation, axes: Axes) -> Axes:
    """The predicted response of each nested union against samples seen; points where single pools were measured."""
    ink = shades(axes)
    grid, *curves = curation.curve
    for k, (union, curve) in enumerate(zip(curation.unions, curves, strict=True)):
        axes.plot(grid, curve, color=ink.series[k % len(ink.series)], label=plain(union))
    runs = curation.fitted.runs
    labels, seen, measured = np.array(runs.text(curation.fitted.by[0])), runs["D"], runs[curation.response]
    for k, pool in enumerate(curation.pools):
        own = labels == pool.name
        axes.plot(
            seen[own], measured[own], marker=_MARKS[k % len(_MARKS)], markersize=4, linestyle="none",
            color=ink.muted, label=f"{plain(pool.name)} alone, measured",
        )  # fmt: skip
    _log_axes(axes, "samples seen", curation.response)
    legend_above(axes)
    return axes


def transport_losses(plan: TransportPlan, axes: Axes) -> Axes:
    """The loss of each mixture against its transport, at each size, and as projected."""
    ink = shades(axes)
    far = [each.transport for each in plan.mixtures]
    for k, size in enumerate(plan.sizes):
        axes.plot(
            far, [each.measured[k] for each in plan.mixtures], marker=_MARKS[k % len(_MARKS)], markersize=5,
            linestyle="none", color=ink.series[k % len(ink.series)], label=f"{format_quantity(size)} samples",
        )  # fmt: skip
    axes.plot(
        far, [each.projected for each in plan.mixtures], marker="x", markersize=5, linestyle="none", color=ink.muted,
        label=f"projected to {format_quantity(plan.at)}",
    )  # fmt: skip
    axes.axvline(plan.transport, color=ink.muted, linewidth=1, label="best mixture")
    axes.set(xlabel="transport to the validation data", ylabel="loss")
    legend_above(axes)
    return axes
