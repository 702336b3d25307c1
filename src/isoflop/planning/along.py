"""``plans_along``: N* and the loss at many budgets at once, for a page on which a budget can be moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.planning.sizes import Sizes, sizes
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.uncertainty.extrapolation import largest_compute
from isoflop.uncertainty.predictive import predictive
from isoflop.values import Value

Floats = NDArray[np.float64]

BUDGETS = 49
SIZES = 41
DECADES = 3.0  # beyond the runs, and beyond the budget that was asked
_WIDE = 30.0  # factor of the sizes shown on both sides of N*


@dataclass(frozen=True)
class PlansAlong(Value):
    """Plans at budgets from the smallest run's to three decades beyond the largest, evenly spaced in log C.

    budgets: FLOPs, (budgets,). n, loss: value, low and high of N* and of the mean loss there, (3, budgets), NaN where
    there is no optimum. prediction: low and high of one new run, (2, budgets). band: both ends of the near-optimal
    sizes, (2, budgets). factors: sizes over N*, (sizes,); valley: value, low and high of the mean loss at these sizes,
    (3, budgets, sizes), by the shape of the law's valley. All losses with model error.
    """

    budgets: Floats
    n: Floats
    loss: Floats
    prediction: Floats
    band: Floats
    factors: Floats
    valley: Floats


def plans_along(
    ensemble: Ensemble, *, budget: float, level: float = 0.9, within: float = 0.002, seed: int = 0
) -> PlansAlong:
    """What :func:`isoflop.planning.optimal_plan` says at each of many budgets around one.

    Raises IsoflopError for a law that has other inputs than N and D.
    """
    estimate = ensemble.estimate
    counted = estimate.data.flops
    low = counted.flops(estimate.data.ranges["N"][0], estimate.data.ranges["D"][0])
    budgets = np.geomspace(low, max(largest_compute(estimate), budget) * 10**DECADES, BUDGETS)
    known = sizes(ensemble, seed=seed)
    n = np.array([_size(known, each, level) for each in budgets]).T
    factors = np.geomspace(1 / _WIDE, _WIDE, SIZES)
    lost = ~np.isfinite(n[0])
    # budgets without an optimum are asked somewhere, and what is found there is not shown
    around = np.where(lost, 1e9, n[0])
    best = predictive(ensemble, {"N": around, "D": counted.tokens(around, budgets)}, level=level)
    loss, prediction = np.array([best.median, *best.mean]), np.array(best.loss)
    for each in (loss, prediction):
        each[:, lost] = np.nan
    below, above = known.near_optimal(budgets, within)
    valley = loss[:, :, None] * known.valley(budgets, factors, within)
    return PlansAlong(budgets, n, loss, prediction, n[0] * np.exp([-below, above]), factors, valley)


def _size(known: Sizes, budget: float, level: float) -> tuple[float, float, float]:
    try:
        n, _ = known.at(budget, level=level)
    except IsoflopError:
        return math.nan, math.nan, math.nan
    return n.value, n.low, n.high
