"""Runs over the network, with a stand-in for the API's run object: no server is at hand in tests."""

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.logs.conftest import loss

from isoflop.logs import LogError, LoggedRun, Unread, read_logs
from isoflop.logs.importing import import_logs
from isoflop.logs.wandb_online import online_run


class Run:
    """What is used of wandb.apis.public.Run: scan_history pages through every step from ``min_step`` on."""

    id, name, state, lastHistoryStep = "abc", "big", "finished", 24_999

    def __init__(self, breaks_at: int | None = None) -> None:
        self.breaks_at, self.asked = breaks_at, []
        self.config = {"lr": 3e-4, "data": "/home/alice/x", "_wandb": {"v": 1}}
        self.summary = {"loss": 1.0, "best": 0.5, "samples": {"_type": "table-file", "nrows": 10_000}}

    def scan_history(self, page_size: int, min_step: int = 0) -> Iterator[dict]:
        self.asked.append(min_step)
        for step in range(min_step, 25_000):
            if step == self.breaks_at:
                raise ConnectionError("the connection was reset")
            yield {"_step": step, "_timestamp": 1.7e9 + step, "loss": loss(step), "text": "x"}

    def history(self, samples: int = 500) -> None:
        raise AssertionError("the sampled history is never asked for")


def test_every_step_is_read() -> None:
    run = online_run(Run(), "wandb:p/abc", None)
    assert run.history["loss"].to_list() == [loss(step) for step in range(25_000)]
    assert run.history["wall"][-1] == 24_999
    assert run.settings == {"lr": 3e-4}
    assert run.results == {"best": 0.5}
    assert [finding.code for finding in run.findings] == ["sampled", "left-out"]


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    broken = Run(breaks_at=12_345)
    with pytest.raises(ConnectionError):
        online_run(broken, "wandb:p/abc", tmp_path)
    again = Run()
    run = online_run(again, "wandb:p/abc", tmp_path)
    assert again.asked == [12_345]
    assert "text" not in "".join(page.read_text() for page in tmp_path.rglob("*.jsonl"))
    assert run.history["loss"].to_list() == [loss(step) for step in range(25_000)]
    whole = Run()
    assert online_run(whole, "wandb:p/abc", tmp_path).digest == run.digest == online_run(Run(), "x", None).digest
    assert whole.asked == []  # a finished run is not asked for again
    resumed = Run()
    resumed.lastHistoryStep = 25_004
    online_run(resumed, "wandb:p/abc", tmp_path)
    assert resumed.asked == [25_000]  # unless it went on since


def test_an_import_goes_on_where_the_last_one_broke_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [Run(breaks_at=12_345)]
    fake = types.SimpleNamespace(
        Api=lambda: types.SimpleNamespace(runs=lambda path, order: runs),
        Error=RuntimeError,
    )
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setitem(sys.modules, "requests", types.SimpleNamespace(RequestException=OSError))
    with pytest.raises(LogError, match="no run could be read: wandb:project/abc broke off"):
        import_logs(["wandb:team/project"], tmp_path / "store")
    runs[:] = [Run()]
    done = import_logs(["wandb:team/project"], tmp_path / "store")
    assert runs[0].asked == [12_345]
    assert done.store.runs["rows"].to_list() == [25_000]
    runs[:] = [Run()]
    assert import_logs(["wandb:team/project"], tmp_path / "store").unchanged == 1
    assert runs[0].asked == []


def test_a_history_that_came_short_is_told() -> None:
    short = Run()
    short.lastHistoryStep = 30_000
    assert "incomplete" in [finding.code for finding in online_run(short, "wandb:p/abc", None).findings]


def test_one_run_that_breaks_off_does_not_stop_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [Run(breaks_at=10), Run()]

    class Api:
        def runs(self, path: str, order: str) -> list[Run]:
            assert path == "team/project"
            return runs

    fake = types.SimpleNamespace(Api=Api, Error=RuntimeError)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setitem(sys.modules, "requests", types.SimpleNamespace(RequestException=OSError))
    broken, whole = read_logs("wandb:team/project")
    assert isinstance(broken, Unread)
    assert broken.says == (
        "wandb:project/abc broke off (the connection was reset); import again and it goes on from there"
    )
    assert isinstance(whole, LoggedRun)
    assert "team" not in repr(whole)
    with pytest.raises(LogError, match="is no run or project"):
        list(read_logs("wandb:project"))
