"""Aim repositories: one that Aim wrote, and the same keys and values written here byte by byte."""

import importlib.util
import shutil
import sqlite3
import struct
import sys
from pathlib import Path

import pytest
from tests.logs.conftest import written_by

from isoflop.logs import LogError, LoggedRun, Unread, read_logs
from isoflop.logs.importing import import_logs

END = b"\xfe"
needs_storage = pytest.mark.skipif(
    importlib.util.find_spec("aimrocks") is None, reason="aimrocks is not installed: pip install 'isoflop[aim]'"
)


def key(*parts: str | int) -> bytes:
    """Texts before a mark; whole numbers in eight bytes between two marks."""
    return b"".join(
        (each.encode() if isinstance(each, str) else END + each.to_bytes(8, "big", signed=True)) + END for each in parts
    )


def value(each: object) -> bytes:
    match each:
        case None:
            return b"\0"
        case bool():
            return b"\1" + bytes([each])
        case int():
            return b"\2" + struct.pack("<q", each)
        case float():
            return b"\3" + struct.pack("<d", each)
    return b"\4" + str(each).encode()


def write(folder: Path, items: dict[bytes, bytes]) -> None:
    import aimrocks

    folder.mkdir(parents=True)
    database = aimrocks.DB(str(folder), aimrocks.Options(create_if_missing=True))
    for name, data in items.items():
        database.put(name, data)
    database.flush()


def repository(root: Path, *, old: bool = False, begun: tuple[str, ...] = ("aaaa1111", "bbbb2222")) -> Path:
    """Two runs of one name with a loss in two contexts; the places of points are numbers that say nothing."""
    for number, own in enumerate(("aaaa1111", "bbbb2222")):
        place = ("meta", "chunks", own)
        meta = {
            key(*place, "attrs"): b"\7",
            key(*place, "attrs", "hparams", "n_params"): value(124_000_000),
            key(*place, "attrs", "hparams", "lr"): value(1e-3),
            key(*place, "attrs", "__system_params", "host"): value("machine"),
            key(*place, "contexts", -254): b"\7",  # without a subset; its bytes hold the mark itself
            key(*place, "contexts", 5, "subset"): value("val"),
            key(*place, "end_time"): value(1.7e9),
        }
        seqs = {}
        for context, name, scale in ((-254, "tokens", 1e6), (5, "loss", 0.01), (-254, "__system__cpu", 1.0)):
            base = ("seqs", "chunks", own, context, name) if old else ("seqs", "v2", "chunks", own, context, name)
            for step in range(0, 300, 10):
                spot = step if old else 7**20 - step * 254**3
                seqs[key(*base, "val", spot)] = value((3.0 if name == "loss" else 0.0) + step * scale + number)
                seqs[key(*base, "time", spot)] = value(1.7e9 + step)
                if not old:
                    seqs[key(*base, "step", spot)] = value(step)
                    seqs[key(*base, "epoch", spot)] = value(step // 100 if name == "loss" else None)
        write(root / ".aim" / "meta" / "chunks" / own, meta)
        write(root / ".aim" / "seqs" / "chunks" / own, seqs)
    with sqlite3.connect(root / ".aim" / "run_metadata.sqlite") as connection:
        connection.execute("CREATE TABLE experiment (id INTEGER, name TEXT)")
        connection.execute("CREATE TABLE run (hash TEXT, name TEXT, experiment_id INTEGER)")
        connection.execute("INSERT INTO experiment VALUES (1, 'sweep')")
        connection.executemany("INSERT INTO run VALUES (?, 'base', 1)", [(own,) for own in begun])
    connection.close()
    return root


@needs_storage
@pytest.mark.parametrize("old", [False, True])
def test_every_point_and_setting_of_a_repository(tmp_path: Path, old: bool) -> None:
    root = repository(tmp_path / "project", old=old)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    runs = [run for run in read_logs(root) if isinstance(run, LoggedRun)]
    assert [run.name for run in runs] == ["base aaaa1111", "base bbbb2222"]
    second = runs[1]
    assert dict(second.settings) == {"hparams.n_params": 124_000_000, "hparams.lr": 1e-3, "experiment": "sweep"}
    history = second.history
    assert history["step"].to_list() == list(range(0, 300, 10))
    assert history["val/loss"].to_list() == [3.0 + step * 0.01 + 1 for step in range(0, 300, 10)]
    assert history["tokens"].to_list() == [step * 1e6 + 1 for step in range(0, 300, 10)]
    assert history["wall"].to_list() == [float(step) for step in range(0, 300, 10)]
    assert "__system__cpu" not in history.columns
    assert ("epoch" in history.columns) is not old
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before, "it was written to"
    row = import_logs([root], tmp_path / "store").store.runs.row(0, named=True)
    assert (row["N"], row["D"], row["loss_metric"]) == (124e6, 290e6, "val_loss")
    assert import_logs([root], tmp_path / "store").unchanged == 2


@needs_storage
def test_runs_come_in_the_order_in_which_they_were_begun(tmp_path: Path) -> None:
    root = repository(tmp_path / "project", begun=("bbbb2222", "aaaa1111"))
    assert [run.name for run in read_logs(root) if isinstance(run, LoggedRun)] == ["base bbbb2222", "base aaaa1111"]


@needs_storage
def test_a_damaged_run_is_told_and_the_other_is_read(tmp_path: Path) -> None:
    root = repository(tmp_path / "project")
    for path in (root / ".aim" / "seqs" / "chunks" / "aaaa1111").glob("*.sst"):
        path.write_bytes(path.read_bytes()[:100])
    read = list(read_logs(root))
    assert [type(each) for each in read] == [Unread, LoggedRun]
    assert isinstance(read[0], Unread) and "aaaa1111" in read[0].says and str(tmp_path) not in read[0].says


def test_without_the_storage_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aimrocks", None)
    place = tmp_path / "project" / ".aim" / "seqs" / "chunks" / "aaaa1111"
    place.mkdir(parents=True)
    (place / "CURRENT").write_text("MANIFEST-000004\n")
    with pytest.raises(LogError, match=r"an Aim repository, which the package aimrocks reads; pip install"):
        import_logs([tmp_path], tmp_path / "store")


@pytest.mark.slow
@needs_storage
def test_what_aim_itself_wrote(tmp_path: Path) -> None:
    runs = list(read_logs(written_by("aim_repo.py", tmp_path, needs="aim")))
    shutil.rmtree(tmp_path, ignore_errors=True)
    assert [run.name for run in runs if isinstance(run, LoggedRun)] == ["run 0", "run 1"]
    first, second = runs
    assert first.history["tokens"].to_list() == [32 * 1024 * step for step in range(0, 300, 10)]
    assert (first.status, second.status) == ("unknown", "diverged")
    assert first.settings["hparams.nested.d_model"] == 768
