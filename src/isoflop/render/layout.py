"""A table of an answer as cells of text: intervals get a column of their own, numbers are worded once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isoflop.answers import Cell, Column, Quantity, Table
from isoflop.answers.wording import interval, number, worded


@dataclass(frozen=True)
class Grid:
    """A table as text.

    right: for each column, whether it is aligned to the right. units: columns that belong together, a value and its
    interval. more: rows that were left out.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    units: tuple[tuple[int, ...], ...]
    note: str = ""
    more: int = 0


def grid(table: Table, *, most: int | None = None) -> Grid:
    """The table as text; most: rows at most, the rest is counted."""
    rows = table.rows if most is None else table.rows[:most]
    header: list[str] = []
    columns: list[list[str]] = []
    right: list[bool] = []
    units: list[list[int]] = []
    for place, column in enumerate(table.columns):
        if column.detail:
            continue
        cells = [row[place] for row in rows]
        ends = {(each.level, each.interval) for each in cells if isinstance(each, Quantity) and each.has_interval}
        header.append(column.title or ("" if column.name in ("quantity", "note") else column.name))
        units.append([len(columns)])
        columns.append([_text(each, column) for each in cells])
        right.append(not all(isinstance(each, str | None) for each in cells))
        if ends:
            units[-1].append(len(columns))
            header.append(_promise(ends))
            columns.append([interval(each) if isinstance(each, Quantity) else "" for each in cells])
            right.append(False)
    kept = [place for place, cells in enumerate(columns) if place == 0 or any(cells)]
    moved = {place: at for at, place in enumerate(kept)}
    return Grid(
        title=table.title,
        header=tuple(header[place] for place in kept),
        rows=tuple(tuple(columns[place][row] for place in kept) for row in range(len(rows))),
        right=tuple(right[place] for place in kept),
        units=tuple(
            tuple(moved[place] for place in unit if place in moved) for unit in units if moved.keys() & set(unit)
        ),
        note=table.note,
        more=len(table.rows) - len(rows),
    )


def _promise(ends: Iterable[tuple[float | None, str]]) -> str:
    """The heading of a column of intervals: ``90% CI``; ``90% interval`` where it holds several kinds."""
    levels = {level for level, _ in ends if level is not None}
    kinds = {kind for level, kind in ends if level is not None}
    level = f"{100 * next(iter(levels)):g}% " if len(levels) == 1 else ""
    return level + (next(iter(kinds)) if len(kinds) == 1 else "interval") if kinds else "range"


def quantities_grid(quantities: Sequence[Quantity]) -> Grid:
    """The named numbers of an answer: label, value, interval, unit and note."""
    rows = tuple(
        (each.label or each.name, each, "; ".join(filter(None, (each.unit, each.note)))) for each in quantities
    )
    return grid(Table("quantities", (Column("quantity"), Column("value", "value"), Column("note")), rows))


def _text(cell: Cell, column: Column) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Quantity):
        return worded(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    return number(cell, column.kind)
