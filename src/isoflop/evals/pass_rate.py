"""Pass rates of single items: exact intervals, pass@k, and difficulty as a Beta distribution over items."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, betaln, digamma, gammaln, polygamma

from isoflop.values import Value

Floats = NDArray[np.float64]

_STEPS = 100
_STEPS_OF_DRAWS = 12  # they begin at the estimate
_FLAT = 1e-10  # of the log-likelihood that a step gains
_FAR = 25.0  # of ln a and ln b: items that are all alike have no maximum before


def pass_interval(passes: Floats, tries: Floats, goal: Floats, *, level: float = 0.9) -> tuple[Floats, Floats]:
    """Exact ends of p: at the lower one P(at least as early or as many passes) = (1 − level)/2, at the upper reversed.

    K tries that ended at the r-th pass: B⁻¹(a; r, K − r + 1) and B⁻¹(1 − a; r, K − r) with a = (1 − level)/2 and
    Beta quantiles B⁻¹. c passes in n fixed tries, or at a cap: Clopper & Pearson's B⁻¹(a; c, n − c + 1) and
    B⁻¹(1 − a; c + 1, n − c). Outcomes that end at the goal come before those that end at the cap.

    Parameters
    ----------
    passes, tries, goal :
        (items,) or numbers; goal NaN where tries were fixed.
    level :
        Of the interval.

    Returns
    -------
    tuple
        The lower and upper ends, of the same shape.

    Examples
    --------
    >>> import numpy
    >>> from isoflop.evals.pass_rate import pass_interval
    >>> low, high = pass_interval(numpy.array([0.0]), numpy.array([100.0]), numpy.array([numpy.nan]))
    >>> float(low[0]), round(float(high[0]), 4)
    (0.0, 0.0295)
    """
    passes, tries, goal = (np.asarray(each, dtype=np.float64) for each in (passes, tries, goal))
    tail = (1 - level) / 2
    reached = (goal == passes) & np.isfinite(goal)
    fails = tries - passes
    with np.errstate(invalid="ignore"):
        low = np.where(passes > 0, betaincinv(np.maximum(passes, 1), fails + 1, tail), 0.0)
        upper_a = np.where(reached, passes, passes + 1)
        high = np.where(fails > 0, betaincinv(np.maximum(upper_a, 1), np.maximum(fails, 1), 1 - tail), 1.0)
    return low, high


def bias_of_ratio(goal: int, rate: float, *, most: float = 1e-12) -> float:
    """E[r/K]/p, by summing over K: how far the share of passes is too high when tries end at the r-th pass.

    K − r is negative binomial. For one pass this is −ln p/(1 − p).
    """
    total, tries, chunk = 0.0, float(goal), 100_000
    while True:
        k = tries + np.arange(chunk)
        log = (
            gammaln(k) - gammaln(goal) - gammaln(k - goal + 1) + goal * math.log(rate) + (k - goal) * math.log1p(-rate)
        )
        total += float(np.sum(np.exp(log) * goal / k))
        tries += chunk
        # P(K ≥ tries) bounds what is left, since r/K ≤ 1
        if betainc(tries - goal, goal, 1 - rate) < most:
            return total / rate


def pass_at_k(passes: Floats, tries: Floats, k: int) -> Floats:
    """1 − C(n − c, k)/C(n, k) of each item, (items,), unbiased; NaN where k > n.

    Source: Chen et al. 2021, arXiv:2107.03374.
    """
    with np.errstate(invalid="ignore"):
        log = (
            gammaln(tries - passes + 1) - gammaln(tries - passes - k + 1) - gammaln(tries + 1) + gammaln(tries - k + 1)
        )
    found = np.where(tries - passes < k, 1.0, -np.expm1(log))
    return np.where(k > tries, np.nan, found)


@dataclass(frozen=True)
class Difficulty(Value):
    """Pass rates of items as a Beta distribution.

    a, b: its parameters, (1 + draws,), the estimate first. pass@k falls short of 1 by B(a, b + k)/B(a, b), for large k
    a power law k^(−a). settled: whether the likelihood has a maximum inside, which items that are all alike lack.
    """

    a: Floats
    b: Floats
    settled: bool

    def short_of_one(self, k: Floats) -> Floats:
        """1 − pass@k, (1 + draws, k)."""
        a, b, k = self.a[:, None], self.b[:, None], np.asarray(k, dtype=np.float64)[None, :]
        return np.exp(betaln(a, b + k) - betaln(a, b))


def difficulty(passes: Floats, tries: Floats, weights: Floats) -> Difficulty:
    """The maximum over a, b of Σ w_i·ln[B(a + c_i, b + n_i − c_i)/B(a, b)], by Newton steps in ln a, ln b.

    Tries that end at the r-th pass have the same likelihood in a and b as fixed ones. weights: (1 + draws, items),
    those of the estimate first.
    """
    pairs, place = np.unique(np.stack([passes, tries], axis=1), axis=0, return_inverse=True)
    c, f = pairs[:, 0], pairs[:, 1] - pairs[:, 0]
    own = np.zeros((len(weights), len(pairs)))
    np.add.at(own.T, np.ravel(place), weights.T)
    total = own.sum(axis=1)
    mean = np.clip((own[:1] @ c) / (own[:1] @ (c + f)), 1e-6, 1 - 1e-6)
    begin = np.stack([np.log(mean), np.log1p(-mean)], axis=1)  # a + b = 1 to begin with
    first = _climbed(begin, own[:1], total[:1], c, f, _STEPS)
    draws = _climbed(np.repeat(first, len(own) - 1, axis=0), own[1:], total[1:], c, f, _STEPS_OF_DRAWS)
    theta = np.concatenate([first, draws])
    inside = bool(np.all(np.abs(theta[0]) < 12.0))
    return Difficulty(np.exp(theta[:, 0]), np.exp(theta[:, 1]), inside)


def _climbed(theta: Floats, own: Floats, total: Floats, c: Floats, f: Floats, steps: int) -> Floats:
    """ln a and ln b after Newton steps, each cut until it gains, until none gains any more."""
    theta = theta.copy()
    best = _likelihood(theta, own, total, c, f)
    active = np.arange(len(theta))
    for _ in range(steps):
        if not len(active):
            break
        now_own, now_total = own[active], total[active]
        step = _ascent(*_curvature(theta[active], now_own, now_total, c, f))
        moved = np.zeros(len(active), dtype=bool)
        start, reached = theta[active], best[active]
        for shrink in (1.0, 0.25, 0.05, 0.005):
            tried = np.clip(start + shrink * step, -_FAR, _FAR)
            now = _likelihood(tried, now_own, now_total, c, f)
            better = ~moved & (now > reached)
            theta[active[better]], best[active[better]] = tried[better], now[better]
            moved |= better
            if moved.all():
                break
        active = active[best[active] - reached > _FLAT * np.abs(reached)]
    return theta


def _likelihood(theta: Floats, own: Floats, total: Floats, c: Floats, f: Floats) -> Floats:
    a, b = np.exp(theta[:, :1]), np.exp(theta[:, 1:])
    return np.einsum("di,di->d", own, betaln(a + c, b + f)) - total * betaln(a[:, 0], b[:, 0])


def _curvature(
    theta: Floats, own: Floats, total: Floats, c: Floats, f: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """First and second derivatives of the log-likelihood in ln a and ln b."""
    a, b = np.exp(theta[:, :1]), np.exp(theta[:, 1:])
    both, n = a + b, c + f
    shared = digamma(both + n)
    grad_a = ((own * (digamma(a + c) - shared)).sum(1) - total * (digamma(a) - digamma(both))[:, 0]) * a[:, 0]
    grad_b = ((own * (digamma(b + f) - shared)).sum(1) - total * (digamma(b) - digamma(both))[:, 0]) * b[:, 0]
    cross = (own * polygamma(1, both + n)).sum(1) - total * polygamma(1, both)[:, 0]
    h_aa = ((own * polygamma(1, a + c)).sum(1) - total * polygamma(1, a)[:, 0] - cross) * a[:, 0] ** 2 + grad_a
    h_bb = ((own * polygamma(1, b + f)).sum(1) - total * polygamma(1, b)[:, 0] - cross) * b[:, 0] ** 2 + grad_b
    return grad_a, grad_b, h_aa, h_bb, -cross * a[:, 0] * b[:, 0]


def _ascent(grad_a: Floats, grad_b: Floats, h_aa: Floats, h_bb: Floats, h_ab: Floats) -> Floats:
    """Newton's step where the curvature is that of a maximum, else one along the gradient; at most 2 in each."""
    determinant = h_aa * h_bb - h_ab**2
    concave = (h_aa < 0) & (determinant > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        newton = np.stack(
            [-(h_bb * grad_a - h_ab * grad_b) / determinant, -(h_aa * grad_b - h_ab * grad_a) / determinant]
        )
    gradient = np.stack([grad_a, grad_b])
    gradient = gradient / np.maximum(1e-12, np.abs(gradient).max(axis=0))
    return np.clip(np.where(concave, newton, gradient), -2.0, 2.0).T
