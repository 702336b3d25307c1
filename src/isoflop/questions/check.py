"""The question before all others: how the table was read, and its findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Picture, Quantity
from isoflop.answers.wording import plural
from isoflop.findings import Finding
from isoflop.questions.base.columns import columns_table
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, InReport, Question, Subject
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from isoflop.runs import Runs


@dataclass(frozen=True)
class Checked:
    """A table of runs with all of its findings."""

    runs: Runs
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Check(Question):
    """How a table of runs was read, and its findings.

    RUNS is a CSV, TSV, JSON Lines or Parquet file, a store (isoflop import), or a data set's name (isoflop datasets);
    without it the bundled example runs are read.

    isoflop check runs.csv --column "N=Model Size" --unit loss=perplexity
    """

    name: ClassVar[str] = "check"
    examples: ClassVar[tuple[str, ...]] = ("isoflop check runs.csv",)
    group: ClassVar[Group] = "Read"
    order: ClassVar[int] = 10
    subject: ClassVar[Subject] = "runs"
    in_report: ClassVar[InReport] = "always"
    results: ClassVar[tuple[str, ...]] = ("isoflop.questions.check:Checked", "isoflop.runs.table:Runs")

    surface: str | None = option(
        Text("LAW"), flag="law", help="Law from whose surface outliers are sought; chinchilla where not given."
    )

    def compute(self, context: Context) -> Checked:
        """Every finding about the runs, from the table alone and from the surface of a law."""
        from isoflop.laws import law
        from isoflop.validation.check import check, groups

        runs = context.runs
        chosen = law(self.surface, columns=runs.names) if self.surface else None
        with context.progress(groups(runs, law=chosen), "surfaces") as advance:
            return Checked(runs, check(runs, law=chosen, progress=advance))

    def answer(self, result: Checked | Runs, context: Context) -> Answer:
        """What was read, column by column, and the findings."""
        from isoflop.runs import Runs
        from isoflop.runs.checks import check as check_table

        checked = Checked(result, check_table(result)) if isinstance(result, Runs) else result
        runs = checked.runs
        n_runs = int(runs.run_codes().max()) + 1 if len(runs) else 0
        serious = sum(each.level != "note" for each in checked.findings)
        return Answer(
            question=self.name,
            title=runs.source,
            headline=f"{{runs}} {plural(n_runs, 'run')} in {{rows}} {plural(len(runs), 'row')}; {_count(serious)}.",
            quantities=(
                Quantity("runs", n_runs, "integer"),
                Quantity("rows", len(runs), "integer"),
                Quantity("warnings", serious, "integer", label="errors and warnings"),
            ),
            tables=(columns_table(runs),),
            findings=checked.findings,
            pictures=_pictures(runs, checked.findings),
        )


def _count(serious: int) -> str:
    return (
        "no error or warning"
        if not serious
        else "1 error or warning"
        if serious == 1
        else "{warnings} errors and warnings"
    )


def _pictures(runs: Runs, findings: Iterable[Finding]) -> tuple[Picture, ...]:

    names = [name for name in ("N", "D") if name in runs.frame.columns]
    if "loss" not in runs.frame.columns:
        return ()
    ends = {name: _range(runs, name) for name in (*names, "loss")}
    if not names or not all(ends.values()):
        return _curves(runs)
    spans = " and ".join(f"{name} from {ends[name]}" for name in names)
    drawn = f"The {len(runs)} rows of the table, {spans}, colored by their loss."
    ringed = sorted({row for each in findings if each.code in _ODD for row in each.rows})
    odd = f"; {len(ringed)} of them are odd (rows {', '.join(map(str, ringed[:8]))}{' …' if len(ringed) > 8 else ''})"
    draw = drawing("design", runs, ringed=tuple(ringed))
    claim = f"{len(runs)} rows, {spans}{odd if ringed else ''}"
    return (Picture("design", draw, drawn, claim=claim), *_curves(runs))


_ODD: Final = ("outliers", "off-parabola")  # findings of single runs far off the others
_ALONG: Final = ("step", "D", "S", "C")
_APART: Final = ("schedule", "family", "run")
_POINTS: Final = 4  # rows of a run, from which they are a curve


def _curves(runs: Runs) -> tuple[Picture, ...]:
    """The runs along their training, told apart by schedule, family or name; nothing for finished runs."""
    import numpy as np

    along = next((name for name in _ALONG if name in runs.frame.columns), "")
    if not along:
        return ()
    x, loss, codes = runs[along], runs["loss"], runs.run_codes()
    known = np.isfinite(x) & np.isfinite(loss) & (x > 0) & (loss > 0)
    points = np.bincount(codes[known], minlength=int(codes.max()) + 1)
    by = next((name for name in _APART if name in runs.frame.columns and len(set(runs.text(name))) > 1), "run")
    if not (points >= _POINTS).any() or by not in runs.frame.columns:
        return ()
    from isoflop.plots import AXES  # here, since few tables have curves

    drawn = f"Loss of {int(codes.max()) + 1} runs along their {AXES[along][0]}, told apart by {by}."
    return (Picture("training-curves", drawing("training_curves", runs, by=by, along=along), drawn),)


def _range(runs: Runs, name: str) -> str:
    """``10M to 1B``; empty without a positive value."""
    values = runs[name]
    good = values[(values > 0) & (values < float("inf"))]
    return f"{format_quantity(good.min())} to {format_quantity(good.max())}" if len(good) else ""
