"""``optimal_plan``: the compute-optimal size that the runs near it show, with the law's own optimum beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate, Fit
from isoflop.laws.optimum import check_positive, require_n_and_d
from isoflop.planning.allocate import Band, Plan, allocate, best_size, loss_at, promised
from isoflop.planning.isoflop_minima import IsoflopMinima, isoflop_minima
from isoflop.planning.near_optimum import near_optimum
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, no_draws, tail_findings
from isoflop.uncertainty.extrapolation import compute_distance
from isoflop.units import TRAIN

LAW_ANYWHERE = 0.3  # standard deviation of log N* of a fit to all runs, beyond what resampling them says
LAW_DRIFT = 0.75  # the same for each decade of compute beyond the runs
_FREE = 4
_WIDE = 4.0  # ratio of the ends of N*'s interval from which it is said to be open
_APART = 1.5  # ratio of the law's N* to the other from which it is said


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
    minima = _minima(ensemble.estimate, seed)
    try:
        law = allocate(ensemble, budget=budget, level=level, within=within)
    except IsoflopError:
        if minima is None:
            raise
        law = None
    if minima is not None:
        n, a = minima.n_at(budget, level=level), minima.exponent_interval(level=level)
        return _plan(ensemble, law, n, a, budget, level, _band(minima, n.value, budget, within), minima.findings)
    assert law is not None
    runs = _fitted_runs(ensemble.estimate)
    if runs is None or not isinstance(ensemble.estimate, Fit):
        return law
    return _from_law(ensemble, ensemble.estimate, runs, law, level, seed)


def best_n(fit: Fit, budget: float, *, seed: int = 0) -> float:
    """N* of :func:`optimal_plan` for a fit alone, without intervals. Raises IsoflopError where there is none."""
    minima = _minima(fit, seed)
    if minima is not None:
        return minima.n_at(budget).value
    try:
        return near_optimum(fit, fit.require_runs(), seed=seed).n_at(budget).value
    except IsoflopError:
        return best_size(fit, budget)


def _minima(estimate: Estimate, seed: int) -> IsoflopMinima | None:
    runs = _fitted_runs(estimate)
    if runs is None:
        return None
    try:
        return isoflop_minima(runs, seed=seed)
    except IsoflopError:
        return None


def _fitted_runs(estimate: Estimate) -> Runs | None:
    """The runs; of a fit that was saved, those whose inputs and residuals it remembers; None where losses are none."""
    if estimate.law.response != "loss":
        return None
    runs, rows = estimate.runs, estimate.data.rows
    if runs is None and rows is not None:
        inputs = {name: np.asarray(values) for name, values in rows.inputs.items()}
        fitted = estimate.predict(inputs)
        loss = fitted * np.exp(rows.residual) if estimate.data.space == "log" else fitted + rows.residual
        columns: dict[str, Any] = {**inputs, "loss": loss, "run": [str(each) for each in rows.run.tolist()]}
        runs = Runs.from_columns(columns, source=estimate.data.source)
    if runs is None or not {"N", "D", "loss"} <= set(runs.frame.columns):
        return None
    return runs if ((runs["N"] > 0) & (runs["D"] > 0) & (runs["loss"] > 0)).all() else None


def _plan(
    ensemble: Ensemble,
    law: Plan | None,
    n: Interval,
    exponent: Interval,
    budget: float,
    level: float,
    band: Band,
    findings: tuple[Finding, ...],
) -> Plan:
    """The plan of IsoFLOP minima."""
    loss = loss_at(ensemble, n.value, budget, level=level)
    own = law.findings if law is not None else (*no_draws(ensemble), *tail_findings(ensemble, level=level))
    return Plan(
        budget=float(budget),
        n=n,
        d=_mapped(n, lambda size: budget / (TRAIN * size)),
        ratio=_mapped(n, lambda size: budget / (TRAIN * size**2)),
        **promised(loss),
        least_loss=None if law is None else law.least_loss,
        exponent_a=exponent,
        method=law.method if law is not None else "numeric",
        band=band,
        findings=(*_apart(law, n, "the IsoFLOP minima"), *findings, *own),
        ensemble=ensemble,
        basis="IsoFLOP minima",
        law=law,
    )


def _from_law(ensemble: Ensemble, whole: Fit, runs: Runs, law: Plan, level: float, seed: int) -> Plan:
    """The law's optimum near the runs that show it, or that of all runs, with the error that such optima had."""
    budget = law.budget
    try:
        near = near_optimum(whole, runs, seed=seed)
        n = near.n_at(budget, level=level)
    except IsoflopError:
        n = _widened(law, runs, level)
        return replace(
            law,
            n=n,
            d=_mapped(n, lambda size: budget / (TRAIN * size)),
            ratio=_mapped(n, lambda size: budget / (TRAIN * size**2)),
            findings=(*_open(n, "the fit to all runs"), *law.findings),
            law=law,
        )
    own = allocate(replace(near.draws, findings=()), budget=budget, level=level, within=law.band.within)
    loss = loss_at(ensemble, n.value, budget, level=level)
    return replace(
        law,
        n=n,
        d=_mapped(n, lambda size: budget / (TRAIN * size)),
        ratio=_mapped(n, lambda size: budget / (TRAIN * size**2)),
        **promised(loss),
        exponent_a=own.exponent_a,
        band=own.band,
        basis="runs near the optimum",
        findings=(*_open(n, f"{near.rows} runs near the optimum"), *_apart(law, n, "these runs"), *law.findings),
        law=law,
    )


def _widened(law: Plan, runs: Runs, level: float) -> Interval:
    """The law's N* with the error that optima of fits to all runs had on other tables."""
    beyond = compute_distance(runs, law.budget)
    normal = float(stats.norm.ppf((1 + level) / 2))
    spread = math.log(law.n.high / law.n.low) / (2 * normal) if law.n.low > 0 and math.isfinite(law.n.high) else 0.0
    half = min(float(stats.t.ppf((1 + level) / 2, _FREE)) * math.hypot(spread, LAW_ANYWHERE, LAW_DRIFT * beyond), 600)
    return Interval(law.n.value, law.n.value * math.exp(-half), law.n.value * math.exp(half), level)


def _mapped(n: Interval, of: Callable[[float], float]) -> Interval:
    """A falling function of N, with its interval."""
    return Interval(of(n.value), of(n.high), of(n.low), n.level)


def _band(minima: IsoflopMinima, n: float, budget: float, within: float) -> Band:
    """Sizes whose loss is within ``within`` of the least: log N* ± √(log(1 + within)/c)."""
    half = math.sqrt(math.log1p(within) / minima.curvature())
    low, high = n * math.exp(-half), n * math.exp(half)
    return Band(within, (low, high), (budget / (TRAIN * high), budget / (TRAIN * low)))


def _open(n: Interval, what: str) -> tuple[Finding, ...]:
    if not n.high / n.low > _WIDE:
        return ()
    return (
        Finding(
            "open-optimum",
            "warning",
            f"N* rests on {what}, and its interval spans a factor of {n.high / n.low:.2g}: optima of such fits lay as "
            "far from measured minima on other tables.",
            "Train five or more sizes at each of three budgets, with the best size inside.",
        ),
    )


def _apart(law: Plan | None, n: Interval, what: str) -> tuple[Finding, ...]:
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
    if ratio < _APART:
        return ()
    return (
        Finding(
            "law-optimum-apart",
            "note",
            f"the law fitted to all runs has its optimum a factor of {ratio:.2g} from that of {what}: runs far from "
            "the optimum decide it.",
            "Trust the minima; they were measured.",
        ),
    )
