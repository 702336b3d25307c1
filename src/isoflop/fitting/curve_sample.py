"""A sample of a store's curves: rows that stand for all of them, and those at which a schedule bends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.blocks import Progress, needs, usable
from isoflop.fitting.fit import fit, problem
from isoflop.fitting.objective import Objective
from isoflop.fitting.outer import Optimum
from isoflop.fitting.table import prepared_runs
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.runs.curves import Checkpoints, Curves
from isoflop.runs.table import ROW

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SAMPLE_ROWS = 32_768
_FEWEST = 16  # rows of a run that a sample holds at least, where it has them
_BENDS = 1_000  # rows of a run kept because its schedule bends there
_BEND = 1e-3  # share of the peak rate by which a row must miss the line through its neighbors to be a bend


@dataclass(frozen=True)
class Sample:
    """Rows that stand for all, and with them the rows at which schedules bend, so that areas stay those of all rows."""

    runs: Runs
    counts: Flags
    whole: bool  # whether it holds every row

    def prepared(self, law: Law) -> Runs:
        """The rows that count, with the columns that the law prepares."""
        return prepared_runs(law, self.runs).take(self.counts)

    def optimum(self, objective: Objective, starts: int, seed: int) -> Optimum:
        """The optimum of everything else, for the search of a constant that prepared columns depend on."""

        def at(law: Law, begin: Floats | None) -> tuple[float, Floats]:
            prepared = self.prepared(law)
            if begin is None:
                found = fit(law, prepared, objective=objective, starts=starts, seed=seed)
                return found.value, np.array([found.params[name] for name in law.param_names])
            ready = problem(law, prepared, objective=objective)
            solved = ready.solve(ready.coords.from_params(begin[None], ready.kernel.centers))
            return float(solved.value[0]), ready.params(solved.theta)[0]

        return at


def sample_of(law: Law, curves: Curves, progress: Progress) -> Sample:
    """Some :data:`SAMPLE_ROWS` rows that count, evenly spread. Raises FitError where no row counts."""
    expected = curves.rows if curves.thin is None else min(curves.rows, curves.thin * len(curves.chosen))
    stride = max(1, math.ceil(expected / SAMPLE_ROWS))
    frames, flags, seen = [], [], 0
    for batch in curves.batches(needs(law)):
        keep, counts = (np.ones_like(batch.counts), batch.counts) if stride == 1 else _spread(batch, stride)
        frames.append(batch.runs.frame.filter(pl.Series(keep)).drop(ROW))
        flags.append(counts[keep])
        seen += len(batch.runs)
        known = batch.runs
        progress("reading", min(1.0, seen / curves.rows))
    counts = np.concatenate(flags) if flags else np.zeros(0, dtype=bool)
    if not counts.any():
        raise FitError(f"no row of the curves of {curves.table.source} counts: no loss was logged after the warm-up")
    frame = pl.concat(frames, how="diagonal_relaxed")
    frame = frame.with_columns(pl.Series(ROW, np.arange(1, frame.height + 1, dtype=np.int64)))
    runs = replace(known, frame=frame)
    return _clean(law, Sample(runs, counts, whole=stride == 1))


def _clean(law: Law, sample: Sample) -> Sample:
    """The sample without rows that the full fit leaves out too, such as step 0, at which no area is positive.

    It keeps the prepared columns that no searched constant changes, which are then computed once.
    """
    searched = {each.name for each in law.searched}
    lasting = {name: how for name, how in law.prepared.items() if not searched & set(map(str, how.settings.values()))}
    runs = prepared_runs(replace(law, prepared=lasting), sample.runs)
    good = usable(law, prepared_runs(law, runs))
    return replace(sample, runs=runs, counts=sample.counts & good)


def _spread(batch: Checkpoints, stride: int) -> tuple[Flags, Flags]:
    """Which rows of whole runs to keep, and which of these count: every ``stride``-th, more of short runs."""
    counts = np.zeros(len(batch.counts), dtype=bool)
    keep = np.zeros(len(batch.counts), dtype=bool)
    rate = batch.runs["lr"] if "lr" in batch.runs.frame.columns else None
    step = batch.runs["step"]
    for begin, end in _stretches(batch.runs):
        rows = begin + np.flatnonzero(batch.counts[begin:end])
        own = max(1, min(stride, len(rows) // _FEWEST))
        counts[rows[own // 2 :: own]] = True
        keep[[begin, end - 1]] = True
        if rate is not None:
            keep[begin + _bends(step[begin:end], rate[begin:end])] = True
    return keep | counts, counts


def _bends(step: Floats, rate: Floats) -> Ints:
    """Rows at which a schedule leaves the straight line, with their neighbors."""
    if len(step) < 3:
        return np.arange(len(step))
    share = (step[1:-1] - step[:-2]) / np.maximum(step[2:] - step[:-2], 1)
    missed = np.abs(rate[1:-1] - (rate[:-2] + share * (rate[2:] - rate[:-2])))
    bent = 1 + np.flatnonzero(missed > _BEND * max(float(rate.max()), 1e-300))
    if len(bent) > _BENDS:  # a rate that is logged with noise bends everywhere
        bent = bent[np.argsort(-missed[bent - 1])[:_BENDS]]
    return np.unique(np.concatenate([bent - 1, bent, bent + 1]))


def _stretches(runs: Runs) -> Iterator[tuple[int, int]]:
    """First row and end of each run, in order."""
    ends = np.cumsum(runs.frame["run"].rle().struct.field("len").to_numpy().astype(np.int64))
    yield from zip([0, *ends[:-1]], ends, strict=True)
