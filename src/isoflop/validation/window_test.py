"""``WindowTest``: what a law says of the rows that windows hold out, first from its optima alone, then with draws.

A ranking fits every law but draws few of them: the optima tell most laws out of reach. So both are steps of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.fitting import Objective
from isoflop.fitting.table import prepared_runs
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.uncertainty.prior import Prior
from isoflop.uncertainty.scatter import RunScatter
from isoflop.validation.split import Window
from isoflop.validation.window_forecasts import Drawn, Fitted, Judged, drawn, fitted, judged, resampled
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forecasts(Value):
    """What one forecaster said of every held-out row.

    value: (held rows,); low, high, log_score: (held rows,), of a new run with model error; law_low, law_high,
    law_log_score: the same if the law holds; curve: the draws without scatter, (draws, held rows); all None for a
    baseline, which gives no interval. Draw b of every law rests on the same resampled runs.
    law: the law, or None for a baseline.
    """

    name: str
    value: Floats = field(repr=False)
    low: Floats | None = field(default=None, repr=False)
    high: Floats | None = field(default=None, repr=False)
    log_score: Floats | None = field(default=None, repr=False)
    law_low: Floats | None = field(default=None, repr=False)
    law_high: Floats | None = field(default=None, repr=False)
    law_log_score: Floats | None = field(default=None, repr=False)
    curve: Floats | None = field(default=None, repr=False)
    law: Law | None = field(default=None, repr=False)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Stage(Value):
    """A law's forecasts as far as they are worked out, and what the rest begins from, one of each window.

    begin: the windows' optima, where a fit to all runs may begin too, (windows, coordinates); None where they are
    centered elsewhere, as the rows of one family are.
    """

    forecasts: Forecasts
    fits: tuple[Fitted, ...]
    scatters: tuple[RunScatter, ...] = ()
    begin: Floats | None = field(default=None, repr=False)

    @property
    def law(self) -> Law:
        """Whose forecasts they are."""
        assert self.forecasts.law is not None
        return self.forecasts.law


@dataclass(frozen=True)
class WindowTest:
    """Windows of a table, and how laws are fitted and drawn there; sent whole to another process.

    draws: as many as any law may have, so that the same draws of two laws pair.
    """

    runs: Runs
    windows: tuple[Window, ...]
    objective: Objective
    draws: int
    level: float
    seed: int
    resample_by: str | None = None
    prior: Prior | None = None
    _shared: _Shared = field(default_factory=lambda: _Shared(), compare=False, repr=False)

    def fitted(self, law: Law) -> Stage:
        """The law's optima without the held-out rows, and what they say there.

        Raises FitError where no start has a finite objective, DataError for runs that the law cannot take.
        """
        found: list[Fitted] = []
        begin = None
        runs = prepared_runs(law, self.runs)  # from whole curves
        for part, own in self._parts(runs):
            found += fitted(law, part, own, self.objective, self.seed)
            if part is runs:
                begin = np.concatenate([each.best.theta for each in found])
        return Stage(
            Forecasts(
                name=law.name,
                value=np.concatenate([each.value for each in found]),
                law=law,
                findings=next((each.findings for each in found if each.findings), ()),
            ),
            tuple(found),
            begin=begin,
        )

    def judged(self, stage: Stage) -> Stage:
        """The same with model error."""
        law = stage.law
        found: list[Judged] = []
        for number, (part, own) in enumerate(self._parts(prepared_runs(law, self.runs))):
            fits = stage.fits[len(found) : len(found) + len(own)]
            trained = self._trained(number, part, own)
            found += judged(law, part, own, fits, trained, self.objective, self.level, self.seed, prior=self.prior)
        forecasts = replace(
            stage.forecasts,
            low=np.concatenate([each.low for each in found]),
            high=np.concatenate([each.high for each in found]),
            log_score=np.concatenate([each.log_score for each in found]),
        )
        return replace(stage, forecasts=forecasts, scatters=tuple(each.scatter for each in found))

    def drawn(self, stage: Stage, draws: int) -> Forecasts:
        """A judged law's forecasts with as many draws, the first of those that all laws share."""
        law = stage.law
        found: list[Drawn] = []
        for number, (part, own) in enumerate(self._parts(prepared_runs(law, self.runs))):
            begun = slice(len(found), len(found) + len(own))
            weights = [each[:draws] for each in self._drawn_weights(number, part, own)]
            found += drawn(
                *(law, part, own, stage.fits[begun], stage.scatters[begun], weights),
                *(self.objective, self.level, self.seed),
            )
        return replace(
            stage.forecasts,
            law_low=np.concatenate([each.law_low for each in found]),
            law_high=np.concatenate([each.law_high for each in found]),
            law_log_score=np.concatenate([each.law_log_score for each in found]),
            curve=np.concatenate([each.curve for each in found], axis=1),
        )

    def _parts(self, runs: Runs) -> Iterator[tuple[Runs, list[Window]]]:
        """The table of each family with its windows; without families, one of all runs."""
        for family in dict.fromkeys(window.family for window in self.windows):
            own = [window for window in self.windows if window.family == family]
            used = np.logical_or.reduce([window.train | window.held for window in own])
            part = runs if used.all() else runs.take(used)
            yield part, [replace(each, train=each.train[used], held=each.held[used]) for each in own]

    def _trained(self, number: int, part: Runs, windows: Sequence[Window]) -> list[Runs]:
        """The fitted runs of each window of a part, which laws that prepare no columns of their own share."""
        if part.frame.columns != self.runs.frame.columns:
            return [part.take(each.train) for each in windows]
        kept = self._shared.trained
        if number not in kept:
            kept[number] = [part.take(each.train) for each in windows]
        return kept[number]

    def _drawn_weights(self, number: int, part: Runs, windows: Sequence[Window]) -> list[Floats]:
        """How much each row of a part counts in each draw of its windows, (draws, rows) each: alike for every law."""
        kept = self._shared.weights
        if number not in kept:
            kept[number] = [resampled(part, each, self.draws, self.seed, by=self.resample_by) for each in windows]
        return kept[number]


class _Shared:
    """What laws share, by part, worked out when it is first asked for; another process works out its own."""

    def __init__(self) -> None:
        self.weights: dict[int, list[Floats]] = {}
        self.trained: dict[int, list[Runs]] = {}

    def __reduce__(self) -> tuple[type[_Shared], tuple[()]]:
        return _Shared, ()
