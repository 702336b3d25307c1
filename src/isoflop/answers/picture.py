"""``Picture``: a picture that is not drawn yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Picture:
    """A picture that is not drawn yet.

    name: a word for its file, such as ``plan``. draw: puts it on axes, in the colors that suit their background.
    alt: what it shows, in words, for those who do not see it. size: width and height that suit it, in inches.
    """

    name: str
    draw: Callable[[Axes], object] = field(repr=False, compare=False)
    alt: str
    size: tuple[float, float] = (7.2, 4.2)
