"""Read a table of runs: CSV, TSV, JSON Lines, Parquet, or a pandas, Polars or Arrow table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.columns import BY_SYMBOL, Header, Match, match_headers, missing_column, read_header
from isoflop.runs.table import ROW, Column, Runs, is_text, rows_phrase, with_rows
from isoflop.runs.where import selection
from isoflop.units import LOSS_UNITS, PARAM_CONVENTIONS, parse_quantity

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
_MISSING = ("", "na", "n/a", "nan", "null", "none", "-")


def read_runs(
    source: str | Path | Any,  # noqa: ANN401  (any frame that narwhals knows)
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    conventions: Mapping[str, str] | None = None,
    where: str | None = None,
) -> Runs:
    """The runs in a file or frame, with headers mapped to canonical columns.

    source: path of a CSV, TSV, JSON Lines or Parquet file (also gzipped), or a pandas, Polars or Arrow table.
    columns: canonical name → header, for example ``{"N": "Model Size"}``; wins over every guess.
    units: ``{"loss": unit}`` with one of nats/token, bits/token, nats/byte, bits/byte, perplexity, error rate.
        A perplexity becomes its logarithm, in nats/token, and a finding says so.
    conventions: ``{"N": "total" | "non-embedding" | "active"}``.
    where: a selection such as ``tokens > 1e9 and family == 'pythia'``, applied before numbers are checked.

    Where tokens are absent but params and FLOPs are there, D = C/(6N); a finding says so.
    Raises DataError: no such file, empty, missing column (nearest names), text among numbers (row numbers).
    """
    units, conventions = dict(units or {}), dict(conventions or {})
    _check_units(units, conventions)
    raw, name = _load(source)
    matches = _choose(raw, columns or {}, name)
    frame, known, findings, unread = _rename(raw, matches, units, conventions)
    frame = with_rows(frame)
    if where is not None:
        frame = frame.filter(selection(where, frame.schema))
        if frame.is_empty():
            raise DataError(f"no run of {name} satisfies {where!r}; loosen the selection")
        name = f"{name} where {where}"
    _refuse_text(frame, matches, unread, name)
    frame, known, more = _derive(frame, known)
    return Runs(frame, MappingProxyType(known), name, findings=(*findings, *more))


def _check_units(units: Mapping[str, str], conventions: Mapping[str, str]) -> None:
    for name, unit in units.items():
        if name != "loss" or unit not in LOSS_UNITS:
            raise DataError(f"unit {name}={unit!r} is not known; write loss= one of {', '.join(LOSS_UNITS)}")
    for name, convention in conventions.items():
        if name != "N" or convention not in PARAM_CONVENTIONS:
            raise DataError(
                f"convention {name}={convention!r} is not known; write N= one of {', '.join(PARAM_CONVENTIONS)}"
            )


def _load(source: Any) -> tuple[pl.DataFrame, str]:  # noqa: ANN401
    if isinstance(source, pl.DataFrame):
        frame, name = source, "the Polars frame"
    elif isinstance(source, str | Path):
        frame, name = _load_file(Path(source))
    else:
        frame, name = _load_foreign(source)
    if frame.is_empty() or not frame.columns:
        raise DataError(f"{name} holds no rows; give a table with one row a run below a line of headers")
    return frame, name


def _load_file(path: Path) -> tuple[pl.DataFrame, str]:
    name = path.name
    if not path.exists():
        raise DataError(f"there is no file {str(path)!r}; check the path")
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder; name a CSV, TSV, JSON Lines or Parquet file in it")
    if path.stat().st_size == 0:
        raise DataError(f"{name} is empty; give a table with one row a run below a line of headers")
    endings = [ending for ending in path.suffixes[-2:] if ending.lower() not in _COMPRESSED]
    kind = _READERS.get(endings[-1].lower() if endings else "")
    if kind is None:
        raise DataError(f"{name} has no ending that isoflop reads; use one of {', '.join(_READERS)} (also .gz)")
    try:
        match kind:
            case "parquet":
                return pl.read_parquet(path, hive_partitioning=False), name
            case "jsonl":
                return pl.read_ndjson(path, infer_schema_length=None), name
            case _:
                return _read_delimited(path, tab=kind == "tsv"), name
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError(f"{name} cannot be read as {kind.upper()}: {reason}") from None


def _read_delimited(path: Path, *, tab: bool) -> pl.DataFrame:
    """Every cell as text, so that a stray word is reported with its row instead of turning a column into words."""
    if path.suffix.lower() not in _COMPRESSED:
        with path.open("rb") as file:
            head = file.read(65_536)
        if b"\0" in head:
            raise ValueError("it holds binary data, not text")
        first = head.split(b"\n", 1)[0]
    else:
        first = b","
    separator = "\t" if tab else next((mark for mark in (",", "\t", ";") if mark.encode() in first), ",")
    return pl.read_csv(path, separator=separator, infer_schema=False, encoding="utf8-lossy")


def _load_foreign(source: Any) -> tuple[pl.DataFrame, str]:  # noqa: ANN401
    import narwhals as nw

    try:
        table = nw.from_native(source, eager_only=True)
    except TypeError:
        raise DataError(
            f"a {type(source).__name__} is no table of runs; give a path or a pandas, Polars or Arrow table"
        ) from None
    # column by column, because a whole-frame conversion from pandas would need pyarrow
    series = {
        str(name): pl.Series(table[name].to_numpy() if table[name].dtype.is_numeric() else table[name].to_list())
        for name in table.columns
    }
    return pl.DataFrame(series), f"the {type(source).__name__}"


def _choose(raw: pl.DataFrame, explicit: Mapping[str, str], name: str) -> dict[str, Match]:
    """The header of every canonical column: what the user said first, then the known spellings."""
    for symbol, header in explicit.items():
        if header not in raw.columns:
            raise missing_column(header, raw.columns, source=name)
        if symbol == ROW or not symbol.isidentifier():
            raise DataError(f"a column cannot be named {symbol!r}; use a word such as N, D or width")
    by_symbol = {
        next((m.symbol for m in BY_SYMBOL.values() if symbol in (m.symbol, m.word)), symbol): header
        for symbol, header in explicit.items()
    }
    free = [header for header in raw.columns if header not in by_symbol.values()]
    guessed = match_headers(free, words={header for header in free if _only_words(raw[header])})
    chosen = {symbol: match for symbol, match in guessed.items() if symbol not in by_symbol}
    if "N" not in chosen and "N" not in by_symbol and "N_nonembed" in chosen:
        chosen["N"] = Match("N", chosen.pop("N_nonembed").header)
    return chosen | {symbol: Match(symbol, read_header(header)) for symbol, header in by_symbol.items()}


def _rename(
    raw: pl.DataFrame, matches: dict[str, Match], units: dict[str, str], conventions: dict[str, str]
) -> tuple[pl.DataFrame, dict[str, Column], list[Finding], dict[str, pl.Series]]:
    """The frame under canonical names with numbers read, what is known of its columns, findings, and unread text."""
    findings: list[Finding] = []
    unread: dict[str, pl.Series] = {}
    known: dict[str, Column] = {}
    made: dict[str, pl.Series] = {}
    used: set[str] = set()
    for symbol, match in matches.items():
        header = match.header
        series = raw[header.text]
        if not is_text(symbol):
            numbers = _numbers(series)
            odd = numbers.is_null() & ~_missing(series)
            if odd.any():
                unread[symbol] = pl.select(pl.when(odd).then(series.cast(pl.String))).to_series()
            series = numbers * header.scale if header.scale != 1 else numbers
        used.add(header.text)
        made[symbol] = series.alias(symbol)
        known[symbol] = Column(symbol, header.text, convention=_convention(symbol, header, conventions))
        if header.scale != 1:
            findings.append(
                Finding(
                    "header-scale",
                    "note",
                    f"{symbol} is {header.text!r} times {header.scale:g}, as the header says.",
                    "If the numbers are already whole counts, rename the header.",
                )
            )
        if match.rivals:
            findings.append(
                Finding(
                    "column-rivals",
                    "doubt",
                    f"{symbol} was read from {header.text!r}, but {', '.join(map(repr, match.rivals))} fits as well.",
                    f"Say which with --column {symbol}={header.text!r}.",
                )
            )
    if "loss" in made:
        unit = units.get("loss") or _stated_unit(raw)
        made["loss"], known["loss"], found = _loss(made["loss"], matches["loss"].header, unit)
        findings += found
    for header_text in raw.columns:
        if header_text not in used:
            own = header_text if header_text != ROW and header_text not in made else f"{header_text} (file)"
            series = raw[header_text]
            numbers = _numbers(series) if series.dtype == pl.String else series
            whole = series.dtype == pl.String and (numbers.null_count() > int(_missing(series).sum()))
            made[own] = (series if whole else numbers).alias(own)
    return pl.DataFrame(list(made.values())), known, findings, unread


def _numbers(series: pl.Series) -> pl.Series:
    """The series as numbers; what is no number becomes null. Reads ``70B`` and ``1,000`` too."""
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return series.cast(pl.Float64)
    if series.dtype != pl.String:
        return pl.Series(series.name, [None] * series.len(), dtype=pl.Float64)
    text = series.str.strip_chars()
    numbers = text.cast(pl.Float64, strict=False)
    rest = text.filter(numbers.is_null() & ~_missing(series)).unique()
    spelled: dict[str, float] = {}
    for word in rest:
        try:
            spelled[word] = parse_quantity(word)
        except ValueError:
            continue
    if spelled:
        numbers = numbers.fill_null(text.replace_strict(spelled, default=None, return_dtype=pl.Float64))
    return numbers.alias(series.name)


def _missing(series: pl.Series) -> pl.Series:
    if series.dtype != pl.String:
        return series.is_null()
    return series.is_null() | series.str.strip_chars().str.to_lowercase().is_in(_MISSING)


def _only_words(series: pl.Series) -> bool:
    """Whether the column has entries but not one number, so that only its header looks like a number column's."""
    return not _missing(series).all() and _numbers(series).null_count() == series.len()


