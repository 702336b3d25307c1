"""Two fits side by side as a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws.unicode import symbol
from isoflop.planning import allocate
from isoflop.report.card import Card
from isoflop.uncertainty.ensemble import interval_of
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from isoflop.uncertainty import Ensemble, Interval

Floats = NDArray[np.float64]


def pair_card(first: Ensemble, second: Ensemble, *, budget: float | None, level: float) -> Card:
    """Parameters that both have, and the plan at a budget where both can plan, with the interval of their difference.

    Differences are over draws paired as they come, which holds for fits on selections that share no runs and is too
    wide for those that do.
    """
    shared = [name for name in first.fit.law.param_names if name in second.fit.law.param_names]
    rows = [
        _row(
            name,
            first.interval(name, level=level),
            second.interval(name, level=level),
            _apart(first, second, name, level),
        )
        for name in shared
    ]
    planned = budget is not None and all(set(each.fit.law.input_names) == {"N", "D"} for each in (first, second))
    raised = (first.findings, second.findings)
    if planned and budget is not None:
        plans = [allocate(each, budget=budget, level=level) for each in (first, second)]
        rows += [
            _row("N*", plans[0].n, plans[1].n, None, quantity=True),
            _row("D*", plans[0].d, plans[1].d, None, quantity=True),
            _row("loss there", plans[0].loss, plans[1].loss, None),
        ]
        raised = (plans[0].findings, plans[1].findings)
    if not rows:
        raise IsoflopError("these two laws share no parameter and cannot plan, so nothing can be compared")
    apart = [symbol(row[0]) for row in rows if row[-1] == "apart"]
    alike = [symbol(row[0]) for row in rows if row[-1] != "apart"]
    told = f"; not in {', '.join(alike)}" if alike else ""
    return Card(
        title=f"{_label(first)} against {_label(second)}" + (f" at {budget:.3g} FLOPs" if planned else ""),
        answer=(
            f"First and second differ at {100 * level:g} % in {', '.join(apart)}{told}."
            if apart
            else f"Nothing tells the two apart at {100 * level:g} %."
        ),
        header=("", "first", "low", "high", "second", "low", "high", "verdict"),
        rows=tuple(rows),
        findings=_whose(*raised),
        how=(
            f"first: {first.fit.data.source}; second: {second.fit.data.source}; {100 * level:g}% intervals; parameters "
            "differ where the interval of the difference of their draws leaves out zero, plans where their intervals "
            "do not overlap"
        ),
    )


def _label(ensemble: Ensemble) -> str:
    return f"{ensemble.fit.law.name} on {ensemble.fit.data.n_runs} runs"


def _apart(first: Ensemble, second: Ensemble, name: str, level: float) -> Interval | None:
    """The interval of second − first, where both have draws."""
    count = min(len(first), len(second))
    if not count:
        return None
    # one of the two in another order: fits with one seed draw runs of the same numbers
    order = np.random.default_rng([first.seed, second.seed, 5]).permutation(count)
    difference = second.push(name)[order] - first.push(name)[:count]
    return interval_of(second.fit.params[name] - first.fit.params[name], difference, level=level)


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


def _row(
    label: str, first: Interval, second: Interval, apart: Interval | None, *, quantity: bool = False
) -> tuple[str, ...]:
    def cells(each: Interval) -> tuple[str, ...]:
        write: Callable[[float], str] = (
            format_quantity if quantity else lambda value: format_by_interval(value, each.low, each.high)
        )
        return tuple(write(value) for value in (each.value, each.low, each.high))

    separate = (
        not apart.low <= 0 <= apart.high if apart is not None else first.high < second.low or second.high < first.low
    )
    return (label, *cells(first), *cells(second), "apart" if separate else "not told apart")
