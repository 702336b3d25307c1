"""The batched solver: damped Gauss–Newton on many problems at once, finished ones dropped from the batch.

Each problem is one set of weights over the rows and one start. Steps begin with reweighted least squares and pass to
the objective's own curvature near the end: with the Huber width that the field uses, reweighting alone needs four times
the steps and stops short. Convergence is judged by the relative gain of a step, so that multiplying the objective, or
the weights, by a constant changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.kernel import Kernel
from isoflop.fitting.native import engine_of
from isoflop.fitting.native.tape import Settings
from isoflop.fitting.objective import Objective

Floats = NDArray[np.float64]

BATCH = 128  # problems solved together; with some 240 rows a batch's buffers stay in cache
_CHUNK = 2_048  # problems held at once
_MEMORY = 4_000_000  # elements (problems × rows) of weights at once
_LIMIT = 80.0  # coordinates are logarithms or exponents: beyond this they mean zero or infinity
_LONGEST = 6.0  # longest step in any one coordinate
_NEARLY = 1e-2  # relative gain of a step below which the objective's own curvature is used
_UNDAMPED = np.array([1e-12])
_QUIET = 2  # consecutive steps that must gain less than the tolerance


@dataclass(frozen=True)
class Solution:
    """Optima of many problems.

    theta: (problems, coordinates); scale: (problems,), log σ where the objective fits one, else its width.
    value: (problems,), the objective; steps: (problems,); converged: (problems,).
    """

    theta: Floats
    scale: Floats
    value: Floats
    steps: NDArray[np.int64]
    converged: NDArray[np.bool_]

    def one(self, problem: int) -> Solution:
        """The optimum of one problem alone."""
        here = slice(problem, problem + 1)
        return Solution(self.theta[here], self.scale[here], self.value[here], self.steps[here], self.converged[here])


def batch_size(n_rows: int) -> int:
    """Problems to solve together on a table of that many rows."""
    return max(1, min(BATCH, _MEMORY // max(1, n_rows)))


def solve(
    kernel: Kernel,
    target: Floats,
    starts: Floats,
    objective: Objective,
    *,
    weights: Floats | None = None,
    scales: Floats | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 300,
    near: bool = False,
) -> Solution:
    """Minimize the objective for every start.

    target: what the kernel's value is compared with (log loss or raw loss), (rows,) or (problems, rows).
    starts: (problems, coordinates), held coordinates last.
    weights: (problems, rows), or None for ones.
    scales: (problems,) starts of log σ for an objective that fits one; otherwise ignored.
    near: whether starts are near their optima, so that the objective's own curvature serves from the first step.
    """
    chunk_size = max(batch_size(kernel.n_rows), min(_CHUNK, _MEMORY // kernel.n_rows))
    pieces = []
    for first in range(0, len(starts), chunk_size):
        chunk = slice(first, first + chunk_size)
        problem = Batch(
            kernel,
            target if target.ndim == 1 else target[chunk],
            objective,
            None if weights is None else np.ascontiguousarray(weights[chunk], dtype=np.float64),
        )
        scale = None if scales is None else scales[chunk]
        pieces.append(
            solve_measured(problem, starts[chunk].copy(), scale, tolerance=tolerance, max_steps=max_steps, near=near)
        )
    fields = ("theta", "scale", "value", "steps", "converged")
    return Solution(*(np.concatenate([getattr(piece, each) for piece in pieces]) for each in fields))


class Measured(Protocol):
    """Problems as the solver sees them, wherever their rows are: :class:`Batch` holds them in memory."""

    objective: Objective

    @property
    def n_free(self) -> int:
        """Free coordinates."""

    @property
    def n_extra(self) -> int:
        """Coordinates that follow the free ones in a system: log σ where the objective fits one for all rows."""

    @property
    def n_rows(self) -> int:
        """Rows of the table."""

    def room(self, count: int) -> Floats:
        """Zeros in the shape of the curvature of that many problems."""

    def steps(self, curvature: Floats, slope: Floats, damping: Floats) -> Floats:
        """The damped steps (problems, k) of normal equations; damping: (problems,)."""

    def weight_sums(self, count: int) -> Floats:
        """The sum of weights of each problem, (problems,)."""

    def normal_equations(
        self, theta: Floats, scale: Floats, index: NDArray[np.int64], newton: NDArray[np.bool_]
    ) -> tuple[Floats, Floats, Floats]:
        """The objective (problems,), its gradient (problems, k) and curvature (problems, k, k)."""

    def robust_scale(self, theta: Floats) -> Floats:
        """Log of the residuals' robust scale, (problems,)."""

    def absolute_sum(self, theta: Floats) -> Floats:
        """Sum of absolute residuals, (problems,)."""


