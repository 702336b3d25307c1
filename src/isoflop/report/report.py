"""``Report``: a fit asked what to train, what loss to expect, how sure that is, and what there is to doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws.optimum import check_positive
from isoflop.planning import Forecast, Plan, forecast
from isoflop.planning.answer import answer
from isoflop.planning.budget import AHEAD, usual_budget
from isoflop.planning.methods import compare_methods
from isoflop.report.card import Card
from isoflop.report.cards.check import check_card
from isoflop.report.cards.evidence import evidence_cards
from isoflop.report.cards.fit import fit_card
from isoflop.report.cards.forecast import forecast_card
from isoflop.report.cards.methods import isoflops_card, methods_card
from isoflop.report.cards.plan import plan_card
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.units import format_by_interval, format_quantity
from isoflop.validation.check import check

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Report:
    """One analysis as it is read: the answer, how sure it is, the doubts, and the evidence.

    at: the inputs that the answer is given for. plan: None where the law is not one of N and D.
    findings: every doubt once, the most serious first. cards: the evidence.
    """

    title: str
    answer: str
    sureness: str
    ensemble: Ensemble
    level: float
    at: Mapping[str, float]
    plan: Plan | None
    expected: Forecast
    findings: tuple[Finding, ...]
    cards: tuple[Card, ...]


def make_report(
    ensemble: Ensemble,
    *,
    budget: float | None = None,
    served: float | None = None,
    level: float = 0.9,
    further: Sequence[Card] = (),
) -> Report:
    """Ask a fit what to train and what to expect there, and gather what there is to doubt.

    ensemble: a fit with its draws and runs. budget: training FLOPs; ten times the largest run's where it is None. A
    law of other inputs than N and D is asked for its response at ten times its largest inputs instead.
    served: tokens to be served, which add the over-trained answer.
    further: cards of other results on the same runs, such as a ranking: see :func:`with_further`.
    Raises IsoflopError for a fit without its runs, for a budget with a law that cannot be planned with, and for numbers
    that are not positive.
    """
    if budget is not None:
        check_positive(budget, "the budget", "FLOPs")
    if served is not None:
        check_positive(served, "served tokens", "tokens")
    runs = ensemble.fit.require_runs()
    planned = set(ensemble.fit.law.input_names) == {"N", "D"}
    if budget is not None and not planned:
        raise IsoflopError(
            f"a budget is spent on N and D, and {ensemble.fit.law.name} has "
            f"{', '.join(ensemble.fit.law.input_names)}; leave --budget out, or fit for example chinchilla"
        )
    checked = check_card(runs, check(runs))
    fitted = fit_card(ensemble, level=level, findings=(*ensemble.fit.findings, *ensemble.findings))
    refused: tuple[Finding, ...] = ()
    answered: tuple[Card, ...] = ()
    plan = None
    if planned:
        budget = usual_budget(runs) if budget is None else budget
        try:
            said = answer(ensemble, budget=budget, served=served, level=level)
        except IsoflopError as error:
            refused = (Finding("no-plan", "error", f"{error}.", "Add runs, or fix or tie a parameter."),)
        else:
            plan = said.plan
            answered = (plan_card(said, ensemble), *_methods(ensemble, runs, plan, level))
    at = {"N": plan.n.value, "D": plan.d.value} if plan is not None else _ahead(ensemble)
    expected = forecast(ensemble, at, level=level)
    cards = (
        *answered,
        forecast_card(expected, ensemble),
        fitted,
        *evidence_cards(ensemble, level=level),
        checked,
    )
    report = Report(
        title=f"{ensemble.fit.law.name} on {ensemble.fit.data.source}",
        answer=_answer(ensemble, plan, expected),
        sureness=_sureness(ensemble, plan, expected),
        ensemble=ensemble,
        level=level,
        at=at,
        plan=plan,
        expected=expected,
        findings=_once((*refused, *(finding for card in cards for finding in card.findings))),
        cards=cards,
    )
    return with_further(report, further)


def with_further(report: Report, further: Sequence[Card]) -> Report:
    """The report with cards of other results on the same runs, which stand before the last one, and their findings."""
    findings = _once((*report.findings, *(finding for card in further for finding in card.findings)))
    return replace(report, findings=findings, cards=(*report.cards[:-1], *further, report.cards[-1]))


def format_flops(budget: float) -> str:
    """1e24 rather than 1e+24."""
    return f"{budget:.3g}".replace("e+", "e")


def _ahead(ensemble: Ensemble) -> dict[str, float]:
    return {name: float(f"{AHEAD * high:.1e}") for name, (_, high) in ensemble.fit.data.ranges.items()}


def _methods(ensemble: Ensemble, runs: Runs, plan: Plan, level: float) -> tuple[Card, ...]:
    """Three methods side by side, where at least one besides the parametric fit has an answer, and IsoFLOP curves."""
    answer = compare_methods(ensemble, runs, budget=plan.budget, level=level, seed=ensemble.seed)
    if sum(each.n is not None for each in answer.methods) < 2:
        return ()
    curves = () if answer.curves is None else (isoflops_card(answer.curves),)
    return (methods_card(answer, ensemble), *curves)


def _answer(ensemble: Ensemble, plan: Plan | None, expected: Forecast) -> str:
    loss = format_by_interval(expected.loss.value, expected.loss.low, expected.loss.high)
    what = ensemble.fit.law.response.replace("_", " ")
    unit = f" {expected.unit}" if ensemble.fit.law.response == "loss" else ""
    if plan is None:
        where = ", ".join(f"{name} = {format_quantity(value)}" for name, value in expected.at.items())
        return f"At {where}, expect a {what} of {loss}{unit}."
    return (
        f"With {format_flops(plan.budget)} training FLOPs, train {format_quantity(plan.n.value)} parameters on "
        f"{format_quantity(plan.d.value)} tokens; expect a {what} of {loss}{unit}."
    )


def _sureness(ensemble: Ensemble, plan: Plan | None, expected: Forecast) -> str:
    if not len(ensemble):
        return "These constants come without draws, so nothing here has an interval."
    loss = expected.loss
    low, high = (format_by_interval(each, loss.low, loss.high) for each in (loss.low, loss.high))
    said = f"In {100 * loss.level:g} % of the draws a new run there ends between {low} and {high}"
    if plan is None:
        return f"{said}."
    n = tuple(format_quantity(each) for each in (plan.n.low, plan.n.high))
    flat = tuple(format_quantity(each) for each in plan.band.n)
    return (
        f"{said}, and the best size lies between {n[0]} and {n[1]}. The optimum is flat: every size from {flat[0]} to "
        f"{flat[1]} is within {100 * plan.band.within:g} % of the best loss."
    )


def _once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each finding once, the most serious first."""
    distinct = {(finding.code, finding.message): finding for finding in findings}
    return tuple(sorted(distinct.values(), key=lambda finding: _ORDER[finding.level]))
