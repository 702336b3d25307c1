"""Goodman and Weare's ensemble of walkers: draws from a density that is known up to a factor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WALKERS = 64


def walk(
    height: Callable[[Floats], Floats], begin: Floats, *, draws: int, steps: int = 1_500, seed: int = 0
) -> tuple[Floats, float]:
    """Draws (draws, k) of a density, and the share of moves that were taken.

    height: log density of points (points, k), −inf where it is none. begin: where the walkers start, (walkers, k), an
    even number. Half of the walkers moves along lines to the other half, θ' = θ_j + z·(θ − θ_j) with density ∝ 1/√z on
    [1/2, 2], so that no step size has to be chosen; the first ``steps`` of twice as many are thrown away.
    Source: Goodman and Weare 2010, Communications in Applied Mathematics and Computational Science 5, 65.
    """
    rng = np.random.default_rng([seed, 3])
    walkers = begin.copy()
    count, k = walkers.shape
    heights = height(walkers)
    halves = np.arange(count // 2), np.arange(count // 2, count)
    pause = max(1, steps * count // (4 * draws))  # four times as many are kept as are asked for
    kept, taken = [], 0
    for step in range(2 * steps):
        for moving, still in (halves, halves[::-1]):
            stretch = np.square(1 + rng.random(len(moving))) / 2
            anchor = walkers[rng.choice(still, len(moving))]
            proposed = anchor + stretch[:, None] * (walkers[moving] - anchor)
            new = height(proposed)
            move = np.log(rng.random(len(moving))) < (k - 1) * np.log(stretch) + new - heights[moving]
            walkers[moving[move]], heights[moving[move]] = proposed[move], new[move]
            taken += int(move.sum())
        if step >= steps and step % pause == 0:
            kept.append(walkers.copy())
    pool = np.concatenate(kept)
    chosen = rng.choice(len(pool), draws, replace=len(pool) < draws)
    return pool[chosen], taken / (2 * steps * count)
