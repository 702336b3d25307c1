"""Does a plan's N* hold on real budgets? Every public IsoFLOP table cut at several budgets and planned from below.

``ISOFLOP_DATASETS=… python benchmarks/optima.py [DATASET …] [--cuts N] [--each]`` prints, by decades beyond the largest
fitted budget, how far off the plan, the law of all runs, IsoFLOP parabolas and the law near the optimum were, and how
often their 90 % intervals held the vertex of the held-out budget.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from forecast_tables import isoflop_tables

from isoflop import IsoflopError, law
from isoflop.planning.held_out_optima import METHODS, PLAN, REACHES, HeldOutOptimum, held_out_optima, score_optima
from isoflop.validation.forecast_trials import ForecastTable


def measured(tables: Sequence[ForecastTable], *, cuts: int, draws: int = 200) -> list[HeldOutOptimum]:
    """Held-out optima of every table that brackets four budgets or more."""
    found: list[HeldOutOptimum] = []
    for each in tables:
        try:
            found += held_out_optima(law("chinchilla"), each.runs, cuts=cuts, draws=draws)
        except IsoflopError:
            continue
    return found


def told(found: Sequence[HeldOutOptimum]) -> None:
    """A line a reach and method. width: the median of √(high/low); its square is high/low."""
    print("decades    method                 budgets tables  off    votes pooled  √(high/low) high/low")
    for reach in REACHES:
        for method in METHODS:
            score = score_optima(found, method, reach)
            if score is not None:
                print(
                    f"{reach[0]:.1f}-{reach[1]:.1f}    {method:22s} {score.count:6d} {score.tables:6d}  "
                    f"{score.off:.3f}  {score.coverage:.2f}  {score.pooled:.2f}    {score.width:8.2f}   "
                    f"{score.width**2:8.2f}"
                )
        bases = Counter(each.basis for each in found if each.method == PLAN and reach[0] < each.reach <= reach[1])
        print("           plans rest on: " + ", ".join(f"{basis} {count}" for basis, count in bases.most_common()))


def main() -> None:
    """Print scores of all tables, and with --each those of every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--cuts", type=int, default=4)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--each", action="store_true")
    asked = parser.parse_args()
    began = time.monotonic()
    tables = isoflop_tables(Path(os.environ["ISOFLOP_DATASETS"]), asked.datasets)
    found = measured(tables, cuts=asked.cuts, draws=asked.draws)
    told(found)
    if asked.each:
        for name in dict.fromkeys(each.table for each in found):
            print(f"\n{name}")
            told([each for each in found if each.table == name])
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
