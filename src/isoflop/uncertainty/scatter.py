"""The scatter of runs around their curve: what turns draws of a curve into draws of what a new run would measure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.objective import Space
from isoflop.uncertainty.ensemble import Ensemble

Floats = NDArray[np.float64]


def with_scatter(
    curve: Floats, residuals: Floats, *, n_runs: int, n_params: int, space: Space, rng: np.random.Generator
) -> Floats:
    """curve·exp(−r) (``log``) or curve − r (``raw``), with r a residual of the fit drawn for each draw of the curve.

    curve: (draws,), or (draws, points) of one law. residuals: fitted − measured, of log or raw response as ``space``
    has it, any number. They are widened by √(n/(n − p)) for the p parameters that were fitted to n runs, and by
    √((n − p)/χ²) for how little n − p residuals say of their own size, once a draw, which gives Student's tails.
    """
    if not len(curve):
        return curve
    freedom = max(1, n_runs - n_params)
    widen = np.sqrt(n_runs / freedom) * np.sqrt(freedom / rng.chisquare(freedom, len(curve)))
    # quantiles are drawn evenly so that few draws still cover the tails
    even = (np.arange(len(curve)) + 0.5) / len(curve)
    columns = curve.reshape(len(curve), -1)
    position = np.column_stack([rng.permutation(even) for _ in range(columns.shape[1])])
    # measured − fitted is minus the residual
    scatter = -widen[:, None] * np.quantile(residuals, position, method="weibull")
    spread = columns * np.exp(scatter) if space == "log" else columns + scatter
    return spread.reshape(curve.shape)


def new_runs(ensemble: Ensemble, curve: Floats, *, stream: int = 0) -> Floats:
    """What new runs would measure where the ensemble's law draws this curve, (draws,) or (draws, points).

    stream: residuals of one stream are drawn in one order; two scatters that are to be independent, as in a chain of
    laws with one seed, take two streams.
    """
    estimate = ensemble.estimate
    return with_scatter(
        curve,
        np.asarray(estimate.data.residuals),
        n_runs=estimate.data.n_runs,
        n_params=len(estimate.law.params),
        space=estimate.data.space,
        rng=np.random.default_rng([ensemble.seed, 2] if stream == 0 else [ensemble.seed, 2, stream]),
    )
