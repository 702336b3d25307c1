"""``track``: when tasks rise during training, in which order, whether sizes agree, and what early scores foretell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, choices
from isoflop.findings import Finding
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval, check_level, interval_of
from isoflop.uncertainty.holm import holm
from isoflop.uncertainty.ranks import spearman
from isoflop.validation.early_scores import FinalScore, Foretold, early_and_final, foretold, unfinished
from isoflop.validation.score_curves import ScoreCurves
from isoflop.values import Value

Floats = NDArray[np.float64]

_LAST = 3  # checkpoints whose mean is the final score in the test of a rise and the onset
_FEWEST_SHARED = 4  # tasks whose order two models are compared by
_DRAWS = 200


@dataclass(frozen=True)
class Onset(Value):
    """When a task rises in one model.

    x: checkpoint at which the monotone curve has gained the share that was asked of what it gains in all, NaN where
    there is no rise. p: of no rise, corrected by Holm over the tasks of the model. start, final: score by guessing,
    and mean of the last three checkpoints.
    """

    model: str
    task: str
    x: Interval
    start: float
    final: float
    p: float
    rises: bool


@dataclass(frozen=True)
class Agreement(Value):
    """Spearman's correlation of the onsets of two models over the tasks that rise in both, with its interval."""

    model: str
    other: str
    tasks: int
    rank: Interval


@dataclass(frozen=True)
class Tracking(Shown):
    """Onsets of all models and tasks, agreement with the largest model, and what early scores foretell.

    early, end: the checkpoints between which scores are foretold.
    """

    curves: ScoreCurves = field(repr=False)
    onsets: tuple[Onset, ...] = field(repr=False)
    agreements: tuple[Agreement, ...]
    foretold: tuple[Foretold, ...]
    unfinished: tuple[FinalScore, ...]
    share: float
    early: float
    end: float
    level: float
    seed: int
    findings: tuple[Finding, ...] = ()

    def onset(self, model: str, task: str) -> Onset:
        """The onset of one task in one model."""
        return next(each for each in self.onsets if (each.model, each.task) == (model, task))

    @property
    def reference(self) -> str:
        """The model whose order the others are compared with: the largest."""
        return self.curves.models[-1]


