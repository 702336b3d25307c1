"""How often findings about residuals come by chance, and how often they find what is there.

    python -m benchmarks.lack_of_fit [TABLES] [--only NAME …]

For each design of benchmarks/simulated_designs.py, the share of simulated tables with structured-residuals (by
the correlation of neighbors, by the score test, by either), with runs called outliers, and with groups of size that are
resampled together (errors-shared). Chinchilla's form is fitted; it is the truth in all designs but the last three.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse

import numpy as np
from benchmarks.simulated_designs import CHINCHILLA, DESIGNS, MISFIT

from isoflop import fit, huber, squares
from isoflop.fitting.fit import problem
from isoflop.fitting.lack_of_fit import CHANCE, second_order_test
from isoflop.fitting.score_test import slopes_of
from isoflop.uncertainty.resampling_unit import resampling_unit
from isoflop.validation.outliers import outliers

COLUMNS = ("neighbors", "score test", "either", "outliers", "errors-shared")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="?", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=None)
    asked = parser.parse_args()
    print(f"{asked.tables} tables a line")
    print("| design | errors | objective | " + " | ".join(COLUMNS) + " |\n|---|---|---|" + "---|" * len(COLUMNS))
    for design in (*DESIGNS, *MISFIT):
        if asked.only is not None and design.name not in asked.only:
            continue
        for name, objective in (("Huber", huber(1e-3)), ("squares", squares())):
            seen = dict.fromkeys(COLUMNS, 0)
            for seed in range(asked.tables):
                runs, _, _ = design.draw(np.random.default_rng([31, seed]))
                fitted = fit(CHINCHILLA, runs, objective=objective, starts=24, seed=seed)
                ready = problem(fitted.law, runs, objective=objective)
                test = second_order_test(slopes_of(ready.kernel, ready.table, ready.target, fitted.theta), ready.table)
                told = [each.message for each in fitted.findings if each.code == "structured-residuals"]
                seen["either"] += bool(told)
                seen["neighbors"] += any("neighboring" in each for each in told)
                seen["score test"] += test is not None and test.chance <= CHANCE
                seen["outliers"] += bool(outliers(CHINCHILLA, runs).found)
                seen["errors-shared"] += any(each.code == "errors-shared" for each in resampling_unit(fitted, ready)[1])
            cells = " | ".join(f"{count / asked.tables:.2f}".lstrip("0") or "0" for count in seen.values())
            print(f"| {design.name} | {design.noise} | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
