"""One run as its log tells it: settings, curves, results, and what is wrong with the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.values import FrozenMapping, Value

Status = Literal["finished", "running", "crashed", "diverged", "unknown"]
Setting = bool | int | float | str

STEP: Final = "step"
WALL: Final = "wall"  # seconds since the first record of the run


class LogError(IsoflopError):
    """A log cannot be read, or nothing that is read lies where one was looked for."""


@dataclass(frozen=True)
class LoggedRun(Value):
    """What was logged of one run.

    name: as the trainer named it, unique within its source.
    format: the reader's word: ``wandb``, ``tensorboard``, ``mlflow``, ``trackio``, ``trainer``, ``lightning``,
        ``text``, ``lm-eval`` or ``table``.
    source: where it lies, relative to what the user gave; never a home folder, a host or a user name.
    status: ``diverged`` where a loss ends in NaN or infinity, else as the log says; a log without an end is
        ``unknown``.
    settings: the configuration with nested names joined by a dot, ``optimizer.lr`` → 3e-4. Values that hold absolute
        paths, addresses or names of people are left out.
    history: ``step`` (Int64), then metrics (Float64), and ``wall`` (Float64, seconds since the start) where times
        were logged; sorted by step, one row a step. Null means not logged at this step; NaN means NaN was logged.
    results: numbers outside the history: final summaries and downstream metrics.
    digest: SHA-256 of the bytes that the run was read from; of its own rows where a file holds several runs.
    findings: what reading raised: truncated, sampled, restarted, …
    """

    name: str
    format: str
    source: str
    status: Status
    history: pl.DataFrame
    digest: str
    settings: Mapping[str, Setting] = field(default_factory=FrozenMapping)
    results: Mapping[str, float] = field(default_factory=FrozenMapping)
    findings: tuple[Finding, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the curves, without ``step`` and ``wall``."""
        return tuple(name for name in self.history.columns if name not in (STEP, WALL))


@dataclass(frozen=True)
class Unread:
    """A log that was found and could not be read, with the reason as one sentence."""

    source: str
    says: str
