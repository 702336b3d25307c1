"""How hard each example is: scores by which data are pruned, all larger for harder examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError
from isoflop.measures.samples import Floats, as_labels, as_samples, squared_distances


def margin_hardness(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """−(s_y − max_{c ≠ y} s_c): minus the margin of the right class. scores: (samples, classes), logits or log p."""
    table, codes = _scored(scores, labels)
    rows = np.arange(len(table))
    right = table[rows, codes]
    rest = table.copy()
    rest[rows, codes] = -np.inf
    return rest.max(axis=1) - right


def error_norm(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """EL2N, ‖p − onehot(y)‖, averaged over a first axis of runs where there is one (Paul et al. 2021).

    probabilities: (samples, classes) or (runs, samples, classes), early in training.
    """
    table = np.asarray(probabilities, dtype=np.float64)
    runs = table[None] if table.ndim == 2 else table
    if (
        runs.ndim != 3
        or not np.isfinite(runs).all()
        or (runs < -1e-9).any()
        or (abs(runs.sum(axis=2) - 1) > 1e-3).any()
    ):
        raise DataError(
            "probabilities must be (samples, classes) or (runs, samples, classes) and sum to 1 over classes"
        )
    found = []
    for each in runs:
        _, codes = _scored(each, labels)
        off = each.copy()
        off[np.arange(len(off)), codes] -= 1
        found.append(np.sqrt((off**2).sum(axis=1)))
    return np.asarray(np.mean(found, axis=0))


def forgetting_events(correct: ArrayLike) -> NDArray[np.int64]:
    """How often an example was right and then wrong; one more than any for those never right (Toneva et al. 2019).

    correct: (checkpoints, samples) of whether each example was classified rightly.
    """
    table = np.asarray(correct)
    if table.ndim != 2 or len(table) < 2 or table.shape[1] < 1:
        raise DataError(f"correct must be (checkpoints, samples) with two checkpoints or more, not {table.shape}")
    if table.dtype.kind not in "biuf" or not np.isin(table, (0, 1)).all():
        raise DataError("correct must hold 0 or 1 alone, whether each sample was right at each checkpoint")
    right = table.astype(bool)
    events = (right[:-1] & ~right[1:]).sum(axis=0).astype(np.int64)
    return np.where(right.any(axis=0), events, events.max() + 1)


def prototype_distance(points: ArrayLike, *, clusters: int = 10, seed: int = 0, steps: int = 100) -> Floats:
    """Distance to the nearest of ``clusters`` k-means centers of an embedding (Sorscher et al. 2022)."""
    table = as_samples(points, least=clusters)
    table = table - table.mean(axis=0)
    rng = np.random.default_rng(seed)
    centers = table[rng.integers(len(table))][None]
    while len(centers) < clusters:  # each start far from the others (k-means++)
        nearest = squared_distances(table, centers).min(axis=1)
        share = nearest / nearest.sum() if nearest.sum() > 0 else np.full(len(table), 1 / len(table))
        centers = np.concatenate((centers, table[rng.choice(len(table), p=share)][None]))
    for _ in range(steps):
        own = squared_distances(table, centers).argmin(axis=1)
        new = np.stack([table[own == k].mean(axis=0) if (own == k).any() else centers[k] for k in range(clusters)])
        if np.allclose(new, centers, atol=1e-12):
            break
        centers = new
    return np.sqrt(squared_distances(table, centers).min(axis=1))


def kept_by_hardness(hardness: ArrayLike, share: float, *, keep: str = "hard") -> NDArray[np.int64]:
    """The rows of the hardest, or of the easiest, share of the examples, in their own order."""
    values = np.asarray(hardness, dtype=np.float64)
    if keep not in ("hard", "easy") or not 0 < share <= 1:
        raise DataError(f"keep is hard or easy and the share in (0, 1], not {keep!r} and {share:g}")
    order = np.argsort(-values if keep == "hard" else values, kind="stable")
    return np.sort(order[: max(1, round(share * len(values)))])


def _scored(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    table = as_samples(scores, "scores")
    codes = np.asarray(labels)
    if codes.dtype.kind not in "iu":
        codes = as_labels(labels, len(table))
    if codes.shape != (len(table),) or codes.min() < 0 or codes.max() >= table.shape[1] or table.shape[1] < 2:
        raise DataError(
            f"labels must be whole numbers below the {table.shape[1]} classes of the scores, one for each of "
            f"{len(table):,} samples; there are {codes.size:,}"
            + (f", from {codes.min()} to {codes.max()}" if codes.size else "")
        )
    return table, codes.astype(np.int64)
