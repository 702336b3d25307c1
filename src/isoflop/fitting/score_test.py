"""The score test of a law's residuals: would terms that it lacks explain them, beyond what its parameters could?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.kernel import Kernel
from isoflop.fitting.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SAME = 1e-7  # singular values below this share of the largest are rounding
_ADDED = 1e-5  # a term that changes by less, relatively, once the law's own directions are taken off adds nothing
_FEWEST_FREE = 3
_SHARED = 0.03  # chance at which runs of a group are taken to share an error


@dataclass(frozen=True)
class Slopes:
    """What a law leaves of its runs, and what its parameters could move: each run once, the mean over its rows.

    residual: fitted − measured, (runs,). jacobian: ∂(fitted)/∂(coordinates), (runs, coordinates).
    """

    residual: Floats
    jacobian: Floats

    def take(self, runs: Ints) -> Slopes:
        """Some of the runs."""
        return Slopes(self.residual[runs], self.jacobian[runs])


@dataclass(frozen=True)
class ScoreTest:
    """F of the added terms, its degrees of freedom, and how often chance alone gives such an F."""

    statistic: float
    terms: int
    freedom: int
    chance: float


def slopes_of(kernel: Kernel, table: Table, target: Floats, theta: Floats) -> Slopes:
    """Residuals and Jacobian at theta (coordinates,), by run; rows count by the table's own weights."""
    size = np.ones(kernel.n_rows) if table.weights is None else np.sqrt(table.weights)
    count = np.bincount(table.run_codes).astype(np.float64)
    residual, jacobian = np.zeros(len(count)), np.zeros((len(count), kernel.n_free))
    width = kernel.tile_rows(1)
    with np.errstate(all="ignore"):
        for start in range(0, kernel.n_rows, width):
            rows = slice(start, min(start + width, kernel.n_rows))
            value, slope = kernel.value_and_jacobian(theta[None], rows.start, rows.stop)
            codes = table.run_codes[rows]
            first, last = int(codes.min()), int(codes.max()) + 1  # rows of a run lie together, as a rule
            codes, runs = codes - first, slice(first, last)
            residual[runs] += np.bincount(codes, size[rows] * (value[0] - target[rows]), minlength=last - first)
            for column in range(kernel.n_free):
                jacobian[runs, column] += np.bincount(codes, size[rows] * slope[0, column], minlength=last - first)
    jacobian /= count[:, None]
    return Slopes(residual / count, np.where(np.isfinite(jacobian), jacobian, 0.0))


def score_test(slopes: Slopes, terms: Floats) -> ScoreTest | None:
    """F = (|P q|²/k)/(|(1 − P) q|²/(n − m − k)), q the normal scores of the residuals, P on the added terms.

    q and the terms (runs, terms) are first projected off a constant and the Jacobian, of rank m; k is the rank of what
    is left of the terms. Normal scores keep the size of the test under outliers and unequal noise. None where no term
    adds anything, or fewer than three degrees of freedom remain.
    Source: Rao's score test as an added-variable regression; Davidson & MacKinnon 2004, section 6.5.
    """
    scores = _normal_scores(slopes.residual)
    if scores is None:
        return None
    own = _basis(_law(slopes))
    size = np.linalg.norm(terms, axis=0)
    terms = terms[:, size > 0] / size[size > 0]
    left, strength, _ = np.linalg.svd(terms - own @ (own.T @ terms), full_matrices=False)
    added = left[:, strength > _ADDED]
    rest = scores - own @ (own.T @ scores)
    free = len(scores) - own.shape[1]
    return _nested(rest, rest - added @ (added.T @ rest), free, free - added.shape[1])


def group_test(slopes: Slopes, codes: Ints) -> ScoreTest | None:
    """The score test of a constant for each group of runs: an analysis of variance of normal scores beyond the law.

    codes: each run's group, (runs,).
    """
    scores = _normal_scores(slopes.residual)
    if scores is None:
        return None
    law = _law(slopes)
    own = _basis(law)
    within, strength, _ = np.linalg.svd(_within(law, codes), full_matrices=False)
    within = within[:, strength > _ADDED]
    rest, inside = scores - own @ (own.T @ scores), _within(scores[:, None], codes)[:, 0]
    groups = int(codes.max()) + 1
    return _nested(
        rest,
        inside - within @ (within.T @ inside),
        len(scores) - own.shape[1],
        len(scores) - groups - within.shape[1],
    )


