"""Learning-rate schedules: lr(step) = peak × warm-up × decay, as a factor between 0 and 1 for each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["cosine", "wsd", "constant", "multistep"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Schedule:
    """lr(s) = peak · w(s) · f(s), w(s) = min(1, (s + 1)/(warmup · S)), with S steps in all, s = 0 … S - 1.

    cosine: f falls from 1 to ``final`` along half a cosine over the steps after warm-up (Hoffmann et al. 2022 use 0.1).
    wsd: f = 1 until the last ``decay`` share of steps, then a straight line to ``final`` (Hu et al. 2024, MiniCPM).
    constant: f = 1.
    multistep: f is multiplied by ``drop`` at each share of S in ``milestones`` (DeepSeek LLM: 0.316 at 80 % and 90 %).

    ``warmup`` and ``decay`` are shares of S, so that a run of any length has its own full schedule.
    """

    kind: Kind = "cosine"
    warmup: float = 0.05
    final: float = 0.1
    decay: float = 0.2
    milestones: tuple[float, ...] = (0.8, 0.9)
    drop: float = 0.316

    def factor(self, step: int, steps: int) -> float:
        """The factor on the peak learning rate at ``step`` of ``steps``, counted from 0."""
        warm = self.warmup * steps
        rise = min(1.0, (step + 1) / warm) if warm > 1 else 1.0
        return rise * self._fall(step, steps, warm)

    def _fall(self, step: int, steps: int, warm: float) -> float:
        if self.kind == "cosine":
            done = max(0.0, step + 1 - warm) / max(steps - warm, 1.0)
            return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        if self.kind == "wsd":
            left = (steps - step - 1) / max(self.decay * steps, 1.0)
            return self.final + (1 - self.final) * min(1.0, left)
        if self.kind == "multistep":
            return self.drop ** sum(step >= share * steps for share in self.milestones)
        return 1.0
