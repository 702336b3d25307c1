"""The response of a group that was not seen: its law drawn as groups differ, its departure that of a known group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.objective.space import to_scale
from isoflop.laws.lists import Lists
from isoflop.uncertainty.discrepancy import discrepancy
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.uncertainty.mixture import Mixture
from isoflop.uncertainty.prior import Prior

Floats = NDArray[np.float64]

_CURVES = 120  # of the draws, evenly spaced at the first point; of many points fewer, to bound memory
_CELLS = 10_000_000  # of all covariances


def of_unseen(ensemble: Ensemble, points: Mapping[str, Floats | Lists], prior: Prior, *, joint: bool) -> Mixture:
    """Σ_d Σ_h w_h t_ν(f(θ_d) + μ_gh − f(θ̂_g), Σ_gh)/D on the scale of the residuals, g the departure of draw d in turn.

    θ_d: draws of the unseen group's parameters. μ_gh, Σ_gh: of group g under hypothesis h
    (:mod:`isoflop.uncertainty.discrepancy`), so that μ_gh − f(θ̂_g) is where that group departs from its law.
    """
    space = ensemble.estimate.data.space
    params = {name: draws[:, None] for name, draws in ensemble.draws.items()}
    count = len(next(iter(points.values())))
    with np.errstate(all="ignore"):
        curves = to_scale(np.broadcast_to(ensemble.estimate.law.value(params, points), (len(ensemble), count)), space)
    curves = curves[np.isfinite(curves).all(axis=1)]
    parts = []
    for fit in ensemble.departures:
        found = discrepancy(fit, prior=prior).at(points, joint=joint)
        with np.errstate(all="ignore"):
            own = to_scale(np.broadcast_to(fit.predict(points), (count,)), space)
        parts.append((found, found.mean - own))
    hypotheses = len(parts[0][0].weights)
    most = min(_CURVES, max(2 * len(parts), _CELLS // (hypotheses * count**2 if joint else 1)))
    order = np.argsort(curves[:, 0], kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(np.int64))]
    # by turns, so that every group meets low and high curves alike
    turns = [(curves[row], *parts[place % len(parts)]) for place, row in enumerate(chosen)]
    return Mixture(
        weights=np.concatenate([each.weights for _, each, _ in turns]) / len(turns),
        mean=np.concatenate([curve + apart for curve, _, apart in turns]),
        variance=np.concatenate([each.variance for _, each, _ in turns]),
        cov=np.concatenate([each.cov for _, each, _ in turns if each.cov is not None]) if joint else None,
        own=np.concatenate([each.own for _, each, _ in turns]),
        freedom=prior.freedom,
    )
