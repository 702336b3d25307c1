"""``design``: the runs to train next, how wide the answer will be after them, and what else the budget would give."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting.objective import Objective
from isoflop.laws import Law
from isoflop.laws.optimum import optimum
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning.design.belief import DRAWS, Belief, Moments, believe, moments
from isoflop.planning.design.candidates import Candidates, check_inputs
from isoflop.planning.design.choose import Chosen, Drift, choose, expected_error
from isoflop.planning.design.target import Target, target_of
from isoflop.planning.near_optimum import ANYWHERE, DRIFT, WITHIN
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.uncertainty.prior import Prior

Floats = NDArray[np.float64]

_MOST_SEEDS = 1_000
_SMALL = 0.1  # share of the budget that a run of the batch of small ones may cost
_WIDE = 4.0  # ratio of an interval's ends after the batch from which it is said
_WIDE_RELATIVE = 0.2  # the same of a relative width
_LARGEST = 1e100
_FREE = 4  # degrees of freedom of an interval of N*, as plans have it


@dataclass(frozen=True)
class Alternative(Shown):
    """Another way to spend the budget: its runs, their cost, the target's error and interval expected after them."""

    name: str
    runs: int
    spent: float
    error: float
    answer: Interval


@dataclass(frozen=True)
class RunDesign(Shown):
    """The batch of runs to train next.

    Attributes
    ----------
    rows :
        Candidates of the batch, in the order in which to train them.
    spent, budget :
        Its cost, and what could be spent, in the unit of the candidates' costs.
    now, after :
        The target now, and with the interval that is expected after the batch, at the same value.
    errors :
        Root of the target's expected squared error after 0, 1, 2 … of the runs.
    alternatives :
        One large run, several small ones, and all candidates.
    candidates, target, belief :
        What the design was made from.
    findings :
        What to know about it.
    """

    rows: tuple[int, ...]
    spent: float
    budget: float
    now: Interval
    after: Interval
    errors: Floats = field(repr=False)
    alternatives: tuple[Alternative, ...]
    candidates: Candidates = field(repr=False)
    target: Target = field(repr=False)
    belief: Belief = field(repr=False)
    findings: tuple[Finding, ...]

    @property
    def chosen(self) -> tuple[dict[str, float], ...]:
        """Inputs and cost of each run of the batch."""
        frame = self.candidates.frame
        return tuple(
            {**{name: float(frame[name][row]) for name in frame.columns}, "cost": float(self.candidates.cost[row])}
            for row in self.rows
        )


def design(
    laws: Sequence[Law],
    candidates: Candidates,
    budget: float,
    question: str,
    *,
    runs: Runs | None = None,
    objective: Objective | None = None,
    prior: Prior | None = None,
    noise: float | None = None,
    counted: TrainingFlops = SIX_ND,
    seeds: int = 1,
    least_gain: float = 0.05,
    level: float = 0.9,
    draws: int = DRAWS,
    seed: int = 0,
) -> RunDesign:
    """The batch of candidates that lowers the expected squared error of a target most, within a budget.

    The error counts sampling, the scatter of a run, the choice among ``laws`` and model error; see
    :mod:`isoflop.planning.design.belief`.

    Parameters
    ----------
    laws :
        Weighted by what the runs say of them.
    candidates :
        What may be trained, with its cost.
    budget :
        In the unit of the candidates' costs.
    question :
        What to find out, as :func:`target_of` reads it.
    runs :
        Those trained already; without them constants come from publications.
    objective :
        Its space is that of the errors; log response by default.
    prior :
        Of the model error; the shipped one by default.
    noise :
        Relative scatter of one run; by default that of the runs, or 0.5 % before any.
    counted :
        How training FLOPs follow from N and D, for questions of N*.
    seeds :
        How often a candidate may be trained.
    least_gain :
        The batch ends where each further run would lower the error by less than this share for the whole budget.
    level :
        Of the intervals.
    draws, seed :
        Of the laws' constants.

    Returns
    -------
    RunDesign
        The batch, the interval expected after it, and alternatives.

    Raises
    ------
    IsoflopError
        A budget below the cheapest candidate, an input that is no number, a question that cannot be answered.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.design import candidate_grid, design
    >>> grid = candidate_grid(["N=1M:1B:6", "D=20M:20B:6"], ["N", "D"])
    >>> found = design([isoflop.law("chinchilla")], grid, 1e19, "N* at 1e21")
    >>> found.spent <= 1e19 and found.after.high / found.after.low < found.now.high / found.now.low
    True
    """
    check_level(level)
    _check(candidates, budget, seeds)
    domains = {each.name: each.domain for law in laws for each in law.inputs}
    check_inputs(candidates, domains)
    points = candidates.inputs(domains)
    belief, target = asked(
        laws, points, question, runs=runs, objective=objective, prior=prior, noise=noise, counted=counted, draws=draws,
        seed=seed,
    )  # fmt: skip
    drift, cost = None, candidates.cost
    if target.budget is not None:
        drift = _drift(belief, target.budget, points, runs, counted)
        cost = np.where(_off_path(belief, points, counted), np.inf, cost)
        _check_some(cost, budget)
    known = moments(belief, points, target.points, target.weights, target.of_laws)
    variance = np.full(len(candidates), belief.noise**2)
    found = choose(
        known.cov, known.cross, known.target_cov, variance, cost, budget, most=seeds, least_gain=least_gain,
        drift=drift,
    )  # fmt: skip
    quantile = float(stdtrit(_FREE, (1 + level) / 2) if drift else ndtri((1 + level) / 2))
    middle = _middle(known, target)

    def around(error: float) -> Interval:
        return _interval(middle, error * quantile, target, level)

    alternatives = _alternatives(known, variance, cost, budget, seeds, around, drift)
    now, after = around(float(found.error[0])), around(float(found.error[-1]))
    return RunDesign(
        rows=found.rows,
        spent=found.spent,
        budget=float(budget),
        now=now,
        after=after,
        errors=found.error,
        alternatives=alternatives,
        candidates=candidates,
        target=target,
        belief=belief,
        findings=_findings(belief, found, candidates, budget, target, after),
    )


