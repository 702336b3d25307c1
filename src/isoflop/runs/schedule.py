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

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Before = Literal["held", "linear", "nothing"]

# What the steps before a run's first row add: its first rate, held; a linear warm-up to it; or nothing.
BEFORE: dict[str, float] = {"held": 1.0, "linear": 0.5, "nothing": 0.0}
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

    step, rate: (rows,), the optimiser step and its learning rate. runs: (rows,), which run a row belongs to.
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


def rate_drops(step: Floats, rate: Floats, runs: Ints) -> tuple[Ints, Floats, Floats, Floats]:
    """For every row, the changes of the rate so far in its run: ragged, one list a row.

    Returns offsets (rows + 1,) and, for each pair of a row and a change k before it or at it: η_{k−1} − η_k, η_k, and
    S_k = Σ_{i=k..s} η_i. A change between two rows that lie apart is put at the later one.
    """
    order = _sorted(step, rate, runs)
    area = _sum_within(_rises(order), order.first)
    changed = np.flatnonzero(~order.first & (order.drop != 0))
    begins = np.flatnonzero(order.first)
    begin = begins[np.cumsum(order.first) - 1]
    low, high = np.searchsorted(changed, begin), np.searchsorted(changed, np.arange(len(order.rate)), side="right")
    counts = (high - low)[np.argsort(order.rows)]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    row = np.repeat(np.argsort(order.rows), counts)
    change = changed[np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts) + low[row]]
    own = order.rate[change]
    return offsets, order.drop[change], own, area[row] - area[change] + own


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
