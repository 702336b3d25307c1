"""A training curve under the annealing law: what was measured of one run, its areas under the learning rate, the law.

L(s) = L_0 + A·S₁(s)^−α − C·S₂(s), with S₁ as a share of its value at the end of training and S₂ in units of η/(1 − λ),
so that A and C are losses: the reducible loss at the end, and what a complete fall of the peak rate η saves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.laws import Law, law
from isoflop.runs import Runs
from isoflop.runs.schedule import annealing_area, rate_area
from isoflop.validation.schedule_ahead import Ahead
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BINS = 120  # means of neighboring losses: the law has nothing to say within them
_SKIPPED = 0.05  # of the steps so far: after the warm-up the loss still falls faster than any power law
FEWEST = 10  # losses after that
MEMORIES = np.log(np.array([0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 5e-5]))  # log(1 − λ)


@dataclass(frozen=True)
class Seen(Value):
    """One run so far: step, rate and loss, (rows,), by step; rows before the warm-up's end are kept for the areas."""

    name: str
    step: Floats
    rate: Floats
    loss: Floats

    def some(self, most: int) -> Floats:
        """Step and loss of at most that many rows, evenly chosen, (rows, 2)."""
        known = np.flatnonzero(np.isfinite(self.loss))
        rows = known[np.unique(np.linspace(0, len(known) - 1, most).round().astype(np.int64))]
        return np.column_stack([self.step[rows], self.loss[rows]])

    def then(self, future: Ahead) -> Seen:
        """The run with its steps to come, whose losses are not known."""
        return Seen(
            self.name,
            np.concatenate([self.step, future.step]),
            np.concatenate([self.rate, future.rate]),
            np.concatenate([self.loss, np.full(len(future.step), np.nan)]),
        )


def one_run(runs: Runs) -> tuple[Seen, Ahead | None]:
    """The run's rows up to its last loss, and the rates after it where rows give them."""
    names = sorted(set(runs.text("run"))) if "run" in runs else [runs.source]
    if len(names) > 1:
        raise DataError(
            f"{runs.source} has {len(names)} runs; choose the one that is under way, such as "
            f"--where \"run == '{names[0]}'\""
        )
    step, rate, loss = runs["step"], runs["lr"], runs["loss"]
    order = np.argsort(step, kind="stable")
    step, rate, loss = step[order], rate[order], loss[order]
    if (rate < 0).any():
        raise DataError(
            f"{int((rate < 0).sum())} of {len(rate)} rows have a learning rate below zero (first: step "
            f'{step[np.argmax(rate < 0)]:g}); mend the schedule, or drop them with --where "lr >= 0"'
        )
    known = np.flatnonzero(np.isfinite(loss))
    if not len(known):
        raise DataError(f"{runs.source} has no loss; name its column with --column loss=…")
    last = int(known[-1]) + 1
    seen = Seen(names[0], step[:last], rate[:last], loss[:last])
    if last == len(step):
        return seen, None
    return seen, Ahead(step[last:], rate[last:], "rows without a loss")


@dataclass(frozen=True)
class Areas(Value):
    """Features of rows: S₁ over its value at the end of all; S₂ over η/(1 − λ) for each memory, (memories, rows)."""

    first: Floats
    second: Floats
    area: float
    peak: float

    def at(self, rows: Ints) -> Areas:
        """Those of these rows, by number."""
        return Areas(self.first[rows], self.second[:, rows], self.area, self.peak)

    def rows(self, keep: NDArray[np.bool_]) -> Areas:
        """Those of the rows where ``keep`` is true."""
        return self.at(np.flatnonzero(keep))


def areas_of(step: Floats, rate: Floats, *, area: float | None = None) -> Areas:
    """The areas of one run's rows by step. area: S₁ at the end of all, where the end is another run's."""
    codes = np.zeros(len(step), dtype=np.int64)
    first = rate_area(step, rate, codes)
    area = float(first[-1]) if area is None else area
    peak = float(rate.max())
    second = np.stack(
        [annealing_area(step, rate, codes, decay=1 - fade) * fade / peak for fade in np.exp(MEMORIES).tolist()]
    )
    return Areas(first / area, second, area, peak)


@dataclass(frozen=True)
class Binned(Value):
    """Means of neighboring losses and their features; ``noise`` of single losses about their neighbors."""

    areas: Areas
    loss: Floats
    noise: float


def binned(areas: Areas, seen: Seen) -> Binned:
    """Means of at most ``_BINS`` stretches of losses after the warm-up; raises DataError for too few."""
    peak = seen.rate.max()
    warm = seen.step[int(np.argmax(seen.rate >= peak * (1 - 1e-9)))]
    start = max(float(warm), seen.step[0]) + _SKIPPED * (seen.step[-1] - seen.step[0])
    rows = np.flatnonzero((seen.step >= start) & np.isfinite(seen.loss) & (seen.loss > 0))
    if len(rows) < FEWEST:
        raise DataError(
            f"{len(rows)} losses after the warm-up say too little of {seen.name}; wait for {FEWEST}, or give a curve "
            "with more points"
        )
    loss = seen.loss[rows]
    noise = 1.4826 * float(np.median(np.abs(np.diff(loss) - np.median(np.diff(loss))))) / np.sqrt(2)
    parts = np.array_split(rows, min(_BINS, len(rows)))
    middle = np.array([part[len(part) // 2] for part in parts])
    return Binned(areas.at(middle), np.array([float(np.mean(seen.loss[part])) for part in parts]), noise)


@cache
def _law() -> Law:
    return law("annealing")


def curve_of(theta: Floats, areas: Areas) -> Floats:
    """L(s) for draws of θ, (draws, rows)."""
    floor, reducible, exponent, saved = np.exp(theta[:, :4, None].clip(-50, 50)).transpose(1, 0, 2)
    place = np.interp(theta[:, 4], MEMORIES[::-1], np.arange(len(MEMORIES))[::-1].astype(float))
    below = np.minimum(place.astype(np.int64), len(MEMORIES) - 2)
    above = (place - below)[:, None]
    second = areas.second[below] * (1 - above) + areas.second[below + 1] * above
    # with S1 as a share of its end A is r, and with S2 as a share of η/(1 − λ) C is g
    return _law().value(
        {"L_0": floor, "A": reducible, "alpha": exponent, "C": saved}, {"S1": areas.first[None], "S2": second}
    )
