"""The work of a ranking, in the order in which it can be spared: optima of every form, draws, fits to all runs.

Laws of one form (:func:`isoflop.laws.same_form.form`) are fitted once. What says that a law cannot tie with the best,
its error on the held-out runs, needs no draws, and what says that it has no weight, a baseline, needs no fit to all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoflop.errors import DataError, FitError
from isoflop.fitting import fit
from isoflop.laws import Law
from isoflop.laws.same_form import form
from isoflop.processes import side_by_side
from isoflop.uncertainty.bootstrap import bootstrap, too_few_runs
from isoflop.uncertainty.ensemble import Interval
from isoflop.validation.backtest import Backtest, check_fixed
from isoflop.validation.paired import distinct
from isoflop.validation.window_test import Forecasts, Undrawn, WindowTest

FEW_DRAWS = 60  # of a law whose error is out of reach of the best's: of the interval of its difference, not its place
_TIE = 3.0  # a law does not tie beyond this multiple of the error that the best law may have
_FAR = 10.0  # nor, from however few runs, beyond this multiple of the error that it has


@dataclass(frozen=True)
class Contest:
    """Laws on the windows of ``asked``; jobs: processes, one law in each at a time."""

    asked: WindowTest
    jobs: int

    def fitted(
        self, laws: Sequence[Law], progress: Callable[[int], None] | None
    ) -> tuple[tuple[Undrawn, ...], dict[str, str]]:
        """Every law's forecasts without draws, and why others have none: name → the reason."""
        groups: dict[object, list[Law]] = {}
        for law in laws:
            groups.setdefault(form(law), []).append(law)
        found: dict[str, Undrawn] = {}
        refused: dict[str, str] = {}
        firsts = [group[0] for group in groups.values()]
        results = side_by_side(_Fitted(self.asked), firsts, jobs=self.jobs)
        for group, result in zip(groups.values(), results, strict=True):
            for law in group:
                if isinstance(result, Undrawn):
                    found[law.name] = replace(result, forecasts=renamed(result.forecasts, law))
                else:
                    refused[law.name] = result
            if progress is not None:
                progress(len(group))
        return tuple(found[law.name] for law in laws if law.name in found), refused

    def drawn(self, joint: Backtest, undrawn: Sequence[Undrawn]) -> Backtest:
        """The backtest with the draws of its distinct laws; what forecasts as another does carries that one's."""
        kept, same = distinct(joint.laws)
        best = min(kept, key=lambda each: mean_error(joint, each))
        known = joint.scores(best).are
        counts = {
            each.name: self.asked.draws
            if each is best or alike(mean_error(joint, each), known)
            else min(self.asked.draws, FEW_DRAWS)
            for each in kept
        }
        chosen = [each for each in undrawn if each.forecasts.name in counts]
        results = side_by_side(
            _Drawn(self.asked), [(each, counts[each.forecasts.name]) for each in chosen], jobs=self.jobs
        )
        laws = dict(zip((each.forecasts.name for each in chosen), results, strict=True))
        for name, twins in same.items():
            laws |= {
                each.name: replace(renamed(laws[name], each.law), value=each.value)
                for each in joint.laws
                if each.name in twins and each.law is not None
            }
        return replace(joint, laws=tuple(laws[each.name] for each in joint.laws))

    def unweighted(self, joint: Backtest, laws: Sequence[Forecasts]) -> dict[str, str]:
        """Why a law has no weight, by its name; empty where it has one.

        Where every law that could have weight is beaten by a baseline, they keep it: the ranking says that none is
        better. Only laws of which this is open are fitted to all runs.
        """
        base = min((joint.scores(each).are.value, each.name) for each in joint.baselines)
        errors = {each.name: mean_error(joint, each) for each in laws}
        lost = {name: "no forecast of some held-out runs" for name, error in errors.items() if not math.isfinite(error)}
        beaten = {name for name, error in errors.items() if name not in lost and not error < base[0]}
        by_name = {each.name: each.law for each in laws if each.law is not None}
        why = self._wrong({name: law for name, law in by_name.items() if name not in lost and name not in beaten})
        if any(not each for each in why.values()):
            return lost | dict.fromkeys(beaten, f"beaten by the baseline {base[1]!r}") | why
        return lost | self._wrong({name: by_name[name] for name in beaten}) | why

    def _wrong(self, laws: Mapping[str, Law]) -> dict[str, str]:
        """What speaks against the fit of each law to all runs, by its name; empty where nothing does."""
        return dict(zip(laws, side_by_side(_Whole(self.asked), list(laws.values()), jobs=self.jobs), strict=True))


@dataclass(frozen=True)
class _Fitted:
    """A law's forecasts without draws, or why there are none: a law that cannot be fitted is no reason to give none."""

    asked: WindowTest

    def __call__(self, law: Law) -> Undrawn | str:
        try:
            check_fixed(law)
            return self.asked.fitted(law)
        except (FitError, DataError) as error:
            return str(error)


@dataclass(frozen=True)
class _Drawn:
    """A law's forecasts with so many draws."""

    asked: WindowTest

    def __call__(self, law: tuple[Undrawn, int]) -> Forecasts:
        return self.asked.drawn(*law)


@dataclass(frozen=True)
class _Whole:
    """What speaks against a law's fit to all runs: an error-level finding of the fit or of its draws, or no fit.

    Findings of the runs are no fault of a law.
    """

    asked: WindowTest

    def __call__(self, law: Law) -> str:
        asked, known = self.asked, self.asked.runs.findings
        try:
            fitted = fit(law, asked.runs, objective=asked.objective, seed=asked.seed)
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
