"""Shapes without a law: false alarms and power by simulation, and the coverage of decision accuracy.

    python benchmarks/shapes.py [SIMULATIONS]

Prints two Markdown tables. The first has, for designs of sizes, seeds and noise (sd of one run over the range of the
curve), the share of simulations in which a trend is found in noise, in which a turn is found in a monotone curve (the
worst of four curves), and in which it is found in a curve that turns, by the scan that isoflop uses and by two tests of
the literature: a quadratic in log x whose slopes at both ends differ in sign (Lind and Mehlum 2010), and two lines
that meet at its vertex (Simonsohn 2018). All at nominal 10 %. The second has the coverage of the interval of decision
accuracy, and of the percentile bootstrap over recipes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys

import numpy as np
from scipy import stats

from isoflop.validation.decisions import jackknife_share
from isoflop.validation.level_scatter import scatter_of
from isoflop.validation.levels import Levels
from isoflop.validation.shape import Null, ShapeTests, shape_tests, verdict

ALPHA, DELTA = 0.1, 0.05
MONOTONE = {
    "line": lambda t: t,
    "saturating": lambda t: 1 - np.exp(-6 * t),
    "plateau": lambda t: np.minimum(2 * t, 1),
    "step": lambda t: (t > 0.3) * 1.0,
}
TURNING = {
    "U": lambda t: 4 * (t - 0.5) ** 2,
    "late U": lambda t: np.where(t < 0.75, 1 - t / 0.75, (t - 0.75) / 0.25 * 0.6),
}


def quadratic(place: np.ndarray, values: np.ndarray) -> bool:
    """Whether y = a + b·u + c·u² has slopes of different signs at both ends, each at α."""
    u = np.repeat(place - place.mean(), values.shape[1])
    return _both_ends(np.stack([np.ones_like(u), u, u**2], 1), values.ravel(), place - place.mean())


def _both_ends(columns: np.ndarray, y: np.ndarray, u: np.ndarray) -> bool:
    freedom = len(y) - 3
    if freedom < 1:
        return False
    b, *_ = np.linalg.lstsq(columns, y, rcond=None)
    covariance = ((y - columns @ b) ** 2).sum() / freedom * np.linalg.inv(columns.T @ columns)
    slopes = [np.array([0, 1, 2 * end]) for end in (u[0], u[-1])]
    first, last = (each @ b / np.sqrt(each @ covariance @ each) for each in slopes)
    return _opposite(first, last, freedom)


def two_lines(place: np.ndarray, values: np.ndarray) -> bool:
    """Whether lines below and above the vertex of the quadratic have slopes of different signs, each at α."""
    u, y = np.repeat(place, values.shape[1]), values.ravel()
    square, linear, _ = np.polyfit(u, y, 2)
    vertex = -linear / (2 * square) if square else np.inf
    freedom = len(y) - 4
    if not place[0] < vertex < place[-1] or freedom < 1:
        return False
    found = []
    for above in (u >= vertex, u > vertex):
        columns = np.stack([np.ones_like(u), np.minimum(u - vertex, 0), np.maximum(u - vertex, 0), above * 1.0], 1)
        if np.linalg.matrix_rank(columns) < 4:
            return False
        b, *_ = np.linalg.lstsq(columns, y, rcond=None)
        covariance = ((y - columns @ b) ** 2).sum() / freedom * np.linalg.inv(columns.T @ columns)
        slope = len(found) + 1
        found.append(b[slope] / np.sqrt(covariance[slope, slope]))
    return _opposite(*found, freedom)


def _opposite(first: float, last: float, freedom: int) -> bool:
    critical = stats.t.isf(ALPHA, freedom)
    return min(-first, last) > critical or min(first, -last) > critical


def tested(values: np.ndarray, x: np.ndarray, null: Null) -> ShapeTests:
    """isoflop's tests of responses (sizes, seeds)."""
    mean, (sizes, seeds) = values.mean(1), values.shape
    squares = float(((values - mean[:, None]) ** 2).sum())
    levels = Levels(
        "a", "acc", x, mean, np.full(sizes, float(seeds)), squares, values.size - sizes, None, tuple(values)
    )
    return shape_tests(levels, scatter_of(levels), null, delta=DELTA, alpha=ALPHA)


