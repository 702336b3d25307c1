"""Stacking: laws weighted by what their forecasts of held-out runs were worth, and the forecast that mixes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Objective, fit
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of
from isoflop.uncertainty.predictive import predictive
from isoflop.uncertainty.prior import Prior
from isoflop.uncertainty.scatter import new_runs
from isoflop.units import training_flops
from isoflop.validation.mixing import mixing_weights
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NEGLIGIBLE = 0.01  # a law of less weight is left out of the mixture
_MATTERS = 0.1  # weight from which leaving a law out changes the answer
_USABLE = 0.5  # share of draws with a finite value that a law needs to be part of it
_SAMPLED = 10_000  # of a law's default distribution, which costs nothing to draw from
_SPAN = 0.6827  # central share of a normal distribution within one standard deviation


@dataclass(frozen=True)
class Stack(Value):
    """weights: (laws,), their mean over the draws; draws: (draws, laws), each row of sum 1."""

    weights: Floats
    draws: Floats


@dataclass(frozen=True)
class Member(Value):
    """One law in a stacked forecast: its weight and its own prediction of one run, model error included."""

    name: str
    weight: float
    loss: Interval


@dataclass(frozen=True)
class StackedForecast(Value):
    """The loss of a run that was not trained, as the laws together see it.

    loss: one run, over the mixture of the laws' default distributions, model error included; expected: its mean alone;
    both valued at its median. law_loss, law_expected: the same of the laws' draws, if one of the laws holds.
    between: standard deviation that comes from the choice of the law: √Σ w_k (m_k − m̄)² over the laws' medians m_k.
    within: √Σ w_k s_k², s_k half of the central 68 % of law k's draws of the curve: sampling.
    model_error: the same for what each law's model error adds to its curve; scatter: for what one run adds to it.
    """

    at: Mapping[str, float]
    loss: Interval
    expected: Interval
    law_loss: Interval
    law_expected: Interval
    between: float
    within: float
    model_error: float
    scatter: float
    members: tuple[Member, ...]
    unit: str
    findings: tuple[Finding, ...]


def stack(log_scores: Floats, run: Ints, window: Ints, *, draws: int = 400, seed: int = 0) -> Stack:
    """½ argmax_w Σ_i v_i log Σ_k w_k p_k(y_i) + ½ softmax_k Σ_windows mean_i log p_k(y_i), averaged over draws of v.

    log_scores: log p_k(y_i), (held rows, laws); run, window: each row's, (held rows,). v: Dirichlet weights of the runs
    (the Bayesian bootstrap), whose rows share them. The first half is predictive stacking, as if held-out runs were
    independent; it gives all to one law where that one is ahead everywhere, however little. The second counts each
    window as one observation, as if its runs erred wholly together. Forecasts of one window share the error of their
    curve, so the truth lies between, and neither half alone says how open the choice of law is.
    Source: Yao et al. 2018, arXiv:1704.02030, sections 3.2 (stacking) and 3.4 (pseudo-BMA with the Bayesian bootstrap).
    """
    _, codes = np.unique(run, return_inverse=True)
    share = 1.0 / np.bincount(codes)[codes]
    rng = np.random.default_rng([seed, 4])
    weights = rng.dirichlet(np.ones(int(codes.max()) + 1), size=draws)[:, codes] * share
    stacked = _stacked(log_scores, weights)
    windows = np.unique(window)
    evidence = np.zeros((draws, log_scores.shape[1]))
    for each in windows:
        own = weights[:, window == each]
        evidence += (own / own.sum(axis=1, keepdims=True)) @ np.maximum(log_scores[window == each], -1e3)
    softmax = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    both = (stacked + softmax / softmax.sum(axis=1, keepdims=True)) / 2
    return Stack(both.mean(axis=0), both)


def _stacked(log_scores: Floats, weights: Floats) -> Floats:
    """The stacking optimum for each row of weights (draws, held rows): (draws, laws), each of sum 1."""
    best = np.maximum(log_scores.max(axis=1, keepdims=True), -1e300)
    likelihood = np.exp(np.maximum(log_scores - best, -690.0))
    return mixing_weights(likelihood, weights)


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
    resample_by: str | None = None,
    progress: Callable[[int], None] | None = None,
    prior: Prior | None = None,
) -> StackedForecast:
    """Σ_k w_k p_k: the mixture of the laws' forecasts at a point, each refitted to all runs, with its model error.

    A law whose fit has an error-level finding, or of which the point does not give every input, is left out, and a
    finding says so with its weight. C, where N and D are given and C is not, is 6ND, and a finding says so.

    Parameters
    ----------
    laws :
        Of the same response.
    weights :
        One for each law, as :func:`stack` gives them; those below 1 % are passed over.
    runs :
        The table that every law is fitted to.
    at :
        Inputs of the laws, in the units of the runs, positive.
    objective :
        Of the fits; Huber with δ = 1e-3 on log loss by default.
    draws :
        Bootstrap draws for each law.
    level :
        Of the intervals.
    seed :
        Of the searches and draws.
    resample_by :
        What the bootstrap draws together; see :func:`isoflop.bootstrap`.
    progress :
        Called with 1 for each law kept.
    prior :
        Of the model error; the shipped one by default.

    Returns
    -------
    StackedForecast
        The loss with intervals, and how much of their width comes from the choice of the law.

    Raises
    ------
    IsoflopError
        An unknown or non-positive input, or no law with a weight that has all of its inputs.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.validation.stack import forecast_stacked
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> laws = [isoflop.law("chinchilla"), isoflop.law("kaplan")]
    >>> found = forecast_stacked(laws, [0.7, 0.3], runs, {"N": 1e9, "D": 2e10}, draws=40)
    >>> found.loss.low < found.loss.value < found.loss.high
    True
    """
    check_level(level)
    kept = [(law, float(weight)) for law, weight in zip(laws, weights, strict=True) if weight >= _NEGLIGIBLE]
    if not kept:
        raise IsoflopError(
            "a stacked forecast needs at least one law with a weight of 1 % or more; every law ranked here has an "
            "error-level finding or less weight, so rank others (--law), or forecast with one law (isoflop forecast)"
        )
    check_point(at, laws)
    kept, at, findings = _askable(kept, at)
    pieces: list[_Piece] = []
    for law, weight in kept:
        fitted = fit(law, runs, objective=objective, seed=seed)
        ensemble = bootstrap(fitted, draws=draws, seed=seed, restarted=0, resample_by=resample_by)
        piece = _piece(law, weight, ensemble, at, level, prior)
        if progress is not None:
            progress(1)
        wrong = [each for each in (*fitted.findings, *ensemble.findings) if each.level == "error"]
        wrong = [each for each in wrong if each not in runs.findings]
        if wrong:
            findings.append(_with_error(law, weight, wrong[0]))
            continue
        if not (math.isfinite(piece.value) and np.isfinite(piece.law_curve).mean() > _USABLE):
            findings.append(_not_finite(law))
            continue
        pieces.append(piece)
        findings += [
            replace(each, message=f"{law.name}: {each.message}")
            for each in (*fitted.findings, *ensemble.findings)
            if each.code == "at-bound"
        ]
    if not pieces:
        raise IsoflopError(
            "no law of the stack has a fit without an error-level finding and a finite value there; ask nearer to the "
            "runs, or rank other laws (--law)"
        )
    share = np.array([piece.weight for piece in pieces])
    share /= share.sum()
    curves, losses, law_curves, law_losses = (
        _mixture([getattr(piece, name) for piece in pieces], share, draws)
        for name in ("curve", "measured", "law_curve", "law_measured")
    )
    # a law of little weight far away from all others counts as one at the edge of the interval
    ends = np.quantile(law_curves, [(1 - level) / 2, (1 + level) / 2])
    middles = np.clip([np.nanmedian(piece.law_curve) for piece in pieces], *ends)
    sampling, one_run, mean = (
        np.array([_spread(getattr(piece, name)) for piece in pieces]) for name in ("law_curve", "law_measured", "curve")
    )
    members = [Member(piece.name, float(weight), piece.loss) for piece, weight in zip(pieces, share, strict=True)]
    value, law_value = float(np.median(curves)), float(np.median(law_curves))
    return StackedForecast(
        at=at,
        loss=interval_of(value, losses, level=level),
        expected=interval_of(value, curves, level=level),
        law_loss=interval_of(law_value, law_losses, level=level),
        law_expected=interval_of(law_value, law_curves, level=level),
        between=math.sqrt(float(share @ (middles - share @ middles) ** 2)),
        within=math.sqrt(float(share @ sampling**2)),
        model_error=math.sqrt(float(share @ np.maximum(mean**2 - sampling**2, 0.0))),
        scatter=math.sqrt(float(share @ np.maximum(one_run**2 - sampling**2, 0.0))),
        members=tuple(sorted(members, key=lambda member: -member.weight)),
        unit=runs.loss_unit if kept[0][0].response == "loss" else kept[0][0].response,
        findings=tuple(findings),
    )


@dataclass(frozen=True)
class _Piece:
    """One law's part: weight, value at its own optimum, prediction, and draws of the mean and of one run.

    curve, measured: with model error; law_curve, law_measured: if the law holds.
    """

    name: str
    weight: float
    value: float
    loss: Interval
    curve: Floats
    measured: Floats
    law_curve: Floats
    law_measured: Floats


def _piece(
    law: Law, weight: float, ensemble: Ensemble, at: Mapping[str, float], level: float, prior: Prior | None
) -> _Piece:
    said = predictive(ensemble, at, level=level, prior=prior)
    with np.errstate(all="ignore"):
        curve = law.value(ensemble.draws, at)
        return _Piece(
            law.name,
            weight,
            float(said.value[0]),
            said.interval(),
            said.sample(_SAMPLED, scatter=False)[:, 0],
            said.sample(_SAMPLED)[:, 0],
            curve,
            new_runs(ensemble, curve, at=at),
        )


def _with_error(law: Law, weight: float, wrong: Finding) -> Finding:
    return Finding(
        "law-left-out",
        "warning" if weight >= _MATTERS else "note",
        f"{law.name}, of weight {weight:.0%}, is left out, and its weight is shared among the others: {wrong.message}",
        "Rank without that law (--law), or fix or tie one of its parameters.",
    )


def _not_finite(law: Law) -> Finding:
    return Finding(
        "law-left-out",
        "note",
        f"{law.name} has no finite value there in its fit or in more than half of its draws, and is left out.",
        "Ask nearer to the runs, or rank fewer laws (--law).",
    )


def check_point(at: Mapping[str, float], laws: Sequence[Law]) -> None:
    """Raises IsoflopError for an input that none of the laws takes, or that is not positive."""
    known = list(dict.fromkeys(name for law in laws for name in law.input_names))
    for name, value in at.items():
        if name not in known:
            raise IsoflopError(f"{name} is no input of the ranked laws; they take {', '.join(known)}")
        if not (math.isfinite(value) and value > 0):
            raise IsoflopError(f"{name} must be a positive number, not {value:g}")


def _askable(
    weighted: Sequence[tuple[Law, float]], at: Mapping[str, float]
) -> tuple[list[tuple[Law, float]], dict[str, float], list[Finding]]:
    """The laws that the point can be asked of, the point with 6ND for FLOPs that are not given, and what to say."""
    findings = []
    given = {name: float(value) for name, value in at.items()}
    if "C" not in given and {"N", "D"} <= set(given):
        given["C"] = training_flops(given["N"], given["D"])
    lacking = {law.name: [name for name in law.input_names if name not in given] for law, _ in weighted}
    kept = [(law, weight) for law, weight in weighted if not lacking[law.name]]
    if not kept:
        known = list(dict.fromkeys(name for law, _ in weighted for name in law.input_names))
        missing = next(iter(lacking.values()))
        raise IsoflopError(
            f"the stacked laws take {', '.join(known)}; {', '.join(missing)} is missing: give --at {missing[0]}=…, "
            "or rank laws without it (--law)"
        )
    wanted = dict.fromkeys(name for law, _ in kept for name in law.input_names)
    if "C" in wanted and "C" not in at:
        findings.append(
            Finding(
                "flops-from-size",
                "note",
                f"some of the laws take the training FLOPs, and 6ND = {given['C']:.3g} was taken for them.",
                "If the runs' FLOPs are counted otherwise, give --at C=….",
            )
        )
    findings += [_without_inputs(law, weight, lacking[law.name]) for law, weight in weighted if lacking[law.name]]
    return kept, {name: given[name] for name in wanted}, findings


def _without_inputs(law: Law, weight: float, missing: Sequence[str]) -> Finding:
    curve = [name for name in missing if name in law.list_inputs]
    remedy = f"{', '.join(curve)} describes a whole schedule, which a point cannot give; rank laws without it (--law)."
    return Finding(
        "law-left-out",
        "warning" if weight >= _MATTERS else "note",
        f"{law.name}, of weight {weight:.0%}, also takes {', '.join(missing)}, which the point does not give: it is "
        "left out, and its weight is shared among the others.",
        remedy if curve else f"Give --at {missing[0]}=…, or rank laws without it (--law).",
    )


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
