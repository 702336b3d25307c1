"""``rank``: which laws forecast the held-out runs best, which of them tie, and what weight each has in a stack."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError
from isoflop.findings import Finding
from isoflop.fitting import Objective, fit
from isoflop.laws import Law, catalogue
from isoflop.processes import side_by_side
from isoflop.runs import Runs
from isoflop.runs.prepare import RULES
from isoflop.shown import Shown
from isoflop.uncertainty.bootstrap import bootstrap, too_few_runs
from isoflop.uncertainty.ensemble import Interval
from isoflop.uncertainty.prior import Prior
from isoflop.validation.backtest import Backtest, Forecasts, backtest
from isoflop.validation.paired import distinct, error_difference
from isoflop.validation.score import Scores
from isoflop.validation.split import HoldOut, split
from isoflop.validation.stack import stack
from isoflop.values import Value

Floats = NDArray[np.float64]

_HEARD = 0.01  # weight from which a law has a say in the stack
_TIE = 3.0  # a law does not tie beyond this multiple of the error that the best law may have
_FAR = 10.0  # nor, from however few runs, beyond this multiple of the error that it has


@dataclass(frozen=True)
class Ranked(Value):
    """One law's place.

    behind: mean over held-out runs of its relative error minus the best law's, paired, with an interval that counts
    how the difference varies from one held-out run to the next and from one resample of the fitted runs to the next.
    tied: whether that interval holds zero (or there are too few runs for one), and the law's error is of the size of
    the best law's: the runs do not tell it from the best.
    weight: its share in the stack (:func:`isoflop.validation.stack.stack`), with the interval over its draws.
    unweighted: why it has no weight: an error-level finding of its fit, or held-out runs that a baseline forecasts
    better; empty where it has one.
    same_as: laws that said the same of every held-out run (another name of the form, or a term at its bound).
    """

    law: Law
    scores: Scores
    behind: Interval
    tied: bool
    weight: Interval
    same_as: tuple[str, ...] = ()
    unweighted: str = ""


@dataclass(frozen=True)
class Ranking(Shown):
    """Laws by mean relative error on held-out runs, best first; unranked: name → why it could not be tested."""

    backtest: Backtest
    ranked: tuple[Ranked, ...]
    unranked: Mapping[str, str]
    findings: tuple[Finding, ...]


def applicable(runs: Runs, *, response: str = "loss") -> tuple[Law, ...]:
    """The laws of the catalogue that predict this response from columns that these runs have or that can be prepared.

    A law with a constant that is searched around its fit is among them, though :func:`rank` can only say so of it.
    """
    return tuple(
        law for law in catalogue().values() if law.response == response and set(law.input_names) <= _columns(law, runs)
    )


def _columns(law: Law, runs: Runs) -> set[str]:
    """The law's inputs that the runs have, and those that its rules can compute from what is there."""
    there = {name for name in law.input_names if name in runs}
    for column, how in law.prepared.items():
        if all(name in runs or name in there for name in RULES[how.rule].needs):
            there.add(column)
    return there


