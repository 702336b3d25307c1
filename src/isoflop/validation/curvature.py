"""The infinitesimal jack-knife: what the curvature of the objective says of leaving a run out, without refitting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.fit import Problem
from isoflop.fitting.objective import Objective
from isoflop.fitting.solve import solve_systems
from isoflop.special import special
from isoflop.validation.answers import Answer, answer_at

Floats = NDArray[np.float64]

_ASIDE = 1e-5  # of a coordinate, for differences of the Jacobian
_ELEMENTS = 4_000_000  # numbers held at once


def left_out_by_curvature(ready: Problem, fit: Fit) -> Floats | None:
    """θ + H⁻¹ Σ ρ′(r_j) ∇r_j over each run's rows, (runs, coordinates); None for absolute deviations.

    H = Σ ρ″ ∇r ∇rᵀ + Σ ρ′ ∇∇r: the first from the exact Jacobian, the second by differences of it. The scale of a
    Student-t is held. Directions without curvature are left alone.
    """
    objective, kernel = fit.objective, ready.kernel
    if not objective.smooth:
        return None
    value, jacobian = _rows(ready, fit.theta)
    residual = value - ready.target
    scale = np.array([objective.scale_at(fit.scale, float(np.median(np.abs(residual))) or 1.0)])
    slope = _slope(objective, residual, scale)
    step = 1e-7 * float(np.median(np.abs(residual)) or 1.0)
    bend = (_slope(objective, residual + step, scale) - _slope(objective, residual - step, scale)) / (2 * step)
    hessian = (jacobian * bend) @ jacobian.T
    second = np.empty_like(hessian)
    for position in range(kernel.n_free):
        aside = np.zeros(len(fit.theta))
        aside[position] = 1e-5
        above, below = (_rows(ready, fit.theta + side * aside)[1] for side in (1, -1))
        second[position] = (above - below) @ slope / 2e-5
    hessian = hessian + (second + second.T) / 2
    pull = np.zeros((kernel.n_free, ready.table.n_runs))
    for position in range(kernel.n_free):
        pull[position] = np.bincount(
            ready.table.run_codes, weights=jacobian[position] * slope, minlength=ready.table.n_runs
        )
    moved = np.repeat(fit.theta[None], ready.table.n_runs, axis=0)
    moved[:, : kernel.n_free] += (np.linalg.pinv(hessian, rcond=1e-10, hermitian=True) @ pull).T
    return moved


def left_out_by_newton(
    ready: Problem, fit: Fit, theta: Floats, gone: NDArray[np.bool_]
) -> tuple[Floats, Floats] | None:
    """θ + (H − H_g)⁻¹ Σ_g ρ′ ∇r for each run g beside those that are ``gone``, and its leverage tr(H_g H⁻¹).

    theta: the optimum without the runs ``gone`` (runs,). H as in :func:`left_out_by_curvature`, of the rows that are
    left, H_g = Σ_g ρ″ ∇r ∇rᵀ the part of the run. A run of much leverage is one that the law passes through: which
    others it then passes through instead no step from here can tell. None for absolute deviations.
    Returns (runs, coordinates) and (runs,).
    """
    objective, table, n_free = fit.objective, ready.table, ready.kernel.n_free
    if not objective.smooth:
        return None
    values, jacobians = _around(ready, theta)
    residual, jacobian = values[0] - ready.target, jacobians[0]
    scale = np.array([objective.scale_at(fit.scale, float(np.median(np.abs(residual))) or 1.0)])
    parts = objective.parts(residual[None], None, np.ones(1, dtype=np.bool_), scale)
    counted = (~gone[table.run_codes]).astype(np.float64)
    if table.weights is not None:
        counted *= table.weights
    slope, bend = parts.slope[0] * counted, parts.curvature[0] * counted
    second = (jacobians[1::2] - jacobians[2::2]) @ slope / (2 * _ASIDE)
    hessian = (jacobian * bend) @ jacobian.T + (second + second.T) / 2
    own = np.zeros((table.n_runs, n_free, n_free))
    np.add.at(own, table.run_codes, (jacobian * bend).T[:, :, None] * jacobian.T[:, None, :])
    pull = np.zeros((table.n_runs, n_free))
    np.add.at(pull, table.run_codes, (jacobian * slope).T)
    leverage = np.einsum("gij,ji->g", own, np.linalg.pinv(hessian, rcond=1e-10, hermitian=True))
    moved = np.repeat(theta[None], table.n_runs, axis=0)
    moved[:, :n_free] += np.clip(solve_systems(hessian - own, pull), -1.0, 1.0)
    return moved, leverage


def _around(ready: Problem, theta: Floats) -> tuple[Floats, Floats]:
    """Value (points, rows) and Jacobian (points, free coordinates, rows) at theta and on both sides along each."""
    n_free = ready.kernel.n_free
    aside = np.zeros((2 * n_free + 1, len(theta)))
    for position in range(n_free):
        aside[2 * position + 1, position], aside[2 * position + 2, position] = _ASIDE, -_ASIDE
    if aside.shape[0] * (n_free + 1) * ready.kernel.n_rows <= _ELEMENTS:
        return ready.kernel.everywhere(theta + aside)
    each = [_rows(ready, theta + off) for off in aside]
    return np.array([value for value, _ in each]), np.array([jacobian for _, jacobian in each])


def usual_counts(
    ready: Problem, fit: Fit, answer: Answer, *, level: float, draws: int = 400, seed: int = 0
) -> tuple[int, int]:
    """How many runs take an answer out of its interval by chance: the median of draws, and their 5 % quantile.

    To first order a run moves the answer by g_i·ρ′(r_i) with g = ∇answerᵀ (Σ ∇r ∇rᵀ)⁻¹ ∇r, which the design alone
    decides. Residuals are drawn anew, Gaussian with the robust scale of the fit's own; the count is the least k whose k
    largest moves to one side sum to z times √Σ (g_i·ρ′)², the smaller of both sides. A factor common to all moves
    cancels, so absolute deviations need no curvature.
    """
    value, jacobian = _rows(ready, fit.theta)
    n_runs, n_free = ready.table.n_runs, ready.kernel.n_free
    design = np.linalg.pinv(jacobian @ jacobian.T, rcond=1e-12, hermitian=True) @ jacobian
    ahead = np.zeros(n_free)
    for position in range(n_free):
        aside = np.zeros(len(fit.theta))
        aside[position] = 1e-4
        above, below = (answer_at(answer, fit, ready, (fit.theta + side * aside)[None])[0] for side in (1, -1))
        ahead[position] = float(np.diff(answer.change(np.array([below, above]), answer.value(fit)))[0]) / 2e-4
    ahead = np.where(np.isfinite(ahead), ahead, 0.0)
    lever = np.bincount(ready.table.run_codes, weights=ahead @ design, minlength=n_runs)
    size = 1.4826 * float(np.median(np.abs(value - ready.target))) or 1.0
    drawn = size * np.random.default_rng([seed, 7]).standard_normal((draws, n_runs))
    scale = np.array([fit.objective.scale_at(fit.scale, size)])
    moves = lever * _slope(fit.objective, drawn.ravel(), scale).reshape(drawn.shape)
    far = special.ndtri((1 + level) / 2) * np.sqrt((moves**2).sum(axis=1))
    counts = np.full(draws, n_runs)
    for side in (1, -1):
        reached = np.cumsum(-np.sort(-side * moves, axis=1), axis=1) >= far[:, None]
        counts = np.minimum(counts, np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, n_runs))
    return int(np.median(counts)), int(np.quantile(counts, 0.05))


def _slope(objective: Objective, residual: Floats, scale: Floats) -> Floats:
    """ρ′ at the residuals (rows,)."""
    still = np.zeros(1, dtype=np.bool_)
    return np.array(objective.parts(residual[None].copy(), None, still, scale).slope[0])


def _rows(ready: Problem, theta: Floats) -> tuple[Floats, Floats]:
    """The law's value (rows,) and Jacobian (coordinates, rows) at one point."""
    kernel = ready.kernel
    values, jacobians = [], []
    width = kernel.tile_rows(1)
    for start in range(0, kernel.n_rows, width):
        value, jacobian = kernel.value_and_jacobian(theta[None], start, min(start + width, kernel.n_rows))
        values.append(value[0].copy())
        jacobians.append(jacobian[0].copy())
    return np.concatenate(values), np.concatenate(jacobians, axis=1)
