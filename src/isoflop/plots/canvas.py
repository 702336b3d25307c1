"""Axes to draw on, light or dark, and what is drawn on them as PNG, SVG or PDF; pyplot and its state stay out."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isoflop.errors import IsoflopError
from isoflop.files import check_place, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axes._base import _AxesBase

FORMATS: Final = ("png", "svg", "pdf")
SIZE: Final = (7.2, 4.2)
_MM: Final = 25.4  # in an inch


@dataclass(frozen=True)
class Style:
    """How a picture is printed: width in millimeters, letters in points, dots per inch of a PNG.

    The height follows from the picture's own proportions; letters stay letters in a PDF, and outlines in an SVG.
    """

    width_mm: float
    letters: float
    lines: float
    dpi: float


STYLES: Final = {
    "paper": Style(width_mm=140.0, letters=8.0, lines=0.6, dpi=300),  # the text width of a one-column paper
    "slides": Style(width_mm=254.0, letters=15.0, lines=1.2, dpi=200),  # the width of a slide
}
_PAPER = {False: "#ffffff", True: "#16181d"}
_INK = {False: "#1b1e24", True: "#e4e6eb"}
_ONE_AT_A_TIME = threading.Lock()  # matplotlib's settings belong to the whole process
_NO_DATES = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def new_axes(*, size: tuple[float, float] = SIZE, dark: bool = False) -> Axes:
    """Empty axes on a figure of their own; size: inches."""
    from isoflop.plots.sheet import Sheet

    figure = Sheet(figsize=size, layout="constrained", facecolor=_PAPER[dark])
    axes = figure.subplots()
    axes.set_facecolor(_PAPER[dark])
    paint(axes, _INK[dark])
    return axes


def paint(axes: _AxesBase, ink: str) -> None:
    """Frame, ticks and labels of axes in one color."""
    axes.tick_params(which="both", color=ink, labelcolor=ink)
    for spine in axes.spines.values():
        spine.set_edgecolor(ink)
        spine.set_in_layout(False)  # the axes' own box has its place already
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_color(ink)


def render(
    draw: Callable[[Axes], object],
    *,
    format: str = "svg",
    size: tuple[float, float] = SIZE,
    dark: bool = False,
    dpi: float = 140,
    style: str = "",
) -> bytes:
    """The bytes of a picture in one of ``FORMATS``; the same picture gives the same bytes.

    style: one of ``STYLES``, which says width, letters and dpi; ``size`` then gives the proportions.
    """
    if not style:
        axes = new_axes(size=size, dark=dark)
        draw(axes)
        return _bytes(axes, format, dpi)
    chosen = STYLES[style]
    width = chosen.width_mm / _MM
    with _ONE_AT_A_TIME, _settings(chosen):
        axes = new_axes(size=(width, size[1] * width / size[0]), dark=dark)
        draw(axes)
        return _saved(axes, format, chosen.dpi)


def _settings(style: Style) -> AbstractContextManager[None]:
    """Letters and lines of a style; every size that a picture names in words follows from them."""
    from matplotlib import rc_context

    return rc_context(
        {
            "font.size": style.letters,
            "pdf.fonttype": 42,  # TrueType, which journals ask for
            "axes.linewidth": style.lines,
            "xtick.major.width": style.lines,
            "xtick.minor.width": style.lines,
            "ytick.major.width": style.lines,
            "ytick.minor.width": style.lines,
        }
    )


def save(axes: Axes, path: Path | str, *, dpi: float = 140) -> Path:
    """Write the figure of ``axes`` as its ending says (.png, .svg, .pdf), whole or not at all.

    Raises IsoflopError for another ending or a folder that is not there.
    """
    path = Path(path)
    check_picture_path(path)
    write_whole(path, _bytes(axes, path.suffix[1:].lower(), dpi))
    return path


def check_picture_path(path: Path | str) -> None:
    """Refuse a file that no picture can be written to, before work is spent on it."""
    path = Path(path)
    if path.suffix[1:].lower() not in FORMATS:
        raise IsoflopError(f"a picture is written as .png, .svg or .pdf, not {path.name!r}; give the file that ending")
    if not path.parent.is_dir():
        raise IsoflopError(f"the folder {str(path.parent)!r} of the picture {path.name} does not exist; make it first")
    if path.is_dir():
        raise IsoflopError(f"{str(path)!r} is a folder, and a picture is a file; name a file in it")
    check_place(str(path), "the picture")


def _bytes(axes: Axes, format: str, dpi: float) -> bytes:
    with _ONE_AT_A_TIME:
        return _saved(axes, format, dpi)


def _saved(axes: Axes, format: str, dpi: float) -> bytes:
    figure = axes.get_figure(root=True)
    if figure is None:
        raise IsoflopError("these axes belong to no figure; draw on axes of a figure")
    from matplotlib import rc_context

    from isoflop.plots.sheet import Sheet

    held = io.BytesIO()
    # the names inside an SVG are random without a salt
    with rc_context({"svg.hashsalt": "isoflop"}):
        if isinstance(figure, Sheet):
            figure.write(held, format=format, dpi=dpi, metadata=_NO_DATES[format])
            return held.getvalue()
        figure.savefig(held, format=format, dpi=dpi, facecolor=figure.get_facecolor(), metadata=_NO_DATES[format])
    return held.getvalue()
