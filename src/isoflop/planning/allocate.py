"""``allocate``: the model size and the tokens that a training budget is best spent on, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate
from isoflop.laws.optimum import Optimum, check_positive, closed_form, falls_again, optimum, require_n_and_d
from isoflop.laws.training_flops import TrainingFlops
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of, no_draws, tail_findings
from isoflop.uncertainty.extrapolation import distances
from isoflop.uncertainty.predictive import Predictive, predictive
from isoflop.values import Value

Floats = NDArray[np.float64]
Basis = Literal["law", "IsoFLOP minima", "runs near the optimum"]

_STEP = 0.05  # in log C, for the slope of log N*
_FARTHEST = 50.0  # in log N, beyond which no end of a near-optimal range is looked for


@dataclass(frozen=True)
class Band(Value):
    """All sizes whose loss is within ``within`` (relative) of the best at the budget: N and D at both ends."""

    within: float
    n: tuple[float, float]
    d: tuple[float, float]


@dataclass(frozen=True)
class Plan(Shown):
    """The model size and the tokens that make the most of a budget.

    Attributes
    ----------
    budget :
        Training FLOPs.
    n, d, ratio, exponent_a :
        N*, D*, D*/N* and d log N*/d log C, with intervals.
    loss, prediction :
        Of a run of this very N and D, its mean and what it would measure, with model error (as :func:`forecast` has
        them).
    law_loss, law_prediction :
        The same if the law holds.
    model_error_share :
        The share of the width of ``prediction`` that model error adds.
    least_loss :
        min over N of L(N, C/(6N)), each draw at its own best size, which is never above the loss of the draw at the N
        of the plan; None where the law has no optimum.
    method :
        ``closed form`` or ``numeric``.
    band :
        The sizes of nearly the least loss.
    findings :
        What to know about the plan.
    ensemble :
        The draws that the plan was made from.
    basis :
        What n, d, ratio and exponent_a rest on: ``law``, the fit to all runs; ``IsoFLOP minima``; or ``runs near the
        optimum``.
    law :
        Where the basis is another one, the plan of the fit to all runs.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> drawn = isoflop.bootstrap(isoflop.fit(isoflop.law("chinchilla"), runs), draws=40)
    >>> plan = isoflop.allocate(drawn, budget=1e20)
    >>> plan.basis, round(plan.d.value / plan.n.value / plan.ratio.value, 6)
    ('law', 1.0)
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

    :func:`isoflop.planning.optimal_plan` rests on the runs near the optimum instead where it can. In closed form where
    the law is E + A/N^α + B/D^β, otherwise by bisection on the exact slope.

    Parameters
    ----------
    ensemble :
        Draws of a law whose inputs are N and D.
    budget :
        Training FLOPs, 6ND or as the fit's table counts them (``estimate.data.flops``).
    level :
        Of the intervals.
    within :
        The relative loss of the near-optimal range.

    Returns
    -------
    Plan
        N*, D*, their ratio and the loss there, with intervals.

    Raises
    ------
    IsoflopError
        A law that has other inputs than N and D, a budget ≤ 0, or no interior optimum.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> drawn = isoflop.bootstrap(fitted, draws=40)
    >>> plan = isoflop.allocate(drawn, budget=1e20)
    >>> plan.n.low < plan.n.value < plan.n.high
    True

    Source: Hoffmann et al. 2022, arXiv:2203.15556, equation 4.
    """
    check_level(level)
    check_positive(budget, "the budget", "FLOPs")
    if not 0 < within < 1:
        raise IsoflopError(f"the near-optimal range is a relative loss between 0 and 1, not {within:g}; 0.002 is usual")
    estimate = ensemble.estimate
    require_n_and_d(estimate.law)
    at_fit = estimate.one_draw
    counted = estimate.data.flops
    here = optimum(estimate.law, at_fit, budget, counted=counted)
    if not here.inside[0]:
        where = "smaller" if here.n[0] < math.sqrt(counted.product(budget)) else "larger"
        raise IsoflopError(
            f"{estimate.law.name} has no compute-optimal size at {budget:g} FLOPs: along this budget its "
            f"{estimate.law.response.replace('_', ' ')} falls "
            f"all the way to {where} models; the runs do not determine it"
        )
    draws = ensemble.draws
    there = optimum(estimate.law, draws, budget, counted=counted)
    method = "closed form" if closed_form(estimate.law, at_fit, budget, counted=counted) is not None else "numeric"
    lost = int((~there.inside).sum())
    kept = there.inside

    def interval(value: Floats, values: Floats) -> Interval:
        return interval_of(float(value[0]), values[kept], level=level)

    loss = loss_at(ensemble, float(here.n[0]), budget, level=level)
    ends = near_optimal(estimate, here, np.array([budget]), within)
    return Plan(
        budget=float(budget),
        n=interval(here.n, there.n),
        d=interval(here.d, there.d),
        ratio=interval(here.d / here.n, there.d / there.n),
        **losses_of(loss),
        least_loss=interval(here.loss, there.loss),
        exponent_a=exponent(ensemble, budget, level=level),
        method=method,
        band=band_at(float(here.n[0]), ends, budget, within, counted),
        findings=(
            *no_draws(ensemble),
            *tail_findings(ensemble, level=level),
            *_findings(ensemble, here, lost),
            *_turning(estimate, float(here.n[0]), budget),
            *loss.findings,
            *ensemble.findings,
        ),
        ensemble=ensemble,
    )


def loss_at(ensemble: Ensemble, n: float, budget: float, *, level: float) -> Predictive:
    """The loss of a run of n parameters at a budget, with model error and if the law holds."""
    return predictive(ensemble, {"N": n, "D": ensemble.estimate.data.flops.tokens(n, budget)}, level=level)


def losses_of(loss: Predictive) -> dict[str, Any]:
    """What a plan says of the loss at its N and D."""
    return {
        "loss": loss.mean_interval(),
        "prediction": loss.interval(),
        "law_loss": loss.law_mean_interval(),
        "law_prediction": loss.law_interval(),
        "model_error_share": float(loss.model_error_share[0]),
    }


def exponent(ensemble: Ensemble, budget: float, *, level: float = 0.9) -> Interval:
    """d log N*/d log C by a central difference, exact where N* is a power of C; over draws that have an N*."""
    estimate = ensemble.estimate

    def slope(params: Mapping[str, Floats]) -> Floats:
        ends = [budget * math.exp(sign * _STEP) for sign in (1, -1)]
        above, below = (optimum(estimate.law, params, each, counted=estimate.data.flops) for each in ends)
        found = np.log(above.n / below.n) / (2 * _STEP)
        return np.where(above.inside & below.inside, found, np.nan)

    return interval_of(float(slope(estimate.one_draw)[0]), slope(ensemble.draws), level=level)


def near_optimal(estimate: Estimate, best: Optimum, budgets: Floats, within: float) -> tuple[Floats, Floats]:
    """How far below and above N* the loss stays within a share of its least, in log N, (budgets,) each: by bisection.

    best: the optimum at each budget.
    """
    counted = estimate.data.flops
    ends = []
    for side in (-1.0, 1.0):

        def flat(steps: Floats, side: float = side) -> NDArray[np.bool_]:
            with np.errstate(all="ignore"):
                n = best.n * np.exp(side * steps)
                return np.asarray(
                    estimate.predict({"N": n, "D": counted.tokens(n, budgets)}) < best.loss * (1 + within)
                )

        inner, outer = np.zeros(len(budgets)), np.full(len(budgets), 0.1)
        while (wide := flat(outer) & (outer < _FARTHEST)).any():
            outer = np.where(wide, 2 * outer, outer)
        for _ in range(60):
            middle = (inner + outer) / 2
            inside = flat(middle)
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        ends.append((inner + outer) / 2)
    return ends[0], ends[1]


def band_at(n: float, ends: tuple[Floats, Floats], budget: float, within: float, counted: TrainingFlops) -> Band:
    """The near-optimal range around N* whose ends lie so far below and above it in log N, (1,) each."""
    low, high = n * math.exp(-float(ends[0][0])), n * math.exp(float(ends[1][0]))
    return Band(within, (low, high), (counted.tokens(high, budget), counted.tokens(low, budget)))


def _turning(estimate: Estimate, n: float, budget: float) -> list[Finding]:
    """Where a law whose loss falls again far from its valley stops being physical."""
    with np.errstate(all="ignore"):
        found = falls_again(estimate.law, estimate.one_draw, budget, n, counted=estimate.data.flops)
    if not found:
        return []
    where = " and ".join(f"{'above' if each > n else 'below'} N = {each:.3g}" for each in found)
    return [
        Finding(
            "law-turns",
            "warning",
            f"along this budget the loss of {estimate.law.name} falls again {where}, without end: the law is not "
            "physical there, and N* is the minimum on the side of the runs.",
            "Compare with a law that has a floor (isoflop rank), and do not forecast beyond the turn.",
        )
    ]


def _findings(ensemble: Ensemble, here: Optimum, lost: int) -> list[Finding]:
    found = []
    if lost:
        found.append(
            Finding(
                "no-optimum",
                "warning",
                f"{lost} of {len(ensemble)} draws have no interior optimum at this budget and are left out of the "
                "intervals.",
                "The runs hardly determine the trade of N against D; add runs, or tie exponents (--tie beta=alpha).",
            )
        )
    for label, decades in distances(ensemble.estimate, {"N": float(here.n[0]), "D": float(here.d[0])}).items():
        if decades > 1:
            found.append(
                Finding(
                    "far-extrapolation",
                    "warning",
                    f"the best {label} lies {decades:.1f} decades beyond the runs, and model error was learned from "
                    f"forecasts up to {ensemble.prior.farthest:g} decades beyond theirs.",
                    "Hold out the largest runs to see what the law would have planned, or train something larger.",
                )
            )
    return found
