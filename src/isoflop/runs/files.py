"""Files and foreign frames as raw Polars frames; cells of text files stay text, so that each is named by its row."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.bounds import refuse_file
from isoflop.runs.delimited import read_delimited, read_markdown_file
from isoflop.runs.tidy import tidy
from isoflop.values import Value

READERS = {  # ending → how a table's file is read
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".md": "markdown",
    ".markdown": "markdown",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_INSTEAD = {
    ".pkl": "a pickle can run code when it is opened, so it is not read; write it with to_csv or to_parquet",
    ".pickle": "a pickle can run code when it is opened, so it is not read; write it with to_csv or to_parquet",
    ".xlsx": "a spreadsheet is not read; save its sheet as CSV",
    ".xls": "a spreadsheet is not read; save its sheet as CSV",
    ".ods": "a spreadsheet is not read; save its sheet as CSV",
    **dict.fromkeys(
        (".log", ".out", ".err", ".wandb"),
        "a log becomes a store of runs: isoflop import LOG -o store, then name store",
    ),
}
_COMPRESSED = {".gz", ".zst"}

Raw = tuple[pl.DataFrame, str, list[Finding]]


@dataclass(frozen=True)
class NamedFrame(Value):
    """A frame under the name by which messages speak of it."""

    frame: pl.DataFrame
    name: str


def load(source: str | Path | Any) -> Raw:  # noqa: ANN401  (any frame that narwhals knows)
    """The raw frame of a path or a table, its name for messages, and what reading it raised."""
    frame, name, found = load_nested(source)
    try:
        frame = tidy(frame)
    except ValueError as error:
        raise DataError(f"{name} cannot be read: {error}") from None
    if frame.is_empty() or not frame.columns:
        raise DataError(f"{name} holds no rows; give a table with one row a run below a line of headers")
    return frame, name, found


def load_nested(source: str | Path | Any) -> Raw:  # noqa: ANN401
    """As :func:`load`, with the lists and records of its cells as they are."""
    if isinstance(source, str | Path):
        return _load_file(source)
    if isinstance(source, NamedFrame):
        return source.frame, source.name, []
    return (source, "the Polars frame", []) if isinstance(source, pl.DataFrame) else (*_load_foreign(source), [])


def _load_file(source: str | Path) -> Raw:
    path = Path(source)
    name = path.name
    if "://" in str(source):
        raise DataError(f"{str(source)[:200]!r} is an address on the web; download the table and give its path")
    try:
        str(path).encode()
        if not path.exists():
            raise DataError(f"there is no file {str(path)!r}; check the path")
    except UnicodeEncodeError:
        raise DataError(f"the name of {str(path)!r} is not UTF-8; rename the file") from None
    except OSError as error:
        raise DataError(f"{str(path)[:60]!r} cannot be opened ({error.strerror}); check the path") from None
    if path.is_dir():
        from isoflop.runs.store import is_store, open_store, store_findings

        if is_store(path):
            store = open_store(path)
            return store.runs, name or str(path), store_findings(store)
        raise DataError(f"{str(path)!r} is a folder; name a CSV, TSV, JSON or Parquet file in it")
    refuse_file(path)
    if path.stat().st_size == 0:
        raise DataError(f"{name} is empty; give a table with one row a run below a line of headers")
    endings = [ending.lower() for ending in path.suffixes[-2:] if ending.lower() not in _COMPRESSED]
    kind = READERS.get(endings[-1] if endings else "")
    if kind is None:
        instead = _INSTEAD.get(endings[-1] if endings else "", "")
        raise DataError(
            f"{name[:200]} has no ending that isoflop reads; use one of {', '.join(READERS)} (also .gz)"
            f"{': ' * bool(instead)}{instead}"
        )
    try:
        match kind:
            case "parquet":
                from isoflop.runs.parquet_files import read_parquet

                return read_parquet(path), name, []
            case "jsonl":
                from isoflop.runs.json_tables import read_json_lines

                return read_json_lines(path), name, []
            case "json":
                from isoflop.runs.json_tables import read_json

                return read_json(path), name, []
            case "markdown":
                frame, found = read_markdown_file(path)
            case _:
                frame, found = read_delimited(path, tab=kind == "tsv")
    except pl.exceptions.PanicException:  # derives from BaseException; its words are about Polars' own code
        raise DataError(
            f"{name} cannot be read as {kind.upper()}: its bytes are damaged; copy the file anew, or write it again"
        ) from None
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{name} cannot be read as {kind.upper()}: {reason}; mend the file, or write it again"
        ) from None
    return frame, name, found


def _load_foreign(source: Any) -> tuple[pl.DataFrame, str]:  # noqa: ANN401
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    kind = type(source).__name__
    try:
        table = nw.from_native(source, eager_only=True)
    except TypeError:
        raise DataError(
            f"a value of type {kind} is no table of runs; give a path or a pandas, Polars or Arrow table"
        ) from None
    except DuplicateError:
        raise DataError(f"two columns of the {kind} have the same name; rename one") from None
    # column by column, because a whole-frame conversion from pandas would need pyarrow
    columns = {str(series.name): _foreign_series(series) for series in table.iter_columns()}
    return pl.DataFrame(columns), f"the {kind}"


def _foreign_series(series: Any) -> pl.Series:  # noqa: ANN401  (a narwhals series)
    if series.dtype.is_numeric():
        return pl.Series(series.to_numpy())
    values = [None if _is_missing(value) else value for value in series.to_list()]
    if all(value is None or isinstance(value, bool) for value in values):
        return pl.Series(values, dtype=pl.Boolean)
    return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)


def _is_missing(value: object) -> bool:
    """None, NaN, or pandas' NA and NaT, which can only be known by name where pandas is not installed."""
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )
