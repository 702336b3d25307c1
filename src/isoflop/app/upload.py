"""A table that is sent to the page: streamed to disk, held within limits, and first read by a process of its own.

``python -m isoflop.app.upload FILE`` is that process: it prints ``{"refused": SENTENCE or null}``. A damaged file can
end whoever reads it: Polars panics, and where it believes a length of 10^18 bytes the process is aborted.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import polars as pl

from isoflop.errors import DataError, IsoflopError
from isoflop.runs import read_runs
from isoflop.runs.files import load

MOST_UNPACKED = 1_000_000_000
MOST_ROWS = 2_000_000
MOST_MEMORY = 1_000_000_000  # bytes that reading a table may take
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


def bound_memory(more: int) -> None:
    """Let this process take ``more`` bytes than it has now, and no more; without effect where there are no limits."""
    try:
        import resource

        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = now + more if most == resource.RLIM_INFINITY else min(now + more, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    except (ImportError, OSError, ValueError):  # another system: the bounds of rows, cells and bytes are left
        return


def main() -> None:
    """Read the file that the command line names, and say why it is refused."""
    place = Path(sys.argv[1])
    refused = None
    bound_memory(MOST_MEMORY)
    try:
        check_size(place)
        load(place)
        with contextlib.suppress(IsoflopError):  # of columns that have to be named first the page tells later
            read_runs(place)
    except DataError as error:
        refused = str(error)
    except MemoryError:
        refused = f"{place.name} takes more than {MOST_MEMORY:,} bytes of memory; use the command line"
    sys.stdout.write(json.dumps({"refused": refused}))


if __name__ == "__main__":
    main()
