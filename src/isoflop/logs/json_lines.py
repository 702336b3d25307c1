"""JSON Lines and arrays of JSON objects as frames: nested names are joined by dots, NaN and infinities are numbers.

A line that is half written, as the last one of a run under way may be, is passed over; so are damaged ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.documents import DocumentError, refuse_many_values
from isoflop.findings import Finding
from isoflop.logs.hashed_file import Digest, Lines, cut_short
from isoflop.logs.json_numbers import as_float
from isoflop.logs.logged import LogError
from isoflop.logs.scrub import plain_text

_LONGEST: Final = 1 << 20  # bytes of a line
_LARGEST: Final = 256 * 2**20  # bytes of an array, which is held whole
_DEEPEST: Final = 20
_MOST_COLUMNS: Final = 2_000
_HISTORY: Final = re.compile(rb'"[\w/ ]{0,40}(?:step|iter|epoch|loss|update)[\w/ ]{0,40}"\s{0,4}:')

_CELLS: Final = frozenset({float, int, bool, str})
_MOST_ALIKE: Final = 64  # kinds of records that are known by their keys

Cell = float | str | None


def holds_lines(head: bytes) -> bool:
    """Whether a file begins as JSON Lines of a run's history: an object, and another in the next line."""
    start = head.lstrip()
    first, _, rest = start.partition(b"\n")
    whole = start[:1] == b"{" and first.rstrip().endswith(b"}") and rest.lstrip()[:1] in (b"{", b"")
    return whole and _HISTORY.search(head) is not None


def holds_array(head: bytes) -> bool:
    """Whether a file begins as an array of objects that are a run's history."""
    start = head.lstrip()
    return start[:1] == b"[" and start[1:].lstrip()[:1] == b"{" and _HISTORY.search(head) is not None


def read_json_lines(path: Path, source: str) -> tuple[pl.DataFrame, list[Finding]]:
    """The objects of a file, one a line (or one array), as a frame, and what is wrong with the file."""
    findings: list[Finding] = []
    with Digest().file(path) as file:
        lines = Lines(file, longest=_LONGEST)
        columns = _Columns()
        damaged, last = 0, ""
        for line in lines:
            if not line.strip():
                continue
            if last:
                damaged += 1
            last = ""
            if not columns.rows and line.lstrip()[:1] == "[":
                return _array(path, source), []
            record = _object(line)
            if record is None:
                last = line
            else:
                columns.add(record)
    if not columns.rows:
        raise LogError(f"{source} holds no line that is a JSON object; is it another program's file?")
    if lines.cut_short:
        findings.append(cut_short(source, lines.cut_short))
    elif last:
        findings.append(cut_short(source, "ends within a line"))
    if damaged:
        findings.append(
            Finding(
                "damaged",
                "warning",
                f"{damaged:,} lines of {source} are no JSON objects and were passed over.",
                "Copy the file again, if lines are missing.",
            )
        )
    return columns.frame(), findings + columns.findings(source)


def records_of(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON Lines, one after the other; lines that are none are passed over."""
    with Digest().file(path) as file:
        for line in Lines(file, longest=_LONGEST):
            record = _object(line) if line.strip() else None
            if record is not None:
                yield record


def _array(path: Path, source: str) -> pl.DataFrame:
    size = path.stat().st_size
    if size > _LARGEST:
        raise LogError(f"{source} is an array of {size:,} bytes; write it as JSON Lines, one object a line")
    data = path.read_bytes()
    try:
        refuse_many_values(data)
        records = json.loads(data)
    except DocumentError as error:
        raise LogError(f"{source} {error}; write it as JSON Lines, one object a line") from None
    except RecursionError:
        raise LogError(f"{source} is nested too deeply to be a log; copy it again") from None
    except ValueError as error:
        raise LogError(f"{source} is no whole JSON file ({str(error)[:120]}); copy it again") from None
    columns = _Columns()
    for record in records if isinstance(records, list) else ():
        if isinstance(record, dict):
            columns.add(record)
    if not columns.rows:
        raise LogError(f"{source} holds no JSON object; is it another program's file?")
    return columns.frame()


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class _Columns:
    """Records as columns; a name that comes later is empty in the rows before."""

    def __init__(self) -> None:
        self.rows = 0
        self._cells: dict[str, list[Cell]] = {}
        self._left_out: set[str] = set()
        self._alike: dict[tuple[str, ...], list[list[Cell]]] = {}  # columns of flat records, by their keys

    def add(self, record: dict[str, Any]) -> None:
        """One record, a row."""
        flat = _CELLS.issuperset(map(type, record.values()))
        alike = self._alike.get(tuple(record)) if flat else None
        if alike is not None:
            for own, value in zip(alike, record.values(), strict=True):
                if len(own) < self.rows:
                    own.extend([None] * (self.rows - len(own)))
                own.append(value if type(value) in (float, str) else as_float(value))
            self.rows += 1
            return
        for name, cell in _flat(record, "", 0):
            cells = self._cells.get(name)
            if cells is None:
                if len(self._cells) >= _MOST_COLUMNS:
                    if len(self._left_out) < _MOST_COLUMNS:
                        self._left_out.add(name)
                    continue
                cells = self._cells[name] = []
            if len(cells) <= self.rows:
                cells.extend([None] * (self.rows - len(cells)))
                cells.append(cell)
        self.rows += 1
        if flat and len(self._alike) < _MOST_ALIKE:
            names = [plain_text(str(key)) for key in record]
            held = [self._cells[each] for each in names if each in self._cells]
            if len({id(cells) for cells in held}) == len(record):
                self._alike[tuple(record)] = held

    def frame(self) -> pl.DataFrame:
        """A frame: numbers where all cells of a name are, else texts."""
        made = []
        for name, cells in self._cells.items():
            cells.extend([None] * (self.rows - len(cells)))
            made.append(_series(name, cells))
            cells.clear()
        return pl.DataFrame(made)

    def findings(self, source: str) -> list[Finding]:
        """Names beyond the most that are read."""
        if not self._left_out:
            return []
        return [
            Finding(
                "too-wide",
                "warning",
                f"{source} has more than {_MOST_COLUMNS:,} names; the first {_MOST_COLUMNS:,} were read.",
                "Log a metric under one name at every step.",
            )
        ]


def _flat(record: dict[str, Any], name: str, depth: int) -> Iterator[tuple[str, Cell]]:
    for key, value in record.items():
        own = plain_text(f"{name}.{key}" if name else str(key))
        if isinstance(value, bool | int | float):
            yield own, as_float(value)
        elif isinstance(value, str):
            yield own, value
        elif isinstance(value, dict) and depth < _DEEPEST:
            yield from _flat(value, own, depth + 1)


def _series(name: str, cells: Iterable[Cell]) -> pl.Series:
    held = list(cells)
    if all(cell is None or isinstance(cell, float) for cell in held):
        return pl.Series(name, held, dtype=pl.Float64)
    texts = [cell if cell is None or isinstance(cell, str) else repr(cell).removesuffix(".0") for cell in held]
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:  # half of a pair of surrogates, which no text in UTF-8 can hold
        plain = [None if text is None else text.encode("utf-8", errors="replace").decode() for text in texts]
        return pl.Series(name, plain, dtype=pl.String)
