"""Ticks at round numbers, as many as the axis has room for, read as people write them: 2.4, 70B, 10²³."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator, NullFormatter

from isoflop.units import format_quantity

Reading = Literal["plain", "quantity", "power"]

_MOST: Final = 8
_USUAL_LETTERS: Final = 4.3  # in the place that matplotlib reserves for a label
_BETWEEN: Final = 1.3  # letters between two labels
_LINEAR_BELOW: Final = 5.0  # an axis whose ends differ by less than this factor has evenly spaced ticks
_WITHIN_A_DECADE: Final = ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
_MINOR_UP_TO: Final = 7  # decades


class _OnAxis(Locator):
    """Ticks within the view of one axis, as many as its labels have room for."""

    def __init__(self, on: Axis, reading: Reading) -> None:
        self.on = on
        self.reading = reading

    def __call__(self) -> list[float]:
        low, high = sorted(self.on.get_view_interval())
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """The ticks between two ends; this class alone is no locator, each kind of axis says its own."""
        raise NotImplementedError


class RoundLog(_OnAxis):
    """Round numbers on a logarithmic axis: even steps within a decade, 1-2-5 over a few, powers of ten over many."""

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
    if not label.startswith("$"):
        return len(label)
    base, _, raised = label.strip("$").partition("^")
    return len(base.replace(r"\cdot", "·")) + 0.7 * len(raised.strip("{}"))


class _Minor(_OnAxis):
    """2 to 9 times each power of ten, where there is room for them."""

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """The ticks between two ends; none on an axis within a decade or over very many."""
        if not (vmin > 0 and _LINEAR_BELOW <= vmax / vmin <= 10.0**_MINOR_UP_TO):
            return []
        powers = range(math.floor(math.log10(vmin)), math.ceil(math.log10(vmax)) + 1)
        ticks = [k * 10.0**power for power in powers for k in range(1, 10)]
        return [each for each in ticks if vmin <= each <= vmax]


def set_log_ticks(axis: Axis, reading: Reading) -> None:
    """Round ticks on an axis that is already logarithmic."""
    axis.set_major_locator(RoundLog(axis, reading))
    axis.set_minor_locator(_Minor(axis, reading))
    axis.set_major_formatter(FuncFormatter(_READINGS[reading]))
    axis.set_minor_formatter(NullFormatter())


def _plain(value: float, _: int | None = None) -> str:
    return f"{value:.6g}" if 1e-4 <= abs(value) < 1e5 or value == 0 else power(value)


def quantity(value: float, _: int | None = None) -> str:
    """70B, for a label."""
    return format_quantity(value)


def power(value: float, _: int | None = None) -> str:
    """10²³, or 2·10²³ between the powers, for a label."""
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10.0**exponent
    return f"$10^{{{exponent}}}$" if np.isclose(factor, 1) else rf"${factor:.3g}\cdot10^{{{exponent}}}$"


_READINGS: Final[dict[Reading, Callable[[float, int | None], str]]] = {
    "plain": _plain,
    "quantity": quantity,
    "power": power,
}