def asked(
    laws: Sequence[Law],
    points: Mapping[str, Floats],
    question: str,
    *,
    runs: Runs | None = None,
    objective: Objective | None = None,
    prior: Prior | None = None,
    noise: float | None = None,
    counted: TrainingFlops = SIX_ND,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Belief, Target]:
    """The question as numbers, and the belief with the model error that suits it."""

    def believed(model_error: Prior | None, *, holds: bool) -> Belief:
        return believe(
            laws, points, runs, objective=objective, prior=model_error or prior, noise=noise, draws=draws, seed=seed,
            model_error=not holds,
        )  # fmt: skip

    if not re.match(r"\s*\w+ +at ", question) or "=" not in question:
        belief = believed(None, holds=True)
        target = target_of(question, belief, counted=counted)
        return (belief if target.if_law_holds else believed(target.model_error, holds=False)), target
    belief = believed(None, holds=False)
    return belief, target_of(question, belief, counted=counted)


def _drift(
    belief: Belief, budget: float, points: Mapping[str, Floats], runs: Runs | None, counted: TrainingFlops
) -> Drift:
    """How far the target's budget lies beyond runs that are near the optimum of theirs, in decades of compute."""

    def decades(inputs: Mapping[str, Floats]) -> Floats:
        spent, away = _from_optimum(belief, inputs, counted)
        return np.where(away <= WITHIN, np.log10(budget) - np.log10(spent), np.inf)

    beyond = decades(points)
    known = np.empty(0) if runs is None else decades({"N": runs["N"], "D": runs["D"]})
    far = beyond[np.isfinite(beyond)].max(initial=0.0)
    now = float(known.min(initial=np.inf))
    return Drift(DRIFT, ANYWHERE, beyond, now if math.isfinite(now) else float(max(far, 1.0)))


def _from_optimum(belief: Belief, inputs: Mapping[str, Floats], counted: TrainingFlops) -> tuple[Floats, Floats]:
    """FLOPs of each run, and |log N − log N*| at these FLOPs by the heaviest law, infinite without an optimum."""
    spent = counted.flops(inputs["N"], inputs["D"])
    best = max(belief.components, key=lambda each: each.weight)
    params = {name: np.full(len(spent), float(np.median(values))) for name, values in best.params.items()}
    with np.errstate(all="ignore"):
        there = optimum(best.law, params, spent, counted=counted)
        return spent, np.where(there.inside, np.abs(np.log(inputs["N"]) - np.log(there.n)), np.inf)


def _off_path(belief: Belief, points: Mapping[str, Floats], counted: TrainingFlops) -> NDArray[np.bool_]:
    """Candidates that a plan would leave out, even if N* is other than now believed; none where that were all."""
    far = _from_optimum(belief, points, counted)[1] > 2 * WITHIN
    return np.zeros_like(far) if far.all() else far


