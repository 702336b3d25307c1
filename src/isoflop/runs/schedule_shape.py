"""Learning-rate schedules by name, ``cosine:0.1``, ``linear``, ``wsd:0.2:0.1`` or ``constant``, and their rates."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError, SpecError
from isoflop.runs.read import read_runs
from isoflop.runs.table import Runs
from isoflop.values import Value

Floats = NDArray[np.float64]

SHAPES: Final = ("cosine", "linear", "wsd", "constant")
_POINTS: Final = 2_000  # of a schedule; between two the rate changes evenly


@dataclass(frozen=True)
class Shape(Value):
    """``cosine:FINAL``, ``linear:FINAL``, ``wsd:DECAY:FINAL`` or ``constant``: rates as shares of the peak."""

    kind: str
    final: float = 0.0
    decay: float = 0.2

    def factor(self, step: Floats, *, top: float, end: float) -> Floats:
        """The share of the peak rate at steps between ``top``, where the warm-up has ended, and ``end``."""
        if self.kind == "constant":
            return np.ones_like(step)
        begin = end - self.decay * end if self.kind == "wsd" else top
        done = np.clip((step - begin) / max(end - begin, 1.0), 0.0, 1.0)
        fall = 0.5 * (1 + np.cos(math.pi * done)) if self.kind == "cosine" else 1 - done
        return self.final + (1 - self.final) * fall


def shape(text: str) -> Shape:
    """A schedule as written: ``cosine``, ``cosine:0.1``, ``linear``, ``wsd:0.2``, ``wsd:0.2:0.1``, ``constant``.

    Raises SpecError for another word (with the nearest) or a share outside 0 and 1.
    """
    kind, *rest = text.strip().lower().split(":")
    if kind not in SHAPES:
        near = difflib.get_close_matches(kind, SHAPES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(SHAPES)}"
        raise SpecError(f"--schedule {text!r} is not known; {hint}")
    try:
        shares = [float(each) for each in rest]
    except ValueError:
        shares = [math.nan]
    most = {"constant": 0, "wsd": 2}.get(kind, 1)
    if len(shares) > most or not all(0 <= each <= 1 for each in shares):
        raise SpecError(
            f"--schedule {text!r}: write cosine:FINAL, linear:FINAL, wsd:DECAY:FINAL (shares of 1) or constant"
        )
    if kind == "wsd":
        return Shape(kind, decay=shares[0] if shares else 0.2, final=shares[1] if len(shares) > 1 else 0.0)
    return Shape(kind, final=shares[0] if shares else 0.0)


def scheduled(wanted: Shape, *, steps: float, peak: float, warmup: float = 0.0) -> Runs:
    """The rates of a whole run as a table ``run``, ``step``, ``lr``: a linear warm-up to the peak, then the shape.

    η_i = η_peak · i / W for i < W, then η_peak · f((i − W) / (S − W)). steps: S, the last step. warmup: W.
    Raises DataError where the steps are not more than the warm-up, or a number is not positive.
    """
    if not (math.isfinite(steps) and math.isfinite(peak) and peak > 0 and 0 <= warmup < steps):
        raise DataError(
            f"a schedule needs a positive peak rate and more steps than its warm-up; lr is {peak:g}, step {steps:g}, "
            f"warmup {warmup:g}"
        )
    last = float(round(steps))
    step = np.unique(np.concatenate([np.linspace(1, last, _POINTS).round(), [max(1.0, round(warmup)), last]]))
    rate = peak * wanted.factor(step, top=warmup, end=last)
    if warmup > 0:
        rate = np.where(step < warmup, peak * step / warmup, rate)
    name = f"{wanted.kind} of {last:g} steps"
    return read_runs(pl.DataFrame({"run": [name] * len(step), "step": step, "lr": rate}))
