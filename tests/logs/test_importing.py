"""Stores: what an import keeps, that it adds and never changes, and that no kill and no company breaks it."""

import hashlib
import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop import check, read_runs
from isoflop.errors import DataError
from isoflop.logs.importing import add_runs, choose_again, import_logs
from isoflop.logs.logged import LogError, LoggedRun, Unread
from isoflop.logs.rules import Rules, final_losses, pick, picked
from isoflop.runs.store import open_store, scan_curves


def logged(
    name="a", steps=10, *, metric="val_loss", start=4.0, settings=None, status="finished", **curves
) -> LoggedRun:
    columns = curves or {metric: start - 0.1 * np.arange(steps)}
    step = np.arange(1, len(next(iter(columns.values()))) + 1) * 100
    history = pl.DataFrame({"step": step, **{key: np.asarray(value, float) for key, value in columns.items()}})
    digest = hashlib.sha256(name.encode() + history.write_csv().encode()).hexdigest()
    return LoggedRun(name, "table", f"{name}.csv", status, history, digest, settings or {"n_params": 1e6})


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def curve(folder: Path, run: str) -> pl.DataFrame:
    return scan_curves(open_store(folder)).filter(pl.col("run") == run).collect()


def test_a_run_becomes_a_row_that_says_how_each_number_came_about(tmp_path):
    settings = {"model.n_params": 125e6, "train.batch_size": 8, "block_size": 1024, "world_size": 4, "seed": 3}
    add_runs([logged(settings=settings, steps=20)], tmp_path / "runs")
    runs = read_runs(tmp_path / "runs")
    row = runs.frame.row(0, named=True)
    assert (row["N"], row["batch"], row["D"]) == (125e6, 8 * 4 * 1024, 2000 * 8 * 4 * 1024)
    assert row["C"] == 6 * row["N"] * row["D"]
    assert row["loss"] == pytest.approx(4.0 - 1.9)
    assert (row["loss_metric"], row["loss_rule"], row["loss_step"], row["seed"]) == ("val_loss", "last", 2000, "3")
    assert "batch = batch_size × world_size × context" in row["derived"].replace("train.", "")
    assert "D = 2,000 steps × 32,768 tokens" in row["derived"]
    assert "C = 6ND" in row["derived"]


def test_the_rule_stands_in_the_store_and_in_what_a_check_says(tmp_path):
    add_runs([logged()], tmp_path / "runs", rules=Rules(pick=pick("last:3")))
    assert open_store(tmp_path / "runs").record["rules"]["pick"] == "last:3"
    (said,) = [finding.message for finding in check(read_runs(tmp_path / "runs")) if finding.code == "loss-rule"]
    assert "the mean of the last 3 logged values of val_loss" in said


def test_importing_again_changes_no_byte(tmp_path):
    logs = [logged("a"), logged("b", start=5.0)]
    add_runs(logs, tmp_path / "runs")
    before = files(tmp_path / "runs")
    done = add_runs(logs, tmp_path / "runs")
    assert (done.added, done.grown, done.unchanged) == ((), (), 2)
    assert files(tmp_path / "runs") == before


def test_what_is_new_comes_behind_and_leaves_the_rest_as_it_was(tmp_path):
    add_runs([logged("b"), logged("a", start=5.0)], tmp_path / "runs")
    before, kept = open_store(tmp_path / "runs").runs, curve(tmp_path / "runs", "a")
    done = add_runs([logged("a", start=5.0), logged("0", start=6.0)], tmp_path / "runs")
    after = open_store(tmp_path / "runs").runs
    assert done.added == ("0",)
    assert after["run"].to_list() == ["b", "a", "0"]
    assert after.head(2).drop("curve").equals(before.drop("curve"))
    assert curve(tmp_path / "runs", "a").equals(kept)


def test_a_large_file_of_curves_is_not_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr("isoflop.logs.store._SMALL", 5)
    add_runs([logged("a")], tmp_path / "runs")
    before = files(tmp_path / "runs")["curves/000001.parquet"]
    add_runs([logged("b")], tmp_path / "runs")
    assert files(tmp_path / "runs")["curves/000001.parquet"] == before
    assert len(open_store(tmp_path / "runs").parts) == 2


