"""A Trackio project without a network."""

import os
import sys

os.environ["TRACKIO_DIR"] = sys.argv[1]
import trackio

for name in ("a", "b"):
    trackio.init(project="p", name=name, config={"lr": 3e-4, "data": "/home/alice/c4"})
    for step in range(100):
        value = 3.0 / (1 + step) ** 0.1 + 0.01 * (step % 7)
        trackio.log({"train": {"loss": value}, "grad": float("nan") if step == 3 else step})
    trackio.finish()
