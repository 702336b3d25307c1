"""Partial pooling: a normal distribution of parameters over groups, from each group's estimate and covariance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDS = 300  # of EM; it has settled long before
_JITTER = 1e-9  # keeps the covariance of groups that do not differ invertible


def pooled(
    theta: Floats,
    covariance: Floats,
    *,
    share: Floats | None = None,
    usual: Floats | None = None,
    worth: float = 0.0,
) -> tuple[Floats, Floats]:
    """μ and Σ(1 + 1/m) of a new group, for θ_f ~ N(μ, Σ) and θ̂_f ~ N(θ_f, V_f): maximum likelihood by EM.

    theta: θ̂_f, (groups, k). covariance: V_f, (groups, k, k). share: how much each group counts, 1 where none is given;
    groups that share models or data share one. m: the sum of the shares, as many groups as are independent.
    usual, worth: a covariance that is expected before any group has been seen, and as how many groups it counts.
    """
    counts = np.ones(len(theta)) if share is None else share
    groups = float(counts.sum())
    weight = counts / groups
    mean = np.median(theta, axis=0)
    spread = np.diag(np.square(1.4826 * np.median(np.abs(theta - mean), axis=0)) + 1e-4) if usual is None else usual
    for _ in range(_ROUNDS):
        gain = spread @ np.linalg.inv(spread + covariance)
        expected = mean + np.einsum("fij,fj->fi", gain, theta - mean)
        left = spread - gain @ spread
        mean = weight @ expected
        apart = expected - mean
        spread = np.einsum("f,fij->ij", weight, left + apart[:, :, None] * apart[:, None, :])
        if usual is not None:
            spread = (groups * spread + worth * usual) / (groups + worth)
        spread = (spread + spread.T) / 2 + _JITTER * np.eye(len(mean))
    return mean, spread * (1 + 1 / groups)
