"""Sweeps on Ray: a cluster that is started for the sweep, and one that is reached by its address."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from isoflop.errors import MissingExtraError, SpecError
from isoflop.lab.executors import connect
from isoflop.lab.executors.base import Executor, Job
from isoflop.lab.spec import SweepSpec, parse_spec, read_spec
from isoflop.lab.status import read_status
from isoflop.lab.sweep import Swept, perform

# A program whose worker comes to the end that its first argument names; it counts its starts in the cell's folder.
PROGRAM = """
import json, os, signal, sys, time

what, cell = sys.argv[1:3]
with open(os.path.join(cell, "starts"), "a") as starts:
    starts.write("x")
first = os.path.getsize(os.path.join(cell, "starts")) == 1
if what == "killed" or (what == "killed-once" and first):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
if what == "late":
    with open(os.path.join(cell, "pid"), "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
if what.startswith("slow"):
    time.sleep(4)
print(json.dumps({"loss": 2.5, "params": 1000, "tokens": 2000, "threads": os.environ["OMP_NUM_THREADS"]}))
"""


def programs(folder: Path, *what: str) -> SweepSpec:
    (folder / "program.py").write_text(PROGRAM)
    text = f"""
        [command]
        run = "{sys.executable} {folder / "program.py"} {{what}} {{cell}}"
        [command.values]
        what = {list(what)}
        [limits]
        seconds = 50
        """
    (folder / "spec.toml").write_text(text)
    return read_spec(folder / "spec.toml")


def ray_executor(out: Path, *, workers: int = 2, **options: str) -> Executor:
    return connect("ray", workers=workers, logs=out / "logs", options=options)


def reasons(swept: Swept) -> dict[str, str]:
    return {name.removeprefix("what").rsplit("-", 1)[0]: says for name, says in swept.failed}


def starts(out: Path) -> dict[str, int]:
    found = (out / "cells").glob("what*/starts")
    return {path.parent.name.removeprefix("what").rsplit("-", 1)[0]: len(path.read_text()) for path in found}


@pytest.fixture
def ray_itself() -> Iterator[None]:
    """Ray, and an end to a test that hangs."""
    pytest.importorskip("ray", reason="ray is not installed: pip install 'isoflop[ray]'")

    def late(*_: object) -> None:
        raise TimeoutError("the test has run for five minutes")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@contextmanager
def head(log: Path, **environment: str) -> Iterator[str]:
    """The address of a cluster of one node with two CPUs that other processes run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                Path(sys.executable).with_name("ray"),
                *command,
                "--object-store-memory=100000000",
                "--disable-usage-stats",
            ],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Ray runtime started" in log.read_text() or process.poll() is not None, seconds=60)
        assert process.poll() is None, log.read_text()
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(ray_itself: None, tmp_path: Path) -> Iterator[str]:
    """A cluster that asks for no token, whatever this process or its home knows of tokens."""
    with head(tmp_path / "head.log", RAY_AUTH_MODE="disabled") as address:
        yield address


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_cells_whose_process_dies_are_recorded_and_the_others_finish(ray_itself: None, tmp_path: Path) -> None:
    import ray

    out = tmp_path / "out"
    executor = ray_executor(out)
    begun = time.monotonic()
    swept = perform(programs(tmp_path, "good", "killed", "killed-once", "good-too"), out, executor=executor)
    assert time.monotonic() - begun < 50
    assert swept.done == 3
    assert list(reasons(swept)) == ["killed"]
    assert reasons(swept)["killed"].startswith("Ray: WorkerCrashedError: The worker died unexpectedly")
    assert starts(out) == {"good": 1, "killed": 2, "killed-once": 2, "good-too": 1}
    assert set(pl.read_parquet(swept.runs)["threads"]) == {"1"}
    assert not ray.is_initialized(), "a cluster that was started for the sweep ends with it"


