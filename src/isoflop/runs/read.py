"""Read a table of runs: CSV, TSV, JSON Lines, Parquet, a store, or a pandas, Polars or Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.columns import Header, Match, canonical_symbol, header_of, match_headers, missing_column
from isoflop.runs.files import load
from isoflop.runs.table import ROW, Column, Runs, is_text, rows_phrase, with_rows
from isoflop.runs.where import selection
from isoflop.units import LOSS_UNITS, PARAM_CONVENTIONS, parse_quantity, training_flops
from isoflop.values import FrozenMapping

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

    source: path of a CSV, TSV, JSON Lines or Parquet file (also gzipped), of a store (a folder that ``isoflop import``
        or ``isoflop sweep`` wrote), or a pandas, Polars or Arrow table.
    columns: canonical name → header, for example ``{"N": "Model Size"}``; wins over every guess.
    units: ``{"loss": unit}`` with one of nats/token, bits/token, nats/byte, bits/byte, perplexity, error rate.
        A perplexity becomes its logarithm, in nats/token, and a finding says so.
    conventions: ``{"N": "total" | "non-embedding" | "active"}``.
    where: a selection such as ``tokens > 1e9 and family == 'pythia'``, applied before numbers are checked. Its names
        are canonical ones (in their units: whole counts, nats) or the file's own headers (the numbers in the file).

    Where tokens are absent but params and FLOPs are there, D = C/(6N); a finding says so.
    Raises DataError: no such file, empty, missing column (nearest names), text among numbers (row numbers).
    """
    units, conventions = dict(units or {}), dict(conventions or {})
    _check_units(units, conventions)
    raw, name, found = load(source)
    stated = _stated(raw, "N_convention", PARAM_CONVENTIONS)
    if stated is not None:
        conventions.setdefault("N", stated)
    matches = _choose(raw, columns or {}, name)
    frame, known, findings, unread = _rename(raw, matches, units, conventions)
    frame, known, more = _derive(frame, known)
    # an empty line is no run, but it counts in the numbers of the rows below it
    frame = with_rows(frame).filter(~raw.select(pl.all_horizontal(pl.all().is_null())).to_series())
    if frame.is_empty():
        raise DataError(f"{name} holds only empty rows; give a table with one row a run below a line of headers")
    if where is not None:
        frame = _selected(frame, raw, where, name)
        name = f"{name} where {where}"
    _refuse_text(frame, matches, unread, name)
    return Runs(frame, FrozenMapping(known), name, findings=(*found, *findings, *more))


def _selected(frame: pl.DataFrame, raw: pl.DataFrame, where: str, name: str) -> pl.DataFrame:
    """The rows that the selection keeps; it may also name the headers that became canonical columns."""
    own = [_own(raw[header]) for header in raw.columns if header not in frame.columns]
    there = frame.with_columns(series.gather(frame[ROW] - 1) for series in own)
    kept = there.filter(selection(where, there.schema)).select(frame.columns)
    if kept.is_empty():
        raise DataError(f"no run of {name} satisfies {where!r}; loosen the selection")
    return kept


def _check_units(units: Mapping[str, str], conventions: Mapping[str, str]) -> None:
    for name, unit in units.items():
        if name != "loss" or unit not in LOSS_UNITS:
            raise DataError(f"unit {name}={unit!r} is not known; write loss= one of {', '.join(LOSS_UNITS)}")
    for name, convention in conventions.items():
        if name != "N" or convention not in PARAM_CONVENTIONS:
            raise DataError(
                f"convention {name}={convention!r} is not known; write N= one of {', '.join(PARAM_CONVENTIONS)}"
            )


def _choose(raw: pl.DataFrame, explicit: Mapping[str, str], name: str) -> dict[str, Match]:
    """The header of every canonical column: what the user said first, then the known spellings."""
    for symbol, header in explicit.items():
        if header not in raw.columns:
            raise missing_column(header, raw.columns, source=name)
        if symbol == ROW or not symbol.isidentifier():
            raise DataError(f"a column cannot be named {symbol!r}; use a word such as N, D or width")
    by_symbol: dict[str, str] = {}
    for word, header in explicit.items():
        symbol = canonical_symbol(word) or word
        if by_symbol.setdefault(symbol, header) != header:
            raise DataError(f"{symbol} was named twice, {by_symbol[symbol]!r} and {header!r}; choose one")
    free = [header for header in raw.columns if header not in by_symbol.values()]
    guessed = match_headers(free, is_words=lambda header: _only_words(raw[header]))
    chosen = {symbol: match for symbol, match in guessed.items() if symbol not in by_symbol}
    if "N" not in chosen and "N" not in by_symbol and "N_nonembed" in chosen:
        chosen["N"] = Match("N", chosen.pop("N_nonembed").header)
    return chosen | {symbol: Match(symbol, header_of(symbol, header)) for symbol, header in by_symbol.items()}


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
                    "warning",
                    f"{symbol} was read from {header.text!r}, but {', '.join(map(repr, match.rivals))} fits as well.",
                    f"Say which with --column {symbol}={header.text!r}.",
                )
            )
    if "loss" in made:
        unit = units.get("loss") or _stated(raw, "loss_unit", LOSS_UNITS)
        made["loss"], known["loss"], found = _loss(made["loss"], matches["loss"].header, unit)
        findings += found
    for header_text in raw.columns:
        if header_text not in used:
            own = header_text if header_text != ROW and header_text not in made else f"{header_text} (file)"
            made[own] = _own(raw[header_text]).alias(own)
    return pl.DataFrame(list(made.values())), known, findings, unread


def _own(series: pl.Series) -> pl.Series:
    """A column that keeps its header: numbers if every cell is one, else what it was."""
    if series.dtype != pl.String:
        return series
    numbers = _numbers(series)
    return series if numbers.null_count() > int(_missing(series).sum()) else numbers


def _numbers(series: pl.Series) -> pl.Series:
    """The series as numbers; what is no number becomes null. Reads ``70B`` and ``1,000`` too."""
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
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


def _stated(raw: pl.DataFrame, header: str, words: Sequence[str]) -> str | None:
    """What a column such as ``loss_unit`` states, where it states one and the same known word in every row."""
    if header not in raw.columns:
        return None
    stated = raw[header].drop_nulls().unique().to_list()
    return stated[0] if len(stated) == 1 and stated[0] in words else None


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
    # a text column that happens to be named N is not known as N
    if {"N", "C"} <= set(known) and "D" not in frame.columns:
        frame = frame.with_columns((pl.col("C") / (6 * pl.col("N"))).alias("D"))
        known = known | {"D": Column("D", "", derived="C/(6N)")}
        found = Finding(
            "tokens-from-flops",
            "note",
            "the table has no tokens, so D = C/(6N) was used; attention and embedding FLOPs then count as tokens.",
            "Give the tokens as a column if you have them (--column D=NAME).",
        )
        return frame, known, [found]
    if {"N", "D"} <= set(known) and "C" not in frame.columns:
        frame = frame.with_columns((training_flops(pl.col("N"), pl.col("D"))).alias("C"))
        known = known | {"C": Column("C", "", derived="6ND")}
    return frame, known, []
