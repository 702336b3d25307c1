"""``Ensemble``: uncertainty as a set of draws, through which every number that a user reads is pushed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import FitError, IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate, Fit
from isoflop.fitting.inputs import Given, inputs_of
from isoflop.laws.lists import Lists
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.prior import Prior, shipped_prior
from isoflop.values import Value

Floats = NDArray[np.float64]
_TAIL = 5.0  # draws that must lie beyond each end of an interval
_GONE_ALONE, _GONE = 1e-6, 1e-12  # ratio of an interval's ends below which the low one is zero
_MOST_LOG = 600.0  # of a factor's logarithm, so that no end overflows
Quantity = str | Callable[[Mapping[str, Floats]], Floats]


@dataclass(frozen=True)
class Interval(Value):
    """A value with the interval that holds it at ``level``.

    Attributes
    ----------
    value :
        The estimate.
    low, high :
        The ends, in the unit of the value; NaN where there are no draws.
    level :
        Of the interval, between 0 and 1.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.Interval(2.0, 1.9, 2.1, 0.9).as_dict()
    {'value': 2.0, 'low': 1.9, 'high': 2.1}
    """

    value: float
    low: float
    high: float
    level: float

    def as_dict(self) -> dict[str, float]:
        """The interval as plain values.

        Returns
        -------
        dict
            ``value``, ``low`` and ``high``, in the order of the ``--json`` contract.
        """
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Ensemble(Shown):
    """Draws of an estimate's parameters.

    Attributes
    ----------
    estimate :
        What the draws belong to, a :class:`~isoflop.fitting.Fit` where runs were fitted.
    params :
        (draws, parameters) in the units of the runs, in the order of ``estimate.law.params``.
    method, seed :
        How the draws came about, and the seed of it.
    failed :
        Draws without a finite optimum, left out of ``params``.
    unsettled :
        Draws that had not converged at the limit of steps, where the objective is nearly flat; they are kept, since
        leaving them out would make the intervals too narrow.
    restarted, improved :
        How many draws were searched again from the whole grid of starts, and how many of these found a better optimum
        than the one that began at the fit.
    findings :
        What to know about the draws.
    prior :
        Of the model error in every forecast from these draws.
    resampled_by :
        What was drawn together: ``run``, or the column whose equal values were; empty where nothing was resampled.
    departures :
        Fits of known groups, by which the model error of a group that was not seen is judged: it departs from its law
        as one of these does from its own. Empty for an estimate that has runs of its own.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> drawn = isoflop.bootstrap(fitted, draws=40)
    >>> drawn.to_frame("draws").columns
    ['E', 'A', 'B', 'alpha', 'beta']
    >>> share = drawn.interval(lambda p: p["beta"] / (p["alpha"] + p["beta"]))
    >>> 0 < share.low < share.high < 1
    True
    """

    estimate: Estimate
    params: Floats = field(repr=False)
    method: str
    seed: int
    failed: int = 0
    unsettled: int = 0
    restarted: int = 0
    improved: int = 0
    findings: tuple[Finding, ...] = ()
    prior: Prior = field(default_factory=shipped_prior, repr=False)
    resampled_by: str = ""
    departures: tuple[Fit, ...] = field(default=(), repr=False)

    @property
    def fit(self) -> Fit:
        """The fit that was resampled; raises FitError where the draws belong to no fit (published constants …)."""
        if not isinstance(self.estimate, Fit):
            raise FitError(
                f"{self.estimate.data.source} is no fit ({self.method}): it has no objective and no residuals of its "
                "own; fit runs for that"
            )
        return self.estimate

    def __len__(self) -> int:
        return len(self.params)

    def __repr__(self) -> str:
        return f"Ensemble({len(self)} draws, {self.method}, seed {self.seed}, of {self.estimate!r})"

    @property
    def draws(self) -> dict[str, Floats]:
        """Each parameter's draws, shape (draws,)."""
        return {name: self.params[:, column] for column, name in enumerate(self.estimate.law.param_names)}

    def evaluate(self, quantity: Quantity) -> Floats:
        """The quantity in every draw.

        ``ensemble.evaluate(lambda p: p["beta"] / (p["alpha"] + p["beta"]))`` gives draws of the exponent of N*.

        Parameters
        ----------
        quantity :
            A parameter's name, or a function of the parameters, name → (draws,).

        Returns
        -------
        numpy.ndarray
            Of shape (draws, …).

        Raises
        ------
        IsoflopError
            A name that is no free parameter.
        """
        if callable(quantity):
            return np.asarray(quantity(self.draws), dtype=np.float64)
        if quantity not in self.estimate.law.param_names:
            raise IsoflopError(
                f"{quantity!r} is no free parameter; there are {', '.join(self.estimate.law.param_names)}"
            )
        return self.draws[quantity]

    def interval(self, quantity: Quantity, *, level: float = 0.9) -> Interval:
        """The quantity at the fit, with the central ``level`` of its draws.

        Parameters
        ----------
        quantity :
            As in :meth:`evaluate`.
        level :
            Between 0 and 1.

        Returns
        -------
        Interval
            NaN at its ends without draws.

        Raises
        ------
        IsoflopError
            A name that is no free parameter, or a level that is none.
        """
        draws = self.evaluate(quantity)
        if callable(quantity):
            at_fit = {name: np.asarray(value, dtype=np.float64) for name, value in self.estimate.params.items()}
            value = float(np.asarray(quantity(at_fit)))
        else:
            value = self.estimate.params[quantity]
        return interval_of(value, draws, level=level)

    def standard_error(self, quantity: Quantity) -> float:
        """Standard deviation of the quantity's draws.

        Parameters
        ----------
        quantity :
            As in :meth:`evaluate`.

        Returns
        -------
        float
            In the unit of the quantity.
        """
        return float(np.std(self.evaluate(quantity), ddof=1))

    def predict(self, inputs: Given, *, level: float = 0.9) -> pl.DataFrame:
        """L̂ at the estimate, with the central ``level`` of law(inputs; draw): the mean if the law holds.

        Parameters
        ----------
        inputs :
            Runs, a mapping, or a data frame, as :meth:`isoflop.Fit.predict` takes them.
        level :
            Of the interval; what one new run would measure scatters around it, as :func:`isoflop.forecast` says.

        Returns
        -------
        polars.DataFrame
            With the columns ``value``, ``low`` and ``high``, a row for each point; without draws the ends are null.
        """
        check_level(level)
        law = self.estimate.law
        given = inputs_of(law, inputs)
        value = law.value(self.estimate.params, given).ravel()
        arrays = {name: each for name, each in given.items() if not isinstance(each, Lists)}
        points = dict(zip(arrays, (each.ravel() for each in np.broadcast_arrays(*arrays.values())), strict=True))
        low, high = np.full(len(value), np.nan), np.full(len(value), np.nan)
        for place in range(len(value) if len(self) else 0):
            at = {name: points[name][place] if name in points else given[name][[place]] for name in given}
            with np.errstate(all="ignore"):
                found = interval_of(value[place], law.value(self.draws, at), level=level)
            low[place], high[place] = found.low, found.high
        return pl.DataFrame({"value": value, "low": low, "high": high}).fill_nan(None)

    @property
    def covariance(self) -> Floats:
        """Cov of the draws, (params, params), in the order of the law's parameters; FitError without draws."""
        if len(self) < 2:
            raise FitError(f"{self.method}: there are no draws to take a covariance of; make them with bootstrap()")
        return np.atleast_2d(np.cov(self.params, rowvar=False))

    @property
    def residuals(self) -> Floats:
        """Those of the fit, (rows,); see :attr:`isoflop.Fit.residuals`."""
        return self.fit.residuals

    @property
    def fitted_values(self) -> Floats:
        """Those of the fit, (rows,)."""
        return self.fit.fitted_values

    @property
    def aic(self) -> float:
        """That of the fit; FitError where its objective is no likelihood."""
        return self.fit.aic

    @property
    def bic(self) -> float:
        """That of the fit; FitError where its objective is no likelihood."""
        return self.fit.bic

    def to_frame(self, table: str | None = None, *, level: float = 0.9) -> pl.DataFrame:
        """A row for each parameter: value, standard deviation of its draws, and their central ``level``.

        Parameters
        ----------
        table :
            ``draws`` for a row a draw under the parameters' names; another name for a table of the summary.
        level :
            Of the intervals.

        Returns
        -------
        polars.DataFrame
            A row for each parameter, or the table.
        """
        if table == "draws":
            return pl.DataFrame(self.draws)
        if table is not None:
            return super().to_frame(table)
        intervals = [self.interval(name, level=level) for name in self.estimate.law.param_names]
        return pl.DataFrame(
            {
                "parameter": self.estimate.law.param_names,
                "value": [each.value for each in intervals],
                "standard_error": [self.standard_error(name) for name in self.estimate.law.param_names]
                if len(self) > 1
                else [None] * len(intervals),
                "low": [each.low for each in intervals],
                "high": [each.high for each in intervals],
                "level": [level] * len(intervals),
                "meaning": [each.meaning for each in self.estimate.law.params],
            },
            schema_overrides={"standard_error": pl.Float64},
        ).fill_nan(None)


