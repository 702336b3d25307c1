"""Which groups share noise: correlated residuals of the configurations that both were trained on.

Resampling shared configurations together is right where their residuals go together: differences between groups are
then as sure as they are. Where noise is each run's own it gains nothing, and half the information on the variance of
a difference is lost, since only the differences of n configurations count instead of the residuals of 2n runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEVEL = 0.95  # one-sided: of groups with independent noise one pair in twenty is resampled together


def correlation(first: Floats, second: Floats) -> float:
    """The correlation of two groups' residuals over the configurations of both; zero where one has none to show."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def go_together(r: float, count: int, params: int) -> bool:
    """Whether r·√(f/(1 − r²)) exceeds Student's one-sided 95 % quantile, f = n − p − 1.

    n: configurations of both groups. p: parameters of the law, each of which leaves residuals a degree of freedom less.
    """
    freedom = count - params - 1
    if freedom < 1 or r <= 0:
        return False
    return r * math.sqrt(freedom) > float(special.stdtrit(freedom, _LEVEL)) * math.sqrt(max(1 - r * r, 1e-12))


def clusters(groups: int, pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The number of each group's cluster: groups that pairs join, directly or through others."""
    found = list(range(groups))
    for g, h in pairs:
        here, there = found[g], found[h]
        found = [min(here, there) if each in (here, there) else each for each in found]
    return tuple(found)


def student_scales(freedom: Mapping[int, int], cluster: Sequence[int], draws: int, *, seed: int) -> Floats:
    """√(f/χ²_f) in every draw for each group of a cluster of several, 1 for groups by themselves, (groups, draws).

    freedom: cluster → f, runs less parameters of its smallest group. Deviations of resamples from the fit, times this
    factor, have Student's quantiles instead of the normal ones. All groups of a cluster have the same factor, so that
    what they have in common still cancels.
    """
    found = np.ones((len(cluster), draws))
    for number in sorted(set(cluster)):
        members = [place for place, each in enumerate(cluster) if each == number]
        if len(members) > 1:
            chi = np.random.default_rng([seed, 9, number]).chisquare(max(1, freedom[number]), draws)
            found[members] = np.sqrt(max(1, freedom[number]) / chi)
    return found
