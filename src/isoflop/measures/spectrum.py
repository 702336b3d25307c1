"""The spectrum of activations or of a kernel, and the exponent of its power law with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError
from isoflop.measures.samples import Floats, as_samples


@dataclass(frozen=True)
class SpectrumExponent:
    """λᵢ ∝ i^−(1 + α) over the ranks from first to last.

    exponent: α; low, high: its interval at ``level`` over resampled points and over windows of ranks. bend: the slope
    of the second half of the window less that of the first, in units of 1 + α, which is 0 for a power law.
    """

    exponent: float
    low: float
    high: float
    level: float
    first: int
    last: int
    bend: float


def principal_variances(points: ArrayLike) -> Floats:
    """Eigenvalues of the sample covariance, the largest first: as many as the smaller of samples − 1 and dimensions."""
    table = as_samples(points)
    centered = table - table.mean(axis=0)
    narrow = centered if table.shape[1] <= len(table) else centered.T
    found = np.linalg.eigvalsh(narrow.T @ narrow)[::-1] / (len(table) - 1)
    return np.maximum(found[: min(len(table) - 1, table.shape[1])], 0.0)


def spectrum_exponent(
    points: ArrayLike,
    *,
    first: int = 5,
    last: int | None = None,
    level: float = 0.9,
    draws: int = 12,
    seed: int = 0,
) -> SpectrumExponent:
    """α of λᵢ ∝ i^−(1 + α), by least squares of log λ on log i over log-spaced ranks, variances cross-validated.

    points: (samples, dimensions). The variance of a rank is measured on one half of the samples along a direction found
    on the other half, which leaves out the noise that sample eigenvalues have. first, last: the ranks of the window;
    last is by default the smaller of a tenth of the samples and a third of the dimensions. The interval is over halves
    drawn anew and over windows that begin up to twice as late and end down to half as early.
    Raises DataError where the window has fewer than 8 ranks or the spectrum ends inside it.
    """
    table = as_samples(points, least=20)
    end = min(len(table) // 10, table.shape[1] // 3) if last is None else last
    if end - first < 7 or end > min(len(table) // 2 - 1, table.shape[1]):
        raise DataError(
            f"{table.shape[1]} dimensions and {len(table):,} samples leave the ranks {first} to {end}, and an exponent "
            "needs 8 or more of them, up to half of the samples"
        )
    rng = np.random.default_rng(seed)
    fits = []
    for _ in range(draws):
        variances = _cross_validated(table, rng)
        start, stop = int(first * rng.uniform(1, 2)), int(end * rng.uniform(0.5, 1))
        if stop - start < 7:
            start, stop = first, end
        fits.append((_slope(variances, start, stop), _slope(variances, first, end), _bend(variances, first, end)))
    slopes, whole, bends = np.array(fits).T
    value = float(-np.median(whole) - 1)
    tail = (1 - level) / 2
    low, high = np.quantile(-slopes - 1, [tail, 1 - tail])
    return SpectrumExponent(
        value, float(min(low, value)), float(max(high, value)), level, first, end, float(np.median(bends))
    )


def _cross_validated(table: Floats, rng: np.random.Generator) -> Floats:
    order = rng.permutation(len(table))
    one, other = table[order[: len(table) // 2]], table[order[len(table) // 2 :]]
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    if one.shape[1] <= len(one):
        _, directions = np.linalg.eigh(one.T @ one)
        directions = directions[:, ::-1]
    else:  # the directions of the samples, of which there are fewer
        squares, sides = np.linalg.eigh(one @ one.T)
        keep = squares > 1e-12 * squares[-1]
        directions = (one.T @ sides[:, keep] / np.sqrt(squares[keep]))[:, ::-1]
    return np.asarray(((other @ directions) ** 2).mean(axis=0))


def _slope(variances: Floats, first: int, last: int) -> float:
    ranks = np.unique(np.geomspace(first, min(last, len(variances)), 40).astype(int))
    values = variances[ranks - 1]
    if (values <= 1e-14 * variances[0]).any():
        raise DataError(
            f"the spectrum ends at rank {int((variances > 1e-14 * variances[0]).sum())}, inside the window "
            f"{first} to {last}; the points lie in a plane of so many dimensions and have no power law there"
        )
    return float(np.polyfit(np.log(ranks), np.log(values), 1)[0])


def _bend(variances: Floats, first: int, last: int) -> float:
    middle = int(np.sqrt(first * last))
    one, other = _slope(variances, first, middle), _slope(variances, middle, last)
    return (other - one) / abs(_slope(variances, first, last))
