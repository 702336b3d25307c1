"""Two runs in an Aim repository: sequences in two contexts, a count, an epoch, a value that is NaN, nested settings."""

import math
import sys

from aim import Run

for k in range(2):
    run = Run(repo=sys.argv[1], experiment="sweep", log_system_params=False, capture_terminal_logs=False)
    run["hparams"] = {"lr": 1e-3 * (k + 1), "n_params": 124_439_808, "nested": {"d_model": 768}, "bias": True}
    run.name = f"run {k}"
    for step in range(0, 300, 10):
        run.track(3 * math.exp(-step / 100) + k, name="loss", step=step, context={"subset": "train"}, epoch=step // 50)
        run.track(3.1 * math.exp(-step / 100) + k, name="loss", step=step, context={"subset": "val"})
        run.track(32 * 1024 * step, name="tokens", step=step)
    if k:
        run.track(float("nan"), name="loss", step=300, context={"subset": "train"})
    run.close()
