"""The gate of intrinsic dimension and of a spectrum's exponent: samples of known dimension, and of known exponent."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isoflop.measures.calibration import TOLERANCE, Calibrated, Trial
from isoflop.measures.dimension import intrinsic_dimension
from isoflop.measures.overlap import row_overlap
from isoflop.measures.samples import as_samples, repeated, varying
from isoflop.measures.spectrum import spectrum_exponent

_WIDEST = 3.0
_BENT = 0.3


def calibrated_dimension(
    points: ArrayLike,
    *,
    method: str = "mle",
    neighbors: int = 20,
    tolerance: float = TOLERANCE,
    level: float = 0.9,
    seed: int = 0,
) -> Calibrated:
    """Intrinsic dimension corrected by samples of known dimension, which are its trials.

    Marked where the references put it farther apart than the tolerance: the interval holds them all. Refused where the
    ends of the interval are a factor of 3 apart, and for samples that are mostly copies. Raises DataError for bad
    samples.
    """
    table = varying(as_samples(points, least=50))
    copies = repeated(table)
    found = intrinsic_dimension(table, method=method, neighbors=neighbors, level=level, seed=seed)
    trials = tuple(Trial(f"uniform {name}" if name != "Gaussian" else name, value, found.raw)
                   for name, value in found.references.items())  # fmt: skip
    refused = marked = ""
    if copies > 0.5 * len(table):
        refused = f"{copies:,} of {len(table):,} samples are copies of another"
    elif found.high > _WIDEST * found.low:
        refused = f"references put it between {found.low:.1f} and {found.high:.1f}"
    elif found.high - found.low > 2 * tolerance * found.value:
        marked = f"between {found.low:.1f} and {found.high:.1f}, by the density that is assumed"
    return Calibrated(
        method, found.value, found.low, found.high, level, "dimensions", trials, tolerance, refused, marked
    )


def calibrated_spectrum(
    points: ArrayLike,
    *,
    first: int = 5,
    last: int | None = None,
    tolerance: float = TOLERANCE,
    level: float = 0.9,
    seed: int = 0,
) -> Calibrated:
    """α of λᵢ ∝ i^−(1 + α), after a trial on Gaussian samples of this exponent, of the same n and d.

    Refused beyond the tolerance, and where the slope changes inside the window by 30 %, so that there is no power law.
    Raises DataError for bad samples and for too few ranks.
    """
    table = varying(as_samples(points, least=20))
    found = spectrum_exponent(table, first=first, last=last, level=level, seed=seed)
    rng = np.random.default_rng(seed)
    deviations = np.arange(1, table.shape[1] + 1.0) ** (-(1 + found.exponent) / 2)
    normal = rng.standard_normal(table.shape) * deviations
    there = spectrum_exponent(normal, first=found.first, last=found.last, draws=3, seed=seed)
    trial = Trial("Gaussian samples of this exponent", found.exponent, there.exponent)
    refused = ""
    if abs(found.bend) > _BENT:
        refused = f"no power law: the slope changes by {found.bend:+.0%} between ranks {found.first} and {found.last}"
    elif abs(trial.error) > tolerance:
        refused = f"{trial.error:+.0%} on {trial.world}"
    return Calibrated("spectrum", found.exponent, found.low, found.high, level, "", (trial,), tolerance, refused)


def calibrated_overlap(
    weights: ArrayLike, *, tolerance: float = TOLERANCE, level: float = 0.9, seed: int = 0
) -> Calibrated:
    """m ⟨(ŵᵢ·ŵⱼ)²⟩ of the rows of a matrix with m columns: 1 for random directions, which are its trial.

    Marked with what is known beside it: the least that so many rows can have (Welch), and how many have a norm above
    half of the root mean square. Refused where random directions of this shape miss 1 by more than the tolerance.
    Raises DataError for fewer than two rows that are not zero.
    """
    found = row_overlap(weights, absolute=False)
    normal = np.random.default_rng(seed).standard_normal((found.rows, found.dimensions))
    trial = Trial("random directions", 1.0, row_overlap(normal).times_m)
    refused = f"{trial.error:+.0%} on {trial.world}" if abs(trial.error) > tolerance else ""
    least = found.welch * found.dimensions
    marked = (
        ""
        if refused
        else f"no less than {least:.2f} for {found.rows:,} rows; {found.represented:.0%} of them are large"
    )
    return Calibrated("overlap", found.times_m, np.nan, np.nan, level, "", (trial,), tolerance, refused, marked)
