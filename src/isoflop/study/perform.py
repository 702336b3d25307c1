"""Perform a study: every question to its card, in the order of the study, from one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from isoflop.errors import IsoflopError
from isoflop.fitting import fit, objective
from isoflop.laws import Law, fix, law, tie
from isoflop.laws.restrict import parse_domain
from isoflop.planning import forecast
from isoflop.planning.answer import answer
from isoflop.planning.budget import usual_budget
from isoflop.planning.methods import compare_methods
from isoflop.report.card import Card
from isoflop.report.cards.backtest import backtest_card
from isoflop.report.cards.check import check_card
from isoflop.report.cards.fit import fit_card
from isoflop.report.cards.forecast import forecast_card
from isoflop.report.cards.influence import influence_card
from isoflop.report.cards.methods import methods_card
from isoflop.report.cards.plan import plan_card
from isoflop.report.cards.rank import rank_card
from isoflop.report.cards.sensitivity import sensitivity_card
from isoflop.report.report import Report, make_report
from isoflop.runs import Runs, read_runs
from isoflop.runs.datasets import boxes, load
from isoflop.study.spec import BudgetQuestion, HoldOutQuestion, Study
from isoflop.uncertainty import Ensemble, bootstrap
from isoflop.uncertainty.ensemble import check_level
from isoflop.validation.backtest import backtest, backtest_findings
from isoflop.validation.check import check
from isoflop.validation.influence import influence
from isoflop.validation.rank import rank
from isoflop.validation.sensitivity import sensitivity
from isoflop.validation.split import hold_out

Progress = Callable[[str], object]
Ask = Callable[[], Card]


@dataclass(frozen=True)
class Performed:
    """What a study came to.

    cards: name (``check``, ``fit-1``, ``plan-1`` …) → card, in order. ensembles: one for each law. report: where it
    was asked for. refused: question → why it has no answer on these runs; the others are answered all the same.
    """

    study: Study
    runs: Runs
    ensembles: tuple[Ensemble, ...] = field(repr=False)
    cards: dict[str, Card] = field(repr=False)
    report: Report | None = field(repr=False)
    refused: dict[str, str]


def perform(study: Study, *, progress: Progress | None = None) -> Performed:
    """Read the runs, fit every law, and answer every question with the first.

    progress: called with the name of each step before it is taken.
    Raises IsoflopError where there is nothing to answer from: runs that cannot be read, a law that cannot be fitted.
    """
    check_level(study.level)
    goal = objective(study.objective)
    runs = study_runs(study)
    laws = [_law(text, study, runs) for text in dict.fromkeys(study.laws)]
    tell = progress or (lambda step: None)
    tell("check")
    cards = {"check": check_card(runs, (*runs.findings, *(each for each in check(runs) if each not in runs.findings)))}
    ensembles = []
    for number, each in enumerate(laws, 1):
        tell(f"fit {each.name}")
        fitted = fit(each, runs, objective=goal, seed=study.seed)
        ensembles.append(bootstrap(fitted, draws=study.draws, seed=study.seed))
        findings = (*fitted.findings, *ensembles[-1].findings)
        cards[f"fit-{number}"] = fit_card(ensembles[-1], level=study.level, findings=findings)
    refused: dict[str, str] = {}
    for name, ask in _questions(study, runs, laws, ensembles[0]):
        tell(name)
        try:
            cards[name] = ask()
        except IsoflopError as error:
            refused[name] = str(error)
    report = None
    if study.report is not None:
        tell("report")
        further = [card for name, card in cards.items() if name.partition("-")[0] in ("backtest", "rank", "influence")]
        try:
            report = make_report(ensembles[0], budget=study.report.budget, level=study.level, further=further)
        except IsoflopError as error:
            refused["report"] = str(error)
    return Performed(study, runs, tuple(ensembles), cards, report, refused)


def study_runs(study: Study) -> Runs:
    """The runs of a study: a file beside it, a data set by name, or those in the box."""
    spec = study.runs
    if spec.file is None:
        name = spec.data or boxes()[0].name
        if spec.columns or spec.units or spec.conventions:
            raise IsoflopError(
                f"columns, units and conventions describe a file, and the study names the data set {name!r}"
            )
        return load(name, where=spec.where)
    return read_runs(
        study.folder / spec.file,
        columns=spec.columns,
        units=spec.units,
        conventions=spec.conventions,
        where=spec.where,
    )


def _law(text: str, study: Study, runs: Runs) -> Law:
    """The law with what the study fixes, ties and holds in domains, as far as it has these parameters."""
    chosen = law(text, columns=runs.headers)
    domains = {name: parse_domain(ends) for name, ends in study.domain.items() if name in chosen.param_names}
    chosen = law(text, columns=runs.headers, domains=domains) if domains else chosen
    tied = {name: formula for name, formula in study.tie.items() if name in chosen.param_names}
    fixed = {name: value for name, value in study.fix.items() if name in chosen.param_names}
    for name in (*study.tie, *study.fix, *study.domain):
        if len(study.laws) == 1 and name not in chosen.param_names:
            raise IsoflopError(
                f"the study restricts {name!r}, which is none of {', '.join(chosen.param_names)}; mend the name"
            )
    return fix(tie(chosen, tied) if tied else chosen, fixed) if fixed or tied else chosen


def _questions(study: Study, runs: Runs, laws: list[Law], ensemble: Ensemble) -> Iterator[tuple[str, Ask]]:
    """What is asked, by name, each with the function that answers it."""
    if study.plan is not None:
        for number, budget in enumerate(study.plan.budgets, 1):
            yield f"plan-{number}", partial(_plan_card, ensemble, study, budget)
    if study.forecast is not None:
        for number, at in enumerate(study.forecast.at, 1):
            yield f"forecast-{number}", partial(_forecast_card, ensemble, study, at)
    if study.methods is not None:
        yield "methods", partial(_methods_card, ensemble, study, runs)
    if study.backtest is not None:
        yield "backtest", partial(_backtest_card, study.backtest, laws, runs, study)
    if study.rank is not None:
        yield "rank", partial(_rank_card, study.rank, runs, study)
    if study.influence is not None:
        yield "influence", partial(_influence_card, study.influence, ensemble, study)
    if study.sensitivity is not None:
        yield "sensitivity", partial(_sensitivity_card, study.sensitivity, laws[0], runs, study)


def _plan_card(ensemble: Ensemble, study: Study, budget: float) -> Card:
    served = study.plan.served if study.plan is not None else None
    return plan_card(answer(ensemble, budget=budget, served=served, level=study.level), ensemble)


def _forecast_card(ensemble: Ensemble, study: Study, at: Mapping[str, float]) -> Card:
    return forecast_card(forecast(ensemble, at, level=study.level), ensemble)


def _methods_card(ensemble: Ensemble, study: Study, runs: Runs) -> Card:
    asked = study.methods.budget if study.methods is not None else None
    budget = asked or usual_budget(runs)
    return methods_card(compare_methods(ensemble, runs, budget=budget, level=study.level, seed=study.seed), ensemble)


def _influence_card(question: BudgetQuestion, ensemble: Ensemble, study: Study) -> Card:
    found = influence(ensemble.fit, budget=question.budget, at=question.at or None, level=study.level, seed=study.seed)
    return influence_card(found)


def _sensitivity_card(question: BudgetQuestion, chosen: Law, runs: Runs, study: Study) -> Card:
    found = sensitivity(
        chosen,
        runs,
        objective=objective(study.objective),
        budget=question.budget,
        at=question.at or None,
        level=study.level,
        seed=study.seed,
    )
    return sensitivity_card(found)


def _backtest_card(question: HoldOutQuestion, laws: list[Law], runs: Runs, study: Study) -> Card:
    result = backtest(
        laws,
        runs,
        hold_out=hold_out(question.hold_out) if question.hold_out else None,
        windows=question.windows,
        per_family=question.per_family,
        objective=objective(study.objective),
        draws=question.draws,
        level=study.level,
        seed=study.seed,
    )
    return backtest_card(result, findings=backtest_findings(result))


def _rank_card(question: HoldOutQuestion, runs: Runs, study: Study) -> Card:
    ranking = rank(
        runs,
        hold_out=hold_out(question.hold_out) if question.hold_out else None,
        windows=question.windows,
        per_family=question.per_family,
        objective=objective(study.objective),
        draws=question.draws,
        level=study.level,
        seed=study.seed,
    )
    return rank_card(ranking, findings=ranking.findings)
