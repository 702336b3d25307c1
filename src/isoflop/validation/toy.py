"""A toy surface on which small choices have large consequences: a known law, a little structured noise, a few regions.

Truth is Chinchilla's law with Epoch's constants; nine sizes from 1e8 to 7e10 parameters at 5, 10, 20 and 40 tokens a
parameter; a fixed ripple of about 0.01 nats, and an error that follows the design, in thousandths of a nat. The surface
and the search over a grid are those of the interactive figure in Weng 2026, "Scaling Laws, Carefully" (Lil'Log).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import fit, squares
from isoflop.laws import law
from isoflop.runs import Runs
from isoflop.values import Value

Floats = NDArray[np.float64]
Sides = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

TRUTH: Mapping[str, float] = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
SIZES = (1e8, 3e8, 7e8, 1e9, 3e9, 7e9, 1e10, 3e10, 7e10)
RATIOS = (5.0, 10.0, 20.0, 40.0)
REGIONS: Mapping[str, tuple[int, int]] = {"all": (0, 9), "small": (0, 4), "medium": (2, 6)}  # sizes from, to
FARTHEST = 1e15  # parameters at which the forecast is scored, on the optimal tokens of the truth

# (region, decimals, error in thousandths of a nat): the settings of the published comparison
SETTINGS: tuple[tuple[str, int, float], ...] = (
    ("all", 4, 0), ("small", 4, 0), ("medium", 4, 0), ("all", 2, 0), ("all", 1, 0), ("all", 4, 100), ("all", 4, -100),
    ("all", 4, 200), ("all", 4, -200), ("small", 4, 100), ("small", 4, -100),
)  # fmt: skip
_FIRST_GRID = (29, 29, 45)
_REFINEMENTS: tuple[tuple[tuple[float, float, float], tuple[int, int, int]], ...] = (
    ((0.05, 0.05, 0.5), (25, 25, 31)),
    ((0.015, 0.015, 0.16), (25, 25, 31)),
    ((0.004, 0.004, 0.04), (21, 21, 25)),
)


@dataclass(frozen=True)
class ToyFit(Value):
    """params: of the fit; exponent_a: β/(α+β); error: forecast − truth at ``FARTHEST``, nats; squares: Σ(L̂ − L)²."""

    params: Mapping[str, float]
    exponent_a: float
    error: float
    squares: float


@dataclass(frozen=True)
class ToyRow(Value):
    """One setting: the fit by the post's search over a grid, and at the optimum of the same objective."""

    region: str
    decimals: int
    milli_loss: float
    by_grid: ToyFit
    optimum: ToyFit


def toy_runs(*, region: str = "all", decimals: int = 4, milli_loss: float = 0.0) -> Runs:
    """The toy's runs: truth + 0.010·sin(1.91(n+1) + 2.67(r+1)) ± 0.004 + milli_loss/1000·profile, rounded.

    n, r: positions of size and ratio; the sign alternates with n + r. profile: 1.15(x − ½) − 0.95(y − ½) +
    0.8(x − ½)(y − ½) + 0.2·sin(8x + 5y) with x, y = log N, log D scaled to [0, 1] over all sizes.
    """
    if region not in REGIONS:
        raise IsoflopError(f"the toy has the regions {', '.join(REGIONS)}, not {region!r}")
    sizes, ratios = np.meshgrid(np.arange(len(SIZES)), np.arange(len(RATIOS)), indexing="ij")
    size, ratio = sizes.ravel(), ratios.ravel()
    n = np.array(SIZES)[size]
    d = n * np.array(RATIOS)[ratio]
    x, y = (_scaled(np.log10(each)) - 0.5 for each in (n, d))
    profile = 1.15 * x - 0.95 * y + 0.8 * x * y + 0.2 * np.sin(8 * (x + 0.5) + 5 * (y + 0.5))
    ripple = 0.010 * np.sin(1.91 * (size + 1) + 2.67 * (ratio + 1)) + 0.004 * np.where((size + ratio) % 2 == 0, 1, -1)
    loss = law("chinchilla").value(TRUTH, {"N": n, "D": d}) + ripple + milli_loss / 1000 * profile
    first, last = REGIONS[region]
    kept = (size >= first) & (size < last)
    rounded = np.floor(loss * 10.0**decimals + 0.5) / 10.0**decimals
    return Runs.from_columns(
        {"N": n[kept], "D": d[kept], "loss": rounded[kept]}, source="toy surface", conventions={"N": "total"}
    )


