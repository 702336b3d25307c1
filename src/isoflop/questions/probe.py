"""The question of representations: dimension, spectrum, entropy and information of activations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Quantity, Table, literal
from isoflop.answers.wording import plural
from isoflop.errors import IsoflopError
from isoflop.files import check_place
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Choice, Count, Flag, Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec

if TYPE_CHECKING:
    from isoflop.probing import Measured, Probed, Representation


@dataclass(frozen=True)
class Probe(Question):
    """Dimension, spectrum, entropy and information of activations, each estimator calibrated on known truth first.

    ACTIVATIONS are .npz, .npy, .parquet or .safetensors files, or a folder of checkpoints. An estimate is refused where
    the estimator's error on samples of known truth, of as many samples and dimensions, is beyond --tolerance. With
    --rows the results are written as a table whose column checkpoint joins a table of runs.

    isoflop probe activations.npz
    isoflop probe checkpoints/ --labels y --inputs x --rows measures.csv
    isoflop probe model.safetensors --weights --array embedding.weight
    """

    name: ClassVar[str] = "probe"
    examples: ClassVar[tuple[str, ...]] = ("isoflop probe activations.npz",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 80
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.probing.probe:Probed",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    activations: tuple[str, ...] = option(
        Texts("ACTIVATIONS"), (), positional=True, required=True, help="Files of activations, or folders of them."
    )
    arrays: tuple[str, ...] = option(
        Texts("NAME"), (), flag="array", help="Array to measure; repeatable; all but labels and inputs by default."
    )
    labels: str | None = option(
        Text("NAME|FILE"), help="Array of class labels, or a file of it; labels, y or targets by default."
    )
    inputs: str | None = option(Text("NAME|FILE"), help="Array of inputs, or a file of it; inputs or x by default.")
    samples: int = option(Count(low=50, high=20_000), 2_000, help="Samples that are measured, at random.")
    sigma: float | None = option(
        Number(low=1e-3, high=1e3), help="Kernel width of DSE, of features at unit norm; half their median distance."
    )
    time: float = option(Number(low=1e-3, high=1e3), 1.0, help="Diffusion time of DSE.")
    noise: float | None = option(
        Number(low=1e-3, high=1e3), help="Noise of I(X; Z | Y), of features at unit norm; half their median distance."
    )
    components: int = option(Count(low=1, high=1000), 2, help="Principal components for neighbor estimators.")
    compression: str = option(
        Choice("pca|autoencoder", ("pca", "autoencoder")), "pca", help="How dimensions are reduced to --components."
    )
    estimator: str = option(
        Choice("NAME", ("kraskov", "kozachenko-leonenko", "gaussian", "binned", "infonce")),
        "kraskov",
        help="Estimator of I(Z; X).",
    )
    weights: bool = option(Flag(), False, help="Arrays are weight matrices: overlap of their rows against 1/m alone.")
    neighbors: int = option(Count(low=1, high=100), 5, help="Neighbors of I(Z; Y) and I(Z; X).")
    tolerance: float = option(Number(low=0.0, high=1.0, open=True), 0.1, help="Relative error that is allowed.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of samples and trials.")
    rows: str | None = option(Text("FILE.csv"), help="Write a table of the results.", command_line_only=True)

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """The level alone."""
        return (LevelSpec,)

    def check(self) -> None:
        """A table needs a place and an ending."""
        if self.rows is not None:
            check_place(self.rows, "--rows")
            if not self.rows.lower().endswith((".csv", ".parquet")):
                raise IsoflopError(f"--rows writes .csv or .parquet, not {self.rows[-40:]!r}")

    def compute(self, context: Context) -> Probed:
        """Read, then measure."""
        from isoflop.probing import probe, read_activations
        from isoflop.probing.probe import Settings

        self.check()
        found = read_activations(
            self.activations,
            arrays=self.arrays,
            labels=self.labels,
            inputs=self.inputs,
            samples=None if self.weights else self.samples,
            seed=self.seed,
        )
        settings = Settings(
            sigma=self.sigma,
            time=self.time,
            noise=self.noise,
            components=self.components,
            neighbors=self.neighbors,
            estimator=self.estimator,
            compression=self.compression,
            weights=self.weights,
            tolerance=self.tolerance,
            level=context.level,
            seed=self.seed,
        )
        with context.progress(len(found), "arrays") as advance:
            return probe(found, settings, progress=advance)

    def answer(self, result: Probed, context: Context) -> Answer:
        """The measures, what they predict, and the table that joins runs."""
        made = result.representations
        first = made[0]
        usable = sum(not each.refused for one in made for each in one.measures)
        total = sum(len(one.measures) for one in made)
        what = literal(f"{first.array} of {first.source}") if len(made) == 1 else f"{len(made)} arrays"
        rows = _rows_table(result)
        if self.rows is not None:
            _write(rows, self.rows)
        quantities = [
            Quantity("usable", usable, "integer", label="usable measures"),
            Quantity("measures", total, "integer", label="measures"),
        ]
        if len(made) == 1:
            quantities += [_quantity(each) for each in first.measures if each.value is not None]
        return Answer(
            question=self.name,
            title=f"representations: {', '.join(dict.fromkeys(one.source for one in made))}"[:200],
            headline=f"{{usable}} of {{measures}} measures of {what} are within the tolerance on known truth.",
            quantities=tuple(quantities),
            tables=(_measures_table(result), _predicted_table(made), _trials_table(made), rows),
            findings=result.findings,
            method=(
                "mean squared cosine of rows times the number of columns, beside that of random directions"
                if result.settings.weights
                else f"features centered, at unit norm; {first.samples:,} {plural(first.samples, 'sample')}; calibrated"
                f" at equal samples, dimensions and strength, tolerance {result.settings.tolerance:.0%}"
            ),
            provenance={"seed": result.settings.seed, "level": result.settings.level},
        )


def _quantity(each: Measured, name: str | None = None) -> Quantity:
    found = each.found
    assert found is not None  # asked only of what was computed
    low, high = (end if math.isfinite(end) else None for end in (found.low, found.high))
    return Quantity(
        name or each.name, found.value, low=low, high=high, level=found.level, unit=found.unit, label=each.label
    )


def _measures_table(result: Probed) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in result.representations:
        for each in one.measures:
            found = each.found
            told = None if found is None else _quantity(each, "value")
            worst = None if found is None or not found.trials or each.name == "dimension" else found.worst
            marked = "" if found is None else found.marked
            verdict = "refused" if each.refused else "marked" if marked else "usable"
            unit = "" if found is None else found.unit
            rows.append((one.checkpoint, one.array, each.label, told, unit, verdict, worst, each.refused or marked))
    several = len(result.representations) > 1
    return Table(
        "measures",
        (
            Column("checkpoint", detail=not several),
            Column("array", detail=not several),
            Column("measure"),
            Column("value"),
            Column("unit"),
            Column("verdict"),
            Column("error", "error on known truth", "change"),
            Column("reason"),
        ),
        tuple(rows),
        title="Measures",
        note="A value that is refused is shown with its error and should not be used.",
    )


def _predicted_table(made: tuple[Representation, ...]) -> Table:
    words = {"4/d": "resolution-limited, 4/d", "spectrum": "kernel spectrum, α"}
    rows: list[tuple[Cell, ...]] = []
    for one in made:
        for name, (value, low, high) in one.predicted.items():
            level = next(each.found.level for each in one.measures if each.found is not None)
            told = Quantity("exponent", value, low=low, high=high, level=level)
            rows.append((one.checkpoint, one.array, words[name], told))
    return Table(
        "predicted",
        (Column("checkpoint", detail=len(made) == 1), Column("array"), Column("theory"), Column("exponent")),
        tuple(rows),
        title="Predicted exponents of the loss",
        note="To stand beside a fitted exponent; a theory predicts only in its own regime.",
    )


def _trials_table(made: tuple[Representation, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in made:
        for each in one.measures:
            for trial in each.found.trials if each.found is not None else ():
                error = None if each.name == "dimension" else trial.error
                rows.append((one.checkpoint, one.array, each.label, trial.world, trial.truth, trial.estimate, error))
    return Table(
        "trials",
        (
            Column("checkpoint", detail=len(made) == 1),
            Column("array"),
            Column("measure"),
            Column("world", "known truth"),
            Column("truth"),
            Column("estimate"),
            Column("error", kind="change"),
        ),
        tuple(rows),
        title="Trials on known truth",
        detail=True,
    )


def _rows_table(result: Probed) -> Table:
    names = list(dict.fromkeys(each.name for one in result.representations for each in one.measures))
    rows: list[tuple[Cell, ...]] = []
    for one in result.representations:
        cells: list[Cell] = [one.checkpoint, one.array, one.samples, one.dimensions]
        for name in names:
            each = one.measured(name)
            found = each.found if each is not None and not each.refused else None
            cells += [None, None, None] if found is None else [found.value, found.low, found.high]
        rows.append(tuple(cells))
    return Table(
        "rows",
        (
            Column("checkpoint"),
            Column("array"),
            Column("samples", kind="integer"),
            Column("dimensions", kind="integer"),
            *(Column(f"{name}{end}") for name in names for end in ("", "_low", "_high")),
        ),
        tuple(rows),
        title="One row an array",
        detail=True,
    )


def _write(rows: Table, path: str) -> None:
    from io import BytesIO
    from pathlib import Path

    import polars as pl

    from isoflop.files import write_whole

    columns = {each.name: [row[place] for row in rows.rows] for place, each in enumerate(rows.columns)}
    frame, data = pl.DataFrame(columns, strict=False), BytesIO()
    if path.lower().endswith(".csv"):
        frame.write_csv(data)
    else:
        frame.write_parquet(data)
    write_whole(Path(path), data.getvalue())
