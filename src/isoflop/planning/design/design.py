"""``design``: the runs to train next, how wide the answer will be after them, and what else the budget would give."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting.objective import Objective
from isoflop.laws import Law
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning.design.belief import DRAWS, Belief, Moments
from isoflop.planning.design.candidates import Candidates
from isoflop.planning.design.choose import Chosen, choose, expected_error
from isoflop.planning.design.posed import Posed, pose
from isoflop.planning.design.sign import wrong_sign
from isoflop.planning.design.target import Target
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.uncertainty.prior import Prior

Floats = NDArray[np.float64]

_MOST_SEEDS = 1_000
_SMALL = 0.1  # share of the budget that a run of the batch of small ones may cost
_WIDE = 4.0  # ratio of an interval's ends after the batch from which it is said
_WIDE_RELATIVE = 0.2  # the same of a relative width
_KNOWN, _OPEN = 0.01, 0.1  # probabilities of a wrong sign
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
    candidates, target, beliefs :
        What the design was made from; a belief for each group that is compared, or one under "".
    wrong :
        Where two groups are compared: the probability that the sign of their difference is wrong, now and as expected
        after the batch.
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
    beliefs: Mapping[str, Belief] = field(repr=False)
    findings: tuple[Finding, ...]
    wrong: tuple[float, float] | None = None

    @property
    def belief(self) -> Belief:
        """The only one, or that of the first group that is compared."""
        return next(iter(self.beliefs.values()))

    @property
    def chosen(self) -> tuple[dict[str, float | str], ...]:
        """Inputs and cost of each run of the batch."""
        frame, cost = self.candidates.frame, self.candidates.cost
        return tuple({**frame.row(row, named=True), "cost": float(cost[row])} for row in self.rows)


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
    posed = pose(
        laws, candidates, question, runs=runs, objective=objective, prior=prior, noise=noise, counted=counted,
        draws=draws, seed=seed,
    )  # fmt: skip
    known, target, drift = posed.known, posed.target, posed.drift
    _check_some(posed, budget)
    found = choose(
        known.cov, known.cross, known.target_cov, posed.noise, posed.cost, budget, most=seeds, least_gain=least_gain,
        drift=drift, beside=posed.beside,
    )  # fmt: skip
    quantile = float(special.stdtrit(_FREE, (1 + level) / 2) if drift else special.ndtri((1 + level) / 2))
    middle = _middle(known, target)

    def around(error: float) -> Interval:
        return _interval(middle, error * quantile, target, level)

    alternatives = _alternatives(posed, budget, seeds, around)
    first, last = float(found.error[0]), float(found.error[-1])
    now, after = around(first), around(last)
    wrong = None
    if target.compared is not None:
        gap = float(known.target_mean[0])
        wrong = (wrong_sign(gap, first, first), wrong_sign(gap, first, last))
    return RunDesign(
        rows=found.rows,
        spent=found.spent,
        budget=float(budget),
        now=now,
        after=after,
        errors=found.error,
        alternatives=alternatives,
        candidates=posed.candidates,
        target=target,
        beliefs=posed.beliefs,
        wrong=wrong,
        findings=_findings(posed, found, budget, after, wrong),
    )


def _check_some(posed: Posed, budget: float) -> None:
    if (posed.cost <= budget * (1 + 1e-12)).any():
        return
    if posed.target.compared is None:
        raise IsoflopError(
            "no candidate within the budget lies within a factor of 11 of the compute-optimal size of its own FLOPs, "
            "and others say little of N*; offer sizes nearer to it, or raise the budget"
        )
    if not np.isfinite(posed.cost).any():
        raise IsoflopError(
            f"every candidate of {' or '.join(posed.target.compared)} has been trained; add larger ones, or let them "
            "be trained again (--seeds)"
        )
    raise IsoflopError(
        f"no candidate of {' or '.join(posed.target.compared)} costs as little as the {budget:.3g} that may be "
        "spent; raise the budget, or add cheaper candidates"
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
    posed: Posed, budget: float, seeds: int, around: Callable[[float], Interval]
) -> tuple[Alternative, ...]:
    """One run as large as the budget allows; several that cost a tenth of it at most; every candidate."""
    known, variance, cost, drift = posed.known, posed.noise, posed.cost, posed.drift
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
    posed: Posed, found: Chosen, budget: float, after: Interval, wrong: tuple[float, float] | None
) -> tuple[Finding, ...]:
    told, belief, target = [], posed.belief, posed.target
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
    if wrong is not None and wrong[0] < _KNOWN:
        told.append(
            Finding(
                "design-sign-known",
                "note",
                f"which of {' and '.join(target.compared or ())} is better is known already: the sign is wrong with a "
                f"probability of {wrong[0]:.2%}.",
                "Spend the budget on another question, or ask at a point farther away.",
            )
        )
    elif wrong is not None and wrong[1] > _OPEN:
        told.append(
            Finding(
                "design-sign-open",
                "warning",
                f"which of {' and '.join(target.compared or ())} is better is expected to stay open: after the batch "
                f"the sign is wrong with a probability of {wrong[1]:.0%}.",
                "Offer larger candidates, ask of a point nearer to them, or take the cheaper of the two.",
            )
        )
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
