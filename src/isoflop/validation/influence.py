"""``influence``: which runs carry the answer. Every run left out in turn, and the few whose removal moves it most."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError, IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Fit
from isoflop.fitting.fit import Problem, problem
from isoflop.runs import Runs
from isoflop.runs.checks.rows import without
from isoflop.shown import Shown
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import Interval, interval_of
from isoflop.units import format_quantity
from isoflop.validation.answers import Answer, Question, answer_at, question
from isoflop.validation.curvature import left_out_by_curvature, usual_counts
from isoflop.validation.greedy_chance import CHANCE, few_by_chance
from isoflop.validation.outliers import Outliers, outliers
from isoflop.validation.removal import (
    MOST_STEPS,
    Effect,
    Progress,
    Refits,
    Removal,
    farthest_first,
    strongest_first,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_EXACT = 2_000  # runs up to which every one is left out in turn; beyond, those with the largest curvature estimate
# in runs without outliers exact refits leave the interval after some 0.6 to 0.8 times as many runs as first order says
_FEWER = 0.7
_MATTERS = 0.1  # share of the interval's half-width by which outliers must move an answer to be a doubt


@dataclass(frozen=True)
class Influence(Shown):
    """Which runs carry the answers of a fit.

    labels: each run in words, (runs,); rows: its row numbers. effects: one an answer, N* first. removals: of the runs
    that decide ``decided``, the answer they were chosen for. usual, fewest: how many runs take it out of its interval
    by chance in this design, the median and the 5 % quantile of draws, to first order. chance: in how many simulated
    tables the search needed no more runs than here, and of how many; None where the first order was enough to see that
    so few are usual, or the table is too large.
    """

    fit: Fit
    asked: Question
    decided: str
    labels: tuple[str, ...] = field(repr=False)
    rows: tuple[tuple[int, ...], ...] = field(repr=False)
    effects: tuple[Effect, ...]
    removals: tuple[Removal, ...]
    usual: int
    fewest: int
    chance: tuple[int, int] | None
    outliers: Outliers = field(repr=False)
    findings: tuple[Finding, ...]

    def effect(self, name: str) -> Effect:
        """The effect on the answer of that name."""
        self.asked.find(name)
        return next(each for each in self.effects if each.answer.name == name)

    def strongest(self, name: str, *, count: int = 10) -> Ints:
        """Numbers of the runs that move an answer most when left out, the strongest first."""
        size = np.abs(self.effect(name).moves)
        size = np.where(np.isfinite(size), size, -np.inf)
        return np.argsort(-size, kind="stable")[: min(count, int(np.isfinite(size).sum()))]


def influence(
    fit: Fit,
    *,
    budget: float | None = None,
    at: Mapping[str, float] | None = None,
    decide: str | None = None,
    level: float = 0.9,
    draws: int = 400,
    seed: int = 0,
    resample_by: str | None = None,
    progress: Progress | None = None,
) -> Influence:
    """The answers of argmin Σ_j≠i ρ(r_j) for every run i, and greedy sets of runs whose removal moves one answer most.

    Each left-out fit is one row of a weight matrix with a zero; all are solved in batches from the fit's own optimum.
    Beside it the infinitesimal jack-knife, θ + H⁻¹ Σ_{j in i} ρ′(r_j)·∇r_j, with H the whole curvature.
    Removals go on until the answer has left its interval, or for three times as many runs as that takes by chance
    (:func:`isoflop.validation.curvature.usual_counts`). Where they leave it early, the whole search is simulated
    (:func:`isoflop.validation.greedy_chance.few_by_chance`), and few runs are said to decide only if that is rare.

    Parameters
    ----------
    fit :
        With its runs, two or more beyond the number of parameters.
    budget, at :
        Where the answers are evaluated; see :func:`isoflop.validation.answers.question`.
    decide :
        The answer that the removals are chosen for; N* where the law has one, else the forecast.
    level, draws, seed :
        Of the bootstrap intervals.
    resample_by :
        What the bootstrap draws together; see :func:`isoflop.bootstrap`.
    progress :
        Called with the number of refits done; there are at least ``refits(fit)``.

    Returns
    -------
    Influence
        The effect of every run on every answer, and the removals.

    Raises
    ------
    IsoflopError
        Fewer runs than parameters + 2, or a budget or point that ``question`` does not take.
    FitError
        The answer has no finite value at the fit, or without any one run.

    Examples
    --------
    >>> import isoflop
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), isoflop.datasets.load("python-bytes"))
    >>> found = isoflop.influence(fitted, budget=1e20, draws=40)
    >>> len(found.labels) == fitted.data.n_runs
    True

    Source: Broderick, Giordano & Meager 2020, arXiv:2011.14999 (few runs whose removal changes a conclusion).
    """
    runs = fit.require_runs()
    asked = question(fit, budget=budget, at=at)
    main = asked.find(decide) if decide else asked.main
    ready = problem(fit.law, runs, objective=fit.objective)
    n_runs = ready.table.n_runs
    if n_runs < len(fit.law.params) + 2:
        raise IsoflopError(
            f"{n_runs} {'run' if n_runs == 1 else 'runs'} cannot spare one for the {len(fit.law.params)} parameters of "
            f"{fit.law.name}; add runs, or fix parameters (--fix)"
        )
    ensemble = bootstrap(fit, draws=draws, seed=seed, restarted=0, resample_by=resample_by)
    ask = Refits(ready, fit, progress)
    near = left_out_by_curvature(ready, fit)
    chosen = _to_refit(ready, fit, near, main)
    theta = np.full((n_runs, len(fit.theta)), np.nan)
    theta[chosen] = ask.without(np.zeros(n_runs, dtype=np.bool_), chosen, fit.theta)
    effects = tuple(
        _effect(answer, fit, ready, theta, near, interval_of(answer.value(fit), answer.of(ensemble.draws), level=level))
        for answer in asked.answers
    )
    decided = next(each for each in effects if each.answer is main)
    if not np.isfinite(decided.moves).any():
        others = [each.name for each in asked.answers if each is not main]
        hint = f"choose another (--answer {others[0]!r}), or " if others else ""
        raise FitError(
            f"{main.name}, {main.meaning}, has no finite value at this fit of {fit.law.name} or without any one run, "
            f"so the effect of a run on it is unknown; {hint}fix or tie a parameter (--fix, --tie)"
        )
    usual, fewest = usual_counts(ready, fit, main, level=level, seed=seed)
    steps = min(MOST_STEPS, 3 * usual, n_runs - len(fit.law.params) - 1)
    down, up = (strongest_first(ask, decided, chosen, side, steps) for side in (-1, 1))
    seen = outliers(fit.law, runs, objective=None, seed=seed)
    removals = (down, up, farthest_first(ask, decided, seen))
    labels, rows = _name_runs(runs, ready.table.run_codes)
    whole = Influence(
        fit=fit,
        asked=asked,
        decided=main.name,
        labels=labels,
        rows=rows,
        effects=effects,
        removals=removals,
        usual=usual,
        fewest=fewest,
        chance=None,
        outliers=seen,
        findings=(),
    )
    few = _fewest_removal(whole)
    if few is not None:
        counted = few_by_chance(
            ready,
            fit,
            main,
            seen.scales,
            count=few.left_interval or 0,
            level=level,
            unit=ensemble.resampled_by,
            seed=seed,
        )
        whole = replace(whole, chance=counted)
    shared = [each for each in ensemble.findings if each.code == "errors-shared"]
    found = (*_findings(whole), *seen.findings, *shared)
    return replace(whole, findings=found)


def refits(fit: Fit) -> int:
    """How many refits ``influence`` makes at least, for a progress bar."""
    return min(_EXACT, fit.data.n_runs)


def _effect(answer: Answer, fit: Fit, ready: Problem, theta: Floats, near: Floats | None, value: Interval) -> Effect:
    left_out = answer_at(answer, fit, ready, theta)
    moves = answer.change(left_out, value.value)
    moves = moves[np.isfinite(moves)]
    count = len(moves)
    error = math.sqrt((count - 1) / count * float(((moves - moves.mean()) ** 2).sum())) if count > 1 else math.nan
    curvature = None if near is None else answer_at(answer, fit, ready, near)
    return Effect(answer, value, left_out, curvature, error)


def _to_refit(ready: Problem, fit: Fit, near: Floats | None, main: Answer) -> Ints:
    """Every run, or in a large table those that the curvature says move the answer most."""
    n_runs = ready.table.n_runs
    if n_runs <= _EXACT:
        return np.arange(n_runs)
    if near is None:
        return np.sort(np.random.default_rng(0).choice(n_runs, _EXACT, replace=False))
    size = np.abs(main.change(answer_at(main, fit, ready, near), main.value(fit)))
    return np.sort(np.argsort(-np.where(np.isfinite(size), size, -np.inf), kind="stable")[:_EXACT])


def _name_runs(runs: Runs, codes: Ints) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Each run in words (its row where it has but one), and its row numbers."""
    rows: list[list[int]] = [[] for _ in range(int(codes.max()) + 1)]
    for code, row in zip(codes.tolist(), runs.rows.tolist(), strict=True):
        rows[code].append(row)
    if "run" not in runs.frame.columns or len(rows) == len(runs):
        return tuple(f"row {each[0]}" for each in rows), tuple(map(tuple, rows))
    names = dict(zip(codes.tolist(), runs.text("run"), strict=True))
    return tuple(f"run {names[code]}" for code in range(len(rows))), tuple(map(tuple, rows))


