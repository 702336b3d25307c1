"""``learn``: the weights of a prior's hypotheses that forecast held-out runs best, by expectation maximization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special
from isoflop.uncertainty.discrepancy import COUNTED
from isoflop.uncertainty.prior import Hypothesis, Prior
from isoflop.validation.forecast_trials import Trial, votes

Floats = NDArray[np.float64]

SIZES = (0.016, 0.032, 0.064, 0.128, 0.256)
LENGTHS = (1.0, 2.0, 4.0)
NOISE_SHARES = (0.4, 1.0)
_STEPS = 200
_SMOOTH = 0.02  # share of a step that goes to all hypotheses alike, so that none is ruled out
_KEPT = 1e-4  # weight below which a hypothesis is left out of a learned prior


def usual_hypotheses() -> tuple[Hypothesis, ...]:
    """The grid over noise share, size and length from which a prior is learned, with even weights."""
    places = [(0.0, 1.0), *((size, length) for size in SIZES for length in LENGTHS)]
    count = len(places) * len(NOISE_SHARES)
    return tuple(Hypothesis(share, size, length, 1 / count) for share in NOISE_SHARES for size, length in places)


def learn(found: Sequence[Trial], prior: Prior, *, steps: int = _STEPS) -> Prior:
    """argmax_π Σ votes · log Σ_h softmax_h(log π + η·ℓ_h) p_h(y), by damped multiplicative steps.

    found: trials made with the hypotheses of ``prior``, whose weights are replaced. Each data set has one vote.
    """
    weight = votes(found)
    evidence, density = [], []
    for each in found:
        share = prior.power * min(1.0, COUNTED / max(1, each.counted))
        evidence.append(np.repeat(share * (each.evidence - each.evidence.max())[None], len(each.truth), axis=0))
        density.append(_densities(each))
    known, heights = np.concatenate(evidence), np.concatenate(density)
    count = known.shape[1]
    shares = np.full(count, 1 / count)
    for _ in range(steps):
        logs = np.log(shares) + known
        logs -= special.logsumexp(logs, axis=1, keepdims=True)
        joint = logs + heights
        after = np.exp(joint - special.logsumexp(joint, axis=1, keepdims=True))
        gained, given = weight @ after, weight @ np.exp(logs)
        total = weight.sum()
        shares = shares * (gained / total + _SMOOTH / count) / (given / total + _SMOOTH / count)
        shares = np.maximum(shares, 1e-8)
        shares /= shares.sum()
    hypotheses = tuple(replace(each, weight=float(share)) for each, share in zip(prior.hypotheses, shares, strict=True))
    return replace(prior, hypotheses=hypotheses)


def pruned(prior: Prior) -> Prior:
    """Without the hypotheses that weigh next to nothing."""
    kept = [each for each in prior.hypotheses if each.weight >= _KEPT]
    total = sum(each.weight for each in kept)
    return replace(prior, hypotheses=tuple(replace(each, weight=each.weight / total) for each in kept))


def _densities(trial: Trial) -> Floats:
    """log p_h(y) of each row, (rows, hypotheses)."""
    v = trial.freedom
    z = (np.log(trial.truth) - trial.mean) / trial.scale
    constant = special.gammaln((v + 1) / 2) - special.gammaln(v / 2) - 0.5 * np.log(v * np.pi)
    return np.asarray((constant - (v + 1) / 2 * np.log1p(z * z / v) - np.log(trial.scale)).T)
