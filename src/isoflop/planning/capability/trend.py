"""``envelope``, ``frontier``: the running best over dates, the line of a high quantile, and the doubling time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.uncertainty.ensemble import Interval
from isoflop.values import Value

Floats = NDArray[np.float64]
DAYS = 365.25
QUANTILE = 0.9  # of the frontier

_STEPS = 60
_STEEPEST = 20.0  # times the range of values over that of dates
_GOLDEN = (math.sqrt(5) - 1) / 2


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


def frontier(
    year: Floats, values: Floats, weights: Floats | None = None, quantile: float = QUANTILE
) -> tuple[Floats, Floats]:
    """argmin over A, B of Σ w·ρ(v − A·t − B), ρ(r) = max(q·r, (q − 1)·r): the line below which a share q lies.

    The running best of a sample starts low, since its first model is seldom the best of its time, and so its line is
    too steep; a quantile of all models has no such start.

    Parameters
    ----------
    year :
        (models,), finite.
    values :
        (draws, models), finite.
    weights :
        (draws, models): how often a model is in a draw; once each by default.
    quantile :
        q.

    Returns
    -------
    tuple
        A per year and B at year 0 of each draw; NaN where the models of a draw share one date.

    Examples
    --------
    >>> import numpy
    >>> year = numpy.repeat(numpy.arange(5.0), 3)
    >>> values = 0.7 * year + numpy.tile([0.0, 1.0, 2.0], 5)
    >>> slope, level = frontier(year, values[None])
    >>> round(float(slope[0]), 3), round(float(level[0]), 3)
    (0.7, 2.0)

    Source: Koenker & Bassett 1978, Regression Quantiles.
    """
    count = np.ones(values.shape) if weights is None else weights
    there = count > 0
    since = year - year.mean()
    dates, widest = _spread(since, there), _spread(values, there)
    reach = np.where(dates > 0, _STEEPEST * widest / np.where(dates > 0, dates, 1.0), 0.0)

    def level(slope: Floats) -> tuple[Floats, Floats]:
        """The quantile of what is left, and the objective."""
        left = values - slope[:, None] * since
        order = np.argsort(left, axis=1)
        ranked = np.take_along_axis(left, order, axis=1)
        cumulated = np.cumsum(np.take_along_axis(count, order, axis=1), axis=1)
        at = (cumulated >= quantile * cumulated[:, -1:] - 1e-9).argmax(axis=1)
        middle = ranked[np.arange(len(ranked)), at]
        off = left - middle[:, None]
        return middle, (count * np.maximum(quantile * off, (quantile - 1) * off)).sum(axis=1)

    low, high = -reach, reach
    one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_one, at_two = level(one)[1], level(two)[1]
    for _ in range(_STEPS):
        left = at_one <= at_two
        low, high = np.where(left, low, one), np.where(left, two, high)
        new = np.where(left, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
        reached = level(new)[1]
        one, two = np.where(left, new, two), np.where(left, one, new)
        at_one, at_two = np.where(left, reached, at_two), np.where(left, at_one, reached)
    slope = np.where(dates > 0, (low + high) / 2, math.nan)
    return slope, level(np.nan_to_num(slope))[0] - slope * year.mean()


def _spread(values: Floats, there: NDArray[np.bool_]) -> Floats:
    """Range of the values of each row that are there."""
    high = np.where(there, values, -math.inf).max(axis=1)
    return np.asarray(high - np.where(there, values, math.inf).min(axis=1))


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
