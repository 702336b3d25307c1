"""``Scatter``: how far the means at each x scatter, from repeats, given standard errors, or second differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from isoflop.validation.levels import Levels
from isoflop.values import Value

Floats = NDArray[np.float64]
Source = Literal["repeats", "standard errors", "second differences", "none"]

_ENOUGH: Final = 4  # degrees of freedom of repeats from which second differences add more bias than they take variance
_BEYOND: Final = 0.05  # p-value at which repeats scatter more than the standard errors that were given allow


@dataclass(frozen=True)
class Scatter(Value):
    """Var ȳ_k = sd²/w_k.

    source: what it was estimated from. sd: of one run (1 where standard errors are given, whose variances are 1/w).
    weight: w, the number of runs or 1/variance, (sizes,). df: degrees of freedom of the repeats. place: x on the scale
    of the trend, (sizes,). freedom: degrees of freedom of sd, those of a t-distribution of its contrasts.
    """

    source: Source
    sd: float
    weight: Floats
    df: int
    place: Floats
    freedom: float

    @property
    def known(self) -> bool:
        """Whether there is an estimate at all."""
        return self.source != "none"

    def error(self, contrast: Floats) -> Floats:
        """Standard error of Σ c_k·ȳ_k for contrasts (…, sizes)."""
        return self.sd * np.sqrt((contrast**2 / self.weight).sum(-1))

    def simulated(self, rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
        """Means without any trend at sd = 1, (count, sizes), and the sd that would be estimated with each, (count,)."""
        noise = rng.standard_normal((count, len(self.weight))) / np.sqrt(self.weight)
        if self.source == "standard errors":
            return noise, np.ones(count)
        squares = rng.chisquare(self.df, count) if self.df else np.zeros(count)
        if self.source == "repeats":
            return noise, np.sqrt(squares / self.df)
        apart = noise @ second_differences(self.place, self.weight).T
        return noise, np.sqrt((squares + (apart**2).sum(1)) / (self.df + apart.shape[1]))


def scatter_of(levels: Levels) -> Scatter:
    """The scatter of a group's means.

    In this order: standard errors that were given, unless repeats scatter by more; the pooled variance of repeats,
    where it has four degrees of freedom; else repeats pooled with second differences, the distances of each mean from
    the line between those beside it, which a curved trend widens and no straight one does.
    """
    place = scale(levels.x)
    given = levels.sampling
    if given is not None and (given > 0).any():
        variance = np.where(given > 0, given, given[given > 0].min())
        explained = float((variance * levels.count).mean())
        if not levels.df or stats.chi2.sf(levels.squares / explained, levels.df) > _BEYOND:
            return Scatter("standard errors", 1.0, 1 / variance, levels.df, place, np.inf)
    weight = levels.count
    if levels.df >= _ENOUGH:
        sd = float(np.sqrt(levels.squares / levels.df))
        return Scatter("repeats", sd, weight, levels.df, place, float(levels.df))
    if len(place) < 3:
        if levels.df:
            sd = float(np.sqrt(levels.squares / levels.df))
            return Scatter("repeats", sd, weight, levels.df, place, float(levels.df))
        return Scatter("none", np.nan, weight, 0, place, np.nan)
    rows = second_differences(place, weight)
    total = levels.squares + float(((rows @ levels.mean) ** 2).sum())
    # Satterthwaite: tr(M)²/tr(M²) for the quadratic form Σ (repeats)² + |R·ȳ|²
    product = rows @ (rows / weight).T
    freedom = (levels.df + len(rows)) ** 2 / (levels.df + float((product**2).sum()))
    return Scatter(
        "second differences", float(np.sqrt(total / (levels.df + len(rows)))), weight, levels.df, place, freedom
    )


def scale(x: Floats) -> Floats:
    """log x where all x are above zero, else x."""
    return np.log(x) if (x > 0).all() else x


def second_differences(place: Floats, weight: Floats) -> Floats:
    """Rows R with E (R·ȳ)² = sd² for means on a straight line, (sizes − 2, sizes)."""
    count = len(place)
    rows = np.zeros((count - 2, count))
    for k in range(1, count - 1):
        share = (place[k + 1] - place[k]) / (place[k + 1] - place[k - 1])
        rows[k - 1, k - 1 : k + 2] = share, -1.0, 1 - share
    return rows / np.sqrt((rows**2 / weight).sum(1))[:, None]
