"""Forecasts of one hold-out's rows: the fit to the smaller runs, its draws, and both intervals of each larger run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.findings import Finding
from isoflop.fitting import Fit, Objective
from isoflop.fitting.doubts import parameter_findings
from isoflop.fitting.fit import Problem, fit_at, problem, problem_from_table
from isoflop.fitting.objective.space import from_scale, moved, slope, to_scale
from isoflop.fitting.solve import Solution
from isoflop.fitting.table import Table
from isoflop.laws import Law
from isoflop.laws.lists import Lists
from isoflop.runs import Runs
from isoflop.uncertainty.bootstrap import strata
from isoflop.uncertainty.discrepancy import discrepancy
from isoflop.uncertainty.prior import Prior
from isoflop.uncertainty.quantiles import finite_quantiles
from isoflop.uncertainty.resampling_unit import unit_by
from isoflop.uncertainty.scatter import RunScatter, run_scatter
from isoflop.uncertainty.unit_weights import unit_weights
from isoflop.validation.score import log_density
from isoflop.validation.split import Window
from isoflop.values import Value

Floats = NDArray[np.float64]

_STARTS = 32
_SEARCH_STEPS = 60
_LAST_STEPS = 3_000
DRAW_STEPS = 100  # those that still creep along a valley by then hardly move the curve


@dataclass(frozen=True)
class Fitted(Value):
    """One window's optimum (one problem), and the law's forecasts there, (held rows,)."""

    best: Solution
    value: Floats
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Judged(Value):
    """One window's forecasts with model error, (held rows,) each, and how the fitted runs scatter around the law."""

    low: Floats
    high: Floats
    log_score: Floats
    scatter: RunScatter


@dataclass(frozen=True)
class Drawn(Value):
    """What one window's draws forecast if the law holds, (held rows,) each, and their curves (draws, held rows)."""

    law_low: Floats
    law_high: Floats
    law_log_score: Floats
    curve: Floats


def fitted(law: Law, runs: Runs, windows: Sequence[Window], objective: Objective, seed: int) -> list[Fitted]:
    """The windows of one table: optima by a search from many starts, as weight rows."""
    ready = problem(law, runs, objective=objective)
    best = optima(ready, np.array([window.train for window in windows], dtype=np.float64), seed)
    return [_fitted(ready, window, best.one(each)) for each, window in enumerate(windows)]


def judged(
    law: Law,
    runs: Runs,
    windows: Sequence[Window],
    found: Sequence[Fitted],
    trained: Sequence[Runs],
    objective: Objective,
    level: float,
    seed: int,
    *,
    prior: Prior | None = None,
) -> list[Judged]:
    """What the residuals of each window's fit leave open for the rows that it holds out; trained: its fitted runs."""
    ready = problem(law, runs, objective=objective)
    answers = []
    for window, each, own in zip(windows, found, trained, strict=True):
        fit = window_fit(ready, own, window, each.best, seed=seed)
        ends = _with_model_error(fit, _there(ready, window), ready.table.loss[window.held], level, prior)
        answers.append(Judged(*ends, run_scatter(fit)))
    return answers


def drawn(
    law: Law,
    runs: Runs,
    windows: Sequence[Window],
    found: Sequence[Fitted],
    scatters: Sequence[RunScatter],
    weights: Sequence[Floats],
    objective: Objective,
    level: float,
    seed: int,
) -> list[Drawn]:
    """The draws of every window, begun at its optimum; weights: each window's, (draws, rows); see :func:`resampled`."""
    ready = problem(law, runs, objective=objective)
    counts = [len(each) for each in weights]
    ended = ready.solve(
        np.repeat(np.concatenate([each.best.theta for each in found]), counts, axis=0),
        weights=np.concatenate(weights),
        scales=np.repeat([each.best.scale[0] for each in found], counts) if objective.fits_scale else None,
        max_steps=DRAW_STEPS,
    )
    params = np.where(np.isfinite(ended.value)[:, None], ready.params(ended.theta), np.nan)
    pieces = np.split(params, np.cumsum(counts)[:-1])
    return [
        _drawn(ready, window, scatter, piece, level, seed)
        for window, scatter, piece in zip(windows, scatters, pieces, strict=True)
    ]


def _creeping(law: Law, window: Window) -> Finding:
    return Finding(
        "not-converged",
        "warning",
        f"{law.name} without {window.says}: the fit had not converged after {_LAST_STEPS} steps (the objective is "
        "nearly flat), so its forecast depends on where it was stopped.",
        "Do not forecast with it on these runs; fix or tie a parameter.",
    )


