"""Optimal transport between samples, with entropy and without its bias: debiased Sinkhorn divergences on embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError
from isoflop.measures.samples import Floats, as_samples, squared_distances


@dataclass(frozen=True)
class Transport:
    """A divergence and its gradient.

    divergence: S = OT(a, b) − ½ OT(a, a) − ½ OT(b, b), in the unit of the squared distance; 0 for equal samples.
    potentials: dS/da of each sample's weight, up to a constant. steps: of the iteration.
    """

    divergence: float
    potentials: Floats
    steps: int


def label_distances(
    x: ArrayLike, y: ArrayLike, labels: tuple[ArrayLike, ArrayLike] | None = None, *, weight: float = 1.0
) -> Floats:
    """‖xᵢ − yⱼ‖² + weight · [labels differ], shape (samples of X, samples of Y)."""
    first, second = as_samples(x, "X", least=1), as_samples(y, "Y", least=1)
    if first.shape[1] != second.shape[1]:
        raise DataError(f"X has {first.shape[1]} dimensions and Y {second.shape[1]}; embed both alike")
    center = second.mean(axis=0)
    cost = squared_distances(first - center, second - center)
    if labels is not None:
        one, other = (np.asarray(each) for each in labels)
        if one.shape != (len(first),) or other.shape != (len(second),):
            raise DataError("labels must be one a sample")
        cost += weight * (one[:, None] != other)
    return cost


def sinkhorn_divergence(
    cost: Floats,
    own: Floats,
    other: Floats,
    *,
    weights: ArrayLike | None = None,
    regularization: float = 0.05,
    tolerance: float = 1e-4,
) -> Transport:
    """S_ε(a, b) of one set of weights; see :func:`sinkhorn_divergences`. weights: uniform where None."""
    mass = np.full(len(cost), 1 / len(cost)) if weights is None else np.asarray(weights, dtype=np.float64)
    return sinkhorn_divergences(
        cost, own, other, mass[None], regularization=regularization, tolerance=tolerance
    )[0]  # fmt: skip


def sinkhorn_divergences(
    cost: Floats,
    own: Floats,
    other: Floats,
    weights: ArrayLike,
    *,
    regularization: float = 0.05,
    tolerance: float = 1e-4,
    most: int = 2_000,
) -> tuple[Transport, ...]:
    """S_ε(a, b) of many sets of weights at once, by Sinkhorn's scaling with ε = regularization · mean cost.

    cost: (n, m) between the samples; own, other: (n, n) and (m, m) within each. weights: (sets, n), each at least 0 and
    summing to 1. Stops where potentials move by less than tolerance · ε. Genevay, Peyré and Cuturi 2018; Feydy et al.
    2019. Raises DataError for weights that are no distribution and for a regularization below what doubles can hold.
    """
    mass = np.asarray(weights, dtype=np.float64)
    if mass.ndim != 2 or mass.shape[1] != len(cost) or (mass < 0).any() or not np.allclose(mass.sum(axis=1), 1):
        raise DataError("weights must be at least 0, one a sample, and sum to 1")
    width = regularization * float(cost.mean())
    if width <= 0:
        return tuple(Transport(0.0, np.zeros(len(cost)), 0) for _ in mass)
    largest = max(float(each.max()) for each in (cost, own, other)) / width
    if largest > 600:
        raise DataError(
            f"regularization {regularization:g} is too small for distances that spread so far; give "
            f"{regularization * largest / 500:.2g} or more"
        )
    kernel, a = np.exp(-cost / width), mass.T
    log_u, v, steps = np.zeros(a.shape), np.ones((cost.shape[1], a.shape[1])), 0
    while steps < most:
        steps += 1
        v = 1 / (kernel.T @ (a * np.exp(log_u)))
        new = -np.log(kernel @ (v / cost.shape[1]))
        moved = float(np.abs(new - log_u).max())
        log_u = new
        if moved < tolerance:
            break
    inner = _self_potentials(np.exp(-own / width), a, tolerance)
    outer = _self_potentials(np.exp(-other / width), np.full((len(other), 1), 1 / len(other)), tolerance)
    values = width * ((a * (log_u - inner)).sum(axis=0) + (np.log(v) - outer).mean(axis=0))
    told = width * (log_u - inner)
    return tuple(Transport(float(value), told[:, place], steps) for place, value in enumerate(values))


def _self_potentials(kernel: Floats, mass: Floats, tolerance: float, *, most: int = 500) -> Floats:
    """Potentials of samples with themselves over ε: log s ← ½ (log s − log K(a s)), in tens of steps."""
    logs: Floats = np.zeros(mass.shape)
    for _ in range(most):
        new = 0.5 * (logs - np.log(kernel @ (mass * np.exp(logs))))
        moved = float(np.abs(new - logs).max())
        logs = new
        if moved < tolerance:
            break
    return logs


def source_gradient(potentials: Floats, sources: NDArray[np.int64]) -> Floats:
    """dS/dp of the shares of sources, less its mean: the mean potential of each source's samples.

    A share is to grow where it is most negative. sources: which source each sample is of, (samples,).
    """
    means = np.array([potentials[sources == each].mean() for each in range(int(sources.max()) + 1)])
    return means - means.mean()
