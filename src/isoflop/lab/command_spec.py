"""The part of a sweep's description that names the user's own program: ``[command]``."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isoflop.errors import SpecError, shown
from isoflop.lab.command import GIVEN, Value, fields_of
from isoflop.toml_table import Table


@dataclass(frozen=True)
class Commands:
    """A user's program, its template, and the values whose combinations are the cells, or the cells one by one."""

    template: str
    values: tuple[tuple[str, tuple[Value, ...]], ...]
    cells: tuple[tuple[tuple[str, Value], ...], ...] = ()
    metrics: str | None = None
    folder: str | None = None
    loss_unit: str = "nats/token"


def read_commands(table: Table, base: Path | None) -> Commands:
    """The program, its template and its values; raises SpecError for what cannot be run."""
    table.allow("run", "values", "cells", "metrics", "folder", "loss_unit")
    template = table.text("run", "")
    if not template.strip():
        raise SpecError('[command] needs run = "python train.py --width {width} --tokens {tokens}"')
    if {"values", "cells"} <= set(table.values):
        raise SpecError(
            "[command] takes [command.values], all of whose combinations are run, or [[command.cells]], one by one; "
            "remove one of them"
        )
    cells = _cells(table)
    where = "[[command.cells]]" if cells else "[command.values]"
    values = {name: tuple(dict.fromkeys(dict(cell)[name] for cell in cells)) for name, _ in (cells[0] if cells else ())}
    for name, listed in table.table("values").values.items():
        each = listed if isinstance(listed, list) else [listed]
        if not each or not all(isinstance(value, str | int | float) and _finite(value) for value in each):
            raise SpecError(f"{name} = {shown(listed)} in [command.values] must be a list of numbers or texts")
        values[name] = tuple(each)
    try:
        shlex.split(template)
    except ValueError as error:
        raise SpecError(
            f"the command {shown(template)} cannot be split into words ({str(error).lower()}); balance its quotes"
        ) from None
    fields = fields_of(template)
    missing = [name for name in fields if name not in values and name not in GIVEN]
    if missing:
        raise SpecError(
            f"the command asks for {{{missing[0]}}}, which {where} does not list; add {missing[0]} = "
            + ("its value" if cells else "[…]")
        )
    taken = [name for name in values if name in GIVEN]
    if taken:
        raise SpecError(f"{where} lists {taken[0]!r}, which stands for something else; choose another name")
    unused = [name for name in values if name not in fields]
    if unused:
        raise SpecError(f"{where} lists {unused[0]!r}, which the command does not use; add {{{unused[0]}}} to run")
    folder = table.text("folder", ".")
    return Commands(
        template=template,
        values=tuple(values.items()),
        cells=cells,
        metrics=table.text("metrics", "") or None,
        folder=str(((base or Path.cwd()) / folder).resolve()),
        loss_unit=table.text("loss_unit", "nats/token"),
    )


def _cells(table: Table) -> tuple[tuple[tuple[str, Value], ...], ...]:
    """The listed cells, each with a value of every name that the first has."""
    listed = table.values.get("cells", [])
    if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
        raise SpecError(f"cells = {shown(listed)} in [command] must be a list of tables, each begun [[command.cells]]")
    names = list(listed[0]) if listed else []
    for number, each in enumerate(listed, start=1):
        if set(each) != set(names):
            other = sorted(set(each) ^ set(names))[0]
            raise SpecError(
                f"cell {number} of [[command.cells]] gives {', '.join(each) or 'nothing'}, and cell 1 "
                f"{', '.join(names) or 'nothing'}; give {other} in all of them or in none"
            )
        for name, value in each.items():
            if not isinstance(value, str | int | float) or not _finite(value):
                raise SpecError(
                    f"{name} = {shown(value)} in cell {number} of [[command.cells]] must be a number or text"
                )
    found = tuple(tuple((name, each[name]) for name in names) for each in listed)
    if len(set(found)) < len(found):
        twice = next(each for each in found if found.count(each) > 1)
        raise SpecError(
            f"[[command.cells]] lists {', '.join(f'{name} = {value}' for name, value in twice)} twice; remove one, or "
            "give them a seed each"
        )
    return found


def _finite(value: str | float) -> bool:
    return isinstance(value, str) or math.isfinite(value)
