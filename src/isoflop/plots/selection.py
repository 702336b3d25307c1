"""Pictures of which data to train on: ways to prune, unions of pools, transport of mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import legend_above, plain, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.selection.pools import Curation
    from isoflop.planning.selection.pruned import Pruning
    from isoflop.planning.selection.transported import TransportPlan

_MARKS = "os^DvPX"


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
    axes.set(xscale="log", yscale="log", xlabel="examples before pruning", ylabel=plain(pruning.response))
    legend_above(axes)
    return axes


def pool_errors(curation: Curation, axes: Axes) -> Axes:
    """The predicted response of each nested union against samples seen; points where single pools were measured."""
    ink = shades(axes)
    grid, *curves = curation.curve
    for k, (union, curve) in enumerate(zip(curation.unions, curves, strict=True)):
        axes.plot(grid, curve, color=ink.series[k % len(ink.series)], label=plain(union))
    table = curation.fitted.ready.table
    axes.plot(
        table.by_row["D"], table.loss, marker="o", markersize=4, linestyle="none", color=ink.muted,
        label="single pools, measured",
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="samples seen", ylabel=plain(curation.response))
    legend_above(axes)
    return axes


def transport_losses(plan: TransportPlan, axes: Axes) -> Axes:
    """The loss of each mixture against its transport, at each size, and as projected."""
    ink = shades(axes)
    far = [each.transport for each in plan.mixtures]
    for k, size in enumerate(plan.sizes):
        axes.plot(
            far, [each.measured[k] for each in plan.mixtures], marker=_MARKS[k % len(_MARKS)], markersize=5,
            linestyle="none", color=ink.series[k % len(ink.series)], label=f"{size:g} samples",
        )  # fmt: skip
    axes.plot(
        far, [each.projected for each in plan.mixtures], marker="x", markersize=5, linestyle="none", color=ink.muted,
        label=f"projected to {plan.at:g}",
    )  # fmt: skip
    axes.axvline(plan.transport, color=ink.muted, linewidth=1, label="best mixture")
    axes.set(xlabel="transport to the validation data", ylabel="loss")
    legend_above(axes)
    return axes
