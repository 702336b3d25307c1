"""The wild bootstrap: the delete-one jackknife of least squares with Student's t, as draws; random signs elsewhere.

Let r_g be the residuals of a unit (a run, or a group of runs) from the fit without it. Refits to

    y* = f(θ̂) + z_g · s · √((G − 1)/G) · r_g,    z_g ~ N(0, 1),    s = √(ν/χ²_ν),

have, to first order, the covariance of the delete-one jackknife about the fit and the tails of Student's t with ν
degrees of freedom (exactly so where the law is linear), and keep to the curved valley of the objective, which a linear
combination of left-out fits does not. Where the scatter depends on size a few runs decide most of it, and ν is
Satterthwaite's: 3·(Σ_g d_g²)²/Σ_g d_g⁴ with d_g the move of a parameter when run g is left out, of the parameter where
that is least.

Of nearly absolute deviations the spread rests on the density of the residuals at zero, which normal z_g would raise.
There z_g is −1 or 1, and residuals from the fit without their own unit keep the rows that the fit goes through from
counting as zero.
Sources: MacKinnon & White 1985 (HC3 is the jackknife); Liu 1988; Cameron, Gelbach & Miller 2008 (groups);
Feng, He & Hu 2011, Biometrika 98 (signs, for medians).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.fit import Problem
from isoflop.fitting.refit import refit
from isoflop.laws.lists import Lists
from isoflop.uncertainty.resampling_unit import Unit
from isoflop.uncertainty.size_scatter import size_scatter
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_UNITS = 1_000  # left out one by one; with more, drawing them with replacement is the same
_LEAST_FREEDOM = 3.0
_TOGETHER = 128  # units left out in one batch


@dataclass(frozen=True)
class Changes(Value):
    """What differs between refits: weights, or targets, (draws, rows)."""

    weights: Floats | None = None
    target: Floats | None = None

    @staticmethod
    def joined(parts: Sequence[Changes]) -> Changes:
        """Those of several chunks, in order."""
        weights = [each.weights for each in parts if each.weights is not None]
        target = [each.target for each in parts if each.target is not None]
        return Changes(np.concatenate(weights) if weights else None, np.concatenate(target) if target else None)

    def __len__(self) -> int:
        return len(self._both())

    def take(self, draws: Ints) -> Changes:
        """Some of the draws."""
        return self._each(lambda values: values[draws])

    def of_rows(self, rows: Ints) -> Changes:
        """All draws of some rows."""
        return self._each(lambda values: values[:, rows])

    def sums(self) -> Floats:
        """The sum of weights in each draw, (draws,)."""
        if self.weights is not None:
            return np.asarray(self.weights.sum(axis=1))
        return np.full(len(self), float(self._both().shape[1]))

    def _both(self) -> Floats:
        values = self.weights if self.weights is not None else self.target
        assert values is not None
        return values

    def _each(self, taken: Callable[[Floats], Floats]) -> Changes:
        return Changes(
            None if self.weights is None else taken(self.weights),
            None if self.target is None else taken(self.target),
        )


@dataclass(frozen=True)
class Wild(Value):
    """What a draw is made of.

    curve: f(θ̂), (rows,). away: the rows' residuals from fits without their unit, (rows,). codes: each row's unit.
    freedom: ν, G − k of G rows and k parameters, or fewer where the scatter depends on size; G − 1 of runs or groups of
    several rows. signs: whether residuals are multiplied by random signs instead of normal numbers.
    """

    curve: Floats
    away: Floats
    codes: Ints
    freedom: float
    signs: bool = False

    def targets(self, rng: np.random.Generator, draws: int) -> Floats:
        """y* of each draw, (draws, rows)."""
        count = int(self.codes.max()) + 1
        factors = rng.choice((-1.0, 1.0), (draws, count)) if self.signs else rng.standard_normal((draws, count))
        tails = np.sqrt(self.freedom / rng.chisquare(self.freedom, draws))[:, None]
        return self.curve + tails * factors[:, self.codes] * self.away


def wild_of(ready: Problem, unit: Unit, theta: Floats) -> Wild | None:
    """Leave every unit out in turn; None where a fit without one of them has no finite residual."""
    codes = unit.codes[ready.table.run_codes]
    count, n_rows = unit.count, len(ready.target)
    curve = _values(ready, theta)
    away, moved = np.empty(n_rows), np.empty((count, len(theta)))
    for first in range(0, count, _TOGETHER):
        some = np.arange(first, min(count, first + _TOGETHER))
        weights = (codes[None] != some[:, None]).astype(np.float64)
        found = refit(ready, np.repeat(theta[None], len(some), axis=0), weights=weights)
        moved[some] = found.theta - theta
        for position, one in enumerate(some):
            rows = codes == one
            away[rows] = ready.target[rows] - _values(ready, found.theta[position])[rows]
    if not np.isfinite(away).all():
        return None
    single = count == n_rows
    freedom: float = max(1, count - len(ready.law.params)) if single else count - 1
    if single and _depends_on_size(ready, ready.target - curve):
        freedom = max(_LEAST_FREEDOM, min(freedom, _satterthwaite(moved)))
    # an objective that is drawn so by default is squares; of all others the residuals keep their own sizes
    signs = ready.objective.resampling != "wild"
    return Wild(curve, np.sqrt((count - 1) / count) * away, codes, freedom, signs)


def _depends_on_size(ready: Problem, residuals: Floats) -> bool:
    size = ready.table.inputs.get("N")
    if size is None or isinstance(size, Lists):
        return False
    return size_scatter(residuals, np.asarray(size), free=len(ready.law.params)) is not None


def _satterthwaite(moved: Floats) -> float:
    """3·(Σ_g d_g²)²/Σ_g d_g⁴ of the parameter with the fewest; the 3 undoes what normal residuals alone do to it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        each = 3 * (moved**2).sum(axis=0) ** 2 / (moved**4).sum(axis=0)
    return float(np.nanmin(each)) if np.isfinite(each).any() else np.inf


def _values(ready: Problem, theta: Floats) -> Floats:
    """The law's target at every row, (rows,)."""
    value = np.empty(ready.kernel.n_rows)
    width = ready.kernel.tile_rows(1)
    for start in range(0, len(value), width):
        stop = min(start + width, len(value))
        value[start:stop] = ready.kernel.value(theta[None], start, stop)[0]
    return value
