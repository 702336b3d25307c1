"""One table by its registered name: of the package, or of a public data set on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.datasets.box import Box, boxes
from isoflop.runs.datasets.download import locate
from isoflop.runs.datasets.registry import Table, find
from isoflop.runs.derive import symbol_of
from isoflop.runs.files import NamedFrame, load
from isoflop.runs.meanings import COUNTED
from isoflop.runs.read import read_runs
from isoflop.runs.table import ROW, Runs
from isoflop.values import Value


@dataclass(frozen=True)
class Reading(Value):
    """What a reader says about a registered table, over what the registry says: as for :func:`isoflop.read_runs`."""

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=dict)
    derive: Mapping[str, str] = field(default_factory=dict)

    def over(self, table: Table) -> Reading:
        """Columns, units and conventions with the registry's where the reader says nothing of a column."""
        mine = {symbol_of(name): header for name, header in self.columns.items()}
        given, taken = {*mine, *(symbol_of(name) for name in self.derive)}, {*mine.values()}
        kept = {each: header for each, header in table.columns.items() if each not in given and header not in taken}
        columns = kept | mine
        made_whole = {*table.times, *table.antilog}  # the registry made them counts: their header's scale is used up
        units = {each: unit for each, unit in table.units.items() if each not in given}
        units |= {each: "1" for each, header in columns.items() if header in made_whole and each in COUNTED}
        conventions = {each: told for each, told in table.conventions.items() if each not in given}
        return Reading(columns, units | dict(self.units), conventions | dict(self.conventions), self.derive)


def load_table(name: str, said: Reading = Reading()) -> Runs:
    """The runs of ``NAME`` or ``NAME/TABLE``; raises DataError as :func:`isoflop.runs.datasets.load` does."""
    wanted, _, part = name.partition("/")
    box = next((box for box in boxes() if box.name == wanted), None)
    return _from_box(box, part, said) if box is not None else _from_registry(name, said)


def _from_box(box: Box, part: str, said: Reading) -> Runs:
    table = part or box.tables[0]
    if table not in box.tables:
        raise DataError(
            f"the data set {box.name!r} has no table {part!r}; it has {', '.join(map(box.full_name, box.tables))}"
        )
    with box.path(table) as path:
        frame, _, _ = load(path)
        runs = read_runs(
            NamedFrame(frame, box.full_name(table)),
            columns=said.columns,
            units=said.units,
            conventions={"N": "total", **said.conventions},
            derive=said.derive,
        )
    return replace(runs, source=box.full_name(table))


def _from_registry(name: str, said: Reading) -> Runs:
    dataset, table = find(name)
    frame = prepared(locate(dataset, table).path, table)
    how = said.over(table)
    runs = read_runs(
        NamedFrame(frame, dataset.full_name(table)),
        columns=how.columns,
        units=how.units,
        conventions=how.conventions,
        derive=how.derive,
        where=table.where,
    )
    selected = f" where {table.where}" if table.where else ""
    source = f"{dataset.full_name(table)} ({table.file.source}{selected})"
    known = tuple(_with_rows(each, runs, table.about.get(each.code)) for each in table.findings)
    return replace(runs, source=source, findings=(*runs.findings, *known))


def _with_rows(finding: Finding, runs: Runs, where: str | None) -> Finding:
    """The finding with the rows that it is about, so that a selection without them drops it too."""
    if where is None:
        return finding
    try:
        return replace(finding, rows=tuple(runs.where(where).frame[ROW].to_list()))
    except DataError:  # the reader gave another meaning to a column of the selection
        return finding


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
