"""``compute_penalty``: compute of a wrong model size that the best size would not have needed for the same loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.laws import Law
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import name
from isoflop.laws.optimum import check_positive, optimum, require_n_and_d
from isoflop.laws.training_flops import TrainingFlops
from isoflop.uncertainty.ensemble import Ensemble, Interval, interval_of
from isoflop.values import Value

Floats = NDArray[np.float64]

_SETTLED = 1e-12  # of log C
_STEPS = 20
_LEAST = 60.0  # how far below log C the search begins


@dataclass(frozen=True)
class Waste(Value):
    """A size that is not the best one, at a budget.

    params: the size. loss: the curve's there. flops: C − C′ with C′ the least budget whose best loss is that loss.
    share: flops over the budget.
    """

    params: float
    loss: Interval
    flops: Interval
    share: Interval


def compute_penalty(
    ensemble: Ensemble, *, budget: float, params: float, level: float = 0.9, shift: float = 1.0
) -> Waste:
    """C − C′ with min over N of L(N, C′/(6N)) = L(params, C/(6·params)), at the fit and for every draw.

    Parameters
    ----------
    ensemble :
        Draws of a law whose inputs are N and D.
    budget :
        C, training FLOPs.
    params :
        The size that is trained instead of the best one.
    level :
        Of the intervals.
    shift :
        N* of the plan over that of the law (:attr:`isoflop.planning.Plan.shift`); the law is evaluated at params/shift,
        as far from its own optimum.

    Returns
    -------
    Waste
        The loss at that size, the FLOPs C − C′ and their share of C, with intervals.

    Raises
    ------
    IsoflopError
        A budget or size ≤ 0, or a law that has other inputs than N and D.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning import compute_penalty
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> drawn = isoflop.bootstrap(isoflop.fit(isoflop.law("chinchilla"), runs), draws=40)
    >>> best = isoflop.allocate(drawn, budget=1e20).n.value
    >>> 0 < compute_penalty(drawn, budget=1e20, params=best / 4).share.value < 1
    True
    """
    check_positive(budget, "the budget", "FLOPs")
    check_positive(params, "the model size", "parameters")
    estimate = ensemble.estimate
    require_n_and_d(estimate.law)
    at_fit = estimate.one_draw
    counted = estimate.data.flops
    n = params / shift
    at = {"N": n, "D": counted.tokens(n, budget)}
    here = _wasted(estimate.law, at_fit, budget, counted, estimate.law.value(at_fit, at))
    losses = estimate.law.value(ensemble.draws, at)
    draws = _wasted(estimate.law, ensemble.draws, budget, counted, losses) if len(ensemble) else np.empty(0)
    value = float(here[0])
    return Waste(
        params=float(params),
        loss=interval_of(float(estimate.predict(at)), losses, level=level),
        flops=interval_of(value, draws, level=level),
        share=interval_of(value / budget, draws / budget, level=level),
    )


def _wasted(law: Law, params: Mapping[str, Floats], budget: float, counted: TrainingFlops, goal: Floats) -> Floats:
    """C − C′ in each draw, (draws,): Newton's steps on log C′ below log C, halving where one leaves the bracket.

    By the envelope theorem the best loss falls with log C as the loss does with log D^q at the optimum.
    """
    (slope,) = gradient(law.expression, (name("D"),))
    high = np.full(len(goal), math.log(budget))
    low = high - _LEAST
    at = high.copy()
    for _ in range(_STEPS):
        n, d, loss = _best(law, params, np.exp(at), counted)
        worse = loss > goal
        low, high = np.where(worse, at, low), np.where(worse, high, at)
        with np.errstate(all="ignore"):
            fall = d / counted.d_power * np.asarray(array_value(slope, {**params, "N": n, "D": d}), dtype=np.float64)
            step = at - (loss - goal) / fall
        settled = np.abs(step - at) < _SETTLED
        if settled.all():
            break
        at = np.where(settled, at, np.where((step > low) & (step < high), step, (low + high) / 2))
    return np.maximum(0.0, budget - np.exp(at))


def _best(
    law: Law, params: Mapping[str, Floats], budget: Floats, counted: TrainingFlops
) -> tuple[Floats, Floats, Floats]:
    """N, D and loss of the best allocation in each draw, (draws,)."""
    found = optimum(law, params, budget, counted=counted)
    return found.n, found.d, found.loss
