"""Losses that other runs of the same table contradict: diverged runs, and runs off their IsoFLOP curve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.runs.checks.repeats import is_sweep_of_settings
from isoflop.runs.checks.rows import hardly_repeated, rows_where, setting_groups, without
from isoflop.runs.table import Runs, rows_phrase
from isoflop.units import training_flops

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RISEN = 0.1  # relative rise of a run's last loss above its own lowest
_DOMINATED = 0.05  # relative excess over a run that is smaller and saw fewer tokens
_SAME_BUDGET = 0.1  # runs whose log C differ by less belong to one budget
_FEWEST_SIZES = 6  # sizes for a parabola from which one run can be told to lie off
_OFF = 6.0  # robust standard deviations
_LEAST = 2e-3  # relative: no run is called off its curve for less
_MOST = 3_000  # rows beyond which runs are not compared with each other


@dataclass(frozen=True)
class OffCurve:
    """A run off the parabola of its budget. row; above: relative distance of its loss; budget: FLOPs."""

    row: int
    above: float
    budget: float


def curve_findings(runs: Runs) -> list[Finding]:
    """Diverged runs, runs worse than smaller ones on fewer tokens, and runs off their IsoFLOP curve."""
    return [*_diverged(runs), *_dominated(runs), *_off_curve_findings(runs)]


def off_isoflop_curve(runs: Runs) -> list[OffCurve]:
    """Runs more than six robust standard deviations off log L = c₀ + c₁·log N + c₂·(log N)² of their budget.

    Budgets are groups of runs whose C (or 6ND) agree within 10 %, with six sizes or more; the parabola is fitted by
    reweighting to the least sum of absolute residuals, so that a run off the curve does not bend it.
    """
    return list(_off_curve(runs))


@lru_cache(maxsize=2)  # the check of a table asks twice
def _off_curve(runs: Runs) -> tuple[OffCurve, ...]:
    if not {"N", "loss"} <= set(runs.frame.columns) or not ({"C", "D"} & set(runs.frame.columns)):
        return ()
    n, loss = runs["N"], runs["loss"]
    with np.errstate(all="ignore"):
        flops = runs["C"] if "C" in runs.frame.columns else training_flops(n, runs["D"])
        log_n, log_loss, log_c = np.log(n), np.log(loss), np.log(flops)
    good = np.flatnonzero(np.isfinite(log_n) & np.isfinite(log_loss) & np.isfinite(log_c))
    good = good[hardly_repeated(runs)[good]]
    if len(good) < _FEWEST_SIZES:
        return ()
    kind = setting_groups(runs)
    order = good[np.lexsort((log_c[good], kind[good]))]
    breaks = (np.diff(log_c[order]) > _SAME_BUDGET) | (np.diff(kind[order]) != 0)
    groups = np.split(order, np.flatnonzero(breaks) + 1)
    found = []
    for rows in groups:
        # a chain of neighbors that spans much more than one budget is a continuum of runs, not an IsoFLOP group
        if np.ptp(log_c[rows]) > 3 * _SAME_BUDGET or len(np.unique(np.round(log_n[rows], 3))) < _FEWEST_SIZES:
            continue
        above = _above_parabola(log_n[rows], log_loss[rows])
        scale = max(1.4826 * float(np.median(np.sort(np.abs(above))[3:])), _LEAST / _OFF)
        for place in np.flatnonzero(np.abs(above) > _OFF * scale):
            found.append(OffCurve(int(runs.rows[rows[place]]), float(above[place]), float(flops[rows[place]])))
    return tuple(found)


def _above_parabola(x: Floats, y: Floats) -> Floats:
    """Residuals of y from the parabola of least absolute deviations, by reweighted least squares."""
    basis = np.vander((x - x.mean()) / max(float(np.std(x)), 1e-9), 3)
    weights = np.ones(len(x))
    above = np.zeros(len(x))
    for _ in range(80):
        root = np.sqrt(weights)
        above = y - basis @ np.linalg.lstsq(basis * root[:, None], y * root, rcond=None)[0]
        weights = 1 / np.maximum(np.abs(above), 1e-6)
    return above


def _off_curve_findings(runs: Runs) -> list[Finding]:
    off = off_isoflop_curve(runs)
    if not off:
        return []
    rows = sorted(each.row for each in off)
    worst = max(off, key=lambda each: abs(each.above))
    side = "above" if worst.above > 0 else "below"
    return [
        Finding(
            "off-isoflop-curve",
            "warning",
            f"{len(rows)} {'run lies' if len(rows) == 1 else 'runs lie'} off the parabola through the other runs of "
            f"{'its' if len(rows) == 1 else 'their'} budget ({rows_phrase(rows)}): row {worst.row} is "
            f"{abs(worst.above):.1%} {side} at {worst.budget:.2g} FLOPs.",
            f"Look at their curves; drop them with {without(rows)}.",
            tuple(rows),
        )
    ]


def _diverged(runs: Runs) -> list[Finding]:
    """Runs whose last loss has risen more than a tenth above their own lowest."""
    clock = next((name for name in ("D", "step", "C") if name in runs.frame.columns), None)
    if "run" not in runs.frame.columns or "loss" not in runs.frame.columns or clock is None:
        return []
    # a run may have a curve for each evaluation set, told in words
    curves = runs.run_codes() * (int(setting_groups(runs).max(initial=0)) + 1) + setting_groups(runs)
    codes = np.unique(curves, return_inverse=True)[1]
    loss, time = runs["loss"], runs[clock]
    order = np.lexsort((time, codes))
    order = order[np.isfinite(loss[order]) & np.isfinite(time[order])]
    ends = order[np.flatnonzero(np.diff(codes[order], append=-1))]  # the last row of each run
    lowest = np.full(int(codes.max()) + 1, np.inf)
    np.minimum.at(lowest, codes[order], loss[order])
    risen = ends[loss[ends] / (1 + _RISEN) > lowest[codes[ends]]]
    if not len(risen):
        return []
    bad = np.isin(runs.run_codes(), runs.run_codes()[risen])
    names = list(dict.fromkeys(np.asarray(runs.text("run"), dtype=object)[risen].tolist()))
    shown = ", ".join(repr(name) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    keep = f'--where "run not in {names!r}"' if len(names) <= 20 else without(rows_where(runs, bad))
    worst = float((loss[risen] / lowest[codes[risen]]).max())
    return [
        Finding(
            "diverged",
            "warning",
            f"{len(names)} {'run ends' if len(names) == 1 else 'runs end'} ({shown}) above their own lowest loss, by "
            f"up to {worst - 1:.0%}: diverged, or over-fitted on repeated data.",
            f"Drop them with {keep}.",
            rows_where(runs, bad),
        )
    ]


def _dominated(runs: Runs) -> list[Finding]:
    """Runs whose loss is over 5 % above that of a run with no more parameters and no more tokens, same settings."""
    if not {"N", "D", "loss"} <= set(runs.frame.columns) or len(runs) > _MOST or is_sweep_of_settings(runs):
        return []
    group = setting_groups(runs)
    n, d, loss = runs["N"], runs["D"], runs["loss"]
    unique = runs["U"] if "U" in runs.frame.columns else None
    bad = np.zeros(len(runs), dtype=np.bool_)
    for each in range(int(group.max()) + 1):
        rows = np.flatnonzero((group == each) & np.isfinite(loss) & (loss > 0))
        no_more = (n[rows][None] <= n[rows][:, None]) & (d[rows][None] <= d[rows][:, None])
        if unique is not None:
            no_more &= unique[rows][None] <= unique[rows][:, None]
        best = np.where(no_more, loss[rows][None], np.inf).min(axis=1, initial=np.inf)
        bad[rows] = loss[rows] / (1 + _DOMINATED) > best
    if not bad.any():
        return []
    found = rows_where(runs, bad)
    return [
        Finding(
            "worse-than-smaller",
            "warning",
            f"{len(found)} of {len(runs)} rows have a loss more than {_DOMINATED:.0%} above that of a run with no more "
            f"parameters and no more tokens ({rows_phrase(list(found))}): diverged, badly tuned, over-fitted, or "
            "trained on other data.",
            f"Find out what differed, and give it as a column; or drop them with {without(found)}.",
            found,
        )
    ]