def rank(
    runs: Runs,
    *,
    laws: Sequence[Law] | None = None,
    response: str = "loss",
    hold_out: HoldOut | None = None,
    windows: int = 3,
    per_family: bool = False,
    objective: Objective | None = None,
    draws: int = 300,
    level: float = 0.9,
    seed: int = 0,
    resample_by: str | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
    prior: Prior | None = None,
) -> Ranking:
    """Every law on the same held-out runs: ordered by MRE, with ties, weighted by their log scores.

    A law whose fit to all runs has an error-level finding has no weight, nor has one that misses the held-out runs by
    more than the best baseline does; where all laws do, a finding says so and the weights stand.

    Parameters
    ----------
    runs :
        With the inputs of the laws and the response.
    laws :
        By default all that :func:`applicable` finds. A law with as many parameters as the smallest window leaves runs
        is not ranked, nor one with a searched constant that is not fixed.
    response :
        What the laws of the catalogue are to predict, where ``laws`` is None.
    hold_out, windows, per_family, objective, draws, level, seed, resample_by :
        As in :func:`isoflop.validation.backtest.backtest`.
    jobs :
        Processes, one law in each at a time; the answer is the same.
    progress :
        Called with 1 for each law.
    prior :
        Of the model error in their intervals and log scores; the shipped one by default.

    Returns
    -------
    Ranking
        The laws, best first, with their weights, and those that could not be tested.

    Raises
    ------
    DataError
        No law applies, or a hold-out leaves too few runs.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> laws = [isoflop.law("chinchilla"), isoflop.law("kaplan")]
    >>> ranking = isoflop.rank(runs, laws=laws, draws=40)
    >>> round(sum(each.weight.value for each in ranking.ranked), 6)
    1.0
    """
    candidates = tuple(laws) if laws is not None else applicable(runs, response=response)
    if not candidates:
        raise DataError(
            f"no law of the catalogue predicts {response} from the columns of {runs.source}; "
            "name N, D or C with --column, or give formulas with --law"
        )
    how = hold_out or HoldOut()
    simplest = min(len(law.params) for law in candidates) + 1
    cut, _ = split(runs, how, windows=windows, per_family=per_family, fewest=simplest)
    codes = runs.run_codes()
    smallest = min(len(np.unique(codes[window.train])) for window in cut)
    unranked: dict[str, str] = {}
    found: dict[str, _Tested] = {}
    tested = [law for law in candidates if len(law.params) < smallest]
    each = _Test(runs, how, windows, per_family, objective, draws, level, seed, resample_by, prior)
    for law, result in zip(tested, _tested(each, tested, jobs), strict=True):
        if isinstance(result, _Tested):
            found[law.name] = result
        else:
            unranked[law.name] = result
        if progress is not None:
            progress(1)
    for law in candidates:
        if len(law.params) >= smallest:
            unranked[law.name] = f"{len(law.params)} parameters, and the smallest window leaves {smallest} runs"
            if progress is not None:
                progress(1)
    results = list(found.values())
    if not results:
        name, why = next(iter(unranked.items()))
        raise DataError(f"no law could be tested on {runs.source}; {name}: {why}")
    joint = replace(results[0].backtest, laws=tuple(each.backtest.laws[0] for each in results))
    ranked = _ranked(joint, {name: each.error for name, each in found.items()})
    return Ranking(joint, ranked, unranked, (*joint.findings, *_findings(joint, ranked)))


@dataclass(frozen=True)
class _Test:
    """The backtest that every law undergoes; sent whole to another process."""

    runs: Runs
    hold_out: HoldOut
    windows: int
    per_family: bool
    objective: Objective | None
    draws: int
    level: float
    seed: int
    resample_by: str | None
    prior: Prior | None

    def __call__(self, law: Law) -> _Tested | str:
        """The law's backtest, or why there is none: a law that cannot be fitted is no reason to give no answer."""
        try:
            tested = backtest(
                law,
                self.runs,
                hold_out=self.hold_out,
                windows=self.windows,
                per_family=self.per_family,
                objective=self.objective,
                draws=self.draws,
                level=self.level,
                seed=self.seed,
                resample_by=self.resample_by,
                prior=self.prior,
            )
            return _Tested(tested, self._error(law))
        except (FitError, DataError) as error:
            return str(error)

    def _error(self, law: Law) -> str:
        """The code of an error-level finding of the law's fit to all runs, or of its draws; empty where there is none.

        Findings of the runs are no fault of a law.
        """
        fitted = fit(law, self.runs, objective=self.objective, seed=self.seed)
        known = self.runs.findings
        own = next((each.code for each in fitted.findings if each.level == "error" and each not in known), "")
        if own or too_few_runs(fitted) is not None:
            return own  # draws take most of the time, and could say no more
        drawn = bootstrap(fitted, draws=self.draws, seed=self.seed, restarted=0, resample_by=self.resample_by)
        return next((each.code for each in drawn.findings if each.level == "error"), "")


@dataclass(frozen=True)
class _Tested(Value):
    """A law's backtest, and the error-level finding of its fit to all runs, if there is one."""

    backtest: Backtest
    error: str


def _tested(each: _Test, laws: Sequence[Law], jobs: int) -> Iterator[_Tested | str]:
    """The result of every law in the order of ``laws``, as they come."""
    yield from side_by_side(each, laws, jobs=jobs)


def _ranked(joint: Backtest, errors: Mapping[str, str]) -> tuple[Ranked, ...]:
    """Laws of a joint backtest by MRE; those with the same forecasts are one. errors: of each law's fit to all runs."""
    kept, same = distinct(joint.laws)
    order = sorted(kept, key=lambda each: _mean_error(joint, each))
    code = joint.held.window * (int(joint.held.run.max()) + 1) + joint.held.run
    why = _unweighted(joint, order, errors)
    weighted = [position for position, each in enumerate(order) if not why[each.name]]
    draws = np.zeros((1, len(order)))
    if weighted:
        log_scores = np.column_stack([_log_score(order[position]) for position in weighted])
        stacked = stack(log_scores, code, joint.held.window, seed=joint.seed)
        draws = np.zeros((len(stacked.draws), len(order)))
        draws[:, weighted] = stacked.draws
    ends = ((1 - joint.level) / 2, (1 + joint.level) / 2)
    best = joint.scores(order[0]).are
    found = []
    for position, each in enumerate(order):
        behind = error_difference(joint, each, order[0], code)
        low, high = np.quantile(draws[:, position], ends)
        scores = joint.scores(each)
        assert each.law is not None
        found.append(
            Ranked(
                law=each.law,
                scores=scores,
                behind=behind,
                tied=position == 0 or (not behind.low > 0 and _alike(scores.are.value, best)),
                weight=Interval(float(draws[:, position].mean()), float(low), float(high), joint.level),
                same_as=tuple(same[each.name]),
                unweighted=why[each.name],
            )
        )
    return tuple(found)


