"""The optimum of a panel: own fits of the groups, shared coordinates from several candidates, then all together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.fit import SAME, best_optimum, problem
from isoflop.fitting.grouped import Pull
from isoflop.fitting.panel_settled import settled, settles
from isoflop.fitting.panel_table import PanelProblem
from isoflop.fitting.refit import floors
from isoflop.fitting.solve import Solution, polish_measured, solve_measured

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MANY = 16  # groups from which on fewer starts are spent on each
_STARTS, _FEW_STARTS = 24, 8
_CANDIDATES, _FEW_CANDIDATES = 6, 2  # own fits whose shared coordinates are tried for all groups
_JOINT = 3  # candidates from which all coordinates are fitted together
_HELD_STEPS, _FEW_HELD_STEPS = 25, 12
_SEARCH_STEPS = 60
_ROUGH = 1e-5  # relative gain at which a group's own search ends where there are many: the joint fit goes on from there
_LAST_STEPS = 3_000
_GONE, _INSIDE = 1e-3, 0.1  # as in refit: a floor below this share of the lowest loss begins again at that one


@dataclass(frozen=True)
class PanelOptimum:
    """Where a panel's problems ended.

    local: (problems, groups, k), each group's coordinates in the kernel's order. scale: (problems, groups), log σ where
    the objective fits one. means: (problems, pooled). value, converged: (problems,).
    reached, tried: candidates that ended at the optimum, of how many; for a search alone.
    """

    local: Floats
    scale: Floats
    means: Floats
    value: Floats
    converged: NDArray[np.bool_]
    reached: int = 1
    tried: int = 1

    def take(self, problems: NDArray[np.int64] | NDArray[np.bool_]) -> PanelOptimum:
        """Some of the problems."""
        fields = ("local", "scale", "means", "value", "converged")
        return replace(self, **{each: getattr(self, each)[problems] for each in fields})

    @staticmethod
    def joined(pieces: Sequence[PanelOptimum]) -> PanelOptimum:
        """The problems of several, in their order."""
        return PanelOptimum(
            local=np.concatenate([each.local for each in pieces]),
            scale=np.concatenate([each.scale for each in pieces]),
            means=np.concatenate([each.means for each in pieces]),
            value=np.concatenate([each.value for each in pieces]),
            converged=np.concatenate([each.converged for each in pieces]),
        )

    def merged(self, rows: Ints, other: PanelOptimum) -> PanelOptimum:
        """The problems, those at ``rows`` replaced by the other's where these are better."""
        better = np.where(np.isfinite(other.value), other.value, np.inf) < self.value[rows]
        fields = {}
        for each in ("local", "scale", "means", "value", "converged"):
            fields[each] = getattr(self, each).copy()
            fields[each][rows[better]] = getattr(other, each)[better]
        return replace(self, **fields)


def search(ready: PanelProblem, *, starts: int, seed: int) -> PanelOptimum:
    """The best optimum (one problem) of a panel in which something is shared; pooled parameters count as own."""
    begin, whole = _candidates(ready, starts, seed)
    count = len(begin)
    system = ready.system(count)
    scale = np.full(count, whole) if system.n_extra else None
    local = begin[:, :, : ready.kernel.n_free]
    own_scale = begin[:, :, -1] if ready.own_scale else None
    found = solve_measured(system, system.theta(local, own_scale), scale, max_steps=_SEARCH_STEPS)
    values = np.where(np.isfinite(found.value), found.value, np.inf)
    if np.isinf(values).all():
        raise FitError(
            f"the fit of {ready.law.name} to {len(ready.groups.names)} groups did not converge from any start; check "
            "the units of the runs, or share fewer parameters (--share)"
        )
    first = int(np.argmin(values))
    best = found.one(first)
    one = ready.system(1)
    best = solve_measured(one, best.theta, best.scale if one.n_extra else None, tolerance=1e-13, max_steps=_LAST_STEPS)
    best = polish_measured(one, best)
    size = max(float(ready.objective.magnitude(float(best.value[0]), len(ready.target))), 1e-300)
    reached = max(1, int((values - float(best.value[0]) <= SAME * size).sum()))
    return replace(_optimum(ready, best, None), reached=reached, tried=count)


