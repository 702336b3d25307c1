"""``rank``: which laws forecast the held-out runs best, which of them tie, and what weight each has in a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.fitting import Objective, huber
from isoflop.laws import Law, catalogue
from isoflop.runs import Runs
from isoflop.runs.prepare import RULES
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.uncertainty.prior import Prior
from isoflop.validation.backtest import Backtest, check_draws, tested
from isoflop.validation.contest import Contest, alike, mean_error
from isoflop.validation.paired import distinct, error_difference
from isoflop.validation.score import Scores
from isoflop.validation.split import HoldOut, split
from isoflop.validation.stack import stack
from isoflop.validation.window_test import Forecasts, Stage, WindowTest
from isoflop.values import Value

Floats = NDArray[np.float64]

_HEARD = 0.01  # weight from which a law has a say in the stack


@dataclass(frozen=True)
class Ranked(Value):
    """One law's place.

    behind: mean over held-out runs of its relative error minus the best law's, paired, with an interval that counts
    how the difference varies from one held-out run to the next and from one resample of the fitted runs to the next.
    tied: whether that interval holds zero (or there are too few runs for one), and the law's error is of the size of
    the best law's: the runs do not tell it from the best.
    weight: its share in the stack (:func:`isoflop.validation.stack.stack`), with the interval over its draws.
    unweighted: why it has no weight: held-out runs that a baseline forecasts better, or an error-level finding of its
    fit; empty where it has one.
    same_as: laws that said the same of every held-out run (another name of the form, or a term at its bound).
    draws: how many its intervals rest on: fewer where its error is so far from the best law's that it cannot tie.
    """

    law: Law
    scores: Scores
    behind: Interval
    tied: bool
    weight: Interval
    same_as: tuple[str, ...] = ()
    unweighted: str = ""
    draws: int = 0


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
    check_level(level)
    check_draws(draws)
    how = hold_out or HoldOut()
    simplest = min(len(law.params) for law in candidates) + 1
    cut, _ = split(runs, how, windows=windows, per_family=per_family, fewest=simplest)
    codes = runs.run_codes()
    smallest = min(len(np.unique(codes[window.train])) for window in cut)
    small = [law for law in candidates if len(law.params) < smallest]
    asked = WindowTest(runs, cut, objective or huber(), draws, level, seed, resample_by, prior)
    contest = Contest(asked, jobs)
    stages, unranked = contest.fitted(small, progress)
    for law in candidates:
        if len(law.params) >= smallest:
            unranked[law.name] = f"{len(law.params)} parameters, and the smallest window leaves {smallest} runs"
            if progress is not None:
                progress(1)
    if not stages:
        name, why = next(iter(unranked.items()))
        raise DataError(f"no law could be tested on {runs.source}; {name}: {why}")
    forecasts = [each.forecasts for each in stages]
    first = next(law for law in small if law.name == forecasts[0].name)
    _, refused = split(runs, how, windows=windows, per_family=per_family, fewest=len(first.params) + 1)
    joint = contest.forecasts(stages, tested(asked, [first], forecasts, findings=refused))
    ranked = _ranked(joint, contest, stages)
    return Ranking(joint, ranked, unranked, (*joint.findings, *_findings(joint, ranked)))


def _ranked(joint: Backtest, contest: Contest, stages: Sequence[Stage]) -> tuple[Ranked, ...]:
    """Laws of a joint backtest by MRE; those with the same forecasts are one."""
    kept, same = distinct(joint.laws)
    order = sorted(kept, key=lambda each: mean_error(joint, each))
    code = joint.held.window * (int(joint.held.run.max()) + 1) + joint.held.run
    why = contest.unweighted(joint, order, stages)
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
        assert each.law is not None and each.curve is not None
        found.append(
            Ranked(
                law=each.law,
                scores=scores,
                behind=behind,
                tied=position == 0 or (not behind.low > 0 and alike(scores.are.value, best)),
                weight=Interval(float(draws[:, position].mean()), float(low), float(high), joint.level),
                same_as=tuple(same[each.name]),
                unweighted=why[each.name],
                draws=len(each.curve),
            )
        )
    return tuple(found)


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