def _alike(error: float, best: Interval) -> bool:
    """Whether an error is of the size of the best law's, which from few runs is not well known."""
    known = best.high if math.isfinite(best.high) else best.value
    return error <= min(_TIE * max(known, best.value), _FAR * best.value)


def _unweighted(joint: Backtest, laws: Sequence[Forecasts], errors: Mapping[str, str]) -> dict[str, str]:
    """Why a law has no weight, by its name; empty where it has one.

    Where every law that could have weight is beaten by a baseline, they keep it: the ranking says that none is better.
    """
    base = min((joint.scores(each).are.value, each.name) for each in joint.baselines)
    why, beaten = {}, {}
    for each in laws:
        error = _mean_error(joint, each)
        why[each.name] = f"error-level finding {errors[each.name]}" if errors.get(each.name) else ""
        if not math.isfinite(error):
            why[each.name] = why[each.name] or "no forecast of some held-out runs"
        beaten[each.name] = "" if error < base[0] else f"beaten by the baseline {base[1]!r}"
    if any(not why[name] and not beaten[name] for name in why):
        return {name: why[name] or beaten[name] for name in why}
    return why


def _mean_error(joint: Backtest, each: Forecasts) -> float:
    return joint.scores(each).are.value if np.isfinite(each.value).all() else math.inf


def _log_score(each: Forecasts) -> Floats:
    assert each.log_score is not None
    return each.log_score


def _findings(joint: Backtest, ranked: Sequence[Ranked]) -> list[Finding]:
    found = []
    best = ranked[0]
    ties = [each.law.name for each in ranked[1:] if each.tied]
    if ties:
        named = ", ".join(ties[:4]) + (f" and {len(ties) - 4} more" if len(ties) > 4 else "")
        found.append(
            Finding(
                "tie",
                "note",
                f"{named} tie{'s' if len(ties) == 1 else ''} with {best.law.name}: "
                f"{best.scores.runs} held-out runs do not tell them apart.",
                "Forecast with the stack (--at), which carries the choice, or hold out more runs.",
            )
        )
    creeping = [
        each.law.name
        for each in ranked
        if each.weight.value >= _HEARD
        and any(
            finding.code == "not-converged"
            for other in joint.laws
            if other.law == each.law
            for finding in other.findings
        )
    ]
    if creeping:
        found.append(
            Finding(
                "not-converged",
                "warning",
                f"fits of {' and '.join(creeping)} to the smaller runs had not converged at the limit of steps (the "
                "objective is nearly flat): their rank and weight depend on where they were stopped.",
                f"Rank the others alone (--law), or fix a parameter of {creeping[0]}.",
            )
        )
    without = [each for each in ranked if each.unweighted]
    if without:
        named = "; ".join(f"{each.law.name}: {each.unweighted}" for each in without[:3])
        named += f"; and {len(without) - 3} more" if len(without) > 3 else ""
        found.append(
            Finding(
                "no-weight",
                "warning" if len(without) == len(ranked) else "note",
                f"{len(without)} of {len(ranked)} laws have no weight ({named}).",
                "Forecast with the others; see the findings of one of these alone (isoflop fit).",
            )
        )
    base = min(joint.baselines, key=lambda each: joint.scores(each).are.value)
    if joint.scores(base).are.value <= best.scores.are.value:
        found.append(
            Finding(
                "baseline-wins",
                "warning",
                f"no law beats the baseline {base.name!r}, which misses the held-out runs by "
                f"{joint.scores(base).are.value:.2%} on average.",
                "Do not forecast beyond these runs with a law yet; look at the largest runs, or train more.",
            )
        )
    if len({*joint.held.window.tolist()}) == 1:
        found.append(
            Finding(
                "one-window",
                "note",
                "all held-out runs lie in one window, so their errors go together and the intervals are rough.",
                "Ask for more (--windows 3), where the runs allow it.",
            )
        )
    return found
