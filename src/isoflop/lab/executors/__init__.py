"""Executors: where cells run. :mod:`isoflop.lab.executors.base` says what one must do."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from isoflop.errors import SpecError
from isoflop.lab.executors.base import Executor, Job, Outcome

EXECUTORS: Mapping[str, str] = {
    "local": "isoflop.lab.executors.local",
    "slurm": "isoflop.lab.executors.slurm",
    "ray": "isoflop.lab.executors.ray",
}

__all__ = ["EXECUTORS", "Executor", "Job", "Outcome", "connect"]


def connect(name: str, *, workers: int, logs: Path, options: Mapping[str, str] | None = None) -> Executor:
    """The executor of that name, ready for ``workers`` jobs at a time.

    Raises SpecError for an unknown name or option and MissingExtraError where its package is not installed.
    """
    if name not in EXECUTORS:
        raise SpecError(f"unknown executor {name!r}; it can be {', '.join(EXECUTORS)}")
    module = importlib.import_module(EXECUTORS[name])
    executor: Executor = module.connect(workers=workers, logs=logs, options=options or {})
    return executor
