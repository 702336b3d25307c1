"""One training that two loggers wrote: told by losses that agree step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.logs.logged import STEP, LoggedRun
from isoflop.logs.run_builder import is_loss

_FEWEST: Final = 3  # steps at which both must have a value
_MOST_POINTS: Final = 512  # of a curve that are remembered, half of them its first
_MOST_LOSSES: Final = 8
_AGREE: Final = 0.9  # share of the shared steps
_DIGITS: Final = 6e-4  # relative: consoles round to four digits

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Known:
    name: str
    format: str
    source: str
    curves: tuple[tuple[Ints, Floats], ...]


@dataclass
class Trainings:
    """The runs that were taken so far, as far as it needs to know one of them again."""

    _known: dict[tuple[int, int], list[_Known]] = field(default_factory=dict)
    twins: list[tuple[str, str, str, str]] = field(default_factory=list)

    def seen(self, logged: LoggedRun) -> bool:
        """Whether a run of another format has the same losses at the same steps; remembers the run if not."""
        curves = _curves(logged)
        if not curves:
            return False
        keys = {
            (int(step), round(float(value) * 50)) for steps, values in curves for step, value in _ends(steps, values)
        }
        near = {(step, place + offset) for step, place in keys for offset in (-1, 0, 1)}
        for key in sorted(near):
            for known in self._known.get(key, ()):
                if known.format != logged.format and _same(known.curves, curves):
                    self.twins.append((logged.name, logged.format, known.name, known.format))
                    return True
        own = _Known(logged.name, logged.format, logged.source, curves)
        for key in keys:
            self._known.setdefault(key, []).append(own)
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


def _curves(logged: LoggedRun) -> tuple[tuple[Ints, Floats], ...]:
    """Steps and values of the losses, thinned to their first and last points."""
    names = [name for name in logged.metrics if is_loss(name)][:_MOST_LOSSES]
    found = []
    for name in names:
        series = logged.history[name]
        there = np.flatnonzero((series.is_not_null() & series.is_finite().fill_null(value=False)).to_numpy())
        if len(there) < _FEWEST:
            continue
        if len(there) > _MOST_POINTS:
            there = np.concatenate([there[: _MOST_POINTS // 2], there[-_MOST_POINTS // 2 :]])
        found.append((logged.history[STEP].gather(there).to_numpy(), series.gather(there).to_numpy()))
    return tuple(found)


def _ends(steps: Ints, values: Floats) -> list[tuple[int, float]]:
    """A few points by which a curve is looked up: logs that differ in length share the first ones."""
    some = [*range(min(4, len(steps))), *range(max(0, len(steps) - 4), len(steps))]
    return [(int(steps[at]), float(values[at])) for at in some]


def _same(left: tuple[tuple[Ints, Floats], ...], right: tuple[tuple[Ints, Floats], ...]) -> bool:
    """Whether some loss of one agrees with some loss of the other wherever both were logged."""
    return any(_agree(one, other) for one in left for other in right)


def _agree(one: tuple[Ints, Floats], other: tuple[Ints, Floats]) -> bool:
    _, mine, its = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
    if len(mine) < _FEWEST or len(mine) < min(len(one[0]), len(other[0])) / 2:
        return False
    first, second = one[1][mine], other[1][its]
    if np.ptp(first) == 0:  # a flat line says nothing
        return False
    return bool(np.mean(np.abs(first - second) <= _DIGITS * np.maximum(np.abs(first), 1e-3)) >= _AGREE)
