"""Error against spend: what each further run of a batch is expected to leave, or what policies left on a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.plots.style import LINES, dots, legend, log_axis, plain, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.planning.design import RunDesign
    from isoflop.planning.design.loop import DesignLoop

Floats = NDArray[np.float64]


def batch_by_spend(design: RunDesign, axes: Axes) -> Axes:
    """The target's expected error (one standard deviation) after each run of the batch, against what is spent by then.

    Other ways to spend the budget are marked beside it.
    """
    ink = shades(axes)
    spent = np.concatenate([[0.0], np.cumsum(design.candidates.cost[list(design.rows)])])
    if len(spent) > 1:
        axes.step(spent[1:], design.errors[1:], where="post", color=ink.series[0], linewidth=1.4, zorder=2)
        dots(axes, spent[1:], design.errors[1:], colors=ink.series[0], label="this batch, run by run")
    axes.axhline(design.errors[0], color=ink.muted, linewidth=1.0, linestyle=LINES[1], label="now")
    for place, each in enumerate(design.alternatives, start=1):
        dots(
            axes,
            np.array([each.spent]),
            np.array([each.error]),
            colors=ink.series[place % len(ink.series)],
            marker=("s", "^", "D")[(place - 1) % 3],
            label=f"{each.name} ({each.runs})",
        )
    log_axis(axes.xaxis, "", label=f"spent ({plain(design.candidates.priced)})")
    log_axis(axes.yaxis, "", label=f"expected error of {plain(design.target.name)}")
    legend(axes)
    return axes


def answer_by_spend(loop: DesignLoop, axes: Axes) -> Axes:
    """The target with its interval after each round against what was spent by then, beside what was expected of it."""
    ink = shades(axes)
    spent = np.cumsum([each.spent for each in loop.rounds])
    for place, (name, answers) in enumerate(
        (
            ("expected after the round", [each.expected for each in loop.rounds]),
            ("came out", [each.answer for each in loop.rounds]),
        )
    ):
        color = ink.series[1 - place]
        at = spent * (0.99, 1.01)[place]
        ends = np.array([(each.low, each.high) for each in answers]).reshape(-1, 2)
        axes.vlines(at, ends[:, 0], ends[:, 1], color=color, linewidth=1.2, linestyle=LINES[1 - place], zorder=2)
        dots(axes, at, np.array([each.value for each in answers]), colors=color, label=name)
    positive = loop.last.target.kind != "number"
    log_axis(axes.xaxis, "", label=f"spent ({plain(loop.last.candidates.priced)})")
    if positive:
        log_axis(axes.yaxis, "", label=plain(loop.last.target.name))
    else:
        axes.set_ylabel(plain(loop.last.target.name))
    legend(axes)
    return axes


def policies_by_spend(
    share: Floats, errors: Mapping[str, Floats], full: float, axes: Axes, *, goal: Sequence[float] = ()
) -> Axes:
    """Median error of each policy over its seeds against the share of the table's cost, with the central half.

    share: (shares,). errors: policy → (seeds, shares). full: the error with the whole table. goal: a share of cost and
    a factor of ``full`` that is to be reached there, as a dotted corner.
    """
    ink = shades(axes)
    for place, (name, each) in enumerate(errors.items()):
        color = ink.series[place % len(ink.series)]
        low, middle, high = np.nanquantile(each, [0.25, 0.5, 0.75], axis=0)
        axes.plot(share, middle, color=color, linewidth=1.6, linestyle=LINES[place % len(LINES)], label=plain(name))
        axes.fill_between(share, low, high, color=color, alpha=0.15, linewidth=0)
    axes.axhline(full, color=ink.ink, linewidth=1.0, label="whole table")
    if goal:
        at, factor = goal
        axes.plot(
            [share[0], at, at], [full * factor, full * factor, full], color=ink.muted, linewidth=1.0, linestyle=":"
        )
    log_axis(axes.xaxis, "", label="share of the pool's cost")
    log_axis(axes.yaxis, "", label="mean relative error on the costliest tenth")
    legend(axes)
    return axes
