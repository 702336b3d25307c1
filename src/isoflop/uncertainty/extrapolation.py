"""How far beyond the runs: decades for every input and for compute; the budget that is asked where none is given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.fitting import Estimate
from isoflop.fitting.own_flops import own_flops
from isoflop.runs import Runs

Floats = NDArray[np.float64]

AHEAD = 10.0  # the usual budget, in units of the largest run's compute


def decades_beyond(values: ArrayLike, low: float, high: float) -> Floats:
    """max(0, log10(x/high), log10(low/x)): decades outside a range, 0 inside.

    Where ``low`` is 0 (an input that may be), log10(1 + d/(high − low)) with d the distance to the range.
    """
    x = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if low <= 0:
            beyond = np.maximum(0.0, np.maximum(x - high, low - x))
            return np.log10(1 + beyond / (high - low)) if high > low else np.zeros_like(x)
        return np.maximum(0.0, np.maximum(np.log10(x / high), np.log10(low / x)))


def distances(estimate: Estimate, at: Mapping[str, float]) -> dict[str, float]:
    """Decades beyond the runs for each of these inputs whose range is known."""
    ranges = estimate.data.ranges
    return {name: float(decades_beyond(value, *ranges[name])) for name, value in at.items() if name in ranges}


def largest_compute(of: Runs | Estimate) -> float:
    """The largest training FLOPs of the runs, 6ND or as the table counts them.

    Where the runs are not at hand, those of the largest N and the largest D.
    """
    if isinstance(of, Runs):
        return float(own_flops(of)[0].flops(of["N"], of["D"]).max())
    counted = of.data.flops
    if of.runs is not None:
        return float(counted.flops(of.runs["N"], of.runs["D"]).max())
    return counted.flops(of.data.ranges["N"][1], of.data.ranges["D"][1])


def usual_budget(of: Runs | Estimate) -> float:
    """Ten times the largest run's compute, to one digit: training FLOPs. The one rule for every question."""
    return float(f"{AHEAD * largest_compute(of):.0e}")


def compute_distance(of: Runs | Estimate, budget: float) -> float:
    """Decades of compute by which a budget lies beyond the largest run; 0 within."""
    return max(0.0, float(np.log10(budget / largest_compute(of))))
