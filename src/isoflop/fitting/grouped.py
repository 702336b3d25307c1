"""Rows in groups: problems that have one group's rows each, and problems in which groups share coordinates.

Shared coordinates s and own ones o_g of group g meet only in g's rows, so the curvature is an arrow:

    [ Σ_g S_g   C_1   C_2  …  ]
    [ C_1ᵀ      D_1           ]
    [ C_2ᵀ            D_2     ]

and a step costs one small system for each group and one of the shared coordinates (Schur's complement), whatever the
number of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective import Objective
from isoflop.fitting.solve import Batch, damped, solve_systems

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BITS = 64
_UNROLLED = 6  # coordinates of a block up to which all blocks are eliminated side by side
_MANY_BLOCKS = 200
_PIVOT = 1e-10  # share of its diagonal below which a pivot has lost its digits: such a block goes to LAPACK


class GroupRows(Batch):
    """Problems of which each has the rows of one group, with one row of weights.

    bounds: (groups + 1,), where each group's rows begin. draw, group: (problems,), which row of weights, and of targets
    where there are several, and which group each problem has. held: positions of coordinates that stay where they are.
    """

    def __init__(
        self,
        kernel: Kernel,
        target: Floats,
        objective: Objective,
        weights: Floats | None,
        *,
        bounds: Ints,
        draw: Ints,
        group: Ints,
        held: Sequence[int] = (),
    ) -> None:
        super().__init__(kernel, target, objective, weights)
        self.bounds, self.group, self.held = bounds, group, list(held)
        self.index: Ints = draw
        self.ranges: Ints = np.stack([bounds[group], bounds[group + 1]], axis=1)
        self.n_rows = int(np.diff(bounds).max())

    @property
    def descends_compiled(self) -> bool:
        """Whether the compiled engine descends; it holds the first 64 coordinates at most."""
        return self.compiled and max(self.held, default=0) < _BITS

    def weight_sums(self, count: int) -> Floats:
        """The sum of weights of each problem, (problems,)."""
        if self.weights is None:
            return np.diff(self.ranges, axis=1)[:, 0].astype(np.float64)
        running = np.concatenate([np.zeros((len(self.weights), 1)), np.cumsum(self.weights, axis=1)], axis=1)
        return np.asarray(running[self.index, self.ranges[:, 1]] - running[self.index, self.ranges[:, 0]])

    def normal_equations(
        self, theta: Floats, scale: Floats, index: Ints, newton: NDArray[np.bool_]
    ) -> tuple[Floats, Floats, Floats]:
        """The objective (problems,), its gradient (problems, k) and curvature (problems, k, k) over each one's rows."""
        if self.compiled:
            value, slope, curvature = self.kernel.tape.of(self.kernel).measure(
                *(self.target, self.weights, self.objective, theta, scale, self.index[index], newton),
                ranges=self.ranges[index],
            )
        else:
            k = self.n_free + self.objective.n_extra
            value, slope = np.empty(len(theta)), np.empty((len(theta), k))
            curvature = np.empty((len(theta), k, k))
            for group, here in self._by_group(index):
                value[here], slope[here], curvature[here] = self.measure_rows(
                    *(theta[here], scale[here], self.index[index[here]], newton[here]),
                    *(int(self.bounds[group]), int(self.bounds[group + 1])),
                )
            value = np.where(np.isfinite(value), value, np.inf)
        if self.held:
            slope[:, self.held] = 0.0
            curvature[:, self.held, :] = 0.0
            curvature[:, :, self.held] = 0.0
            curvature[:, self.held, self.held] = 1.0
        return value, slope, curvature

    def residual_sizes(self, theta: Floats) -> list[tuple[Ints, int, Floats]]:
        """For each group: its problems, and the absolute residuals of its rows in each, (those problems, rows)."""
        found = []
        for group, here in self._by_group(np.arange(len(theta))):
            first, last = int(self.bounds[group]), int(self.bounds[group + 1])
            value = np.empty((len(here), last - first))
            width = self.kernel.tile_rows(len(here))
            for start in range(first, last, width):
                stop = min(start + width, last)
                value[:, start - first : stop - first] = self.kernel.value(theta[here], start, stop)
            target = self.target[first:last] if self.target.ndim == 1 else self.target[self.index[here], first:last]
            found.append((here, group, np.abs(value - target)))
        return found

    def robust_scale(self, theta: Floats) -> Floats:
        """Log of 1.48 times the median absolute residual of each problem's rows, floored, (problems,)."""
        typical = np.empty(len(theta))
        for here, _, size in self.residual_sizes(theta):
            with np.errstate(all="ignore"):
                typical[here] = 1.4826 * np.median(np.where(np.isfinite(size), size, np.inf), axis=1)
        return np.log(np.maximum(np.where(np.isfinite(typical), typical, 1.0), 1e-13))

    def absolute_sum(self, theta: Floats) -> Floats:
        """Weighted sum of the absolute residuals of each problem's rows, (problems,)."""
        total = np.empty(len(theta))
        for here, group, size in self.residual_sizes(theta):
            if self.weights is not None:
                size *= self.weights[self.index[here], self.bounds[group] : self.bounds[group + 1]]
            total[here] = size.sum(axis=1)
        return total

    def _by_group(self, index: Ints) -> list[tuple[int, Ints]]:
        """The groups of some problems, and where in ``index`` the problems of each are."""
        groups = self.group[index]
        order = np.argsort(groups, kind="stable")
        found, begins = np.unique(groups[order], return_index=True)
        return [(int(g), here) for g, here in zip(found, np.split(order, begins[1:]), strict=True)]


