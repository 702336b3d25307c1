"""Tables, trackers and stores in spellings beside those that were read wrongly once; damage in one sentence."""

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.logs.test_importing import logged

from isoflop.errors import DataError
from isoflop.files import NoSpaceError, write_whole
from isoflop.logs import LoggedRun, Unread, read_logs
from isoflop.logs.curves import Curves
from isoflop.logs.importing import add_runs, choose_again, import_logs
from isoflop.logs.logged import STEP
from isoflop.logs.run_table import read_run_table
from isoflop.logs.same_training import Trainings
from isoflop.logs.settings import Settings
from isoflop.logs.wandb_steps import Steps
from isoflop.runs.curves import open_curves
from isoflop.runs.store import open_store, scan_curves
from isoflop.runs.store_tables import checkpoint_table, run_curve


def one(folder: Path, name: str, text: str) -> LoggedRun:
    (folder / name).write_text(text)
    [run] = read_logs(folder / name)
    assert isinstance(run, LoggedRun)
    return run


@pytest.mark.parametrize(
    "word", ["Current_Steps", "num_updates", "train/iteration", "Iter", "optimizer_step", "trainer/global_step"]
)
def test_steps_under_their_names(tmp_path: Path, word: str) -> None:
    run = one(tmp_path, "a.csv", f"{word},loss\n10,3.0\n20,2.0\n30,1.5\n")
    assert run.history["step"].to_list() == [10, 20, 30]


def test_the_trainers_count_and_not_the_trackers(tmp_path: Path) -> None:
    run = one(tmp_path, "a.csv", "_step,trainer/global_step,val_loss,sys\n0,50,3.0,\n1,,,7\n2,100,2.0,\n")
    assert dict(run.history.select("step", "val_loss").drop_nulls().iter_rows()) == {50: 3.0, 100: 2.0}


def test_epochs_are_steps_only_where_rows_are_epochs(tmp_path: Path) -> None:
    runs = list(read_logs(_written(tmp_path, "sweep.csv", "epochs,params,loss\n1,1e6,3.0\n2,2e6,2.5\n3,4e6,2.2\n")))
    assert len(runs) == 3  # epochs is a setting of each run
    several = "model,epoch,val_loss\na,1,3.0\na,2,2.5\nb,1,2.9\nb,2,2.4\n"
    assert [run.history.height for run in read_logs(_written(tmp_path, "models.csv", several))] == [2, 2]


def test_iterations_that_begin_anew_with_every_epoch(tmp_path: Path) -> None:
    lines = [
        {"mode": "train", "epoch": epoch, "iter": place, "loss": 5.0 - epoch - place / 100}
        for epoch in (1, 2)
        for place in (50, 100)
    ]
    run = one(tmp_path, "a.log.json", "".join(json.dumps(line) + "\n" for line in lines))
    assert run.history["step"].to_list() == [50, 100, 150, 200]


def _written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-inf", "Infinity", ""])
def test_words_for_numbers_do_not_lose_a_column(tmp_path: Path, cell: str) -> None:
    run = one(tmp_path, "a.csv", f"step,val_loss\n1,3.0\n2,{cell}\n3,2.0\n")
    assert run.history["val_loss"].to_list()[::2] == [3.0, 2.0]


def test_json_lines_nested_late_and_damaged(tmp_path: Path) -> None:
    run = one(
        tmp_path, "a.jsonl",
        '{"step": 1, "train": {"loss": 3.0}}\n{"step": 2, "train": {"loss": "NaN"}}\nnot json\n'
        '{"step": 3, "train": {"loss": 2.0, "more": {"deep": 1}}}\n' + "[" * 5_000 + "\n" + '{"step": 4, "tra',
    )  # fmt: skip
    assert run.history["train.loss"].to_list()[::2] == [3.0, 2.0]
    assert run.history["train.more.deep"].to_list() == [None, None, 1.0]
    assert {"damaged", "cut-short"} <= {finding.code for finding in run.findings}


def test_an_array_of_objects_and_half_a_surrogate(tmp_path: Path) -> None:
    records = [{"step": step, "loss": 3.0 - step, "note": "\ud800", "\ud83d": 1.0 * step} for step in range(3)]
    run = one(tmp_path, "history.json", json.dumps(records))
    assert run.history["loss"].to_list() == [3.0, 2.0, 1.0]
    done = import_logs([tmp_path], tmp_path / "s")
    assert done.store.runs.height == 1


def test_more_names_than_any_log_has(tmp_path: Path) -> None:
    text = "".join(
        json.dumps({"step": step, "loss": 1.0, **{f"k{step}_{i}": i for i in range(500)}}) + "\n" for step in range(20)
    )
    run = one(tmp_path, "a.jsonl", text)
    assert run.history.width <= 2_001
    assert "too-wide" in {finding.code for finding in run.findings}


