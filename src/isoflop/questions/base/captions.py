"""Titles and source lines of an answer's pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from isoflop.answers import Answer, Picture
from isoflop.answers.wording import number, told
from isoflop.patterns import pattern

_REPOSITORY: Final = pattern(r" \([\w.-]+/[\w.-]+@[0-9a-f]{6,40}(?:\)|( where [^()]*)\))")
_LONGEST_SOURCE: Final = 90
_FEWEST: Final = 8  # letters of a clause that says something
_LONGEST: Final = 150  # letters of a title: two lines of the usual width


def captioned(answer: Answer, provenance: Mapping[str, Any]) -> tuple[Picture, ...]:
    """The pictures with their source line and title.

    One without a claim of its own has the answer's headline where it comes first, else what it shows.
    """
    if not answer.pictures:
        return ()
    source, headline = source_line(answer, provenance), answer.sentence(told)
    return tuple(
        replace(each, claim=short(each.claim or (headline if place == 0 else each.alt)), source=each.source or source)
        for place, each in enumerate(answer.pictures)
    )


def source_line(answer: Answer, provenance: Mapping[str, Any]) -> str:
    """``runs.csv · chinchilla · huber:0.001 · 1e23 FLOPs · n = 245 · isoflop 0.1.0``, as far as each is known."""
    budget = next((each.value for each in answer.quantities if each.name in _BUDGETS and each.value is not None), None)
    count = _joined(provenance.get("runs"))
    parts = (
        _bare(_joined(provenance.get("source"))),
        _joined(provenance.get("law")),
        _joined(provenance.get("objective")),
        f"{number(budget, 'flops')} FLOPs" if budget is not None else None,
        f"n = {count}" if count else None,
        f"isoflop {provenance['isoflop']}" if provenance.get("isoflop") else None,
    )
    return " · ".join(str(each) for each in parts if each)


def short(text: str) -> str:
    """As many of the text's clauses as fit a title, without its last full stop."""
    text = " ".join(text.split())
    while len(text) > _LONGEST:
        clause, aside = (
            max(text.rfind(mark, _FEWEST, len(text) - 1) for mark in marks)
            for marks in (("; ", ". ", ": ", ", "), (" (",))  # what stands before an aside may lack its unit
        )
        cut = clause if clause >= _FEWEST else aside
        if cut < _FEWEST:
            return f"{text[: _LONGEST - 1].rstrip()}…"
        text = text[:cut]
    return text.removesuffix(".")


def _joined(value: object) -> str:
    """A value, or those of several fits that are compared, each once."""
    several = value if isinstance(value, list | tuple) else (value,)
    words = [f"{each:,}" if isinstance(each, int) else str(each) for each in several if each]
    return ", ".join(dict.fromkeys(words))


def _bare(source: str) -> str:
    """Without the address of its repository in parentheses."""
    name = _REPOSITORY.sub(lambda found: found[1] or "", source)
    return name if len(name) <= _LONGEST_SOURCE else f"{name[: _LONGEST_SOURCE - 1]}…"


_BUDGETS: Final = ("budget", "C")
