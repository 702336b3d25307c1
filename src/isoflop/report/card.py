"""``Card``: a result as a person reads it, before it is terminal text, Markdown, HTML or JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:  # a card of one kind needs none of the others' modules
    from isoflop.planning import Forecast
    from isoflop.planning.allocate import Plan
    from isoflop.planning.methods import Methods
    from isoflop.planning.overtrain import Served
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble, Interval


@dataclass(frozen=True)
class Card:
    """title, a one-sentence answer, a table, what to doubt, and how it was computed."""

    title: str
    answer: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]
    how: str


def fit_card(ensemble: Ensemble, *, level: float, findings: Sequence[Finding]) -> Card:
    """A fit: its parameters with intervals."""
    fit = ensemble.fit
    rows = []
    for param in fit.law.params:
        rows.append(_interval_row(param.name, ensemble.interval(param.name, level=level), param.meaning))
    rows += [(name, f"{value:g}", "", "", "fixed") for name, value in fit.law.fixed.items()]
    rows += [(name, f"= {formula}", "", "", "tied") for name, formula in fit.law.tied.items()]
    runs = _runs(fit.data.n_runs) + (f" ({fit.data.n_rows} rows)" if fit.data.n_rows != fit.data.n_runs else "")
    search = fit.search
    checked = f", {ensemble.restarted} of them searched again from all starts" if ensemble.restarted else ""
    return Card(
        title=f"{fit.law.name} on {fit.data.source}",
        answer=f"L = {fit.law.formula}, fitted to {runs}.",
        header=("", "value", f"{(1 - level) / 2:.6g} quantile", f"{(1 + level) / 2:.6g} quantile", ""),
        rows=tuple(rows),
        findings=tuple(findings),
        how=(
            f"objective {fit.objective.name} = {fit.value:.8g}, reached from {search.reached} of {search.starts} "
            f"starts; intervals: {ensemble.method}, {len(ensemble)} draws, seed {ensemble.seed}{checked}"
        ),
    )


def forecast_card(forecast: Forecast, ensemble: Ensemble) -> Card:
    """A forecast: the loss of one new run, and the curve alone."""
    where = ", ".join(f"{name} = {format_quantity(value)}" for name, value in forecast.at.items())
    loss, expected = forecast.loss, forecast.expected
    shown = format_by_interval(loss.value, loss.low, loss.high)
    unit = f" {forecast.unit}" if ensemble.fit.law.response == "loss" else ""
    return Card(
        title=f"{ensemble.fit.law.name} at {where}",
        answer=f"Expect a {ensemble.fit.law.response.replace('_', ' ')} of {shown}{unit}.",
        header=("", "value", "low", "high", ""),
        rows=(
            _interval_row("a new run", loss, "with the scatter of runs"),
            _interval_row("the curve", expected, "without it"),
        ),
        findings=forecast.findings,
        how=_sureness(ensemble, loss.level)
        + (f"; {forecast.reach_decades:.2f} decades beyond the runs" if forecast.reach else ""),
    )


def plan_card(plan: Plan, ensemble: Ensemble, *, served: Served | None, wasted: Mapping[str, float]) -> Card:
    """A plan: the allocation with intervals, the flat band, what a wrong size wastes, the over-trained answer."""
    fit = ensemble.fit
    rows = [
        _quantity_row("N", plan.n, "parameters"),
        _quantity_row("D", plan.d, "training tokens"),
        _quantity_row("D/N", plan.ratio, "tokens per parameter"),
        _interval_row("loss", plan.loss, f"{fit.data.loss_unit}, the curve's"),
        _interval_row("exponent a", plan.exponent_a, "N grows as C to this power"),
    ]
    low, high = (format_quantity(each) for each in plan.band.n)
    rows.append(("flat band", "", low, high, f"N whose loss is within {plan.band.within:.2%} of the best"))
    for factor, flops in wasted.items():
        rows.append((f"{factor} × N", f"{flops / plan.budget:.1%}", "", "", "of the budget wasted by that size"))
    if served is not None:
        rows += [
            _quantity_row(
                "N, served", served.n, f"cheapest at this loss with {format_quantity(served.tokens)} tokens served"
            ),
            _quantity_row("D, served", served.d, f"saves {served.saved:.1%} of training and serving"),
            (
                "half of N",
                format_quantity(served.break_even),
                "",
                "",
                "tokens to serve from which half is cheaper",
            ),
        ]
    return Card(
        title=f"{fit.law.name} at {plan.budget:.3g} training FLOPs",
        answer=(
            f"Train {format_quantity(plan.n.value)} parameters on {format_quantity(plan.d.value)} tokens; expect "
            f"{format_by_interval(plan.loss.value, plan.loss.low, plan.loss.high)} {fit.data.loss_unit}."
        ),
        header=("", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=plan.findings,
        how=f"{plan.method}, C = 6ND; {_sureness(ensemble, plan.n.level)}",
    )


def methods_card(answer: Methods, ensemble: Ensemble) -> Card:
    """Three methods side by side."""
    rows: list[tuple[str, ...]] = []
    for each in answer.methods:
        if each.n is None or each.exponent_a is None:
            rows.append((each.name, "", "", "", each.why_not))
        else:
            rows.append(_quantity_row(each.name, each.n, "N*"))
            rows.append(_interval_row("", each.exponent_a, "exponent a"))
    verdict = "their intervals overlap" if answer.agree else "their intervals do not all overlap"
    bias = (
        f"; on noiseless losses of this surface the parabolas' D* would be off by {answer.bias:+.1%}"
        if math.isfinite(answer.bias)
        else ""
    )
    return Card(
        title=f"compute-optimal size at {answer.budget:.3g} FLOPs, {ensemble.fit.data.source}",
        answer=f"The methods differ by a factor of {answer.apart:.3g}; {verdict}.",
        header=("", "value", "low", "high", ""),
        rows=tuple(rows),
        findings=answer.findings,
        how=f"parametric fit: {ensemble.fit.law.name}, {ensemble.fit.objective.name}{bias}",
    )


def _sureness(ensemble: Ensemble, level: float) -> str:
    """Where the intervals come from."""
    source = ensemble.fit.data.source
    return (
        f"{100 * level:.6g}% intervals over {len(ensemble)} draws of {source}"
        if len(ensemble)
        else f"constants of {source}"
    )


def _quantity_row(label: str, interval: Interval, meaning: str) -> tuple[str, ...]:
    shown = (
        format_quantity(each) if math.isfinite(each) else "" for each in (interval.value, interval.low, interval.high)
    )
    return (label, *shown, meaning)


def _interval_row(label: str, interval: Interval, meaning: str) -> tuple[str, ...]:
    ends = (interval.low, interval.high)
    return (label, *(format_by_interval(each, *ends) for each in (interval.value, *ends)), meaning)


def check_card(runs: Runs, findings: Sequence[Finding]) -> Card:
    """A table of runs: what was read, and what to doubt."""
    rows = []
    for name in ("N", "D", "C", "loss"):
        if name in runs.frame.columns:
            values = runs[name]
            good = values[(values == values) & (abs(values) < float("inf"))]
            ends = (format_quantity(good.min()), format_quantity(good.max())) if len(good) else ("", "")
            rows.append((name, *ends, runs.columns[name].describe() if name in runs.columns else ""))
    serious = sum(finding.level != "note" for finding in findings)
    codes = runs.run_codes()
    n_runs = int(codes.max()) + 1
    count = f"{len(runs)} rows of {_runs(n_runs)}" if n_runs != len(runs) else _runs(n_runs)
    return Card(
        title=runs.source,
        answer=f"{count}; {serious or 'nothing'} to doubt.",
        header=("", "smallest", "largest", "read from"),
        rows=tuple(rows),
        findings=tuple(findings),
        how="; ".join(
            column.describe() for column in runs.columns.values() if column.name not in ("N", "D", "C", "loss")
        ),
    )


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"
