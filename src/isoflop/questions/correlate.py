"""The question of what goes with a response: rank correlations of measures with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import plural
from isoflop.errors import IsoflopError
from isoflop.questions.base.comparison import listed
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.runs import Runs
    from isoflop.validation.correlation import Correlations

_SHOWN = 4  # measures beside the strongest whose numbers stand above the table


@dataclass(frozen=True)
class Correlate(Question):
    """What goes with a response: rank correlations of measures with it, and whether one is stronger than another.

    A measure is a column of numbers: a norm, a dimension, an information, a loss on other data. --join adds the table
    that isoflop probe --rows wrote, by the columns checkpoint or run that both have. Rows of one run, or of one group
    of --by, are left out together, so that seeds and checkpoints do not count as runs of their own. What --given holds
    fixed cannot be what two columns share.

    isoflop correlate networks.csv --response gap --by setting
    isoflop correlate networks.csv --response gap --join information.csv --given params
    """

    name: ClassVar[str] = "correlate"
    examples: ClassVar[tuple[str, ...]] = ("isoflop correlate networks.csv --response gap --by setting",)
    group: ClassVar[Group] = "Test"
    order: ClassVar[int] = 77
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.validation.correlation:Correlations",)

    response: str | None = option(Text("COLUMN"), help="Column that measures are to go with; the loss by default.")
    measures: tuple[str, ...] = option(
        Texts("COLUMN"), (), flag="measure", help="Column of numbers; repeatable. All that vary by default."
    )
    given: tuple[str, ...] = option(Texts("COLUMN"), (), help="Column that is held fixed, as N; repeatable.")
    by: tuple[str, ...] = option(
        Texts("COLUMN"),
        (),
        help="Column whose values are groups, left out together; repeatable. The run by default.",
    )
    join: str | None = option(Text("FILE"), help="Table of further columns, joined by checkpoint, run or --on.")
    on: tuple[str, ...] = option(Texts("COLUMN"), (), help="Column by which --join joins; repeatable.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def predicted(self) -> tuple[str, ...]:
        """The response, where it is named."""
        return () if self.response is None else (self.response,)

    def check(self) -> None:
        """Columns to join by need a table to join."""
        if self.on and self.join is None:
            raise IsoflopError(f"--on {self.on[0]} joins a table by a column, and none is given; name one with --join")

    def compute(self, context: Context) -> Correlations:
        """Join, then correlate."""
        from isoflop.validation.correlation import correlate

        self.check()
        runs = context.runs if self.join is None else self._joined(context)
        response = self.response
        if response is None:
            if "loss" not in runs.frame.columns:
                raise IsoflopError(f"{runs.source} has no loss; name what measures are to go with, as --response gap")
            response = "loss"
        found = correlate(
            runs, response, listed(self.measures), given=listed(self.given), by=listed(self.by), level=context.level
        )
        return replace(found, findings=tuple(each for each in runs.findings if each not in context.runs.findings))

    def _joined(self, context: Context) -> Runs:
        from isoflop.runs import read_runs
        from isoflop.runs.joining import joined

        assert self.join is not None  # asked only then
        return joined(context.runs, read_runs(context.runs_spec.folder / self.join), listed(self.on))

    def answer(self, result: Correlations, context: Context) -> Answer:
        """The strongest measure, then every one."""
        first, *others = result.measures
        fixed = f" beside {', '.join(map(literal, result.given))}" if result.given else ""
        clear = sum(each.strength != "cannot be told" for each in result.measures)
        told = {
            "strong": "strong",
            "moderate": "moderate",
            "weak": "weak",
            "cannot be told": "not to be told from chance",
        }[first.strength]
        tail = f"; {{clear}} of {len(result.measures)} measures go with it" if others else ""
        return Answer(
            question=self.name,
            title=f"what goes with {result.response} in {result.source}",
            headline=(
                f"The rank correlation of {literal(first.measure)} with {literal(result.response)}{fixed} is "
                f"{{strongest}}: {told}{tail}."
            ),
            quantities=(
                of_interval("strongest", first.rho, label=f"rank correlation of {first.measure}"),
                Quantity("clear", clear, "integer", label="measures that go with it"),
                Quantity("groups", first.groups, "integer", label="groups of rows"),
                *(
                    of_interval(each.measure, each.rho, label=f"rank correlation of {each.measure}")
                    for each in others[:_SHOWN]
                ),
            ),
            tables=(_measures(result), _passed(result)),
            findings=result.findings,
            method="; ".join(
                (
                    f"Spearman's correlation{', partial' if result.given else ''}; interval and p from leaving out one "
                    "group of rows at a time",
                    f"adjusted p: Holm's over {len(result.measures)} {plural(len(result.measures), 'measure')}",
                )
            ),
            pictures=(_picture(result),),
            provenance={"response": result.response, "given": list(result.given), "level": result.level},
        )


def _measures(result: Correlations) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            each.measure,
            of_interval("rho", each.rho),
            each.strength,
            each.adjusted,
            None if each.behind is None else of_interval("behind", each.behind),
            each.rows,
            each.groups,
        )
        for each in result.measures
    )
    return Table(
        "measures",
        (
            Column("measure"),
            Column("rho", "rank correlation"),
            Column("strength"),
            Column("p", "adjusted p"),
            Column("behind", "behind the strongest"),
            Column("rows", kind="integer", detail=len({each.rows for each in result.measures}) == 1),
            Column("groups", kind="integer", detail=True),
        ),
        rows,
        title=f"Measures by their correlation with {result.response}",
        note=(
            "Strong: the whole interval is beyond 0.5, of either sign; weak: the value is not; moderate: the value "
            f"alone is; cannot be told: the interval has 0, or the adjusted p is above {1 - result.level:.2g}."
        ),
    )


def _passed(result: Correlations) -> Table:
    return Table(
        "passed",
        (Column("column"), Column("reason")),
        tuple(result.passed.items()),
        title="Columns left out",
        detail=True,
    )


def _picture(result: Correlations) -> Picture:
    count = min(len(result.measures), 20)
    told = ", ".join(f"{each.measure} {each.rho.value:.2f}" for each in result.measures[:6])
    return Picture(
        "correlations",
        drawing("correlations", result),
        f"Rank correlation with {result.response} and its interval, by measure: {told}.",
        (7.2, max(2.6, 1.3 + 0.32 * count)),
    )
