"""Trials of forecasts: a table cut at several sizes, fitted below each cut, and every run above it forecast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError
from isoflop.fitting import Objective, huber
from isoflop.fitting.fit import Problem, problem
from isoflop.fitting.solve import Solution
from isoflop.laws import Law
from isoflop.laws.lists import Lists
from isoflop.runs import Runs
from isoflop.uncertainty.discrepancy import discrepancy
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.uncertainty.mixture import Mixture
from isoflop.uncertainty.prior import Prior
from isoflop.uncertainty.quantiles import finite_quantiles
from isoflop.uncertainty.scatter import new_runs
from isoflop.units import training_flops
from isoflop.validation.score import log_density
from isoflop.validation.split import Window
from isoflop.validation.window_forecasts import DRAW_STEPS, optima, resampled, window_fit
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

FARTHEST = 1.7  # decades beyond the largest fitted run
NEAREST = 0.02
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
_FEWEST_RUNS = 8
_FEWEST_CURVES = 4  # where rows are checkpoints
_FEWEST_SIZES = 3
_MOST_CUTS = 12
_MOST_ROWS = 40  # held-out rows that are forecast in one trial
_APART = {"N": 0.1}  # decades between cuts, 0.24 for compute and tokens
_USUAL_APART = 0.24
_SAME = 6e-4


@dataclass(frozen=True)
class ForecastTable(Value):
    """A table with the law that suits it and the column by which its largest runs are held out.

    dataset: tables of one data set share a vote. by: C, N, D or another column; C is 6ND where the table lacks it.
    """

    dataset: str
    name: str
    runs: Runs
    law: Law
    by: str = "C"


@dataclass(frozen=True)
class Trial(Value):
    """One cut of one table: the runs above it, forecast from those below.

    cut: logarithm (base 10) of the largest fitted value. truth, reach: what was measured, and decades beyond the cut,
    (rows,). evidence: logarithm of the marginal likelihood of each hypothesis, (hypotheses,); counted: rows that it
    counts. mean, scale: of log response in each hypothesis, a new run's scatter included, (hypotheses, rows).
    law: quantiles of the response if the law holds at ``PROBABILITIES``, (5, rows); law_score: its log density;
    law_value: the law itself.
    """

    dataset: str
    table: str
    cut: float
    fitted_runs: int
    truth: Floats = field(repr=False)
    reach: Floats = field(repr=False)
    evidence: Floats = field(repr=False)
    counted: int = field(repr=False)
    mean: Floats = field(repr=False)
    scale: Floats = field(repr=False)
    law: Floats = field(repr=False)
    law_score: Floats = field(repr=False)
    law_value: Floats = field(repr=False)
    freedom: float = field(repr=False)

    def mixture(self, weights: Floats) -> Mixture:
        """The forecasts with these weights of the hypotheses, (hypotheses,)."""
        return Mixture(weights, self.mean, self.scale**2, None, np.zeros_like(self.mean), self.freedom)


def trials(
    table: ForecastTable,
    prior: Prior,
    *,
    objective: Objective | None = None,
    draws: int = 300,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> tuple[Trial, ...]:
    """Every cut of a table; nothing where it has too few sizes or runs for one.

    prior: its hypotheses are each conditioned on the fitted runs; their weights do not matter here.
    Raises DataError for a missing column, FitError for a law that does not fit the table.
    """
    objective = huber() if objective is None else objective
    at = compute_level(table.runs, table.by)
    cut = cuts(table.runs, at, table.by, fewest=len(table.law.params) + 3)
    if not cut:
        return ()
    ready = problem(table.law, table.runs, objective=objective)
    windows = [
        Window(says=f"{table.by} > {10**each:.3g}", by=table.by, from_value=10**each, train=kept, held=~kept)
        for each, kept in ((each, at <= each + _SAME) for each in cut)
    ]
    best = optima(ready, np.array([window.train for window in windows], dtype=np.float64), seed)
    found = []
    for number, (each, window) in enumerate(zip(cut, windows, strict=True)):
        ensemble = _ensemble(ready, table.runs, window, best.one(number), draws, seed)
        held = _forecast_rows(at - each)
        if len(held):
            found.append(_trial(table, ready, ensemble, held, each, (at - each)[held], prior))
        if progress is not None:
            progress(1)
    return tuple(found)


def compute_level(runs: Runs, by: str) -> Floats:
    """log10 of the column, of each run's largest row where rows are checkpoints, (rows,).

    Raises DataError for a column that is missing, or has values that are not positive.
    """
    if by == "C" and "C" not in runs and {"N", "D"} <= set(runs.frame.columns):
        values = training_flops(runs["N"], runs["D"])
    elif by in runs:
        values = runs[by]
    else:
        raise DataError(f"no column gives {by}" + (", and N and D, which would, are not both there" * (by == "C")))
    if not (np.isfinite(values) & (values > 0)).all():
        raise DataError(f'{by} has missing or non-positive values; drop them with --where "{by} > 0"')
    codes = runs.run_codes()
    largest = np.zeros(int(codes.max()) + 1)
    np.maximum.at(largest, codes, values)
    return np.log10(largest)[codes]


def cuts(runs: Runs, level: Floats, by: str, *, fewest: int) -> list[float]:
    """Where a table is cut, from the top: levels a quarter of a decade apart that leave enough to fit."""
    levels = np.unique(np.round(level, 3))
    top, codes = float(levels.max()), runs.run_codes()
    curves = int(codes.max()) + 1 < len(codes)
    apart = _APART.get(by, _USUAL_APART)
    found: list[float] = []
    last = np.inf
    for each in levels[::-1]:
        if each > top - 0.09 or last - each < apart:
            continue
        kept = level <= each + _SAME
        count = len(np.unique(codes[kept]))
        enough = count >= (_FEWEST_CURVES if curves else _FEWEST_RUNS)
        if not enough or kept.sum() < max(fewest, _FEWEST_RUNS) or (levels <= each).sum() < _FEWEST_SIZES:
            break
        found.append(float(each))
        last = float(each)
        if len(found) == _MOST_CUTS:
            break
    return found


def _forecast_rows(reach: Floats) -> Ints:
    rows = np.flatnonzero((reach > NEAREST) & (reach <= FARTHEST))
    if len(rows) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False))
    return rows


def _ensemble(ready: Problem, runs: Runs, window: Window, best: Solution, draws: int, seed: int) -> Ensemble:
    """The fit to a window's smaller runs and its draws, as ``fit`` and ``bootstrap`` would give them."""
    fitted = window_fit(ready, runs.take(window.train), window, best, seed=seed)
    drawn = ready.solve(
        np.repeat(best.theta, draws, axis=0),
        weights=resampled(runs, window, draws, seed),
        scales=np.repeat(best.scale, draws) if ready.objective.fits_scale else None,
        max_steps=DRAW_STEPS,
    )
    good = np.isfinite(drawn.value)
    return Ensemble(fitted, ready.params(drawn.theta[good]), method="bootstrap over runs", seed=seed)


