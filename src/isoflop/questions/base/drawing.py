"""Pictures by name, so that an answer that nobody draws loads neither the pictures nor what they compute with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def drawing(name: str, *given: object, **options: object) -> Callable[[Axes], object]:
    """``isoflop.plots.NAME(*given, axes, **options)``, loaded when it is drawn."""

    def draw(axes: Axes) -> object:
        from isoflop import plots

        return getattr(plots, name)(*given, axes, **options)

    return draw
