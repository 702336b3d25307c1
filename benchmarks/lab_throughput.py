"""A whole sweep on two cores against a plain PyTorch loop that trains the same cells one after another on two threads.

    python benchmarks/lab_throughput.py [ROUNDS]

Both start from nothing, as a user would: interpreter, PyTorch, text, training, evaluation, tables. They take turns, and
each round is one ratio; the median is the result. The plain loop has the same model, batches, fused AdamW and
evaluations, and writes no checkpoints.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = """
name = "throughput"
[task]
context = 128
[model]
sizes = [
    { width = 16, layers = 2, heads = 1 },
    { width = 32, layers = 3, heads = 1 },
    { width = 48, layers = 3, heads = 2 },
    { width = 64, layers = 4, heads = 2 },
    { width = 96, layers = 4, heads = 3 },
]
[train]
batch = 1024
lr = 0.003
[evaluate]
points = 4
windows = 128
[[design]]
kind = "isoflop"
budgets = [1e11, 2e11]
least = 30e3
"""
TARGET = 1.2


def lab(folder: Path) -> None:
    """The sweep as the package runs it, two workers."""
    from isoflop.lab.executors.local import LocalExecutor
    from isoflop.lab.spec import read_spec
    from isoflop.lab.sweep import perform

    swept = perform(read_spec(folder / "spec.toml"), folder / "lab", executor=LocalExecutor(2))
    if swept.failed or swept.diverged:
        raise SystemExit(f"cells failed: {swept.failed} {swept.diverged}")


def plain(folder: Path) -> None:
    """The plain loop, two threads."""
    import torch
    from torch.nn.functional import cross_entropy

    from isoflop.lab.design import cells_of
    from isoflop.lab.models import build
    from isoflop.lab.spec import read_spec
    from isoflop.lab.tasks import open_task

    torch.set_num_threads(2)
    for cell in cells_of(read_spec(folder / "spec.toml")):
        task = open_task(cell.task)
        model = build(cell.shape, classes=256, context=128, features=0, seed=cell.seed)
        optimiser = torch.optim.AdamW(model.parameters(), lr=cell.lr, betas=(0.9, 0.95), fused=True)
        held = [torch.from_numpy(each) for each in task.held_out(cell.evaluation.windows)]
        points = cell.evaluation.steps(cell.steps)
        for step in range(cell.steps):
            for group in optimiser.param_groups:
                group["lr"] = cell.lr * cell.schedule.factor(step, cell.steps)
            inputs, targets = (torch.from_numpy(each) for each in task.batch(cell.seed, step, cell.batch // 128))
            loss = cross_entropy(model(inputs).reshape(-1, 256), targets.reshape(-1))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            if step + 1 in points:
                with torch.inference_mode():
                    for few, wanted in zip(held[0].split(64), held[1].split(64), strict=True):
                        cross_entropy(model(few).reshape(-1, 256), wanted.reshape(-1))


def timed(way: str, folder: Path) -> float:
    """Seconds of one way, in a process of its own."""
    began = time.perf_counter()
    subprocess.run([sys.executable, __file__, way, str(folder)], check=True)
    return time.perf_counter() - began


def main(rounds: int) -> None:
    """Print the ratio of each round and their median."""
    ratios = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "spec.toml").write_text(SPEC)
            # whoever goes first in a round goes second in the next
            ways = ("lab", "plain") if number % 2 == 0 else ("plain", "lab")
            seconds = {way: timed(way, folder) for way in ways}
        ratios.append(seconds["plain"] / seconds["lab"])
        print(f"lab {seconds['lab']:.1f} s, plain loop {seconds['plain']:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    median = statistics.median(ratios)
    print(f"median ratio {median:.2f} of {rounds} rounds; target {TARGET}: {'met' if median >= TARGET else 'missed'}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"lab": lab, "plain": plain}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 3)
