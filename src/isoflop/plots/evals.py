"""Scores along scale with chance and ceiling, correlations along the chain of a choice, and the line of pass rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isoflop.plots.style import LINES, MARKERS, legend, log_axis, plain, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.evals.chain import Chain
    from isoflop.evals.emergence import PassLaw
    from isoflop.evals.evaluate import Evaluation

MOST_LINES = 5
_POINTS = 100


def score_against_scale(found: Evaluation, axes: Axes) -> Axes:
    """Score of each task against scale with intervals of the items; dotted: chance level and ceiling. Five tasks."""
    from isoflop.evals.aggregate import main_measures

    ink = shades(axes)
    scale = dict(zip(found.items.names, found.x, strict=True))
    measures = main_measures(found.items)
    levels: set[tuple[float, str]] = set()
    for place, (task, metric) in enumerate(list(measures)[:MOST_LINES]):
        color = ink.series[place % len(ink.series)]
        own = [
            each for each in found.scores
            if (each.task, each.metric) == (task, metric) and each.measure == measures[task, metric]
            and np.isfinite(scale[each.model])
        ]  # fmt: skip
        own.sort(key=lambda each: scale[each.model])
        if not own:
            continue
        value = np.array([each.value for each in own])
        ends = np.array([[each.interval.low, each.interval.high] for each in own]).T
        error = np.abs(np.where(np.isfinite(ends), ends - value, 0.0))
        axes.errorbar(
            [scale[each.model] for each in own], value, yerr=error, color=color, marker=MARKERS[place], markersize=4,
            linestyle=LINES[place], linewidth=1.2, capsize=2, label=plain(task),
        )  # fmt: skip
        levels |= {(found.items.chances[task], color)} if task in found.items.chances else set()
        levels |= {(found.items.ceilings[task], color)} if task in found.items.ceilings else set()
    for level, color in sorted(levels):
        axes.axhline(level, color=color, linestyle=":", linewidth=1.0)
    log_axis(axes.xaxis, found.scale)
    axes.set_ylabel("score")
    if levels:
        axes.plot([], [], color=ink.muted, linestyle=":", label="chance level, ceiling")
    legend(axes)
    return axes


def correlations_along_chain(chain: Chain, axes: Axes) -> Axes:
    """Share of items whose score has a higher correlation with scale, by score; the dots are medians."""
    from isoflop.evals.chain import WORDS, survival

    ink = shades(axes)
    for place, link in enumerate(chain.links):
        color = ink.series[place % len(ink.series)]
        value, share = survival(link.pearson)
        if not len(value):
            continue
        axes.step(
            value, share, where="post", color=color, linestyle=LINES[place], linewidth=1.5, label=WORDS[link.name]
        )
        axes.plot(
            [link.pearson_median.value], [np.interp(link.pearson_median.value, value, share)], color=color,
            marker=MARKERS[place], markersize=6,
        )  # fmt: skip
    axes.set_xlim(-1, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"Pearson correlation of an item's score with log {chain.scale}")
    axes.set_ylabel("share of items above")
    legend(axes, loc="lower left")
    return axes


def pass_line(law: PassLaw, scale: str, axes: Axes) -> Axes:
    """−ln of the pass rate against scale on logarithmic axes, where exp(−c·N^(−α)) is a straight line; 90 % bars."""
    ink, rates = shades(axes), law.rates
    usable = (rates.p > 0) & (rates.p < 1)
    x, p = rates.x[usable], rates.p[usable]
    error = np.sqrt(np.diag(rates.covariance)[usable])
    f = -np.log(p)
    high, low = np.minimum(p + 1.645 * error, 1 - 1e-12), np.maximum(p - 1.645 * error, p / 50)
    bars = np.stack([f + np.log(high), -np.log(low) - f])
    grid = np.geomspace(x.min(), x.max(), _POINTS)
    told = np.array([[law.at(each).low, law.at(each).value, law.at(each).high] for each in grid])
    upper, middle, lower = -np.log(told.T)
    axes.fill_between(
        grid, lower, upper, color=ink.series[0], alpha=0.15, linewidth=0, label=f"{100 * law.level:g}% PI"
    )
    axes.plot(grid, middle, color=ink.series[0], linewidth=1.6, label=f"α = {law.alpha.value:.3g}")
    axes.errorbar(x, f, yerr=np.maximum(bars, 0), color=ink.ink, linestyle="none", marker="o", markersize=4, capsize=2)
    log_axis(axes.xaxis, scale)
    log_axis(axes.yaxis, "", label="-ln(pass rate)")
    legend(axes)
    return axes
