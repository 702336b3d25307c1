"""``optimal_plan``: the compute-optimal size that the runs near it show, with the law's own optimum beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws.optimum import check_positive, require_n_and_d
from isoflop.laws.training_flops import TrainingFlops
from isoflop.planning.allocate import Band, Basis, Plan, allocate, loss_at, promised
from isoflop.planning.isoflop_minima import IsoflopMinima
from isoflop.planning.sizes import sizes
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, no_draws, tail_findings

_WIDE = 4.0  # ratio of the ends of N*'s interval from which it is said to be open
_APART = 1.5  # ratio of the law's N* to the other from which it is said
_SHOWN = {"IsoFLOP minima": "the IsoFLOP minima", "runs near the optimum": "the fit to the runs near it"}


def optimal_plan(
    ensemble: Ensemble, *, budget: float, level: float = 0.9, within: float = 0.002, seed: int = 0
) -> Plan:
    """N* and D* from the runs that show them; loss at that size from the law with its model error.

    Where three or more budgets bracket their minimum, N* = the weighted power law through local minima
    (:func:`isoflop.planning.isoflop_minima.isoflop_minima`). Elsewhere the law's optimum fitted to the runs near it
    (:func:`isoflop.planning.near_optimum.near_optimum`), or to all runs where these are too few; its interval then
    counts how far such optima lay from measured minima on other tables. The plan of the fit to all runs is ``law``.
    Raises IsoflopError as :func:`allocate`; a law without an optimum is no error where the runs show the minima.
    """
    check_level(level)
    check_positive(budget, "the budget", "FLOPs")
    require_n_and_d(ensemble.estimate.law)
    known = sizes(ensemble, seed=seed)
    try:
        law = allocate(ensemble, budget=budget, level=level, within=within)
    except IsoflopError:
        if known.minima is None:
            raise
        law = None
    if known.runs is None and law is not None:
        return law
    n, basis = known.at(budget, level=level)
    band: Band | None = None
    exponent: Interval | None = None
    method: str = "numeric"
    findings: tuple[Finding, ...] = ()
    if law is not None:
        band, exponent, method = law.band, law.exponent_a, law.method
    if known.minima is not None:
        band = _band(known.minima, n.value, budget, within, ensemble.estimate.data.flops)
        exponent, findings = known.minima.exponent_interval(level=level), known.minima.findings
    elif basis == "runs near the optimum" and known.near is not None:
        near = allocate(replace(known.near.draws, findings=()), budget=budget, level=level, within=within)
        band, exponent = near.band, near.exponent_a
    assert band is not None and exponent is not None
    own_findings = law.findings if law is not None else (*no_draws(ensemble), *tail_findings(ensemble, level=level))
    loss = loss_at(ensemble, n.value, budget, level=level)
    counted = ensemble.estimate.data.flops
    return Plan(
        budget=float(budget),
        n=n,
        d=_mapped(n, lambda size: counted.tokens(size, budget)),
        ratio=_mapped(n, lambda size: counted.tokens(size, budget) / size),
        **promised(loss),
        least_loss=None if law is None else law.least_loss,
        exponent_a=exponent,
        method=method,
        band=band,
        findings=(*_open(n, basis), *_apart(law, n, basis), *findings, *own_findings),
        ensemble=ensemble,
        basis=basis,
        law=law,
    )


def _mapped(n: Interval, of: Callable[[float], float]) -> Interval:
    """A falling function of N, with its interval."""
    return Interval(of(n.value), of(n.high), of(n.low), n.level)


def _band(minima: IsoflopMinima, n: float, budget: float, within: float, counted: TrainingFlops) -> Band:
    """Sizes whose loss is within ``within`` of the least: log N* ± √(log(1 + within)/c)."""
    half = math.sqrt(math.log1p(within) / minima.curvature())
    low, high = n * math.exp(-half), n * math.exp(half)
    return Band(within, (low, high), (counted.tokens(high, budget), counted.tokens(low, budget)))


def _open(n: Interval, basis: Basis) -> tuple[Finding, ...]:
    if basis == "IsoFLOP minima" or not n.high / n.low > _WIDE:
        return ()
    what = "the fit to all runs" if basis == "law" else "the runs near the optimum"
    return (
        Finding(
            "open-optimum",
            "warning",
            f"N* rests on {what}, and its interval spans a factor of {n.high / n.low:.2g}: optima of such fits lay as "
            "far from measured minima on other tables.",
            "Train five or more sizes at each of three budgets, with the best size inside.",
        ),
    )


def _apart(law: Plan | None, n: Interval, basis: Basis) -> tuple[Finding, ...]:
    if law is None:
        return (
            Finding(
                "law-without-optimum",
                "warning",
                "the law fitted to all runs has no compute-optimal size at this budget; N* is that of the IsoFLOP "
                "minima.",
                "Do not extrapolate the law's loss along this budget.",
            ),
        )
    ratio = max(law.n.value / n.value, n.value / law.n.value)
    if basis == "law" or ratio < _APART:
        return ()
    return (
        Finding(
            "law-optimum-apart",
            "note",
            f"the law fitted to all runs has its optimum a factor of {ratio:.2g} from that of {_SHOWN[basis]}: "
            "runs far from the optimum decide it.",
            "Trust the minima; they were measured.",
        ),
    )
