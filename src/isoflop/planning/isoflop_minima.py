"""IsoFLOP minima from the bottom of each valley, and the weighted power law through them with its drift.

Sizes far from the minimum lie on steep sides that no parabola follows, and move a global fit too. Here each budget has
a parabola through the sizes near its lowest loss alone, and extrapolation adds what the exponent was seen to drift by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.planning.local_parabola import without_stray
from isoflop.planning.parabolas import by_budget, flops_of_budgets
from isoflop.runs import Runs
from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval, check_level, log_t_interval
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_BUDGETS = 3
DRIFT = 0.2  # standard deviation of log N* for each decade of compute beyond the budgets
_NEAR = 1.6  # in log N: a factor of five on both sides of the lowest loss
_FEWEST_SIZES = 5
_SHARED = 0.05  # standard deviation of log N* that every minimum has however well it is measured
_DRAWS = 400
_MOST_LOST = 0.1  # share of draws without a minimum from which a budget is left out
_FEWEST_FREE = 2  # degrees of freedom of an interval from few budgets


@dataclass(frozen=True)
class LocalMinimum(Value):
    """One budget's minimum: log N* with its standard deviation, and the parabola's curvature.

    curvature: c in log L = log L* + c·(log N − log N*)². rows: how many runs lie near; left_out: runs off the parabola.
    """

    budget: float
    log_n: float
    sd: float
    curvature: float
    rows: int
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True)
class IsoflopMinima(Value):
    """log N* = v + a·(log C − center) through the minima of three or more budgets.

    minima: one a budget, ascending. value, exponent: v and a. covariance: theirs, (2, 2), widened where the minima
    scatter more than they should. freedom: of the t distribution of both.
    """

    minima: tuple[LocalMinimum, ...]
    center: float
    value: float
    exponent: float
    covariance: Floats
    freedom: int
    findings: tuple[Finding, ...] = field(default=(), compare=False)

    @property
    def budgets(self) -> Floats:
        """FLOPs of the budgets, (budgets,)."""
        return np.array([each.budget for each in self.minima])

    def beyond(self, budget: float) -> float:
        """Decades that a budget lies beyond the largest one, or below the smallest."""
        low, high = self.minima[0].budget, self.minima[-1].budget
        return max(0.0, math.log10(budget / high), math.log10(low / budget))

    def sd(self, budget: float) -> float:
        """Standard deviation of log N* at a budget: √(gᵀΣg + (0.2 · decades beyond)²) with g = (1, log C − center)."""
        g = np.array([1.0, math.log(budget) - self.center])
        return math.sqrt(float(g @ self.covariance @ g) + (DRIFT * self.beyond(budget)) ** 2)

    def n_at(self, budget: float, *, level: float = 0.9) -> Interval:
        """N* at a budget, with a t interval in log N."""
        middle = self.value + self.exponent * (math.log(budget) - self.center)
        return log_t_interval(math.exp(middle), self.sd(budget), freedom=self.freedom, level=level)

    def exponent_interval(self, *, level: float = 0.9) -> Interval:
        """The exponent a of N* ∝ C^a over the budgets, with its interval."""
        check_level(level)
        half = float(special.stdtrit(self.freedom, (1 + level) / 2)) * math.sqrt(float(self.covariance[1, 1]))
        return Interval(self.exponent, self.exponent - half, self.exponent + half, level)

    def curvature(self) -> float:
        """c of the valley's bottom at the larger budgets: the median of the last three."""
        return float(np.median([each.curvature for each in self.minima[-3:]]))


def isoflop_minima(runs: Runs, *, seed: int = 0) -> IsoflopMinima:
    """Local parabolas in log L over log N, one a budget, and a weighted line through their vertices.

    runs: with N, loss and C or D. At each budget the sizes within a factor e^1.6 of the lowest loss count, at least
    five of them; the vertex v_b has the standard deviation s_b of redrawn residuals. Weights are 1/(s_b² + 0.05²), and
    the covariance is multiplied by max(1, χ²/(budgets − 2)).
    Raises IsoflopError with fewer than three bracketed budgets.
    """
    log_n, log_loss = np.log(runs["N"]), np.log(runs["loss"])
    flops, findings = flops_of_budgets(runs, log_n) if "D" in runs else (runs["C"], [])
    found: list[LocalMinimum] = []
    for rows in by_budget(flops):
        if len(rows) < _FEWEST_SIZES:
            continue
        minimum = local_minimum(log_n[rows], log_loss[rows], math.log(_middle(flops[rows])), rows, seed=seed)
        if minimum is not None:
            found.append(minimum)
    if len(found) < FEWEST_BUDGETS:
        raise IsoflopError(
            f"{runs.source} has {len(found)} {'budget' if len(found) == 1 else 'budgets'} with five or more sizes "
            "whose least loss lies inside; N* by IsoFLOP minima needs three: add sizes around the minimum, or budgets"
        )
    left = sorted(int(runs.rows[row]) for each in found for row in each.left_out)
    return _line(found, (*findings, *_left_out(left, len(found))))


