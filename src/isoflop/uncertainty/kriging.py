"""Universal kriging: residuals of a fit as a smooth process plus noise, in closed form for given sizes and lengths.

r = J·β + δ + b_run + ε, with J the law's Jacobian in its fitting coordinates, δ a Gaussian process on the logarithms of
the inputs, b one number a run and ε the noise of a row. Everything follows from inner products in V⁻¹, V the covariance
of δ + b + ε; large tables take them through inducing points.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from threadpoolctl import ThreadpoolController

from isoflop.errors import FitError
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DENSE_ROWS = 500  # from more rows on, the covariance is taken through inducing points
INDUCING = 160
PRIOR_SD = 1.0  # of each fitting coordinate around the fit: a factor of e of an amplitude, an exponent
_JITTER = 1e-10


@dataclass(frozen=True)
class Rows(Value):
    """What the process is conditioned on.

    residual: measured − fitted, (rows,). jacobian: (rows, coordinates). place: logarithms (base 10) of the inputs,
    (rows, axes). noise: variance of each row's noise, (rows,). run: each row's run, or None where rows are runs.
    run_variance: of the effect that rows of one run share. before: mean and standard deviation of each coordinate less
    that of the fit before any row, both (coordinates,); 0 and 1 by default.
    """

    residual: Floats
    jacobian: Floats
    place: Floats
    noise: Floats
    run: Ints | None
    run_variance: float
    before: tuple[Floats, Floats] | None = None


@dataclass(frozen=True)
class Conditioned(Value):
    """Law plus process given the rows, for one size and length.

    evidence: logarithm of the marginal likelihood, without constants that all hypotheses share.
    """

    rows: Rows
    size: float
    length: float
    evidence: float
    beta: Floats
    _solver: _Dense | _Inducing = field(repr=False, compare=False)
    _leverage: Floats = field(repr=False, compare=False)

    def at(self, jacobian: Floats, place: Floats, *, joint: bool = True) -> tuple[Floats, Floats, Floats]:
        """Mean (points,), variance (points,) and covariance (points, points) of J·β + δ at other points.

        jacobian: (points, coordinates); place: (points, axes). joint: without it the covariance is empty.
        """
        solver, rows = self._solver, self.rows
        cross = solver.cross(place)  # (rows, points)
        own = solver.inner(cross, np.column_stack([rows.residual - rows.jacobian @ self.beta, rows.jacobian]))
        mean = jacobian @ self.beta + own[:, 0]
        leverage = solve_triangular(self._leverage, (jacobian - own[:, 1:]).T, lower=True)
        if joint:
            cov = solver.prior(place) - solver.inner(cross, cross) + leverage.T @ leverage
            cov = (cov + cov.T) / 2
            variance = np.maximum(np.diag(cov), 0.0)
            return mean, variance, cov
        explained = solver.inner_diagonal(cross)
        variance = np.maximum(self.size**2 - explained + (leverage**2).sum(axis=0), 0.0)
        return mean, variance, np.empty((0, 0))


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Linear algebra on one thread: sums are taken in one order then, whatever the machine and however many jobs."""
    return _libraries().limit(limits=1, user_api="blas")


def condition(rows: Rows, *, noise_share: float, size: float, length: float) -> Conditioned:
    """β̂ = (JᵀV⁻¹J + S⁻²)⁻¹(JᵀV⁻¹r + S⁻²b), with b and S of ``before``.

    V = size²·K + noise_share²·noise + run effects; K is a Matérn 5/2 kernel.
    K(z, z′) = (1 + a + a²/3)·exp(−a) with a = √5·|z − z′|/length.
    """
    noise = noise_share**2 * rows.noise
    if size == 0 or len(rows.residual) > DENSE_ROWS:
        solver: _Dense | _Inducing = _inducing(rows, noise, size, length)
    else:
        solver = _dense(rows, noise, size, length)
    j, r = rows.jacobian, rows.residual
    gram = solver.inner(np.column_stack([j, r]), np.column_stack([j, r]))
    mean, sd = (np.zeros(j.shape[1]), np.full(j.shape[1], PRIOR_SD)) if rows.before is None else rows.before
    if not np.isfinite(gram).all():
        raise FitError(
            "an input or a residual of the rows is beyond what can be computed; check the units, and fit again"
        )
    inner = gram[:-1, :-1] + np.diag(1 / sd**2)
    leverage = _cholesky(inner)
    toward = solve_triangular(leverage, gram[:-1, -1] + mean / sd**2, lower=True)
    beta = solve_triangular(leverage, toward, lower=True, trans=1)
    off = gram[-1, -1] + float(np.sum((mean / sd) ** 2)) - toward @ toward
    evidence = -0.5 * off - 0.5 * solver.log_det - float(np.log(np.diag(leverage)).sum())
    return Conditioned(rows, size, length, float(evidence), beta, solver, leverage)


def _cholesky(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)


def matern(one: Floats, other: Floats, length: float) -> Floats:
    """Matérn 5/2 correlations of places (n, axes) and (m, axes), (n, m)."""
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None] - 2 * one @ other.T
    a = np.sqrt(5 * np.maximum(squared, 0.0)) / length
    return np.asarray((1 + a + a * a / 3) * np.exp(-a))


