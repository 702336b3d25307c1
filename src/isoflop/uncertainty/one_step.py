"""Intervals for fits to whole curves: the bootstrap over runs, each draw one Newton step from the fit.

Refitting 10⁷ rows a thousand times is out of reach, and not needed: so many rows hold the optimum so firmly that a draw
moves it by little, and one step from the fit then lands where the refit would.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.stream import CurveFit
from isoflop.uncertainty.bootstrap import too_few_runs
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.uncertainty.unit_weights import unit_weights

Floats = NDArray[np.float64]

_CHUNK = 250
_FAR = 1.0  # a step in coordinates (logarithms and exponents) beyond which a draw is no small move
_ASTRAY = 6.0  # a step that says nothing: its draw is left out, and counted as failed
_FEW = 10


def one_step_bootstrap(curve_fit: CurveFit, *, draws: int = 1_000, seed: int = 0) -> Ensemble:
    """θ_b = θ̂ − (Σ_r w_r H_r)⁻¹ Σ_r w_r g_r with w the random weights of runs of the bootstrap.

    g_r, H_r: a run's gradient and curvature of the objective at the fit. The rows of a run, whose residuals go
    together, are drawn as one. Source: one-step (score) bootstrap of M-estimators, Hu and Kalbfleisch 2000.
    """
    if draws < 20:
        raise IsoflopError(f"{draws} draws make no interval; ask for 20 or more (1000 is usual)")
    refusal = too_few_runs(curve_fit.fit)
    if refusal is not None:
        raise IsoflopError(f"{refusal}; add runs")
    fit, slopes, curvatures = curve_fit.fit, curve_fit.slopes, curve_fit.curvatures
    # what is left of the sum at the optimum is rounding, or the width of least absolute deviations
    slopes = slopes - slopes.mean(axis=0)
    count, k = slopes.shape
    n_params = len(fit.law.param_names)
    steps = np.empty((draws, k))
    for chunk in range(-(-draws // _CHUNK)):
        rng = np.random.default_rng([seed, chunk])
        some = slice(chunk * _CHUNK, min(draws, (chunk + 1) * _CHUNK))
        weights = unit_weights(rng, (np.arange(count),), count, some.stop - some.start)
        slope = weights @ slopes
        curvature = np.einsum("br,rij->bij", weights, curvatures)
        steps[some] = _solved(curvature, slope)
    far = ~(np.abs(steps[:, :n_params]) < _FAR).all(axis=1)
    good = (np.abs(steps[:, :n_params]) < _ASTRAY).all(axis=1)
    if good.sum() < 20:
        raise IsoflopError(f"the curves do not determine {fit.law.name}: {int((~good).sum())} of {draws} draws failed")
    theta = fit.theta[None] + steps[good, :n_params]
    params = coordinates(fit.law).to_params(theta, fit.centers)
    return Ensemble(
        estimate=fit,
        params=params,
        method="one-step bootstrap over runs",
        seed=seed,
        failed=int((~good).sum()),
        findings=tuple(_findings(count, int(far.sum()), draws, fit.data.n_rows)),
    )


def _solved(curvature: Floats, slope: Floats) -> Floats:
    """−H⁻¹ g of every draw; NaN where H is singular."""
    size = np.sqrt(np.maximum(np.einsum("bii->bi", curvature), 1e-300))
    scaled = curvature / (size[:, :, None] * size[:, None, :])
    sound = np.isfinite(scaled).all(axis=(1, 2))
    steps = np.full_like(slope, np.nan)
    if sound.any():
        inverse = np.linalg.pinv(scaled[sound], rcond=1e-12, hermitian=True)
        steps[sound] = -np.einsum("bij,bj->bi", inverse, slope[sound] / size[sound]) / size[sound]
    return steps


def _findings(runs: int, far: int, draws: int, rows: int) -> list[Finding]:
    found = []
    if runs < _FEW:
        found.append(
            Finding(
                "few-independent-runs",
                "warning",
                f"the intervals rest on {runs} independent {'run' if runs == 1 else 'runs'} ({rows:,} rows, but those "
                "of one run move together); from so few a bootstrap is too narrow.",
                "Add runs, or read the intervals as lower bounds.",
            )
        )
    if far > draws / 100:
        found.append(
            Finding(
                "far-steps",
                "warning",
                f"{far} of {draws} draws lie so far from the fit that one step does not find where they end.",
                "Fix or tie a parameter; or thin the curves (--thin) to so few rows that they are refitted.",
            )
        )
    return found
