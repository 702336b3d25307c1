"""Logs of the Hugging Face Trainer, Lightning and lm-evaluation-harness."""

import json
from pathlib import Path

import pytest
from tests.logs.conftest import written_by

from isoflop.logs import LoggedRun, read_logs


@pytest.mark.slow
def test_hugging_face_trainer(tmp_path: Path) -> None:
    folder = written_by("hf_trainer.py", tmp_path, needs="transformers accelerate torch") / "exp"
    [run] = read_logs(folder)
    assert isinstance(run, LoggedRun)
    entries = json.loads((folder / "trainer_state.json").read_text())["log_history"]
    for metric in ("loss", "eval_loss", "learning_rate", "num_input_tokens_seen"):
        logged = {entry["step"]: entry[metric] for entry in entries[:-1] if metric in entry}
        curve = run.history.select("step", metric).drop_nulls()
        assert dict(curve.iter_rows()) == logged
    assert run.history["loss"].count() == 6
    assert run.history["eval_loss"].count() == 3
    assert run.status == "finished"
    assert run.results["total_flos"] == entries[-1]["total_flos"]
    assert run.results["train_loss"] == entries[-1]["train_loss"]
    assert "train_loss" not in run.metrics
    assert {name: run.settings[name] for name in ("n_layer", "n_embd", "vocab_size", "max_steps")} == {
        "n_layer": 2, "n_embd": 16, "vocab_size": 32, "max_steps": 60,
    }  # fmt: skip
    [window] = run.findings
    assert window.message == "loss is a mean over 10 steps, not the loss at its step."


def test_the_newest_checkpoint_stands_for_a_run_without_an_end(tmp_path: Path) -> None:
    for step in (9, 10):  # as text, 9 is after 10
        folder = tmp_path / "exp" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        history = [{"step": at, "loss": float("nan") if at == 10 else 3.0} for at in range(1, step + 1)]
        state = {"log_history": history, "global_step": step, "max_steps": 100, "logging_steps": 1}
        (folder / "trainer_state.json").write_text(json.dumps(state))
    [run] = read_logs(tmp_path)
    assert (run.source, run.status) == ("exp", "diverged")
    assert run.history["step"].to_list() == list(range(1, 11))


@pytest.mark.slow
def test_lightning(tmp_path: Path) -> None:
    [run] = read_logs(written_by("lightning_csv.py", tmp_path, needs="lightning torch"))
    assert (run.format, run.source) == ("lightning", "lightning_logs/version_0")
    # gradient descent on w²: w ← 0.8 w from 2, so that the loss is 4 · 0.64^step
    assert run.history["train_loss"].to_list() == pytest.approx([4 * 0.64**step for step in range(20)], rel=1e-5)
    validated = run.history.select("step", "val_loss").drop_nulls()
    assert validated["step"].to_list() == [9, 19]
    assert validated["val_loss"].to_list() == pytest.approx([4 * 0.64**10, 4 * 0.64**20], rel=1e-5)
    assert run.settings == {"lr": 0.1, "optimizer": "sgd"}
    assert run.findings == ()


@pytest.mark.slow
def test_lm_eval_by_its_dummy_model(tmp_path: Path) -> None:
    [run] = read_logs(written_by("lm_eval_dummy.py", tmp_path, needs="lm_eval torch") / "results")
    [file] = (tmp_path / "results").glob("*.json")
    scores = json.loads(file.read_text())["results"]["sums"]
    assert run.results == {"sums/acc": scores["acc,none"], "sums/acc_stderr": scores["acc_stderr,none"], "sums/n": 40.0}
    # the error of a mean of 40 outcomes of 0 or 1
    accuracy = scores["acc,none"]
    assert run.results["sums/acc_stderr"] == pytest.approx((accuracy * (1 - accuracy) / 39) ** 0.5)


def test_lm_eval_names_the_run_and_the_checkpoint(tmp_path: Path) -> None:
    report = {
        "results": {"gsm8k": {"exact_match,strict-match": 0.1, "exact_match_stderr,strict-match": "N/A", "alias": "x"}},
        "n-samples": {"gsm8k": {"original": 1319, "effective": 100}},
        "n-shot": {"gsm8k": 5},
        "config": {"model_args": "pretrained=/home/alice/exp-70m/checkpoint-500,dtype=bfloat16"},
    }
    (tmp_path / "results_2026.json").write_text(json.dumps(report))
    [run] = read_logs(tmp_path)
    assert run.name == "exp-70m"
    assert run.results == {"gsm8k/exact_match@strict-match": 0.1, "gsm8k/n": 100.0}
    assert run.settings == {"gsm8k.num_fewshot": 5, "model_args.dtype": "bfloat16", "step": 500}
    assert "alice" not in repr(run)