def test_definitions_name_the_step_of_some_metrics() -> None:
    steps, curves = Steps(), Curves()
    steps.define("val/*", "val_step")
    steps.define("val/special", "iter")
    steps.define("system/*", "epoch")  # an axis that counts no steps
    for call, row in enumerate(
        [
            {"iter": 0.0, "loss": 3.0},
            {"iter": 10.0, "loss": 2.0, "val_step": 5.0, "val/a": 2.5},
            {"val/special": 9.0, "system/x": 1.0},
        ]
    ):
        steps.take(curves, dict(row), step=call)
    table, _ = curves.table()
    points = {name: dict(table.select(STEP, name).drop_nulls().iter_rows()) for name in table.columns if name != STEP}
    assert points["loss"] == {0: 3.0, 10: 2.0}
    assert points["val/a"] == {5: 2.5}
    assert points["val/special"] == {10: 9.0}
    assert points["system/x"] == {10: 1.0}


@pytest.mark.parametrize(
    ("settings", "tied"),
    [({"no_weight_tying": True}, False), ({"model.untie_embeddings": "False"}, True),
     ({"tie_word_embeddings": False}, False),
     ({"share_embeddings_and_output_weights": True}, True), ({}, None)],
)  # fmt: skip
def test_ties_however_they_are_said(settings: dict[str, Any], tied: bool | None) -> None:
    assert Settings(settings).tied() is tied


@pytest.mark.parametrize(
    ("parallel", "copies"), [({}, 64), ({"tensor_model_parallel_size": 4, "pipeline_model_parallel_size": 2}, 8),
                             ({"data_parallel_size": 16, "tensor_model_parallel_size": 4}, 16)],
)  # fmt: skip
def test_devices_that_share_a_model_are_one_copy(tmp_path: Path, parallel: dict[str, int], copies: int) -> None:
    settings = {"micro_batch_size": 2, "seq_length": 1024, "world_size": 64, "n_params": 1e6, **parallel}
    done = add_runs([logged(settings=settings)], tmp_path / "s")
    assert done.store.runs["batch"].to_list() == [2 * 1024 * copies]


def test_one_training_is_known_again_and_a_near_one_is_not() -> None:
    steps = np.arange(0, 2_000, 10)
    loss = 2 + 5 / (1 + steps) ** 0.3

    def run(format: str, values: np.ndarray, every: int = 1) -> LoggedRun:
        history = pl.DataFrame({"step": steps[::every], "loss": values[::every]})
        return LoggedRun(format, format, format, "unknown", history, digest=f"{format}{values.sum()}")

    known = Trainings()
    assert not known.seen(run("wandb", loss))
    assert known.seen(run("text", np.round(loss, 4)))
    assert known.seen(run("table", loss, every=5))
    assert not known.seen(run("trainer", loss + 2e-4))  # another seed
    assert not known.seen(run("wandb", loss))  # of one format, two runs are two runs
    assert len(known.twins) == 2


def test_a_table_of_runs_says_what_logs_do_not(tmp_path: Path) -> None:
    add_runs([logged("group/a", settings={"x": 1}), logged("b", settings={"x": 1})], tmp_path / "s")
    told = read_run_table(pl.DataFrame({"run": ["a", "c"], "params_M": [125.0, 1.0], "tokens_B": [2.0, 1.0]}))
    done = choose_again(tmp_path / "s", run_table=told)
    assert done.store.runs.select("run", "N", "D").rows() == [("group/a", 125e6, 2e9), ("b", None, None)]
    (found,) = [finding for finding in done.findings if finding.code == "run-table"]
    assert "1 of 2 rows" in found.message
    assert "(c)" in found.message
    again = import_logs([_written(tmp_path, "c.csv", "step,loss\n1,3.0\n2,2.0\n")], tmp_path / "s")
    assert again.store.runs.filter(run="c")["N"].to_list() == [1e6]  # it is kept with the store
    with pytest.raises(DataError, match="no column called run"):
        read_run_table(pl.DataFrame({"N": [1.0]}))


def test_what_no_reader_takes_is_listed(tmp_path: Path) -> None:
    _written(tmp_path, "notes.txt", "nothing here\n")
    _written(tmp_path, "train.log", "step 1/2 | loss: 3.0\n")
    done = import_logs([tmp_path], tmp_path / "s")
    assert done.unclaimed == ("notes.txt",)
    assert "not-logs" in {finding.code for finding in done.findings}