@dataclass(frozen=True)
class Pull:
    """½ Σ_g Σ_j w_j (o_gj − m_j − d_gj)²: what draws pooled coordinates to their mean m, which is fitted.

    positions: of the pooled coordinates among the own ones. weight: (pooled,), w. offset: d, (problems, groups,
    pooled).
    """

    positions: tuple[int, ...]
    weight: Floats
    offset: Floats | None = None


class SharedSystem:
    """Problems of all groups at once, in which some coordinates are shared: what the solver asks (``Measured``).

    theta: (problems, n_free), shared coordinates first, then the means of pooled ones, then those of each group in
    turn, with its log σ last where each group has its own. shared, own: positions in the kernel's order.
    """

    def __init__(
        self,
        kernel: Kernel,
        target: Floats,
        objective: Objective,
        weights: Floats | None,
        *,
        bounds: Ints,
        problems: int,
        shared: Sequence[int],
        own: Sequence[int],
        own_scale: bool,
        pull: Pull | None = None,
    ) -> None:
        self.groups = len(bounds) - 1
        draw, group = np.repeat(np.arange(problems), self.groups), np.tile(np.arange(self.groups), problems)
        if weights is None and target.ndim == 1:
            draw = np.zeros_like(draw)
        self.rows = GroupRows(kernel, target, objective, weights, bounds=bounds, draw=draw, group=group)
        self.objective, self.pull = objective, pull
        self.shared, self.own = list(shared), list(own)
        self.n_shared, self.n_means = len(self.shared), 0 if pull is None else len(pull.positions)
        self.n_extra = int(objective.fits_scale and not own_scale)
        self.own_scale = objective.fits_scale and own_scale
        self.n_own = len(self.own) + int(self.own_scale)
        self.n_head = self.n_shared + self.n_means
        self.n_free = self.n_head + self.groups * self.n_own
        self.n_rows = kernel.n_rows
        # in a group's own curvature: shared, means, a shared log σ, own
        self._top = self.n_head + self.n_extra

    # -- coordinates -------------------------------------------------------------------------------------------------

    def local(self, theta: Floats) -> tuple[Floats, Floats | None]:
        """Each group's coordinates in the kernel's order (problems, groups, k), and its log σ (problems, groups)."""
        own = theta[:, self.n_head : self.n_free].reshape(len(theta), self.groups, self.n_own)
        found = np.empty((len(theta), self.groups, self.rows.kernel.n_free))
        found[:, :, self.shared] = theta[:, None, : self.n_shared]
        found[:, :, self.own] = own[:, :, : len(self.own)]
        return found, own[:, :, -1] if self.own_scale else None

    def theta(self, local: Floats, scale: Floats | None, means: Floats | None = None) -> Floats:
        """Coordinates (problems, n_free) of what :meth:`local` gives; shared ones are those of the first group."""
        own = local[:, :, self.own]
        if self.own_scale:
            assert scale is not None
            own = np.concatenate([own, scale[:, :, None]], axis=2)
        if self.pull is not None and means is None:
            means = own[:, :, list(self.pull.positions)].mean(axis=1)
        head = [local[:, 0, self.shared], *([] if means is None else [means])]
        return np.concatenate([*head, own.reshape(len(local), -1)], axis=1)

    # -- what the solver asks ----------------------------------------------------------------------------------------

    def weight_sums(self, count: int) -> Floats:
        """The sum of weights of each problem, (problems,)."""
        return self.rows.weight_sums(count).reshape(-1, self.groups).sum(axis=1)

    def room(self, count: int) -> Floats:
        """Zeros for the curvature of each group, (problems, groups, k, k)."""
        k = self._top + self.n_own
        return np.zeros((count, self.groups, k, k))

    def normal_equations(
        self, theta: Floats, scale: Floats, index: Ints, newton: NDArray[np.bool_]
    ) -> tuple[Floats, Floats, Floats]:
        """The objective (problems,), its gradient (problems, k), and curvatures (problems, groups, k, k)."""
        count, groups = len(theta), self.groups
        local, own_scale = self.local(theta)
        pairs = (index[:, None] * groups + np.arange(groups)).ravel()
        scales = np.repeat(scale, groups) if own_scale is None else own_scale.ravel()
        value, slope, curvature = self.rows.normal_equations(
            local.reshape(count * groups, -1), scales, pairs, np.repeat(newton, groups)
        )
        k = slope.shape[1]
        value, slope = value.reshape(count, groups), slope.reshape(count, groups, k)
        curvature = curvature.reshape(count, groups, k, k)
        last = [k - 1] if self.objective.fits_scale else []
        here = [*self.shared, *(last if self.n_extra else []), *self.own, *(last if self.own_scale else [])]
        places = [
            *range(self.n_shared),
            *range(self.n_head, self._top),
            *range(self._top, self._top + self.n_own),
        ]
        found = self.room(count)
        found[:, :, np.array(places)[:, None], np.array(places)] = curvature[:, :, np.array(here)[:, None], here]
        own_slope = slope[:, :, here[len(here) - self.n_own :]]
        total = value.sum(axis=1)
        means = np.zeros((count, self.n_means))
        if self.pull is not None:
            total, means = self._pulled(theta, index, found, own_slope, total)
        head = slope[:, :, self.shared].sum(axis=1)
        scale_slope = slope[:, :, last].sum(axis=1) if self.n_extra else np.zeros((count, 0))
        return total, np.concatenate([head, means, own_slope.reshape(count, -1), scale_slope], axis=1), found

    def _pulled(
        self, theta: Floats, index: Ints, curvature: Floats, own_slope: Floats, total: Floats
    ) -> tuple[Floats, Floats]:
        """The value with the pull's share, and the means' gradient; the pull is added to slope and curvature."""
        assert self.pull is not None
        positions, weight = list(self.pull.positions), self.pull.weight
        own = theta[:, self.n_head : self.n_free].reshape(len(theta), self.groups, self.n_own)[:, :, positions]
        apart = own - theta[:, None, self.n_shared : self.n_head]
        if self.pull.offset is not None:
            apart = apart - self.pull.offset[index]
        own_slope[:, :, positions] += weight * apart
        at, mean = self._top + np.array(positions), self.n_shared + np.arange(self.n_means)
        curvature[:, :, at, at] += weight
        curvature[:, :, mean, mean] += weight
        curvature[:, :, at, mean] -= weight
        curvature[:, :, mean, at] -= weight
        return total + 0.5 * (weight * apart**2).sum(axis=(1, 2)), -(weight * apart).sum(axis=1)

    def steps(self, curvature: Floats, slope: Floats, damping: Floats) -> Floats:
        """−(H + diag(H)·damping)⁻¹ g of every problem, by Schur's complement of the groups' own blocks."""
        count, top, q, head = len(slope), self._top, self.n_own, self.n_head
        own_slope = slope[:, head : self.n_free].reshape(count, self.groups, q)
        top_slope = np.concatenate([slope[:, :head], slope[:, self.n_free :]], axis=1)
        shared = damped(curvature[:, :, :top, :top].sum(axis=1), damping) if top else np.empty((count, 0, 0))
        if not q:
            step = -solve_systems(shared, top_slope)
            return np.concatenate([step[:, :head], step[:, head:]], axis=1)
        blocks = damped(curvature[:, :, top:, top:], np.broadcast_to(damping[:, None], (count, self.groups)))
        cross = curvature[:, :, :top, top:]
        right = np.concatenate([cross.transpose(0, 1, 3, 2), own_slope[..., None]], axis=3)
        solved = solve_blocks(blocks.reshape(-1, q, q), right.reshape(-1, q, top + 1)).reshape(right.shape)
        if top:
            met = np.matmul(cross, solved).sum(axis=1)
            step = -solve_systems(shared - met[:, :, :top], top_slope - met[:, :, top])
        else:
            step = np.zeros((count, 0))
        own = -solved[..., top] - np.matmul(solved[..., :top], step[:, None, :, None])[..., 0]
        return np.concatenate([step[:, :head], own.reshape(count, -1), step[:, head:]], axis=1)

    def robust_scale(self, theta: Floats) -> Floats:
        """Log of 1.48 times the median absolute residual over all groups, (problems,)."""
        local, _ = self.local(theta)
        sizes = self.rows.residual_sizes(local.reshape(-1, local.shape[2]))
        whole = np.concatenate([size for _, _, size in sizes], axis=1)
        typical = 1.4826 * np.median(np.where(np.isfinite(whole), whole, np.inf), axis=1)
        return np.log(np.maximum(np.where(np.isfinite(typical), typical, 1.0), 1e-13))

    def absolute_sum(self, theta: Floats) -> Floats:
        """Weighted sum of absolute residuals over all groups, and the pull's share, (problems,)."""
        local, _ = self.local(theta)
        return self.rows.absolute_sum(local.reshape(-1, local.shape[2])).reshape(-1, self.groups).sum(axis=1)


