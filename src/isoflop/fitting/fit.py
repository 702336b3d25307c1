"""``fit``: the global optimum of an objective over a law's parameters, found from many starts at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.findings import Finding
from isoflop.fitting.coordinates import Coordinates, coordinates
from isoflop.fitting.doubts import search_findings
from isoflop.fitting.estimate import summary
from isoflop.fitting.fit_findings import fit_findings
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.native import engine_of
from isoflop.fitting.objective import Objective, huber
from isoflop.fitting.outer import Optimum, settle
from isoflop.fitting.result import Fit, Search
from isoflop.fitting.solve import Solution, polish, solve
from isoflop.fitting.starts import find_starts
from isoflop.fitting.table import Table, fit_table
from isoflop.laws import Law
from isoflop.runs import Runs

Floats = NDArray[np.float64]

SAME = 1e-6  # two optima whose objectives differ by less, relatively, are one
SEARCH_ROWS = 4_096  # a larger table is searched on a sample; the best of its optima are then fitted on all rows
_SETTLING_ROWS = 65_536  # first on as many, where optima of the sample that are one come together
_REACH = 0.1  # relative distance of an optimum on so many rows beyond which another is the best on all
_FINISHERS = 4
_ENOUGH = 12  # starts that must agree before the others are spared
_LAST_STEPS = 3_000  # for the best alone: a flat, curved valley can take so many
_SEARCH_STEPS = 60  # a start that is still wandering after so many is not the one; the best is finished without limit


@dataclass(frozen=True)
class Problem:
    """A law on a table, ready to be solved for any weights: what fits, bootstraps and profiles share."""

    law: Law
    table: Table
    objective: Objective
    coords: Coordinates
    kernel: Kernel
    target: Floats

    def solve(
        self,
        starts: Floats,
        *,
        weights: Floats | None = None,
        target: Floats | None = None,
        scales: Floats | None = None,
        tolerance: float = 1e-9,
        max_steps: int = 300,
        near: bool = False,
    ) -> Solution:
        """Minimize from every start; see :func:`isoflop.fitting.solve.solve`. The table's own weights multiply."""
        own = self.table.weights
        if own is not None:
            weights = np.repeat(own[None], len(starts), axis=0) if weights is None else weights * own
        return solve(
            self.kernel,
            self.target if target is None else target,
            starts,
            self.objective,
            weights=weights,
            scales=scales,
            tolerance=tolerance,
            max_steps=max_steps,
            near=near,
        )

    def starts(self, *, count: int, seed: int, loss: Floats | None = None) -> Floats:
        """Starts for a global search, (count, coordinates)."""
        return find_starts(
            self.coords,
            self.table if loss is None else replace(self.table, loss=loss),
            centers=self.kernel.centers,
            count=count,
            seed=seed,
        )

    def params(self, theta: Floats) -> Floats:
        """Parameters in the user's units, (problems, params)."""
        return self.coords.to_params(theta, self.kernel.centers)


def problem(law: Law, runs: Runs, *, objective: Objective, hold: tuple[str, ...] = ()) -> Problem:
    """Check the runs against the law and lay out the arrays."""
    table = fit_table(law, runs, space=objective.space)
    return problem_from_table(law, table, objective=objective, hold=hold)


def problem_from_table(
    law: Law,
    table: Table,
    *,
    objective: Objective,
    hold: tuple[str, ...] = (),
    centers: Mapping[str, float] | None = None,
) -> Problem:
    """Lay out the arrays of a law on a checked table; centers: those of another table, for its coordinates."""
    coords = coordinates(law, hold=hold)
    kernel = Kernel(coords, table.inputs, space=objective.space, centers=centers)
    return Problem(law, table, objective, coords, kernel, objective.target(table.loss))


def fit(law: Law, runs: Runs, *, objective: Objective | None = None, starts: int = 64, seed: int = 0) -> Fit:
    """argmin over parameters of Σ_i ρ(residual_i), from up to ``starts`` starts, solved together.

    A third of the starts is enough where three quarters of them end at the same, best optimum; otherwise all are used.

    Parameters
    ----------
    law :
        Its inputs are columns of ``runs``, or prepared from them, within their domains; constants that prepared columns
        depend on are searched around the fit (:mod:`isoflop.fitting.outer`).
    runs :
        The table, a row each run or checkpoint.
    objective :
        ρ and the space of the residuals: :func:`isoflop.huber`, :func:`isoflop.squares`, :func:`isoflop.student_t` or
        :func:`isoflop.absolute`. Huber with δ = 1e-3 on log loss by default.
    starts, seed :
        Of the search.

    Returns
    -------
    Fit
        With parameters in the units of the runs, and findings.

    Raises
    ------
    DataError
        A column is missing, or holds values outside its domain.
    FitError
        Fewer runs than parameters, or no start with a finite objective.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> sorted(fitted.params)
    ['A', 'B', 'E', 'alpha', 'beta']
    >>> len(fitted.residuals) == len(runs)
    True
    """
    return fit_from(law, runs, huber() if objective is None else objective, starts, seed, begin=None, thorough=True)


