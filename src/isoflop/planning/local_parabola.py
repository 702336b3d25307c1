"""A parabola through the sizes near the least loss of one budget: which sizes, and whether it misses them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REACHES: Final = (7.0, 5.0, 4.0, 3.0)  # factors on both sides of the least loss, the widest first
FEWEST: Final = 4  # sizes for a parabola whose misfit can be seen

_FEWEST_LOCAL: Final = 5  # sizes that a part of a valley keeps
_NEAREST: Final = 6  # rows taken where fewer than five sizes lie near
_UNLIKELY: Final = 0.01  # chance that an honest run of a budget is left out of its parabola
_BENDS: Final = 0.05  # chance that an honest parabola is taken for skewed
_SHARE: Final = 1 / 3  # of a parabola's rows, those nearest to its minimum
_ABOVE: Final = 1.2  # standard errors above it on average; honest noise shows it in under 1 % of budgets


@dataclass(frozen=True)
class LocalParabola(Value):
    """loss = bottom + curvature·(log N − vertex)² over some rows of a budget.

    rows: places within the budget that were fitted. off: places of runs off the parabola. reach: the factor on both
    sides of the least loss within which sizes count; infinite for all. skewed: a cubic fits these rows better
    (p < 0.05). below: how far the bottom lies below the least loss of all runs, where the runs nearest to the minimum
    lie above the parabola by more than chance; else 0.
    """

    rows: Ints
    off: Ints
    reach: float
    vertex: float
    bottom: float
    curvature: float
    skewed: bool
    below: float

    def bracketed(self, log_n: Floats) -> bool:
        """It opens upwards, and its minimum lies between sizes that were trained."""
        return bool(self.curvature > 0 and log_n.min() < self.vertex < log_n.max())


def fit_near_minimum(log_n: Floats, loss: Floats, *, reach: float | None = None) -> LocalParabola:
    """The parabola through the widest part of a valley that is one.

    Of the parts within a factor of 7, 5, 4 and 3 of the size with the least loss, at least five sizes each, the widest
    one is taken whose curvature is positive and whose residuals show no cubic term (t test, p ≥ 0.05); else the
    narrowest one with positive curvature. Runs whose externally studentized residual is one that honest runs
    show once in a hundred budgets are left out. reach: one factor instead; infinite for all sizes and all runs.
    """
    if reach == math.inf:
        return _fitted(log_n, loss, np.arange(len(log_n)), np.arange(0), math.inf)
    found = None
    for each in REACHES if reach is None else (reach,):
        kept, off = without_stray(log_n, loss, math.log(each))
        found = _fitted(log_n, loss, kept, off, each)
        if found.curvature > 0 and not found.skewed:
            break
    assert found is not None
    if found.curvature <= 0:  # the whole valley says more than a part that has none
        whole = _fitted(log_n, loss, np.arange(len(log_n)), np.arange(0), math.inf)
        return whole if whole.curvature > 0 else found
    return found


def without_stray(log_n: Floats, loss: Floats, width: float) -> tuple[Ints, Ints]:
    """Places near the least loss, and those of runs that were left out on the way.

    width: in log N on both sides. Up to two runs off the parabola through the others are left out.
    """
    kept = np.ones(len(log_n), dtype=np.bool_)
    for last in (False, False, True):
        places = np.flatnonzero(kept)
        near = near_least(log_n[places], loss[places], width)
        chosen = places[near]
        worst = off_parabola(log_n[chosen] - log_n[chosen].mean(), loss[chosen])
        if last or worst is None or kept.sum() <= _FEWEST_LOCAL + 1:
            break
        kept[chosen[worst]] = False
    return chosen, np.flatnonzero(~kept)


def near_least(x: Floats, y: Floats, width: float) -> Ints:
    """Rows near the lowest loss: within a width in log N, or of the six nearest sizes, each with all its rows."""
    away = np.abs(x - x[y.argmin()])
    near = np.flatnonzero(away <= width)
    if len(np.unique(np.round(x[near], 6))) < _FEWEST_LOCAL:
        order = np.argsort(away, kind="stable")
        _, first = np.unique(np.round(x[order], 6), return_index=True)  # of each size, in the order of distance
        nearest = np.sort(first)[:_NEAREST]
        near = order[np.isin(np.round(x[order], 6), np.round(x[order[nearest]], 6))]
    return near


def off_parabola(x: Floats, y: Floats) -> int | None:
    """The run whose residual from the parabola through the others has p < 0.01, counted for that many runs."""
    free = len(x) - 4
    if free < 2:
        return None
    basis = np.vander(x, 3)
    hat = basis @ np.linalg.pinv(basis)
    off = y - hat @ y
    room = np.maximum(1 - np.diag(hat), 1e-9)
    # variance of the others around their own parabola
    others = np.maximum((off @ off - off**2 / room) / free, 1e-20)
    t = np.abs(off) / np.sqrt(others * room)
    worst = int(t.argmax())
    return worst if t[worst] > special.stdtrit(free, 1 - _UNLIKELY / 2 / len(x)) else None


def vertex_of(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Where a parabola's slope vanishes, its value there, and its curvature; a flat one through fewer than 3 sizes."""
    middle = x.mean()
    if len(np.unique(x)) < 3:
        return math.inf, math.nan, 0.0
    curvature, slope, value = np.polyfit(x - middle, y, 2)
    if curvature == 0:
        return math.inf, math.nan, 0.0
    return float(middle - slope / (2 * curvature)), float(value - slope**2 / (4 * curvature)), float(curvature)


