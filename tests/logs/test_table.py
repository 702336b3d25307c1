"""Tables of curves and of runs, in every format."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.logs.conftest import loss

from isoflop.logs import LoggedRun, Unread, read_logs
from isoflop.logs.importing import import_logs
from isoflop.logs.json_lines import read_json_lines

CURVES = pl.DataFrame(
    {
        "run": ["a"] * 50 + ["b"] * 50,
        "step": list(range(50)) * 2,
        "lr": [3e-4] * 50 + [1e-3] * 50,
        "loss": [loss(step) for step in range(50)] + [loss(step) + 1 for step in range(50)],
    }
)


def _write(frame: pl.DataFrame, file: Path) -> None:
    match file.suffix:
        case ".csv":
            frame.write_csv(file)
        case ".tsv":
            frame.write_csv(file, separator="\t")
        case ".jsonl":
            frame.write_ndjson(file)
        case ".parquet":
            frame.write_parquet(file)
        case ".sqlite":
            with closing(sqlite3.connect(file)) as connection, connection:
                connection.execute("CREATE TABLE curves (run, step, lr, loss)")
                connection.executemany("INSERT INTO curves VALUES (?, ?, ?, ?)", frame.rows())
        case ".duckdb":
            duckdb = pytest.importorskip("duckdb")
            with duckdb.connect(str(file)) as connection:
                connection.execute("CREATE TABLE curves (run TEXT, step BIGINT, lr DOUBLE, loss DOUBLE)")
                connection.executemany("INSERT INTO curves VALUES (?, ?, ?, ?)", frame.rows())


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet", "sqlite", "duckdb"])
def test_every_format_gives_the_same_runs(tmp_path: Path, ending: str) -> None:
    _write(CURVES, tmp_path / f"sweep.{ending}")
    runs = {run.name: run for run in read_logs(tmp_path)}
    assert set(runs) == {"a", "b"}
    for number, name in enumerate("ab"):
        run = runs[name]
        assert run.history["loss"].to_list() == [loss(step) + number for step in range(50)]
        assert run.history["step"].to_list() == list(range(50))
        assert run.settings["lr"] == (3e-4, 1e-3)[number]
        assert run.findings == ()


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_a_compressed_table_that_is_cut_short_is_read_as_far_as_it_goes(tmp_path: Path, ending: str) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"step": np.arange(1, 20_001), "loss": rng.random(20_000)})
    _write(frame, tmp_path / f"a.{ending}")
    packed = gzip.compress((tmp_path / f"a.{ending}").read_bytes())
    (tmp_path / f"a.{ending}").unlink()
    (tmp_path / f"a.{ending}.gz").write_bytes(packed[: len(packed) // 2])
    [run] = read_logs(tmp_path)
    assert isinstance(run, LoggedRun)
    assert 8_000 < run.history.height < 12_000
    assert run.history.equals(frame.head(run.history.height))
    assert [finding.code for finding in run.findings] == ["cut-short"]


def test_rows_of_metric_and_value(tmp_path: Path) -> None:
    long = CURVES.unpivot(index=["run", "step"], variable_name="metric")
    long.write_csv(tmp_path / "long.csv")
    runs = {run.name: run for run in read_logs(tmp_path)}
    assert runs["b"].history["loss"].to_list() == [loss(step) + 1 for step in range(50)]


def test_two_columns_that_together_name_a_run(tmp_path: Path) -> None:
    rows = [
        (size, schedule, step, size / 100 + loss(step) + (schedule == "wsd"))
        for size in (25, 100) for schedule in ("cosine", "wsd") for step in range(40)
    ]  # fmt: skip
    pl.DataFrame(rows, schema=["size_M", "schedule", "step", "loss"], orient="row").write_csv(tmp_path / "c.csv")
    runs = {run.name: run for run in read_logs(tmp_path)}
    assert set(runs) == {f"{schedule} size_M={size}" for size in (25, 100) for schedule in ("cosine", "wsd")}
    assert all(run.history.height == 40 for run in runs.values())
    assert runs["wsd size_M=25"].history["loss"][3] == pytest.approx(0.25 + loss(3) + 1)


def test_adding_a_run_leaves_the_digests_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "sweep.csv"
    CURVES.filter(run="a").write_csv(file)
    [before] = read_logs(file)
    CURVES.write_csv(file)
    after = {run.name: run.digest for run in read_logs(file)}
    assert after["b"] != after["a"]
    assert before.digest == after.get("sweep", after["a"]) or before.name == "sweep"


def test_padded_headers_and_the_sum_of_losses(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step,      train/cls_loss,        total_loss\n10,1.0,3.0\n20,0.9,2.5\n30,.8,2.0\n")
    done = import_logs([tmp_path / "a.csv"], tmp_path / "s")
    row = done.store.runs.row(0, named=True)
    assert (row["loss_metric"], row["loss"]) == ("loss", 2.0) and "loss-rivals" not in {f.code for f in done.findings}


def test_records_of_changing_keys_keep_their_rows(tmp_path: Path) -> None:
    rows = [{"step": at, "loss": 3.0 - at / 10} | ({"val_loss": at} if at % 3 == 0 else {}) for at in range(9)]
    rows[4] = {"loss": 2.5, "step": 4, "note": "x"}
    rows[7]["loss"] = None
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    frame, _ = read_json_lines(tmp_path / "a.jsonl", "a.jsonl")
    assert frame["step"].to_list() == list(range(9)) and frame["val_loss"].to_list()[::3] == [0, 3, 6]
    assert frame["val_loss"].null_count() == 6 and frame["loss"].to_list()[7] is None and frame["note"][4] == "x"


def test_a_chart_exported_by_wandb(tmp_path: Path) -> None:
    (tmp_path / "chart.csv").write_text(
        '"Step","big-1 - loss","big-1 - loss__MIN","big-1 - loss__MAX","small-2 - loss","small-2 - loss__MIN",'
        '"small-2 - loss__MAX"\n0,3.0,3.0,3.0,4.0,4.0,4.0\n10,2.0,1.9,2.1,,,\n'
    )
    runs = {run.name: run for run in read_logs(tmp_path)}
    assert runs["big-1"].history.to_dict(as_series=False) == {"step": [0, 10], "loss": [3.0, 2.0]}
    assert runs["small-2"].history.to_dict(as_series=False) == {"step": [0], "loss": [4.0]}
    assert [finding.code for finding in runs["big-1"].findings] == ["sampled"]


def test_a_table_with_a_row_for_each_run(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(
        "Name,User,params,val_loss,data\na,alice,1e6,3.5,/home/alice/x\nb,bob,2e6,3.1,y\n"
    )
    a, b = read_logs(tmp_path)
    assert (a.name, dict(a.settings), dict(a.results)) == ("a", {"params": 1e6}, {"val_loss": 3.5})
    assert b.settings == {"params": 2e6, "data": "y"}
    assert a.history.is_empty()


def test_the_public_curves(tables: Path) -> None:
    runs = [run for run in read_logs(tables / "multipower-lr" / "loss_curves.csv") if isinstance(run, LoggedRun)]
    raw = pl.read_csv(tables / "multipower-lr" / "loss_curves.csv")
    assert len(runs) == raw.select("size_M", "schedule").n_unique() == 27
    assert sum(run.history.height for run in runs) == raw.height


def test_words_among_numbers_and_nothing_at_all(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("name,note\na,b\nc,d\n")
    (tmp_path / "late.csv").write_text(
        "step,loss\n" + "".join(f"{i},{loss(i)!r}\n" for i in range(20_000)) + "20000,oops\n"
    )
    words, late = sorted(read_logs(tmp_path), key=lambda found: isinstance(found, LoggedRun))
    assert isinstance(words, Unread)
    assert "has no row with a number" in words.says
    assert late.history["loss"].drop_nulls().to_list() == [loss(i) for i in range(20_000)]
