"""A picture with its title and its source line around it, for files and notebooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from isoflop.plots.titled import entitle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isoflop.answers import Picture


ROOM: Final = 0.55  # inches of height for a title of two lines and a source line


def titled_size(picture: Picture) -> tuple[float, float]:
    """The size of the picture with its title and source line, in inches."""
    return picture.size[0], picture.size[1] + ROOM


def titled(picture: Picture) -> Callable[[Axes], object]:
    """What draws the picture with its claim above and its source below."""

    def draw(axes: Axes) -> None:
        picture.draw(axes)
        entitle(axes, picture.claim, picture.source)

    return draw
