"""Files and foreign frames as raw Polars frames; cells of text files stay text, so that each is named by its row."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.store import is_store, open_store, store_findings

_READERS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSED = {".gz", ".zst"}
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_HEAD = 65_536
_MARKS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_DECIMAL_COMMA = r"^\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*$"

Raw = tuple[pl.DataFrame, str, list[Finding]]


def load(source: str | Path | Any) -> Raw:  # noqa: ANN401  (any frame that narwhals knows)
    """The raw frame of a path or a table, its name for messages, and what reading it raised."""
    if isinstance(source, str | Path):
        frame, name, found = _load_file(source)
    else:
        frame, name = (source, "the Polars frame") if isinstance(source, pl.DataFrame) else _load_foreign(source)
        found = []
    if frame.is_empty() or not frame.columns:
        raise DataError(f"{name} holds no rows; give a table with one row a run below a line of headers")
    return frame, name, found


def _load_file(source: str | Path) -> Raw:
    path = Path(source)
    name = path.name
    if "://" in str(source):
        raise DataError(f"{str(source)!r} is an address on the web; download the table and give its path")
    try:
        str(path).encode()
        if not path.exists():
            raise DataError(f"there is no file {str(path)!r}; check the path")
    except UnicodeEncodeError:
        raise DataError(f"the name of {str(path)!r} is not UTF-8; rename the file") from None
    except OSError as error:
        raise DataError(f"{str(path)[:60]!r} cannot be opened ({error.strerror}); check the path") from None
    if is_store(path):
        store = open_store(path)
        return store.runs, name or str(path), store_findings(store)
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder; name a CSV, TSV, JSON Lines or Parquet file in it")
    if path.stat().st_size == 0:
        raise DataError(f"{name} is empty; give a table with one row a run below a line of headers")
    endings = [ending.lower() for ending in path.suffixes[-2:] if ending.lower() not in _COMPRESSED]
    kind = _READERS.get(endings[-1] if endings else "")
    if kind is None:
        raise DataError(f"{name} has no ending that isoflop reads; use one of {', '.join(_READERS)} (also .gz)")
    try:
        match kind:
            case "parquet":
                return pl.read_parquet(path, hive_partitioning=False, glob=False), name, []
            case "jsonl":
                return _read_json_lines(path), name, []
        frame, found = _read_delimited(path, tab=kind == "tsv")
    except pl.exceptions.PanicException:  # derives from BaseException; its words are about Polars' own code
        raise DataError(
            f"{name} cannot be read as {kind.upper()}: its bytes are damaged; copy the file anew, or write it again"
        ) from None
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error, UnicodeDecodeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{name} cannot be read as {kind.upper()}: {reason}; mend the file, or write it again"
        ) from None
    return frame, name, found


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The bytes of the file, unpacked where it is gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if packed:
            with gzip.open(file) as unpacked:
                yield unpacked
        else:
            yield file


def _read_delimited(path: Path, *, tab: bool) -> tuple[pl.DataFrame, list[Finding]]:
    """Every cell as text, so that a stray word is reported with its row instead of turning a column into words."""
    with _opened(path) as file:
        head = file.read(_HEAD)
    packed = head.startswith(_ZSTD)  # Polars unpacks it; its separator is the ending's
    mark = "\t" if tab else ","
    if not packed:
        _refuse_binary(head)
        mark = _separator(head, mark)
    try:
        frame = pl.read_csv(path, separator=mark, infer_schema=False, encoding="utf8-lossy", glob=False)
    except pl.exceptions.ComputeError:
        if not packed:
            _refuse_ragged(path, mark)
        raise
    return _decimal_commas(frame) if mark == ";" else (frame, [])


def _refuse_binary(head: bytes) -> None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("it is text in UTF-16, and only UTF-8 is read")
    unread = head.decode("utf-8", errors="replace").count("\ufffd")
    if b"\0" in head or unread > len(head) / 10:
        raise ValueError("it holds binary data, not text")
    if b"\r" in head and b"\n" not in head:
        raise ValueError("its lines end in bare carriage returns, not in line feeds")


def _separator(head: bytes, default: str) -> str:
    """The mark that stands most often in the line of headers, outside quotes."""
    lines = head.decode("utf-8", errors="replace").splitlines()
    first = re.sub(r'"[^"]*"', "", next((line for line in lines if line.strip()), ""))
    counts = {mark: first.count(mark) for mark in (default, *_MARKS)}
    most = max(counts, key=lambda mark: counts[mark])
    return most if counts[most] else default


def _refuse_ragged(path: Path, mark: str) -> None:
    """Name the first row with more cells than the header."""
    with _opened(path) as file:
        lines = (line.decode("utf-8", errors="replace") for line in file)
        rows = csv.reader(lines, delimiter=mark)
        header = next((row for row in rows if row), [])
        for number, row in enumerate(rows, 1):
            if len(row) > len(header):
                raise ValueError(
                    f"row {number} has {len(row)} cells and the header {len(header)} (a cell that holds a "
                    f"{_MARKS[mark]} needs quotes)"
                )


def _decimal_commas(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Columns of a file with semicolons whose numbers have a decimal comma, with a point in its place."""
    read: dict[str, pl.Series] = {}
    examples: list[str] = []
    for series in frame:
        cells = series.filter(series.str.contains(",", literal=True).fill_null(value=False))
        if len(cells) and cells.str.contains(_DECIMAL_COMMA).all():
            read[series.name] = series.str.replace(",", ".", literal=True)
            # 2,50 can only be a decimal comma; 2,500 could separate thousands
            examples += [cell.strip() for cell in cells.filter(~cells.str.contains(r",\d{3}\s*$"))[:1]]
    if not read:
        return frame, []
    found = Finding(
        "decimal-comma",
        "note" if examples else "warning",
        f"the comma in the numbers of {', '.join(map(repr, read))} was read as a decimal point, since semicolons "
        "separate the columns.",
        "If it separates thousands, write the numbers without it.",
    )
    return frame.with_columns(**read), [found]


def _read_json_lines(path: Path) -> pl.DataFrame:
    """One object a line; Polars reads them fast, and what it refuses (NaN, broken lines) is read line by line."""
    try:
        with path.open("rb") as file:  # by its name it would be a pattern: `runs[1].jsonl`
            return pl.read_ndjson(file, infer_schema_length=None)
    except pl.exceptions.PolarsError:
        pass
    records: list[dict[str, Any]] = []
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    record = None
                if not isinstance(record, dict):
                    raise ValueError(f"line {number} is no JSON object")
                records.append(record)
    names = dict.fromkeys(name for record in records for name in record)
    return pl.DataFrame([_json_series(name, [record.get(name) for record in records]) for name in names])


def _json_series(name: str, values: list[Any]) -> pl.Series:
    if all(value is None or type(value) in (int, float) for value in values):
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String)


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