def score_test_in_groups(slopes: Slopes, terms: Floats, codes: Ints) -> ScoreTest | None:
    """The score test of terms where runs of a group may share an error, by generalized least squares.

    With the terms in the regression, an analysis of variance gives s² within groups and t² of what a group shares.
    Every column x becomes x − θ·x̄ of its group, θ = 1 − s/√(s² + n·t²) for n runs; F is that of what results. Where
    chance explains the groups once the terms are there (at 3 %), the score test stands. None where nothing can be
    tested.
    Source: Swamy & Arora 1972 (random effects of groups).
    """
    scores, plain = _normal_scores(slopes.residual), score_test(slopes, terms)
    if scores is None or plain is None:
        return plain
    law = _law(slopes)
    both = np.column_stack([law, terms / np.maximum(np.linalg.norm(terms, axis=0), 1e-300)])
    own = _strong(both)
    rest = scores - own @ (own.T @ scores)
    within, inside = _strong(_within(both, codes)), _within(scores[:, None], codes)[:, 0]
    inside = inside - within @ (within.T @ inside)
    count = np.bincount(codes).astype(np.float64)
    free, freer = len(scores) - own.shape[1], len(scores) - len(count) - within.shape[1]
    groups = _nested(rest, inside, free, freer)
    if groups is None or groups.chance > _SHARED:
        return plain
    # the mean square of groups over that within them is 1 + n·t²/s² for a group of the usual size
    theta = 1 - 1 / np.sqrt(1 + max(0.0, groups.statistic - 1) * count / count.mean())
    columns = np.column_stack([scores, both])
    moved = columns - theta[codes][:, None] * (columns - _within(columns, codes))
    own = _strong(moved[:, 1 : 1 + law.shape[1]])
    more = moved[:, 1 + law.shape[1] :]
    added = _strong(more - own @ (own.T @ more))
    fewer = moved[:, 0] - own @ (own.T @ moved[:, 0])
    explained = float(np.sum((added.T @ fewer) ** 2))
    left = float(fewer @ fewer) - explained
    freedom = len(scores) - own.shape[1] - added.shape[1]
    if not added.shape[1] or freedom < _FEWEST_FREE or left <= 0:
        return None
    return _f_test(explained / added.shape[1] / (left / freedom), added.shape[1], freedom)


def _strong(columns: Floats) -> Floats:
    """Orthonormal columns for the directions that the given ones, each of length about 1, have beyond rounding."""
    left, strength, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, strength > _ADDED])


def _nested(fewer: Floats, more: Floats, free: int, freer: int) -> ScoreTest | None:
    """F of two nested regressions by their residuals and their degrees of freedom."""
    unexplained = float(more @ more)
    if free <= freer or freer < _FEWEST_FREE or unexplained <= 0:
        return None
    statistic = max(0.0, float(fewer @ fewer) - unexplained) / (free - freer) / (unexplained / freer)
    return _f_test(statistic, free - freer, freer)


def _f_test(statistic: float, terms: int, freedom: int) -> ScoreTest:
    from scipy.special import fdtrc

    return ScoreTest(statistic, terms, freedom, float(fdtrc(terms, freedom, statistic)))


def _normal_scores(residual: Floats) -> Floats | None:
    """Φ⁻¹((rank − 3/8)/(n + 1/4)), (runs,); None where there is nothing to rank."""
    from scipy.special import ndtri

    if len(residual) < _FEWEST_FREE + 2 or not np.isfinite(residual).all() or np.ptp(residual) == 0:
        return None
    return np.asarray(ndtri((_ranks(residual) - 0.375) / (len(residual) + 0.25)))


def _law(slopes: Slopes) -> Floats:
    """A constant and the Jacobian, each column of length 1, (runs, coordinates + 1)."""
    columns = np.column_stack([np.ones(len(slopes.residual)), slopes.jacobian])
    size = np.linalg.norm(columns, axis=0)
    return np.asarray(columns[:, size > 0] / size[size > 0])


def _within(columns: Floats, codes: Ints) -> Floats:
    """The columns less their means over each group, (rows, columns)."""
    count = np.bincount(codes)
    means = np.column_stack([np.bincount(codes, each) / count for each in columns.T])
    return np.asarray(columns - means[codes])


def _basis(columns: Floats) -> Floats:
    """Orthonormal columns that span the given ones, (rows, rank)."""
    left, strength, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, strength > _SAME * strength[0]])


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, ties at their mean: the p rows that absolute deviations pass through tie at nothing."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=np.float64)