def rates(curve, sizes: int, seeds: int, noise: float, null: Null, count: int) -> np.ndarray:
    """Shares of a trend, a reversal and a turn by isoflop, a turn by the quadratic, and by two lines."""
    rng, t = np.random.default_rng(1), np.linspace(0, 1, sizes)
    x, found = 10 ** (8 + 2 * t), np.zeros(5)
    for _ in range(count):
        values = curve(t)[:, None] + noise * rng.standard_normal((sizes, seeds))
        tests = tested(values, x, null)
        shape = verdict(tests, tests.p, alpha=ALPHA)
        trend = tests.p.trend <= ALPHA
        found += [
            trend,
            trend and tests.p.reversal <= ALPHA,
            shape in ("U", "inverted U", "several turns"),
            quadratic(np.log(x), values),
            two_lines(np.log(x), values),
        ]
    return found / count


def shapes_table(count: int) -> None:
    """The first table."""
    print(f"{count} simulations a line, at nominal 10 %; standard error {100 * np.sqrt(0.09 / count):.1f} points\n")
    heads = ["false trend", "false reversal", "false turn", "quadratic's", "two lines'"]
    power = [f"{name}{by}" for name in TURNING for by in ("", ", quadratic", ", two lines")]
    print("| sizes | seeds | noise | " + " | ".join([*heads, *power]) + " |")
    print("|" + "---|" * (3 + len(heads) + len(power)))
    for sizes in (5, 8, 12):
        for seeds in (1, 3, 5):
            null = Null(0, simulations=1999)
            for noise in (0.05, 0.2):
                flat = rates(lambda t: 0 * t, sizes, seeds, noise, null, count)
                false = np.max([rates(each, sizes, seeds, noise, null, count) for each in MONOTONE.values()], axis=0)
                true = [rates(each, sizes, seeds, noise, null, count)[2:] for each in TURNING.values()]
                cells = [flat[0], *false[1:], *np.concatenate(true)]
                print(f"| {sizes} | {seeds} | {noise:g} | " + " | ".join(f"{100 * each:.0f}" for each in cells) + " |",
                      flush=True)  # fmt: skip


def bootstrap_ends(order: np.ndarray, rng: np.random.Generator, draws: int = 200) -> tuple[float, float]:
    """Percentiles of the share over recipes drawn with replacement."""
    found = []
    for _ in range(draws):
        drawn = rng.integers(0, len(order), len(order))
        apart = drawn[:, None] != drawn
        if apart.any():
            found.append(order[np.ix_(drawn, drawn)][apart].mean())
    low, high = np.quantile(found, [0.05, 0.95])
    return float(low), float(high)


def decisions_table(count: int) -> None:
    """The second table: normal recipes, correlated by ρ between two scales."""
    print(
        "\n| recipes | accuracy | coverage | its width | coverage, bootstrap | its width |\n|---|---|---|---|---|---|"
    )
    rng = np.random.default_rng(0)
    for recipes in (4, 5, 8, 12, 25):
        for rho in (0.0, 0.5, 0.8, 0.95):
            truth, inside, width = 0.5 + np.arcsin(rho) / np.pi, np.zeros(2), np.zeros(2)
            for _ in range(count):
                small = rng.standard_normal(recipes)
                large = rho * small + np.sqrt(1 - rho**2) * rng.standard_normal(recipes)
                order = (1 + np.sign(small[:, None] - small) * np.sign(large[:, None] - large)) / 2
                one = jackknife_share(order, level=0.9)
                for k, (low, high) in enumerate(((one.low, one.high), bootstrap_ends(order, rng))):
                    inside[k] += low <= truth <= high
                    width[k] += high - low
            cells = np.column_stack([100 * inside, 100 * width]).ravel() / count
            print(f"| {recipes} | {truth:.2f} | " + " | ".join(f"{each:.0f}" for each in cells) + " |", flush=True)


def main() -> None:
    """Print both tables."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    shapes_table(count)
    decisions_table(count)


if __name__ == "__main__":
    main()
