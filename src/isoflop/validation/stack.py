"""Stacking: laws weighted by what their forecasts of held-out runs were worth, and the forecast that mixes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Objective, fit
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import Interval, check_level, interval_of
from isoflop.uncertainty.scatter import new_runs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEPS = 2_000  # of the fixed-point iteration, which only ever improves
_SETTLED = 1e-9
_NEGLIGIBLE = 0.01  # a law of less weight is left out of the mixture
_SPAN = 0.6827  # central share of a normal distribution within one standard deviation


@dataclass(frozen=True)
class Stack:
    """weights: (laws,), their mean over the draws; draws: (draws, laws), each row of sum 1."""

    weights: Floats
    draws: Floats


@dataclass(frozen=True)
class Member:
    """One law in a stacked forecast: its weight and its own forecast of a new run."""

    name: str
    weight: float
    loss: Interval


@dataclass(frozen=True)
class StackedForecast:
    """The loss of a run that was not trained, as the laws together see it.

    loss: one new run, over the mixture of the laws' draws. expected: the curve alone.
    between: standard deviation that comes from the choice of the law: √Σ w_k (m_k − m̄)² over the laws' medians m_k.
    within: √Σ w_k s_k², s_k half of the central 68 % of law k's draws of the curve: sampling.
    scatter: the same for what a new run adds to its curve.
    """

    at: Mapping[str, float]
    loss: Interval
    expected: Interval
    between: float
    within: float
    scatter: float
    members: tuple[Member, ...]
    unit: str
    findings: tuple[Finding, ...]


def stack(log_scores: Floats, run: Ints, *, draws: int = 400, seed: int = 0) -> Stack:
    """argmax_w Σ_i v_i log Σ_k w_k p_k(y_i), w ≥ 0, Σ w = 1, averaged over Bayesian-bootstrap weights v of the runs.

    log_scores: log p_k(y_i), (held rows, laws); run: each row's run, whose rows share its weight. Stacking alone gives
    all weight to one law where held-out runs are few; its average over Dirichlet weights of the runs does not, and its
    spread says how sure the weights are. Source: Yao et al. 2018, arXiv:1704.02030, sections 3.2 and 3.4.
    """
    _, codes = np.unique(run, return_inverse=True)
    share = 1.0 / np.bincount(codes)[codes]
    rng = np.random.default_rng([seed, 4])
    weights = rng.dirichlet(np.ones(int(codes.max()) + 1), size=draws)[:, codes] * share
    best = np.maximum(log_scores.max(axis=1, keepdims=True), -1e300)
    with np.errstate(all="ignore"):
        likelihood = np.exp(log_scores - best)
    likelihood = np.where(np.isfinite(likelihood), likelihood, 0.0) + 1e-300
    current = np.full((draws, likelihood.shape[1]), 1.0 / likelihood.shape[1])
    for _ in range(_STEPS):
        mixed = current @ likelihood.T
        following = current * ((weights / mixed) @ likelihood)
        following /= following.sum(axis=1, keepdims=True)
        moved = float(np.abs(following - current).max())
        current = following
        if moved < _SETTLED:
            break
    return Stack(current.mean(axis=0), current)


def forecast_stacked(
    laws: Sequence[Law],
    weights: Sequence[float],
    runs: Runs,
    at: Mapping[str, float],
    *,
    objective: Objective | None = None,
    draws: int = 1_000,
    level: float = 0.9,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> StackedForecast:
    """The mixture Σ w_k p_k of the laws' forecasts at a point, each refitted to all runs.

    weights: one for each law, as :func:`stack` gives them. at: every input of every law of weight 1 % or more, in the
    units of the runs, positive; inputs of the other laws are passed over. progress: called with 1 for each law kept.
    Raises IsoflopError for a missing, unknown or non-positive input.
    """
    check_level(level)
    kept = [(law, float(weight)) for law, weight in zip(laws, weights, strict=True) if weight >= _NEGLIGIBLE]
    if not kept:
        raise IsoflopError("a stacked forecast needs at least one law with a weight of 1 % or more")
    at = _checked(at, [law for law, _ in kept], laws)
    total = sum(weight for _, weight in kept)
    curves, predictions, values, members = [], [], [], []
    findings: list[Finding] = []
    for law, weight in kept:
        fitted = fit(law, runs, objective=objective, seed=seed)
        ensemble = bootstrap(fitted, draws=draws, seed=seed, restarted=0)
        curve = law.value(ensemble.draws(), at)
        curves.append(curve)
        predictions.append(new_runs(ensemble, curve))
        values.append(float(fitted.predict(at)))
        members.append(Member(law.name, weight / total, interval_of(values[-1], predictions[-1], level=level)))
        findings += [
            Finding(each.code, each.level, f"{law.name}: {each.says}", each.fix, each.rows)
            for each in (*fitted.findings, *ensemble.findings)
            if each.level == "error" or each.code == "at-bound"
        ]
        if progress is not None:
            progress(1)
    share = np.array([member.weight for member in members])
    value = float(share @ np.array(values))
    middles = np.array([np.nanmedian(curve) for curve in curves])
    sampling = np.array([_spread(curve) for curve in curves])
    whole = np.array([_spread(each) for each in predictions])
    return StackedForecast(
        at=at,
        loss=interval_of(value, _mixture(predictions, share, draws), level=level),
        expected=interval_of(value, _mixture(curves, share, draws), level=level),
        between=math.sqrt(float(share @ (middles - share @ middles) ** 2)),
        within=math.sqrt(float(share @ sampling**2)),
        scatter=math.sqrt(float(share @ np.maximum(whole**2 - sampling**2, 0.0))),
        members=tuple(sorted(members, key=lambda member: -member.weight)),
        unit=runs.loss_unit if kept[0][0].response == "loss" else kept[0][0].response,
        findings=tuple(findings),
    )


def _checked(at: Mapping[str, float], kept: Sequence[Law], laws: Sequence[Law]) -> dict[str, float]:
    """The inputs that the laws of some weight take, out of those that any law takes."""
    wanted = list(dict.fromkeys(name for law in kept for name in law.input_names))
    known = {name for law in laws for name in law.input_names}
    missing = [name for name in wanted if name not in at]
    if missing:
        raise IsoflopError(
            f"the stacked laws take {', '.join(wanted)}; {', '.join(missing)} is missing: give --at {missing[0]}=…"
        )
    for name, value in at.items():
        if name not in known:
            raise IsoflopError(f"{name} is no input of the ranked laws; the stack takes {', '.join(wanted)}")
        if not (math.isfinite(value) and value > 0):
            raise IsoflopError(f"{name} must be a positive number, not {value:g}")
    return {name: float(at[name]) for name in wanted}


def _mixture(pieces: Sequence[Floats], share: Floats, draws: int) -> Floats:
    """Evenly spaced quantiles of each law's draws, in number proportional to its weight."""
    taken = []
    for piece, weight in zip(pieces, share, strict=True):
        finite = piece[np.isfinite(piece)]
        count = max(1, round(20 * draws * weight))
        if len(finite):
            taken.append(np.quantile(finite, (np.arange(count) + 0.5) / count))
    return np.concatenate(taken) if taken else np.empty(0)


def _spread(draws: Floats) -> float:
    """Half of the central 68 %, which a few wild draws do not decide."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return math.nan
    low, high = np.quantile(finite, [(1 - _SPAN) / 2, (1 + _SPAN) / 2])
    return float(high - low) / 2
