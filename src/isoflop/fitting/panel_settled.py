"""Starts of a joint descent in which every group has settled at its own optimum for the shared coordinates.

A joint step moves all groups with one damping, so that one group at a kink holds up all others: near absolute
deviations, with hundreds of groups, that takes a hundred steps. For given shared coordinates each group's optimum is a
small problem of its own, which the compiled engine solves with damping of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.grouped import SharedSystem
from isoflop.fitting.panel_table import PanelProblem
from isoflop.fitting.solve import solve_measured

Floats = NDArray[np.float64]

_TOLERANCE = 1e-6
_STEPS = 20  # of a group by itself
_LONGEST = 1.0  # step of a shared coordinate


def settles(system: SharedSystem) -> bool:
    """Whether it pays: the objective is near absolute deviations, coordinates are both shared and own, rows many."""
    many = system.rows.target.shape[-1] > 2 * system.groups * system.n_own
    near_absolute = system.objective.smooth and not system.objective.likelihood
    apart = bool(system.n_shared and system.own) and system.pull is None
    return bool(many and near_absolute and apart and system.rows.compiled)


def settled(
    ready: PanelProblem, system: SharedSystem, theta: Floats, *, weights: Floats | None, target: Floats | None
) -> Floats:
    """argmin_o F(s, o) at the given shared coordinates, and after one Newton step of all; the better of each problem.

    theta: (problems, coordinates) as the system has them, from which the search begins.
    """
    own, value = _own_optima(ready, system, theta, weights, target)
    every = np.arange(len(theta))
    _, slope, curvature = system.normal_equations(own, np.zeros(len(theta)), every, np.zeros(len(theta), dtype=bool))
    step = system.steps(curvature, slope, np.full(len(theta), 1e-6))
    longest = np.abs(step[:, : system.n_shared]).max(axis=1)
    step *= np.minimum(1.0, _LONGEST / np.maximum(longest, 1e-300))[:, None]
    moved, tried = _own_optima(ready, system, own + step, weights, target)
    return np.where((tried < value)[:, None], moved, own)


def _own_optima(
    ready: PanelProblem, system: SharedSystem, theta: Floats, weights: Floats | None, target: Floats | None
) -> tuple[Floats, Floats]:
    """Theta with every group's own optimum, and the objective (problems,), shared coordinates held."""
    count, groups = len(theta), system.groups
    local, _ = system.local(theta)
    several = weights is not None or (target is not None and target.ndim == 2)
    draw = np.arange(count) if several else np.zeros(count, dtype=np.int64)
    pairs = ready.each_group(
        np.repeat(draw, groups), np.tile(np.arange(groups), count), weights=weights, target=target, held=True
    )
    begin = local.reshape(count * groups, -1).copy()
    found = solve_measured(pairs, begin, None, tolerance=_TOLERANCE, max_steps=_STEPS)
    value = np.where(np.isfinite(found.value), found.value, np.inf).reshape(count, groups).sum(axis=1)
    return system.theta(found.theta.reshape(local.shape), None), value
