"""Findings as the page shows them: one line, the rows, and what a button can do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from isoflop.findings import Finding, ordered
from isoflop.render.remedies import reading, remedy

# Where a message goes on after what it has to say: what stands in brackets, and what follows a colon or a semicolon.
_BRACKETS: Final = re.compile(r"\s+\([^()]*(?:\([^()]*\)[^()]*)*\)")
_CHOICE: Final = re.compile(r"--(?P<flag>unit|convention) (?P<pairs>\w+=[\w/-]+(?: or \w+=[\w/-]+)*)")
_MAPPING: Final = {"unit": "units", "convention": "conventions"}


def cards(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The findings, the most serious first, as plain values.

    title: the message in one line. rows: those that can be left out. choices: ways of reading the table between which
    the remedy leaves the choice, each with its label.
    """
    return [
        {
            "code": each.code,
            "level": each.level,
            "title": brief(each.message),
            "message": each.message,
            "remedy": remedy(each, "page"),
            "rows": list(each.rows),
            "choices": choices(each),
        }
        for each in ordered(tuple(findings))
    ]


def brief(message: str) -> str:
    """The first statement of a message, without its brackets.

    >>> brief("11 of 245 rows have fewer tokens than parameters (rows 1, 2; down to 0.036); such runs end early.")
    '11 of 245 rows have fewer tokens than parameters'
    """
    bare = _BRACKETS.sub("", message)
    first = re.split(r"[;:.] |\.$", bare, maxsplit=1)[0].strip()
    return first[:1].upper() + first[1:]


def choices(finding: Finding) -> list[dict[str, Any]]:
    """What the table may be read as instead, by a label of each; one, several or none."""
    several = [
        (_MAPPING[found["flag"]], *pair.split("=", 1))
        for found in _CHOICE.finditer(finding.remedy)
        for pair in found["pairs"].split(" or ")
    ]
    if len(several) > 1:
        return [{"label": word, "reading": {kind: {name: word}}} for kind, name, word in several]
    one = reading(finding)
    if one is None or finding.rows:  # rows are left out one by one, and taken in again so
        return []
    return [{"label": "Read the table so", "reading": one}]