def _findings(whole: Influence) -> list[Finding]:
    effect = whole.effect(whole.decided)
    return [*_few_decide(whole, effect), *_outliers_move(whole, effect), *_partly(effect)]


def _fewest_removal(whole: Influence) -> Removal | None:
    """The removal that leaves the interval with clearly fewer runs than 95 % of draws of the design, to first order."""
    quick = [each for each in whole.removals if each.how != "outliers" and each.left_interval is not None]
    quick = [each for each in quick if (each.left_interval or 0) < _FEWER * whole.fewest]
    return min(quick, key=lambda each: each.left_interval or 0) if quick else None


def _few_decide(whole: Influence, effect: Effect) -> list[Finding]:
    """Fewer runs take the answer out of its interval than the same search needs in 95 % of simulated tables."""
    path = _fewest_removal(whole)
    if path is None or (whole.chance is not None and whole.chance[0] + 1 > CHANCE * (whole.chance[1] + 1)):
        return []
    searched = (
        ""
        if whole.chance is None
        else f", and the same search of {whole.chance[1]} simulated tables took so few in {whole.chance[0]}"
    )
    count = path.left_interval or 0
    rows = [row for run in path.runs[:count] for row in whole.rows[run]]
    named = ", ".join(whole.labels[run] for run in path.runs[:count])
    shown = _show(effect.answer)
    return [
        Finding(
            "few-runs-decide",
            "warning",
            f"without {count} of {len(whole.labels)} runs ({named}) {effect.answer.name} goes from "
            f"{shown(effect.value.value)} to {shown(path.values[count - 1])}, out of its own {effect.value.level:.0%} "
            f"interval [{shown(effect.value.low)}, {shown(effect.value.high)}]; in this design "
            f"chance, to first order, takes about {whole.usual}, seldom under {whole.fewest}{searched}.",
            f"Look at these runs; without them: {without(rows)}.",
            tuple(sorted(rows)),
        )
    ]


