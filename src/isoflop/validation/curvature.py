"""The infinitesimal jack-knife: what the curvature of the objective says of leaving a run out, without refitting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.fit import Problem
from isoflop.fitting.objective import Objective
from isoflop.special import special
from isoflop.validation.answers import Answer, answer_at

Floats = NDArray[np.float64]


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
