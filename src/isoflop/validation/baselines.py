"""What a forecast must beat: three predictions of held-out runs that need no law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.laws.expression import runs_over_k
from isoflop.runs import Runs
from isoflop.validation.split import Window

Floats = NDArray[np.float64]

BASELINES = ("best seen", "most-trained run", "last two points")
_APART = 1.5  # two points of a line lie at least this factor apart


def baselines(runs: Runs, window: Window, *, response: str, inputs: Sequence[str]) -> Mapping[str, Floats]:
    """Predictions (held rows,) by name.

    ``best seen``: the lowest loss among the fitted rows (the highest of a response that rises with scale).
    ``most-trained run``: the loss of the fitted row with the most compute, C or N·D or what is held out by.
    ``last two points``: the line in logarithms through the two largest fitted sizes, at least a factor 1.5 apart, each
    by the row whose other inputs are nearest to the held-out row's; the loss itself where it has no logarithm.
    """
    loss = runs[response]
    size = runs[window.by]
    fitted, held = np.flatnonzero(window.train), np.flatnonzero(window.held)
    compute = _compute(runs, window.by)[fitted]
    falls = np.corrcoef(_ranks(compute), _ranks(loss[fitted]))[0, 1] <= 0 if np.ptp(loss[fitted]) else True
    best = loss[fitted].min() if falls else loss[fitted].max()
    most = loss[fitted][np.lexsort((loss[fitted] if falls else -loss[fitted], -compute))[0]]
    others = [runs[name] for name in inputs if name != window.by and name in runs and not runs_over_k(name)]
    places = np.column_stack([np.log(each) for each in others if (each > 0).all()] or [np.zeros(len(runs))])
    return {
        "best seen": np.full(len(held), best),
        "most-trained run": np.full(len(held), most),
        "last two points": _line(np.log(size), loss, places, fitted, held),
    }


def _compute(runs: Runs, by: str) -> Floats:
    if "C" in runs and np.isfinite(runs["C"]).all():
        return runs["C"]
    return runs["N"] * runs["D"] if "N" in runs and "D" in runs else runs[by]


def _ranks(values: Floats) -> Floats:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)


def _line(place: Floats, loss: Floats, others: Floats, fitted: NDArray[np.int64], held: NDArray[np.int64]) -> Floats:
    """Loss on the line through the last two sizes; place is log size, all arrays (rows, …)."""
    ends = np.unique(place[fitted])
    last = float(ends[-1])
    before = float(ends[ends <= last - np.log(_APART)][-1]) if ends[0] <= last - np.log(_APART) else float(ends[0])
    height = np.log(loss) if (loss > 0).all() else loss
    predicted = np.empty(len(held))
    for position, row in enumerate(held):
        first, second = (_nearest(fitted[place[fitted] == end], others, row) for end in (before, last))
        slope = (height[second] - height[first]) / (last - before) if last > before else 0.0
        predicted[position] = height[second] + slope * (place[row] - last)
    return np.exp(predicted) if (loss > 0).all() else predicted


def _nearest(rows: NDArray[np.int64], others: Floats, row: int) -> int:
    return int(rows[((others[rows] - others[row]) ** 2).sum(axis=1).argmin()])
