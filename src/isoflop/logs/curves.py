"""Curves as they are logged, point by point and metric by metric, and the table of them: one row a step."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.logs.logged import STEP, WALL

_ROOM: Final = 64 * 2**20  # bytes that a table may take beyond four times its points
_RESERVED: Final = (STEP, WALL)
_MOST_STEPS: Final = 2**62

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass
class _Points:
    """One metric: steps and values in the order in which they were written, and where each session begins."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    sessions: list[tuple[int, int]] = field(default_factory=list)  # (number of the session, first point)


class Curves:
    """Collects points; ``table`` makes the history of them.

    A restarted run writes some steps twice: the later writing counts, and points of an earlier session (file) beyond
    the step at which the later one began are dropped, since the run that made them was abandoned.
    """

    def __init__(self) -> None:
        self._metrics: dict[str, _Points] = {}
        self._wall = _Points()
        self._session = 0

    def __len__(self) -> int:
        return sum(len(points.steps) for points in self._metrics.values())

    def new_session(self) -> None:
        """What follows was written by a later start of the run."""
        self._session += 1

    def add(self, metric: str, step: int, value: float) -> None:
        """One point; a step beyond 64 bits is no step and is passed over."""
        if metric in _RESERVED:
            metric = f"{metric} (logged)"
        points = self._metrics.get(metric)
        if points is None:
            points = self._metrics[metric] = _Points()
        self._append(points, step, value)

    def add_wall(self, step: int, seconds: float) -> None:
        """The time at which a step was logged, in seconds from any origin."""
        if math.isfinite(seconds):
            self._append(self._wall, step, seconds)

    def _append(self, points: _Points, step: int, value: float) -> None:
        if -_MOST_STEPS < step < _MOST_STEPS:
            if not points.sessions or points.sessions[-1][0] != self._session:
                points.sessions.append((self._session, len(points.steps)))
            points.steps.append(step)
            points.values.append(value)

    def table(self) -> tuple[pl.DataFrame, list[Finding]]:
        """The history (step, metrics, wall) and what was done to make it."""
        findings: list[Finding] = []
        kept: dict[str, tuple[Ints, Floats]] = {}
        stale = 0
        unstepped = []
        for name, points in self._metrics.items():
            steps, values = np.frombuffer(points.steps, np.int64), np.frombuffer(points.values, np.float64)
            if len(steps) > len(points.sessions) and steps.min() == steps.max():
                unstepped.append(name)
                kept[name] = np.arange(len(steps)), values
                continue
            steps, values, dropped = _after_restarts(steps, values, points.sessions)
            stale += dropped
            kept[name] = _last_of_each(steps, values)
        if unstepped:
            findings.append(_unstepped(unstepped))
        if stale:
            findings.append(
                Finding(
                    "restarted",
                    "note",
                    f"the run was restarted; {stale:,} points that the later start replaced or left behind are out.",
                    "Nothing to do, unless two runs write to one folder: then give each its own.",
                )
            )
        narrow = _that_fit(kept)
        if len(narrow) < len(kept):
            findings.append(
                Finding(
                    "too-wide",
                    "warning",
                    f"{len(kept) - len(narrow):,} of {len(kept):,} metrics were left out: logged at steps of their "
                    "own, they would make a table far larger than the log.",
                    "Log metrics at common steps.",
                )
            )
        frame = _joined(narrow)
        if len(self._wall.steps) and frame.height:
            frame = frame.with_columns(self._wall_of(frame[STEP].to_numpy()))
        return frame, findings

    def _wall_of(self, steps: Ints) -> pl.Series:
        logged, seconds = _last_of_each(
            np.frombuffer(self._wall.steps, np.int64), np.frombuffer(self._wall.values, np.float64)
        )
        seconds = seconds - min(self._wall.values)
        return _column(WALL, steps, logged, seconds)


def _after_restarts(steps: Ints, values: Floats, sessions: list[tuple[int, int]]) -> tuple[Ints, Floats, int]:
    """The points without those that a later session (a later file) replaced or left behind."""
    keep = np.ones(len(steps), dtype=bool)
    firsts = [first for _, first in sessions]
    for first, end in pairwise([*firsts[1:], len(steps)]):
        keep[:first] &= steps[:first] < steps[first:end].min()
    return steps[keep], values[keep], int((~keep).sum())


def _last_of_each(steps: Ints, values: Floats) -> tuple[Ints, Floats]:
    """One point a step, the last that was written, sorted by step."""
    if len(steps) < 2 or (np.diff(steps) > 0).all():
        return steps, values
    unique, first = np.unique(steps[::-1], return_index=True)
    return unique, values[::-1][first]


def _that_fit(curves: dict[str, tuple[Ints, Floats]]) -> dict[str, tuple[Ints, Floats]]:
    """The metrics whose common table stays in proportion to their points: losses first, then the longest."""
    points = sum(len(steps) for steps, _ in curves.values())
    room = _ROOM + 4 * 16 * points
    if not curves or len(curves) * 8 * points <= room:
        return curves
    kept: dict[str, tuple[Ints, Floats]] = {}
    steps = np.unique(np.concatenate([own for own, _ in curves.values()]))
    there = np.zeros(len(steps), dtype=bool)  # the steps of what is kept
    height = 0
    for name in sorted(curves, key=lambda name: ("loss" not in name.lower(), -len(curves[name][0]))):
        own = np.searchsorted(steps, curves[name][0])
        wider = height + int((~there[own]).sum())
        if kept and (len(kept) + 1) * 8 * wider > room:
            continue
        kept[name], height = curves[name], wider
        there[own] = True
    return {name: kept[name] for name in curves if name in kept}


def _joined(curves: dict[str, tuple[Ints, Floats]]) -> pl.DataFrame:
    if not curves:
        return pl.DataFrame(schema={STEP: pl.Int64})
    steps = np.unique(np.concatenate([own for own, _ in curves.values()]))
    return pl.DataFrame(
        [pl.Series(STEP, steps), *(_column(name, steps, own, values) for name, (own, values) in curves.items())]
    )


def _column(name: str, steps: Ints, own: Ints, values: Floats) -> pl.Series:
    """The values at ``steps`` (sorted), null where there is none."""
    if len(own) == len(steps):  # own steps are a subset of all steps, so these are all of them
        return pl.Series(name, values.copy() if not values.flags.owndata else values)
    at = np.searchsorted(steps, own)
    here = at < len(steps)
    here[here] = steps[at[here]] == own[here]
    spread, logged = np.zeros(len(steps)), np.zeros(len(steps), dtype=bool)
    spread[at[here]], logged[at[here]] = values[here], True
    return pl.DataFrame({name: spread, "logged here": logged}).select(
        pl.when("logged here").then(pl.col(name)).alias(name)
    )[name]


def _unstepped(names: list[str]) -> Finding:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return Finding(
        "no-steps",
        "warning",
        f"every point of {shown} has the same step; the points were numbered 0, 1, 2, … in the order of writing.",
        "Log with a step, as in add_scalar(tag, value, step).",
    )
