"""Draws of a law's constants given runs: each the optimum of perturbed runs under a perturbed prior.

θ_d = argmin ½|V^{−½}(y + e_d − f(θ))|² + ½|(θ − m_d)/s|², e_d ~ N(0, V), m_d a draw of the prior. For a linear law
these are exact draws of the posterior; with no runs they are draws of the prior.
Source: Bardsley, Solonen, Haario and Laine 2014, SIAM J. Sci. Comput. 36 (A1895).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from isoflop.fitting.coordinates import Coordinates
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective import Objective, Space
from isoflop.fitting.starts import find_starts
from isoflop.fitting.table import Table
from isoflop.planning.design.prior import Constants, log_prior
from isoflop.values import Value

Floats = NDArray[np.float64]

_STEPS = 25
_SETTLED = 1e-3  # relative fall of every draw's objective below which the search ends
_SEARCHED = 12  # starts from which the best constants are sought


@dataclass(frozen=True)
class Problem(Value):
    """A law in its fitting coordinates with the prior of its constants, on runs or before any (None)."""

    coords: Coordinates
    centers: Mapping[str, float]
    space: Space
    prior: Constants
    table: Table | None
    objective: Objective

    @cached_property
    def kernel(self) -> Kernel:
        """The law on the runs."""
        assert self.table is not None
        return Kernel(self.coords, self.table.inputs, space=self.space, centers=self.centers)

    @cached_property
    def target(self) -> Floats:
        """What was measured, in the space of the residuals, (rows,)."""
        assert self.table is not None
        return np.asarray(self.objective.target(self.table.loss))

    @cached_property
    def starts(self) -> Floats:
        """Where the best constants are sought: the centers of the prior, and starts of a search of the table."""
        assert self.table is not None
        found = find_starts(self.coords, self.table, centers=self.centers, count=_SEARCHED, seed=0)
        return np.concatenate([self.prior.centers, found])


@dataclass(frozen=True)
class Drawn(Value):
    """theta: (draws, coordinates). toward: V⁻¹(y − f(θ)), (rows, draws). residual: y − f at the best, (rows,).

    evidence: logarithm of the marginal likelihood of the runs in Laplace's approximation, 0 without runs.
    """

    theta: Floats
    toward: Floats
    residual: Floats
    evidence: float


def draw_posterior(problem: Problem, factor: Floats, *, draws: int, rng: np.random.Generator) -> Drawn:
    """Draws given V's Cholesky factor (rows, rows); the first is the best of all constants, from several starts."""
    prior, table = problem.prior, problem.table
    means = prior.draw(draws, rng)
    if table is None:
        return Drawn(means, np.empty((0, draws)), np.empty(0), 0.0)
    kernel, target, starts = problem.kernel, problem.target, problem.starts
    rows = kernel.n_rows
    nearest = ((starts[:, None] - prior.centers[None]) ** 2 / prior.sd**2).sum(axis=2).argmin(axis=1)
    found, cost = _minimize(kernel, np.tile(target, (len(starts), 1)), prior.centers[nearest], prior.sd, factor, starts)
    best = found[int(cost.argmin())]
    noise = rng.standard_normal((draws, rows)) @ factor.T
    noise[0], means[0] = 0.0, prior.centers[int(nearest[int(cost.argmin())])]
    theta, _ = _minimize(kernel, target + noise, means, prior.sd, factor, np.tile(best, (draws, 1)))
    theta[0] = best
    value, jacobian = (each.copy() for each in kernel.value_and_jacobian(theta[:1], 0, rows))
    residual = target - value[0]
    with np.errstate(all="ignore"):
        fitted = kernel.value(theta, 0, rows).copy()
    left = np.where(np.isfinite(fitted), target - fitted, residual)
    toward = solve_triangular(factor, left.T, lower=True, check_finite=False)
    toward = solve_triangular(factor, toward, lower=True, trans=1, check_finite=False)
    white = solve_triangular(factor, np.column_stack([residual, jacobian[0].T]), lower=True, check_finite=False)
    inner = white[:, 1:].T @ white[:, 1:] + np.diag(1 / prior.sd**2)
    _, log_det = np.linalg.slogdet(inner)
    evidence = (
        -0.5 * float(white[:, 0] @ white[:, 0])
        - float(np.log(np.diag(factor)).sum())
        + float(log_prior(theta[:1], prior)[0])
        - 0.5 * float(log_det)
    )
    return Drawn(theta, toward, residual, evidence if np.isfinite(evidence) else -1e300)


def _minimize(
    kernel: Kernel, target: Floats, means: Floats, sd: Floats, factor: Floats, start: Floats
) -> tuple[Floats, Floats]:
    """Levenberg–Marquardt for all problems at once: constants (problems, coordinates) and objective (problems,)."""
    theta, precision = start.copy(), 1 / sd**2
    problems, rows = target.shape
    damping = np.full(problems, 1e-2)
    cost = _cost(kernel, target, means, precision, factor, theta)
    for _ in range(_STEPS):
        with np.errstate(all="ignore"):
            value, jacobian = kernel.value_and_jacobian(theta, 0, rows)
            left = np.nan_to_num(target - value, nan=0.0, posinf=0.0, neginf=0.0)
            slopes = np.nan_to_num(jacobian, nan=0.0, posinf=0.0, neginf=0.0)
        stacked = np.concatenate([left[:, None], slopes], axis=1).reshape(-1, rows).T
        white = solve_triangular(factor, stacked, lower=True, check_finite=False)
        white = white.T.reshape(problems, -1, rows)
        inner = np.einsum("dir,djr->dij", white[:, 1:], white[:, 1:]) + np.diag(precision)
        toward = np.einsum("dir,dr->di", white[:, 1:], white[:, 0]) + (means - theta) * precision
        diagonal = np.einsum("dii->di", inner)
        step = np.linalg.solve(
            inner + np.einsum("di,ij->dij", damping[:, None] * diagonal, np.eye(len(sd))), toward[..., None]
        )[..., 0]
        trial = theta + np.clip(step, -3, 3)
        new = _cost(kernel, target, means, precision, factor, trial)
        better = new < cost
        fallen = np.where(better, cost - new, 0.0)
        theta[better] = trial[better]
        damping = np.clip(np.where(better, damping / 5, damping * 6), 1e-9, 1e9)
        cost = np.where(better, new, cost)
        idle = (fallen <= _SETTLED * np.maximum(cost, 1.0)) & (better | (damping > 1e6))
        if idle.all():
            break
    return theta, cost


def _cost(kernel: Kernel, target: Floats, means: Floats, precision: Floats, factor: Floats, theta: Floats) -> Floats:
    with np.errstate(all="ignore"):
        left = target - kernel.value(theta, 0, kernel.n_rows)
        finite = np.asarray(np.isfinite(left).all(axis=1))
        white = solve_triangular(factor, np.where(finite[:, None], left, 0.0).T, lower=True, check_finite=False)
        found = 0.5 * (white**2).sum(axis=0) + 0.5 * ((theta - means) ** 2 * precision).sum(axis=1)
    return np.asarray(np.where(finite & np.isfinite(found), found, np.inf))
