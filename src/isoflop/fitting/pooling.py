"""Partial pooling: how much a coordinate differs between groups, estimated with the fit (empirical Bayes).

t_g ~ N(m, τ²) for a coordinate t of group g, so that the fit minimizes F + φ Σ_g (t_g − m)²/(2τ²). φ is the size of the
objective's gradient against its curvature, tr(H⁻¹G)/k, which makes φH⁻¹ the covariance of an estimate: 2σ² for squares,
1 for a likelihood. τ² is the fixed point of the evidence: Σ_g (t_g − m)² = τ² Σ_g (1 − v_g/τ²), v_g the variance of
t_g − m that the runs leave.

Source: MacKay 1992, "Bayesian interpolation", for the fixed point; Huber 1967 for the covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.grouped import GroupRows, Pull, SharedSystem, solve_blocks
from isoflop.fitting.panel_search import PanelOptimum, refit_panel
from isoflop.fitting.panel_table import PanelProblem

Floats = NDArray[np.float64]

_ROUNDS = 60
_SETTLED = 1e-3  # relative change of τ at which the rounds end
_LEAST = 0.03  # of the usual standard error of t_g: below it groups cannot be told from equal


@dataclass(frozen=True)
class Pooling:
    """What partial pooling found, for each pooled coordinate: mean m, scale τ, and φ.

    determined: Σ_g (1 − v_g/τ²), how many groups' worth of own information there is, (pooled,).
    """

    mean: Floats
    scale: Floats
    phi: float
    determined: Floats


def pull_of(ready: PanelProblem, scale: Floats, phi: float, offset: Floats | None = None) -> Pull:
    """What pooling with scale τ adds to the objective."""
    return Pull(ready.pooled, phi / np.square(scale), offset)


def pool_groups(ready: PanelProblem, apart: PanelOptimum) -> tuple[PanelOptimum, Pooling]:
    """The fit with pooled coordinates, begun at the one in which they are the groups' own."""
    positions = [ready.own[each] for each in ready.pooled]
    phi = dispersion(ready, apart)
    own = apart.local[0][:, positions]
    errors = np.sqrt(np.maximum(_variances(ready, apart, np.full(len(positions), 1e6), phi), 1e-300))
    usual = np.nanmedian(np.where(np.isfinite(errors), errors, np.nan), axis=0)
    least = np.maximum(_LEAST * usual, 1e-6)
    middle = np.median(own, axis=0)
    scale = np.clip(1.4826 * np.median(np.abs(own - middle), axis=0), np.maximum(least, 0.1 * usual), 5.0)
    # a group whose own estimate has run away begins where the others are
    local = apart.local.copy()
    far = np.abs(own - middle) > 10 * np.maximum(scale, usual)
    local[0][:, positions] = np.where(far, middle, own)
    found = replace(apart, local=local, means=middle[None])
    determined = np.full(len(positions), float(len(own)))
    for _ in range(_ROUNDS):
        found = refit_panel(ready, found, pull=pull_of(ready, scale, phi), tolerance=1e-11)
        left = _variances(ready, found, scale, phi)
        apart_squared = np.square(found.local[0][:, positions] - found.means[0]).sum(axis=0)
        # one group's worth goes to the mean, which v_g holds already: it is the variance of t_g − m
        determined = np.clip((1 - left / np.square(scale)).sum(axis=0), 0.05, len(own))
        updated = np.maximum(np.sqrt(apart_squared / determined), least)
        change = np.abs(np.log(updated / scale)).max()
        scale = updated
        if change < _SETTLED:
            break
    found = refit_panel(ready, found, pull=pull_of(ready, scale, phi), tolerance=1e-13, max_steps=3_000)
    return found, Pooling(found.means[0], scale, phi, determined)


