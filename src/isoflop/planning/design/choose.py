"""Which candidates to train: the batch under a budget after which a target's expected squared error is least.

Before a run is made, what it will do to the error is known for a linear estimate: with Σ the covariance of responses,
R their noise and c the covariance of the responses with the target, E(S) = tr(Σ_q − c_Sᵀ(Σ_S + R)⁻¹c_S). Where the
batch is to be good under several such distributions, Σ E_v(S) is made least.
Source: Chaloner and Verdinelli 1995, Statistical Science 10 (Bayesian c- and I-optimality); Atkinson, Donev and Tobias
2007, Optimum Experimental Designs, section 21 (compound criteria); Khuller, Moss and Naor 1999 (greedy by gain per cost
under a budget).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POWERS = (0.0, 0.4, 0.7, 1.0)  # of the cost by which a run's gain is divided; the best batch of them is kept
MOST_EXCHANGED = 40  # runs in a batch up to which each is tried against all others
_PASSES = 2
_BETTER = 1e-9  # relative
_ANCHORS = 6  # sizes of a largest run around which batches are sought
Criterion = Literal["target", "parameters"]


@dataclass(frozen=True)
class Chosen(Value):
    """A batch in the order in which it was chosen: indices of candidates, and the expected error before and after each.

    error: root of the expected squared error of the target after 0, 1, 2 … runs, (runs + 1,).
    """

    rows: tuple[int, ...]
    error: Floats
    spent: float


@dataclass(frozen=True)
class Drift(Value):
    """An error that grows with the distance from the largest run near the target's path: sd · decades.

    beyond: decades of compute from each candidate to the target, infinite for those off the path, (points,).
    now: those of the runs at hand. anywhere: an error that no run takes away.
    """

    sd: float
    anywhere: float
    beyond: Floats
    now: float

    def variance(self, rows: Sequence[int]) -> float:
        """Of the target after runs at ``rows``."""
        nearest = min(self.now, *(float(self.beyond[each]) for each in rows)) if rows else self.now
        return (self.sd * max(0.0, nearest)) ** 2 + self.anywhere**2

    def anchors(self, cost: Floats, budget: float) -> list[tuple[int, ...]]:
        """First runs to try: none, and for each of some distances the cheapest candidate as near."""
        near = np.flatnonzero((self.beyond < self.now) & (cost <= budget * (1 + 1e-12)))
        found: dict[tuple[int, ...], None] = {(): None}
        for wanted in np.unique(np.quantile(self.beyond[near], np.linspace(0, 1, _ANCHORS))) if len(near) else ():
            some = near[self.beyond[near] <= wanted]
            found[(int(some[cost[some].argmin()]),)] = None
        return list(found)


@dataclass(frozen=True)
class View(Value):
    """One joint distribution of the candidates' responses and the target's numbers, as far as a batch depends on it.

    cov: (points, points); cross: (points, numbers); target_cov: (numbers, numbers).
    """

    cov: Floats
    cross: Floats
    target_cov: Floats

    def left(self, noise: Floats, others: Sequence[int]) -> tuple[Floats, Floats]:
        """After ``others``: variance of each candidate, and its covariance with the target."""
        own, toward = np.diag(self.cov).copy(), self.cross
        if len(others):
            factor = np.linalg.cholesky(self.cov[np.ix_(others, others)] + np.diag(noise[others]))
            white = solve_triangular(factor, self.cov[others], lower=True)
            toward = toward - white.T @ solve_triangular(factor, self.cross[others], lower=True)
            own = own - (white**2).sum(axis=0)
        return np.maximum(own, 0.0), toward


def choose(
    cov: Floats,
    cross: Floats,
    target_cov: Floats,
    noise: Floats,
    cost: Floats,
    budget: float,
    *,
    most: int = 1,
    least_gain: float = 0.0,
    criterion: Criterion = "target",
    powers: Sequence[float] = POWERS,
    exchange: bool = True,
    drift: Drift | None = None,
    beside: View | None = None,
) -> Chosen:
    """The batch of least expected squared error that the budget pays for.

    cov: (points, points); cross: (points, numbers); noise: variance of one run at each point; most: how often a
    candidate may be repeated (seeds). least_gain: least share by which a run must lower the error for each share of the
    budget that it costs. criterion ``parameters``: most information on everything (D-optimal) instead of the target.
    powers: of the cost by which a run's gain is divided, each tried; the best batch is kept. drift: what the largest
    run leaves open; batches are then sought around a largest run of every size. beside: another distribution under
    which the batch is to be good as well: the sum of both squared errors is made least. The error that is told is that
    of the first.
    """
    views = [View(cov, cross, target_cov)] + ([] if beside is None else [beside])
    tried = []
    for first in [()] if drift is None else drift.anchors(cost, budget):
        for power in powers:
            picked = _greedy(views, noise, cost, budget, most, least_gain, criterion, power, first)
            tried.append((picked, len(first)))
    if criterion == "target":
        errors = [_together(views, noise, picked, drift) for picked, _ in tried]
        least = max(min(errors), 1e-300)
        spent = [float(cost[np.array(picked, dtype=np.int64)].sum()) for picked, _ in tried]
        rows, kept = tried[min(range(len(tried)), key=lambda each: (round(errors[each] / least, 6), spent[each]))]
        if exchange and 0 < len(rows) <= MOST_EXCHANGED:
            rows = _exchanged(views, noise, cost, budget, most, rows, kept)
    else:
        rows = tried[0][0]
    rows = _ordered(views, noise, cost, rows)
    error = _error(cov, cross, target_cov, noise, rows, drift)
    return Chosen(tuple(rows), error, float(cost[np.array(rows, dtype=np.int64)].sum()))


def _together(views: Sequence[View], noise: Floats, rows: Sequence[int], drift: Drift | None) -> float:
    """Root of the sum of the views' expected squared errors."""
    errors = [expected_error(each.cov, each.cross, each.target_cov, noise, rows, drift) for each in views]
    return float(np.linalg.norm(errors))


