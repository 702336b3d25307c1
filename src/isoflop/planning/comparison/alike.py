"""How alike groups deviate from their laws: the share of model error that a group has in common with the reference."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.uncertainty.joint_bootstrap import JointDraws

Floats = NDArray[np.float64]

_MOST = 0.9  # residuals show little of what lies beyond the runs: some error is always each group's own
_FEWEST = 6  # configurations in common that show a correlation
_CONFIDENCE = 1.2816  # Φ⁻¹(.9): the lower end of a one-sided 90 % interval is used, so that chance pairs nothing


def in_common(joint: JointDraws) -> Floats:
    """tanh(atanh r − 1.28/√(n − p − 3)), within 0 and .9, of each group with the first; for the first the largest.

    r: correlation of the residuals of configurations that both groups have, n of them, p parameters of the law. Zero
    where draws are not paired, and below six configurations in common. Source: Fisher's z.
    """
    share = np.zeros(len(joint.fits))
    if not joint.paired:
        return share
    first = _by_run(joint.fits[0])
    for group in range(1, len(joint.fits)):
        own = _by_run(joint.fits[group])
        _, here, there = np.intersect1d(joint.units[0], joint.units[group], return_indices=True)
        left = len(here) - len(joint.fits[group].law.params) - 3
        if first is None or own is None or len(here) < _FEWEST or left < 1:
            continue
        if len(first) != len(joint.units[0]) or len(own) != len(joint.units[group]):  # a sample of the rows was kept
            continue
        one, other = first[here], own[there]
        if np.ptp(one) == 0 or np.ptp(other) == 0:
            continue
        r = min(float(np.corrcoef(one, other)[0, 1]), 1 - 1e-9)
        share[group] = min(_MOST, max(0.0, math.tanh(math.atanh(r) - _CONFIDENCE / math.sqrt(left)))) if r > 0 else 0.0
    share[0] = share.max()
    return share


def _by_run(fitted: Fit) -> Floats | None:
    """The mean residual of each run, (runs,); None where the fit does not carry its rows."""
    rows = fitted.data.rows
    if rows is None or not np.isfinite(rows.residual).all():
        return None
    count = np.bincount(rows.run)
    return np.asarray(np.bincount(rows.run, rows.residual) / np.maximum(count, 1))
