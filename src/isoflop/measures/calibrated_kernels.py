"""The gate of measures made of a Gaussian kernel, whose exact value is known for Gaussian samples of any variances."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isoflop.measures.calibration import TOLERANCE, Calibrated, Trial
from isoflop.measures.conditional import conditional_information, gaussian_channel_information
from isoflop.measures.diffusion import diffusion_entropy, gaussian_diffusion_entropy
from isoflop.measures.samples import Floats, as_labels, as_samples, squared_distances, varying
from isoflop.measures.spectrum import principal_variances

_LIKE = 0.95
_SUBSET = 1_000


def half_median_distance(points: ArrayLike, *, seed: int = 0) -> float:
    """Half the median distance between samples: a width at which a sample has neighbors, and not all of them."""
    table = varying(as_samples(points))
    if len(table) > _SUBSET:
        table = table[np.random.default_rng(seed).choice(len(table), _SUBSET, replace=False)]
    table = table - table.mean(axis=0)
    squares = squared_distances(table, table)[np.triu_indices(len(table), 1)]
    positive = squares[squares > 0]
    return float(0.5 * np.sqrt(np.median(positive)))


def calibrated_diffusion_entropy(
    points: ArrayLike,
    *,
    sigma: float,
    time: float = 1.0,
    tolerance: float = TOLERANCE,
    level: float = 0.9,
    seed: int = 0,
) -> Calibrated:
    """DSE in bits, after a trial on Gaussian samples of the same n and variances and one on half of these samples.

    points: (samples, dimensions). The Gaussian's exact value is :func:`gaussian_diffusion_entropy`. The second trial
    compares half of the samples with all: an entropy that still grows with n measures n. Refused beyond the tolerance,
    and where points have no neighbors at this σ, or everything is a neighbor. Raises DataError for bad samples.
    """
    from statistics import NormalDist

    table = varying(as_samples(points, least=20))
    found = diffusion_entropy(table, sigma=sigma, time=time, seed=seed)
    variances = principal_variances(table)
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((len(table), len(variances))) * np.sqrt(variances)
    trials = (
        Trial(
            "Gaussian samples",
            gaussian_diffusion_entropy(variances, sigma=sigma, time=time),
            diffusion_entropy(normal, sigma=sigma, time=time, seed=seed).bits,
        ),
        Trial(
            "half of these samples",
            found.bits,
            diffusion_entropy(_half(table, rng), sigma=sigma, time=time, seed=seed).bits,
        ),
    )
    refused = ""
    usual = half_median_distance(table)
    if found.neighbors < 1:
        refused = f"a point has {found.neighbors:.2g} neighbors at sigma {sigma:g}, too small; try {usual:.2g}"
    elif found.likeness > _LIKE:
        refused = f"every point is a neighbor of every other at sigma {sigma:g}, too large; try {usual:.2g}"
    else:
        refused = _beyond(trials, tolerance, "bits")
    if not refused and found.error > tolerance * max(found.bits, 0.25):
        refused = f"the random probes leave a standard error of {found.error:.2g} bits; give fewer samples"
    reach = NormalDist().inv_cdf((1 + level) / 2) * found.error
    biases = (0.0, *(each.estimate - each.truth for each in trials))
    low, high = found.bits - reach - max(biases), found.bits + reach - min(biases)
    return Calibrated("diffusion", found.bits, low, high, level, "bits", trials, tolerance, refused)


def calibrated_conditional_information(
    points: ArrayLike,
    labels: ArrayLike,
    *,
    noise: float,
    tolerance: float = TOLERANCE,
    level: float = 0.9,
    seed: int = 0,
) -> Calibrated:
    """I(X; Z | Y) in nats by drawn noise, with the mixture bounds as its interval.

    The trial: classes as large whose points are Gaussian with the variances inside these classes, for which the
    information is exact. Refused beyond the tolerance, which is where samples stand alone at this noise.
    Raises DataError for bad samples, labels or noise.
    """
    table = varying(as_samples(points, least=20))
    codes = as_labels(labels, len(table))
    found = conditional_information(table, codes, noise=noise, seed=seed)
    inside = table - np.stack([table[codes == each].mean(axis=0) for each in range(codes.max() + 1)])[codes]
    variances = principal_variances(inside)
    normal = np.random.default_rng(seed).standard_normal((len(table), len(variances))) * np.sqrt(variances)
    there = conditional_information(normal, codes, noise=noise, seed=seed)
    trials = (Trial("Gaussian classes", gaussian_channel_information(variances, noise=noise), there.value),)
    return Calibrated(
        "noise injection", found.value, found.lower, found.upper, level, "nats", trials, tolerance,
        _beyond(trials, tolerance, "nats"),
    )  # fmt: skip


def _half(table: Floats, rng: np.random.Generator) -> Floats:
    return table[rng.choice(len(table), len(table) // 2, replace=False)]


def _beyond(trials: tuple[Trial, ...], tolerance: float, unit: str) -> str:
    for each in trials:
        if abs(each.error) > tolerance:
            return f"{each.error:+.0%} on {each.world} of {each.truth:.3g} {unit}"
    return ""
