"""The effective multiplier: how much more x the reference needs for what a group reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.comparison.curves import Curves
from isoflop.uncertainty.ensemble import Interval
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Multiplier(Value):
    """m with f_reference(m·x) = f_group(x), at several x.

    value, low, high: (x,); infinite where the reference does not reach the group's response, up to 100,000 times the
    largest run. unreached: the share of draws in which it does not, (x,).
    change: m at the largest x of runs of both groups over m at the smallest, 1 where the multiplier is constant; None
    where the groups do not overlap or one of the two is not reached.
    """

    group: str
    reference: str
    x: Floats
    value: Floats
    low: Floats
    high: Floats
    unreached: Floats
    level: float
    change: Interval | None

    def at(self, place: int) -> Interval:
        """The multiplier at one x."""
        return Interval(float(self.value[place]), float(self.low[place]), float(self.high[place]), self.level)


def multiplier(curves: Curves, group: int, reference: int, x: Floats, *, level: float) -> Multiplier:
    """Solve f_reference(m·x) = f_group(x) in every draw by the reference's curve, made monotone.

    The interval is that of the draws of m, unreached ones counted as infinite: {m : the interval of the gap between the
    two responses holds zero}.
    """
    wide = np.log(curves.wide)
    base_value = np.minimum.accumulate(curves.value(reference, curves.wide))
    base = np.minimum.accumulate(curves.draws(reference, curves.wide), axis=1)
    log_x = np.log(x)
    value = _solve(wide, base_value, curves.value(group, x)) - log_x
    drawn = _solve_all(wide, base, curves.draws(group, x)) - log_x
    low, high = _ends(drawn, level)
    return Multiplier(
        curves.names[group],
        curves.names[reference],
        x,
        np.exp(value),
        np.exp(low),
        np.exp(high),
        np.mean(np.isposinf(drawn), axis=0),
        level,
        _change(curves, group, reference, (wide, base_value, base), level),
    )


def _change(
    curves: Curves, group: int, reference: int, base: tuple[Floats, Floats, Floats], level: float
) -> Interval | None:
    both = curves.ranges[[group, reference]]
    ends = np.array([both[:, 0].max(), both[:, 1].min()])
    if ends[0] >= ends[1]:
        return None
    wide, base_value, base_draws = base
    value = _solve(wide, base_value, curves.value(group, ends)) - np.log(ends)
    drawn = _solve_all(wide, base_draws, curves.draws(group, ends)) - np.log(ends)
    if not np.isfinite(value).all():
        return None
    with np.errstate(invalid="ignore"):
        apart = drawn[:, 1] - drawn[:, 0]
    low, high = _ends(apart[~np.isnan(apart)][:, None], level)
    return Interval(
        math.exp(value[1] - value[0]), math.exp(float(low[0])), float(np.exp(np.minimum(high[0], 700.0))), level
    )


def _solve_all(wide: Floats, base: Floats, goals: Floats) -> Floats:
    return np.stack([_solve(wide, each, goal) for each, goal in zip(base, goals, strict=True)])


def _solve(wide: Floats, base: Floats, goal: Floats) -> Floats:
    """log x at which a falling curve has the value ``goal``; ∞ where it stays above, −∞ where it begins below."""
    found = np.interp(-goal, -base, wide)
    return np.where(goal < base[-1], np.inf, np.where(goal > base[0], -np.inf, found))


def _ends(drawn: Floats, level: float) -> tuple[Floats, Floats]:
    """Ends of the central ``level`` of draws of which some are infinite, (x,)."""
    ends = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0, method="closest_observation")
    return ends[0], ends[1]
