"""What isoflop takes: one table of figures measured in one run, each also as a ratio to a yardstick of NumPy.

    python -m benchmarks.performance [--quick] [--scale] [--json FILE] [--against FILE] [--docs] [--profile FIGURE]

Processor seconds, not those of a clock, since other work slows a machine: of this process, or of a command and its
children. The yardstick is 50 times exp, multiply and add over a million numbers, timed before, between and after; a
ratio to it can be compared with another day's or machine's (``--against`` an earlier ``--json``). ``--docs`` renews the
table in ``docs/performance.md``. Rivals are timed where they are installed. ``--scale`` adds the figures of
``benchmarks/scale.py``, some minutes of them. ``--profile`` says where the time of one figure goes instead.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import cProfile
import itertools
import json
import platform
import pstats
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.scale import FigureToTake, scale_figures

from isoflop import Runs, bootstrap, fit, law, read_runs
from isoflop.fitting.native import engine
from isoflop.runs.datasets import is_data_set, load

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- begin: benchmarks/performance.py -->", "<!-- end -->"
COMMAND = [sys.executable, "-c", "from isoflop.cli import main; main()"]
COMPLETION = {"_ISOFLOP_COMPLETE": "bash_complete", "COMP_WORDS": "isoflop fit --dr", "COMP_CWORD": "2"}
TRUTH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
CHANGED = 1.3  # ratio of ratios from which a figure counts as changed


@dataclass
class Figure:
    """A measure: its goal in seconds (None where there is none), and the processor seconds of each repeat."""

    name: str
    goal: float | None
    seconds: list[float] = field(default_factory=list)
    yardstick: float = 0.0

    @property
    def median(self) -> float:
        """Seconds, half of the repeats took more."""
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        """The median in yardsticks."""
        return self.median / self.yardstick


def yardstick() -> float:
    """Processor seconds of 50 passes of exp, multiply and add over a million numbers."""
    x, out = np.linspace(-1.0, 1.0, 1_000_000), np.empty(1_000_000)
    began = time.process_time()
    for _ in range(50):
        np.exp(x, out=out)
        np.multiply(out, x, out=out)
        np.add(out, x, out=out)
    return time.process_time() - began


def of_process(words: list[str], told: dict[str, str] | None = None) -> float:
    """Processor seconds of a command and its children, told variables besides; what it says is thrown away."""
    before, variables = resource.getrusage(resource.RUSAGE_CHILDREN), {**os.environ, **(told or {})}
    subprocess.run(words, env=variables, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def of_call(function: Callable[[], object]) -> float:
    """Processor seconds of a call."""
    began = time.process_time()
    function()
    return time.process_time() - began


def by_the_clock(function: Callable[[], object]) -> float:
    """Seconds that a call takes while others work beside it: what a second core gains."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def simulated(rows: int) -> Runs:
    """Runs of a known law with 0.5 % of noise."""
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7.7, 10.2, rows), 10 ** rng.uniform(8.4, 11.5, rows)
    loss = law("chinchilla").value(TRUTH, {"N": n, "D": d}) * np.exp(rng.normal(0, 0.005, rows))
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


def table() -> tuple[Runs, str]:
    """Epoch's 245 digitized runs where they are at hand, else as many simulated ones; and what they are."""
    if is_data_set("epoch-chinchilla"):
        try:
            return load("epoch-chinchilla"), "Epoch's 245 digitized runs"
        except Exception as missing:  # noqa: BLE001 - a data set without its file is no reason to stop
            print(f"({missing})", file=sys.stderr)
    return simulated(245), "245 simulated runs"


def figures(runs: Runs, place: Path, *, quick: bool) -> list[FigureToTake]:
    """Name, goal, repeats, and what gives the processor seconds of one repeat."""
    chinchilla = law("chinchilla")
    found = fit(chinchilla, runs)
    million = simulated(100_000 if quick else 1_000_000)

    def process(*words: str, **told: str) -> Callable[[], float]:
        return lambda: of_process([*COMMAND, *words], told)

    def call(function: Callable[[], object]) -> Callable[[], float]:
        return lambda: of_call(function)

    runs_file = str(place)
    return [
        ("a fit, 64 screened starts", 0.020, 21, call(lambda: fit(chinchilla, runs))),
        ("4,000 bootstrap refits", 0.15, 7, call(lambda: bootstrap(found, draws=4000, restarted=0))),
        (
            "4,000 refits by two threads, by the clock", 0.09, 7,
            lambda: by_the_clock(lambda: bootstrap(found, draws=4000, restarted=0, jobs=2)),
        ),
        (f"a fit of {len(million):,} rows", 0.8, 3, call(lambda: fit(chinchilla, million))),
        ("isoflop --help", 0.06, 7, process("--help")),
        ("completion of an option in bash", 0.05, 7, process(**COMPLETION)),
        ("isoflop fit, 1,000 draws", 0.45, 5, process("fit", runs_file, "--draws", "1000")),
        ("isoflop check", 0.4, 5, process("check", runs_file)),
        ("isoflop sensitivity", 2.0, 3, process("sensitivity", runs_file)),
        ("isoflop influence", 1.0, 3, process("influence", runs_file)),
        ("isoflop rank, the whole catalogue", 4.0, 1 if quick else 3, process("rank", runs_file)),
        (
            "isoflop report, all evidence", 2.5, 1 if quick else 3,
            process("report", runs_file, "-o", str(place.parent / "report.html")),
        ),
    ]  # fmt: skip


