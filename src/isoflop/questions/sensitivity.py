"""The question of small choices: what they do to the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Kind, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import number
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Choice, Count, Number, Numbers
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, InReport, Question, Subject

if TYPE_CHECKING:
    from isoflop.validation.answers import Answer as Asked
    from isoflop.validation.sensitivity import Sensitivity as SensitivityResult
    from isoflop.validation.toy import ToyRow


@dataclass(frozen=True)
class ToyTable:
    """The toy surface: each setting by a search over a grid, and at the optimum of the same objective."""

    rows: tuple[ToyRow, ...]


@dataclass(frozen=True)
class Sensitivity(Question):
    """Sensitivity to small choices: one at a time is changed, and N*, its exponent and a forecast are compared.

    Rounding, noise, region, objective, sum or mean, parameter counting, outliers, starts.

    isoflop sensitivity runs.csv --budget 1e24
    isoflop sensitivity --example toy
    """

    name: ClassVar[str] = "sensitivity"
    examples: ClassVar[tuple[str, ...]] = ("isoflop sensitivity runs.csv --law chinchilla --budget 1e16",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 40
    subject: ClassVar[Subject] = "law"
    in_report: ClassVar[InReport] = "on request"
    unused: ClassVar[tuple[str, ...]] = ("jobs",)
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.validation.sensitivity:Sensitivity",
        "isoflop.questions.sensitivity:ToyTable",
    )

    budget: float | None = option(
        Number("FLOPS", low=0.0, open=True),
        unit="FLOPs",
        help="Budget of N*; ten times the largest run's where not given.",
    )
    at: Mapping[str, float] = option(Numbers("N=70B"), {}, help="Input of a forecast; repeatable.")
    draws: int = option(Count(low=20, high=100_000), 200, help="Bootstrap draws for each choice.")
    example: str | None = option(Choice("toy", ("toy",)), help="Instead of RUNS: a known surface and what spoils it.")

    def compute(self, context: Context) -> SensitivityResult | ToyTable:
        """The base and every choice, or the toy surface."""
        from isoflop.validation.sensitivity import MOST_CHOICES, sensitivity
        from isoflop.validation.toy import toy_table

        if self.example is not None:
            if context.runs_spec.source is not None:
                raise IsoflopError(f"--example {self.example} has its own runs; leave out the table, or the example")
            return ToyTable(tuple(toy_table()))
        with context.progress(MOST_CHOICES, "choices") as advance:
            return sensitivity(
                context.law,
                context.runs,
                objective=context.objective,
                budget=self.budget,
                at=dict(self.at) or None,
                level=context.level,
                draws=self.draws,
                starts=context.fit_spec.starts,
                seed=context.fit_spec.seed,
                resample_by=context.fit_spec.resample_by,
                progress=advance,
            )

    def rests_on_runs(self, result: object, context: Context) -> bool:
        """A toy surface has runs of its own."""
        return not isinstance(result, ToyTable) and super().rests_on_runs(result, context)

    def findings(self, result: object, context: Context) -> tuple[Finding, ...]:
        """Those of the runs; a toy surface has none."""
        return () if isinstance(result, ToyTable) else super().findings(result, context)

    def answer(self, result: SensitivityResult | ToyTable, context: Context) -> Answer:
        """The base, then each choice."""
        if isinstance(result, ToyTable):
            return _toy(self.name, result.rows)
        main, fit = result.asked.main, result.fit
        values = [choice.answers[main.name].value for choice in result.choices if main.name in choice.answers]
        known = [value for value in values if math.isfinite(value)]
        return Answer(
            question=self.name,
            title=f"sensitivity of {main.name}, {main.meaning}: {fit.law.name} on {fit.data.source}",
            headline=f"{main.name} is {{value}}; over {len(known)} choices it goes from {{lowest}} to {{highest}}."
            if known
            else f"{main.name} is {{value}}; no choice gives it a value.",
            quantities=(
                of_interval("value", result.base[main.name], _kind(main), label=main.name),
                *(
                    (
                        Quantity("lowest", min(known), _kind(main), label="lowest over choices"),
                        Quantity("highest", max(known), _kind(main), label="highest over choices"),
                    )
                    if known
                    else ()
                ),
            ),
            tables=(_choices(result),),
            findings=result.findings,
            method=f"base: {fit.objective.name}, all {fit.data.n_runs} runs; {self.draws} draws of each fit",
            pictures=(_picture(result, known),),
            provenance={"budget": result.asked.budget, "at": dict(result.asked.at)},
        )


def _kind(asked: Asked) -> Kind:
    return "count" if asked.scale == "log" else "number"


def _key(name: str) -> str:
    return "N" if name == "N*" else name.replace(" ", "_").replace("*", "")


def _choices(result: SensitivityResult) -> Table:
    main = result.asked.main
    answers = result.asked.answers
    rows: list[tuple[Cell, ...]] = [
        (
            "base",
            *(of_interval(_key(each.name), result.base[each.name], _kind(each)) for each in answers),
            result.fit.data.n_runs,
            "",
            *("base", "", False, "", ""),
        )
    ]
    for choice in result.choices:
        outside = "outside the interval" if result.outside(choice, main.name) else ""
        rows.append(
            (
                f"{choice.group}: {choice.setting}",
                *(
                    of_interval(_key(each.name), choice.answers[each.name], _kind(each))
                    if each.name in choice.answers
                    else None
                    for each in answers
                ),
                choice.n_runs,
                "; ".join(filter(None, (outside, choice.note, choice.why_not))),
                *(choice.group, choice.setting, bool(outside), choice.note, choice.why_not),
            )
        )
    return Table(
        "choices",
        (
            Column("choice"),
            *(Column(_key(each.name), each.name) for each in answers),
            Column("runs", kind="integer"),
            Column("note", ""),
            Column("group", detail=True),
            Column("setting", detail=True),
            Column("outside", "outside the interval", detail=True),
            Column("remark", detail=True),
            Column("why_not", "why there is no answer", detail=True),
        ),
        tuple(rows),
        title="Choices",
    )


def _picture(result: SensitivityResult, known: list[float]) -> Picture:

    main = result.asked.main
    spread = f"{number(min(known), _kind(main))} to {number(max(known), _kind(main))}" if known else "no value"
    return Picture(
        "choices",
        drawing("choices_made", result),
        f"{main.name} under {len(known)} choices, from {spread}, over the interval of the base.",
        (7.2, 1.2 + 0.24 * len(result.choices)),
    )


def _toy(question: str, rows: tuple[ToyRow, ...]) -> Answer:
    from isoflop.validation.toy import FARTHEST, TRUTH

    errors = [row.optimum.error for row in rows]
    table: list[tuple[Cell, ...]] = []
    for row in rows:
        for how, fitted in (("grid", row.by_grid), ("optimum", row.optimum)):
            table.append(
                (
                    row.region,
                    str(row.decimals),
                    row.milli_loss,
                    how,
                    *(fitted.params[name] for name in ("A", "alpha", "B", "beta", "E") if name in fitted.params),
                    fitted.exponent_a,
                    fitted.error,
                    fitted.squares,
                )
            )
    names = [name for name in ("A", "alpha", "B", "beta", "E") if name in rows[0].optimum.params]
    return Answer(
        question=question,
        title="toy surface: one truth, small choices",
        headline=f"The forecast at {number(FARTHEST, 'flops')} parameters is off by {{lowest}} to {{highest}} nats, "
        "from choices of region, rounding and an error of 0.1 to 0.2 nats that follows the design.",
        quantities=(
            Quantity("lowest", min(errors), label="lowest error", unit=""),
            Quantity("highest", max(errors), label="highest error", unit=""),
        ),
        tables=(
            Table(
                "settings",
                (
                    Column("region", "runs"),
                    Column("decimals"),
                    Column("milli_loss", "error, milli-nats"),
                    Column("by"),
                    *(Column(name) for name in names),
                    Column("exponent", "exponent a"),
                    Column("error", "forecast error"),
                    Column("squares", "sum of squares"),
                ),
                tuple(table),
                note=(
                    "grid: a search over a grid, which stops near the optimum (compare the sums of squares); "
                    "optimum: of the same objective. Every row has a fixed ripple of about 0.01 nats; the error in "
                    "milli-nats follows the design."
                ),
            ),
        ),
        method=f"truth: {', '.join(f'{name} {value:g}' for name, value in TRUTH.items())}; raw loss, least squares",
    )