def dispersion(ready: PanelProblem, found: PanelOptimum) -> float:
    """φ = tr(H⁻¹G)/k over the groups: G sums each run's squared gradient, H is the curvature, both of a group's own."""
    if ready.objective.likelihood and ready.objective.fits_scale:
        return 1.0
    codes, own = ready.table.run_codes, list(ready.own)
    weights = np.ones(len(codes)) if ready.table.weights is None else ready.table.weights
    plain = replace(ready, table=replace(ready.table, weights=None))
    trace, counted = 0.0, 0
    for number in range(len(ready.groups.names)):
        members = np.unique(codes[ready.bounds[number] : ready.bounds[number + 1]])
        if len(members) <= len(own) + 1:
            continue
        # a problem for each run of the group, in which only its own rows count
        index = np.arange(len(members))
        rows = plain.each_group(index, np.full(len(members), number), weights=weights * (codes == members[:, None]))
        at = np.repeat(found.local[0, number : number + 1], len(members), axis=0)
        width = ready.objective.sandwich_scale(
            np.repeat(found.scale[0, number], len(members)), partial(_typical, rows, at)
        )
        _, slope, near = rows.normal_equations(at, width, index, np.ones(len(members), dtype=bool))
        _, _, reweighted = rows.normal_equations(at, width, index, np.zeros(len(members), dtype=bool))
        curvature = ready.objective.own_curvature(near, reweighted).sum(axis=0)[np.ix_(own, own)]
        size = np.sqrt(np.maximum(np.diag(curvature), 0))
        alive = size > 1e-8 * size.max(initial=0.0)
        if not alive.any() or not np.isfinite(curvature).all():
            continue
        there, unit = np.ix_(alive, alive), np.outer(size[alive], size[alive])
        spread = (slope[:, own].T @ slope[:, own])[there] / unit
        solved = np.linalg.pinv(curvature[there] / unit, hermitian=True) @ spread
        free = int(alive.sum())
        trace += float(np.trace(solved)) * len(members) / (len(members) - free)
        counted += free
    if counted:
        return max(trace / counted, 1e-300)
    return 2.0 * max(float(found.value[0]), 1e-300) / ready.table.n_runs


def _typical(rows: GroupRows, theta: Floats) -> Floats:
    """The residuals' robust scale in a group."""
    return np.exp(rows.robust_scale(theta))


def _variances(ready: PanelProblem, found: PanelOptimum, scale: Floats, phi: float) -> Floats:
    """v_g: the variance of t_g − m that the runs leave, (groups, pooled), for a pull of scale τ."""
    system = ready.system(1, pull=pull_of(ready, scale, phi))
    means = found.means if found.means.size else None
    theta = system.theta(found.local, found.scale if system.own_scale else None, means)
    width = ready.objective.sandwich_scale(
        found.scale[:, 0] if not system.own_scale else np.zeros(1), lambda: np.exp(system.robust_scale(theta))
    )
    if system.n_extra:
        width = found.scale[:, 0]
    index = np.zeros(1, dtype=np.int64)
    _, _, near = system.normal_equations(theta, width, index, np.ones(1, dtype=bool))
    _, _, reweighted = system.normal_equations(theta, width, index, np.zeros(1, dtype=bool))
    curvature = near
    if not ready.objective.fits_scale:
        pull = _pull_share(system, reweighted)
        curvature = ready.objective.own_curvature(near - pull, reweighted - pull) + pull
    inverse = _differences(system, curvature[0])
    return phi * inverse


def _pull_share(system: SharedSystem, curvature: Floats) -> Floats:
    """The part of the curvature that is the pull's, in the same shape."""
    assert system.pull is not None
    share = np.zeros_like(curvature)
    at = system.n_head + system.n_extra + np.array(system.pull.positions)
    mean = system.n_shared + np.arange(system.n_means)
    share[:, :, at, at] = share[:, :, mean, mean] = system.pull.weight
    share[:, :, at, mean] = share[:, :, mean, at] = -system.pull.weight
    return share


def _differences(system: SharedSystem, curvature: Floats) -> Floats:
    """Diagonal of the inverse curvature for t_g − m, (groups, pooled). curvature: (groups, k, k)."""
    assert system.pull is not None
    top, q = system.n_head + system.n_extra, system.n_own
    blocks, cross = curvature[:, top:, top:], curvature[:, :top, top:]
    ridge = 1e-12 * np.einsum("gkk->gk", blocks).max(axis=1)[:, None, None] * np.eye(q)
    eye = np.broadcast_to(np.eye(q), blocks.shape)
    inverse = solve_blocks(blocks + ridge, np.ascontiguousarray(eye))
    moved = np.matmul(cross, inverse)  # (groups, top, q)
    schur = curvature[:, :top, :top].sum(axis=0) - np.matmul(moved, cross.transpose(0, 2, 1)).sum(axis=0)
    shared = np.linalg.pinv(schur, hermitian=True)
    at = list(system.pull.positions)
    mean = system.n_shared + np.arange(system.n_means)
    # t_g − m responds to the top by −(C D⁻¹)ᵀ − e_m
    respond = -moved[:, :, at].transpose(0, 2, 1)
    respond[:, np.arange(len(at)), mean] -= 1.0
    own = np.einsum("gkk->gk", inverse[:, at][:, :, at])
    return np.asarray(own + np.einsum("gpi,ij,gpj->gp", respond, shared, respond))
