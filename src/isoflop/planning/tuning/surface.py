"""The loss near its lowest as a quadratic in log settings whose center moves with log N and log D.

log L = m_k + ½ (z − z_k)ᵀ H (z − z_k) at pair k, z = (log lr, log batch), with one curvature H for all pairs: a linear
regression on z zᵀ and, pair by pair, on z. The centers z_k then follow a power law, z_k = b_0 + b_N log N + b_D log D.
Where there are too few pairs for a regression through their centers, the law is part of the first regression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.tuning.sweep import Sweep
from isoflop.values import Value

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]

WINDOWS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3)  # loss above the lowest up to which rows are part of the fit
_LEAST = {1: 4, 2: 7}  # rows of a pair that determine its quadratic, with one to spare
_ENOUGH = 0.8  # share of pairs that must have them
_ROBUST = 4.0  # degrees of freedom of the weights by which a diverged run bends nothing
_STEPS = 25
_SPARE = 2  # pairs beyond the law's parameters from which their centers are regressed and resampled
_SIMULATED = 200  # tables that are simulated where there are fewer
_ZONE = 4.0  # windows of fitted loss within which rows of simulated tables may come to lie near the lowest


@dataclass(frozen=True)
class Quadratic(Value):
    """A fitted surface with draws of the law of its centers.

    curvature: H, (settings, settings). path: z* = path @ (1, scales − center), (draws + 1, settings, 1 + scales), the
    estimate first. center: of log scales. window: the loss above the lowest within which rows were used. rows: how
    many. by: ``pair`` or ``table``, what was drawn. failed: draws without a minimum, left out. freedom: observations
    less parameters of the law of centers. scatter: of a row around the surface, in log loss.
    """

    curvature: Floats
    path: Floats
    center: Floats
    window: float
    rows: int
    by: str
    failed: int
    freedom: int
    scatter: float


def window_of(sweep: Sweep) -> float | None:
    """The narrowest window in which most pairs determine a quadratic; None where none does."""
    least = _LEAST[len(sweep.settings)]
    for window in WINDOWS:
        counts = np.bincount(sweep.cell[sweep.excess <= np.log1p(window)], minlength=sweep.pairs)
        if np.mean(counts >= least) >= _ENOUGH:
            return window
    return None


def fit_surface(sweep: Sweep, window: float, *, draws: int, seed: int) -> Quadratic | None:
    """The surface through the rows within the window, with draws; None where it has no minimum.

    Rows weigh as under Student's t with four degrees of freedom. Draws: Exp(1) weights of pairs; where there are too
    few pairs, tables simulated from the surface with its own residuals, whose rows are chosen anew.
    """
    kept = sweep.excess <= np.log1p(window)
    counts = np.bincount(sweep.cell[kept], minlength=sweep.pairs)
    pairs = np.flatnonzero(counts >= _LEAST[len(sweep.settings)])
    free = len(pairs) - 1 - len(sweep.scales)
    if free >= _SPARE and _spans(sweep, pairs):
        return _by_centers(sweep, window, kept & np.isin(sweep.cell, pairs), pairs, draws, seed)
    return _at_once(sweep, window, kept, draws, seed)


def _spans(sweep: Sweep, pairs: Sequence[int] | NDArray[np.int64]) -> bool:
    """Whether these pairs determine every exponent."""
    design = np.column_stack([np.ones(len(pairs)), sweep.scale[pairs] - sweep.scale[pairs].mean(axis=0)])
    return int(np.linalg.matrix_rank(design, tol=1e-2)) == design.shape[1]


def _by_centers(
    sweep: Sweep, window: float, kept: Rows, pairs: NDArray[np.int64], draws: int, seed: int
) -> Quadratic | None:
    count = len(sweep.settings)
    place = np.searchsorted(pairs, sweep.cell[kept])
    middle = np.stack([sweep.setting[kept][place == k].mean(axis=0) for k in range(len(pairs))])
    z = sweep.setting[kept] - middle[place]
    own = np.eye(len(pairs))[place]
    design = np.column_stack([*_squares(z), *(z[:, [i]] * own for i in range(count))])
    found = _fit_rows(design, sweep.response[kept], place, len(pairs))
    if found is None:
        return None
    coefficients, scatter, _ = found
    curvature, column = _curvature(coefficients, count)
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return None
    slopes = coefficients[column:].reshape(count, len(pairs))
    centers = middle - np.linalg.solve(curvature, slopes).T
    path, center, free = _lines(centers, sweep.scale[pairs], draws=draws, seed=seed)
    return Quadratic(curvature, path, center, window, int(kept.sum()), "pair", 0, free, scatter)


def _at_once(sweep: Sweep, window: float, kept: Rows, draws: int, seed: int) -> Quadratic | None:
    center = sweep.scale.mean(axis=0)
    middle = sweep.setting[kept].mean(axis=0)
    z, scale = sweep.setting - middle, sweep.scale[sweep.cell] - center
    ones = np.column_stack([np.ones(len(z)), scale])
    design = np.column_stack([*_squares(z), *(z[:, [i]] * ones for i in range(z.shape[1]))])
    found = _fit_rows(design[kept], sweep.response[kept], sweep.cell[kept], sweep.pairs)
    if found is None or np.linalg.matrix_rank(_within(design[kept], sweep.cell[kept], sweep.pairs)) < design.shape[1]:
        return None
    first = _shape(found[0], middle, len(sweep.scales))
    if first is None:
        return None
    curvature, path = first
    apart = sweep.setting - (np.column_stack([np.ones(len(z)), scale]) @ path.T)
    fitted = 0.5 * np.einsum("ri,ij,rj->r", apart, curvature, apart)
    zone = fitted <= _ZONE * np.log1p(window)
    rng = np.random.default_rng([seed, 11])
    drawn = []
    for _ in range(min(draws, _SIMULATED)):
        response = np.where(zone, fitted + rng.choice(found[2], len(fitted)), np.inf)
        lowest = np.full(sweep.pairs, np.inf)
        np.minimum.at(lowest, sweep.cell, response)
        with np.errstate(invalid="ignore"):  # a pair of which no row lies near the surface's minimum
            near = response - lowest[sweep.cell] <= np.log1p(window)
        again = _fit_rows(design[near], response[near], sweep.cell[near], sweep.pairs)
        shape = None if again is None else _shape(again[0], middle, len(sweep.scales))
        drawn.append(None if shape is None else shape[1])
    paths = [each for each in drawn if each is not None]
    return Quadratic(
        curvature=curvature,
        path=np.stack([path, *paths]),
        center=center,
        window=window,
        rows=int(kept.sum()),
        by="table",
        failed=len(drawn) - len(paths),
        freedom=max(1, int(kept.sum()) - len(np.unique(sweep.cell[kept])) - design.shape[1]),
        scatter=found[1],
    )


def _squares(z: Floats) -> list[Floats]:
    """z_i z_j for i ≤ j."""
    return [z[:, i] * z[:, j] for i in range(z.shape[1]) for j in range(i, z.shape[1])]


def _curvature(found: Floats, count: int) -> tuple[Floats, int]:
    """H from the coefficients of the squares, and how many there are."""
    curvature, column = np.zeros((count, count)), 0
    for i in range(count):
        for j in range(i, count):
            curvature[i, j] = curvature[j, i] = found[column] * (2 if i == j else 1)
            column += 1
    return curvature, column


def _shape(found: Floats, middle: Floats, scales: int) -> tuple[Floats, Floats] | None:
    """H and the path of its center, (settings, 1 + scales); None without a minimum."""
    curvature, column = _curvature(found, len(middle))
    if np.linalg.eigvalsh(curvature)[0] <= 0:
        return None
    path = -np.linalg.solve(curvature, found[column:].reshape(len(middle), 1 + scales))
    path[:, 0] += middle
    return curvature, np.asarray(path)


def _fit_rows(
    design: Floats, response: Floats, cell: NDArray[np.int64], pairs: int
) -> tuple[Floats, float, Floats] | None:
    """Coefficients within pairs, scatter and residuals; None for too few rows."""
    spare = len(response) - len(np.unique(cell)) - design.shape[1]
    if spare < 1:
        return None
    weights = np.ones(len(response))
    for _ in range(_STEPS):
        columns = _within(design, cell, pairs, weights)
        apart = _within(response[:, None], cell, pairs, weights)[:, 0]
        square = np.einsum("ri,rj,r->ij", columns, columns, weights)
        scale = np.sqrt(np.maximum(np.diag(square), 1e-300))
        ridge = 1e-11 * np.eye(len(scale))  # far below the rounding of what it steadies
        found = np.linalg.solve(square / np.outer(scale, scale) + ridge, columns.T @ (weights * apart) / scale) / scale
        residual = apart - columns @ found
        scatter = 1.4826 * float(np.median(np.abs(residual))) * math.sqrt(len(response) / spare) + 1e-12
        following = (_ROBUST + 1) / (_ROBUST + (residual / scatter) ** 2)
        if np.abs(following - weights).max() < 1e-3:
            break
        weights = following
    return np.asarray(found), scatter, np.asarray(residual * math.sqrt(len(response) / spare))


def _within(columns: Floats, cell: NDArray[np.int64], pairs: int, weights: Floats | None = None) -> Floats:
    """Columns less their weighted means in each pair."""
    counted = np.eye(pairs)[cell] if weights is None else np.eye(pairs)[cell] * weights[:, None]
    means = (counted.T @ columns) / np.maximum(counted.sum(axis=0), 1e-300)[:, None]
    return np.asarray(columns - means[cell])


def _lines(centers: Floats, scale: Floats, *, draws: int, seed: int) -> tuple[Floats, Floats, int]:
    """Power laws through the settings of pairs, (pairs, settings): (path, center, freedom), drawn by Exp(1) weights."""
    center = scale.mean(axis=0)
    design = np.column_stack([np.ones(len(scale)), scale - center])
    rng = np.random.default_rng([seed, 12])
    times = np.vstack([np.ones(len(scale)), rng.exponential(size=(draws, len(scale)))])
    square = np.einsum("kp,pi,pj->kij", times, design, design)
    vector = np.einsum("kp,pi,ps->kis", times, design, centers)
    path = np.linalg.solve(square + 1e-12 * np.eye(design.shape[1]), vector).transpose(0, 2, 1)
    return np.asarray(path), center, len(scale) - design.shape[1]


def best_rows(
    sweep: Sweep, within: float, *, draws: int, seed: int, leave_out: Sequence[int] = ()
) -> tuple[Floats, Floats, int] | None:
    """Power laws through each pair's settings within a share of its lowest loss: (path, center, freedom).

    A pair counts once, with the mean of log settings. None for too few pairs.
    """
    kept = sweep.excess <= np.log1p(within) + 1e-12
    pairs = [k for k in range(sweep.pairs) if k not in set(leave_out)]
    if len(pairs) < 2 + len(sweep.scales) or not _spans(sweep, pairs):
        return None
    means = np.stack([sweep.setting[kept & (sweep.cell == k)].mean(axis=0) for k in pairs])
    return _lines(means, sweep.scale[pairs], draws=draws, seed=seed)
