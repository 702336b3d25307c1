"""Student's t: a likelihood with heavy tails, its scale fitted with the parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from isoflop.errors import FitError
from isoflop.fitting.objective.base import OUTER, Descent, Flags, Floats, Objective, Parts
from isoflop.fitting.objective.space import Space

if TYPE_CHECKING:
    from isoflop.fitting.solve import Measured, Solution

USUAL = 4.0


@dataclass(frozen=True)
class StudentT(Objective):
    """Σ w ρ(r), minus the log-likelihood: ρ = log σ + (ν+1)/2 · log(1 + r²/(νσ²)) + constant, σ fitted.

    The number that its parts call scale is log σ.
    """

    word: ClassVar[str] = "student-t"
    example: ClassVar[str] = "student-t"
    likelihood: ClassVar[bool] = True
    fits_scale: ClassVar[bool] = True
    native: ClassVar[str | None] = "student-t"

    df: float = USUAL

    @classmethod
    def of(cls, number: float | None, *, space: Space) -> Self:
        """Student's t with that many degrees of freedom."""
        df = USUAL if number is None else number
        if not (math.isfinite(df) and df > 0):
            raise FitError(f"a Student-t needs positive degrees of freedom, not {df:g}; 4 is usual")
        return cls(df=df, space=space)

    def number(self) -> float | None:
        """Degrees of freedom, written where they are not the usual ones."""
        return None if self.df == USUAL else self.df

    @property
    def constant(self) -> float:
        """What every row adds whatever its residual: minus the logarithm of the density's peak at σ = 1."""
        return math.lgamma(self.df / 2) - math.lgamma((self.df + 1) / 2) + 0.5 * math.log(self.df * math.pi)

    def parts(self, residual: Floats, weights: Floats | None, newton: Flags, scale: Floats) -> Parts:
        """Value and derivatives by residual and by log σ."""
        df = self.df
        precision = np.exp(-2 * scale)[:, None]
        ones = np.ones_like(residual) if weights is None else weights
        squared = residual**2 * precision
        cost = 0.5 * (df + 1) * np.log1p(squared / df) + scale[:, None] + self.constant
        pull = (df + 1) / (df + squared) * ones
        slope = pull * residual * precision
        own = pull * (df - squared) / (df + squared)
        curvature = np.where(newton[:, None], np.maximum(own, OUTER * pull), pull) * precision
        scale_slope = (ones - pull * squared).sum(axis=1)
        scale_curvature = (2 * df * pull * squared / (df + squared)).sum(axis=1)
        mixed = -2 * df * pull * residual * precision / (df + squared)
        return Parts((cost * ones).sum(axis=1), slope, curvature, (scale_slope, scale_curvature, mixed))

    def scale_at(self, sigma: float | None, typical: float) -> float:
        """log σ."""
        return math.log(typical if sigma is None else sigma)

    def sigma(self, scale: float, mean_square: float) -> float | None:
        """The fitted σ."""
        return math.exp(scale)

    def minimize(
        self, problem: Measured, theta: Floats, scale: Floats | None, tolerance: float, descend: Descent
    ) -> Solution:
        """One descent in parameters and log σ, from the residuals' robust scale where no other is given."""
        return descend(problem, theta, problem.robust_scale(theta) if scale is None else scale.copy(), tolerance)

    def magnitude(self, value: Floats | float, weight: Floats | float) -> Floats:
        """The number of rows: a log-likelihood has no zero of its own."""
        return np.asarray(weight, dtype=np.float64)

    def rounding(self, rows: int) -> float:
        """No log-likelihood is exact."""
        return -math.inf

    def log_likelihood(self, value: float, rows: int) -> float:
        """Minus the objective."""
        return -value

    def deviance(self, value: float, least: float, rows: int) -> float:
        """Twice the difference of the objective."""
        return 2 * (value - least)

    def deviance_quantile(self, quantile: float, rows: int, freedom: int) -> float:
        """t², as for any likelihood."""
        return quantile**2
