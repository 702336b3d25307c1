"""Many lines at once give what each line gives by itself; steps, restarts and settings of consoles."""

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop.logs import LoggedRun, read_logs
from isoflop.logs.console import NOTHING, Console, parse
from isoflop.logs.console_settings import Header
from isoflop.logs.dialects import number
from isoflop.logs.importing import import_logs

SHAPES = (
    "iter {i}: loss {x:.4f}, time {t}ms, mfu {m:.2f}%",
    " [2026-04-28 14:23:45.1] iteration {i:8d}/ 500000 | consumed samples: {big:12d} | lm loss: {x:.6E} |",
    "step {i:05d}/{total} ({m:.2f}%) | loss: {x:.6f} | lrm: 0.{t} | dt: {t}.5ms | tok/sec: {big:,} | time: {m:.2f}m",
    "step:{i}/{total} val_loss:{x:.4f} train_time:{t}ms step_avg:nanms",
    "[step={i}/{total},epoch=0]",
    "    train/CE loss={x:.3f}",
    "    throughput/total_tokens={big:,}",
    "Epoch {e} | iter {big} step {i} | loss train: {x:.3f}, val: n/a | iter time: {t}.25 ms (step) remaining: 0:01:{t}",
    "2020-07-17 07:11:02 | INFO | train_inner | epoch 001:   {i} / 160368 loss={x:.3f}, num_updates={i}, lr={l:.2e}",
    "{{'loss': {x:.4f}, 'grad_norm': {m}, 'learning_rate': {l}, 'epoch': {m:.2f}, 'top{e}_acc': 0.5}}",
    "  3%|#   | {i}/{total} [02:01<1:00:51,  4.32s/it]",
    "Train Epoch: {e} [  {t}/18783 (4%)] Data (t): 31.681 LR: 0.000017 Loss: {x:.3f} ({x:.3f})",
    "mmdet - INFO - Epoch [{e}][{t}/7517]\tlr: 0.00125, eta: 4:33:09, loss: {x:.4f}",
    "step: {i}  loss: -{x:.4f}  delta: {m:+.2f}  memory: 52.53GiB({m:.2f}%)  wikitext-{e} ppl: {big}",
    "saved checkpoint-{i} at step {i}",
    "nothing at all {big}",
)  # fmt: skip


