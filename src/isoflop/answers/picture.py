"""``Picture``: a picture that is not drawn yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Picture:
    """A picture that is not drawn yet.

    name: a word for its file, such as ``plan``. draw: puts it on axes, in the colors that suit their background.
    alt: what it shows, in words, for those who do not see it. size: width and height that suit it, in inches.
    claim: what it shows in one sentence with its numbers, its title. source: data, law, objective, budget, number of
    runs and version, a small line under it. views: what it has in common with its neighbors that are alternatives, such
    as ``residuals``; a document then shows one at a time, chosen by ``view``.
    """

    name: str
    draw: Callable[[Axes], object] = field(repr=False, compare=False)
    alt: str
    size: tuple[float, float] = (7.2, 4.2)
    claim: str = ""
    source: str = ""
    views: str = ""
    view: str = ""

    def to_dict(self) -> dict[str, Any]:
        """What is known of it before it is drawn."""
        return {
            "name": self.name,
            "alt": self.alt,
            "size": list(self.size),
            "claim": self.claim,
            "source": self.source,
            "views": self.views,
            "view": self.view,
        }
