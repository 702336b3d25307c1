"""How often the greedy search takes an answer out of its interval with so few runs where nothing but chance decides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.fit import Problem, fit_at, problem
from isoflop.fitting.objective.space import from_scale, slope
from isoflop.fitting.refit import refit
from isoflop.fitting.table import prepared_runs
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import interval_of
from isoflop.validation.answers import Answer
from isoflop.validation.removal import Effect, Refits, strongest_first

Floats = NDArray[np.float64]

CHANCE = 0.05
MOST_RUNS = 1_000  # beyond which the search is not simulated
_TABLES, _FEW_TABLES = 39, 19
_LARGE = 100  # runs from which fewer tables are simulated
_DRAWS = 200


def few_by_chance(
    ready: Problem, fit: Fit, answer: Answer, scales: Floats, *, count: int, level: float, unit: str, seed: int = 0
) -> tuple[int, int] | None:
    """In how many simulated tables ``count`` runs or fewer take the answer out of its interval, and of how many.

    A table has the fit's own curve and normal errors of log response, of standard deviations ``scales`` (rows,); it is
    fitted, drawn by ``unit`` and searched as the runs themselves were. The simulation ends as soon as the share cannot
    be as small as ``CHANCE`` any more. None for more than ``MOST_RUNS`` runs.
    """
    n_runs = ready.table.n_runs
    if n_runs > MOST_RUNS:
        return None
    tables = _TABLES if n_runs <= _LARGE else _FEW_TABLES
    allowed = int(CHANCE * (tables + 1)) - 1
    runs = prepared_runs(fit.law, fit.require_runs())
    curve = ready.target + _residual(ready, fit.theta)
    size = from_scale(curve, fit.objective.space)
    spread = scales * np.abs(size * slope(size, fit.objective.space))  # of log response, on the scale of the residuals
    hits = 0
    for table in range(tables):
        rng = np.random.default_rng([seed, 11, table])
        response = from_scale(curve + spread * rng.standard_normal(len(curve)), fit.objective.space)
        simulated = runs.with_column(fit.law.response, response)
        again = problem(fit.law, simulated, objective=fit.objective)
        scale = None if not fit.objective.fits_scale or fit.scale is None else np.array([np.log(fit.scale)])
        found = refit(again, fit.theta[None], scales=scale)
        if not np.isfinite(found.value[0]):
            continue
        own = fit_at(again, simulated, found, seed=seed)
        drawn = bootstrap(own, draws=_DRAWS, seed=table, restarted=0, resample_by=unit).draws
        value = interval_of(answer.value(own), answer.of(drawn), level=level)
        ask = Refits(again, own, None)
        every = np.arange(n_runs)
        effect = Effect(answer, value, np.empty(0), None, 0.0)
        paths = (strongest_first(ask, effect, every, side, count) for side in (-1, 1))
        hits += any(each.left_interval is not None for each in paths)
        if hits > allowed:
            return hits, table + 1
    return hits, tables


def _residual(ready: Problem, theta: Floats) -> Floats:
    """Fitted − measured of every row, on the scale of the residuals."""
    value = np.empty(ready.kernel.n_rows)
    width = ready.kernel.tile_rows(1)
    for start in range(0, len(value), width):
        stop = min(start + width, len(value))
        value[start:stop] = ready.kernel.value(theta[None], start, stop)[0]
    return value - ready.target
