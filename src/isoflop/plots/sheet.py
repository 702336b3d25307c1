"""A figure that is laid out and drawn in one pass: each text measured once, each axis's ticks found once a place.

matplotlib's ``savefig`` draws a figure with a layout twice, the first time without output, each time with a renderer of
its own, and asks every axis for its ticks about sixteen times. Here the layout runs inside the one drawing, with that
drawing's renderer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from matplotlib.backend_bases import get_registered_canvas_class
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes._base import _AxesBase
    from matplotlib.axis import Axis, Tick
    from matplotlib.backend_bases import RendererBase
    from matplotlib.transforms import BboxBase

    _Boxes = tuple[list[BboxBase], list[BboxBase]]


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

    def _get_renderer(self) -> Any:
        """The layout's: matplotlib would make one, and measure every text anew with it."""
        return super()._get_renderer() if self._at_work is None else self._at_work

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
    """While a figure is drawn, an axis finds its ticks and their labels' boxes anew only where its place has changed."""
    found = [axis for each in _all_axes(axes) for axis in (each.xaxis, each.yaxis)]
    for axis in found:
        for name, keep in (("_update_ticks", _ticks), ("_get_ticklabel_bboxes", _boxes)):
            if hasattr(axis, name):  # matplotlib's own, which another release may call otherwise
                setattr(axis, name, keep(axis, getattr(axis, name)))
    try:
        yield
    finally:
        for axis in found:
            for name in ("_update_ticks", "_get_ticklabel_bboxes"):
                vars(axis).pop(name, None)


def _all_axes(axes: Iterable[_AxesBase]) -> Iterator[_AxesBase]:
    for each in axes:
        yield each
        yield from _all_axes(each.child_axes)


def _ticks(axis: Axis, find: Callable[[], list[Tick]]) -> Callable[[], list[Tick]]:
    held: tuple[object, list[Tick]] | None = None

    def update() -> list[Tick]:
        nonlocal held
        place = (*axis.get_view_interval(), *axis.axes.bbox.size, axis.get_major_locator(), axis.get_minor_locator())
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
