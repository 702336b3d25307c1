"""The question of a learning curve's regions: random guessing, power law, floor."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Quantity, Table
from isoflop.answers.wording import number
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.validation.regions import Change, LearningCurves


@dataclass(frozen=True)
class Regions(Question):
    """Regions of learning curves: random guessing, power law and floor, with their change points and laws to fit.

    RUNS has a curve for each run, or is one curve. A change point is reported where a straight line in logarithms would
    miss it with 97.5 % certainty; where a region over a fifth of the curve would go unseen, that end cannot be told.

    isoflop regions curve.csv
    isoflop regions runs.csv --over D
    isoflop regions benchmark.csv --by Task --by Model
    """

    name: ClassVar[str] = "regions"
    examples: ClassVar[tuple[str, ...]] = ("isoflop regions curve.csv",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 45
    subject: ClassVar[Subject] = "runs"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.validation.regions:LearningCurves",)

    over: str | None = option(Text("COLUMN"), help="Horizontal column; D, step or C where not given.")
    by: tuple[str, ...] = option(
        Texts("COLUMN"), (), help="Column that tells curves apart, where none names the run; repeatable."
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def compute(self, context: Context) -> LearningCurves:
        """The regions of every curve."""
        from isoflop.validation.regions import regions

        return regions(context.runs, over=self.over, by=self.by, level=context.level)

    def answer(self, result: LearningCurves, context: Context) -> Answer:
        """How many curves have each region, and where they begin."""
        curves = result.curves
        rises = sum(each.rises is not None for each in curves)
        settles = sum(each.settles is not None for each in curves)
        first = curves[0]
        if len(curves) == 1:
            headline = f"Regions of the curve: {first.shape}; exponent {{exponent}}."
            places = (("rises", first.rises), ("settles", first.settles))
            quantities: tuple[Quantity, ...] = (
                Quantity("exponent", first.exponent, low=first.low, high=first.high, level=result.level),
                *(_change(each, name, result) for name, each in places if each is not None),
            )
        else:
            headline = "{rising} of {curves} curves leave random guessing, {settling} reach a floor."
            quantities = (
                Quantity("curves", len(curves), "integer"),
                Quantity("rising", rises, "integer", label="leave random guessing"),
                Quantity("settling", settles, "integer", label="reach a floor"),
                Quantity(
                    "all_three", sum(each.rises is not None and each.settles is not None for each in curves), "integer",
                    label="show all three regions",
                ),
            )  # fmt: skip
        return Answer(
            question=self.name,
            title=f"regions of {result.source} over {result.axis}",
            headline=headline,
            quantities=quantities,
            tables=(_curves(result), _counts(result)),
            findings=_findings(result),
            method=(
                f"log loss flat, linear in log {result.axis}, flat; ends against a line by simulation at 2.5%; "
                "residuals as a first-order autoregression"
            ),
        )


def _change(each: Change, name: str, result: LearningCurves) -> Quantity:
    label = "leaves random guessing at" if name == "rises" else "reaches the floor at"
    return Quantity(name, each.value, "count", low=each.low, high=each.high, level=result.level, label=label)


def _curves(result: LearningCurves) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in result.curves:
        rises = None if each.rises is None else _change(each.rises, "rises", result)
        settles = None if each.settles is None else _change(each.settles, "settles", result)
        exponent = Quantity("exponent", each.exponent, low=each.low, high=each.high, level=result.level)
        law = f"--law {each.law!r}".replace("'", '"') + (f' --where "{each.where}"' if each.where else "")
        rows.append(
            (
                each.name, each.shape, rises if rises is not None else each.start,
                settles if settles is not None else each.end, exponent, law, each.plateau, each.floor, each.points,
                each.scatter, each.correlation, each.reason,
            )
        )  # fmt: skip
    return Table(
        "curves",
        (
            Column("curve"),
            Column("regions"),
            Column("rises", "leaves random guessing at"),
            Column("settles", "reaches the floor at"),
            Column("exponent"),
            Column("law", "law to fit"),
            Column("plateau", "loss of random guessing", detail=True),
            Column("floor", "loss of the floor", detail=True),
            Column("points", kind="integer", detail=True),
            Column("scatter", kind="share", detail=True),
            Column("correlation", detail=True),
            Column("reason", detail=len([each for each in result.curves if each.reason]) == 0),
        ),
        tuple(rows),
        title="Curves",
    )


def _counts(result: LearningCurves) -> Table:
    counts = Counter((each.start, each.end) for each in result.curves)
    return Table(
        "counts",
        (Column("start", "random guessing"), Column("end", "floor"), Column("curves", kind="integer")),
        tuple((start, end, count) for (start, end), count in sorted(counts.items())),
        title="What can be told",
        detail=len(result.curves) == 1,
    )


def _findings(result: LearningCurves) -> tuple[Finding, ...]:
    untold = sum("cannot be told" in (each.start, each.end) for each in result.curves)
    if not untold:
        return ()
    return (
        Finding(
            "regions-untold", "note",
            f"An end of {number(untold, 'integer')} of {len(result.curves)} curves cannot be told at their scatter and "
            "length.",
            "Add points below the first or above the last, or seeds of the same points.",
        ),
    )  # fmt: skip
