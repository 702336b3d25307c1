"""Curves as they are logged, point by point and metric by metric, and the table of them: one row a step."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.logs.logged import STEP, WALL
from isoflop.logs.scrub import plain_text
from isoflop.processes import return_freed_memory

_ROOM: Final = 64 * 2**20  # bytes that a table may take beyond four times its points
_RESERVED: Final = (STEP, WALL)
_MANY: Final = 1_000_000  # points beyond which their memory is given back in between
_MOST_STEPS: Final = 2**62
_NO_STEPS: Final = np.empty(0, np.int64)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass
class _Points:
    """One metric: steps and values in the order in which they were written, and where each session begins.

    chunks: what came as arrays, whose steps several metrics share; steps and values are what came after them.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    sessions: list[tuple[int, int]] = field(default_factory=list)  # (number of the session, first point)
    chunks: list[tuple[Ints, Floats]] = field(default_factory=list)
    count: int = 0

    def close(self) -> None:
        """Make a chunk of the points that came one by one."""
        if len(self.steps):
            self.chunks.append((np.frombuffer(self.steps, np.int64), np.frombuffer(self.values, np.float64)))
            self.steps, self.values = array("q"), array("d")

    def begin(self, session: int) -> None:
        """What comes now belongs to a session."""
        if not self.sessions or self.sessions[-1][0] != session:
            self.sessions.append((session, self.count))


@dataclass(frozen=True)
class _Kept:
    """Which points of a metric count: their steps, sorted, and their places; None for all as they are."""

    steps: Ints
    places: Ints | None
    stale: int
    unstepped: bool = False


class Curves:
    """Collects points; ``table`` makes the history of them and gives their memory back.

    A restarted run writes some steps twice: the later writing counts, and points of an earlier session (file) beyond
    the step at which the later one began are dropped, since the run that made them was abandoned.
    """

    def __init__(self) -> None:
        self._metrics: dict[str, _Points] = {}
        self._wall = _Points()
        self._session = 0

    def __len__(self) -> int:
        return sum(points.count for points in self._metrics.values())

    def new_session(self) -> None:
        """What follows was written by a later start of the run."""
        self._session += 1

    def add(self, metric: str, step: int, value: float) -> None:
        """One point; a step beyond 64 bits is no step and is passed over."""
        points = self._metrics.get(metric)
        if points is None:
            points = self._named(metric)
        self._append(points, step, value)

    def extend(self, metric: str, steps: Ints, values: Floats) -> None:
        """Many points; metrics that were logged at the same steps should come with the same array of steps."""
        if len(steps):
            points = self._named(metric)
            points.close()
            points.begin(self._session)
            points.chunks.append((steps, values))
            points.count += len(steps)

    def add_wall(self, step: int, seconds: float) -> None:
        """The time at which a step was logged, in seconds from any origin."""
        if math.isfinite(seconds):
            self._append(self._wall, step, seconds)

    def extend_wall(self, steps: Ints, seconds: Floats) -> None:
        """The times at which steps were logged; all finite."""
        if len(steps):
            self._wall.close()
            self._wall.begin(self._session)
            self._wall.chunks.append((steps, seconds))
            self._wall.count += len(steps)

    def _named(self, metric: str) -> _Points:
        if metric in _RESERVED:
            metric = f"{metric} (logged)"
        if metric not in self._metrics:
            metric = plain_text(metric)
        return self._metrics.setdefault(metric, _Points())

    def _append(self, points: _Points, step: int, value: float) -> None:
        if -_MOST_STEPS < step < _MOST_STEPS:
            points.begin(self._session)
            points.steps.append(step)
            points.values.append(value)
            points.count += 1

    def table(self) -> tuple[pl.DataFrame, list[Finding]]:
        """The history (step, metrics, wall) and what was done to make it; to be called once."""
        findings: list[Finding] = []
        if len(self) > _MANY:
            return_freed_memory()
        kept = self._kept()
        unstepped = [name for name, own in kept.items() if own.unstepped]
        if unstepped:
            findings.append(_unstepped(unstepped))
        stale = sum(own.stale for own in kept.values())
        if stale:
            findings.append(
                Finding(
                    "restarted",
                    "note",
                    f"the run was restarted; {stale:,} points that the later start replaced are left out.",
                    "Nothing to do, unless two runs write to one folder: then give each its own.",
                )
            )
        narrow = _that_fit({name: own.steps for name, own in kept.items()})
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
        return self._joined({name: kept[name] for name in narrow}), findings

    def _kept(self) -> dict[str, _Kept]:
        """Which points of every metric count; metrics with the same steps are judged once."""
        known: dict[tuple[int, ...], _Kept] = {}
        kept = {}
        for name, points in self._metrics.items():
            points.close()
            key = (*(id(steps) for steps, _ in points.chunks), -1, *(first for _, first in points.sessions))
            own = known.get(key)
            if own is None:
                parts = [steps for steps, _ in points.chunks]
                own = known[key] = _judged(np.concatenate(parts) if len(parts) > 1 else parts[0], points.sessions)
            kept[name] = own
        for points in self._metrics.values():  # the steps that count are known now; all others are given back
            points.chunks = [(_NO_STEPS, values) for _, values in points.chunks]
        return kept

    def _joined(self, kept: dict[str, _Kept]) -> pl.DataFrame:
        """A column a metric, made one after the other while its points are given back."""
        if not kept:
            return pl.DataFrame(schema={STEP: pl.Int64})
        steps = _union([own.steps for own in kept.values()])
        columns = [pl.Series(STEP, steps)]
        for name, own in kept.items():
            parts = [values for _, values in self._metrics[name].chunks]
            self._metrics[name].chunks = []
            values = np.concatenate(parts) if len(parts) > 1 else parts[0]
            del parts
            columns.append(_column(name, steps, own.steps, values if own.places is None else values[own.places]))
            del values
            if len(steps) > _MANY:
                return_freed_memory()
        self._wall.close()
        if self._wall.count:
            columns.append(self._wall_of(steps))
        return pl.DataFrame(columns)

    def _wall_of(self, steps: Ints) -> pl.Series:
        logged = np.concatenate([own for own, _ in self._wall.chunks])
        seconds = np.concatenate([own for _, own in self._wall.chunks])
        start = seconds.min()
        logged, places = _last_of_each(logged)
        return _column(WALL, steps, logged, (seconds if places is None else seconds[places]) - start)


