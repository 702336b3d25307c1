"""Performance of a mixture from its transport to the validation data at small sizes, and from there at a large one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError
from isoflop.values import Value

Floats = NDArray[np.float64]

FEATURES: Final = (
    "linear",
    "quadratic",
    "transport",
    "transport and shares",
    "transport times shares",
    "transport times quadratic",
)


@dataclass(frozen=True)
class Stage(Value):
    """Performance as a linear form of features of transport and shares, chosen by cross-validation.

    features: the set. coefficients: of its columns. errors: mean absolute error of each set on mixtures left out in
    turn, by name; that of the chosen set is the smallest.
    """

    features: str
    coefficients: Floats
    errors: dict[str, float]

    def predict(self, shares: ArrayLike, transport: ArrayLike) -> Floats:
        """Performance of mixtures (mixtures, sources) at a transport (mixtures,) of the same size of sample."""
        return columns(self.features, *_checked(shares, transport)) @ self.coefficients


@dataclass(frozen=True)
class Projection(Value):
    """Performance at a size beyond two measured ones, linear in ln N, with a third size as its check.

    values: projected, (mixtures,). check: mean absolute error of the projection to the third size, NaN without one;
    bias: its mean, positive where the projection is too high, as where the curve saturates.
    """

    values: Floats
    check: float
    bias: float


def fit_stage(shares: ArrayLike, transport: ArrayLike, performance: ArrayLike, *, folds: int = 5) -> Stage:
    """Stage 1 of Projektor (Kang et al. 2023, arXiv 2307.02460) with its features chosen by cross-validation.

    shares: (mixtures, sources); transport, performance: (mixtures,). Folds are of neighboring mixtures, so that a set
    is judged by extrapolation as well. The sets without transport are baselines. Raises DataError for too few mixtures.
    """
    p, ot = _checked(shares, transport)
    y = np.asarray(performance, dtype=np.float64)
    if y.shape != ot.shape or len(y) < 2 * folds:
        raise DataError(
            f"{len(y)} mixtures are too few for {folds} folds; give {2 * folds} or more, and one value each"
        )
    order = np.lexsort(p.T)
    blocks = np.array_split(order, folds)
    errors: dict[str, float] = {}
    for name in FEATURES:
        design = columns(name, p, ot)
        if design.shape[1] >= len(y) - len(blocks[0]):
            continue
        missed = []
        for left in blocks:
            kept = np.setdiff1d(order, left)
            found, *_ = np.linalg.lstsq(design[kept], y[kept], rcond=None)
            missed.append(np.abs(design[left] @ found - y[left]))
        errors[name] = float(np.concatenate(missed).mean())
    best = min(errors, key=lambda name: errors[name])
    found, *_ = np.linalg.lstsq(columns(best, p, ot), y, rcond=None)
    return Stage(best, np.asarray(found), errors)


def columns(features: str, shares: Floats, transport: Floats) -> Floats:
    """The columns of a feature set; the last share is left out, since they sum to 1."""
    p, ot = shares[:, :-1], transport[:, None]
    one = np.ones((len(shares), 1))
    match features:
        case "linear":
            return np.hstack((one, p))
        case "quadratic":
            return np.hstack((one, p, p**2))
        case "transport":
            return np.hstack((one, ot))
        case "transport and shares":
            return np.hstack((one, ot, p))
        case "transport times shares":
            return np.hstack((one, ot, p, p * ot))
        case "transport times quadratic":  # the form of the paper
            return np.hstack((one, ot, p, p * ot, p**2, p**2 * ot))
    raise DataError(f"{features!r} is no set of features; choose among {', '.join(FEATURES)}")


def project(
    small: tuple[float, ArrayLike],
    large: tuple[float, ArrayLike],
    size: float,
    *,
    check: tuple[float, ArrayLike] | None = None,
    limit: float | None = None,
) -> Projection:
    """L(N) = [ln(N/N₀) L(N₁) − ln(N/N₁) L(N₀)] / ln(N₁/N₀): exact where performance is linear in ln N.

    small, large: N₀ and N₁ with the performance of each mixture there. check: a third size with what was measured.
    limit: the most that performance can be, such as 1. Raises DataError for sizes that are not in order.
    """
    (first, low), (second, high) = small, large
    if not 0 < first < second < size:
        raise DataError(f"sizes must grow, 0 < {first:g} < {second:g} < {size:g}; swap or change them")
    one, other = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if one.shape != other.shape:
        raise DataError("both sizes must have the same mixtures")

    def at(n: float) -> Floats:
        told = (np.log(n / first) * other - np.log(n / second) * one) / np.log(second / first)
        return told if limit is None else np.minimum(told, limit)

    off = at(check[0]) - np.asarray(check[1], dtype=np.float64) if check is not None else np.array([np.nan])
    return Projection(at(size), float(np.abs(off).mean()), float(off.mean()))


def _checked(shares: ArrayLike, transport: ArrayLike) -> tuple[Floats, Floats]:
    p, ot = np.asarray(shares, dtype=np.float64), np.asarray(transport, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or ot.shape != (len(p),):
        raise DataError(f"shares {p.shape} must be (mixtures, sources) and transport {ot.shape} (mixtures,)")
    if (p < -1e-9).any() or (abs(p.sum(axis=1) - 1) > 1e-6).any() or not np.isfinite(ot).all():
        raise DataError("the shares of each mixture must be at least 0 and sum to 1, and transport be finite")
    return p, ot
