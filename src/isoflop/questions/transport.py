"""The question of a mixture at a size beyond the runs, by the transport of its samples to validation data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from isoflop.answers import Answer, Cell, Column, Picture, Quantity, Table, literal, of_interval
from isoflop.answers.wording import number
from isoflop.errors import DataError, IsoflopError, shown
from isoflop.findings import Finding
from isoflop.questions.base.context import OF_TOKENS, Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Count, Number, Numbers, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec, RunsSpec

if TYPE_CHECKING:
    from isoflop.planning.selection.transported import Samples, TransportPlan

_NONE = 0.0005  # a share that is told as 0.1 % or more
_LABELS = "_labels"


@dataclass(frozen=True)
class Transport(Question):
    """The best mixture at a size beyond the runs, from optimal transport of its samples to validation data.

    RUNS has a row for each mixture and size D: a column of shares for each source (--domain, or those that add up to 1)
    and the loss. --samples is a file of arrays (.npz, .npy, .parquet, .safetensors): embedded samples of each source
    under its column's name, and of the validation data under --validation; NAME_labels holds classes where there are.
    Loss is a linear form of transport and shares at the smallest and largest D, then linear in ln D (Projektor).

    isoflop transport runs.csv --samples embedded.npz --at 10K
    isoflop transport runs.csv --samples embedded.npz --domain web --domain code --at 10K --cap code=0.4
    """

    name: ClassVar[str] = "transport"
    examples: ClassVar[tuple[str, ...]] = ("isoflop transport sources.csv --samples embedded.npz --at 4K --draws 50",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 25
    subject: ClassVar[Subject] = "runs"
    results: ClassVar[tuple[str, ...]] = ("isoflop.planning.selection.transported:TransportPlan",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    samples: str = option(Text("FILE"), "", required=True, help="File of embedded samples.")
    at: float = option(Number("SAMPLES", low=0.0, open=True), 0.0, required=True, help="Size to project to.")
    validation: str = option(Text("NAME"), "validation", help="Array of the validation samples.")
    domains: tuple[str, ...] = option(
        Texts("COLUMN"), (), flag="domain", help="Column of a source's share, or with --shares its name; repeatable."
    )
    shares: str | None = option(Text("COLUMN"), help="One column that holds all shares, as 0.25-0.75.")
    task: str = option(Text("COLUMN"), "loss", help="Column of the loss or error.")
    caps: Mapping[str, float] = option(
        Numbers("SOURCE=SHARE"), {}, flag="cap", help="Largest share of a source; repeatable."
    )
    most: int = option(Count(low=10, high=5_000), 300, help="Samples of each source; twice as many for validation.")
    label_weight: float | None = option(
        Number(low=0.0, high=1e9), help="Squared distance between different classes; the mean of the others by default."
    )
    regularization: float = option(
        Number(low=0.0, high=10.0, open=True), 0.05, help="Entropy of the transport, in mean squared distances."
    )
    draws: int = option(Count(low=20, high=100_000), 200, help="Refits to resampled mixtures for intervals.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of samples and draws.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, and the level."""
        return (RunsSpec, LevelSpec)

    def compute(self, context: Context) -> TransportPlan:
        """Distances once, then both stages and the minimum."""
        from isoflop.planning.mixtures import read_mixtures
        from isoflop.planning.selection.transported import geometry, plan_transport
        from isoflop.probing.read import read_arrays

        runs = context.runs
        names = read_mixtures(runs, domains=self.domains, shares_in=self.shares, tasks=(self.task,)).domains
        unknown = [name for name in self.caps if name not in names]
        if unknown:
            raise IsoflopError(f"--cap names {shown(unknown[0])}, and there are {', '.join(names)}")
        arrays = read_arrays(self.samples)
        space = geometry(
            [_samples(arrays, name, self.samples) for name in names],
            _samples(arrays, self.validation, self.samples),
            samples=self.most,
            label_weight=self.label_weight,
            regularization=self.regularization,
            seed=self.seed,
        )
        return plan_transport(
            runs,
            space,
            at=self.at,
            domains=self.domains,
            shares_in=self.shares,
            task=self.task,
            caps=[self.caps.get(name, 1.0) for name in names],
            draws=self.draws,
            level=context.level,
            seed=self.seed,
        )

    def findings(self, result: Any, context: Context) -> tuple[Finding, ...]:  # noqa: ANN401
        """Those of the runs but for what is known of language models' tokens: D counts samples of any kind here."""
        return tuple(each for each in super().findings(result, context) if each.code not in OF_TOKENS)

    def answer(self, result: TransportPlan, context: Context) -> Answer:
        """The shares in front, what is projected for them, and how far both stages are off."""
        shares = sorted(zip(result.domains, result.shares, strict=True), key=lambda each: -each[1])
        some = ", ".join(f"{number(s, 'share', digits=3)} {literal(name)}" for name, s in shares[:4] if s > _NONE)
        checked = result.check == result.check
        quantities = (
            of_interval("loss", result.loss, label=f"projected {self.task}", note="if linear in ln D"),
            of_interval("gain", result.gain, label="gain", note="below the best mixture trained"),
            Quantity("correlation", result.correlation, label=f"correlation of transport and {self.task}"),
            *(
                (
                    Quantity(
                        "check", result.check, label="error of the projection", note="mean absolute, at the largest"
                    ),
                    Quantity("bias", result.bias, label="bias of the projection", note="positive: projected too high"),
                    Quantity("rank", result.rank, label="rank correlation of the projection"),
                )
                if checked
                else ()
            ),
        )
        return Answer(
            question=self.name,
            title=f"mixture of {len(result.domains)} sources from {len(result.mixtures)} mixtures at "
            f"{len(result.sizes)} sizes",
            headline=f"At {number(result.at, 'count')} samples train on {some}: "
            f"projected {literal(self.task)} {{loss}}, {{gain}} below the best mixture trained.",
            quantities=quantities,
            tables=(_shares(result), _features(result), _mixtures(result)),
            findings=result.findings,
            method=f"debiased Sinkhorn divergence; {result.features} at D = {number(result.sizes[0], 'count')} and "
            f"{number(result.sizes[-1], 'count')}, then linear in ln D; {self.draws} refits to resampled mixtures",
            pictures=(
                Picture(
                    "transport",
                    drawing("transport_losses", result),
                    f"{self.task} of each mixture against its transport to the validation data, at each size.",
                ),
            ),
            provenance={"draws": self.draws, "seed": self.seed, "features": result.features},
        )


