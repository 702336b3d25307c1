"""Least squares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from isoflop.errors import FitError
from isoflop.fitting.objective.base import Flags, Floats, Objective, Parts, Resampling
from isoflop.fitting.objective.space import Space


@dataclass(frozen=True)
class Squares(Objective):
    """Σ w r²; the likelihood of Gaussian residuals whose scale is fitted, by way of ℓ = −(n/2) log Σ r²."""

    word: ClassVar[str] = "lsq"
    example: ClassVar[str] = "lsq"
    likelihood: ClassVar[bool] = True
    weighs_errors: ClassVar[bool] = True
    resampling: ClassVar[Resampling] = "wild"
    native: ClassVar[str | None] = "squares"

    @classmethod
    def of(cls, number: float | None, *, space: Space) -> Self:
        """Squares, which have no number."""
        if number is not None:
            raise FitError(f"lsq has no number, not {number:g}; write lsq, or huber:{number:g}")
        return cls(space=space)

    def parts(self, residual: Floats, weights: Floats | None, newton: Flags, scale: Floats) -> Parts:
        """Slope 2wr and curvature 2w."""
        slope = 2 * residual if weights is None else 2 * residual * weights
        total = np.einsum("bn,bn->b", residual, slope) / 2
        curvature = np.broadcast_to(np.float64(2), residual.shape) if weights is None else 2 * weights
        return Parts(total, slope, curvature)

    def sigma(self, scale: float, mean_square: float) -> float | None:
        """√(Σ r²/n)."""
        return math.sqrt(mean_square)

    def log_likelihood(self, value: float, rows: int) -> float:
        """−(n/2)·(log(2π·RSS/n) + 1)."""
        return -rows / 2 * (math.log(2 * math.pi * value / rows) + 1) if value > 0 else math.inf

    def deviance(self, value: float, least: float, rows: int) -> float:
        """n·log(RSS/RSS_min)."""
        return rows * math.log(value / least) if value > 0 else 0.0

    def deviance_quantile(self, quantile: float, rows: int, freedom: int) -> float:
        """n·log(1 + t²/(n − k)), exact where the law is linear."""
        return rows * math.log1p(quantile**2 / freedom)
