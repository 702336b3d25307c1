"""Whether two groups cross, where, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.comparison.curves import Curves
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Place(Value):
    """Where two fitted curves cross: x, its interval, and which group is better from there on.

    low, high: {x : the interval of the gap at x holds zero}, around x; None where it reaches the end of what is
    followed (the smallest run, or ten times the largest).
    """

    x: float
    low: float | None
    high: float | None
    level: float
    better: str


@dataclass(frozen=True)
class Crossing(Value):
    """Two groups along x.

    inside, within, ever: the share of draws in which the gap changes its sign among the runs of both groups (None
    where these do not overlap), up to ten times the largest run, and up to 100,000 times it.
    evidence_inside, evidence: min over the two groups of max over x of P(better at x), among the runs of both and up to
    ten times the largest: how sure it is that each group is better somewhere. span: the x of runs of both groups, or
    None. places: where the fitted curves cross, up to ten times the largest run.
    """

    first: str
    second: str
    inside: float | None
    within: float
    ever: float
    evidence_inside: float | None
    evidence: float
    span: tuple[float, float] | None
    places: tuple[Place, ...]

    def verdict(self, level: float) -> str:
        """Up to ten times the largest run.

        ``cross`` where each group is better somewhere in that share of the draws; ``do not cross`` where no more than
        1 − level of the draws change their sign; ``open`` else.
        """
        if self.evidence >= level:
            return "cross"
        return "do not cross" if self.within <= 1 - level else "open"


def crossing(curves: Curves, first: int, second: int, *, level: float) -> Crossing:
    """Sign changes of log f₁(x) − log f₂(x), of the fits and of every draw.

    Each group must be better somewhere: where the evidence is asked to be 0.9, two curves of one law and two that only
    touch at the end of the runs were said to cross in 11 to 15 % of simulations. (The share of draws that change their
    sign is no test: it exceeds 0.9 in 28 to 32 % of tables of one law.) The interval of a crossing holds every x at
    which the gap's interval holds zero; it covers as the gap's does.
    """
    grid = curves.grid
    values, drawn = curves.on_grid
    gap, gaps = values[first] - values[second], drawn[first] - drawn[second]
    low, high = float(curves.ranges[[first, second], 0].max()), float(curves.ranges[[first, second], 1].min())
    top = float(curves.ranges[[first, second], 1].max())
    inside, evidence_inside, span = None, None, None
    if low < high:
        span = (low, high)
        among = gaps[:, (grid >= low * (1 - 1e-9)) & (grid <= high * (1 + 1e-9))]
        inside, evidence_inside = float(np.mean(_changes(among))), _evidence(among)
    far = curves.wide[curves.wide > grid[-1]]
    beyond = curves.draws(first, far) - curves.draws(second, far)
    start = grid >= min(low, high) * (1 - 1e-9)
    reached = start & (grid <= top * 10 * (1 + 1e-9))
    within = _changes(gaps[:, reached])
    ever = within | _changes(np.concatenate([gaps[:, start], beyond], axis=1))
    names = curves.names[first], curves.names[second]
    return Crossing(
        *names,
        inside=inside,
        within=float(np.mean(within)),
        ever=float(np.mean(ever)),
        evidence_inside=evidence_inside,
        evidence=_evidence(gaps[:, reached]),
        span=span,
        places=_places(grid[reached], gap[reached], gaps[:, reached], names, level),
    )


def _changes(gaps: Floats) -> NDArray[np.bool_]:
    """Whether each row has both signs, (draws,)."""
    return np.asarray((gaps > 0).any(axis=1) & (gaps < 0).any(axis=1))


def _evidence(gaps: Floats) -> float:
    """How sure it is that each of two groups is better somewhere; gaps: (draws, x)."""
    return float(min(np.mean(gaps < 0, axis=0).max(), np.mean(gaps > 0, axis=0).max()))


def _places(x: Floats, gap: Floats, gaps: Floats, names: tuple[str, str], level: float) -> tuple[Place, ...]:
    log_x = np.log(x)
    turns = np.flatnonzero(np.sign(gap[1:]) * np.sign(gap[:-1]) < 0)
    lower = np.mean(gaps < 0, axis=0)  # of the draws at each x, those in which the first group is better
    tail = (1 - level) / 2
    found = []
    for turn in turns:
        share = gap[turn] / (gap[turn] - gap[turn + 1])
        at = math.exp(log_x[turn] + share * (log_x[turn + 1] - log_x[turn]))
        falls = gap[turn + 1] < 0  # the first group is the better one behind the crossing
        rising = lower if falls else 1 - lower
        found.append(
            Place(
                at,
                _left(log_x, rising, int(turn), tail),
                _right(log_x, rising, int(turn) + 1, 1 - tail),
                level,
                names[0] if falls else names[1],
            )
        )
    return tuple(found)


def _left(log_x: Floats, rising: Floats, start: int, tail: float) -> float | None:
    """The last x before a crossing at which the group behind it is better in no more than ``tail`` of the draws."""
    for place in range(start, -1, -1):
        if rising[place] <= tail:
            return _between(log_x, rising, place, place + 1, tail)
    return None


def _right(log_x: Floats, rising: Floats, start: int, goal: float) -> float | None:
    """The first x behind a crossing from which the group is better in ``goal`` of the draws."""
    for place in range(start, len(log_x)):
        if rising[place] >= goal:
            return _between(log_x, rising, place - 1, place, goal)
    return None


def _between(log_x: Floats, share: Floats, low: int, high: int, goal: float) -> float:
    high = min(high, len(log_x) - 1)
    apart = share[high] - share[low]
    part = 0.5 if apart <= 0 else float(np.clip((goal - share[low]) / apart, 0.0, 1.0))
    return float(math.exp(log_x[low] + part * (log_x[high] - log_x[low])))
