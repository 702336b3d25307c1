"""Linear compression of samples, since neighbor estimators say nothing in many dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError

Floats = NDArray[np.float64]


def principal_components(points: ArrayLike, count: int) -> Floats:
    """Z = (X − mean) V[:, :count] / sd: the first ``count`` principal components, each scaled to variance one.

    points: (samples, dimensions). Returns (samples, count); mutual information with anything else is unchanged by the
    scaling, and by the projection where the remaining components carry only noise. Raises DataError where fewer than
    ``count`` directions vary.
    """
    table = np.asarray(points, dtype=np.float64)
    if table.ndim != 2 or not 1 <= count <= min(table.shape):
        raise DataError(
            f"{count} principal components cannot be taken from points of shape {table.shape}; "
            "give (samples, dimensions) and at most that many components"
        )
    centered = table - table.mean(axis=0)
    # The eigenvectors of the small Gram matrix are the right singular vectors; samples are many, dimensions few.
    variances, directions = np.linalg.eigh(centered.T @ centered)
    if variances[-count] <= 1e-12 * variances[-1]:
        raise DataError(f"fewer than {count} directions of the points vary; ask for fewer components")
    scores: Floats = centered @ directions[:, ::-1][:, :count]
    scores /= scores.std(axis=0)
    return scores
