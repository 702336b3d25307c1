"""Read a table of runs: CSV, TSV, JSON, Markdown, Parquet, a store, or a pandas, Polars or Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.errors import DataError, excerpt
from isoflop.runs.checkpoints import group_checkpoints
from isoflop.runs.derive import derive_columns, derive_flops_or_tokens, named_columns, symbol_of
from isoflop.runs.files import load
from isoflop.runs.mapping import Cells, check_units, choose, own_numbers, refuse_text, rename, stated
from isoflop.runs.reduce import reduced
from isoflop.runs.table import ROW, Runs, with_rows
from isoflop.runs.where import selection
from isoflop.runs.wide import one_column_a_run
from isoflop.units import PARAM_CONVENTIONS
from isoflop.values import FrozenMapping

_WRITTEN: Final = "cells of "  # a column beside the numbers, with the cells as they were written


def read_runs(
    source: str | Path | Any,  # noqa: ANN401  (any frame that narwhals knows)
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    conventions: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | None = None,
    where: str | None = None,
    best: str | None = None,
    per: Sequence[str] = (),
    within: float = 0.0,
    frontier: str | None = None,
) -> Runs:
    """The runs in a file or frame, with headers mapped to canonical columns.

    Where tokens are absent but params and FLOPs are there, D = C/(6N); a finding says so.

    Parameters
    ----------
    source :
        Path of a CSV, TSV, JSON, JSON Lines, Markdown or Parquet file (text also gzipped), of a store (a folder that
        ``isoflop import`` or ``isoflop sweep`` wrote), or a pandas, Polars or Arrow table.
    columns :
        Canonical name → header, for example ``{"N": "Model Size"}``; wins over every guess. A scale in the header
        (``GFLOPs``, ``tokens_in_billions``) multiplies its numbers.
    units :
        ``{"loss": unit}`` with one of nats/token, bits/token, nats/byte, bits/byte, perplexity, error rate. A
        perplexity becomes its logarithm, in nats/token, and a finding says so. For a count its scale (``{"N":
        "millions"}``, ``{"C": "PF-days"}``, ``{"N": "1"}``), in place of the header's; for another column any text.
    conventions :
        ``{"N": "total" | "non-embedding" | "active"}``.
    derive :
        Columns computed from others, ``{"D": "steps * batch * context", "error": "1 - acc"}``; names are canonical ones
        (in whole counts) or the file's own headers (the numbers of the file).
    where :
        A selection such as ``tokens > 1e9 and family == 'pythia'``, applied before numbers are checked. Its names are
        those that ``derive`` knows, and the derived columns.
    best, per, within :
        One row of each setting; see :func:`isoflop.runs.reduce.best_rows`.
    frontier :
        A column such as C: the rows of the frontier; see :func:`isoflop.runs.reduce.frontier_of`.

    Returns
    -------
    Runs
        With counts in ones, losses in nats or in the unit given, and findings.

    Raises
    ------
    DataError
        No such file, an empty one, a missing column (the nearest are named), or text among numbers (with row numbers).
    FormulaError
        A selection or a derived column that cannot be read.

    Examples
    --------
    >>> import isoflop, polars
    >>> frame = polars.DataFrame({"params": [1e8, 1e9], "tokens": ["20B", "200B"], "val_loss": [3.1, 2.6]})
    >>> runs = isoflop.read_runs(frame)
    >>> runs["D"].tolist()
    [20000000000.0, 200000000000.0]
    """
    units = {symbol_of(name) if name.isidentifier() else name: unit for name, unit in (units or {}).items()}
    conventions, derive = dict(conventions or {}), dict(derive or {})
    check_units(units, conventions)
    raw, name, found = load(source)
    said = stated(raw, "N_convention", PARAM_CONVENTIONS)
    if said is not None:
        conventions.setdefault("N", said)
    columns, derive = _derived_where_named(dict(columns or {}), derive, raw.columns)
    raw, more = one_column_a_run(raw, named=set(columns.values()))
    cells = Cells(raw)
    matches, chosen = choose(cells, columns, units, name, derived={symbol_of(each) for each in derive})
    if derive:
        named = named_columns(derive, {})
        needed = set().union(*named.values())
        matches = {symbol: match for symbol, match in matches.items() if symbol not in named or symbol in needed}
    renamed = rename(cells, matches, units, conventions)
    frame, known = with_rows(renamed.frame), renamed.known
    unread = {symbol: words for symbol, words in renamed.unread.items() if symbol not in map(symbol_of, derive)}
    if derive:
        frame, known = derive_columns(
            frame, _own(raw, frame), known, derive, units=units, conventions=conventions, source=name
        )
    frame, known, derived = derive_flops_or_tokens(frame, known)
    # an empty line is no run, but it counts in the numbers of the rows below it
    frame = frame.filter(~raw.select(pl.all_horizontal(pl.all().is_null())).to_series())
    if frame.is_empty():
        raise DataError(f"{name} holds only empty rows; give a table with one row a run below a line of headers")
    frame, known, grouped = group_checkpoints(frame, known)
    if where is not None:
        frame = _selected(frame, raw, where, name)
        name = f"{name} where {where if len(where) <= 200 else where[:199] + '…'}"
    refuse_text(frame, matches, unread, name)
    runs = Runs(
        frame, FrozenMapping(known), name,
        findings=(*found, *more, *chosen, *renamed.findings, *derived, *grouped),
    )  # fmt: skip
    return reduced(runs, best=best, per=per, within=within, frontier=frontier)


def _own(raw: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """The file's columns that the frame has under another name, with the numbers of the file, (rows of the frame)."""
    rows = frame[ROW] - 1
    own = [own_numbers(raw[header]).values.alias(header) for header in raw.columns if header not in frame.columns]
    return pl.DataFrame([series.gather(rows) for series in own])


def _selected(frame: pl.DataFrame, raw: pl.DataFrame, where: str, name: str) -> pl.DataFrame:
    """The rows that the selection keeps; it may also name the headers that became canonical columns."""
    there = frame.with_columns(_own(raw, frame).get_columns())
    rows = frame[ROW] - 1
    quotes = "'" in where or '"' in where
    written = {
        header: raw[header].gather(rows).alias(_WRITTEN + header)
        for header in raw.columns
        if quotes and raw[header].dtype == pl.String and header in there.columns and there[header].dtype != pl.String
    }
    there = there.with_columns(written.values())
    kept = there.filter(selection(where, there.schema, texts={header: _WRITTEN + header for header in written}))
    kept = kept.select([pl.col(each) for each in frame.columns])
    if kept.is_empty():
        raise DataError(f"no run of {name} satisfies {excerpt(where, 120)}; loosen the selection")
    return kept


def _derived_where_named(
    columns: dict[str, str], derive: dict[str, str], headers: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """A symbol that is read from a derived column (``loss`` from ``nll``) is itself derived from it."""
    computed = {symbol: name for symbol, name in columns.items() if name in derive and name not in headers}
    rest = {symbol: name for symbol, name in columns.items() if symbol not in computed}
    return rest, derive | {symbol: name for symbol, name in computed.items() if symbol != name}
