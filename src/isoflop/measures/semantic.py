"""Semantic information of truth functions, the R(G) curve, and the certificate of a mixture model's fit.

Lu's G theory (Entropy 27, 461, 2025): a truth function T(θⱼ|x) between 0 and 1 says how far label j is true of x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError
from isoflop.measures.samples import Floats

_STEPS, _CLOSE = 20_000, 1e-12


@dataclass(frozen=True)
class SemanticInformation:
    """G = H − H(fuzzy) in bits: Σ P(x, yⱼ) log₂ (T(θⱼ|x) / T(θⱼ)).

    information: G. entropy: −Σ P(yⱼ) log₂ T(θⱼ); fuzzy: −Σ P(x, yⱼ) log₂ T(θⱼ|x). logical: T(θⱼ) = Σ P(x) T(θⱼ|x).
    """

    information: float
    entropy: float
    fuzzy: float
    logical: Floats


@dataclass(frozen=True)
class FidelityPoint:
    """A point of R(G): the least rate R for semantic information G, at the slope s = dR/dG, in bits.

    efficiency: G / R, at most 1; None where R is 0 or G not positive, since a ratio would mean nothing there.
    """

    slope: float
    information: float
    rate: float
    efficiency: float | None
    labels: Floats


@dataclass(frozen=True)
class MixtureStep:
    """One iteration of a mixture model's EM: KL(P‖P_θ) = R − G + KL(P₊(y)‖P(y)), all in bits.

    residual: the left side less the right, 0 but for rounding: the certificate of the step.
    """

    divergence: float
    rate: float
    information: float
    shares: float
    residual: float


@dataclass(frozen=True)
class Mixture:
    """A mixture of normal components on a grid, with every step of its fit."""

    means: Floats
    deviations: Floats
    shares: Floats
    steps: tuple[MixtureStep, ...]


def semantic_information(joint: ArrayLike, truth: ArrayLike) -> SemanticInformation:
    """G = Σ P(x, yⱼ) log₂ (T(θⱼ|x) / T(θⱼ)).

    joint: P(x, y), (values of x, labels), summing to 1; truth: T(θⱼ|x) of the same shape, between 0 and 1.
    Raises DataError for shapes that differ, values outside, and a pair that happens but is never true.
    """
    both, degree = _distribution(joint), _truth(truth)
    if both.shape != degree.shape:
        raise DataError(f"the joint distribution has shape {both.shape} and the truth functions {degree.shape}")
    happens = both > 0
    if (degree[happens] == 0).any():
        raise DataError("a pair with positive probability has truth 0, so G is minus infinity; keep truth above 0")
    logical = both.sum(axis=1) @ degree
    entropy = float(-(both.sum(axis=0) * np.log2(np.where(logical > 0, logical, 1.0))).sum())
    fuzzy = float(-(both[happens] * np.log2(degree[happens])).sum())
    return SemanticInformation(entropy - fuzzy, entropy, fuzzy, logical)


def optimal_truth(joint: ArrayLike) -> Floats:
    """T*(θⱼ|x) = P(yⱼ|x) / max_x P(yⱼ|x): the truth functions of most semantic information; joint: P(x, y)."""
    both = _distribution(joint)
    seen = both.sum(axis=1)
    channel = np.divide(both, seen[:, None], out=np.zeros_like(both), where=seen[:, None] > 0)
    top = channel.max(axis=0)
    return channel / np.where(top > 0, top, 1.0)


def rate_fidelity(inputs: ArrayLike, truth: ArrayLike, slopes: Sequence[float]) -> tuple[FidelityPoint, ...]:
    """R(G): the least I(X; Y) with semantic information G, by P(yⱼ|x) ∝ P(yⱼ) (T(θⱼ|x) / T(θⱼ))^s.

    inputs: P(x); truth: T(θⱼ|x), (values of x, labels); slopes: s, above 0. P(y) is iterated to its fixed point.
    """
    source, degree = _distribution(inputs), _truth(truth)
    if degree.ndim != 2 or len(source) != len(degree):
        raise DataError(f"P(x) has {len(source)} values and the truth functions shape {degree.shape}")
    logical = source @ degree
    if (logical <= 0).any():
        raise DataError("a truth function is 0 wherever x happens; leave this label out")
    with np.errstate(divide="ignore"):
        logs = np.log(degree / logical)
    return tuple(_point(source, logs, slope) for slope in slopes)


def _point(source: Floats, logs: Floats, slope: float) -> FidelityPoint:
    if not slope > 0:
        raise DataError(f"the slope s = {slope:g} of R(G) must be above 0")
    scaled = slope * logs
    scaled -= scaled.max(axis=1, keepdims=True)
    weight = np.exp(scaled)
    labels = np.full(weight.shape[1], 1 / weight.shape[1])
    for _ in range(_STEPS):
        given = labels * weight
        given /= given.sum(axis=1, keepdims=True)
        new = source @ given
        moved = float(np.abs(new - labels).max())
        labels = new
        if moved < _CLOSE:
            break
    given = labels * weight
    given /= given.sum(axis=1, keepdims=True)
    joint = source[:, None] * given
    happens = joint > 0
    ratio = np.log2(np.broadcast_to(np.maximum(labels, 1e-300), joint.shape))
    rate = float((joint[happens] * (np.log2(given[happens]) - ratio[happens])).sum())
    information = float((joint[happens] * logs[happens]).sum() / np.log(2))
    usable = rate > 1e-9 and information > 0
    return FidelityPoint(slope, information, max(rate, 0.0), information / rate if usable else None, labels)


def fit_mixture(
    grid: ArrayLike, probabilities: ArrayLike, means: ArrayLike, deviations: ArrayLike, *, steps: int = 200
) -> Mixture:
    """EM of normal components on a grid of x, each step with its certificate.

    grid: x; probabilities: P(x) on it; means, deviations: the components at the start, which have equal shares.
    Stops when the divergence falls by less than 1e-10. Raises DataError for what is no distribution.
    """
    x, observed = np.asarray(grid, dtype=np.float64), _distribution(probabilities)
    centers, widths = (np.asarray(each, dtype=np.float64).copy() for each in (means, deviations))
    if x.shape != observed.shape or centers.shape != widths.shape or centers.ndim != 1 or (widths <= 0).any():
        raise DataError("grid and probabilities must be equally long, and so must means and deviations above 0")
    shares, told = np.full(len(centers), 1 / len(centers)), list[MixtureStep]()
    for _ in range(steps):
        density = np.exp(-((x[:, None] - centers) ** 2) / (2 * widths**2)) + 1e-300
        density /= density.sum(axis=0)
        model = density @ shares
        given = density * shares / model[:, None]
        joint = observed[:, None] * given
        new = joint.sum(axis=0)
        told.append(_step(observed, model, joint, given, density, shares, new))
        shares, weight = new, joint / np.maximum(new, 1e-300)
        centers = weight.T @ x
        widths = np.sqrt(np.maximum((weight * (x[:, None] - centers) ** 2).sum(axis=0), 1e-12))
        if len(told) > 1 and told[-2].divergence - told[-1].divergence < 1e-10:
            break
    return Mixture(centers, widths, shares, tuple(told))


def _step(
    observed: Floats, model: Floats, joint: Floats, given: Floats, density: Floats, shares: Floats, new: Floats
) -> MixtureStep:
    here, happens = observed > 0, joint > 0
    divergence = float((observed[here] * np.log2(observed[here] / model[here])).sum())
    rate = float((joint * np.log2(np.where(happens, given / np.maximum(new, 1e-300), 1.0)))[happens].sum())
    likelihood = np.where(happens, density / np.maximum(observed, 1e-300)[:, None], 1.0)
    information = float((joint * np.log2(likelihood))[happens].sum())
    moved = float((new[new > 0] * np.log2(new[new > 0] / shares[new > 0])).sum())
    return MixtureStep(divergence, rate, information, moved, divergence - (rate - information + moved))


def confirmation(positive: float, false_positive: float) -> float:
    """b* = (LR − 1) / max(LR, 1), LR = P(e|h) / P(e|not h): how far evidence e confirms the rule "if e then h".

    Between −1 and 1; 0 where e is as likely without h. positive: P(e|h); false_positive: P(e|not h).
    """
    for value in (positive, false_positive):
        if not 0 <= value <= 1:
            raise DataError(f"{value:g} is no probability; give P(e|h) and P(e|not h) between 0 and 1")
    if positive == false_positive:
        return 0.0
    return (positive - false_positive) / max(positive, false_positive)


def _distribution(values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.size == 0 or not np.isfinite(found).all() or (found < 0).any() or abs(found.sum() - 1) > 1e-6:
        raise DataError(f"probabilities must be at least 0 and sum to 1; these sum to {float(found.sum()):.6g}")
    return found / found.sum()


def _truth(values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.size == 0 or not np.isfinite(found).all() or (found < 0).any() or (found > 1 + 1e-12).any():
        raise DataError("truth functions must lie between 0 and 1")
    return found
