"""A report in sections that a reader chooses from: its parts by what they are about, each finding once and linked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from isoflop.answers import Answer, Picture
from isoflop.findings import Finding
from isoflop.findings.catalogue import catalogue
from isoflop.questions import listed
from isoflop.render.layout import Grid
from isoflop.render.text import Told, parts_of, text_of

ANSWER, WARNINGS, FIT, METHODS, HOLD_OUT, DATA = "answer", "warnings", "fit", "methods", "hold-out", "runs"
TITLES: Final = {
    ANSWER: "Answer",
    WARNINGS: "Warnings and notes",
    FIT: "Fit",
    METHODS: "Methods",
    HOLD_OUT: "Hold-out",
    DATA: "Data",
}
_OF_GROUP: Final = {"Ask": ANSWER, "Fit": FIT, "Test": HOLD_OUT, "Read": DATA, "Share": DATA}
_OF_TOPIC: Final = {"answer": ANSWER, "interval": ANSWER, "fit": FIT}  # all others are about the data
_OWN: Final = ("answer", "interval")  # topics that belong to one part


@dataclass(frozen=True)
class Link:
    """A pointer to findings of one code: the anchor of the first, its code, how many there are, and their level."""

    anchor: str
    code: str
    count: int
    level: str


@dataclass(frozen=True)
class Part:
    """One answer within a section. says: its headline, empty where the report's own is the same."""

    told: Told
    says: str
    links: tuple[Link, ...]
    pictures: tuple[tuple[tuple[str, Picture], ...], ...]


@dataclass(frozen=True)
class Section:
    """Parts about one thing, with the findings about it."""

    anchor: str
    title: str
    parts: tuple[Part, ...]
    links: tuple[Link, ...]


def sections(answer: Answer) -> tuple[Section, ...]:
    """Answer, Warnings, Fit, Methods, Hold-out and Data, without those that have nothing."""
    held: dict[str, list[Part]] = {name: [] for name in TITLES}
    whole = text_of(answer)
    for place, each in enumerate(parts_of(answer), 1):
        told = _without(text_of(each, place=place), whole)
        own = [one for one in each.findings if _topic(one) in _OWN]
        held[_section(each.question)].append(
            Part(told, "" if told.headline == whole.headline else told.headline, links(own, answer.findings),
                 alternatives(told.pictures))
        )  # fmt: skip
    shown = {ANSWER, WARNINGS, FIT, DATA} | {name for name, parts in held.items() if parts}
    return tuple(
        Section(name, title, tuple(held[name]), _about(name, answer.findings))
        for name, title in TITLES.items()
        if name in shown
    )


def links(findings: Iterable[Finding], among: Sequence[Finding]) -> tuple[Link, ...]:
    """Pointers to findings where they stand in the whole list, one a code."""
    places: dict[str, list[int]] = {}
    wanted = {(each.code, each.message) for each in findings}
    for place, each in enumerate(among):
        if (each.code, each.message) in wanted:
            places.setdefault(each.code, []).append(place)
    return tuple(Link(f"finding-{at[0] + 1}", code, len(at), among[at[0]].level) for code, at in places.items())


def alternatives(pictures: Sequence[tuple[str, Picture]]) -> tuple[tuple[tuple[str, Picture], ...], ...]:
    """Pictures in groups: neighbors that are alternatives together, every other alone."""
    groups: list[list[tuple[str, Picture]]] = []
    for key, picture in pictures:
        if picture.views and groups and groups[-1][-1][1].views == picture.views:
            groups[-1].append((key, picture))
        else:
            groups.append([(key, picture)])
    return tuple(tuple(group) for group in groups)


def _about(name: str, findings: Sequence[Finding]) -> tuple[Link, ...]:
    """What the section's head points to: all warnings in front, else what is about its subject."""
    if name == ANSWER:
        return links([each for each in findings if each.level != "note"], findings)
    if name not in (FIT, DATA):
        return ()
    return links([each for each in findings if _OF_TOPIC.get(_topic(each), DATA) == name], findings)


def _section(question: str) -> str:
    if question == "methods":
        return METHODS
    known = listed()
    return _OF_GROUP[known[question].group] if question in known else DATA


def _topic(finding: Finding) -> str:
    known = catalogue()
    return known[finding.code].topic if finding.code in known else ""


def _without(told: Told, whole: Told) -> Told:
    """The part without rows of evidence, and without the equation, that stand at the top of the report."""
    evidence = told.evidence
    if evidence is not None and whole.evidence is not None:
        evidence = _fresh(evidence, whole.evidence)
    return replace(told, evidence=evidence, equation="" if told.equation == whole.equation else told.equation)


def _fresh(grid: Grid, known: Grid) -> Grid | None:
    stated = {tuple(each for each in row if each) for row in known.rows}
    rows = tuple(row for row in grid.rows if tuple(each for each in row if each) not in stated)
    return replace(grid, rows=rows) if rows else None
