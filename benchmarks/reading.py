"""How fast logs are read: console text by the megabyte, many small files, many of 150 kB, and the same files again.

``python -m benchmarks.reading [--size 300] [--files 3000] [--logs 1536]`` makes its own inputs in a temporary folder,
imports them in processes of their own, and prints seconds, the largest memory, and ratios: the time against that of
reading the bytes and hashing them, and of the second import against the first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_IMPORT = """
import json, resource, sys, time
from isoflop.logs.importing import import_logs
start = time.perf_counter()
done = import_logs([sys.argv[1]], sys.argv[2])
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": seconds, "processor": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024,
                  "runs": done.store.runs.height, "rows": int(done.store.runs["rows"].sum())}))
"""


def megatron(step: int, shift: float = 0.0) -> str:
    """A line of Megatron-LM. shift: what is added to the loss."""
    loss = 2 + 8 / (1 + step) ** 0.2 + shift
    return (
        f" [2026-04-28 14:{step // 60 % 60:02d}:{step % 60:02d}.123456] iteration {step:8d}/ 9000000 |"
        f" consumed samples: {step * 256:12d} | elapsed time per iteration (ms): {892 + step % 7}.1 |"
        f" learning rate: {3e-4 / (1 + step):.6E} | global batch size:   256 | lm loss: {loss:.6E} |"
        f" loss scale: 1.0 | grad norm: {0.5 + step % 9 / 10:.3f} |"
        f" number of skipped iterations:   0 |\n"
    )


def nanogpt(step: int) -> str:
    """A line of nanoGPT."""
    loss, odd = 2 + 8 / (1 + step) ** 0.2, step % 100
    return f"iter {step}: loss {loss:.4f}, time {90 + step % 17}.{odd:02d}ms, mfu 33.{odd:02d}%\n"


def trainer(step: int) -> str:
    """A bar and a dictionary of the Hugging Face Trainer."""
    total, loss = 9_000_000, 2 + 8 / (1 + step) ** 0.2
    return (
        f"\r {100 * step // total:2d}%|#         | {step}/{total} [02:01<1:00:51,  4.32s/it]\n"
        f"{{'loss': {loss:.4f}, 'grad_norm': {1 + step % 9 / 10}, 'learning_rate': {3e-4 / (1 + step)}, "
        f"'epoch': {step / total:.2f}}}\n"
    )


def write(path: Path, line: Callable[[int], str], size: int) -> None:
    """A console of ``size`` bytes."""
    with path.open("w") as file:
        written = step = 0
        while written < size:
            block = "".join(line(step + offset) for offset in range(10_000))
            file.write(block)
            written, step = written + len(block), step + 10_000


def small(folder: Path, count: int) -> None:
    """Consoles, tables and JSON Lines of a hundred points each."""
    for number in range(count):
        place = folder / f"group{number % 50}" / f"run{number}"
        place.mkdir(parents=True)
        points = [(step, 3 / (1 + step) ** 0.1 + number * 1e-4) for step in range(100)]
        match number % 3:
            case 0:
                text = "".join(f"step {step}/100 | loss: {loss:.5f} | lr: 0.001\n" for step, loss in points)
                (place / "train.log").write_text(text)
            case 1:
                (place / "history.csv").write_text("step,loss\n" + "".join(f"{s},{loss!r}\n" for s, loss in points))
            case _:
                lines = (json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in points)
                (place / "log.jsonl").write_text("".join(lines))


def of_size(folder: Path, count: int, size: int = 152_000) -> None:
    """Logs of ``size`` bytes: nanoGPT's and Megatron's consoles, one below its program's source, CSV, JSON Lines."""
    source = "import torch\n\n" + "".join(
        f"def layer_{at}(x, weight):\n    scale_{at} = 0.{at}\n    return torch.matmul(x, weight) * scale_{at}\n\n"
        for at in range(500)
    )
    for number in range(count):
        place = folder / f"group{number % 40}" / f"run{number}"
        place.mkdir(parents=True)
        shift = number * 1e-4

        def loss(step: int, shift: float = shift) -> float:
            return 2 + 8 / (1 + step) ** 0.2 + shift

        def of_megatron(step: int, shift: float = shift) -> str:
            return megatron(step, shift)

        text = {2: source + "=" * 100 + "\n", 3: "step,loss,lr\n"}.get(number % 5, "")
        name = ("train.log", "out.txt", "log.txt", "history.csv", "log.jsonl")[number % 5]
        writers: tuple[Callable[[int], str], ...] = (
            lambda step: f"iter {step}: loss {loss(step):.4f}, time 90.1ms\n",
            of_megatron,
            lambda step: f"step:{step}/4000 train_loss:{loss(step):.4f} train_time:{step}ms\n",
            lambda step: f"{step},{loss(step)!r},0.001\n",
            lambda step: json.dumps({"step": step, "loss": loss(step), "lr": 0.001}) + "\n",
        )
        line = writers[number % 5]
        parts, written, step = [text], len(text), 0
        while written < size:
            parts.append(line(step))
            written, step = written + len(parts[-1]), step + 1
        (place / name).write_text("".join(parts))


def measured(source: Path, store: Path) -> dict[str, float]:
    """One import in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, str(source), str(store)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def hashing(path: Path) -> float:
    """Seconds that the bytes alone take."""
    start = time.perf_counter()
    state = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            state.update(piece)
    return time.perf_counter() - start


def rows(size: int, files: int, logs: int) -> Iterator[str]:
    """Lines of the report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for line in (megatron, nanogpt, trainer):
            log = folder / f"{line.__name__}.log"
            write(log, line, size)
            bare = hashing(log)
            done = measured(log, folder / f"store-{line.__name__}")
            yield (
                f"{line.__name__:9s} {size / 1e6:6.0f} MB: {done['seconds']:6.1f} s ({done['processor']:.1f} s of "
                f"processor), {done['mb']:.0f} MB of memory, {done['rows']:,.0f} rows, "
                f"{done['seconds'] / bare:.1f} times the hashing"
            )
            log.unlink()
        small(folder / "many", files)
        first = measured(folder / "many", folder / "store")
        again = measured(folder / "many", folder / "store")
        share = again["seconds"] / first["seconds"] if first["seconds"] else math.nan
        yield (
            f"{files:,} small files: {first['seconds']:.1f} s ({first['processor']:.1f} s of processor), again "
            f"{again['seconds']:.1f} s ({again['processor']:.1f} s of processor, {share:.2f} of the first), "
            f"{first['runs']:,.0f} runs"
        )
        of_size(folder / "logs", logs)
        total = sum(path.stat().st_size for path in (folder / "logs").rglob("*.*"))
        done = measured(folder / "logs", folder / "store-logs")
        yield (
            f"{logs:,} files of {total / 1e6:.0f} MB: {done['seconds']:.1f} s ({done['processor']:.1f} s of "
            f"processor), {done['mb']:.0f} MB of memory, {done['runs']:,.0f} runs, {done['rows']:,.0f} rows"
        )


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=300, help="megabytes of console text")
    parser.add_argument("--files", type=int, default=3000, help="small files")
    parser.add_argument("--logs", type=int, default=1536, help="files of 152 kB")
    given = parser.parse_args()
    for line in rows(int(given.size * 1e6), given.files, given.logs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
