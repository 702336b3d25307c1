"""Huber's function: squares within a width, absolute values outside."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from isoflop.errors import FitError
from isoflop.fitting.objective.base import OUTER, Flags, Floats, Objective, Parts
from isoflop.fitting.objective.space import Space

USUAL = 1e-3
CURVED = 0.3  # of the residuals' size: a width within which a share of them lies, so that there is a curvature


@dataclass(frozen=True)
class Huber(Objective):
    """Σ w ρ(r), ρ = r²/2 for |r| ≤ δ, else δ(|r| − δ/2).

    Source: Huber 1964; δ = 1e-3 on log loss is that of Hoffmann et al. 2022, appendix D.2.
    """

    word: ClassVar[str] = "huber"
    example: ClassVar[str] = "huber:1e-3"
    native: ClassVar[str | None] = "huber"

    delta: float = USUAL

    @classmethod
    def of(cls, number: float | None, *, space: Space) -> Self:
        """Huber's function with that width."""
        delta = USUAL if number is None else number
        if not (math.isfinite(delta) and delta > 0):
            raise FitError(f"the Huber width must be positive, not {delta:g}; the field's usual value is 1e-3")
        return cls(delta=delta, space=space)

    def number(self) -> float | None:
        """The width, always written."""
        return self.delta

    def parts(self, residual: Floats, weights: Floats | None, newton: Flags, scale: Floats) -> Parts:
        """Slope w·r·min(1, δ/|r|); reweighted curvature w·min(1, δ/|r|), own curvature w within δ."""
        return huber_parts(residual, weights, newton, scale)

    def own_curvature(self, near: Floats, reweighted: Floats) -> Floats:
        """Without the share that is kept of the reweighted curvature outside the width."""
        return without_outer_share(near, reweighted)

    def scale_at(self, sigma: float | None, typical: float) -> float:
        """The width."""
        return self.delta

    def sandwich_scale(self, scale: Floats, typical: Callable[[], Floats]) -> Floats:
        """The width, or CURVED of the residuals' size where it is wider: few rows lie within 1e-3, and none has to."""
        return np.maximum(scale, CURVED * typical())


def huber_parts(residual: Floats, weights: Floats | None, newton: Flags, width: Floats) -> Parts:
    """Huber's function with a width for each problem (problems,)."""
    width = width[:, None]
    size = np.abs(residual)
    inner = np.minimum(size, width)
    cost = inner * (size - 0.5 * inner)
    pull = np.divide(width, np.maximum(size, width))  # 1 inside, δ/|r| outside
    total = cost.sum(axis=1) if weights is None else np.einsum("bn,bn->b", cost, weights)
    weighted = pull if weights is None else pull * weights
    slope = residual * weighted
    if not newton.any():
        return Parts(total, slope, weighted)
    keep = np.where(newton, OUTER, 1.0)[:, None]
    return Parts(total, slope, np.where(size <= width, weighted, keep * weighted))


def without_outer_share(near: Floats, reweighted: Floats) -> Floats:
    """Huber's own curvature, of the one that keeps a share of the reweighted curvature outside the width."""
    return (near - OUTER * reweighted) / (1 - OUTER)
