"""One table by its registered name: of the package, or of a public data set on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from isoflop.errors import DataError
from isoflop.runs.datasets.box import Box, boxes
from isoflop.runs.datasets.download import locate
from isoflop.runs.datasets.registry import Table, find
from isoflop.runs.meanings import COUNTED
from isoflop.runs.read import read_runs
from isoflop.runs.table import Runs


def load_table(name: str) -> Runs:
    """The runs of ``NAME`` or ``NAME/TABLE``; raises DataError as :func:`isoflop.runs.datasets.load` does."""
    wanted, _, part = name.partition("/")
    box = next((box for box in boxes() if box.name == wanted), None)
    return _from_box(box, part) if box is not None else _from_registry(name)


def _from_box(box: Box, part: str) -> Runs:
    table = part or box.tables[0]
    if table not in box.tables:
        raise DataError(
            f"the data set {box.name!r} has no table {part!r}; it has {', '.join(map(box.full_name, box.tables))}"
        )
    with box.path(table) as path:
        runs = read_runs(path, conventions={"N": "total"})
    return replace(runs, source=box.full_name(table))


def _from_registry(name: str) -> Runs:
    dataset, table = find(name)
    frame = prepared(locate(dataset, table).path, table)
    whole = {*table.times, *table.antilog}  # what the registry made whole counts, the header's scale does not multiply
    units = dict(table.units) | {
        symbol: "1" for symbol, header in table.columns.items() if header in whole and symbol in COUNTED
    }
    runs = read_runs(frame, columns=table.columns, units=units, conventions=table.conventions, where=table.where)
    selected = f" where {table.where}" if table.where else ""
    source = f"{dataset.full_name(table)} ({table.file.source}{selected})"
    return replace(runs, source=source, findings=(*runs.findings, *table.findings))


def prepared(path: Path, table: Table) -> pl.DataFrame:
    """The file's own table, with wrong columns dropped and odd units turned into plain counts."""
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path, hive_partitioning=False, glob=False)
    else:
        # every cell as text: the reader decides what is a number, and says so where it is not
        frame = pl.read_csv(path, infer_schema=False, glob=False)
    return frame.drop(table.drop).with_columns(
        *(pl.col(header).cast(pl.Float64) * factor for header, factor in table.times.items()),
        *(pl.lit(10.0).pow(pl.col(header).cast(pl.Float64)).alias(header) for header in table.antilog),
        *(pl.concat_str(parts, separator=" ").alias(header) for header, parts in table.join.items()),
    )
