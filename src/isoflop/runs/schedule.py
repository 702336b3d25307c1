"""Areas under a learning-rate schedule, from the rates that a table of checkpoints holds.

A run is a set of rows (step s, rate η); between two rows the rate is taken to change evenly, step by step, which is
exact where every step has its row. Cost is linear in the rows, whatever the gaps between them.

A warm-up is no annealing undone: where rates are held before a run's first row, those of its first, rising rows count
as the rate at their top too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Before = Literal["held", "linear", "nothing"]

# What the steps before a run's first row add: its first rate, held; a linear warm-up to it; or nothing.
BEFORE: dict[str, float] = {"held": 1.0, "linear": 0.5, "nothing": 0.0}
_PIECES = 8  # of a change between two rows that has just happened
_WARMUP = 32  # pieces of a warm-up
_MOST_PAIRS = 4_000_000
_LEAST_RATE = 1e-9  # of a fall: the rate that it ends at, and the area since, count as no lower
_LONGEST_FADE = 30.0  # e-folds of decay summed with one scale factor: e^30 leaves room for every digit


@dataclass(frozen=True)
class _Order:
    """Rows sorted by run, then step. first: (rows,), whether a row begins a run. gap: steps since the row before."""

    rows: Ints
    first: NDArray[np.bool_]
    step: Floats
    rate: Floats
    gap: Floats
    drop: Floats


def rate_area(step: Floats, rate: Floats, runs: Ints, *, before: Before = "held") -> Floats:
    """S₁ = Σ_{i≤s} η_i for every row, (rows,): the sum of all rates up to and with the row's own step.

    step, rate: (rows,), the optimizer step and its learning rate. runs: (rows,), which run a row belongs to.
    Raises DataError for a negative rate, a step below 1 or one that a run has twice.
    """
    order = _sorted(step, rate, runs, lift=before == "held")
    rise = _rises(order)
    rise[order.first] = (np.maximum(order.step, 1) * order.rate)[order.first] * BEFORE[before]
    return _unsorted(order, _sum_within(rise, order.first))


def annealing_area(step: Floats, rate: Floats, runs: Ints, *, decay: float) -> Floats:
    """S₂ = Σ_{i≤s} m_i with m_i = λ·m_{i−1} + (η_{i−1} − η_i) and m = 0 at a run's first row; (rows,).

    decay: λ in [0, 1), the memory of a fall of the rate. Summing the recursion gives (1 − λ)·S₂ = η_0 − η_s − λ·m_s, so
    that only m at the rows is needed. Source: Tissue et al. 2024, arXiv:2408.11029, section 3.
    """
    if not 0 <= decay < 1:
        raise DataError(f"the annealing decay lies in [0, 1), not {decay:g}; 0.999 is usual")
    order = _sorted(step, rate, runs)
    first_rate = order.rate[np.maximum.accumulate(np.where(order.first, np.arange(len(order.rate)), 0))]
    fallen = first_rate - order.rate
    if decay == 0:
        return _unsorted(order, fallen)
    kept = np.exp(order.gap * np.log(decay))
    added = np.where(order.first, 0.0, order.drop / np.maximum(order.gap, 1) * (1 - kept) / (1 - decay))
    memory = np.empty_like(added)
    for block in _blocks(order, -np.log(decay)):
        faded = (order.step[block] - order.step[block.start]) * -np.log(decay)
        carried = 0.0 if order.first[block.start] else memory[block.start - 1] * kept[block.start]
        memory[block] = (carried + np.cumsum(added[block] * np.exp(faded))) * np.exp(-faded)
    area = (fallen - decay * memory) / (1 - decay)
    # where nothing has fallen yet the two terms cancel to nothing, not to their rounding
    return _unsorted(order, np.where(np.abs(area) < 1e-12 * first_rate / (1 - decay), 0.0, area))


@dataclass(frozen=True)
class Falls(Value):
    """For each row the changes of the rate before it: one list a row, all lists in one array.

    offsets: (rows + 1,), where each row's list begins. drop: η_{k−1} − η_k. rate: η_k. area: S_k = Σ_{i=k..s} η_i.
    """

    offsets: Ints
    drop: Floats
    rate: Floats
    area: Floats


def rate_falls(step: Floats, rate: Floats, runs: Ints, *, before: Before = "held") -> Falls:
    """Every change of the rate that a row has behind it, in its run.

    A change that is spread over several steps between two rows counts at its middle, or, for the last two such gaps
    before a row, in :data:`_PIECES` pieces. ``before="linear"`` adds a warm-up from 0 to the run's first rate, in
    :data:`_WARMUP` pieces.
    Raises DataError where this makes more than :data:`_MOST_PAIRS` pairs of a row and a change.
    """
    order = _sorted(step, rate, runs, lift=before == "held")
    area = _sum_within(_rises(order), order.first)
    begins = np.append(np.flatnonzero(order.first), len(order.step))
    changed = ~order.first & (order.drop != 0)
    pairs = sum(
        int((np.cumsum(changed[begin:end]) + (_WARMUP if before == "linear" else 0)).sum())
        for begin, end in itertools.pairwise(begins)
    )
    if pairs > _MOST_PAIRS:
        raise DataError(
            f"{len(step)} rows make {pairs:,} pairs of a row and a change of its rate; {_MOST_PAIRS:,} are the most: "
            "keep every 50th row or so"
        )
    lists = [
        _falls_before(order, area, slice(begin, end), position, before=before)
        for begin, end in itertools.pairwise(begins.tolist())
        for position in range(begin, end)
    ]
    place = np.argsort(order.rows)
    drop, own, since = (np.concatenate([lists[row][part] for row in place]) for part in range(3))
    counts = np.array([len(lists[row][0]) for row in place])
    return Falls(np.concatenate([[0], np.cumsum(counts)]), drop, own, since)


def _falls_before(
    order: _Order, area: Floats, run: slice, row: int, *, before: Before
) -> tuple[Floats, Floats, Floats]:
    """Drop, rate and area since for the changes of one run up to one of its rows."""
    late = np.arange(run.start + 1, row + 1)
    late = late[order.drop[late] != 0]
    pieces = np.where(late > row - 2, np.minimum(order.gap[late], _PIECES), 1).astype(np.int64)
    gap_of = np.repeat(late, pieces)
    part = np.arange(len(gap_of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    gap, drop, end = order.gap[gap_of], order.drop[gap_of], order.rate[gap_of]
    # the middle one of a piece's steps, counted from 1 at the first step after the row before
    middle = (part + 0.5) * gap / np.repeat(pieces, pieces) + 0.5
    own = end + drop * (gap - middle) / gap
    since = area[row] - area[gap_of] + (gap - middle + 1) * (own + end) / 2
    dropped = drop / np.repeat(pieces, pieces)
    if before == "linear":
        steps, top = max(order.step[run.start], 1.0), order.rate[run.start]
        share = (np.arange(_WARMUP) + 0.5) / _WARMUP
        dropped = np.concatenate([np.full(_WARMUP, -top / _WARMUP), dropped])
        own = np.concatenate([share * top, own])
        warm = steps * top * (1 - share**2) / 2
        since = np.concatenate([warm + area[row] - area[run.start], since])
    # a law takes powers of both, which a fall to a rate of exactly zero does not have
    least = _LEAST_RATE * np.abs(dropped)
    return dropped, np.maximum(own, least), np.maximum(since, least)


def _sorted(step: Floats, rate: Floats, runs: Ints, *, lift: bool = True) -> _Order:
    """The rows of each run by step, checked; ``lift`` raises a warm-up to the rate at its top."""
    for bad, what, mend in (
        (~np.isfinite(step) | ~np.isfinite(rate), "no finite step or learning rate", "finite(step) and finite(lr)"),
        (rate < 0, "a learning rate below zero", "lr >= 0"),
        (step < 0, "a step below zero", "step >= 0"),
    ):
        if bad.any():
            at = int(np.argmax(bad))
            raise DataError(
                f"{int(bad.sum())} of {len(step)} rows have {what} (first: step {step[at]:g}, rate {rate[at]:g}); "
                f'mend the schedule, or drop them with --where "{mend}"'
            )
    unsorted = (np.diff(runs) < 0) | ((np.diff(runs) == 0) & (np.diff(step) < 0))
    rows = np.lexsort((step, runs)) if unsorted.any() else np.arange(len(step))
    step, rate, runs = step[rows].astype(np.float64), rate[rows].astype(np.float64), runs[rows]
    first = np.concatenate([[True], runs[1:] != runs[:-1]])
    gap = np.diff(step, prepend=step[:1])
    gap[first] = 0.0
    twice = ~first & (gap <= 0)
    if twice.any():
        raise DataError(
            f"step {step[np.argmax(twice)]:g} occurs twice in one run, so its schedule is not known; give each "
            "training its own name in a run column"
        )
    rate = _without_warmup(rate, first) if lift else rate
    drop = -np.diff(rate, prepend=rate[:1])
    drop[first] = 0.0
    return _Order(rows, first, step, rate, gap, drop)


def _without_warmup(rate: Floats, first: NDArray[np.bool_]) -> Floats:
    """Rates with a run's first stretch of rising rows lifted to its top."""
    falls = ~first & (np.diff(rate, prepend=rate[:1]) <= 0)
    held = rate.copy()
    begins = np.append(np.flatnonzero(first), len(rate))
    for begin, end in itertools.pairwise(begins):
        rising = falls[begin + 1 : end]
        top = begin + (int(np.argmax(rising)) if rising.any() else 0)
        held[begin:top] = rate[top]
    return held