def fit_from(
    law: Law, runs: Runs, objective: Objective, starts: int, seed: int, *, begin: Floats | None, thorough: bool
) -> Fit:
    """The fit from starts of one's own, ``begin`` (some, coordinates) or None, and then from those of the search.

    Without ``thorough`` starts that wander are left alone: what the findings say of other optima is then not certain.
    """
    found = _located(law, runs, objective, starts, seed, begin=begin, thorough=thorough)
    fitted, agreement = found.fit, found.agreement
    told = search_findings(fitted.search, exact=agreement.exact, gap=agreement.gap, converged=found.converged)
    findings = fit_findings(found.ready, runs, fitted, found.residual, search=told, settled=found.settled)
    return replace(fitted, findings=findings)


def fit_alone(law: Law, runs: Runs, *, objective: Objective | None = None, starts: int = 64, seed: int = 0) -> Fit:
    """As :func:`fit`, without findings: of fits that are compared with others, and whose findings nobody reads."""
    return _located(law, runs, huber() if objective is None else objective, starts, seed).fit


@dataclass(frozen=True)
class _Located:
    """A fit without findings, and what they are made of."""

    fit: Fit
    residual: Floats
    ready: Problem
    agreement: _Agreement
    converged: bool
    settled: tuple[Finding, ...]


def _located(
    law: Law,
    runs: Runs,
    objective: Objective,
    starts: int,
    seed: int,
    *,
    begin: Floats | None = None,
    thorough: bool = True,
) -> _Located:
    open_constants = law.searched
    law, settled = settled_law(law, runs, objective, starts, seed)
    ready = problem(law, runs, objective=objective)
    best, agreement = best_optimum(ready, starts, seed, begin=begin, thorough=thorough)
    search = Search(
        agreement.tried,
        agreement.reached,
        seed,
        constants=tuple(each.name for each in open_constants if each.name in law.fixed),
        engine=engine_of(objective),
    )
    return _Located(*_fitted(ready, runs, best, search), ready, agreement, bool(best.converged[0]), settled)


def fit_at(ready: Problem, runs: Runs, optimum: Solution, *, seed: int = 0) -> Fit:
    """The fit at an optimum that was found otherwise, as a window of a hold-out is: without findings.

    ready, runs: the rows of the fit, centered as the optimum was (one problem).
    """
    search = Search(1, 1, seed, engine=engine_of(ready.objective))
    return _fitted(ready, runs, optimum, search)[0]


def _fitted(ready: Problem, runs: Runs, best: Solution, search: Search) -> tuple[Fit, Floats]:
    """A fit without findings, and the residuals of all rows."""
    law = ready.law
    residual = _residuals(ready, best.theta)
    return Fit(
        law=law,
        objective=ready.objective,
        params=dict(zip(law.param_names, (float(each) for each in ready.params(best.theta)[0]), strict=True)),
        value=float(best.value[0]),
        scale=ready.objective.sigma(float(best.scale[0]), float(np.mean(residual**2))),
        theta=best.theta[0],
        centers=ready.kernel.centers,
        data=summary(law, ready.table, runs, residual, space=ready.objective.space),
        search=search,
        runs=runs,
    ), residual


def settled_law(law: Law, runs: Runs, objective: Objective, starts: int, seed: int) -> tuple[Law, tuple[Finding, ...]]:
    """The law with the constants of its prepared columns found, and what to know of them."""
    return settle(law, _outer_optimum(runs, objective, starts, seed), present=runs.headers)


def _outer_optimum(runs: Runs, objective: Objective, starts: int, seed: int) -> Optimum:
    """The fit of everything else, for the search of a constant that prepared columns depend on."""

    def optimum(law: Law, begin: Floats | None) -> tuple[float, Floats]:
        ready = problem(law, runs, objective=objective)
        if begin is None:
            found, _ = best_optimum(ready, starts, seed)
        else:
            found = ready.solve(ready.coords.from_params(begin[None], ready.kernel.centers), max_steps=_LAST_STEPS)
        return float(found.value[0]), ready.params(found.theta)[0]

    return optimum


@dataclass(frozen=True)
class _Agreement:
    """How the starts ended: how many at the best optimum, of how many; the relative distance of the next optimum.

    exact: the best misses the runs by no more than rounding, so that no other could be better.
    """

    reached: int
    tried: int
    gap: float
    exact: bool = False