def _convention(symbol: str, header: Header, conventions: Mapping[str, str]) -> str | None:
    if symbol != "N":
        return {"N_nonembed": "non-embedding", "N_active": "active"}.get(symbol)
    if "N" in conventions:
        return conventions["N"]
    spelled = header.text.lower()
    if any(word in spelled for word in ("non-emb", "nonemb", "non_emb", "no_emb", "no-emb")):
        return "non-embedding"
    return "total" if "total" in spelled else None


def _stated_unit(raw: pl.DataFrame) -> str | None:
    """The unit that a ``loss_unit`` column states, where it states one and the same in every row."""
    if "loss_unit" not in raw.columns:
        return None
    stated = raw["loss_unit"].drop_nulls().unique().to_list()
    return stated[0] if len(stated) == 1 and stated[0] in LOSS_UNITS else None


def _loss(series: pl.Series, header: Header, unit: str | None) -> tuple[pl.Series, Column, list[Finding]]:
    unit = unit or header.unit or "nats/token"
    column = Column("loss", header.text, unit=unit)
    if unit != "perplexity":
        return series, column, []
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(series.fill_null(float("nan")).to_numpy())
    finding = Finding(
        "perplexity-to-nats",
        "note",
        f"the loss is the logarithm of {header.text!r}, since scaling laws hold for nats and not for perplexity.",
        "Nothing to do, unless the column is not a perplexity: then give --unit loss=nats/token.",
    )
    column = Column("loss", header.text, unit="nats/token", derived=f"log({header.text})")
    return pl.Series("loss", logs), column, [finding]