def _rises(order: _Order) -> Floats:
    """The sum of rates over the steps since the row before, its own step with it; 0 at a run's first row."""
    return np.where(order.first, 0.0, order.gap * (order.rate + order.drop) - order.drop * (order.gap + 1) / 2)


def _sum_within(values: Floats, first: NDArray[np.bool_]) -> Floats:
    """Running sums that begin anew at every run, so that no run carries the rounding of those before it."""
    total = np.empty_like(values)
    begins = np.append(np.flatnonzero(first), len(values))
    for begin, end in itertools.pairwise(begins):
        np.cumsum(values[begin:end], out=total[begin:end])
    return total


def _blocks(order: _Order, rate_of_fading: float) -> Iterator[slice]:
    """Stretches of one run over which memory fades by no more than :data:`_LONGEST_FADE` e-folds."""
    begins = np.append(np.flatnonzero(order.first), len(order.step))
    span = _LONGEST_FADE / rate_of_fading
    for begin, end in itertools.pairwise(begins):
        start = int(begin)
        while start < end:
            stop = start + int(np.searchsorted(order.step[start:end], order.step[start] + span, side="right"))
            yield slice(start, stop)
            start = stop


def _unsorted(order: _Order, values: Floats) -> Floats:
    out = np.empty_like(values)
    out[order.rows] = values
    return out
