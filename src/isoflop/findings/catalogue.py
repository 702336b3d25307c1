"""The catalogue: every code that a finding can have, with its levels, rank, meaning and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from isoflop.findings.finding import LEVELS, Finding, Level


@dataclass(frozen=True)
class Entry:
    """What is true of every finding of one code.

    topic: what it is about: ``answer``, ``fit``, ``interval``, ``runs``, ``counts``, ``table``, ``logs``,
    ``score``, ``data-set``.
    levels: the level, or those of which the measured value chooses one. rank: its place in the catalogue; of two
    findings of one level, that of the lower rank does more to the answer.
    meaning: the message without the numbers of the case. remedy: what to do, in the words of the command line.
    """

    code: str
    topic: str
    levels: tuple[Level, ...]
    rank: int
    meaning: str
    remedy: str


@cache
def catalogue() -> Mapping[str, Entry]:
    """Every entry by its code, in the order of rank."""
    import tomllib

    told = tomllib.loads(_text())
    entries: dict[str, Entry] = {}
    for topic, codes in told.items():
        for code, each in codes.items():
            told_levels = each["level"]
            levels: tuple[Level, ...] = tuple(told_levels if isinstance(told_levels, list) else (told_levels,))
            if code in entries:
                raise ValueError(f"finding {code!r} stands twice, under {entries[code].topic} and {topic}")
            entries[code] = Entry(code, topic, levels, len(entries), each["meaning"], each["remedy"])
    return MappingProxyType(entries)


@cache
def ranks() -> Mapping[str, int]:
    """The rank of every code, from the headings of the file: to read all that stands below takes as long as a fit."""
    codes = re.findall(r"^\[[\w-]+\.([\w-]+)\]$", _text(), re.MULTILINE)
    return MappingProxyType({code: rank for rank, code in enumerate(codes)})


def _text() -> str:
    return (files(__package__) / "catalogue.toml").read_text(encoding="utf-8")


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by what they do to the answer: error, warning, note; then by rank; then as they came."""
    known = ranks()
    last = len(known)

    def place(each: Finding) -> tuple[int, int]:
        return LEVELS.index(each.level), known.get(each.code, last)

    return tuple(sorted(findings, key=place))
