"""Samples as tables (samples, dimensions), refused in one sentence where no measure of them would mean anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def as_samples(points: ArrayLike, name: str = "points", *, least: int = 2) -> Floats:
    """The points as a finite table (samples, dimensions); one axis stands for one dimension, more are flattened.

    Raises DataError for what holds no numbers, for values that are not finite, and for fewer than ``least`` samples.
    """
    found = np.asarray(points)
    if found.dtype.kind not in "fiub" or found.ndim == 0 or 0 in found.shape:
        raise DataError(
            f"{name} must be a table of numbers (samples, dimensions), not {found.dtype} of shape {found.shape}"
        )
    table = found.astype(np.float64).reshape(len(found), -1)
    bad = int((~np.isfinite(table)).any(axis=1).sum())
    if bad:
        raise DataError(
            f"{name} must be a finite table (samples, dimensions); {bad:,} of {len(table):,} samples hold NaN or "
            "infinity; drop them, or mend what wrote them"
        )
    if len(table) < least:
        raise DataError(f"{name} has {len(table)} samples; at least {least} are needed")
    return table


def as_labels(labels: ArrayLike, samples: int, name: str = "labels") -> Ints:
    """The classes as whole numbers 0 … classes − 1, shape (samples,).

    Raises DataError for labels that are not one a sample, of a single class, or as many classes as samples.
    """
    found = np.asarray(labels)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1 or len(found) != samples:
        raise DataError(f"{name} have shape {found.shape} and the points {samples:,} samples; give one label a sample")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise DataError(f"{name} hold NaN or infinity; drop those samples")
    if found.dtype.kind == "O":
        raise DataError(f"{name} hold Python objects; give whole numbers or words")
    classes, codes = np.unique(found, return_inverse=True)
    if len(classes) == 1:
        raise DataError(f"{name} are all of one class ({classes[0]}); information about them is 0 whatever the points")
    if len(classes) > samples // 2:
        raise DataError(
            f"{name} have {len(classes):,} classes for {samples:,} samples; most classes would have one sample: give "
            "class labels, or measure against them as inputs"
        )
    return codes.astype(np.int64).reshape(-1)


def pairs_of(x: ArrayLike, y: ArrayLike, *, least: int = 2) -> tuple[Floats, Floats]:
    """X and Y as tables of as many samples; raises DataError where the numbers of samples differ."""
    first, second = as_samples(x, "X", least=least), as_samples(y, "Y", least=least)
    if len(first) != len(second):
        raise DataError(f"X has {len(first)} samples and Y {len(second)}; mutual information needs them in pairs")
    return first, second


def varying(table: Floats, name: str = "points") -> Floats:
    """The columns that vary; raises DataError where none does."""
    spread = np.ptp(table, axis=0)
    keep = spread > 1e-12 * np.maximum(np.abs(table).max(axis=0), 1e-300)
    if not keep.any():
        raise DataError(f"{name} are constant: every sample is the same, so nothing can be measured; check the file")
    return table if keep.all() else table[:, keep]


def repeated(table: Floats) -> int:
    """How many samples equal another sample in every dimension."""
    _, counts = np.unique(table, axis=0, return_counts=True)
    return int(counts[counts > 1].sum())


def squared_distances(rows: Floats, table: Floats) -> Floats:
    """‖rowsᵢ − tableⱼ‖² by one matrix product, shape (rows, samples); both must be centered alike."""
    squares: Floats = (rows**2).sum(axis=1)[:, None] + (table**2).sum(axis=1) - 2 * rows @ table.T
    return np.maximum(squares, 0.0, out=squares)