def _judged(steps: Ints, sessions: list[tuple[int, int]]) -> _Kept:
    """Which points count: those that no later session replaced or left behind, of each step the last."""
    if len(steps) > len(sessions) and steps.min() == steps.max():
        return _Kept(np.arange(len(steps)), None, 0, unstepped=True)
    keep = _after_restarts(steps, [first for _, first in sessions])
    stale = 0 if keep is None else len(steps) - len(keep)
    own = steps if keep is None else steps[keep]
    unique, places = _last_of_each(own)
    if keep is not None:
        places = keep if places is None else keep[places]
    return _Kept(unique, places, stale)


def _after_restarts(steps: Ints, firsts: list[int]) -> Ints | None:
    """The places of the points that no later session (a later file) replaced or left behind; None for all."""
    if len(firsts) < 2:
        return None
    lowest = np.minimum.reduceat(steps, firsts)
    # what a session keeps lies below the first steps of all that came after it
    bounds = np.append(np.minimum.accumulate(lowest[::-1])[::-1][1:], _MOST_STEPS)
    whose = np.repeat(np.arange(len(firsts)), np.diff([*firsts, len(steps)]))
    return np.flatnonzero(steps < bounds[whose])


def _last_of_each(steps: Ints) -> tuple[Ints, Ints | None]:
    """Steps sorted, each once, and the place of its last writing; None where they are so already."""
    if len(steps) < 2 or (np.diff(steps) > 0).all():
        return steps, None
    if (np.diff(steps) >= 0).all():
        places = np.flatnonzero(np.append(steps[1:] != steps[:-1], True))
        return steps[places], places
    unique, first = np.unique(steps[::-1], return_index=True)
    return unique, len(steps) - 1 - first


def _union(steps: list[Ints]) -> Ints:
    """All steps, sorted; arrays that several metrics share are looked at once.

    Those that are new are gathered until they are as many as what is known, so that thousands of metrics with steps of
    their own are sorted a few times and not once each.
    """
    distinct = list({id(own): own for own in steps}.values())
    whole, waiting, count = distinct[0], [_NO_STEPS], 0
    for own in distinct[1:]:
        if len(own) != len(whole) or not (own == whole).all():
            waiting.append(own)
            count += len(own)
            if count >= len(whole):
                whole, waiting, count = np.unique(np.concatenate([whole, *waiting])), [_NO_STEPS], 0
    return np.unique(np.concatenate([whole, *waiting])) if count else whole


def _that_fit(curves: dict[str, Ints]) -> list[str]:
    """The metrics whose common table stays in proportion to their points: losses first, then the longest."""
    points = sum(len(steps) for steps in curves.values())
    room = _ROOM + 4 * 16 * points
    if not curves or len(curves) * 8 * points <= room:
        return list(curves)
    kept: set[str] = set()
    steps = _union(list(curves.values()))
    there = np.zeros(len(steps), dtype=bool)  # the steps of what is kept
    height = 0
    for name in sorted(curves, key=lambda name: ("loss" not in name.lower(), -len(curves[name]))):
        own = np.searchsorted(steps, curves[name])
        wider = height + int((~there[own]).sum())
        if kept and (len(kept) + 1) * 8 * wider > room:
            continue
        kept.add(name)
        height = wider
        there[own] = True
    return [name for name in curves if name in kept]


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
