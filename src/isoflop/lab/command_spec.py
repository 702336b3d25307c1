"""The part of a sweep's description that names the user's own program: ``[command]``."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from isoflop.errors import SpecError, shown
from isoflop.lab.command import GIVEN, Value, fields_of
from isoflop.toml_table import Table


@dataclass(frozen=True)
class Commands:
    """A user's program, its template, and the values whose combinations are the cells."""

    template: str
    values: tuple[tuple[str, tuple[Value, ...]], ...]
    metrics: str | None = None
    folder: str | None = None
    loss_unit: str = "nats/token"


def read_commands(table: Table, base: Path | None) -> Commands:
    """The program, its template and its values; raises SpecError for what cannot be run."""
    table.allow("run", "values", "metrics", "folder", "loss_unit")
    template = table.text("run", "")
    if not template.strip():
        raise SpecError('[command] needs run = "python train.py --width {width} --tokens {tokens}"')
    values: dict[str, tuple[Value, ...]] = {}
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
            f"the command asks for {{{missing[0]}}}, which [command.values] does not list; add {missing[0]} = […]"
        )
    taken = [name for name in values if name in GIVEN]
    if taken:
        raise SpecError(f"[command.values] lists {taken[0]!r}, which stands for something else; choose another name")
    unused = [name for name in values if name not in fields]
    if unused:
        raise SpecError(
            f"[command.values] lists {unused[0]!r}, which the command does not use; add {{{unused[0]}}} to run"
        )
    folder = table.text("folder", ".")
    return Commands(
        template=template,
        values=tuple(values.items()),
        metrics=table.text("metrics", "") or None,
        folder=str(((base or Path.cwd()) / folder).resolve()),
        loss_unit=table.text("loss_unit", "nats/token"),
    )


def _finite(value: str | float) -> bool:
    return isinstance(value, str) or math.isfinite(value)
