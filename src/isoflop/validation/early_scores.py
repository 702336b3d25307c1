"""``foretold``: final scores of a task from early ones, each model predicted from the others, and those under way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval
from isoflop.validation.score_curves import ScoreCurves
from isoflop.values import Value

Floats = NDArray[np.float64]

_FEWEST_MODELS = 5  # whose finals show how an early score goes on


@dataclass(frozen=True)
class Foretold(Value):
    """How well the final score of a task follows from early scores of other models' runs.

    models: how many end. error, covered: mean absolute error and number of intervals that hold, each model predicted
    from the others by a straight line on its own early score. baseline: the error if the score stayed as it is.
    by: the other task whose early score foretells best, and other_error its error where it is chosen without the model
    that is predicted.
    """

    task: str
    models: int
    error: float
    baseline: float
    covered: int
    width: float
    by: str
    other_error: float


@dataclass(frozen=True)
class FinalScore(Value):
    """The forecast of a task's final score for a model that has not ended."""

    model: str
    task: str
    early: float
    score: Interval


def early_and_final(curves: ScoreCurves, early: float, end: float) -> tuple[Floats, Floats]:
    """The score at the last checkpoint up to ``early``, and at the end, (models, tasks); NaN where there is none."""
    first = curves.x <= early
    before = np.full(curves.scores.shape[:2], np.nan)
    for m, t in np.ndindex(*before.shape):
        own = np.flatnonzero(first & np.isfinite(curves.scores[m, t]))
        if len(own):
            before[m, t] = curves.scores[m, t, own[-1]]
    return before, curves.scores[:, :, int(np.searchsorted(curves.x, end))]


def _line(x: Floats, y: Floats, at: float, level: float) -> Interval:
    """Prediction interval of a straight line; of the mean change where the early scores do not vary."""
    n = len(x)
    spread = float(((x - x.mean()) ** 2).sum())
    if spread <= 1e-18:
        slope, freedom = 0.0, n - 1
    else:
        slope, freedom = float(((x - x.mean()) * (y - y.mean())).sum() / spread), n - 2
    middle = float(y.mean() + slope * (at - x.mean()))
    rest = y - y.mean() - slope * (x - x.mean())
    sigma = math.sqrt(float((rest**2).sum()) / freedom)
    wide = sigma * math.sqrt(1 + 1 / n + ((at - float(x.mean())) ** 2 / spread if spread > 1e-18 else 0.0))
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * wide
    return Interval(middle, middle - half, middle + half, level)


def foretold(curves: ScoreCurves, t: int, before: Floats, after: Floats, level: float) -> Foretold | None:
    """The errors of one task; None for fewer than five models that have both scores."""
    rows = np.flatnonzero(np.isfinite(before[:, t]) & np.isfinite(after[:, t]))
    if len(rows) < _FEWEST_MODELS:
        return None
    x, y = before[rows, t], after[rows, t]
    told = [_line(np.delete(x, k), np.delete(y, k), float(x[k]), level) for k in range(len(rows))]
    errors = [abs(each.value - real) for each, real in zip(told, y, strict=True)]
    covered = sum(bool(each.low <= real <= each.high) for each, real in zip(told, y, strict=True))
    others = [k for k in range(len(curves.tasks)) if k != t and np.isfinite(before[rows, k]).all()]
    # squared errors of each other task as the foreteller, with one model left out, and with two
    name, other = "", math.nan
    if others:
        single = np.array([_left_out(before[rows, k], y) for k in others])
        name = curves.tasks[others[int(single.mean(axis=1).argmin())]]
        nested = []
        for k in range(len(rows)):
            rest = np.delete(np.arange(len(rows)), k)
            inner = [_left_out(before[rows, o][rest], y[rest]).mean() for o in others]
            chosen = before[rows, others[int(np.argmin(inner))]]
            nested.append(abs(_line(chosen[rest], y[rest], float(chosen[k]), level).value - y[k]))
        other = float(np.mean(nested))
    return Foretold(
        curves.tasks[t],
        len(rows),
        float(np.mean(errors)),
        float(np.abs(y - x).mean()),
        covered,
        float(np.median([each.high - each.low for each in told])),
        name,
        other,
    )


def _left_out(x: Floats, y: Floats) -> Floats:
    """|y_k − ŷ_k| of a straight line through the others, (rows,): r/(1 − h)."""
    centered = x - x.mean()
    spread = float((centered**2).sum())
    slope = float((centered * y).sum() / spread) if spread > 1e-18 else 0.0
    rest = y - y.mean() - slope * centered
    leverage = 1 / len(x) + (centered**2 / spread if spread > 1e-18 else 0.0)
    return np.asarray(np.abs(rest) / np.maximum(1 - leverage, 1e-9))


def unfinished(
    curves: ScoreCurves, risen: set[str], before: Floats, after: Floats, level: float
) -> tuple[FinalScore, ...]:
    """Models without a score at the last checkpoint, from those that have one."""
    found = []
    for t, task in enumerate(curves.tasks):
        ended = np.flatnonzero(np.isfinite(before[:, t]) & np.isfinite(after[:, t]))
        if task not in risen or len(ended) < _FEWEST_MODELS:
            continue
        for m in np.flatnonzero(np.isfinite(before[:, t]) & ~np.isfinite(after[:, t])):
            score = _line(before[ended, t], after[ended, t], float(before[m, t]), level)
            found.append(FinalScore(curves.models[m], task, float(before[m, t]), score))
    return tuple(found)
