"""The question of repeated tokens: their marginal value, and where to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Cell, Column, Kind, Picture, Quantity, Table, identifier, literal, of_interval
from isoflop.answers.wording import number, told, worded
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import Context, is_saved_fit, open_saved
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Number
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import FitSpec, LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.planning.repeat import Repeat as RepeatResult
    from isoflop.runs import Runs
    from isoflop.uncertainty import Interval

_CONSTANTS: Final = ("r_D", "r_N", "P", "delta", "kappa")  # those that decide the value of repeated tokens
POSITIVE: Final = Number(low=0.0, open=True)


@dataclass(frozen=True)
class Repeats:
    """Answers by several laws, and the runs to which they were fitted, where they were."""

    laws: tuple[RepeatResult, ...]
    runs: Runs | None


@dataclass(frozen=True)
class Repeat(Question):
    """Marginal value of repeated tokens, where to stop, and the best size and epochs for a budget.

    RUNS is a table with unique tokens or epochs, to which Muennighoff's and Lovelace's laws are fitted; or a saved fit;
    or published constants as LAW:KEY. Without it: muennighoff:c4 and lovelace:datablations.

    isoflop repeat --unique 100B --params 7B --budget 1e23
    isoflop repeat runs.csv --unique 4B --params 2.8B
    """

    name: ClassVar[str] = "repeat"
    examples: ClassVar[tuple[str, ...]] = ("isoflop repeat --unique 100B --budget 1e23",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 40
    subject: ClassVar[Subject] = "law"
    unused: ClassVar[tuple[str, ...]] = ("starts", "jobs")
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.questions.repeat:Repeats",
        "isoflop.planning.repeat:Repeat",
    )

    unique: float | None = option(POSITIVE, required=True, unit="tokens", help="Unique tokens that there are, as 100B.")
    params: float | None = option(POSITIVE, help="Model size, as 7B; the optimum of --budget where not given.")
    budget: float | None = option(POSITIVE, unit="FLOPs", help="Training compute: adds the best size and epochs.")
    least: float = option(
        Number(low=0.0, high=1.0, open=True), 0.1, help="Marginal value of an epoch below which to stop."
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read and fitted, but no law: both are fixed."""
        return (RunsSpec, FitSpec, LevelSpec)

    def check(self) -> None:
        """A size or a budget, and the unique tokens."""
        if self.unique is None:
            raise IsoflopError("repeated tokens need --unique, the unique tokens that there are, as --unique 100B")
        if self.params is None and self.budget is None:
            raise IsoflopError("repeated tokens need --params 7B, or --budget 1e22")

    def compute(self, context: Context) -> Repeats:
        """Both laws, or the one that was given, asked of the same tokens."""
        from isoflop.planning.repeat import PUBLISHED, fit_repeats, repeat, with_unique

        self.check()
        reading, spec = context.runs_spec, context.fit_spec
        runs = None
        if context.given_runs is None and (reading.source is None or is_saved_fit(reading.source)):
            if any((reading.columns, reading.where, reading.units, reading.conventions)):
                raise IsoflopError("--column, --where, --unit and --convention describe a table of runs; name one")
            ensembles = tuple(open_saved(each) for each in ([reading.source] if reading.source else PUBLISHED))
        else:
            runs = with_unique(context.runs)
            with context.progress(2 * spec.draws, "bootstrap of both laws") as advance:
                ensembles = fit_repeats(
                    runs,
                    objective=context.objective,
                    draws=spec.draws,
                    seed=spec.seed,
                    resample_by=spec.resample_by,
                    progress=advance,
                )
        assert self.unique is not None  # checked above
        laws = tuple(
            repeat(
                each, unique=self.unique, params=self.params, budget=self.budget, least=self.least, level=context.level
            )
            for each in ensembles
        )
        return Repeats(laws, runs)

    def rests_on_runs(self, result: Repeats | RepeatResult, context: Context) -> bool:
        """Whether a table was fitted; published constants have none."""
        return isinstance(result, Repeats) and result.runs is not None and context.has_runs

    def answer(self, result: Repeats | RepeatResult, context: Context) -> Answer:
        """Where to stop by each law, and a column for each law in every table."""
        found = result if isinstance(result, Repeats) else Repeats((result,), None)
        first = found.laws[0]
        names = tuple(each.ensemble.estimate.law.name for each in found.laws)
        columns = tuple(Column(identifier(name), name) for name in names)
        best = _best(found.laws)
        of_table = () if found.runs is None else found.runs.findings
        tables = [
            Table("laws", (Column("quantity"), *columns), _rows(found), title="By law"),
            *((Table("budget", (Column("quantity"), *columns), best, title="Best use of the budget"),) if best else ()),
            *(_passes(each, several=len(found.laws) > 1) for each in found.laws),
            Table("constants", (Column("quantity"), *columns), _constants(found.laws), title="Constants", detail=True),
        ]
        return Answer(
            question=self.name,
            title=f"{worded(Quantity('unique', first.unique, 'count'))} unique tokens, repeated",
            headline=_headline(found.laws),
            quantities=(
                Quantity("unique", first.unique, "count", unit="tokens", label="unique tokens"),
                Quantity("N", first.params, "count", unit="parameters"),
                Quantity("least", first.least, "share", label="marginal value at which to stop"),
                *(
                    (Quantity("budget", first.best.budget, "flops", label="training compute", unit="FLOPs"),)
                    if first.best is not None
                    else ()
                ),
            ),
            tables=tuple(tables),
            findings=(*of_table, *_own_findings(found.laws, besides=of_table)),
            method=(
                "effective tokens: unique tokens that would give the same loss, in multiples of those there are; "
                "marginal value: what one more epoch adds to them"
            ),
            pictures=(_picture(found.laws),),
            provenance={"sources": [each.ensemble.estimate.data.source for each in found.laws]},
        )