def _fitted(log_n: Floats, loss: Floats, rows: Ints, off: Ints, reach: float) -> LocalParabola:
    x, y = log_n[rows], loss[rows]
    vertex, bottom, curvature = vertex_of(x, y)
    return LocalParabola(
        rows, off, reach, vertex, bottom, curvature, _skewed(x, y), _below(x, y, loss, vertex, bottom, curvature)
    )


def _skewed(x: Floats, y: Floats) -> bool:
    """Whether a cubic term has p < 0.05; what rounding leaves of an exact parabola is none."""
    free = len(x) - 4
    if free < 2 or np.ptp(x) == 0:
        return False
    q, r = np.linalg.qr(np.vander((x - x.mean()) / np.ptp(x), 4))
    if abs(np.diag(r)).min() < 1e-9:  # fewer than four sizes
        return False
    terms = np.linalg.solve(r, q.T @ y)
    rest = y - q @ (q.T @ y)
    variance = max(float(rest @ rest) / free, 1e-20 * float(y @ y))
    sd = math.sqrt(variance * float((np.linalg.inv(r)[0] ** 2).sum()))
    return bool(abs(terms[0]) / sd > special.stdtrit(free, 1 - _BENDS / 2))


def _below(x: Floats, y: Floats, every: Floats, vertex: float, bottom: float, curvature: float) -> float:
    depth = float(every.min()) - bottom
    free = len(x) - 3
    if not (curvature > 0 and depth > 0 and free > 0):
        return 0.0
    off = y - bottom - curvature * (x - vertex) ** 2
    nearest = np.argsort(np.abs(x - vertex), kind="stable")[: max(2, round(_SHARE * len(x)))]
    sd = math.sqrt(float(off @ off) / free)
    least = max(_ABOVE * sd / math.sqrt(len(nearest)), 1e-9 * abs(bottom))
    return depth if off[nearest].min() > 0 and off[nearest].mean() > least else 0.0


def widened(minima: Floats, vertices: Sequence[float], log_c: Floats, rng: np.random.Generator) -> Floats:
    """Draws of each budget's minimum, (draws, budgets), spread by what the minima scatter about their line beyond them.

    The variance τ² = max(0, Σr²/(m − 2) − median variance of the draws) is added by t draws of m − 2 degrees.
    """
    free = len(log_c) - 2
    if free < 1 or not len(minima):
        return minima
    rest = np.asarray(vertices) - np.polyval(np.polyfit(log_c, vertices, 1), log_c)
    beyond = float(rest @ rest) / free - float(np.median(minima.var(axis=0)))
    if beyond <= 0:
        return minima
    tails = np.sqrt(free / rng.chisquare(free, (len(minima), 1)))
    return minima + rng.standard_normal(minima.shape) * math.sqrt(beyond) * tails
