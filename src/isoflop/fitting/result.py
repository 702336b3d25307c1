"""``Fit``: a law, the runs it was fitted to, the objective, and the optimum, with its doubts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.findings import Finding
from isoflop.fitting.objective import Objective
from isoflop.laws import Law
from isoflop.laws.lists import Lists
from isoflop.laws.lists import Lists
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedRows(Value):
    """Where a fit left its rows: what the error of the law is judged by, without the table.

    inputs: name → (rows,). residual: measured − fitted, of log response or of the response as the objective has it,
    (rows,). run: which run each row is of, (rows,). weights: how much each counts, (rows,), or None for alike.
    A random sample of a large table's rows.
    """

    inputs: Mapping[str, Floats | Lists]
    residual: Floats
    run: NDArray[np.int64]
    weights: Floats | None = None


@dataclass(frozen=True)
class DataSummary(Value):
    """What a fit remembers of its runs when they are not at hand.

    digest: SHA-256 of the table. ranges: each input's smallest and largest value. residuals: up to 1,001 quantiles of
    the residuals, of log loss or raw loss as the objective has it, ascending. loss_unit: the unit of the response, or
    its name where it is not a loss. rows: inputs and residuals of up to 3,000 rows, or None where the law takes lists
    or the fit is of another's constants.
    """

    source: str
    digest: str
    n_rows: int
    n_runs: int
    loss_unit: str
    param_convention: str | None
    ranges: Mapping[str, tuple[float, float]]
    residuals: tuple[float, ...]
    rows: FittedRows | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Search:
    """How the optimum was found: how many starts, how many of them ended at it, and the seed.

    constants: those of the law's ``fixed`` that were searched around the fit of everything else.
    """

    starts: int
    reached: int
    seed: int
    constants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fit(Shown):
    """The optimum of an objective over a law's parameters.

    params: values in the units of the runs; theta: the same in fitting coordinates, centred at ``centres``.
    value: the objective, summed over rows. scale: σ of the residuals where the objective fits one, else None.
    runs: the table, or None for a fit that was loaded from a file.
    """

    law: Law
    objective: Objective
    params: Mapping[str, float]
    value: float
    scale: float | None
    theta: Floats = field(repr=False, compare=False)
    centres: Mapping[str, float] = field(repr=False)
    data: DataSummary = field(repr=False)
    search: Search = field(repr=False)
    findings: tuple[Finding, ...] = ()
    runs: Runs | None = field(default=None, repr=False, compare=False)

    def predict(self, inputs: Mapping[str, Floats | Lists | float]) -> Floats:
        """The law's loss at these inputs."""
        missing = [name for name in self.law.input_names if name not in inputs]
        if missing:
            raise FitError(f"{self.law.name} needs {', '.join(self.law.input_names)}; {', '.join(missing)} is missing")
        return self.law.value(self.params, inputs)

    def require_runs(self) -> Runs:
        """The table of runs; raises FitError for a fit that was loaded without it."""
        if self.runs is None:
            raise FitError(
                f"this fit was loaded without its runs ({self.data.source}); give them: "
                "load_fit(path, runs=read_runs(...))"
            )
        return self.runs