class Dense:
    """Normal equations in which every coordinate may meet every other: a k × k curvature for each problem."""

    objective: Objective
    n_free: int

    @property
    def n_extra(self) -> int:
        """Log σ where the objective fits one."""
        return self.objective.n_extra

    def room(self, count: int) -> Floats:
        """Zeros, (problems, k, k)."""
        k = self.n_free + self.n_extra
        return np.zeros((count, k, k))

    def steps(self, curvature: Floats, slope: Floats, damping: Floats) -> Floats:
        """−(H + diag(H)·damping)⁻¹ g of every problem."""
        return -solve_systems(damped(curvature, damping), slope)


def damped(curvature: Floats, damping: Floats) -> Floats:
    """Curvatures (…, k, k) with their diagonals raised by the share ``damping`` (…), and by rounding."""
    system = curvature.copy()
    diagonal = np.einsum("...kk->...k", system)
    floor = 1e-14 * diagonal.max(axis=-1, keepdims=True) + 1e-300
    np.einsum("...kk->...k", system)[...] = diagonal * (1 + damping[..., None]) + floor
    return system


def solve_measured(
    problem: Measured,
    theta: Floats,
    scale: Floats | None,
    *,
    tolerance: float = 1e-9,
    max_steps: int = 300,
    near: bool = False,
) -> Solution:
    """Minimize from every start in ``theta``; see :func:`solve`, which does so for rows in memory."""
    near = near and problem.objective.smooth  # a corner has no curvature, and more steps than without

    def descend(problem: Measured, theta: Floats, scale: Floats, tolerance: float) -> Solution:
        if isinstance(problem, Batch) and problem.descends_compiled:
            return _descend_compiled(problem, theta, scale, tolerance, max_steps, near)
        return _descend(problem, theta, scale, tolerance, max_steps, near)

    return problem.objective.minimize(problem, theta, scale, tolerance, descend)


def _descend(problem: Measured, theta: Floats, scale: Floats, tolerance: float, max_steps: int, near: bool) -> Solution:
    """Levenberg–Marquardt on every problem until none moves.

    A window of problems moves together; as they finish, waiting ones take their place, so that the last slow problems
    do not run in small, wasteful batches.
    """
    fitted_scale = problem.n_extra > 0
    n_free = problem.n_free
    count = len(theta)
    window = batch_size(problem.n_rows)
    value, slope = np.full(count, np.inf), np.zeros((count, n_free + problem.n_extra))
    curvature = problem.room(count)
    damping = np.full(count, 1e-3)
    newton = np.full(count, near)
    quiet = np.zeros(count, dtype=np.int64)
    steps = np.zeros(count, dtype=np.int64)
    converged = np.zeros(count, dtype=bool)
    norm = problem.weight_sums(count)

    def measure(rows: NDArray[np.int64]) -> None:
        found, slope[rows], curvature[rows] = problem.normal_equations(theta[rows], scale[rows], rows, newton[rows])
        value[rows] = np.where(np.isfinite(found), found, np.inf)

    active = np.empty(0, dtype=np.int64)
    waiting = 0
    while len(active) or waiting < count:
        if len(active) <= window // 2 and waiting < count:
            entering = np.arange(waiting, min(count, waiting + window - len(active)))
            waiting = int(entering[-1]) + 1
            measure(entering)
            active = np.concatenate([active, entering])
        step = np.clip(problem.steps(curvature[active], slope[active], damping[active]), -_LONGEST, _LONGEST)
        trial = theta[active]
        trial[:, :n_free] = np.clip(trial[:, :n_free] + step[:, :n_free], -_LIMIT, _LIMIT)
        trial_scale = scale[active] + step[:, n_free] if fitted_scale else scale[active]
        tried, tried_slope, tried_curvature = problem.normal_equations(trial, trial_scale, active, newton[active])
        before = value[active]
        better = tried < before
        size = problem.objective.magnitude(before, norm[active])
        with np.errstate(all="ignore"):
            gain = np.where(np.isfinite(before), (before - tried) / size, 1.0)
        kept = active[better]
        theta[kept], scale[kept], value[kept] = trial[better], trial_scale[better], tried[better]
        slope[kept], curvature[kept] = tried_slope[better], tried_curvature[better]
        steps[active] += 1
        stuck = ~better & (damping[active] > 1e6)
        damping[active] = np.where(stuck, 1e-3, np.where(better, damping[active] * 0.1, damping[active] * 8 + 1e-9))
        quiet[active] = np.where(better, (quiet[active] + 1) * (gain < tolerance), quiet[active] + stuck)
        was_newton = newton[active]
        newton[active] = np.where(better, was_newton | (gain < _NEARLY), was_newton & ~stuck)
        done = (quiet[active] >= _QUIET) | (stuck & ~was_newton) | (value[active] == 0)
        # a problem that is stuck with its own curvature tries once more with the reweighted one
        again = active[stuck & was_newton & ~done]
        if len(again):
            measure(again)
        converged[active[done]] = np.isfinite(value[active[done]])
        active = active[~done & (steps[active] < max_steps)]
    return Solution(theta, scale, value, steps, converged)


