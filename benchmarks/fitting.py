"""Whole fits, bootstraps and large tables, timed in one run, as ratios where another method is the yardstick.

    python benchmarks/fitting.py [TABLE.csv]

Without a table, 240 simulated runs of Besiroglu's constants stand in for Epoch's digitized ones.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from isoflop import Runs, bootstrap, fit, huber, law, read_runs
from isoflop.fitting.coordinates import coordinates
from isoflop.fitting.fit import problem
from isoflop.fitting.kernel import Kernel

CHINCHILLA = law("chinchilla")
TRUTH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


def median_time(function, repeats: int = 9) -> float:
    """Median seconds of a call, after one to warm up."""
    function()
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def simulated(rows: int, *, seed: int = 0) -> Runs:
    """Runs of the known law with 0.5 % of noise."""
    rng = np.random.default_rng(seed)
    n, d = 10 ** rng.uniform(7.7, 10.2, rows), 10 ** rng.uniform(8.4, 11.5, rows)
    loss = CHINCHILLA.value(TRUTH, {"N": n, "D": d}) * np.exp(rng.normal(0, 0.005, rows))
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


def scipy_grid(runs: Runs, *, sample: int, tight: bool) -> tuple[float, float]:
    """Seconds for L-BFGS-B with numerical gradients from 4,500 starts, scaled from a sample, and its best objective.

    The objective is written as papers write it, with scipy.special's logsumexp and huber.
    tight: with tolerances at which its best start comes to the optimum; SciPy's own stop short.
    """
    from scipy.special import huber as scipy_huber
    from scipy.special import logsumexp

    options = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 10_000, "maxfun": 100_000} if tight else {}
    log_n, log_d, log_loss = np.log(runs["N"]), np.log(runs["D"]), np.log(runs["loss"])

    def cost(p):
        a, b, e, alpha, beta = p
        terms = np.stack([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)])
        return scipy_huber(1e-3, logsumexp(terms, axis=0) - log_loss).sum()

    exponents = np.arange(0, 2.1, 0.5)
    grid = list(product(range(0, 26, 5), range(0, 26, 5), np.arange(-1, 1.1, 0.5), exponents, exponents))
    picked = np.random.default_rng(0).choice(len(grid), sample, replace=False)
    began = time.perf_counter()
    best = min(minimize(cost, grid[each], method="L-BFGS-B", options=options).fun for each in picked)
    return (time.perf_counter() - began) / sample * len(grid), float(best)


def process_time(arguments: list[str], repeats: int = 5) -> float:
    """Median wall seconds of a whole process."""
    return median_time(lambda: subprocess.run(arguments, check=True, capture_output=True), repeats)


def main() -> None:
    """Print every figure."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    runs = read_runs(path) if path else simulated(245)
    runs = runs.take(np.argsort(np.argsort(runs["loss"])) < 240)
    print(f"runs: {runs.source}, {len(runs)} rows, Huber 1e-3 on log loss")

    found = fit(CHINCHILLA, runs)
    whole = median_time(lambda: fit(CHINCHILLA, runs), 21)
    print(f"whole fit, global search from 64 starts   {whole * 1e3:9.1f} ms   objective {found.value:.13g}")
    boot = median_time(lambda: bootstrap(found, draws=4000, restarted=0), 5)
    print(f"4,000 bootstrap refits, one core          {boot * 1e3:9.1f} ms   {4000 / boot:,.0f} fits/s")
    checked = median_time(lambda: bootstrap(found, draws=4000), 3)
    print(f"  with 16 draws searched from all starts  {checked * 1e3:9.1f} ms")

    for tight in (False, True):
        grid, best = scipy_grid(runs, sample=40, tight=tight)
        verdict = "no worse" if found.value <= best * (1 + 1e-12) else "WORSE"
        named = "tight tolerances" if tight else "its own tolerances"
        print(f"SciPy L-BFGS-B, 4,500 starts, {named:18s} {grid:6.0f} s (scaled)  objective {best:.13g}")
        print(f"  {grid / whole:,.0f} times as long as the whole fit, whose objective is {verdict}")

    first = []
    for each in range(7):
        began = time.perf_counter()
        fresh = law(f"E{each} + A{each}/N^alpha + B{each}/D^beta + F{each}/(N^gamma*D^delta)")
        Kernel(coordinates(fresh), {"N": runs["N"], "D": runs["D"]}, space="log")
        first.append(time.perf_counter() - began)
    print(f"a formula's first use (read, derive, lay out) {statistics.median(first) * 1e3:5.1f} ms")

    many = simulated(1_000_000)
    ready = problem(CHINCHILLA, many, objective=huber())
    theta = ready.coords.from_params(np.array([list(found.params.values())]), ready.kernel.centers)
    width = ready.kernel.tile_rows(1)

    def sweep() -> None:
        for start in range(0, 1_000_000, width):
            ready.kernel.value_and_jacobian(theta, start, min(start + width, 1_000_000))

    rate = 1e6 / median_time(sweep, 5)
    print(f"row evaluations with Jacobian             {rate / 1e6:9.1f} M/s and core")
    began = time.perf_counter()
    large = fit(CHINCHILLA, many)
    took = time.perf_counter() - began
    print(f"a million rows fitted                     {took:9.2f} s    alpha {large.params['alpha']:.4f}")

    command = [sys.executable, "-c", "from isoflop.cli import main; main()"]
    bare = process_time([sys.executable, "-c", "pass"])
    shown = process_time([*command, "--help"])
    print(f"isoflop --help, whole process             {shown:9.3f} s    (bare Python {bare:.3f} s)")
    if path:
        call = [*command, "fit", str(path), "--law", "chinchilla", "--draws", "1000", "--json"]
        print(f"isoflop fit, 1,000 draws, whole process   {process_time(call):9.3f} s")


if __name__ == "__main__":
    main()
