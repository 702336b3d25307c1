"""The question of decisions between recipes: does the ranking at a small scale hold at the largest?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number, plural
from isoflop.questions.base.comparison import by_columns, input_column, response_columns, x_kind
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Choice, Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.validation.decisions import Decision, DecisionAudit


@dataclass(frozen=True)
class Decide(Question):
    """Decision accuracy: how often the ranking of recipes at a small scale is the ranking at the largest.

    A recipe is a group of --by: a data set, an architecture, an optimizer. Rows of one recipe and x are seeds. The
    largest scale is held out; each smaller one is judged by its pairs of recipes, by the rank correlations, and by what
    its best recipe costs at the largest.

    isoflop decide runs.csv --by recipe
    isoflop decide runs.csv --by corpus --x C --response loss --response hellaswag_acc
    """

    name: ClassVar[str] = "decide"
    examples: ClassVar[tuple[str, ...]] = ("isoflop decide recipes.csv --by recipe",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 75
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.validation.decisions:DecisionAudit",)

    by: tuple[str, ...] = option(
        Texts("COLUMN"), (), help="Column whose values are the recipes; repeatable. The family by default."
    )
    x: str | None = option(Text("COLUMN"), help="Scale; N by default, or the first of C, D and step.")
    responses: tuple[str, ...] = option(
        Texts("COLUMN"), (), flag="response", help="Measured column; repeatable. The loss by default."
    )
    target: float | None = option(
        Number("SCALE", low=0.0, open=True), help="Scale whose ranking is decided; the largest by default."
    )
    better: str | None = option(
        Choice("WORD", values=("lower", "higher")), help="Better direction: lower or higher; by the response's name."
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def compute(self, context: Context) -> DecisionAudit:
        """Every scale below the target, for every response."""
        from isoflop.validation.decisions import decisions

        runs = context.runs
        x = input_column(runs, self.x)
        return decisions(
            runs,
            response_columns(runs, self.responses, besides=(x,)),
            x=x,
            by=by_columns(runs, self.by),
            target=self.target,
            better=self.better,  # type: ignore[arg-type]  # one of the two words
            level=context.level,
        )

    def answer(self, result: DecisionAudit, context: Context) -> Answer:
        """The accuracy at the largest and the smallest scale, then every scale."""
        first = result.of(result.responses[0])
        kind, last = x_kind(result.x), first[-1]
        below = "" if len(first) == 1 else f", and {{smallest}} at {result.x} = {number(first[0].scale, kind)}"
        several = len(result.responses) > 1
        return Answer(
            question=self.name,
            title=f"{len(last.recipes)} recipes along {result.x} in {result.source}",
            headline=(
                f"At {result.x} = {number(last.scale, kind)} {{accuracy}} of pairs of {len(last.recipes)} recipes are "
                f"ordered by {literal(result.responses[0])} as at {result.x} = {number(result.target, kind)}{below}."
            ),
            quantities=(
                of_interval("accuracy", last.accuracy, "share", label=_label(result, last)),
                *(
                    (of_interval("smallest", first[0].accuracy, "share", label=_label(result, first[0])),)
                    if len(first) > 1
                    else ()
                ),
                Quantity("target", result.target, kind, label=f"target {result.x}"),
                Quantity("recipes", len(last.recipes), "integer"),
                Quantity("pairs", last.pairs, "integer"),
            ),
            tables=(_scales(result, several), *_rankings(result)),
            findings=result.findings,
            method="; ".join(
                (
                    "decision accuracy: share of pairs of recipes in the order of the target, a tie counting one half",
                    "interval: Wilson's, with the jack-knife variance over recipes",
                    "regret: how much worse the recipe picked here is at the target than the best there",
                )
            ),
            pictures=(_picture(result),),
            provenance={
                "x": result.x,
                "by": list(result.by),
                "responses": list(result.responses),
                "target": result.target,
                "level": result.level,
            },
        )


def _label(result: DecisionAudit, each: Decision) -> str:
    return f"decision accuracy at {result.x} = {number(each.scale, x_kind(result.x))}"


def _scales(result: DecisionAudit, several: bool) -> Table:
    kind = x_kind(result.x)
    repeats = any(each.apart == each.apart for each in result.decisions)

    def row(each: Decision) -> tuple[Cell, ...]:
        return (
            each.response,
            each.scale,
            of_interval("accuracy", each.accuracy, "share"),
            each.kendall,
            each.spearman,
            each.picked,
            each.regret,
            each.apart,
            each.accuracy_apart,
            len(each.recipes),
            each.pairs,
        )

    return Table(
        "scales",
        (
            Column("response", detail=not several),
            Column("scale", result.x, kind=kind),
            Column("accuracy", "decision accuracy", kind="share"),
            Column("kendall", "Kendall τ"),
            Column("spearman", "Spearman ρ"),
            Column("picked", "best here"),
            Column("regret", "its regret"),
            Column("apart", "pairs beyond seeds at the target", kind="share", detail=True),
            Column("accuracy_apart", "accuracy of those", kind="share", detail=not repeats),
            Column("recipes", kind="integer", detail=True),
            Column("pairs", kind="integer"),
        ),
        tuple(row(each) for each in result.decisions),
        title="Decisions by scale",
    )


def _rankings(result: DecisionAudit) -> tuple[Table, ...]:
    """The ranking at the target, of each response."""
    rows: list[tuple[Cell, ...]] = []
    for response, less in zip(result.responses, result.lower, strict=True):
        there = {name: of[result.target] for name, of in result.means[response].items() if result.target in of}
        ranked = sorted(there, key=lambda name: there[name] if less else -there[name])
        rows += [(response, rank, name, there[name]) for rank, name in enumerate(ranked, 1)]
    return (
        Table(
            "target",
            (
                Column("response", detail=len(result.responses) == 1),
                Column("rank", kind="integer"),
                Column("recipe"),
                Column("mean", "mean at the target"),
            ),
            tuple(rows),
            title="Ranking at the target",
        ),
    )


def _picture(result: DecisionAudit) -> Picture:

    first = result.of(result.responses[0])
    told = ", ".join(
        f"{number(each.accuracy.value, 'share')} at {number(each.scale, x_kind(result.x))}" for each in first
    )
    count = len(result.means[result.responses[0]])
    return Picture(
        "ranking-by-scale",
        drawing("ranking_by_scale", result),
        f"Rank of {count} {plural(count, 'recipe')} by {result.responses[0]} along {result.x}; pairs in the "
        f"order of the target: {told}.",
        (7.2, max(4.2, 1.4 + 0.24 * count)),
    )
