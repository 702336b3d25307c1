"""``envelope``: the running best over dates, its straight line, and the doubling time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.uncertainty.ensemble import Interval
from isoflop.values import Value

Floats = NDArray[np.float64]
DAYS = 365.25


@dataclass(frozen=True)
class Envelope(Value):
    """Record holders in order of date, and the least-squares line through them.

    rows: of the models. slope: per year. level_at: value of the line at ``start``, the first record's year.
    """

    rows: tuple[int, ...]
    slope: float
    start: float
    level_at: float

    def line(self, year: Floats) -> Floats:
        """The line's value at a date."""
        return self.level_at + self.slope * (year - self.start)


def envelope(year: Floats, value: Floats) -> Envelope:
    """value = A·t + B by least squares over the models that are better than all earlier ones.

    Models without a date or a value are passed over; of several at one date the best counts. The slope is NaN with
    fewer than two record holders.

    Examples
    --------
    >>> import numpy
    >>> found = envelope(numpy.array([2020.0, 2021.0, 2022.0, 2023.0]), numpy.array([0.0, 1.0, 0.5, 3.0]))
    >>> found.rows, round(found.slope, 3)
    ((0, 1, 3), 1.0)
    """
    there = np.flatnonzero(np.isfinite(year) & np.isfinite(value))
    order = there[np.lexsort((-value[there], year[there]))]
    best = np.maximum.accumulate(np.concatenate([[-math.inf], value[order]]))
    rows = order[value[order] > best[:-1]]
    if len(rows) < 2:
        return Envelope(tuple(int(row) for row in rows), math.nan, math.nan, math.nan)
    slope, level = np.polyfit(year[rows] - year[rows[0]], value[rows], 1)
    return Envelope(tuple(int(row) for row in rows), float(slope), float(year[rows[0]]), float(level))


def doubling_days(slope: float) -> float:
    """ln 2/A in days, A the slope of a natural logarithm per year; infinite where it does not rise.

    Examples
    --------
    >>> round(doubling_days(0.0073 * 365.25), 2), round(doubling_days(0.007 * 365.25), 2)
    (94.95, 99.02)
    """
    if math.isnan(slope):
        return math.nan
    return math.log(2) * DAYS / slope if slope > 0 else math.inf


def doubling_interval(slope: Interval) -> Interval:
    """The doubling time of a slope; its upper end is infinite where the slope may be zero."""
    return Interval(doubling_days(slope.value), doubling_days(slope.high), doubling_days(slope.low), slope.level)