def _line(found: Sequence[LocalMinimum], findings: tuple[Finding, ...]) -> IsoflopMinima:
    log_c = np.log([each.budget for each in found])
    vertex = np.array([each.log_n for each in found])
    weight = 1 / np.sqrt(np.array([each.sd for each in found]) ** 2 + _SHARED**2)
    center = float(log_c.mean())
    basis = np.column_stack([np.ones_like(log_c), log_c - center]) * weight[:, None]
    inverse: Floats = np.asarray(np.linalg.inv(basis.T @ basis), dtype=np.float64)
    value, exponent = inverse @ (basis.T @ (vertex * weight))
    free = len(found) - 2
    rest = basis @ [value, exponent] - vertex * weight
    widen = max(1.0, float(rest @ rest) / free)
    return IsoflopMinima(
        tuple(found), center, float(value), float(exponent), inverse * widen, max(_FEWEST_FREE, free), findings
    )


def local_minimum(
    log_n: Floats, log_loss: Floats, log_budget: float, rows: Ints, *, seed: int = 0
) -> LocalMinimum | None:
    """The vertex of a parabola near the lowest loss; None where the runs do not bracket one.

    A run whose externally studentized residual is one that honest runs show once in a hundred budgets is left out, and
    the parabola is fitted again.
    """
    if len(log_n) < _FEWEST_SIZES or len(np.unique(np.round(log_n, 6))) < _FEWEST_SIZES:
        return None
    rows_near, off = without_stray(log_n, log_loss, _NEAR)
    x, y = log_n[rows_near], log_loss[rows_near]
    middle = float(x.mean())
    fit = _parabola(x - middle, y)
    curvature, slope, _ = fit
    if curvature <= 0:
        return None
    vertex = middle - slope / (2 * curvature)
    if not x.min() < vertex < x.max():
        return None
    sd = _vertex_sd(x - middle, y, seed)
    if sd is None:
        return None
    return LocalMinimum(
        math.exp(log_budget), float(vertex), sd, float(curvature), len(x), tuple(int(row) for row in rows[off])
    )


def _parabola(x: Floats, y: Floats) -> Floats:
    return np.linalg.pinv(np.vander(x, 3)) @ y


def _vertex_sd(x: Floats, y: Floats, seed: int) -> float | None:
    """Half of the central 68 % of the vertex over redrawn residuals; None where too many draws have no minimum."""
    basis = np.vander(x, 3)
    solve = np.linalg.pinv(basis)
    fitted = basis @ (solve @ y)
    free = max(1, len(x) - 3)
    rng = np.random.default_rng([seed, 8])
    residual = (y - fitted) * math.sqrt(len(x) / free)
    drawn = rng.choice(residual, (_DRAWS, len(x))) * np.sqrt(free / rng.chisquare(free, (_DRAWS, 1)))
    curvature, slope, _ = solve @ (fitted + drawn).T
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.where(curvature > 0, -slope / (2 * curvature), np.nan)
    if np.isnan(vertex).mean() > _MOST_LOST:
        return None
    low, high = np.nanquantile(vertex, [0.16, 0.84])
    return float(high - low) / 2


def _middle(flops: Floats) -> float:
    return math.exp(float(np.log(flops).mean()))


def _left_out(rows: list[int], budgets: int) -> tuple[Finding, ...]:
    if not rows:
        return ()
    one = len(rows) == 1
    return (
        Finding(
            "off-parabola",
            "note",
            f"{len(rows)} {'run lies' if one else 'runs lie'} off the parabola through the others of "
            f"{'its budget' if one else 'their budgets'} and {'is' if one else 'are'} left out of the "
            f"minima of {budgets} budgets.",
            "Look at their curves.",
            tuple(rows),
        ),
    )