def _refuse_text(frame: pl.DataFrame, matches: Mapping[str, Match], unread: Mapping[str, pl.Series], name: str) -> None:
    """Text among the numbers of the rows that are left: an error that names the rows."""
    for symbol, words in unread.items():
        kept = frame[ROW].to_numpy() - 1
        left = words[kept]
        bad = frame[ROW].filter(left.is_not_null()).to_list()
        if bad:
            example = left.drop_nulls()[0]
            header = matches[symbol].header.text
            raise DataError(
                f"column {header!r} of {name} holds text where numbers are needed: {example!r} ({rows_phrase(bad)}); "
                f'mend the cells, or drop the rows with --where "finite({symbol})"'
            )


def _derive(frame: pl.DataFrame, known: dict[str, Column]) -> tuple[pl.DataFrame, dict[str, Column], list[Finding]]:
    """D = C/(6N) or C = 6ND where exactly one of the two is absent."""
    present = set(frame.columns)
    if {"N", "C"} <= present and "D" not in present:
        frame = frame.with_columns((pl.col("C") / (6 * pl.col("N"))).alias("D"))
        known = known | {"D": Column("D", "", derived="C/(6N)")}
        found = Finding(
            "tokens-from-flops",
            "note",
            "the table has no tokens, so D = C/(6N) was used; attention and embedding FLOPs then count as tokens.",
            "Give the tokens as a column if you have them (--column D=NAME).",
        )
        return frame, known, [found]
    if {"N", "D"} <= present and "C" not in present:
        frame = frame.with_columns((6 * pl.col("N") * pl.col("D")).alias("C"))
        known = known | {"C": Column("C", "", derived="6ND")}
    return frame, known, []