@dataclass(frozen=True)
class _Dense:
    """V by its Cholesky factor."""

    factor: Floats
    place: Floats
    size: float
    length: float
    log_det: float

    def inner(self, one: Floats, other: Floats) -> Floats:
        left = solve_triangular(self.factor, one, lower=True, check_finite=False)
        right = left if other is one else solve_triangular(self.factor, other, lower=True, check_finite=False)
        return np.asarray(left.T @ right)

    def inner_diagonal(self, one: Floats) -> Floats:
        left = solve_triangular(self.factor, one, lower=True, check_finite=False)
        return np.asarray((left**2).sum(axis=0))

    def cross(self, place: Floats) -> Floats:
        return self.size**2 * matern(self.place, place, self.length)

    def prior(self, place: Floats) -> Floats:
        return self.size**2 * matern(place, place, self.length)


def _dense(rows: Rows, noise: Floats, size: float, length: float) -> _Dense:
    v = size**2 * matern(rows.place, rows.place, length)
    if rows.run is not None:
        v += rows.run_variance * (rows.run[:, None] == rows.run[None])
    v[np.diag_indices_from(v)] += noise + _JITTER * size**2
    factor = _cholesky(v)
    return _Dense(factor, rows.place, size, length, 2 * float(np.log(np.diag(factor)).sum()))


@dataclass(frozen=True)
class _Inducing:
    """V = D + UUᵀ: D the noise, blocks of run effects and what inducing points leave out; U (rows, points).

    Source: Snelson and Ghahramani 2006 (fully independent training conditional).
    """

    diagonal: Floats
    run: Ints | None
    run_variance: float
    low: Floats
    inducing: Floats
    root: Floats
    size: float
    length: float
    factor: Floats
    log_det: float

    def divide(self, each: Floats) -> Floats:
        """D⁻¹·each, by Sherman and Morrison within each run."""
        return _divided(each, self.diagonal, self.run, self.run_variance)

    def inner(self, one: Floats, other: Floats) -> Floats:
        divided = self.divide(other)
        whole = one.T @ divided
        if not self.low.shape[1]:
            return np.asarray(whole)
        left = solve_triangular(self.factor, self.low.T @ self.divide(one), lower=True)
        right = left if other is one else solve_triangular(self.factor, self.low.T @ divided, lower=True)
        return np.asarray(whole - left.T @ right)

    def inner_diagonal(self, one: Floats) -> Floats:
        divided = self.divide(one)
        whole = (one * divided).sum(axis=0)
        if not self.low.shape[1]:
            return np.asarray(whole)
        left = solve_triangular(self.factor, self.low.T @ divided, lower=True)
        return np.asarray(whole - (left**2).sum(axis=0))

    def cross(self, place: Floats) -> Floats:
        if not self.low.shape[1]:
            return np.zeros((len(self.low), len(place)))
        return np.asarray(self.low @ self._features(place))

    def prior(self, place: Floats) -> Floats:
        return self.size**2 * matern(place, place, self.length)

    def _features(self, place: Floats) -> Floats:
        near = self.size * matern(self.inducing, place, self.length)
        return np.asarray(solve_triangular(self.root, near, lower=True))


def _inducing(rows: Rows, noise: Floats, size: float, length: float) -> _Inducing:
    count = len(rows.residual)
    if size == 0:
        low, inducing, root, left_out = np.empty((count, 0)), rows.place[:0], np.empty((0, 0)), 0.0
    else:
        inducing = rows.place[spread_out(rows.place, INDUCING)]
        root = _cholesky(matern(inducing, inducing, length) + 1e-8 * np.eye(len(inducing)))
        low = np.asarray(solve_triangular(root, size * matern(inducing, rows.place, length), lower=True)).T
        left_out = np.maximum(size**2 - (low**2).sum(axis=1), 0.0)
    diagonal = noise + left_out
    run = rows.run
    log_det = float(np.log(diagonal).sum())
    if run is not None:
        log_det += float(np.log1p(rows.run_variance * np.bincount(run, weights=1 / diagonal)).sum())
    inner = np.eye(low.shape[1]) + low.T @ _divided(low, diagonal, run, rows.run_variance)
    factor = _cholesky(inner) if len(inner) else inner
    log_det += 2 * float(np.log(np.diag(factor)).sum())
    return _Inducing(
        diagonal, run, rows.run_variance, low, inducing, root, size, length, factor, log_det
    )  # fmt: skip


def _divided(each: Floats, diagonal: Floats, run: Ints | None, run_variance: float) -> Floats:
    divided = each / diagonal[:, None]
    if run is None or run_variance == 0:
        return divided
    count = int(run.max()) + 1
    order = np.argsort(run, kind="stable")
    begins = np.searchsorted(run[order], np.arange(count))
    sums = np.add.reduceat(divided[order], begins, axis=0)
    inverse = np.add.reduceat(1 / diagonal[order], begins)
    share = run_variance / (1 + run_variance * inverse)
    return np.asarray(divided - (sums * share[:, None])[run] / diagonal[:, None])


def spread_out(place: Floats, count: int) -> Ints:
    """Rows that lie as far from each other as can be, one after another: at most ``count`` distinct places."""
    distinct = np.unique(np.round(place, 9), axis=0, return_index=True)[1]
    if len(distinct) <= count:
        return np.sort(distinct)
    points = place[distinct]
    chosen = [int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    away = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count:
        chosen.append(int(away.argmax()))
        away = np.minimum(away, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return np.sort(distinct[chosen])
