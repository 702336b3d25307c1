"""``fit_components``: principal components of a table of scores with gaps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.values import Value

Floats = NDArray[np.float64]

_ROUNDS = 100
_SMALL = 1e-6  # of a score, by which what is filled in still moves
_RIDGE = 1e-2  # of the variance: of components that a model's few scores do not tell


@dataclass(frozen=True)
class Components(Value):
    """scores ≈ mean + S·axesᵀ with components S of a model.

    mean: (benchmarks,). axes: (benchmarks, components), orthonormal. variance: of the components; share: of all
    variance that they explain.
    """

    mean: Floats = field(repr=False)
    axes: Floats = field(repr=False)
    variance: Floats = field(repr=False)
    share: float

    def of(self, scores: Floats) -> Floats:
        """S, (models, components), from the scores that are there: ridge regression on the axes."""
        there = np.isfinite(scores)
        off = np.where(there, scores - self.mean, 0.0)
        within = np.einsum("mt,tk,tl->mkl", there.astype(float), self.axes, self.axes)
        least = _RIDGE * self.variance.sum() / np.maximum(self.variance, 1e-12) / len(self.mean)
        return np.asarray(np.linalg.solve(within + np.diag(least), (off @ self.axes)[..., None])[..., 0])


def fit_components(scores: Floats, count: int) -> Components:
    """The ``count`` principal components, gaps filled in by them until they rest.

    Parameters
    ----------
    scores :
        (models, benchmarks), NaN where none was measured.
    count :
        How many; at most one fewer than models, and no more than benchmarks.

    Returns
    -------
    Components
        Mean, axes and variances.

    Examples
    --------
    >>> import numpy
    >>> known = numpy.outer(numpy.linspace(-1, 1, 6), [0.2, 0.1, 0.2]) + 0.5
    >>> scores = known.copy()
    >>> scores[0, 2] = numpy.nan
    >>> found = fit_components(scores, 1)
    >>> filled = found.mean + found.of(scores) @ found.axes.T
    >>> bool(abs(filled[0, 2] - known[0, 2]) < 0.02), round(found.share, 3)
    (True, 1.0)

    Source: Ruan, Maddison & Hashimoto 2024, arXiv:2405.10938 (components of benchmarks, gaps by iterated projection).
    """
    there = np.isfinite(scores)
    count = max(1, min(count, scores.shape[1], scores.shape[0] - 1))
    mean = np.where(there, scores, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    filled = np.where(there, scores, mean)
    for _ in range(_ROUNDS):
        mean = filled.mean(axis=0)
        _, size, axes = np.linalg.svd(filled - mean, full_matrices=False)
        kept = axes[:count].T
        new = np.where(there, scores, mean + (filled - mean) @ kept @ kept.T)
        moved = np.abs(new - filled).max()
        filled = new
        if moved < _SMALL:
            break
    total = float((size**2).sum())
    return Components(
        mean, kept, size[:count] ** 2 / len(scores), float((size[:count] ** 2).sum() / total) if total else 1.0
    )
