"""The world of Gaussian pairs: mutual information known exactly, estimated directly and through many dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import SpecError
from isoflop.measures import kozachenko_leonenko_information, kraskov_information, principal_components
from isoflop.runs import Runs

Floats = NDArray[np.float64]

Representation = Literal["direct", "wide", "compressed"]

REPRESENTATIONS: tuple[Representation, ...] = get_args(Representation)
INFORMATION = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class GaussianPairs:
    """Samples with I(X; Y) = ``information`` nats exactly.

    x, y: shape (samples, dimensions). wide_x, wide_y: the same behind a random linear map with a little noise, shape
    (samples, width); they share as much information but for the noise, less than 1e-3 nats with the defaults.
    """

    information: float
    x: Floats
    y: Floats
    wide_x: Floats
    wide_y: Floats


@dataclass(frozen=True)
class GaussianTruth:
    """I(X; Y) = −(d/2) log(1 − ρ²) nats, with the correlation ρ for each entry of ``information``."""

    information: tuple[float, ...]
    correlation: tuple[float, ...]


def draw_gaussian_pairs(
    information: float,
    *,
    samples: int = 5_000,
    dimensions: int = 2,
    width: int = 100,
    noise: float = 0.01,
    seed: int = 0,
) -> GaussianPairs:
    """Y = ρX + √(1 − ρ²) Z with ρ² = 1 − exp(−2I/d), so that I(X; Y) = ``information`` nats exactly.

    Each of the ``dimensions`` pairs of coordinates carries an equal share. The wide samples are X and Y times random
    (dimensions, width) matrices, plus independent noise in every coordinate.
    """
    if information < 0 or samples < 2 or not 1 <= dimensions <= width:
        raise SpecError(
            f"{samples} pairs of {dimensions} dimensions in a width of {width} with {information} nats cannot be "
            "drawn; give 0 nats or more, two samples or more and a width of at least the dimensions"
        )
    rng = np.random.default_rng(seed)
    correlation = _correlation(information, dimensions)
    x = rng.standard_normal((samples, dimensions))
    y = correlation * x + np.sqrt(1 - correlation**2) * rng.standard_normal((samples, dimensions))
    wide_x, wide_y = (
        side @ rng.standard_normal((dimensions, width)) + noise * rng.standard_normal((samples, width))
        for side in (x, y)
    )
    return GaussianPairs(information, x, y, wide_x, wide_y)


def gaussian_pairs(
    *,
    information: Sequence[float] = INFORMATION,
    samples: int = 5_000,
    width: int = 100,
    neighbors: int = 5,
    representations: Sequence[Representation] = REPRESENTATIONS,
    seeds: Sequence[int] = (0,),
) -> tuple[Runs, GaussianTruth]:
    """Î(X; Y) of two-dimensional pairs, per representation: ``direct``, ``wide``, and ``compressed`` back by PCA.

    One row an information, representation and seed. Columns: D the samples, family the representation, seed,
    ``information`` the truth, ``estimate`` by :func:`kozachenko_leonenko_information` and ``estimate_kraskov`` by
    :func:`kraskov_information`, all in nats. The wide estimate by entropies is nonsense, hundreds of nats below zero:
    that is the point of the row. Kraskov's survives, since the wide samples lie near a plane. A wide row takes about
    four seconds, the others a tenth.
    """
    unknown = [name for name in representations if name not in REPRESENTATIONS]
    if unknown:
        raise SpecError(f"{unknown[0]!r} is no representation; choose among {', '.join(REPRESENTATIONS)}")
    rows: list[tuple[float, str, int, float, float]] = []
    for nats in information:
        for seed in seeds:
            pairs = draw_gaussian_pairs(nats, samples=samples, width=width, seed=seed)
            for name in representations:
                x, y = _represented(pairs, name)
                rows.append(
                    (
                        nats,
                        name,
                        seed,
                        kozachenko_leonenko_information(x, y, neighbors=neighbors),
                        kraskov_information(x, y, neighbors=neighbors),
                    )
                )
    nats_column, names, seed_column, estimates, kraskov = zip(*rows, strict=True)
    runs = Runs.from_columns(
        {
            "D": np.full(len(rows), float(samples)),
            "family": names,
            "seed": seed_column,
            "information": nats_column,
            "estimate": estimates,
            "estimate_kraskov": kraskov,
        },
        source="the world of Gaussian pairs",
    )
    return runs, GaussianTruth(tuple(information), tuple(_correlation(nats, 2) for nats in information))


def _represented(pairs: GaussianPairs, representation: Representation) -> tuple[Floats, Floats]:
    match representation:
        case "direct":
            return pairs.x, pairs.y
        case "wide":
            return pairs.wide_x, pairs.wide_y
        case "compressed":
            count = pairs.x.shape[1]
            return principal_components(pairs.wide_x, count), principal_components(pairs.wide_y, count)


def _correlation(information: float, dimensions: int) -> float:
    return float(np.sqrt(-np.expm1(-2 * information / dimensions)))
