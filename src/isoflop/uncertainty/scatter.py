"""The scatter of runs around their curve: what turns draws of a curve into draws of what a new run would measure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.objective.space import Space, moved
from isoflop.uncertainty.ensemble import Ensemble

Floats = NDArray[np.float64]


def with_scatter(
    curve: Floats, residuals: Floats, *, n_runs: int, n_params: int, space: Space, rng: np.random.Generator
) -> Floats:
    """The curve moved by −r on the scale of the residuals: curve·exp(−r) (log), curve − r (raw), or by log odds.

    curve: (draws,), or (draws, points) of one law. The others are those of :func:`scatter`.
    """
    return _spread(
        curve, lambda points: scatter(residuals, (len(curve), points), n_runs=n_runs, n_params=n_params, rng=rng), space
    )


def scatter(
    residuals: Floats, shape: tuple[int, ...], *, n_runs: int, n_params: int, rng: np.random.Generator
) -> Floats:
    """−r, with r a residual of the fit for each draw and point of ``shape``, on the scale of the residuals.

    residuals: fitted − measured, any number. They are widened by √(n/(n − p)) for the p parameters that were fitted to
    n runs, and by √((n − p)/χ²) for how little n − p residuals say of their own size, once a draw, which gives
    Student's tails.
    """
    draws, points = shape
    freedom = max(1, n_runs - n_params)
    widen = np.sqrt(n_runs / freedom) * np.sqrt(freedom / rng.chisquare(freedom, draws))
    # quantiles are drawn evenly so that few draws still cover the tails
    even = (np.arange(draws) + 0.5) / draws
    position = np.column_stack([rng.permutation(even) for _ in range(points)])
    # measured − fitted is minus the residual
    return np.asarray(-widen[:, None] * np.quantile(residuals, position, method="weibull"))


def new_runs(ensemble: Ensemble, curve: Floats, *, stream: int = 0) -> Floats:
    """What new runs would measure where the ensemble's law draws this curve, (draws,) or (draws, points).

    stream: as for :func:`new_scatter`.
    """
    return _spread(
        curve, lambda points: new_scatter(ensemble, points=points, stream=stream), ensemble.estimate.data.space
    )


def new_scatter(ensemble: Ensemble, *, points: int = 1, stream: int = 0) -> Floats:
    """By how much new runs would lie off the law, on the scale of the residuals, (draws, points).

    stream: residuals of one stream are drawn in one order; two scatters that are to be independent, as in a chain of
    laws with one seed, take two streams.
    """
    data = ensemble.estimate.data
    return scatter(
        np.asarray(data.residuals),
        (len(ensemble), points),
        n_runs=data.n_runs,
        n_params=len(ensemble.estimate.law.params),
        rng=np.random.default_rng([ensemble.seed, 2] if stream == 0 else [ensemble.seed, 2, stream]),
    )


def _spread(curve: Floats, by: Callable[[int], Floats], space: Space) -> Floats:
    """The curve, (draws,) or (draws, points), moved by a scatter for that many points, (draws, points)."""
    if not len(curve):
        return curve
    columns = curve.reshape(len(curve), -1)
    return moved(columns, by(columns.shape[1]), space).reshape(curve.shape)
