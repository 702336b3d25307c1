"""What is believed of the response at points: several laws, each with draws of its constants and its model error.

log L(x) = log f_k(x; θ) + δ(x) + noise. Law k and the size and length of δ are hypotheses with weights; θ is drawn from
its posterior by refits to perturbed runs under a perturbed prior (randomized maximum a posteriori), δ follows in closed
form. Mean and covariance are those of the whole mixture, so that what laws disagree about counts as uncertainty:
Cov = Σ_h w_h (Cov_θ[E(·|θ)] + Cov_δ + (μ_h − μ)(μ_h − μ)ᵀ).
Source: Kennedy and O'Hagan 2001 (model error); Bardsley et al. 2014 (randomize, then optimize).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from isoflop.errors import DataError, IsoflopError
from isoflop.fitting.coordinates import Coordinates, coordinates
from isoflop.fitting.kernel import Kernel, input_centers
from isoflop.fitting.objective import Objective, Space, huber
from isoflop.fitting.table import Table, fit_table, prepared_runs
from isoflop.laws import Law
from isoflop.planning.design.posterior import Problem, draw_posterior
from isoflop.planning.design.prior import constants_with_runs, require_published
from isoflop.runs import Runs
from isoflop.uncertainty.discrepancy import noise_of, weights_of
from isoflop.uncertainty.kriging import matern, one_thread, spread_out
from isoflop.uncertainty.prior import Prior, shipped_prior
from isoflop.values import Value

Floats = NDArray[np.float64]
Points = Mapping[str, Floats]

DRAWS = 128
FIRST_NOISE = 0.005  # relative scatter of one run, before runs have shown it
MOST_ROWS = 400  # of the runs that are conditioned on; more are thinned to those farthest apart
_CLIP = 4.0  # robust standard deviations beyond which a draw counts as lying there


@dataclass(frozen=True)
class Component(Value):
    """One law under one hypothesis: draws θ (draws, coordinates), their weight, and what the runs say of δ.

    size, length: of δ, in the space of the residuals. toward: V⁻¹(y − f(θ)) of every draw, (rows, draws).
    """

    law: Law
    weight: float
    theta: Floats = field(repr=False)
    size: float
    length: float
    toward: Floats = field(repr=False)
    factor: Floats = field(repr=False)
    coords: Coordinates = field(repr=False)
    centers: Mapping[str, float] = field(repr=False)
    space: Space

    @property
    def params(self) -> dict[str, Floats]:
        """Draws of the law's parameters in the units of the runs, (draws,) each."""
        values = self.coords.to_params(self.theta, self.centers)
        return {name: values[:, column] for column, name in enumerate(self.law.param_names)}

    def value(self, points: Points) -> Floats:
        """f(θ; x) of every draw in the space of the residuals, (draws, points)."""
        inputs = {name: np.asarray(points[name], dtype=np.float64) for name in self.law.input_names}
        kernel = Kernel(self.coords, inputs, space=self.space, centers=self.centers)
        with np.errstate(all="ignore"):
            return np.array(kernel.value(self.theta, 0, kernel.n_rows))


