"""Bytes of a file that may grow or shrink while it is read: the size is taken once, and all that is read is hashed."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Self

from isoflop.findings import Finding

_PIECE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


class HashedFile:
    """A file up to the size that it had when it was opened; ``digest`` is of the bytes up to there."""

    def __init__(self, file: IO[bytes], state: Any) -> None:  # noqa: ANN401  (the hash object has no public type)
        self._file, self._state = file, state
        self.left = os.fstat(file.fileno()).st_size

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes; fewer at the end, or where the file was cut while it was read."""
        data = self._file.read(min(count, self.left))
        self.left = self.left - len(data) if data else 0
        self._state.update(data)
        return data

    def drain(self) -> None:
        """Hash what is left."""
        while self.read(_PIECE):
            pass


class Digest:
    """SHA-256 over files in the order in which they are read."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()

    @contextmanager
    def file(self, path: Path) -> Iterator[HashedFile]:
        """The file's bytes; all of them are in the digest afterwards, read or not."""
        with path.open("rb") as opened:
            file = HashedFile(opened, self._state)
            yield file
            file.drain()

    def whole(self, path: Path) -> bytes:
        """The file at once."""
        with self.file(path) as file:
            return file.read(file.left)

    def update(self, data: bytes) -> Self:
        """Bytes that come from elsewhere, such as the rows of one run in a database."""
        self._state.update(data)
        return self

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        return self._state.hexdigest()


class Lines:
    """The lines of a text file, unpacked where it is gzip; ``cut_short`` says that it ended in the midst.

    A line longer than ``longest`` bytes is cut there, so that neither memory nor a pattern's time can run away.
    """

    def __init__(self, file: HashedFile, *, longest: int) -> None:
        self._file, self._longest = file, longest
        self.cut_short = ""

    def __iter__(self) -> Iterator[str]:
        pending, skipping = b"", False
        for piece in self._pieces():
            start = 0
            while (end := piece.find(b"\n", start)) >= 0:
                if not skipping:
                    line = pending + piece[start:end] if pending else piece[start:end]
                    yield line[: self._longest].decode("utf-8", errors="replace")
                pending, skipping, start = b"", False, end + 1
            if not skipping:
                pending += piece[start:]
                if len(pending) > self._longest:
                    yield pending[: self._longest].decode("utf-8", errors="replace")
                    pending, skipping = b"", True
        if pending:
            yield pending.decode("utf-8", errors="replace")

    def _pieces(self) -> Iterator[bytes]:
        first = self._file.read(_PIECE)
        if not first.startswith(_GZIP):
            while first:
                yield first
                first = self._file.read(_PIECE)
            return
        unpacker = zlib.decompressobj(wbits=31)
        while first:
            try:
                unpacked = unpacker.decompress(first, _PIECE)
            except zlib.error:
                self.cut_short = "is damaged in its compressed bytes"
                return
            if unpacked:
                yield unpacked
            first = unpacker.unconsumed_tail
            if unpacker.eof:  # another member may follow, as after an append
                first = unpacker.unused_data.lstrip(b"\0") or self._file.read(_PIECE)
                if first:
                    unpacker = zlib.decompressobj(wbits=31)
            elif not first:
                first = self._file.read(_PIECE)
        if not unpacker.eof:
            self.cut_short = "ends within its compressed bytes"


class Batches(Lines):
    """The lines of a text file in batches; a carriage return ends a line too, as progress bars write it."""

    def __iter__(self) -> Iterator[list[str]]:  # type: ignore[override]
        pending, skipping = b"", False
        for piece in self._pieces():
            data = pending + piece.replace(b"\r", b"\n")
            cut = data.rfind(b"\n") + 1
            whole, pending = data[:cut], data[cut:]
            if skipping and whole:
                whole, skipping = whole[whole.index(b"\n") + 1 :], False
            if len(pending) > self._longest:
                if not skipping:
                    whole += pending[: self._longest] + b"\n"
                pending, skipping = b"", True
            if whole:
                yield self._split(whole)
        if pending and not skipping:
            yield self._split(pending)

    def _split(self, data: bytes) -> list[str]:
        lines = data.decode("utf-8", errors="replace").split("\n")
        if len(data) > self._longest:
            lines = [line if len(line) <= self._longest else line[: self._longest] for line in lines]
        return lines


def head_of(path: Path, count: int) -> bytes:
    """The first bytes of a file, unpacked where it is gzip."""
    with path.open("rb") as file:
        head = file.read(count)
    if head.startswith(_GZIP):
        try:
            return zlib.decompressobj(wbits=31).decompress(head, count)
        except zlib.error:
            return head
    return head


def cut_short(source: str, where: str) -> Finding:
    """The finding of a log whose end is missing."""
    return Finding(
        "cut-short",
        "note",
        f"{source} {where}; all that was written before was read.",
        "Nothing to do if the run was killed or still runs; else copy the file again.",
    )
