"""Sweeps on SLURM: a real one where it answers (run ``.ci/slurm python -m pytest …``), and commands that misbehave."""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from isoflop.errors import MissingExtraError, SpecError
from isoflop.lab.executors import connect
from isoflop.lab.executors.base import Job
from isoflop.lab.executors.slurm import SlurmExecutor, _label
from isoflop.lab.spec import SweepSpec, parse_spec, read_spec
from isoflop.lab.status import Status, read_status, write_status
from isoflop.lab.sweep import Swept, perform

# A program whose worker comes to the end that its first argument names; it counts its starts in the cell's folder.
PROGRAM = """
import json, os, signal, subprocess, sys, time

what, cell = sys.argv[1:3]
with open(os.path.join(cell, "starts"), "a") as starts:
    starts.write("x")
first = os.path.getsize(os.path.join(cell, "starts")) == 1
worker, job = os.getppid(), os.environ.get("SLURM_JOB_ID", "")
if what == "killed" or (what == "killed-once" and first):
    os.kill(worker, signal.SIGKILL)
    time.sleep(60)
if what == "cancelled":  # like a training, which has no time to spare for SIGTERM
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.run(["scancel", job])
    time.sleep(60)
if what == "stopped":  # alive for SLURM, silent for the sweep
    os.kill(worker, signal.SIGSTOP)
    time.sleep(60)
if what == "preempted" and first:  # what SLURM sends before it takes a node away, or before the time limit
    subprocess.run(["scancel", "--signal=USR2", job])
    time.sleep(60)
if what.startswith("slow"):
    time.sleep(6)
print(json.dumps({"loss": 2.5, "params": 1000, "tokens": 2000, "cpus": int(os.environ.get("SLURM_CPUS_PER_TASK", 0)),
                  "threads": os.environ["OMP_NUM_THREADS"], "job": job}))
"""


def programs(folder: Path, *what: str, seconds: float | None = 50, patience: float = 300) -> SweepSpec:
    (folder / "program.py").write_text(PROGRAM)
    limit = f"seconds = {seconds}" if seconds is not None else ""
    return parse_spec(
        f"""
        [command]
        run = "{sys.executable} {folder / "program.py"} {{what}} {{cell}}"
        [command.values]
        what = {list(what)}
        [limits]
        patience = {patience}
        {limit}
        """
    )


def slurm(out: Path, *, workers: int = 3, **options: str) -> SlurmExecutor:
    executor = connect("slurm", workers=workers, logs=out / "logs", options=options)
    assert isinstance(executor, SlurmExecutor)
    executor.pause = 0.3
    return executor


def reasons(swept: Swept) -> dict[str, str]:
    return {name.removeprefix("what").rsplit("-", 1)[0]: says for name, says in swept.failed}


def starts(out: Path) -> dict[str, int]:
    """How often each cell's program was started."""
    found = (out / "cells").glob("what*/starts")
    return {path.parent.name.removeprefix("what").rsplit("-", 1)[0]: len(path.read_text()) for path in found}


def in_queue(out: Path) -> int:
    """How many jobs of the sweep's cells SLURM still has; other tests may have theirs there."""
    names = ",".join(_label(cell.resolve()) for cell in (out / "cells").iterdir())
    command = ["squeue", "--me", "--noheader", "--format=%T", f"--name={names}"]
    return len(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture
def cluster(_answering: None) -> Iterator[None]:
    """A SLURM that answers, and an end to a test that hangs."""

    def late(*_: object) -> None:
        raise TimeoutError("the test has run for five minutes")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def _answering() -> None:
    """Skip where no SLURM answers; under .ci/slurm that would be a failure."""
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'isoflop[slurm]'")
    try:
        answer = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, timeout=10)
        why = "" if answer.returncode == 0 and answer.stdout.strip() else answer.stderr.strip() or "it has no node"
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why and os.environ.get("ISOFLOP_SLURM") == "required":
        pytest.fail(f"no SLURM answers: {why}")
    if why:
        pytest.skip(f"no SLURM answers here ({why}); run .ci/slurm python -m pytest {__file__}")


# --- on a real SLURM


