"""``Shown``: a result that a notebook shows as its answer.

Results live below the questions, so a result knows only that there is a way to show it. ``isoflop/__init__.py``, which
every import of a part of the package passes first, says which: the answer of :mod:`isoflop.render.notebook`, loaded
when a notebook asks.
"""

from __future__ import annotations

from collections.abc import Callable

from isoflop.values import Value

Renderer = Callable[[object], str | None]

_renderers: list[Renderer] = []


class Shown(Value):
    """A result with a picture of itself; without a renderer, or where no question words it, its ``repr`` stands."""

    def _repr_html_(self) -> str | None:
        return _renderers[-1](self) if _renderers else None


def show_with(renderer: Renderer) -> Renderer:
    """Say how results are shown from now on: a result in, an HTML fragment out, or None for its ``repr``."""
    _renderers[:] = [renderer]
    return renderer
