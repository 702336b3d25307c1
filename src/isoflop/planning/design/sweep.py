"""A sweep as candidates, and the sweep that trains the chosen ones: cells of the lab, or runs of a user's program."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from isoflop.documents import parse_toml
from isoflop.errors import IsoflopError
from isoflop.lab.command import SYMBOLS
from isoflop.lab.design import cells_of, programs_of, sizes_of
from isoflop.lab.spec import SweepSpec, parse_spec, read_spec
from isoflop.planning.design.candidates import MOST, Candidates, candidates_of, derivable
from isoflop.runs import Runs
from isoflop.runs.derive import with_derived

SIZE = "size"
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def sweep_candidates(
    path: str | Path, *, cost: str | None = None, derive: Mapping[str, str] | None = None
) -> Candidates:
    """The cells of a sweep.

    Of the lab: one for each size and duration, N all parameters, D tokens, C the counted FLOPs, which are the cost
    where no formula is given. Of a user's program: one for each combination of its values, where ``params``,
    ``tokens``, ``flops`` and ``unique_tokens`` are N, D, C and U as in its table of runs, and ``derive`` computes
    others.

    Raises IsoflopError for too many cells, and for a program's without a cost.
    """
    spec, name = read_spec(path), Path(path).name
    runs = _cells(spec, name) if spec.commands is None else _programs(spec, name)
    found = candidates_of(with_derived(runs, derivable(derive or {}, runs)), cost=cost)
    return found if spec.commands is not None or cost is not None else replace(found, priced="counted FLOPs")


def runs_a_program(path: str | Path) -> bool:
    """Whether a sweep runs a program of the user's."""
    return read_spec(path).commands is not None


def sweep_of(path: str | Path, candidates: Candidates, rows: Sequence[int], *, place: Path | None = None) -> str:
    """The sweep's text with the chosen cells in place of its own.

    Runs of one cell of the lab differ in their seed; those of a program need a seed among its values. place: where the
    text will stand, from which a program's folder is then told.
    """
    spec, base = read_spec(path), Path(path).resolve().parent
    if spec.commands is None:
        text = _of_lab(spec, candidates, rows)
    else:
        other = None if place is None or place.resolve().parent == base else place.resolve().parent
        folder = None if other is None else os.path.relpath(spec.commands.folder or base, other)
        text, base = _of_program(spec, rows, folder), other or base
    parse_spec(text, name=spec.name, base=base)  # what is written can be read
    return text


def _cells(spec: SweepSpec, source: str) -> Runs:
    sizes = {each.shape.name: each for each in sizes_of(spec)}
    cells = sorted({(sizes[each.shape.name].params, each.shape.name, each.tokens) for each in cells_of(spec)})
    _refuse_many(len(cells), source)
    return Runs.from_columns(
        {
            "N": np.array([float(params) for params, _, _ in cells]),
            "D": np.array([float(tokens) for _, _, tokens in cells]),
            "C": np.array([float(sizes[name].flops * tokens) for _, name, tokens in cells]),
            SIZE: [name for _, name, _ in cells],
        },
        source=source,
    )


def _programs(spec: SweepSpec, source: str) -> Runs:
    cells = [dict(each.values) for each in programs_of(spec)]
    _refuse_many(len(cells), source)
    columns = {
        SYMBOLS.get(name, name): [each[name] for each in cells]
        if any(isinstance(each[name], str) for each in cells)
        else np.array([float(each[name]) for each in cells])
        for name in cells[0]
    }
    columns = {
        name: [str(each) for each in values] if isinstance(values, list) else values for name, values in columns.items()
    }
    return Runs.from_columns(columns, source=source)


def _refuse_many(cells: int, source: str) -> None:
    if cells > MOST:
        raise IsoflopError(f"{source} has {cells:,} cells, and at most {MOST:,} are compared; list fewer")


def _of_lab(spec: SweepSpec, candidates: Candidates, rows: Sequence[int]) -> str:
    times: dict[tuple[str, float], int] = defaultdict(int)
    for row in rows:
        times[str(candidates.frame[SIZE][row]), float(candidates.frame["D"][row])] += 1
    lines: list[str] = [_without_designs(spec).rstrip(), ""]
    tokens_of: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (size, duration), count in sorted(times.items()):
        tokens_of[size, count].append(duration)
    for (size, count), tokens in tokens_of.items():
        lines += ["[[design]]", 'kind = "grid"', f'sizes = ["{size}"]']
        lines += [f"tokens = [{', '.join(f'{each:.0f}' for each in tokens)}]"]
        lines += [f"seeds = {list(range(count))}"] if count > 1 else []
        lines += [""]
    return "\n".join(lines)


def _of_program(spec: SweepSpec, rows: Sequence[int], folder: str | None) -> str:
    if len(set(rows)) < len(rows):
        raise IsoflopError(
            "a program is run once with its values, and --seeds would run it again with the same; list seed = [0, 1] "
            "in [command.values], and leave --seeds out"
        )
    programs, tree = programs_of(spec), parse_toml(spec.text)
    command = {name: each for name, each in tree["command"].items() if name not in ("values", "cells")}
    if folder is not None:
        command["folder"] = folder
    tables = {"[command]": command, "[limits]": tree.get("limits", {})}
    lines = [f"name = {_literal(spec.name)}", ""]
    for header, values in tables.items():
        if values:
            lines += [header, *(f"{_key(name)} = {_literal(each)}" for name, each in values.items()), ""]
    for row in rows:
        lines += ["[[command.cells]]", *(f"{_key(name)} = {_literal(each)}" for name, each in programs[row].values), ""]
    return "\n".join(lines)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)


def _literal(value: str | int | float) -> str:
    """A value as TOML, whose basic strings are those of JSON but for one character."""
    return json.dumps(value).replace("\x7f", "\\u007f") if isinstance(value, str | bool) else repr(value)


def _without_designs(spec: SweepSpec) -> str:
    kept: list[str] = []
    inside = False
    for line in spec.text.splitlines():
        if re.match(r"\s*\[", line):
            inside = re.match(r"\s*\[\[\s*design\s*\]\]", line) is not None
            while inside and kept and kept[-1].lstrip().startswith("#"):
                kept.pop()  # what was said of the old design
        if not inside:
            kept.append(line)
    return "\n".join(kept)
