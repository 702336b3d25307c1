"""Whatever the bytes: no traceback, no hang, memory within twice the file and 200 MB, one sentence for what failed."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.logs.conftest import loss, written_by
from tests.logs.test_wandb import _history, _log

from isoflop.logs import LogError, LoggedRun, Unread, read_logs


def _check(folder: Path) -> list[LoggedRun | Unread]:
    """Everything that is read is well-formed; everything that is not is one sentence."""
    try:
        found = list(read_logs(folder))
    except LogError as error:
        assert "nothing that is read" in str(error)
        return []
    for entry in found:
        if isinstance(entry, Unread):
            assert entry.says
            assert "\n" not in entry.says
            assert "Traceback" not in entry.says
        else:
            assert entry.history.columns[0] == "step"
            assert entry.history["step"].is_sorted()
            assert entry.history["step"].is_unique().all()
            assert all(entry.history[name].dtype == pl.Float64 for name in entry.history.columns[1:])
            assert len(entry.digest) == 64
    return found


def _samples(folder: Path) -> dict[str, bytes]:
    """A small log of each format."""
    rows = [(step, loss(step)) for step in range(300)]
    frame = pl.DataFrame(rows, schema=["step", "loss"], orient="row")
    frame.write_parquet(folder / "a.parquet")
    with closing(sqlite3.connect(folder / "mlflow.db")) as store, store:
        store.executescript(
            "CREATE TABLE experiments (experiment_id, name); CREATE TABLE runs (run_uuid, name, status, experiment_id);"
            "CREATE TABLE metrics (key, value, timestamp, run_uuid, step, is_nan);"
            "INSERT INTO experiments VALUES (0, 'e'); INSERT INTO runs VALUES ('a', 'n', 'FINISHED', 0);"
        )
        store.executemany(
            "INSERT INTO metrics VALUES ('loss', ?, 0, 'a', ?, 0)", [(value, step) for step, value in rows]
        )
    with closing(sqlite3.connect(folder / "trackio.db")) as store, store:
        store.execute("CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp, run_name, step, metrics)")
        store.executemany(
            "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES ('2026-01-01', 'r', ?, ?)",
            [(step, json.dumps({"loss": value})) for step, value in rows],
        )
    state = {
        "log_history": [{"step": step, "loss": value} for step, value in rows],
        "global_step": 300,
        "max_steps": 300,
    }
    evaluation = {"results": {"t": {"acc,none": 0.5, "acc_stderr,none": 0.1}}, "n-samples": {"t": {"effective": 9}}}
    return {
        "run-a.wandb": _log([_history(step, loss=value, pad="x" * 100) for step, value in rows]),
        "a.parquet": (folder / "a.parquet").read_bytes(),
        "mlflow.db": (folder / "mlflow.db").read_bytes(),
        "trackio.db": (folder / "trackio.db").read_bytes(),
        "trainer_state.json": json.dumps(state).encode(),
        "results_a.json": json.dumps(evaluation).encode(),
        "train.log": "".join(f"step {step}/300 | loss: {value} | lr: 1e-3\n" for step, value in rows).encode(),
        "a.csv": frame.write_csv().encode(),
        "a.jsonl": frame.write_ndjson().encode(),
        "metrics.csv": frame.with_columns(epoch=0).write_csv().encode(),
    }


NAMES = (
    "run-a.wandb", "a.parquet", "mlflow.db", "trackio.db", "trainer_state.json", "results_a.json", "train.log", "a.csv",
    "a.jsonl", "metrics.csv",
)  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _samples(tmp_path_factory.mktemp("samples"))


@pytest.mark.parametrize("name", NAMES)
def test_whole_samples_are_read(samples: dict[str, bytes], name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(samples[name])
    [run] = _check(tmp_path)
    assert isinstance(run, LoggedRun)
    if name != "results_a.json":
        assert run.history["loss"].to_list() == [loss(step) for step in range(300)]


@pytest.mark.parametrize("name", NAMES)
def test_cut_and_flipped_at_every_thousandth_byte(samples: dict[str, bytes], name: str, tmp_path: Path) -> None:
    data = samples[name]
    for at in range(0, len(data), 1_000):
        (tmp_path / name).write_bytes(data[:at])
        _check(tmp_path)
        flipped = bytearray(data)
        flipped[at] ^= 0xFF
        (tmp_path / name).write_bytes(flipped)
        _check(tmp_path)


@given(data=st.data())
@settings(max_examples=150, deadline=10_000, suppress_health_check=list(HealthCheck))
def test_bytes_put_anywhere(
    samples: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(NAMES))
    whole = bytearray(samples[name])
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(whole)))
        whole[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / name).write_bytes(whole)
    _check(folder)


@given(
    data=st.binary(max_size=400),
    name=st.sampled_from((*NAMES, "events.out.tfevents.1.h", "a.duckdb", "a.tsv", "x.log.gz")),
)
@settings(max_examples=200, deadline=10_000, suppress_health_check=list(HealthCheck))
def test_any_bytes_under_any_name(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    heads = {
        ".wandb": b":W&B\xe1\xbe\x00",
        ".db": b"SQLite format 3\0",
        ".json": b'{"results": 1, "log_history":',
        ".gz": b"\x1f\x8b\x08",
    }
    for head in (b"", heads.get(Path(name).suffix, b"step,loss\n")):
        folder = tmp_path_factory.mktemp("any")
        (folder / name).write_bytes(head + data)
        _check(folder)


def test_event_files_cut_and_flipped(tmp_path: Path) -> None:
    written_by("event_files.py", tmp_path / "out", "tensorboardX", needs="tensorboardX")
    [file] = (tmp_path / "out" / "x").iterdir()
    data = file.read_bytes()[:60_000]
    for at in range(0, len(data), 1_000):
        for changed in (data[:at], data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]):
            folder = tmp_path / "changed"
            folder.mkdir(exist_ok=True)
            (folder / file.name).write_bytes(changed)
            _check(folder)


LARGE = {
    "train.log": lambda: b"x" * 60_000_000,
    "pairs.log": lambda: b"iter 1: " + b"loss 3.0, " * 6_000_000,
    "trainer_state.json": lambda: b'{"log_history": [' + b"[" * 5_000_000,
    "results_a.json": lambda: b'{"results": {"alias": ' + b'{"a":' * 2_000_000,
    "a.csv": lambda: b"step,loss\n" + b"".join(b"%d,2.5\n" % step for step in range(5_000_000)),
    "same.csv": lambda: b"step,loss\n" + b"1,2\n" * 2_000_000,
    "run-a.wandb": lambda: _log([_history(1, pad="x" * 40_000_000)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_memory_stays_in_proportion(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(LARGE[name]())
    size = (tmp_path / name).stat().st_size
    program = (
        "import resource, sys; from isoflop.logs import read_logs, LogError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: list(read_logs(sys.argv[1]))\n"
        "except LogError: pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 2 * size + 200e6
