"""Does a plan's N* hold? A table's largest budgets held out, planned from the runs below, against their minima.

The truth at a held-out budget is the vertex of its own local parabola in log L over log N, where it is bracketed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import fit
from isoflop.laws import Law
from isoflop.planning.isoflop_minima import LocalMinimum, local_minimum
from isoflop.planning.optimal import optimal_plan
from isoflop.planning.parabolas import by_budget, flops_of_budgets, parabolas
from isoflop.planning.sizes import sizes
from isoflop.runs import Runs
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import Interval
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLAN = "plan"
LAW = "law of all runs"
NEAR = "law near the optimum"
PARABOLAS = "IsoFLOP parabolas"
METHODS = (PLAN, LAW, PARABOLAS, NEAR)
REACHES = ((0.0, 0.5), (0.5, 1.0), (1.0, 1.5))  # decades beyond the largest fitted budget

_FEWEST_FITTED = 3
_FEWEST_RUNS = 12


@dataclass(frozen=True)
class HeldOutOptimum(Value):
    """One method's N* at one held-out budget.

    basis: what the plan rests on; empty for the other methods. cut, budget: FLOPs of the largest fitted budget and of
    the held-out one. truth: the vertex there in log N, with the standard deviation it was measured with.
    """

    table: str
    method: str
    basis: str
    cut: float
    budget: float
    truth: LocalMinimum
    n: Interval

    @property
    def reach(self) -> float:
        """Decades of compute beyond the largest fitted budget."""
        return math.log10(self.budget / self.cut)

    @property
    def off(self) -> float:
        """max(N*/truth, truth/N*), 1 where they agree."""
        return math.exp(abs(math.log(self.n.value) - self.truth.log_n))

    @property
    def held(self) -> bool:
        """The interval holds the measured vertex."""
        return bool(self.n.low <= math.exp(self.truth.log_n) <= self.n.high)

    @property
    def width(self) -> float:
        """√(high/low): the factor by which an end lies from the middle."""
        return math.sqrt(self.n.high / self.n.low) if self.n.low > 0 else math.inf


@dataclass(frozen=True)
class OptimaScore(Value):
    """One method over held-out budgets.

    coverage: the mean over tables of each one's share of intervals that hold the vertex; pooled: the share of all.
    off, width: medians of factors; width is √(high/low).
    """

    method: str
    count: int
    tables: int
    off: float
    coverage: float
    pooled: float
    width: float


def held_out_optima(
    law: Law,
    runs: Runs,
    *,
    cuts: int = 4,
    farthest: float = REACHES[-1][1],
    draws: int = 200,
    level: float = 0.9,
    seed: int = 0,
) -> list[HeldOutOptimum]:
    """N* by every method at each bracketed budget above each cut.

    A table of m budgets is cut after k of them, k = 3 … m − 1, evenly spaced where that is more than ``cuts``. The law
    is fitted to the budgets up to the cut with its usual objective, and drawn by the bootstrap.
    farthest: decades beyond the cut up to which budgets are compared. A method without an answer has no entry.
    Raises IsoflopError where fewer than four budgets bracket their minimum.
    """
    log_n, log_loss = np.log(runs["N"]), np.log(runs["loss"])
    flops, _ = flops_of_budgets(runs, log_n)
    groups = by_budget(flops)
    middle = np.array([float(np.log(flops[rows]).mean()) for rows in groups])
    truths = [
        local_minimum(log_n[rows], log_loss[rows], at, rows, seed=seed) for rows, at in zip(groups, middle, strict=True)
    ]
    known = np.flatnonzero([each is not None for each in truths])
    if len(known) <= _FEWEST_FITTED:
        raise IsoflopError(
            f"{runs.source} has {len(known)} budgets whose least loss lies inside their sizes; holding one out needs "
            f"{_FEWEST_FITTED + 1}"
        )
    found: list[HeldOutOptimum] = []
    for last in _cuts(known, cuts):
        below = np.isin(np.arange(len(runs)), np.concatenate(groups[: last + 1]))
        ahead = [
            each
            for each in truths[last + 1 :]
            if each is not None and math.log10(each.budget) - middle[last] / math.log(10) <= farthest
        ]
        if below.sum() < _FEWEST_RUNS or not ahead:
            continue
        found += _planned(law, runs, below, math.exp(middle[last]), ahead, draws, level, seed)
    return found


def _cuts(known: Ints, most: int) -> list[int]:
    """Places of the last fitted budget: bracketed ones with two such below and one above."""
    possible = known[_FEWEST_FITTED - 1 : -1]
    places = np.unique(np.linspace(0, len(possible) - 1, min(most, len(possible))).round().astype(np.int64))
    return [int(possible[place]) for place in places]


def _planned(
    law: Law,
    runs: Runs,
    below: NDArray[np.bool_],
    cut: float,
    ahead: Sequence[LocalMinimum],
    draws: int,
    level: float,
    seed: int,
) -> list[HeldOutOptimum]:
    fitted_to = runs.take(below)
    ensemble = bootstrap(fit(law, fitted_to, seed=seed), draws=draws, seed=seed)
    near = sizes(ensemble, seed=seed).near
    try:
        valley = parabolas(fitted_to, level=level, seed=seed)
    except IsoflopError:
        valley = None
    found = []
    for truth in ahead:
        try:
            plan = optimal_plan(ensemble, budget=truth.budget, level=level, seed=seed)
        except IsoflopError:
            continue
        answers = {PLAN: plan.n}
        whole = plan.law or (plan if plan.basis == "law" else None)
        if whole is not None:
            answers[LAW] = whole.n
        if valley is not None:
            answers[PARABOLAS] = valley.n_at(truth.budget)
        if near is not None:
            with suppress(IsoflopError):
                answers[NEAR] = near.n_at(truth.budget, level=level)
        found += [
            HeldOutOptimum(runs.source, method, plan.basis if method == PLAN else "", cut, truth.budget, truth, n)
            for method, n in answers.items()
        ]
    return found


def score_optima(found: Sequence[HeldOutOptimum], method: str, reach: tuple[float, float]) -> OptimaScore | None:
    """One method's score at budgets whose reach lies in (from, to]; None where there are none."""
    own = [each for each in found if each.method == method and reach[0] < each.reach <= reach[1]]
    if not own:
        return None
    held = np.array([each.held for each in own], dtype=np.float64)
    names = np.array([each.table for each in own])
    by_table = [held[names == name].mean() for name in dict.fromkeys(names.tolist())]
    return OptimaScore(
        method=method,
        count=len(own),
        tables=len(by_table),
        off=float(np.median([each.off for each in own])),
        coverage=float(np.mean(by_table)),
        pooled=float(held.mean()),
        width=float(np.median([each.width for each in own])),
    )
