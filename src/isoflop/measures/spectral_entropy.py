"""−Σ p log₂ p over the powers of a symmetric matrix's eigenvalues: exactly, or from random probes in large matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh

from isoflop.measures.samples import Floats

EXACT = 2_000  # eigenvalues of so many rows take seconds; they go with the cube
_PROBES, _STEPS = 24, 32


@dataclass(frozen=True)
class SpectralEntropy:
    """bits: of p_i = |λᵢ|^t / Σ|λ|^t; error: standard error of its probes, 0 where all eigenvalues were computed."""

    bits: float
    error: float


def spectral_entropy(matrix: NDArray[np.floating], *, power: float = 1.0, seed: int = 0) -> SpectralEntropy:
    """H = log₂ S − (t / S) Σ |λ|^t log₂|λ| with S = Σ |λ|^t.

    matrix: symmetric, (rows, rows); it may be overwritten. Above 2,000 rows both sums are traces of functions of the
    matrix, estimated by stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017) from 24 random probes.
    """
    if len(matrix) <= EXACT:
        return SpectralEntropy(entropy_of_eigenvalues(eigvalsh(matrix, check_finite=False), power=power), 0.0)
    sums, weighted = _probe(matrix, power, seed)
    total, second = sums.mean(), weighted.mean()
    bits = np.log2(total) - power * second / total
    # the delta method over probes
    slope = (1 / np.log(2) + power * second / total) / total
    scatter = slope * (sums - total) - power / total * (weighted - second)
    return SpectralEntropy(float(bits), float(scatter.std(ddof=1) / np.sqrt(len(sums))))


def entropy_of_eigenvalues(eigenvalues: Floats, *, power: float = 1.0) -> float:
    """−Σ p log₂ p of p_i = |λᵢ|^t / Σ|λ|^t, in bits."""
    weight = np.abs(eigenvalues) ** power
    share = weight / weight.sum()
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def _probe(matrix: NDArray[np.floating], power: float, seed: int) -> tuple[Floats, Floats]:
    """Estimates of Σ|λ|^t and Σ|λ|^t log₂|λ|, one a probe: n times the quadrature of Lanczos's small matrices."""
    rows = len(matrix)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (rows, _PROBES)).astype(matrix.dtype)
    now, before = signs / np.sqrt(rows, dtype=matrix.dtype), np.zeros_like(signs)
    basis = [now]
    diagonal, beside = np.zeros((_PROBES, _STEPS)), np.zeros((_PROBES, _STEPS))
    link = np.zeros(_PROBES)
    for step in range(_STEPS):
        ahead = matrix @ now - before * link.astype(matrix.dtype)
        diagonal[:, step] = (ahead * now).sum(axis=0)
        ahead -= now * diagonal[:, step].astype(matrix.dtype)
        for each in basis:  # without this, found eigenvalues come again
            ahead -= each * (each * ahead).sum(axis=0)
        link = np.sqrt((ahead.astype(np.float64) ** 2).sum(axis=0))
        beside[:, step] = link
        before, now = now, ahead / np.maximum(link, 1e-12).astype(matrix.dtype)
        now[:, link < 1e-6] = 0.0
        basis.append(now)
    sums, weighted = np.empty(_PROBES), np.empty(_PROBES)
    for probe in range(_PROBES):
        small = np.diag(diagonal[probe]) + np.diag(beside[probe, :-1], 1) + np.diag(beside[probe, :-1], -1)
        values, vectors = np.linalg.eigh(small)
        weight, size = vectors[0] ** 2 * rows, np.maximum(np.abs(values), 1e-300)
        sums[probe] = (weight * size**power).sum()
        weighted[probe] = (weight * size**power * np.log2(size)).sum()
    return sums, weighted
