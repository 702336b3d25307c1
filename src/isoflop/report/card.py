"""``Card``: a result as a person reads it, before it is terminal text, Markdown, HTML or JSON."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.answers import Picture
from isoflop.findings import Finding
from isoflop.shown import Shown


@dataclass(frozen=True)
class Card(Shown):
    """title, a one-sentence answer, a table, what to doubt, how it was computed, and the picture where there is one."""

    title: str
    answer: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]
    how: str
    picture: Picture | None = None

    def as_dict(self) -> dict[str, object]:
        """The card as plain values; of its picture the name, the text and the size."""
        picture = self.picture
        return {
            "title": self.title,
            "answer": self.answer,
            "header": list(self.header),
            "rows": [list(row) for row in self.rows],
            "findings": [finding.as_dict() for finding in self.findings],
            "how": self.how,
            "picture": None
            if picture is None
            else {"name": picture.name, "alt": picture.alt, "size": list(picture.size)},
        }
