"""What stands around a picture: its claim above, and below it, small, what it was made from."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from isoflop.laws.unicode import POWER, exponent
from isoflop.plots.style import escaped, shades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLE: Final = 1.12  # of the size of the figure's letters
_SMALL: Final = 0.68
_LETTER: Final = 0.6  # width of an average bold letter, of its size
_MARGIN: Final = 0.015  # of the figure's width


def entitle(axes: Axes, claim: str, source: str = "") -> None:
    """Put the claim above everything on the figure of these axes and the source under it, both at the left, wrapped."""
    from matplotlib import rcParams

    figure = axes.get_figure(root=True)
    if figure is None:
        return
    ink, size = shades(axes), float(rcParams["font.size"])
    _fit_labels(figure)
    if claim:
        figure.suptitle(
            _wrapped(claim, figure, _TITLE * size, 3),
            x=_MARGIN,
            ha="left",
            fontsize=_TITLE * size,
            fontweight="bold",
            color=ink.ink,
        )
    if source:
        figure.supxlabel(
            _wrapped(source, figure, _SMALL * size, 2),
            x=_MARGIN,
            ha="left",
            fontsize=_SMALL * size,
            color=ink.muted,
        )


def _fit_labels(figure: Figure) -> None:
    """Names of the height's axis that are longer than the axis, on several lines."""
    for each in figure.axes:
        label = each.yaxis.label
        text = str(label.get_text())
        room = each.get_position().height * figure.get_figheight() * 72 / (_LETTER * float(label.get_fontsize()))
        if len(text) > room and "$" not in text:
            label.set_text("\n".join(textwrap.wrap(text, max(12, int(room)))))


def _wrapped(text: str, figure: Figure, size: float, most: int) -> str:
    """On as many lines as it needs, at most so many."""
    width = max(20, int(figure.get_figwidth() * 72 * (1 - 2 * _MARGIN) / (_LETTER * size)))
    return raised(escaped("\n".join(textwrap.wrap(text, width, max_lines=most, placeholder=" …"))))


def raised(text: str) -> str:
    r"""A text with the powers of its formulas raised.

    >>> raised("loss = 1.9 + 500/N^0.35")
    'loss = 1.9 + 500/N$^{\\mathbf{0.35}}$'
    """

    def up(found: re.Match[str]) -> str:
        power = exponent(found).replace("_", r"\_")
        return rf"$^{{\mathbf{{{power}}}}}$"

    return POWER.sub(up, text)
