"""The question of how a response moves along x, without a law: rising, falling, a plateau, U, inverted U."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number, plural, told
from isoflop.questions.base.comparison import by_columns, input_column, response_columns, x_kind
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Choice, Count, Flag, Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec
from isoflop.room import MOST_GROUPS
from isoflop.units import parse_quantity

if TYPE_CHECKING:
    from isoflop.validation.shape_audit import GroupShape, ShapeAudit


@dataclass(frozen=True)
class Shape(Question):
    """Shape of responses along x by group, without a law: monotone, plateau, U, inverted U, or not to be told.

    Rows of one group and x are repeats, whose scatter every test uses; without repeats, standard errors do (--error,
    --items). Also: the smallest x within --delta of the best, size classes (Kruskal-Wallis, Dunn's test), and the
    models that none of equal or lower cost beats.

    isoflop shape runs.csv --by family --response acc
    isoflop shape scores.csv --by family --response mmlu --response gsm8k --items 1000
    """

    name: ClassVar[str] = "shape"
    examples: ClassVar[tuple[str, ...]] = ("isoflop shape recipes.csv --by recipe --response quiz_acc",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 70
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.validation.shape_audit:ShapeAudit",)

    x: str | None = option(Text("COLUMN"), help="Input along which; N by default, or the first of C, D and step.")
    responses: tuple[str, ...] = option(
        Texts("COLUMN"), (), flag="response", help="Measured column; repeatable. The loss by default."
    )
    by: tuple[str, ...] = option(
        Texts("COLUMN"), (), help="Column that divides the runs into groups; repeatable. The family by default."
    )
    error: str | None = option(Text("COLUMN"), help="Column of the response's standard errors.")
    items: int | None = option(
        Count(low=1), help="Test items of which the response is the share correct, for its standard error."
    )
    delta: float | None = option(
        Number(low=0.0, open=True), help="Difference that does not matter; 5% of the response's range by default."
    )
    better: str | None = option(
        Choice("WORD", values=("lower", "higher")), help="Better direction: lower or higher; by the response's name."
    )
    classes: tuple[str, ...] = option(
        Texts("3B"), (), flag="class", help="Upper edge of a size class; repeatable. Quartiles by default."
    )
    cost: str | None = option(Text("COLUMN"), help="Column of costs, as C; x by default.")
    uncorrected: bool = option(Flag(), False, help="Leave out Holm's correction for several groups and responses.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of the simulated null distributions.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def compute(self, context: Context) -> ShapeAudit:
        """Every test of every response and group."""
        from isoflop.errors import IsoflopError, shown
        from isoflop.validation.shape_audit import shapes

        runs = context.runs
        edges = []
        for text in (part.strip() for each in self.classes for part in each.split(",")):
            try:
                edges.append(parse_quantity(text))
            except ValueError:
                raise IsoflopError(f"--class takes sizes such as 3B, not {shown(text)}") from None
        x = input_column(runs, self.x)
        return shapes(
            runs,
            response_columns(runs, self.responses, besides=(x, self.error)),
            x=x,
            by=by_columns(runs, self.by),
            error=self.error,
            items=self.items,
            delta=self.delta,
            better=self.better,  # type: ignore[arg-type]  # one of the two words
            classes=edges,
            cost=self.cost,
            level=context.level,
            correct=not self.uncorrected,
            seed=self.seed,
        )

    def answer(self, result: ShapeAudit, context: Context) -> Answer:
        """The shape in one sentence, then a row a group, size classes, and the front of cost."""
        told = sum(each.shape != "cannot be told" for each in result.rows)
        first = result.rows[0]
        return Answer(
            question=self.name,
            title=f"{', '.join(result.responses)} along {result.x} in {result.source}",
            headline=_headline(result),
            quantities=(
                Quantity("shapes", len(result.rows), "integer"),
                Quantity("told", told, "integer", label="shapes that can be told"),
                *(
                    Quantity(
                        "delta" if k == 0 else f"delta_{k + 1}", each, label=f"delta of {name}", note="does not matter"
                    )
                    for k, (name, each) in enumerate(zip(result.responses, result.delta, strict=True))
                ),
                *(
                    (of_interval("smallest", first.near, x_kind(result.x), label=f"smallest {result.x} near the best"),)
                    if len(result.rows) == 1
                    else ()
                ),
            ),
            tables=(_shapes(result), *_classes(result), *_fronts(result)),
            findings=result.findings,
            method="; ".join(_method(result)),
            pictures=(_picture(result),),
            provenance={
                "x": result.x,
                "by": list(result.by),
                "responses": list(result.responses),
                "level": result.level,
                "seed": result.seed,
            },
        )


def _headline(result: ShapeAudit) -> str:
    several = len(result.responses) > 1
    if len(result.rows) == 1:
        return literal(_sentence(result, result.rows[0]))
    counted = Counter(each.shape for each in result.rows)
    told = "; ".join(f"{shape} in {count}" for shape, count in counted.most_common())
    what = f"{len(result.responses)} responses by group" if several else f"{result.responses[0]} by group"
    return literal(f"Of {len(result.rows)} shapes of {what} along {result.x}: {told}.")


def _sentence(result: ShapeAudit, row: GroupShape) -> str:
    name, where = row.levels.response, "" if not result.by else f" of {row.levels.group}"
    p = f" (p = {number(row.p.trend, 'number', digits=2)})"
    smallest = told(of_interval("smallest", row.near, x_kind(result.x)))
    near = f"the smallest {result.x} within {row.tests.delta:.2g} of the best is {smallest}"
    if row.tests.reason:
        return f"The shape of {name}{where} along {result.x} cannot be told: {row.tests.reason}."
    if row.shape == "cannot be told":
        return f"The shape of {name}{where} along {result.x} cannot be told: no trend is significant{p}."
    if row.shape == "flat":
        return f"{name}{where} is flat along {result.x}, within {row.tests.delta:.2g}."
    if row.turn is not None:
        turn = f"turning at {told(of_interval('turn', row.turn, x_kind(result.x)))}"
        return f"{name}{where} along {result.x} has the shape of {_article(row.shape)}, {turn}; {near}."
    if row.shape == "several turns":
        return f"{name}{where} along {result.x} turns more than once; {near}."
    return f"{name}{where} is {row.shape} along {result.x}{p}; {near}."


def _article(shape: str) -> str:
    return f"an {shape}" if shape.startswith("i") else f"a {shape}"


def _shapes(result: ShapeAudit) -> Table:
    several, kind = len(result.responses) > 1, x_kind(result.x)

    def ends(row: GroupShape) -> tuple[Cell, ...]:
        scatter = row.tests.scatter
        return (
            row.levels.response,
            row.levels.group,
            row.shape,
            row.end,
            row.p.trend,
            row.p.reversal,
            of_interval("smallest", row.near, kind),
            None if row.turn is None else of_interval("turn", row.turn, kind),
            len(row.levels.x),
            int(row.levels.count.sum()),
            float(row.levels.mean[0]),
            float(row.levels.mean[-1]),
            scatter.source,
            None if scatter.source in ("none", "standard errors") else scatter.sd,
            row.tests.gain,
            row.p.still,
            row.p.level_end,
            row.p.flat,
            row.worsens,
        )

    return Table(
        "shapes",
        (
            Column("response", detail=not several),
            Column("group", detail=not result.by),
            Column("shape"),
            Column("end", "largest third"),
            Column("p_trend", "p of no trend"),
            Column("p_reversal", "p of no reversal"),
            Column("smallest", f"smallest {result.x} near the best", kind=kind),
            Column("turn", "turn", kind=kind, detail=not any(each.turn for each in result.rows)),
            Column("sizes", kind="integer"),
            Column("runs", kind="integer"),
            Column("first", "at the smallest", detail=True),
            Column("last", "at the largest", detail=True),
            Column("scatter_from", "scatter from", detail=True),
            Column("sd", "sd of one run", detail=True),
            Column("gain", "change over the largest third", detail=True),
            Column("p_gain", "p of no change there", detail=True),
            Column("p_plateau", "p of a change by delta there", detail=True),
            Column("p_flat", "p of a difference of delta", detail=True),
            Column("worsens", detail=True),
        ),
        tuple(ends(each) for each in result.rows),
        title="Shapes",
    )


def _classes(result: ShapeAudit) -> tuple[Table, ...]:
    if not result.classes:
        return ()
    several, alpha = len(result.responses) > 1, 1 - result.level
    delta = dict(zip(result.responses, result.delta, strict=True))
    rows: list[tuple[Cell, ...]] = []
    pairs: list[tuple[Cell, ...]] = []
    for each in result.classes:
        plateau = each.plateau(alpha=alpha, delta=delta[each.response])
        rows += [
            (each.response, name, count, median, "plateau from here" if k == plateau else "")
            for k, (name, count, median) in enumerate(zip(each.names, each.count, each.median, strict=True))
        ]
        pairs += [
            (each.response, f"{each.names[pair.second]} against {each.names[pair.first]}", pair.z, pair.p,
             pair.adjusted, pair.adjusted <= alpha, each.h, each.p)
            for pair in each.pairs
        ]  # fmt: skip
    tests = "; ".join(
        (f"{each.response}: " if several else "")
        + (
            f"H = {number(each.h, 'number', digits=3)}, p = {number(each.p, 'number', digits=2)}"
            if each.p == each.p
            else "too few models"
        )
        for each in result.classes
    )
    return (
        Table(
            "classes",
            (
                Column("response", detail=not several),
                Column("class", result.x),
                Column("models", kind="integer"),
                Column("median"),
                Column("note", ""),
            ),
            tuple(rows),
            title="Size classes",
            note=f"Kruskal-Wallis over models: {tests}.",
        ),
        Table(
            "pairs",
            (
                Column("response", detail=not several),
                Column("pair", "classes"),
                Column("z"),
                Column("p", detail=True),
                Column("p_holm", "p (Dunn, Holm)"),
                Column("differs"),
                Column("h", detail=True),
                Column("p_all", "p of all classes", detail=True),
            ),
            tuple(pairs),
            title="Pairs of size classes",
        ),
    )


def _fronts(result: ShapeAudit) -> tuple[Table, ...]:
    several, kind = len(result.responses) > 1, x_kind(result.cost)
    rows: list[tuple[Cell, ...]] = []
    for name, front in zip(result.responses, result.fronts, strict=True):
        cheapest = next((each for each in front if each.near), None)
        rows += [
            (name, each.group, each.x, each.cost, each.mean, "cheapest near the best" if each is cheapest else "")
            for each in front
        ]
    if not rows:
        return ()
    same = result.cost == result.x
    return (
        Table(
            "front",
            (
                Column("response", detail=not several),
                Column("group", detail=not result.by),
                Column("x", result.x, kind=x_kind(result.x), detail=same),
                Column("cost", result.cost, kind=kind),
                Column("mean"),
                Column("note", ""),
            ),
            tuple(rows),
            title=f"Best response for its {result.cost}",
            note="Every other model is matched or beaten by one that costs no more.",
        ),
    )


def _method(result: ShapeAudit) -> list[str]:
    alpha = 1 - result.level
    deltas = ", ".join(
        f"{each:.3g}" + (f" of {name}" if len(result.responses) > 1 else "")
        for name, each in zip(result.responses, result.delta, strict=True)
    )
    corrected = (
        f"p-values corrected by Holm's method over {result.corrected} shapes"
        if result.corrected > 1
        else "p-values not corrected for other shapes"
    )
    return [
        f"tests at {100 * alpha:.3g}% by the largest slope over any stretch of {result.x}, its distribution simulated",
        corrected,
        f"plateau: over the largest third of log {result.x} the change is below delta = {deltas}",
        f"a size class counts each {plural(1, 'model')} once",
    ]


def _picture(result: ShapeAudit) -> Picture:
    rows = result.of(result.responses[0])[:MOST_GROUPS]
    told = ", ".join(f"{each.levels.group} {each.shape}" for each in rows)
    return Picture(
        "shape",
        drawing("shapes_along", result),
        f"{result.responses[0]} along {result.x} by group: {told}; rings mark the smallest {result.x} within "
        f"{result.delta[0]:.2g} of each group's best.",
    )
