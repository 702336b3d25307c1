"""An answer with its words filled in: what the templates of every medium show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isoflop.answers import Answer, Picture
from isoflop.answers.wording import told
from isoflop.findings import Finding
from isoflop.render.layout import Grid, grid, quantities_grid
from isoflop.render.remedies import FrontEnd, reworded

MOST_ROWS = 200  # of a table in a document; the rest is counted


@dataclass(frozen=True)
class Told:
    """An answer as text: headline, grids, and its pictures under keys that are unique within a document."""

    anchor: str
    title: str
    headline: str
    equation: str
    evidence: Grid | None
    quantities: Grid
    tables: tuple[Grid, ...]
    findings: tuple[Finding, ...]
    method: str
    pictures: tuple[tuple[str, Picture], ...]


def text_of(answer: Answer, *, place: int = 0, most: int | None = MOST_ROWS, front_end: FrontEnd = "command") -> Told:
    """One answer, without its parts. place: its number within the document. front_end: whose words remedies take."""
    return Told(
        anchor=f"{answer.question}-{place}",
        title=answer.title,
        headline=answer.sentence(told),
        equation=answer.equation,
        evidence=None if answer.evidence is None else grid(answer.evidence),
        quantities=quantities_grid(answer.quantities),
        tables=tuple(grid(each, most=most) for each in answer.tables),
        findings=reworded(answer.findings, front_end),
        method=answer.method,
        pictures=tuple((f"{place}-{each.name}", each) for each in answer.pictures),
    )


def parts_of(answer: Answer) -> Iterator[Answer]:
    """The answer's parts, and theirs, in reading order."""
    for part in answer.parts:
        yield part
        yield from parts_of(part)


def keyed_pictures(answer: Answer) -> dict[str, Picture]:
    """Every picture of the answer and its parts under the key by which documents name it."""
    return {
        key: picture
        for place, each in enumerate((answer, *parts_of(answer)))
        for key, picture in ((f"{place}-{one.name}", one) for one in each.pictures)
    }