@pytest.mark.slow
def test_cells_that_die_hard_are_recorded_and_the_others_finish(cluster: None, tmp_path: Path) -> None:
    spec = programs(tmp_path, "good", "killed", "killed-once", "cancelled", "stopped", "good-too", patience=6)
    begun = time.monotonic()
    swept = perform(spec, tmp_path / "out", executor=slurm(tmp_path / "out"))
    assert time.monotonic() - begun < 50, "each death was to be noticed well before its deadline of 50 s"
    assert swept.done == 3
    said = reasons(swept)
    assert set(said) == {"killed", "cancelled", "stopped"}
    assert "ended as FAILED" in said["killed"] and "Killed" in said["killed"]
    assert "ended as CANCELLED" in said["cancelled"]
    assert said["stopped"] == "it gave no sign of life for 6 s"
    assert starts(tmp_path / "out") == {
        "good": 1,
        "good-too": 1,
        "stopped": 1,
        "killed": 2,
        "killed-once": 2,
        "cancelled": 2,
    }
    states = {cell.name: read_status(cell).state for cell in (tmp_path / "out" / "cells").iterdir()}
    assert sorted(states.values()) == ["done"] * 3 + ["failed"] * 3
    for _ in range(50):
        if not in_queue(tmp_path / "out"):
            break
        time.sleep(0.1)
    assert not in_queue(tmp_path / "out"), "a cell that was given up must not go on computing"


def test_a_worker_that_exits_without_a_word_ends_its_job(cluster: None, tmp_path: Path) -> None:
    class Exiting(SlurmExecutor):
        def _queued(self, job, folder, label):
            self.queue.update_parameters(time=1, job_name=label)
            return self.queue.submit(os._exit, 9)  # submitit's own result() would never return

    base = slurm(tmp_path)
    executor = Exiting(base.queue, workers=1, pause=0.3)
    cell = tmp_path / "cell"
    cell.mkdir()
    executor.submit(Job("cell", cell, 50.0))
    write_status(cell, Status("running"))
    outcomes = until(executor, seconds=30)
    executor.close()
    assert [outcome.name for outcome in outcomes] == ["cell"]
    assert "ended as FAILED (NonZeroExitCode)" in outcomes[0].says
    assert "exit code 9" in outcomes[0].says


