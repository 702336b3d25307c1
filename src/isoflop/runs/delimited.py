"""CSV and its kin: every cell as text, so that a stray word is reported with its row; decimal commas are told."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

import polars as pl

from isoflop.findings import Finding
from isoflop.runs.bounds import MAX_CELL, MAX_TEXT, ZSTD, opened, refuse_shape, refuse_text, refuse_zstd
from isoflop.runs.headers import words_of
from isoflop.runs.tidy import with_safe_headers

_HEAD: Final = 65_536
_MARKS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_DECIMAL = r"^\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*$"
_SURE = r"^\s*[+-]?(?:0\d*,\d+|\d+,(?:\d{1,2}|\d{4,})|\d{4,},\d+|\d+,\d+[eE].*)\s*$"
_LOSS_WORDS = frozenset(["loss", "nll", "ppl", "perplexity", "bpb", "entropy", "ce", "xent"])


def read_delimited(path: Path, *, tab: bool) -> tuple[pl.DataFrame, list[Finding]]:
    """The cells as text, and what was said of their decimal marks."""
    with opened(path) as file:
        head = file.read(_HEAD)
    packed = head.startswith(ZSTD)  # Polars unpacks it; its separator is the ending's
    mark = "\t" if tab else ","
    if packed:
        refuse_zstd(path.read_bytes(), most=MAX_TEXT)
    else:
        _refuse_binary(head)
        text = head.decode("utf-8", errors="replace")
        mark = _separator(text, mark)
        with opened(path) as file:
            lines = refuse_text(file, most=MAX_TEXT)
        refuse_shape(lines, _first_line(text).count(mark) + 1)
        if mark == "|":
            from isoflop.runs.markdown_tables import holds_markdown

            if holds_markdown(text):
                return read_markdown_file(path)
    try:
        frame = pl.read_csv(path, separator=mark, infer_schema=False, encoding="utf8-lossy", glob=False)
    except pl.exceptions.ComputeError:
        if not packed:
            _refuse_ragged(path, mark)
        raise
    frame = with_safe_headers(frame)
    _refuse_long(frame)
    if mark == "," and not packed and not _has_quotes(path):
        return frame, []  # no cell can hold a comma
    return _decimal_commas(frame, mark)


def _has_quotes(path: Path) -> bool:
    with opened(path) as file:
        return any(b'"' in chunk for chunk in iter(lambda: file.read(_HEAD), b""))


def read_markdown_file(path: Path) -> tuple[pl.DataFrame, list[Finding]]:
    """The longest table of a Markdown file."""
    from isoflop.runs.markdown_tables import read_markdown

    with opened(path) as file:
        refuse_text(file, most=MAX_TEXT // 8)
    with opened(path) as file:
        text = file.read()
    _refuse_binary(text[:_HEAD])
    frame, found = read_markdown(text.decode("utf-8-sig", errors="replace"))
    frame = with_safe_headers(frame)
    _refuse_long(frame)
    frame, more = _decimal_commas(frame, "|")
    return frame, [*found, *more]


def _refuse_binary(head: bytes) -> None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("it is text in UTF-16, and only UTF-8 is read")
    unread = head.decode("utf-8", errors="replace").count("\ufffd")
    if b"\0" in head or unread > len(head) / 10:
        raise ValueError("it holds binary data, not text")
    if b"\r" in head and b"\n" not in head:
        raise ValueError("its lines end in bare carriage returns, not in line feeds")
    if head.startswith(b"version https://git-lfs"):
        raise ValueError("it is a pointer of Git LFS and not the file itself; fetch it with git lfs pull")


def _first_line(text: str) -> str:
    return re.sub(r'"[^"]*"', "", next((line for line in text.splitlines() if line.strip()), ""))


def _separator(text: str, default: str) -> str:
    """The mark that stands most often in the line of headers, outside quotes."""
    first = _first_line(text)
    counts = {mark: first.count(mark) for mark in (default, *_MARKS)}
    most = max(counts, key=lambda mark: counts[mark])
    return most if counts[most] else default


def _refuse_ragged(path: Path, mark: str) -> None:
    """Name the first row with more cells than the header."""
    with opened(path) as file:
        lines = (line.decode("utf-8", errors="replace") for line in file)
        rows = csv.reader(lines, delimiter=mark)
        number = 0
        try:
            header = next((row for row in rows if row), [])
            for number, row in enumerate(rows, 1):
                if len(row) > len(header):
                    raise ValueError(
                        f"row {number} has {len(row)} cells and the header {len(header)} (a cell that holds a "
                        f"{_MARKS[mark]} needs quotes)"
                    )
        except csv.Error:
            raise ValueError(
                f"row {number + 1} has a cell of more than {MAX_CELL:,} letters; shorten it, or close its quotes"
            ) from None


def _refuse_long(frame: pl.DataFrame) -> None:
    """Refuse a cell that is a file of its own; the longest is told by its column and row."""
    if not frame.width:
        return
    lengths = frame.select(pl.all().str.len_bytes().max()).row(0)  # of all columns in one pass
    for name, longest in zip(frame.columns, lengths, strict=True):
        if isinstance(longest, int) and longest > MAX_CELL:
            series = frame[name]
            row = int(series.str.len_bytes().fill_null(0).arg_max() or 0) + 1
            raise ValueError(
                f"row {row} has a cell of {longest:,} letters in column {series.name[:60]!r}, and one holds at most "
                f"{MAX_CELL:,}; shorten it, or leave the column out"
            )


def _decimal_commas(frame: pl.DataFrame, mark: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Columns whose numbers have a decimal comma, with a point in its place.

    ``2,50`` and ``0,125`` can only be decimals, and most cells of a column must look so; ``7,707`` could be thousands.
    It is a decimal too in a file where another column is surely one, between semicolons, and of a loss, since no loss
    is 7,707.
    """
    sure: dict[str, pl.Series] = {}
    unsure: dict[str, pl.Series] = {}
    if not frame.width:
        return frame, []
    some = frame.select(pl.all().str.contains(",", literal=True).any()).row(0)
    for series in (each for each, comma in zip(frame.get_columns(), some, strict=True) if comma):
        cells = series.filter(series.str.contains(",", literal=True).fill_null(value=False))
        if not len(cells) or not cells.str.contains(_DECIMAL).all() or 2 * len(cells) <= _entries(series):
            continue
        if series.str.contains(r"\d\.\d").any():
            continue
        kind = sure if cells.str.contains(_SURE).any() else unsure
        kind[series.name] = series.str.replace(",", ".", literal=True)
    others = [name for name in unsure if sure or mark == ";" or _LOSS_WORDS & set(words_of(name))]
    read = sure | {name: unsure[name] for name in others}
    if not read:
        return frame, []
    reason = "since semicolons separate the columns" if mark == ";" else "since it can hardly separate thousands there"
    found = Finding(
        "decimal-comma",
        "note" if sure else "warning",
        f"the comma in the numbers of {', '.join(repr(name[:60]) for name in list(read)[:6])} was read as a decimal "
        f"point, {reason}.",
        "If it separates thousands, write the numbers without it.",
    )
    return frame.with_columns(**read), [found]


def _entries(series: pl.Series) -> int:
    return int((series.is_not_null() & (series.str.strip_chars() != "")).sum())
