"""The whole analysis of one table: answer, warnings, evidence, all for one budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer
from isoflop.errors import IsoflopError, shown
from isoflop.findings import Finding
from isoflop.questions.base.context import Context, distinct
from isoflop.questions.base.evidence import is_cheap
from isoflop.questions.base.kinds import Number, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject, ask
from isoflop.questions.forecast import Forecast
from isoflop.questions.plan import Plan

if TYPE_CHECKING:
    from isoflop.planning import Forecast as ForecastResult
    from isoflop.planning import Plan as Allocation
    from isoflop.uncertainty import Ensemble

_ORDER: Final = ("Ask", "Fit", "Test", "Share", "Read")  # of the parts, by group


@dataclass(frozen=True)
class Reported:
    """A report: the ensemble, the plan where the law is one of N and D, the expected response at ``at``, the answers.

    refused: what could not be answered, as findings.
    """

    ensemble: Ensemble
    plan: Allocation | None
    at: Mapping[str, float]
    expected: ForecastResult
    answers: tuple[Answer, ...]
    refused: tuple[Finding, ...]
    level: float


@dataclass(frozen=True)
class Report(Question):
    """The whole analysis in one file that opens offline: answer, warnings, evidence.

    Every part answers for one budget: --budget, or ten times the compute of the largest run. A law of other inputs than
    N and D is evaluated at ten times its largest inputs. The ending of the file sets the format: .html, .md or .json.

    isoflop report runs.csv --law chinchilla --budget 1e24 -o report.html
    isoflop report runs.csv --include backtest --include rank
    """

    name: ClassVar[str] = "report"
    examples: ClassVar[tuple[str, ...]] = ("isoflop report runs.csv --law chinchilla --budget 1e16 -o report.md",)
    group: ClassVar[Group] = "Share"
    order: ClassVar[int] = 10
    subject: ClassVar[Subject] = "fit"
    has_pictures: ClassVar[bool] = False
    writes: ClassVar[str] = "report.html"
    on_page: ClassVar[bool] = False  # the page's fit is one

    budget: float | None = option(Number("FLOPS", low=0.0, open=True), unit="FLOPs", help="Training compute, as 1e24.")
    inference_tokens: float | None = option(
        Number("TOKENS", low=0.0, open=True), help="Inference tokens: recommends the inference-aware optimum."
    )
    include: tuple[str, ...] = option(
        Texts("QUESTION"), (), help="Further part: backtest, rank, influence …; repeatable."
    )

    def compute(self, context: Context) -> Reported:
        """Ask every part of one context."""
        if context.law.list_inputs:
            raise IsoflopError(
                f"a report forecasts a point, and {context.law.name} sums over lists "
                f"({', '.join(context.law.list_inputs)}), which a point cannot give; see isoflop diagnose and isoflop "
                "backtest"
            )
        ensemble = context.ensemble
        ensemble.estimate.require_runs()
        law = ensemble.estimate.law
        planned = set(law.input_names) == {"N", "D"}
        if self.budget is not None and not planned:
            raise IsoflopError(
                f"a budget is spent on N and D, and {law.name} has {', '.join(law.input_names)}; leave --budget out, "
                "or fit for example chinchilla"
            )
        parts = tuple(self._parts(cheap=is_cheap(context)))
        answers: list[Answer] = []
        refused: list[Finding] = []
        budget = plan = None
        if planned:
            budget = context.budget if self.budget is None else self.budget
            try:
                answers.append(ask(Plan(budget=budget, inference_tokens=self.inference_tokens), context))
                plan = answers[0].result.plan
            except IsoflopError as error:
                refused.append(Finding("no-plan", "error", f"{error}.", "Add runs, or fix or tie a parameter."))
        at = {"N": plan.n.value, "D": plan.d.value} if plan is not None else _ahead(ensemble)
        forecast = ask(Forecast(at=tuple(f"{name}={value!r}" for name, value in at.items())), context)
        answers.append(forecast)
        for cls in parts:
            question = cls.for_report(budget=budget, at=at)
            if question is None:
                continue
            try:
                answers.append(ask(question, context))
            except IsoflopError as error:
                if cls.name in self.include:
                    raise
                if cls.in_report == "where cheap":  # the evidence says why
                    continue
                refused.append(
                    Finding(
                        "part-left-out", "note", f"{cls.name} has no answer here: {error}.", f"See {cls.name} alone."
                    )
                )
        return Reported(
            ensemble=ensemble,
            plan=plan,
            at=at,
            expected=forecast.result[0],
            answers=tuple(answers),
            refused=tuple(refused),
            level=context.level,
        )

    def _parts(self, *, cheap: bool) -> Iterator[type[Question]]:
        """The questions of the registry that belong into this report, in reading order.

        cheap: whether the hold-out of the evidence is computed anyway.
        """
        from isoflop.questions import listed, question

        can = {name: each for name, each in listed().items() if each.in_report}
        for name in self.include:
            if name not in can:
                raise IsoflopError(f"{shown(name)} is no part of a report; there are {', '.join(can)}")
        always = ("always", "where cheap") if cheap else ("always",)
        chosen = [each for name, each in can.items() if each.in_report in always or name in self.include]
        for each in sorted(chosen, key=lambda each: _ORDER.index(each.group)):
            if (found := question(each.name)) is not None:
                yield found

    def answer(self, result: Reported, context: Context) -> Answer:
        """The plan's or the forecast's headline and evidence, and the parts."""
        lead = result.answers[0]
        ensemble = result.ensemble
        return Answer(
            question=self.name,
            title=f"{ensemble.estimate.law.name} on {ensemble.estimate.data.source}",
            headline=lead.headline,
            quantities=lead.quantities,
            evidence=lead.evidence,
            equation=lead.equation,
            findings=distinct((*result.refused, *(finding for each in result.answers for finding in each.findings))),
            parts=result.answers,
        )


def _ahead(ensemble: Ensemble) -> dict[str, float]:
    from isoflop.uncertainty.extrapolation import AHEAD

    return {name: float(f"{AHEAD * high:.1e}") for name, (_, high) in ensemble.estimate.data.ranges.items()}
