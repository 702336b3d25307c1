"""Paired comparison of laws on the same held-out runs: which forecast alike, and how far their errors differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval
from isoflop.validation.backtest import Backtest
from isoflop.validation.score import mean_interval, per_run
from isoflop.validation.window_test import Forecasts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SAME = 1e-4  # relative distance of forecasts below which two laws are one on these runs


def distinct(laws: Sequence[Forecasts]) -> tuple[list[Forecasts], dict[str, list[str]]]:
    """Laws that differ in their forecasts, and for each the names of those that do not differ from it.

    The one with fewest parameters stands for those that say the same.
    """
    kept: list[Forecasts] = []
    same: dict[str, list[str]] = {}
    for each in sorted(laws, key=lambda each: len(each.law.params) if each.law else 0):
        twin = next(
            (other for other in kept if np.allclose(each.value, other.value, rtol=_SAME, atol=0, equal_nan=True)), None
        )
        if twin is None:
            kept.append(each)
            same[each.name] = []
        else:
            same[twin.name].append(each.name)
    return kept, same


def error_difference(joint: Backtest, each: Forecasts, best: Forecasts, code: Ints) -> Interval:
    """Mean paired difference of relative errors ± t·√(s²/n + d²).

    Errors beyond 100 % count as 100 %, so that one absurd forecast decides nothing by its size.
    s/√n: standard error over n held-out runs. d: half of the central 68 % of the same mean over bootstrap draws, since
    held-out runs of a window share the error of the fitted curve, which s does not see. Where one law has fewer draws
    than the other, as many of the other's are paired with them.
    """
    apart = per_run(_errors(joint, each.value) - _errors(joint, best.value), code)
    count = len(apart)
    if each is best or count < 2 or each.curve is None or best.curve is None:
        return mean_interval(apart, level=joint.level)
    _, run = np.unique(code, return_inverse=True)
    share = 1.0 / np.bincount(run)[run]
    return difference_interval(
        apart,
        (_errors(joint, each.curve) - _errors(joint, best.curve[: len(each.curve)])) @ share / count,
        level=joint.level,
    )


def difference_interval(apart: Floats, drawn: Floats, *, level: float) -> Interval:
    """x̄ ± t_{n−1}·√(s²/n + d²) of runs' differences, (runs,).

    d: half of the central 68 % of the same mean over draws, (draws,).
    """
    mean, count = float(apart.mean()), len(apart)
    low, high = np.quantile(drawn, [0.1587, 0.8413])
    error = math.hypot(float(np.std(apart, ddof=1)) / math.sqrt(count), float(high - low) / 2)
    half = float(special.stdtrit(count - 1, (1 + level) / 2)) * error
    return Interval(mean, mean - half, mean + half, level)


def capped_errors(values: Floats, truth: Floats) -> Floats:
    """|L − L̂|/L up to 1, (…, rows); 1 where there is no forecast."""
    with np.errstate(all="ignore"):
        errors = np.abs(values - truth) / np.abs(truth)
    return np.where(np.isfinite(errors), np.minimum(errors, 1.0), 1.0)


def _errors(joint: Backtest, values: Floats) -> Floats:
    return capped_errors(values, joint.held.truth)
