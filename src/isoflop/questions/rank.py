"""The question of which laws forecast best here, and what they say together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import number, plural
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.hold_out import HoldOutOptions
from isoflop.questions.base.kinds import Count, Numbers, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, InReport, Question, Subject
from isoflop.questions.base.scores import MRE, score_cells, score_columns, windows_table
from isoflop.questions.base.specs import FitSpec, LevelSpec, PriorSpec, RunsSpec
from isoflop.room import MOST_LAWS

if TYPE_CHECKING:
    from isoflop.validation.rank import Ranked as RankedLaw
    from isoflop.validation.rank import Ranking
    from isoflop.validation.stack import StackedForecast


@dataclass(frozen=True)
class Ranked:
    """A ranking, and the forecast of the laws together where a point was asked."""

    ranking: Ranking
    stacked: StackedForecast | None


@dataclass(frozen=True)
class Rank(HoldOutOptions, Question):
    """Laws ranked by their error on held-out runs; --at forecasts with all of them, weighted.

    isoflop rank runs.csv
    isoflop rank runs.csv --at N=70B --at D=1.4T
    """

    name: ClassVar[str] = "rank"
    examples: ClassVar[tuple[str, ...]] = ("isoflop rank runs.csv --law chinchilla --law kaplan --draws 100",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 20
    subject: ClassVar[Subject] = "law"
    in_report: ClassVar[InReport] = "on request"
    unused: ClassVar[tuple[str, ...]] = ("starts",)
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.validation.rank:Ranking",
        "isoflop.questions.rank:Ranked",
        "isoflop.validation.stack:StackedForecast",
    )

    laws: tuple[str, ...] = option(
        Texts("LAW"), (), flag="law", help="Law to rank; repeatable. All that apply by default."
    )
    response: str = option(Text("COLUMN"), "loss", help="Column that the laws predict.")
    at: Mapping[str, float] = option(Numbers("N=70B"), {}, help="Forecast there with the weighted laws; repeatable.")
    windows: int = option(Count(low=1, high=1000), 3, help="Hold-outs, each forecast from smaller runs alone.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """Laws are its own option."""
        return (RunsSpec, FitSpec, LevelSpec, PriorSpec)

    def compute(self, context: Context) -> Ranked:
        """Every law on every window, and the stack where a point was asked."""
        from isoflop.laws import law
        from isoflop.validation.rank import applicable, rank
        from isoflop.validation.stack import check_point, forecast_stacked

        runs, spec = context.runs, context.fit_spec
        named = [law(text, columns=runs.names) for text in dict.fromkeys(self.laws)]
        laws = named or applicable(runs, response=self.response)
        check_point(self.at, laws)
        with context.progress(len(laws), "rank") as advance:
            ranking = rank(
                runs,
                laws=laws,
                response=self.response,
                windows=self.windows,
                jobs=spec.jobs,
                progress=advance,
                prior=context.prior,
                **self.hold_out_settings(context),
            )
        if not self.at:
            return Ranked(ranking, None)
        with context.progress(len(ranking.ranked), "forecast") as advance:
            stacked = forecast_stacked(
                [each.law for each in ranking.ranked],
                [each.weight.value for each in ranking.ranked],
                runs,
                self.at,
                objective=context.objective,
                level=context.level,
                seed=spec.seed,
                resample_by=spec.resample_by,
                progress=advance,
                prior=context.prior,
            )
        return Ranked(ranking, stacked)

    def findings(self, result: object, context: Context) -> tuple[Finding, ...]:
        """Those of the runs."""
        from isoflop.runs.mapping_findings import without_loss_rivals

        return without_loss_rivals(context.runs.findings, (self.response,)) if context.has_runs else ()

    def answer(self, result: Ranked | Ranking | StackedForecast, context: Context) -> Answer:
        """The best law, those that tie with it, weights; the weighted forecast in front where it was asked."""
        from isoflop.validation.rank import Ranking
        from isoflop.validation.stack import StackedForecast

        if isinstance(result, StackedForecast):
            return _stack_alone(self.name, result)
        found = Ranked(result, None) if isinstance(result, Ranking) else result
        ranking, stacked = found.ranking, found.stacked
        best = ranking.ranked[0]
        heaviest = max(ranking.ranked, key=lambda each: each.weight.value)
        tied = sum(each.tied for each in ranking.ranked[1:])
        ties = {0: "no other law ties with it", 1: "1 other law ties with it"}.get(
            tied, f"{tied} other laws tie with it"
        )
        first = ""
        if stacked is not None:
            first = f"Expected {ranking.backtest.response.replace('_', ' ')}: {{stacked}}. "
        return Answer(
            question=self.name,
            title=f"laws on {ranking.backtest.source}",
            headline=(
                f"{first}Of {len(ranking.ranked)} distinct laws {best.law.name} has the smallest mean relative error "
                f"(MRE) on held-out runs, {{mre:bare}}; {ties}. The largest weight is {{weight:bare}}, of "
                f"{heaviest.law.name}."
            ),
            quantities=(
                *(() if stacked is None else _stack_quantities(stacked)),
                of_interval("mre", best.scores.are, "share", label=f"MRE of {best.law.name}"),
                of_interval("weight", heaviest.weight, "share", label=f"weight of {heaviest.law.name}"),
            ),
            tables=(
                *(() if stacked is None else (_members(stacked),)),
                _laws(ranking),
                windows_table(ranking.backtest, detail=True),
                _unranked(ranking),
            ),
            findings=(*ranking.findings, *(stacked.findings if stacked else ())),
            method="; ".join(
                (
                    f"{number(best.scores.runs, 'integer')} {plural(best.scores.runs, 'run')} held out: "
                    + ", ".join(each.says for each in ranking.backtest.windows[:4]),
                    MRE,
                    "error difference: MRE minus the best law's, paired by run (above 100% counts as 100%)",
                    "weight: by the log density that each law's forecasts gave to what was measured",
                    *_fewer_draws(ranking),
                )
            ),
            pictures=(_picture(ranking),),
            provenance={
                "response": ranking.backtest.response,
                "at": None if stacked is None else dict(stacked.at),
            },
        )


def _fewer_draws(ranking: Ranking) -> tuple[str, ...]:
    """Of how many laws the error difference rests on fewer draws than asked, and why."""
    asked = ranking.backtest.draws
    fewer = [each.draws for each in ranking.ranked if each.draws < asked]
    if not fewer:
        return ()
    laws = f"{len(fewer)} {plural(len(fewer), 'law')} whose MRE is too far from the best to tie"
    return (f"the error difference of {laws} rests on {fewer[0]} draws, that of the others on {asked}",)


def _laws(ranking: Ranking) -> Table:
    best = ranking.ranked[0]

    def scores(each: RankedLaw) -> tuple[Cell, ...]:
        """Those of a law that has no forecast of some runs would be of the others alone: it has none."""
        cells = score_cells(each.scores)
        rank = "best" if each is best else "tied" if each.tied else ""
        weight = of_interval("weight", each.weight, "share")
        if not math.isfinite(each.scores.are.value):
            return (None, "incomplete", weight, None, *(None for _ in cells[1:]))
        mre, behind = (of_interval("mre", each.scores.are, "share"), of_interval("difference", each.behind, "share"))
        return (mre, rank, weight, behind, *cells[1:])

    rows: list[tuple[Cell, ...]] = [
        (
            each.law.name,
            *scores(each),
            ", ".join(each.same_as),
            each.unweighted,
            each.tied,
            each.draws,
        )
        for each in ranking.ranked
    ]
    for base in ranking.backtest.baselines:
        cells = score_cells(ranking.backtest.scores(base))
        rows.append((base.name, cells[0], "baseline", None, None, *cells[1:], "", "", None, None))
    columns = score_columns(ranking.backtest.level)
    return Table(
        "laws",
        (
            Column("law"),
            columns[0],
            Column("rank", ""),
            Column("weight", kind="share"),
            Column("difference", "error difference"),
            *columns[1:],
            Column("same_as", "identical forms"),
            Column("unweighted", "no weight because", detail=True),
            Column("tied", detail=True),
            Column("draws", kind="integer", detail=True),
        ),
        tuple(rows),
        title="Laws and baselines",
    )


def _unranked(ranking: Ranking) -> Table:
    return Table(
        "unranked",
        (Column("law"), Column("reason")),
        tuple(ranking.unranked.items()),
        title="Not ranked",
        detail=True,
    )


def _stack_quantities(stacked: StackedForecast) -> tuple[Quantity, ...]:
    total = stacked.between**2 + stacked.within**2 + stacked.model_error**2
    share = stacked.between**2 / total if total > 0 and math.isfinite(total) else None
    return (
        of_interval(
            "stacked",
            stacked.loss,
            unit=stacked.unit,
            label="weighted forecast",
            note="of one run; model error included",
            promise="PI",
        ),
        of_interval(
            "stacked_if_the_laws_hold",
            stacked.law_loss,
            unit=stacked.unit,
            label="weighted forecast if the laws hold",
            note="of one run; sampling and scatter alone",
            promise="PI",
        ),
        of_interval("mean", stacked.expected, unit=stacked.unit, label="mean of the weighted forecast"),
        Quantity("between", stacked.between, label="sd between laws", note="of their own curves, before model error"),
        Quantity("within", stacked.within, label="sd within laws", note="from the sample of runs"),
        Quantity(
            "model_error", stacked.model_error, label="sd of model error", note="what laws like these missed elsewhere"
        ),
        Quantity("scatter", stacked.scatter, label="sd of one run"),
        Quantity("choice", share, "share", label="variance from the choice of the law"),
    )


def _members(stacked: StackedForecast) -> Table:
    return Table(
        "members",
        (Column("law"), Column("weight", kind="share"), Column("loss", "forecast")),
        tuple(
            (each.name, float(each.weight), of_interval("loss", each.loss, promise="PI")) for each in stacked.members
        ),
        title="Weighted laws at "
        + ", ".join(f"{name} = {number(value, 'count')}" for name, value in stacked.at.items()),
    )


def _stack_alone(question: str, stacked: StackedForecast) -> Answer:
    where = ", ".join(f"{name} = {number(value, 'count')}" for name, value in stacked.at.items())
    return Answer(
        question=question,
        title=f"weighted laws at {where}",
        headline="Expected: {stacked}.",
        quantities=_stack_quantities(stacked),
        tables=(_members(stacked),),
        findings=stacked.findings,
        provenance={"at": dict(stacked.at)},
    )


def _picture(ranking: Ranking) -> Picture:
    first = ", ".join(
        f"{each.law.name} {number(each.scores.are.value, 'share', digits=2)}" for each in ranking.ranked[:4]
    )
    rows = min(len(ranking.ranked), MOST_LAWS) + len(ranking.backtest.baselines)
    return Picture(
        "ranking",
        drawing("laws_ranked", ranking),
        f"Mean relative error of {len(ranking.ranked)} laws and {len(ranking.backtest.baselines)} baselines on "
        f"held-out runs: {first}.",
        (7.2, 1.2 + 0.3 * rows),
    )