def toy_table(settings: tuple[tuple[str, int, float], ...] = SETTINGS) -> tuple[ToyRow, ...]:
    """Every setting fitted on raw loss by least squares, by the post's grid and at the optimum."""
    rows = []
    for region, decimals, milli_loss in settings:
        runs = toy_runs(region=region, decimals=decimals, milli_loss=milli_loss)
        exact = fit(law("chinchilla"), runs, objective=squares(space="raw"))
        rows.append(ToyRow(region, decimals, milli_loss, _scored(runs, grid_fit(runs)), _scored(runs, exact.params)))
    return tuple(rows)


def grid_fit(runs: Runs) -> Mapping[str, float]:
    """argmin Σ(E + A/N^α + B/D^β − L)² over a grid of (α, β, E), A and B by normal equations, refined three times.

    Only points with A, B > 0 count. The search stops at the last grid's spacing, and the valley of the objective is
    longer than its windows: the result lies near the optimum, not at it.
    """
    n, d, loss = runs["N"], runs["D"], runs["loss"]
    top = float(loss.min()) - 1e-6
    low = max(0.0, float(loss.min()) - max(1.2 * max(float(np.ptp(loss)), 0.1), 6.0))
    best = _best_on_grid(n, d, loss, ((0.2, 0.55), (0.2, 0.55), (low, top)), _FIRST_GRID)
    if best is None:
        raise IsoflopError("no point of the grid fits these runs with A and B positive; use the package's own fit")
    for (by_alpha, by_beta, by_floor), counts in _REFINEMENTS:
        _, alpha, beta, floor, _, _ = best
        sides = (
            (max(0.01, alpha - by_alpha), min(1.2, alpha + by_alpha)),
            (max(0.01, beta - by_beta), min(1.2, beta + by_beta)),
            (max(0.0, floor - by_floor), min(top, floor + by_floor)),
        )
        finer = _best_on_grid(n, d, loss, sides, counts)
        if finer is not None and finer[0] <= best[0]:
            best = finer
    _, alpha, beta, floor, a, b = best
    return {"E": floor, "A": a, "B": b, "alpha": alpha, "beta": beta}


def _best_on_grid(
    n: Floats, d: Floats, loss: Floats, sides: Sides, counts: tuple[int, int, int]
) -> tuple[float, float, float, float, float, float] | None:
    """(squares, α, β, E, A, B) at the best grid point with A, B > 0, or None."""
    alphas, betas, floors = (np.linspace(*side, count) for side, count in zip(sides, counts, strict=True))
    x, z, rest = n ** -alphas[:, None], d ** -betas[:, None], loss - floors[:, None]
    xx, zz, tt = (x**2).sum(axis=1), (z**2).sum(axis=1), (rest**2).sum(axis=1)
    xz, xt, zt = (x @ z.T)[:, :, None], (x @ rest.T)[:, None, :], (z @ rest.T)[None]
    determinant = xx[:, None, None] * zz[None, :, None] - xz**2
    with np.errstate(all="ignore"):
        a = (xt * zz[None, :, None] - zt * xz) / determinant
        b = (xx[:, None, None] * zt - xz * xt) / determinant
        left = tt - a * xt - b * zt
    good = (np.abs(determinant) >= 1e-40) & (a > 0) & (b > 0)
    if not good.any():
        return None
    at = np.unravel_index(int(np.where(good, left, np.inf).argmin()), left.shape)
    alpha, beta, floor = float(alphas[at[0]]), float(betas[at[1]]), float(floors[at[2]])
    return float(left[at]), alpha, beta, floor, float(a[at]), float(b[at])


def _scored(runs: Runs, params: Mapping[str, float]) -> ToyFit:
    chinchilla = law("chinchilla")
    at = {"N": FARTHEST, "D": _best_tokens(FARTHEST)}
    error = float(chinchilla.value(params, at)) - float(chinchilla.value(TRUTH, at))
    rest = chinchilla.value(params, {"N": runs["N"], "D": runs["D"]}) - runs["loss"]
    return ToyFit(dict(params), params["beta"] / (params["alpha"] + params["beta"]), error, float(rest @ rest))


def _best_tokens(n: float) -> float:
    """D that makes N optimal for the truth: N = G·(C/6)^a with G = (αA/βB)^(1/(α+β)) solved for C/6, D = C/(6N)."""
    alpha, beta = TRUTH["alpha"], TRUTH["beta"]
    scale = (alpha * TRUTH["A"] / (beta * TRUTH["B"])) ** (1 / (alpha + beta))
    return float((n / scale) ** ((alpha + beta) / beta) / n)


def _scaled(values: Floats) -> Floats:
    return np.asarray((values - values.min()) / np.ptp(values), dtype=np.float64)
