"""``allocate``: the model size and the tokens that a training budget is best spent on, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Fit
from isoflop.laws.optimum import Optimum, check_positive, closed_form, optimum, require_n_and_d
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of, no_draws, tail_findings
from isoflop.values import Value

Floats = NDArray[np.float64]

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

    n, d, ratio (D/N), loss, exponent_a (d log N*/d log C): at the fit, with intervals over the draws; the loss is the
    curve's. method: ``closed form`` or ``numeric``. band: the flat bottom of the valley, at the fit.
    ensemble: what was asked.
    """

    budget: float
    n: Interval
    d: Interval
    ratio: Interval
    loss: Interval
    exponent_a: Interval
    method: str
    band: Band
    findings: tuple[Finding, ...]
    ensemble: Ensemble = field(repr=False, compare=False)


def allocate(ensemble: Ensemble, *, budget: float, level: float = 0.9, within: float = 0.002) -> Plan:
    """argmin over N of L(N, C/(6N)) for the fit and for every draw.

    budget: training FLOPs, 6ND or as the fit's table counts them (``fit.data.flops``). within: the
    relative loss that counts as flat.
    In closed form where the law is E + A/N^α + B/D^β, otherwise by bisection on the exact slope.
    Raises IsoflopError for a law that has other inputs than N and D, a budget ≤ 0, or no interior optimum.
    """
    check_level(level)
    check_positive(budget, "the budget", "FLOPs")
    if not 0 < within < 1:
        raise IsoflopError(f"the flat band is a relative loss between 0 and 1, not {within:g}; 0.002 is usual")
    fit = ensemble.fit
    require_n_and_d(fit.law)
    at_fit = {label: np.array([value]) for label, value in fit.params.items()}
    counted = fit.data.flops
    here = optimum(fit.law, at_fit, budget, counted=counted)
    if not here.inside[0]:
        where = "smaller" if here.n[0] < math.sqrt(counted.product(budget)) else "larger"
        raise IsoflopError(
            f"{fit.law.name} has no compute-optimal size at {budget:g} FLOPs: along this budget its loss falls all the "
            f"way to {where} models; the runs do not determine it"
        )
    draws = ensemble.draws()
    there = optimum(fit.law, draws, budget, counted=counted)
    method = "closed form" if closed_form(fit.law, at_fit, budget, counted=counted) is not None else "numeric"
    slope_here, slope_there = _exponent(fit, at_fit, budget), _exponent(fit, draws, budget)
    lost = int((~there.inside).sum())
    kept = there.inside

    def interval(value: Floats, values: Floats) -> Interval:
        return interval_of(float(value[0]), values[kept], level=level)

    return Plan(
        budget=float(budget),
        n=interval(here.n, there.n),
        d=interval(here.d, there.d),
        ratio=interval(here.d / here.n, there.d / there.n),
        loss=interval(here.loss, there.loss),
        exponent_a=interval(slope_here, slope_there),
        method=method,
        band=_band(fit, here, budget, within),
        findings=(
            *no_draws(ensemble),
            *tail_findings(ensemble, level=level),
            *_findings(fit, here, lost, len(ensemble)),
            *ensemble.findings,
        ),
        ensemble=ensemble,
    )


def best_size(fit: Fit, budget: float) -> float:
    """argmin over N of L(N, C/(6N)) at the fit; raises IsoflopError where there is no optimum inside."""
    require_n_and_d(fit.law)
    here = optimum(
        fit.law, {label: np.array([value]) for label, value in fit.params.items()}, budget, counted=fit.data.flops
    )
    if not here.inside[0]:
        raise IsoflopError(f"{fit.law.name} has no compute-optimal size at {budget:g} FLOPs without these rows")
    return float(here.n[0])


def _exponent(fit: Fit, params: Mapping[str, Floats], budget: float) -> Floats:
    """d log N*/d log C by a central difference; exact where N* is a power of C."""
    above, below = (
        optimum(fit.law, params, budget * math.exp(sign * _STEP), counted=fit.data.flops).n for sign in (1, -1)
    )
    return np.log(above / below) / (2 * _STEP)


def _band(fit: Fit, here: Optimum, budget: float, within: float) -> Band:
    """The ends of the flat bottom, by bisection outwards from the optimum."""
    goal = float(here.loss[0]) * (1 + within)
    centre = math.log(float(here.n[0]))
    counted = fit.data.flops

    def loss(log_n: float) -> float:
        n = math.exp(log_n)
        return float(fit.predict({"N": n, "D": counted.tokens(n, budget)}))

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


def _findings(fit: Fit, here: Optimum, lost: int, draws: int) -> list[Finding]:
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
    for label, value in (("N", float(here.n[0])), ("D", float(here.d[0]))):
        low, high = fit.data.ranges.get(label, (value, value))
        decades = max(0.0, math.log10(value / high), math.log10(low / value))
        if decades > 1:
            found.append(
                Finding(
                    "far-reach",
                    "warning",
                    f"the best {label} lies {decades:.1f} decades beyond the runs; the intervals cover noise in the "
                    "runs, not the chance that the law bends out there.",
                    "Hold out the largest runs to see what the law would have planned, or train something larger.",
                )
            )
    return found