def _trial(
    table: ForecastTable, ready: Problem, ensemble: Ensemble, held: Ints, cut: float, reach: Floats, prior: Prior
) -> Trial:
    points: Mapping[str, Floats | Lists] = {name: values[held] for name, values in ready.table.inputs.items()}
    known = discrepancy(ensemble.fit, prior=prior)
    mixture = known.at(points, joint=False)
    truth = ready.table.loss[held]
    with np.errstate(all="ignore"):
        params = {name: draws[:, None] for name, draws in ensemble.draws.items()}
        curve = np.broadcast_to(ready.law.value(params, points), (len(ensemble), len(held)))
        runs = new_runs(ensemble, curve, at=points)
        law = finite_quantiles(runs, PROBABILITIES)
        value = np.broadcast_to(ensemble.fit.predict(points), (len(held),)).copy()
    return Trial(
        dataset=table.dataset,
        table=table.name,
        cut=cut,
        fitted_runs=ensemble.fit.data.n_runs,
        truth=truth,
        reach=reach,
        evidence=known.evidence.ravel(),
        counted=known.counted,
        mean=mixture.mean,
        scale=mixture.scale(),
        law=law,
        law_score=log_density(runs, truth),
        law_value=value,
        freedom=prior.freedom,
    )


def all_trials(
    tables: Sequence[ForecastTable],
    prior: Prior,
    *,
    objective: Objective | None = None,
    draws: int = 300,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> tuple[tuple[Trial, ...], Mapping[str, str]]:
    """The trials of every table, and why others have none. progress: called with 1 for each table."""
    found: list[Trial] = []
    without: dict[str, str] = {}
    for table in tables:
        name = f"{table.dataset}/{table.name}" if table.name != table.dataset else table.name
        try:
            own = trials(table, prior, objective=objective, draws=draws, seed=seed)
        except IsoflopError as error:
            without[name] = str(error)
        else:
            found += own
            if not own:
                without[name] = "too few runs or sizes below any cut"
        if progress is not None:
            progress(1)
    return tuple(found), without


def votes(found: Sequence[Trial]) -> Floats:
    """The weight of every row: each data set one, shared by its tables, these by their cuts, these by their rows."""
    tables: dict[str, set[str]] = {}
    cuts: dict[tuple[str, str], int] = {}
    for each in found:
        tables.setdefault(each.dataset, set()).add(each.table)
        cuts[each.dataset, each.table] = cuts.get((each.dataset, each.table), 0) + 1
    return np.concatenate(
        [
            np.full(len(each.truth), 1 / len(tables[each.dataset]) / cuts[each.dataset, each.table] / len(each.truth))
            for each in found
        ]
    )
