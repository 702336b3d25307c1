"""``allocate``: the model size and the tokens that a training budget is best spent on, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate
from isoflop.laws.optimum import Optimum, check_positive, closed_form, optimum, require_n_and_d
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of, no_draws, tail_findings
from isoflop.uncertainty.extrapolation import distances
from isoflop.uncertainty.predictive import Predictive, predictive
from isoflop.uncertainty.prior import shipped_prior
from isoflop.values import Value

Floats = NDArray[np.float64]
Basis = Literal["law", "IsoFLOP minima", "runs near the optimum"]

_STEP = 0.05  # in log C, for the slope of log N*


@dataclass(frozen=True)
class Band(Value):
    """All sizes whose loss is within ``within`` (relative) of the best at the budget: N and D at both ends."""

    within: float
    n: tuple[float, float]
    d: tuple[float, float]


@dataclass(frozen=True)
class Plan(Shown):
    """How to spend a budget.

    n, d, ratio (D/N), exponent_a (d log N*/d log C): with intervals; ``basis`` says what they rest on: ``law``, the fit
    to all runs; ``IsoFLOP minima``; or ``runs near the optimum``.
    loss, prediction: of a run of this very N and D, its mean and what it would measure, with model error (as
    :func:`forecast` has them). law_loss, law_prediction: the same if the law holds. model_error_share: the share of the
    width of ``prediction`` that model error adds.
    least_loss: min over N of L(N, C/(6N)), each draw at its own best size, which is never above the loss of the draw at
    the N of the plan; None where the law has no optimum.
    method: ``closed form`` or ``numeric``. band: the sizes of nearly the least loss.
    law: where the basis is another one, the plan of the fit to all runs. ensemble: what was asked.
    """

    budget: float
    n: Interval
    d: Interval
    ratio: Interval
    loss: Interval
    prediction: Interval
    law_loss: Interval
    law_prediction: Interval
    model_error_share: float
    least_loss: Interval | None
    exponent_a: Interval
    method: str
    band: Band
    findings: tuple[Finding, ...]
    ensemble: Ensemble = field(repr=False, compare=False)
    basis: Basis = "law"
    law: Plan | None = field(default=None, repr=False)

    @property
    def shift(self) -> float:
        """N* over that of the fit to all runs: 1 where the plan is that one's."""
        return 1.0 if self.law is None else self.n.value / self.law.n.value


def allocate(ensemble: Ensemble, *, budget: float, level: float = 0.9, within: float = 0.002) -> Plan:
    """argmin over N of L(N, C/(6N)) for the fit and for every draw: the plan of the law, if it holds.

    :func:`isoflop.planning.optimal_plan` rests on the runs near the optimum instead where it can.

    budget: training FLOPs, 6ND or as the fit's table counts them (``estimate.data.flops``). within: the
    relative loss that counts as flat.
    In closed form where the law is E + A/N^α + B/D^β, otherwise by bisection on the exact slope.
    Raises IsoflopError for a law that has other inputs than N and D, a budget ≤ 0, or no interior optimum.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> drawn = isoflop.bootstrap(fitted, draws=40)
    >>> plan = isoflop.allocate(drawn, budget=1e20)
    >>> plan.n.low < plan.n.value < plan.n.high
    True
    """
    check_level(level)
    check_positive(budget, "the budget", "FLOPs")
    if not 0 < within < 1:
        raise IsoflopError(f"the near-optimal range is a relative loss between 0 and 1, not {within:g}; 0.002 is usual")
    estimate = ensemble.estimate
    require_n_and_d(estimate.law)
    at_fit = {label: np.array([value]) for label, value in estimate.params.items()}
    counted = estimate.data.flops
    here = optimum(estimate.law, at_fit, budget, counted=counted)
    if not here.inside[0]:
        where = "smaller" if here.n[0] < math.sqrt(counted.product(budget)) else "larger"
        raise IsoflopError(
            f"{estimate.law.name} has no compute-optimal size at {budget:g} FLOPs: along this budget its loss falls "
            f"all the way to {where} models; the runs do not determine it"
        )
    draws = ensemble.draws
    there = optimum(estimate.law, draws, budget, counted=counted)
    method = "closed form" if closed_form(estimate.law, at_fit, budget, counted=counted) is not None else "numeric"
    slope_here, slope_there = _exponent(estimate, at_fit, budget), _exponent(estimate, draws, budget)
    lost = int((~there.inside).sum())
    kept = there.inside

    def interval(value: Floats, values: Floats) -> Interval:
        return interval_of(float(value[0]), values[kept], level=level)

    loss = loss_at(ensemble, float(here.n[0]), budget, level=level)
    return Plan(
        budget=float(budget),
        n=interval(here.n, there.n),
        d=interval(here.d, there.d),
        ratio=interval(here.d / here.n, there.d / there.n),
        **promised(loss),
        least_loss=interval(here.loss, there.loss),
        exponent_a=interval(slope_here, slope_there),
        method=method,
        band=_band(estimate, here, budget, within),
        findings=(
            *no_draws(ensemble),
            *tail_findings(ensemble, level=level),
            *_findings(estimate, here, lost, len(ensemble)),
            *loss.findings,
            *ensemble.findings,
        ),
        ensemble=ensemble,
    )


