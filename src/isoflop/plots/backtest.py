"""Backtests: what was forecast against what was measured, how often intervals held it, and laws side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.plots.style import MARKERS, legend, legend_above, log_axis, name_rows, plain, shades
from isoflop.room import MOST_LAWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.validation.backtest import Backtest
    from isoflop.validation.rank import Ranking
    from isoflop.validation.window_test import Forecasts

Floats = NDArray[np.float64]

_WIDE = 2.5  # of the middle four fifths of what was measured, shown on both sides of its median
_MOST_WINDOWS = 5


def predicted_against_actual(result: Backtest, axes: Axes, *, law: str = "") -> Axes:
    """Forecast and its interval of every held-out row against what was measured; on the diagonal they agree.

    law: by its name; the one with the least mean error where none is given. Each window has its marker; what lies
    outside its interval is hollow. Both axes have one range, that of what was measured and of the forecasts near it;
    forecasts beyond are arrows at the edge.
    """
    each = _chosen(result, law)
    ink, truth = shades(axes), result.held.truth
    low = each.value if each.low is None else each.low
    high = each.value if each.high is None else each.high
    missed = (truth < low) | (truth > high)
    axes.vlines(truth, low, high, color=ink.muted, linewidth=1.0, alpha=0.7, zorder=2)
    for number, window in enumerate(result.windows):
        place = min(number, _MOST_WINDOWS - 1)
        color = ink.series[place % len(ink.series)]
        for hollow in (False, True):
            shown = (result.held.window == number) & (missed == hollow)
            if not shown.any():
                continue
            name = window.says if number < _MOST_WINDOWS else "further windows"
            axes.plot(
                truth[shown],
                each.value[shown],
                marker=MARKERS[place],
                linestyle="none",
                markersize=5,
                markeredgecolor=color,
                markerfacecolor=ink.paper if hollow else color,
                zorder=3,
                label=_once(axes, plain(f"{window.family} {name}".strip())),
            )
    ends = _bulk(truth, each.value)
    axes.plot(ends, ends, color=ink.ink, linewidth=1, zorder=1)
    what = result.response.replace("_", " ")
    unit = f" ({result.unit})" if result.response == "loss" else ""
    if ends[0] > 0:
        log_axis(axes.xaxis, "", label="")
        log_axis(axes.yaxis, "", label="")
    axes.set(xlim=ends, ylim=ends)
    axes.set_aspect("equal")
    _beyond(axes, truth, each.value, ends)
    axes.set(xlabel=f"measured {what}{unit}", ylabel=f"forecast of {plain(each.name)}")
    if missed.any():
        axes.plot(
            [],
            [],
            marker="o",
            linestyle="none",
            markeredgecolor=ink.muted,
            markerfacecolor=ink.paper,
            label=f"outside the {100 * result.level:g}% interval",
        )
    legend(axes, loc="upper left")
    return axes


def _bulk(truth: Floats, forecast: Floats) -> tuple[float, float]:
    """One range for both axes: most of what was measured, and the forecasts in it or near it."""
    low, middle, high = (float(each) for each in np.quantile(truth, [0.1, 0.5, 0.9]))
    reach = _WIDE * (high - low) or 0.05 * abs(middle) or 1.0
    both = np.concatenate([truth, forecast[np.isfinite(forecast)]])
    near = both[np.abs(both - middle) <= reach]
    low, high = float(near.min(initial=middle)), float(near.max(initial=middle))
    edge = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return (low - edge if low - edge > 0 or low <= 0 else low / 1.1), high + edge


def _beyond(axes: Axes, truth: Floats, forecast: Floats, ends: tuple[float, float]) -> None:
    """Rows outside the range as arrows at the edges, with their number."""
    ink, out = shades(axes), (np.minimum(truth, forecast) < ends[0]) | (np.maximum(truth, forecast) > ends[1])
    for marker, which in (
        (">", out & (truth > ends[1])),
        ("<", out & (truth < ends[0])),
        ("^", out & (truth <= ends[1]) & (forecast > ends[1])),
        ("v", out & (truth >= ends[0]) & (forecast < ends[0])),
    ):
        if which.any():
            places = np.clip(truth[which], *ends), np.clip(forecast[which], *ends)
            axes.scatter(*places, marker=marker, s=30, color=ink.series[3], zorder=7, clip_on=False)
    if out.any():
        far = truth[out]
        axes.annotate(
            f"{int(out.sum())} {'row' if out.sum() == 1 else 'rows'} beyond, measured {far.min():.3g}"
            + (f" to {far.max():.3g}" if far.max() > far.min() else ""),
            (0.98, 0.03),
            xycoords="axes fraction",
            ha="right",
            fontsize="x-small",
            color=ink.series[3],
        )


def coverage_by_law(result: Backtest, axes: Axes) -> Axes:
    """The share of held-out rows that each law's intervals held, with its own interval, beside the nominal level."""
    ink = shades(axes)
    axes.axvline(result.level, color=ink.muted, linewidth=1.2, linestyle=(0, (5, 2)), label="nominal")
    for row, each in enumerate(result.laws):
        share = result.scores(each).coverage
        if share is None:
            continue
        axes.hlines(row, share.low, share.high, color=ink.series[0], linewidth=2.2)
        axes.plot([share.value], [row], marker="o", color=ink.series[0], linestyle="none")
    name_rows(axes, [each.name for each in result.laws])
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(f"share inside the {100 * result.level:g}% interval")
    legend_above(axes)
    return axes


def laws_ranked(ranking: Ranking, axes: Axes) -> Axes:
    """Mean relative error of each law on the held-out runs, with its interval.

    Hollow: laws that the runs tell apart from the best. Squares: baselines without a law.
    """
    ink = shades(axes)
    shown = ranking.ranked[:MOST_LAWS]
    scores = [(each.law.name, each.scores, each.tied or each is ranking.ranked[0], "o") for each in shown]
    scores += [(each.name, ranking.backtest.scores(each), True, "s") for each in ranking.backtest.baselines]
    for row, (_, score, filled, marker) in enumerate(scores):
        color = ink.series[0] if marker == "o" else ink.muted
        are = 100 * np.array([score.are.value, score.are.low, score.are.high])
        if np.isfinite(are).all():
            axes.hlines(row, max(are[1], are[0] / 20), are[2], color=color, linewidth=1.8)
        axes.plot(
            [are[0]],
            [row],
            marker=marker,
            markersize=6,
            color=color,
            markerfacecolor=color if filled else ink.paper,
            linestyle="none",
            zorder=3,
        )
    name_rows(axes, [name for name, *_ in scores])
    told = [("best, or ties with it", "o", True), ("told apart from it", "o", False), ("no law", "s", True)]
    for label, marker, filled in told:
        if any(score[2:] == (filled, marker) for score in scores):
            color = ink.series[0] if marker == "o" else ink.muted
            axes.plot(
                [], [], marker=marker, color=color, markerfacecolor=color if filled else ink.paper, linestyle="none",
                label=label,
            )  # fmt: skip
    legend_above(axes, columns=3)
    log_axis(axes.xaxis, "", label="error on runs not shown (%)")
    return axes


def _chosen(result: Backtest, law: str) -> Forecasts:
    if law:
        return next(each for each in result.laws if each.name == law)
    return min(result.laws, key=lambda each: result.scores(each).are.value)


def _once(axes: Axes, label: str) -> str | None:
    """The label, unless the axes have it already."""
    return None if label in axes.get_legend_handles_labels()[1] else label