def _rows(found: Repeats) -> tuple[tuple[Cell, ...], ...]:
    """How well each law explains the runs, the constants of repetition, and where to stop."""
    from isoflop.planning.repeat import explained, published_explains

    laws, runs = found.laws, found.runs
    rows: list[tuple[Cell, ...]] = []
    if runs is not None:
        fits = [each.ensemble.estimate for each in laws]
        rows.append(("R² on the runs", *(explained(fit.law, fit.params, runs) for fit in fits)))
        rows.append(("R² of the published constants", *(published_explains(fit.law, runs) for fit in fits)))
    for name in _CONSTANTS:
        if any(name in each.ensemble.estimate.law.param_names for each in laws):
            rows.append((name, *(_constant(each, name) for each in laws)))
    rows.append(("stop after, epochs", *(_epochs(each.stop) for each in laws)))
    rows.append(("loss rises after, epochs", *(_epochs(each.lowest) for each in laws)))
    return tuple(rows)


_BEST: Final[tuple[tuple[str, str, Kind], ...]] = (
    ("N*", "n", "count"),
    ("D*", "d", "count"),
    ("epochs at N*", "epochs", "number"),
    ("loss at N*", "loss", "number"),
    ("loss, every token once", "once", "number"),
    ("loss, tokens without limit", "plenty", "number"),
)


def _best(laws: Sequence[RepeatResult]) -> tuple[tuple[Cell, ...], ...]:
    if laws[0].best is None:
        return ()
    return tuple(
        (label, *(_known(of_interval(field, getattr(each.best, field), kind)) for each in laws))
        for label, field, kind in _BEST
    )


def _constants(laws: Sequence[RepeatResult]) -> tuple[tuple[Cell, ...], ...]:
    names = dict.fromkeys(name for each in laws for name in each.ensemble.estimate.law.param_names)
    return tuple((name, *(_constant(each, name) for each in laws)) for name in names)


def _passes(each: RepeatResult, *, several: bool) -> Table:
    name = each.ensemble.estimate.law.name
    return Table(
        f"epochs_{identifier(name)}" if several else "epochs",
        (
            Column("epochs"),
            Column("loss"),
            Column("effective", "effective tokens / unique"),
            Column("marginal", "marginal value"),
            Column("gain", "loss gained by the next"),
        ),
        tuple(
            (
                float(one.epochs),
                of_interval("loss", one.loss),
                _known(of_interval("effective", one.fresh)),
                of_interval("marginal", one.worth),
                of_interval("gain", one.gain),
            )
            for one in each.passes
        ),
        title=f"Epochs by {name}",
    )


def _constant(each: RepeatResult, name: str) -> Cell:
    if name not in each.ensemble.estimate.law.param_names:
        return None
    return of_interval(name, each.ensemble.interval(name, level=each.stop.level))


def _epochs(interval: Interval) -> Quantity:
    """Epochs, which may be without end."""
    return _known(of_interval("epochs", interval, "integer"))


def _known(quantity: Quantity) -> Quantity:
    """Without an interval where every draw has the same value, as one epoch is worth one epoch in each."""
    if quantity.low == quantity.high == quantity.value:
        return replace(quantity, low=None, high=None, level=None)
    return quantity


def _headline(laws: Sequence[RepeatResult]) -> str:
    stops = " and ".join(f"{_worded(each.stop, 'integer')} by {each.ensemble.estimate.law.name}" for each in laws)
    words = f"The marginal value of an epoch falls below {{least}} of unique tokens after {literal(stops)}"
    best = [
        f"{told(of_interval('N', each.best.n, 'count'))} parameters for {_worded(each.best.epochs, 'number')}"
        for each in laws
        if each.best is not None
    ]
    if best:
        words += f"; the budget is best spent on {' or '.join(dict.fromkeys(best))}"
    return words + "."


def _worded(epochs: Interval, kind: Kind) -> str:
    """``1 epoch``, ``41 (90% CI 19–145) epochs``."""
    words = told(_known(of_interval("epochs", epochs, kind)))
    return f"{words} {'epoch' if words == '1' else 'epochs'}"


def _own_findings(laws: Sequence[RepeatResult], *, besides: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those of each law with its name, where there is more than one. besides: those of the table, told already."""
    found = []
    for each in laws:
        name = each.ensemble.estimate.law.name
        for finding in (*each.ensemble.estimate.findings, *each.findings):
            if finding in besides:
                continue
            named = len(laws) == 1 or finding.message.startswith(name)
            found.append(finding if named else replace(finding, message=f"{name}: {finding.message}"))
    return tuple(found)


def _picture(laws: Sequence[RepeatResult]) -> Picture:

    reached = "; ".join(
        f"{each.ensemble.estimate.law.name}: {one.epochs:g} epochs {told(of_interval('fresh', one.fresh))}"
        for each in laws
        for one in each.passes[-1:]
    )
    return Picture(
        "repeats",
        drawing("worth_of_repeats", laws),
        f"Effective tokens of epochs over {worded(Quantity('unique', laws[0].unique, 'count'))} unique tokens, in "
        "multiples of these, and where the marginal value of an epoch falls below "
        f"{number(laws[0].least, 'share')}; {reached}.",
    )
