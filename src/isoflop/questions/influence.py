"""The question of which runs decide the answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Cell, Column, Kind, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Count, Number, Numbers, Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, InReport, Question, Subject
from isoflop.questions.base.specs import LEVEL, FitSpec, LawSpec, LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.validation.influence import Influence as InfluenceResult
    from isoflop.validation.removal import Effect

_HOW: Final = {"down": "lowers it most", "up": "raises it most", "outliers": "outliers"}


@dataclass(frozen=True)
class Influence(Question):
    """Runs that decide the answer: every run left out in turn, and the few whose removal moves it most.

    The answer is N* at a budget, its exponent, a forecast or a parameter.

    isoflop influence runs.csv --budget 1e24 --at N=70B --at D=1.4T
    """

    name: ClassVar[str] = "influence"
    examples: ClassVar[tuple[str, ...]] = ("isoflop influence runs.csv --law chinchilla --budget 1e16",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 30
    subject: ClassVar[Subject] = "law"
    in_report: ClassVar[InReport] = "on request"
    unused: ClassVar[tuple[str, ...]] = ("jobs",)
    results: ClassVar[tuple[str, ...]] = ("isoflop.validation.influence:Influence",)

    budget: float | None = option(
        Number("FLOPS", low=0.0, open=True),
        unit="FLOPs",
        help="Budget of N*; ten times the largest run's where not given.",
    )
    at: Mapping[str, float] = option(Numbers("N=70B"), {}, help="Input of a forecast; repeatable.")
    decide: str | None = option(
        Text("NAME"), flag="answer", help="Number for which runs are removed: N*, 'exponent a', forecast, alpha …"
    )
    draws: int = option(Count(low=20, high=100_000), 400, help="Bootstrap draws of the intervals.")
    show: int = option(Count(low=1, high=10_000), 10, help="Runs that are listed.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """A table and a law; runs are left out instead of drawn."""
        return (RunsSpec, LawSpec, FitSpec, LevelSpec)

    def compute(self, context: Context) -> InfluenceResult:
        """Every run left out, and runs left out one after another."""
        from isoflop.validation.influence import influence, refits

        LEVEL.convert(context.level, "--level")
        fitted = context.fitted
        with context.progress(refits(fitted), "runs left out") as advance:
            return influence(
                fitted,
                budget=self.budget,
                at=dict(self.at) or None,
                decide=self.decide,
                level=context.level,
                draws=self.draws,
                seed=context.fit_spec.seed,
                resample_by=context.fit_spec.resample_by,
                progress=advance,
            )

    def answer(self, result: InfluenceResult, context: Context) -> Answer:
        """The answer with all runs, and without each of the strongest."""
        effect = result.effect(result.decided)
        kind = _kind(effect)
        strongest = int(result.strongest(result.decided, count=1)[0])
        fit = result.fit
        return Answer(
            question=self.name,
            title=(
                f"runs that decide {effect.answer.name}, {effect.answer.meaning}: {fit.law.name} on {fit.data.source}"
            ),
            headline=(
                f"{effect.answer.name} is {{value}} with all {len(result.labels)} runs; left out alone, "
                f"{literal(result.labels[strongest])} moves it most, to {{moved}}."
            ),
            quantities=(
                of_interval("value", effect.value, kind, label=effect.answer.name),
                Quantity(
                    "moved", _finite(effect.without[strongest]), kind, label=f"without {result.labels[strongest]}"
                ),
                Quantity(
                    "jackknife",
                    _finite(effect.standard_error),
                    label="jackknife standard error",
                    note="of the logarithm" if effect.answer.scale == "log" else "",
                ),
                Quantity("runs", len(result.labels), "integer"),
                Quantity("by_chance", result.usual, "integer", label="runs that leave the interval by chance, median"),
                Quantity("fewest", result.fewest, "integer", label="runs that leave it by chance, 5% quantile"),
                Quantity("curvature", _finite(effect.agreement), label="correlation of curvature and refits"),
            ),
            tables=(
                _answers(result),
                _runs(result, self.show),
                *_removals(result),
                _outliers(result),
                _all_runs(result),
            ),
            findings=result.findings,
            method=f"objective {fit.objective.name}; every run left out and refitted; intervals over bootstrap draws",
            pictures=tuple(_pictures(result, self.show)),
            provenance={"budget": result.asked.budget, "at": dict(result.asked.at)},
        )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _kind(effect: Effect) -> Kind:
    return "count" if effect.answer.scale == "log" else "number"


def _key(name: str) -> str:
    return "N" if name == "N*" else name.replace(" ", "_").replace("*", "")


def _columns(result: InfluenceResult) -> tuple[Column, ...]:
    return tuple(Column(_key(each.answer.name), each.answer.name, _kind(each)) for each in result.effects)


def _answers(result: InfluenceResult) -> Table:
    return Table(
        "answers",
        (
            Column("answer"),
            Column("value"),
            Column("jackknife", "jackknife s.e."),
            Column("meaning", ""),
            Column("agreement", "correlation of curvature and refits", detail=True),
        ),
        tuple(
            (
                each.answer.name,
                of_interval("value", each.value, _kind(each)),
                _finite(each.standard_error),
                each.answer.meaning,
                _finite(each.agreement),
            )
            for each in result.effects
        ),
        title="With all runs",
    )


def _runs(result: InfluenceResult, count: int) -> Table:
    effect = result.effect(result.decided)
    return Table(
        "strongest",
        (Column("run", "without"), *_columns(result), Column("curvature", "by curvature", _kind(effect))),
        tuple(
            (
                result.labels[run],
                *(_finite(each.without[run]) for each in result.effects),
                None if effect.curvature is None else _finite(effect.curvature[run]),
            )
            for run in result.strongest(result.decided, count=count).tolist()
        ),
        title=f"Runs that move {effect.answer.name} most",
    )


def _removals(result: InfluenceResult) -> Iterator[Table]:
    effect = result.effect(result.decided)
    for path in result.removals:
        if not path.runs:
            continue
        rows: list[tuple[Cell, ...]] = [
            (
                step,
                result.labels[run],
                ", ".join(map(str, result.rows[run])),
                _finite(value),
                "outside the interval" if step == path.left_interval else "",
            )
            for step, (run, value) in enumerate(zip(path.runs, path.values, strict=True), 1)
        ]
        yield Table(
            f"removals_{path.how}",
            (
                Column("step", kind="integer"),
                Column("run", "without"),
                Column("rows"),
                Column("value", effect.answer.name, _kind(effect)),
                Column("outside", ""),
            ),
            tuple(rows),
            title=f"Left out one after another: {_HOW[path.how]}",
        )


def _outliers(result: InfluenceResult) -> Table:
    return Table(
        "outliers",
        (Column("row", kind="integer"), Column("away", "robust sd from the surface"), Column("reasons")),
        tuple((each.row, float(each.away), "; ".join(each.reasons)) for each in result.outliers.found),
        title="Outliers",
    )


def _all_runs(result: InfluenceResult) -> Table:
    return Table(
        "runs",
        (
            Column("run", "without"),
            Column("rows"),
            *_columns(result),
            *(
                Column(
                    f"{_key(each.answer.name)}_curvature", f"{each.answer.name} by curvature", _kind(each), detail=True
                )
                for each in result.effects
                if each.curvature is not None
            ),
        ),
        tuple(
            (
                label,
                ", ".join(map(str, rows)),
                *(_finite(each.without[place]) for each in result.effects),
                *(_finite(each.curvature[place]) for each in result.effects if each.curvature is not None),
            )
            for place, (label, rows) in enumerate(zip(result.labels, result.rows, strict=True))
        ),
        title="Every run",
        detail=True,
    )


def _pictures(result: InfluenceResult, count: int) -> Iterator[Picture]:

    effect = result.effect(result.decided)
    words = [
        f"{number(path.values[-1], _kind(effect))} after {len(path.runs)} ({_HOW[path.how]})"
        for path in result.removals
        if path.runs
    ]
    yield Picture(
        "removals",
        drawing("removal_paths", result),
        f"{effect.answer.name} against the number of runs left out, from {number(effect.value.value, _kind(effect))} "
        f"with all: {'; '.join(words)}.",
    )
    chosen = result.strongest(result.decided, count=count)
    yield Picture(
        "left-out",
        drawing("runs_left_out", result, count=count),
        f"{result.decided} without each of the {len(chosen)} runs that move it most, beside its interval with all.",
        (7.2, 1.4 + 0.28 * max(len(chosen), 4)),
    )