def _samples(arrays: Mapping[str, Any], name: str, place: str) -> Samples:
    from isoflop.measures.samples import as_samples
    from isoflop.planning.selection.transported import Samples

    if name not in arrays:
        listed = ", ".join(shown(each) for each in list(arrays)[:8])
        raise DataError(f"{shown(place)} has no array {shown(name)}; it has {listed}")
    points, labels = as_samples(arrays[name], name, least=10), arrays.get(name + _LABELS)
    if labels is not None and labels.shape != (len(points),):
        raise DataError(f"{shown(name + _LABELS)} has shape {labels.shape}, and {shown(name)} {len(points)} samples")
    return Samples(points, labels)


def _shares(result: TransportPlan) -> Table:
    best = min(result.mixtures, key=lambda each: each.measured[-1])
    rows: list[tuple[Cell, ...]] = [(name, result.shares[k], best.shares[k]) for k, name in enumerate(result.domains)]
    return Table(
        "sources",
        (
            Column("source"),
            Column("share", kind="share"),
            Column("measured", f"lowest measured at {number(result.sizes[-1], 'count')}", "share"),
        ),
        tuple(rows),
        title="Shares of the best mixture",
    )


def _features(result: TransportPlan) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, error, "chosen" if name == result.features else "") for name, error in result.errors.items()
    ]
    return Table(
        "features",
        (Column("features"), Column("error", "error on mixtures left out"), Column("choice")),
        tuple(rows),
        title="Forms on mixtures that were left out",
        note="Mean absolute error at the smallest and largest size; linear and quadratic know nothing of transport.",
    )


def _mixtures(result: TransportPlan) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (*each.shares, each.transport, *each.measured, each.projected) for each in result.mixtures
    ]
    return Table(
        "mixtures",
        (
            *(Column(f"share_{k + 1}", name, "share") for k, name in enumerate(result.domains)),
            Column("transport"),
            *(Column(f"at_{k + 1}", f"at {number(each, 'count')}") for k, each in enumerate(result.sizes)),
            Column("projected", f"projected to {number(result.at, 'count')}"),
        ),
        tuple(rows),
        title="Mixtures",
        detail=True,
    )
