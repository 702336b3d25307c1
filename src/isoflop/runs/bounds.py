"""What a table may measure, told before it is read: bytes, columns, cells, letters of a cell, depth of JSON.

A few kilobytes can hold gigabytes: packed zeros, a constant column of Parquet, a new JSON key on every line.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from isoflop.errors import DataError
from isoflop.patterns import pattern

if TYPE_CHECKING:
    import gzip

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"

MAX_FILE: Final = 2**30
MAX_TEXT: Final = 2**29
MAX_JSON: Final = 2**27
MAX_LINE: Final = 2**24
MAX_NESTED: Final = 2_000_000  # brackets within the objects of JSON Lines, some 300 bytes each while they are read
MAX_COLUMNS: Final = 20_000
MAX_CELLS: Final = 60_000_000
MAX_CELL: Final = 131_072
MAX_DEPTH: Final = 64
_CHUNK: Final = 2**20
_BLOCK: Final = 2**17  # bytes that a block of zstd holds at most
_KEY = pattern(rb'"((?:[^"\\]|\\.)*)"\s*:')
_STRING = pattern(rb'"(?:[^"\\]|\\.)*"')


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The bytes of the file, unpacked where it is gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        if packed:
            import gzip

            with gzip.open(file) as unpacked:
                yield unpacked
        else:
            yield file


def refuse_file(path: Path) -> None:
    """Refuse what is no ordinary file, and one above a gigabyte."""
    if not path.exists():  # gone meanwhile, which is told as of any file that is not there
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if not path.is_file():
        raise DataError(f"{str(path)[:200]!r} is no ordinary file; copy what it yields into a file, and name that")
    size = path.stat().st_size
    if size > MAX_FILE:
        raise DataError(
            f"{path.name} has {size / 2**20:,.0f} MB, and a table of at most {MAX_FILE / 2**20:,.0f} MB is read; "
            "keep the rows that are needed, or import logs with isoflop import"
        )


def refuse_text(file: IO[bytes] | gzip.GzipFile, *, most: int) -> int:
    """Refuse text that unpacks to more than ``most`` bytes; returns how many lines end in it."""
    read = lines = 0
    while chunk := file.read(_CHUNK):
        read += len(chunk)
        lines += chunk.count(b"\n")
        if read > most:
            raise ValueError(
                f"it holds more than {most / 2**20:,.0f} MB of text; write it as Parquet, or keep fewer rows"
            )
    return lines


def refuse_zstd(data: bytes, *, most: int) -> None:
    """Refuse zstd frames whose blocks can hold more than ``most`` bytes (a block holds at most 128 KB)."""
    place = unpacked = 0
    while place + 8 < len(data):
        magic = int.from_bytes(data[place : place + 4], "little")
        if 0x184D2A50 <= magic <= 0x184D2A5F:  # a frame that decoders skip
            place += 8 + int.from_bytes(data[place + 4 : place + 8], "little")
            continue
        if data[place : place + 4] != ZSTD:
            return  # the decoder says what is wrong
        flags = data[place + 4]
        single = bool(flags & 32)
        place += 5 + (not single) + (0, 1, 2, 4)[flags & 3] + (int(single), 2, 4, 8)[flags >> 6]
        last = False
        while not last and place + 3 <= len(data):
            block = int.from_bytes(data[place : place + 3], "little")
            last, kind, size = bool(block & 1), (block >> 1) & 3, block >> 3
            unpacked += size if kind < 2 else _BLOCK
            place += 3 + (1 if kind == 1 else size)
            if unpacked > most + _BLOCK:
                raise ValueError(
                    f"it unpacks to more than {most / 2**20:,.0f} MB; write it as Parquet, or keep fewer rows"
                )
        place += 4 * bool(flags & 4)


def refuse_shape(rows: int, columns: int) -> None:
    """Refuse more columns or cells than a table of runs has."""
    if columns > MAX_COLUMNS:
        raise ValueError(
            f"it has {columns:,} columns, and at most {MAX_COLUMNS:,} are read; keep those that are needed"
        )
    if rows * columns > MAX_CELLS:
        raise ValueError(
            f"it has {rows:,} rows of {columns:,} columns, and at most {MAX_CELLS:,} cells are read; keep the rows and "
            "columns that are needed"
        )


def refuse_json(file: IO[bytes] | gzip.GzipFile) -> int:
    """Refuse JSON that is too long, too deep, or has too many keys for its lines; returns the number of lines."""
    read = lines = nested = 0
    keys: set[bytes] = set()
    while line := file.readline(MAX_LINE + 1):
        read += len(line)
        lines += 1
        if len(line) > MAX_LINE:
            raise ValueError(f"line {lines} holds more than {MAX_LINE / 2**20:,.0f} MB; write one flat object a run")
        if read > MAX_JSON:
            raise ValueError(
                f"it holds more than {MAX_JSON / 2**20:,.0f} MB of JSON; write it as Parquet, or keep fewer rows"
            )
        brackets = line.count(b"[") + line.count(b"{")
        if brackets > MAX_DEPTH:
            _refuse_deep(line, lines)
        nested += brackets - 1 if brackets else 0
        if nested > MAX_NESTED:
            raise ValueError(f"it holds more than {MAX_NESTED:,} lists and objects within objects; write flat ones")
        keys.update(_KEY.findall(line))
        if len(keys) > MAX_COLUMNS or len(keys) * lines > MAX_CELLS:
            refuse_shape(lines, len(keys))
    return lines


def depth(text: bytes) -> int:
    """How deep the brackets of a JSON text nest."""
    marks = np.frombuffer(_STRING.sub(b"", text), dtype=np.uint8)
    opened = (marks == ord("[")) | (marks == ord("{"))
    closed = (marks == ord("]")) | (marks == ord("}"))
    return int(np.cumsum(opened.astype(np.int32) - closed.astype(np.int32)).max(initial=0))


def _refuse_deep(line: bytes, number: int) -> None:
    if depth(line) > MAX_DEPTH:
        raise ValueError(f"line {number} nests more than {MAX_DEPTH} levels deep; write one flat object a run")