def test_a_run_that_went_on_takes_the_place_of_its_beginning(tmp_path):
    add_runs([logged("a", steps=5, status="running"), logged("b", start=5.0)], tmp_path / "runs")
    other = curve(tmp_path / "runs", "b")
    done = add_runs([logged("a", steps=9)], tmp_path / "runs")
    assert (done.added, done.grown) == ((), ("a",))
    store = open_store(tmp_path / "runs")
    assert store.runs["run"].to_list() == ["a", "b"]
    assert store.runs["rows"].to_list() == [9, 10]
    assert curve(tmp_path / "runs", "a")["step"].to_list() == list(range(100, 1000, 100))
    assert curve(tmp_path / "runs", "b").equals(other)
    assert add_runs([logged("a", steps=9)], tmp_path / "runs").unchanged == 1


def test_two_runs_of_one_name_are_both_kept_and_told_apart(tmp_path):
    one, two = logged("a"), logged("a", start=9.0)
    done = add_runs([one, two], tmp_path / "runs")
    assert done.added == ("a", "a (2)")
    assert [finding.message for finding in done.findings if finding.code == "one-name"] == [
        "two different runs are called 'a'; the later one is 'a (2)' here."
    ]
    assert add_runs([two, one], tmp_path / "runs").unchanged == 2
    assert add_runs([logged("a", start=7.0)], tmp_path / "runs").added == ("a (3)",)


def test_a_copy_of_a_log_counts_once(tmp_path):
    done = add_runs([logged("a"), logged("a")], tmp_path / "runs")
    assert done.added == ("a",)
    assert any(finding.code == "copies" for finding in done.findings)


@pytest.mark.parametrize(
    ("rule", "loss", "step"),
    [("last", 1.5, 500), ("last:2", 1.25, 500), ("min", 1.0, 400), ("step:250", 2.0, 200), ("step:900", math.nan, -1)],
)
def test_which_value_counts(tmp_path, rule, loss, step):
    run = logged(val_loss=[3, 2, np.nan, 1.0, 1.5])
    values = run.history.with_columns(pl.col("val_loss").fill_nan(None)).drop_nulls()
    found = picked(values["step"].to_numpy(), values["val_loss"].to_numpy(), pick(rule))
    assert found == pytest.approx((loss, step), nan_ok=True)
    sparse = LoggedRun(
        "a", "table", "a.csv", "finished", run.history.with_columns(pl.col("val_loss").fill_nan(None)), "x"
    )
    add_runs([sparse, logged("b", val_loss=[3, 2, 2.5, 1.0, 1.5])], tmp_path / "runs")
    row = final_losses(open_store(tmp_path / "runs"), pick(rule)).row(0, named=True)
    assert row == {"run": "a", "loss": None if step < 0 else loss, "loss_step": None if step < 0 else step}


def test_a_run_that_diverged_has_no_loss_but_one_at_a_step_before(tmp_path):
    broken = logged("a", val_loss=[3, 2, 1, np.nan], status="diverged")
    for rule in ("last", "last:2", "min"):
        done = add_runs([broken], tmp_path / rule, rules=Rules(pick=pick(rule)))
        assert done.store.runs["loss"].to_list() == [None]
        assert "diverged" in " ".join(finding.message for finding in read_runs(tmp_path / rule).findings)
    done = add_runs([broken], tmp_path / "step", rules=Rules(pick=pick("step:200")))
    assert done.store.runs["loss"].to_list() == [2.0]


def test_validation_counts_before_training_and_a_named_metric_before_both(tmp_path):
    both = {"train/loss": [3, 2], "eval/loss": [4, 3], "other": [9, 8]}
    add_runs([logged(**both)], tmp_path / "a")
    add_runs([logged(**both)], tmp_path / "b", rules=Rules(loss="train/loss"))
    add_runs([logged(**both)], tmp_path / "c", rules=Rules(loss="other"))
    assert [open_store(tmp_path / name).runs["loss"][0] for name in "abc"] == [3, 2, 8]
    assert set(curve(tmp_path / "a", "a").columns) == {"run", "step", "val_loss", "train_loss", "other", "loss"}


def test_curves_of_runs_with_different_metrics_have_one_loss(tmp_path):
    add_runs([logged("a", **{"val/loss": [3, 2]}), logged("b", **{"lm loss": [5, 4]})], tmp_path / "runs")
    assert scan_curves(open_store(tmp_path / "runs")).collect()["loss"].to_list() == [3, 2, 5, 4]


def test_a_perplexity_becomes_nats_and_units_that_differ_are_an_error(tmp_path):
    done = add_runs([logged("a", val_ppl=[20.0, 10.0]), logged("b", val_bpb=[1.1, 1.0])], tmp_path / "runs")
    assert done.store.runs["loss"].to_list() == pytest.approx([math.log(10), 1.0])
    (mixed,) = [finding for finding in read_runs(tmp_path / "runs").findings if finding.code == "mixed-units"]
    assert mixed.level == "error"
    assert "bits/byte and in nats/token" in mixed.message
    kept = read_runs(tmp_path / "runs", where="loss_unit == 'bits/byte'")
    assert (len(kept), kept["loss"][0]) == (1, 1.0)