def interval_of(value: float, draws: Floats, *, level: float) -> Interval:
    """The central ``level`` of the finite draws around a value; NaN ends where there are none."""
    check_level(level)
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return Interval(value, math.nan, math.nan, level)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level)


def log_t_interval(value: float, sd: float, *, freedom: float, level: float) -> Interval:
    """value·exp(±t·sd), t Student's quantile: the interval of a positive number whose logarithm has that error."""
    check_level(level)
    half = min(float(special.stdtrit(freedom, (1 + level) / 2)) * sd, _MOST_LOG)
    return Interval(value, value * math.exp(-half), value * math.exp(half), level)


def upper_limit(ensemble: Ensemble, name: str, *, level: float) -> float | None:
    """The ``level`` quantile of a positive parameter's draws, where its interval reaches its bound at zero; else None.

    It does where the low end of the interval is less than 1e-6 of the high end for a term by itself, as E, and 1e-12
    for other parameters, whose size goes with an exponent.
    """
    law = ensemble.estimate.law
    domain = next(each.domain for each in law.params if each.name == name)
    interval = ensemble.interval(name, level=level)
    if domain != "positive" or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return None
    alone = law.expression.op == "add" and any(each.op == "name" and each.label == name for each in law.expression.args)
    if interval.low > (_GONE_ALONE if alone else _GONE) * interval.high:
        return None
    draws = ensemble.draws[name]
    return float(np.quantile(draws[np.isfinite(draws)], level))


