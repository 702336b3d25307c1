"""``Scatter``: how far the means at each x scatter, from repeats, given standard errors, or second differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special
from isoflop.validation.levels import Levels
from isoflop.values import Value

Floats = NDArray[np.float64]
Source = Literal["repeats", "standard errors", "second differences", "none"]

_ENOUGH: Final = 4  # degrees of freedom of repeats from which second differences add more bias than they take variance
_PRIOR: Final = 2.0  # degrees of freedom with which each x's own variance is drawn towards the pooled one
_DIFFER: Final = 0.2  # p-value of Levene's test at which each x has a variance of its own
_BEYOND: Final = 0.05  # p-value at which repeats scatter more than the standard errors that were given allow


@dataclass(frozen=True)
class Scatter(Value):
    """Var ȳ_k = sd²·r_k/w_k.

    source: what it was estimated from. sd: of one run (1 where standard errors are given, whose variances are 1/w).
    weight: w, the number of runs or 1/variance, (sizes,). df: degrees of freedom of the repeats. place: x on the scale
    of the trend, (sizes,). freedom: degrees of freedom of sd, those of a t-distribution of its contrasts.
    ratio: r, variances of a run at each x in units of sd², (sizes,); one everywhere where None. cells: degrees of
    freedom of the repeats at each x, where the ratio was estimated.
    """

    source: Source
    sd: float
    weight: Floats
    df: int
    place: Floats
    freedom: float
    ratio: Floats | None = None
    cells: Floats | None = None

    @property
    def known(self) -> bool:
        """Whether there is an estimate at all."""
        return self.source != "none"

    @property
    def precision(self) -> Floats:
        """sd²/Var ȳ_k, (sizes,)."""
        return self.weight if self.ratio is None else self.weight / self.ratio

    def error(self, contrast: Floats) -> Floats:
        """Standard error of Σ c_k·ȳ_k for contrasts (…, sizes)."""
        return self.sd * np.sqrt((contrast**2 / self.precision).sum(-1))

    def pair_errors(self) -> Floats:
        """Standard errors of the differences of all pairs of means, (sizes, sizes)."""
        return self.sd * np.sqrt(1 / self.precision[:, None] + 1 / self.precision)

    def scans(self, contrasts: Floats, rng: np.random.Generator, count: int) -> Floats:
        """Contrasts of means without any trend over the error that would be estimated, (count, contrasts)."""
        noise = rng.standard_normal((count, len(self.weight))) / np.sqrt(self.precision)
        squared = contrasts**2 / self.weight
        if self.ratio is not None and self.cells is not None:
            drawn = self.ratio * rng.chisquare(np.maximum(self.cells, 1e-9), (count, len(self.cells)))
            variance = _shrunk(np.where(self.cells > 0, drawn, 0.0), self.cells)
            return (noise @ contrasts.T) / np.sqrt(variance @ squared.T)
        return (noise @ contrasts.T) / (self._sd_with(noise, rng)[:, None] * np.sqrt(squared.sum(1)))

    def _sd_with(self, noise: Floats, rng: np.random.Generator) -> Floats:
        """The sd that would be estimated with each row of noise, in units of the true one, (count,)."""
        if self.source == "standard errors":
            return np.ones(len(noise))
        squares = rng.chisquare(self.df, len(noise)) if self.df else np.zeros(len(noise))
        if self.source == "repeats":
            return np.sqrt(squares / self.df)
        apart = noise @ second_differences(self.place, self.weight).T
        return np.sqrt((squares + (apart**2).sum(1)) / (self.df + apart.shape[1]))


def scatter_of(levels: Levels) -> Scatter:
    """The scatter of a group's means.

    In this order: standard errors that were given, unless repeats scatter by more; the pooled variance of repeats,
    where it has four degrees of freedom, or a variance for each x, drawn towards the pooled one, where Levene's test
    finds that they differ; else repeats pooled with second differences, the distances of each mean from the line
    between those beside it, which a curved trend widens and no straight one does.
    """
    place = scale(levels.x)
    given = levels.sampling
    if given is not None and (given > 0).any():
        variance = np.where(given > 0, given, given[given > 0].min())
        explained = float((variance * levels.count).mean())
        if not levels.df or special.chdtrc(levels.df, levels.squares / explained) > _BEYOND:
            return Scatter("standard errors", 1.0, 1 / variance, levels.df, place, np.inf)
    weight = levels.count
    if levels.df >= _ENOUGH or (levels.df and len(place) < 3):
        sd = float(np.sqrt(levels.squares / levels.df))
        equal = Scatter("repeats", sd, weight, levels.df, place, float(levels.df))
        return _unequal(levels, equal) if _varies(levels) else equal
    if len(place) < 3:
        return Scatter("none", np.nan, weight, 0, place, np.nan)
    rows = second_differences(place, weight)
    total = levels.squares + float(((rows @ levels.mean) ** 2).sum())
    # Satterthwaite: tr(M)²/tr(M²) for the quadratic form Σ (repeats)² + |R·ȳ|²
    product = rows @ (rows / weight).T
    freedom = (levels.df + len(rows)) ** 2 / (levels.df + float((product**2).sum()))
    return Scatter(
        "second differences", float(np.sqrt(total / (levels.df + len(rows)))), weight, levels.df, place, freedom
    )


def _varies(levels: Levels) -> bool:
    """Whether the repeats scatter by different amounts at different x, by Levene's test.

    About means rather than medians, since three repeats seldom differ about theirs; it errs on the side of caution.
    """
    several = [each for each in levels.values if len(each) > 2]
    if len(several) < 2 or not any(np.ptp(each) for each in several):
        return False
    from scipy.stats import levene  # a second to import, which no other command needs

    return bool(levene(*several, center="mean").pvalue < _DIFFER)


def _unequal(levels: Levels, equal: Scatter) -> Scatter:
    """A variance for each x in place of one for all."""
    cells = levels.count - 1
    squares = np.array([((each - each.mean()) ** 2).sum() for each in levels.values])
    ratio = _shrunk(squares / equal.sd**2, cells)
    return replace(equal, ratio=ratio, cells=cells, freedom=_PRIOR + float(cells.min()))


def _shrunk(squares: Floats, cells: Floats) -> Floats:
    """(d₀·s² + Σ_k (y − ȳ)²)/(d₀ + df_k), with s² the pooled variance, (…, sizes)."""
    pooled = squares.sum(-1, keepdims=True) / cells.sum()
    return (_PRIOR * pooled + squares) / (_PRIOR + cells)


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
