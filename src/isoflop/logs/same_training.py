"""One training that two loggers wrote: told by losses that agree step by step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.logs.logged import LoggedRun
from isoflop.logs.points import points_of
from isoflop.logs.run_builder import is_loss

_FEWEST: Final = 3  # steps at which both must have a value
_MOST_POINTS: Final = 512  # of a curve that are remembered, half of them its first
_MOST_LOSSES: Final = 8
_AGREE: Final = 0.9  # share of the shared steps
_BINS: Final = 1_000  # of a unit of loss, in which runs are looked up
_CANDIDATES: Final = 20
_SINGLE: Final = 1e-6  # relative: some loggers keep single precision
_MOST_DECIMALS: Final = 9

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Curve = tuple[Ints, Floats, int]  # steps, values, and the decimals with which the values were written


@dataclass(frozen=True)
class _Known:
    name: str
    format: str
    curves: tuple[Curve, ...]


@dataclass
class Trainings:
    """The runs that were taken so far, as far as it needs to know one of them again."""

    _runs: list[_Known] = field(default_factory=list)
    _known: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    twins: list[tuple[str, str, str, str]] = field(default_factory=list)

    def seen(self, logged: LoggedRun) -> bool:
        """Whether a run of another format has the same losses at the same steps; remembers the run if not."""
        curves = _curves(logged)
        if not curves:
            return False
        keys = {(int(step), round(float(value) * _BINS)) for each in curves for step, value in _places(each)}
        hits: Counter[int] = Counter()
        for step, place in keys:
            for offset in (-1, 0, 1):
                hits.update(self._known.get((step, place + offset), ()))
        for number, count in hits.most_common(_CANDIDATES):
            known = self._runs[number]
            if count >= _FEWEST and known.format != logged.format and _same(known.curves, curves):
                self.twins.append((logged.name, logged.format, known.name, known.format))
                return True
        self._runs.append(_Known(logged.name, logged.format, curves))
        for key in keys:
            self._known.setdefault(key, []).append(len(self._runs) - 1)
        return False

    def findings(self) -> list[Finding]:
        """What was passed over."""
        if not self.twins:
            return []
        name, format, other, its = self.twins[0]
        more = f" So it is with {len(self.twins) - 1:,} more." if len(self.twins) > 1 else ""
        return [
            Finding(
                "one-training",
                "note",
                f"{name} ({format}) has the losses of {other} ({its}) at the same steps: one training that two loggers "
                f"wrote, which counts once.{more}",
                "Nothing to do; import the other log alone if it is to count instead (--format).",
            )
        ]


def _curves(logged: LoggedRun) -> tuple[Curve, ...]:
    """Steps and values of the losses, thinned to their first and last points."""
    names = [name for name in logged.metrics if is_loss(name)][:_MOST_LOSSES]
    found = []
    for name in names:
        own, numbers = points_of(logged.history, name)
        there = np.flatnonzero(np.isfinite(numbers))
        if len(there) < _FEWEST:
            continue
        if len(there) > _MOST_POINTS:
            there = np.concatenate([there[: _MOST_POINTS // 2], there[-_MOST_POINTS // 2 :]])
        steps, values = own[there], numbers[there]
        found.append((steps, values, _decimals(values)))
    return tuple(found)


def _places(curve: Curve) -> list[tuple[int, float]]:
    """A few points by which a curve is looked up: its ends, and round steps, at which loggers of other habits meet."""
    steps, values, _ = curve
    some = [*range(min(2, len(steps))), *range(max(0, len(steps) - 4), len(steps))]
    some += np.flatnonzero(steps % 100 == 0)[:6].tolist()
    return [(int(steps[at]), float(values[at])) for at in some]


def _same(left: tuple[Curve, ...], right: tuple[Curve, ...]) -> bool:
    """Whether some loss of one agrees with some loss of the other wherever both were logged."""
    return any(_agree(one, other) for one in left for other in right)


def _agree(one: Curve, other: Curve) -> bool:
    _, mine, its = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
    if len(mine) < _FEWEST or len(mine) < min(len(one[0]), len(other[0])) / 2:
        return False
    first, second = one[1][mine], other[1][its]
    if np.ptp(first) == 0:  # a flat line says nothing
        return False
    rounded = 0.501 * 10.0 ** -min(one[2], other[2])
    return bool(np.mean(np.abs(first - second) <= rounded + _SINGLE * np.abs(first)) >= _AGREE)


def _decimals(values: Floats) -> int:
    """How many decimals the values were written with."""
    # most numbers are doubles, which the first few tell
    if np.abs(values[:8] - np.round(values[:8], _MOST_DECIMALS - 1)).max() > 1e-9 * np.abs(values[:8]).max():
        return _MOST_DECIMALS
    for count in range(_MOST_DECIMALS):
        if np.abs(values - np.round(values, count)).max() <= 1e-9 * np.abs(values).max():
            return count
    return _MOST_DECIMALS
