"""Curves at scale: import, final losses by rule, and the annealing law fitted to every row, with time and memory.

    python benchmarks/curves.py [--runs 500] [--steps 20000] [--jobs 2] [--files]

Simulates the logs of runs under three kinds of schedule and four peak rates (a Parquet table, or with --files a CSV
file a run), then does each part in a process of its own, so that its peak of memory is its own. Next to it stands the
same with a tenth of the runs: memory must not grow with the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

TRUTH = {"L_0": 2.628, "A": 0.43, "alpha": 0.55, "C": 0.411}
DECAY = 0.998


def simulate(folder: Path, runs: int, steps: int, *, files: bool) -> Path:
    """Logs as trainers leave them: step, loss and learning rate of every step."""
    from isoflop import law
    from isoflop.runs.schedule import annealing_area, rate_area

    exact = law("annealing")
    step, one = np.arange(1, steps + 1), np.zeros(steps, dtype=np.int64)
    share = step / steps
    shapes = (0.5 * (1 + np.cos(np.pi * share)), np.ones(steps), np.clip((1 - share) / 0.2, 0, 1))
    made = []
    folder.mkdir()
    for number in range(runs):
        rng = np.random.default_rng(number)
        rate = 2e-4 * 2 ** (number % 4) * shapes[number % 3] * np.minimum(step / (steps // 40), 1)
        areas = {
            "S1": rate_area(step.astype(float), rate, one),
            "S2": annealing_area(step.astype(float), rate, one, decay=DECAY),
        }
        loss = exact.value(TRUTH, areas) * np.exp(rng.normal(0, 0.01, steps) + rng.normal(0, 0.002))
        frame = pl.DataFrame({"step": step, "train/loss": loss, "lr": rate})
        if files:
            frame.write_csv(folder / f"run{number:04}.csv")
        else:
            made.append(frame.select(pl.lit(f"run{number:04}").alias("run"), pl.all()))
    if not files:
        pl.concat(made).write_parquet(folder / "history.parquet")
    return folder


def part(name: str, folder: Path, jobs: int) -> dict[str, object]:
    """One part, timed; its peak of memory in MB."""
    began = time.perf_counter()
    found: dict[str, object] = {}
    if name == "import":
        from isoflop.logs.importing import import_logs

        done = import_logs([folder / "logs"], folder / "store")
        found = {"runs": done.store.runs.height, "rows": int(done.store.runs["rows"].sum())}
    elif name == "again":
        from isoflop.logs.importing import import_logs

        found = {"unchanged": import_logs([folder / "logs"], folder / "store").unchanged}
    elif name.startswith("losses"):
        from isoflop.logs.rules import final_losses, pick
        from isoflop.runs.store import open_store

        began = time.perf_counter()
        found = {"mean": float(final_losses(open_store(folder / "store"), pick(name.split()[1]))["loss"].mean())}
    else:
        from isoflop import law
        from isoflop.fitting.stream import fit_curves
        from isoflop.runs.curves import open_curves
        from isoflop.uncertainty.one_step import one_step_bootstrap

        curves = open_curves(folder / "store", thin=100 if name == "fit thinned" else None)
        fitted = fit_curves(law("annealing"), curves, jobs=jobs)
        ensemble = one_step_bootstrap(fitted, draws=1000)
        known = {each: f"{fitted.fit.params[each]:.4f} ± {ensemble.standard_error(each):.4f}" for each in TRUTH}
        found = {"rows": fitted.fit.data.n_rows, "passes": fitted.passes, **known, **fitted.fit.law.fixed}
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "cpu": cpu, "MB": used.ru_maxrss / 1e3, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--files", action="store_true", help="a CSV file a run instead of one Parquet table")
    parser.add_argument("--part", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.part:
        print(json.dumps(part(told.part[0], Path(told.part[1]), told.jobs)))
        return
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as place:
        for runs in (max(4, told.runs // 10), told.runs):
            folder = Path(place) / str(runs)
            folder.mkdir()
            simulate(folder / "logs", runs, told.steps, files=told.files)
            print(f"\n{runs} runs × {told.steps:,} steps = {runs * told.steps:,} rows; load {os.getloadavg()[0]:.1f}")
            for name in ("import", "again", "losses last", "losses last:100", "losses min", "fit", "fit thinned"):
                command = [sys.executable, __file__, "--jobs", str(told.jobs), "--part", name, str(folder)]
                output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
                found = json.loads(output)
                seconds, cpu, memory = found.pop("seconds"), found.pop("cpu"), found.pop("MB")
                facts = ", ".join(f"{key} {value}" for key, value in found.items())
                print(f"{name:16} {seconds:7.2f} s ({cpu:6.1f} s of processor) {memory:6.0f} MB   {facts}", flush=True)


if __name__ == "__main__":
    main()
