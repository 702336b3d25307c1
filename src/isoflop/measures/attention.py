"""Entropy of attention and its drift with the number of tokens, with the scale factors that are to hold it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from isoflop.errors import DataError
from isoflop.measures.samples import Floats

_ROWS = 64


@dataclass(frozen=True)
class AttentionEntropy:
    """Mean entropy of softmax(λ q·k) over queries in nats, the variance of its logits, and its share of log N."""

    entropy: float
    variance: float
    share: float


def attention_entropy(queries: ArrayLike, keys: ArrayLike, *, scale: float | None = None) -> AttentionEntropy:
    """Ent = −Σⱼ Aⱼ log Aⱼ of A = softmax(λ q·kⱼ), averaged over queries.

    queries: (queries, d); keys: (N, d); scale: λ, 1/√d where None.
    """
    q, k = np.asarray(queries, dtype=np.float64), np.asarray(keys, dtype=np.float64)
    if q.ndim != 2 or k.ndim != 2 or q.shape[1] != k.shape[1] or len(k) < 2:
        raise DataError(
            f"queries {q.shape} and keys {k.shape} must be tables of one head's dimension, two keys or more"
        )
    if not (np.isfinite(q).all() and np.isfinite(k).all()):
        raise DataError("queries or keys hold NaN or infinity")
    factor = 1 / math.sqrt(q.shape[1]) if scale is None else scale
    entropies: list[Floats] = []
    variances: list[Floats] = []
    for start in range(0, len(q), _ROWS):
        logits = factor * q[start : start + _ROWS] @ k.T
        total = logsumexp(logits, axis=1)
        weight = np.exp(logits - total[:, None])
        entropies.append(total - (weight * logits).sum(axis=1))
        variances.append(logits.var(axis=1))
    entropy = float(np.concatenate(entropies).mean())
    return AttentionEntropy(entropy, float(np.concatenate(variances).mean()), entropy / math.log(len(k)))


def log_scale(tokens: int, trained: int, dimensions: int) -> float:
    """λ = √(log_T N / d): the factor that Jin et al. 2023 put in place of 1/√d, T tokens at training, N now."""
    _check(tokens, trained, dimensions)
    return math.sqrt(math.log(tokens) / math.log(trained) / dimensions)


def gaussian_scale(tokens: int, trained: int, dimensions: int, variance: float) -> float:
    """λ = √((1 + 2 (ln N − ln T) / σ²) / d), σ² the variance of the logits at T: Ent ≈ ln N − σ²/2 held exactly.

    The approximation is that of normal logits. Raises DataError where no real factor holds the entropy, as for much
    fewer tokens or nearly uniform attention.
    """
    _check(tokens, trained, dimensions)
    if not variance > 0:
        raise DataError(f"a logit variance of {variance:g} is uniform attention, whose entropy is log N at every scale")
    square = 1 + 2 * (math.log(tokens) - math.log(trained)) / variance
    if square <= 0:
        raise DataError(
            f"no scale holds the entropy from {trained:,} to {tokens:,} tokens at a logit variance of {variance:.3g}: "
            "uniform attention over so few has less"
        )
    return math.sqrt(square / dimensions)


def _check(tokens: int, trained: int, dimensions: int) -> None:
    if min(tokens, trained) < 2 or dimensions < 1:
        raise DataError(f"{tokens} and {trained} tokens must be 2 or more, and {dimensions} dimensions 1 or more")