def _outliers_move(whole: Influence, effect: Effect) -> list[Finding]:
    """What the answer is without the runs that lie off the surface."""
    path = next(each for each in whole.removals if each.how == "outliers")
    if not path.runs:
        return []
    change = abs(float(effect.answer.change(np.array([path.values[-1]]), effect.value.value)[0]))
    ends = effect.answer.change(np.array([effect.value.low, effect.value.high]), effect.value.value)
    if not change > _MATTERS * float(np.ptp(ends)) / 2:
        return []
    shown = _show(effect.answer)
    steps = ", ".join(
        f"{whole.labels[run]} {shown(value)}" for run, value in zip(path.runs[:8], path.values[:8], strict=True)
    )
    more = f" … {shown(path.values[-1])}" if len(path.runs) > 8 else ""
    rows = [row for run in path.runs for row in whole.rows[run]]
    return [
        Finding(
            "outliers-move",
            "warning",
            f"{effect.answer.name} is {shown(effect.value.value)} with all runs; leaving out those off the surface, "
            f"the farthest first, makes it: {steps}{more}.",
            f"Say which were left out and why; without them: {without(rows)}.",
            tuple(sorted(rows)),
        )
    ]


def _partly(effect: Effect) -> list[Finding]:
    missing = int((~np.isfinite(effect.without)).sum())
    if not missing:
        return []
    return [
        Finding(
            "left-out-partly",
            "note",
            f"{missing} of {len(effect.without)} runs have no answer with them left out: not refitted in a table of "
            f"more than {_EXACT:,} runs, or without an optimum.",
            "The curvature column covers the others.",
        )
    ]


def _show(answer: Answer) -> Callable[[float], str]:
    return format_quantity if answer.scale == "log" else lambda value: f"{value:.4g}"
