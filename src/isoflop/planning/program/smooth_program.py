"""A smooth program: least f(y) with c(y) ≤ 0 and e(y) = 0 in a box, with exact first and second derivatives.

Everything is an expression in the names of the unknowns, so that one program is solved for many draws of the other
names at once (:mod:`isoflop.planning.program.interior_point`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_values
from isoflop.laws.expression import ZERO, Expr, name, names
from isoflop.values import Value

Floats = NDArray[np.float64]
Leaves = Mapping[str, Floats | float]


@dataclass(frozen=True)
class Derivatives(Value):
    """Values (rows, k), gradients (rows, k, n) and Hessians (rows, k, n, n) of f, every c and every e."""

    values: Floats
    slopes: Floats
    curvatures: Floats


@dataclass(frozen=True)
class SmoothProgram(Value):
    """min f(y) over low ≤ y ≤ high with c(y) ≤ 0 and e(y) = 0.

    unknowns: the names of y, (n,). inequalities, equalities: the left sides c and e.
    """

    unknowns: tuple[str, ...]
    objective: Expr
    inequalities: tuple[Expr, ...]
    equalities: tuple[Expr, ...]
    low: Floats
    high: Floats

    @cached_property
    def functions(self) -> tuple[Expr, ...]:
        """f, every c, every e."""
        return (self.objective, *self.inequalities, *self.equalities)

    @cached_property
    def others(self) -> tuple[str, ...]:
        """The names in it that are no unknowns."""
        found = dict.fromkeys(each for function in self.functions for each in names(function))
        return tuple(each for each in found if each not in self.unknowns)

    @cached_property
    def _derived(self) -> tuple[Expr, ...]:
        wanted = tuple(map(name, self.unknowns))
        slopes = [gradient(function, wanted) for function in self.functions]
        upper = [
            second
            for own in slopes
            for row, slope in enumerate(own)
            for second in (gradient(slope, wanted[row:]) if slope != ZERO else (ZERO,) * (len(wanted) - row))
        ]
        return (*self.functions, *(each for own in slopes for each in own), *upper)

    def values(self, y: Floats, leaves: Leaves) -> Floats:
        """f, c and e at y (rows, n), (rows, k)."""
        found = array_values(self.functions, {**leaves, **self._point(y)})
        return np.stack([np.broadcast_to(each, len(y)) for each in found], axis=1)

    def derivatives(self, y: Floats, leaves: Leaves) -> Derivatives:
        """f, c and e with both derivatives at y (rows, n)."""
        rows, n = y.shape
        k = len(self.functions)
        found = array_values(self._derived, {**leaves, **self._point(y)})
        flat = np.empty((rows, len(found)))
        for column, each in enumerate(found):
            flat[:, column] = each
        curvatures = np.empty((rows, k, n, n))
        above, right = np.triu_indices(n)
        upper = flat[:, k + k * n :].reshape(rows, k, len(above))
        curvatures[:, :, above, right] = upper
        curvatures[:, :, right, above] = upper
        return Derivatives(flat[:, :k], flat[:, k : k + k * n].reshape(rows, k, n), curvatures)

    def _point(self, y: Floats) -> dict[str, Floats]:
        return {label: y[:, column] for column, label in enumerate(self.unknowns)}
