"""Cards as Markdown, with their pictures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from isoflop.answers import Picture
from isoflop.errors import IsoflopError
from isoflop.files import write_whole
from isoflop.findings import Finding
from isoflop.plots.canvas import render
from isoflop.report.card import Card

if TYPE_CHECKING:
    from isoflop.report.report import Report

_MARKS: Final = {"error": "**✗**", "warning": "**?**", "note": "·"}
_NUMERIC: Final = ("", *"+-−0123456789")
# what Markdown or HTML would take for markup; * and _ also stand in formulas, which must stay as they are written
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def markdown(cards: Sequence[Card], *, title: str = "", pictures: Sequence[str | None] = ()) -> str:
    """The cards under each other: title, answer, table, picture, what to doubt, how.

    pictures: for each card the address of its picture, or None; without them the pictures' text stands in their place.
    Every text of a card is escaped, so that a name from a file stays text.
    """
    addresses = list(pictures) or [None] * len(cards)
    parts = [f"# {escape(title)}"] if title else []
    for card, address in zip(cards, addresses, strict=True):
        parts += _card(card, address)
    return "\n\n".join(parts) + "\n"


def report_cards(report: Report) -> tuple[Card, ...]:
    """A report in reading order: the answer with all that there is to doubt, then the evidence without repeating it."""
    lead = Card("The answer", report.answer, (), (), report.findings, report.sureness)
    return (lead, *(replace(card, findings=()) for card in report.cards))


def write_markdown(
    cards: Sequence[Card],
    path: Path | str,
    *,
    title: str = "",
    format: str = "svg",
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write the cards to ``path`` and their pictures beside it, as ``NAME-1-plan.svg`` and so on; each file is whole.

    The pictures come first, so that the text never points at one that is not there. progress: called with 1 for every
    card. Returns all files, the text first.
    Raises IsoflopError for a folder that does not exist.
    """
    path = Path(path)
    if not path.name or path.is_dir():
        raise IsoflopError(f"a report needs the name of a file, not {str(path)!r}; write for example report.md")
    if not path.parent.is_dir():
        raise IsoflopError(f"there is no folder {str(path.parent)!r} for {path.name}; make it, or write elsewhere")
    files: list[Path] = []
    addresses: list[str | None] = []
    for number, card in enumerate(cards, 1):
        if progress is not None:
            progress(1)
        if card.picture is None:
            addresses.append(None)
            continue
        place = path.with_name(f"{path.stem}-{number}-{card.picture.name}.{format}")
        write_whole(place, draw(card.picture, format=format))
        files.append(place)
        addresses.append(quote(place.name))
    write_whole(path, markdown(cards, title=title, pictures=addresses).encode())
    return [path, *files]


def draw(picture: Picture, *, format: str = "svg", dark: bool = False) -> bytes:
    """A card's picture as PNG, SVG or PDF."""
    return render(picture.draw, format=format, size=picture.size, dark=dark)


def escape(text: str) -> str:
    """The text as Markdown shows it unchanged, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _card(card: Card, address: str | None) -> list[str]:
    parts = [f"## {escape(card.title)}", escape(card.answer)]
    if card.rows:
        parts.append(_table(card))
    if card.picture is not None:
        said = escape(card.picture.alt)
        parts.append(f"![{said}]({address})" if address is not None else f"*{said}*")
    if card.findings:
        parts.append("\n".join(f"- {_finding(each)}" for each in card.findings))
    if card.how:
        parts.append(f"*{escape(card.how)}*")
    return parts


def _table(card: Card) -> str:
    """A table whose columns of numbers are aligned to the right."""
    right = [
        position > 0 and all(row[position][:1] in _NUMERIC for row in card.rows) for position in range(len(card.header))
    ]
    lines = [card.header, *card.rows]
    written = ["| " + " | ".join(escape(cell) for cell in line) + " |" for line in lines]
    rule = "|" + "|".join(" ---: " if each else " :--- " for each in right) + "|"
    return "\n".join([written[0], rule, *written[1:]])


def _finding(finding: Finding) -> str:
    return f"{_MARKS[finding.level]} {escape(f'{finding.message} {finding.remedy}')}"
