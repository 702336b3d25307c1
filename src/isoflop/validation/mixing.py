"""The most likely weights of a mixture of given densities, for many weightings of the observations at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 60  # of the interior-point iteration; a dozen or two are enough
_SETTLED = 1e-9  # of the mean log density that a better mixture could gain
_INSIDE = 0.99  # share of the way to the boundary
_BLOCK = 4_096  # observations whose products are held at once
_CENTER = 0.1  # by which the distance from the boundary shrinks at a step


def mixing_weights(density: Floats, counts: Floats) -> Floats:
    """argmax_w Σ_i v_i log Σ_k w_k p_ik over w ≥ 0, Σ w = 1, for each row of v.

    That is min −Σ_i v_i log (p w)_i + Σ_k w_k over w ≥ 0 where v sums to 1, solved by Newton's steps on
    ∇ = z, w·z = μ with μ → 0. No mixture is better than the one found by more than max_k Σ_i v_i p_ik/(p w)_i − 1.

    Parameters
    ----------
    density :
        p_ik ≥ 0, (observations, components); one of each observation positive.
    counts :
        v ≥ 0, (weightings, observations).

    Returns
    -------
    Floats
        (weightings, components), each row of sum 1.

    Examples
    --------
    >>> import numpy as np
    >>> mixing_weights(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[3.0, 1.0]])).round(6)
    array([[0.75, 0.25]])

    Source: Kim, Carbonetto, Stephens & Anitescu 2020, arXiv:1806.01412 (the problem without its sum); Lindsay 1983 (the
    bound).
    """
    count = density.shape[1]
    share = counts / counts.sum(axis=1, keepdims=True)
    weights = np.full((len(share), count), 1.0 / count)
    slack = np.ones_like(weights)
    left = np.arange(len(share))
    for _ in range(_STEPS):
        w, z, v = weights[left], slack[left], share[left]
        mixed = w @ density.T
        slope = 1 - (v / mixed) @ density
        open_ = (-slope).max(axis=1) + (slope * w).sum(axis=1) > _SETTLED
        left = left[open_]
        if not len(left):
            break
        w, z, slope = w[open_], z[open_], slope[open_]
        near = _CENTER * (w * z).mean(axis=1, keepdims=True)
        bend = _curvature(density, v[open_] / mixed[open_] ** 2)
        bend[:, np.arange(count), np.arange(count)] += z / w
        step = np.linalg.solve(bend, (near / w - slope)[:, :, None])[:, :, 0]
        toward = near / w - z - z / w * step
        length = np.minimum(_length(w, step), _length(z, toward))[:, None]
        weights[left], slack[left] = w + length * step, z + length * toward
    return weights / weights.sum(axis=1, keepdims=True)


def _curvature(density: Floats, by: Floats) -> Floats:
    """Σ_i c_i p_ik p_il for each row of c, (rows, components, components)."""
    count = density.shape[1]
    found = np.zeros((len(by), count * count))
    for start in range(0, len(density), _BLOCK):
        some = density[start : start + _BLOCK]
        found += by[:, start : start + _BLOCK] @ (some[:, :, None] * some[:, None, :]).reshape(len(some), -1)
    return found.reshape(-1, count, count)


def _length(place: Floats, step: Floats) -> Floats:
    """The longest step up to 1 that stays inside, (rows,)."""
    with np.errstate(divide="ignore"):
        reach = np.where(step < 0, -place / step, np.inf).min(axis=1)
    return np.minimum(1.0, _INSIDE * reach)