def solve_blocks(system: Floats, right: Floats) -> Floats:
    """Each block's solution for several right-hand sides, (blocks, q, sides); zero for one that is singular."""
    bad = np.logical_not(np.isfinite(system).all(axis=(1, 2)) & np.isfinite(right).all(axis=(1, 2)))
    if bad.any():
        system[bad] = np.eye(system.shape[1])
        right = np.where(bad[:, None, None], 0.0, right)
    if system.shape[1] > _UNROLLED or len(system) < _MANY_BLOCKS:
        return _solve_by_lapack(system, right)
    solved, safe = _eliminated(system, right)
    if not safe.all():
        rest = np.flatnonzero(~safe)
        solved[rest] = _solve_by_lapack(system[rest], right[rest])
    return solved


def _eliminated(system: Floats, right: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Gaussian elimination without exchanges of all blocks side by side, and where every pivot is clearly positive.

    LAPACK takes one block at a time, whose overhead is most of the time of a system of three.
    """
    q = system.shape[1]
    rows = np.ascontiguousarray(np.concatenate([system, right], axis=2).transpose(1, 2, 0))  # (q, q + sides, blocks)
    safe = np.ones(len(system), dtype=bool)
    with np.errstate(all="ignore"):
        least = _PIVOT * np.einsum("bkk->kb", system)
        for at in range(q):
            safe &= rows[at, at] > least[at]
            rows[at, at + 1 :] /= rows[at, at]
            for below in range(at + 1, q):
                rows[below, at + 1 :] -= rows[below, at] * rows[at, at + 1 :]
        for at in range(q - 1, 0, -1):
            for above in range(at):
                rows[above, q:] -= rows[above, at] * rows[at, q:]
    return rows[:, q:].transpose(2, 0, 1).copy(), safe


def _solve_by_lapack(system: Floats, right: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(system, right))
    except np.linalg.LinAlgError:
        return np.asarray(np.matmul(np.linalg.pinv(system), right))