def _check_some(cost: Floats, budget: float) -> None:
    if not (cost <= budget * (1 + 1e-12)).any():
        raise IsoflopError(
            "no candidate within the budget lies within a factor of 11 of the compute-optimal size of its own FLOPs, "
            "and others say little of N*; offer sizes nearer to it, or raise the budget"
        )


def _check(candidates: Candidates, budget: float, seeds: int) -> None:
    if not (math.isfinite(budget) and 0 < budget < _LARGEST):
        raise IsoflopError(f"the budget for experiments must be a positive number, not {budget:g}")
    if not 1 <= seeds <= _MOST_SEEDS:
        raise IsoflopError(f"a candidate may be trained 1 to {_MOST_SEEDS} times, not {seeds}")
    cheapest = float(candidates.cost.min())
    if cheapest > budget * (1 + 1e-12):
        raise IsoflopError(
            f"the cheapest candidate costs {cheapest:.3g}, more than the {budget:.3g} that may be spent; raise the "
            "budget, or add cheaper candidates"
        )


def _middle(known: Moments, target: Target) -> float:
    middle = float(known.target_mean.mean())
    if target.kind == "number":
        return middle
    if target.kind == "relative":
        middle = float(known.target_mean.sum() / target.weights.sum())
    return math.exp(min(middle, 700.0))


def _interval(middle: float, half: float, target: Target, level: float) -> Interval:
    half = min(half, 300.0)
    if target.kind == "number":
        return Interval(middle, middle - half, middle + half, level)
    return Interval(middle, middle * math.exp(-half), middle * math.exp(half), level)


def _alternatives(
    known: Moments,
    variance: Floats,
    cost: Floats,
    budget: float,
    seeds: int,
    around: object,
    drift: Drift | None,
) -> tuple[Alternative, ...]:
    """One run as large as the budget allows; several that cost a tenth of it at most; every candidate."""
    assert callable(around)
    found = []
    affordable = np.flatnonzero(cost <= budget * (1 + 1e-12))
    large = affordable[cost[affordable] >= 0.5 * cost[affordable].max()]
    for name, some, limit in (
        ("one large run", large, 1),
        ("several small runs", np.flatnonzero(cost <= _SMALL * budget), seeds),
        ("all candidates once", np.flatnonzero(np.isfinite(cost)), 0),
    ):
        if not len(some):
            continue
        part = (known.cov[np.ix_(some, some)], known.cross[some], known.target_cov, variance[some], cost[some])
        far = None if drift is None else replace(drift, beyond=drift.beyond[some])
        if name == "one large run":
            errors = [expected_error(*part[:4], (row,), far) for row in range(len(some))]
            rows: tuple[int, ...] = (int(np.argmin(errors)),)
        elif limit:
            rows = choose(*part, budget, most=limit, exchange=False, drift=far).rows
        else:
            rows = tuple(range(len(some)))
        error = expected_error(*part[:4], rows, far)
        found.append(Alternative(name, len(rows), float(part[4][list(rows)].sum()), error, around(error)))
    return tuple(found)


def _findings(
    belief: Belief, found: Chosen, candidates: Candidates, budget: float, target: Target, after: Interval
) -> tuple[Finding, ...]:
    told = []
    if not belief.rows:
        sources = ", ".join(dict.fromkeys(each for some in belief.sources.values() for each in some))
        told.append(
            Finding(
                "design-from-publications",
                "note",
                f"no run is known yet: constants are those of {sources}, with their spread, and a run scatters by "
                f"{belief.noise:.2%}.",
                "Train the first part of the batch, and design again with its runs.",
            )
        )
    if not found.rows:
        told.append(
            Finding(
                "design-empty",
                "warning",
                "no candidate that the budget pays for would lower the error enough for its cost.",
                "Add larger candidates or a larger budget (--spend), or lower --least-gain.",
            )
        )
    elif found.spent < 0.5 * budget:
        told.append(
            Finding(
                "design-stops",
                "note",
                f"the batch spends {found.spent / budget:.0%} of the budget: further runs lower the error too "
                "little, or none is left that it pays for.",
                "Keep the rest for a design after these runs.",
            )
        )
    wide = after.high - after.low > _WIDE_RELATIVE * abs(after.value) if target.kind == "relative" else False
    if target.kind == "factor":
        wide = after.high / after.low > _WIDE
    if wide:
        told.append(
            Finding(
                "design-wide",
                "warning",
                f"the interval of {target.name} is expected to be wide after the batch as well ({after.low:.3g} to "
                f"{after.high:.3g}).",
                "Offer larger candidates, or ask of something nearer to them.",
            )
        )
    return tuple(told)
