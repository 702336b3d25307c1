"""Two saved fits side by side: in which parameters they differ, and what each would train."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isoflop.answers import Answer, Column, Quantity, Table, of_interval
from isoflop.answers.wording import plural
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.model_error import own_prior, prior_provenance

if TYPE_CHECKING:
    from isoflop.planning import Plan
    from isoflop.uncertainty import Ensemble, Interval


@dataclass(frozen=True)
class Row:
    """A number of both fits. difference: second − first over draws paired at random; None where it was not formed."""

    name: str
    first: Interval
    second: Interval
    difference: Interval | None

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out zero; without one, whether the two do not overlap."""
        if self.difference is not None:
            return not self.difference.low <= 0 <= self.difference.high
        return self.first.high < self.second.low or self.second.high < self.first.low


@dataclass(frozen=True)
class Compared:
    """Two fits side by side: parameters that both have, and the plan at a budget where both can plan."""

    first: Ensemble
    second: Ensemble
    budget: float | None
    level: float
    rows: tuple[Row, ...]
    plans: tuple[Plan, Plan] | None


def answer_of_two(result: Compared, *, question: str) -> Answer:
    """In what the two differ, and the rows of both."""
    apart = [each.name for each in result.rows if each.differs]
    alike = [each.name for each in result.rows if not each.differs]
    level = f"{100 * result.level:g}%"
    where = f" at {result.budget:.3g} FLOPs".replace("e+", "e") if result.plans is not None else ""
    rest = f"; not in {', '.join(alike)}" if alike else ""
    return Answer(
        question=question,
        title=f"{_label(result.first)} and {_label(result.second)}{where}",
        headline=f"The two differ at the {level} level in {', '.join(apart)}{rest}."
        if apart
        else f"The two do not differ at the {level} level.",
        tables=(
            Table(
                "rows",
                (Column("quantity"), Column("first"), Column("second"), Column("difference"), Column("differs")),
                tuple(
                    (
                        each.name,
                        _cell(each.name, each.first),
                        _cell(each.name, each.second),
                        None if each.difference is None else of_interval("difference", each.difference),
                        each.differs,
                    )
                    for each in result.rows
                ),
            ),
        ),
        findings=_whose(*_raised(result)),
        method=(
            f"first: {result.first.estimate.data.source}; second: {result.second.estimate.data.source}; "
            "parameters differ "
            "where the interval of the difference of their draws leaves out zero, plans where their intervals do "
            "not overlap"
        ),
        provenance={
            f"{name}_prior": told
            for name, each in (("first", result.first), ("second", result.second))
            for told in prior_provenance(own_prior(each.prior), file=None).values()
        },
    )


def compare(first: Ensemble, second: Ensemble, *, budget: float | None = None, level: float = 0.9) -> Compared:
    """Parameters that both laws have, and N*, D* and loss at the budget where both laws are ones of N and D.

    Raises IsoflopError for laws that share no parameter and cannot both plan.
    """
    from isoflop.planning import optimal_plan

    shared = [name for name in first.estimate.law.param_names if name in second.estimate.law.param_names]
    rows = [
        Row(
            name,
            first.interval(name, level=level),
            second.interval(name, level=level),
            _apart(first, second, name, level),
        )
        for name in shared
    ]
    plans = None
    if budget is not None and all(set(each.estimate.law.input_names) == {"N", "D"} for each in (first, second)):
        plans = (optimal_plan(first, budget=budget, level=level), optimal_plan(second, budget=budget, level=level))
        one, two = plans
        rows += [Row("N", one.n, two.n, None), Row("D", one.d, two.d, None), Row("loss", one.loss, two.loss, None)]
    if not rows:
        raise IsoflopError("these two laws share no parameter and cannot both plan, so nothing can be compared")
    return Compared(first, second, budget, level, tuple(rows), plans)


def _cell(name: str, interval: Interval) -> Quantity:
    return of_interval(name, interval, "count" if name in ("N", "D") else "number")


def _label(ensemble: Ensemble) -> str:
    count = ensemble.estimate.data.n_runs
    return f"{ensemble.estimate.law.name} on {count} {plural(count, 'run')}"


def _apart(first: Ensemble, second: Ensemble, name: str, level: float) -> Interval | None:
    """The interval of second − first, where both have draws."""
    import numpy as np

    from isoflop.uncertainty.ensemble import interval_of

    count = min(len(first), len(second))
    if not count:
        return None
    # one of the two in another order: fits with one seed draw runs of the same numbers
    order = np.random.default_rng([first.seed, second.seed, 5]).permutation(count)
    difference = second.draws[name][order] - first.draws[name][:count]
    return interval_of(second.estimate.params[name] - first.estimate.params[name], difference, level=level)


def _raised(result: Compared) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Those of both fits, and of their plans."""
    plans = result.plans or (None, None)
    return tuple(  # type: ignore[return-value]
        (*each.estimate.findings, *(each.findings if plan is None else plan.findings))
        for each, plan in zip((result.first, result.second), plans, strict=True)
    )


def _whose(first: tuple[Finding, ...], second: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What both raise once, and the rest with the word of the fit that it is about."""
    both = [each for each in first if each in second]
    own = [
        replace(each, message=f"{word}: {each.message}")
        for word, found in (("first", first), ("second", second))
        for each in found
        if each not in both
    ]
    return (*dict.fromkeys(both), *own)
