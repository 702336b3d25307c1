"""The question of why the exponents are what they are: theories beside a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Quantity, Table, literal, of_interval
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Number, Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.probing.explain import Explanation


@dataclass(frozen=True)
class Explain(Question):
    """Theories of scaling beside the fitted exponents: which agree, which are refuted, which cannot be told.

    --probe is a table that isoflop probe --rows wrote; its intrinsic dimension and spectrum predict exponents. The last
    checkpoint counts, or --checkpoint.

    isoflop explain fit.json --probe measures.csv
    isoflop explain runs.csv --law chinchilla --zipf 0.35
    """

    name: ClassVar[str] = "explain"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop probe activations.npz --rows measures.csv",
        "isoflop explain runs.csv --law chinchilla --probe measures.csv",
    )
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 60
    subject: ClassVar[Subject] = "fit"
    has_pictures: ClassVar[bool] = False
    unused: ClassVar[tuple[str, ...]] = ("prior",)
    results: ClassVar[tuple[str, ...]] = ("isoflop.probing.explain:Explanation",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    probe: str | None = option(Text("FILE"), help="Table of measures, written by isoflop probe --rows.")
    checkpoint: str | None = option(Text("NAME"), help="Checkpoint of that table; the last where not given.")
    zipf: float | None = option(
        Number(low=0.0, open=True), help="Zipf exponent a of the data, frequencies as i^-(1 + a), for quanta."
    )

    def compute(self, context: Context) -> Explanation:
        """Read the measures, then compare."""
        from isoflop.probing.explain import explain, read_measures

        measures, checkpoint = ({}, "") if self.probe is None else read_measures(self.probe, checkpoint=self.checkpoint)
        return explain(context.ensemble, measures, zipf=self.zipf, checkpoint=checkpoint, level=context.level)

    def answer(self, result: Explanation, context: Context) -> Answer:
        """The verdicts, theory by theory."""
        compared = result.compared
        fitted = {each.axis: each.fitted for each in compared}
        lists = {
            verdict: ", ".join(f"{each.theory} in {each.axis}" for each in compared if each.verdict == verdict)
            for verdict in ("agrees", "refuted")
        }
        rows: list[tuple[Cell, ...]] = []
        for each in compared:
            told: Cell = None
            if each.predicted is not None:
                value, low, high = each.predicted
                ends = {"low": low, "high": high, "interval": "range"} if low < high else {}
                told = Quantity("predicted", value, **ends)  # type: ignore[arg-type]
            exponent = of_interval("fitted", each.fitted)
            rows.append((each.theory, each.axis, each.verdict, told, exponent, each.basis, each.needed))
        return Answer(
            question=self.name,
            title=f"theories of the exponents of {result.source}",
            headline=literal(f"Agrees: {lists['agrees'] or 'none'}. Refuted: {lists['refuted'] or 'none'}."),
            quantities=tuple(
                of_interval(f"exponent_{axis}", each, label=f"exponent of {axis}") for axis, each in fitted.items()
            ),
            tables=(
                Table(
                    "theories",
                    (
                        Column("theory"),
                        Column("axis", "exponent of"),
                        Column("verdict"),
                        Column("predicted"),
                        Column("fitted"),
                        Column("basis"),
                        Column("needed", "half-width that would decide"),
                    ),
                    tuple(rows),
                    title="Theories",
                    note="Refuted: disjoint intervals. Agrees: overlapping, the fit known to 25% of the prediction.",
                ),
            ),
            method="exponents of the law's powers of N and D"
            + (f"; measures of checkpoint {result.checkpoint}" if result.checkpoint else ""),
        )
