"""``plans_along``: N* and the loss at many budgets at once, for a page on which a budget can be moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Estimate
from isoflop.laws.optimum import optimum
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
    (3, budgets, sizes). All losses with model error.
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
    # budgets without an optimum are asked somewhere, and what is found there is not shown
    around = np.where(np.isfinite(n[0]), n[0], 1e9)
    at = around[:, None] * factors
    there = predictive(ensemble, {"N": at.ravel(), "D": counted.tokens(at, budgets[:, None]).ravel()}, level=level)
    valley = np.array([there.median, *there.mean]).reshape(3, BUDGETS, SIZES)
    best = predictive(ensemble, {"N": around, "D": counted.tokens(around, budgets)}, level=level)
    lost = ~np.isfinite(n[0])
    loss, prediction = np.array([best.median, *best.mean]), np.array(best.loss)
    for each in (loss, prediction):
        each[:, lost] = np.nan
    valley[:, lost] = np.nan
    half = _half_widths(known, estimate, budgets, within)
    return PlansAlong(budgets, n, loss, prediction, n[0] * np.exp([-half[0], half[1]]), factors, valley)


def _size(known: Sizes, budget: float, level: float) -> tuple[float, float, float]:
    try:
        n, _ = known.at(budget, level=level)
    except IsoflopError:
        return math.nan, math.nan, math.nan
    return n.value, n.low, n.high


def _half_widths(known: Sizes, estimate: Estimate, budgets: Floats, within: float) -> tuple[Floats, Floats]:
    """How far below and above N* sizes are near-optimal, in log N, (budgets,) each."""
    if known.minima is not None:
        half = np.full(len(budgets), math.sqrt(math.log1p(within) / known.minima.curvature()))
        return half, half
    fitted = known.near.fit if known.near is not None else estimate
    counted = estimate.data.flops
    params = {name: np.full(len(budgets), value) for name, value in fitted.params.items()}
    best = optimum(fitted.law, params, budgets, counted=counted)
    ends = []
    for side in (-1.0, 1.0):
        near, far = np.zeros(len(budgets)), np.full(len(budgets), 20.0)
        for _ in range(50):
            middle = (near + far) / 2
            n = best.n * np.exp(side * middle)
            with np.errstate(all="ignore"):
                flat = fitted.predict({"N": n, "D": counted.tokens(n, budgets)}) < best.loss * (1 + within)
            near, far = np.where(flat, middle, near), np.where(flat, far, middle)
        ends.append(near)
    return ends[0], ends[1]
