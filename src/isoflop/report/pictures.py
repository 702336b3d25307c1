"""The picture of each result, with the words that say what it shows to those who do not see it."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from isoflop import plots
from isoflop.report.card import Picture
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.fitting import Fit
    from isoflop.planning import Forecast, Plan
    from isoflop.planning.methods import Methods
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble, Interval
    from isoflop.validation.backtest import Backtest
    from isoflop.validation.rank import Ranking

TALL = (7.2, 5.0)
FLAT = (7.2, 3.0)


def design_picture(runs: Runs) -> Picture | None:
    """Where the runs are; None where the table has no positive inputs or losses to show them by."""
    names = [name for name in ("N", "D") if name in runs.frame.columns]
    if not names or "loss" not in runs.frame.columns:
        return None
    ends = {name: _range(runs, name) for name in (*names, "loss")}
    if not all(ends.values()):
        return None
    spans = " and ".join(f"{name} from {ends[name]}" for name in names)
    return Picture(
        "design",
        partial(plots.design, runs),
        f"The {len(runs)} rows of the table, {spans}, coloured by their loss.",
    )


def fit_picture(ensemble: Ensemble, *, level: float) -> Picture | None:
    """The runs with the law: against compute where the law is one of N and D, else fitted against measured.

    None for a fit without its runs.
    """
    fit = ensemble.fit
    if fit.runs is None:
        return None
    if set(fit.law.input_names) != {"N", "D"}:
        return match_picture(fit)
    compute = 6 * fit.runs["N"] * fit.runs["D"]
    return Picture(
        "loss-against-compute",
        partial(plots.loss_against_compute, ensemble, level=level),
        f"{_first_word(fit)} against training compute of {len(fit.runs)} runs from {compute.min():.3g} to "
        f"{compute.max():.3g} FLOPs, the fitted curve of each size, and the compute-optimal envelope with its "
        f"{100 * level:g}% band, two decades beyond the runs.",
    )


def match_picture(fit: Fit) -> Picture:
    """Measured against fitted."""
    runs = fit.require_runs()
    return Picture(
        "fit-against-measured",
        partial(plots.fit_against_measured, fit),
        f"Measured against fitted {fit.law.response.replace('_', ' ')} of {len(runs)} runs, along the diagonal on "
        "which both are equal.",
    )


def residuals_picture(fit: Fit, *, against: str) -> Picture:
    """What is left of each run, against an input, C or the order of the table."""
    across = "the order of the table" if against == "order" else f"{against}"
    return Picture(
        f"residuals-against-{against}",
        partial(plots.residuals, fit, against=against),
        f"How far each of {fit.data.n_rows} measurements lies above the law, against {across}, with medians over "
        "ninths of the rows.",
    )


def contours_picture(ensemble: Ensemble, *, level: float) -> Picture:
    """The fitted surface with the optimal path."""
    return Picture(
        "contours",
        partial(plots.loss_contours, ensemble, level=level),
        f"Contours of the fitted loss over tokens and parameters, the {ensemble.fit.data.n_rows} measurements, and "
        f"the compute-optimal path with its {100 * level:g}% band.",
        size=TALL,
    )


def draws_picture(ensemble: Ensemble, x: str, y: str, *, level: float) -> Picture:
    """Draws of two parameters."""
    ends = [f"{name} {_told(ensemble.interval(name, level=level))}" for name in (x, y)]
    return Picture(
        f"draws-{x}-{y}",
        partial(plots.parameter_draws, ensemble, x=x, y=y, level=level),
        f"{len(ensemble)} draws of {x} and {y} along their ridge; {100 * level:g}% intervals: {ends[0]}, {ends[1]}.",
    )


def forecast_picture(forecast: Forecast, ensemble: Ensemble) -> Picture:
    """The fan to the point that was asked."""
    where = ", ".join(f"{name} = {format_quantity(value)}" for name, value in forecast.at.items())
    beyond = (
        f" That is {forecast.reach_decades:.1f} decades beyond the runs, which is shaded."
        if forecast.reach and forecast.reach_decades > 0
        else ""
    )
    return Picture(
        "forecast",
        partial(plots.forecast_fan, forecast, ensemble),
        f"The law and its intervals on the way to {where}, where a new run is expected at "
        f"{_told(forecast.loss)}.{beyond}",
    )


def plan_picture(plan: Plan, ensemble: Ensemble) -> Picture:
    """The flat bottom of the valley at the plan's budget."""
    low, high = (format_quantity(each) for each in plan.band.n)
    sure = (
        f" (interval {format_quantity(plan.n.low)} to {format_quantity(plan.n.high)})"
        if math.isfinite(plan.n.low)
        else ""
    )
    return Picture(
        "plan",
        partial(plots.flat_band, plan, ensemble),
        f"Loss against model size at {plan.budget:.3g} FLOPs: least at {format_quantity(plan.n.value)} "
        f"parameters{sure}, and within {100 * plan.band.within:.2g}% of that from {low} to {high}.",
    )


def methods_picture(methods: Methods) -> Picture:
    """The methods' N*, each with its interval."""
    said = "; ".join(
        f"{each.name} {format_quantity(each.n.value)}"
        + (f" [{format_quantity(each.n.low)}, {format_quantity(each.n.high)}]" if math.isfinite(each.n.low) else "")
        if each.n is not None
        else f"{each.name} none"
        for each in methods.methods
    )
    return Picture(
        "methods",
        partial(plots.methods_compared, methods),
        f"Compute-optimal parameters at {methods.budget:.3g} FLOPs by each method: {said}.",
        size=FLAT,
    )


def backtest_picture(result: Backtest) -> Picture:
    """Forecasts of the held-out runs against what was measured."""
    best = min(result.laws, key=lambda each: result.scores(each).are.value)
    scores = result.scores(best)
    held = "" if scores.covered is None else f"; {scores.covered} of {scores.rows} lie inside their interval"
    return Picture(
        "backtest",
        partial(plots.predicted_against_actual, result, law=best.name),
        f"Forecasts of {best.name} for {scores.rows} rows that it was not shown, against what was measured: "
        f"{100 * scores.are.value:.2g}% off on average{held}.",
    )


def rank_picture(ranking: Ranking) -> Picture:
    """Laws by their error on held-out runs."""
    first = ", ".join(f"{each.law.name} {100 * each.scores.are.value:.2g}%" for each in ranking.ranked[:4])
    rows = min(len(ranking.ranked), plots.MOST_LAWS) + len(ranking.backtest.baselines)
    return Picture(
        "ranking",
        partial(plots.laws_ranked, ranking),
        f"Mean relative error of {len(ranking.ranked)} laws and {len(ranking.backtest.baselines)} baselines on runs "
        f"that they were not shown: {first}.",
        size=(7.2, 1.2 + 0.3 * rows),
    )


def _first_word(fit: Fit) -> str:
    """What the law predicts, at the start of a sentence."""
    said = fit.law.response.replace("_", " ")
    return said[:1].upper() + said[1:]


def _range(runs: Runs, name: str) -> str:
    """``10M to 1B``; empty without a positive value."""
    values = runs[name]
    good = values[(values > 0) & (values < float("inf"))]
    return f"{format_quantity(good.min())} to {format_quantity(good.max())}" if len(good) else ""


def _told(interval: Interval) -> str:
    value, low, high = (
        format_by_interval(each, interval.low, interval.high) for each in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]" if low else value
