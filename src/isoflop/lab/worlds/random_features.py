"""The random-features world: linear regression on features whose covariance has a power-law spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import SpecError
from isoflop.runs import Runs

Floats = NDArray[np.float64]

COUNTS = (8, 16, 32, 64, 128)
UNIT = "squared error"


@dataclass(frozen=True, eq=False)
class RandomFeaturesTruth:
    """L(D) ∝ D^-alpha at endless width and L(N) ∝ N^-alpha on endless data, the one the other's mirror image.

    Where the other quantity is the limit, each approaches it as 1/D or 1/N (``variance_exponent``). A finite number of
    features cuts the tail of the spectrum short, which steepens slopes: at alpha .5 from −.51 with 8,000 features to
    −.59 with 800.
    spectrum: the eigenvalues λ_i = i^-(1+alpha), shape (features,).
    """

    alpha: float
    spectrum: Floats
    variance_exponent: float = 1.0
    entropy: float = 0.0


def random_features(
    *,
    alpha: float = 1.0,
    sizes: Sequence[int] = COUNTS,
    tokens: Sequence[int] = COUNTS,
    features: int = 800,
    repetitions: int = 8,
    seed: int = 0,
) -> tuple[Runs, RandomFeaturesTruth]:
    """L(N, D) = Tr[(I − W)ᵀ Λ (I − W)] / 2S, with W = Pᵀ (F Pᵀ)⁺ F: one row a size, count of tokens and repetition.

    A teacher ω ~ N(0, I/S) on S features of covariance Λ; the student is least squares of least norm on N random
    mixtures P of the features, from D examples F. The averages over teacher and test points are exact; a repetition
    draws P and F, and within it smaller sizes and counts use the first rows of the larger, in every function of this
    file, so that differences carry less noise; a repetition is one ``run``, the unit of resampling. Near N = D the loss
    peaks and has heavy tails. Loss is half the squared error.
    """
    return _world(alpha, [(size, count) for size in sizes for count in tokens], features, repetitions, seed)


def random_features_data(
    *,
    alpha: float = 1.0,
    tokens: Sequence[int] = COUNTS,
    features: int = 800,
    repetitions: int = 8,
    seed: int = 0,
) -> tuple[Runs, RandomFeaturesTruth]:
    """L(D) = ½ E[K(x, x) − k(x)ᵀ K̄⁻¹ k(x)], K(x, x') = F(x) · F(x') / S: a student of endless width.

    The exact average over test points of Bahri et al. 2021 (arXiv 2102.06701, section on kernel regression).
    """
    return _world(alpha, [(None, count) for count in tokens], features, repetitions, seed)


def random_features_width(
    *,
    alpha: float = 1.0,
    sizes: Sequence[int] = COUNTS,
    features: int = 800,
    repetitions: int = 8,
    seed: int = 0,
) -> tuple[Runs, RandomFeaturesTruth]:
    """L(N) = Tr[Λ − Λ Pᵀ (P Λ Pᵀ)⁻¹ P Λ] / 2S: a student of N mixtures of the features, on endless data."""
    return _world(alpha, [(size, None) for size in sizes], features, repetitions, seed)


def random_features_loss(spectrum: Floats, *, mixtures: Floats | None, examples: Floats | None) -> float:
    """Half the mean squared error over teachers and test points, for one draw of mixtures and of examples.

    spectrum: Λ, shape (features,). mixtures: P, shape (size, features), ``None`` for endless width. examples: F, shape
    (tokens, features) with covariance Λ, ``None`` for endless data. With neither the loss is 0.
    """
    scale = 0.5 / len(spectrum)
    if mixtures is None or examples is None:
        # The variance outside the span of the examples, or of the rows of P Λ^½: the same formula, which is the
        # duality of data and width. An orthonormal basis takes the place of the inverse.
        rows = examples if mixtures is None else mixtures * np.sqrt(spectrum)
        if rows is None:
            return 0.0
        basis, _ = np.linalg.qr(rows.T)
        return float(scale * (spectrum.sum() - (spectrum @ basis**2).sum()))
    answer = np.linalg.lstsq(examples @ mixtures.T, examples, rcond=1e-10)[0]
    kept = (spectrum * mixtures * answer).sum()
    spent = (((mixtures * spectrum) @ mixtures.T @ answer) * answer).sum()
    return float(scale * (spectrum.sum() - 2 * kept + spent))


def _world(
    alpha: float, cells: Sequence[tuple[int | None, int | None]], features: int, repetitions: int, seed: int
) -> tuple[Runs, RandomFeaturesTruth]:
    counts = [count for cell in cells for count in cell if count is not None]
    if not counts or min(counts) < 1 or not alpha > 0 or repetitions < 1:
        raise SpecError(
            f"random features with exponent {alpha}, {repetitions} repetitions and counts {counts} cannot be drawn; "
            "give an exponent above 0, one repetition or more, and counts of 1 or more"
        )
    spectrum: Floats = np.arange(1, features + 1, dtype=np.float64) ** -(1.0 + alpha)
    columns: dict[str, list[float]] = {"N": [], "D": [], "loss": [], "seed": [], "run": []}
    for repetition in range(repetitions):
        # Two streams, so that the same seed draws the same examples whatever the mixtures, and the reverse.
        for_examples, for_mixtures = (np.random.default_rng([seed, repetition, stream]) for stream in (0, 1))
        examples = for_examples.standard_normal((max((d or 0) for _, d in cells), features)) * np.sqrt(spectrum)
        mixtures = for_mixtures.standard_normal((max((n or 0) for n, _ in cells), features))
        for size, count in cells:
            loss = random_features_loss(
                spectrum,
                mixtures=None if size is None else mixtures[:size],
                examples=None if count is None else examples[:count],
            )
            columns["loss"].append(loss)
            columns["seed"].append(repetition)
            columns["run"].append(repetition)  # its rows share their draws, so they are resampled together
            if size is not None:
                columns["N"].append(float(size))
            if count is not None:
                columns["D"].append(float(count))
    runs = Runs.from_columns(
        {name: values for name, values in columns.items() if values},
        source="the random-features world",
        units={"loss": UNIT},
        conventions={"N": "total"},
    )
    return runs, RandomFeaturesTruth(alpha, spectrum)