def rivals(runs: Runs) -> list[FigureToTake]:
    """The same fit by others, where they are installed."""
    from benchmarks.fitting import scipy_grid

    found: list[FigureToTake] = [
        ("SciPy, L-BFGS-B from 4,500 starts (scaled from 40)", None, 1,
         lambda: scipy_grid(runs, sample=40, tight=False)[0]),
    ]  # fmt: skip
    try:
        import lmfit
    except ImportError:
        return found
    log_n, log_d, log_loss = np.log(runs["N"]), np.log(runs["D"]), np.log(runs["loss"])

    def one_start() -> object:
        params = lmfit.Parameters()
        params.add_many(("a", 6.0), ("b", 7.0), ("e", 0.5), ("alpha", 0.4), ("beta", 0.4))

        def residual(p: lmfit.Parameters) -> np.ndarray:
            terms = np.stack([p["a"] - p["alpha"] * log_n, p["b"] - p["beta"] * log_d, np.full_like(log_n, p["e"])])
            return np.logaddexp.reduce(terms, axis=0) - log_loss

        return lmfit.minimize(residual, params)

    found.append(("lmfit, squares from one start", None, 3, lambda: of_call(one_start)))
    return found


def profile(once: Callable[[], float]) -> None:
    """Where the processor time of one repeat goes, after one that warms up: the calls that take most by themselves."""
    once()
    profiler = cProfile.Profile(time.process_time)
    profiler.runcall(once)
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(25)


def measure(name: str, goal: float | None, repeats: int, once: Callable[[], float]) -> Figure:
    """One figure, after a repeat that warms up where there are several."""
    print(f"  {name} …", file=sys.stderr)
    if repeats > 1:
        once()
    figure = Figure(name, goal, [once() for _ in range(repeats)])
    figure.yardstick = yardstick()
    return figure


def told(seconds: float) -> str:
    """Three digits, in ms below a second."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def as_table(measured: list[Figure]) -> str:
    """The figures in Markdown."""
    lines = ["| figure | goal | measured | spread | yardsticks |", "|---|---:|---:|---:|---:|"]
    for each in measured:
        spread = f"{told(min(each.seconds))} to {told(max(each.seconds))}" if len(each.seconds) > 1 else ""
        goal = "" if each.goal is None else told(each.goal)
        lines.append(f"| {each.name} | {goal} | {told(each.median)} | {spread} | {each.ratio:.3g} |")
    return "\n".join(lines)


def compared(measured: list[Figure], earlier: dict[str, float]) -> str:
    """What became slower or quicker than in an earlier run, by the ratios to the yardstick."""
    lines = []
    for each in measured:
        before = earlier.get(each.name)
        if before and max(each.ratio / before, before / each.ratio) > CHANGED:
            lines.append(f"{each.name}: {each.ratio / before:.2f} times the earlier ratio")
    return "\n".join(lines) or f"no figure changed by more than a factor of {CHANGED}"


def main() -> None:
    """Print the table, and keep it where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats, and a tenth of the large table")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--against", type=Path, help="compare with figures of an earlier --json")
    parser.add_argument("--scale", action="store_true", help="the figures of benchmarks/scale.py too")
    parser.add_argument("--docs", action="store_true", help="renew docs/performance.md")
    parser.add_argument("--profile", metavar="FIGURE", help="profile the first figure whose name holds this, and end")
    words = parser.parse_args()
    runs, source = table()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "runs.csv"
        pl.DataFrame({name: runs[name] for name in ("N", "D", "loss")}).write_csv(place)
        runs = read_runs(place)
        todo: Iterator[FigureToTake] = itertools.chain(
            figures(runs, place, quick=words.quick),
            scale_figures(runs, quick=words.quick, call=of_call, process=of_process) if words.scale else (),
            () if words.quick else rivals(runs),
        )
        if words.profile:
            chosen = next((each for each in todo if words.profile in each[0]), None)
            if chosen is None:
                parser.error(f"no figure's name holds {words.profile!r}")
            profile(chosen[3])
            return
        measured = [measure(*each) for each in todo]
    unit = statistics.median(each.yardstick for each in measured)
    table_text = as_table(measured)
    made = (
        f"{source}; {engine()} engine, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"{date.today().isoformat()}; a yardstick took {told(unit)} "
        f"({told(min(each.yardstick for each in measured))} to {told(max(each.yardstick for each in measured))})."
    )
    print(f"{table_text}\n\n{made}")
    if words.json:
        words.json.write_text(json.dumps([{**asdict(each), "ratio": each.ratio} for each in measured], indent=1))
    if words.against:
        print(compared(measured, {each["name"]: each["ratio"] for each in json.loads(words.against.read_text())}))
    if words.docs:
        text = PAGE.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{table_text}\n\n{made}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
