"""Console logs in the words of their trainers, and by a pattern."""

import gzip
import math
from pathlib import Path

import pytest
from tests.work import an_end

from isoflop.logs import LogError, LoggedRun, Unread, read_logs

MEGATRON = """\
  hidden_size ..................................... 1024
  data_path ....................................... ['/lustre/alice/x']
 [2026-04-28 14:23:45.123456] iteration       42/    500 | consumed samples:     10752 | elapsed time per iteration (ms): 892.1 | learning rate: 3.000000E-04 | global batch size:   256 | lm loss: 3.214500E+00 | loss scale: 1.0 | grad norm: 0.543 | number of skipped iterations:   0 |
 [default7]: iteration    43/     500 | consumed samples:      11008 | lm loss: 3.1E+00 | grad norm: 0.174 | num zeros: 0.0 |
-----------------------------------------------------------------------------------------------
 validation loss at iteration 43 | lm loss value: 2.463556E+00 | lm loss PPL: 1.174627E+01 |
"""  # noqa: E501
OLMO = """\
[2024-04-17 09:42:26] INFO     [olmo.train:816, rank=0] [step=1/739328]
    train/CrossEntropyLoss=11.25
    train/Perplexity=76,631
    throughput/total_tokens=4,194,304
    System/Peak GPU Memory (MB)=42,133
2024-04-17 09:42:38 INFO [olmo_core.train.callbacks.console_logger:68] [step=2/739328,epoch=0,eta=5h11m]
    train/CE loss=10.73
"""
TITAN = """\
\x1b[32m[rank0]:[titan] 2025-10-30 20:35:34,953 - root - INFO - \x1b[31mstep: 50  \x1b[32mloss:  7.1839  grad_norm:  0.9971  memory: 52.53GiB(66.33%)  tps: 11,481  tflops: 207.87  mfu: 21.02%\x1b[0m
[rank0]:[titan] 2025-10-30 20:35:49,197 - root - INFO - validate step: 50  loss:  6.8562  memory: 52.53GiB(66.33%)
"""  # noqa: E501
NANOCHAT = """\
depth                   : 12
Total batch size 262,144 => gradient accumulation steps: 4
Step 00000 | Validation bpb: 3.169725
step 00000/00002 (0.00%) | loss: 10.397340 | lrm: 0.03 | dt: 26087.22ms | tok/sec: 10,048 | bf16_mfu: 0.00
step 00001/00002 (0.20%) | loss: nan | lrm: 0.05 | dt: 2485.81ms | tok/sec: 105,456
"""
NANOGPT = """\
tokens per iteration will be: 491,520
number of parameters: 123.59M
step 0: train loss 10.9858, val loss 10.9866
iter 0: loss 10.9885, time 25143.94ms, mfu -100.00%
iter 10: loss 9.5000, time 2514.94ms, mfu 33.00%
"""
SPEEDRUN = """\
step:0/1750 val_loss:10.8258 train_time:0ms step_avg:nanms
step:1750/1750 val_loss:3.2789 train_time:161000ms step_avg:92.01ms
"""