def no_draws(ensemble: Ensemble) -> tuple[Finding, ...]:
    """The finding that an answer has no interval, for an ensemble without draws."""
    if len(ensemble):
        return ()
    return (
        Finding(
            "no-interval",
            "warning",
            f"{ensemble.estimate.data.source} comes without draws, so what rests on resampled runs has "
            "no interval here.",
            "Fit runs of your own (isoflop fit), or save a fit after bootstrap().",
        ),
    )


def tail_findings(ensemble: Ensemble, *, level: float) -> tuple[Finding, ...]:
    """Interval ends that rest on a handful of draws."""
    beyond = len(ensemble) * (1 - level) / 2
    if not len(ensemble) or beyond > _TAIL - 1e-9:
        return ()
    needed = math.ceil(2 * _TAIL / (1 - level) / 100) * 100
    fix = (
        f"Ask for {needed:,} draws or more, or for a lower level." if needed <= 1_000_000 else "Ask for a lower level."
    )
    return (
        Finding(
            "few-draws",
            "warning",
            f"{len(ensemble)} draws have {beyond:.2g} beyond each end of a {level:.6g} interval, so its ends "
            "are nearly the outermost draws.",
            fix,
        ),
    )


def check_level(level: float) -> None:
    """Refuse an interval level outside (0, 1)."""
    if not 0 < level < 1:
        raise IsoflopError(f"an interval's level lies between 0 and 1, not {level:g}; 0.9 is usual")
