"""``Estimate``: a law with numbers for its parameters, and what is known of the runs behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.findings import Finding
from isoflop.fitting.inputs import Given, inputs_of
from isoflop.fitting.objective import Space
from isoflop.fitting.own_flops import own_flops
from isoflop.fitting.table import Table
from isoflop.laws import Law
from isoflop.laws.lists import Lists
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.values import Value

Floats = NDArray[np.float64]

QUANTILES = 1_001  # of the residuals, that are kept
LONGEST_HEADER = 200  # letters of a header that is remembered
MOST_ROWS = 3_000  # whose residuals are kept one by one


@dataclass(frozen=True)
class FittedRows(Value):
    """Where a fit left its rows: what the error of the law is judged by, without the table.

    inputs: name → (rows,). residual: measured − fitted, of log or raw response as the objective has it, (rows,).
    run: which run each row is of, (rows,). weights: how much each counts, (rows,), or None for alike.
    known: parameter → (mean, standard deviation) of its fitting coordinate less that of the fit, where other groups
    tell; see :func:`isoflop.uncertainty.panel_groups.known_from_groups`.
    A random sample of a large table's rows.
    """

    inputs: Mapping[str, Floats | Lists]
    residual: Floats
    run: NDArray[np.int64]
    weights: Floats | None = None
    known: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSummary(Value):
    """What an estimate knows of its runs when they are not at hand; a paper's constants come with the units alone.

    digest: SHA-256 of the table. ranges: each input's smallest and largest value. residuals: up to 1,001 quantiles of
    the residuals, of log or raw response as ``space`` has it, ascending. loss_unit: the unit of the response, or its
    name where it is not a loss. flops: how the table counts training FLOPs (:mod:`isoflop.fitting.own_flops`).
    headers: the header that each input was read from, so that another table of the same hand is read alike.
    rows: inputs and residuals of up to 3,000 rows, or None where the law takes lists or the constants are a paper's.
    """

    source: str
    loss_unit: str
    param_convention: str | None = None
    digest: str = ""
    n_rows: int = 0
    n_runs: int = 0
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    residuals: tuple[float, ...] = ()
    space: Space = "log"
    flops: TrainingFlops = SIX_ND
    headers: Mapping[str, str] = field(default_factory=dict)
    rows: FittedRows | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Estimate(Shown):
    """A law with a value for every parameter: what a prediction, a forecast and a plan need, however it came about.

    A :class:`~isoflop.fitting.result.Fit` is one, with the objective and the search that found it; published constants
    and a hierarchical prior's estimate have neither. params: values in the units of the runs. runs: the table, or None
    where it is not at hand.
    """

    law: Law
    params: Mapping[str, float]
    data: DataSummary = field(repr=False)
    findings: tuple[Finding, ...] = ()
    runs: Runs | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value:.4g}" for name, value in self.params.items())
        return f"{type(self).__name__}({self.law.name}: {values}; {self.data.n_runs} runs of {self.data.source})"

    def predict(self, inputs: Given) -> Floats:
        """L̂ = law(inputs; params): the law's response, in its unit.

        Parameters
        ----------
        inputs :
            Runs, a mapping, or a pandas, Polars or Arrow frame. A mapping has arrays or numbers under the law's inputs
            or their words: ``{"params": 70e9, "tokens": 1.4e12}``.

        Returns
        -------
        numpy.ndarray
            Of the shape to which the inputs broadcast; a value a row for runs and frames.

        Raises
        ------
        FitError, DataError
            An input is missing, or is given twice.
        """
        return self.law.value(self.params, inputs_of(self.law, inputs))

    @property
    def one_draw(self) -> dict[str, Floats]:
        """The parameters as an ensemble of one draw has them, (1,) each."""
        return {name: np.array([value]) for name, value in self.params.items()}

    def require_runs(self) -> Runs:
        """The table of runs.

        Returns
        -------
        Runs
            As it was given to the fit.

        Raises
        ------
        FitError
            The fit was loaded without its runs.
        """
        if self.runs is None:
            raise FitError(
                f"this fit was loaded without its runs ({self.data.source}); ask the same of that table, or in Python "
                "give them: load_fit(path, runs=read_runs(...))"
            )
        return self.runs


def summary(law: Law, table: Table, runs: Runs, residual: Floats, *, space: Space) -> DataSummary:
    """What is kept of runs: ranges of the inputs and quantiles of the residuals (rows,), fitted − measured."""
    quantiles = np.sort(residual)
    if len(quantiles) > QUANTILES:
        quantiles = np.quantile(quantiles, np.linspace(0, 1, QUANTILES))
    return DataSummary(
        source=runs.source,
        digest=runs.digest,
        n_rows=len(runs),
        n_runs=table.n_runs,
        loss_unit=runs.loss_unit if law.response == "loss" else law.response,
        param_convention=runs.columns["N"].convention if "N" in runs.columns else None,
        ranges={name: (float(values.min()), float(values.max())) for name, values in table.by_row.items()},
        residuals=tuple(float(each) for each in quantiles),
        space=space,
        flops=own_flops(runs)[0],
        headers={
            name: runs.columns[name].header
            for name in law.input_names
            if name in runs.columns
            and runs.columns[name].header not in ("", name)
            and len(runs.columns[name].header) <= LONGEST_HEADER
        },
        rows=None if len(table.by_row) < len(table.inputs) else fitted_rows(table, -residual),
    )


def fitted_rows(table: Table, residual: Floats) -> FittedRows:
    """Inputs and residuals (measured − fitted) of the rows, or of a random sample of them; residual: (rows,)."""
    kept: NDArray[np.int64] = np.arange(len(residual))
    if len(kept) > MOST_ROWS:
        kept = np.sort(np.random.default_rng(5).choice(len(kept), MOST_ROWS, replace=False))
    _, run = np.unique(table.run_codes[kept], return_inverse=True)
    return FittedRows(
        {name: values[kept] for name, values in table.inputs.items()},
        residual[kept],
        run,
        None if table.weights is None else table.weights[kept],
    )