def lines(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [
        rng.choice(SHAPES).format(
            i=rng.randrange(10**7), x=rng.uniform(0, 12), t=rng.randrange(10, 60), m=rng.uniform(-100, 100),
            l=rng.uniform(0, 1e-3), e=rng.randrange(1, 4), big=rng.randrange(10**9), total=10**7,
        )
        for _ in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_lines_of_one_shape_are_read_as_each_by_itself(seed: int) -> None:
    text = lines(2_000, seed)
    said = Console().read(text)
    points = {}
    for name, (places, values) in said.metrics.items():
        for place, value in zip(said.at[places].tolist(), values.tolist(), strict=True):
            points.setdefault(place, {})[name] = value
    steps = dict(zip(said.at.tolist(), said.step.tolist(), strict=True))
    read = 0
    for at, line in enumerate(text):
        own = parse(line)
        expected = {pair.name: number(line[slice(*pair.value)]) * pair.scale for pair in own.pairs}
        assert points.get(at, {}) == pytest.approx(expected, nan_ok=True, rel=1e-12, abs=0), line
        if len(own.step) == 1:
            assert steps[at] == number(line[slice(*own.step[0])]), line
        read += own.kind != NOTHING
    assert read > 1_500


def write(folder: Path, text: str, name: str = "a.log") -> LoggedRun:
    (folder / name).write_text(text)
    [run] = read_logs(folder / name)
    assert isinstance(run, LoggedRun)
    return run


def points(run: LoggedRun, metric: str) -> dict[int, float]:
    return dict(run.history.select("step", metric).drop_nulls().iter_rows())


def test_a_carriage_return_ends_a_line(tmp_path: Path) -> None:
    bars = "".join(f"\r {step}%|##  | {step}/100 [00:01<00:02,  1.0s/it]" for step in range(60))
    run = write(
        tmp_path,
        f"{bars}\r{{'loss': '1.5', 'epoch': '0.6'}}\n{bars.replace('59/', '60/')}\n{{'loss': 1.25, 'epoch': 0.61}}\n",
    )
    assert points(run, "loss") == {59: 1.5, 60: 1.25}


def test_evaluation_has_a_bar_of_its_own(tmp_path: Path) -> None:
    run = write(
        tmp_path,
        " 10%|#   | 10/100 [00:01<00:02]\n{'loss': 3.0, 'epoch': 0.1}\n 10%|#   | 10/100 [00:01<00:02]\n"
        "100%|####| 7/7 [00:01<00:00]\n{'eval_loss': 2.5, 'eval_runtime': 1.0, 'epoch': 0.1}\n"
        " 20%|##  | 20/100 [00:02<00:02]\n{'loss': np.float64(2.75), 'epoch': 0.2}\n"
        "{'train_runtime': 9.0, 'train_loss': 2.9, 'train_samples_per_second': 4.0, 'epoch': 0.2}\n",
    )
    assert points(run, "loss") == {10: 3.0, 20: 2.75}
    assert points(run, "eval_loss") == {10: 2.5}
    assert run.results["train_runtime"] == 9.0
    assert "train_loss" not in run.history.columns
    assert run.settings["max_steps"] == 100


FORMS = {
    "NeMo": "Epoch 0: :  1%|█| {i}/10000 [00:10<10:00, v_num=a, reduced_train_loss={x}, global_step={i}.0, val=4]",
    "NeMo 2": "Training epoch 0, iteration {i}/9999 | lr: 1e-05 | global_step: {i} | reduced_train_loss: {x} | a: 1.1",
    "PyTorch's examples": "Epoch: [0][{i}/9999]\tTime 0.1 (0.1)\tLoss {x:.4e} ({x:.4e})\tAcc@1 1.0 (1.0)",
    "spaced": "step {i} loss {x}",
    "bars": "Iter {i} | Loss {x} | Time 0.1s",
    "after an epoch": "Epoch 1 Step {i} Loss {x}",
    "in brackets": "[{i}/9999] train_loss: {x}, lr: 0.001",
    "a bar left on the line": "  5%|██        | {i}/9999 [00:01<01:00,  3.9it/s]{{'loss': {x}, 'epoch': 0.1}}",
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_step_and_its_loss(tmp_path: Path, name: str) -> None:
    points = {100: 7.25, 200: 6.5, 300: 6.125, 400: 5.875}
    (tmp_path / "a.log").write_text("".join(FORMS[name].format(i=i, x=x) + "\n" for i, x in points.items()))
    [run] = read_logs(tmp_path / "a.log")
    assert isinstance(run, LoggedRun)
    metric = next(each for each in run.history.columns if each not in ("step", "val_loss") and "loss" in each.lower())
    assert dict(run.history.select("step", metric).iter_rows()) == points


def test_an_evaluation_follows_a_bar_left_on_the_line(tmp_path: Path) -> None:
    text = FORMS["a bar left on the line"].format(i=300, x=6.5) + "\n{'eval_loss': 3.41, 'eval_runtime': 3.1}\n"
    (tmp_path / "a.log").write_text(text)
    [run] = read_logs(tmp_path / "a.log")
    assert isinstance(run, LoggedRun)
    assert dict(run.history.select("step", "eval_loss").drop_nulls().iter_rows()) == {300: 3.41}


def test_a_programs_indented_text_hangs_below_no_step(tmp_path: Path) -> None:
    text = "".join(f"    scale_{at} = 0.{at}\n" for at in range(1, 50)) + "step:1/2 val_loss:4.5\n    late = 0.5\n"
    (tmp_path / "a.log").write_text(text)
    [run] = read_logs(tmp_path / "a.log")
    assert isinstance(run, LoggedRun) and run.history.columns == ["step", "val_loss"]


def test_parameters_of_all_ranks_are_summed_and_of_some_are_not(tmp_path: Path) -> None:
    ranks = [
        f" > number of parameters on (tensor, pipeline) model parallel rank ({t}, {p}): {101 + p}000000\n"
        for p in (0, 1) for t in (0, 1)
    ]  # fmt: skip
    steps = "".join(f" iteration {at:8d}/    1000 | lm loss: {9 - at / 100:.6E} |\n" for at in (100, 200, 300))
    (tmp_path / "whole.log").write_text("".join(ranks) + steps)
    (tmp_path / "part.log").write_text("".join(ranks[:3]) + steps)
    rows = {row["run"]: row for row in import_logs([tmp_path], tmp_path / "s").store.runs.iter_rows(named=True)}
    assert rows["whole"]["N"] == 406e6 and rows["part"]["N"] is None


def test_dictionaries_without_steps_are_numbered_and_said_so(tmp_path: Path) -> None:
    run = write(tmp_path, "{'loss': 3.0, 'epoch': 0.1}\n{'loss': 2.0, 'epoch': 0.2}\n{'loss': 1.0, 'epoch': 0.3}\n")
    assert points(run, "loss") == {1: 3.0, 2: 2.0, 3: 1.0}
    assert "no-steps" in {finding.code for finding in run.findings}


def test_a_run_that_starts_anew_is_no_second_run_unless_the_first_ended(tmp_path: Path) -> None:
    again = write(tmp_path, "".join(f"step {i}/100 | loss: {i}.5\n" for i in (0, 10, 20, 0, 10, 30)))
    assert points(again, "loss") == {0: 0.5, 10: 10.5, 30: 30.5}
    (found,) = [finding for finding in again.findings if finding.code == "begins-again"]
    assert "begin again 1 times" in found.message
    resumed = write(tmp_path, "".join(f"step {i}/100 | loss: {i}.5\n" for i in (0, 10, 20, 10, 30)), "b.log")
    assert "begins-again" not in {finding.code for finding in resumed.findings}


@pytest.mark.parametrize("totals", [(20, 20), (40, 30)])
def test_several_runs_in_one_console(tmp_path: Path, totals: tuple[int, int]) -> None:
    text = "".join(f"step {i}/{total} | loss: {total + i}.5\n" for total in totals for i in (0, 10, 20))
    (tmp_path / "a.log").write_text(text)
    first, second = read_logs(tmp_path)
    assert (first.name, second.name) == ("a 1", "a 2")
    assert first.digest != second.digest
    assert points(second, "loss") == {0: totals[1] + 0.5, 10: totals[1] + 10.5, 20: totals[1] + 20.5}


def test_fairseq_takes_the_likelihood_and_its_own_validation(tmp_path: Path) -> None:
    run = write(
        tmp_path,
        "x | INFO | train_inner | epoch 001:  10 / 99 loss=9.9, nll_loss=9.1, ppl=548, num_updates=10, lr=1e-05\n"
        "x | INFO | valid | epoch 001 | valid on 'valid' subset | loss 8.9 | nll_loss 8.2 | ppl 294 | num_updates 20 "
        "| best_loss 8.9\n",
    )
    assert points(run, "loss") == {10: 9.1}
    assert points(run, "valid loss") == {20: 8.2}
    assert run.settings["loss_unit"] == "bits/token"


def test_epochs_count_on(tmp_path: Path) -> None:
    run = write(tmp_path, "".join(
        f"INFO - Epoch(train)  [{epoch}][{place:4d}/100]  lr: 1e-3  eta: 1:02:03  loss: {epoch + place / 100}\n"
        for epoch in (1, 2) for place in (50, 100)
    ))  # fmt: skip
    assert list(points(run, "loss")) == [50, 100, 150, 200]
    assert "eta" not in run.history.columns


def test_composer_evaluates_at_the_step_before(tmp_path: Path) -> None:
    run = write(
        tmp_path,
        "[epoch=0][batch=10/20]:\n\t Train time/token: 1000\n\t Train loss/train/total: 3.5\n"
        "[Eval batch=1/4] Eval on eval data:\n\t Eval metrics/eval/LanguageCrossEntropy: 3.25\n",
    )
    assert points(run, "loss/train/total") == {10: 3.5}
    assert points(run, "metrics/eval/LanguageCrossEntropy") == {10: 3.25}


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("import torch\nlr: float = 1.0\nn_layer = 12\nclass A:\n    d = 3\n", {}),
        ("lr = 1.0\nfrom x import y\n" + "=" * 60 + "\nTotal batch size: 64\n", {"Total batch size": 64}),
        ("  hidden_size ....... 512.....updated\n  tied ..... True....default\n", {"hidden_size": 512, "tied": True}),
        ("| num_parameters        | 124475904       |\n", {"num_parameters": 124_475_904}),
        ("Model llama3 8B size: 8,030,261,248 total parameters\n", {"total parameters": 8_030_261_248}),
        ("[INFO|trainer.py:2134] 2024-01-01 >>   Num examples = 52,002\n", {"Num examples": 52_002}),
        ("Parameter counts:\nwte : 100\ntotal : 300\n\nxy: 1\n",
         {"Parameter counts.wte": 100, "Parameter counts.total": 300, "xy": 1}),
    ],
)  # fmt: skip
def test_settings_before_the_first_step(text: str, settings: dict) -> None:
    header = Header()
    for line in text.split("\n"):
        header.take(line)
    assert header.settings == settings


def test_a_number_behind_an_m_is_no_million_but_an_M_is(tmp_path: Path) -> None:
    run = write(tmp_path, "step 1/9 | loss: 2.0 | eta: 5m | seen: 5M | rate: 11.5k | mem: 3G | took: 2h\n")
    assert {name: run.history[name][0] for name in ("eta", "seen", "rate", "mem", "took")} == {
        "eta": 5, "seen": 5e6, "rate": 11_500, "mem": 3e9, "took": 2
    }  # fmt: skip


def test_a_long_console_in_pieces(tmp_path: Path) -> None:
    steps = np.arange(60_000)
    text = "".join(f"iter {step}: loss {3 + step % 1000 / 7:.4f}, time 1.5ms\n" for step in steps)
    assert len(text) > 2 * 2**20  # several pieces of the file
    run = write(tmp_path, text)
    assert run.history["step"].to_list() == steps.tolist()
    np.testing.assert_allclose(run.history["loss"].to_numpy(), np.round(3 + steps % 1000 / 7, 4), atol=1e-9)
    assert run.history["time"].unique().to_list() == [1.5]


def test_words_that_only_look_like_a_log(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "Step by step, with 3 losses.\n10 train 3 wagons\nDownloading: 3%|# | 3/100 [00:01<00:02]\n"
    )
    (tmp_path / "b.log").write_text("step 1/2 | loss: 3.0\n")
    runs = list(read_logs(tmp_path))
    assert [run.source for run in runs] == ["b.log"]
    assert isinstance(runs[0].history, pl.DataFrame)
