"""Logs written by the trackers themselves, each in a process of its own so that their warnings stay theirs."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "writers"


def written_by(script: str, folder: Path, *arguments: str, needs: str) -> Path:
    """The folder after the script wrote its logs there; skips where the tracker is not installed."""
    if any(importlib.util.find_spec(package) is None for package in needs.split()):
        pytest.skip(f"{needs} is not installed: pip install 'isoflop[writers]'")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hf"),
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPTS / script), str(folder), *arguments],
        env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode in (0, -9), done.stderr[-2000:]
    return folder


def loss(step: int) -> float:
    """What every writer logs at a step, so that each value can be checked."""
    return 3.0 / (1 + step) ** 0.1 + 0.01 * (step % 7)
