"""The covariance of a fit's parameters without draws: the sandwich of gradients and curvature at the optimum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.coordinates import coordinate, coordinates
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective import Objective
from isoflop.fitting.solve import Batch, batch_size
from isoflop.fitting.table import fit_table
from isoflop.laws import Law
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import Leaf
from isoflop.runs import Runs

Floats = NDArray[np.float64]


def sandwich(
    law: Law, runs: Runs, objective: Objective, theta: Floats, centers: Mapping[str, float], scale: float | None
) -> Floats:
    """R/(R − k) · J H⁻¹ (Σ_r g_r g_rᵀ) H⁻¹ Jᵀ, of shape (params, params) in the order of ``law.param_names``.

    g_r: the gradient of the objective over the rows of run r at the optimum ``theta`` (coordinates,). H: its curvature
    over all runs. J: derivatives of the parameters by the coordinates. R runs, k coordinates. Rows of one run may err
    together; runs may differ in their scatter. Parameters without effect on the fit have NaN.

    Source: White 1980; Liang and Zeger 1986 for rows of one run. Both are taken at
    :meth:`Objective.sandwich_scale`: absolute deviations have no curvature of their own, and the usual width of
    Huber's function lies far within the residuals.
    Raises FitError for no more runs than coordinates.
    """
    table = fit_table(law, runs, space=objective.space)
    coords = coordinates(law)
    kernel = Kernel(coords, table.inputs, space=objective.space, centers=centers)
    target = objective.target(table.loss)
    count, k = table.n_runs, len(coords.names) + objective.n_extra
    if count <= k:
        raise FitError(f"{count} runs give no covariance of {k} fitted numbers; add runs, or fix parameters")
    whole = Batch(kernel, target, objective, None)
    own = objective.sandwich_scale(
        np.array([objective.scale_at(scale, 1.0)]), lambda: np.exp(whole.robust_scale(theta[None]))
    )
    slopes, curvature = np.empty((count, k)), np.zeros((k, k))
    weights = np.ones(kernel.n_rows) if table.weights is None else table.weights
    chunk = batch_size(kernel.n_rows)
    for first in range(0, count, chunk):
        some = np.arange(first, min(first + chunk, count))
        # a problem for each run, in which only its own rows count
        batch = Batch(kernel, target, objective, weights * (table.run_codes == some[:, None]))
        at, width = np.repeat(theta[None], len(some), axis=0), np.repeat(own, len(some))
        _, slopes[some], near = batch.normal_equations(at, width, np.arange(len(some)), np.ones(len(some), dtype=bool))
        _, _, reweighted = batch.normal_equations(at, width, np.arange(len(some)), np.zeros(len(some), dtype=bool))
        curvature += objective.own_curvature(near, reweighted).sum(axis=0)
    inner = _spread(curvature, slopes.T @ slopes) * count / (count - k)
    values: dict[Leaf, Floats | float] = {Leaf("center", name): value for name, value in centers.items()}
    values |= {Leaf("coordinate", name): value for name, value in zip(coords.names, theta, strict=True)}
    leaves = tuple(coordinate(name) for name in coords.names)
    moved = np.array([[float(array_value(d, values)) for d in gradient(each, leaves)] for each in coords.params])
    inner = inner[: len(coords.names), : len(coords.names)]
    # a coordinate that a parameter does not depend on must not make it unknown
    known = np.where(moved[:, None, :, None] * moved[None, :, None, :] == 0, 0.0, inner)
    return np.asarray(np.einsum("pi,qj,pqij->pq", moved, moved, known))


def _spread(curvature: Floats, outer: Floats) -> Floats:
    """H⁻¹ G H⁻¹; NaN for coordinates along which the objective does not change, for all where H has no inverse."""
    size = np.sqrt(np.maximum(np.diag(curvature), 0.0))
    alive = size > 1e-10 * size.max(initial=0.0)
    there = np.ix_(alive, alive)
    unit = np.outer(size[alive], size[alive])
    scaled = curvature[there] / unit
    found = np.full(curvature.shape, np.nan)
    if np.isfinite(scaled).all() and np.linalg.matrix_rank(scaled, hermitian=True) == len(scaled):
        inverse = np.linalg.inv(scaled)
        found[there] = inverse @ (outer[there] / unit) @ inverse / unit
    return found