def test_a_preempted_cell_returns_to_the_queue_and_is_counted_once(cluster: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    swept = perform(programs(tmp_path, "preempted", seconds=3000), out, executor=slurm(out))
    assert (swept.done, swept.failed) == (1, ())
    assert starts(out) == {"preempted": 2}
    table = pl.read_parquet(swept.runs)
    assert len(list((out / "logs").glob("*_submission.sh"))) == 1, "SLURM was to requeue the job, not the sweep"
    assert table["loss"].to_list() == [2.5]


def test_a_killed_sweep_takes_up_the_jobs_it_left(cluster: None, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(programs(tmp_path, "slow-1", "slow-2").text)
    out = tmp_path / "out"
    script = (
        "from pathlib import Path; from isoflop.lab.executors import connect; from isoflop.lab.spec import read_spec;"
        "from isoflop.lab.sweep import perform; out = Path('out');"
        "perform(read_spec('spec.toml'), out, executor=connect('slurm', workers=2, logs=out / 'logs'))"
    )
    sweep = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    while starts(out) != {"slow-1": 1, "slow-2": 1}:
        assert sweep.poll() is None
        time.sleep(0.1)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    jobs = in_queue(out)
    swept = perform(read_spec(tmp_path / "spec.toml"), out, executor=slurm(out, workers=2))
    assert jobs == 2
    assert (swept.done, swept.failed) == (2, ())
    assert starts(out) == {"slow-1": 1, "slow-2": 1}
    assert len(list((out / "logs").glob("*_submission.sh"))) == 2


@pytest.mark.slow
def test_a_training_is_the_same_to_the_bit_as_on_this_machine(cluster: None, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    spec = parse_spec(
        """
        [task]
        name = "digits"
        [model]
        family = "mlp"
        sizes = [{ width = 16, layers = 2 }]
        [train]
        seeds = [3]
        [[design]]
        kind = "grid"
        tokens = [6400]
        """
    )
    tables = {}
    for place in ("local", "slurm"):
        options = {"time": "10"} if place == "slurm" else {}
        executor = connect(place, workers=1, logs=tmp_path / place / "logs", options=options)
        swept = perform(spec, tmp_path / place, executor=executor)
        assert swept.failed == ()
        tables[place] = [pl.read_parquet(path).drop("wall_seconds") for path in (swept.runs, swept.curves)]
    for here, there in zip(tables["local"], tables["slurm"], strict=True):
        assert here.equals(there)
        assert here["loss"].is_finite().all()


def test_options_reach_slurm(cluster: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    executor = slurm(out, workers=1, partition="all", cpus="2", time="7", mem="64M")
    swept = perform(programs(tmp_path, "good", seconds=None), out, executor=executor)
    row = pl.read_parquet(swept.runs).row(0, named=True)
    assert (row["cpus"], row["threads"]) == (2, "1")
    script = (out / "logs" / f"{row['job']}_submission.sh").read_text()
    for line in ("--partition=all", "--cpus-per-task=2", "--time=7", "--mem=64M"):
        assert f"#SBATCH {line}\n" in script


def test_a_wrong_partition_ends_the_sweep_with_what_slurm_says(cluster: None, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"SLURM does not take the job: .*[Ii]nvalid partition.*; check --option"):
        perform(
            programs(tmp_path, "good"),
            tmp_path / "out",
            executor=slurm(tmp_path / "out", partition="no-such-partition"),
        )


def test_a_job_that_would_wait_for_ever_fails_its_cell(cluster: None, tmp_path: Path) -> None:
    executor = slurm(tmp_path / "out", time="100000")  # the partition allows 60 minutes
    swept = perform(programs(tmp_path, "good"), tmp_path / "out", executor=executor)
    assert reasons(swept) == {"good": "SLURM would never start it (PartitionTimeLimit); give a shorter --option time"}
    assert not in_queue(tmp_path / "out")


# --- with commands that misbehave


def until(executor: SlurmExecutor, *, seconds: float) -> list:
    """What polling brings, up to the first outcome."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        outcomes = executor.poll()
        assert time.monotonic() - begun < 1, "poll() must not block"
        if outcomes:
            return list(outcomes)
        time.sleep(0.05)
    return []


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands by SLURM's names: sbatch gives job 7, squeue runs the shell text of a file, scancel writes its words."""
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'isoflop[slurm]'")
    folder = tmp_path / "bin"
    folder.mkdir()
    bodies = {
        "sbatch": "echo Submitted batch job 7",
        "srun": "exit 0",
        "squeue": f". {folder}/answer",
        "scancel": f'echo "$@" >> {folder}/cancelled',
    }
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "answer").write_text("")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    folder = tmp_path / "cell"
    folder.mkdir()
    return folder


def test_a_job_that_the_queue_forgets_has_ended(fake: Path, cell: Path, tmp_path: Path) -> None:
    executor = slurm(tmp_path)
    executor.submit(Job("cell", cell, 60.0))
    (tmp_path / "logs" / "7_0_log.err").write_text("srun: error: node12: task 0: Out Of Memory\n\n")
    assert [o.says for o in until(executor, seconds=10)] == [
        "SLURM job 7 is gone from the queue; its log: srun: error: node12: task 0: Out Of Memory"
    ]
    assert executor.poll() == ()


@pytest.mark.parametrize("answer", ["exit 1", "sleep 30", "echo 'slurm_load_jobs error: timed out' >&2; exit 1"])
def test_no_answer_of_squeue_is_no_end(fake: Path, cell: Path, tmp_path: Path, answer: str) -> None:
    executor = slurm(tmp_path)
    executor.submit(Job("cell", cell, 60.0))
    (fake / "answer").write_text(answer)
    assert until(executor, seconds=1.5) == []
    executor.close()
    assert (fake / "cancelled").read_text().splitlines() == ["--signal=KILL --full 7", "7"]


def test_a_job_submitted_while_squeue_runs_is_not_missed_by_it(fake: Path, tmp_path: Path) -> None:
    executor = slurm(tmp_path)
    cells = [tmp_path / name for name in "ab"]
    for each in cells:
        each.mkdir()
    (fake / "answer").write_text("sleep 0.5")
    executor.submit(Job("a", cells[0], 60.0))
    executor.poll()  # asks about a alone
    (fake / "sbatch").write_text("#!/bin/sh\necho Submitted batch job 8\n")
    executor.submit(Job("b", cells[1], 60.0))
    (fake / "answer").write_text('echo "8|x|RUNNING|None"')
    assert [outcome.name for outcome in until(executor, seconds=10)] == ["a"]
    assert until(executor, seconds=1) == []
    executor.close()


def test_a_job_back_in_the_queue_is_not_overdue(fake: Path, cell: Path, tmp_path: Path) -> None:
    write_status(cell, Status("running", step=5, started=1.0))  # the last word of a worker that was killed
    executor = slurm(tmp_path)
    executor.submit(Job("cell", cell, 60.0))
    assert read_status(cell).state == "waiting"
    write_status(cell, Status("running", step=9, started=2.0))  # it ran, and SLURM took its node away
    (fake / "answer").write_text('echo "7|isoflop-x|PENDING|BeginTime"')
    assert until(executor, seconds=1) == []
    assert read_status(cell).state == "waiting"
    executor.close()


def test_a_refusal_after_the_first_job_ends_that_cell_alone(fake: Path, tmp_path: Path) -> None:
    executor = slurm(tmp_path)
    for name in "ab":
        (tmp_path / name).mkdir()
    executor.submit(Job("a", tmp_path / "a", 60.0))
    (fake / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: too many jobs' >&2; exit 1\n")
    executor.submit(Job("b", tmp_path / "b", 60.0))
    (fake / "answer").write_text('echo "7|isoflop-x|RUNNING|None"')
    assert [(o.name, o.says) for o in until(executor, seconds=5)] == [
        ("b", "SLURM does not take the job: too many jobs")
    ]
    executor.close()


def test_the_time_limit_is_the_deadline_and_five_minutes(fake: Path, cell: Path, tmp_path: Path) -> None:
    executor = slurm(tmp_path)
    executor.submit(Job("cell", cell, 601.0))
    assert "#SBATCH --time=16\n" in (tmp_path / "logs" / "7_submission.sh").read_text()
    executor.close()


def test_a_cell_without_an_end_is_refused(fake: Path, cell: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"set seconds in \[limits\] of the sweep, or --option time=MINUTES"):
        slurm(tmp_path).submit(Job("cell", cell, math.inf))


def test_an_error_on_the_node_is_told(fake: Path, cell: Path, tmp_path: Path) -> None:
    import cloudpickle

    executor = slurm(tmp_path)
    executor.submit(Job("cell", cell, 60.0))
    trace = "Traceback (most recent call last):\n  File …\nModuleNotFoundError: No module named 'isoflop'\n"
    (tmp_path / "logs" / "7_0_result.pkl").write_bytes(cloudpickle.dumps(("error", trace)))
    assert [o.says for o in until(executor, seconds=5)] == [
        "SLURM job 7 failed: ModuleNotFoundError: No module named 'isoflop'"
    ]


def test_no_slurm_here(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake / "answer").write_text("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SpecError, match=r"SLURM does not answer: .*Unable to contact slurm controller"):
        slurm(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SpecError, match=r"no SLURM here \(sbatch is not installed\); run the sweep on a login node"):
        slurm(tmp_path)


def test_without_submitit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingExtraError, match=r'pip install "isoflop\[slurm\]"'):
        slurm(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partitoin": "long"}, "no option 'partitoin'; did you mean 'partition'"),
        ({"time": "2:00:00"}, "--option time=2:00:00 must be a number, 1 or more"),
        ({"cpus": "0"}, "--option cpus=0 must be a number, 1 or more"),
        ({"save_every": str(math.inf)}, "--option save_every=inf must be a number, 0 or more"),
    ],
)
def test_impossible_options(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        slurm(tmp_path, **options)
