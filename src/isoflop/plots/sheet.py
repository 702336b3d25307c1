"""A figure that is laid out and drawn in one pass: each text measured once, each axis's ticks found once a place.

matplotlib's ``savefig`` draws a figure with a layout twice, the first time without output, each time with a renderer of
its own, and asks every axis for its ticks about sixteen times. Here the layout runs inside the one drawing, with that
drawing's renderer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from matplotlib.backend_bases import get_registered_canvas_class
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes._base import _AxesBase
    from matplotlib.axis import Axis, Tick
    from matplotlib.backend_bases import RendererBase
    from matplotlib.transforms import BboxBase

    _Boxes = tuple[list[BboxBase], list[BboxBase]]

Floats = NDArray[np.float64]


class Sheet(Figure):
    """The figure of a picture of ours."""

    _at_work: RendererBase | None = None

    def draw(self, renderer: RendererBase) -> None:
        """Lay out and draw."""
        self._at_work = renderer
        try:
            with _found_once(self.axes):
                super().draw(renderer)
        finally:
            self._at_work = None

    def _get_renderer(self) -> RendererBase:
        """The layout's: matplotlib would make one, and measure every text anew with it."""
        made: RendererBase = super()._get_renderer() if self._at_work is None else self._at_work  # type: ignore[misc]
        return made

    def write(self, to: BinaryIO, *, format: str, dpi: float, metadata: dict[str, None]) -> None:
        """Draw once, into a file of this format."""
        before, resolution = self.canvas, self.dpi
        try:
            canvas = get_registered_canvas_class(format)(self)
            self.dpi = dpi
            getattr(canvas, f"print_{format}")(to, metadata=metadata)
        finally:
            self.dpi = resolution
            self.set_canvas(before)


@contextmanager
def _found_once(axes: Iterable[_AxesBase]) -> Iterator[None]:
    """While a figure is drawn, ticks and the boxes around labels are found anew only where a place has changed."""
    every = list(_all_axes(axes))
    own: list[tuple[Any, str, Callable[..., Any]]] = [
        (axis, name, keep)
        for each in every
        for axis in (each.xaxis, each.yaxis)
        for name, keep in (("_update_ticks", _ticks), ("_get_ticklabel_bboxes", _boxes))
    ]
    own += [(each, "get_tightbbox", _around) for each in axes if _stretches(each)]
    own = [each for each in own if hasattr(*each[:2])]  # matplotlib's own names, which another release may not have
    for thing, name, keep in own:
        setattr(thing, name, keep(thing, getattr(thing, name)))
    try:
        yield
    finally:
        for thing, name, _ in own:
            vars(thing).pop(name, None)


def _all_axes(axes: Iterable[_AxesBase]) -> Iterator[_AxesBase]:
    for each in axes:
        yield each
        yield from _all_axes(each.child_axes)


def _stretches(axes: _AxesBase) -> bool:
    """Whether the axes fill the place that they are given."""
    return axes.get_aspect() == "auto" and axes.get_box_aspect() is None and axes.get_axes_locator() is None


def _around(axes: _AxesBase, find: Callable[..., BboxBase | None]) -> Callable[..., BboxBase | None]:
    """The box around axes and all that belongs to them: as wide a margin as before where the labels are the same.

    The layout asks twice, and the second time the axes have about the size that they will have. Where anything but
    ticks, labels and title stands outside the axes, all is measured again.
    """
    held: tuple[list[str], Floats] | None = None

    def box(renderer: RendererBase | None = None, **options: object) -> BboxBase | None:
        nonlocal held
        both: tuple[Any, ...] = (axes.xaxis, axes.yaxis) if axes.axison else ()
        said = [tick.label1.get_text() for axis in both for tick in axis._update_ticks()]
        inside = np.asarray(axes.bbox.extents)
        if held is not None and held[0] == said:
            return Bbox.from_extents(*(inside + held[1]))
        bare = find(renderer, bbox_extra_artists=[], **options)
        if bare is None:
            return None
        others = [each.get_tightbbox(renderer) for each in axes.get_default_bbox_extra_artists()]
        whole = Bbox.union([bare, *(each for each in others if each is not None and np.isfinite(each.extents).all())])
        held = (said, np.asarray(bare.extents) - inside) if np.allclose(whole.extents, bare.extents, atol=1) else None
        return whole

    return box


def _ticks(axis: Axis, find: Callable[[], list[Tick]]) -> Callable[[], list[Tick]]:
    held: tuple[object, list[Tick]] | None = None

    def update() -> list[Tick]:
        nonlocal held
        size = np.round(axis.axes.bbox.size, 6)
        place = (*axis.get_view_interval(), *size, axis.get_major_locator(), axis.get_minor_locator())
        if held is None or held[0] != place:
            held = place, find()
        return held[1]

    return update


def _boxes(axis: Axis, find: Callable[..., _Boxes]) -> Callable[..., _Boxes]:
    held: tuple[object, list[Tick], _Boxes] | None = None

    def boxes(ticks: list[Tick], renderer: RendererBase) -> _Boxes:
        nonlocal held
        place = axis.axes.bbox.bounds
        if held is None or held[1] is not ticks or held[0] != place:
            held = place, ticks, find(ticks, renderer)
        return held[2]

    return boxes