def best_optimum(
    ready: Problem, starts: int, seed: int, *, begin: Floats | None = None, thorough: bool = True
) -> tuple[Solution, _Agreement]:
    """The best optimum (one problem), and how the starts agreed on it, for certain where ``thorough``."""
    search = ready.starts(count=starts, seed=seed)
    begin = search if begin is None else np.concatenate([begin, search])
    if not len(begin):
        raise FitError(
            f"{ready.law.name} has no finite value at any of the starts tried; check the formula and the units of the "
            "runs, or narrow the parameters' domains"
        )
    if len(ready.target) > SEARCH_ROWS:
        sample, _ = sampled(ready, seed=seed)
        searched = _first_third_or_all(sample, begin)
        agreement = _agreement(sample, searched, float(np.nanmin(searched.value)))
        if len(ready.target) > 2 * _SETTLING_ROWS:
            larger, _ = sampled(ready, seed=seed, count=_SETTLING_ROWS)
            searched = _in_reach(larger, larger.solve(_distinct(searched)))
        found = ready.solve(_distinct(searched), near=True)
    else:
        found = _first_third_or_all(ready, begin)
        agreement = None
    values = np.where(np.isfinite(found.value), found.value, np.inf)
    if np.isinf(values).all():
        raise FitError(
            f"the fit of {ready.law.name} did not converge from any of {len(begin)} starts; check the formula and the "
            "units of the runs, or fix a parameter (--fix)"
        )
    first = int(np.argmin(values))
    best = ready.solve(
        found.theta[first : first + 1], scales=found.scale[first : first + 1], tolerance=1e-13, max_steps=_LAST_STEPS
    )
    best = polish(ready.kernel, ready.target, best, ready.objective, weights=ready.table.weights)
    agreement = agreement or _agreement(ready, found, float(best.value[0]))
    if thorough and agreement.reached < max(2, agreement.tried // 10):
        agreement = _agreement(ready, _finished(ready, found), float(best.value[0]))
    return best, agreement


def _finished(ready: Problem, found: Solution) -> Solution:
    """The search with its most promising wanderers brought to rest, so that what is said of them is true."""
    order = np.argsort(np.where(np.isfinite(found.value) & ~found.converged, found.value, np.inf), kind="stable")
    wanderers = order[: min(_FINISHERS * 2, int((~found.converged).sum()))]
    if not len(wanderers):
        return found
    ended = ready.solve(found.theta[wanderers], scales=found.scale[wanderers], tolerance=1e-12, max_steps=_LAST_STEPS)
    fields = {each: getattr(found, each).copy() for each in Solution.__dataclass_fields__}
    for each, values in fields.items():
        values[wanderers] = getattr(ended, each)
    return Solution(**fields)


def _first_third_or_all(ready: Problem, begin: Floats) -> Solution:
    """Optima from a first third of the starts where they agree, else from all."""
    few = -(-len(begin) // 3)
    found = ready.solve(begin[:few], max_steps=_SEARCH_STEPS)
    agreement = _agreement(ready, found, float(np.nanmin(found.value, initial=np.inf)))
    if few == len(begin) or (few >= _ENOUGH and agreement.reached >= 0.75 * few):
        return found
    rest = ready.solve(begin[few:], max_steps=_SEARCH_STEPS)
    fields = Solution.__dataclass_fields__
    return Solution(*(np.concatenate([getattr(found, each), getattr(rest, each)]) for each in fields))


def _agreement(ready: Problem, found: Solution, best: float) -> _Agreement:
    """Count the optima that are the best one: within ``SAME``, or both as good as exact."""
    rows = len(ready.target)
    floor = ready.objective.rounding(rows)
    size = max(float(ready.objective.magnitude(best, rows)), 1e-300)
    with np.errstate(all="ignore"):
        gaps = (found.value - best) / size
        same = (gaps <= SAME) | (found.value <= floor)
    others = gaps[~same & np.isfinite(gaps) & found.converged]
    # the best was polished further than the starts were: the one that it came from ended there too
    reached, next_best = max(1, int(same.sum())), float(others.min()) if len(others) else math.inf
    return _Agreement(reached, len(same), next_best, exact=best <= floor)


def sampled(ready: Problem, *, seed: int, count: int = SEARCH_ROWS) -> tuple[Problem, NDArray[np.int64]]:
    """The problem on a random sample of its rows, and which they are."""
    rows = np.sort(np.random.default_rng([seed, 1]).choice(len(ready.target), count, replace=False))
    few = ready.table.take(rows)
    kernel = Kernel(ready.coords, few.inputs, space=ready.objective.space, centers=ready.kernel.centers)
    return replace(ready, table=few, kernel=kernel, target=ready.target[rows]), rows


def _in_reach(sample: Problem, found: Solution) -> Solution:
    """The optima of a large sample that may be the best of all rows: the others miss it by far more than by chance."""
    size = sample.objective.magnitude(float(np.nanmin(found.value)), len(sample.target))
    near = np.flatnonzero(found.value - np.nanmin(found.value) <= _REACH * size)
    return Solution(*(getattr(found, each)[near] for each in Solution.__dataclass_fields__))


def _distinct(found: Solution) -> Floats:
    """The best few optima that differ in their objective, as starts."""
    order = np.argsort(np.where(np.isfinite(found.value), found.value, np.inf), kind="stable")
    chosen = [int(order[0])]
    for each in order[1:]:
        apart = all(abs(found.value[each] / found.value[other] - 1) > SAME for other in chosen)
        if apart and np.isfinite(found.value[each]) and len(chosen) < _FINISHERS:
            chosen.append(int(each))
    return found.theta[chosen]


def _residuals(ready: Problem, theta: Floats) -> Floats:
    value = np.empty(ready.kernel.n_rows)
    width = ready.kernel.tile_rows(1)
    for start in range(0, len(value), width):
        stop = min(start + width, len(value))
        value[start:stop] = ready.kernel.value(theta, start, stop)[0]
    return value - ready.target
