"""Do forecasts hold on real runs? Every public table cut at several sizes, fitted below, forecast above.

``ISOFLOP_DATASETS=… python benchmarks/forecasts.py [DATASET …] [--learn FILE]`` prints coverage, width, error and log
density of both intervals: with the shipped prior, and with priors that were learned from the other data sets each time.
``--learn`` writes the prior that all of them give.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from forecast_tables import read_tables

from isoflop.uncertainty.prior import save_prior, shipped_prior
from isoflop.validation.forecast_trials import all_trials
from isoflop.validation.forecasts import ForecastValidation, score_trials
from isoflop.validation.prior_learning import learn, pruned, usual_hypotheses


def told(title: str, found: ForecastValidation, *, each: bool = False) -> None:
    """Scores of both intervals, and coverage by reach and by data set."""
    print(f"\n{title}: {found.rows} forecasts, {found.trials} cuts, {found.tables} tables, {found.datasets} data sets")
    for method in found.methods:
        print(
            f"  {method.method:22s} 90 % {method.coverage:.3f} (pooled {method.pooled:.3f}, worst {method.worst:.2f}, "
            f"{method.at_least_80:.0%} of sets >= .80)  50 % {method.central:.3f}  width {method.width:.4f}  "
            f"error {method.error:.2%}  log density {method.log_density:.2f}"
        )
        for low, high, coverage, width, error, rows in method.by_reach:
            print(
                f"    {low:4.2f}-{high:4.2f} decades  {coverage:.3f}  width {width:.4f}  error {error:.2%}  {rows} rows"
            )
    if each:
        for name, coverage in found.methods[0].by_dataset.items():
            law = found.methods[1]
            print(
                f"    {name:18s} {coverage:.2f} wide {found.methods[0].width_by_dataset[name]:.3f}   "
                f"if the law holds {law.by_dataset[name]:.2f} wide {law.width_by_dataset[name]:.3f}"
            )


def main() -> None:
    """Score the shipped prior, then priors of the other data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*")
    parser.add_argument("--learn", metavar="FILE")
    parser.add_argument("--draws", type=int, default=300)
    asked = parser.parse_args()
    tables = read_tables(Path(os.environ["ISOFLOP_DATASETS"]), asked.datasets)
    shipped = shipped_prior()
    found, without = all_trials(tables, shipped, draws=asked.draws)
    told("shipped prior", score_trials(found, shipped, without=without), each=True)
    wide = replace(shipped, hypotheses=usual_hypotheses())
    found, _ = all_trials(tables, wide, draws=asked.draws)
    told("learned from the other data sets", score_trials(found, wide, leave_out=True))
    if asked.learn:
        prior = pruned(learn(found, wide))
        names = tuple(dict.fromkeys(each.dataset for each in found))
        save_prior(replace(prior, date=f"{datetime.now(UTC):%Y-%m-%d}", tables=names), asked.learn)


if __name__ == "__main__":
    main()
