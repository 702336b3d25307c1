"""A mixture of multivariate Student-t distributions: quantiles, densities, joint draws and covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.special import special
from isoflop.values import Value

Floats = NDArray[np.float64]

_STEPS = 100  # of the search for a quantile; a handful is enough
_SETTLED = 1e-12  # scales


@dataclass(frozen=True)
class Mixture(Value):
    """Σ_h w_h t_ν(mean_h, cov_h), of log response or of the response.

    weights: (components,). mean: (components, points). variance: (components, points), squared scales without a run's
    own scatter. cov: (components, points, points), the scale matrices that have them as their diagonals, or None where
    points were not asked for jointly. own: (components, points), variance of each point's own scatter, which no other
    point shares.
    """

    weights: Floats
    mean: Floats
    variance: Floats
    cov: Floats | None
    own: Floats
    freedom: float

    def scale(self, *, scatter: bool = True) -> Floats:
        """Scale of each point in each component, (components, points); with a new run's own scatter or without."""
        variance = self.variance + (self.own if scatter else 0.0)
        return np.sqrt(np.maximum(variance, 1e-300))

    def cdf(self, at: Floats, *, scatter: bool = True) -> Floats:
        """P(value ≤ at) for each point, (points,)."""
        z = (at - self.mean) / self.scale(scatter=scatter)
        return np.asarray(self.weights @ special.stdtr(self.freedom, z))

    def log_density(self, at: Floats, *, scatter: bool = True) -> Floats:
        """Logarithm of each point's density, (points,)."""
        scale, v = self.scale(scatter=scatter), self.freedom
        z = (at - self.mean) / scale
        constant = special.gammaln((v + 1) / 2) - special.gammaln(v / 2) - 0.5 * np.log(v * np.pi)
        each = constant - (v + 1) / 2 * np.log1p(z * z / v) - np.log(scale)
        with np.errstate(divide="ignore"):
            return np.asarray(special.logsumexp(np.log(self.weights)[:, None] + each, axis=0))

    def quantile(self, probability: float, *, scatter: bool = True) -> Floats:
        """The quantile of each point, (points,): between those of the components, by Newton's steps kept inside."""
        used = self.weights > 0
        weights, v = self.weights[used], self.freedom
        mean, scale = self.mean[used], self.scale(scatter=scatter)[used]
        each = mean + special.stdtrit(v, probability) * scale
        low, high = each.min(axis=0), each.max(axis=0)
        found = np.clip(weights @ each / weights.sum(), low, high)
        height = math.exp(special.gammaln((v + 1) / 2) - special.gammaln(v / 2)) / math.sqrt(v * math.pi)
        near = np.maximum(_SETTLED * scale.min(axis=0), 4 * np.spacing(np.abs(found)))
        left = np.flatnonzero(high > low)
        for _ in range(_STEPS):
            if not len(left):
                break
            at = found[left]
            z = (at - mean[:, left]) / scale[:, left]
            excess = weights @ special.stdtr(v, z) - probability
            density = weights @ (height * (1 + z * z / v) ** (-(v + 1) / 2) / scale[:, left])
            low[left], high[left] = np.where(excess < 0, at, low[left]), np.where(excess < 0, high[left], at)
            with np.errstate(all="ignore"):
                tried = at - excess / density
            inside = (tried >= low[left]) & (tried <= high[left])
            found[left] = np.where(inside, tried, (low[left] + high[left]) / 2)
            left = left[np.abs(found[left] - at) > near[left]]
        return found

    def sample(self, draws: int, *, seed: int = 0, scatter: bool = True) -> Floats:
        """Joint draws, (draws, points): one component and one Student tail for all points of a draw."""
        cov = self._joint()
        rng = np.random.default_rng([seed, 6])
        points = self.mean.shape[1]
        component = rng.choice(len(self.weights), size=draws, p=self.weights / self.weights.sum())
        tail = np.sqrt(self.freedom / rng.chisquare(self.freedom, draws))[:, None]
        normal, alone = rng.standard_normal((2, draws, points))
        found = np.empty((draws, points))
        for each in range(len(self.weights)):
            rows = component == each
            if rows.any():
                off = normal[rows] @ _root(cov[each]).T
                if scatter:
                    off = off + alone[rows] * np.sqrt(self.own[each])
                found[rows] = self.mean[each] + tail[rows] * off
        return found

    def one_each(self, *, seed: int = 0, scatter: bool = True) -> Floats:
        """One draw for each point, independent of the others, (points,)."""
        rng = np.random.default_rng([seed, 7])
        points = np.arange(self.mean.shape[1])
        component = rng.choice(len(self.weights), size=len(points), p=self.weights / self.weights.sum())
        scale = self.scale(scatter=scatter)[component, points]
        return np.asarray(self.mean[component, points] + scale * rng.standard_t(self.freedom, len(points)))

    def covariance(self, *, scatter: bool = True) -> Floats:
        """Covariance of the points, (points, points)."""
        weights = self.weights / self.weights.sum()
        within = np.einsum("h,hij->ij", weights, self._joint())
        if scatter:
            within = within + np.diag(weights @ self.own)
        off = self.mean - weights @ self.mean
        return np.asarray(within * self.freedom / (self.freedom - 2) + np.einsum("h,hi,hj->ij", weights, off, off))

    def _joint(self) -> Floats:
        if self.cov is None:
            raise IsoflopError("these points were not computed jointly; use joint=True")
        return self.cov


def _root(matrix: Floats) -> Floats:
    """A square root of a positive semidefinite matrix, which points that coincide may make singular."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
