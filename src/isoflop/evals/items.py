"""``Items``: what models answered, item by item, as one frozen table whatever program wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError, shown
from isoflop.findings import Finding
from isoflop.values import FrozenMapping, Value

Floats = NDArray[np.float64]
Kind = Literal["options", "passes", "members", "score"]

# One row an item of a task as one model answered it; item is null for the score of a whole task.
SCHEMA: Final[Mapping[str, Any]] = {
    "model": pl.String,
    "task": pl.String,
    "metric": pl.String,
    "item": pl.String,
    "cluster": pl.String,
    "repeat": pl.String,
    "kind": pl.String,
    "score": pl.Float64,
    "n": pl.Float64,
    "stderr": pl.Float64,
    "log_p": pl.List(pl.Float64),
    "right": pl.Int64,
    "lengths": pl.List(pl.Float64),
    "passes": pl.Int64,
    "tries": pl.Int64,
    "goal": pl.Int64,
    "members": pl.List(pl.List(pl.Float64)),
}
# Of a model; model is the key, run the training that its checkpoints share.
SCALES: Final = ("N", "D", "C")
MODEL_COLUMNS: Final = ("model", "run", *SCALES, "step", "date", "family")


@dataclass(frozen=True)
class Items(Value):
    """What models answered.

    Attributes
    ----------
    rows :
        One row an item: ``model``, ``task``, ``metric``, ``item``, ``cluster`` (items that go together), ``repeat`` (of
        several answers to one item), ``kind`` and what that kind has. ``options``: ``log_p`` of each option in nats,
        ``right``, its ``lengths``. ``passes``: ``passes`` of ``tries``, and ``goal``, the number of passes at which
        tries ended (null: tries were fixed). ``members``: probabilities (members, classes) and ``right``. ``score``: a
        score in [0, 1] with ``n`` or ``stderr``.
    models :
        One row a model: ``model``, ``run``, and what is known of ``N``, ``D``, ``C``, ``step``, ``date``, ``family``.
    chances, ceilings :
        Score of a guess, and the best possible score, by task; of those that are known.
    source :
        For messages.
    findings :
        What reading raised.
    """

    rows: pl.DataFrame
    models: pl.DataFrame
    source: str
    chances: Mapping[str, float] = field(default_factory=FrozenMapping)
    ceilings: Mapping[str, float] = field(default_factory=FrozenMapping)
    findings: tuple[Finding, ...] = ()

    @property
    def tasks(self) -> tuple[tuple[str, str], ...]:
        """Task and metric of each column of scores, in the order in which they first appear."""
        pairs = self.rows.select("task", "metric").unique(maintain_order=True)
        return tuple((str(task), str(metric)) for task, metric in pairs.iter_rows())

    @property
    def names(self) -> tuple[str, ...]:
        """The models in the table's order."""
        return tuple(self.models["model"])

    def of(self, task: str, metric: str) -> pl.DataFrame:
        """The rows of one task and metric."""
        return self.rows.filter((pl.col("task") == task) & (pl.col("metric") == metric))

    def scale(self, name: str) -> Floats:
        """N, D or C of each model, (models,); NaN where it is not known."""
        if name not in self.models.columns:
            return np.full(len(self.models), np.nan)
        column = self.models[name]
        numbers = column.cast(pl.Float64, strict=False)
        bad = (numbers.is_null() & column.is_not_null()).to_list()
        if any(bad):
            at = bad.index(True)
            raise DataError(f"{name} of {self.models['model'][at]} is {shown(column[at])}, no number; mend its cell")
        return numbers.fill_null(float("nan")).to_numpy()


def scale_of(items: Items, asked: str | None) -> tuple[str, Floats]:
    """The scale along which scores are followed, with its values by model, (models,).

    C where two models have different C; else N, then D.

    Raises
    ------
    DataError
        ``asked`` is not known for two different models.
    """
    for name in (asked,) if asked else ("C", "N", "D"):
        values = items.scale(name)
        if len(np.unique(values[np.isfinite(values)])) > 1:
            return name, values
    if asked is None:
        return "", np.full(len(items.models), np.nan)
    raise DataError(
        f"{asked} is not known for two models of different {asked} in {items.source}; give it for each model in a "
        "table: --models FILE with the columns model and " + asked
    )


def rows_of(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Records with any of the columns of :data:`SCHEMA` as a frame with all of them."""
    try:
        return pl.DataFrame(
            {name: pl.Series(name, [each.get(name) for each in records], dtype=kind) for name, kind in SCHEMA.items()}
        )
    except (pl.exceptions.PolarsError, TypeError, OverflowError, ValueError) as error:
        raise DataError(f"a table of items has cells of a wrong kind: {shown(str(error).splitlines()[0])}") from None


@dataclass(frozen=True)
class Panel(Value):
    """One task as a matrix.

    models: (M,) names; items: (I,) names; clusters: (I,) codes of items that go together; values: (M, I), the mean over
    an item's repeats, NaN where a model did not see an item.
    """

    models: tuple[str, ...]
    items: tuple[str, ...]
    clusters: NDArray[np.int64]
    values: Floats

    def shared(self) -> Panel:
        """The items that every model saw."""
        return self.taken(np.asarray(np.isfinite(self.values).all(axis=0)))

    def taken(self, keep: NDArray[np.bool_]) -> Panel:
        """The items where ``keep`` is true."""
        names = tuple(name for name, kept in zip(self.items, keep, strict=True) if kept)
        return Panel(self.models, names, self.clusters[keep], self.values[:, keep])


def panel(rows: pl.DataFrame, column: str, models: Sequence[str]) -> Panel:
    """The matrix of one column of one task's rows; repeats of an item are averaged."""
    kept = rows.filter(pl.col("item").is_not_null() & pl.col(column).is_not_null())
    told = kept["model"].unique().to_list()
    names = tuple(each for each in models if each in told)
    items = kept["item"].unique(maintain_order=True)
    first = kept.group_by("item", maintain_order=True).agg(pl.col("cluster").first())
    labels = first["cluster"].fill_null(pl.Series(first["item"])).to_list()
    _, codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    means = kept.group_by("model", "item").agg(pl.col(column).cast(pl.Float64).mean())
    place, at = {each: i for i, each in enumerate(names)}, {each: i for i, each in enumerate(items)}
    values = np.full((len(names), len(items)), np.nan)
    for model, item, value in means.iter_rows():
        values[place[model], at[item]] = value
    return Panel(names, tuple(items), codes.astype(np.int64), values)


def cluster_sums(values: Floats, clusters: NDArray[np.int64]) -> Floats:
    """Σ over the items of each cluster, (…, clusters)."""
    count = int(clusters.max()) + 1 if len(clusters) else 0
    summed = np.zeros((count, *values.shape[:-1]))
    np.add.at(summed, clusters, np.moveaxis(values, -1, 0))
    return np.asarray(np.moveaxis(summed[np.bincount(clusters, minlength=count) > 0], 0, -1))
