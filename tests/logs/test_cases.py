"""Logs that were once read wrongly, each with its right value, read where they lie."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from isoflop import law
from isoflop.logs.imported import Imported
from isoflop.logs.importing import import_logs
from isoflop.logs.store import stored_curve
from isoflop.planning.downstream import stages
from isoflop.runs.store_tables import checkpoint_table, planned_steps, run_curve
from isoflop.validation.finish import finish


@pytest.fixture(scope="session")
def cases(tables: Path) -> Path:
    """The folder of such logs, which lies beside the public run tables."""
    folder = tables.parent / "cases" / "logs"
    if not folder.is_dir():
        pytest.skip(
            "no logs with faults lie beside the public run tables; set ISOFLOP_DATASETS to tables that have them"
        )
    return folder


def read(case: Path, store: Path, **given: Any) -> tuple[Imported, dict[str, dict[str, Any]]]:
    done = import_logs([case], store, **given)
    return done, {row["run"]: row for row in done.store.runs.iter_rows(named=True)}


def curve(done: Imported, run: str, metric: str) -> dict[int, float]:
    row = done.store.runs.row(by_predicate=pl.col("run") == run, named=True)
    table = stored_curve(done.store.folder, run, row["curve"])
    return dict(table.select("step", metric).drop_nulls().iter_rows())


def codes(done: Imported) -> set[str]:
    return {finding.code for finding in done.findings}


def test_source_code_in_a_log_states_no_settings(cases, tmp_path):
    _, rows = read(cases / "code-in-log", tmp_path / "s")
    (row,) = rows.values()
    assert [row[name] for name in ("N", "context", "lr", "warmup")] == [None] * 4
    assert (row["loss"], row["loss_step"], row["status"]) == (3.2781, 1770, "finished")


CONSOLES = {
    "buildnanogpt": {"val_loss": {0: 10.9511}, "train_loss": {0: 10.955029}},
    "composer": {"train_loss": {366: 10.375}, "tokens": {366: 382_730_240}},
    "deepspeed": {"loss": {10: 7.6258}},
    "fairseq": {"loss": {2800: 9.255}, "lr": {2800: 2.8e-5}},
    "fairseq_json": {"loss": {33_700: 8.206}},
    "hf_axolotl": {"loss": {28: 1.8218, 35: 1.7018}, "val_loss": {35: 1.7152}},
    "llmc": {"val_loss": {0: 11.0092}, "train_loss": {0: 11.0091}},
    "mmdet": {"loss": {2400: 0.489}},
    "mmengine": {"loss": {10: 11.4723, 20: 1.5616}},
    "openclip": {"loss": {11 * 18_783 + 784: 10.469}},
    "paddlenlp": {"loss": {20: 10.7086}},
}


@pytest.mark.parametrize("name", CONSOLES)
def test_consoles_of_further_trainers(cases, tmp_path, name):
    (file,) = (cases / "consoles-not-read").glob(f"{name}.*")
    done, rows = read(file, tmp_path / "s")
    assert list(rows) == [name]
    for metric, points in CONSOLES[name].items():
        assert curve(done, name, metric) == points
    assert rows[name]["loss_unit"] == ("bits/token" if "fairseq" in name else "nats/token")


def test_copies_that_trainers_and_notebooks_make_are_no_runs(cases, tmp_path):
    _, rows = read(cases / "copies-of-checkpoints", tmp_path / "s")
    assert {name: (row["format"], row["steps"], row["loss"]) for name, row in rows.items()} == {
        "out": ("trainer", 300, 2.0), "logs/version_0": ("lightning", 3, 3.0)
    }  # fmt: skip


def test_nan_in_a_table_does_not_lose_its_column(cases, tmp_path):
    done, rows = read(cases / "csv-nan-table", tmp_path / "s")
    (row,) = rows.values()
    assert (row["loss"], row["loss_metric"]) == (6.3, "val_loss")
    (found,) = [finding for finding in done.findings if finding.code == "nan"]
    assert "val_loss is NaN from step 2" in found.message


def test_scores_of_checkpoints_are_rows_for_a_chain(cases, tmp_path):
    done, _ = read(cases / "downstream-on-store", tmp_path / "s")
    runs = checkpoint_table(done.store.folder, columns=["lambada/ppl", "lambada/acc"])
    assert len(runs) == 9
    middle = np.array(runs.text("run")) == "m"
    rows = list(zip(*(runs[each][middle] for each in ("step", "N", "D", "lambada/acc")), strict=True))
    assert rows == [(1000, 1e8, 1e9, 0.22), (2000, 1e8, 2e9, 0.27), (4000, 1e8, 4e9, 0.32)]
    made = stages(runs, law("chinchilla"), loss="log(lambada/ppl)", score="lambada/acc")
    assert len(made.points) == 9
    np.testing.assert_allclose(sorted(made.points["loss"])[:2], np.log([11.11, 16.67]))
    assert made.points.loss_unit == "nats/token"


def test_rows_of_epochs_are_one_run(cases, tmp_path):
    done, rows = read(cases / "epoch-tables", tmp_path / "s")
    assert set(rows) == {"keras", "timm/summary", "yolo/results"}
    assert [row["rows"] for row in rows.values()] == [3, 3, 3]
    assert curve(done, "keras", "val_loss") == {0: 6.8, 1: 6.5, 2: 6.1}
    assert all(row["D"] is None for row in rows.values())
    assert {"epochs-as-steps", "loss-rivals"} <= codes(done)


def test_a_run_of_a_store_is_finished(cases, tmp_path):
    done, _ = read(cases / "finish-on-store", tmp_path / "s")
    runs = run_curve(done.store.folder)
    assert (len(runs), planned_steps(done.store.folder)) == (60, 2000)
    ahead = finish(runs, steps=2000, draws=200)
    assert ahead.last_loss == 2.9533
    assert ahead.expected.low < 2.847 < ahead.expected.high
    assert 2.80 < ahead.loss.value < 2.90


def test_parameters_that_the_trainer_states_are_taken(cases, tmp_path):
    done, rows = read(cases / "hf-wandb-num-parameters", tmp_path / "s")
    assert rows["r"]["N"] == 162_322_944
    assert "params-counted" not in codes(done)


def test_json_lines_half_written_and_with_nan(cases, tmp_path):
    done, rows = read(cases / "jsonl-last-line-cut", tmp_path / "a")
    assert curve(done, "log", "loss") == {1: 9.1, 2: 7.1}
    assert "cut-short" in codes(done)
    done, rows = read(cases / "jsonl-literal-nan", tmp_path / "b")
    assert curve(done, "log", "loss") == {1: 9.1, 2: 7.1, 3: 6.1}
    assert curve(done, "log", "grad_norm")[2] == np.inf
    assert rows["log"]["loss"] == 6.1


def test_pointers_of_git_lfs_are_named(cases, tmp_path):
    done, rows = read(cases / "lfs-pointers", tmp_path / "s")
    assert list(rows) == ["ok"]
    assert len(done.unread) == 5
    assert all("is a Git LFS pointer" in each.says and "git lfs pull" in each.says for each in done.unread)


def test_litgpt_counts_steps_and_not_micro_batches(cases, tmp_path):
    done, _ = read(cases / "litgpt-console", tmp_path / "s")
    assert curve(done, "pretrain", "train_loss") == {610_140: 2.846, 610_150: 2.75}
    assert curve(done, "pretrain", "val_loss") == {610_140: 2.861, 610_150: 2.861}
    assert curve(done, "finetune", "loss") == {601: 0.2745, 602: 0.2813}


def test_a_second_log_of_a_training_is_passed_over(cases, tmp_path):
    done, rows = read(cases / "llamafactory-trainer-log", tmp_path / "a")
    assert [row["format"] for row in rows.values()] == ["trainer"]
    assert "one-training" in codes(done)
    (alone,) = read(cases / "llamafactory-trainer-log" / "trainer_log.jsonl", tmp_path / "b")[1].values()
    assert (alone["rows"], alone["steps"], alone["loss"], alone["status"]) == (3, 30, 4.8555, "finished")
    done, rows = read(cases / "one-training-two-logs", tmp_path / "c")
    assert {name: row["format"] for name, row in rows.items()} == {"gpt2": "wandb"}
    assert curve(done, "gpt2", "val_loss")[400] == pytest.approx(3.4248)


def test_a_tasks_perplexity_is_a_score(cases, tmp_path):
    (row,) = read(cases / "lm-eval-ppl-as-loss", tmp_path / "s")[1].values()
    assert (row["loss"], row["lambada_openai/ppl"]) == (None, 142.0)


def test_revisions_of_a_model_are_checkpoints(cases, tmp_path):
    _, rows = read(cases / "lm-eval-revision", tmp_path / "s")
    assert {name: row.get("lambada_openai/acc") or row.get("arc_easy/acc") for name, row in rows.items()} == {
        "model-70m@1000": 0.05, "model-70m@3000": 0.12, "model-70m@143000": 0.18, "model-1b@1000": 0.31,
        "model-1b@20000": 0.42,
    }  # fmt: skip


def test_minutes_are_no_millions(cases, tmp_path):
    done, _ = read(cases / "minutes-as-millions", tmp_path / "s")
    assert curve(done, "train", "total time") == {1: 170.0}


def test_counts_that_nanochat_and_nanogpt_print(cases, tmp_path):
    _, rows = read(cases / "nanochat-head", tmp_path / "a")
    assert (rows["old"]["N"], rows["new"]["N"]) == (560_988_160, 286_261_706)
    assert (rows["old"]["D"], rows["new"]["D"]) == (21_400 * 524_288, 2205 * 524_288)
    assert [(rows[name]["loss"], rows[name]["loss_unit"]) for name in ("old", "new")] == [
        (0.8142, "bits/byte"), (0.8642, "bits/byte")
    ]  # fmt: skip
    (row,) = read(cases / "nanogpt-head", tmp_path / "b")[1].values()
    assert (row["N"], row["batch"], row["D"], row["loss"]) == (10.65e6, 16_384, 250 * 16_384, 2.07)


def test_neox_and_megatron_arguments_and_untied_embeddings(cases, tmp_path):
    done, rows = read(cases / "neox-console", tmp_path / "a")
    row = rows["train"]
    assert curve(done, "train", "train_loss") == {100: 9.201, 200: 8.101}
    assert (row["loss"], row["loss_step"], row["N"], row["batch"]) == (8.05, 200, 70_426_624, 1024 * 2048)
    assert "devices-unknown" not in codes(done)
    assert read(cases / "untied-keys", tmp_path / "b")[1]["train"]["N"] == 71_475_200


def test_held_out_losses_of_other_names_come_first(cases, tmp_path):
    done, rows = read(cases / "several-eval-sets", tmp_path / "s")
    assert rows["hf"]["loss_metric"] in ("eval_c4_loss", "eval_wikitext_loss")
    assert rows["hf"]["loss"] in (3.3, 3.5)
    assert (rows["olmo"]["loss"], rows["olmo"]["loss_metric"]) == (3.3, "eval/c4_en-validation/CrossEntropyLoss")
    assert "loss-rivals" in codes(done)


def test_runs_one_after_the_other_in_one_console(cases, tmp_path):
    _, rows = read(cases / "several-runs-in-one-file", tmp_path / "s")
    assert {name: (row["steps"], row["loss"]) for name, row in rows.items()} == {
        "all 1": (200, 4.0),
        "all 2": (150, 4.5),
    }


def test_a_loss_that_ends_early_is_not_the_ends(cases, tmp_path):
    done, rows = read(cases / "stale-loss", tmp_path / "s")
    (row,) = rows.values()
    assert (row["loss_metric"], row["loss"], row["loss_step"]) == ("validation/ctc_loss", 1.9, 78_676)
    (found,) = [finding for finding in done.findings if finding.code == "loss-ends-early"]
    assert "step 99 of 78,676" in found.message
    assert "validation/ctc_loss" in found.message


@pytest.mark.parametrize("given", [None, 16_384])
def test_tokens_of_rows_without_a_curve(cases, tmp_path, given):
    from isoflop.logs.rules import Rules

    rules = None if given is None else Rules(given={"batch": given})
    _, rows = read(cases / "tokens-per-step-advice", tmp_path / "s", rules=rules)
    assert [row["D"] for row in rows.values()] == [5000 * 64 * 256] * 2


def test_tokens_that_the_trainer_counted(cases, tmp_path):
    (row,) = read(cases / "trainer-tokens", tmp_path / "s")[1].values()
    assert row["D"] == pytest.approx(1.37e10, rel=0.01)
    assert "1,536 sequences" in row["derived"]
    assert row["batch"] == pytest.approx(row["D"] / 2175)
    assert 0.5 < row["C"] / (6 * row["N"] * row["D"]) < 2


def test_a_chart_whose_runs_have_dashes_in_their_names(cases, tmp_path):
    _, rows = read(cases / "wandb-chart-dash-in-name", tmp_path / "s")
    assert {name: (row["loss"], row["derived"]) for name, row in rows.items()} == {
        "lr - 3e-4": (7.1, "loss = train/loss"), "lr - 1e-3": (6.1, "loss = train/loss")
    }  # fmt: skip


def test_a_table_of_runs_that_has_their_steps(cases, tmp_path):
    _, rows = read(cases / "wandb-runs-table", tmp_path / "s")
    assert {name: (row["N"], row["loss"], row["status"], row["steps"]) for name, row in rows.items()} == {
        "s-70m": (70_426_624, 3.41, "finished", 10_000), "s-160m": (162_322_944, 3.01, "finished", 10_000)
    }  # fmt: skip


def test_the_step_is_the_trainers_own(cases, tmp_path):
    (row,) = read(cases / "wandb-step-iter", tmp_path / "s")[1].values()
    assert (row["loss_step"], row["D"]) == (20_000, 20_000 * 491_520)


def test_a_table_without_a_loss_becomes_a_store_that_says_so(tables, tmp_path):
    from isoflop.errors import DataError
    from isoflop.runs.curves import open_curves

    folder = tables.parent / "cases" / "faults" / "curves_noloss"
    if not folder.is_dir():
        pytest.skip("no such table lies beside the public run tables; set ISOFLOP_DATASETS to tables that have it")
    done = import_logs([folder], tmp_path / "s")
    assert json.loads(done.store.runs["settings"][0]) is not None
    with pytest.raises(DataError, match=r"no run of s has a loss; .*--loss NAME"):
        open_curves(tmp_path / "s")


def test_every_case_has_its_test(cases):
    """A case that is named nowhere in this file is one whose right value nobody asserts."""
    source = Path(__file__).read_text(encoding="utf-8")
    names = {page.stem for page in (cases).glob("*.md")} - {"README"}
    assert names and not {name for name in names if f'"{name}' not in source}