def expected_error(
    cov: Floats,
    cross: Floats,
    target_cov: Floats,
    noise: Floats,
    rows: Sequence[int],
    drift: Drift | None = None,
) -> float:
    """Root of the expected squared error of the target after runs at ``rows``."""
    return float(_error(cov, cross, target_cov, noise, rows, drift)[-1])


class _State:
    """A view on the way of a greedy search: what is left of every variance after the runs so far."""

    def __init__(self, view: View) -> None:
        self.cov, self.cross, self.own = view.cov, view.cross.copy(), np.diag(view.cov).copy()
        self.seen: list[Floats] = []  # rows of a Cholesky factor, whose squares are what the variances have fallen by
        self.variance = float(np.trace(view.target_cov))

    def gain(self, noise: Floats) -> Floats:
        """By how much each run would lower the target's variance."""
        self.own = np.maximum(self.own, 0.0)
        return np.asarray((self.cross**2).sum(axis=1) / (self.own + noise))

    def add(self, each: int, gain: float, noise: float) -> None:
        """The state after one more run."""
        known = np.array(self.seen)
        column = self.cov[:, each] - (known.T @ known[:, each] if self.seen else 0.0)
        root = float(np.sqrt(self.own[each] + noise))
        self.seen.append(column / root)
        self.variance -= gain
        self.own = self.own - self.seen[-1] ** 2
        self.cross = self.cross - np.outer(self.seen[-1], self.cross[each] / root)


def _greedy(
    views: Sequence[View],
    noise: Floats,
    cost: Floats,
    budget: float,
    most: int,
    least_gain: float,
    criterion: Criterion,
    power: float,
    first: Sequence[int] = (),
) -> list[int]:
    states = [_State(each) for each in views]
    left = budget
    times = np.zeros(len(cost), dtype=np.int64)
    picked: list[int] = []
    price = (cost / cost.min()) ** power
    while True:
        free = (cost <= left * (1 + 1e-12)) & (times < most)
        if len(picked) < len(first):
            free = np.arange(len(cost)) == first[len(picked)]
        if not free.any() or any(each.variance <= 0 for each in states):
            return picked
        gains = [each.gain(noise) for each in states]
        gain = np.sum(gains, axis=0)
        score = gain if criterion == "target" else np.log1p(states[0].own / noise)
        if least_gain > 0 and len(picked) >= len(first):
            falls = 1 - np.sqrt(np.maximum(1 - gain / sum(each.variance for each in states), 0.0))
            free = free & (falls >= least_gain * cost / budget)
            if not free.any():
                return picked
        best = int(np.where(free, score / price, -np.inf).argmax())
        if score[best] <= 0 and len(picked) >= len(first):
            return picked
        picked.append(best)
        times[best] += 1
        left -= float(cost[best])
        for state, own in zip(states, gains, strict=True):
            state.add(best, float(own[best]), float(noise[best]))


def _exchanged(
    views: Sequence[View], noise: Floats, cost: Floats, budget: float, most: int, rows: list[int], kept: int
) -> list[int]:
    """Each run after the first ``kept`` against the best that could stand in its place, until nothing changes."""
    for _ in range(_PASSES):
        changed = False
        for position in range(kept, len(rows)):
            others = rows[:position] + rows[position + 1 :]
            gain = np.zeros(len(cost))
            for view in views:
                own, toward = view.left(noise, others)
                gain += (toward**2).sum(axis=1) / (own + noise)
            times = np.bincount(np.array(others, dtype=np.int64), minlength=len(cost))
            free = (cost <= (budget - cost[others].sum()) * (1 + 1e-12)) & (times < most)
            best = int(np.where(free, gain, -np.inf).argmax())
            if gain[best] > gain[rows[position]] * (1 + _BETTER):
                rows = [*rows[:position], best, *rows[position + 1 :]]
                changed = True
        if not changed:
            break
    return rows


def _ordered(views: Sequence[View], noise: Floats, cost: Floats, rows: list[int]) -> list[int]:
    """The batch in the order of gain per cost, so that its first part is of use if the rest is not trained."""
    if len(rows) < 2:
        return rows
    wanted = np.array(rows)
    parts = [View(each.cov[np.ix_(wanted, wanted)], each.cross[wanted], each.target_cov) for each in views]
    whole = float(cost[wanted].sum()) * (1 + 1e-9)
    part = _greedy(parts, noise[wanted], cost[wanted], whole, 1, 0.0, "target", 1.0)
    order = [*part, *(each for each in range(len(rows)) if each not in part)]
    return [rows[each] for each in order]


def _error(
    cov: Floats, cross: Floats, target_cov: Floats, noise: Floats, rows: Sequence[int], drift: Drift | None
) -> Floats:
    """√E(S) after 0, 1, 2 … of the runs."""
    whole = float(np.trace(target_cov))
    falls = [0.0]
    if rows:
        picked = np.array(rows, dtype=np.int64)
        factor = np.linalg.cholesky(cov[np.ix_(picked, picked)] + np.diag(noise[picked]))
        white = solve_triangular(factor, cross[picked], lower=True)
        falls += list(np.cumsum((white**2).sum(axis=1)))
    left = np.maximum(whole - np.array(falls), 0.0)
    if drift is not None:
        left = left + np.array([drift.variance(rows[:count]) for count in range(len(rows) + 1)])
    return np.asarray(np.sqrt(left))
