"""Checkpoints of model families, from every registered data set that has them, as one table.

A family is a set of models that differ in size and training tokens alone. The table has the columns ``collection``
(the data set: families of one collection are not independent), ``family``, ``run``, ``N``, ``D``, ``loss`` (nats/token)
and ``counts`` (what D counts: tokens or optimizer steps); a family without checkpoints has the final loss of each run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.datasets.tables import load_table
from isoflop.runs.table import Runs

FAMILIES = "checkpoint-families"  # the checkpoints of all registered model families, as one table
_COLUMNS = ("family", "run", "N", "D", "loss", "counts")
_GPT3 = {
    "small": 125e6, "medium": 350e6, "large": 760e6, "xl": 1.3e9, "2.7b": 2.7e9, "6.7b": 6.7e9, "13b": 13e9,
    "175b": 175e9,
}  # fmt: skip


@dataclass(frozen=True)
class _Source:
    """A registered table, and how its rows become families."""

    table: str
    arrange: Callable[[pl.DataFrame], pl.DataFrame]


def checkpoint_families() -> Runs:
    """Every family of three sizes or more in the registered data sets that are on this machine.

    Raises DataError where none of them is. A table that is not there is named in the findings.
    """
    frames, findings = [], []
    for source in _SOURCES:
        try:
            runs = load_table(source.table)
        except DataError as error:
            findings.append(Finding("not-here", "note", f"{source.table} is left out: {error}", ""))
            continue
        collection = pl.lit(source.table.partition("/")[0]).alias("collection")
        frames.append(source.arrange(runs.frame).select(collection, *_COLUMNS))
    if not frames:
        raise DataError(
            f"{FAMILIES} is made of public data sets, and none is on this machine; fetch one: isoflop datasets --get "
            f"{_SOURCES[0].table}"
        )
    sizes = pl.col("N").n_unique().over("family")
    whole = pl.concat(frames).filter((sizes >= 3) & (pl.col("loss") > 0) & (pl.col("D") > 0))
    table = Runs.from_columns({name: whole[name].to_numpy() for name in whole.columns}, source=FAMILIES)
    return replace(table, findings=tuple(findings))


def _plain(family: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(family=pl.lit(family), counts=pl.lit("tokens"))


def _pythia(frame: pl.DataFrame) -> pl.DataFrame:
    """The standard and the deduplicated models; those of other batch sizes are other families of one size."""
    name = pl.col("run")
    kind = pl.when(name.str.ends_with("-deduped")).then(pl.lit("Pythia deduped")).otherwise(pl.lit("Pythia"))
    return frame.filter(~name.str.contains("tokBS")).with_columns(family=kind, counts=pl.lit("tokens"))


def _gpt3(frame: pl.DataFrame) -> pl.DataFrame:
    return _plain("GPT-3")(frame.with_columns(N=pl.col("run").replace_strict(_GPT3, return_dtype=pl.Float64)))


def _repeated(frame: pl.DataFrame) -> pl.DataFrame:
    """One family for each corpus and number of epochs."""
    passes = pl.col("epochs").round(0).cast(pl.Int64).cast(pl.String)
    return frame.with_columns(
        family=pl.concat_str(pl.lit("datablations "), "family", pl.lit(" × "), passes), counts=pl.lit("tokens")
    )


def _ladder(frame: pl.DataFrame) -> pl.DataFrame:
    """One family for each validation corpus; all durations of a size belong to it."""
    return pl.concat(
        frame.with_columns(
            family=pl.lit("OLMo ladder " + column.removeprefix("val/").removesuffix("_ce")),
            loss=pl.col(column).cast(pl.Float64),
            counts=pl.lit("tokens"),
        ).select(_COLUMNS)
        for column in _corpora(frame)
    )


def _corpora(frame: pl.DataFrame) -> Iterator[str]:
    return (column for column in frame.columns if column.startswith("val/") and column.endswith("_ce"))


def _overtraining(frame: pl.DataFrame) -> pl.DataFrame:
    """One family for each training and validation corpus."""
    corpus = pl.col("val_data").str.split("/").list.get(-2)
    return frame.with_columns(
        family=pl.concat_str(pl.lit("over-training "), "family", pl.lit(" → "), corpus), counts=pl.lit("tokens")
    )


def _schedules(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        family=pl.concat_str(pl.lit("multi-power "), "schedule"),
        D=pl.col("step").cast(pl.Float64),
        counts=pl.lit("steps"),
    )


def _mixtures(frame: pl.DataFrame) -> pl.DataFrame:
    """One family for each mixture: its loss is the mean over validation domains, where all of them were measured."""
    keys = ["family", "proportions", "N", "step"]
    means = frame.group_by(keys).agg(pl.col("loss").mean(), domains=pl.len()).sort(keys)
    complete = means.filter(pl.col("domains") == pl.col("domains").max().over("family", "proportions"))
    return complete.with_columns(
        family=pl.concat_str(pl.lit("mixture "), "family", pl.lit(" "), "proportions"),
        run=pl.concat_str("family", pl.lit(" "), "proportions", pl.lit(" "), pl.col("N").cast(pl.String)),
        D=pl.col("step").cast(pl.Float64),
        counts=pl.lit("steps"),
    )


_SOURCES = (
    _Source("hitchhiker-colpret", _plain("OPT")),
    _Source("hitchhiker-colpret/gpt3", _gpt3),
    _Source("pythia-evals", _pythia),
    _Source("datablations/curves", _repeated),
    _Source("olmo-ladder/checkpoints", _ladder),
    _Source("overtraining-gadre/all-losses", _overtraining),
    _Source("multipower-lr", _schedules),
    _Source("data-mixing-laws", _mixtures),
)
