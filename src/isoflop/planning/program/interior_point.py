"""A primal-dual interior-point method for many small smooth programs at once: one row each, all steps vectorized.

Newton steps on the barrier's optimality conditions with exact second derivatives; slacks for inequalities; a line
search on an exact penalty. Which rows are left to solve shrinks as they converge.
Sources: Wächter and Biegler 2006 (filter replaced by a penalty); Vanderbei and Shanno 1999 (the barrier's decrease).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.program.smooth_program import Derivatives, Leaves, SmoothProgram
from isoflop.values import Value

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STEPS = 120
TOLERANCE = 1e-9  # of the optimality conditions, relative to their size
FEASIBLE = 1e-7  # violation of a constraint below which it holds
_INSIDE = 0.995  # share of the way to a bound that a step may go
_HALVINGS = 14
_LEAST_CURVATURE = 1e-8


@dataclass(frozen=True)
class Solutions(Value):
    """y (rows, n), f (rows,), the largest violation of a constraint (rows,), and the error of the conditions (rows,).

    multipliers: of every inequality (rows, m): how much f falls where its right side rises by one.
    """

    y: Floats
    value: Floats
    violation: Floats
    error: Floats
    multipliers: Floats

    @property
    def solved(self) -> Mask:
        """Rows at a feasible point of (nearly) no error."""
        return np.isfinite(self.value) & (self.violation <= FEASIBLE) & (self.error <= 1e-5)


@dataclass
class _State:
    """Iterates of some rows: point, slacks, multipliers of conditions and of both bounds, barrier, penalty."""

    y: Floats
    s: Floats
    lam: Floats
    nu: Floats
    below: Floats
    above: Floats
    mu: Floats
    penalty: Floats

    def take(self, rows: NDArray[np.intp] | Mask) -> _State:
        return _State(*(each[rows] for each in vars(self).values()))


def minimize(program: SmoothProgram, leaves: Leaves, start: Floats, *, barrier: float = 0.1) -> Solutions:
    """A local minimum of the program for each row, from its start (rows, n).

    leaves: every other name → a number or (rows,). barrier: the first one; small where the start is nearly optimal.
    """
    with np.errstate(all="ignore"):
        return _minimize(program, leaves, start, barrier)


def _minimize(program: SmoothProgram, leaves: Leaves, start: Floats, barrier: float) -> Solutions:
    rows = len(start)
    m, p = len(program.inequalities), len(program.equalities)
    low, high = program.low, program.high
    margin = np.minimum(1e-2, 1e-2 * (high - low)) * min(1.0, barrier * 10)
    y = np.clip(start, low + margin, high - margin)
    values = program.values(y, leaves)
    gap = -values[:, 1 : 1 + m]
    s = np.where(np.isfinite(gap), np.maximum(gap, min(0.1, barrier)), 1.0)
    state = _State(
        y=y,
        s=s,
        lam=barrier / s,
        nu=np.zeros((rows, p)),
        below=barrier / (y - low),
        above=barrier / (high - y),
        mu=np.full(rows, barrier),
        penalty=np.ones(rows),
    )
    best = Solutions(y.copy(), np.full(rows, np.inf), np.full(rows, np.inf), np.full(rows, np.inf), np.zeros((rows, m)))
    alive = np.flatnonzero(np.isfinite(values).all(axis=1))
    state = state.take(alive)
    here = _some(leaves, alive)
    stuck, idle = np.zeros(len(alive), dtype=np.int64), np.zeros(len(alive), dtype=np.int64)
    reached = np.full(len(alive), np.inf)
    at: Derivatives | None = None
    for _ in range(STEPS):
        if not len(alive):
            break
        at = program.derivatives(state.y, here) if at is None else at
        _keep(best, alive, state, at, program)
        improved = best.error[alive] < 0.9 * reached
        idle = np.where(improved, 0, idle + 1)
        reached = np.where(improved, best.error[alive], reached)
        going = (reached > TOLERANCE) & (stuck < 3) & (idle < np.where(reached < FEASIBLE, 5, 15))
        if not going.all():
            alive, state, stuck = alive[going], state.take(going), stuck[going]
            idle, reached = idle[going], reached[going]
            here = _some(leaves, alive)
            at = Derivatives(at.values[going], at.slopes[going], at.curvatures[going])
            if not len(alive):
                break
        _lower_barrier(state, program)
        moved, at = _step(program, state, at, here)
        stuck = np.where(moved, 0, stuck + 1)
    return best


def _some(leaves: Leaves, rows: NDArray[np.intp]) -> Mapping[str, Floats | float]:
    return {label: each[rows] if isinstance(each, np.ndarray) and each.ndim else each for label, each in leaves.items()}


def _keep(best: Solutions, alive: NDArray[np.intp], state: _State, at: Derivatives, program: SmoothProgram) -> None:
    """Put down the points that are nearer to the conditions than those before them."""
    m = len(program.inequalities)
    c, e = at.values[:, 1 : 1 + m], at.values[:, 1 + m :]
    violation = np.maximum(c.max(axis=1, initial=0.0), np.abs(e).max(axis=1, initial=0.0))
    slope = _lagrangian_slope(state, at, m)
    products = [state.s * state.lam, (state.y - program.low) * state.below, (program.high - state.y) * state.above]
    complementary = np.concatenate(products, axis=1).max(axis=1)
    size = np.maximum(
        1.0, np.concatenate([state.lam, np.abs(state.nu)], axis=1).mean(axis=1) if at.values.shape[1] > 1 else 1.0
    )
    error = np.maximum(np.abs(slope).max(axis=1), complementary) / size
    error = np.maximum(error, np.maximum(violation, np.abs(c + state.s).max(axis=1, initial=0.0)))
    error = np.where(np.isfinite(error), error, np.inf)
    better = error < best.error[alive]
    rows = alive[better]
    best.y[rows] = state.y[better]
    best.value[rows] = at.values[better, 0]
    best.violation[rows] = violation[better]
    best.error[rows] = error[better]
    best.multipliers[rows] = state.lam[better]


def _lagrangian_slope(state: _State, at: Derivatives, m: int) -> Floats:
    found = at.slopes[:, 0] - state.below + state.above
    if m:
        found = found + np.einsum("bj,bjn->bn", state.lam, at.slopes[:, 1 : 1 + m])
    if state.nu.shape[1]:
        found = found + np.einsum("bj,bjn->bn", state.nu, at.slopes[:, 1 + m :])
    return found


def _lower_barrier(state: _State, program: SmoothProgram) -> None:
    """μ from the mean and the least product of a multiplier with its distance."""
    products = np.concatenate(
        [state.s * state.lam, (state.y - program.low) * state.below, (program.high - state.y) * state.above], axis=1
    )
    mean = products.mean(axis=1)
    ratio = np.clip(products.min(axis=1) / mean, 1e-12, 1.0)
    state.mu = np.maximum(0.1 * np.minimum(0.05 * (1 - ratio) / ratio, 2.0) ** 3 * mean, 1e-13)
    state.mu = np.maximum(state.mu, np.maximum(1e-3 * mean, 1e-11))


def _step(program: SmoothProgram, state: _State, at: Derivatives, leaves: Leaves) -> tuple[Mask, Derivatives | None]:
    """One Newton step of every row, shortened where it must be; changes ``state``.

    Returns which rows moved, and the derivatives at the new points where no step had to be shortened.
    """
    rows, n = state.y.shape
    m = len(program.inequalities)
    c, e = at.values[:, 1 : 1 + m], at.values[:, 1 + m :]
    jc, je = at.slopes[:, 1 : 1 + m], at.slopes[:, 1 + m :]
    from_low, to_high = state.y - program.low, program.high - state.y
    mu = state.mu[:, None]
    weights = np.concatenate([np.ones((rows, 1)), state.lam, state.nu], axis=1)
    hessian = np.einsum("bk,bkij->bij", weights, at.curvatures)
    diagonal = state.below / from_low + state.above / to_high
    ratio = state.lam / state.s
    hessian = hessian + np.einsum("bj,bji,bjk->bik", ratio, jc, jc)
    index = np.arange(n)
    hessian[:, index, index] += diagonal
    target = -(
        at.slopes[:, 0]
        + np.einsum("bj,bjn->bn", state.lam + mu / state.s + ratio * c, jc)
        - mu / from_low
        + mu / to_high
    )
    dy, nu = _newton(hessian, target, je, e)
    ds = -(c + state.s) - np.einsum("bjn,bn->bj", jc, dy)
    dlam = mu / state.s + ratio * c + ratio * np.einsum("bjn,bn->bj", jc, dy)
    dbelow = mu / from_low - state.below - state.below / from_low * dy
    dabove = mu / to_high - state.above + state.above / to_high * dy
    primal = _longest(np.concatenate([ds, dy, -dy], axis=1), np.concatenate([state.s, from_low, to_high], axis=1))
    dual = _longest(
        np.concatenate([dlam, dbelow, dabove], axis=1), np.concatenate([state.lam, state.below, state.above], axis=1)
    )
    largest = np.concatenate([np.abs(state.lam + dlam), np.abs(nu)], axis=1).max(axis=1, initial=0.0)
    # twice the largest multiplier, lower where that has fallen: a heavy penalty makes steps along a curve short
    state.penalty = np.maximum(2 * largest, 0.1 * state.penalty)

    def merit(y: Floats, s: Floats, values: Floats) -> Floats:
        barrier = np.log(s).sum(axis=1) + np.log(y - program.low).sum(axis=1) + np.log(program.high - y).sum(axis=1)
        gaps = np.abs(values[:, 1 : 1 + m] + s).sum(axis=1) + np.abs(values[:, 1 + m :]).sum(axis=1)
        return np.asarray(values[:, 0] - state.mu * barrier + state.penalty * gaps)

    before = merit(state.y, state.s, at.values)
    slack = 1e-12 * (1 + np.abs(before))
    length = primal.copy()
    waiting = np.arange(rows)
    y, s = state.y + length[:, None] * dy, state.s + length[:, None] * ds
    accepted = np.zeros(rows, dtype=bool)
    there: Derivatives | None = None
    for trial in range(_HALVINGS):
        there = program.derivatives(y, leaves) if trial == 0 else None
        after = merit(y, s, program.values(y, leaves) if there is None else there.values)
        accepted = np.isfinite(after) & (after <= before + slack)
        waiting = np.flatnonzero(~accepted)
        if not len(waiting):
            break
        length[waiting] /= 2
        y[waiting] = state.y[waiting] + length[waiting, None] * dy[waiting]
        s[waiting] = state.s[waiting] + length[waiting, None] * ds[waiting]
    y[waiting], s[waiting] = state.y[waiting], state.s[waiting]
    state.y, state.s = y, s
    state.nu = np.where(accepted[:, None], nu, state.nu)
    size = np.where(accepted, dual, dual * 0.1)[:, None]
    state.lam = state.lam + size * dlam
    state.below = state.below + size * dbelow
    state.above = state.above + size * dabove
    # multipliers stay within a factor of the barrier's own, so that a poor step does not undo the next ones
    for label, distance in (("lam", state.s), ("below", y - program.low), ("above", program.high - y)):
        own = state.mu[:, None] / distance
        setattr(state, label, np.clip(getattr(state, label), own / 1e10, own * 1e10))
    return accepted, there if accepted.all() else None


def _longest(direction: Floats, distance: Floats) -> Floats:
    """The longest step up to 1 that goes at most 0.995 of the way to any bound, (rows,)."""
    with np.errstate(all="ignore"):
        reach = np.where(direction < 0, -_INSIDE * distance / direction, np.inf)
    return np.minimum(1.0, reach.min(axis=1, initial=np.inf))


def _newton(hessian: Floats, target: Floats, je: Floats, e: Floats) -> tuple[Floats, Floats]:
    """dy and the new multipliers of the equalities; the Hessian made positive where it is not."""
    rows, n = target.shape
    p = e.shape[1]
    rho = np.zeros(rows)
    if p:  # adding ρ JᵀJ on both sides changes no exact step, and makes the Hessian positive where it is so along J
        size = np.abs(hessian).max(axis=(1, 2)) / np.maximum(np.einsum("bjn,bjn->b", je, je), 1e-12)
        rho = 10 * size
        hessian = hessian + rho[:, None, None] * np.einsum("bji,bjk->bik", je, je)
        target = target - rho[:, None] * np.einsum("bj,bji->bi", e, je)
    hessian = np.where(np.isfinite(hessian), hessian, 0.0)
    target = np.where(np.isfinite(target), target, 0.0)
    least = np.linalg.eigvalsh(hessian)[:, 0] if n > 1 else hessian[:, 0, 0]
    size = np.abs(hessian).max(axis=(1, 2))
    index = np.arange(n)
    floor = _LEAST_CURVATURE * np.minimum(1.0, size) + 1e-14
    hessian[:, index, index] += np.where(least < floor, floor - least + np.maximum(0.0, -least) * 0.1, 0.0)[:, None]
    system = np.zeros((rows, n + p, n + p))
    system[:, :n, :n] = hessian
    system[:, :n, n:] = je.transpose(0, 2, 1)
    system[:, n:, :n] = je
    # equalities that hold each other's gradients (a sum that is written twice) leave a singular system
    system[:, n + np.arange(p), n + np.arange(p)] -= 1e-12
    right = np.concatenate([target, -e], axis=1)
    try:
        solved = np.linalg.solve(system, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        solved = (np.linalg.pinv(system) @ right[:, :, None])[:, :, 0]
    solved = np.where(np.isfinite(solved), solved, 0.0)
    dy, nu = solved[:, :n], solved[:, n:]
    return dy, nu + rho[:, None] * (np.einsum("bjn,bn->bj", je, dy) + e)
