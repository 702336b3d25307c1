"""How the rows of a weight matrix overlap, beside what random directions would: weak and strong superposition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError
from isoflop.measures.samples import as_samples

_ROWS = 1024


@dataclass(frozen=True)
class RowOverlap:
    """Squared cosines between rows of a matrix (rows n, dimensions m).

    mean: ⟨(ŵᵢ·ŵⱼ)²⟩ over i ≠ j; random: 1/m, of random directions; times_m: their ratio, near 1 in strong
    superposition. welch: (n − m) / (m (n − 1)), below which no rows can be; represented: φ½, the share of rows whose
    norm is above ½ of the root mean square of the norms, or above ½ itself where ``absolute``.
    """

    mean: float
    random: float
    times_m: float
    welch: float
    represented: float
    rows: int
    dimensions: int


def row_overlap(weights: ArrayLike, *, absolute: bool = True) -> RowOverlap:
    """⟨(ŵᵢ·ŵⱼ)²⟩ over pairs of rows, by tr((ŴᵀŴ)²): no matrix of n × n is made.

    weights: (rows, dimensions), such as an embedding or an output matrix. Rows of zeros have no direction and are left
    out of the mean. Liu et al. 2025 (arXiv 2505.10465). Raises DataError for fewer than two rows with a direction.
    """
    table = as_samples(weights, "weights")
    norms = np.sqrt((table**2).sum(axis=1))
    directed = norms > 0
    if directed.sum() < 2:
        raise DataError("the matrix has fewer than two rows that are not zero, so no rows overlap")
    rows = int(directed.sum())
    gram = np.zeros((table.shape[1], table.shape[1]))
    unit = table[directed] / norms[directed, None]
    for start in range(0, rows, _ROWS):
        gram += unit[start : start + _ROWS].T @ unit[start : start + _ROWS]
    mean = float(((gram**2).sum() - rows) / (rows * (rows - 1)))
    width = table.shape[1]
    threshold = 0.5 if absolute else 0.5 * float(np.sqrt((norms**2).mean()))
    return RowOverlap(
        mean, 1 / width, mean * width, max(0.0, (rows - width) / (width * (rows - 1))),
        float((norms > threshold).mean()), len(table), width,
    )  # fmt: skip