def test_unfinished_runs_are_kept_and_said_or_left_out(tmp_path):
    half = logged("a", steps=5, status="unknown", settings={"max_steps": 5000})
    done = add_runs([half, logged("b")], tmp_path / "kept")
    assert done.store.runs["status"].to_list() == ["running", "finished"]
    assert any(finding.code == "unfinished-runs" for finding in done.findings)
    done = add_runs([half, logged("b")], tmp_path / "dropped", rules=Rules(unfinished="drop"))
    assert (done.added, done.left_out) == (("b",), ("a",))


def test_what_could_not_be_read_is_listed_and_the_rest_kept(tmp_path):
    done = add_runs([Unread("x.csv", "x.csv ends in the midst"), logged("a")], tmp_path / "runs")
    assert (done.added, [each.source for each in done.unread]) == (("a",), ["x.csv"])


def test_where_nothing_is_readable_no_store_is_made(tmp_path):
    with pytest.raises(LogError, match="no run could be read: x.csv ends in the midst"):
        add_runs([Unread("x.csv", "x.csv ends in the midst")], tmp_path / "runs")
    with pytest.raises(LogError, match="looked for"):
        (tmp_path / "empty").mkdir()
        import_logs([tmp_path / "empty"], tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_other_rules_are_refused_until_all_losses_are_chosen_again(tmp_path):
    add_runs([logged("a"), logged("b", start=5.0)], tmp_path / "runs")
    curves = files(tmp_path / "runs")["curves/000001.parquet"]
    with pytest.raises(DataError, match="made by other rules"):
        add_runs([logged("c")], tmp_path / "runs", rules=Rules(pick=pick("min")))
    choose_again(tmp_path / "runs", Rules(pick=pick("step:500"), given={"batch": 1000.0}))
    runs = open_store(tmp_path / "runs").runs
    assert runs["loss"].to_list() == pytest.approx([3.6, 4.6])
    assert runs["D"].to_list() == [500_000.0, 500_000.0]
    assert files(tmp_path / "runs")["curves/000001.parquet"] == curves
    assert add_runs([logged("c")], tmp_path / "runs").store.runs["loss_rule"].to_list() == ["step:500"] * 3


def test_a_metric_is_chosen_again_by_its_name_in_the_log(tmp_path):
    add_runs([logged(**{"train/loss": [3, 2], "eval/loss": [4, 3]})], tmp_path / "runs")
    assert choose_again(tmp_path / "runs", Rules(loss="train/loss")).store.runs["loss"].to_list() == [2.0]


def test_choosing_by_the_same_rules_gives_the_same_rows(tmp_path):
    settings = {"n_params": 1e6, "tokens_per_step": 100, "lr": 1e-3}
    rate = np.linspace(1e-3, 0, 10)
    add_runs([logged("a", settings=settings, **{"val/loss": np.linspace(4, 3, 10), "lr": rate})], tmp_path / "runs")
    before = open_store(tmp_path / "runs").runs
    choose_again(tmp_path / "runs", Rules())
    after = open_store(tmp_path / "runs").runs
    # the log's own spelling of a metric is not kept, so only the words of the derivation may differ
    assert after.drop("derived").equals(before.drop("derived"))


def test_a_kill_before_the_last_step_leaves_the_old_store(tmp_path):
    add_runs([logged("a")], tmp_path / "runs")
    before = files(tmp_path / "runs")
    script = """
        import os, sys
        from tests.logs.test_importing import logged
        from isoflop.logs import importing
        importing.write_runs = lambda *_: os._exit(9)
        importing.add_runs([logged("b")], sys.argv[1])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "runs")], check=False, env=here()
    )
    assert done.returncode == 9
    after = files(tmp_path / "runs")
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)  # the orphan, which the next import removes
    assert open_store(tmp_path / "runs").runs["run"].to_list() == ["a"]
    add_runs([logged("b")], tmp_path / "runs")
    named = {f"curves/{path.name}" for path in open_store(tmp_path / "runs").parts}
    add_runs([logged("b")], tmp_path / "runs")
    assert set(files(tmp_path / "runs")) == named | {"runs.parquet"}


def test_imports_at_once_wait_for_each_other(tmp_path):
    script = """
        import sys
        from tests.logs.test_importing import logged
        from isoflop.logs.importing import add_runs
        for number in range(4):
            add_runs([logged(f"{sys.argv[2]}{number}")], sys.argv[1])
    """
    started = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "runs"), name], env=here())
        for name in "ab"
    ]
    assert [process.wait(60) for process in started] == [0, 0]
    store = open_store(tmp_path / "runs")
    assert sorted(store.runs["run"]) == [f"{name}{number}" for name in "ab" for number in range(4)]
    assert scan_curves(store).select(pl.len()).collect().item() == 80


def here() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}", "POLARS_MAX_THREADS": "1"}


@pytest.mark.parametrize("rule", ["first", "last:0", "min:3", "step", "last:-1", "last:x", ""])
def test_a_rule_that_is_none_says_which_there_are(rule):
    with pytest.raises(DataError, match="use last, last:10"):
        pick(rule)


def test_rules_survive_their_record():
    rules = Rules(pick=pick("last:5"), loss="x", warmup=3, unfinished="drop", named={"N": "a"}, given={"batch": 2.0})
    assert Rules.from_dict(json.loads(json.dumps(rules.as_dict()))).as_dict() == rules.as_dict()
    with pytest.raises(DataError, match="unknown to this release"):
        Rules.from_dict({"later": 1})


def test_a_folder_that_is_no_store_of_ours_is_left_alone(tmp_path):
    pl.DataFrame({"run": ["a"], "loss": [1.0]}).write_parquet(tmp_path / "runs.parquet")
    with pytest.raises(DataError, match="did not write"):
        add_runs([logged("a")], tmp_path)


def test_public_curves_become_stores(tables, tmp_path):
    done = import_logs([tables / "multipower-lr" / "loss_curves.csv"], tmp_path / "runs")
    assert (done.store.runs.height, done.store.runs["rows"].sum()) == (27, 6265)
    assert sorted(set(done.store.runs["N"])) == [25e6, 100e6, 400e6]
    source = pl.read_csv(tables / "multipower-lr" / "loss_curves.csv")
    run = done.store.runs.filter((pl.col("N") == 25e6) & (pl.col("schedule") == "cosine_24000"))["run"][0]
    own = source.filter((pl.col("size_M") == 25) & (pl.col("schedule") == "cosine_24000"))
    assert curve(tmp_path / "runs", run).select("step", "lr", "loss").equals(own.select("step", "lr", "loss"))


def test_a_public_collection_of_odd_tables_becomes_a_store(tables, tmp_path):
    done = import_logs([tables / "hitchhiker-colpret"], tmp_path / "runs")
    assert [each.source for each in done.unread] == ["llms_zero_shot_table.csv"]
    runs = {row["run"]: row for row in done.store.runs.iter_rows(named=True)}
    k2 = runs["k2_65b_training_loss"]
    source = pl.read_csv(tables / "hitchhiker-colpret" / "k2_65b_training_loss.csv.gz")
    assert k2["rows"] == source.height
    last = source.sort("Step").drop_nulls("k2 training - lm loss").row(-1, named=True)
    assert (k2["D"], k2["C"]) == pytest.approx((last["tokens_seen"], last["flops"]))
    assert k2["loss"] == last["k2 training - lm loss"]
    opt = done.store.runs.filter(pl.col("source").str.contains("opt_perplexity") & (pl.col("N") == 125e6))
    own = pl.read_csv(tables / "hitchhiker-colpret" / "opt_perplexity_trajectories.csv").filter(model_size="125m")
    assert opt["loss"][0] == pytest.approx(math.log(own.sort("steps")["ppl"][-1]))
    assert opt["D"][0] is None  # its tokens are logarithms, and said to be no tokens
    assert any(finding.code == "tokens-odd" for finding in done.findings)
    redpajama = [row["D"] for name, row in runs.items() if name.startswith("redpajama")]
    assert len(redpajama) == 2
    assert all(1e11 < tokens < 2e12 for tokens in redpajama)  # tokens_B are billions


def test_a_damaged_store_is_one_sentence(tmp_path):
    add_runs([logged("a")], tmp_path / "runs")
    path = tmp_path / "runs" / "runs.parquet"
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-20], b"PAR1" + bytes(200), whole[:-12] + bytes(12)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="cannot be read") as caught:
            open_store(tmp_path / "runs")
        assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    for part in (tmp_path / "runs" / "curves").iterdir():
        part.unlink()
    with pytest.raises(DataError, match="is gone"):
        scan_curves(open_store(tmp_path / "runs"))
