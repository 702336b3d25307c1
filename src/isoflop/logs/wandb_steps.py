"""Which step a row of a Weights & Biases run belongs to: the trainer's own count, else W&B's count of calls of log().

``define_metric("val/*", step_metric="iter")`` names the count of some metrics; without it the usual names are looked
for. A row without the count belongs to the last one that was logged.
"""

from __future__ import annotations

import math
import re
from fnmatch import fnmatchcase
from typing import Final

from isoflop.logs.curves import Curves

# Trainers that log without a step number write the step as a metric; nanoGPT writes iter, Lightning global_step.
_COUNTS: Final = (
    "train/global_step", "trainer/global_step", "global_step", "train/step", "trainer/step", "step", "iter",
    "iteration", "train/iter", "train/iteration", "num_updates", "train/num_updates", "update",
)  # fmt: skip
# Axes that a chart may be drawn over and that count no steps.
_NO_STEP: Final = re.compile(r"epoch|token|sample|example|image|time|second|hour|flop|_runtime", re.IGNORECASE)


class Steps:
    """Puts rows into curves at their steps; remembers what was defined and the last count of each kind."""

    def __init__(self) -> None:
        self._defined: list[tuple[str, str]] = []  # pattern of names → metric that counts
        self._last: dict[str, float] = {}
        self._known: dict[str, str] = {}  # metric → metric that counts, "" for none
        self._rows = 0

    def define(self, pattern: str, counts: str) -> None:
        """The metrics of a name or pattern are counted by another one."""
        if pattern and counts and not _NO_STEP.search(counts):
            self._defined.append((pattern, counts))
            self._known.clear()

    def take(self, curves: Curves, row: dict[str, float], *, step: int | None = None) -> None:
        """One call of ``log``. step: W&B's own count, where it stands outside the row."""
        own = row.pop("_step", None)
        wall = row.pop("_timestamp", row.get("_runtime"))
        counted = float(step) if step is not None else own
        plain = counted if counted is not None and math.isfinite(counted) else float(self._rows)
        self._rows += 1
        axes = {axis for _, axis in self._defined}
        for name in (*_COUNTS, *axes):
            value = row.get(name)
            if value is not None and math.isfinite(value):
                self._last[name] = value
        usual = next((self._last[name] for name in _COUNTS if name in row and name in self._last), None)
        if usual is None:
            usual = next((self._last[name] for name in _COUNTS if name in self._last), plain)
        for name, point in row.items():
            if not name.startswith("_"):
                axis = self._axis(name) if self._defined else ""
                curves.add(name, int(self._last.get(axis, usual)), point)
        if wall is not None:
            curves.add_wall(int(usual), wall)

    def _axis(self, metric: str) -> str:
        """The metric that counts the steps of another: by its own name, else by the longest pattern."""
        axis = self._known.get(metric)
        if axis is None:
            fits = [(pattern == metric, len(pattern), own) for pattern, own in self._defined
                    if pattern == metric or fnmatchcase(metric, pattern)]  # fmt: skip
            axis = self._known[metric] = max(fits)[2] if fits else ""
        return axis
