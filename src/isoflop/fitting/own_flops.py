"""How a table of runs counts its training FLOPs: a fitted ratio C/(6ND) where it is regular, else 6ND."""

from __future__ import annotations

import numpy as np

from isoflop.findings import Finding
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.runs import Runs

_FEWEST = 4
_SAME = 0.01  # relative: no more is said of a ratio that is 1 up to rounding
_CONSTANT = 0.01
_REGULAR = 0.03  # of nine in ten rows, relative, around the fitted ratio
_TOLD = 0.05  # median distance from 6ND from which an irregular ratio is warned of
_RANGE = (0.2, 5.0)  # ratios outside it are another unit rather than another count
_POWERS = (0.5, 1.5)


def own_flops(runs: Runs) -> tuple[TrainingFlops, tuple[Finding, ...]]:
    """C = k·N^p·D^q as the table counts, from log C/(6ND) = c₀ + c₁·log N + c₂·log D by least squares.

    6ND without a column C of the table's own, where D counts samples, and where the ratio is irregular: more than 3 %
    off the fit in a tenth of the rows. A ratio that is the same in every row leaves p = q = 1.
    """
    known = runs.columns
    if not {"N", "D", "C"} <= set(known) or not {"N", "D", "C"} <= set(runs.frame.columns):
        return SIX_ND, ()
    computed = any(known[name].derived in ("6ND", "C/(6N)") for name in ("C", "D"))
    if computed or known["D"].convention == "samples":
        return SIX_ND, ()
    n, d, c = runs["N"], runs["D"], runs["C"]
    good = np.isfinite(n) & np.isfinite(d) & np.isfinite(c) & (n > 0) & (d > 0) & (c > 0)
    if good.sum() < _FEWEST:
        return SIX_ND, ()
    log_n, log_d = np.log(n[good]), np.log(d[good])
    log_ratio = np.log(c[good]) - np.log(6.0) - log_n - log_d
    middle = float(np.median(log_ratio))
    ratio = float(np.exp(middle))
    if np.quantile(np.abs(log_ratio), 0.9) <= _SAME or not _RANGE[0] <= ratio <= _RANGE[1]:
        return SIX_ND, ()
    if np.quantile(np.abs(log_ratio - middle), 0.9) <= _CONSTANT:
        counted = TrainingFlops(6 * ratio)
        return counted, (_own(counted, ratio, ratio),)
    centers = log_n.mean(), log_d.mean()
    design = np.column_stack([np.ones(len(log_n)), log_n - centers[0], log_d - centers[1]])
    if np.linalg.matrix_rank(design, tol=0.1) == design.shape[1]:
        start, by_n, by_d = np.linalg.lstsq(design, log_ratio, rcond=None)[0]
        off = np.abs(log_ratio - design @ np.array([start, by_n, by_d]))
        powers = (1 + float(by_n), 1 + float(by_d))
        if np.quantile(off, 0.9) <= _REGULAR and all(_POWERS[0] <= power <= _POWERS[1] for power in powers):
            factor = 6 * float(np.exp(start - by_n * centers[0] - by_d * centers[1]))
            low, high = np.exp(np.quantile(log_ratio, [0.05, 0.95]))
            counted = TrainingFlops(factor, *powers)
            return counted, (_own(counted, float(low), float(high)),)
    if abs(ratio - 1) > _TOLD or np.quantile(np.abs(log_ratio), 0.9) > 2 * _TOLD:
        low, high = np.exp(np.quantile(log_ratio, [0.05, 0.95]))
        return SIX_ND, (
            Finding(
                "irregular-flops",
                "warning",
                f"the table's C is {low:.3g} to {high:.3g} times 6ND and follows no rule in N and D, so budgets are "
                "counted as 6ND.",
                'Compare budgets with that in mind, or compute C by a rule (--derive "C = …").',
            ),
        )
    return SIX_ND, ()


def _own(counted: TrainingFlops, low: float, high: float) -> Finding:
    times = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    return Finding(
        "own-flops",
        "note",
        f"the table's C is {times} times 6ND; budgets are counted as the table does, {counted.told()}.",
        'To count 6ND, say --derive "C = 6*N*D".',
    )