def loss_at(ensemble: Ensemble, n: float, budget: float, *, level: float) -> Predictive:
    """The loss of a run of n parameters at a budget, under both promises."""
    return predictive(ensemble, {"N": n, "D": ensemble.estimate.data.flops.tokens(n, budget)}, level=level)


def promised(loss: Predictive) -> dict[str, Any]:
    """What a plan says of the loss at its N and D."""
    return {
        "loss": loss.mean_interval(),
        "prediction": loss.interval(),
        "law_loss": loss.law_mean_interval(),
        "law_prediction": loss.law_interval(),
        "model_error_share": float(loss.model_error_share[0]),
    }


def best_size(estimate: Estimate, budget: float) -> float:
    """argmin over N of L(N, C/(6N)) at the fit; raises IsoflopError where there is no optimum inside."""
    require_n_and_d(estimate.law)
    at_fit = {label: np.array([value]) for label, value in estimate.params.items()}
    here = optimum(estimate.law, at_fit, budget, counted=estimate.data.flops)
    if not here.inside[0]:
        raise IsoflopError(f"{estimate.law.name} has no compute-optimal size at {budget:g} FLOPs without these rows")
    return float(here.n[0])


def _exponent(estimate: Estimate, params: Mapping[str, Floats], budget: float) -> Floats:
    """d log N*/d log C by a central difference; exact where N* is a power of C."""
    above, below = (
        optimum(estimate.law, params, budget * math.exp(sign * _STEP), counted=estimate.data.flops).n
        for sign in (1, -1)
    )
    return np.log(above / below) / (2 * _STEP)


def _band(estimate: Estimate, here: Optimum, budget: float, within: float) -> Band:
    """The ends of the flat bottom, by bisection outwards from the optimum."""
    goal = float(here.loss[0]) * (1 + within)
    centre = math.log(float(here.n[0]))
    counted = estimate.data.flops

    def loss(log_n: float) -> float:
        n = math.exp(log_n)
        return float(estimate.predict({"N": n, "D": counted.tokens(n, budget)}))

    ends = [math.exp(_crossing(loss, centre, side, goal)) for side in (-1, 1)]
    return Band(within, (ends[0], ends[1]), (counted.tokens(ends[1], budget), counted.tokens(ends[0], budget)))


def _crossing(loss: Callable[[float], float], start: float, side: int, goal: float) -> float:
    """Where a loss that rises away from ``start`` reaches ``goal``."""
    step = 0.1
    while loss(start + side * step) < goal and step < 50:
        step *= 2
    inner, outer = start, start + side * step
    for _ in range(60):
        middle = (inner + outer) / 2
        inner, outer = (middle, outer) if loss(middle) < goal else (inner, middle)
    return (inner + outer) / 2


def _findings(estimate: Estimate, here: Optimum, lost: int, draws: int) -> list[Finding]:
    found = []
    if lost:
        found.append(
            Finding(
                "no-optimum",
                "warning",
                f"{lost} of {draws} draws have no interior optimum at this budget and are left out of the intervals.",
                "The runs hardly determine the trade of N against D; add runs, or tie exponents (--tie beta=alpha).",
            )
        )
    for label, decades in distances(estimate, {"N": float(here.n[0]), "D": float(here.d[0])}).items():
        if decades > 1:
            found.append(
                Finding(
                    "far-extrapolation",
                    "warning",
                    f"the best {label} lies {decades:.1f} decades beyond the runs, and model error was learned from "
                    f"forecasts up to {shipped_prior().farthest:g} decades beyond theirs.",
                    "Hold out the largest runs to see what the law would have planned, or train something larger.",
                )
            )
    return found