def optima(ready: Problem, train: Floats, seed: int) -> Solution:
    """The best optimum of each row of weights (windows, rows)."""
    begin = ready.starts(count=_STARTS, seed=seed)
    if not len(begin):
        raise FitError(f"{ready.law.name} has no finite value at any of the starts tried; check the units of the runs")
    count = len(train)
    found = ready.solve(
        np.tile(begin, (count, 1)), weights=np.repeat(train, len(begin), axis=0), max_steps=_SEARCH_STEPS
    )
    values = np.where(np.isfinite(found.value), found.value, np.inf).reshape(count, len(begin))
    best = values.argmin(axis=1) + np.arange(count) * len(begin)
    if np.isinf(values.min(axis=1)).any():
        raise FitError(f"the fit of {ready.law.name} did not converge without the held-out runs; try another law")
    return ready.solve(
        found.theta[best],
        weights=train,
        scales=found.scale[best] if ready.objective.fits_scale else None,
        tolerance=1e-12,
        max_steps=_LAST_STEPS,
    )


def resampled(runs: Runs, window: Window, draws: int, seed: int, *, by: str | None = None) -> Floats:
    """How much each row counts in each draw, (draws, rows): the fitted runs weighed as the bootstrap does, no other.

    by: a column whose equal values are weighed together. The law does not matter, so that draws of two laws pair.
    """
    codes = runs.run_codes()
    whole = strata(runs, codes)
    if by is not None:
        unit = unit_by(runs, codes, by)
        codes = unit.codes[codes]
        whole = whole if not unit.grouped else (np.arange(unit.count),)
    fitted = np.unique(codes[window.train])
    strata_left = [np.intersect1d(group, fitted) for group in whole]
    drawn = unit_weights(np.random.default_rng([seed, 3]), strata_left, int(codes.max()) + 1, draws)
    return drawn[:, codes] * window.train


def window_fit(ready: Problem, trained: Runs, window: Window, best: Solution, *, seed: int = 0) -> Fit:
    """The fit to a window's smaller runs, ``trained``, at its optimum, in the coordinates of the whole table."""
    kept = np.flatnonzero(window.train)
    _, codes = np.unique(ready.table.run_codes[kept], return_inverse=True)
    table = Table(
        {name: values[kept] for name, values in ready.table.inputs.items()},
        ready.table.loss[kept],
        codes,
        None if ready.table.weights is None else ready.table.weights[kept],
    )
    few = problem_from_table(ready.law, table, objective=ready.objective, centers=ready.kernel.centers)
    return fit_at(few, trained, best, seed=seed)


def _fitted(ready: Problem, window: Window, best: Solution) -> Fitted:
    """What one window's optimum says of its held-out rows."""
    law = ready.law
    truth = ready.table.loss[window.held]
    params = dict(zip(law.param_names, (float(each) for each in ready.params(best.theta)[0]), strict=True))
    idle = [each for each in parameter_findings(law, ready.kernel, best.theta) if each.code == "at-bound"]
    return Fitted(
        best=best,
        value=np.broadcast_to(law.value(params, _there(ready, window)), truth.shape).astype(np.float64),
        findings=(
            *(() if best.converged[0] else (_creeping(law, window),)),
            *(replace(each, message=f"{law.name} without {window.says}: {each.message}") for each in idle),
        ),
    )


def _there(ready: Problem, window: Window) -> dict[str, Floats | Lists]:
    """The inputs of the rows that a window holds out."""
    return {name: values[window.held] for name, values in ready.table.inputs.items()}


def _drawn(ready: Problem, window: Window, scatter: RunScatter, params: Floats, level: float, seed: int) -> Drawn:
    """What the draws of a window's parameters (draws, parameters) say of its held-out rows."""
    there = _there(ready, window)
    with np.errstate(all="ignore"):
        curve = _curve(ready.law, params, there)
    around = scatter.draw(len(curve), curve.shape[1], np.random.default_rng([seed, 2])) * scatter.share(there)
    predicted = moved(curve, around, ready.objective.space)
    ends = finite_quantiles(predicted, _ends(level))
    return Drawn(ends[0], ends[1], log_density(predicted, ready.table.loss[window.held]), curve)


def _with_model_error(
    fitted: Fit, there: Mapping[str, Floats | Lists], truth: Floats, level: float, prior: Prior | None
) -> tuple[Floats, Floats, Floats]:
    """Ends of a new run's interval, and log density at what was measured in units of relative loss, (held rows,)."""
    space = fitted.data.space
    known = discrepancy(fitted, prior=prior).at(there, joint=False)
    low, high = (known.quantile(end) for end in _ends(level))
    with np.errstate(all="ignore"):
        # a density per unit of the scale, times d(scale)/d(log response)
        density = known.log_density(to_scale(truth, space)) + np.log(np.abs(truth) * slope(truth, space))
        return from_scale(low, space), from_scale(high, space), density


def _curve(law: Law, drawn: Floats, inputs: Mapping[str, Floats | Lists]) -> Floats:
    """The law's response in every draw at every held-out row, (draws, held rows)."""
    params = {name: drawn[:, column, None] for column, name in enumerate(law.param_names)}
    return np.broadcast_to(law.value(params, inputs), (len(drawn), len(next(iter(inputs.values()))))).copy()


def _ends(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2
