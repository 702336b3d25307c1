"""Constants on which prepared columns depend: found by a search around the fit of everything else.

The decay λ of an annealing area is no parameter of the formula: another λ is another column S₂. So the objective at the
optimum of all parameters is itself a function of λ, and its minimum is looked for along one line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.laws import Law, fix
from isoflop.laws.law import Searched

Floats = NDArray[np.float64]
# The objective and the parameters at the optimum of a law, searched from these parameters, or from everywhere.
Optimum = Callable[[Law, Floats | None], tuple[float, Floats]]

_OPEN = 1.0  # percent by which the objective must rise on one side for the constant to count as known
_ROUNDING = 1e-18  # objectives of residuals around 1e-9 and below, as noiseless runs have
_CLOSE = 1e-3  # the search ends when the constant is known to this share of the distance between its first values


def settle(law: Law, optimum: Optimum, *, present: Collection[str]) -> tuple[Law, tuple[Finding, ...]]:
    """The law with its searched constants at their best values, and what to know of them.

    present: the columns that the table has; a constant on which only such columns depend is no question any more.

    The first values are walked from the middle outwards, each fit begun where its neighbor's ended; the best is then
    refined between its neighbors.
    """
    findings: list[Finding] = []
    for constant in law.searched:
        used = [column for column, how in law.prepared.items() if constant.name in how.settings.values()]
        if all(column in present for column in used):
            law = replace(law, searched=tuple(each for each in law.searched if each != constant))
            continue
        law, found = _settle(law, constant, optimum)
        findings += found
    return law, tuple(findings)


def _settle(law: Law, constant: Searched, optimum: Optimum) -> tuple[Law, list[Finding]]:
    from scipy.optimize import minimize_scalar

    grid = constant.values
    middle = len(grid) // 2
    ends: dict[float, tuple[float, Floats]] = {}

    def at(value: float, begin: Floats | None) -> tuple[float, Floats]:
        if value not in ends:
            ends[value] = optimum(fix(law, {constant.name: value}), begin)
        return ends[value]

    at(grid[middle], None)
    for walk in (range(middle + 1, len(grid)), range(middle - 1, -1, -1)):
        begin = ends[grid[middle]][1]
        for position in walk:
            begin = at(grid[position], begin)[1]
    best = min(range(len(grid)), key=lambda position: ends[grid[position]][0])
    low, high = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    near = ends[grid[best]][1]
    minimize_scalar(
        lambda value: at(float(value), near)[0],
        bounds=(low, high),
        method="bounded",
        options={"xatol": _CLOSE * (high - low)},
    )
    value = min(ends, key=lambda each: ends[each][0])
    return fix(law, {constant.name: value}), _findings(
        constant, value, {each: ends[each][0] for each in grid}, ends[value][0]
    )


def _findings(constant: Searched, value: float, objectives: dict[float, float], least: float) -> list[Finding]:
    low, high = constant.values[0], constant.values[-1]
    if value - low < 1e-3 * (high - low) or value == high:
        return [
            Finding(
                "at-bound",
                "warning",
                f"{constant.name} = {value:.6g} is at the end of the values that were searched, {low:g} to {high:g}.",
                f"The runs do not show it; set it (--fix {constant.name}=…).",
            )
        ]
    below = max((each for each in objectives if each < value), default=low)
    above = min((each for each in objectives if each > value), default=high)
    # of noiseless runs the objectives are rounding, whose ratios say nothing
    worse = [100 * (max(objectives[each], _ROUNDING) / max(least, _ROUNDING) - 1) for each in (below, above)]
    return [
        Finding(
            "searched-constant",
            "note" if max(worse) > _OPEN else "warning",
            f"{constant.name} = {value:.6g} was found by a search around the fit, and every interval holds it there; "
            f"at {below:g} and {above:g} the objective is {worse[0]:.2g} % and {worse[1]:.2g} % larger.",
            f"Where these are small the runs leave {constant.name} open: set it (--fix {constant.name}=…) and compare.",
        )
    ]
