"""The question of the loss on one data set from the loss on another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import told
from isoflop.errors import DataError, IsoflopError, choices, shown
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Number, Numbers, Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import FitSpec, LevelSpec, RunsSpec
from isoflop.questions.base.transfer_few_answer import few_answer

if TYPE_CHECKING:
    from isoflop.findings import Finding
    from isoflop.laws import Law
    from isoflop.planning.forecast import Forecast
    from isoflop.planning.transfer import Transfer as TransferResult
    from isoflop.planning.transfer_few import FewTransfer
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble

_LAW = "E + (A/N^(alpha/beta) + B/D)^beta"  # Kaplan's form with a floor, as the source fits it


@dataclass(frozen=True)
class Transferred:
    """The line between two losses, and the forecasts of both laws at the model's own inputs."""

    line: TransferResult
    own: tuple[Forecast, Forecast] | None = None


@dataclass(frozen=True)
class TransferredFromFew:
    """The loss on B from a sweep on A and one to four runs on B, and the forecast of A's law at the model's inputs."""

    few: FewTransfer
    own: Forecast | None = None


@dataclass(frozen=True)
class Transfer(Question):
    """Loss on one data set from the loss on another: L_B = E_B + K·(L_A − E_A)^kappa.

    Runs of both at equal inputs of the law are paired. The floors are those of a law fitted to each loss. A is the
    column --from, B the column --to; with --by they are the losses of two groups of runs (--from-group, --to-group).
    --measured is the loss on A of a model whose loss on B is forecast; with its --at the forecasts of the two laws
    stand beside. Where B has one to four runs, its loss follows that on A by a power near one: give --measured or --at.

    isoflop transfer runs.csv --from web_loss --to code_loss --measured 2.31
    isoflop transfer runs.csv --by corpus --from-group web --to-group code --measured 2.31 --at N=7B --at D=1T
    """

    name: ClassVar[str] = "transfer"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop transfer families.csv --by family --from-group dense --to-group hybrid --measured 2.43",
    )
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 65
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.questions.transfer:Transferred",
        "isoflop.planning.transfer:Transfer",
        "isoflop.questions.transfer:TransferredFromFew",
        "isoflop.planning.transfer_few:FewTransfer",
    )

    loss_from: str = option(Text("COLUMN"), "loss", flag="from", help="Column of the loss on A.")
    loss_to: str | None = option(Text("COLUMN"), flag="to", help="Column of the loss on B; that of --from by default.")
    by: str | None = option(Text("COLUMN"), help="Column that names the data set that a run was trained on.")
    from_group: str | None = option(Text("GROUP"), help="Group of --by that A is of.")
    to_group: str | None = option(Text("GROUP"), help="Group of --by that B is of.")
    measured: float | None = option(
        Number(low=0.0, open=True), help="Loss on A of the model whose loss on B is forecast."
    )
    form: str = option(Text("LAW"), _LAW, flag="law", help="Law of each loss, which gives its floor.")
    at: Mapping[str, float] = option(
        Numbers("N=7B"), {}, help="Inputs of that model, for the forecasts of the two laws; repeatable."
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, how laws are fitted, and the level."""
        return (RunsSpec, FitSpec, LevelSpec)

    def check(self) -> None:
        """Two losses must be named."""
        if self.by is not None and (self.from_group is None or self.to_group is None):
            raise IsoflopError("--by needs the groups of A and B, as --from-group web --to-group code")
        if self.by is None and (self.from_group is not None or self.to_group is not None):
            raise IsoflopError("--from-group and --to-group are groups of a column; name it (--by COLUMN)")
        same = self.loss_to is None or self.loss_to == self.loss_from
        if same and (self.by is None or self.from_group == self.to_group):
            raise IsoflopError("a transfer needs two losses: --from and --to, or two groups of --by")

    def compute(self, context: Context) -> Transferred | TransferredFromFew:
        """Both laws, the line through the pairs, and the forecasts; from few runs on B the law of A alone."""
        from isoflop.laws import law as read_law
        from isoflop.planning.forecast import forecast
        from isoflop.planning.transfer import floor_of, transfer
        from isoflop.planning.transfer_few import MOST_RUNS, transfer_from_few

        self.check()
        runs = context.runs
        law = read_law(self.form, columns=runs.names)
        floor_of(law)
        columns = (self.loss_from, self.loss_to or self.loss_from)
        groups = (self.from_group, self.to_group)
        names = tuple(
            str(group) if columns[0] == columns[1] else column if group is None else f"{column} of {group}"
            for column, group in zip(columns, groups, strict=True)
        )
        losses = [
            _losses(runs, law, column, self.by, group, name)
            for column, group, name in zip(columns, groups, names, strict=True)
        ]
        if 1 <= len(losses[1]) <= MOST_RUNS:
            source = self._drawn(context, law, losses[0])
            few = transfer_from_few(
                source,
                losses[1],
                measured=self.measured,
                at=self.at,
                names=(names[0], names[1]),
                level=context.level,
            )
            own = forecast(source, self.at, level=context.level) if self.at else None
            return TransferredFromFew(few, own)
        if self.at and self.measured is None:
            raise IsoflopError("--at is of the model whose loss on A was measured; give that loss (--measured)")
        drawn = [self._drawn(context, law, each) for each in losses]
        line = transfer(
            drawn[0],
            drawn[1],
            measured=self.measured,
            names=(names[0], names[1]),
            level=context.level,
            seed=context.fit_spec.seed,
        )
        if not self.at:
            return Transferred(line)
        first, second = (forecast(each, self.at, level=context.level) for each in drawn)
        return Transferred(line, (first, second))

    def predicted(self) -> tuple[str, ...]:
        """The losses on A and on B."""
        return (self.loss_from, self.loss_to or self.loss_from)

    @staticmethod
    def _drawn(context: Context, law: Law, runs: Runs) -> Ensemble:
        from isoflop.fitting import fit
        from isoflop.uncertainty import bootstrap

        spec = context.fit_spec
        fitted = fit(law, runs, objective=context.objective, starts=spec.starts, seed=spec.seed)
        with context.progress(spec.draws, "bootstrap") as advance:
            return bootstrap(
                fitted,
                draws=spec.draws,
                seed=spec.seed,
                jobs=spec.jobs,
                restarted=0,
                resample_by=spec.resample_by,
                progress=advance,
            )

    def answer(
        self, result: Transferred | TransferResult | TransferredFromFew | FewTransfer, context: Context
    ) -> Answer:
        """The loss on B in front, the line behind."""
        from isoflop.planning.transfer_few import FewTransfer

        if isinstance(result, FewTransfer):
            result = TransferredFromFew(result)
        if isinstance(result, TransferredFromFew):
            return few_answer(self.name, result.few, result.own)
        found = result if isinstance(result, Transferred) else Transferred(result)
        line = found.line
        a, b = (literal(each) for each in line.names)
        unit, law = line.target.estimate.data.loss_unit, line.source.estimate.law
        headline = f"Loss on {b}: E_B + K*(L_A - E_A)^kappa from that on {a}, through {{pairs}} pairs of runs."
        quantities: list[Quantity] = []
        if line.loss is not None and line.measured is not None:
            headline = f"Expected loss on {b}: {{loss}}, from {{measured:bare}} on {a}."
            quantities.append(of_interval("loss", line.loss, unit=unit, label=f"loss on {b}", promise="PI"))
            quantities.append(Quantity("measured", line.measured, unit=unit, label=f"loss on {a}"))
        return Answer(
            question=self.name,
            title=f"transfer from {a} to {b}",
            headline=headline,
            quantities=(
                *quantities,
                of_interval("kappa", line.kappa),
                of_interval("K", line.factor),
                of_interval("E_A", line.floor_a, label=f"E_A, floor on {a}"),
                of_interval("E_B", line.floor_b, label=f"E_B, floor on {b}"),
                Quantity("pairs", line.pairs, "integer", label="pairs of runs"),
                Quantity("error", line.error, "share", label="error of the pairs", note="root mean square of log loss"),
            ),
            tables=() if found.own is None else (_forecasts(found, unit),),
            findings=(*_shift(found), *line.findings, *_of_fits(line)),
            method=(
                f"{law.formula} fitted to each loss; the line by least squares of log(L_B - E_B) on log(L_A - E_A), "
                f"runs paired at equal {', '.join(law.input_names)}"
            ),
            provenance={"law": law.name, "draws": line.draws.shape[1]},
            pictures=(_picture(line),),
        )


def _losses(runs: Runs, law: Law, column: str, by: str | None, group: str | None, name: str) -> Runs:
    """The runs of one loss, under the law's names."""
    import numpy as np

    from isoflop.fitting.table import prepared_runs
    from isoflop.runs import Runs

    keep = np.isfinite(runs[column])
    if by is not None:
        labels = np.array(runs.text(by), dtype=object)
        keep &= labels == group
        if not keep.any():
            there = choices(sorted({str(each) for each in labels}), bare=True)
            raise DataError(f"{shown(by)} of {runs.source} has no {shown(str(group))}; there are {there}")
    kept = prepared_runs(law, runs.take(keep))
    columns: dict[str, object] = {each: kept[each] for each in law.input_names}
    if "run" in runs:
        columns["run"] = kept.text("run")
    return Runs.from_columns(
        {**columns, law.response: kept[column]},  # type: ignore[dict-item]
        source=f"{name} of {runs.source}",
        units={"loss": runs.loss_unit},
    )


def _forecasts(found: Transferred, unit: str) -> Table:
    """The loss on B by the line and by its own law, and that on A, which was measured."""
    line, own = found.line, found.own
    assert own is not None and line.loss is not None
    a, b = line.names
    rows: tuple[tuple[Cell, ...], ...] = (
        (b, "transfer", of_interval("loss", line.loss, unit=unit, promise="PI"), None),
        (b, "own law", of_interval("loss", own[1].loss, unit=unit, promise="PI"), None),
        (a, "own law", of_interval("loss", own[0].loss, unit=unit, promise="PI"), line.measured),
    )
    columns = (Column("data", "loss on"), Column("method"), Column("loss"), Column("measured"))
    return Table("forecasts", columns, rows, title="By the line and by laws of the inputs")


def _shift(found: Transferred) -> tuple[Finding, ...]:
    """That A's own law misses what was measured, by more than its scatter explains."""
    from isoflop.findings import Finding

    if found.own is None or found.line.measured is None:
        return ()
    law, measured = found.own[0].law_loss, found.line.measured
    if law.low <= measured <= law.high:
        return ()
    return (
        Finding(
            "shared-shift",
            "note",
            f"the law of the loss on {literal(found.line.names[0])} forecasts {law.value:.4g} where {measured:.4g} was "
            f"measured ({measured / law.value - 1:+.1%}): the model differs from the runs in more than its inputs, and "
            f"the law of the loss on {literal(found.line.names[1])} does not know it.",
            "Rely on the transfer, which the shift leaves untouched where it moves both losses alike.",
        ),
    )


def _of_fits(line: TransferResult) -> tuple[Finding, ...]:
    """Those of both fits, with the name of the loss; what both have in the same words is told once."""
    told: dict[tuple[str, str], tuple[list[str], Finding]] = {}
    for name, each in zip(line.names, (line.source, line.target), strict=True):
        for finding in (*each.estimate.findings, *each.findings):
            told.setdefault((finding.code, finding.message), ([], finding))[0].append(literal(name))
    return tuple(
        replace(finding, message=f"loss on {' and on '.join(names)}: {finding.message}")
        for names, finding in told.values()
    )


def _picture(line: TransferResult) -> Picture:

    a, b = (literal(each) for each in line.names)
    forecast = (
        ""
        if line.loss is None
        else f" Forecast: {told(of_interval('loss', line.loss, promise='PI'))} at {line.measured:.4g}."
    )
    return Picture(
        "transfer",
        drawing("loss_to_loss", line),
        f"Loss on {b} against loss on {a} of {line.pairs} paired runs, with the line E_B + K(L_A - E_A)^kappa, kappa "
        f"{told(of_interval('kappa', line.kappa))}, and its confidence band.{forecast}",
    )
