"""The bootstrap: refit the law to resampled runs, all refits in batches, from the fit's own optimum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Fit
from isoflop.fitting.doubts import is_noiseless
from isoflop.fitting.fit import SAME, SEARCH_ROWS, Problem, problem, sampled
from isoflop.fitting.native import engine_of
from isoflop.fitting.objective.base import Resampling
from isoflop.fitting.refit import refit
from isoflop.fitting.solve import Solution
from isoflop.processes import side_by_side
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.uncertainty.resampling_unit import Unit, resampling_unit
from isoflop.uncertainty.unit_weights import unit_weights
from isoflop.uncertainty.wild import MOST_UNITS, Changes, Wild, wild_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 250  # draws with one seed, solved together: the unit of work for other processes
FEWEST_RUNS = 3
_ADD_RUNS = f"add runs: {FEWEST_RUNS} at the least, 10 for usable intervals"
_RESTARTED = 16
_STARTS = 24
_SEARCH_STEPS = 60
_SMALL_STRATUM = 3


def bootstrap(
    fit: Fit,
    *,
    draws: int = 1_000,
    seed: int = 0,
    jobs: int = 1,
    restarted: int = _RESTARTED,
    resample_by: str | None = None,
    resampling: Resampling | None = None,
    progress: Callable[[int], None] | None = None,
) -> Ensemble:
    """Draws of argmin Σ_i w_i ρ(r_i) with w random weights of runs (:mod:`isoflop.uncertainty.unit_weights`).

    Runs are weighed, not rows: checkpoints of one run have one weight, and so have runs of one group where errors are
    shared (``resample_by``). Where the table has seeds, each seed's runs weigh as much together in every draw. Every
    draw starts at the fit; a sample of ``restarted`` draws is searched again
    from the whole grid of starts, and disagreement is a finding.

    Squares are refitted to f̂ plus random multiples of each run's residual from the fit without it
    (:mod:`isoflop.uncertainty.wild`), the delete-one jackknife with Student's t as draws: of squares, quantiles of
    fits to runs weighed at random hold the truth too rarely.

    Parameters
    ----------
    fit :
        With its runs, three or more.
    draws, seed :
        Number of draws, 20 or more, and the seed of their weights.
    jobs :
        Threads where the compiled engine refits, else processes, through joblib; however it is, the draws are the
        same bytes.
    restarted :
        Draws that are searched again.
    resample_by :
        Column whose equal values are weighed together; ``run`` for single runs. By default single runs, or the size,
        family, schedule or batch by which residuals differ beyond the law, and then a finding says so.
    resampling :
        ``weights``, runs weighed at random, or ``wild``, residuals times random numbers (squares) or signs (all
        other objectives); by default that of the objective.
    progress :
        Called with the number of draws finished.

    Returns
    -------
    Ensemble
        The draws that have an optimum, in the units of the runs.

    Raises
    ------
    IsoflopError
        Fewer than 20 draws, fewer than three runs or groups, or too few draws with an optimum.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> drawn = isoflop.bootstrap(fitted, draws=40)
    >>> len(drawn)
    40
    >>> interval = drawn.interval("alpha", level=0.8)
    >>> interval.low < interval.value < interval.high
    True
    """
    if draws < 20:
        raise IsoflopError(f"{draws} draws make no interval; ask for 20 or more (1000 is usual)")
    refusal = too_few_runs(fit)
    if refusal is not None:
        raise IsoflopError(f"{refusal}; {_ADD_RUNS}")
    ready = problem(fit.law, fit.require_runs(), objective=fit.objective)
    unit, told = resampling_unit(fit, ready, by=resample_by)
    plan = _plan(fit, ready, unit, resampling or fit.objective.resampling, seed=seed, draws=draws)
    chunks = range(-(-draws // CHUNK))
    pieces = []
    for piece in side_by_side(plan.chunk, chunks, jobs=jobs, unlocked=engine_of(fit.objective) == "native"):
        pieces.append(piece)
        if progress is not None:
            progress(len(piece.value))
    theta = np.concatenate([piece.theta for piece in pieces])
    value = np.concatenate([piece.value for piece in pieces])
    good = np.isfinite(value)
    unsettled = int((good & ~np.concatenate([piece.converged for piece in pieces])).sum())
    checked, improved = plan.restart(theta, value, min(restarted, draws))
    if improved and is_noiseless(
        ready.table, np.asarray(fit.data.residuals), log_loss=fit.objective.of_logarithms
    ):  # another optimum of rounding errors is no better
        improved = 0
    failed = int((~good).sum())
    if good.sum() < 20:
        raise IsoflopError(f"{failed} of {draws} bootstrap refits failed; the runs do not determine {fit.law.name}")
    params = ready.params(theta[good])
    return Ensemble(
        estimate=fit,
        params=params,
        method=f"{'bootstrap' if plan.wild is None else 'wild bootstrap'} over {unit.words}",
        seed=seed,
        resampled_by=unit.column,
        failed=failed,
        unsettled=unsettled,
        restarted=checked,
        improved=improved,
        findings=(
            *_findings(failed, unsettled, draws, checked, improved),
            *_outside_findings(fit, params),
            *told,
            *_few_findings(ready, unit),
        ),
    )


def too_few_runs(fit: Fit) -> str | None:
    """Why a fit cannot be bootstrapped, if it cannot: drawing one or two runs again gives the same runs again."""
    n_runs, n_rows = fit.data.n_runs, fit.data.n_rows
    if n_runs >= FEWEST_RUNS:
        return None
    rows = f" ({n_rows} rows, but checkpoints of one run move together)" if n_rows > n_runs else ""
    return f"{n_runs} {'run' if n_runs == 1 else 'runs'}{rows} cannot be resampled, so nothing here has an interval"


def without_draws(fit: Fit) -> Ensemble:
    """The fit alone, for runs that cannot be resampled: values without intervals, and a finding that says why."""
    why = too_few_runs(fit)
    finding = Finding("no-interval", "warning", f"{why or 'no draws were made'}.", f"{_ADD_RUNS.capitalize()}.")
    return Ensemble(fit, np.empty((0, len(fit.law.params))), method="none", seed=0, findings=(finding,))


def _plan(fit: Fit, ready: Problem, unit: Unit, resampling: Resampling, *, seed: int, draws: int) -> _Plan:
    """How the draws of a fit are made: by the wild bootstrap where that is asked and units are few enough."""
    drawn = strata(fit.require_runs(), ready.table.run_codes) if not unit.grouped else (np.arange(unit.count),)
    wild = None
    if resampling == "wild" and unit.count <= MOST_UNITS:
        wild = wild_of(ready, unit, fit.theta)
    return _Plan(ready, drawn, fit.theta, fit.scale, seed, draws, unit.codes[ready.table.run_codes], wild)


@dataclass(frozen=True)
class _Plan:
    """Everything a chunk of draws needs; sent whole to another process.

    codes: the unit of each row, (rows,). wild: what is drawn where weights are not.
    """

    ready: Problem
    strata: tuple[Ints, ...]
    theta: Floats
    scale: float | None
    seed: int
    draws: int
    codes: Ints
    wild: Wild | None = None

    def weights(self, chunk: int) -> Floats:
        """How much each row counts in each draw of a chunk, (draws, rows)."""
        rng, count = self._drawing(chunk)
        return unit_weights(rng, self.strata, int(self.codes.max()) + 1, count)[:, self.codes]

    def changes(self, chunk: int) -> Changes:
        """What is refitted in each draw of a chunk."""
        if self.wild is None:
            return Changes(weights=self.weights(chunk))
        return Changes(target=self.wild.targets(*self._drawing(chunk)))

    def _drawing(self, chunk: int) -> tuple[np.random.Generator, int]:
        return np.random.default_rng([self.seed, chunk]), min(CHUNK, self.draws - chunk * CHUNK)

    def chunk(self, chunk: int) -> Solution:
        """The optima of one chunk of draws, each begun at the fit, and again inside where a floor is at its bound."""
        drawn = self.changes(chunk)
        count = min(CHUNK, self.draws - chunk * CHUNK)
        starts = np.repeat(self.theta[None], count, axis=0)
        return refit(self.ready, starts, weights=drawn.weights, target=drawn.target, scales=self._scales(count))

    def restart(self, theta: Floats, value: Floats, count: int) -> tuple[int, int]:
        """Search the first draws again from a grid of starts: how many were, and how many found better.

        A large table is searched on a sample of its rows, where a draw's own optimum is brought to rest too; only a
        draw for which the grid found better there is fitted to all rows from that start.
        """
        if not count:
            return 0, 0
        drawn = Changes.joined([self.changes(chunk) for chunk in range(-(-count // CHUNK))]).take(np.arange(count))
        if len(self.ready.target) <= SEARCH_ROWS:
            _, searched = self._searched(self.ready, drawn)
            return count, int(self._better(searched, value[:count], drawn).sum())
        few, rows = sampled(self.ready, seed=self.seed)
        fewer = drawn.of_rows(rows)
        start, searched = self._searched(few, fewer)
        own = few.solve(theta[:count], weights=fewer.weights, target=fewer.target, scales=self._scales(count))
        doubted = np.flatnonzero(self._better(searched, own.value, fewer))
        if not len(doubted):
            return count, 0
        again = drawn.take(doubted)
        ended = self.ready.solve(start[doubted], weights=again.weights, target=again.target)
        return count, int(self._better(ended.value, value[doubted], again).sum())

    def _searched(self, ready: Problem, drawn: Changes) -> tuple[Floats, Floats]:
        """The best end of a search from the grid for each draw: coordinates and objective."""
        grid = ready.starts(count=_STARTS, seed=self.seed)
        every = drawn.take(np.repeat(np.arange(len(drawn)), len(grid)))
        found = ready.solve(
            np.tile(grid, (len(drawn), 1)), weights=every.weights, target=every.target, max_steps=_SEARCH_STEPS
        )
        values = np.where(np.isfinite(found.value), found.value, np.inf).reshape(len(drawn), len(grid))
        best = values.argmin(axis=1) + np.arange(len(drawn)) * len(grid)
        return found.theta[best], values.min(axis=1)

    def _better(self, searched: Floats, own: Floats, drawn: Changes) -> NDArray[np.bool_]:
        size = self.ready.objective.magnitude(own, drawn.sums())
        return np.asarray(searched < own - SAME * size)

    def _scales(self, count: int) -> Floats | None:
        if not self.ready.objective.fits_scale or self.scale is None:
            return None
        return np.full(count, np.log(self.scale))


def strata(runs: Runs, codes: Ints) -> tuple[Ints, ...]:
    """Runs that are drawn among themselves: those of one seed; seeds with fewer than three runs are pooled."""
    return strata_by_seed(np.asarray(runs.text("seed")) if "seed" in runs.frame.columns else None, codes)


def strata_by_seed(seeds: NDArray[np.str_] | None, codes: Ints) -> tuple[Ints, ...]:
    """The same from the seed of each row, None where the table has none."""
    n_runs = int(codes.max()) + 1
    if seeds is None:
        return (np.arange(n_runs),)
    first = np.full(n_runs, -1)
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # the first row of each run
    labels = seeds[first]
    groups = [np.flatnonzero(labels == label) for label in sorted(set(labels.tolist()))]
    large = [group for group in groups if len(group) >= _SMALL_STRATUM]
    small = [group for group in groups if len(group) < _SMALL_STRATUM]
    return (*large, np.sort(np.concatenate(small))) if small else tuple(large)


def _findings(failed: int, unsettled: int, draws: int, checked: int, improved: int) -> list[Finding]:
    found = []
    if unsettled > draws / 100:
        found.append(
            Finding(
                "draws-not-converged",
                "warning",
                f"{unsettled} of {draws} bootstrap refits had not converged at the limit of steps (the objective is "
                "nearly flat): these runs do not determine some combination of parameters.",
                "Read curves and forecasts rather than single constants; fix or tie a parameter, or add runs.",
            )
        )
    if failed > draws / 100:
        found.append(
            Finding(
                "draws-failed",
                "warning",
                f"{failed} of {draws} bootstrap refits found no finite optimum and are left out of the intervals.",
                "The law may have more parameters than these runs can carry; fix or tie some.",
            )
        )
    if improved:
        found.append(
            Finding(
                "draws-disagree",
                "warning",
                f"{improved} of {checked} draws that were searched again from all starts found a better optimum than "
                "from the fit's own.",
                "The intervals are too narrow where the answer jumps; compare with profile() or a simpler law.",
            )
        )
    return found


def _outside_findings(fit: Fit, params: Floats) -> list[Finding]:
    """A value of the fit that almost none of its own draws come near."""
    outside = []
    for name, draws in zip(fit.law.param_names, params.T, strict=True):
        if not (np.isfinite(draws).all() and math.isfinite(fit.params[name])):
            continue  # the fit says of itself that such a parameter has overflowed
        low, high = np.quantile(draws, [0.01, 0.99])
        slack = 0.01 * (high - low)
        if not low - slack <= fit.params[name] <= high + slack:
            outside.append(name)
    if not outside:
        return []
    lies = "lies outside 98 % of its" if len(outside) == 1 else "lie outside 98 % of their"
    return [
        Finding(
            "value-outside",
            "error",
            f"the fitted {' and '.join(outside)} {lies} own bootstrap draws: a few runs hold the optimum where it is.",
            "Do not quote the interval; look for the runs that decide, or use a law with fewer parameters.",
        )
    ]


def _few_findings(ready: Problem, unit: Unit) -> list[Finding]:
    """Too few independent runs or groups for a bootstrap, however many rows they have."""
    n_rows = len(ready.target)
    if unit.count >= 10:
        return []
    detail = f" ({n_rows} rows, but checkpoints of one run move together)" if n_rows > ready.table.n_runs else ""
    what = f"groups of {unit.column}" if unit.grouped else "independent runs"
    return [
        Finding(
            "few-independent-runs",
            "warning",
            f"the intervals rest on {unit.count} {what}{detail}; from so few a bootstrap is too narrow.",
            "Add runs, or read the intervals as lower bounds.",
        )
    ]