def search_apart(ready: PanelProblem, *, starts: int, seed: int) -> PanelOptimum:
    """The optimum of each group by itself, where nothing is shared: each a fit of its own."""
    local = np.empty((1, len(ready.groups.names), ready.kernel.n_free))
    scale = np.zeros((1, len(ready.groups.names)))
    value, converged, reached, tried = 0.0, True, math.inf, 0
    for number, name in enumerate(ready.groups.names):
        own = problem(ready.law, ready.runs.take(ready.groups.rows(name)), objective=ready.objective)
        best, agreement = best_optimum(own, starts, seed)
        local[0, number] = ready.coords.from_params(own.params(best.theta), ready.kernel.centers)[0]
        scale[0, number] = best.scale[0]
        value, converged = value + float(best.value[0]), converged and bool(best.converged[0])
        reached, tried = min(reached, agreement.reached), max(tried, agreement.tried)
    return PanelOptimum(
        *(local, scale, np.empty((1, 0)), np.array([value]), np.array([converged])), int(reached), tried
    )


def refit_panel(
    ready: PanelProblem,
    begin: PanelOptimum,
    *,
    weights: Floats | None = None,
    target: Floats | None = None,
    pull: Pull | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 300,
) -> PanelOptimum:
    """The optimum of each problem from a start that is near: one row of weights, of targets or of offsets each.

    begin: of as many problems. Floors that have run to zero begin again inside, as in :mod:`isoflop.fitting.refit`.
    """
    found = _descend(ready, begin, weights, target, pull, tolerance, max_steps)
    lowest = float(ready.table.loss.min())
    if lowest <= 0:
        return found
    for position in floors(ready.whole()):
        gone = found.local[:, :, position] < math.log(_GONE * lowest)
        rows = np.flatnonzero(gone.any(axis=1))
        if not len(rows):
            continue
        again = found.take(rows)
        local = again.local.copy()
        local[:, :, position] = np.where(gone[rows], math.log(_INSIDE * lowest), local[:, :, position])
        some = None if pull is None or pull.offset is None else replace(pull, offset=pull.offset[rows])
        other = _descend(
            ready,
            replace(again, local=local),
            None if weights is None else weights[rows],
            target if target is None or target.ndim == 1 else target[rows],
            some or pull,
            tolerance,
            max_steps,
        )
        found = found.merged(rows, other)
    return found


def _descend(
    ready: PanelProblem,
    begin: PanelOptimum,
    weights: Floats | None,
    target: Floats | None,
    pull: Pull | None,
    tolerance: float,
    max_steps: int,
) -> PanelOptimum:
    count, groups = begin.local.shape[:2]
    if not ready.share and pull is None:  # nothing is shared: each group by itself, with damping of its own
        pairs = ready.each_group(
            np.repeat(np.arange(count), groups)
            if weights is not None or target is not None
            else np.zeros(count * groups, dtype=np.int64),
            np.tile(np.arange(groups), count),
            weights=weights,
            target=target,
        )
        scale = begin.scale.ravel() if ready.objective.fits_scale else None
        found = solve_measured(
            pairs, begin.local.reshape(count * groups, -1).copy(), scale, tolerance=tolerance, max_steps=max_steps
        )
        value = found.value.reshape(count, groups)
        return PanelOptimum(
            found.theta.reshape(begin.local.shape),
            found.scale.reshape(count, groups),
            np.empty((count, 0)),
            value.sum(axis=1),
            np.asarray(found.converged.reshape(count, groups).all(axis=1)),
        )
    system = ready.system(count, weights=weights, target=target, pull=pull)
    means = begin.means if begin.means.shape[1] == system.n_means and system.n_means else None
    theta = system.theta(begin.local, begin.scale if ready.own_scale else None, means)
    own = begin.scale[:, 0].copy() if system.n_extra else None
    if groups > _MANY and settles(system):
        theta = settled(ready, system, theta, weights=weights, target=target)
    found = solve_measured(system, theta, own, tolerance=tolerance, max_steps=max_steps)
    return _optimum(ready, found, pull)


