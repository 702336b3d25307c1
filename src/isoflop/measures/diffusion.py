"""Diffusion spectral entropy of points, the information about labels made of it, and its exact value for a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError
from isoflop.measures.samples import Floats, as_labels, as_samples
from isoflop.measures.spectral_entropy import EXACT, SpectralEntropy, spectral_entropy

SIGMA, TIME = 10.0, 1.0
_MOST = 20_000
_ROWS = 512


@dataclass(frozen=True)
class DiffusionEntropy:
    """DSE in bits, the standard error of its computation, and how much the kernel sees.

    neighbors: Σⱼ exp(−‖zᵢ − zⱼ‖² / 2σ²) over the other points, averaged over i: where it is below 1, points have no
    neighbors at this σ and the entropy is log₂ n of any data. likeness: the same divided by n − 1: near 1 the kernel is
    constant and the entropy 0 of any data.
    """

    bits: float
    error: float
    neighbors: float
    likeness: float


def diffusion_entropy(
    points: ArrayLike, *, sigma: float = SIGMA, time: float = TIME, seed: int = 0
) -> DiffusionEntropy:
    """DSE = −Σ p log₂ p, p_i = |λᵢ|^t / Σ|λ|^t, λ the eigenvalues of Q^(−1/2) G Q^(−1/2).

    G_ij = exp(−‖zᵢ − zⱼ‖² / 2σ²), Q the diagonal of G's row sums. points: (samples, dimensions), at most 20,000.
    0 ≤ DSE ≤ log₂ n. Liao et al. 2023 (arXiv 2312.04823). Above 2,000 samples by random probes; see
    :func:`isoflop.measures.spectral_entropy.spectral_entropy`.
    """
    table = as_samples(points)
    _check(sigma, time)
    if len(table) > _MOST:
        raise DataError(
            f"{len(table):,} samples need a kernel of {4e-9 * len(table) ** 2:.0f} GB; measure at most {_MOST:,} "
            "(--samples 10000)"
        )
    kernel = _kernel(table, sigma)
    mass = kernel.sum(axis=1, dtype=np.float64)
    neighbors = float(mass.mean() - 1)
    root = 1 / np.sqrt(mass).astype(kernel.dtype)
    kernel *= root[:, None]
    kernel *= root
    found: SpectralEntropy = spectral_entropy(kernel, power=time, seed=seed)
    return DiffusionEntropy(found.bits, found.error, neighbors, neighbors / max(len(table) - 1, 1))


def diffusion_label_information(
    points: ArrayLike,
    labels: ArrayLike,
    *,
    sigma: float = SIGMA,
    time: float = TIME,
    repeats: int = 5,
    seed: int = 0,
) -> float:
    """DSMI(Z; Y) = Σ_y p(y) [DSE(Z*_y) − DSE(Z | Y = y)], in bits.

    Z*_y: a random subset of Z of the size of the class, averaged over ``repeats``. points: (samples, dimensions);
    labels: (samples,). For a continuous Y see :func:`binned_targets`, for inputs :func:`input_clusters`.
    """
    table = as_samples(points)
    codes = as_labels(labels, len(table))
    rng, total = np.random.default_rng(seed), 0.0
    for each in np.unique(codes):
        own = np.flatnonzero(codes == each)
        subsets = [rng.choice(len(table), len(own), replace=False) for _ in range(repeats)]
        whole = float(np.mean([diffusion_entropy(table[rows], sigma=sigma, time=time).bits for rows in subsets]))
        total += len(own) / len(table) * (whole - diffusion_entropy(table[own], sigma=sigma, time=time).bits)
    return float(total)


def gaussian_diffusion_entropy(variances: ArrayLike, *, sigma: float = SIGMA, time: float = TIME) -> float:
    """Σⱼ H(rⱼ^t), rⱼ = sⱼ² / (sⱼ² + σ²), H(r) = −log₂(1 − r) − r log₂ r / (1 − r): DSE of Gaussian samples, n → ∞.

    variances: sⱼ² along the principal axes. The normalized kernel against a normal density is Mehler's, whose
    eigenvalues are 1, r, r² … in each dimension.
    """
    _check(sigma, time)
    spread = np.maximum(np.asarray(variances, dtype=np.float64), 0.0)
    ratio = (spread / (spread + sigma**2)) ** time
    ratio = ratio[ratio > 1e-300]
    return float((-np.log1p(-ratio) - ratio * np.log(ratio) / (1 - ratio)).sum() / np.log(2))


def binned_targets(values: ArrayLike, *, bins: int = 10) -> NDArray[np.int64]:
    """A continuous Y as ``bins`` classes of equal width, for :func:`diffusion_label_information`."""
    target = as_samples(values, "targets")
    if target.shape[1] != 1:
        raise DataError(f"targets of {target.shape[1]} dimensions have no bins; cluster them as inputs")
    low, span = target.min(), np.ptp(target)
    if span == 0:
        raise DataError("targets are constant; information about them is 0 whatever the points")
    return np.minimum((bins * (target[:, 0] - low) / span).astype(np.int64), bins - 1)


def input_clusters(inputs: ArrayLike, *, clusters: int = 10, neighbors: int = 10, seed: int = 0) -> NDArray[np.int64]:
    """Inputs X as classes by spectral clustering of their nearest-neighbor graph, for DSMI(Z; X).

    The leading eigenvectors of the symmetrized, degree-normalized graph, whose rows are assigned by a pivoted QR
    decomposition (Damle, Minden and Ying 2019), so that no random start is involved.
    """
    from scipy.linalg import polar, qr
    from scipy.sparse import coo_matrix, identity
    from scipy.sparse.linalg import eigsh
    from scipy.spatial import cKDTree

    table = as_samples(inputs, "inputs", least=clusters + 2)
    count = min(neighbors, len(table) - 1)
    _, near = cKDTree(table).query(table, count + 1, workers=-1)
    rows = np.repeat(np.arange(len(table)), count + 1)
    graph = coo_matrix((np.ones(rows.size), (rows, near.ravel())), shape=(len(table), len(table))).tocsr()
    graph = 0.5 * (graph + graph.T)
    root = 1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
    walk = graph.multiply(root[:, None]).multiply(root[None, :]).tocsr() + identity(len(table))
    start = np.random.default_rng(seed).standard_normal(len(table))
    _, vectors = eigsh(walk, clusters, which="LA", v0=start)
    vectors = root[:, None] * vectors
    vectors /= np.sqrt((vectors**2).sum(axis=0))
    _, _, pivots = qr(vectors.T, pivoting=True, mode="economic")
    turn, _ = polar(vectors[pivots[:clusters]].T)
    return np.abs(vectors @ turn).argmax(axis=1).astype(np.int64)


def unit_norm(points: ArrayLike) -> Floats:
    """The points divided by the root mean square of their norms, times √dimensions: features of variance about 1.

    DSE at a fixed σ grows with the norm of the features alone, which grows while a network trains.
    """
    table = as_samples(points)
    size = np.sqrt((table**2).sum(axis=1).mean())
    if size == 0:
        raise DataError("points are constant: every sample is 0, so their norm cannot be set")
    return table * (np.sqrt(table.shape[1]) / size)


def _check(sigma: float, time: float) -> None:
    if not (sigma > 0 and time > 0 and np.isfinite(sigma) and np.isfinite(time)):
        raise DataError(f"sigma = {sigma:g} and time = {time:g} must be finite and above 0")


def _kernel(table: Floats, sigma: float) -> NDArray[np.floating]:
    """G, in single precision where it is large: 400 MB for 10,000 points."""
    kind = np.float64 if len(table) <= EXACT else np.float32
    centered = (table - table.mean(axis=0)) / (np.sqrt(2) * sigma)
    norms = (centered**2).sum(axis=1)
    kernel = np.empty((len(table), len(table)), dtype=kind)
    for start in range(0, len(table), _ROWS):
        rows = slice(start, start + _ROWS)
        block = 2 * centered[rows] @ centered.T - norms[rows, None] - norms
        kernel[rows] = np.exp(np.minimum(block, 0.0, out=block), out=block)
    np.fill_diagonal(kernel, 1.0)
    return kernel
