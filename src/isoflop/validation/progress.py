"""How far along its run each checkpoint stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.runs import Runs


def share_of_training(runs: Runs) -> NDArray[np.float64]:
    """D over the last D of the row's own run, (rows,); 1 at the end of each run."""
    codes = runs.run_codes()
    last = np.zeros(int(codes.max()) + 1)
    np.maximum.at(last, codes, runs["D"])
    return runs["D"] / last[codes]