def _descend_compiled(
    problem: Batch, theta: Floats, scale: Floats, tolerance: float, max_steps: int, near: bool
) -> Solution:
    """The same steps in the compiled engine, one problem after another."""
    held = sum(1 << at for at in problem.held)
    settings = Settings(tolerance, _LONGEST, _LIMIT, _NEARLY, max_steps, _QUIET, held, near)
    tape = problem.kernel.tape.of(problem.kernel)
    found = tape.descend(
        *(problem.target, problem.weights, problem.objective, theta, scale, settings),
        index=problem.index,
        ranges=problem.ranges,
    )
    return Solution(*found)


def polish(
    kernel: Kernel, target: Floats, found: Solution, objective: Objective, *, weights: Floats | None = None
) -> Solution:
    """The one problem of ``found`` brought as near to a vanishing gradient as rounding allows. weights: (rows,).

    Near the optimum the objective is flat: its last changes drown in rounding while parameters still move in the eighth
    digit. Newton steps are therefore taken here as long as they make the gradient shrink, whatever the objective does.
    """
    return polish_measured(Batch(kernel, target, objective, None if weights is None else weights[None]), found)


def polish_measured(problem: Measured, found: Solution) -> Solution:
    """The one problem of ``found`` brought nearer; see :func:`polish`."""
    objective, n_free = problem.objective, problem.n_free
    if not objective.smooth:  # its optimum is a corner, found exactly by the last, narrow width
        return found
    index, newton = np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool)
    theta, scale = found.theta.copy(), found.scale.copy()
    value, slope, curvature = problem.normal_equations(theta, scale, index, newton)
    decrement = np.inf
    for _ in range(60):
        step = problem.steps(curvature, slope, _UNDAMPED)
        expected = float(-(slope * step).sum())
        if not 0 < expected < decrement or np.abs(step).max() > 1:
            break
        trial = theta.copy()
        trial[:, :n_free] += step[:, :n_free]
        trial_scale = scale + step[:, n_free] if problem.n_extra else scale
        tried, tried_slope, tried_curvature = problem.normal_equations(trial, trial_scale, index, newton)
        if not tried[0] <= value[0] + 1e-12 * abs(value[0]):
            break
        decrement = expected
        theta, scale, value, slope, curvature = trial, trial_scale, tried, tried_slope, tried_curvature
    return Solution(theta, scale, value, found.steps, found.converged)


def solve_systems(system: Floats, slope: Floats) -> Floats:
    """Solve each (coordinates × coordinates) system; a singular one gives no step instead of an error for all."""
    bad = np.logical_not(np.isfinite(system).all(axis=(1, 2)) & np.isfinite(slope).all(axis=1))
    if bad.any():
        system[bad] = np.eye(system.shape[1])
        slope = np.where(bad[:, None], 0.0, slope)
    try:
        solved = np.linalg.solve(system, slope[..., None])[..., 0]
    except np.linalg.LinAlgError:
        solved = np.einsum("bij,bj->bi", np.linalg.pinv(system), slope)
    return np.asarray(solved, dtype=np.float64)


