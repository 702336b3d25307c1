"""What the steps of a table are: a column that counts them, epochs where nothing else does, or a chart's axis."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from isoflop.findings import Finding
from isoflop.logs.logged import STEP, WALL
from isoflop.logs.run_builder import is_loss
from isoflop.logs.settings import end_of
from isoflop.runs.columns import canonical_symbol, plain

# The trainer's own count first; a tracker's counts its calls.
_STEPS: Final = (
    "train/global_step", "trainer/global_step", "global_step", "step", "current_steps", "current_step", "iteration",
    "iter", "num_updates", "update", "updates", "steps", "training_step", "train_step", "optimizer_step", "_step",
)  # fmt: skip
_ENDS: Final = frozenset(plain(word) for word in (*_STEPS, "iters", "iterations", "global_steps", "opt_step"))
_EPOCH: Final = ("epoch", "epoch_num", "epoch_number")  # `epochs` is a setting: how many there were
EPOCHS: Final = "epoch"
_DASH: Final = " - "
_FEWEST_CHARTED: Final = 6  # columns of two runs, each with its bounds; of fewer an empty one is no sign of a chart
_BOUND: Final = re.compile(r"(?P<name>.{1,600}?)(?P<bound>__MIN|__MAX)?", re.DOTALL)


def steps_of(frame: pl.DataFrame) -> tuple[pl.DataFrame, str | None, str]:
    """The frame, its column of steps (None: it has none), and ``epoch`` where that column counts epochs."""
    by_word = {name.strip().lower(): name for name in reversed(frame.columns)}
    named = [by_word[word] for word in _STEPS if word in by_word]
    named += [name for name in frame.columns if name not in named and plain(end_of(name)) in _ENDS]
    usable = [name for name in named if _counts(frame[name])]
    if usable:
        whole = [name for name in usable if not frame[name].has_nulls()]
        step = whole[0] if whole else usable[0]
        best = usable[0]
        if best != step and frame[best].null_count() <= frame.height / 2:  # a tracker's rows of other metrics
            return frame.with_columns(pl.col(best).forward_fill().backward_fill()), best, ""
        return _over_epochs(frame, step, by_word), step, ""
    epoch = next((by_word[word] for word in _EPOCH if word in by_word), None)
    if epoch is not None and _rows_are_epochs(frame, epoch):
        return frame, epoch, EPOCHS
    return frame, None, ""


def _counts(series: pl.Series) -> bool:
    return series.dtype.is_numeric() and series.count() > 0


def _rows_are_epochs(frame: pl.DataFrame, epoch: str) -> bool:
    """Whether rows are epochs of runs: counted by ones, several of them, with a loss that was logged in each."""
    series = frame[epoch]
    if not _counts(series) or series.has_nulls() or frame.height < 2:
        return False
    values = series.to_numpy().astype(np.float64)
    if not np.isfinite(values).all() or (values % 1 != 0).any():
        return False
    rises = np.diff(values)
    # runs one after the other begin anew
    counted = ((rises == 1) | (values[1:] <= values[0])).all() and (rises == 1).any()
    sizes = [name for name in frame.columns if canonical_symbol(name) == "N" and frame[name].n_unique() > 1]
    return (
        bool(counted) and not sizes and any(is_loss(name) and frame[name].dtype.is_numeric() for name in frame.columns)
    )


def _over_epochs(frame: pl.DataFrame, step: str, by_word: dict[str, str]) -> pl.DataFrame:
    """Steps that begin anew with every epoch (mmdetection's ``iter``), counted on: (epoch − first)·longest + step."""
    epoch = next((by_word[word] for word in _EPOCH if word in by_word), None)
    if epoch is None or frame[epoch].has_nulls() or frame[step].has_nulls() or not _counts(frame[epoch]):
        return frame
    steps, epochs = frame[step].to_numpy().astype(np.float64), frame[epoch].to_numpy().astype(np.float64)
    rises, turns = np.diff(steps), np.diff(epochs)
    if not len(rises) or (rises >= 0).all() or (turns < 0).any() or (rises[turns == 0] < 0).any():
        return frame
    counted = (epochs - epochs[0]) * steps.max() + steps
    return frame.with_columns(pl.Series(step, counted)) if (np.diff(counted) >= 0).all() else frame


def epochs_note(source: str) -> Finding:
    """What to know of a history whose steps are epochs."""
    return Finding(
        "epochs-as-steps",
        "note",
        f"the rows of {source} are epochs of a run; its steps count epochs, and no tokens follow from them.",
        "Add a column of steps or tokens, or give U, the tokens of an epoch.",
    )


def one_row_a_step(history: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Rows of one step (sorted) made one, of each metric the last value; and at how many steps values differed."""
    steps = history[STEP].to_numpy()
    starts = np.flatnonzero(np.append(True, steps[1:] != steps[:-1])) if len(steps) else np.empty(0, np.int64)
    if len(starts) == len(steps):
        return history, 0
    ends = np.append(starts[1:], len(steps)) - 1
    made, differs = [pl.Series(STEP, steps[ends])], np.zeros(len(starts), dtype=bool)
    for series in history.drop(STEP):
        at = np.where(series.is_not_null().to_numpy(), np.arange(len(steps)), -1)
        last = np.maximum.accumulate(at)[ends]
        made.append(pl.select(pl.when(pl.Series(last >= starts)).then(series.gather(np.maximum(last, 0)))).to_series())
        made[-1] = made[-1].alias(series.name)
        if series.name != WALL:
            values = series.fill_null(math.nan).to_numpy()
            differs |= np.fmax.reduceat(values, starts) > np.fmin.reduceat(values, starts)
    return pl.DataFrame(made), int(differs.sum())


def twice_note(count: int) -> Finding:
    """What to know of a run whose rows contradict each other."""
    return Finding(
        "steps-twice",
        "warning",
        f"{count:,} steps of the run stand in several rows with different values; the last row counts.",
        "Give the table a column called run that names the run of each row.",
    )


@dataclass(frozen=True)
class Charted:
    """A column of a chart that was exported: ``RUN - METRIC``, with ``__MIN`` or ``__MAX`` behind it."""

    column: str
    run: str
    metric: str
    bound: str


def charted(frame: pl.DataFrame, step: str) -> list[Charted]:
    """The columns of a chart, empty where the table is none.

    Names of runs may hold `` - `` too: the metric is what stands behind the last, unless only the first cut leaves
    one metric to all columns.
    """
    names = [name for name in frame.columns if name != step and _DASH in name]
    filled = [name for name in names if _counts(frame[name])]
    empty = [name for name in names if frame[name].null_count() == frame.height]
    if not names or len(filled) + len(empty) < len(names) or (empty and len(filled) < _FEWEST_CHARTED):
        return []
    last = [_cut(name, last=True) for name in names]
    first = [_cut(name, last=False) for name in names]
    metrics_last, metrics_first = ({each.metric for each in own} for own in (last, first))
    return first if len(metrics_first) == 1 < len(metrics_last) else last


def _cut(name: str, *, last: bool) -> Charted:
    match = _BOUND.fullmatch(name)
    bare, bound = (match["name"], match["bound"] or "") if match is not None else (name, "")
    run, _, metric = bare.rpartition(_DASH) if last else bare.partition(_DASH)
    return Charted(name, run or bare, metric, bound)
