"""Columns whose numbers must lie in a range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError


def check_range(values: NDArray[np.float64], name: str, meaning: str, good: NDArray[np.bool_]) -> None:
    """Raises DataError with the first value that is out of range."""
    bad = np.flatnonzero(~good)
    if len(bad):
        first = values[bad[0]]
        raise DataError(
            f"{name} is {meaning}, and row {bad[0] + 1} has {f'{first:g}' if np.isfinite(first) else 'no number'} "
            f"({len(bad):,} of {len(values):,} rows); mend the cells, or drop the rows with --where"
        )
