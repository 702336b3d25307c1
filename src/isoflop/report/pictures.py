"""The picture of each result, with the words that say what it shows to those who do not see it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from isoflop import plots
from isoflop.answers import Picture
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    import polars as pl

    from isoflop.fitting import Fit
    from isoflop.planning import Forecast, Plan
    from isoflop.planning.downstream import Downstream
    from isoflop.planning.methods import Methods
    from isoflop.planning.parabolas import Parabolas
    from isoflop.planning.reconcile import Recount
    from isoflop.planning.repeat import Repeat
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble, Interval
    from isoflop.uncertainty.profile import Profile
    from isoflop.validation.backtest import Backtest
    from isoflop.validation.finish import Finish
    from isoflop.validation.influence import Influence
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


def isoflops_picture(found: Parabolas) -> Picture:
    """The curves of each budget with their minima."""
    kept = [each for each in found.profiles if each.bracketed]
    said = "; ".join(f"{each.budget:.2g} FLOPs {format_quantity(each.n_best)}" for each in kept)
    return Picture(
        "isoflop-curves",
        partial(plots.isoflop_curves, found),
        f"Loss against parameters at {len(found.profiles)} budgets with a parabola through each; minima with their "
        f"intervals: {said}.",
        size=TALL,
    )


def curves_picture(runs: Runs, *, by: str, along: str) -> Picture:
    """The runs on their way."""
    return Picture(
        "training-curves",
        partial(plots.training_curves, runs, by=by, along=along),
        f"Loss of {int(runs.run_codes().max()) + 1} runs along their {plots.AXES[along][0]}, told apart by {by}.",
    )


def likelihood_picture(found: Profile, param: str) -> Picture:
    """The profile of one parameter."""
    return Picture(
        f"likelihood-{param}",
        partial(plots.profile_likelihood, found, param=param),
        f"How much worse the law fits with {param} held elsewhere and the others at their best; its interval: "
        f"{_told(found.intervals[param])}.",
    )


def coverage_picture(result: Backtest) -> Picture:
    """How often each law's intervals held what was measured."""
    told = []
    for each in result.laws:
        scores = result.scores(each)
        told.append(f"{each.name} {scores.covered} of {scores.rows}")
    return Picture(
        "coverage",
        partial(plots.coverage_by_law, result),
        f"Share of the rows held out that lay inside each law's {100 * result.level:g}% interval: {', '.join(told)}.",
        size=(7.2, 1.4 + 0.35 * len(result.laws)),
    )


def left_out_picture(found: Influence, *, count: int) -> Picture:
    """The answer without each of the strongest runs."""
    chosen = found.strongest(found.decided, count=count)
    return Picture(
        "left-out",
        partial(plots.runs_left_out, found, count=count),
        f"{found.decided} without each of the {len(chosen)} runs that move it most, beside its interval with all runs.",
        size=(7.2, 1.4 + 0.28 * max(len(chosen), 4)),
    )


def finish_picture(said: Finish) -> Picture:
    """The run so far and its end."""
    return Picture(
        "finish",
        partial(plots.run_to_its_end, said),
        f"Loss against step: measured to step {format_quantity(said.seen)}, and the curve with its band on to "
        f"{_told(said.loss)} at step {format_quantity(said.end)}.",
    )


def families_picture(grid: pl.DataFrame, *, says: str) -> Picture:
    """Errors by models and share of training. says: the shares in words."""
    return Picture(
        "families",
        partial(plots.errors_by_share, grid),
        f"Median error on the largest model by number of models and share of training that keeps it within: {says}.",
        size=(7.2, 1.6 + 0.36 * grid["models"].n_unique()),
    )


def recount_picture(answers: Mapping[str, Recount]) -> Picture:
    """The local exponents without embeddings."""
    low, high = (format_quantity(each) for each in next(iter(answers.values())).sizes)
    told = "; ".join(
        f"{name} {each.small.value:.3f} for the smallest, {each.slope.value:.3f} over the range, "
        f"{each.large.value:.3f} for the largest"
        for name, each in answers.items()
    )
    return Picture(
        "recount",
        partial(plots.exponents_recounted, answers),
        f"Exponent of the optimal size without embeddings against that size, with the range {low} to {high} shaded: "
        f"{told}.",
    )


def repeats_picture(answers: Sequence[Repeat]) -> Picture:
    """What epochs are worth."""
    told = "; ".join(
        f"{each.ensemble.fit.law.name}: {one.epochs:g} epochs {one.fresh.value:.3g}"
        for each in answers
        for one in each.passes[-1:]
    )
    return Picture(
        "repeats",
        partial(plots.worth_of_repeats, answers),
        f"Worth of epochs over {format_quantity(answers[0].unique)} unique tokens, in epochs of fresh tokens, and "
        f"where one more is worth less than {answers[0].least:g}; {told}.",
    )


def scores_picture(answers: Mapping[str, Downstream]) -> Picture:
    """Scores against losses."""
    shown = list(answers.items())[: plots.MOST_TASKS]
    told = "; ".join(f"{name} {_told(each.score)} at a loss of {_told(each.loss.loss)}" for name, each in shown)
    left = len(answers) - len(shown)
    return Picture(
        "scores",
        partial(plots.score_against_loss, answers),
        f"Score against the task's loss, the law with its bands, and the forecast: {told}"
        f"{f'; {left} further tasks are not drawn' if left else ''}.",
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