@pytest.mark.slow
def test_a_cluster_by_its_address(cluster: str, tmp_path: Path) -> None:
    """Cancelling kills the user's program too; a sweep that was killed goes on; a user's own connection is kept."""
    import ray

    executor = ray_executor(tmp_path, workers=1, address=cluster)
    spec = programs(tmp_path, "late")
    cell = tmp_path / "cell"
    perform_one(spec, cell, executor)
    pid = int((cell / "pid").read_text())
    assert alive(pid)
    executor.cancel("cell")
    wait_until(lambda: not alive(pid))
    assert executor.poll() == ()
    executor.close()

    spec = programs(tmp_path, "slow-1", "slow-2")
    out = tmp_path / "out"
    script = (
        "from pathlib import Path; from isoflop.lab.executors import connect; from isoflop.lab.spec import read_spec;"
        "from isoflop.lab.sweep import perform; out = Path('out');"
        f"place = connect('ray', workers=2, logs=out / 'logs', options=dict(address='{cluster}'));"
        "perform(read_spec('spec.toml'), out, executor=place)"
    )
    sweep = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    wait_until(lambda: starts(out) == {"slow-1": 1, "slow-2": 1})
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    ray.init(address=cluster, log_to_driver=False, logging_level="ERROR")  # the user's
    swept = perform(spec, out, executor=ray_executor(out, address="nowhere.example:1"))
    assert ray.is_initialized()
    ray.shutdown()
    assert (swept.done, swept.failed) == (2, ())
    assert starts(out) == {"slow-1": 2, "slow-2": 2}
    assert pl.read_parquet(swept.runs)["loss"].to_list() == [2.5, 2.5]


@pytest.mark.slow
def test_a_cluster_that_asks_for_a_token(ray_itself: None, tmp_path: Path) -> None:
    """In a process of its own, since Ray reads its mode once a process."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef" * 4)
    known = {"RAY_AUTH_TOKEN_PATH": str(token)}
    fresh = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    script = (
        "import sys; from pathlib import Path; from isoflop.lab.executors import connect;"
        "connect('ray', workers=1, logs=Path('logs'), options=dict(address=sys.argv[1])).close()"
    )
    with head(tmp_path / "head.log", RAY_AUTH_MODE="token", **known) as address:
        found = subprocess.run(
            [sys.executable, "-c", script, address], env=fresh | known, cwd=tmp_path, capture_output=True, text=True
        )
    assert found.returncode == 0, found.stderr


def perform_one(spec: SweepSpec, folder: Path, executor: Executor) -> None:
    """Submit the program's only cell as the sweep does, and wait until it runs."""
    import json

    from isoflop.lab.command import program_as_json
    from isoflop.lab.design import programs_of

    folder.mkdir()
    (folder / "cell.json").write_text(json.dumps(program_as_json(programs_of(spec)[0])))
    executor.submit(Job("cell", folder, 50.0))
    wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text() != "")
    assert read_status(folder).state == "running"


def wait_until(true, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_training_is_the_same_to_the_bit_as_in_a_local_process(ray_itself: None, tmp_path: Path) -> None:
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
    for place in ("local", "ray"):
        executor = connect(place, workers=1, logs=tmp_path / place / "logs", options={})
        swept = perform(spec, tmp_path / place, executor=executor)
        assert swept.failed == ()
        tables[place] = [pl.read_parquet(path).drop("wall_seconds") for path in (swept.runs, swept.curves)]
    for here, there in zip(tables["local"], tables["ray"], strict=True):
        assert here.equals(there)
        assert here["loss"].is_finite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adress": "auto"}, "no option 'adress'; did you mean 'address'"),
        ({"gpus": "one"}, "--option gpus=one must be a number, 0 or more"),
        ({"address": "head-node"}, "the Ray address 'head-node' is not host:port, ray://host:port, auto or local"),
        ({"address": "127.0.0.1:1"}, r"nothing answers at the Ray address '127\.0\.0\.1:1' .*`ray start --head`"),
        ({"address": "ray://127.0.0.1:1"}, "nothing answers at the Ray address 'ray://127"),
    ],
)
def test_impossible_options(ray_itself: None, tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ray_executor(tmp_path, **options)


def test_without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r'pip install "isoflop\[ray\]"'):
        ray_executor(tmp_path)
