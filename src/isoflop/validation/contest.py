"""The work of a ranking, in the order in which it can be spared: optima of every form, draws, fits to all runs.

Laws of one form (:func:`isoflop.laws.same_form.form`) are fitted once. What says that a law cannot tie with the best,
its error on the held-out runs, needs no draws, and what says that it has no weight, a baseline, needs no fit to all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoflop.errors import DataError, FitError
from isoflop.fitting.fit import fit_from
from isoflop.laws import Law
from isoflop.laws.same_form import form
from isoflop.processes import side_by_side
from isoflop.uncertainty.bootstrap import bootstrap, too_few_runs
from isoflop.uncertainty.ensemble import Interval
from isoflop.validation.backtest import Backtest, check_fixed
from isoflop.validation.paired import distinct
from isoflop.validation.window_test import Forecasts, Stage, WindowTest

FEW_DRAWS = 40  # of a law whose error is out of reach of the best's: of the interval of its difference, not its place
_OWN = ("name", "law", "value", "findings")  # what a law that says the same as another has of its own
_STARTS = 64  # of a fit to all runs
_TIE = 3.0  # a law does not tie beyond this multiple of the error that the best law may have
_FAR = 10.0  # nor, from however few runs, beyond this multiple of the error that it has


@dataclass(frozen=True)
class Contest:
    """Laws on the windows of ``asked``; jobs: processes, one law in each at a time."""

    asked: WindowTest
    jobs: int

    def fitted(
        self, laws: Sequence[Law], progress: Callable[[int], None] | None
    ) -> tuple[tuple[Stage, ...], dict[str, str]]:
        """Every law's optima and what they forecast, and why others have none: name → the reason."""
        groups: dict[object, list[Law]] = {}
        for law in laws:
            groups.setdefault(form(law), []).append(law)
        found: dict[str, Stage] = {}
        refused: dict[str, str] = {}
        firsts = [group[0] for group in groups.values()]
        results = side_by_side(_Fitted(self.asked), firsts, jobs=self.jobs)
        for group, result in zip(groups.values(), results, strict=True):
            for law in group:
                if isinstance(result, Stage):
                    found[law.name] = replace(result, forecasts=renamed(result.forecasts, law))
                else:
                    refused[law.name] = result
            if progress is not None:
                progress(len(group))
        return tuple(found[law.name] for law in laws if law.name in found), refused

    def forecasts(self, stages: Sequence[Stage], joint: Backtest) -> Backtest:
        """The backtest with model error and draws of distinct laws; what says the same carries those of another.

        joint: of the laws' values alone.
        """
        kept, same = distinct(joint.laws)
        by_name = {each.forecasts.name: each for each in stages}
        chosen = [by_name[each.name] for each in joint.laws if each.name in same]
        chosen = list(side_by_side(_Judged(self.asked), chosen, jobs=self.jobs))
        best = min(kept, key=lambda each: mean_error(joint, each))
        known = joint.scores(best).are
        counts = [
            self.asked.draws
            if each.forecasts.name == best.name or alike(mean_error(joint, each.forecasts), known)
            else min(self.asked.draws, FEW_DRAWS)
            for each in chosen
        ]
        results = side_by_side(_Drawn(self.asked), list(zip(chosen, counts, strict=True)), jobs=self.jobs)
        laws = {each.name: each for each in results}
        for name, twins in same.items():
            for twin in twins:
                own = by_name[twin]
                laws[twin] = replace(laws[name], **{each: getattr(own.forecasts, each) for each in _OWN})
        return replace(joint, laws=tuple(laws[each.name] for each in joint.laws))

    def unweighted(self, joint: Backtest, laws: Sequence[Forecasts], stages: Sequence[Stage]) -> dict[str, str]:
        """Why a law has no weight, by its name; empty where it has one.

        Where every law that could have weight is beaten by a baseline, they keep it: the ranking says that none is
        better. Only laws of which this is open are fitted to all runs.
        """
        base = min((joint.scores(each).are.value, each.name) for each in joint.baselines)
        errors = {each.name: mean_error(joint, each) for each in laws}
        lost = {name: "no forecast of some held-out runs" for name, error in errors.items() if not math.isfinite(error)}
        beaten = {name for name, error in errors.items() if name not in lost and not error < base[0]}
        open_ = [name for name in errors if name not in lost and name not in beaten]
        why = self._wrong([each for each in stages if each.forecasts.name in open_])
        if any(not each for each in why.values()):
            return lost | dict.fromkeys(beaten, f"beaten by the baseline {base[1]!r}") | why
        return lost | self._wrong([each for each in stages if each.forecasts.name in beaten]) | why

    def _wrong(self, stages: Sequence[Stage]) -> dict[str, str]:
        """What speaks against the fit of each law to all runs, by its name; empty where nothing does."""
        names = [each.forecasts.name for each in stages]
        return dict(zip(names, side_by_side(_Whole(self.asked), stages, jobs=self.jobs), strict=True))


@dataclass(frozen=True)
class _Fitted:
    """A law's optima, or why there are none: a law that cannot be fitted is no reason to give no answer."""

    asked: WindowTest

    def __call__(self, law: Law) -> Stage | str:
        try:
            check_fixed(law)
            return self.asked.fitted(law)
        except (FitError, DataError) as error:
            return str(error)


@dataclass(frozen=True)
class _Judged:
    """A law's forecasts with model error."""

    asked: WindowTest

    def __call__(self, law: Stage) -> Stage:
        return self.asked.judged(law)


@dataclass(frozen=True)
class _Drawn:
    """A law's forecasts with so many draws."""

    asked: WindowTest

    def __call__(self, law: tuple[Stage, int]) -> Forecasts:
        return self.asked.drawn(*law)


@dataclass(frozen=True)
class _Whole:
    """What speaks against a law's fit to all runs: an error-level finding of the fit or of its draws, or no fit.

    Findings of the runs are no fault of a law.
    """

    asked: WindowTest

    def __call__(self, stage: Stage) -> str:
        asked, known = self.asked, self.asked.runs.findings
        try:
            fitted = fit_from(
                stage.law, asked.runs, asked.objective, _STARTS, asked.seed, begin=stage.begin, thorough=False
            )
        except (FitError, DataError) as error:
            return f"no fit to all runs: {error}"
        own = next((each.code for each in fitted.findings if each.level == "error" and each not in known), "")
        if not own and too_few_runs(fitted) is None:  # draws take most of the time, and could say no more
            drawn = bootstrap(fitted, draws=asked.draws, seed=asked.seed, restarted=0, resample_by=asked.resample_by)
            own = next((each.code for each in drawn.findings if each.level == "error"), "")
        return f"error-level finding {own}" if own else ""


def alike(error: float, best: Interval) -> bool:
    """Whether an error is of the size of the best law's, which from few runs is not well known."""
    known = best.high if math.isfinite(best.high) else best.value
    return error <= min(_TIE * max(known, best.value), _FAR * best.value)


def mean_error(joint: Backtest, each: Forecasts) -> float:
    """The mean relative error, infinite where a forecast lacks."""
    return joint.scores(each).are.value if np.isfinite(each.value).all() else math.inf


def renamed(said: Forecasts, law: Law) -> Forecasts:
    """The forecasts of a law as those of another of its form."""
    findings = (replace(each, message=each.message.replace(said.name, law.name, 1)) for each in said.findings)
    return replace(said, name=law.name, law=law, findings=tuple(findings))
