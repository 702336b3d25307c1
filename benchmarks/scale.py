"""What isoflop takes where there is much: refits by the million, thousands of laws, ten million rows, other machines.

The figures of ``benchmarks/performance.py --scale``. Where the whole would take minutes a part is measured and scaled;
the name says from how much.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from benchmarks.coverage import FAR, NOISES, TRUTH, design
from benchmarks.curves import simulate

from isoflop import Fit, Runs, bootstrap, fit, law
from isoflop.fitting.fit import problem
from isoflop.runs.datasets import load
from isoflop.uncertainty.coverage import coverage
from isoflop.validation.hitchhiker import hitchhiker
from isoflop.validation.removal import Refits

Once = Callable[[], float]
FigureToTake = tuple[str, float | None, int, Once]  # name, goal, repeats, processor seconds of one

_SIMULATIONS = 20  # of the 1,000 of a coverage study
_REFITS = 400_000  # of the million on other machines
_MARK = "ISOFLOP_SCALE"
_SLOWER = 1.2  # times the processor time of one process, the most that a backend may take


def scale_figures(
    runs: Runs, *, quick: bool, call: Callable[[Callable[[], object]], float], process: Callable[[list[str]], float]
) -> Iterator[FigureToTake]:
    """Each figure as it is due, so that what it needs is made late. call, process: give processor seconds."""
    found = fit(law("chinchilla"), runs)
    yield f"a jackknife of {len(runs)} runs", 0.015, 21, lambda: call(lambda: jackknife(found))
    yield (
        f"coverage, 1,000 × 1,000 refits (scaled from {_SIMULATIONS})", 60.0, 3,
        lambda: call(study_of_coverage) * 1_000 / _SIMULATIONS,
    )  # fmt: skip
    families = checkpoint_families()
    if families is not None:
        laws = hitchhiker(law("chinchilla"), families).trials.height
        yield (
            f"Hitchhiker's study, {laws:,} laws", 6.0, 1 if quick else 3,
            lambda: call(lambda: hitchhiker(law("chinchilla"), families)),
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        runs_of_curves, folder = 50 if quick else 500, Path(place)
        logged(folder, runs_of_curves)
        command = [sys.executable, str(Path(__file__).parent / "curves.py"), "--jobs", "2", "--part", "fit", place]
        yield (
            f"annealing on {runs_of_curves * 20_000:,} rows, two jobs, 1,000 draws", None if quick else 15.0,
            1 if quick else 3, lambda: process(command),
        )  # fmt: skip
    yield from _elsewhere(found, 10_000 if quick else _REFITS)


def jackknife(found: Fit) -> np.ndarray:
    """The optimum without each run."""
    ready = problem(found.law, found.require_runs(), objective=found.objective)
    every = np.arange(ready.table.n_runs)
    return Refits(ready, found, None).without(np.zeros(len(every), dtype=bool), every, found.theta)


def study_of_coverage() -> object:
    """Simulated tables of 30 runs, fitted and bootstrapped by 1,000 draws each."""
    return coverage(
        *(law("chinchilla"), TRUTH, design(6, 5)),
        noise=NOISES["gaussian"],
        at=FAR,
        simulations=_SIMULATIONS,
        draws=1_000,
    )


def checkpoint_families() -> Runs | None:
    """The checkpoints of public model families, where they are at hand."""
    try:
        return load("checkpoint-families")
    except Exception as missing:  # noqa: BLE001 - a data set without its file is no reason to stop
        print(f"({missing})", file=sys.stderr)
        return None


def logged(folder: Path, runs: int) -> None:
    """A store of so many simulated curves of 20,000 steps."""
    from isoflop.logs.importing import import_logs

    simulate(folder / "logs", runs, 20_000, files=False)
    import_logs([folder / "logs"], folder / "store")


# -- other machines ----------------------------------------------------------------------------------------------------


def _elsewhere(found: Fit, refits: int) -> Iterator[FigureToTake]:
    """A million refits by this process, then by two local workers of Dask and Ray, whose goal is set by the first.

    Starting workers costs the same for few refits and many, so two numbers of them are measured, and a line is drawn;
    through 20,000 and 100,000 it told 1.05 and 1.24 for Dask, 1.23 and 1.63 for Ray, as workers started now faster and
    now slower.
    """
    taken: dict[str, float] = {}
    drawn: dict[str, bytes] = {}

    def study(name: str, jobs: int) -> float:
        def work(draws: int) -> None:
            drawn[name] = bootstrap(found, draws=draws, restarted=0, jobs=jobs).params.tobytes()

        few = processor_seconds(lambda: work(refits // 8))
        many = processor_seconds(lambda: work(refits))
        seconds = many + (many - few) / (refits - refits // 8) * (1_000_000 - refits)
        taken[name] = min(seconds, taken.get(name, np.inf))
        if drawn[name] != drawn["one process"]:
            raise RuntimeError(f"the draws of {name} are not those of one process")
        return seconds

    if not Path("/proc/self/stat").exists():
        return
    scaled = f"1,000,000 refits (line through {refits // 8:,} and {refits:,})"
    yield f"{scaled}, one process", None, 2, lambda: study("one process", 1)
    for name, started in (("Dask", _dask), ("Ray", _ray)):
        try:
            with started() as backend, backend:
                yield f"{scaled}, {name}", _SLOWER * taken["one process"], 2, lambda name=name: study(name, 2)
        except ImportError as missing:
            print(f"({name}: {missing})", file=sys.stderr)


@contextlib.contextmanager
def _dask() -> Iterator[contextlib.AbstractContextManager[object]]:
    import distributed
    import joblib

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        yield joblib.parallel_config(backend="dask")


@contextlib.contextmanager
def _ray() -> Iterator[contextlib.AbstractContextManager[object]]:
    import joblib
    import ray
    from ray.util.joblib import register_ray

    # workers give way to all other work by default, and while they wait Ray's own processes go on
    config = {"worker_niceness": 0}
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
        _system_config=config,
    )  # fmt: skip
    register_ray()
    try:
        yield joblib.parallel_config(backend="ray")
    finally:
        ray.shutdown()


def processor_seconds(work: Callable[[], object]) -> float:
    """User and system time of ``work``, in this process and in all that it started, or that these started.

    Workers may end with the work, so that their times are looked up five times a second.
    """
    before = _ticks()
    seen, over = dict(before), threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            seen.update(_ticks())

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        work()
    finally:
        over.set()
        looking.join()
    seen.update(_ticks())
    return sum(count - before.get(one, 0) for one, count in seen.items()) / os.sysconf("SC_CLK_TCK")


def _ticks() -> dict[int, int]:
    """Processor time of each process that belongs to this one.

    Ray's first process does not stay a child of ours: it is known by a word in the environment that it inherits.
    """
    word = f"{_MARK}={os.environ.setdefault(_MARK, str(os.getpid()))}".encode()
    parents, ticks, counted = {}, {}, {os.getpid()}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            fields, one = (place / "stat").read_text().rpartition(")")[2].split(), int(place.name)
            parents[one], ticks[one] = int(fields[1]), int(fields[11]) + int(fields[12])
            if word in (place / "environ").read_bytes().split(b"\0"):
                counted.add(one)
    while more := {one for one, parent in parents.items() if parent in counted} - counted:
        counted |= more
    return {one: ticks[one] for one in counted if one in ticks}