def track(
    curves: ScoreCurves,
    *,
    chance: Mapping[str, float] | None = None,
    share: float = 0.5,
    early: float | None = None,
    level: float = 0.9,
    alpha: float = 0.05,
    seed: int = 0,
) -> Tracking:
    """x at which m(x) = s + share·(f − s), m the rising least-squares fit, s the score by guessing, f the final one.

    A task rises where (f − s)/σ is significant by Holm's correction over the tasks of a model. σ is the score's
    standard error, which all checkpoints share since their questions are the same, or else the scatter of neighboring
    checkpoints. Intervals of an onset come from 200 curves with that error added anew at every checkpoint.

    Parameters
    ----------
    curves :
        Scores by model, task and checkpoint.
    chance :
        Task → score by guessing; by default the mean of all models' first scores.
    share :
        Of the gain, at which a task's onset stands.
    early :
        The checkpoint from which final scores are foretold; by default half of the last.
    level :
        Of the intervals.
    alpha :
        Level of the tests of a rise.
    seed :
        Of the draws.

    Returns
    -------
    Tracking
        Onsets, their order over sizes, and forecasts.

    Raises
    ------
    IsoflopError
        A share or a level out of range, a task that is not there, or an early checkpoint at or beyond the end.
    DataError
        No checkpoint at or before the early one.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.validation.score_curves import score_curves
    >>> step = numpy.array([1, 10, 100, 1000, 10000.0])
    >>> table = {"run": ["a"] * 5, "step": step, "quiz": [0.25, 0.25, 0.3, 0.7, 0.71], "quiz_stderr": [0.01] * 5}
    >>> found = track(score_curves(isoflop.Runs.from_columns(table), tasks=["quiz"]), early=100)
    >>> 100 < found.onset("a", "quiz").x.value < 1000
    True
    """
    check_level(level)
    if not 0 < share < 1:
        raise IsoflopError(f"the onset stands at a share of the gain between 0 and 1, not {share:g}")
    for name in chance or {}:
        if name not in curves.tasks:
            raise IsoflopError(f"{name!r} is no task; there are {choices(curves.tasks, bare=True)}")
    x = curves.x
    end = _usual_end(curves)
    early = end / 2 if early is None else early
    if not early < end:
        raise IsoflopError(
            f"final scores are forecast from a checkpoint before the last of most models, {end:g}, not {early:g}; give "
            "an earlier one (--early)"
        )
    if not (x <= early).any():
        raise DataError(f"no checkpoint is at or before {early:g}; the first is {x[0]:g}")
    start = np.array([_chance(curves, place, name, chance or {}) for place, name in enumerate(curves.tasks)])
    rng = np.random.default_rng(seed)
    onsets: list[Onset] = []
    drawn: dict[tuple[str, str], Floats] = {}
    for m, model in enumerate(curves.models):
        own = [_rise(curves, m, t, start[t]) for t in range(len(curves.tasks))]
        adjusted = holm([p for _, _, _, p, _ in own])
        for t, (task, (y, place, sigma, _, final)) in enumerate(zip(curves.tasks, own, strict=True)):
            rises, found = bool(adjusted[t] <= alpha), Interval(math.nan, math.nan, math.nan, level)
            if rises:
                noise = sigma * rng.standard_normal((_DRAWS, len(y)))
                draws = np.exp(crossings(y + noise, place, start[t], share))
                found = interval_of(math.exp(crossings(y[None], place, start[t], share)[0]), draws, level=level)
                drawn[model, task] = draws
            onsets.append(Onset(model, task, found, float(start[t]), final, float(adjusted[t]), rises))
    agreements = _agreements(curves, {(e.model, e.task): e for e in onsets if e.rises}, drawn, level, rng)
    risen = {each.task for each in onsets if each.rises}
    before, after = early_and_final(curves, early, end)
    told = [foretold(curves, t, before, after, level) for t, name in enumerate(curves.tasks) if name in risen]
    known = tuple(each for each in told if each is not None)
    return Tracking(
        curves=curves,
        onsets=tuple(onsets),
        agreements=agreements,
        foretold=known,
        unfinished=unfinished(curves, risen, before, after, level),
        share=share,
        early=float(early),
        end=end,
        level=level,
        seed=seed,
        findings=_findings(curves, onsets, known),
    )


def _chance(curves: ScoreCurves, task: int, name: str, given: Mapping[str, float]) -> float:
    if name in given:
        return given[name]
    first = [row[np.isfinite(row)][0] for row in curves.scores[:, task] if np.isfinite(row).any()]
    return float(np.mean(first)) if first else math.nan


def _rise(curves: ScoreCurves, m: int, t: int, start: float) -> tuple[Floats, Floats, float, float, float]:
    """Scores, their places, σ, the p-value of no rise, and the final score."""
    score = curves.scores[m, t]
    there = np.isfinite(score)
    if there.sum() < 4 or not math.isfinite(start):
        return np.zeros(0), np.zeros(0), math.nan, math.nan, math.nan
    y = score[there]
    place = log_places(curves.x)[there]
    sigma = _sigma(curves, m, t, there)
    final = float(y[-_LAST:].mean())
    p = float(special.ndtr(-(final - start) / max(sigma, 1e-300)))
    return y, place, sigma, p, final


def log_places(x: Floats) -> Floats:
    """log x, with half of the smallest positive checkpoint in place of 0 and below."""
    positive = x[x > 0]
    least = positive[0] / 2 if len(positive) else 1.0
    return np.asarray(np.log(np.maximum(x, least)))


def _sigma(curves: ScoreCurves, m: int, t: int, there: NDArray[np.bool_]) -> float:
    """The standard error of a score, or the scatter of second differences of neighboring checkpoints, /√6."""
    if curves.errors is not None:
        known = curves.errors[m, t][there]
        if np.isfinite(known).any():
            return float(np.nanmedian(known))
    y = curves.scores[m, t][there]
    return float(1.4826 * np.median(np.abs(np.diff(y, 2))) / math.sqrt(6)) if len(y) > 3 else 0.0


