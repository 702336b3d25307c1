"""Databases and folders of trackers: MLflow's two kinds of store, Trackio."""

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.logs.conftest import loss, written_by

from isoflop.errors import IsoflopError
from isoflop.logs import LoggedRun, read_logs, sqlite


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_by("mlflow_stores.py", tmp_path_factory.mktemp("mlflow"), needs="mlflow sqlalchemy alembic")


@pytest.mark.slow
@pytest.mark.parametrize("store", ["mlflow.db", "mlruns"])
def test_mlflow_stores_value_for_value(mlflow: Path, store: str) -> None:
    runs = {run.name: run for run in read_logs(mlflow / store) if isinstance(run, LoggedRun)}
    assert set(runs) == {"run-0", "run-1"}
    whole, broken = runs["run-0"], runs["run-1"]
    assert whole.history["val/loss"].to_list() == [loss(step) for step in range(50)]
    assert whole.history["grad"][3] == math.inf
    assert whole.history["wall"].to_list() == pytest.approx([step / 100 for step in range(50)])
    assert whole.settings == {"experiment": "grid", "lr": 3e-4, "width": 64, "tag.phase": "pilot"}
    assert (whole.status, broken.status) == ("finished", "diverged")
    assert all(map(math.isnan, broken.history["val/loss"][40:]))
    assert broken.history["val/loss"][39] == loss(39)
    assert "/home" not in repr(whole)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's and SQLAlchemy's own
def test_an_mlflow_server_gives_what_the_store_holds(mlflow: Path) -> None:
    here = {run.name: run for run in read_logs(mlflow / "mlflow.db")}
    there = {run.name: run for run in read_logs(f"mlflow:sqlite:///{mlflow}/mlflow.db")}
    for name, run in here.items():
        assert (
            there[name]
            .history.select(sorted(run.history.columns))
            .equals(run.history.select(sorted(run.history.columns)), null_equal=True)
        )
        assert there[name].settings == run.settings


def test_a_store_of_nan_flags_without_mlflow(tmp_path: Path) -> None:
    """NaN is stored as 0.0 with a flag; a naive reading makes a diverged run perfect."""
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store, store:
        store.executescript(
            """
            CREATE TABLE experiments (experiment_id INTEGER, name TEXT);
            CREATE TABLE runs (run_uuid TEXT, name TEXT, status TEXT, lifecycle_stage TEXT, experiment_id INTEGER);
            CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
            INSERT INTO experiments VALUES (0, 'Default');
            INSERT INTO runs VALUES ('a', 'twin', 'FINISHED', 'active', 0), ('b', 'twin', 'KILLED', 'active', 0),
                                    ('c', 'gone', 'FINISHED', 'deleted', 0);
            INSERT INTO metrics VALUES ('loss', 3.0, 0, 'a', 0, 0), ('loss', 0.0, 1000, 'a', 1, 1),
                                       ('loss', 2.0, 0, 'c', 0, 0);
            """
        )
    runs = {run.name: run for run in read_logs(tmp_path)}
    assert set(runs) == {"twin a", "twin b"}
    assert runs["twin a"].status == "diverged"
    assert math.isnan(runs["twin a"].history["loss"][1])
    assert runs["twin b"].status == "crashed"


def test_trackio(tmp_path: Path) -> None:
    runs = {run.name: run for run in read_logs(written_by("trackio_project.py", tmp_path, needs="trackio"))}
    assert set(runs) == {"a", "b"}
    assert runs["a"].history["train.loss"].to_list() == [loss(step) for step in range(100)]
    assert math.isnan(runs["a"].history["grad"][3])
    assert runs["a"].settings == {"lr": 3e-4}
    assert runs["a"].digest != runs["b"].digest


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(IsoflopError, match=r"pip install 'isoflop\[wandb\]'"):
        list(read_logs("wandb:entity/project"))


@pytest.mark.parametrize("error", [sqlite3.DatabaseError("no database"), UnicodeDecodeError("utf-8", b"?", 0, 1, "x")])
def test_a_connection_is_closed_whatever_looking_at_the_file_raises(tmp_path, monkeypatch, error):
    closed, connect = [], sqlite3.connect

    class Damaged(sqlite3.Connection):
        def execute(self, *_):
            raise error

        def close(self):
            closed.append(self)
            super().close()

    connect(tmp_path / "a.db").close()
    monkeypatch.setattr(sqlite.sqlite3, "connect", lambda *args, **how: connect(*args, factory=Damaged, **how))
    assert not sqlite.holds(tmp_path / "a.db", sqlite.MAGIC, metrics=("key",)) and len(closed) == 1
