"""The lines of a console as runs: which step each number belongs to, restarts, and where another run begins."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.logs.console import BAR_STEP, CARRIED, DICTIONARY, MARK, Lines
from isoflop.logs.console_settings import Header
from isoflop.logs.curves import Curves
from isoflop.logs.logged import Status

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_LARGEST: Final = 2.0**62
_MOST_FALLS: Final = 1_000  # of the step in one batch of lines
_HEADER: Final = 20_000  # lines without a step in which settings are looked for
_CRASHED: Final = (
    r"^(?:\[rank\d+\]: ?)?Traceback \(most recent call last\)|^\S{0,60}CUDA out of memory|DUE TO TIME LIMIT"
)
_CRASH: Final = re.compile(_CRASHED)
_FEW: Final = 1_000  # lines that Python's pattern reads sooner than Polars' does
# What the Trainer's last dictionary sums up; these are no points of a curve.
_SUMMARY: Final = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos")


@dataclass
class ConsoleRun:
    """One run of a console."""

    curves: Curves = field(default_factory=Curves)
    settings: dict[str, Any] = field(default_factory=dict)
    results: dict[str, float] = field(default_factory=dict)
    first: float = np.inf
    last: float = -np.inf
    total: float = 0.0
    crashed: bool = False
    again: int = 0  # how often the count began anew without a sign that another run began
    counted: bool = False  # dictionaries without a step were counted

    @property
    def at_its_end(self) -> bool:
        """Whether the last step is the last that was planned; some count it from 0."""
        return bool(self.total) and self.last >= self.total - 1

    def status(self) -> Status:
        """Finished where the last step is the last that was planned."""
        if self.crashed:
            return "crashed"
        return "finished" if self.at_its_end or "train_runtime" in self.results else "unknown"

    def findings(self, source: str) -> list[Finding]:
        """What is odd about the run's lines."""
        found = []
        if self.again:
            found.append(
                Finding(
                    "begins-again",
                    "warning",
                    f"the steps of {source} begin again {self.again} times at step {self.first:,.0f} or before; what "
                    "an earlier beginning wrote was taken for a start that failed.",
                    "If they are different runs, write each to a file of its own.",
                )
            )
        if self.counted:
            found.append(
                Finding(
                    "no-steps",
                    "warning",
                    f"{source} tells losses without their steps; they were numbered 1, 2, 3, … in their order.",
                    "Keep the progress bar in the log, or read trainer_state.json instead.",
                )
            )
        return found


