"""Parquet within bounds: the values that a file says it holds are counted before they are read.

A column of one value takes no bytes, and neither does a list of it, however long: a file of 26 KB can hold a list of
10^8 numbers. The footer (Thrift's compact protocol; parquet-format, ``parquet.thrift``) says how many values each
column has, whatever they unpack to. A text that is repeated is held once by Polars, so letters are counted afterwards.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl
import polars.selectors as cs

from isoflop.runs.bounds import MAX_CELLS, MAX_TEXT, refuse_file, refuse_shape

MAGIC: Final = b"PAR1"
_MOST_FOOTER: Final = 2**24
_MOST_DEPTH: Final = 16
_lock = threading.Lock()
_silent: list[int] = []  # the true standard error, once for each reading that is under way
_ROW_GROUPS, _COLUMNS, _ABOUT, _VALUES = 4, 1, 3, 5  # ids of FileMetaData, RowGroup, ColumnChunk and ColumnMetaData


def read_parquet(path: str | Path) -> pl.DataFrame:
    """The table of a file. Raises ValueError and DataError: more cells, values or letters than a table of runs has."""
    path = Path(path)
    refuse_file(path)
    count = refuse_values(path)
    with without_panics():
        scan = pl.scan_parquet(path, hive_partitioning=False, glob=False)
        columns = len(scan.collect_schema())
        if columns:
            refuse_shape(int(scan.select(pl.len()).collect().item()) if count else 0, columns)
        frame = pl.read_parquet(path, hive_partitioning=False, glob=False)
    refuse_letters(frame)
    return frame


@contextlib.contextmanager
def without_panics() -> Iterator[None]:
    """Without what a thread of Polars says on standard error when damaged bytes end it; the exception tells of it."""
    with _lock, contextlib.suppress(OSError):  # of a process without standard error
        kept = os.dup(2)
        if not _silent:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            os.close(null)
        _silent.append(kept)
    try:
        yield
    finally:
        with _lock:
            if len(_silent) == 1:
                os.dup2(_silent[0], 2)
            if _silent:
                os.close(_silent.pop())


def refuse_values(path: Path) -> int:
    """Refuse a file whose footer counts more values than are read; returns their number."""
    count = values(path)
    if count > MAX_CELLS:
        raise ValueError(
            f"it holds {count:,} values, and at most {MAX_CELLS:,} are read; keep the rows and columns that are needed"
        )
    return count


def refuse_letters(frame: pl.DataFrame) -> None:
    """Refuse texts that take more than :data:`MAX_TEXT` bytes when each is written out."""
    # by their kind: a header of the file may still read as a pattern
    letters = sum(frame.select(cs.string().str.len_bytes().sum()).row(0)) if pl.String in frame.dtypes else 0
    if letters > MAX_TEXT:
        raise ValueError(
            f"its texts take {letters / 2**20:,.0f} MB, and at most {MAX_TEXT / 2**20:,.0f} MB are read; keep the rows "
            "and columns that are needed"
        )


def values(path: Path) -> int:
    """The number of values of all columns, those within lists counted one by one. Raises ValueError: no Parquet."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if size < 12 or end[4:] != MAGIC or length > min(size - 12, _MOST_FOOTER):
            raise ValueError("its footer is damaged")
        file.seek(size - 8 - length)
        footer = file.read(length)
    groups = _struct(_Compact(footer), {_ROW_GROUPS: {_COLUMNS: {_ABOUT: {_VALUES: None}}}})
    return sum(count for count in _numbers(groups) if count > 0)


def _numbers(found: Any) -> Iterator[int]:  # noqa: ANN401 - what _struct returns
    if isinstance(found, int):
        yield found
    else:
        for each in found.values() if isinstance(found, dict) else found:
            yield from _numbers(each)


class _Compact:
    """A place within bytes of Thrift's compact protocol."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise ValueError("its footer ends early")
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("its footer holds a number without end")

    def skip(self, count: int) -> None:
        if count > len(self.data) - self.at:
            raise ValueError("its footer ends early")
        self.at += count

    def zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)


def _struct(place: _Compact, wanted: dict[int, Any], depth: int = 0) -> dict[int, Any]:
    """The fields of a struct whose ids are in ``wanted`` (id → the fields of its own structs; None for a number)."""
    found: dict[int, Any] = {}
    number = 0
    while head := place.byte():
        number = number + (head >> 4) if head >> 4 else place.zigzag()
        inner = wanted.get(number, {})
        value = _value(place, head & 15, inner, depth, within=False)
        if number in wanted:
            found[number] = value
    return found


def _value(place: _Compact, kind: int, wanted: dict[int, Any] | None, depth: int, *, within: bool) -> Any:  # noqa: ANN401
    """A value of a kind of the protocol: a number, the wanted fields of a struct, a list of such; else 0."""
    if depth > _MOST_DEPTH:
        raise ValueError("its footer nests too deeply")
    match kind:
        case 1 | 2:  # true and false: of a field in the kind itself, of a list in a byte
            place.skip(within)
        case 3:
            place.skip(1)
        case 4 | 5 | 6:
            return place.zigzag()
        case 7:
            place.skip(8)
        case 8:
            place.skip(place.varint())
        case 9 | 10:
            head = place.byte()
            count = place.varint() if head >> 4 == 15 else head >> 4
            if count > len(place.data) - place.at:
                raise ValueError("its footer ends early")
            each = [_value(place, head & 15, wanted, depth + 1, within=True) for _ in range(count)]
            return each if wanted else 0
        case 11:
            count = place.varint()
            kinds = place.byte() if count else 0
            for _ in range(min(count, len(place.data))):
                for one in (kinds >> 4, kinds & 15):
                    _value(place, one, {}, depth + 1, within=True)
        case 12:
            return _struct(place, wanted or {}, depth + 1)
        case _:
            raise ValueError("its footer holds an unknown kind")
    return 0
