"""``inference_aware``: the smaller, longer-trained model that is cheapest once its tokens are served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Estimate
from isoflop.laws.optimum import Optimum, check_positive, optimum
from isoflop.planning.allocate import Plan
from isoflop.uncertainty.ensemble import Ensemble, Interval, interval_of
from isoflop.units import SERVE
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Served(Value):
    """The over-trained answer: the least training and serving compute that reaches the loss of a plan.

    tokens: to be served over the model's life. flops: training compute, 6nd. compute: training plus serving. saved:
    share of the plan's own compute, serving included, that it saves. break_even: served tokens from which half the
    plan's model size is cheaper.
    """

    tokens: float
    n: Interval
    d: Interval
    ratio: Interval
    flops: Interval
    compute: Interval
    saved: Interval
    break_even: Interval


def inference_aware(ensemble: Ensemble, plan: Plan, *, tokens: float) -> Served:
    """argmin over N of 6·N·D + 2·N·T with D such that L(N, D) is the plan's loss (Sardana et al. 2024, equation 2).

    Each draw reaches its own best loss at the plan's budget. Where the plan's N* is not the law's, the law says how
    much smaller the model is than its own optimum and how much longer it trains, and both are counted from N*.

    Parameters
    ----------
    ensemble :
        Draws of a law whose inputs are N and D.
    plan :
        Of those draws, as :func:`isoflop.allocate` gives it.
    tokens :
        T, the inference tokens over the model's life.

    Returns
    -------
    Served
        The inference-aware optimum, with the compute that it saves, each with an interval.

    Raises
    ------
    IsoflopError
        Tokens ≤ 0.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning import inference_aware
    >>> from isoflop.planning.published import published
    >>> constants = published("chinchilla:epoch")
    >>> plan = isoflop.allocate(constants, budget=1e24)
    >>> inference_aware(constants, plan, tokens=1e13).n.value < plan.n.value
    True

    Source: Sardana et al. 2024, arXiv:2401.00448.
    """
    check_positive(tokens, "the inference tokens", "tokens")
    estimate = ensemble.estimate
    level = plan.n.level
    at_fit = estimate.one_draw
    # 2·N·T is of the model that is served, shift times the law's
    served = tokens * plan.shift
    here = _serving(estimate, at_fit, plan.budget, served)
    there = _serving(estimate, ensemble.draws, plan.budget, served) if len(ensemble) else None
    longer = plan.shift ** (-1 / estimate.data.flops.power)  # of D, where the FLOPs stay
    scale = {"n": plan.shift, "d": longer, "ratio": longer / plan.shift, "break_even": 1 / plan.shift}

    def interval(label: str) -> Interval:
        times = scale.get(label, 1.0)
        draws = np.empty(0) if there is None else times * there[label]
        return interval_of(times * float(here[label][0]), draws, level=level)

    return Served(
        tokens=float(tokens),
        n=interval("n"),
        d=interval("d"),
        ratio=interval("ratio"),
        flops=interval("flops"),
        compute=interval("compute"),
        saved=interval("saved"),
        break_even=interval("break_even"),
    )


def _serving(estimate: Estimate, params: Mapping[str, Floats], budget: float, tokens: float) -> dict[str, Floats]:
    """Every number of ``Served`` in each draw, (draws,)."""
    counted = estimate.data.flops
    best = optimum(estimate.law, params, budget, counted=counted)
    n, d = _cheapest(estimate, params, best, tokens)
    flops = counted.flops(n, d)
    compute = flops + SERVE * n * tokens
    half = best.n / 2
    extra = counted.flops(half, _tokens_for_loss(estimate, params, half, best.loss)) - budget
    return {
        "n": n,
        "d": d,
        "ratio": d / n,
        "flops": flops,
        "compute": compute,
        "saved": 1 - compute / (budget + SERVE * best.n * tokens),
        "break_even": extra / (SERVE * (best.n - half)),
    }


def _cheapest(estimate: Estimate, params: Mapping[str, Floats], best: Optimum, tokens: float) -> tuple[Floats, Floats]:
    """N and D of least training and serving compute at each draw's own best loss, (draws,), by golden section."""
    golden = (math.sqrt(5) - 1) / 2
    low, high = np.log(best.n) - 6.0, np.log(best.n)

    def cost(log_n: Floats) -> Floats:
        n = np.exp(log_n)
        d = _tokens_for_loss(estimate, params, n, best.loss)
        return np.where(np.isfinite(d), estimate.data.flops.flops(n, d) + SERVE * n * tokens, np.inf)

    for _ in range(60):
        left, right = high - golden * (high - low), low + golden * (high - low)
        smaller = cost(left) < cost(right)
        low, high = np.where(smaller, low, left), np.where(smaller, right, high)
    n = np.exp((low + high) / 2)
    return n, _tokens_for_loss(estimate, params, n, best.loss)


def _tokens_for_loss(estimate: Estimate, params: Mapping[str, Floats], n: Floats, goal: Floats) -> Floats:
    """D with L(N, D) = goal, (draws,), by bisection; infinite where no D reaches it."""
    low, high = np.zeros(len(n)), np.full(len(n), 120.0)
    reachable = estimate.law.value(params, {"N": n, "D": np.exp(high)}) < goal
    for _ in range(70):
        middle = (low + high) / 2
        above = estimate.law.value(params, {"N": n, "D": np.exp(middle)}) > goal
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(reachable, np.exp(high), np.inf)
