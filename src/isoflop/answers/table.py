"""``Table``: rows of quantities, numbers and words under named columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isoflop.answers.quantity import Kind, Quantity
from isoflop.errors import IsoflopError

Cell = Quantity | str | float | int | bool | None


@dataclass(frozen=True)
class Column:
    """A column of a table.

    name: the key in JSON and data frames, an identifier. title: the heading, with unit and level where they matter; the
    name where empty. kind: of the bare numbers in it. detail: whether it stands in JSON and data frames alone, for what
    a reader of the text does not need.
    """

    name: str
    title: str = ""
    kind: Kind = "number"
    unit: str = ""
    detail: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    name: the key in JSON. title: the heading above it. columns, rows: each row has one cell a column; a cell is a
    Quantity, a number of its column's kind, a word, or None where there is nothing. note: one line below. detail:
    whether the terminal shows it only where every row is asked for.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    note: str = ""
    detail: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise IsoflopError(f"table {self.name!r} has {len(self.columns)} columns and a row of {len(row)} cells")

    def to_dict(self) -> dict[str, object]:
        """Heading, columns, and one object a row with cells at full precision."""
        return {
            "title": self.title or self.name,
            "columns": [
                {"name": c.name, "title": c.title or c.name, "kind": c.kind, "unit": c.unit, "detail": c.detail}
                for c in self.columns
            ],
            "rows": [
                {column.name: _plain(cell) for column, cell in zip(self.columns, row, strict=True)} for row in self.rows
            ],
            "note": self.note,
            "detail": self.detail,
        }


def identifier(text: str) -> str:
    """A law's name, a file or a formula as the name of a column or a table: letters, digits and underscores."""
    found = re.sub(r"\W+", "_", text).strip("_") or "other"
    return f"_{found}" if found[0].isdigit() else found


def _plain(cell: Cell) -> object:
    return cell.to_dict() if isinstance(cell, Quantity) else cell
