"""Method 1: the size that has the least loss at each budget along all training curves, and a power law through them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.values import Value

Floats = NDArray[np.float64]

BUDGETS = 1_500
_FEWEST_BEST = 3  # sizes that are best somewhere
_DRAWS_THAT_HOLD = 0.5  # a draw must bracket at least this share of the budgets that the runs do


@dataclass(frozen=True)
class Envelope(Value):
    """N* ∝ C^a by method 1.

    budgets, n_best: up to (1500,), the budgets at which a smaller and a larger size were trained too, and the size of
    least loss at each.
    exponent_a: with interval over draws of the runs. coefficient: log N* = coefficient + a·log C; draws: (draws, 2).
    """

    budgets: Floats
    n_best: Floats
    exponent_a: Interval
    coefficient: float
    draws: Floats

    def n_at(self, budget: float) -> Interval:
        """N* at a budget, with its interval."""
        level = self.exponent_a.level
        low, high = np.quantile(
            np.exp(self.draws[:, 0] + self.draws[:, 1] * math.log(budget)), [(1 - level) / 2, (1 + level) / 2]
        )
        value = math.exp(self.coefficient + self.exponent_a.value * math.log(budget))
        return Interval(value, float(low), float(high), level)


def envelope(
    runs: Runs, *, draws: int = 200, seed: int = 0, level: float = 0.9, counted: TrainingFlops = SIX_ND
) -> Envelope:
    """At 1,500 log-spaced budgets the N of least loss over curves interpolated in log C; log N* = g + a·log C.

    runs: checkpoints with N, D, loss and a ``run`` column, or several rows of each size, which then make one curve;
    C = 6ND, or as ``counted`` has it. Intervals: runs redrawn with replacement.
    Raises IsoflopError with fewer than three sizes that have curves. Source: Hoffmann et al. 2022, section 3.1.
    """
    check_level(level)
    compute = np.log(counted.flops(runs["N"], runs["D"]))
    log_n, loss = np.log(runs["N"]), runs["loss"]
    codes = runs.run_codes() if "run" in runs.frame.columns else np.unique(np.round(log_n, 6), return_inverse=True)[1]
    curves = [rows for rows in _groups(codes) if len(rows) > 1]
    if len({round(float(log_n[rows[0]]), 6) for rows in curves}) < 3:
        raise IsoflopError(
            f"{runs.source} has training curves of fewer than three sizes; method 1 needs checkpoints of three or more "
            "(a run column and several rows a run)"
        )
    low = np.sort([compute[rows].min() for rows in curves])[1]
    high = np.sort([compute[rows].max() for rows in curves])[-2]
    if low >= high:
        raise IsoflopError(f"no two training curves of {runs.source} reach the same budget; train longer small models")
    grid = np.linspace(low, high, BUDGETS)
    heights = np.stack([_interpolate(grid, compute[rows], loss[rows]) for rows in curves])
    sizes = np.array([log_n[rows[0]] for rows in curves])
    curve = _Curves(heights, sizes)
    inside, best = curve.least(slice(None))
    if inside.sum() < 2:
        raise IsoflopError(
            f"at no budget do the training curves of {runs.source} bracket the best size; train smaller and larger ones"
        )
    if len(np.unique(best[inside])) < _FEWEST_BEST:
        raise IsoflopError(
            f"{runs.source} has training curves of which {len(np.unique(best[inside]))} bracketed "
            f"{'size is' if len(np.unique(best[inside])) == 1 else 'sizes are'} ever the best; method 1 needs three: "
            "train more sizes, or keep runs of one kind (--where)"
        )
    exponent, coefficient = np.polyfit(grid[inside], best[inside], 1)
    rng = np.random.default_rng([seed, 4])
    redrawn = []
    for _ in range(draws):
        kept = np.unique(rng.integers(0, len(curves), len(curves)))
        reached, least = curve.least(kept)
        if reached.sum() > _DRAWS_THAT_HOLD * inside.sum():
            slope, start = np.polyfit(grid[reached], least[reached], 1)
            redrawn.append((start, slope))
    pairs = np.array(redrawn)
    ends = np.quantile(pairs[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return Envelope(
        np.exp(grid[inside]),
        np.exp(best[inside]),
        Interval(float(exponent), float(ends[0]), float(ends[1]), level),
        float(coefficient),
        pairs,
    )


class _Curves:
    """Losses of curves on a grid of budgets, ready for many choices of curves.

    heights: (curves, budgets), NaN where a curve does not reach. sizes: log N of each curve.
    """

    def __init__(self, heights: Floats, sizes: Floats) -> None:
        reached = np.isfinite(heights)
        self._sizes = sizes
        self._heights = np.where(reached, heights, np.inf)
        self._smallest, self._largest = (np.where(reached, sizes[:, None], none) for none in (np.inf, -np.inf))

    def least(self, kept: NDArray[np.int64] | slice) -> tuple[NDArray[np.bool_], Floats]:
        """Where a smaller and a larger size reach the budget too, and the log size of least loss at each budget."""
        best = self._sizes[kept][self._heights[kept].argmin(axis=0)]
        smaller = self._smallest[kept].min(axis=0) < best - 1e-9
        larger = self._largest[kept].max(axis=0) > best + 1e-9
        return smaller & larger, best


def _groups(codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _interpolate(grid: Floats, compute: Floats, loss: Floats) -> Floats:
    """The lowest loss seen up to each budget, straight between checkpoints in log C; NaN outside the curve."""
    order = np.argsort(compute, kind="stable")
    return np.interp(grid, compute[order], loss[order], left=np.nan, right=np.nan)
