"""What is known of the columns of a table, as a table of an answer."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from isoflop.answers import Column, Table

if TYPE_CHECKING:
    from isoflop.runs import Runs


def columns_table(runs: Runs, *, of: Collection[str] | None = None) -> Table:
    """What is known of each column that was read, with its range. of: only these columns."""
    rows = []
    for column in (each for each in runs.columns.values() if of is None or each.name in of):
        numeric = column.name in runs.frame.columns and runs.frame[column.name].dtype.is_numeric()
        values = runs[column.name] if numeric else None
        good = None if values is None else values[(values == values) & (abs(values) < float("inf"))]
        ends = (float(good.min()), float(good.max())) if good is not None and len(good) else (None, None)
        rows.append(
            (
                column.name, *ends, column.header or "", column.unit or "", column.convention or "",
                column.derived or "",
            )
        )  # fmt: skip
    return Table(
        "columns",
        (
            Column("column"),
            Column("smallest", kind="count"),
            Column("largest", kind="count"),
            Column("header", "read from"),
            Column("unit"),
            Column("convention", "counts"),
            Column("derived"),
        ),
        tuple(rows),
        title="Columns",
    )
