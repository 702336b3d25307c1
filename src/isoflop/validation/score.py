"""How good forecasts of held-out runs were: relative error, bias, coverage and log score, each run counted once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval
from isoflop.uncertainty.quantiles import finite_quantiles
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scores(Value):
    """A forecaster's scores over held-out runs.

    are: mean |L − L̂|/L. bias: mean (L̂ − L)/L. worst: the largest |L − L̂|/L.
    covered, rows: how many held-out rows their interval held, of how many; coverage: that share, each run counted once.
    log_score: mean log density of the predictive draws at what was measured, in units of relative loss.
    coverage and log_score are None for a forecaster that gives no interval.
    """

    are: Interval
    bias: Interval
    worst: float
    rows: int
    runs: int
    covered: int | None
    coverage: Interval | None
    log_score: Interval | None


def score(
    value: Floats,
    truth: Floats,
    run: Ints,
    *,
    low: Floats | None = None,
    high: Floats | None = None,
    log_score: Floats | None = None,
    level: float = 0.9,
) -> Scores:
    """Scores of forecasts (rows,), with the interval of each mean over runs; run: each row's run, (rows,)."""
    with np.errstate(all="ignore"):
        relative = (value - truth) / np.abs(truth)
    are = mean_interval(per_run(np.abs(relative), run), level=level)
    inside = None if low is None or high is None else (low <= truth) & (truth <= high)
    return Scores(
        are=Interval(are.value, max(0.0, are.low) if math.isfinite(are.low) else are.low, are.high, level),
        bias=mean_interval(per_run(relative, run), level=level),
        worst=float(np.abs(relative).max()),
        rows=len(truth),
        runs=len(np.unique(run)),
        covered=None if inside is None else int(inside.sum()),
        coverage=None if inside is None else share_interval(per_run(inside.astype(np.float64), run), level=level),
        log_score=None if log_score is None else mean_interval(per_run(log_score, run), level=level),
    )


def per_run(values: Floats, run: Ints) -> Floats:
    """The mean over each run's rows, (runs,)."""
    _, codes = np.unique(run, return_inverse=True)
    return np.bincount(codes, weights=values) / np.bincount(codes)


def mean_interval(values: Floats, *, level: float) -> Interval:
    """x̄ ± t_{n−1}·s/√n, the interval of a mean over runs, (runs,); NaN ends for one run or values without a mean."""
    count, mean = len(values), float(np.mean(values))
    if count < 2 or not np.isfinite(values).all():
        return Interval(mean, math.nan, math.nan, level)
    half = float(special.stdtrit(count - 1, (1 + level) / 2) * np.std(values, ddof=1) / math.sqrt(count))
    return Interval(mean, mean - half, mean + half, level)


def share_interval(shares: Floats, *, level: float) -> Interval:
    """The mean share over runs, (runs,), with Jeffreys' interval Beta(k + ½, n − k + ½) for n runs."""
    count, total = len(shares), float(shares.sum())
    low, high = special.betaincinv(total + 0.5, count - total + 0.5, [(1 - level) / 2, (1 + level) / 2])
    return Interval(total / count, float(low), float(high), level)


def log_density(draws: Floats, truth: Floats) -> Floats:
    """log p(L)·|L|: density of the draws (draws, points) at the truth (points,), in units of relative loss.

    A kernel estimate with Student-t₄ kernels of Silverman's width, 0.9·min(s, IQR/1.349)·n^(−1/5), whose tails keep one
    far miss from deciding a mean. Draws that are not finite have no density anywhere; −∞ where fewer than two are.
    """
    with np.errstate(all="ignore"):
        relative = draws / np.abs(truth)
    whole = np.isfinite(relative)
    count = whole.sum(axis=0)
    some = count >= 2
    kept = np.where(whole, relative, np.nan)[:, some]
    with np.errstate(all="ignore"):
        sd = np.nanstd(kept, axis=0, ddof=1)
        quarter, three = finite_quantiles(kept, [0.25, 0.75])
        narrow = np.minimum(sd, (three - quarter) / 1.349)
        width = np.maximum(0.9 * np.where(narrow > 0, narrow, sd) * count[some] ** -0.2, 1e-12)
        away = (np.copysign(1.0, truth[some]) - kept) / width
        density = 0.375 * (1 + away**2 / 4) ** -2.5 / width
    scores = np.full(len(truth), -np.inf)
    scores[some] = np.log(np.maximum(np.nansum(density, axis=0) / len(relative), 1e-300))
    return scores