def test_files_read_before_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        _written(tmp_path, f"{name}.csv", f"step,loss\n1,3.{len(name)}\n2,2.0{ord(name)}\n")
    import_logs([tmp_path], tmp_path / "s")
    from isoflop.logs import sources

    read: list[str] = []
    real = sources.read_found
    monkeypatch.setattr(
        sources, "read_found", lambda found, options: (read.append(found.source), real(found, options))[1]
    )
    done = import_logs([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "s")
    assert (read, done.unchanged) == ([], 2)
    _written(tmp_path, "b.csv", "step,loss\n1,3.1\n2,2.098\n3,1.0\n")
    done = import_logs([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "s")
    assert (read, done.grown, done.unchanged) == (["b.csv"], ("b",), 1)
    (tmp_path / "s" / "read.json").write_text("null")
    assert import_logs([tmp_path / "a.csv"], tmp_path / "s").unchanged == 1


@pytest.fixture
def store(tmp_path: Path) -> Path:
    add_runs([logged("a", steps=300, train_loss=np.linspace(4, 3, 300)), logged("b", steps=40)], tmp_path / "s")
    return tmp_path / "s"


def test_a_file_of_curves_that_is_cut_or_gone(store: Path) -> None:
    (part,) = open_store(store).parts
    whole = part.read_bytes()
    for data in (whole[: len(whole) // 2], b"", whole[:100] + bytes(200) + whole[300:]):
        part.write_bytes(data)
        with pytest.raises(DataError, match="import the logs again|damaged"):
            for _ in open_curves(store).batches(["step"]):
                pass
    part.unlink()
    with pytest.raises(DataError, match="is gone"):
        scan_curves(open_store(store))
    with pytest.raises(DataError, match="is gone|damaged"):
        add_runs([logged("c")], store)


@pytest.mark.parametrize(
    "record",
    ["[]", "null", "{", '{"rules": 3}', '{"schema": "other"}',
     '{"schema": "isoflop.store/1", "rules": {"zz": 1}}', "[" * 3000]
)  # fmt: skip
def test_a_store_whose_record_is_no_record(store: Path, record: str) -> None:
    runs = pl.read_parquet(store / "runs.parquet")
    runs.write_parquet(store / "runs.parquet", metadata={"isoflop": record})
    with pytest.raises(DataError) as caught:
        add_runs([logged("c")], store)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("change", ["run", "curve", "settings", "twice", "outside"])
def test_a_store_without_what_it_rests_on(store: Path, change: str) -> None:
    record = pl.read_parquet_metadata(store / "runs.parquet")["isoflop"]
    runs = pl.read_parquet(store / "runs.parquet")
    match change:
        case "twice":
            runs = pl.concat([runs, runs])
        case "outside":
            runs = runs.with_columns(pl.lit("../../x.parquet").alias("curve"))
        case _:
            runs = runs.drop(change)
    runs.write_parquet(store / "runs.parquet", metadata={"isoflop": record})
    with pytest.raises(DataError, match="is damaged"):
        open_store(store)


def test_a_full_disk_leaves_the_store_as_it_was(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (store / "runs.parquet").read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(NoSpaceError, match="free some and import again"):
        add_runs([logged("c")], store)
    assert (store / "runs.parquet").read_bytes() == before
    assert not list(store.glob("curves/.*"))


def test_names_as_long_as_a_file_system_takes(tmp_path: Path) -> None:
    name = "n" * 251 + ".csv"
    write_whole(tmp_path / name, b"step,loss\n1,3.0\n2,2.0\n")
    done = import_logs([tmp_path / name], tmp_path / "s")
    assert done.store.runs["run"].to_list() == ["n" * 251]


def test_one_runs_curve_and_its_schedule_to_come(tmp_path: Path) -> None:
    rates = np.linspace(1e-3, 1e-4, 20)
    losses = [None if step % 2 or step > 15 else 4 - step / 10 for step in range(20)]
    history = pl.DataFrame({"step": np.arange(1, 21) * 10, "lr": rates, "val_loss": losses})
    run = LoggedRun("deep/a", "table", "a.csv", "running", history, "d", {"max_steps": 500})
    add_runs([run, logged("b")], tmp_path / "s")
    with pytest.raises(DataError, match=r"has 2 runs; name .* --run 'deep/a'"):
        run_curve(tmp_path / "s")
    table = run_curve(tmp_path / "s", run="a")
    known = np.isfinite(table["loss"])
    assert table["step"][known].tolist() == [10 + 20 * place for place in range(8)]
    np.testing.assert_allclose(table["lr"][known], rates[:16:2])
    assert table["step"][~known].tolist() == [160, 170, 180, 190, 200]
    with pytest.raises(DataError, match="no learning rate"):
        run_curve(tmp_path / "s", run="b")
    with pytest.raises(DataError, match="no run called 'zz'"):
        run_curve(tmp_path / "s", run="zz")


def test_checkpoints_without_scores_say_what_there_is(store: Path) -> None:
    with pytest.raises(DataError, match="they have 'train_loss', 'val_loss'"):
        checkpoint_table(store, columns=["arc/acc"])
    assert len(checkpoint_table(store)) == 340


def test_every_fault_of_a_pointer_is_named(tmp_path: Path) -> None:
    _written(tmp_path, "m.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    _written(tmp_path, "a.csv", "step,loss\n1,3.0\n2,2.0\n")
    found = list(read_logs(tmp_path))
    (unread,) = [each for each in found if isinstance(each, Unread)]
    assert unread.says.startswith("m.jsonl is a Git LFS pointer")
