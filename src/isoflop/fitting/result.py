"""``Fit``: an estimate with what made it: the objective, its value at the optimum, and the search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.estimate import Estimate
from isoflop.fitting.objective import Objective

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Search:
    """How the optimum was found: how many starts, how many of them ended at it, and the seed.

    constants: those of the law's ``fixed`` that were searched around the fit of everything else.
    engine: ``native`` or ``numpy``, on which it ran (:mod:`isoflop.fitting.native`).
    """

    starts: int
    reached: int
    seed: int
    constants: tuple[str, ...] = ()
    engine: str = "numpy"


@dataclass(frozen=True, kw_only=True)
class Fit(Estimate):
    """The optimum of an objective over a law's parameters.

    theta: the parameters in fitting coordinates, centred at ``centres``. value: the objective, summed over rows.
    scale: σ of the residuals where the objective fits one, else None. runs: None for a fit loaded from a file.
    """

    objective: Objective
    value: float
    scale: float | None
    theta: Floats = field(repr=False, compare=False)
    centres: Mapping[str, float] = field(repr=False)
    search: Search = field(repr=False)
