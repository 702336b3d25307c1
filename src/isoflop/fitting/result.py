"""``Fit``: an estimate with what made it: the objective, its value at the optimum, and the search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.covariance import sandwich
from isoflop.fitting.estimate import Estimate
from isoflop.fitting.objective import Objective
from isoflop.fitting.table import WEIGHT

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

    Attributes
    ----------
    law :
        The law that was fitted.
    params :
        Name → value, in the units of the runs.
    data :
        What is known of the runs: units, ranges of the inputs, quantiles of the residuals.
    findings :
        What to know about the fit.
    runs :
        The table, or None for a fit loaded from a file.
    objective :
        ρ and the space of the residuals.
    value :
        The objective at the optimum, summed over rows.
    scale :
        σ of the residuals where the objective fits one, else None.
    theta :
        The parameters in fitting coordinates, centered at ``centers``, (coordinates,).
    centers :
        Input → the logarithm at which it is centered in fitting coordinates.
    search :
        The starts, and where they ended.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> fitted.to_frame().columns
    ['parameter', 'value', 'standard_error', 'meaning']
    >>> fitted.predict({"params": [1e8, 1e9], "tokens": 2e10}).shape
    (2,)
    >>> fitted.covariance.shape
    (5, 5)
    """

    objective: Objective
    value: float
    scale: float | None
    theta: Floats = field(repr=False, compare=False)
    centers: Mapping[str, float] = field(repr=False)
    search: Search = field(repr=False)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.objective.name})"

    @property
    def fitted_values(self) -> Floats:
        """L̂ of every row of the runs, (rows,); FitError without the runs."""
        return self.predict(self.require_runs())

    @property
    def residuals(self) -> Floats:
        """r = log L̂ − log L, or L̂ − L for an objective of raw responses, (rows,): positive where the law is above."""
        target = self.objective.target
        return target(self.fitted_values) - target(self.require_runs()[self.law.response])

    @property
    def covariance(self) -> Floats:
        """R/(R − k) · J H⁻¹ (Σ_r g_r g_rᵀ) H⁻¹ Jᵀ, (params, params), in the order of ``law.param_names``.

        The sandwich over runs of :func:`isoflop.fitting.covariance.sandwich`; :attr:`Ensemble.covariance` is that of
        draws, which does not rest on a quadratic objective.
        """
        return sandwich(self.law, self.require_runs(), self.objective, self.theta, self.centers, self.scale)

    @property
    def standard_errors(self) -> dict[str, float]:
        """√ of the diagonal of :attr:`covariance`, for each parameter."""
        errors = np.sqrt(np.diag(self.covariance))
        return {name: float(each) for name, each in zip(self.law.param_names, errors, strict=True)}

    @property
    def log_likelihood(self) -> float:
        """Σ_i log p(L_i), the density of the responses themselves, so that fits of log and raw responses compare.

        Rows count as independent. Raises FitError for an objective that is no likelihood, and without the runs.
        """
        if not self.objective.likelihood:
            raise FitError(
                f"{self.objective.name} is not a likelihood, so this fit has no AIC or BIC; fit with student_t() or "
                "squares(), or compare laws on held-out runs with rank()"
            )
        runs = self.require_runs()
        found = self.objective.log_likelihood(self.value, len(runs))
        if WEIGHT in runs.frame.columns:
            if not self.objective.weighs_errors:
                raise FitError(f"{self.objective.name} with weights is no likelihood; leave the weights out")
            found += 0.5 * float(np.log(runs[WEIGHT]).sum())
        return found - (float(np.log(runs[self.law.response]).sum()) if self.objective.of_logarithms else 0.0)

    @property
    def aic(self) -> float:
        """2k − 2ℓ, with k parameters and one scale; FitError where the objective is no likelihood."""
        return 2 * self._counted - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """k log n − 2ℓ, with n rows; FitError where the objective is no likelihood."""
        return self._counted * math.log(self.data.n_rows) - 2 * self.log_likelihood

    @property
    def _counted(self) -> int:
        return len(self.law.params) + 1

    def to_frame(self, table: str | None = None) -> pl.DataFrame:
        """A row for each parameter: name, value, standard error of the sandwich (null without runs), meaning.

        Parameters
        ----------
        table :
            The name of a table of the summary instead.

        Returns
        -------
        polars.DataFrame
            With the columns ``parameter``, ``value``, ``standard_error`` and ``meaning``, or those of ``table``.
        """
        if table is not None:
            return super().to_frame(table)
        names = self.law.param_names
        errors = self._standard_errors_or_none()
        return pl.DataFrame(
            {
                "parameter": names,
                "value": [self.params[name] for name in names],
                "standard_error": [None if errors is None else errors[name] for name in names],
                "meaning": [each.meaning for each in self.law.params],
            },
            schema_overrides={"standard_error": pl.Float64},
        )

    def _standard_errors_or_none(self) -> dict[str, float] | None:
        """The standard errors where there are runs, and enough of them."""
        if self.runs is None:
            return None
        try:
            return self.standard_errors
        except FitError:
            return None
