"""Runs left out: one at a time, one after another, the strongest or the farthest from the surface first."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.fit import Problem
from isoflop.uncertainty.ensemble import Interval
from isoflop.validation.answers import Answer, answer_at
from isoflop.validation.curvature import left_out_by_newton
from isoflop.validation.outliers import Outliers
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[int], None]

# runs refitted without at a step of the greedy search: those that one Newton step says move the answer most; in sixteen
# tables the run that did was among the first 40 of 300 steps, or had the leverage from which that step means little
_CANDIDATES = 48
_LEVERAGE = 0.2
_ALIKE = 1e-6  # relative difference of moves that is none
_ALL = 300  # where there is no curvature: those that moved it most when left out alone
MOST_STEPS = 20
_ELEMENTS = 2_000_000  # weights (problems × rows) held at once
_TIGHT = 1e-11


@dataclass(frozen=True)
class Effect(Value):
    """What leaving runs out does to one answer.

    value: at the fit, with its bootstrap interval. without: the answer with each run left out, refitted, (runs,); NaN
    where it was not refitted or has no value. curvature: the same by the infinitesimal jack-knife, (runs,), or None
    where the objective has no curvature. standard_error: the jack-knife's, of log answer where ``answer.scale`` is log.
    """

    answer: Answer
    value: Interval
    without: Floats = field(repr=False)
    curvature: Floats | None = field(repr=False)
    standard_error: float

    @property
    def moves(self) -> Floats:
        """Change of the answer with each run left out, (runs,): a logarithm of factors, or a difference."""
        return self.answer.change(self.without, self.value.value)

    @property
    def agreement(self) -> float:
        """Correlation of the curvature's changes with the exact ones; NaN where there is no curvature."""
        if self.curvature is None:
            return math.nan
        exact, near = self.moves, self.answer.change(self.curvature, self.value.value)
        both = np.isfinite(exact) & np.isfinite(near)
        if both.sum() < 3 or np.std(exact[both]) == 0 or np.std(near[both]) == 0:
            return math.nan
        return float(np.corrcoef(exact[both], near[both])[0, 1])


@dataclass(frozen=True)
class Removal(Value):
    """Runs left out one after another.

    how: ``down`` and ``up`` (each step the run whose removal lowers or raises the answer most), or ``outliers``
    (farthest from the surface first). runs: their numbers (0-based); values: the answer after each step, (steps,).
    left_interval: the number of steps after which the answer lies outside the interval of the whole table, or None.
    """

    how: Literal["down", "up", "outliers"]
    runs: tuple[int, ...]
    values: tuple[float, ...]
    left_interval: int | None


@dataclass(frozen=True)
class Refits(Value):
    """Refits without runs."""

    ready: Problem
    fit: Fit
    progress: Progress | None

    def without(self, gone: NDArray[np.bool_], each: Ints, start: Floats) -> Floats:
        """Optima without the runs ``gone`` and without each of the runs ``each``, (each, coordinates).

        start: where all begin, (coordinates,), or each its own, (each, coordinates).
        """
        codes = self.ready.table.run_codes
        chunk = max(1, _ELEMENTS // len(codes))
        scale = None if self.fit.scale is None or not self.fit.objective.fits_scale else math.log(self.fit.scale)
        pieces = []
        for first in range(0, len(each), chunk):
            some = each[first : first + chunk]
            weights = (~gone[codes])[None, :] & (codes[None, :] != some[:, None])
            found = self.ready.solve(
                np.repeat(start[None], len(some), axis=0) if start.ndim == 1 else start[first : first + chunk],
                weights=weights.astype(np.float64),
                scales=None if scale is None else np.full(len(some), scale),
                tolerance=_TIGHT,
                near=True,
            )
            pieces.append(np.where(np.isfinite(found.value)[:, None], found.theta, np.nan))
            if self.progress is not None:
                self.progress(len(some))
        return np.concatenate(pieces) if pieces else np.empty((0, start.shape[-1]))

    def answer(self, answer: Answer, theta: Floats) -> Floats:
        """The answer at coordinates, (problems,); NaN where they are."""
        return answer_at(answer, self.fit, self.ready, theta)


def strongest_first(ask: Refits, decided: Effect, chosen: Ints, side: int, steps: int) -> Removal:
    """Each step without the run whose removal moves the answer most to one side, until the interval is left.

    decided: with the answer without each run where that is known, which gives the first step.
    """
    answer, value = decided.answer, decided.value
    gone = np.zeros(ask.ready.table.n_runs, dtype=np.bool_)
    start, runs, values = ask.fit.theta, [], []
    known = len(decided.without) == len(gone)
    for step in range(steps):
        left = chosen[~gone[chosen]]
        if step == 0 and known:
            theta, reached = None, decided.without[left]
        else:
            left, begin = _candidates(ask, decided, left, gone, start, side)
            theta = ask.without(gone, left, begin)
            reached = ask.answer(answer, theta)
        if not len(left):
            break
        score = side * answer.change(reached, value.value)
        score = np.where(np.isfinite(score), score, -np.inf)
        if not math.isfinite(score.max()):
            break
        # runs far off on one side pull alike: of those the first, whatever rounding says
        best = int(np.argmax(score >= score.max() - _ALIKE * abs(score.max())))
        runs.append(int(left[best]))
        values.append(float(reached[best]))
        gone[left[best]] = True
        if theta is not None:
            start = theta[best]
        if not value.low <= values[-1] <= value.high:
            break
    return Removal("down" if side < 0 else "up", tuple(runs), tuple(values), _first_outside(values, value))


def _candidates(
    ask: Refits, decided: Effect, left: Ints, gone: NDArray[np.bool_], start: Floats, side: int
) -> tuple[Ints, Floats]:
    """The runs that may move the answer most when they are left out too, and where their refits begin."""
    answer, value = decided.answer, decided.value.value
    near = left_out_by_newton(ask.ready, ask.fit, start, gone) if len(left) > _CANDIDATES else None
    if near is None:
        if len(left) > _ALL and len(decided.without) == len(gone):  # absolute deviations have no curvature
            alone = side * decided.moves[left]
            order = np.argsort(-np.where(np.isfinite(alone), alone, -np.inf), kind="stable")
            left = np.sort(left[order[:_ALL]])
        return left, start
    moved, leverage = near
    score = side * answer.change(ask.answer(answer, moved[left]), value)
    order = np.argsort(-np.where(np.isfinite(score), score, -np.inf), kind="stable")
    picked = np.zeros(len(left), dtype=np.bool_)
    picked[order[:_CANDIDATES]] = True
    tried = left[picked | (leverage[left] > _LEVERAGE)]
    return tried, np.where((leverage[tried] > _LEVERAGE)[:, None], start, moved[tried])


def farthest_first(ask: Refits, decided: Effect, seen: Outliers) -> Removal:
    """The answer as outliers are left out one after another, the farthest from the surface first."""
    codes = ask.ready.table.run_codes
    runs = list(dict.fromkeys(int(codes[each.position]) for each in seen.found))[:MOST_STEPS]
    gone = np.zeros(ask.ready.table.n_runs, dtype=np.bool_)
    start, values = ask.fit.theta, []
    for run in runs:
        theta = ask.without(gone, np.array([run]), start)
        values.append(float(ask.answer(decided.answer, theta)[0]))
        gone[run] = True
        start = theta[0] if np.isfinite(theta).all() else start
    return Removal("outliers", tuple(runs), tuple(values), _first_outside(values, decided.value))


def _first_outside(values: list[float], value: Interval) -> int | None:
    return next((place + 1 for place, each in enumerate(values) if not value.low <= each <= value.high), None)
