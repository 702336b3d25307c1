"""A metric's points as arrays, without the cost that a data frame's expressions have for small curves."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.logs.logged import STEP

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def points_of(history: pl.DataFrame, metric: str) -> tuple[Ints, Floats]:
    """The steps at which a metric was logged and its values, NaN that was logged among them; (points,) each."""
    series, steps = history[metric], history[STEP].to_numpy()
    values = series.to_numpy().astype(np.float64, copy=False)
    if not series.null_count():
        return steps, values
    there = ~nulls_of(series)
    return steps[there], values[there]


def nulls_of(series: pl.Series) -> NDArray[np.bool_]:
    """Where a column is empty, (rows,)."""
    return series.is_null().to_numpy() if series.null_count() else np.zeros(len(series), dtype=bool)
