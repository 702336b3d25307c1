"""What every objective knows of itself: its value and derivatives by residual, its scale, and what may be asked of it.

Always the sum over rows, never the mean; each objective says whether it is a likelihood, so that intervals and
comparisons which need one can refuse the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.objective.space import PREFIXES, Space, slope, to_scale

if TYPE_CHECKING:
    from isoflop.fitting.solve import Measured, Solution

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Resampling = Literal["weights", "wild"]
# (problem, theta, scale, tolerance) → the optima that a descent at this scale comes to
Descent = Callable[["Measured", Floats, Floats, float], "Solution"]

# In the last steps an objective's own curvature is used, with this share of the reweighted one kept where it vanishes.
OUTER = 0.05


@dataclass(frozen=True)
class Parts:
    """The objective's pieces for a tile: sums (problems,), slope and curvature by residual (problems, rows).

    ``extra`` for a fitted scale: slope (problems,), curvature (problems,), and the mixed curvature (problems, rows).
    """

    total: Floats
    slope: Floats
    curvature: Floats
    extra: tuple[Floats, Floats, Floats] | None = None


@dataclass(frozen=True)
class Objective(ABC):
    """Σ_i w_i ρ(r_i), with r = log L̂ − log L (``log``), L̂ − L (``raw``) or logit L̂ − logit L (``logit``).

    A subclass is one objective: it gives ρ and its derivatives (:meth:`parts`), its word and its number
    (:attr:`word`, :meth:`of`, :meth:`number`), and overrides what differs from the defaults here.

    Attributes
    ----------
    word :
        How its text begins.
    example :
        Its text with its usual number.
    likelihood :
        Whether the minimum is a maximum likelihood, its scale fitted.
    fits_scale :
        Whether log σ is one more coordinate of the descent.
    smooth :
        Whether ρ has a curvature, so that Newton's steps end at the optimum.
    weighs_errors :
        Whether weights 1/σ_i² make the estimate that of rows with standard errors σ_i.
    resampling :
        How draws of its fits are made: ``weights``, runs weighed at random, or ``wild``, multiples
        of residuals refitted; whichever had the better coverage in simulation.
    native :
        How the compiled engine calls its parts, or None where only NumPy has them.
    space :
        ``log`` for residuals of the log response, ``raw`` for those of the response, ``logit`` for those of its log
        odds, of scores between 0 and 1.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.squares().likelihood, isoflop.huber().likelihood
    (True, False)
    """

    word: ClassVar[str]
    example: ClassVar[str]
    likelihood: ClassVar[bool] = False
    fits_scale: ClassVar[bool] = False
    smooth: ClassVar[bool] = True
    weighs_errors: ClassVar[bool] = False
    resampling: ClassVar[Resampling] = "weights"
    native: ClassVar[str | None] = None

    space: Space = field(default="log", kw_only=True)

    # -- text --------------------------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def of(cls, number: float | None, *, space: Space) -> Self:
        """The objective with the number after the colon of its text, or with its usual one.

        Raises FitError for a number that it cannot have.
        """

    def number(self) -> float | None:
        """The number after the colon, or None where there is none or it is left out."""
        return None

    @property
    def name(self) -> str:
        """As the command line writes it, to read it back: ``huber:0.001``, ``lad``, ``raw-lsq``, ``logit-lsq`` …"""
        number = self.number()
        short = "" if number is None else f":{number:g}" if float(f"{number:g}") == number else f":{number!r}"
        return f"{PREFIXES[self.space]}{self.word}{short}"

    # -- residuals ---------------------------------------------------------------------------------------------------

    @property
    def of_logarithms(self) -> bool:
        """Whether residuals are differences of logarithms, so that the response has to be positive."""
        return self.space == "log"

    def target(self, response: Floats) -> Floats:
        """What residuals are taken from: the response, its logarithm, or its log odds."""
        return to_scale(response, self.space)

    def target_errors(self, response: Floats, errors: Floats) -> Floats:
        """Standard errors of the target, from those of the response (to first order)."""
        return errors * slope(response, self.space)

    @abstractmethod
    def parts(self, residual: Floats, weights: Floats | None, newton: Flags, scale: Floats) -> Parts:
        """Value, slope and curvature of the objective at residuals (problems, rows).

        weights: (problems, rows), or None for ones.
        newton: (problems,), use the function's own curvature instead of the reweighting one.
        scale: (problems,), as :meth:`scale_at` gives it.
        """

    def own_curvature(self, near: Floats, reweighted: Floats) -> Floats:
        """ρ's own curvature, of what :meth:`parts` gives with ``newton`` and without."""
        return near

    # -- scale -------------------------------------------------------------------------------------------------------

    def scale_at(self, sigma: float | None, typical: float) -> float:
        """The number that :meth:`parts` calls scale, for a fit that ended at σ with residuals of about ``typical``."""
        return 0.0

    def curvature_scale(self, scale: Floats, typical: Callable[[], Floats]) -> Floats:
        """The scale at which the curvature of the optimum is measured: another where ρ has none of its own.

        typical: gives the residuals' robust scale (problems,), which may take a pass over all rows.
        """
        return scale

    def sandwich_scale(self, scale: Floats, typical: Callable[[], Floats]) -> Floats:
        """The scale at which a covariance takes gradients and curvature, so that enough rows have a curvature."""
        return self.curvature_scale(scale, typical)

    def sigma(self, scale: float, mean_square: float) -> float | None:
        """σ of the residuals where the objective is a likelihood, else None."""
        return None

    # -- minimum -----------------------------------------------------------------------------------------------------

    @property
    def n_extra(self) -> int:
        """Coordinates that belong to the objective and not to the law: log σ where it is fitted."""
        return int(self.fits_scale)

    def minimize(
        self, problem: Measured, theta: Floats, scale: Floats | None, tolerance: float, descend: Descent
    ) -> Solution:
        """The optima from every start in ``theta``; scale: (problems,) where the starts have one."""
        return descend(problem, theta, np.full(len(theta), self.scale_at(None, 1.0)), tolerance)

    def magnitude(self, value: Floats | float, weight: Floats | float) -> Floats:
        """What differences of objective values are measured against; weight: the sum of weights."""
        return np.asarray(np.abs(value), dtype=np.float64)

    def rounding(self, rows: int) -> float:
        """The value below which a fit of that many rows is exact: that of residuals of 1e-12."""
        return 1e-24 * rows

    # -- likelihood --------------------------------------------------------------------------------------------------

    def log_likelihood(self, value: float, rows: int) -> float:
        """The log density of the target at a value of the objective, its scale fitted; for a likelihood alone."""
        raise NotImplementedError

    def deviance(self, value: float, least: float, rows: int) -> float:
        """Twice the difference of log-likelihoods at two values of the objective; for a likelihood alone."""
        raise NotImplementedError

    def deviance_quantile(self, quantile: float, rows: int, freedom: int) -> float:
        """The deviance that a Student-t ``quantile`` with ``freedom`` degrees of freedom stands for."""
        raise NotImplementedError
