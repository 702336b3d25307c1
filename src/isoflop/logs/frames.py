"""Files of tables as frames: CSV, TSV, JSON Lines, Parquet, and every table of a SQLite or DuckDB database."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.errors import MissingExtraError
from isoflop.logs import sqlite
from isoflop.logs.hashed_file import Digest, Lines
from isoflop.logs.logged import LogError
from isoflop.runs.bounds import GZIP, ZSTD, refuse_file, refuse_text, refuse_zstd
from isoflop.runs.parquet_files import read_parquet

ADDRESSES: Final = ("s3://", "gs://", "gcs://", "az://", "abfss://", "hf://", "http://", "https://")
TEXT: Final = (".csv", ".tsv")
LINES: Final = (".jsonl", ".ndjson", ".json")
COLUMNAR: Final = (".parquet", ".pq")
DATABASE: Final = (".db", ".sqlite", ".sqlite3", ".duckdb", ".ddb")
_PACKED: Final = (".gz", ".zst")
_LONGEST: Final = 1 << 20  # bytes of a line
_MOST_TEXT: Final = 2**28  # bytes of a packed table of text, once unpacked
_MISSING: Final = ["", "NA", "N/A", "null", "None", "-"]


def kind_of(name: str) -> str:
    """The ending that says the format, without that of a compression."""
    ends = [suffix.lower() for suffix in Path(name).suffixes]
    ends = [suffix for suffix in ends if suffix not in _PACKED]
    return ends[-1] if ends else ""


def load(where: str | bytes, kind: str) -> pl.DataFrame:
    """The table at a path or an address, or in bytes; kind is its ending, without that of its compression."""
    local = isinstance(where, str) and not where.startswith(ADDRESSES)
    if kind in COLUMNAR:
        return read_parquet(where) if local else pl.scan_parquet(where, hive_partitioning=False).collect()  # type: ignore[arg-type]
    if kind in LINES:
        return pl.read_ndjson(where, infer_schema_length=None, ignore_errors=True)
    if local:
        _refuse_long(Path(where))  # type: ignore[arg-type]
    separator = "\t" if kind == ".tsv" else _separator(where)
    read: Callable[..., pl.DataFrame] = pl.read_csv
    try:
        frame = read(
            where, separator=separator, null_values=_MISSING, infer_schema_length=10_000, encoding="utf8-lossy"
        )
        return pl.DataFrame([numbers_of(series) for series in frame])
    except pl.exceptions.ComputeError:  # words among numbers further down, or rows of unequal length
        frame = read(where, separator=separator, infer_schema=False, encoding="utf8-lossy", truncate_ragged_lines=True)
        return pl.DataFrame([_as_numbers(series) for series in frame])


def _refuse_long(path: Path) -> None:
    """Refuse text that takes more than is held at once, packed or not."""
    refuse_file(path)
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(GZIP):
            # what is cut short is read as far as it goes, and told of there
            with contextlib.suppress(EOFError, OSError, zlib.error), gzip.open(file) as unpacked:
                refuse_text(unpacked, most=_MOST_TEXT)
        elif magic == ZSTD:
            refuse_zstd(file.read(), most=_MOST_TEXT)


def written_before(path: Path) -> tuple[bytes, str]:
    """The whole lines of a gzip file of text that is cut short or damaged, and what is wrong with it; "" if nothing."""
    with Digest().file(path) as file:
        lines = Lines(file, longest=_LONGEST)
        text = list(lines)
    whole = text[:-1] if lines.cut_short else text
    return "\n".join(whole).encode(), lines.cut_short


def _separator(where: str | bytes) -> str:
    if isinstance(where, bytes) or where.startswith(ADDRESSES) or where.endswith(_PACKED):
        return ","
    with Path(where).open("rb") as file:
        first = file.readline(65_536)
    return max(b",;\t|".decode(), key=lambda mark: first.count(mark.encode()))


def _as_numbers(series: pl.Series) -> pl.Series:
    """The column as numbers if some cell is one and no more than every tenth is a word; else as it is."""
    numbers = series.str.strip_chars().cast(pl.Float64, strict=False)
    filled = series.len() - series.null_count()
    return numbers if filled and numbers.count() >= 0.9 * filled else series


def numbers_of(series: pl.Series) -> pl.Series:
    """A column of texts as numbers if every filled cell is one; ``nan`` and ``inf`` are numbers, and not alone."""
    if series.dtype != pl.String:
        return series
    numbers = series.str.strip_chars().cast(pl.Float64, strict=False)
    whole = numbers.null_count() == series.null_count()
    return numbers if whole and numbers.is_finite().any() else series


def sqlite_frames(path: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each table of a SQLite file under its name."""
    with sqlite.opened(path) as connection:
        for table in sqlite.tables(connection):
            names = sqlite.columns(connection, table)
            quoted = table.replace('"', '""')
            rows = connection.execute(f'SELECT * FROM "{quoted}"').fetchall()
            yield table, pl.DataFrame([_cells(name, [row[at] for row in rows]) for at, name in enumerate(names)])


def _cells(name: str, values: list[Any]) -> pl.Series:
    """A column of SQLite, whose cells have types of their own: numbers where all are, else texts."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def duck_frames(path: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each table of a DuckDB file under its name; needs the package duckdb, and reads nothing but the file."""
    try:
        import duckdb
    except ImportError:
        raise MissingExtraError(
            f"{path.name} is a DuckDB file, which the package duckdb reads; pip install duckdb"
        ) from None
    try:
        with duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"}) as connection:
            for (table,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall():
                quoted = str(table).replace('"', '""')
                answer = connection.execute(f'SELECT * FROM "{quoted}"')
                names = [column[0] for column in answer.description]
                columns = answer.fetchnumpy()
                yield str(table), pl.DataFrame([_cells(name, _listed(columns[name])) for name in names])
    except duckdb.Error as error:
        raise LogError(f"{path.name} cannot be read as DuckDB ({str(error).splitlines()[0][:200]})") from None


def _listed(values: Any) -> list[Any]:  # noqa: ANN401  (a NumPy array, masked where cells are empty)
    return values.tolist()
