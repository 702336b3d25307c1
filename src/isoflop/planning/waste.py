"""``wasted``: what a wrong model size costs: the compute that the best size would not have needed for the same loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.laws import Law
from isoflop.laws.optimum import TRAIN, check_positive, closed_form, optimum, require_n_and_d
from isoflop.uncertainty.ensemble import Ensemble, Interval, interval_of

Floats = NDArray[np.float64]

_HALVINGS = 44
_LEAST = 60.0  # how far below log C the search begins


@dataclass(frozen=True)
class Waste:
    """A size that is not the best one, at a budget.

    params: the size. loss: the curve's there. flops: C − C′ with C′ the least budget whose best loss is that loss.
    share: flops over the budget.
    """

    params: float
    loss: Interval
    flops: Interval
    share: Interval


def wasted(ensemble: Ensemble, *, budget: float, params: float, level: float = 0.9) -> Waste:
    """C − C′ with min over N of L(N, C′/(6N)) = L(params, C/(6·params)), at the fit and for every draw.

    budget: C, FLOPs. params: the size that is trained instead of the best one.
    Raises IsoflopError for a budget or size ≤ 0 and for a law that has other inputs than N and D.
    """
    check_positive(budget, "the budget", "FLOPs")
    check_positive(params, "the model size", "parameters")
    fit = ensemble.fit
    require_n_and_d(fit.law)
    at_fit = {label: np.array([value]) for label, value in fit.params.items()}
    at = {"N": params, "D": budget / (TRAIN * params)}
    here = _wasted(fit.law, at_fit, budget, fit.law.value(at_fit, at))
    losses = fit.law.value(ensemble.draws(), at)
    draws = _wasted(fit.law, ensemble.draws(), budget, losses) if len(ensemble) else np.empty(0)
    value = float(here[0])
    return Waste(
        params=float(params),
        loss=interval_of(float(fit.predict(at)), losses, level=level),
        flops=interval_of(value, draws, level=level),
        share=interval_of(value / budget, draws / budget, level=level),
    )


def _wasted(law: Law, params: Mapping[str, Floats], budget: float, goal: Floats) -> Floats:
    """Bisection on log C′ below log C, (draws,)."""
    high = np.full(len(goal), math.log(budget))
    low = high - _LEAST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        worse = _best_loss(law, params, np.exp(middle)) > goal
        low, high = np.where(worse, middle, low), np.where(worse, high, middle)
    return np.maximum(0.0, budget - np.exp(high))


def _best_loss(law: Law, params: Mapping[str, Floats], budget: Floats) -> Floats:
    known = closed_form(law, params, budget)
    if known is None:
        return optimum(law, params, budget).loss
    return law.value(params, {"N": known[0], "D": known[1]})
