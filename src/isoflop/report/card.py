"""``Card``: a result as a person reads it, before it is terminal text, Markdown, HTML or JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.findings import Finding
from isoflop.shown import Shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Picture:
    """A picture that is not drawn yet.

    name: a word for its file, such as ``plan``. draw: puts it on axes, in the colours that suit their background.
    alt: what it shows, in words, for those who do not see it. size: width and height that suit it, in inches.
    """

    name: str
    draw: Callable[[Axes], object]
    alt: str
    size: tuple[float, float] = (7.2, 4.2)


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
