"""Absolute deviations, as the limit of Huber's function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from isoflop.errors import FitError
from isoflop.fitting.objective.base import Descent, Flags, Floats, Objective, Parts
from isoflop.fitting.objective.huber_loss import CURVED, huber_parts, without_outer_share
from isoflop.fitting.objective.space import Space

if TYPE_CHECKING:
    from isoflop.fitting.solve import Measured, Solution

_STAGES = 12  # widths of Huber's function on the way to absolute deviations
_NARROWER = 0.05
_CORNER = 1e-9  # of the residuals' size: a width that stands for none


@dataclass(frozen=True)
class Absolute(Objective):
    """Σ w |r| (least absolute deviations). The number that its parts call scale is the width of Huber's function."""

    word: ClassVar[str] = "lad"
    example: ClassVar[str] = "lad"
    smooth: ClassVar[bool] = False
    native: ClassVar[str | None] = "huber"

    @classmethod
    def of(cls, number: float | None, *, space: Space) -> Self:
        """Absolute deviations, which have no number."""
        if number is not None:
            raise FitError(f"lad has no number, not {number:g}; write lad, or huber:{number:g}")
        return cls(space=space)

    def parts(self, residual: Floats, weights: Floats | None, newton: Flags, scale: Floats) -> Parts:
        """Those of Huber's function, whose value divided by a narrow width is that of absolute deviations."""
        return huber_parts(residual, weights, newton, scale)

    def own_curvature(self, near: Floats, reweighted: Floats) -> Floats:
        """That of Huber's function."""
        return without_outer_share(near, reweighted)

    def scale_at(self, sigma: float | None, typical: float) -> float:
        """A width far below the residuals."""
        return _CORNER * typical

    def curvature_scale(self, scale: Floats, typical: Callable[[], Floats]) -> Floats:
        """A width within which a share of the residuals lies, so that there is a curvature."""
        return CURVED * typical()

    def minimize(
        self, problem: Measured, theta: Floats, scale: Floats | None, tolerance: float, descend: Descent
    ) -> Solution:
        """Each stage narrows the width from the last optimum.

        At width δ the optimum misses the least sum of absolute residuals by at most δ a fitted row, so the last width
        is set against the residuals themselves: a millionth of them for draws, less where a tighter tolerance is asked
        for.
        """
        width = np.exp(problem.robust_scale(theta)) * 3
        last = max(1e-10, tolerance * 1e3)
        steps = np.zeros(len(theta), dtype=np.int64)
        for stage in range(_STAGES):
            found = descend(problem, theta, width, tolerance if stage == 0 else min(tolerance, 1e-11))
            theta, steps = found.theta, steps + found.steps
            typical = np.exp(problem.robust_scale(theta))
            if np.all(width <= last * typical):
                break
            width = np.minimum(width, typical) * _NARROWER
        return dataclasses.replace(found, scale=width, value=problem.absolute_sum(theta), steps=steps)

    def rounding(self, rows: int) -> float:
        """The sum of that many residuals of 1e-12."""
        return 1e-12 * rows
