"""How often 90 % intervals hold the truth: simulated runs of a known law, fitted and bootstrapped each time.

    python benchmarks/coverage.py [SIMULATIONS]

Prints the share of intervals that held each parameter and the curve far outside the runs, for designs of 16 to 64 runs,
Gaussian and Student-t residuals, and two objectives.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
import time

import numpy as np

from isoflop import Runs, huber, law, squares
from isoflop.uncertainty.coverage import coverage

TRUTH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
FAR = {"far": {"N": 7e10, "D": 1.4e12}}
NOISES = {
    "gaussian": lambda rng, rows: rng.normal(0, 0.003, rows),
    "student-3": lambda rng, rows: 0.003 * rng.standard_t(3, rows),
}


def design(sizes: int, durations: int) -> Runs:
    """A grid of sizes and durations over 2.5 decades each."""
    n, d = np.meshgrid(np.logspace(7.5, 10, sizes), np.logspace(9, 11.5, durations))
    return Runs.from_columns({"N": n.ravel(), "D": d.ravel(), "loss": np.ones(n.size)})


def main() -> None:
    """Print the table."""
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{simulations} simulations a line; standard error of a share {np.sqrt(0.09 / simulations):.3f}")
    print("runs  residuals  objective    " + "  ".join(f"{name:>6}" for name in (*TRUTH, *FAR)) + "  seconds")
    for sizes, durations in ((4, 4), (6, 5), (8, 8)):
        for label, noise in NOISES.items():
            for objective in (huber(), squares()):
                began = time.perf_counter()
                found = coverage(
                    law("chinchilla"),
                    TRUTH,
                    design(sizes, durations),
                    noise=noise,
                    at=FAR,
                    objective=objective,
                    simulations=simulations,
                )
                shares = "  ".join(f"{share:6.3f}" for share in found.held.values())
                took = time.perf_counter() - began
                print(f"{sizes * durations:4d}  {label:9s}  {objective.name:11s}  {shares}  {took:7.1f}", flush=True)


if __name__ == "__main__":
    main()
