"""``block_weights``: resampled checkpoints of the groups of a panel that are one run, in blocks of successive ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.fitting.panel import PanelFit

Floats = NDArray[np.float64]

FEWEST_ROWS = 6  # checkpoints of a run from which blocks of them are resampled
_NAMED = 5
_MOST = 0.9  # of the correlation of neighbors: beyond, a block would be the whole curve


def block_length(residuals: Floats) -> int:
    """(√6·ρ/(1 − ρ²))^⅔·n^⅓ for a correlation ρ of neighboring residuals; at least 1, at most a third of the rows.

    ρ is corrected for what the fit takes out of it, about 1/n for every parameter, by adding 4/n.

    Examples
    --------
    >>> import numpy
    >>> block_length(numpy.tile([1.0, -1.0], 30)), block_length(numpy.sin(numpy.arange(60) / 5))
    (1, 20)

    Source: Carlstein 1986, The use of subseries values for estimating the variance of a general statistic.
    """
    count = len(residuals)
    apart = residuals - residuals.mean()
    square = float(apart @ apart)
    if count < 3 or square <= 0:
        return 1
    rho = min(float(apart[1:] @ apart[:-1]) / square + 4 / count, _MOST)
    if rho <= 0:
        return 1
    best = (math.sqrt(6) * rho / (1 - rho**2)) ** (2 / 3) * count ** (1 / 3)
    return int(np.clip(round(best), 1, max(1, count // 3)))


def block_weights(rows: int, length: int, draws: int, rng: np.random.Generator) -> Floats:
    """How often each of ``rows`` successive rows is in a resample, (draws, rows); blocks begin anywhere and wrap.

    Examples
    --------
    >>> import numpy
    >>> found = block_weights(12, 4, 3, numpy.random.default_rng(0))
    >>> found.shape, found.sum(axis=1).tolist()
    ((3, 12), [12.0, 12.0, 12.0])

    Source: Politis & Romano 1992, A circular block-resampling procedure for stationary data.
    """
    blocks = -(-rows // length)
    begins = rng.integers(0, rows, (draws, blocks))
    at = ((begins[:, :, None] + np.arange(length)) % rows).reshape(draws, -1)[:, :rows]
    weights = np.zeros((draws, rows))
    np.add.at(weights, (np.arange(draws)[:, None], at), 1.0)
    return weights


def single_runs(panel: PanelFit) -> tuple[tuple[int, int, int], ...]:
    """First row, end and block length of every group that is one run of several checkpoints.

    There is no other run that could stand in for it, so that its rows are resampled, in blocks along the curve.
    """
    bounds, residual = panel.ready.bounds, np.asarray(panel.residuals)
    rows = [(int(bounds[at]), int(bounds[at + 1])) for at in alone(panel)]
    return tuple((first, last, block_length(residual[first:last])) for first, last in rows)


def alone(panel: PanelFit) -> list[int]:
    """Places of the groups that are one run of several checkpoints."""
    sizes = np.diff(panel.ready.bounds)
    return [
        at for at, (runs, rows) in enumerate(zip(panel.n_runs, sizes, strict=True)) if runs == 1 and rows >= FEWEST_ROWS
    ]


def one_run_findings(panel: PanelFit) -> list[Finding]:
    """That groups are one run each, so that nothing tells how runs scatter."""
    curves = [panel.groups[at] for at in alone(panel)]
    if not curves:
        return []
    return [
        Finding(
            "one-run-a-group",
            "warning",
            f"{len(curves)} of {len(panel.groups)} groups are one run each ({named(curves)}): blocks of checkpoints "
            "are resampled, so that the intervals hold the scatter along a curve and not that between runs.",
            "Add runs of other seeds, or read the intervals as lower bounds.",
        )
    ]


def named(groups: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(groups[:_NAMED]) + (f" and {len(groups) - _NAMED} more" if len(groups) > _NAMED else "")
