"""Tables simulated from a panel's shared fit, for the distribution of a statistic where the groups do share."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.panel import PanelFit

Floats = NDArray[np.float64]

CHUNK = 50
_STREAM = 5
_SILVERMAN = 0.9


def simulated_targets(panel: PanelFit, *, draws: int, seed: int) -> Iterator[Floats]:
    """What each row would measure, chunk by chunk, (at most CHUNK tables, rows in the order of the groups).

    The shared fit plus its residuals, widened for the parameters that were fitted, with one random sign a run; for an
    objective that goes through some of its rows they are smoothed by Silverman's bandwidth and shrunk to keep their
    variance.
    """
    ready = panel.ready
    residual = panel.residuals
    fitted = ready.target - residual
    residual = _widening(panel) * _without_zeros(panel, residual)
    smooth = _smoothing(panel, residual)
    sizes = np.diff(ready.bounds)
    shrink = np.repeat(np.sqrt(1 + (_SILVERMAN * sizes**-0.2) ** 2), sizes)
    for first in range(0, draws, CHUNK):
        count = min(CHUNK, draws - first)
        rng = np.random.default_rng([seed, _STREAM, first // CHUNK])
        signs = rng.choice([-1.0, 1.0], size=(count, ready.table.n_runs))[:, ready.table.run_codes]
        made = signs * residual
        if smooth is not None:
            jitter = rng.standard_normal((count, ready.table.n_runs))[:, ready.table.run_codes]
            made = (made + smooth * jitter) / shrink
        yield fitted + made


def _widening(panel: PanelFit) -> Floats:
    """√(n_g/(n_g − k_g)) for every row, with k_g own parameters and a share of the shared ones, (rows,)."""
    sizes = np.diff(panel.ready.bounds)
    left = np.maximum(sizes - _fitted_numbers(panel), 0.25 * sizes)
    return np.asarray(np.repeat(np.sqrt(sizes / left), sizes))


def _fitted_numbers(panel: PanelFit) -> Floats:
    """How many parameters each group took: its own, and its rows' part of the shared ones, (groups,)."""
    ready = panel.ready
    sizes = np.diff(ready.bounds)
    return np.asarray(len(ready.own) - len(ready.pooled) + len(ready.shared) * sizes / sizes.sum())


def _without_zeros(panel: PanelFit, residual: Floats) -> Floats:
    """The residuals, those that the fit made vanish replaced by quantiles of the others, (rows,).

    Near absolute deviations a fit of k numbers goes through k rows. Tables made from these residuals would have too
    many rows at zero, so too large a curvature and too small a T. As many are replaced as lie within no width.
    """
    delta = getattr(panel.objective, "delta", 0.0)
    if panel.objective.likelihood:
        return residual
    found = residual.copy()
    for (first, last), numbers in zip(pairwise(panel.ready.bounds), _fitted_numbers(panel), strict=True):
        size = np.abs(residual[first:last])
        count = min(round(float(numbers) * float(np.mean(size > delta))), (last - first) // 2)
        order = np.argsort(size, kind="stable")
        rest = size[order[count:]]
        found[first + order[:count]] = np.quantile(rest, (np.arange(count) + 0.5) / max(count, 1))
    return found


def _smoothing(panel: PanelFit, residual: Floats) -> Floats | None:
    """Silverman's bandwidth of each group's residuals, (rows,), for an objective that goes through some of its rows."""
    if panel.objective.likelihood:
        return None
    bounds = panel.ready.bounds
    width = np.empty(len(residual))
    for first, last in pairwise(bounds):
        own = np.abs(residual[first:last])
        width[first:last] = _SILVERMAN * 1.4826 * np.median(own) * (last - first) ** -0.2
    return width