def crossings(y: Floats, place: Floats, start: float, share: float) -> Floats:
    """log x at which the rising least-squares fit m of each curve first reaches c = start + share·(final − start).

    y: (curves, checkpoints). m reaches c at the first i that minimizes Σ_{k<i} (y_k − c); there m_i is the least mean
    of y_i … y_k over k, and m_{i−1} the largest mean of y_j … y_{i−1} over j.
    Source: Barlow et al. 1972, Statistical Inference under Order Restrictions (the greatest convex minorant).
    """
    count = y.shape[1]
    level = start + share * (y[:, -_LAST:].mean(axis=1) - start)
    sums = np.concatenate([np.zeros((len(y), 1)), np.cumsum(y - level[:, None], axis=1)], axis=1)
    first = sums.argmin(axis=1)
    found = np.empty(len(y))
    index = np.arange(count + 1)
    for row, at in enumerate(first):
        if at in (0, count):
            found[row] = place[0 if at == 0 else -1]
            continue
        high = ((sums[row, at + 1 :] - sums[row, at]) / (index[at + 1 :] - at)).min()
        low = ((sums[row, at] - sums[row, :at]) / (at - index[:at])).max()
        part = -low / (high - low) if high > low else 1.0
        found[row] = place[at - 1] + part * (place[at] - place[at - 1])
    return found


def _agreements(
    curves: ScoreCurves,
    onsets: Mapping[tuple[str, str], Onset],
    drawn: Mapping[tuple[str, str], Floats],
    level: float,
    rng: np.random.Generator,
) -> tuple[Agreement, ...]:
    """Each model against the largest: tasks are resampled, and with them their draws."""
    largest = curves.models[-1]
    found = []
    for model in curves.models[:-1]:
        shared = [task for task in curves.tasks if (model, task) in onsets and (largest, task) in onsets]
        if len(shared) < _FEWEST_SHARED:
            continue
        here = np.array([onsets[model, task].x.value for task in shared])
        there = np.array([onsets[largest, task].x.value for task in shared])
        draws = []
        for _ in range(_DRAWS):
            pick = rng.integers(len(shared), size=len(shared))
            which = rng.integers(_DRAWS)
            one = np.array([drawn[model, shared[k]][which] for k in pick])
            two = np.array([drawn[largest, shared[k]][which] for k in pick])
            draws.append(spearman(one, two))
        found.append(
            Agreement(model, largest, len(shared), interval_of(spearman(here, there), np.array(draws), level=level))
        )
    return tuple(found)


def _usual_end(curves: ScoreCurves) -> float:
    """The last checkpoint of most models; the latest of those that equally many have."""
    last = [int(np.flatnonzero(np.isfinite(each).any(axis=0))[-1]) for each in curves.scores if np.isfinite(each).any()]
    places, counts = np.unique(last, return_counts=True)
    return float(curves.x[places[counts == counts.max()][-1]])


def _findings(curves: ScoreCurves, onsets: Sequence[Onset], told: Sequence[Foretold]) -> tuple[Finding, ...]:
    found = []
    tested = [each for each in onsets if math.isfinite(each.p)]
    flat = sorted({each.task for each in tested} - {each.task for each in tested if each.rises})
    if flat:
        few = ", ".join(flat[:5]) + (" …" if len(flat) > 5 else "")
        found.append(
            Finding(
                "no-rise",
                "note",
                f"{len(flat)} of {len(curves.tasks)} tasks rise above their start in no model: {few}.",
                "Take more items, larger models, or likelihoods instead of accuracies.",
            )
        )
    if curves.errors is None:
        found.append(
            Finding(
                "no-score-errors",
                "note",
                "the table has no standard errors of scores, so that rises are tested against the scatter of "
                "neighboring checkpoints.",
                "Give standard errors (--error, or columns TASK_stderr).",
            )
        )
    worse = [each.task for each in told if each.error > each.baseline]
    if told and 2 * len(worse) > len(told):
        found.append(
            Finding(
                "early-scores-weak",
                "warning",
                f"for {len(worse)} of {len(told)} tasks the early score itself forecasts the final one better than "
                "the line through other models.",
                "Move the early checkpoint later (--early).",
            )
        )
    return tuple(found)