class Batch(Dense):
    """Problems that are solved together: one kernel, their targets and their weights.

    index: (problems,), the row of weights of each problem, and of targets where each has its own; None for its own.
    ranges: (problems, 2), the rows of the table that each problem has, or None for all.
    held: positions of coordinates that stay where they are.
    """

    index: NDArray[np.int64] | None = None
    ranges: NDArray[np.int64] | None = None
    held: Sequence[int] = ()

    def __init__(self, kernel: Kernel, target: Floats, objective: Objective, weights: Floats | None) -> None:
        self.kernel = kernel
        self.target = target
        self.objective = objective
        self.weights = weights
        self.n_free = kernel.n_free
        self.n_rows = kernel.n_rows

    @property
    def compiled(self) -> bool:
        """Whether the compiled engine measures."""
        return engine_of(self.objective) == "native"

    @property
    def descends_compiled(self) -> bool:
        """Whether the compiled engine descends."""
        return self.compiled

    def weight_sums(self, count: int) -> Floats:
        """The sum of weights of each problem, (problems,)."""
        if self.weights is None:
            return np.full(count, float(self.kernel.n_rows))
        return self.weights.sum(axis=1)

    def normal_equations(
        self, theta: Floats, scale: Floats, index: NDArray[np.int64], newton: NDArray[np.bool_]
    ) -> tuple[Floats, Floats, Floats]:
        """The objective (problems,), its gradient (problems, k) and curvature (problems, k, k), summed over tiles."""
        if self.compiled:
            return self.kernel.tape.of(self.kernel).measure(
                self.target, self.weights, self.objective, theta, scale, index, newton
            )
        return self.measure_rows(theta, scale, index, newton, 0, self.kernel.n_rows)

    def measure_rows(
        self, theta: Floats, scale: Floats, index: NDArray[np.int64], newton: NDArray[np.bool_], first: int, last: int
    ) -> tuple[Floats, Floats, Floats]:
        """The same over some rows, in NumPy; index: the row of weights, and of targets, of each problem."""
        kernel = self.kernel
        n_free, n_extra = kernel.n_free, self.objective.n_extra
        count, k = len(theta), n_free + n_extra
        value, slope, curvature = np.zeros(count), np.zeros((count, k)), np.zeros((count, k, k))
        everyone = self.weights is None or np.array_equal(index, np.arange(len(self.weights)))
        width = kernel.tile_rows(count)
        for start in range(first, last, width):
            stop = min(start + width, last)
            residual, jacobian = kernel.value_and_jacobian(theta, start, stop)
            residual -= self._target(index, start, stop)
            weights = None
            if self.weights is not None:
                weights = self.weights[:, start:stop] if everyone else self.weights[index, start:stop]
            with np.errstate(all="ignore"):
                piece = self.objective.parts(residual, weights, newton, scale)
                value += piece.total
                slope[:, :n_free] += np.matmul(jacobian, piece.slope[:, :, None])[..., 0]
                weighted = jacobian * piece.curvature[:, None, :]
                curvature[:, :n_free, :n_free] += np.matmul(weighted, jacobian.transpose(0, 2, 1))
                if piece.extra is not None:
                    own_slope, own_curvature, mixed = piece.extra
                    slope[:, n_free] += own_slope
                    curvature[:, n_free, n_free] += own_curvature
                    cross = np.matmul(jacobian, mixed[:, :, None])[..., 0]
                    curvature[:, :n_free, n_free] += cross
                    curvature[:, n_free, :n_free] += cross
        return value, slope, curvature

    def residuals(self, theta: Floats) -> Floats:
        """Residuals of every problem, (problems, rows)."""
        kernel = self.kernel
        index = np.arange(len(theta))
        out = np.empty((len(theta), kernel.n_rows))
        width = kernel.tile_rows(len(theta))
        for start in range(0, kernel.n_rows, width):
            stop = min(start + width, kernel.n_rows)
            out[:, start:stop] = kernel.value(theta, start, stop) - self._target(index, start, stop)
        return out

    def robust_scale(self, theta: Floats) -> Floats:
        """Log of 1.48 times the median absolute residual, floored, (problems,)."""
        with np.errstate(all="ignore"):
            typical = 1.4826 * np.nanmedian(np.abs(self.residuals(theta)), axis=1)
        return np.log(np.maximum(np.where(np.isfinite(typical), typical, 1.0), 1e-13))

    def absolute_sum(self, theta: Floats) -> Floats:
        """Weighted sum of absolute residuals, (problems,)."""
        size = np.abs(self.residuals(theta))
        return size.sum(axis=1) if self.weights is None else np.einsum("bn,bn->b", size, self.weights)

    def _target(self, index: NDArray[np.int64], start: int, stop: int) -> Floats:
        if self.target.ndim == 1:
            return self.target[start:stop]
        return self.target[index, start:stop]
