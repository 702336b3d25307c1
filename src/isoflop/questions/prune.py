"""The question of pruning: keep hard or easy examples at this size of the data, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number, plural
from isoflop.findings import Finding
from isoflop.questions.base.context import OF_TOKENS, Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Count, Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.planning.selection.pruned import AtSize, Kept, Pruning


@dataclass(frozen=True)
class Prune(Question):
    """Pruning of training data: which examples to keep, and how many, at each size before pruning.

    RUNS has a row a training: examples kept (D), the share kept, the rule that chose them (hard, easy, random), the
    loss or error, and a seed where points are repeated. Among the measured sizes means decide, with draws over
    repetitions; beyond, the laws that isoflop compare fits to each way. A share of 1 is all examples.

    isoflop prune pruned.csv
    isoflop prune pruned.csv --at 10K --at 1M --rule family --keep keep
    """

    name: ClassVar[str] = "prune"
    examples: ClassVar[tuple[str, ...]] = ("isoflop prune pruned.csv --at 400 --at 1200 --draws 50",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 27
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.planning.selection.pruned:Pruning",)

    rule: str = option(Text("COLUMN"), "family", help="Column of the rule: hard, easy, random.")
    keep: str = option(Text("COLUMN"), "keep", help="Column of the share of examples that is kept.")
    at: tuple[str, ...] = option(
        Texts("EXAMPLES"), (), help="Examples before pruning, as 1M; repeatable; those measured by default."
    )
    response: str = option(Text("COLUMN"), "loss", help="Column of the loss or error.")
    law: str | None = option(Text("LAW"), help="Law in total of each way; a power law with a floor by default.")
    start: float | None = option(
        Number("EXAMPLES", low=0.0, open=True), help="Size from which laws are fitted; the larger half by default."
    )
    within: float = option(
        Number(low=0.0, high=1.0, open=True), 0.02, help="Relative loss that counts as near-optimal."
    )
    draws: int = option(Count(low=20, high=100_000), 200, help="Draws for intervals.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of the draws.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def compute(self, context: Context) -> Pruning:
        """Every way at every size."""
        from isoflop.laws import law
        from isoflop.planning.selection.pruned import TOTAL, prune

        with context.progress(self.draws, "draws") as advance:
            return prune(
                context.runs,
                rule=self.rule,
                keep=self.keep,
                at=[Number(low=0.0, open=True).convert(each, "--at") for each in self.at],
                response=self.response,
                law=None if self.law is None else law(self.law, inputs=(TOTAL,), columns=(TOTAL,)),
                start=self.start,
                within=self.within,
                draws=self.draws,
                level=context.level,
                seed=self.seed,
                progress=advance,
            )

    def findings(self, result: Any, context: Context) -> tuple[Finding, ...]:  # noqa: ANN401
        """Those of the runs but for what is known of language models' tokens: D counts samples of any kind here."""
        return tuple(each for each in super().findings(result, context) if each.code not in OF_TOKENS)

    def answer(self, result: Pruning, context: Context) -> Answer:
        """What to keep at the largest size, then at every size."""
        last = result.sizes[-1]
        way = result.ways[last.fewest]
        quantities = [
            of_interval("loss", last.responses[last.fewest], label=f"{result.response} there"),
            Quantity("probability", _probability(last), "share", label="probability of being the best"),
        ]
        beside = ""
        if last.ratio is not None and way.share < 1:
            quantities.append(of_interval("ratio", last.ratio, label="over that of all examples"))
            beside = ", {ratio} times that of all examples"
        for name, interval, label in (
            ("frontier", result.frontier, "exponent in the examples kept"),
            ("unpruned", result.unpruned, "exponent of all examples"),
        ):
            if interval.value == interval.value:
                quantities.append(of_interval(name, interval, label=label, note="of the sizes below, without a floor"))
        return Answer(
            question=self.name,
            title=f"pruning of training data in {context.runs.source}" if context.has_runs else "pruning",
            headline=f"Of {number(last.total, 'count')} examples keep {_told(way)}: {literal(result.response)} {{loss}}"
            f"{beside}.",
            quantities=tuple(quantities),
            tables=(_sizes(result), _ways(result), _exchanges(result)),
            findings=result.findings,
            method=f"means over {result.repetitions} {plural(result.repetitions, 'repetition')}, linear in logarithms "
            f"between sizes; laws beyond; of ways within {self.within:.0%} of the best the one that keeps fewest",
            pictures=(
                Picture(
                    "pruning",
                    drawing("pruned_errors", result),
                    f"{result.response} of each way to prune against examples before pruning.",
                ),
            ),
            provenance={"draws": self.draws, "seed": self.seed},
        )


def _told(way: Kept) -> str:
    if way.share == 1:
        return "all"
    which = {"hard": "the hardest ", "easy": "the easiest "}.get(way.rule, f"by {literal(way.rule)} ")
    return f"{which}{number(way.share, 'share', digits=3)}"


def _probability(size: AtSize) -> float | None:
    value = size.probability[size.best]
    return value if value == value else None


def _sizes(result: Pruning) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in result.sizes:
        for place, way in enumerate(result.ways):
            mark = "keep" if place == each.fewest else "best" if place == each.best else ""
            chance = each.probability[place]
            rows.append(
                (
                    each.total, way.name, each.total * way.share, of_interval("loss", each.responses[place]),
                    chance if chance == chance else None, mark, "measured" if each.measured else "law",
                )
            )  # fmt: skip
    return Table(
        "sizes",
        (
            Column("total", "before pruning", "count"),
            Column("way", "kept"),
            Column("examples", "examples kept", "count"),
            Column("loss", literal(result.response)),
            Column("probability", "P(best)", "share"),
            Column("choice"),
            Column("source", detail=all(each.measured for each in result.sizes)),
        ),
        tuple(rows),
        title="Ways to prune at each size",
        note="keep: the fewest examples within the near-optimal range of the best.",
    )


def _ways(result: Pruning) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (way.name, of_interval("exponent", way.exponent) if way.exponent.value == way.exponent.value else None)
        for way in result.ways
    ]
    return Table(
        "ways",
        (Column("way"), Column("exponent", "exponent in size")),
        tuple(rows),
        title="Exponents of the laws",
        detail=all(each is None for _, each in rows),
        note="Each over the floor of its law. Of one share kept, the exponent in examples kept is the same as that in "
        "examples before pruning.",
    )


def _exchanges(result: Pruning) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            each.share, each.first, each.second, of_interval("total", each.total, "count"),
            each.probability if each.probability == each.probability else None,
        )
        for each in result.exchanges
    ]  # fmt: skip
    return Table(
        "exchanges",
        (
            Column("share", "share kept", "share"),
            Column("below"),
            Column("above"),
            Column("total", "change places at"),
            Column("probability", "share of draws", "share"),
        ),
        tuple(rows),
        title="Where hard and easy change places",
        detail=not rows,
    )
