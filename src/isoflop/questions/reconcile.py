"""The question of Kaplan against Chinchilla: an exponent with and without embedding parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Column, Picture, Quantity, Table, identifier, literal, of_interval
from isoflop.answers.wording import number, plural, told
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import Context, is_saved_fit, open_saved
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Number, Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import FitSpec, LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.planning.counting import Counted, Step
    from isoflop.planning.reconcile import Recount

_PUBLISHED: Final = ("chinchilla:hoffmann", "chinchilla:hoffmann-tex", "chinchilla:epoch")
_POSITIVE: Final = Number(low=0.0, open=True)
_TOLD: Final = 8  # exponents of groups in a headline


@dataclass(frozen=True)
class Recounts:
    """Several laws, each with its exponent in parameters without embeddings, by the law's name."""

    laws: Mapping[str, Recount]


@dataclass(frozen=True)
class Steps:
    """Groups of runs in order, each with its exponent."""

    steps: tuple[Step, ...]
    source: str


@dataclass(frozen=True)
class Reconcile(Question):
    """Non-embedding conversion: what an exponent becomes when embedding parameters are not counted.

    RUNS is a saved fit or published constants as LAW:KEY: the exponent over a range of sizes. Or it is a table of runs:
    fitted in both counts, or with --by one exponent per group. Without it: Chinchilla's constants as printed, unrounded
    and refitted by Epoch.

    isoflop reconcile
    isoflop reconcile runs.csv
    isoflop reconcile runs.csv --by warmup,decay,count --where "dataset == 'rw'"
    """

    name: ClassVar[str] = "reconcile"
    examples: ClassVar[tuple[str, ...]] = ("isoflop reconcile runs.csv",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 50
    subject: ClassVar[Subject] = "law"
    unused: ClassVar[tuple[str, ...]] = ("objective", "starts", "jobs")
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.questions.reconcile:Recounts",
        "isoflop.questions.reconcile:Steps",
        "isoflop.planning.reconcile:Recount",
        "isoflop.planning.counting:Counted",
    )

    omega: float | None = option(_POSITIVE, help="Embedding parameters of a model with one non-embedding parameter.")
    low: float | None = option(_POSITIVE, flag="from", help="Smallest non-embedding size; Kaplan's where not given.")
    high: float | None = option(_POSITIVE, flag="to", help="Largest non-embedding size; Kaplan's where not given.")
    by: str | None = option(Text("COLUMN,…"), help="Columns of the table: an exponent for each group, step by step.")
    spread: str | None = option(
        Text("COLUMN"), help="With --by: standard deviation of log N, where rows are minima already."
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, draws, seed and level, but no law."""
        return (RunsSpec, FitSpec, LevelSpec)

    def compute(self, context: Context) -> Recounts | Steps | Counted:
        """Laws, groups of runs, or one table in both counts."""
        from isoflop.accounting.embeddings import OMEGA
        from isoflop.planning.counting import by_group, count_both_ways
        from isoflop.planning.reconcile import KAPLAN, convert_counts

        reading, spec = context.runs_spec, context.fit_spec
        if context.given_runs is None and (reading.source is None or is_saved_fit(reading.source)):
            if any((reading.columns, reading.where, reading.units, reading.conventions, self.by, self.spread)):
                raise IsoflopError(
                    "--column, --where, --unit, --convention, --by and --spread describe a table; name one"
                )
            sizes = (KAPLAN[0] if self.low is None else self.low, KAPLAN[1] if self.high is None else self.high)
            omega = OMEGA if self.omega is None else self.omega
            names = [reading.source] if reading.source else _PUBLISHED
            return Recounts(
                {
                    name: convert_counts(open_saved(name), omega=omega, sizes=sizes, level=context.level)
                    for name in names
                }
            )
        if self.low is not None or self.high is not None:
            raise IsoflopError("--from and --to are for a law; a table is read over its own sizes (--where keeps some)")
        if self.spread is not None and self.by is None:
            raise IsoflopError("--spread goes with --by: it weighs rows that are minima already")
        runs = context.runs
        if self.by is None:
            return count_both_ways(
                runs,
                omega=self.omega,
                draws=spec.draws,
                seed=spec.seed,
                level=context.level,
                resample_by=spec.resample_by,
            )
        if spec.resample_by is not None:
            raise IsoflopError(
                "--resample-by is for the fits in both counts; --by fits minima, so leave one of them out"
            )
        groups = [each.strip() for each in self.by.split(",") if each.strip()]
        if not groups:
            raise IsoflopError(f"--by takes columns of the table, as --by warmup,decay, not {self.by[:60]!r}")
        steps = by_group(runs, groups, spread=self.spread, draws=spec.draws, seed=spec.seed, level=context.level)
        return Steps(tuple(steps), runs.source)

    def rests_on_runs(self, result: object, context: Context) -> bool:
        """Whether a table was fitted; published constants have none."""
        from isoflop.planning.counting import Counted

        return isinstance(result, Steps | Counted) and context.has_runs

    def answer(self, result: Recounts | Steps | Counted | Recount, context: Context) -> Answer:
        """The exponents in both counts."""
        from isoflop.planning.reconcile import Recount

        match result:
            case Steps():
                return _of_steps(self.name, result)
            case Recount():
                return _of_laws(self.name, {result.ensemble.estimate.law.name: result})
            case Recounts():
                return _of_laws(self.name, result.laws)
        return _of_table(self.name, result)


def _of_laws(question: str, laws: Mapping[str, Recount]) -> Answer:
    first = next(iter(laws.values()))
    slopes = ", ".join(f"{told(of_interval('slope', each.slope))} by {name}" for name, each in laws.items())
    limits = ", ".join(told(of_interval("large", each.large), bare=True) for each in laws.values())
    return Answer(
        question=question,
        title=f"Non-embedding conversion, {', '.join(laws)}",
        headline=(
            f"From {{smallest}} to {{largest}} non-embedding parameters the exponent is {literal(slopes)}; for large "
            f"models it becomes {limits}, as in all parameters."
        ),
        quantities=(
            *(
                of_interval(
                    f"slope_{identifier(name)}" if len(laws) > 1 else "slope", each.slope, label=f"exponent, {name}"
                )
                for name, each in laws.items()
            ),
            Quantity("omega", first.omega, "count", label="ω", note="embedding parameters at N_E = 1"),
            Quantity("smallest", first.sizes[0], "count", unit="non-embedding parameters"),
            Quantity("largest", first.sizes[1], "count", unit="non-embedding parameters"),
        ),
        tables=_exponents(laws),
        findings=tuple(dict.fromkeys(finding for each in laws.values() for finding in each.findings)),
        method=(
            "N = N_E + ω N_E^(1/3), C = 6 N_E D (Pearce and Song 2024); the local exponent rises to its peak and falls "
            "again, so the range of sizes decides what a power law shows"
        ),
        pictures=(_picture(laws),),
    )


def _exponents(laws: Mapping[str, Recount]) -> tuple[Table, ...]:
    """The exponent over the range, its limits and its peak for each law, and its curve."""
    rows = tuple(
        (
            name,
            of_interval("slope", each.slope),
            of_interval("small", each.small),
            of_interval("peak", each.peak),
            of_interval("peak_at", each.peak_at, "count"),
            of_interval("large", each.large),
            of_interval("loss_slope", each.loss_slope),
        )
        for name, each in laws.items()
    )
    columns = (
        Column("law"),
        Column("slope", "over the range"),
        Column("small", "small models"),
        Column("peak"),
        Column("peak_at", "peak at N_E"),
        Column("large", "large models"),
        Column("loss_slope", "exponent of loss"),
    )
    return (
        Table("laws", columns, rows, title="Exponent of N_E in compute"),
        *(_curve(name, each, several=len(laws) > 1) for name, each in laws.items()),
    )


def _curve(name: str, each: Recount, *, several: bool) -> Table:
    from isoflop.uncertainty.ensemble import Interval

    level = each.slope.level
    return Table(
        f"curve_{identifier(name)}" if several else "curve",
        (Column("N", "N_E", "count"), Column("exponent", "local exponent")),
        tuple(
            (float(size), of_interval("exponent", Interval(float(value), float(low), float(high), level)))
            for size, value, low, high in each.curve.T
        ),
        title=f"Local exponent by {name}",
        detail=True,
    )


def _of_table(question: str, result: Counted) -> Answer:
    rows = tuple(
        (each.name, None if each.exponent_a is None else of_interval("exponent", each.exponent_a), each.why_not)
        for each in result.ways
    )
    one, two = (each.exponent_a for each in result.ways[:2])
    known = [
        *((of_interval("total", one, label="exponent, all parameters"),) if one else ()),
        *((of_interval("non_embedding", two, label="exponent, non-embedding"),) if two else ()),
        of_interval("peak_at", result.recounted.peak_at, "count", label="peak of the local exponent"),
        Quantity("omega", result.omega, "count", label="ω", note=result.omega_source),
        Quantity("smallest", result.recounted.sizes[0], "count", unit="non-embedding parameters"),
        Quantity("largest", result.recounted.sizes[1], "count", unit="non-embedding parameters"),
    ]
    words = "{total} in all parameters and {non_embedding} without embeddings" if one and two else "not known in both"
    recounted = {result.recounted.ensemble.estimate.law.name: result.recounted}
    return Answer(
        question=question,
        title=f"N with and without embeddings, {result.source}",
        headline=f"N* grows as C to the power {words} ({{smallest}} to {{largest}} without embeddings).",
        quantities=tuple(known),
        tables=(
            Table(
                "ways",
                (Column("count", "count of N"), Column("exponent", "exponent a"), Column("why_not", detail=True)),
                rows,
                note=_reasons((each.name, each.why_not) for each in result.ways),
            ),
            *_exponents(recounted),
        ),
        findings=result.findings,
        method="C = 6ND in each count; N = N_E + ω N_E^(1/3)",
        pictures=(_picture(recounted),),
    )


def _of_steps(question: str, result: Steps) -> Answer:
    steps = result.steps
    known = [told(of_interval("exponent", each.exponent_a), bare=True) for each in steps if each.exponent_a is not None]
    words = " → ".join(known[:_TOLD]) + (" …" if len(known) > _TOLD else "")
    columns = tuple(dict.fromkeys(column for each in steps for column in each.labels))
    return Answer(
        question=question,
        title=f"Exponents of {len(steps)} {plural(len(steps), 'group')} of runs, {result.source}",
        headline=f"N* grows as C to the power {words}." if known else "No group of runs brackets three minima.",
        tables=(
            Table(
                "groups",
                (
                    Column("group"),
                    Column("exponent", "exponent a"),
                    Column("change"),
                    Column("budgets", kind="integer"),
                    Column("runs", kind="integer"),
                    Column("changed", detail=True),
                    Column("why_not", detail=True),
                    *(Column(f"group_{identifier(each)}", each, detail=True) for each in columns),
                ),
                tuple(
                    (
                        each.name,
                        None if each.exponent_a is None else of_interval("exponent", each.exponent_a),
                        each.change,
                        each.budgets,
                        each.runs,
                        ", ".join(each.changed),
                        each.why_not,
                        *(each.labels.get(column) for column in columns),
                    )
                    for each in steps
                ),
                note=_reasons((each.name, each.why_not) for each in steps),
            ),
        ),
        findings=tuple(_of_group(finding, step) for step in steps for finding in step.findings),
        method="minima of splines through the losses of each budget; intervals: budgets redrawn",
    )


def _reasons(ways: Iterable[tuple[str, str]]) -> str:
    """What has no exponent, and why."""
    return "; ".join(f"{name}: {why}" for name, why in ways if why)


def _of_group(finding: Finding, step: Step) -> Finding:
    return replace(finding, message=f"{', '.join(step.labels.values())}: {finding.message}")


def _picture(laws: Mapping[str, Recount]) -> Picture:

    first: Sequence[float] = next(iter(laws.values())).sizes
    low, high = (number(each, "count") for each in first)
    words = "; ".join(
        f"{name} {number(each.small.value, 'number')} for the smallest, {number(each.slope.value, 'number')} over the "
        f"range, {number(each.large.value, 'number')} for the largest"
        for name, each in laws.items()
    )
    return Picture(
        "parameter-counts",
        drawing("exponents_recounted", laws),
        f"Exponent of the optimal size without embeddings against that size, with the range {low} to {high} shaded: "
        f"{words}.",
    )