@dataclass(frozen=True)
class Belief(Value):
    """Components with weights of sum 1, the scatter of one run, and the axes along which model error varies.

    rows: how many runs it is conditioned on; places: their logarithms (or scaled inputs), (rows, axes).
    freedom: degrees of freedom of the Student-t distributions of the prior of the model error.
    sources: where each law's prior constants come from.
    """

    components: tuple[Component, ...]
    noise: float
    axes: tuple[tuple[str, float, float], ...]
    places: Floats = field(repr=False)
    freedom: float
    rows: int
    sources: Mapping[str, tuple[str, ...]]
    unit: float = 1.0

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each law by its name."""
        found: dict[str, float] = {}
        for each in self.components:
            found[each.law.name] = found.get(each.law.name, 0.0) + each.weight
        return found

    def place(self, points: Points) -> Floats:
        """Where points lie for the model error, (points, axes)."""
        columns = []
        for name, middle, spread in self.axes:
            values = np.asarray(points[name], dtype=np.float64)
            columns.append((np.log10(values) if spread == 0 else values / spread) - middle)
        return np.stack(columns, axis=1)


def believe(
    laws: Sequence[Law],
    points: Points,
    runs: Runs | None = None,
    *,
    objective: Objective | None = None,
    prior: Prior | None = None,
    noise: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    model_error: bool = True,
) -> Belief:
    """The belief after ``runs``, or from published constants alone where there are none.

    points: all places that will be asked about, for the middle of the coordinates. noise: relative scatter of a run;
    that of the runs where they show it. Laws and hypotheses are weighed by prior probability times marginal likelihood
    (Laplace's approximation) to the power that the prior of the model error was tuned to.
    Raises IsoflopError for a law without published constants where there are no runs.
    """
    if not laws:
        raise IsoflopError("a design needs a law; name one (--law chinchilla)")
    objective, prior = objective or huber(), prior or shipped_prior()
    tables = [None if runs is None or not len(runs) else _rows(law, runs, objective) for law in laws]
    first = tables[0]
    axes = _axes(laws, points, tables)
    unit = 1.0
    if objective.space == "raw" and first is not None:
        unit = float(np.median(np.abs(first.loss))) or 1.0
    hypotheses = prior.hypotheses if model_error else (None,)
    found: list[Component] = []
    evidence = np.empty((len(laws), len(hypotheses)))
    sources, scatters = {}, []
    rng = np.random.default_rng([seed, 21])
    with one_thread():
        for number, (law, table) in enumerate(zip(laws, tables, strict=True)):
            coords = coordinates(law)
            centers = input_centers(_together(law, points, table), law)
            if table is None:
                known = require_published(law, coords, centers)
                scatter = FIRST_NOISE if noise is None else noise
                shared = Problem(coords, centers, objective.space, known, None, objective)
            else:
                known = constants_with_runs(law, coords, table, centers, space=objective.space, seed=seed)
                shared = Problem(coords, centers, objective.space, known, table, objective)
                scatter = _scatter(shared, noise, unit, seed)
            sources[law.name] = known.sources
            scatters.append(scatter)
            place = np.empty((0, len(axes))) if table is None else _place(axes, table.by_row)
            for which, each in enumerate(hypotheses):
                size = 0.0 if each is None else each.size * unit
                length = 1.0 if each is None else each.length
                share = 1.0 if each is None else each.noise_share
                factor = _factor(place, size, length, share * scatter)
                drawn = draw_posterior(shared, factor, draws=draws, rng=rng)
                evidence[number, which] = drawn.evidence
                found.append(
                    Component(
                        law=law, weight=0.0, theta=drawn.theta, size=size, length=length, toward=drawn.toward,
                        factor=factor, coords=coords, centers=centers, space=objective.space,
                    )
                )  # fmt: skip
    counted = 0 if first is None else len(first.loss)
    if model_error:
        weights = weights_of(prior, evidence, max(1, counted)).ravel()
    else:
        logs = evidence.ravel() - evidence.max()
        weights = np.exp(logs) / np.exp(logs).sum()
    return Belief(
        components=tuple(
            Component(**{**vars(each), "weight": float(weight)})
            for each, weight in zip(found, weights, strict=True)
            if weight > 1e-6
        ),
        noise=float(np.average(scatters, weights=weights.reshape(len(laws), -1).sum(axis=1))),
        axes=axes,
        places=np.empty((0, len(axes))) if first is None else _place(axes, first.by_row),
        freedom=prior.freedom,
        rows=counted,
        sources=sources,
        unit=unit,
    )


@dataclass(frozen=True)
class Moments(Value):
    """Mean and covariance of the response at candidates and of a target's numbers.

    mean: (points,), cov: (points, points), cross: (points, numbers), target_mean: (numbers,), target_cov.
    """

    mean: Floats
    cov: Floats
    cross: Floats
    target_mean: Floats
    target_cov: Floats


def moments(belief: Belief, points: Points, target_points: Points, weights: Floats, of_laws: object = None) -> Moments:
    """Mean and covariance of the mixture at ``points`` and of the target's numbers.

    target_points: where the target looks at the response; weights: (numbers, target points), of its model error and,
    unless ``of_laws`` gives a law's own draws of them, of the response. of_laws: Component → (draws, numbers) or None.
    """
    count = len(next(iter(points.values())))
    place, there = belief.place(points), belief.place(target_points) if weights.shape[1] else None
    scale = belief.freedom / (belief.freedom - 2) if any(each.size for each in belief.components) else 1.0
    means, size = [], count + len(weights)
    cov = np.zeros((size, size))
    with one_thread():
        for each in belief.components:
            columns, spread = _component(each, belief, points, target_points, place, there, weights, of_laws)
            mean = columns.mean(axis=0)
            off = columns - mean
            cov += each.weight * scale * (off.T @ off / max(1, len(columns) - 1) + spread)
            means.append(mean)
        share = np.array([each.weight for each in belief.components])
        share = share / share.sum()
        middle = share @ np.array(means)
        apart = np.array(means) - middle
        cov += (share[:, None] * apart).T @ apart
    return Moments(
        mean=middle[:count], cov=cov[:count, :count], cross=cov[:count, count:], target_mean=middle[count:],
        target_cov=cov[count:, count:],
    )  # fmt: skip


def _component(
    each: Component,
    belief: Belief,
    points: Points,
    target_points: Points,
    place: Floats,
    there: Floats | None,
    weights: Floats,
    of_laws: object,
) -> tuple[Floats, Floats]:
    """Draws of the mean (draws, points + numbers) of one component, and the covariance of its model error."""
    places = belief.places
    value = each.value(points)
    own = of_laws(each) if callable(of_laws) else None
    at_target = each.value(target_points) if own is None else None
    every = place if there is None else np.concatenate([place, there])
    gp = np.zeros((len(every), len(every)))
    shift = np.zeros((len(each.theta), len(every)))
    if each.size > 0:
        gp = each.size**2 * matern(every, every, each.length)
        if len(places):
            near = each.size**2 * matern(places, every, each.length)
            shift = (near.T @ each.toward).T
            solved = solve_triangular(each.factor, near, lower=True, check_finite=False)
            gp -= solved.T @ solved
    count = len(place)
    lift = np.zeros((count + len(weights), len(every)))
    lift[:count, :count] = np.eye(count)
    if there is not None:
        lift[count:, count:] = weights
    numbers = own if own is not None else np.asarray(at_target) @ weights.T
    moved = shift @ lift.T
    columns = _clipped(np.column_stack([value, numbers]) + moved)
    return columns, lift @ gp @ lift.T


def _clipped(columns: Floats) -> Floats:
    """Draws with what is not finite at the middle, and what is far out at 4 robust standard deviations."""
    columns = np.where(np.isfinite(columns), columns, np.nan)
    with np.errstate(all="ignore"):
        middle = np.nanmedian(columns, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(columns - middle), axis=0)
    middle, spread = np.nan_to_num(middle), np.nan_to_num(spread)
    columns = np.where(np.isnan(columns), middle, columns)
    return np.asarray(np.clip(columns, middle - _CLIP * spread, middle + _CLIP * spread))


def _rows(law: Law, runs: Runs, objective: Objective) -> Table:
    """The runs as checked numbers, one row a run: its last."""
    made = prepared_runs(law, runs)
    found = checked_rows(law, made, objective)
    _, last = np.unique(found.run_codes[::-1], return_index=True)
    rows = np.sort(len(found.loss) - 1 - last)
    found = found.take(rows.astype(np.int64))
    if len(found.loss) > MOST_ROWS:
        place = np.column_stack([_log_or_plain(values) for values in found.by_row.values()])
        found = found.take(spread_out(place, MOST_ROWS))
    return found


def checked_rows(law: Law, runs: Runs, objective: Objective) -> Table:
    """As :func:`isoflop.fitting.table.fit_table`, for fewer rows than parameters too: the prior tells the rest."""
    needed = max(2, len(law.params))
    if len(runs) >= needed:
        return fit_table(law, runs, space=objective.space)
    repeated = replace(runs, frame=pl.concat([runs.frame] * (needed // len(runs) + 1)))
    table = fit_table(law, repeated, space=objective.space)
    # a table's rows become runs of their own where they are taken, and these may be checkpoints of one run
    return replace(table.take(np.arange(len(runs))), run_codes=runs.run_codes())


def _log_or_plain(values: Floats) -> Floats:
    return np.asarray(np.log10(values)) if (values > 0).all() else values


def _together(law: Law, points: Points, table: Table | None) -> dict[str, Floats]:
    """Inputs of the runs, or of the points where there are none, for the middle of the coordinates."""
    if table is not None:
        return {name: np.asarray(table.by_row[name]) for name in law.input_names}
    return {name: np.asarray(points[name], dtype=np.float64) for name in law.input_names}


def _axes(laws: Sequence[Law], points: Points, tables: Sequence[Table | None]) -> tuple[tuple[str, float, float], ...]:
    """Inputs of any law along which the model error varies: decades of positive ones, spreads of others."""
    found = {}
    for law, table in zip(laws, tables, strict=True):
        for each in law.inputs:
            if each.name not in points:
                raise DataError(
                    f"the candidates have no column {each.name}, an input of {law.name}; add it, or leave the law out"
                )
            own = [] if table is None else [table.by_row[each.name]]
            values = np.concatenate([np.asarray(points[each.name], dtype=np.float64), *own])
            if each.domain == "positive":
                found[each.name] = (each.name, float(np.mean(np.log10(values))), 0.0)
            else:
                spread = float(values.max() - values.min()) or float(np.abs(values).max()) or 1.0
                found[each.name] = (each.name, float(values.mean() / spread), spread)
    return tuple(found.values())


def _place(axes: tuple[tuple[str, float, float], ...], inputs: Mapping[str, Floats]) -> Floats:
    columns = []
    for name, middle, spread in axes:
        values = np.asarray(inputs[name], dtype=np.float64)
        columns.append((np.log10(values) if spread == 0 else values / spread) - middle)
    return np.stack(columns, axis=1)


def _factor(place: Floats, size: float, length: float, noise: float) -> Floats:
    """Cholesky factor of size²·K + noise²·1 over the runs."""
    if not len(place):
        return np.empty((0, 0))
    cov = size**2 * matern(place, place, length) if size > 0 else np.zeros((len(place), len(place)))
    cov[np.diag_indices_from(cov)] += noise**2 + 1e-10 * size**2
    return np.asarray(np.linalg.cholesky(cov))


def _scatter(shared: Problem, noise: float | None, unit: float, seed: int) -> float:
    """The given scatter, or that of the residuals of the best constants under the prior."""
    if noise is not None:
        return noise * unit
    assert shared.table is not None
    rows, free = len(shared.table.loss), len(shared.coords.names)
    scatter = 0.01 * unit
    for _ in range(2):
        best = draw_posterior(shared, scatter * np.eye(rows), draws=1, rng=np.random.default_rng([seed, 22])
        )  # fmt: skip
        scatter = noise_of(best.residual, free, unit)
        if not math.isfinite(scatter):
            return FIRST_NOISE * unit
    return min(scatter, 0.1 * unit)
