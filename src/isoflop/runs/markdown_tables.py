"""Tables in Markdown: the longest of a file, its cells without emphasis, links and code marks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from isoflop.findings import Finding
from isoflop.patterns import pattern
from isoflop.runs.bounds import refuse_shape

_RULE = pattern(r"^\s*\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?)?\s*\|?\s*$")
_BAR = pattern(r"(?<!\\)\|")
_LINK = pattern(r"!?\[([^\]]*)\]\([^)]*\)")
_TAGS = pattern(r"<(?:br|sup|sub|b|i|em|strong)\s*/?>|</(?:sup|sub|b|i|em|strong)>", re.IGNORECASE)
_EMPHASIS = pattern(r"^(\*\*\*|\*\*|\*|___|__|~~|`+)(.+?)\1$")


@dataclass(frozen=True)
class _Found:
    line: int
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def holds_markdown(head: str) -> bool:
    """Whether a text begins with a Markdown table: a line of cells above a line of dashes."""
    lines = [line for line in head.splitlines()[:200] if line.strip()]
    return any(_BAR.search(above) and _RULE.match(below) for above, below in itertools.pairwise(lines))


def read_markdown(text: str) -> tuple[pl.DataFrame, list[Finding]]:
    """The longest table of the text, every cell as text; of several, the others are named in a note."""
    tables = _tables(text.splitlines())
    if not tables:
        raise ValueError("it holds no table (a line of headers between bars above a line of dashes)")
    best = max(tables, key=lambda table: (len(table.rows), -table.line))
    refuse_shape(len(best.rows), len(best.headers))
    names = _distinct(best.headers)
    columns = {
        name: pl.Series(name, [row[place] if place < len(row) else None for row in best.rows], dtype=pl.String)
        for place, name in enumerate(names)
    }
    found = []
    if len(tables) > 1:
        found.append(
            Finding(
                "several-tables",
                "note",
                f"the file holds {len(tables)} tables; the longest, from line {best.line}, was read "
                f"({len(best.rows)} rows).",
                "Put another table into a file of its own to read that one.",
            )
        )
    return pl.DataFrame(columns), found


def _tables(lines: Sequence[str]) -> list[_Found]:
    found = []
    for place in range(1, len(lines)):
        headers = _cells(lines[place - 1])
        if not _RULE.match(lines[place]) or not _BAR.search(lines[place - 1]) or not any(headers):
            continue
        rows: list[tuple[str, ...]] = []
        for line in lines[place + 1 :]:
            if not _BAR.search(line):
                break
            cells = _cells(line)
            if len(cells) > len(headers):
                raise ValueError(f"line {place + 2 + len(rows)} has {len(cells)} cells and the header {len(headers)}")
            rows.append(cells)
        if rows:
            found.append(_Found(place, headers, tuple(rows)))
    return found


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip()
    inner = inner[1:] if inner.startswith("|") else inner
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return tuple(_plain(cell) for cell in _BAR.split(inner))


def _plain(cell: str) -> str:
    text = _TAGS.sub("", _LINK.sub(r"\1", cell)).replace("\\|", "|").strip()
    for _ in range(4):
        bare = _EMPHASIS.sub(r"\2", text).strip()
        if bare == text:
            return text
        text = bare
    return text


def _distinct(headers: Sequence[str]) -> list[str]:
    names: list[str] = []
    for place, header in enumerate(headers):
        name = header or f"column_{place + 1}"
        twins = names.count(name)
        names.append(name if not twins else f"{name}_duplicated_{twins - 1}")
    return names
