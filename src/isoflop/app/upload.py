"""A table that is sent to the page: streamed to disk, held within limits, and first read by a process of its own.

``python -m isoflop.app.upload FILE`` is that process: it prints ``{"refused": SENTENCE or null}``. A damaged file can
end whoever reads it: Polars panics, and where it believes a length of 10^18 bytes the process is aborted.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import polars as pl

from isoflop.errors import DataError
from isoflop.runs.files import load

MOST_UNPACKED = 1_000_000_000
MOST_ROWS = 2_000_000
MOST_CELLS = 100_000_000
_BLOCK = 1 << 20
_LONGEST = 120  # seconds


async def receive(chunks: AsyncIterator[bytes], place: Path) -> int:
    """Write the chunks to a file as they come; returns the number of bytes. The caller removes the file on failure."""
    written = 0
    with place.open("wb") as file:
        async for chunk in chunks:
            file.write(chunk)
            written += len(chunk)
    return written


def check(place: Path) -> None:
    """Refuse, as DataError, a file that is too large, no table, or so damaged that its reader does not survive it."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "isoflop.app.upload", str(place)], capture_output=True, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        raise DataError(
            f"{place.name} was not read in {_LONGEST} seconds; thin its checkpoints, or use the command line"
        ) from None
    if done.returncode != 0:
        raise DataError(
            f"{place.name} ends the program that reads it: its bytes are damaged, or it unpacks to more than memory "
            "holds; write it again"
        )
    refused = json.loads(done.stdout)["refused"]
    if refused is not None:
        raise DataError(refused)


def check_size(place: Path) -> None:
    """Refuse a table that would unpack to more than memory should hold: bytes of gzip, rows and cells of the rest."""
    name = place.name
    endings = [ending.lower() for ending in place.suffixes]
    if endings and endings[-1] == ".zst":
        raise DataError(f"{name} is packed with Zstandard, whose size is not known beforehand; send it as .gz")
    try:
        if any(ending in (".parquet", ".pq") for ending in endings):
            frame = pl.scan_parquet(place)
            rows = int(frame.select(pl.len()).collect().item())
            width = len(frame.collect_schema())
        else:
            rows, width = _lines(place)
    except pl.exceptions.PanicException:
        raise DataError(
            f"{name} cannot be read: its bytes are damaged; copy the file anew, or write it again"
        ) from None
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error) as error:
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise DataError(f"{name} cannot be read: {reason}; mend the file, or write it again") from None
    if rows > MOST_ROWS or rows * width > MOST_CELLS:
        raise DataError(
            f"{name} has {rows:,} rows of {width:,} columns; the page takes {MOST_ROWS:,} rows and "
            f"{MOST_CELLS:,} cells. Use the command line, or keep every tenth checkpoint."
        )


def _lines(place: Path) -> tuple[int, int]:
    """Lines of a text file, and the separators of its first line, unpacked as far as is allowed."""
    with place.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    lines, held, width = 0, 0, 1
    with gzip.open(place) if packed else place.open("rb") as file:
        while block := file.read(_BLOCK):
            if not held:
                first = block.split(b"\n", 1)[0]
                width = 1 + max(first.count(mark) for mark in (b",", b"\t", b";", b"|"))
            held += len(block)
            lines += block.count(b"\n")
            if held > MOST_UNPACKED:
                raise DataError(f"{place.name} unpacks to more than {MOST_UNPACKED:,} bytes; use the command line")
    return lines, width


def main() -> None:
    """Read the file that the command line names, and say why it is refused."""
    place = Path(sys.argv[1])
    refused = None
    try:
        check_size(place)
        load(place)
    except DataError as error:
        refused = str(error)
    sys.stdout.write(json.dumps({"refused": refused}))


if __name__ == "__main__":
    main()
