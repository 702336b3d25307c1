"""Ticks at round numbers, as many as the axis has room for, read as people write them: 2.4, 70B, 10²³."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from matplotlib.artist import Artist
from matplotlib.axis import Axis, XAxis
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT, TICKRIGHT, TICKUP
from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator, NullLocator

from isoflop.laws.unicode import RAISED, superscript
from isoflop.units import format_quantity

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase

Reading = Literal["plain", "quantity", "power"]

_MOST: Final = 8
_USUAL_LETTERS: Final = 4.3  # in the place that matplotlib reserves for a label
_BETWEEN: Final = 1.3  # letters between two labels
_LINEAR_BELOW: Final = 5.0  # an axis whose ends differ by less than this factor has evenly spaced ticks
_WITHIN_A_DECADE: Final = ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
_MINOR_UP_TO: Final = 7  # decades
_TOWARD: Final[dict[str, Any]] = {"bottom": TICKDOWN, "top": TICKUP, "left": TICKLEFT, "right": TICKRIGHT}  # outside


class RoundLog(Locator):
    """Round numbers on a logarithmic axis: even steps within a decade, 1-2-5 over a few, powers of ten over many."""

    def __init__(self, on: Axis, reading: Reading) -> None:
        self.on = on
        self.reading = reading

    def __call__(self) -> list[float]:
        """The ticks of the axis as it is now."""
        low, high = sorted(self.on.get_view_interval())
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """The ticks between two ends: the most of them whose labels the axis has room for."""
        if not (0 < vmin < vmax and math.isfinite(vmax)):
            return []
        inside: list[float] = []
        for ticks in _candidates(vmin, vmax):
            inside = [each for each in ticks if vmin <= each <= vmax]
            if len(inside) <= _MOST and self._has_room(inside, math.log(vmax / vmin)):
                return inside
        return inside

    def _has_room(self, ticks: list[float], span: float) -> bool:
        """Whether each label fits beside the next, or above it; span: of the axis, in logarithms."""
        room = float(self.on.get_tick_space())  # for so many labels of usual size
        sizes = [1.0] * len(ticks)
        if isinstance(self.on, XAxis):
            room *= _USUAL_LETTERS
            sizes = [_letters(_READINGS[self.reading](each, None)) + _BETWEEN for each in ticks]
        gaps = [room * math.log(after / before) / span for before, after in pairwise(ticks)]
        return all(gap >= (one + other) / 2 for gap, (one, other) in zip(gaps, pairwise(sizes), strict=True))


def _candidates(low: float, high: float) -> Iterator[list[float]]:
    """Ticks that could be, the densest first; each set reaches over both ends."""
    if high / low < _LINEAR_BELOW:
        for most in range(_MOST, 0, -1):
            even = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
            yield [float(each) for each in even]
        return
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for multiples in _WITHIN_A_DECADE:
        yield [k * 10.0**power for power in range(first, last + 1) for k in multiples]
    for stride in range(2, last - first + 2):
        yield [10.0**power for power in range(first, last + 1) if power % stride == 0]


def _letters(label: str) -> float:
    """How wide a label is, in letters; raised ones count less."""
    return sum(0.65 if letter in RAISED else 1.0 for letter in label)


class _Marks(Artist):
    """The small ticks of an axis, 2 to 9 times each power of ten: one line, where each of matplotlib's is five artists.

    They stand on the sides and in the color of the axis's own.
    """

    def __init__(self, on: Axis) -> None:
        super().__init__()
        self.on, self.across = on, isinstance(on, XAxis)
        self.set_zorder(on.get_zorder() + 0.01)  # as the axis, after what was added before it
        self.set_in_layout(False)

    def draw(self, renderer: RendererBase) -> None:
        """Marks where the view is now."""
        axes, figure, large = self.on.axes, self.get_figure(), self.on.get_majorticklocs()
        every = _within_decades(*sorted(self.on.get_view_interval()))
        at = [each for each in every if not any(math.isclose(each, other, rel_tol=1e-6) for other in large)]
        if not at or figure is None:
            return
        told, usual = self.on.get_tick_params(which="minor"), _usual("xtick" if self.across else "ytick")
        sides: tuple[tuple[str, Literal["tick1", "tick2"]], ...] = (
            (("bottom", "tick1"), ("top", "tick2")) if self.across else (("left", "tick1"), ("right", "tick2"))
        )
        for edge, (side, which) in enumerate(sides):
            if told.get(side):
                ends = [float(edge)] * len(at)
                line = Line2D(
                    at if self.across else ends,
                    ends if self.across else at,
                    linestyle="none",
                    marker=_TOWARD[side],
                    markersize=usual["minor.size"],
                    markeredgewidth=usual["minor.width"],
                    color=told.get("color", usual["color"]),
                    transform=(axes.get_xaxis_transform if self.across else axes.get_yaxis_transform)(which),
                )
                line.set_figure(figure)
                line.draw(renderer)


def _usual(ticks: str) -> dict[str, Any]:
    """matplotlib's settings of the ticks of one kind of axis."""
    from matplotlib import rcParams

    settings: dict[str, Any] = rcParams  # type: ignore[assignment]  # some of its releases know names alone
    return {name: settings[f"{ticks}.{name}"] for name in ("minor.size", "minor.width", "color")}


def _within_decades(low: float, high: float) -> list[float]:
    """2 to 9 times each power of ten between two ends; none within a decade or over very many."""
    if not (low > 0 and _LINEAR_BELOW <= high / low <= 10.0**_MINOR_UP_TO):
        return []
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [each for power in powers for k in range(2, 10) if low <= (each := k * 10.0**power) <= high]


def set_log_ticks(axis: Axis, reading: Reading) -> None:
    """Round ticks on an axis that is already logarithmic."""
    axis.set_major_locator(RoundLog(axis, reading))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_READINGS[reading]))
    for each in axis.axes.artists:
        if isinstance(each, _Marks) and each.on is axis:
            each.remove()
    axis.axes.add_artist(_Marks(axis))


def _plain(value: float, _: int | None = None) -> str:
    return f"{value:.6g}" if 1e-4 <= abs(value) < 1e5 or value == 0 else power(value)


def quantity(value: float, _: int | None = None) -> str:
    """70B, for a label."""
    return format_quantity(value)


def power(value: float, _: int | None = None) -> str:
    """10²³, or 2·10²³ between the powers, for a label."""
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10.0**exponent
    ten = f"10{superscript(str(exponent))}"
    return ten if math.isclose(factor, 1, rel_tol=1e-5) else f"{factor:.3g}·{ten}"


def scientific(value: float, *, digits: int = 2) -> str:
    """9.3e18, for a small label, in which raised digits would be too small to read."""
    return f"{value:.{digits}g}".replace("e+", "e")


_READINGS: Final[dict[Reading, Callable[[float, int | None], str]]] = {
    "plain": _plain,
    "quantity": quantity,
    "power": power,
}
