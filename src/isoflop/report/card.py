"""``Card``: a result as a person reads it, before it is terminal text, Markdown, HTML or JSON."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.findings import Finding


@dataclass(frozen=True)
class Card:
    """title, a one-sentence answer, a table, what to doubt, and how it was computed."""

    title: str
    answer: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]
    how: str
