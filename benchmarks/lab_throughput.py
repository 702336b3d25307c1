"""A whole sweep on two cores against a plain PyTorch loop that trains the same cells one after another on two threads.

    python benchmarks/lab_throughput.py [ROUNDS]

Both start from nothing, as a user would: interpreter, PyTorch, text, training, evaluation, tables. They take turns, and
each round is one ratio; the median is the result. Rounds that other programs disturbed are not counted. The plain loop
has the same model, batches, fused AdamW and evaluations, and writes no checkpoints.
"""

from __future__ import annotations

import os
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
# Two threads wait for each other at every product, so one other busy program slows the plain loop ten times and more;
# a round in which others took more than this share of the machine says nothing.
COMPANY = 0.03


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
        optimizer = torch.optim.AdamW(model.parameters(), lr=cell.lr, betas=(0.9, 0.95), fused=True)
        held = [torch.from_numpy(each) for each in task.held_out(cell.evaluation.windows)]
        points = cell.evaluation.steps(cell.steps)
        for step in range(cell.steps):
            for group in optimizer.param_groups:
                group["lr"] = cell.lr * cell.schedule.factor(step, cell.steps)
            inputs, targets = (torch.from_numpy(each) for each in task.batch(cell.seed, step, cell.batch // 128))
            loss = cross_entropy(model(inputs).reshape(-1, 256), targets.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if step + 1 in points:
                with torch.inference_mode():
                    for few, wanted in zip(held[0].split(64), held[1].split(64), strict=True):
                        cross_entropy(model(few).reshape(-1, 256), wanted.reshape(-1))


def timed(way: str, folder: Path) -> tuple[float, float]:
    """Seconds of one way in a process of its own, and the share of the machine that other programs took meanwhile."""
    busy, own, began = busy_seconds(), own_seconds(), time.perf_counter()
    subprocess.run([sys.executable, __file__, way, str(folder)], check=True)
    seconds = time.perf_counter() - began
    others = busy_seconds() - busy - (own_seconds() - own)
    return seconds, max(0.0, others) / (seconds * (os.cpu_count() or 1))


def busy_seconds() -> float:
    """Seconds that all processors together have been busy since the machine started (Linux)."""
    user, nice, system, _, _, irq, softirq, steal, *_ = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Processor seconds of this program and of all that it has started and seen end."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main(rounds: int) -> None:
    """Print the ratio of each undisturbed round and their median."""
    ratios: list[float] = []
    for number in range(3 * rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "spec.toml").write_text(SPEC)
            # whoever goes first in a round goes second in the next
            ways = ("lab", "plain") if number % 2 == 0 else ("plain", "lab")
            measured = {way: timed(way, folder) for way in ways}
        (lab_seconds, lab_others), (plain_seconds, plain_others) = measured["lab"], measured["plain"]
        others = max(lab_others, plain_others)
        ratio = plain_seconds / lab_seconds
        told = f"lab {lab_seconds:.1f} s, plain loop {plain_seconds:.1f} s, ratio {ratio:.2f}"
        if others > COMPANY:
            print(f"{told}: not counted, other programs took {others:.0%} of the machine", flush=True)
            continue
        print(told, flush=True)
        ratios.append(ratio)
        if len(ratios) == rounds:
            break
    if not ratios:
        raise SystemExit("every round was disturbed by other programs; run this on an idle machine")
    median = statistics.median(ratios)
    met = "met" if median >= TARGET else "missed"
    print(f"median ratio {median:.2f} of {len(ratios)} rounds; target {TARGET}: {met}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"lab": lab, "plain": plain}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 3)