class Runs:
    """Gathers what batches of lines say."""

    def __init__(self) -> None:
        self._done: list[ConsoleRun] = []
        self._run = ConsoleRun()
        self._header: Header | None = Header()
        self._headed = 0
        self._mark = np.nan  # the last step of a mark
        self._step = np.nan  # the last step of a mark or a bar
        self._below = False
        self._bar, self._bar_total = np.nan, np.nan
        self._trained, self._trained_total = np.nan, np.nan  # of the last dictionary of training
        self._entries = 0

    def ended(self) -> list[ConsoleRun]:
        """The runs, when all lines were taken."""
        self._close()
        return self._done

    def take(self, lines: Sequence[str], said: Lines) -> None:
        """A batch of lines and what they say."""
        steps = self._steps(said)
        begins = np.flatnonzero(((said.kind == MARK) | (said.kind == DICTIONARY)) & ~np.isnan(steps))
        self._settings(lines, said.at[begins[0]] if len(begins) else len(lines))
        for dialect in said.dialects:
            if dialect.unit:
                self._run.settings.setdefault("loss_unit", dialect.unit)
        self._results(said, steps)
        marks = np.flatnonzero(said.kind == MARK)
        falls = self._falls(steps, marks)
        edges = [0, *falls.tolist(), len(steps)]
        cache: dict[tuple[bytes, int], tuple[Ints, NDArray[np.bool_] | None]] = {}
        for number, (begin, end) in enumerate(itertools.pairwise(edges)):
            if number:
                self._fall(steps[begin], said.total[begin])
            self._extend(said, steps, begin, end, cache)
            self._note(steps[begin:end], said.total[begin:end], said.kind[begin:end])
        self._crash(lines, said, begins)

    def _steps(self, said: Lines) -> Floats:
        """The step to which each line belongs; NaN where there is none."""
        kind = said.kind
        own = (kind == MARK) | (kind == BAR_STEP)
        if not len(kind):
            return said.step
        steps = np.where(own, said.step, np.nan)
        filled = _filled(steps, own, self._step)
        below = _filled(said.below.astype(float), own, float(self._below)) > 0
        carried = kind == CARRIED
        if np.isnan(filled[carried]).any() and own.any():  # before the first step: the one that follows
            first = int(np.argmax(own))
            filled[:first] = steps[first]
        steps[carried] = np.where(below | ~said.hanging, filled, np.nan)[carried]
        if (kind == DICTIONARY).any():
            self._dictionaries(said, steps)
        bars = np.flatnonzero(kind == BAR_STEP)
        if len(bars):
            self._bar, self._bar_total = said.step[bars[-1]], said.total[bars[-1]]
        if own.any():
            self._step, self._below = filled[-1], bool(below[-1])
        return steps

    def _dictionaries(self, said: Lines, steps: Floats) -> None:
        """A dictionary's step: its own, else the bar's; one of evaluation may follow a bar of its own."""
        evaluates = np.zeros(len(steps), bool)
        for name, (places, _) in said.metrics.items():
            if name.startswith("eval"):
                evaluates[places] = True
        bar, total = self._bar, self._bar_total
        for at in np.flatnonzero((said.kind == BAR_STEP) | (said.kind == DICTIONARY)).tolist():
            if said.kind[at] == BAR_STEP:
                bar, total = said.step[at], said.total[at]
            elif not np.isnan(said.step[at]):
                steps[at] = said.step[at]
                self._bar, self._bar_total = bar, total = said.step[at], said.total[at]
                if not evaluates[at]:
                    self._trained, self._trained_total = bar, total
            elif evaluates[at] and total != self._trained_total and not np.isnan(self._trained):
                steps[at] = self._trained
            elif not np.isnan(bar):
                steps[at] = bar
                if not evaluates[at]:
                    self._trained, self._trained_total = bar, total
                    self._run.total = float(total)
            else:
                self._entries += not evaluates[at]
                steps[at] = max(1, self._entries)
                self._run.counted = True

    def _settings(self, lines: Sequence[str], before: int) -> None:
        """Settings of the lines before a run's first step."""
        if self._header is None:
            return
        for line in lines[: max(0, min(before, _HEADER - self._headed))]:
            self._header.take(line)
        self._headed += before
        if before < len(lines) or self._headed > _HEADER:
            self._run.settings = {**self._header.settings, **self._run.settings}
            self._header = None

    def _results(self, said: Lines, steps: Floats) -> None:
        """The Trainer's summary of a whole run is no point of its curves."""
        if "train_runtime" not in said.metrics:
            return
        ends = np.zeros(len(steps), bool)
        ends[said.metrics["train_runtime"][0]] = True
        ends &= said.kind == DICTIONARY
        for name in list(said.metrics):
            places, values = said.metrics[name]
            mine = ends[places]
            if mine.any() and name in _SUMMARY:
                self._run.results[name] = float(values[mine][-1])
            if mine.any():
                said.metrics[name] = places[~mine], values[~mine]

    def _falls(self, steps: Floats, marks: Ints) -> Ints:
        """The places of marks whose step is smaller than that of the mark before."""
        if not len(marks):
            return marks
        own = steps[marks]
        before = np.concatenate([[self._mark], own[:-1]])
        falls = marks[own < before]
        self._mark = own[-1]
        return falls if len(falls) <= _MOST_FALLS else marks[:0]

    def _fall(self, step: float, total: float) -> None:
        """The count went back: another run, or the same one started anew."""
        run = self._run
        anew = step <= run.first
        other = bool(run.total) and not np.isnan(total) and total != run.total
        if anew and (run.at_its_end or other):
            self._close()
            self._run = ConsoleRun(settings={k: v for k, v in run.settings.items() if k != "max_steps"})
            return
        if anew:
            run.again += 1
        run.curves.new_session()

    def _extend(
        self, said: Lines, steps: Floats, begin: int, end: int,
        cache: dict[tuple[bytes, int], tuple[Ints, NDArray[np.bool_] | None]],
    ) -> None:  # fmt: skip
        """The numbers of some lines into the curves; metrics of the same lines share their steps."""
        whole = begin == 0 and end == len(steps)
        for name, (places, values) in said.metrics.items():
            if not whole:
                some = slice(*np.searchsorted(places, [begin, end]).tolist())
                places, values = places[some], values[some]
            if not len(places):
                continue
            key = places.tobytes(), begin
            if key not in cache:
                own = steps[places]
                good = np.abs(own) < _LARGEST  # NaN is smaller than nothing
                cache[key] = own[good].astype(np.int64), None if good.all() else good
            own_steps, good_ones = cache[key]
            self._run.curves.extend(name, own_steps, values if good_ones is None else values[good_ones])
        timed = np.flatnonzero(~np.isnan(said.wall[begin:end]) & (np.abs(steps[begin:end]) < _LARGEST)) + begin
        if len(timed):
            self._run.curves.extend_wall(steps[timed].astype(np.int64), said.wall[timed])

    def _note(self, steps: Floats, totals: Floats, kind: Ints) -> None:
        own = steps[((kind == MARK) | (kind == DICTIONARY)) & (np.abs(steps) < _LARGEST)]
        if len(own):
            self._run.first = min(self._run.first, float(own[0]))
            self._run.last = float(own[-1])
        planned = totals[(kind == MARK) & ~np.isnan(totals)]
        if len(planned):
            self._run.total = float(planned[-1]) if planned[-1] < _LARGEST else 0.0

    def _crash(self, lines: Sequence[str], said: Lines, begins: Ints) -> None:
        """A crash counts unless steps follow it."""
        if len(begins):
            self._run.crashed = False
        after = int(said.at[begins[-1]]) if len(begins) else 0
        rest = lines[after:]
        if len(rest) <= _FEW:
            crashed = any(_CRASH.search(line) for line in rest)
        else:
            crashed = bool(pl.Series(rest, dtype=pl.String).str.contains(_CRASHED).any())
        if crashed:
            self._run.crashed = True

    def _close(self) -> None:
        run = self._run
        if self._header is not None:
            run.settings = {**self._header.settings, **run.settings}
        if run.total:
            run.settings.setdefault("max_steps", int(run.total))
        self._done.append(run)


def _filled(values: Floats, own: NDArray[np.bool_], before: float) -> Floats:
    """Each place's value, or that of the last place before it that has its own."""
    last = np.maximum.accumulate(np.where(own, np.arange(len(values)), -1))
    return np.where(last >= 0, values[np.maximum(last, 0)], before)
