"""Method 2 without a parabola: the lowest point of a curve through the losses of each budget, and a power law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.planning.parabolas import by_budget, flops_of_budgets
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FEWEST = 4  # sizes at a budget for a curve with a bottom
_STEPS = 2_000  # points at which the curve is looked at
_BUDGETS = 3  # for a power law whose misfit can be seen


@dataclass(frozen=True)
class Minima(Value):
    """N* ∝ C^a through the minima of each budget.

    budgets, n_best: (budgets,). exponent_a: with interval over draws of the budgets.
    coefficient: log N* = coefficient + a·log C.
    """

    budgets: Floats
    n_best: Floats
    exponent_a: Interval
    coefficient: float
    findings: tuple[Finding, ...]


def minima(runs: Runs, *, spread: str | None = None, draws: int = 1_000, seed: int = 0, level: float = 0.9) -> Minima:
    """log N* = g + a·log C through the lowest points of Akima splines of log loss over log N, one a budget.

    A parabola fits the whole valley and so is moved by its steep side; an interpolation is not, but needs sizes near
    the bottom and little noise.

    runs: with N, loss and C or D. spread: a column with the standard deviation of log N*, for rows that are minima
    already, one a budget; they then weigh 1/spread². Intervals: budgets redrawn with replacement.
    Raises IsoflopError with fewer than three budgets. Source: Porian et al. 2024, section 3 and appendix.
    """
    check_level(level)
    rows, flops, findings = _rows(runs, spread)
    if len(rows) < _BUDGETS:
        raise IsoflopError(
            f"{runs.source} has {len(rows)} {'budget' if len(rows) == 1 else 'budgets'} whose least loss lies between "
            "sizes that were trained; an exponent needs three: add sizes around the minimum, or budgets"
        )
    log_c, log_n, weight = np.array(sorted(rows)).T
    exponent, coefficient = np.polyfit(log_c, log_n, 1, w=weight)
    rng = np.random.default_rng([seed, 5])
    redrawn = []
    for chosen in rng.integers(0, len(log_c), (draws, len(log_c))):
        if len(np.unique(chosen)) >= _BUDGETS - 1:
            redrawn.append(np.polyfit(log_c[chosen], log_n[chosen], 1, w=weight[chosen])[0])
    low, high = np.quantile(redrawn, [(1 - level) / 2, (1 + level) / 2])
    return Minima(
        np.exp(log_c),
        np.exp(log_n),
        Interval(float(exponent), float(low), float(high), level),
        float(coefficient),
        (*flops, *findings),
    )


def _rows(runs: Runs, spread: str | None) -> tuple[list[tuple[float, float, float]], list[Finding], list[Finding]]:
    """log C, log N* and weight of each budget, and what to say of the others."""
    log_n = np.log(runs["N"])
    if "D" in runs:
        flops, said = flops_of_budgets(runs, log_n)
    else:
        flops, said = runs["C"], []
    groups = by_budget(flops)
    if spread is not None:
        if any(len(rows) > 1 for rows in groups):
            raise IsoflopError(
                f"{spread} weighs rows that are minima, one a budget; {runs.source} has several sizes a budget"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = 1 / runs[spread]
        good = np.isfinite(log_n) & np.isfinite(weight) & (weight > 0)
        return [(float(np.log(flops[i])), float(log_n[i]), float(weight[i])) for i in np.flatnonzero(good)], said, []
    loss = np.log(runs["loss"])
    found, left, few = [], [], 0
    for rows in groups:
        budget = float(np.log(flops[rows]).mean())
        if len(np.unique(np.round(log_n[rows], 6))) < _FEWEST:
            few += len(rows)
            continue
        at = _lowest(log_n[rows], loss[rows])
        if at is None:
            left.append(math.exp(budget))
        else:
            found.append((budget, at, 1.0))
    return found, said, [*_too_few(few), *_unbracketed(left)]


def _lowest(log_n: Floats, loss: Floats) -> float | None:
    """Where the spline through the mean loss of each size is lowest; None where that is at an end."""
    from scipy.interpolate import Akima1DInterpolator

    sizes, where = np.unique(np.round(log_n, 9), return_inverse=True)
    mean = np.bincount(where, weights=loss) / np.bincount(where)
    best = int(mean.argmin())
    if best in (0, len(sizes) - 1):
        return None
    fine = np.linspace(sizes[0], sizes[-1], _STEPS)
    at = int(Akima1DInterpolator(sizes, mean)(fine).argmin())
    if at in (0, _STEPS - 1):
        return None
    return float(fine[at])


def _too_few(runs: int) -> list[Finding]:
    if not runs:
        return []
    return [
        Finding(
            "few-sizes-at-budget",
            "note",
            f"{runs} {'run is' if runs == 1 else 'runs are'} left out, at values of C with fewer than four sizes.",
            "Train four or more sizes at a budget to use it.",
        )
    ]


def _unbracketed(budgets: list[float]) -> list[Finding]:
    if not budgets:
        return []
    listed = ", ".join(f"{each:.3g}" for each in budgets)
    return [
        Finding(
            "not-bracketed",
            "warning",
            f"at {listed} FLOPs the least loss is at the smallest or largest size, so the "
            f"{'budget is' if len(budgets) == 1 else 'budgets are'} left out.",
            "Train smaller or larger models there.",
        )
    ]
