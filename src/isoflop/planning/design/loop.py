"""``design_loop``: design, train, look, and design again, until the answer is known well enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from isoflop.errors import IsoflopError
from isoflop.fitting.objective import Objective
from isoflop.laws import Law
from isoflop.planning.design.belief import DRAWS
from isoflop.planning.design.candidates import Candidates
from isoflop.planning.design.design import RunDesign, design
from isoflop.planning.design.target import Kind
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval
from isoflop.uncertainty.prior import Prior

Train = Callable[[Sequence[int]], Runs]
Ask = Callable[[Runs], Interval | None]


@dataclass(frozen=True)
class Round(Shown):
    """One batch: how many runs, their cost, the interval that was expected after it, and the one that came out.

    asked: whether the latter is the answer that was asked of the runs, and not that of the design's belief.
    """

    runs: int
    spent: float
    expected: Interval
    answer: Interval
    asked: bool


@dataclass(frozen=True)
class DesignLoop(Shown):
    """What the rounds of a loop left.

    Attributes
    ----------
    rounds :
        Each batch with the interval before and after it was trained.
    before, answer :
        The target before any run and after the last.
    spent, budget :
        In the unit of the candidates' costs.
    rows :
        Candidates that were trained, in their order.
    reached :
        Whether the interval is as narrow as was asked for.
    stopped :
        Why there was no further round.
    last :
        The design after the last round: the target, its belief and the candidates.
    """

    rounds: tuple[Round, ...]
    before: Interval
    answer: Interval
    spent: float
    budget: float
    rows: tuple[int, ...]
    reached: bool
    stopped: str
    last: RunDesign = field(repr=False)


def width(interval: Interval, kind: Kind) -> float:
    """How wide: the ratio of the ends of what is positive (N*, a loss), the difference of those of an exponent."""
    return interval.high - interval.low if kind == "number" else interval.high / interval.low


def design_loop(
    laws_before: Sequence[Law],
    laws_after: Sequence[Law],
    candidates: Candidates,
    budget: float,
    question: str,
    train: Train,
    *,
    until: float,
    ask: Ask | None = None,
    rounds: int = 4,
    objective: Objective | None = None,
    prior: Prior | None = None,
    noise: float | None = None,
    seeds: int = 1,
    least_gain: float = 0.05,
    level: float = 0.9,
    draws: int = DRAWS,
    seed: int = 0,
) -> DesignLoop:
    """Rounds of a design and its training, each with an equal part of what is left, until the interval is narrow.

    Parameters
    ----------
    laws_before, laws_after :
        Believed before any run (they need published constants), and once there are runs.
    candidates, budget, question, objective, prior, noise, seeds, least_gain, level, draws, seed :
        As for :func:`isoflop.planning.design.design`; ``seeds`` holds for all rounds together.
    train :
        Given every candidate to be trained until now, those of earlier rounds included, gives all their runs.
    until :
        Stop once the interval is no wider: the ratio of its ends, or their difference for an exponent or a constant.
    ask :
        The answer to the question that runs give, as a plan or a forecast has it, or None where they give none yet. By
        default, and then, the answer is that of the design's belief, which holds for any law and is wider.
    rounds :
        At most so many.

    Returns
    -------
    DesignLoop
        Rounds with what was expected and what came out.

    Raises
    ------
    IsoflopError
        As for a design, before anything is trained; and what training raises.

    Examples
    --------
    Runs of a known law stand in for trained ones:

    >>> import isoflop, numpy as np
    >>> from isoflop.planning.design import candidate_grid
    >>> from isoflop.planning.design.loop import design_loop
    >>> law, grid = isoflop.law("chinchilla"), candidate_grid(["N=1M:1B:6", "D=20M:20B:6"], ["N", "D"])
    >>> truth, rng = law.published[0].values, np.random.default_rng(0)
    >>> def train(rows):
    ...     n, d = (grid.frame[name].to_numpy()[list(rows)] for name in ("N", "D"))
    ...     loss = law.value(truth, {"N": n, "D": d}) * np.exp(0.003 * rng.standard_normal(len(rows)))
    ...     return isoflop.Runs.from_columns({"N": n, "D": d, "loss": loss}, source="trained")
    >>> found = design_loop([law], [law], grid, 1e20, "loss at N=7B D=140B", train, until=1.2, draws=32)
    >>> found.reached, found.spent < 1e20
    (True, True)
    """
    if not until > 0:
        raise IsoflopError(f"a loop ends at an interval of some width; --until is a positive number, not {until:g}")

    def designed(pool: Candidates, part: float, runs: Runs | None) -> RunDesign:
        return design(
            laws_before if runs is None else laws_after, pool, part, question, runs=runs, objective=objective,
            prior=prior, noise=noise, least_gain=least_gain, level=level, draws=draws, seed=seed,
        )  # fmt: skip

    batch = last = first = designed(candidates, budget / rounds, None)
    told: list[Round] = []
    trained: list[int] = []
    spent, reached, stopped = 0.0, False, f"the last of {rounds} rounds (--rounds)"
    while batch.rows:
        trained += batch.rows
        spent += batch.spent
        runs = train(trained)
        last = designed(candidates, float(candidates.cost.max()), runs)  # for the answer as it is now, not its batch
        given = None if ask is None else ask(runs)
        told.append(Round(len(batch.rows), batch.spent, batch.after, given or last.now, given is not None))
        reached = width(told[-1].answer, last.target.kind) <= until
        pool, rest = _left(candidates, trained, seeds), budget - spent
        if reached or len(told) == rounds:
            break
        try:
            batch = designed(pool, max(rest / (rounds - len(told)), min(float(pool.cost.min()), rest)), runs)
        except IsoflopError as error:  # what was trained is worth its answer
            stopped = f"that {error}"
            break
    else:
        stopped = "that no candidate which the rest of the budget pays for lowers the error enough for its cost"
    return DesignLoop(
        rounds=tuple(told),
        before=first.now,
        answer=told[-1].answer if told else first.now,
        spent=spent,
        budget=float(budget),
        rows=tuple(trained),
        reached=reached,
        stopped="an interval as narrow as requested (--until)" if reached else stopped,
        last=last,
    )


def _left(candidates: Candidates, trained: Sequence[int], seeds: int) -> Candidates:
    """The candidates, those that were trained as often as they may be at an infinite price."""
    used = [row for row, times in Counter(trained).items() if times >= seeds]
    cost = candidates.cost.copy()
    cost[used] = np.inf
    return replace(candidates, cost=cost)
