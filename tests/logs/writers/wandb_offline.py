"""An offline run; with ``kill N`` the process ends itself with SIGKILL after N steps."""

import os
import signal
import sys
from pathlib import Path

os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
import wandb

folder, *rest = sys.argv[1:]
steps = int(rest[1]) if rest else 2_000
run = wandb.init(
    project="p", name="tiny", dir=folder,
    config={"optimizer": {"lr": 3e-4}, "n_params": 1000, "data": "/home/alice/c4", "user": "alice"},
)  # fmt: skip
for step in range(steps):
    value = 3.0 / (1 + step) ** 0.1 + 0.01 * (step % 7)
    run.log({"train": {"loss": value}, "grad": float("nan") if step == 3 else step, "ok": True, "text": "words"})
if rest:
    os.kill(os.getpid(), signal.SIGKILL)
run.summary["best"] = 1.5
run.finish()
assert list(Path(folder).rglob("*.wandb"))