@pytest.mark.parametrize(
    ("text", "points", "settings", "status"),
    [
        (MEGATRON, {"lm loss": {42: 3.2145, 43: 3.1}, "validation lm loss": {43: 2.463556},
                    "consumed samples": {42: 10752, 43: 11008}, "learning rate": {42: 3e-4}, "wall": {42: 0}},
         {"hidden_size": 1024, "max_steps": 500}, "unknown"),
        (OLMO, {"train/CrossEntropyLoss": {1: 11.25}, "train/Perplexity": {1: 76_631}, "train/CE loss": {2: 10.73},
                "throughput/total_tokens": {1: 4_194_304}, "wall": {1: 0, 2: 12}}, {"max_steps": 739_328}, "unknown"),
        (TITAN, {"loss": {50: 7.1839}, "val/loss": {50: 6.8562}, "tps": {50: 11_481}, "memory": {50: 52.53}},
         {}, "unknown"),
        (NANOCHAT, {"Validation bpb": {0: 3.169725}, "loss": {0: 10.39734, 1: math.nan},
                    "tok/sec": {0: 10_048, 1: 105_456}},
         {"depth": 12, "Total batch size": 262_144, "max_steps": 2}, "diverged"),
        (NANOGPT, {"train loss": {0: 10.9858}, "val loss": {0: 10.9866}, "loss": {0: 10.9885, 10: 9.5},
                   "time": {0: 25143.94, 10: 2514.94}, "mfu": {0: -100, 10: 33}},
         {"tokens per iteration will be": 491_520, "number of parameters": "123.59M"}, "unknown"),
        (SPEEDRUN, {"val_loss": {0: 10.8258, 1750: 3.2789}, "step_avg": {0: math.nan, 1750: 92.01}},
         {"max_steps": 1750}, "finished"),
    ],
    ids=["megatron", "olmo", "torchtitan", "nanochat", "nanogpt", "speedrun"],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_known_trainers(tmp_path: Path, text: str, points: dict, settings: dict, status: str, packed: bool) -> None:
    file = tmp_path / ("train.log.gz" if packed else "train.log")
    file.write_bytes(gzip.compress(text.encode(), mtime=0) if packed else text.encode())
    [run] = read_logs(tmp_path)
    assert isinstance(run, LoggedRun)
    assert (run.name, run.format, run.status) == ("train", "text", status)
    assert run.settings == settings
    for metric, expected in points.items():
        curve = dict(run.history.select("step", metric).drop_nulls().iter_rows())
        assert curve == pytest.approx(expected, nan_ok=True, abs=0), metric


def test_a_crash_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("iter 0: loss 3.0, time 1ms\nTraceback (most recent call last):\n")
    [run] = read_logs(tmp_path)
    assert run.status == "crashed"


def test_a_packed_log_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = "".join(f"iter {step}: loss {3 + step / 7:.4f}, time {step * 17 % 91}ms\n" for step in range(20_000))
    packed = gzip.compress(whole.encode(), mtime=0)
    (tmp_path / "a.log.gz").write_bytes(packed[: len(packed) // 2])
    [run] = read_logs(tmp_path)
    assert [finding.code for finding in run.findings] == ["cut-short"]
    assert run.findings[0].message == "a.log.gz ends within its compressed bytes; all that was written before was read."
    assert 5_000 < run.history.height < 15_000
    assert run.history["loss"][4_000] == pytest.approx(3 + 4_000 / 7, abs=1e-4)


def test_a_users_pattern(tmp_path: Path) -> None:
    (tmp_path / "own.dat").write_text("E 1\n  ce 2,000.5\nE 2\n  ce 1.5e0\nnoise\n")
    [run] = read_logs(tmp_path / "own.dat", pattern=r"^E (?P<step>\d+)|ce (?P<ce>[\d.,e]+)")
    assert run.history.to_dict(as_series=False) == {"step": [1, 2], "ce": [2000.5, 1.5]}


def test_a_pattern_that_backtracks_ends(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(("a" * 5_000 + "\n") * 50)
    with an_end():
        [unread] = read_logs(tmp_path / "a.log", pattern=r"(?P<step>(a+)+)(?P<loss>b)")
    assert isinstance(unread, Unread)
    assert "no line of it fits the pattern" in unread.says


def test_lines_without_end_take_time_in_proportion(tmp_path: Path) -> None:
    for number, piece in enumerate(
        ("step ", "a: ", "step: 1 loss ", "1,1", "aa aa", "[step=", "iter 1: loss 3.0, time ")
    ):
        (tmp_path / f"{number}.log").write_text(piece * 200_000)
    with an_end():
        for file in tmp_path.iterdir():
            list(read_logs(file, format="text"))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(?P<step>x", "is no regular expression that is read: unclosed group"),
        (r"loss (\d+)", "names no group; it needs"),
        (r"(?P<step>\d+)", "names step; it needs"),
        (r"(?P<step>\d+)(?=x)(?P<loss>.)", "look-around"),
    ],
)
def test_patterns_that_are_none(tmp_path: Path, pattern: str, says: str) -> None:
    with pytest.raises(LogError, match="mend it|such as") as caught:
        list(read_logs(tmp_path, pattern=pattern))
    assert says in str(caught.value)
