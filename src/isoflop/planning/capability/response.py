"""``fit_response``: capability, difficulty and discrimination from a table of scores with gaps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from isoflop.values import Value

Floats = NDArray[np.float64]

_RIDGE = 1e-3  # of capability, difficulty and log discrimination: with errors of .05, a prior spread of 1.6
_STEPS = 200
_SMALL = 1e-7  # relative change of the objective at which a fit has converged


@dataclass(frozen=True)
class Response(Value):
    """Parameters of score = g + (1 − g)·logistic(s·(c − d)), one table or a batch of them.

    capability: c, (..., models). difficulty, discrimination: d and s, (..., benchmarks), gauged: the mean of
    c is zero and that of s is one.
    """

    capability: Floats = field(repr=False)
    difficulty: Floats = field(repr=False)
    discrimination: Floats = field(repr=False)
    chance: Floats = field(repr=False)

    def scores(self) -> Floats:
        """Expected scores, (..., models, benchmarks)."""
        return _expected(self.capability, self.difficulty, np.log(self.discrimination), self.chance)[0]


def fit_response(scores: Floats, chance: Floats, start: Response | None = None) -> Response:
    """argmin Σ (y − g − (1 − g)·logistic(s·(c − d)))² + λ·(Σc² + Σd² + Σln²s), λ = 0.001.

    Levenberg–Marquardt, in which capabilities are eliminated: their block of the normal equations is diagonal. The
    penalty keeps scores at 0 or 1 finite; shift and unit are fixed afterwards.

    Parameters
    ----------
    scores :
        (..., models, benchmarks), NaN where none was measured.
    chance :
        g of each benchmark.
    start :
        A fit to begin from.

    Returns
    -------
    Response
        The parameters, with the batch of ``scores`` in front.

    Examples
    --------
    >>> import numpy
    >>> hard, steep = numpy.array([-0.5, 0.5]), numpy.array([1.0, 1.0])
    >>> truth = Response(numpy.array([-1.0, 0.0, 1.0]), hard, steep, numpy.zeros(2))
    >>> found = fit_response(truth.scores(), numpy.zeros(2))
    >>> numpy.abs(found.capability).round(1).tolist()
    [1.0, 0.0, 1.0]
    """
    y = np.atleast_3d(scores) if scores.ndim == 3 else scores[None]
    there = np.isfinite(y)
    y = np.where(there, y, 0.0)
    batch, models, tasks = y.shape
    if start is None:
        count = np.maximum(there.sum(axis=2), 1)
        c = logit(np.clip(y.sum(axis=2) / count, 0.02, 0.98))
        d, k = np.zeros((batch, tasks)), np.zeros((batch, tasks))
    else:
        c = np.broadcast_to(start.capability, (batch, models)).copy()
        d = np.broadcast_to(start.difficulty, (batch, tasks)).copy()
        k = np.log(np.broadcast_to(start.discrimination, (batch, tasks))).copy()
    damp = np.full(batch, 1e-2)
    best = _objective(y, there, c, d, k, chance)
    active = np.ones(batch, dtype=bool)
    for _ in range(_STEPS):
        a = np.flatnonzero(active)
        step_c, step_d, step_k = _step(y[a], there[a], c[a], d[a], k[a], chance, damp[a])
        new = c[a] + step_c, d[a] + step_d, k[a] + step_k
        reached = _objective(y[a], there[a], *new, chance)
        better = reached < best[a]
        done = better & (best[a] - reached <= _SMALL * best[a]) | ~better & (damp[a] > 1e6)
        up = a[better]
        c[up], d[up], k[up], best[up] = (each[better] for each in (*new, reached))
        damp[a] = np.where(better, damp[a] / 5, damp[a] * 4)
        active[a[done]] = False
        if not active.any():
            break
    # A mean of logarithms, or of difficulties, would hang on the benchmarks that tell least.
    unit = np.exp(k).mean(axis=1, keepdims=True)
    shift = c.mean(axis=1, keepdims=True)
    out = (c - shift) * unit, (d - shift) * unit, np.exp(k) / unit
    if scores.ndim == 2:
        out = out[0][0], out[1][0], out[2][0]
    return Response(*out, chance)


def _expected(c: Floats, d: Floats, k: Floats, chance: Floats) -> tuple[Floats, Floats, Floats]:
    """Scores, their slope in z, and z = s·(c − d)."""
    z = np.exp(k)[..., None, :] * (c[..., :, None] - d[..., None, :])
    p = expit(z)
    return chance + (1 - chance) * p, (1 - chance) * p * (1 - p), z


def _objective(y: Floats, there: NDArray[np.bool_], c: Floats, d: Floats, k: Floats, chance: Floats) -> Floats:
    miss = np.where(there, y - _expected(c, d, k, chance)[0], 0.0)
    squares = (miss**2).sum(axis=(1, 2))
    return np.asarray(squares + _RIDGE * ((c**2).sum(axis=1) + (d**2).sum(axis=1) + (k**2).sum(axis=1)))


def _step(
    y: Floats, there: NDArray[np.bool_], c: Floats, d: Floats, k: Floats, chance: Floats, damp: Floats
) -> tuple[Floats, Floats, Floats]:
    """The damped Gauss–Newton step, capabilities eliminated by the Schur complement."""
    mean, slope, z = _expected(c, d, k, chance)
    miss = np.where(there, y - mean, 0.0)
    slope = np.where(there, slope, 0.0)
    s = np.exp(k)[:, None, :]
    by_c, by_k = slope * s, slope * z
    more = 1 + damp[:, None]
    cc = ((by_c**2).sum(axis=2) + _RIDGE) * more
    dd, kk, dk = (by_c**2).sum(axis=1) + _RIDGE, (by_k**2).sum(axis=1) + _RIDGE, -(by_c * by_k).sum(axis=1)
    g_c = (by_c * miss).sum(axis=2) - _RIDGE * c
    g_i = np.concatenate([-(by_c * miss).sum(axis=1) - _RIDGE * d, (by_k * miss).sum(axis=1) - _RIDGE * k], axis=1)
    across = np.concatenate([-(by_c**2), by_c * by_k], axis=2)  # (batch, models, 2·benchmarks)
    tasks = d.shape[1]
    block = np.zeros((len(c), 2 * tasks, 2 * tasks))
    at = np.arange(tasks)
    block[:, at, at], block[:, at + tasks, at + tasks] = dd * more, kk * more
    block[:, at, at + tasks] = block[:, at + tasks, at] = dk
    scaled = across / cc[..., None]
    schur = block - np.swapaxes(across, 1, 2) @ scaled
    right = g_i - (np.swapaxes(scaled, 1, 2) @ g_c[..., None])[..., 0]
    items = np.linalg.solve(schur, right[..., None])[..., 0]
    own = (g_c - (across @ items[..., None])[..., 0]) / cc
    return own, items[:, :tasks], items[:, tasks:]


def leverages(fitted: Response, there: NDArray[np.bool_]) -> Floats:
    """h, (models, benchmarks): d(fitted score)/d(score), the diagonal of J(JᵀJ + λ)⁻¹Jᵀ; 0 where none was measured.

    They sum to the degrees of freedom that the fit uses up.

    Examples
    --------
    >>> import numpy
    >>> fitted = Response(numpy.array([-1.0, 0.0, 1.0]), numpy.zeros(2), numpy.ones(2), numpy.zeros(2))
    >>> round(float(leverages(fitted, numpy.ones((3, 2), bool)).sum()), 1)
    4.8
    """
    k = np.log(fitted.discrimination)
    _, slope, z = _expected(fitted.capability, fitted.difficulty, k, fitted.chance)
    models, tasks = there.shape
    m, t = np.nonzero(there)
    at = np.arange(len(m))
    jacobian = np.zeros((len(m), models + 2 * tasks))
    jacobian[at, m] = (slope * fitted.discrimination)[m, t]
    jacobian[at, models + t] = -(slope * fitted.discrimination)[m, t]
    jacobian[at, models + tasks + t] = (slope * z)[m, t]
    normal = jacobian.T @ jacobian + _RIDGE * np.eye(jacobian.shape[1])
    found = np.zeros(there.shape)
    found[m, t] = np.einsum("ij,ji->i", jacobian, np.linalg.solve(normal, jacobian.T))
    return found


def locate(scores: Floats, items: Response) -> float:
    """The capability of one more model from its scores, difficulties and discriminations as they are.

    Examples
    --------
    >>> import numpy
    >>> items = Response(numpy.array([0.5]), numpy.array([-1.0, 1.0]), numpy.array([1.0, 2.0]), numpy.zeros(2))
    >>> round(locate(items.scores()[0], items), 1)
    0.5
    """
    there = np.isfinite(scores)

    def cost(c: float) -> float:
        one = Response(np.array([c]), items.difficulty, items.discrimination, items.chance)
        return float(((scores - one.scores()[0])[there] ** 2).sum() + _RIDGE * c**2)

    grid = np.linspace(-15, 15, 121)
    middle = grid[int(np.argmin([cost(c) for c in grid]))]
    found = minimize_scalar(cost, bounds=(middle - 0.5, middle + 0.5), method="bounded", options={"xatol": 1e-6})
    return float(found.x)