def _optimum(ready: PanelProblem, found: Solution, pull: Pull | None) -> PanelOptimum:
    system = ready.system(len(found.theta), pull=pull)
    local, own_scale = system.local(found.theta)
    scale = np.repeat(found.scale[:, None], len(ready.groups.names), axis=1) if own_scale is None else own_scale
    means = found.theta[:, system.n_shared : system.n_head]
    return PanelOptimum(local, scale.copy(), means.copy(), found.value, found.converged)


def _candidates(ready: PanelProblem, starts: int, seed: int) -> tuple[Floats, float]:
    """Starts for all groups together (candidates, groups, k), log σ appended where each has its own; log σ of all."""
    groups, k = len(ready.groups.names), ready.kernel.n_free
    whole = ready.whole()
    together, _ = best_optimum(whole, starts, seed)
    if not ready.own:
        local = np.repeat(together.theta[:, None], groups, axis=1)
        return np.concatenate([local, np.full((1, groups, 1), together.scale[0])], axis=2), float(together.scale[0])
    grid = whole.starts(count=_STARTS if groups <= _MANY else _FEW_STARTS, seed=seed)
    grid = np.concatenate([together.theta, grid])
    own, own_scale, _ = _best_of_each(ready, np.repeat(grid[:, None], groups, axis=1), None, held=False)
    # shared coordinates that are tried for all groups: the whole table's, the middle of the groups', some groups' own
    order = np.argsort(own[:, ready.shared[0]] if ready.shared else np.arange(groups), kind="stable")
    count = _CANDIDATES if groups <= _MANY else _FEW_CANDIDATES
    some = order[np.unique(np.quantile(np.arange(groups), np.linspace(0, 1, count + 2)[1:-1]).round().astype(int))]
    tried = np.concatenate([together.theta, np.median(own, axis=0)[None], own[some]])[:, list(ready.shared)]
    found, values = [], []
    for shared in tried:
        begin = np.stack([own, np.repeat(together.theta, groups, axis=0)])
        begin[:, :, list(ready.shared)] = shared
        best, scale, value = _best_of_each(ready, begin, own_scale, held=True)
        found.append(np.concatenate([best, scale[:, None]], axis=1))
        values.append(value)
    candidates = np.stack(found)[np.argsort(values, kind="stable")[:_JOINT]]
    candidates[:, :, k] = np.where(np.isfinite(candidates[:, :, k]), candidates[:, :, k], own_scale)
    return candidates, float(together.scale[0])


def _best_of_each(
    ready: PanelProblem, begin: Floats, scale: Floats | None, *, held: bool
) -> tuple[Floats, Floats, float]:
    """Each group's best end (groups, k) of starts (starts, groups, k), its scale (groups,), and the sum of values.

    scale: (groups,), log σ at which every start begins; that of each group's residuals at the first start without it.
    """
    count, groups, k = begin.shape
    if ready.objective.fits_scale and scale is None:
        first = ready.each_group(np.zeros(groups, dtype=np.int64), np.arange(groups))
        scale = first.robust_scale(begin[0])
    pairs = ready.each_group(np.zeros(count * groups, dtype=np.int64), np.tile(np.arange(groups), count), held=held)
    few = _FEW_HELD_STEPS if groups > _MANY else _HELD_STEPS
    found = solve_measured(
        pairs,
        begin.reshape(-1, k).copy(),
        np.tile(scale, count) if ready.objective.fits_scale and scale is not None else None,
        tolerance=_ROUGH if groups > _MANY else 1e-9,
        max_steps=few if held else _SEARCH_STEPS,
    )
    values = np.where(np.isfinite(found.value), found.value, np.inf).reshape(count, groups)
    best = values.argmin(axis=0) * groups + np.arange(groups)
    return found.theta[best], found.scale[best], float(values.min(axis=0).sum())
