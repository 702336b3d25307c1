"""A panel of 100 groups of 50 runs against one fit at a time: seconds, and how often the test of sharing errs.

    python benchmarks/panel.py [--jobs JOBS] [--draws DRAWS] [--simulations SIMULATIONS]

Prints wall and processor seconds of the joint fit with shared exponents and of its draws, beside those of a fit and a
bootstrap of each group alone; with SIMULATIONS the share of tables with equal exponents in which sharing is rejected at
10 %, for each objective.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from isoflop import Runs, bootstrap, fit, law
from isoflop.fitting import objective
from isoflop.fitting.panel import fit_panel
from isoflop.uncertainty.panel import bootstrap_panel
from isoflop.uncertainty.sharing import sharing_test

T = TypeVar("T")
LAW = law("chinchilla")
SHARE = ("alpha", "beta")
ALONE = 10  # groups that are fitted one at a time, of which the others' time is judged


def table(groups: int, rows: int, *, noise: float, seed: int, uneven: bool = False, tails: bool = False) -> Runs:
    """Groups with equal exponents and their own E, A and B; uneven: noise grows fivefold over the groups."""
    rng, parts = np.random.default_rng(seed), []
    for group in range(groups):
        n = np.exp(rng.uniform(np.log(1e7), np.log(1e10), rows))
        d = n * np.exp(rng.uniform(1, 5, rows))
        floor, a, b = 1.6 + 0.4 * rng.random(), *(400 * np.exp(0.5 * rng.standard_normal(2)))
        size = noise * (1 + 4 * group / max(1, groups - 1)) if uneven else noise
        errors = rng.standard_t(3, rows) / 1.7 if tails else rng.standard_normal(rows)
        parts.append(
            (n, d, (floor + a / n**0.34 + b / d**0.28) * np.exp(size * errors), np.full(rows, f"g{group:03d}"))
        )
    columns = map(np.concatenate, zip(*parts, strict=True))
    return Runs.from_columns(dict(zip(("N", "D", "loss", "family"), columns, strict=True)))


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """What the work gives, its wall and its processor seconds (of this process alone)."""
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - wall, time.process_time() - processor


def speed(jobs: int, draws: int) -> None:
    """Seconds of the panel and of one fit at a time."""
    runs = table(100, 50, noise=0.005, seed=0)
    family = np.array(runs.text("family"))
    fit_panel(LAW, table(2, 20, noise=0.005, seed=1), share=SHARE)  # formulas are derived once
    print("objective     work             panel s (processor)   one at a time s   ratio")
    for word in ("lsq", "huber:1e-3", "student-t"):
        chosen = objective(word)
        panel, wall, processor = timed(lambda chosen=chosen: fit_panel(LAW, runs, share=SHARE, objective=chosen))
        parts = [runs.take(family == group) for group in panel.groups[:ALONE]]
        fits, alone, _ = timed(lambda chosen=chosen, parts=parts: [fit(LAW, each, objective=chosen) for each in parts])
        alone *= len(panel.groups) / ALONE
        print(
            f"{word:12s}  fit              {wall:8.2f} ({processor:5.2f})   {alone:15.2f}   {alone / wall:5.1f}",
            flush=True,
        )
        _, wall, processor = timed(lambda panel=panel: bootstrap_panel(panel, draws=draws, jobs=jobs))
        _, alone, _ = timed(lambda fits=fits: [bootstrap(each, draws=draws, restarted=0) for each in fits])
        alone *= len(panel.groups) / ALONE
        label = f"{draws} draws"
        print(
            f"{word:12s}  {label:15s}  {wall:8.2f} ({processor:5.2f})   {alone:15.2f}   {alone / wall:5.1f}", flush=True
        )


def false_alarms(simulations: int) -> None:
    """How often equal exponents are rejected at 10 %, of three groups of 30 runs."""
    print(f"rejected at 10 % where exponents are equal; standard error {np.sqrt(0.09 / simulations):.3f}")
    for word, uneven, tails in (
        *(("huber:1e-3", uneven, False) for uneven in (False, True)),
        ("huber:2e-2", False, False),
        ("lad", False, False),
        ("lsq", False, False),
        ("student-t", False, True),
    ):
        rejected = 0
        for seed in range(simulations):
            runs = table(3, 30, noise=0.005, seed=seed, uneven=uneven, tails=tails)
            panel = fit_panel(LAW, runs, share=SHARE, objective=objective(word))
            rejected += sharing_test(panel, draws=39, seed=seed, parameters=False).p_value <= 0.1
        label = "uneven scatter" if uneven else "heavy tails" if tails else "even scatter"
        print(f"{word:12s}  {label:15s}  {rejected / simulations:.3f}", flush=True)


def main() -> None:
    """Print both."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    asked.add_argument("--jobs", type=int, default=2)
    asked.add_argument("--draws", type=int, default=1_000)
    asked.add_argument("--simulations", type=int, default=0)
    given = asked.parse_args()
    if given.simulations:
        false_alarms(given.simulations)
    else:
        speed(given.jobs, given.draws)


if __name__ == "__main__":
    main()
